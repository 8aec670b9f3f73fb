"""Label Studio: photos as tasks with the detections as pre-annotations. https://labelstud.io/guide/predictions"""

from __future__ import annotations

import json
import re
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np

from agri_clip.detections import FOUND, STATUSES, Detections, PhotoRecord
from agri_clip.formats.csv_table import by_photo_best_first
from agri_clip.formats.files import (
    printable,
    produced_by,
    relative_boxes,
    rounded,
    whole_folder,
    write_bytes,
    write_text,
    xml_text,
)
from agri_clip.report.drawing import PALETTE

#: How Label Studio names a file on its own disk. https://labelstud.io/guide/storage_local
LOCAL_FILES = "/data/local-files/?d="
#: Names of the tags in `config.xml`, which each pre-annotation repeats.
CONTROL, PICTURE = "label", "image"
README = """\
Detections for review in Label Studio.

1. Set LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT to the folder in which
   agri-clip was started (the root of the disk where the photos were named by their full path); start Label Studio.
   The photos must lie in a folder below that one.
2. Make a project; under Settings > Labeling Interface > Code paste config.xml.
3. Under Settings > Cloud Storage add a source storage of the kind Local Files for the folder of the photos; save it
   without syncing.
4. Import tasks.json.
"""


def write(detections: Detections, path: Path | str, *, all_regions: bool = False) -> None:
    """Write the folder `path`: `tasks.json` to import, `config.xml` to paste as labelling interface, and `README.txt`.

    Boxes are in percent of the photo, cut at its edge. A photo without detections is a task with an empty
    pre-annotation; one that failed is no task and stands in `README.txt`.

    Parameters
    ----------
    detections : Detections
    path : Path or str
        Folder; an earlier export there is replaced.
    all_regions : bool
        Also regions that are no finding, under their best label; their `meta` gives the status.

    Raises
    ------
    DataError
        The folder cannot be written or holds other files, or a photo's size is not known.
    """
    chosen = by_photo_best_first(detections if all_regions else detections.found)
    tasks = _tasks(chosen)
    failed = [f"{photo.name}: {photo.reason}\n" for photo in detections.photos if photo.failed]
    notes = ["\nPhotos that could not be read, and are no tasks:\n", *failed] if failed else []
    made_by = f"\nMade by {produced_by(detections.provenance)}\n"
    # A line a task: a season's tasks, indented, would take many times as long and as much room.
    lines = ",\n".join(json.dumps(task, ensure_ascii=False, allow_nan=False) for task in tasks)
    with whole_folder(path, marker="README.txt") as folder:
        write_text(folder / "tasks.json", f"[\n{lines}\n]\n")
        write_bytes(folder / "config.xml", _config(detections.label_names))
        write_text(folder / "README.txt", "".join([README, *notes, made_by]))


def _tasks(detections: Detections) -> list[dict[str, Any]]:
    """One task for each photo that was read; regions of `detections` are sorted by photo."""
    regions = _regions(detections)
    counts = np.bincount(detections.photo_index, minlength=len(detections.photos))
    ends = np.cumsum(counts)
    version = _model_version(detections.provenance)
    return [
        {
            "data": _data(photo),
            "predictions": [
                {
                    "model_version": version,
                    "score": rounded(detections.scores[start:end].mean(), 4) if end > start else None,
                    "result": regions[start:end],
                }
            ],
        }
        for photo, start, end in zip(detections.photos, ends - counts, ends, strict=True)
        if not photo.failed
    ]


def _regions(detections: Detections) -> list[dict[str, Any]]:
    """Each region as an item of a prediction's result; ids differ within the file, as Label Studio wants them."""
    # Corners are rounded before sizes are taken, so that no box reaches beyond 100 %.
    corners = (100 * relative_boxes(detections)).round(5)
    boxes = np.column_stack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).round(5)
    names = [xml_text(name) for name in detections.label_names]
    sizes = [(photo.width, photo.height) for photo in detections.photos]
    columns = (detections.photo_index, detections.label_index, detections.status)
    return [
        {
            "id": f"agri-clip-{number}",
            "type": "rectanglelabels",
            "from_name": CONTROL,
            "to_name": PICTURE,
            "original_width": sizes[photo][0],
            "original_height": sizes[photo][1],
            "image_rotation": 0,
            "value": {
                "x": box[0],
                "y": box[1],
                "width": box[2],
                "height": box[3],
                "rotation": 0,
                "rectanglelabels": [names[label]],
            },
            "score": rounded(score, 4),
            **({} if status == FOUND else {"meta": {"text": [f"status {STATUSES[status]}"]}}),
        }
        for number, (photo, label, status, box, score) in enumerate(
            zip(*(column.tolist() for column in columns), boxes.tolist(), detections.scores, strict=True), 1
        )
    ]


def _data(photo: PhotoRecord) -> dict[str, Any]:
    """What a task shows and can be filtered by."""
    return printable(
        {PICTURE: _address(photo.name), "photo": photo.name, "trap": photo.trap, "taken": photo.taken},
    )


def _address(name: str) -> str:
    """The address under which Label Studio serves a photo that lies on its own disk."""
    path = re.sub(r"^[A-Za-z]:", "", name.replace("\\", "/")) if "\\" in name else name
    steps = [step for step in path.split("/") if step not in ("", ".")]
    return LOCAL_FILES + quote("/".join(steps), errors="replace")


def _model_version(provenance: dict[str, Any]) -> str:
    """Program, models and prompts in a few words, by which Label Studio tells one run from another."""
    said = {key: provenance[key] for key in ("program", "proposer", "encoder", "prompts_hash") if provenance.get(key)}
    return produced_by(said)


def _config(label_names: tuple[str, ...]) -> bytes:
    """The labelling interface: a photo, and rectangles with the labels in the colours of the annotated pictures."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name=PICTURE, value=f"${PICTURE}", zoom="true")
    labels = ElementTree.SubElement(view, "RectangleLabels", name=CONTROL, toName=PICTURE)
    for name, colour in zip(label_names, cycle(PALETTE), strict=False):
        ElementTree.SubElement(labels, "Label", value=xml_text(name), background=colour)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="utf-8") + b"\n"
