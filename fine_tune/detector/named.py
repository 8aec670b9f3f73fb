"""Close-ups of named insects that the detector learns from: whole photos with boxes, and insects cut out of them.

The photos are not part of this project. Their boxes are: `data/named_boxes.csv`, drawn by the project round every
insect, legs and antennae included. `data/named_credits.csv` says whose photos they are.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from agri_clip.errors import DataError
from fine_tune.detector.photos import LabelledPhoto

#: Boxes of the photos, in pixels of the stored files.
BOXES = Path(__file__).with_name("data") / "named_boxes.csv"
#: Their licences, and the words of credit that a page about a model trained on them must show.
CREDITS = Path(__file__).with_name("data") / "named_credits.csv"
#: The photos' list and their split for training.
CATALOGUE, SPLIT = "catalogue.csv", "train"
#: `LabelledPhoto.kind` of a close-up.
KIND = "named"
#: Photos of colonies with more insects than anybody could box; the boxes in the file are examples of them.
CROWDED = ("Aphis_gossypii01.jpg", "openphoto_05.jpg")
#: Insects shorter than this, pixels, are not cut out.
SHORTEST = 60
#: Side of the picture on which the outline is sought; larger ones take long and gain nothing.
WORKING_SIDE = 420
#: A cut-out is kept where it fills this share of its box; less or more means that the outline was not found.
FILLED = (0.12, 0.88)
#: A cut-out is dropped where more than this share of a side of its box is covered.
STRAIGHT = 0.4


@dataclass(frozen=True)
class Credit:
    """Whose photo it is, as its page asks: file, licence, words of credit."""

    file: str
    licence: str
    credit: str


def read_boxes(path: Path = BOXES) -> dict[str, np.ndarray]:
    """Boxes (n, 4) float32 xyxy of each photo by its file name, the largest first."""
    boxes: dict[str, list[list[float]]] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            boxes.setdefault(row["file"], []).append([float(row[side]) for side in ("x1", "y1", "x2", "y2")])
    return {name: np.array(rows, np.float32) for name, rows in boxes.items()}


def read_credits(path: Path = CREDITS) -> list[Credit]:
    """Credits of the photos for training, in the order of their list."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [Credit(row["file"], row["licence"], row["credit"]) for row in csv.DictReader(lines)]


def _names(folder: Path) -> list[str]:
    """File names of the photos for training, in the order of the catalogue."""
    try:
        with (folder / CATALOGUE).open(encoding="utf-8", newline="") as lines:
            return [row["file"] for row in csv.DictReader(lines) if row["split"] == SPLIT]
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{folder / CATALOGUE}: not a list of named photos ({error})") from error


def read_named(folder: Path) -> list[LabelledPhoto]:
    """Read the photos for training that have a box round every insect.

    Parameters
    ----------
    folder : Path
        Holds `catalogue.csv` and `images/`.

    Raises
    ------
    DataError
        The catalogue or a photo cannot be read.
    """
    boxes = read_boxes()
    photos = []
    for name in _names(folder):
        if name not in boxes or name in CROWDED:
            continue
        bgr = cv2.imread(str(folder / "images" / name), cv2.IMREAD_COLOR)
        if bgr is None:
            raise DataError(f"{folder / 'images' / name}: cannot be read as a photo")
        photos.append(LabelledPhoto(np.ascontiguousarray(bgr[..., ::-1]), boxes[name], KIND, real=True))
    return photos


def cut_out(pixels: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """Cut the insect in a box out of its photo.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
        RGB.
    box : ndarray, shape (4,)
        xyxy.

    Returns
    -------
    ndarray, shape (h', w', 4), uint8, or None
        RGB and coverage with a soft edge; None where the outline is not found.

    References
    ----------
    Rother, Kolmogorov, Blake: GrabCut, interactive foreground extraction. SIGGRAPH 2004.
    """
    x1, y1, x2, y2 = (int(v) for v in box)
    margin = max(8, (x2 - x1 + y2 - y1) // 12)
    left, top = max(0, x1 - margin), max(0, y1 - margin)
    window = pixels[top : y2 + margin, left : x2 + margin]
    shrink = min(1.0, WORKING_SIDE / max(window.shape[:2]))
    window = cv2.resize(window, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    inner = [int(v * shrink) for v in (x1 - left, y1 - top, x2 - x1, y2 - y1)]
    if inner[2] >= window.shape[1] - 2 and inner[3] >= window.shape[0] - 2:
        return None  # the insect fills the photo: there is nothing to part it from
    mask = np.zeros(window.shape[:2], np.uint8)
    cv2.setRNGSeed(0)
    cv2.grabCut(
        np.ascontiguousarray(window[..., ::-1]),
        mask,
        (inner[0], inner[1], max(1, inner[2]), max(1, inner[3])),
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        4,
        cv2.GC_INIT_WITH_RECT,
    )
    solid = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    solid = (labels == largest).astype(np.uint8)
    share = float(solid.sum()) / max(1, inner[2] * inner[3])
    if not FILLED[0] <= share <= FILLED[1]:
        return None
    x, y, wide, high = inner
    sides = (
        solid[y, x : x + wide],
        solid[y + high - 1, x : x + wide],
        solid[y : y + high, x],
        solid[y : y + high, x + wide - 1],
    )
    if max(side.mean() for side in sides) > STRAIGHT:
        return None  # a straight edge: the box cuts through something
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    if len(rows) < 0.6 * inner[3] or len(columns) < 0.6 * inner[2]:
        return None
    soft = cv2.GaussianBlur(solid.astype(np.float32) * 255, (0, 0), 0.9)
    layer = np.dstack([window, soft.astype(np.uint8)])
    return layer[max(0, rows[0] - 2) : rows[-1] + 3, max(0, columns[0] - 2) : columns[-1] + 3]


def write_cut_outs(folder: Path, photos: list[LabelledPhoto]) -> None:
    """Cut all insects out of close-ups that can be, as `cut_out`, into PNG files; a complete folder is kept."""
    done = folder / "complete"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for number, photo in enumerate(photos):
        for place, box in enumerate(photo.boxes):
            layer = cut_out(photo.pixels, box) if (box[2:] - box[:2]).max() >= SHORTEST else None
            if layer is not None:
                path = folder / f"{number:03d}-{place:03d} photographed.png"
                cv2.imwrite(str(path), cv2.cvtColor(layer, cv2.COLOR_RGBA2BGRA))
    done.touch()
