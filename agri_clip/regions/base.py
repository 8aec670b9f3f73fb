"""Regions and the Proposer protocol: step 1 says *where* something is and knows no species."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np

from agri_clip.photos.photo import Photo


@dataclass(frozen=True)
class Regions:
    """Places in one photo where something may be.

    Attributes
    ----------
    boxes : ndarray, shape (n, 4), float32
        xyxy in pixels of the upright photo.
    objectness : ndarray, shape (n,), float32
        0 to 1, higher is more likely an object; orders regions of one proposer, not comparable between proposers.
    outlines : tuple of n (ndarray of shape (k, 2), float32, or None), or None
        Polygons in photo pixels, where the proposer gives them.
    notes : tuple of str
        What a user must know of these regions, such as a cap that cut results.
    at_cap : bool
        Whether the proposer met a cap, so that some regions may be missing and a count may be too low.
    """

    boxes: np.ndarray
    objectness: np.ndarray
    outlines: tuple[np.ndarray | None, ...] | None = None
    notes: tuple[str, ...] = field(default=())
    at_cap: bool = False

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, dtype=np.float32).reshape(-1, 4)
        objectness = np.asarray(self.objectness, dtype=np.float32).reshape(-1)
        if len(boxes) != len(objectness) or (self.outlines is not None and len(self.outlines) != len(boxes)):
            raise ValueError(f"{len(boxes)} boxes, {len(objectness)} objectness values and outlines do not match")
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "objectness", objectness)

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: np.ndarray | slice) -> Regions:
        """Select regions by a boolean mask, an integer array or a slice; notes and `at_cap` are kept."""
        chosen = np.arange(len(self))[index]
        outlines = None if self.outlines is None else tuple(self.outlines[i] for i in chosen)
        return replace(self, boxes=self.boxes[chosen], objectness=self.objectness[chosen], outlines=outlines)

    def placed(self, offset: Sequence[float] = (0, 0), scale: Sequence[float] = (1, 1)) -> Regions:
        """The same regions where a point (x, y) lies at ``(x, y) * scale + offset``; a scale of -1 mirrors."""
        by, shift = np.asarray(scale, np.float32), np.asarray(offset, np.float32)
        outlines = None
        if self.outlines is not None:
            outlines = tuple(None if o is None else (o * by + shift).astype(np.float32) for o in self.outlines)
        corners = np.sort(self.boxes.reshape(-1, 2, 2) * by + shift, axis=1)
        return replace(self, boxes=corners, outlines=outlines)

    @classmethod
    def empty(cls, notes: tuple[str, ...] = (), *, at_cap: bool = False) -> Regions:
        """No regions at all."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), None, notes, at_cap)

    @classmethod
    def concat(cls, parts: Sequence[Regions]) -> Regions:
        """Join regions of one photo; a part without outlines gets None for each of its regions."""
        if not parts:
            return cls.empty()
        outlines: tuple[np.ndarray | None, ...] | None = None
        if any(part.outlines is not None for part in parts):
            outlines = tuple(o for part in parts for o in (part.outlines or (None,) * len(part)))
        notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
        return cls(
            np.concatenate([p.boxes for p in parts]),
            np.concatenate([p.objectness for p in parts]),
            outlines,
            notes,
            any(part.at_cap for part in parts),
        )


@runtime_checkable
class Proposer(Protocol):
    """Says where something is. `name` is the string that picks it; `version` changes when its output may.

    One whose objectness is a fitted probability may say so by an attribute ``calibrated = True``; a union of proposers
    asks for it (see `agri_clip.regions.union`). One that several threads may ask at once, and that then gets through
    more photos than with one, may say so by ``concurrent = True``; a batch asks for it.
    """

    name: str
    version: str

    def propose(self, photo: Photo) -> Regions:
        """Regions of one photo, best objectness first."""
        ...
