"""Detections: the one result type. Arrays inside; everything after the detector takes and gives it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import supervision as sv

from agri_clip.errors import PhotoError

#: What became of a region: found under a label, an insect that no label fits, or not an insect.
STATUSES = ("found", "other", "background")
FOUND, OTHER, BACKGROUND = range(3)


@dataclass(frozen=True)
class PhotoRecord:
    """One photo that stands in a result, with or without detections; `reason` is set where it could not be read.

    `at_cap` tells that the proposer met a cap on its regions, so that the photo's count may be too low.

    `card_area_px` is the area of the trap card that the photo shows, in square pixels; None where no card was found, or
    where regions beside it were kept.
    """

    name: str
    width: int = 0
    height: int = 0
    taken: datetime | None = None
    trap: str | None = None
    camera: str | None = None
    gps: tuple[float, float] | None = None
    mm_per_pixel: float | None = None
    notes: tuple[str, ...] = ()
    reason: str | None = None
    card_area_px: float | None = None
    at_cap: bool = False

    @classmethod
    def of_failure(cls, name: str, error: PhotoError) -> PhotoRecord:
        """The record of a photo that could not be read."""
        return cls(name=name, taken=error.taken, trap=error.trap, reason=error.reason)

    @property
    def failed(self) -> bool:
        """Whether the photo could not be read."""
        return self.reason is not None


@dataclass(frozen=True)
class Detections:
    """Scored regions of one or more photos.

    Attributes
    ----------
    photos : tuple of PhotoRecord
        Every photo asked for, also those without regions and those that failed.
    label_names : tuple of str
        The labels of the prompt set, in its order.
    photo_index : ndarray, shape (n,), int32
        Which of `photos` a region belongs to.
    boxes : ndarray, shape (n, 4), float32
        xyxy in pixels of the upright photo.
    label_index : ndarray, shape (n,), int32
        The best label of each region, whatever its status.
    status : ndarray, shape (n,), int8
        `FOUND`, `OTHER` (an insect, but no label reached its threshold) or `BACKGROUND` (a negative won).
    scores : ndarray, shape (n,), float32
        Score of the best label, 0 to 1.
    insect : ndarray, shape (n,), float32
        Probability that the region is not background, 0 to 1.
    objectness : ndarray, shape (n,), float32
        The proposer's own ordering.
    margin : ndarray, shape (n,), float32
        Score of the best label minus that of the runner-up label (the score itself where there is one label).
    length_px : ndarray, shape (n,), float32
        Long side of the smallest rotated rectangle around the outline, or of the box; pixels.
    length_mm : ndarray, shape (n,), float32
        The same in millimetres; NaN where the scale is unknown.
    outlines : tuple of n (ndarray of shape (k, 2), float32, or None)
    provenance : dict
        What produced the result: versions, encoder, proposer, prompt-set hash, thresholds.
    """

    photos: tuple[PhotoRecord, ...]
    label_names: tuple[str, ...]
    photo_index: np.ndarray
    boxes: np.ndarray
    label_index: np.ndarray
    status: np.ndarray
    scores: np.ndarray
    insect: np.ndarray
    objectness: np.ndarray
    margin: np.ndarray
    length_px: np.ndarray
    length_mm: np.ndarray
    outlines: tuple[np.ndarray | None, ...]
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        types = {"photo_index": np.int32, "label_index": np.int32, "status": np.int8}
        count = len(np.asarray(self.photo_index))
        for name in ARRAYS:
            array = np.asarray(getattr(self, name), dtype=types.get(name, np.float32))
            array = array.reshape(-1, 4) if name == "boxes" else array.reshape(-1)
            if len(array) != count:
                raise ValueError(f"{name} has {len(array)} rows, photo_index has {count}")
            object.__setattr__(self, name, array)
        if len(self.outlines) != count:
            raise ValueError(f"{len(self.outlines)} outlines for {count} regions")

    def __len__(self) -> int:
        return len(self.photo_index)

    @classmethod
    def empty(
        cls,
        photos: Sequence[PhotoRecord] = (),
        label_names: Sequence[str] = (),
        provenance: dict[str, Any] | None = None,
    ) -> Detections:
        """A result without regions, such as that of a photo that failed."""
        arrays: dict[str, Any] = {name: np.zeros((0, 4) if name == "boxes" else 0) for name in ARRAYS}
        return cls(
            photos=tuple(photos), label_names=tuple(label_names), outlines=(), provenance=provenance or {}, **arrays
        )

    def __getitem__(self, index: np.ndarray | slice) -> Detections:
        """Select regions by a boolean mask, an integer array or a slice; every photo stays listed."""
        chosen = np.atleast_1d(np.arange(len(self))[index])
        arrays: dict[str, Any] = {name: getattr(self, name)[chosen] for name in ARRAYS}
        return replace(self, outlines=tuple(self.outlines[i] for i in chosen), **arrays)

    def of_photo(self, index: int) -> Detections:
        """The regions of one photo, as a result with that photo alone."""
        part = self[self.photo_index == index]
        return replace(part, photos=(self.photos[index],), photo_index=np.zeros(len(part), np.int32))

    def split(self) -> list[Detections]:
        """The result photo by photo, as `of_photo` gives it; regions keep their order."""
        order = np.argsort(self.photo_index, kind="stable")
        ends = np.cumsum(np.bincount(self.photo_index, minlength=len(self.photos)))
        parts = np.split(order, ends[:-1]) if len(self.photos) else []
        return [
            replace(self[chosen], photos=(photo,), photo_index=np.zeros(len(chosen), np.int32))
            for photo, chosen in zip(self.photos, parts, strict=True)
        ]

    def filter(
        self, *, label: str | None = None, min_score: float | None = None, status: int | Sequence[int] | None = None
    ) -> Detections:
        """Regions that fit all conditions given.

        Raises
        ------
        KeyError
            `label` is not one of `label_names`.
        """
        keep = np.ones(len(self), bool)
        if label is not None:
            if label not in self.label_names:
                raise KeyError(f"no label {label!r}; labels are {', '.join(self.label_names)}")
            keep &= self.label_index == self.label_names.index(label)
        if min_score is not None:
            keep &= self.scores >= min_score
        if status is not None:
            keep &= np.isin(self.status, np.atleast_1d(status))
        return self[keep]

    @property
    def not_counted(self) -> tuple[str, ...]:
        """Labels that were asked for but not counted: the encoder never learnt their words. Their count is missing."""
        named = self.provenance.get("not_counted", ())
        return tuple(label for label in self.label_names if label in named)

    @property
    def found(self) -> Detections:
        """Only the regions counted under a label."""
        return self.filter(status=FOUND)

    @classmethod
    def concat(cls, parts: Sequence[Detections]) -> Detections:
        """Join the results of several photos, which must share their labels.

        Provenance is joined too: what differs between the parts is listed under its key.

        Raises
        ------
        ValueError
            The parts have different labels.
        """
        if not parts:
            return cls.empty()
        if any(part.label_names != parts[0].label_names for part in parts):
            raise ValueError("results with different labels cannot be joined; score them with one prompt set")
        offsets = np.cumsum([0] + [len(part.photos) for part in parts[:-1]])
        arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
        arrays["photo_index"] = np.concatenate([p.photo_index + o for p, o in zip(parts, offsets, strict=True)])
        return cls(
            photos=tuple(photo for part in parts for photo in part.photos),
            label_names=parts[0].label_names,
            outlines=tuple(outline for part in parts for outline in part.outlines),
            provenance=_join_provenance([part.provenance for part in parts]),
            **arrays,
        )

    def counts(self) -> pd.DataFrame:
        """Found regions per photo (rows, in order) and label (columns).

        Missing for photos that failed and for labels of `not_counted`.

        Returns
        -------
        DataFrame
            `photo`, then one column of nullable integers for each of `label_names`.
        """
        table = np.zeros((len(self.photos), len(self.label_names)), np.int64)
        found = self.status == FOUND
        np.add.at(table, (self.photo_index[found], self.label_index[found]), 1)
        failed = np.array([photo.failed for photo in self.photos], bool)
        columns = [
            pd.Series(pd.arrays.IntegerArray(column, failed | (label in self.not_counted)))
            for label, column in zip(self.label_names, table.T.copy(), strict=True)
        ]
        names = text_column(photo.name for photo in self.photos)
        # Joined by place, not by name: a label may be called "photo".
        return pd.concat([names, *columns], axis=1, keys=range(len(columns) + 1)).set_axis(
            ["photo", *text_column(self.label_names)], axis=1
        )

    def to_pandas(self) -> pd.DataFrame:
        """One row a region, in the order they stand in; lengths in the units that the column names give.

        Returns
        -------
        DataFrame
            Columns of the same types for any number of rows: text, seconds for `taken`, float32 for numbers.
        """
        taken = pd.Series([photo.taken for photo in self.photos], dtype="datetime64[s]")
        return pd.DataFrame(
            {
                "photo": _pick(text_column(photo.name for photo in self.photos), self.photo_index),
                "trap": _pick(text_column(photo.trap for photo in self.photos), self.photo_index),
                "taken": _pick(taken, self.photo_index),
                "label": _pick(text_column(self.label_names), self.label_index),
                "status": _pick(text_column(STATUSES), self.status),
                "score": self.scores,
                "margin": self.margin,
                "insect": self.insect,
                "objectness": self.objectness,
                "x1": self.boxes[:, 0],
                "y1": self.boxes[:, 1],
                "x2": self.boxes[:, 2],
                "y2": self.boxes[:, 3],
                "length_px": self.length_px,
                "length_mm": self.length_mm,
            }
        )

    def to_supervision(self) -> sv.Detections:
        """The same regions as `supervision.Detections`; data holds the label name and the length."""
        return sv.Detections(
            xyxy=self.boxes.copy(),
            confidence=self.scores.copy(),
            class_id=self.label_index.astype(int),
            data={
                "class_name": np.array([self.label_names[i] for i in self.label_index], dtype=object),
                "length_mm": self.length_mm.copy(),
                "photo_index": self.photo_index.copy(),
            },
        )


ARRAYS = tuple(f.name for f in fields(Detections) if f.name not in ("photos", "label_names", "outlines", "provenance"))


def text_column(values: Iterable[str | None]) -> pd.Series:
    """A column of text for a table; where a file name is no Unicode, the letters that nobody can read become "?".

    Where pyarrow is installed pandas keeps its text there, and that refuses such letters with a UnicodeEncodeError.
    """
    clean = [None if value is None else value.encode("utf-8", errors="replace").decode("utf-8") for value in values]
    return pd.Series(clean, dtype="str")


def _pick(column: pd.Series, index: np.ndarray) -> pd.Series:
    """The values of a column that the indices name, numbered from 0."""
    return column.take(index.astype(np.intp)).reset_index(drop=True)


def _join_provenance(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One provenance for several results: values that agree once, others as a list of the different ones.

    A part without provenance, such as a photo that failed before any model ran, says nothing.
    """
    known = [part for part in parts if part]
    if all(part == known[0] for part in known[1:]):
        return dict(known[0]) if known else {}
    joined: dict[str, Any] = {}
    for key in dict.fromkeys(key for part in known for key in part):
        values: list[Any] = []
        for part in known:
            if key in part and part[key] not in values:
                values.append(part[key])
        joined[key] = values[0] if len(values) == 1 else values
    return joined
