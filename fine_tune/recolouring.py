"""Changes of a training picture's colours: another card, other hues, another light and camera."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

#: Distance in CIELAB's a and b from the card's own colour at which a pixel no longer counts as card.
CARD_CHROMA = 16.0


def recolour(pixels: np.ndarray, colour: ArrayLike) -> np.ndarray:
    """Give a picture's card another colour: shading, print, dirt and insects stay, the card shows through the clear.

    A pixel is card as far as its chroma is near the picture's median; what is card takes the new colour at its own
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
