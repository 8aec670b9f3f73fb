"""Readers of labelled crops: one for each form in which people label. The work behind `samples.read_samples`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import yaml
from pydantic import BaseModel, Field, ValidationError

from agri_clip.encoders.crops import extract_crops
from agri_clip.errors import DataError, PhotoError
from agri_clip.formats import coco
from agri_clip.photos.formats import PHOTO_EXTENSIONS
from agri_clip.photos.photo import find_photos, natural_order, read_photo
from agri_clip.prompts.base import label_key
from fine_tune.adapt.samples import BACKGROUND, BACKGROUND_NAMES, LabelledCrops, Place

Reader = Callable[[Path, Path], LabelledCrops]

#: The web page's answers, and the names by which annotation programs call a COCO file.
ANSWERS = "answers.jsonl"
COCO_NAMES = ("_annotations.coco.json", "annotations.json", "instances.json")
#: Files that name the classes of a YOLO folder, in the order in which they are looked for; a list of one name a line is
#: also found among the labels, where some annotation programs put it.
YOLO_DATA = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
YOLO_LISTS = ("classes.txt", "obj.names", "labels/classes.txt")
#: Folders that are parts of a data set, never labels.
SPLITS = frozenset(["train", "training", "val", "valid", "validation", "dev", "test", "testing"])
#: How far numbers of a YOLO label may lie outside 0 to 1 by rounding; as ultralytics allows.
ROUNDING = 0.01
#: Between a photo's name and the number of the crop, in the file names of a folder by label.
CROP_MARK = "__"
#: Photos and their crops are named one by one in a note only up to this many.
MOST_NAMED = 5


class Answer(BaseModel):
    """One line of the web page's answers."""

    crop: Annotated[str, Field(min_length=1)]
    verdict: Literal["right", "wrong", "something else", "not an insect"]
    label: str | None = None
    predicted: str | None = None
    score: float | None = None
    objectness: Annotated[float | None, Field(ge=0, le=1)] = None
    photo: str | None = None
    box: Annotated[list[float], Field(min_length=4, max_length=4)] | None = None
    encoder: str | None = None


def reader_of(source: Path) -> Reader:
    """Which reader a file or folder calls for.

    Raises
    ------
    DataError
        None does; the message lists the forms.
    """
    if answer_files(source):
        return read_answers
    if _yolo_names_file(source) is not None:
        return read_yolo
    if source.is_dir():
        return read_coco if _coco_in(source) else _reader_of_folders(source)
    if source.suffix.lower() == ".json" and source.is_file():
        return read_label_studio if isinstance(_read_json(source), list) else read_coco
    raise DataError(
        f"{source}: no labelled crops; give a folder of folders named by label, a COCO file, a YOLO folder with "
        f"data.yaml or classes.txt, a Label Studio export (JSON), or a folder with the page's {ANSWERS}"
    )


def _reader_of_folders(source: Path) -> Reader:
    """The reader for a folder of folders: these are labels, or the parts of a data set.

    Raises
    ------
    DataError
        Some are named as labels and some as parts, or it is a YOLO folder without class names.
    """
    names = [folder.name for folder in _folders_in(source)]
    if "images" in names and ("labels" in names or len(names) == 1):
        raise DataError(
            f"{source}: holds images/, and no class names for its labels; add {YOLO_DATA[0]} with "
            f"'names: [aphid, thrips]', or {YOLO_LISTS[0]} with one name a line"
        )
    parts = [name for name in names if name.casefold() in SPLITS]
    others = [name for name in names if name.casefold() not in SPLITS]
    if parts and others:
        raise DataError(
            f"{source}: {', '.join(parts)} is a part of a data set and no label, but {others[0]} lies beside; give a "
            "folder with parts only (train, val, test), or one with labels only"
        )
    return read_splits if parts else read_folders


