"""Length as evidence, part of step 4: how well the length of a region fits the sizes of the labels; numpy only."""

from __future__ import annotations

import numpy as np

#: Soft edges of a label's length range: natural logarithms of length per standard deviation below and above. Boxes hold
#: legs and wings that the catalogue's body lengths do not, so the upper edge is the wider one.
SHORTER, LONGER = 0.25, 0.4

#: The least that a length can leave of a label, so that a wrong scale does not silence it altogether.
LEAST_LIKELIHOOD = 1e-3


def length_likelihood(lengths_mm: np.ndarray, ranges_mm: np.ndarray) -> np.ndarray:
    """How well lengths fit the labels' ranges.

    1 within a range, and beyond it falling as a normal distribution of the logarithm of length (`SHORTER`, `LONGER`),
    no further than `LEAST_LIKELIHOOD`. 1 where the length or the range is not known: no evidence.

    Parameters
    ----------
    lengths_mm : ndarray, shape (n,)
        Millimetres; NaN where unknown.
    ranges_mm : ndarray, shape (k, 2)
        Shortest and longest, millimetres; NaN where unknown.

    Returns
    -------
    ndarray, shape (n, k), float64
    """
    lengths = np.log(np.maximum(np.asarray(lengths_mm, np.float64), 1e-6))[:, None]
    shortest, longest = np.log(np.asarray(ranges_mm, np.float64)).T
    outside = np.maximum((shortest - lengths) / SHORTER, (lengths - longest) / LONGER)
    fit = np.maximum(np.exp(-0.5 * np.maximum(outside, 0) ** 2), LEAST_LIKELIHOOD)
    return np.where(np.isnan(fit), 1.0, fit)


def weigh_lengths(share: np.ndarray, other: np.ndarray, likelihood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Multiply the labels' shares by how well the length fits, and share out what is lost.

    Labels that fit take it from those that do not; an insect whose length fits no label is an other insect.
    """
    total = share.sum(axis=1) + other
    weighted = share * likelihood
    rest = other + share.sum(axis=1) * (1 - likelihood.max(axis=1))
    scale = total / (weighted.sum(axis=1) + rest)
    return weighted * scale[:, None], rest * scale
