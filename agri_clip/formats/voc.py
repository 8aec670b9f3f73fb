"""Pascal VOC: one XML file a photo. http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

import numpy as np

from agri_clip.detections import STATUSES, Detections
from agri_clip.formats.files import (
    produced_by,
    rounded,
    unique_stems,
    whole_folder,
    write_bytes,
    write_text,
    xml_text,
)


def write(detections: Detections, path: Path | str, *, all_regions: bool = False) -> None:
    """Write the folder `path`: `README.txt` and one file a photo in `Annotations/`.

    Boxes are whole pixels counted from 1, both ends inside, as VOC has them. A photo that failed has no file.

    Parameters
    ----------
    detections : Detections
    path : Path or str
        Folder; an earlier export there is replaced.
    all_regions : bool
        Also regions that are no finding; the element `status` tells them apart.

    Raises
    ------
    DataError
        The folder cannot be written or holds other files.
    """
    chosen = detections if all_regions else detections.found
    parts = [part for part in chosen.split() if not part.photos[0].failed]
    stems = unique_stems([part.photos[0].name for part in parts])
    made_by = produced_by(detections.provenance)
    with whole_folder(path, marker="README.txt") as folder:
        for part, stem in zip(parts, stems, strict=True):
            tree = _photo(part, made_by)
            ElementTree.indent(tree)
            text = ElementTree.tostring(tree, encoding="utf-8", xml_declaration=True)
            write_bytes(folder / "Annotations" / f"{stem}.xml", text + b"\n")
        write_text(folder / "README.txt", f"Detections in Pascal VOC format, one file a photo.\nMade by {made_by}\n")


def _photo(part: Detections, made_by: str) -> ElementTree.Element:
    record = part.photos[0]
    place = PurePosixPath(record.name.replace("\\", "/"))
    root = ElementTree.Element("annotation")
    _add(root, "folder", place.parent.name)
    _add(root, "filename", place.name)
    _add(root, "path", record.name)
    source = ElementTree.SubElement(root, "source")
    _add(source, "database", "agri-clip")
    _add(source, "annotation", made_by)
    size = ElementTree.SubElement(root, "size")
    _add(size, "width", record.width)
    _add(size, "height", record.height)
    _add(size, "depth", 3)
    _add(root, "segmented", 0)
    limit = np.array([record.width, record.height] * 2)
    for i in range(len(part)):
        box = part.boxes[i].astype(np.float64)
        # The last pixel that a box ending at x2 covers is x2 - 1 counted from 0, so x2 counted from 1.
        corners = np.concatenate([np.floor(box[:2]) + 1, np.ceil(box[2:])]).clip(1, np.maximum(limit, 1)).astype(int)
        item = ElementTree.SubElement(root, "object")
        _add(item, "name", part.label_names[part.label_index[i]])
        _add(item, "pose", "Unspecified")
        _add(item, "truncated", int((box[:2] <= 0).any() or (box[2:] >= limit[2:]).any()))
        _add(item, "difficult", 0)
        _add(item, "score", rounded(part.scores[i], 4))
        _add(item, "status", STATUSES[part.status[i]])
        bounds = ElementTree.SubElement(item, "bndbox")
        for name, value in zip(("xmin", "ymin", "xmax", "ymax"), corners.tolist(), strict=True):
            _add(bounds, name, value)
    return root


def _add(parent: ElementTree.Element, name: str, value: object) -> None:
    ElementTree.SubElement(parent, name).text = xml_text(value)
