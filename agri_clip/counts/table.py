"""Counts as a table: one row for each label of each trap, day, week, month or photo, zeros too.

Beside each count stands what it rests on: the threshold, what was seen and not counted, photos that failed or met a
cap, and, where they are known, the days of exposure and the card's area.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agri_clip.counts.exposure import CardPeriod, find_exposure
from agri_clip.counts.interval import count_interval
from agri_clip.detections import BACKGROUND, FOUND, OTHER, Detections, PhotoRecord
from agri_clip.errors import AgriClipError
from agri_clip.formats.csv_table import write_table
from agri_clip.formats.files import thresholds
from agri_clip.photos.photo import natural_order

#: What counts can be grouped by; `label` is always part of it.
KEYS = ("trap", "photo", "day", "week", "month", "label")
#: The group of photos whose trap or date is not known.
UNKNOWN = "unknown"
#: Columns of numbers, in order, with their types; missing where the number is not known.
COLUMNS = {
    "photos": "Int64",
    "failed": "Int64",
    "count": "Int64",
    "new": "Int64",
    "mean": "Float64",
    "count_low": "Int64",
    "count_high": "Int64",
    "threshold": "Float64",
    "other_insects": "Int64",
    "not_insects": "Int64",
    "at_cap": "Int64",
    "days": "Float64",
    "per_day": "Float64",
    "per_cm2": "Float64",
}
_MM2_PER_CM2 = 100


def parse_keys(text: str) -> tuple[str, ...]:
    """Keys as a user writes them, `trap,week`.

    Raises
    ------
    AgriClipError
        One is not known; the message lists those there are.
    """
    return _checked_keys([part.strip().casefold() for part in text.split(",") if part.strip()])


def count_table(
    detections: Detections,
    by: Sequence[str] = ("trap", "day"),
    *,
    new: np.ndarray | None = None,
    periods: Iterable[CardPeriod] = (),
    calibrated: bool = False,
) -> pd.DataFrame:
    """Count what was found, in groups of photos.

    Parameters
    ----------
    detections : Detections
        Any number of photos, in any order.
    by : sequence of str
        Some of `KEYS`. `day` is 2026-06-04, `week` the ISO week, 2026-W23, `month` 2026-06. Photos without trap or date
        are a group of their own, `UNKNOWN`.
    new : ndarray, shape (regions,), bool, optional
        Which regions were not there at the visit before, as `agri_clip.counts.find_new` says.
    periods : iterable of CardPeriod
        When cards were placed and removed; without them exposure is taken from the days of the photos.
    calibrated : bool
        Whether scores may be read as probabilities. Only then is there an interval.

    Returns
    -------
    DataFrame
        One row for each group and label, also where nothing was found. The keys and `label` are text; then come the
        columns of `COLUMNS`, in nullable types:

        - `photos`, `failed`: photos that were read, and that could not be.
        - `count`: regions found under the label; missing where no photo of the group could be read, and for a label
          that was not counted (`Detections.not_counted`).
        - `new`: those of them that `new` marks.
        - `mean`: `count` over `photos`.
        - `count_low`, `count_high`: see Notes.
        - `threshold`: the score from which the label was counted; missing where parts of the result differ in it.
        - `other_insects`, `not_insects`: regions whose best label is this one, but that were taken for an insect below
          the threshold, or for background. Over all labels they add up to all such regions.
        - `at_cap`: photos whose proposer met a cap on its regions, so that the count may be too low.
        - `days`: trap-days of exposure, where they are known; see `agri_clip.counts.exposure`.
        - `per_day`: insects per trap and day: those of the visits whose exposure is known, over `days`. The `new` ones
          where these are given, else all.
        - `per_cm2`: `count` over the card's area in sight, of the photos whose area and scale are known.

    Raises
    ------
    AgriClipError
        A key is not known.
    ValueError
        `new` does not fit the regions.

    Notes
    -----
    The interval holds, in 95 of 100 cases, how many of the regions whose best label is this one, counted or not, are
    such insects. It is exact where scores are right as probabilities and regions independent of each other. It does
    not cover insects for which there is no region, those that were taken for another label, scores that are
    calibrated on other cards than these, the chance by which an insect comes to a trap, nor the same insect on several
    photos. It is of `count`, not of `new`.
    """
    keys = _checked_keys(by)
    new = None if new is None else np.asarray(new, bool)
    if new is not None and new.shape != (len(detections),):
        raise ValueError(f"new has shape {new.shape}; there are {len(detections)} regions")
    groups, group = _group_photos(detections.photos, keys)
    numbers = _Tally(detections, group, len(groups)).columns(new, periods)
    if calibrated:
        numbers["count_low"], numbers["count_high"] = _intervals(detections, group, len(groups))
    rows = [(*values, label) for values in groups for label in detections.label_names]
    table = pd.DataFrame(rows, columns=[*keys, "label"], dtype="str")
    shape = len(groups), len(detections.label_names)
    missing = np.full(shape, np.nan)
    for name in COLUMNS:
        table[name] = np.broadcast_to(numbers.get(name, missing), shape).ravel()
    return table.astype(COLUMNS)


def write_count_csv(table: pd.DataFrame, path: Path | str, provenance: Mapping[str, Any]) -> None:
    """Write a table of counts so that a spreadsheet opens it as it is; what produced it is its last column.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    table = table.copy()
    for name, kind in table.dtypes.items():
        if pd.api.types.is_float_dtype(kind):
            table[name] = table[name].round(4)
    write_table(table, path, provenance)


