"""Photos of named insects for training, and the crops that are cut from them: turned, shrunk, mixed, relit."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from agri_clip.errors import DataError
from fine_tune.detector.named import read_boxes
from fine_tune.recolouring import develop

#: The only split that may be trained on.
SPLIT = "train"
#: How often a crop is drawn: round an insect, of the whole photo, anywhere, or two of these mixed.
KINDS, SHARES = ("insect", "whole", "anywhere", "mixed"), (0.5, 0.14, 0.08, 0.28)
#: Share of an insect's box that a crop shows at least, where it is said to show that insect.
SHOWN = 0.6
#: Side of a piece of ground as a share of its photo's shorter side, from and to; and the least, pixels.
GROUND_SHARES, SMALLEST_GROUND = (0.18, 0.5), 60


@dataclass(frozen=True)
class NamedPhoto:
    """A photo with the name of what it shows.

    Attributes
    ----------
    file : str
    pixels : ndarray, shape (h, w, 3), uint8
        RGB.
    boxes : ndarray, shape (n, 4), float32
        xyxy of its insects, pixels; at least one.
    species, group, licence, credit : str
        As its source names them; the group in plain English.
    """

    file: str
    pixels: np.ndarray
    boxes: np.ndarray
    species: str
    group: str
    licence: str
    credit: str


def read_named_photos(folder: Path) -> list[NamedPhoto]:
    """Read the photos of a folder with `catalogue.csv` and `images/` that may be trained on.

    Raises
    ------
    DataError
        The catalogue or a photo cannot be read.
    """
    boxes = read_boxes()
    catalogue = folder / "catalogue.csv"
    try:
        with catalogue.open(encoding="utf-8", newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if row["split"] == SPLIT]
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{catalogue}: not a list of named photos ({error})") from error
    photos = []
    for row in rows:
        bgr = cv2.imread(str(folder / "images" / row["file"]), cv2.IMREAD_COLOR)
        if bgr is None:
            raise DataError(f"{folder / 'images' / row['file']}: cannot be read as a photo")
        height, width = bgr.shape[:2]
        middle = np.array([[0.15 * width, 0.15 * height, 0.85 * width, 0.85 * height]], np.float32)
        photos.append(
            NamedPhoto(
                row["file"],
                np.ascontiguousarray(bgr[..., ::-1]),
                boxes.get(row["file"], middle),
                row["species"],
                row["group"],
                row["licence"],
                row["credit"],
            )
        )
    return photos


def cut_grounds(photos: list[NamedPhoto], each: int, size: int, seed: int) -> np.ndarray:
    """Pieces of photos that show none of their insects, to draw others over.

    Parameters
    ----------
    each : int
        Places that are tried on each photo.
    size : int
        Side of the pieces, pixels.

    Returns
    -------
    ndarray, shape (n, size, size, 3), uint8
    """
    rng, pieces = np.random.default_rng([seed, 61]), list[np.ndarray]()
    for photo in photos:
        height, width = photo.pixels.shape[:2]
        for _ in range(each):
            side = int(rng.uniform(*GROUND_SHARES) * min(height, width))
            corner = np.array([rng.integers(0, width - side + 1), rng.integers(0, height - side + 1)])
            inner = np.minimum(photo.boxes[:, 2:], corner + side) - np.maximum(photo.boxes[:, :2], corner)
            if side >= SMALLEST_GROUND and inner.clip(0).prod(axis=1).sum() <= 0.01 * side**2:
                x, y = corner
                piece = photo.pixels[y : y + side, x : x + side]
                pieces.append(cv2.resize(piece, (size, size), interpolation=cv2.INTER_CUBIC))
    return np.stack(pieces) if pieces else np.zeros((0, size, size, 3), np.uint8)


def cut_square(pixels: np.ndarray, centre: np.ndarray, side: float, turn: float, size: int) -> np.ndarray:
    """Cut a turned square; what lies beyond the photo repeats its edge, as crops of a detector do.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
    centre : ndarray, shape (2,)
        x and y, pixels.
    side : float
        Pixels of the photo.
    turn : float
        Degrees.
    size : int
        Side of the result, pixels.
    """
    shrink = min(1.0, 1.5 * size / side)
    if shrink < 1:
        pixels = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        centre, side = centre * shrink, side * shrink
    matrix = np.asarray(cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), turn, size / side), np.float64)
    matrix[:, 2] += size / 2 - centre
    return np.asarray(
        cv2.warpAffine(pixels, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def cut_photo(rng: np.random.Generator, photo: NamedPhoto, kind: str, size: int) -> tuple[np.ndarray, bool]:
    """Cut one crop of a photo, and whether it shows the named insect."""
    height, width = photo.pixels.shape[:2]
    turn = float(rng.uniform(-180, 180) if rng.random() < 0.35 else rng.normal(0, 8))
    if kind == "whole":
        centre, side = np.array([width, height]) / 2, max(width, height) * rng.uniform(0.8, 1.05)
        turn = float(rng.normal(0, 4))
    elif kind == "insect":
        box = photo.boxes[int(rng.integers(min(len(photo.boxes), 6)))]
        long = float((box[2:] - box[:2]).max())
        side = max(16.0, long * float(np.exp(rng.uniform(np.log(0.75), np.log(2.6)))))
        centre = (box[:2] + box[2:]) / 2 + rng.normal(0, 0.08, 2) * max(side, long)
    else:
        side = min(width, height) * float(np.exp(rng.uniform(np.log(0.2), 0)))
        centre = rng.uniform(0, 1, 2) * np.array([width, height])
    pixels = cut_square(photo.pixels, np.asarray(centre, float), side, turn, size)
    low, high = centre - side / 2, centre + side / 2
    inner = np.minimum(photo.boxes[:, 2:], high) - np.maximum(photo.boxes[:, :2], low)
    share = inner.clip(0).prod(axis=1) / (photo.boxes[:, 2:] - photo.boxes[:, :2]).prod(axis=1)
    sizable = (photo.boxes[:, 2:] - photo.boxes[:, :2]).max(axis=1) > 0.12 * side
    return pixels, bool((sizable & (share >= SHOWN)).any())


def change(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """Mirror, light, colours, and for one in three fewer pixels, as of a small insect on a large photo."""
    size = len(pixels)
    if rng.random() < 0.5:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    if rng.random() < 0.35:
        small = int(np.exp(rng.uniform(np.log(24), np.log(size))))
        reduced = cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA)
        pixels = np.asarray(cv2.resize(reduced, (size, size), interpolation=cv2.INTER_CUBIC))
    return develop(rng, pixels) if rng.random() < 0.7 else pixels


def draw_crop(rng: np.random.Generator, photos: list[NamedPhoto], size: int) -> tuple[np.ndarray, int]:
    """Draw one training crop.

    Returns
    -------
    pixels : ndarray, shape (size, size, 3), uint8
    number : int
        Of the photo whose insect is shown; -1 where it is mixed, or shows none.

    References
    ----------
    Beyer et al., Knowledge distillation: a good teacher is patient and consistent, CVPR 2022 (mixing);
    Asano and Saeed, The Augmented Image Prior, ICLR 2023 (few pictures).
    """
    kind = str(rng.choice(KINDS, p=SHARES))

    def one(what: str) -> tuple[np.ndarray, int]:
        number = int(rng.integers(len(photos)))
        pixels, shown = cut_photo(rng, photos[number], what, size)
        return change(rng, pixels), number if shown else -1

    if kind != "mixed":
        return one(kind)
    (first, _), (second, _) = one("insect"), one(str(rng.choice(KINDS[:3])))
    if rng.random() < 0.5:
        share = float(rng.beta(1, 1))
        return cv2.addWeighted(first, share, second, 1 - share, 0), -1
    x, y = (np.sort(rng.integers(0, size + 1, 2)) for _ in range(2))
    mixed = first.copy()
    mixed[y[0] : y[1], x[0] : x[1]] = second[y[0] : y[1], x[0] : x[1]]
    return mixed, -1
