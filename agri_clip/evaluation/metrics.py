"""Evaluation against COCO annotations: AP, recall against number of boxes, precision, recall, F1 and counting error.

Works on a finished result (`Detections`) or on the proposals of single photos (`Regions`). What each figure means
stands in docs/evaluation.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agri_clip.detections import BACKGROUND, FOUND, Detections
from agri_clip.errors import DataError
from agri_clip.evaluation.matching import (
    MATCH_IOU,
    SIZES,
    Boxes,
    average_precision,
    figure,
    match_photos,
    neutral_boxes,
    ratio,
    recall_by_boxes,
)
from agri_clip.formats.coco import Annotations
from agri_clip.formats.files import printable, thresholds, write_text
from agri_clip.regions.base import Regions


def evaluate(
    predictions: Detections | Mapping[str, Regions],
    truth: Annotations,
    *,
    threshold: float | None = None,
    ignore_unmatched: bool = False,
    failures: Mapping[str, str] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure predictions against labelled photos.

    Parameters
    ----------
    predictions : Detections, or mapping of photo name to Regions
        The result of the whole way, or the proposer's alone. Photos are found in `truth` by file name; folders in front
        of it do not matter.
    truth : Annotations
        From `agri_clip.formats.coco.read`.
    threshold : float, optional
        Score (for Regions: objectness) from which a box counts as an insect. Without it, the regions with status found,
        which is the threshold the result was made with; for Regions, all.
    ignore_unmatched : bool
        For photos in which only some insects are labelled: boxes that overlap no labelled insect by an IoU of 0.5 are
        neither right nor wrong. A second box on an insect, and a wrong label, still are wrong.
    failures : mapping of photo name to reason, optional
        Photos that could not be read. They are listed and take no part in any figure.
    provenance : mapping, optional
        What produced the predictions, for Regions, which do not carry it.

    Returns
    -------
    dict
        Plain numbers, lists and text, ready for JSON; None where a figure has no value. See docs/evaluation.md.

    Raises
    ------
    DataError
        No labelled photo has a prediction, or two predictions stand for one photo.
    """
    boxes, label_names, evaluated, failed, warnings = _gather(predictions, truth, threshold, failures or {})
    made_by = dict(predictions.provenance) if isinstance(predictions, Detections) else {}
    insects = _restrict(truth, evaluated)
    counts_of = {"photos": len(evaluated), "insects": int((~insects.crowd).sum()), "boxes": len(boxes)}
    neutral = neutral_boxes(boxes, insects, ignore_unmatched)
    judged = boxes[~neutral]
    ap, ap50 = average_precision(judged, insects)
    result: dict[str, Any] = {
        "ap": figure(ap[0, 0]),
        "ap50": figure(ap50[0, 0]),
        **_agnostic(judged, insects, evaluated),
        **counts_of,
        "boxes_per_insect": ratio(len(boxes), counts_of["insects"]),
        "ignored_boxes": int(neutral.sum()),
        "threshold": _threshold_used(predictions, threshold),
        "match_iou": MATCH_IOU,
        "ignore_unmatched": ignore_unmatched,
        "recall_by_boxes": recall_by_boxes(boxes, insects),
        "by_size": _by_size(judged, insects, ap[0], ap50[0]),
    }
    if isinstance(predictions, Detections):
        result |= _per_label(judged, insects, label_names, evaluated)
    result |= {
        "per_photo": _per_photo(judged, insects, evaluated),
        "failures": failed,
        "warnings": [*truth.notes, *warnings],
        "annotations": truth.source,
        "predictions": "detections" if isinstance(predictions, Detections) else "proposals",
        "produced_by": made_by | dict(provenance or {}),
    }
    return result


