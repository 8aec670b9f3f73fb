"""Tiles for training the class-agnostic detector: cut from labelled photos at random scales, turned and recoloured."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from fine_tune.detector_photos import LabelledPhoto
from fine_tune.synthetic.made_up import any_colour

#: A labelled insect stays a label where at least this share of its box is inside the tile.
VISIBLE = 0.4
#: Insects shorter than this in a tile, pixels, are no labels: there is nothing left of them to see.
SHORTEST = 6.0
#: Distance in CIELAB's a and b from the card's own colour at which a pixel no longer counts as card.
CARD_CHROMA = 16.0


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


def recolour(pixels: np.ndarray, colour: ArrayLike) -> np.ndarray:
    """Give the card in a tile another colour: shading, print, dirt and insects stay, the card shows through the clear.

    A pixel is card as far as its chroma is near the tile's median; what is card takes the new colour at its own
    lightness relative to the card's.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
        RGB, mostly card.
    colour : array_like, shape (3,)
        RGB, 0 to 255.
    """
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(np.float32)
    chroma = lab[..., 1:] - np.median(lab[::4, ::4, 1:], axis=(0, 1))
    through = np.exp(-(chroma**2).sum(axis=2) / CARD_CHROMA**2)[..., None]
    grey = pixels.astype(np.float32).max(axis=2, keepdims=True)  # of a yellow card, its red: glue darkens it little
    card = np.asarray(colour, np.float32) * (grey / max(float(np.median(grey[::4, ::4])), 1.0))
    return np.clip(through * card + (1 - through) * pixels, 0, 255).astype(np.uint8)


def turn_hue(pixels: np.ndarray, by: int) -> np.ndarray:
    """Turn all hues of a picture.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
        RGB.
    by : int
        0 to 179, in steps of two degrees.
    """
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int32) + by) % 180
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def develop(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """Another light and camera: white balance, exposure, gamma, saturation, focus, noise, JPEG; (h, w, 3) uint8."""
    image: np.ndarray = pixels.astype(np.float32)
    image *= np.float32(rng.normal(1, 0.15) * (1 + rng.normal(0, 0.07, 3))).clip(0.5, 1.6)
    if rng.random() < 0.3:
        grey = image.mean(axis=2, keepdims=True)
        image = grey + (image - grey) * np.float32(rng.uniform(0.1, 1.4))
    if rng.random() < 0.4:
        image = 255 * (image.clip(0, 255) / 255) ** np.float32(np.exp(rng.normal(0, 0.25)))
    if rng.random() < 0.25:
        ramp = np.linspace(-1, 1, image.shape[0], dtype=np.float32) * np.float32(rng.uniform(-0.3, 0.3))
        image *= 1 + (ramp[:, None, None] if rng.random() < 0.5 else ramp[None, :, None])
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.6)))
    if rng.random() < 0.4:
        image += rng.standard_normal(image.shape[:2], dtype=np.float32)[..., None] * np.float32(rng.uniform(1, 10))
    image = image.clip(0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))])
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return image
