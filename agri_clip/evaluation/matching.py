"""Boxes against labelled insects: one-to-one matching, average precision, recall against number of boxes.

The arithmetic behind `agri_clip.evaluation.metrics`, on plain arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from agri_clip.formats.coco import Annotations
from agri_clip.regions.merging import overlapping_pairs

#: IoU at which a box counts as having found an insect.
MATCH_IOU = 0.5
#: Sizes of insect reported apart: long side of the labelled box in pixels, from and to (excluded).
SIZES = ((0, 20), (20, 40), (40, 80), (80, 10**5))  # COCO's own upper end
#: Boxes per insect at which recall is reported.
BOXES_PER_INSECT = (0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True)
class Boxes:
    """Predicted boxes of all photos under evaluation, best score first.

    Attributes
    ----------
    photo_index : ndarray, shape (n,), int64
        Which of the annotations' photos.
    xyxy : ndarray, shape (n, 4), float64
    scores : ndarray, shape (n,), float64
        What the boxes are ordered by.
    label_index : ndarray, shape (n,), int64
    counted : ndarray, shape (n,), bool
        Whether the box counts as an insect at the threshold used.
    """

    photo_index: np.ndarray
    xyxy: np.ndarray
    scores: np.ndarray
    label_index: np.ndarray
    counted: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: np.ndarray) -> Boxes:
        return Boxes(
            self.photo_index[index],
            self.xyxy[index],
            self.scores[index],
            self.label_index[index],
            self.counted[index],
        )

    def ranked(self) -> Boxes:
        """Best score first; equal scores in an order that depends on the boxes only, not on the order given."""
        return self[np.lexsort((self.label_index, *self.xyxy.T[::-1], self.photo_index, -self.scores))]


def match_boxes(boxes: np.ndarray, insects: np.ndarray, iou: float = MATCH_IOU) -> np.ndarray:
    """Match boxes to insects one to one, as COCO does: each box in turn takes the free insect it overlaps most.

    Parameters
    ----------
    boxes : ndarray, shape (n, 4)
        xyxy, best score first.
    insects : ndarray, shape (m, 4)
        xyxy.
    iou : float
        Least overlap of a match, above 0.

    Returns
    -------
    ndarray, shape (n,), int64
        Index of the insect, or -1.
    """
    matched = np.full(len(boxes), -1, np.int64)
    if not len(boxes) or not len(insects):
        return matched
    box, insect, overlap = overlapping_pairs(boxes, insects, above=float(np.nextafter(iou, 0)))
    order = np.lexsort((insect, -overlap, box))
    free = np.ones(len(insects), bool)
    for b, i in zip(box[order].tolist(), insect[order].tolist(), strict=True):
        if matched[b] < 0 and free[i]:
            matched[b] = i
            free[i] = False
    return matched


def match_photos(boxes: Boxes, insects: Annotations, iou: float = MATCH_IOU) -> np.ndarray:
    """`match_boxes` photo by photo; crowds are never matched.

    Returns
    -------
    ndarray, shape (n,), int64
        For each of `boxes`, which of `insects`, or -1.
    """
    matched = np.full(len(boxes), -1, np.int64)
    single = np.flatnonzero(~insects.crowd)
    for photo, mine in _by_photo(boxes):
        theirs = single[slice(*np.searchsorted(insects.photo_index[single], [photo, photo + 1]))]
        here = match_boxes(boxes.xyxy[mine], insects.boxes[theirs], iou)
        matched[mine[here >= 0]] = theirs[here[here >= 0]]
    return matched


def average_precision(
    boxes: Boxes, insects: Annotations, *, per_category: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """COCO average precision, without COCO's limit of 100 boxes a photo, which a full trap exceeds.

    Parameters
    ----------
    boxes : Boxes
        `label_index` is the category where `per_category` is set.
    insects : Annotations
    per_category : bool
        One row a category; else one row, whatever the label.

    Returns
    -------
    ap, ap50 : ndarray, shape (categories or 1, 1 + len(SIZES))
        Mean over IoU 0.50 to 0.95, and at IoU 0.50; the first column is all sizes. NaN where there is no insect.

    References
    ----------
    Lin et al., Microsoft COCO, ECCV 2014; https://cocodataset.org/#detection-eval
    """
    # A size is told by the long side here, by the area in COCO: so the area given is the long side squared. COCO takes
    # both ends of a range; the upper end is moved below the next range's lower one.
    ranges = {
        f"{low}-{high}": [low**2, high**2 if high == SIZES[-1][1] else np.nextafter(high**2, 0)] for low, high in SIZES
    }
    categories = range(len(insects.category_names)) if per_category else [0]
    truth = COCO(
        {
            "images": [{"id": i} for i in range(len(insects.file_names))],
            "categories": [{"id": i, "name": str(i)} for i in categories],
            "annotations": _coco_boxes(
                insects.photo_index, insects.boxes, insects.category_index * per_category, iscrowd=insects.crowd
            ),
        }
    )
    found = COCO(truth.dataset | {"annotations": []})
    found.dataset["annotations"] = _coco_boxes(
        boxes.photo_index, boxes.xyxy, boxes.label_index * per_category, score=boxes.scores
    )
    found.createIndex()
    run = COCOeval_faster(truth, found, "bbox", ranges=ranges, print_function=_silent)
    run.params.maxDets = [max(1, int(np.bincount(boxes.photo_index, minlength=1).max()))]
    run.evaluate()
    run.accumulate()
    # Axes: IoU, recall, category, size, limit; -1 where there is no insect.
    precision = np.asarray(run.eval["precision"])[..., 0]
    precision = np.where((precision < 0).all(axis=(0, 1)), np.nan, precision)
    return precision.mean(axis=(0, 1)), precision[0].mean(axis=0)


def recall_by_boxes(boxes: Boxes, insects: Annotations) -> list[dict[str, float | None]]:
    """Recall at IoU 0.5 of the best boxes, against how many there are for each insect.

    The boxes of all photos stand in one order, by score, and the best are taken: what a threshold on the score does.
    """
    total = int((~insects.crowd).sum())
    if not total or not len(boxes):
        return []
    boxes = boxes.ranked()
    hits = np.cumsum(match_photos(boxes, insects) >= 0)
    numbers = [round(k * total) for k in BOXES_PER_INSECT if round(k * total) < len(boxes)] + [len(boxes)]
    return [
        {
            "boxes_per_insect": ratio(n, total),
            "recall": ratio(hits[n - 1], total),
            "threshold": figure(boxes.scores[n - 1]),
        }
        for n in numbers
        if n
    ]


def neutral_boxes(boxes: Boxes, insects: Annotations, ignore_unmatched: bool) -> np.ndarray:
    """Boxes that are neither right nor wrong: on a crowd, or, where asked, on nothing that is labelled."""
    neutral = np.zeros(len(boxes), bool)
    if not ignore_unmatched and not insects.crowd.any():
        return neutral
    for photo, mine in _by_photo(boxes):
        here = slice(*np.searchsorted(insects.photo_index, [photo, photo + 1]))
        crowd = insects.crowd[here]
        singles, crowds = insects.boxes[here][~crowd], insects.boxes[here][crowd]
        touching, _, _ = overlapping_pairs(boxes.xyxy[mine], singles, above=float(np.nextafter(MATCH_IOU, 0)))
        on_insect = np.zeros(len(mine), bool)
        on_insect[touching] = True
        neutral[mine] = ~on_insect if ignore_unmatched else ~on_insect & _inside(boxes.xyxy[mine], crowds)
    return neutral


def _by_photo(boxes: Boxes) -> Iterator[tuple[int, np.ndarray]]:
    """Each photo that has boxes, with the places of its boxes in order."""
    if not len(boxes):
        return
    order = np.argsort(boxes.photo_index, kind="stable")
    photos, starts = np.unique(boxes.photo_index[order], return_index=True)
    yield from zip(photos.tolist(), np.split(order, starts[1:]), strict=True)


def _inside(boxes: np.ndarray, crowds: np.ndarray) -> np.ndarray:
    """Whether at least half of each box lies in one of the crowds."""
    sides = np.minimum(boxes[:, None, 2:], crowds[None, :, 2:]) - np.maximum(boxes[:, None, :2], crowds[None, :, :2])
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return (np.prod(np.clip(sides, 0, None), axis=2) >= MATCH_IOU * area[:, None]).any(axis=1)


def ratio(part: float, whole: float) -> float | None:
    """Part of a whole, six decimals; None where there is no whole."""
    return round(float(part) / float(whole), 6) if whole else None


def figure(value: float) -> float | None:
    """A figure for JSON, six decimals; None where it has no value."""
    return round(float(value), 6) if np.isfinite(value) else None


def _coco_boxes(
    photo_index: np.ndarray, boxes: np.ndarray, category: np.ndarray, **extra: np.ndarray
) -> list[dict[str, Any]]:
    """COCO annotation records; the area is the long side squared, see `average_precision`."""
    sides = boxes[:, 2:] - boxes[:, :2]
    columns = {
        "id": np.arange(1, len(boxes) + 1),
        "image_id": photo_index,
        "category_id": category,
        "bbox": np.column_stack([boxes[:, :2], sides]),
        "area": sides.max(axis=1, initial=0) ** 2,
        "iscrowd": np.zeros(len(boxes), int),
        **{name: values.astype(int) if values.dtype == bool else values for name, values in extra.items()},
    }
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _silent(*_: object) -> None:
    """Takes what the COCO evaluation prints."""
