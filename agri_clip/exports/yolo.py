"""YOLO: a folder of text files, one a photo, as ultralytics trains on. https://docs.ultralytics.com/datasets/detect/"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import yaml

from agri_clip.detections import Detections
from agri_clip.exports.files import printable, produced_by, relative_boxes, unique_stems, whole_folder, write_text


def write(detections: Detections, path: Path | str, *, all_regions: bool = False) -> None:
    """Write the folder `path`: `data.yaml`, `photos.csv` and one file a photo in `labels/`.

    A line is ``class x y width height``, centre and size over the photo's width and height. A photo without detections
    has an empty file, a photo that failed has none. `photos.csv` says which photo a file belongs to; where two photos
    have one name, their files carry the folder's name too.

    Parameters
    ----------
    detections : Detections
    path : Path or str
        Folder; an earlier export there is replaced.
    all_regions : bool
        Also regions that are no finding, under their best label.

    Raises
    ------
    DataError
        The folder cannot be written or holds other files, or a photo's size is not known.
    """
    chosen = detections if all_regions else detections.found
    parts = [part for part in chosen.split() if not part.photos[0].failed]
    stems = unique_stems([part.photos[0].name for part in parts])
    with whole_folder(path, marker="data.yaml") as folder:
        for part, stem in zip(parts, stems, strict=True):
            write_text(folder / "labels" / f"{stem}.txt", "".join(f"{line}\n" for line in _lines(part)))
        table = io.StringIO()
        rows = csv.writer(table)
        rows.writerow(["label_file", "photo"])
        rows.writerows([f"labels/{stem}.txt", part.photos[0].name] for part, stem in zip(parts, stems, strict=True))
        write_text(folder / "photos.csv", table.getvalue())
        write_text(folder / "data.yaml", _data_yaml(detections))


def _lines(part: Detections) -> list[str]:
    corners = relative_boxes(part)
    rows = np.column_stack([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]])
    return [
        f"{label} " + " ".join(f"{value:.6f}" for value in row)
        for label, row in zip(part.label_index.tolist(), rows.tolist(), strict=True)
    ]


def _data_yaml(detections: Detections) -> str:
    """Where the photos are to be laid, and the class names, whatever letters they hold."""
    names = {"names": {i: printable(name) for i, name in enumerate(detections.label_names)}}
    lines = [
        f"# {' '.join(produced_by(detections.provenance).split())}",
        "# Lay the photos in images/, under the names of the files in labels/; photos.csv says which is which.",
        "path: .",
        "train: images",
        "val: images",
        yaml.safe_dump(names, allow_unicode=True, sort_keys=False, width=1000),
    ]
    return "\n".join(lines)