class _Tally:
    """Sums over the photos of each group, of shape (groups, labels) or (groups, 1)."""

    def __init__(self, detections: Detections, group: np.ndarray, groups: int) -> None:
        self.detections, self.group, self.groups = detections, group, groups
        self.read = np.array([not photo.failed for photo in detections.photos], bool)

    def columns(self, new: np.ndarray | None, periods: Iterable[CardPeriod]) -> dict[str, np.ndarray]:
        """The columns of the table but for the interval, float with NaN where a number is not known."""
        photos = self.detections.photos
        found = self.regions(self.detections.status == FOUND)
        read = self.over_photos(self.read)
        asked = [label not in self.detections.not_counted for label in self.detections.label_names]
        counted = np.array(asked, bool)[None]
        some = np.where(read > 0, 1, np.nan)
        seen = np.where((read > 0) & counted, 1, np.nan)
        limits = thresholds(self.detections)
        numbers = {
            "photos": read,
            "failed": self.over_photos(~self.read),
            "count": self.over_photos(found) * seen,
            "mean": _ratio(self.over_photos(found), read) * seen,
            "threshold": np.array([limits.get(name, np.nan) for name in self.detections.label_names])[None],
            "other_insects": self.over_photos(self.regions(self.detections.status == OTHER)) * some,
            "not_insects": self.over_photos(self.regions(self.detections.status == BACKGROUND)) * some,
            "at_cap": self.over_photos(np.array([photo.at_cap for photo in photos], bool)),
        }
        caught = found
        if new is not None:
            caught = self.regions((self.detections.status == FOUND) & new)
            numbers["new"] = self.over_photos(caught) * seen
        numbers["days"], exposed = self.exposure(periods, new_only=new is not None)
        numbers["per_day"] = _ratio(self.over_photos(caught * exposed), numbers["days"]) * seen
        area = np.array([_area_cm2(photo) for photo in photos], np.float64)[:, None]
        known = np.isfinite(area)
        numbers["per_cm2"] = _ratio(self.over_photos(found * known), self.over_photos(np.where(known, area, 0))) * seen
        return numbers

    def regions(self, chosen: np.ndarray) -> np.ndarray:
        """How many of the chosen regions each photo has of each label, (photos, labels)."""
        counts = np.zeros((len(self.detections.photos), len(self.detections.label_names)))
        np.add.at(counts, (self.detections.photo_index[chosen], self.detections.label_index[chosen]), 1)
        return counts

    def over_photos(self, values: np.ndarray) -> np.ndarray:
        """Sums over the photos of each group of values (photos,) or (photos, k)."""
        values = np.asarray(values, np.float64)
        values = values if values.ndim == 2 else values[:, None]
        sums = np.zeros((self.groups, values.shape[1]))
        np.add.at(sums, self.group, values)
        return sums

    def exposure(self, periods: Iterable[CardPeriod], *, new_only: bool) -> tuple[np.ndarray, np.ndarray]:
        """Days of each group (groups, 1), NaN where none are known, and which photos they belong to (photos, 1)."""
        exposure = find_exposure(self.detections.photos, periods, new_only=new_only)
        known = np.append(np.isfinite(exposure.days), False)[exposure.visit]
        # A visit is counted once in a group, whatever the number of its photos.
        pairs = np.unique(np.stack([self.group[known], exposure.visit[known]], axis=1), axis=0)
        days = np.zeros((self.groups, 1))
        np.add.at(days[:, 0], pairs[:, 0], exposure.days[pairs[:, 1]])
        return np.where(days > 0, days, np.nan), known[:, None]


def _checked_keys(by: Sequence[str]) -> tuple[str, ...]:
    """The keys other than `label`, each once."""
    unknown = [key for key in by if key not in KEYS]
    if unknown or isinstance(by, str):
        named = by if isinstance(by, str) else unknown[0]
        raise AgriClipError(f"counts cannot be grouped by {named!r}; the keys are {', '.join(KEYS)}")
    return tuple(key for key in dict.fromkeys(by) if key != "label")


def _group_photos(photos: Sequence[PhotoRecord], keys: Sequence[str]) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """The groups in order, and which one each photo belongs to."""
    values = [tuple(_value(photo, key) for key in keys) for photo in photos]
    groups = sorted(set(values), key=lambda group: [(part == UNKNOWN, natural_order(part)) for part in group])
    place = {group: i for i, group in enumerate(groups)}
    return groups, np.array([place[value] for value in values], np.int64)


def _value(photo: PhotoRecord, key: str) -> str:
    if key == "photo":
        return photo.name
    if key == "trap":
        return photo.trap or UNKNOWN
    if photo.taken is None:
        return UNKNOWN
    if key == "week":
        year, week, _ = photo.taken.isocalendar()
        return f"{year}-W{week:02d}"
    return photo.taken.date().isoformat()[: 7 if key == "month" else 10]


def _intervals(detections: Detections, group: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of each group and label, (groups, labels); NaN where no photo was read."""
    labels = len(detections.label_names)
    cell = group[detections.photo_index] * labels + detections.label_index
    order = np.argsort(cell, kind="stable")
    parts = np.split(detections.scores[order], np.cumsum(np.bincount(cell, minlength=groups * labels))[:-1])
    ends = np.array([count_interval(np.clip(part, 0, 1)) for part in parts[: groups * labels]], np.float64)
    ends = ends.reshape(groups, labels, 2)
    read = np.zeros(groups, bool)
    read[group[[not photo.failed for photo in detections.photos]]] = True
    ends[~read] = np.nan
    ends[:, [label in detections.not_counted for label in detections.label_names]] = np.nan
    return ends[..., 0], ends[..., 1]


def _area_cm2(photo: PhotoRecord) -> float:
    if photo.failed or photo.card_area_px is None or photo.mm_per_pixel is None:
        return np.nan
    return photo.card_area_px * photo.mm_per_pixel**2 / _MM2_PER_CM2


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Part over whole; NaN where the whole is 0 or not known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole, np.nan)