def _folders_in(source: Path) -> list[Path]:
    """The folders right inside one, in the order in which people count."""
    folders = (path for path in source.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted(folders, key=lambda path: natural_order(path.name))


def read_splits(source: Path, images: Path) -> LabelledCrops:
    """The parts of a data set (train, val, test) together, each in its own form.

    Which crops are held out is decided anew, by photo.
    """
    read = []
    for part in _folders_in(source):
        if not any(path.is_file() for path in part.rglob("*")):
            continue
        own = part if images == source else images / part.name if (images / part.name).is_dir() else images
        read.append((part.name, reader_of(part)(part, own)))
    if not read:
        raise DataError(f"{source}: its parts ({', '.join(path.name for path in _folders_in(source))}) hold no files")
    samples = [found for _, found in read]
    note = f"{', '.join(name for name, _ in read)} are parts of one data set and were read together"
    # "Aphid" and "aphid" are one label in all parts; the first spelling stays.
    spelled: dict[str, str] = {}
    return LabelledCrops(
        crops=tuple(crop for found in samples for crop in found.crops),
        labels=tuple(spelled.setdefault(label_key(label), label) for found in samples for label in found.labels),
        photos=tuple(photo for found in samples for photo in found.photos),
        names=tuple(f"{part}/{name}" for part, found in read for name in found.names),
        source=str(source),
        notes=(note, *(note for found in samples for note in found.notes)),
        places=tuple(place for found in samples for place in found.places) if all(s.places for s in samples) else (),
        objectness=tuple(value for found in samples for value in found.objectness or (nan,) * len(found))
        if any(found.objectness for found in samples)
        else (),
        bare=tuple(path for found in samples for path in found.bare),
    )


def read_folders(source: Path, images: Path) -> LabelledCrops:  # noqa: ARG001 - all readers are called alike
    """Crops in folders named by label.

    The photo of a crop is the folder between label and file where there is one; else what stands before ``__`` in
    its name, as in ``trap7__12.png``; else the crop counts as a photo of its own.
    """
    parts = _Parts(source)
    for folder in _folders_in(source):
        files = [path for path in find_photos(folder) if path.suffix.lower() in PHOTO_EXTENSIONS]
        for path in files:
            inner = path.relative_to(folder).parent
            stem, mark, _ = path.stem.rpartition(CROP_MARK)
            photo = str(inner) if inner.parts else stem if mark else str(path.relative_to(source))
            parts.add_file(path, folder.name, photo, str(path.relative_to(source)))
    return parts.joined()


def read_answers(source: Path, images: Path) -> LabelledCrops:  # noqa: ARG001
    """The answers of the web page: what was right or named counts, what is only known to be wrong does not.

    Of several answers about one crop the last one counts. A folder may hold one visit's answers, or a folder for each
    of many visits.
    """
    parts, unknown = _Parts(source), 0
    for file in answer_files(source):
        for number, answer in _last_answers(file):
            label = BACKGROUND if answer.verdict == "not an insect" else answer.label
            if label is None and answer.verdict == "right":
                label = answer.predicted
            if label is None or not label.strip():
                unknown += 1
                continue
            path = file.parent / answer.crop
            if not path.resolve().is_relative_to(file.parent.resolve()):
                raise DataError(f"{file}:{number}: crop: {answer.crop!r} is not in this folder; copy the crop into it")
            parts.add_file(path, label, answer.photo or answer.crop, answer.crop, answer.objectness)
    if unknown:
        parts.notes.append(f"{unknown} crops are only known not to be what was said, and were left out")
    return parts.joined()


def answer_files(source: Path) -> list[Path]:
    """The files of answers that a path stands for: itself, that of one visit, or those of all visits in a folder."""
    if source.name == ANSWERS:
        return [source]
    own = source / ANSWERS
    return [own] if own.is_file() else sorted(source.glob(f"*/{ANSWERS}"))


def _last_answers(file: Path) -> list[tuple[int, Answer]]:
    """The last answer about each crop, with the number of its line."""
    last: dict[str, tuple[int, Answer]] = {}
    for number, line in enumerate(_read_text(file).splitlines(), 1):
        if line.strip():
            try:
                answer = Answer.model_validate_json(line)
            except ValidationError as error:
                fault = error.errors()[0]
                field = ".".join(map(str, fault["loc"])) or "line"
                raise DataError(f"{file}:{number}: {field}: {fault['msg']}; remove or mend this line") from error
            last[answer.crop] = (number, answer)
    return list(last.values())


def read_coco(source: Path, images: Path) -> LabelledCrops:
    """Boxes of a COCO file, or of a folder that holds one."""
    file = source if source.is_file() else _coco_in(source)
    if file is None:
        raise DataError(f"{source}: no COCO file in it; its name should be one of {', '.join(COCO_NAMES)}")
    found = coco.read(file)
    parts = _Parts(file, notes=list(found.notes))
    if found.crowd.any():
        parts.notes.append(f"{int(found.crowd.sum())} boxes around groups of insects were left out")
    for i, name in enumerate(found.file_names):
        rows = np.flatnonzero((found.photo_index == i) & ~found.crowd)
        labels = [found.category_names[found.category_index[row]] for row in rows]
        parts.add_boxes(images / name, name, found.boxes[rows], labels, size=found.sizes[i])
    return parts.joined()


def read_yolo(source: Path, images: Path) -> LabelledCrops:  # noqa: ARG001
    """Boxes of a YOLO folder, of all its parts (train, val, test): ``class x y width height``, relative to the photo.

    References
    ----------
    https://docs.ultralytics.com/datasets/detect/
    """
    names_file = _yolo_names_file(source)
    if names_file is None:
        raise DataError(f"{source}: no class names; add one of {', '.join((*YOLO_DATA, *YOLO_LISTS))}")
    names = _yolo_names(names_file)
    parts = _Parts(source)
    for path in find_photos(source):
        label_file = _yolo_label_file(source, path)
        if label_file is not None and label_file.is_file() and path.is_file():
            boxes, labels = _yolo_boxes(label_file, names, names_file.name)
            parts.add_boxes(path, str(path.relative_to(source)), boxes, labels, relative=True)
    return parts.joined()


def _yolo_names_file(source: Path) -> Path | None:
    """The file that names the classes of a YOLO folder, if it is one."""
    if not source.is_dir():
        return None
    data = next((source / name for name in YOLO_DATA if (source / name).is_file()), None)
    if data is not None:
        return data
    listed = next((source / name for name in YOLO_LISTS if (source / name).is_file()), None)
    if listed is None or (source / "labels").is_dir():
        return listed
    # A list of names may also lie beside folders by label.
    beside = any(path.with_suffix(".txt").is_file() for path in find_photos(source) if path.parent == source)
    return listed if beside else None


def _yolo_label_file(source: Path, photo: Path) -> Path | None:
    """Where the labels of a photo are: in labels/ instead of images/, or, without such folders, beside the photo."""
    steps = list(photo.relative_to(source).parts)
    if "images" not in steps[:-1]:
        return None if (source / "images").is_dir() else photo.with_suffix(".txt")
    steps[len(steps) - 1 - steps[::-1].index("images")] = "labels"
    return source.joinpath(*steps).with_suffix(".txt")


def read_label_studio(source: Path, images: Path) -> LabelledCrops:
    """Rectangles of a Label Studio export (JSON): what people drew or kept, never what a model proposed.

    References
    ----------
    https://labelstud.io/guide/export#Label-Studio-JSON-format-of-annotated-tasks
    """
    parts = _Parts(source)
    unseen = unlabelled = shapes = 0
    for number, task in enumerate(_read_json(source)):
        where = f"{source}: [{number}]"
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            raise DataError(f"{where}.data: missing; export from Label Studio as JSON (not JSON-MIN)")
        answers = [a for a in task.get("annotations") or () if not a.get("was_cancelled")]
        unseen += not answers
        if answers:
            found = _rectangles(answers[-1].get("result") or (), f"{where}.annotations.result")
            unlabelled += found.unlabelled
            shapes += found.shapes
            name = _photo_name(task["data"], where)
            path = _find_photo(images, name)
            parts.add_boxes(path, name, found.boxes, found.labels, relative=True, rotation=found.rotation)
    if unseen:
        parts.notes.append(f"{unseen} tasks have no answer of a person and were left out")
    if unlabelled:
        parts.notes.append(f"{unlabelled} boxes have no label and were left out")
    if shapes:
        parts.notes.append(f"{shapes} labelled shapes are no rectangles and were left out")
    return parts.joined()


class _Parts:
    """Crops as they are gathered; photos that cannot be read become notes."""

    def __init__(self, source: Path, notes: Sequence[str] = ()) -> None:
        self.source = source
        self.notes = list(notes)
        self._failed: list[str] = []
        self._rows: list[tuple[np.ndarray, str, str, str]] = []
        self._places: list[Place] = []
        self._objectness: list[float] = []
        self._bare: list[Path] = []
        self._left_out: list[str] = []

    def add_file(self, path: Path, label: str, photo: str, name: str, objectness: float | None = None) -> None:
        """A crop that is a file."""
        try:
            pixels = read_photo(path, read_codes=False).pixels
        except PhotoError as error:
            self._failed.append(str(error))
            return
        self._rows.append((pixels, _tidy_label(label), photo, name))
        self._objectness.append(nan if objectness is None else objectness)

    def add_boxes(
        self,
        path: Path,
        photo: str,
        boxes: np.ndarray,
        labels: Sequence[str],
        *,
        size: np.ndarray | None = None,
        relative: bool = False,
        rotation: np.ndarray | None = None,
    ) -> None:
        """Crops around boxes (n, 4) xyxy of a photo, in pixels or relative to its size.

        Where `size` (width, height) is that of the photo as the camera stored it, the boxes are of that too. `rotation`
        (n,) turns each box around its first corner, clockwise in degrees; the crop is around the turned box. Boxes
        with no pixel in the photo are left out, and told.
        """
        if not len(boxes):
            self._bare.append(path)
            return
        try:
            pixels, upright = read_photo(path, read_codes=False).pixels, True
            if size is not None and size.all() and tuple(size) == pixels.shape[:2] != pixels.shape[1::-1]:
                pixels, upright = read_photo(path, read_codes=False, exif_orientation=False).pixels, False
        except PhotoError as error:
            self._failed.append(str(error))
            return
        corners = boxes * np.tile(pixels.shape[1::-1], 2) if relative else boxes
        if rotation is not None:
            corners = _around_turned(corners, rotation)
        seen = np.minimum(corners[:, 2:], pixels.shape[1::-1]) - np.maximum(corners[:, :2], 0)
        inside = np.flatnonzero((seen > 0).all(axis=1) & ((corners[:, 2:] - corners[:, :2]).max(axis=1) >= 1))
        self._left_out += [f"{photo} box {number + 1}" for number in sorted(set(range(len(boxes))) - set(inside))]
        crops = extract_crops(pixels, corners[inside])
        for number, crop in zip(inside.tolist(), crops, strict=True):
            # A view would keep the whole photo in memory.
            self._rows.append((crop.copy(), _tidy_label(labels[number]), photo, f"{photo} box {number + 1}"))
        self._places += [Place(path, (x0, y0, x1, y1), upright) for x0, y0, x1, y1 in corners[inside].tolist()]

    def joined(self) -> LabelledCrops:
        notes = list(self.notes)
        if self._failed:
            shown = "; ".join(self._failed[:MOST_NAMED])
            more = len(self._failed) - MOST_NAMED
            notes.append(f"not read: {shown}" + (f"; and {more} more" if more > 0 else ""))
        if self._left_out:
            shown = ", ".join(self._left_out[:MOST_NAMED]) + (", …" if len(self._left_out) > MOST_NAMED else "")
            notes.append(f"{len(self._left_out)} boxes without area or outside their photo were left out: {shown}")
        if not self._rows:
            raise DataError(f"{self.source}: no labelled crop could be read" + "".join(f"; {note}" for note in notes))
        crops, labels, photos, names = zip(*self._rows, strict=True)
        # "Aphid" and "aphid" are one label, as they are in a prompt set; the first spelling stays.
        spelled: dict[str, str] = {}
        labels = tuple(spelled.setdefault(label_key(label), label) for label in labels)
        objectness = () if all(map(isnan, self._objectness)) else tuple(self._objectness)
        return LabelledCrops(
            crops,
            labels,
            photos,
            names,
            str(self.source),
            tuple(notes),
            places=tuple(self._places),
            objectness=objectness,
            bare=tuple(self._bare),
        )


def _tidy_label(label: str) -> str:
    """A label as it is shown: spaces for underscores; every name of background becomes `BACKGROUND`."""
    text = " ".join(label.replace("_", " ").split())
    return BACKGROUND if coco.plain_name(text) in BACKGROUND_NAMES else text


def _coco_in(folder: Path) -> Path | None:
    return next((folder / name for name in COCO_NAMES if (folder / name).is_file()), None)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); check the name, and that it is UTF-8 text") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(_read_text(path))
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON ({error}); export it again") from error


