"""Grounds that are like nothing in particular, for training only: any colours, any texture, any lines and spots.

Who has learnt to find insects on many grounds of no meaning does not need to have seen the next one (Tobin et al.,
"Domain randomization for transferring deep neural networks from simulation to the real world", IROS 2017).
"""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from fine_tune.synthetic.backgrounds import blend_mask, blob
from fine_tune.synthetic.scenes import Ground, field


def made_up_ground(rng: np.random.Generator, size: tuple[int, int], per_mm: float) -> Ground:
    """Compose a ground of random colours, textures, lines and spots; insects may lie anywhere on it.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all variation.
    size : tuple of int
        (width, height) in pixels.
    per_mm : float
        Pixels per millimetre: what is fine and what is coarse goes with the insects' size.
    """
    width, height = size
    image = np.empty((height, width, 3), np.float32)
    image[:] = any_colour(rng)
    for _ in range(int(rng.integers(0, 4))):
        cover = _pattern(rng, height, width, per_mm)
        image += (_near_colour(rng, image) - image) * (cover * np.float32(rng.uniform(0.1, 0.9)))[..., None]
    level = np.ones((height, width), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        level += np.float32(np.exp(rng.uniform(np.log(0.005), np.log(0.12)))) * _texture(rng, height, width, per_mm)
    image *= level.clip(0.2, 1.8)[..., None]
    for _ in range(int(rng.integers(0, 3))):
        blend_mask(
            image, _lines(rng, height, width, per_mm), _near_colour(rng, image).tolist(), float(rng.uniform(0.1, 0.9))
        )
    if rng.random() < 0.4:
        blend_mask(
            image, _spots(rng, height, width, per_mm), _near_colour(rng, image).tolist(), float(rng.uniform(0.2, 0.9))
        )
    inset = 0.02 * min(size)
    right, bottom = width - inset, height - inset
    area = np.array([[inset, inset], [right, inset], [right, bottom], [inset, bottom]], np.float32)
    return Ground(image.clip(0, 255), area)


def any_colour(rng: np.random.Generator) -> np.ndarray:
    """RGB, 0 to 255, of any hue; shape (3,)."""
    rgb = colorsys.hsv_to_rgb(rng.random(), rng.beta(1, 1.2), rng.uniform(0.15, 1.0))
    return np.array(rgb, np.float32) * 255


def _near_colour(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A colour that goes with the image: mostly its own, darker or lighter, now and then any other."""
    if rng.random() < 0.3:
        return any_colour(rng)
    own = image[int(rng.integers(image.shape[0])), int(rng.integers(image.shape[1]))]
    return (own * rng.uniform(0.55, 1.5) + rng.normal(0, 14, 3)).clip(0, 255).astype(np.float32)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _turned(rng: np.random.Generator, height: int, width: int, cell: float, aspect: float) -> np.ndarray:
    """Noise whose features lie in any direction; (height, width) float32."""
    side = int(np.ceil(np.hypot(height, width)))
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.uniform(0, 180)), 1)
    turn[0, 2] += (width - side) / 2
    turn[1, 2] += (height - side) / 2
    return np.asarray(cv2.warpAffine(field(rng, side, side, cell, aspect), turn, (width, height)))


def _texture(rng: np.random.Generator, height: int, width: int, per_mm: float) -> np.ndarray:
    """Noise of any grain, plain, stretched, lit from one side, or of crumbs; about unit deviation."""
    cell = _log_uniform(rng, 1.5, max(3.0, 12 * per_mm))
    way = rng.random()
    if way < 0.35:
        return field(rng, height, width, cell)
    if way < 0.6:
        return _turned(rng, height, width, cell, _log_uniform(rng, 1.5, 25))
    if way < 0.8:
        relief = _turned(rng, height, width, max(3.0, cell), _log_uniform(rng, 1, 4))
        slope = cv2.Sobel(relief, cv2.CV_32F, 1, 0) + cv2.Sobel(relief, cv2.CV_32F, 0, 1)
        return np.asarray(slope / (slope.std() + 1e-6))
    away, owner = _cells(rng, height, width, max(3.0, min(cell, 3 * per_mm)))
    tone = rng.standard_normal(int(owner.max()) + 1, dtype=np.float32)[owner]
    return np.asarray(tone + (away.mean() - away) / (away.std() + 1e-6), np.float32) * np.float32(0.7)


def _cells(rng: np.random.Generator, height: int, width: int, pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Cells about random seeds: distance to the own seed in pixels, float32, and its number, int32."""
    seeds = np.full((height, width), 255, np.uint8)
    count = max(2, int(height * width / pitch**2))
    seeds[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
    away, owner = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5)
    return np.asarray(away), np.asarray(owner)


def _pattern(rng: np.random.Generator, height: int, width: int, per_mm: float) -> np.ndarray:
    """How far a second colour covers the first, 0 to 1: patches, stripes, a gradient, or cells; float32."""
    way = rng.random()
    cell = _log_uniform(rng, max(4.0, 0.5 * per_mm), max(8.0, 30 * per_mm))
    if way < 0.35:
        rough = _turned(rng, height, width, cell, _log_uniform(rng, 1, 6))
        return ((rough - rng.uniform(-1, 1)) * _log_uniform(rng, 0.5, 8) + 0.5).clip(0, 1).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    turn = float(rng.uniform(0, np.pi))
    along = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
    if way < 0.6:
        bent = along + np.float32(cell * rng.uniform(0, 0.6)) * field(rng, height, width, 4 * cell)
        wave = np.sin(bent * np.float32(2 * np.pi / cell)) - np.float32(rng.uniform(-0.8, 0.95))
        return (wave * np.float32(_log_uniform(rng, 1, 10)) + 0.5).clip(0, 1).astype(np.float32)
    if way < 0.75:
        return ((along - along.min()) / max(float(np.ptp(along)), 1.0)).astype(np.float32)
    _, owner = _cells(rng, height, width, cell)
    return rng.random(int(owner.max()) + 1, dtype=np.float32)[owner]


def _lines(rng: np.random.Generator, height: int, width: int, per_mm: float) -> np.ndarray:
    """A mask (uint8) of straight grids, branching veins, a net, or scratches, 1 pixel to 1.2 mm thick."""
    mask = np.zeros((height, width), np.uint8)
    thick = max(1, round(_log_uniform(rng, 0.5, max(1.0, 1.2 * per_mm))))
    pitch = _log_uniform(rng, max(8.0, 1.5 * per_mm), max(24.0, 30 * per_mm))
    way = rng.random()
    if way < 0.25:
        _, owner = _cells(rng, height, width, pitch)
        edge = cv2.morphologyEx(owner.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((2, 2))) > 0
        return np.asarray(cv2.dilate(edge.astype(np.uint8) * 255, np.ones((thick, thick), np.uint8)))
    reach = float(np.hypot(height, width))
    middle = rng.uniform(0, 1, 2) * (width, height)
    turn = float(rng.uniform(0, np.pi))
    if way < 0.5:
        for angle in (turn, turn + np.pi / 2)[: int(rng.integers(1, 3))]:
            axis, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
            for i in range(-int(reach / pitch), int(reach / pitch) + 1):
                ends = middle + across * pitch * i + np.outer([-reach, reach], axis)
                _stroke(mask, ends, thick)
        return mask
    if way < 0.75:
        bow = rng.uniform(-0.4, 0.4)
        for i in range(-int(reach / pitch), int(reach / pitch) + 1):
            root = middle + pitch * i * np.array([np.cos(turn), np.sin(turn)])
            for side in (1, -1):
                turns = turn + side * rng.uniform(0.7, 1.2) + bow * np.linspace(0, 1, 12)
                _stroke(mask, root + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1) * reach / 16, axis=0), thick)
        axis = np.array([np.cos(turn), np.sin(turn)])
        _stroke(mask, middle + np.outer([-reach, reach], axis), 2 * thick)
        return mask
    for _ in range(int(rng.integers(3, 60))):
        turns = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.25, 10))
        step = _log_uniform(rng, max(1.0, 0.1 * per_mm), max(2.0, 4 * per_mm))
        path = rng.uniform(0, 1, 2) * (width, height) + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1), 0) * step
        _stroke(mask, path, max(1, thick // 2))
    return mask


def _stroke(mask: np.ndarray, path: np.ndarray, thick: int) -> None:
    cv2.polylines(mask, [np.round(path * 8).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 3)


def _spots(rng: np.random.Generator, height: int, width: int, per_mm: float) -> np.ndarray:
    """A mask (uint8) of round or ragged spots of about one size, far larger or smaller than insects or like them."""
    mask = np.zeros((height, width), np.uint8)
    radius = _log_uniform(rng, 0.8, max(2.0, 8 * per_mm))
    rough = float(rng.uniform(0, 0.35))
    for _ in range(int(min(250, rng.uniform(0.01, 0.15) * height * width / (np.pi * radius**2) + 1))):
        place = rng.uniform(0, 1, 2) * (width, height)
        outline = blob(rng, place * 8, radius * 8 * _log_uniform(rng, 0.6, 1.6), rough, 14)
        cv2.fillPoly(mask, [outline], 255, cv2.LINE_AA, 3)
    return mask
