"""How many days a trap caught for what a photo shows, so that counts of different weeks can be compared.

The rule. Photos of one trap on one day are one visit. What was caught between two visits belongs to the later one.
Where the user says when cards were placed and removed, the exposure of a visit begins when its card was placed; where
nothing is said of a trap, at the visit before, as if the card had been changed at each. Only whole days are counted.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from agri_clip.counts._reading import Day, as_data_error
from agri_clip.detections import PhotoRecord
from agri_clip.errors import DataError
from agri_clip.io.yaml_lines import LinedYaml, read_lined_yaml, validate_lined
from agri_clip.photos.metadata import is_plausible
from agri_clip.photos.photo import natural_order
from agri_clip.prompts.base import Phrase

COLUMNS = ("trap", "placed", "removed")
#: Traps that a note names one by one.
MOST_NAMED = 20


@dataclass(frozen=True)
class CardPeriod:
    """One card of one trap: the day it was placed, and the day it was removed (None: it is still there).

    On a day on which a card is changed, a photo shows the one that is taken down.
    """

    trap: str
    placed: date
    removed: date | None = None

    def shown_on(self, day: date) -> bool:
        """Whether a photo of that day shows this card."""
        return self.placed < day and (self.removed is None or day <= self.removed)


@dataclass(frozen=True)
class Exposure:
    """Visits to the traps, and how long each trap had caught.

    Attributes
    ----------
    visit : ndarray, shape (photos,), int64
        Which visit a photo belongs to; -1 where it failed, or its trap or date is not known.
    days : ndarray, shape (visits,), float64
        Days of exposure; NaN where they are not known.
    """

    visit: np.ndarray
    days: np.ndarray


def find_exposure(
    photos: Sequence[PhotoRecord], periods: Iterable[CardPeriod] = (), *, new_only: bool = False
) -> Exposure:
    """Days of exposure behind each photo, by the rule at the top of this module.

    Parameters
    ----------
    photos : sequence of PhotoRecord
    periods : iterable of CardPeriod
        When cards hung. A photo of a trap that is named here, but on a day on which none of its cards hung, has no
        known exposure; nor has the first photo of a trap that is not named.
    new_only : bool
        Whether insects that were there at the visit before are not counted again: exposure then begins at that visit
        where the card is the same.

    Returns
    -------
    Exposure
    """
    cards = by_trap(periods)
    of_trap: dict[str, dict[date, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, photo in enumerate(photos):
        if not photo.failed and photo.trap is not None and photo.taken is not None:
            of_trap[photo.trap][photo.taken.date()].append(index)
    visit = np.full(len(photos), -1, np.int64)
    days: list[float] = []
    for trap, on_day in of_trap.items():
        before: date | None = None
        for day in sorted(on_day):
            visit[on_day[day]] = len(days)
            start = before
            if trap_key(trap) in cards:
                card = card_shown(cards[trap_key(trap)], day)
                start = card.placed if card else None
                if new_only and card and before is not None and before > card.placed:
                    start = before
            days.append(float((day - start).days) if start is not None else np.nan)
            before = day
    return Exposure(visit, np.array(days, np.float64))


def by_trap(periods: Iterable[CardPeriod]) -> Mapping[str, list[CardPeriod]]:
    """The periods of each trap by its `trap_key`, in order of time; one without an end ends where the next begins."""
    cards: dict[str, list[CardPeriod]] = defaultdict(list)
    for period in sorted(periods, key=lambda p: (trap_key(p.trap), p.placed)):
        cards[trap_key(period.trap)].append(period)
    for trap, own in cards.items():
        ends = [*(later.placed for later in own[1:]), None]
        cards[trap] = [replace(p, removed=p.removed or end) for p, end in zip(own, ends, strict=True)]
    return dict(cards)


def trap_key(trap: str) -> str:
    """What the traps of photos and of a file of cards are compared by: letter case and spaces do not matter."""
    return "".join(unicodedata.normalize("NFKC", trap).casefold().split())


def card_notes(periods: Iterable[CardPeriod], photos: Iterable[PhotoRecord]) -> list[str]:
    """Name the traps of cards that have no photo, and the traps of photos that have no card.

    Parameters
    ----------
    periods : iterable of CardPeriod
        None of them means that nothing is known of cards, so there is nothing to say.
    photos : iterable of PhotoRecord
    """
    carded = {trap_key(period.trap): period.trap for period in periods}
    pictured = {trap_key(photo.trap): photo.trap for photo in photos if photo.trap is not None}
    if not carded:
        return []
    unseen = _listed(trap for key, trap in carded.items() if key not in pictured)
    bare = _listed(trap for key, trap in pictured.items() if key not in carded)
    notes = []
    if unseen:
        notes.append(f"cards: no photo is of trap {unseen}; photos are of {_listed(pictured.values()) or 'no trap'}")
    if bare:
        notes.append(f"cards: none is given for trap {bare}, so each visit's exposure begins at the visit before")
    return notes


def clock_notes(photos: Iterable[PhotoRecord]) -> list[str]:
    """A note on photos whose day cannot be right, so that they are counted in a week of their own."""
    wrong = [photo for photo in photos if photo.taken is not None and not is_plausible(photo.taken)]
    if not wrong:
        return []
    days = sorted({f"{photo.taken:%Y-%m-%d}" for photo in wrong})
    return [
        f"{len(wrong)} photos are of days that cannot be right ({_listed(days)}), such as {wrong[0].name}: "
        "the camera's clock was not set; write the day into their names"
    ]


def _listed(traps: Iterable[str]) -> str:
    names = sorted(traps, key=natural_order)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def card_shown(cards: Iterable[CardPeriod], day: date) -> CardPeriod | None:
    """Which of a trap's cards a photo of that day shows."""
    return next((card for card in cards if card.shown_on(day)), None)


