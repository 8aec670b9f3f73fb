"""What a camera does to a picture: sampling, focus, exposure, colour cast, noise, JPEG. One distribution for all."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True, slots=True)
class Shot:
    """How a crop was photographed: insect's long side in native pixels and the blur's sigma in native pixels."""

    native_long_side: float
    blur_sigma: float


def choose_shot(rng: np.random.Generator) -> Shot:
    """Draw a resolution (12 to 200 px) and a focus; never looks at the group."""
    native = float(12 * (200 / 12) ** (rng.random() ** 0.75))
    sharp = rng.random() < 0.78
    sigma = rng.uniform(0.3, 0.75) if sharp else rng.uniform(0.5, 0.65 + native * 0.012)
    return Shot(native, float(sigma))


def photograph(rng: np.random.Generator, scene: np.ndarray, shot: Shot, side_factor: float, size: int) -> np.ndarray:
    """Photograph a square scene.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all variation.
    scene : numpy.ndarray
        (n, n, 3) float32 in 0..255, supersampled.
    shot : Shot
        Native resolution and focus.
    side_factor : float
        Side of the scene over the insect's long side.
    size : int
        Side of the result in pixels.

    Returns
    -------
    numpy.ndarray
        (size, size, 3) uint8.
    """
    side = int(np.clip(round(shot.native_long_side * side_factor), 8, scene.shape[0]))
    image: np.ndarray = cv2.resize(scene, (side, side), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.06 and side > 16:
        length = int(rng.integers(2, 3 + side // 16))
        kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
        turn = rng.uniform(0, np.pi)
        d = np.round(np.array([np.cos(turn), np.sin(turn)]) * length).astype(int)
        cv2.line(kernel, (length - d[0], length - d[1]), (length + d[0], length + d[1]), 1.0)
        image = cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    image = cv2.GaussianBlur(image, (0, 0), shot.blur_sigma, borderType=cv2.BORDER_REPLICATE)
    if rng.random() < 0.3:
        image = image + (image - cv2.GaussianBlur(image, (0, 0), 1.2)) * np.float32(rng.uniform(0.3, 1.0))
    gain = rng.normal(0.96, 0.12) * (1 + rng.normal(0, 0.025, 3))
    image = image * np.clip(gain, 0.5, 1.5).astype(np.float32)
    contrast = np.float32(np.clip(rng.normal(1.06, 0.11), 0.7, 1.4))
    image = (image - 110) * contrast + np.float32(107 + rng.normal(0, 6))
    strength = float(rng.choice([1.0, 2.5, 6.0, 11.0], p=[0.35, 0.35, 0.22, 0.08]))
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    if rng.random() < 0.5:
        grain[..., 1:] = grain[..., :1]
    image = np.clip(image + grain * strength, 0, 255).astype(np.uint8)
    if rng.random() < 0.7:
        quality = int(rng.integers(45, 97))
        _, packed = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = cv2.cvtColor(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)
    if side != size:
        way = cv2.INTER_AREA if side > size else int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
        image = cv2.resize(image, (size, size), interpolation=way)
    return image


def lose_detail(crop: np.ndarray, side: int) -> np.ndarray:
    """Shrink a square crop to `side` pixels and enlarge it again: what is left of an insect far from the camera."""
    small = cv2.resize(np.ascontiguousarray(crop), (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, crop.shape[1::-1], interpolation=cv2.INTER_CUBIC))