def _yolo_names(path: Path) -> Mapping[int, str]:
    """Class names of a YAML file, a list or a mapping; or of a text file, one a line."""
    if path.suffix not in (".yaml", ".yml"):
        names = [line.strip() for line in _read_text(path).splitlines()]
        return {number: name for number, name in enumerate(names) if name}
    try:
        given = yaml.safe_load(_read_text(path))["names"]
        rows: Iterable[tuple[Any, Any]] = enumerate(given) if isinstance(given, list) else given.items()
        return {int(number): str(name) for number, name in rows}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path}: names: no list of class names ({error}); write 'names: [aphid, thrips]'") from error


def _yolo_boxes(path: Path, names: Mapping[int, str], names_file: str) -> tuple[np.ndarray, list[str]]:
    """Boxes (n, 4) xyxy relative to the photo, and labels, of one label file; polygons become their boxes."""
    boxes, labels = [], []
    for number, line in enumerate(_read_text(path).splitlines(), 1):
        cells = line.split()
        if not cells:
            continue
        where = f"{path}:{number}"
        try:
            values = np.array([float(cell) for cell in cells[1:]])
            label = names[int(cells[0])]
        except (ValueError, KeyError) as error:
            raise DataError(f"{where}: no class of {names_file} with numbers ({error}); mend this line") from error
        if len(values) != 4 and (len(values) < 6 or len(values) % 2):
            raise DataError(f"{where}: {len(values)} numbers after the class; write x y width height")
        wrong = ~((values >= -ROUNDING) & (values <= 1 + ROUNDING))  # NaN is wrong too
        if len(values) == 4:
            wrong[2:] |= values[2:] < 0
        if wrong.any():
            given = cells[1:][int(np.flatnonzero(wrong)[0])]
            raise DataError(
                f"{where}: {given} is no number from 0 to 1; write x y width height over the width and height of the "
                "photo, not in pixels"
            )
        if len(values) == 4:
            boxes.append(np.concatenate([values[:2] - values[2:] / 2, values[:2] + values[2:] / 2]))
        else:
            points = values.reshape(-1, 2)
            boxes.append(np.concatenate([points.min(axis=0), points.max(axis=0)]))
        labels.append(label)
    return np.array(boxes, np.float64).reshape(-1, 4), labels


