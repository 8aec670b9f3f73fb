"""One card on several days: rendered with more insects each time, and any photo taken again by another hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from fine_tune.synthetic.groups import GROUPS
from fine_tune.synthetic.photos import RenderedPhoto, render_trap


def render_visits(
    seed: int | np.random.SeedSequence, before: Mapping[str, int], added: int, group: str = "whitefly", **settings: Any
) -> tuple[RenderedPhoto, RenderedPhoto]:
    """Render a card, and the same card later with more insects on it.

    Parameters
    ----------
    seed : int or SeedSequence
        Of the card and everything on it.
    before : mapping of str to int
        Insects of the first visit by group, `group` among them.
    added : int
        Insects of `group` that have come at the second visit.
    group : str
        One that no group of `before` is smaller than: the renderer draws the largest first, so that what came later is
        drawn last and nothing else changes.
    **settings
        Passed to `render_trap`.

    Returns
    -------
    first, second : RenderedPhoto
        The insects of the first are the first ones of the second. Light, focus and noise differ.

    Raises
    ------
    ValueError
        A group of `before` is smaller than `group`.
    """
    smaller = [name for name in before if GROUPS[name].length_mm[1] < GROUPS[group].length_mm[1]]
    if smaller:
        raise ValueError(f"{smaller[0]} is smaller than {group}; insects can be added of the smallest group only")
    rest = {name: number for name, number in before.items() if name != group}
    there = before.get(group, 0)
    first, second = (
        render_trap(np.random.default_rng(seed), insects={**rest, group: number}, **settings)
        for number in (there, there + added)
    )
    return first, second


def photograph_again(rng: np.random.Generator, pixels: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take a photo of the same thing again: another place of the camera, light, focus; the card may be bent.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all variation.
    pixels : ndarray, shape (h, w, 3), uint8
    boxes : ndarray, shape (n, 4)
        xyxy in its pixels.

    Returns
    -------
    pixels : ndarray, shape (h, w, 3) or (w, h, 3), uint8
        One of six is turned by a quarter.
    boxes : ndarray, shape (n, 4), float64
        The same boxes in it; they may lie outside.
    """
    height, width = pixels.shape[:2]
    bend = rng.uniform(-0.012, 0.012) * width
    y, x = np.mgrid[:height, :width]
    flat = (x - bend * np.sin(np.pi * y / height)).astype(np.float32)
    bent = cv2.remap(pixels, flat, y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    corners: np.ndarray = np.asarray(boxes, np.float64).reshape(-1, 4)[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    corners[..., 0] += bend * np.sin(np.pi * corners[..., 1].mean(axis=1, keepdims=True) / height)
    matrix, size = _view(rng, width, height)
    taken = cv2.warpPerspective(bent, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    if len(corners):
        corners = cv2.perspectiveTransform(corners.reshape(-1, 1, 2), matrix).reshape(-1, 4, 2)
    return _expose(rng, taken), np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def _view(rng: np.random.Generator, width: int, height: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Where the camera stands: a homography (3, 3), and the size of the photo."""
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    middle = frame.mean(axis=0)
    turn = rng.uniform(-0.2, 0.2)
    size = (width, height)
    if rng.random() < 1 / 6:
        turn += np.pi / 2 * rng.choice((-1, 1))
        size = (height, width)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = (frame - middle) @ rotation.T * rng.uniform(0.75, 1.05) + np.array(size) / 2
    moved += rng.uniform(-0.05, 0.05, (4, 2)) * min(size)
    return cv2.getPerspectiveTransform(frame.astype(np.float32), moved.astype(np.float32)), size


def _expose(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """Other light, focus, noise and compression, (h, w, 3) uint8."""
    height, width = pixels.shape[:2]
    image = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), rng.uniform(0.3, 1.3))
    slope = rng.uniform(-0.15, 0.15, 2)
    light = 1 + slope[0] * np.linspace(-1, 1, width)[None] + slope[1] * np.linspace(-1, 1, height)[:, None]
    gain = rng.uniform(0.75, 1.15) * (1 + rng.normal(0, 0.03, 3))
    image = image * (light[..., None] * gain).astype(np.float32)
    image += rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(1, 4))
    shown = np.clip(image, 0, 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 96))])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
