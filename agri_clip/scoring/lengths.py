"""Length as evidence, part of step 4: how well the length of a region fits the sizes of the labels; numpy only.

Where the scale of a photo is known, lengths are millimetres. Where it is not, all regions of the photo still share one
scale: a fly five times as long as a whitefly may be both, whatever a pixel is.
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

#: Soft edges of a label's length range: natural logarithms of length per standard deviation below and above. Boxes hold
#: legs and wings that the catalogue's body lengths do not, so the upper edge is the wider one.
SHORTER, LONGER = 0.25, 0.4

#: The least that a length can leave of a label, so that a wrong scale does not silence it altogether.
LEAST_LIKELIHOOD = 1e-3

#: Scales that relative lengths are tried with, in millimetres per pixel: from a microscope to a bench seen from above.
#: Steps of 5 %, a fifth of the sharper edge of a range; each scale is as likely as the next beforehand.
SCALES_MM_PER_PIXEL = np.geomspace(0.003, 1, 120)

#: Fewer insects than this do not tell the scale.
LEAST_INSECTS = 5

#: What is an insect with at least this probability helps to tell the scale.
INSECT_PROBABILITY = 0.5


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
    lengths = np.log(np.maximum(np.asarray(lengths_mm, np.float64), 1e-6))
    shortest, longest = np.log(np.asarray(ranges_mm, np.float64)).T[..., None]
    # Ranges first, as in the logits that this is multiplied with: the numbers of one label lie side by side.
    outside = np.maximum((shortest - lengths) / SHORTER, (lengths - longest) / LONGER)
    fit = np.maximum(np.exp(-0.5 * np.maximum(outside, 0) ** 2), LEAST_LIKELIHOOD)
    return np.where(np.isnan(fit), 1.0, fit).T


def relative_likelihood(
    lengths_px: np.ndarray, ranges_mm: np.ndarray, shares: np.ndarray, insect: np.ndarray
) -> np.ndarray | None:
    """How well lengths fit the labels' ranges where the scale is one for all regions, and unknown.

    A scale is the likelier the better the lengths fit under it: the product over the insects, each counted with its
    probability, of the mean likelihood of its length over what it may be. An insect that no label means, and one whose
    label has no range, fits any scale. The likelihood of a region's length is then the mean over the scales, as the
    other regions tell them, against that of the length that fits the label best: where the scale remains open, every
    length fits.

    Parameters
    ----------
    lengths_px : ndarray, shape (n,)
        Of the regions of one photo; NaN where unknown.
    ranges_mm : ndarray, shape (k, 2)
        Shortest and longest, millimetres; NaN where unknown.
    shares : ndarray, shape (n, k)
        Probability of each label if it is an insect; a row sums to 1 at most, the rest is insects that no label means.
    insect : ndarray, shape (n,)
        Probability of an insect.

    Returns
    -------
    ndarray, shape (n, k), float64, or None
        `LEAST_LIKELIHOOD` to 1. None where lengths tell nothing: fewer than `LEAST_INSECTS` insects, or labels without
        two different ranges.
    """
    ranges = np.unique(ranges_mm[~np.isnan(ranges_mm).any(axis=1)], axis=0)
    helping = np.flatnonzero(insect >= INSECT_PROBABILITY)
    if len(ranges) < 2 or len(helping) < LEAST_INSECTS:
        return None
    shares_of = shares[helping]
    fit = np.tile(1 - shares_of.sum(axis=1, keepdims=True), len(SCALES_MM_PER_PIXEL))
    for share, length_range in zip(shares_of.T, ranges_mm, strict=True):
        fit += share[:, None] * _fit_at_scales(lengths_px[helping], length_range)
    evidence = insect[helping, None] * np.log(np.maximum(fit, LEAST_LIKELIHOOD))
    # Sorted, so that the order of the regions cannot change a digit.
    total = np.sort(evidence, axis=0).sum(axis=0)
    scales = np.tile(softmax(total), (len(lengths_px), 1))
    # Its own length is no evidence of the scale that it is judged by.
    scales[helping] = softmax(total - evidence, axis=1)
    columns = [_fit_over_scales(lengths_px, length_range, scales, softmax(total)) for length_range in ranges_mm]
    return np.stack(columns, axis=1)


def _fit_at_scales(lengths_px: np.ndarray, range_mm: np.ndarray) -> np.ndarray:
    """`length_likelihood` of each length under each scale, shape (n, scales)."""
    lengths_mm = np.multiply.outer(np.asarray(lengths_px, np.float64), SCALES_MM_PER_PIXEL)
    return length_likelihood(lengths_mm.ravel(), range_mm[None]).reshape(lengths_mm.shape)


def _fit_over_scales(
    lengths_px: np.ndarray, range_mm: np.ndarray, scales: np.ndarray, together: np.ndarray
) -> np.ndarray:
    """Mean likelihood of each length over its scales, against that of the best length over the scales of all, (n,)."""
    # At one scale or another each of these lengths has the middle of the range; one of them has it at the likeliest.
    best = np.sqrt(range_mm.prod()) / SCALES_MM_PER_PIXEL
    highest = (_fit_at_scales(best, range_mm) * together).sum(axis=1).max()
    mean = (_fit_at_scales(lengths_px, range_mm) * scales).sum(axis=1)
    return np.clip(mean / highest, LEAST_LIKELIHOOD, 1)


def weigh_lengths(share: np.ndarray, other: np.ndarray, likelihood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Multiply the labels' shares by how well the length fits, and share out what is lost.

    Labels that fit take it from those that do not; an insect whose length fits no label is an other insect.
    """
    total = share.sum(axis=1) + other
    weighted = share * likelihood
    rest = other + share.sum(axis=1) * (1 - likelihood.max(axis=1))
    # Where nothing is left to share out, there is nothing to scale either.
    scale = total / np.maximum(weighted.sum(axis=1) + rest, np.finfo(np.float64).tiny)
    return weighted * scale[:, None], rest * scale
