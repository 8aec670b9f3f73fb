"""Which insects of a season are counted for the first time, card by card, without holding the season's photos."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from agri_clip.counts.exposure import CardPeriod, by_trap, card_shown, trap_key
from agri_clip.counts.same_card import CardView, new_regions, view_card
from agri_clip.detections import BACKGROUND, FOUND, Detections, PhotoRecord
from agri_clip.errors import PhotoError
from agri_clip.photos.photo import Photo

#: A photo is compared with so many before it, the latest first, until one shows its card: a card has two sides, and one
#: blurred photo must not make every insect new.
LOOK_BACK = 4


@dataclass(frozen=True)
class NewRegions:
    """Regions that were not there before.

    Attributes
    ----------
    new : ndarray, shape (regions,), bool
        For `count_table`. Meant for regions that are found; of others nothing is said.
    notes : tuple of str
        For each photo what it was compared with and what that gave; "" where nothing was to be compared.
    """

    new: np.ndarray
    notes: tuple[str, ...]


def find_new(
    detections: Detections, read: Callable[[PhotoRecord], Photo], periods: Iterable[CardPeriod] = ()
) -> NewRegions:
    """Go through the photos of each trap in order of time, and mark each insect where it is counted first.

    Parameters
    ----------
    detections : Detections
    read : callable
        Gives the photo of a record, read as it was when its regions were found; called once a photo, and only for
        photos of traps that have several. No more than one photo is held.
    periods : iterable of CardPeriod
        When cards were placed and removed, where that is known: photos of different cards are not compared.

    Returns
    -------
    NewRegions
        Where a photo shows another card than those before it, or cannot be compared, all its insects are new, and its
        note says so.
    """
    new = np.ones(len(detections), bool)
    notes = [""] * len(detections.photos)
    cards = by_trap(periods)
    regions = _regions_of_photos(detections)
    for trap, photos in _by_trap_and_time(detections.photos).items():
        earlier: deque[tuple[CardPeriod | None, CardView]] = deque(maxlen=LOOK_BACK)
        for index in photos if len(photos) > 1 else []:
            record, mine = detections.photos[index], regions[index]
            insects = mine[detections.status[mine] != BACKGROUND]
            card = card_shown(cards.get(trap_key(trap), ()), record.taken.date()) if record.taken else None
            try:
                photo = read(record)
            except PhotoError as error:
                notes[index] = f"not compared: {error.reason}"
                continue
            if (photo.width, photo.height) != (record.width, record.height):
                notes[index] = f"not compared: the photo now has {photo.width} x {photo.height} pixels"
                continue
            view = view_card(photo, detections.boxes[insects], detections.status[insects] == FOUND)
            same = [before for period, before in reversed(earlier) if period == card]
            mask, notes[index], view = _compare(same, view)
            new[insects] = mask
            earlier.append((card, view))
    return NewRegions(new, tuple(notes))


def _compare(earlier: list[CardView], view: CardView) -> tuple[np.ndarray, str, CardView]:
    """Compare a photo with those before it until one shows its card."""
    reasons = []
    for before in earlier:
        comparison = new_regions(before, view)
        if comparison.same_card:
            return comparison.new, f"same card as {before.name}: {comparison.reason}", comparison.view
        reasons.append(f"{before.name}: {comparison.reason}")
    note = f"taken for another card than before ({'; '.join(reasons)})" if reasons else ""
    return np.ones(len(view.boxes), bool), note, view


def _regions_of_photos(detections: Detections) -> list[np.ndarray]:
    """Indices of the regions of each photo."""
    order = np.argsort(detections.photo_index, kind="stable")
    ends = np.cumsum(np.bincount(detections.photo_index, minlength=len(detections.photos)))
    return np.split(order, ends[:-1]) if len(detections.photos) else []


def _by_trap_and_time(photos: Iterable[PhotoRecord]) -> dict[str, list[int]]:
    """Indices of the photos of each trap, in order of time, then of name; those without trap or date are left out."""
    of_trap: dict[str, list[tuple[object, str, int]]] = defaultdict(list)
    for index, photo in enumerate(photos):
        if not photo.failed and photo.trap is not None and photo.taken is not None:
            of_trap[photo.trap].append((photo.taken, photo.name, index))
    return {trap: [index for *_, index in sorted(of_trap[trap])] for trap in sorted(of_trap)}