@dataclass(frozen=True)
class _Rectangles:
    """Labelled rectangles of one annotation.

    Attributes
    ----------
    boxes : ndarray, shape (n, 4), float64
        x, y, x + width, y + height relative to the photo; a rectangle drawn to the left or upwards has a negative size.
    rotation : ndarray, shape (n,), float64
        Degrees clockwise around x, y.
    labels : list of n str
    unlabelled, shapes : int
        Rectangles without a label, and labelled shapes of other kinds; both are left out.
    """

    boxes: np.ndarray
    rotation: np.ndarray
    labels: list[str]
    unlabelled: int
    shapes: int


def _rectangles(results: Sequence[Any], where: str) -> _Rectangles:
    """The labelled rectangles of one annotation."""
    boxes, rotation, labels = [], [], []
    unlabelled = shapes = 0
    for i, result in enumerate(results):
        kind = result.get("type") if isinstance(result, dict) else None
        if kind != "rectanglelabels":
            shapes += isinstance(kind, str) and kind.endswith("labels")
            continue
        try:
            value = result["value"]
            x, y, width, height = (float(value[key]) / 100 for key in ("x", "y", "width", "height"))
            turned = float(value.get("rotation") or 0)
            given = [str(label) for label in value.get("rectanglelabels") or () if str(label).strip()]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{where}[{i}].value: no labelled rectangle ({error!r}); export it again") from error
        if not all(map(isfinite, (x, y, width, height, turned))):
            raise DataError(f"{where}[{i}].value: holds a number that is not finite; mend it, or export it again")
        if not given:
            unlabelled += 1
            continue
        boxes.append([x, y, x + width, y + height])
        rotation.append(turned)
        labels.append(given[0])
    return _Rectangles(
        np.array(boxes, np.float64).reshape(-1, 4), np.array(rotation, np.float64), labels, unlabelled, shapes
    )


