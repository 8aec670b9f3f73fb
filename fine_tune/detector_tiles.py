"""Tiles for training the class-agnostic detector: cut from labelled photos at random scales, turned and recoloured."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fine_tune.detector_photos import LabelledPhoto
from fine_tune.recolouring import develop, recolour, turn_hue
from fine_tune.synthetic.made_up import any_colour

#: A labelled insect stays a label where at least this share of its box is inside the tile.
VISIBLE = 0.4
#: Insects shorter than this in a tile, pixels, are no labels: there is nothing left of them to see.
SHORTEST = 6.0


@dataclass(frozen=True)
class TileRecipe:
    """What tiles are like.

    Attributes
    ----------
    size : int
        Side of a tile, pixels.
    scale : tuple of float
        Smallest and largest tile pixels per photo pixel.
    recoloured : float
        Share of the tiles of real photos whose card gets another colour, any at all.
    hue_turned : float
        Share of all tiles whose hues are turned, insects and all.
    """

    size: int = 320
    scale: tuple[float, float] = (0.42, 1.4)
    recoloured: float = 0.45
    hue_turned: float = 0.3


def cut_tile(rng: np.random.Generator, photo: LabelledPhoto, recipe: TileRecipe) -> tuple[np.ndarray, np.ndarray]:
    """Cut one tile at a random place and scale, turn it, and change its light and colours.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all choices.
    photo : LabelledPhoto
    recipe : TileRecipe

    Returns
    -------
    pixels : ndarray, shape (size, size, 3), uint8
    boxes : ndarray, shape (m, 4), float32
        xyxy in pixels of the tile.
    """
    pixels, boxes = _window(rng, photo, recipe)
    if photo.real and rng.random() < recipe.recoloured:
        pixels = recolour(pixels, any_colour(rng))
    if rng.random() < recipe.hue_turned:
        pixels = turn_hue(pixels, int(rng.integers(20, 161)))
    pixels, boxes = _turn(rng, pixels, boxes)
    return develop(rng, pixels), boxes


def _window(rng: np.random.Generator, photo: LabelledPhoto, recipe: TileRecipe) -> tuple[np.ndarray, np.ndarray]:
    """A square of the photo at a random scale; what reaches over the photo's border repeats its outermost pixels."""
    whole_photo = photo.pixels  # unpacked once: for a rendered photo this reads a JPEG
    height, width = whole_photo.shape[:2]
    lengths = (photo.boxes[:, 2:] - photo.boxes[:, :2]).max(axis=1, initial=0)
    low, high = recipe.scale
    if len(lengths):
        low = float(np.clip((SHORTEST + 2) / np.quantile(lengths, 0.1), low, high))
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    side = recipe.size / scale
    corner = rng.uniform(0, 1, 2) * np.maximum(np.array([width, height]) - side, 0)
    if len(photo.boxes) and rng.random() < 0.6:  # else a sparse photo would give empty tiles only
        centre = photo.boxes[rng.integers(len(photo.boxes))].reshape(2, 2).mean(axis=0)
        corner = np.clip(centre - rng.uniform(0.1, 0.9, 2) * side, 0, np.maximum(np.array([width, height]) - side, 0))
    x, y = (int(v) for v in corner)
    window = whole_photo[y : y + int(side), x : x + int(side)]
    short = int(side) - window.shape[0], int(side) - window.shape[1]
    if max(short) > 0:
        window = cv2.copyMakeBorder(window, 0, max(short[0], 0), 0, max(short[1], 0), cv2.BORDER_REPLICATE)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    pixels = cv2.resize(window, (recipe.size, recipe.size), interpolation=way)
    whole = (photo.boxes - np.tile([x, y], 2)) * (recipe.size / window.shape[0])
    seen = whole.clip(0, recipe.size)
    extent = seen[:, 2:] - seen[:, :2]
    share = extent.prod(axis=1) / np.maximum((whole[:, 2:] - whole[:, :2]).prod(axis=1), 1e-6)
    return pixels, seen[(share >= VISIBLE) & (extent.max(axis=1, initial=0) >= SHORTEST)].astype(np.float32)


def _turn(rng: np.random.Generator, pixels: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One of the eight ways to lay a square."""
    size = pixels.shape[0]
    if rng.random() < 0.5:
        pixels, boxes = pixels.transpose(1, 0, 2), boxes[:, [1, 0, 3, 2]]
    if rng.random() < 0.5:
        pixels, boxes = pixels[:, ::-1], np.stack([size - boxes[:, 2], boxes[:, 1], size - boxes[:, 0], boxes[:, 3]], 1)
    if rng.random() < 0.5:
        pixels, boxes = pixels[::-1], np.stack([boxes[:, 0], size - boxes[:, 3], boxes[:, 2], size - boxes[:, 1]], 1)
    return np.ascontiguousarray(pixels), np.ascontiguousarray(boxes, np.float32)
