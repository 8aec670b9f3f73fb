"""How many insects scores stand for, where they are calibrated: an interval from the Poisson binomial distribution."""

from __future__ import annotations

import numpy as np

#: How often an interval holds the number, where every score is right as a probability and regions are independent.
LEVEL = 0.95


def poisson_binomial(probabilities: np.ndarray) -> np.ndarray:
    """Distribution of the number of successes among independent trials of different probabilities.

    Parameters
    ----------
    probabilities : ndarray, shape (n,), 0 to 1

    Returns
    -------
    ndarray, shape (n + 1,), float64
        Probability of 0, 1, ... n successes; exact but for rounding.

    References
    ----------
    Hong, On computing the distribution function for the Poisson binomial distribution, 2013, section 2.3 (recursion).
    """
    mass = np.zeros(len(probabilities) + 1)
    mass[0] = 1
    for trials, p in enumerate(np.asarray(probabilities, np.float64).tolist(), start=1):
        mass[1 : trials + 1] = mass[1 : trials + 1] * (1 - p) + mass[:trials] * p
        mass[0] *= 1 - p
    return mass


def count_interval(probabilities: np.ndarray, level: float = LEVEL) -> tuple[int, int]:
    """The middle `level` of that distribution, both ends within; never narrower.

    Parameters
    ----------
    probabilities : ndarray, shape (n,), 0 to 1
    level : float
        Above 0, below 1.
    """
    below = np.cumsum(poisson_binomial(probabilities))
    # Where sums of rounded numbers end just under 1, the largest number is meant.
    ends = np.searchsorted(below, [(1 - level) / 2, (1 + level) / 2])
    low, high = np.minimum(ends, len(below) - 1).tolist()
    return low, high
