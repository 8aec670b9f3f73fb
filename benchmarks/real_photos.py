"""Figures on photos of real insects: naming from bare names, insects that fill a photo, and insects on leaves.

The photos are not part of this project. `NAMED` is a folder with `catalogue.csv` (file, group, split) and `images/`;
`LEAVES` one with `annotations.json` (COCO) and `images/`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agri_clip.detections import FOUND
from agri_clip.detector import Detector
from agri_clip.encoders import Encoder
from agri_clip.errors import DataError
from agri_clip.prompts import PromptSet
from agri_clip.prompts.templates import with_article
from benchmarks.intervals import mean_over, with_interval
from benchmarks.labelled import LabelledSet
from benchmarks.proposers import judge, set_figures
from fine_tune.synthetic import GROUP_NAMES

#: Side of the square that a photo is brought to before the encoder's own processor, pixels.
SIDE = 288
#: Splits that naming is measured on; neither is ever trained on.
NAMING_SPLITS = ("check", "dev")
#: Splits whose photos hold close-ups with or without a name in the catalogue.
CLOSE_UP_SPLITS = ("train", "dev")
#: A region of this share of the photo shows a large insect.
LARGE = 0.04
BATCH = 32


@dataclass(frozen=True)
class NamedSet:
    """Photos of one split, each with its group.

    Attributes
    ----------
    files : tuple of Path
    groups : tuple of str
    """

    files: tuple[Path, ...]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.files)


def read_named(folder: Path, splits: Sequence[str], groups: Sequence[str] | None = None) -> NamedSet:
    """The photos of some splits; with `groups` only those that show one of these.

    Raises
    ------
    DataError
        The catalogue cannot be read.
    """
    try:
        with (folder / "catalogue.csv").open(encoding="utf-8", newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if row["split"] in splits]
            rows = [row for row in rows if groups is None or row["group"] in groups]
            return NamedSet(tuple(folder / "images" / r["file"] for r in rows), tuple(r["group"] for r in rows))
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{folder / 'catalogue.csv'}: not a list of named photos ({error})") from error


def square(file: Path) -> np.ndarray:
    """A photo padded to a square by its outermost pixels, (SIDE, SIDE, 3) uint8 RGB.

    Raises
    ------
    DataError
        It cannot be read.
    """
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"{file}: cannot be read as a photo")
    height, width = image.shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    edges = (top, side - height - top, left, side - width - left)
    padded = cv2.copyMakeBorder(image, *edges, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(cv2.resize(padded, (SIDE, SIDE), interpolation=cv2.INTER_AREA)[..., ::-1])


def naming_figures(encoder: Encoder, photos: NamedSet, names: Sequence[str] = GROUP_NAMES) -> dict[str, Any]:
    """How many photos an encoder names rightly among all groups, from prompts such as "a moth".

    Returns
    -------
    dict
        `top1`, `macro` (mean over groups), `top5`, each with its interval; `groups`: photos and share right of each.
    """
    texts = encoder.encode_texts([with_article(name) for name in names])
    vectors = [
        encoder.encode_images([square(file) for file in photos.files[i : i + BATCH]])
        for i in range(0, len(photos), BATCH)
    ]
    order = np.array(names)[(np.concatenate(vectors) @ texts.T).argsort(axis=1)[:, ::-1]]
    truth = np.array(photos.groups)
    right, among = order[:, 0] == truth, (order[:, :5] == truth[:, None]).any(axis=1)
    units = np.arange(len(photos))
    present = sorted(set(photos.groups))

    def macro(weights: np.ndarray) -> float:
        shares = [mean_over(right[truth == g], units[truth == g])(weights) for g in present]
        return float(np.nanmean(shares))

    return {
        "photos": len(photos),
        "top1": with_interval(mean_over(right, units), len(photos)),
        "macro": with_interval(macro, len(photos)),
        "top5": with_interval(mean_over(among, units), len(photos)),
        "groups": {g: {"photos": int((truth == g).sum()), "right": float(right[truth == g].mean())} for g in present},
    }


def close_up_figures(detector: Detector, photos: NamedSet, prompt: str = "an insect") -> dict[str, Any]:
    """In how many photos of one insect something is counted, and something of at least `LARGE` of the photo."""
    found, large = np.zeros(len(photos), bool), np.zeros(len(photos), bool)
    prompts = PromptSet.of(prompt)
    for i, (photo, detections) in enumerate(detector.stream([str(file) for file in photos.files], prompts)):
        if photo is None:
            raise DataError(f"{photos.files[i]}: cannot be read as a photo")
        boxes = detections.boxes[detections.status == FOUND]
        height, width = photo.pixels.shape[:2]
        found[i] = len(boxes) > 0
        large[i] = bool(((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) >= LARGE * height * width).any())
    units = np.arange(len(photos))
    return {
        "photos": len(photos),
        "found": with_interval(mean_over(found, units), len(photos)),
        "large": with_interval(mean_over(large, units), len(photos)),
    }


def measure_real_photos(detector: Detector, named: Path | None, leaves: LabelledSet | None) -> Mapping[str, Any]:
    """All figures on photos of real insects that are here, of one pair of models."""
    figures: dict[str, Any] = {}
    if named is not None:
        figures["naming"] = {
            split: naming_figures(detector.encoder, read_named(named, [split], GROUP_NAMES)) for split in NAMING_SPLITS
        }
        figures["close_ups"] = close_up_figures(detector, read_named(named, CLOSE_UP_SPLITS))
    if leaves is not None:
        figures["leaves"] = {"photos": len(leaves), "insects": int(leaves.insects.sum())}
        figures["leaves"] |= set_figures(judge(detector.proposer, leaves))
    return figures