def write_report(report: Mapping[str, Any], path: Path | str) -> None:
    """Write what `evaluate` gives as JSON, whole or not at all; DataError where the place cannot be written."""
    write_text(path, json.dumps(printable(report), ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def summary_rows(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures of a report that a reader looks at first, as pairs of a name and a text."""
    named = {
        "photos": "photos",
        "insects": "insects labelled",
        "boxes_per_insect": "boxes per insect",
        "ap": "AP (IoU 0.50 to 0.95)",
        "ap50": "AP at IoU 0.50",
        "recall50": "recall at IoU 0.50, all boxes",
        "precision": "precision at the threshold",
        "recall": "recall at the threshold",
        "f1": "F1 at the threshold",
        "count_mae": "counting error per photo, mean absolute",
        "count_mape": "counting error per photo, relative",
        "count_bias": "counting error per photo, bias",
        "map50": "AP at IoU 0.50, mean of the labels",
    }
    shown = [(text, report[name]) for name, text in named.items() if name in report]
    texts = [(text, "-" if v is None else str(v) if isinstance(v, int) else f"{v:.3f}") for text, v in shown]
    failed = len(report["failures"])
    return [*texts, *([("photos that failed", str(failed))] if failed else [])]


def _gather(
    predictions: Detections | Mapping[str, Regions],
    truth: Annotations,
    threshold: float | None,
    failures: Mapping[str, str],
) -> tuple[Boxes, tuple[str, ...], list[int], list[dict[str, str]], list[str]]:
    """Predictions on the annotations' photos, the label names, photos evaluated, failures and warnings."""
    reasons = dict(failures)
    sizes: dict[str, tuple[int, int]] = {}
    if isinstance(predictions, Detections):
        names = [photo.name for photo in predictions.photos]
        reasons |= {p.name: p.reason for p in predictions.photos if p.reason is not None}
        sizes = {p.name: (p.width, p.height) for p in predictions.photos if not p.failed}
        boxes = _detection_boxes(predictions, threshold)
        label_names = predictions.label_names
    else:
        names = list(predictions)
        boxes = _region_boxes(list(predictions.values()), threshold)
        label_names = ()
    place = truth.find_photos(names)
    found_at = {p: name for name, p in zip(names, place.tolist(), strict=True) if p >= 0}
    failed_at = {p for p in truth.find_photos(list(reasons)).tolist() if p >= 0}
    evaluated = sorted(set(found_at) - failed_at)
    if not evaluated:
        raise DataError(
            f"{truth.source}: none of its {len(truth.file_names)} photos has a result; file names there look like "
            f"{truth.file_names[0] if truth.file_names else '(none)'!r}, here like {names[0] if names else '(none)'!r}"
        )
    without = [n for i, n in enumerate(truth.file_names) if i not in found_at and i not in failed_at]
    failed = [{"photo": name, "reason": reason} for name, reason in sorted(reasons.items())]
    failed += [{"photo": name, "reason": "labelled, but not among the photos given"} for name in without]
    warnings = [f"{name}: not in {truth.source}; left out" for name, p in zip(names, place, strict=True) if p < 0]
    for at in evaluated:
        warnings += _size_warning(found_at[at], sizes.get(found_at[at]), truth.sizes[at])
    photo = place[boxes.photo_index]
    if not isinstance(predictions, Detections):
        warnings += _reach_warnings(replace(boxes, photo_index=photo), truth)
    boxes = replace(boxes, photo_index=photo)[np.isin(photo, evaluated)].ranked()
    return boxes, label_names, evaluated, failed, warnings


def _threshold_used(
    predictions: Detections | Mapping[str, Regions], threshold: float | None
) -> float | dict[str, float] | None:
    """The threshold given, or that of each label with which the result was made, or None where all boxes count."""
    if threshold is not None or not isinstance(predictions, Detections):
        return threshold
    return thresholds(predictions) or None


def _detection_boxes(detections: Detections, threshold: float | None) -> Boxes:
    if threshold is None:
        counted = detections.status == FOUND
    else:
        counted = (detections.status != BACKGROUND) & (detections.scores >= threshold)
    return Boxes(
        detections.photo_index.astype(np.int64),
        detections.boxes.astype(np.float64),
        detections.scores.astype(np.float64),
        detections.label_index.astype(np.int64),
        counted,
    )


def _region_boxes(regions: Sequence[Regions], threshold: float | None) -> Boxes:
    joined = Regions.concat([Regions(r.boxes, r.objectness) for r in regions])
    return Boxes(
        np.repeat(np.arange(len(regions)), [len(r) for r in regions]),
        joined.boxes.astype(np.float64),
        joined.objectness.astype(np.float64),
        np.zeros(len(joined), np.int64),
        joined.objectness >= (-np.inf if threshold is None else threshold),
    )


def _restrict(truth: Annotations, photos: Sequence[int]) -> Annotations:
    """The annotations of some photos; every photo keeps its index."""
    keep = np.isin(truth.photo_index, photos)
    return replace(
        truth,
        photo_index=truth.photo_index[keep],
        boxes=truth.boxes[keep],
        category_index=truth.category_index[keep],
        crowd=truth.crowd[keep],
    )


def _agnostic(boxes: Boxes, insects: Annotations, evaluated: Sequence[int]) -> dict[str, Any]:
    """The figures whatever the label."""
    total = int((~insects.crowd).sum())
    hits = match_photos(boxes, insects) >= 0
    return {
        "recall50": ratio(hits.sum(), total),
        **_at_threshold(boxes[boxes.counted], insects),
        "best_f1": _best_f1(boxes.scores, hits, total),
        **_count_error(boxes[boxes.counted], insects, evaluated),
    }


def _at_threshold(counted: Boxes, insects: Annotations) -> dict[str, float | int | None]:
    right = int((match_photos(counted, insects) >= 0).sum())
    total = int((~insects.crowd).sum())
    return {
        "precision": ratio(right, len(counted)),
        "recall": ratio(right, total),
        "f1": ratio(2 * right, len(counted) + total),
        "true_positives": right,
        "false_positives": len(counted) - right,
        "false_negatives": total - right,
    }


def _best_f1(scores: np.ndarray, hits: np.ndarray, total: int) -> dict[str, float | None] | None:
    """The score threshold with the highest F1, had it been known; `scores` best first."""
    if not len(scores) or not total:
        return None
    right = np.cumsum(hits)
    number = np.arange(1, len(scores) + 1)
    f1 = 2 * right / (number + total)
    f1[:-1][scores[:-1] == scores[1:]] = -1  # a threshold cannot part equal scores
    best = int(np.argmax(f1))
    return {
        "f1": figure(f1[best]),
        "threshold": figure(scores[best]),
        "precision": ratio(right[best], number[best]),
        "recall": ratio(right[best], total),
    }


def _count_error(counted: Boxes, insects: Annotations, evaluated: Sequence[int]) -> dict[str, float | int | None]:
    predicted, labelled = _counts(counted, insects, evaluated)
    error = predicted - labelled
    some = labelled > 0
    return {
        "count_mae": figure(np.abs(error).mean()),
        "count_mape": figure((np.abs(error[some]) / labelled[some]).mean()) if some.any() else None,
        "count_bias": figure(error.mean()),
        "counted": int(predicted.sum()),
    }


def _counts(counted: Boxes, insects: Annotations, evaluated: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes counted and insects labelled in each of the photos evaluated."""
    number = len(insects.file_names)
    predicted = np.bincount(counted.photo_index, minlength=number)[list(evaluated)]
    labelled = np.bincount(insects.photo_index[~insects.crowd], minlength=number)[list(evaluated)]
    return predicted, labelled


def _by_size(boxes: Boxes, insects: Annotations, ap: np.ndarray, ap50: np.ndarray) -> list[dict[str, Any]]:
    """Figures of each of SIZES; the columns of `ap` and `ap50` are those of `average_precision`."""
    side = (insects.boxes[:, 2:] - insects.boxes[:, :2]).max(axis=1, initial=0)
    hit_any, hit_counted = (np.zeros(len(insects), bool) for _ in range(2))
    for hit, chosen in ((hit_any, boxes), (hit_counted, boxes[boxes.counted])):
        matched = match_photos(chosen, insects)
        hit[matched[matched >= 0]] = True
    rows = []
    for column, (low, high) in enumerate(SIZES, 1):
        here = (side >= low) & (side < high) & ~insects.crowd
        rows.append(
            {
                "from_px": low,
                "to_px": high if high < SIZES[-1][1] else None,
                "insects": int(here.sum()),
                "ap": figure(ap[column]),
                "ap50": figure(ap50[column]),
                "recall50": ratio(hit_any[here].sum(), here.sum()),
                "recall": ratio(hit_counted[here].sum(), here.sum()),
            }
        )
    return rows


def _per_label(
    boxes: Boxes, insects: Annotations, label_names: Sequence[str], evaluated: Sequence[int]
) -> dict[str, Any]:
    """Figures of each label that means a category, their means, and which names found no partner."""
    category_of = insects.categories_of(label_names)
    mapped = np.isin(boxes.label_index, list(category_of))
    lookup = np.zeros(max(len(label_names), 1), np.int64)
    for label, category in category_of.items():
        lookup[label] = category
    own = boxes[mapped]
    ap, ap50 = average_precision(replace(own, label_index=lookup[own.label_index]), insects, per_category=True)
    rows: list[dict[str, Any]] = []
    for category in sorted(set(category_of.values())):
        labels = [label for label, c in category_of.items() if c == category]
        theirs = insects.category_index == category
        wanted = replace(insects, **{k: getattr(insects, k)[theirs] for k in ("photo_index", "boxes", "crowd")})
        mine = boxes[np.isin(boxes.label_index, labels)]
        hits = match_photos(mine, wanted) >= 0
        total = int((~wanted.crowd).sum())
        rows.append(
            {
                "category": insects.category_names[category],
                "labels": [label_names[label] for label in labels],
                "insects": total,
                "ap": figure(ap[category, 0]),
                "ap50": figure(ap50[category, 0]),
                **_at_threshold(mine[mine.counted], wanted),
                "best_f1": _best_f1(mine.scores, hits, total),
                **_count_error(mine[mine.counted], wanted, evaluated),
            }
        )
    known = [row for row in rows if row["insects"]]
    return {
        "map": _mean([row["ap"] for row in known]),
        "map50": _mean([row["ap50"] for row in known]),
        "macro_f1": _mean([row["f1"] for row in known]),
        "per_label": rows,
        "labels_without_category": [n for i, n in enumerate(label_names) if i not in category_of],
        "categories_without_label": [n for i, n in enumerate(insects.category_names) if i not in category_of.values()],
    }


def _per_photo(boxes: Boxes, insects: Annotations, evaluated: Sequence[int]) -> list[dict[str, Any]]:
    predicted, labelled = _counts(boxes[boxes.counted], insects, evaluated)
    return [
        {"photo": insects.file_names[at], "insects": int(n), "counted": int(p)}
        for at, n, p in zip(evaluated, labelled, predicted, strict=True)
    ]


def _reach_warnings(boxes: Boxes, truth: Annotations) -> list[str]:
    """Photos with boxes outside the size that they were labelled with; regions do not carry their photo's size."""
    size = truth.sizes[boxes.photo_index]
    outside = (boxes.photo_index >= 0) & size.all(axis=1) & (boxes.xyxy[:, 2:] > size + 1).any(axis=1)
    return [
        f"{truth.file_names[at]}: boxes reach beyond the {truth.sizes[at][0]} x {truth.sizes[at][1]} pixels with which "
        "it was labelled; labelled in raw pixel order? then use --raw-orientation"
        for at in np.unique(boxes.photo_index[outside])
    ]


def _size_warning(name: str, size: tuple[int, int] | None, labelled: np.ndarray) -> list[str]:
    if size is None or not labelled.all() or size == tuple(labelled.tolist()):
        return []
    turned = size == tuple(labelled[::-1].tolist())
    remedy = "; labelled in raw pixel order? then use --raw-orientation" if turned else "; the boxes do not fit it"
    return [f"{name}: {size[0]} x {size[1]} pixels here, {labelled[0]} x {labelled[1]} where it was labelled{remedy}"]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 6) if known else None