def read_card_periods(path: Path | str) -> tuple[CardPeriod, ...]:
    """Read when the cards of traps were placed and removed.

    Parameters
    ----------
    path : Path or str
        A CSV table with the columns `trap`, `placed` and, if wanted, `removed`; or a YAML file with a list `cards` of
        the same fields. Days are written as 2026-05-04. `removed` is left empty for a card that hung until the next
        one of its trap was placed, or hangs still.

    Returns
    -------
    tuple of CardPeriod

    Raises
    ------
    DataError
        One line for each fault: file, line, field, remedy. Also where two cards of a trap overlap.
    """
    path = Path(path)
    with as_data_error():
        yaml = path.suffix.lower() in (".yaml", ".yml")
        lined = read_lined_yaml(path, "'cards:' with one card under it") if yaml else _read_csv(path)
        rows = validate_lined(_CardsFile, lined, lined.value).cards
    for i, row in enumerate(rows):
        if row.removed is not None and row.removed < row.placed:
            raise DataError(
                lined.message(("cards", i, "removed"), f"{row.removed} is before the card was placed, {row.placed}")
            )
    order = sorted(range(len(rows)), key=lambda i: (trap_key(rows[i].trap), rows[i].placed))
    for first, second in pairwise(order):
        one, two = rows[first], rows[second]
        still = one.placed == two.placed or (one.removed is not None and one.removed > two.placed)
        if trap_key(one.trap) == trap_key(two.trap) and still:
            line = lined.lines.get(("cards", first), 1)
            raise DataError(
                lined.message(
                    ("cards", second, "placed"),
                    f"the card of line {line} still hung on trap {two.trap} on {two.placed}; correct one of the days",
                )
            )
    return tuple(CardPeriod(row.trap, row.placed, row.removed) for row in rows)


class _CardRow(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    trap: Phrase
    placed: Day
    removed: Day | None = None


class _CardsFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    cards: tuple[_CardRow, ...]


def _read_csv(path: Path) -> LinedYaml:
    """The same values as of a YAML file, with the line of each row."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text; save the table as CSV UTF-8") from error
    header = text.partition("\n")[0]
    # Spreadsheets of countries with a decimal comma part the columns by semicolons.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in header else ",")
    names = [name.strip().casefold() for name in next(reader, [])]
    if not {"trap", "placed"} <= set(names):
        raise DataError(f"{path}:1: the first line must name the columns: {', '.join(COLUMNS)}")
    lines: dict[tuple[str | int, ...], int] = {}
    rows: list[dict[str, str]] = []
    for cells in reader:
        filled = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name in COLUMNS}
        if any(filled.values()):
            lines["cards", len(rows)] = reader.line_num
            rows.append({name: cell for name, cell in filled.items() if cell})
    return LinedYaml(path, {"cards": rows}, lines)
