"""Writing files whole or not at all, and the small things every export format needs: names, numbers, provenance."""

from __future__ import annotations

import io
import math
import re
import secrets
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from agri_clip.detections import Detections
from agri_clip.errors import DataError, WriteError
from agri_clip.io.writing import explained
from agri_clip.io.writing import prepare_folder as prepare_folder  # every export format needs these three
from agri_clip.io.writing import write_bytes as write_bytes
from agri_clip.io.writing import write_text as write_text

# Names that Windows keeps for devices, whatever their suffix.
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def zip_bytes(members: Mapping[str, bytes]) -> bytes:
    """A zip archive whose bytes depend on its members alone: no clock, user or system goes in.

    Parameters
    ----------
    members : mapping of str to bytes
        Path in the archive, with "/", to content.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name)  # dated 1980-01-01, the first day that a zip can hold
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            file.writestr(entry, data)
    return archive.getvalue()


@contextmanager
def whole_folder(path: Path | str, marker: str) -> Iterator[Path]:
    """Fill a folder whole or not at all: gives a temporary folder that takes the name `path` at the end.

    Parameters
    ----------
    path : Path or str
        The folder. An earlier export in its place is replaced, so that no file of an earlier run stays among the new.
    marker : str
        A file, relative to the folder, that every export of this kind holds and that says so in its text. A folder
        that has content but not the marker is somebody else's and is left alone.

    Raises
    ------
    DataError
        The place cannot be written, or holds other files.
    """
    path = Path(path)
    with explained(path):
        ours = (path / marker).is_file() and "agri-clip" in (path / marker).read_text("utf-8", errors="replace")
        if path.exists() and (not path.is_dir() or (any(path.iterdir()) and not ours)):
            raise DataError(f"{path}: is in use by other files; give a new or empty folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.parent / f".agri-clip-{secrets.token_hex(6)}.part"
        old = half.with_suffix(".old")
        try:
            half.mkdir()
            yield half
            if path.exists():
                path.replace(old)
            half.replace(path)
        except BaseException as error:
            if old.exists() and not path.exists():
                old.replace(path)
            if isinstance(error, WriteError) and half in (error.place, *error.place.parents):
                raise WriteError(path / error.place.relative_to(half), error.reason) from error
            raise
        finally:
            shutil.rmtree(half, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def unique_stems(names: Sequence[str]) -> list[str]:
    """File names without suffix for outputs, one for each photo, each its own on every file system.

    Parameters
    ----------
    names : sequence of n str
        Photo names: paths, or any text.

    Returns
    -------
    list of n str
        The photo's own stem where only one photo has it; with its folder's name, ``house1_IMG_1``, where several do;
        with a number where that is not enough. Letter case does not tell two apart.
    """
    parts = [_path_parts(name) for name in names]
    stems = [part[-1] for part in parts]
    for depth in range(2, max(map(len, parts), default=0) + 1):
        shared = _repeated(stems)
        stems = ["_".join(part[-depth:]) if s.casefold() in shared else s for part, s in zip(parts, stems, strict=True)]
    shared = _repeated(stems)
    taken = {stem.casefold() for stem in stems}
    first = set()
    for i, stem in enumerate(stems):
        if stem.casefold() not in shared:
            continue
        if stem.casefold() not in first:
            first.add(stem.casefold())
            continue
        number = 2
        while f"{stem}-{number}".casefold() in taken:
            number += 1
        stems[i] = f"{stem}-{number}"
        taken.add(stems[i].casefold())
    return stems


def annotated_paths(names: Sequence[str], folder: Path | str, suffix: str = ".jpg") -> list[Path]:
    """Where the annotated picture of each photo goes: one path a photo, none twice."""
    return [Path(folder) / f"{stem}{suffix}" for stem in unique_stems(names)]


def printable(value: Any) -> Any:
    """The same value in types that strict JSON has: numpy to Python, NaN and infinity to None, dates to ISO 8601.

    Text keeps its letters; bytes of a file name that are no text become "?".
    """
    if isinstance(value, Mapping):
        return {str(printable(key)): printable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return printable(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [printable(item) for item in value]
    if isinstance(value, np.generic):
        return printable(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if value is None or isinstance(value, (bool, int)):
        return value
    return str(value).encode("utf-8", errors="replace").decode("utf-8")


def xml_text(value: object) -> str:
    """The value as text that XML 1.0 can hold; characters that it cannot become "?"."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", str(printable(str(value))))