def _around_turned(boxes: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """The upright boxes (n, 4) around boxes that are turned about their first corner, clockwise in degrees."""
    angle = np.deg2rad(rotation)[:, None]
    sides = boxes[:, 2:] - boxes[:, :2]
    across, down = sides[:, :1] * [[0, 1, 1, 0]], sides[:, 1:] * [[0, 0, 1, 1]]
    x = boxes[:, :1] + across * np.cos(angle) - down * np.sin(angle)
    y = boxes[:, 1:2] + across * np.sin(angle) + down * np.cos(angle)
    return np.stack([x.min(axis=1), y.min(axis=1), x.max(axis=1), y.max(axis=1)], axis=1)


def _photo_name(data: Mapping[str, Any], where: str) -> str:
    """The photo of a task: as our own export names it, else by the address that Label Studio shows."""
    name = data.get("photo")
    if isinstance(name, str) and name:
        return name
    address = next(
        (v for k, v in sorted(data.items()) if k in ("image", "img", "photo_url") and isinstance(v, str)), ""
    )
    if not address:
        raise DataError(f"{where}.data.image: missing; the task names no photo")
    parts = urlsplit(address)
    return parse_qs(parts.query).get("d", [unquote(parts.path)])[0].lstrip("/")


def _find_photo(folder: Path, name: str) -> Path:
    """A photo below a folder by the longest end of its name that exists there.

    Label Studio puts eight letters and a hyphen before the name of a file that was uploaded; these may be gone.
    """
    steps = [step for step in name.replace("\\", "/").split("/") if step not in ("", ".", "..")]
    ends = [Path(*steps[start:]) for start in range(len(steps))]
    plain = steps[-1].partition("-")[2] if steps else ""
    tries = [folder / end for end in ends] + ([folder / plain] if plain else [])
    if Path(name).is_file():
        tries.insert(0, Path(name))
    return next((path for path in tries if path.is_file()), folder / (ends[-1] if ends else name))
