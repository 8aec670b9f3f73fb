"""Figures with 95 % intervals from a bootstrap over photos or crops.

Boxes are matched to insects once; a resample only weights each photo by how often it was drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Bootstrap samples behind an interval.
DRAWS = 1000


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


def interval(figure: Callable[[np.ndarray], float], units: int, *, draws: int = DRAWS, seed: int = 0) -> list[float]:
    """95 % bootstrap interval of a figure that takes each unit's weight; draws without a value are left out."""
    rng = np.random.default_rng(seed)
    values = [figure(np.bincount(rng.integers(0, units, units), minlength=units)) for _ in range(draws)]
    return [float(v) for v in np.nanquantile(values, [0.025, 0.975])]


def mean_over(values: np.ndarray, unit_of: np.ndarray) -> Callable[[np.ndarray], float]:
    """Mean as a figure for `interval`: value i counts as often as its unit was drawn. NaN where none was.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Numbers, or whether something is so.
    unit_of : ndarray, shape (n,), int64
        The photo or crop that each value belongs to.
    """
    numbers = np.asarray(values, np.float64)

    def figure(weights: np.ndarray) -> float:
        weight = weights[unit_of]
        total = weight.sum()
        return float(weight @ numbers / total) if total else float("nan")

    return figure


def auroc(
    positive: np.ndarray, negative: np.ndarray, positive_unit: np.ndarray, negative_unit: np.ndarray
) -> Callable[[np.ndarray], float]:
    """Chance that a positive scores above a negative, ties counting half (Mann-Whitney), as a figure for `interval`.

    Parameters
    ----------
    positive, negative : ndarray, shape (n,) and (m,)
        Scores.
    positive_unit, negative_unit : ndarray, shape (n,) and (m,), int64
        The photo or crop that each belongs to.
    """
    values, place = np.unique(np.concatenate([positive, negative]), return_inverse=True)
    place_of_positive, place_of_negative = place[: len(positive)], place[len(positive) :]

    def figure(weights: np.ndarray) -> float:
        up = np.bincount(place_of_positive, weights[positive_unit], len(values))
        down = np.bincount(place_of_negative, weights[negative_unit], len(values))
        pairs = up.sum() * down.sum()
        return float(up @ (np.cumsum(down) - down / 2) / pairs) if pairs else float("nan")

    return figure


def with_interval(figure: Callable[[np.ndarray], float], units: int) -> dict[str, Any]:
    """A figure over all units, each counted once, with its `interval` of `DRAWS` samples.

    Returns
    -------
    dict
        `value`, and `interval` of two numbers; both None where the figure has no value.
    """
    value = figure(np.ones(units)) if units else float("nan")
    if np.isnan(value):
        return {"value": None, "interval": None}
    return {"value": float(value), "interval": interval(figure, units, draws=DRAWS)}