def rounded(value: Any, digits: int) -> float | None:
    """A number with so many decimals; None where it is not a number."""
    number = float(value)
    return round(number, digits) if math.isfinite(number) else None


def produced_by(provenance: Mapping[str, Any]) -> str:
    """Provenance in one line of text, for formats that have one field for it: ``agri-clip: encoder builtin; …``."""
    items = (f"{name} {text}" for name, text in provenance_items(provenance))
    return "agri-clip: " + ("; ".join(items) or "provenance not known")


def provenance_items(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Provenance as pairs of a name, such as ``thresholds.moth``, and text; what is None is left out."""
    return list(_flat(printable(provenance)))


def thresholds(detections: Detections) -> dict[str, float]:
    """The score from which each label was counted, as provenance has it: one number, or one for each label.

    Labels whose threshold is not known are left out.
    """
    return label_thresholds(detections.provenance, detections.label_names)


def label_thresholds(provenance: Mapping[str, Any], labels: Sequence[str]) -> dict[str, float]:
    """The same, of provenance alone."""
    given = provenance.get("thresholds", provenance.get("threshold"))
    if isinstance(given, (int, float, np.number)):
        given = dict.fromkeys(labels, given)
    if not isinstance(given, Mapping):
        return {}
    return {name: round(float(given[name]), 4) for name in labels if given.get(name) is not None}


def on_globe(gps: tuple[float, float] | None) -> bool:
    """Whether a latitude and longitude in degrees are those of a place."""
    return gps is not None and all(
        math.isfinite(value) and abs(value) <= limit for value, limit in zip(gps, (90, 180), strict=True)
    )


def relative_boxes(detections: Detections) -> np.ndarray:
    """Boxes over the size of their photo, cut at its edge.

    Returns
    -------
    ndarray, shape (n, 4), float64
        xyxy, each from 0 to 1.

    Raises
    ------
    DataError
        The size of a photo that was read is not known, with or without regions.
    """
    for photo in detections.photos:
        if not photo.failed and (photo.width < 1 or photo.height < 1):
            raise DataError(f"{photo.name}: its size in pixels is not known, so its boxes have no place in this format")
    sizes = np.array([(p.width, p.height) * 2 for p in detections.photos], np.float64).reshape(-1, 4)
    of_region = sizes[detections.photo_index]
    return np.clip(detections.boxes, 0, of_region) / of_region


def _flat(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        name = f"{above}{key}"
        if isinstance(item, Mapping) and len(item) > 1 and len(set(map(str, item.values()))) == 1:
            yield name, str(next(iter(item.values())))  # thresholds of 30 labels, all the same
        elif isinstance(item, Mapping):
            yield from _flat(item, f"{name}.")
        elif item is not None:
            yield name, ", ".join(map(str, item)) if isinstance(item, list) else str(item)


def _path_parts(name: str) -> list[str]:
    """Folders and stem of a name, from either kind of system, safe as parts of a file name; at least one."""
    path = PureWindowsPath(name) if "\\" in name else PurePosixPath(name)
    parts = [_safe(part) for part in (*path.parts[:-1], path.stem) if part not in ("/", "..", ".", path.anchor)]
    return parts or ["photo"]


def _safe(part: str) -> str:
    """Text that every file system takes as a name, at most 60 characters."""
    text = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]', "_", part).strip(". ")[:60].rstrip(". ")
    return f"{text}_" if text.casefold() in RESERVED else text or "photo"


def _repeated(stems: Sequence[str]) -> set[str]:
    counts = Counter(stem.casefold() for stem in stems)
    return {stem for stem, count in counts.items() if count > 1}
