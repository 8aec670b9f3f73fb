"""Crops as the encoder's training sees them: changed at random, with captions written anew."""

from __future__ import annotations

import cv2
import numpy as np

from fine_tune.encoder.crop_pool import CropPool
from fine_tune.recolouring import develop, recolour
from fine_tune.synthetic import Attributes, captions
from fine_tune.synthetic.camera import lose_detail
from fine_tune.synthetic.made_up import any_colour

#: Share of crops that are shrunk and enlarged again, and the least and most pixels that are left of their side.
BLURRED, BLURRED_SIDE = 0.08, (10, 30)
#: The same of crops of photos. There are few photos, and what is not changed of them is learnt by heart.
REAL_BLURRED, REAL_BLURRED_SIDE = 0.3, (16, 72)
#: Shares of a crop's side that a random square takes: always the same of a render, which is drawn at many scales.
TAKEN, REAL_TAKEN = 8 / 9, (0.78, 1.0)
#: Share of the crops of photos whose card gets another colour, any at all.
RECOLOURED = 0.2


def augment(
    rng: np.random.Generator, images: np.ndarray, size: int, blurred: float = BLURRED, real: np.ndarray | None = None
) -> np.ndarray:
    """Take a random square of each crop, at a random quarter turn, mirrored half of the time, a few of them blurred.

    Crops of photos are also enlarged and seen in another light, some on a card of another colour, and more of them are
    blurred. Each change is alike for insects and backgrounds, so that it says nothing of what a crop shows.

    Parameters
    ----------
    images : ndarray, shape (n, side, side, 3), uint8
    size : int
        Side of the result; a larger square is shrunk to it.
    blurred : float
        Share of the rendered crops.
    real : ndarray, shape (n,), bool, optional
        Which are crops of photos; default none.
    """
    n, side = len(images), images.shape[1]
    real = np.zeros(n, bool) if real is None else real
    least = max(size, round(side * TAKEN))
    taken = np.where(real, np.round(side * rng.uniform(*REAL_TAKEN, n)).astype(int), least)
    corners = (rng.random((n, 2)) * (side - taken + 1)[:, None]).astype(int)
    turns, flips = rng.integers(0, 4, n), rng.random(n) < 0.5
    left = np.where(real, rng.integers(*REAL_BLURRED_SIDE, n), rng.integers(*BLURRED_SIDE, n))
    left[rng.random(n) >= np.where(real, REAL_BLURRED, blurred)] = size
    out = np.empty((n, size, size, 3), np.uint8)
    for i, image in enumerate(images):
        (y, x), t = corners[i], taken[i]
        square = np.rot90(image[y : y + t, x : x + t], turns[i])
        square = np.ascontiguousarray(square[:, ::-1] if flips[i] else square)
        if t != size:
            how = cv2.INTER_AREA if t > size else cv2.INTER_LINEAR
            square = np.asarray(cv2.resize(square, (size, size), interpolation=how))
        if real[i]:
            square = recolour(square, any_colour(rng)) if rng.random() < RECOLOURED else square
            square = develop(rng, square)
        out[i] = lose_detail(square, int(left[i])) if left[i] < size else square
    return out


def write_caption(rng: np.random.Generator, pool: CropPool, row: int) -> str:
    """A caption of one crop: one of its own, or one written from its attributes."""
    own = pool.captions[row]
    if own:
        return own[int(rng.integers(len(own)))]
    return captions(rng, pool.groups[row], Attributes(**pool.attributes[row]))
