"""COCO: detections out, and labelled photos in for evaluation. https://cocodataset.org/#format-data"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import shapely
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from agri_clip.detections import STATUSES, Detections
from agri_clip.errors import DataError
from agri_clip.formats.files import printable, rounded, write_text

#: Pixels by which a box may reach beyond its photo without a note: annotation programs round.
OVERHANG = 1


def _whole(value: Any) -> Any:
    """An id of 1.0, as programs write it that keep all numbers as floats, is 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _unless_null(value: Any) -> Any:
    """Null is the same as a field that is left out."""
    return 0 if value is None else value


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Id = Annotated[Annotated[int, Field(strict=True)] | Annotated[str, Field(strict=True)], BeforeValidator(_whole)]
Size = Annotated[int, Field(ge=0), BeforeValidator(_unless_null)]


class _Image(BaseModel):
    id: Id
    file_name: Annotated[str, Field(min_length=1)]
    width: Size = 0
    height: Size = 0


class _Category(BaseModel):
    id: Id
    name: Annotated[str, Field(min_length=1)]


class _Annotation(BaseModel):
    image_id: Id
    category_id: Id
    bbox: Annotated[list[Number], Field(min_length=4, max_length=4)]
    iscrowd: Annotated[int, Field(ge=0, le=1), BeforeValidator(_unless_null)] = 0


class _Document(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: Annotated[list[_Category], Field(min_length=1)]


@dataclass(frozen=True)
class Annotations:
    """Labelled insects of a set of photos, in an order that does not depend on the file's.

    Attributes
    ----------
    source : str
        The file they were read from.
    file_names : tuple of p str
        Photos, sorted; as the file gives them, relative to the folder of photos.
    sizes : ndarray, shape (p, 2), int64
        Width and height in pixels; 0 where the file does not say.
    category_names : tuple of str
    photo_index : ndarray, shape (n,), int64
        Which of `file_names` a box belongs to; sorted.
    boxes : ndarray, shape (n, 4), float64
        xyxy in pixels.
    category_index : ndarray, shape (n,), int64
    crowd : ndarray, shape (n,), bool
        Boxes around a group that is not labelled one by one: neither missed nor found.
    notes : tuple of str
        What was left out in reading, and why.
    """

    source: str
    file_names: tuple[str, ...]
    sizes: np.ndarray
    category_names: tuple[str, ...]
    photo_index: np.ndarray
    boxes: np.ndarray
    category_index: np.ndarray
    crowd: np.ndarray
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.photo_index)

    def find_photos(self, names: Sequence[str]) -> np.ndarray:
        """Which photo each name means, by the longest end of the path that they share.

        Returns
        -------
        ndarray, shape (n,), int64
            Index into `file_names`, or -1.

        Raises
        ------
        DataError
            Two names mean one photo.
        """
        known = {_path_key(name): i for i, name in enumerate(self.file_names)}
        place = np.full(len(names), -1, np.int64)
        for i, name in enumerate(names):
            steps = _path_key(name).split("/")
            ends = ("/".join(steps[start:]) for start in range(len(steps)))
            place[i] = next((known[end] for end in ends if end in known), -1)
        used, count = np.unique(place, return_counts=True)
        twice = (used >= 0) & (count > 1)
        if twice.any():
            at = used[twice][0]
            both = [name for name, p in zip(names, place, strict=True) if p == at]
            raise DataError(f"{self.source}: {self.file_names[at]} is meant by both {both[0]} and {both[1]}")
        return place

    def categories_of(self, label_names: Sequence[str]) -> dict[int, int]:
        """Which category each label means: equal names, whatever their letter case, article, hyphens or plural.

        Returns
        -------
        dict of int to int
            Label index to category index; labels without a category are left out.
        """
        of_name = {plain_name(name): index for index, name in enumerate(self.category_names)}
        mapped = {index: of_name.get(plain_name(name)) for index, name in enumerate(label_names)}
        return {label: category for label, category in mapped.items() if category is not None}


