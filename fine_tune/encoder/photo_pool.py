"""Crops of named photos with what the two networks say of them, made once in files and read back as arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fine_tune.encoder.networks import Teacher
from fine_tune.encoder.photos import NamedPhoto, draw_crop

#: Crops in one file.
SHARD = 500


@dataclass(frozen=True)
class Answers:
    """What the two networks say of some pictures, to be learnt.

    Attributes
    ----------
    start_features, start_logits, teacher_features, teacher_logits : ndarray, float16
        One row a picture.
    """

    start_features: np.ndarray
    start_logits: np.ndarray
    teacher_features: np.ndarray
    teacher_logits: np.ndarray


@dataclass(frozen=True)
class PhotoPool(Answers):
    """Crops of photos and the answers to learn.

    Attributes
    ----------
    images : ndarray, shape (n, size, size, 3), uint8
    numbers : ndarray, shape (n,), int64
        The photo whose insect a crop shows; -1 where none or several.
    """

    images: np.ndarray
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


def write_photo_pool(
    folder: Path, photos: list[NamedPhoto], start: Teacher, teacher: Teacher, *, count: int, size: int, seed: int
) -> None:
    """Make a pool in files of `SHARD` crops; files already there are kept, so a killed run goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    for shard in range(-(-count // SHARD)):
        file = folder / f"photos-{shard:04d}.npz"
        if file.exists():
            continue
        rng = np.random.default_rng([seed, 29, shard])
        drawn = [draw_crop(rng, photos, size) for _ in range(SHARD)]
        images = np.stack([pixels for pixels, _ in drawn])
        answers = (*start.of_crops(images), *teacher.of_crops(images))
        names = ("start_features", "start_logits", "teacher_features", "teacher_logits")
        tables: dict[str, Any] = {name: values.numpy() for name, values in zip(names, answers, strict=True)}
        partial = file.with_name(f".{file.name}")
        np.savez(partial, images=images, numbers=np.array([number for _, number in drawn]), **tables)
        partial.replace(file)


def read_photo_pool(folder: Path, count: int) -> PhotoPool:
    """Read the first `count` crops that `write_photo_pool` made, in whole files."""
    tables = [np.load(folder / f"photos-{shard:04d}.npz") for shard in range(-(-count // SHARD))]
    names = [field.name for field in fields(PhotoPool)]
    return PhotoPool(**{name: np.concatenate([table[name] for table in tables]) for name in names})
