"""Tiles for training the class-agnostic detector: cut from labelled photos at random scales, turned and recoloured."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fine_tune.detector.photos import LabelledPhoto
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
    pixels, boxes = turn(rng, pixels, boxes)
    return develop(rng, pixels), boxes


def _window(rng: np.random.Generator, photo: LabelledPhoto, recipe: TileRecipe) -> tuple[np.ndarray, np.ndarray]:
    """A square of the photo at a random scale; what reaches over the photo's border repeats its outermost pixels."""
    lengths = (photo.boxes[:, 2:] - photo.boxes[:, :2]).max(axis=1, initial=0)
    low, high = recipe.scale
    if len(lengths):
        low = float(np.clip((SHORTEST + 2) / np.quantile(lengths, 0.1), low, high))
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return cut_window(rng, photo, recipe.size, scale)


def cut_window(
    rng: np.random.Generator, photo: LabelledPhoto, size: int, scale: float, near: float = 0.6
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a square of a photo at a scale; what reaches over the photo's border repeats its outermost pixels.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all choices.
    photo : LabelledPhoto
    size : int
        Side of the result, pixels.
    scale : float
        Pixels of the result per photo pixel.
    near : float
        Share of the squares that are cut round an insect; the others lie anywhere.

    Returns
    -------
    pixels : ndarray, shape (size, size, 3), uint8
    boxes : ndarray, shape (m, 4), float32
        xyxy in pixels of the result.
    """
    whole_photo = photo.pixels  # unpacked once: for a rendered photo this reads a JPEG
    height, width = whole_photo.shape[:2]
    side = size / scale
    corner = rng.uniform(0, 1, 2) * np.maximum(np.array([width, height]) - side, 0)
    if len(photo.boxes) and rng.random() < near:  # else a sparse photo would give empty tiles only
        centre = photo.boxes[rng.integers(len(photo.boxes))].reshape(2, 2).mean(axis=0)
        corner = np.clip(centre - rng.uniform(0.1, 0.9, 2) * side, 0, np.maximum(np.array([width, height]) - side, 0))
    x, y = (int(v) for v in corner)
    window = whole_photo[y : y + int(side), x : x + int(side)]
    short = int(side) - window.shape[0], int(side) - window.shape[1]
    if max(short) > 0:
        window = cv2.copyMakeBorder(window, 0, max(short[0], 0), 0, max(short[1], 0), cv2.BORDER_REPLICATE)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    pixels = cv2.resize(window, (size, size), interpolation=way)
    whole = (photo.boxes - np.tile([x, y], 2)) * (size / window.shape[0])
    return pixels, _visible(whole, size)


def cut_close_up(rng: np.random.Generator, photo: LabelledPhoto, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut one tile of a close-up, in which one of its insects has any length from a tenth of the tile to more than all.

    Half of the tiles show the whole photo, or nearly. Beyond the photo lies one colour, or its outermost pixels.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all choices.
    photo : LabelledPhoto
    size : int
        Side of the tile, pixels.

    Returns
    -------
    pixels : ndarray, shape (size, size, 3), uint8
    boxes : ndarray, shape (m, 4), float32
        xyxy in pixels of the tile.
    """
    pixels = photo.pixels
    height, width = pixels.shape[:2]
    box = photo.boxes[int(rng.integers(len(photo.boxes)))]
    length = float((box[2:] - box[:2]).max())
    if rng.random() < 0.5:  # as the coarse look sees it
        scale = size / max(height, width) * float(rng.uniform(0.7, 1.1))
        shift = rng.uniform(0, 1, 2) * (size - np.array([width, height]) * scale)
    else:
        scale = float(np.exp(rng.uniform(np.log(0.1 * size), np.log(1.4 * size)))) / length
        scale = min(scale, 4.0)
        middle = box.reshape(2, 2).mean(axis=0) * scale
        shift = rng.uniform(0.25, 0.75, 2) * size - middle
    if scale < 0.5:  # averaged first: the warp below would skip pixels
        pixels = cv2.resize(pixels, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]]) @ np.diag([scale * width / pixels.shape[1]] * 2 + [1.0])
    outside = cv2.BORDER_CONSTANT if rng.random() < 0.4 else cv2.BORDER_REPLICATE
    colour = (114, 114, 114) if rng.random() < 0.5 else tuple(int(v) for v in rng.integers(0, 256, 3))
    tile = cv2.warpAffine(pixels, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=outside, borderValue=colour)
    boxes = _visible(photo.boxes * scale + np.tile(shift, 2), size)
    if rng.random() < 0.2:
        tile = turn_hue(tile, int(rng.integers(20, 161)))
    tile, boxes = turn(rng, tile, boxes)
    return develop(rng, tile), boxes


def _visible(whole: np.ndarray, size: int) -> np.ndarray:
    """The parts inside a square of boxes of which enough is inside, (m, 4) float32."""
    seen = whole.clip(0, size)
    extent = seen[:, 2:] - seen[:, :2]
    share = extent.prod(axis=1) / np.maximum((whole[:, 2:] - whole[:, :2]).prod(axis=1), 1e-6)
    return np.asarray(seen[(share >= VISIBLE) & (extent.max(axis=1, initial=0) >= SHORTEST)], np.float32)


def turn(rng: np.random.Generator, pixels: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One of the eight ways to lay a square."""
    size = pixels.shape[0]
    if rng.random() < 0.5:
        pixels, boxes = pixels.transpose(1, 0, 2), boxes[:, [1, 0, 3, 2]]
    if rng.random() < 0.5:
        pixels, boxes = pixels[:, ::-1], np.stack([size - boxes[:, 2], boxes[:, 1], size - boxes[:, 0], boxes[:, 3]], 1)
    if rng.random() < 0.5:
        pixels, boxes = pixels[::-1], np.stack([boxes[:, 0], size - boxes[:, 3], boxes[:, 2], size - boxes[:, 1]], 1)
    return np.ascontiguousarray(pixels), np.ascontiguousarray(boxes, np.float32)
