"""Crops of labelled photos for training: insects captioned by what can be measured on them, and their backgrounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from agri_clip.detector import propose_on_card
from agri_clip.encoders.crops import extract_crops
from agri_clip.errors import DataError
from agri_clip.photos.photo import read_photo
from agri_clip.regions import get_proposer
from agri_clip.regions.card import find_card
from agri_clip.regions.merging import iou_matrix

#: Caption words by mean lightness (CIELAB L*, 0 to 100) of the insect against its surroundings.
LIGHTNESS = ((-18.0, "dark"), (-6.0, "brown"), (6.0, "translucent"), (1000.0, "pale"))
BACKGROUND_CAPTIONS = (
    "background",
    "no insect",
    "an empty sticky trap",
    "part of a sticky trap without an insect",
    "the surface of a sticky card",
    "dirt on a sticky trap",
    "specks of dust and dirt",
    "glue on a card",
)


#: Of a region that overlaps no labelled insect, and of one that overlaps one badly.
DIRT_CAPTIONS = (
    "dirt",
    "a lump of dirt",
    "a piece of debris",
    "dirt specks",
    "small dark specks",
    "dust",
    "dirt on a sticky trap",
    "no insect",
)
PART_CAPTIONS = ("insect fragments", "a piece of insect leg", "a loose wing", "no insect")
#: A region with at least the first overlap (IoU) with a labelled insect shows it; with less than the second it shows
#: none; between them it shows a part of one, or one among other things.
SHOWS_INSECT, SHOWS_NONE = 0.5, 0.15


@dataclass(frozen=True)
class RealCrops:
    """Square crops of real photos: `insects`, and `backgrounds` that show no labelled insect, each with its captions.

    Attributes
    ----------
    insects, backgrounds : ndarray, shape (n, size, size, 3), uint8
    captions, background_captions : tuple of n tuples of str
    """

    insects: np.ndarray
    captions: tuple[tuple[str, ...], ...]
    backgrounds: np.ndarray
    background_captions: tuple[tuple[str, ...], ...]


def read_annotated(coco: Path, images: Path, most: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pixels (h, w, 3) and labelled boxes (n, 4) xyxy of each photo of a COCO file, in raw pixel order.

    Where `most` is given, every k-th photo, with k such that there are about so many, never fewer.

    Raises
    ------
    DataError
        The COCO file cannot be read.
    """
    try:
        data = json.loads(coco.read_text(encoding="utf-8"))
        boxes: dict[int, list[list[float]]] = {image["id"]: [] for image in data["images"]}
        for annotation in data["annotations"]:
            x, y, w, h = annotation["bbox"]
            boxes[annotation["image_id"]].append([x, y, x + w, y + h])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{coco}: not a COCO file of boxes ({error}); give one with images and annotations") from error
    for image in data["images"][:: 1 if most is None else max(1, len(data["images"]) // most)]:
        photo = read_photo(images / image["file_name"], exif_orientation=False, read_codes=False)
        yield photo.pixels, np.array(boxes[image["id"]], np.float32).reshape(-1, 4)


def measure_caption(pixels: np.ndarray, box: np.ndarray) -> tuple[str, ...]:
    """Caption an insect of unknown species by what can be measured: its lightness against the card and its form.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
        The whole photo, RGB.
    box : ndarray, shape (4,)
        xyxy of the insect.
    """
    x1, y1, x2, y2 = (int(v) for v in box)
    inside = pixels[max(y1, 0) : y2 + 1, max(x1, 0) : x2 + 1]
    margin = max(4, (x2 - x1 + y2 - y1) // 8)
    around = pixels[max(y1 - margin, 0) : y2 + margin, max(x1 - margin, 0) : x2 + margin]
    lightness = cv2.cvtColor(inside, cv2.COLOR_RGB2LAB)[..., 0] / 2.55
    surface = np.median(cv2.cvtColor(around, cv2.COLOR_RGB2LAB)[..., 0]) / 2.55
    departs = np.abs(lightness - surface) > 8
    contrast = float((lightness[departs] - surface).mean()) if departs.any() else 0.0
    tone = next(word for limit, word in LIGHTNESS if contrast <= limit)
    ratio = max(x2 - x1, y2 - y1) / max(1, min(x2 - x1, y2 - y1))
    form = "slender" if ratio > 1.8 else "compact" if ratio < 1.2 else "oblong"
    return (
        f"a {tone} insect",
        f"a {tone} {form} insect on a sticky trap",
        f"an insect on a sticky trap, {tone} and {form}",
        "an insect stuck on a sticky trap",
    )


def sample_backgrounds(
    rng: np.random.Generator, pixels: np.ndarray, boxes: np.ndarray, *, count: int, size: int
) -> np.ndarray:
    """Cut square patches that touch no labelled insect, of the same range of sides as the insects' crops.

    Returns
    -------
    ndarray, shape (m, size, size, 3), uint8
        m is at most `count`: on a crowded card there may be no room for more.
    """
    height, width = pixels.shape[:2]
    sides = np.exp(rng.uniform(np.log(24), np.log(min(220, height, width)), count * 6))
    corner = rng.uniform(0, 1, (len(sides), 2)) * (np.array([width, height]) - sides[:, None])
    patches = np.concatenate([corner, corner + sides[:, None]], axis=1).astype(np.float32)
    overlap = (
        (patches[:, None, 0] < boxes[None, :, 2])
        & (patches[:, None, 2] > boxes[None, :, 0])
        & (patches[:, None, 1] < boxes[None, :, 3])
        & (patches[:, None, 3] > boxes[None, :, 1])
    )
    free = patches[~overlap.any(axis=1)][:count]
    if not len(free):
        return np.zeros((0, size, size, 3), np.uint8)
    return np.stack(list(extract_crops(pixels, free, context=1.0, size=size)))


def cut_real_crops(
    coco: Path, images: Path, *, seed: int, size: int, context: float = 1.25, backgrounds_per_photo: int = 60
) -> RealCrops:
    """Cut every labelled insect of a COCO set, and patches without any.

    Parameters
    ----------
    coco, images : Path
        Annotations, and the folder of their photos.
    seed : int
        Fixes where backgrounds are cut.
    size : int
        Side of a crop, pixels.
    context : float
        Side of the square crop as a multiple of the box's long side.
    """
    insects, backgrounds = [], []
    captions: list[tuple[str, ...]] = []
    rng = np.random.default_rng(seed)
    for pixels, boxes in read_annotated(coco, images):
        if len(boxes):
            insects.append(np.stack(list(extract_crops(pixels, boxes, context=context, size=size))))
            captions.extend(measure_caption(pixels, box) for box in boxes)
        backgrounds.append(sample_backgrounds(rng, pixels, boxes, count=backgrounds_per_photo, size=size))
    patches = np.concatenate(backgrounds)
    return RealCrops(np.concatenate(insects), tuple(captions), patches, (BACKGROUND_CAPTIONS,) * len(patches))


def cut_proposed_crops(
    coco: Path, images: Path, *, seed: int, size: int, context: float = 1.25, per_photo: int = 120
) -> RealCrops:
    """Cut what the contrast proposer takes for an insect, right or wrong: the hardest negatives there are.

    Parameters
    ----------
    coco, images, context, size
        As in `cut_real_crops`.
    seed : int
        Fixes which regions are taken.
    per_photo : int
        Most regions of each of three kinds in a photo: insects, parts of insects, and neither.
    """
    proposer = get_proposer("contrast")
    rng = np.random.default_rng(seed)
    insects: list[np.ndarray] = []
    backgrounds: list[np.ndarray] = []
    captions: list[tuple[str, ...]] = []
    background_captions: list[tuple[str, ...]] = []
    for pixels, labelled in read_annotated(coco, images):
        photo = read_photo(pixels)
        boxes = propose_on_card(proposer, photo, find_card(photo)).boxes
        overlap = iou_matrix(boxes, labelled).max(axis=1, initial=0)
        kinds = ((overlap >= SHOWS_INSECT), (overlap < SHOWS_NONE), (overlap >= SHOWS_NONE) & (overlap < SHOWS_INSECT))
        shown, dirt, parts = (boxes[rng.permutation(np.flatnonzero(kind))[:per_photo]] for kind in kinds)
        insects.extend(extract_crops(pixels, shown, context=context, size=size))
        captions.extend(measure_caption(pixels, box) for box in shown)
        for wrong, words in ((dirt, DIRT_CAPTIONS), (parts, PART_CAPTIONS)):
            backgrounds.extend(extract_crops(pixels, wrong, context=context, size=size))
            background_captions.extend([words] * len(wrong))
    return RealCrops(np.stack(insects), tuple(captions), np.stack(backgrounds), tuple(background_captions))
