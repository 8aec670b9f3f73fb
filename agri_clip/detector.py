"""Detector: steps 1 to 4 in order, from a photo to detections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from agri_clip.detections import Detections, PhotoRecord
from agri_clip.encoders import Encoder, get_encoder
from agri_clip.encoders.crops import extract_crops
from agri_clip.encoders.views import encode_views
from agri_clip.errors import PhotoError
from agri_clip.models import defaults
from agri_clip.photos.photo import Photo, read_photo
from agri_clip.prompts import PromptSet
from agri_clip.regions import Proposer, get_proposer
from agri_clip.regions.base import Regions
from agri_clip.regions.card import Card, find_card
from agri_clip.scoring.labeller import Labeller
from agri_clip.settings import Settings

#: Crops that are encoded together; photos with few regions share a batch.
BATCH_CROPS = 1024

#: Bytes of pixels that are held until their crops are encoded: 13 photos of 12 megapixels.
HELD_BYTES = 500_000_000

#: What looks like the card is none where so many regions that the proposer is sure of lie beside it, and not even a
#: tenth as many on it. Of 146 real traps with a card one has so many beside it, and eight times as many on it. Where
#: the finder took the table for the card, as a cold light makes it do, 11 to 64 lay beside and none on it.
SURE, MOST_BESIDE = 0.5, 10


@dataclass(frozen=True)
class Proposal:
    """A photo with its regions, ready to be encoded.

    Attributes
    ----------
    record : PhotoRecord
    regions : Regions
        Inside the card, where one was found.
    crops : list of n ndarray, shape (s, s, 3), uint8
    """

    record: PhotoRecord
    regions: Regions
    crops: list[np.ndarray] = field(repr=False)


class Detector:
    """Finds what prompts describe.

    Parameters
    ----------
    proposer, encoder : str or instance
        Picked by name; see `agri-clip models`. The user's settings file is not read: a script gives the same on every
        machine. `agri_clip.model_choice.selection.choose_models` reads it.
    device : str or None
        ``"cuda"``, ``"mps"``, ``"cpu"``; None chooses.
    settings : Settings or None
    **changes
        Single settings, by name.

    Raises
    ------
    ModelError
        A name is unknown, or the model is not on this machine.
    AgriClipError
        A setting is out of range, or the precision asked for has no fitted threshold with these models.

    Examples
    --------
    >>> detector = Detector()
    >>> detector("trap.jpg", PromptSet.of("a green aphid")).to_pandas()  # doctest: +SKIP
    """

    def __init__(
        self,
        proposer: str | Proposer = defaults.PROPOSER,
        encoder: str | Encoder = defaults.ENCODER,
        *,
        device: str | None = None,
        settings: Settings | None = None,
        **changes: Any,
    ) -> None:
        self.settings = replace(settings or Settings(), **changes)
        self.proposer = get_proposer(proposer, device=device)
        self.encoder = get_encoder(encoder, device=device)
        self.labeller = Labeller(self.encoder, self.proposer, self.settings)

    def __call__(self, photo: str | Path | np.ndarray | Photo, prompts: PromptSet | str) -> Detections:
        """Detections of one photo.

        Raises
        ------
        PhotoError
            The photo cannot be read.
        """
        read = photo if isinstance(photo, Photo) else self._read(photo)
        proposal = self.propose(read)
        return self.label(proposal, self.encode([proposal])[0], prompts)

    def stream(
        self, photos: Iterable[str | Path | Photo], prompts: PromptSet | str, **reading: Any
    ) -> Iterator[tuple[Photo | None, Detections]]:
        """Detections of many photos, in their order; a photo that fails comes with no pixels and its reason.

        Crops are encoded in batches that span photos. No more photos are held than fill one batch, or `HELD_BYTES`.

        Parameters
        ----------
        photos : iterable of str, Path or Photo
        prompts : PromptSet or str
        **reading
            Passed to `agri_clip.photos.photo.read_photo`.
        """
        waiting: list[tuple[Photo | None, Proposal | PhotoRecord]] = []
        pending = held = 0
        for source in photos:
            try:
                photo = source if isinstance(source, Photo) else self._read(source, **reading)
                proposal = self.propose(photo)
            except PhotoError as error:
                waiting.append((None, PhotoRecord.of_failure(str(source), error)))
            else:
                waiting.append((photo, proposal))
                pending += len(proposal.regions)
                held += photo.pixels.nbytes
            if pending >= BATCH_CROPS or held >= HELD_BYTES or not pending:
                yield from self._finish(waiting, prompts)
                waiting, pending, held = [], 0, 0
        yield from self._finish(waiting, prompts)

    def propose(self, photo: Photo) -> Proposal:
        """Step 1 and the crops: where something is, on the card if there is one."""
        seen = find_card(photo) if self.settings.card or self.settings.card_size_mm else None
        regions = self.proposer.propose(photo)
        notes = photo.notes + regions.notes
        on_card = None if seen is None else regions_on(seen, regions)
        card = None if on_card is None else seen
        if seen is not None and on_card is None:
            notes += ("what looked like the card holds hardly an insect, so the whole photo was searched",)
        if on_card is not None and self.settings.card:
            regions = regions[on_card]
        scale = self._scale(photo, card)
        if self.settings.card_size_mm and scale is None:
            notes += ("no card was found, so there is no scale; give --mm-per-pixel",)
        record = PhotoRecord(
            name=photo.name,
            width=photo.width,
            height=photo.height,
            taken=photo.taken,
            trap=photo.trap,
            camera=photo.camera,
            gps=photo.gps,
            mm_per_pixel=scale,
            notes=notes,
            card_area_px=card.area_px if card is not None and self.settings.card else None,
            at_cap=regions.at_cap,
        )
        crops = extract_crops(photo.pixels, regions.boxes, context=self.settings.context)
        return Proposal(record, regions, crops)

    def encode(self, proposals: list[Proposal]) -> list[np.ndarray]:
        """Step 2: one (n, dim) array of unit vectors for each photo, encoded together."""
        counts = [len(proposal.crops) for proposal in proposals]
        crops = [crop for proposal in proposals for crop in proposal.crops]
        vectors = encode_views(self.encoder, crops, self.settings.views)
        return np.split(vectors, np.cumsum(counts)[:-1])

    def label(self, proposal: Proposal, vectors: np.ndarray, prompts: PromptSet | str) -> Detections:
        """Steps 3 and 4: which words fit each region, and of overlapping regions only the best."""
        return self.labeller.label(proposal.record, proposal.regions, vectors, as_prompt_set(prompts))

    def _read(self, source: Any, **reading: Any) -> Photo:
        return read_photo(source, **reading)

    def _finish(
        self, waiting: list[tuple[Photo | None, Proposal | PhotoRecord]], prompts: PromptSet | str
    ) -> Iterator[tuple[Photo | None, Detections]]:
        vectors = iter(self.encode([part for _, part in waiting if isinstance(part, Proposal)]))
        for photo, part in waiting:
            if isinstance(part, Proposal):
                yield photo, self.label(part, next(vectors), prompts)
            else:
                prompt_set = as_prompt_set(prompts)
                yield None, self.labeller.nothing([part], prompt_set)

    def _scale(self, photo: Photo, card: Card | None) -> float | None:
        if self.settings.mm_per_pixel is not None:
            return self.settings.mm_per_pixel
        if card is not None and self.settings.card_size_mm is not None:
            return card.mm_per_pixel(*self.settings.card_size_mm)
        return photo.mm_per_pixel


def regions_on(card: Card, regions: Regions) -> np.ndarray | None:
    """Which regions lie on the card, shape (n,), bool; None where it can be no card: the sure ones lie beside it."""
    on_card, sure = card.contains(regions.boxes), regions.objectness >= SURE
    beside = int((sure & ~on_card).sum())
    return None if beside >= MOST_BESIDE and (sure & on_card).sum() < beside / 10 else on_card


def propose_on_card(proposer: Proposer, photo: Photo, card: Card | None) -> Regions:
    """The proposer's regions, without those beside the card; all of them where there is no card to be believed."""
    regions = proposer.propose(photo)
    on_card = None if card is None else regions_on(card, regions)
    return regions if on_card is None else regions[on_card]


def as_prompt_set(prompts: PromptSet | str) -> PromptSet:
    """A prompt set as it is, or one made of a single sentence."""
    return PromptSet.of(prompts) if isinstance(prompts, str) else prompts
