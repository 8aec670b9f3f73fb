"""Labelled photos of a field for training a proposer: read from COCO, upright or as stored, and split by photo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from agri_clip.errors import DataError
from agri_clip.evaluation.runs import photo_paths
from agri_clip.formats import coco
from agri_clip.photos.photo import read_photo
from fine_tune.adapt.splits import hold_out
from fine_tune.detector.photos import LabelledPhoto

#: Bytes of pixels that are kept as they are; further photos are kept packed, which costs time and little quality.
MOST_BYTES = 1 << 30
#: Of packed photos.
QUALITY = 95


def read_field_photos(file: Path, images: Path | None = None) -> list[LabelledPhoto]:
    """Read the photos of a COCO file with their insects; boxes around groups are left out.

    Parameters
    ----------
    file : Path
    images : Path or None
        Folder of the photos; None takes ``images`` beside the file where there is one, else the file's own folder.

    Raises
    ------
    DataError
        The file cannot be read, or its photos are not there.
    PhotoError
        A photo cannot be read.
    """
    truth = coco.read(file)
    beside = file.parent / "images"
    folder = images or (beside if beside.is_dir() else file.parent)
    photos, held = [], 0
    for number, path in enumerate(photo_paths(truth, folder)):
        pixels = _as_labelled(path, truth.sizes[number])
        boxes = truth.boxes[(truth.photo_index == number) & ~truth.crowd].astype(np.float32)
        held += pixels.nbytes
        photos.append(LabelledPhoto(pixels if held <= MOST_BYTES else _pack(pixels), boxes, "field", real=True))
    return photos


def hold_out_photos(photos: Sequence[LabelledPhoto], share: float, seed: int) -> np.ndarray:
    """Photos to keep back, shape (n,), bool: with about `share` of the insects.

    Raises
    ------
    DataError
        Fewer than two photos have insects.
    """
    owners = np.repeat(np.arange(len(photos)), [len(photo.boxes) for photo in photos])
    if len(np.unique(owners)) < 2:
        raise DataError("labelled insects of at least two photos are needed: one is kept back to judge by; label more")
    back = hold_out(["insect"] * len(owners), [str(owner) for owner in owners], share, seed)
    return np.isin(np.arange(len(photos)), owners[back])


def _as_labelled(path: Path, size: np.ndarray) -> np.ndarray:
    """Pixels of a photo, upright, or as stored where only that fits the size (width, height) it was labelled with."""
    pixels = read_photo(path, read_codes=False).pixels
    if size.all() and tuple(size) == pixels.shape[:2] != pixels.shape[1::-1]:
        return read_photo(path, read_codes=False, exif_orientation=False).pixels
    return pixels


def _pack(pixels: np.ndarray) -> bytes:
    done, packed = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise DataError("a photo could not be packed as JPEG; OpenCV was built without it")
    return packed.tobytes()