def read(path: Path | str) -> Annotations:
    """Read a COCO file of boxes.

    Parameters
    ----------
    path : Path or str
        JSON with `images`, `annotations` and `categories`.

    Raises
    ------
    DataError
        The file cannot be read, is not JSON, or a field is missing or wrong; the message names the field.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not JSON text: byte {error.start} is not UTF-8") from error
    return parse(document, str(path))


def parse(document: object, source: str = "annotations") -> Annotations:
    """Check a COCO document and turn it into arrays; see `read`. `source` is what messages call it."""
    if not isinstance(document, dict):
        raise DataError(
            f"{source}: a COCO file is an object with images, annotations and categories, not a {_kind(document)}"
            + ("; this looks like a results file, which has no photos" if isinstance(document, list) else "")
        )
    try:
        checked = _Document.model_validate(document)
    except ValidationError as error:
        raise DataError(f"{source}: {_first_fault(error)}") from error
    photos = sorted(checked.images, key=lambda image: image.file_name)
    _check_unique(source, "images", "id", [image.id for image in checked.images])
    _check_unique(source, "images", "file_name", [image.file_name for image in checked.images])
    _check_unique(source, "categories", "id", [category.id for category in checked.categories])
    photo_of = {image.id: i for i, image in enumerate(photos)}
    category_names, category_of, notes = _joined_categories(checked.categories)
    for i, annotation in enumerate(checked.annotations):
        where = f"{source}: annotations[{i}]"
        if annotation.image_id not in photo_of:
            raise DataError(f"{where}.image_id: no image has id {annotation.image_id!r}")
        if annotation.category_id not in category_of:
            raise DataError(f"{where}.category_id: no category has id {annotation.category_id!r}")
        if min(annotation.bbox[2:]) < 0:
            raise DataError(f"{where}.bbox: width and height must not be negative: {annotation.bbox}")
    boxes = np.array([a.bbox for a in checked.annotations], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    photo_index = np.array([photo_of[a.image_id] for a in checked.annotations], np.int64)
    category = np.array([category_of[a.category_id] for a in checked.annotations], np.int64)
    crowd = np.array([a.iscrowd == 1 for a in checked.annotations], bool)
    has_area = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
    order = np.lexsort((category, *boxes.T[::-1], photo_index))
    order = order[has_area[order]]
    if empty := int((~has_area).sum()):
        notes.append(f"{empty} boxes without area left out")
    sizes = np.array([(image.width, image.height) for image in photos], np.int64).reshape(-1, 2)
    notes += box_notes(boxes[order], photo_index[order], sizes)
    return Annotations(
        source=source,
        file_names=tuple(image.file_name for image in photos),
        sizes=sizes,
        category_names=category_names,
        photo_index=photo_index[order],
        boxes=boxes[order],
        category_index=category[order],
        crowd=crowd[order],
        notes=tuple(notes),
    )


def box_notes(boxes: np.ndarray, photo_index: np.ndarray, sizes: np.ndarray) -> list[str]:
    """Notes on boxes that are probably not what COCO means: x, y, width, height in pixels of the photo.

    Parameters
    ----------
    boxes : ndarray, shape (n, 4)
        xyxy in pixels.
    photo_index : ndarray, shape (n,), int64
        The photo of each box.
    sizes : ndarray, shape (photos, 2), int64
        Width and height; 0 where the size is not known.

    Returns
    -------
    list of str
        One line for boxes that reach beyond their photo, one for boxes below a pixel, one for equal boxes.
    """
    notes = _beyond_notes(boxes, sizes[photo_index])
    if small := int(((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) < 1).sum()):
        notes.append(
            f"{small} of {len(boxes)} boxes are smaller than a pixel; COCO boxes are in pixels, not shares of the photo"
        )
    places = np.column_stack([photo_index, boxes])
    if repeated := len(places) - len(np.unique(places, axis=0)):
        notes.append(f"{repeated} of {len(boxes)} boxes are equal to another box of their photo, and each counts")
    return notes


def with_sizes(annotations: Annotations, sizes: Mapping[str, tuple[int, int]]) -> Annotations:
    """Fill in the sizes of photos that the file gives none for, with a note where boxes reach beyond such a photo.

    Parameters
    ----------
    annotations : Annotations
    sizes : mapping of str to (int, int)
        Width and height of photos, by the names that `Annotations.find_photos` takes.
    """
    missing = (annotations.sizes == 0).any(axis=1)
    if not missing.any():
        return annotations
    filled = annotations.sizes.copy()
    for at, size in zip(annotations.find_photos(list(sizes)).tolist(), sizes.values(), strict=True):
        if at >= 0 and missing[at]:
            filled[at] = size
    here = missing[annotations.photo_index]
    notes = _beyond_notes(annotations.boxes[here], filled[annotations.photo_index[here]])
    return replace(annotations, sizes=filled, notes=(*annotations.notes, *notes))


def _beyond_notes(boxes: np.ndarray, size: np.ndarray) -> list[str]:
    """A note where boxes (n, 4) reach beyond the photos of size (n, 2); 0 where a size is not known."""
    outside = (boxes[:, :2] < -OVERHANG).any(axis=1) | (boxes[:, 2:] > size + OVERHANG).any(axis=1)
    beyond = int((outside & size.all(axis=1)).sum())
    if not beyond:
        return []
    return [f"{beyond} of {len(boxes)} boxes reach beyond their photo; a COCO box is x, y, width, height in pixels"]


def _joined_categories(
    categories: Sequence[_Category],
) -> tuple[tuple[str, ...], dict[int | str, int], list[str]]:
    """Names, index of each id, and notes; categories that bear one name, as `plain_name` compares, are one."""
    spellings: dict[str, list[str]] = {}
    for category in categories:
        spellings.setdefault(plain_name(category.name), []).append(category.name)
    place = {key: index for index, key in enumerate(spellings)}
    notes = [
        f"{len(same)} categories have one name and were joined: {', '.join(map(repr, same))}"
        for same in spellings.values()
        if len(same) > 1
    ]
    names = tuple(same[0] for same in spellings.values())
    return names, {category.id: place[plain_name(category.name)] for category in categories}, notes


def write(detections: Detections, path: Path | str, *, all_regions: bool = False) -> None:
    """Write detections as a COCO file that annotation tools open; the file is written whole or not at all.

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
    chosen = detections if all_regions else detections.found
    annotations = [_annotation(chosen, i) for i in np.argsort(chosen.photo_index, kind="stable")]
    document = {
        "info": {
            "description": "Insects found by agri-clip; boxes in pixels of the upright photo",
            "produced_by": detections.provenance,
            "failed_photos": [{"file_name": p.name, "reason": p.reason} for p in detections.photos if p.failed],
        },
        "licenses": [],
        "categories": [
            {"id": i, "name": name, "supercategory": "insect"} for i, name in enumerate(detections.label_names, 1)
        ],
        "images": [
            {"id": i, "file_name": photo.name, "width": photo.width, "height": photo.height}
            for i, photo in enumerate(detections.photos, 1)
            if not photo.failed
        ],
        "annotations": [{"id": number, **annotation} for number, annotation in enumerate(annotations, 1)],
    }
    write_text(path, json.dumps(printable(document), ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def _annotation(detections: Detections, i: int) -> dict[str, Any]:
    """One region as a COCO annotation without its id."""
    x1, y1, x2, y2 = (float(value) for value in detections.boxes[i])
    outline = detections.outlines[i]
    area = (x2 - x1) * (y2 - y1) if outline is None else shapely.Polygon(outline).area
    return {
        "image_id": int(detections.photo_index[i]) + 1,
        "category_id": int(detections.label_index[i]) + 1,
        "bbox": [round(value, 1) for value in (x1, y1, x2 - x1, y2 - y1)],
        "area": round(area, 1),
        "segmentation": [] if outline is None else [[round(float(v), 1) for v in outline.reshape(-1)]],
        "iscrowd": 0,
        "score": rounded(detections.scores[i], 4),
        "status": STATUSES[detections.status[i]],
    }


def _first_fault(error: ValidationError) -> str:
    """The first thing pydantic found wrong, as `annotations[5].bbox[2]: what`."""
    fault = error.errors()[0]
    # A value that fits neither kind of id is reported once for each kind, under a step that is no field.
    steps = [step for step in fault["loc"] if step not in ("constrained-int", "constrained-str", "int", "str")]
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    what = "missing" if fault["type"] == "missing" else f"{fault['msg']}, found {_short(fault['input'])}"
    return f"{where}: {what}"


def _check_unique(source: str, part: str, key: str, values: Sequence[int | str]) -> None:
    if len(set(values)) < len(values):
        twice = next(value for i, value in enumerate(values) if value in values[:i])
        raise DataError(f"{source}: {part}: {key} {twice!r} stands there twice")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _kind(value: object) -> str:
    return {list: "list", str: "text", type(None): "null"}.get(type(value), "number")


def _path_key(name: str) -> str:
    return unicodedata.normalize("NFC", name.replace("\\", "/")).removeprefix("./")


def plain_name(name: str) -> str:
    """What two names are compared by: lower case, no article, one space between words, the last one in the singular."""
    text = unicodedata.normalize("NFKC", name).casefold().replace("_", " ").replace("-", " ")
    text = re.sub(r"^(an?|the) ", "", " ".join(text.split()))
    for plural, single in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("sses", "ss"), ("vae", "va")):
        if text.endswith(plural):
            return text.removesuffix(plural) + single
    return text.removesuffix("s") if not text.endswith("ss") else text
