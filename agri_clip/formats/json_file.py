"""JSON: everything about a result, photo by photo, with its units in the names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from agri_clip.detections import BACKGROUND, FOUND, OTHER, STATUSES, Detections, PhotoRecord
from agri_clip.formats.files import printable, rounded, thresholds, write_text

#: Grows when a field changes its meaning or goes away.
FORMAT_VERSION = 1


def write(detections: Detections, path: Path | str, *, all_regions: bool = False) -> None:
    """Write a result as one JSON object; strict JSON, null where a value is not known.

    Parameters
    ----------
    detections : Detections
    path : Path or str
    all_regions : bool
        Also regions that are no finding; their `status` tells them apart.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    document = as_document(detections, all_regions=all_regions)
    write_text(path, json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def as_document(detections: Detections, *, all_regions: bool = False) -> dict[str, Any]:
    """What `write` writes, as a dict of plain values."""
    document = {
        "format": "agri-clip detections",
        "format_version": FORMAT_VERSION,
        "produced_by": detections.provenance,
        "labels": [
            {"name": name, "threshold": thresholds(detections).get(name), "found": count}
            for name, count in _label_counts(detections).items()
        ],
        "photos": [_photo(part, all_regions) for part in detections.split()],
    }
    whole: dict[str, Any] = printable(document)
    return whole


def _photo(part: Detections, all_regions: bool) -> dict[str, Any]:
    """One photo with its detections, best first; `part` is the result of that photo alone."""
    record: PhotoRecord = part.photos[0]
    known = {
        "name": record.name,
        "width": record.width,
        "height": record.height,
        "taken": record.taken,
        "trap": record.trap,
        "camera": record.camera,
        "gps": record.gps,
        "mm_per_pixel": record.mm_per_pixel,
        "card_area_px": record.card_area_px,
        "notes": record.notes,
    }
    if record.failed:
        return {"name": record.name, "taken": record.taken, "trap": record.trap, "failed": record.reason}
    shown = part if all_regions else part.found
    shown = shown[np.argsort(-shown.scores, kind="stable")]
    return {
        **known,
        "failed": None,
        "counts": _label_counts(part),
        "other_insects": int((part.status == OTHER).sum()),
        "not_insects": int((part.status == BACKGROUND).sum()),
        "detections": [_region(shown, i) for i in range(len(shown))],
    }


def _region(part: Detections, i: int) -> dict[str, Any]:
    outline = part.outlines[i]
    return {
        "label": part.label_names[part.label_index[i]],
        "status": STATUSES[part.status[i]],
        "score": rounded(part.scores[i], 4),
        "margin": rounded(part.margin[i], 4),
        "insect": rounded(part.insect[i], 4),
        "objectness": rounded(part.objectness[i], 4),
        "box": [rounded(value, 1) for value in part.boxes[i]],
        "length_px": rounded(part.length_px[i], 1),
        "length_mm": rounded(part.length_mm[i], 2),
        "outline": None if outline is None else [[rounded(x, 1), rounded(y, 1)] for x, y in outline],
    }


def _label_counts(part: Detections) -> dict[str, int | None]:
    """Found regions of each label; None for a label that was not counted."""
    counts = np.bincount(part.label_index[part.status == FOUND], minlength=len(part.label_names)).tolist()
    uncounted = part.not_counted
    return {label: None if label in uncounted else count for label, count in zip(part.label_names, counts, strict=True)}
