"""Labelled photos for the benchmarks: real ones of a COCO file, and rendered ones of seeds kept from training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agri_clip.evaluation.matching import Boxes, match_photos, neutral_boxes
from agri_clip.evaluation.runs import photo_paths
from agri_clip.formats import coco
from agri_clip.formats.coco import Annotations
from agri_clip.photos.photo import Photo, read_photo
from benchmarks.intervals import Matches
from fine_tune.detector.photos import render_photo
from fine_tune.synthetic import RenderedPhoto, render_trap, split_rng
from fine_tune.synthetic.scenes import CARDS, PHOTO_KINDS

#: What traps are; the other kinds of ground are leaf and soil.
TRAP_KINDS = (*CARDS, "pan water")


@dataclass(frozen=True)
class LabelledSet:
    """Photos with their insects.

    Attributes
    ----------
    truth : Annotations
    open_photo : callable
        Gives the photo of an index of `truth.file_names`.
    kinds : tuple of str
        The kind of ground of each rendered photo; empty for real ones.
    """

    truth: Annotations
    open_photo: Callable[[int], Photo]
    kinds: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.truth.file_names)

    def __iter__(self) -> Iterator[Photo]:
        return (self.open_photo(i) for i in range(len(self)))

    @property
    def insects(self) -> np.ndarray:
        """Insects labelled in each photo, shape (photos,), int64; crowds are none."""
        return np.bincount(self.truth.photo_index[~self.truth.crowd], minlength=len(self))


def real_set(annotations: Path, images: Path, most: int | None = None) -> LabelledSet:
    """The labelled photos of a COCO file, in raw pixel order, as training reads them.

    Parameters
    ----------
    annotations, images : Path
    most : int, optional
        Take no more photos than this, evenly spaced in the order of their names.

    Raises
    ------
    DataError
        The file cannot be read, or `images` holds none of its photos.
    """
    truth = coco.read(annotations)
    if most is not None and most < len(truth.file_names):
        truth = some_photos(truth, np.unique(np.linspace(0, len(truth.file_names) - 1, most).round().astype(int)))
    paths = photo_paths(truth, images)
    return LabelledSet(truth, lambda i: read_photo(paths[i], exif_orientation=False, read_codes=False))


def rendered_set(photos: Sequence[RenderedPhoto], name: str) -> LabelledSet:
    """Rendered photos as a labelled set; `name` begins each photo's name."""
    names = tuple(f"{name}-{i:05d}" for i in range(len(photos)))
    boxes = [np.asarray(photo.boxes, np.float64).reshape(-1, 4) for photo in photos]
    count = sum(map(len, boxes))
    truth = Annotations(
        source=name,
        file_names=names,
        sizes=np.array([photo.pixels.shape[1::-1] for photo in photos], np.int64).reshape(-1, 2),
        category_names=("insect",),
        photo_index=np.repeat(np.arange(len(photos)), [len(own) for own in boxes]),
        boxes=np.concatenate([np.zeros((0, 4)), *boxes]),
        category_index=np.zeros(count, np.int64),
        crowd=np.zeros(count, bool),
    )
    kinds = tuple(photo.kind for photo in photos)
    return LabelledSet(truth, lambda i: Photo(photos[i].pixels, names[i]), kinds)


def rendered_grounds(per_kind: int, seed: int) -> LabelledSet:
    """Photos of 640 pixels as the detector learns from, `per_kind` of every kind of ground, of the held-out split."""
    return rendered_set([render_photo("held-out", seed, i) for i in range(per_kind * len(PHOTO_KINDS))], "ground")


def rendered_traps(per_kind: int, seed: int) -> LabelledSet:
    """Whole traps with a typical catch, `per_kind` of each of `TRAP_KINDS`, of the held-out split."""
    kinds = [kind for kind in TRAP_KINDS for _ in range(per_kind)]
    return rendered_set([render_trap(split_rng("held-out", seed, i), kind=k) for i, k in enumerate(kinds)], "trap")


def match(boxes: Boxes, truth: Annotations) -> Matches:
    """Which boxes found an insect, best score first; those on a crowd are left out, as in `agri_clip.evaluation`."""
    boxes = boxes.ranked()
    boxes = boxes[~neutral_boxes(boxes, truth, ignore_unmatched=False)]
    insects = np.bincount(truth.photo_index[~truth.crowd], minlength=len(truth.file_names))
    return Matches(boxes.photo_index, match_photos(boxes, truth) >= 0, insects)


def some_photos(truth: Annotations, chosen: np.ndarray) -> Annotations:
    """The annotations of the photos `chosen` (sorted indices), renumbered."""
    kept = np.isin(truth.photo_index, chosen)
    return replace(
        truth,
        file_names=tuple(truth.file_names[i] for i in chosen),
        sizes=truth.sizes[chosen],
        photo_index=np.searchsorted(chosen, truth.photo_index[kept]),
        boxes=truth.boxes[kept],
        category_index=truth.category_index[kept],
        crowd=truth.crowd[kept],
    )
