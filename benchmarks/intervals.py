"""Figures of a proposer with 95 % intervals from a bootstrap over photos.

Boxes are matched to insects once; a resample only weights each photo by how often it was drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Matches:
    """Boxes of all photos, best score first, and whether each found an insect.

    Attributes
    ----------
    photo_index : ndarray, shape (n,), int64
    hit : ndarray, shape (n,), bool
    insects : ndarray, shape (photos,), int64
        Insects labelled in each photo.
    """

    photo_index: np.ndarray
    hit: np.ndarray
    insects: np.ndarray


def ap50(matches: Matches, weights: np.ndarray) -> float:
    """COCO average precision at one IoU (101 recall levels); photo i counts `weights[i]` times. NaN without insects."""
    weight, total = weights[matches.photo_index], float(weights @ matches.insects)
    if not total:
        return float("nan")
    hits, boxes = np.cumsum(weight * matches.hit), np.cumsum(weight)
    precision = np.maximum.accumulate((hits / np.maximum(boxes, 1))[::-1])[::-1]
    at = np.searchsorted(hits / total, np.linspace(0, 1, 101))
    return float(np.append(precision, 0.0)[at].mean())


def recall_at(matches: Matches, weights: np.ndarray, boxes_per_insect: float) -> float:
    """Recall of the best boxes, at most `boxes_per_insect` for each insect over all photos. NaN without insects."""
    weight, total = weights[matches.photo_index], float(weights @ matches.insects)
    taken = np.cumsum(weight) <= boxes_per_insect * total
    return float((weight * matches.hit)[taken].sum() / total) if total else float("nan")


def interval(figure: Callable[[np.ndarray], float], units: int, *, draws: int = 1000, seed: int = 0) -> list[float]:
    """95 % bootstrap interval of a figure that takes each unit's weight; draws without a value are left out."""
    rng = np.random.default_rng(seed)
    values = [figure(np.bincount(rng.integers(0, units, units), minlength=units)) for _ in range(draws)]
    return [float(v) for v in np.nanquantile(values, [0.025, 0.975])]
