"""Roll-up: from probabilities of leaves to the finest name that is sure. Pure functions over arrays; part of step 4.

The idea is SpeciesNet's: where no species is sure, sum the probabilities of a family, a group or an order, and answer
with the first of them that is. Here the sums are calibrated, each level has a threshold of its own, and two more
answers are possible: an insect that no name fits, and no insect.

References
----------
Gadot et al., To crop or not to crop: comparing whole-image and cropped classification on a large dataset of camera trap
images, IET Computer Vision, 2024 (SpeciesNet). Redmon and Farhadi, YOLO9000, 2017, section 4 (probabilities over a tree
of words).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logsumexp, softmax

from agri_clip.scoring.taxonomy import LEVELS, Level, Taxonomy

#: Sentinels of `roll_up`: an insect that no name fits, and no insect.
UNKNOWN, NO_INSECT = -1, -2


@dataclass(frozen=True)
class Evidence:
    """What the logits of a picture say.

    Attributes
    ----------
    leaves : ndarray, shape (n, leaves), float64
        Probability of each leaf if the picture shows an insect; rows sum to 1.
    insect : ndarray, shape (n,), float64
        Probability that it shows one.
    """

    leaves: np.ndarray
    insect: np.ndarray


def weigh_evidence(
    logits: np.ndarray,
    weights: np.ndarray,
    negatives: np.ndarray,
    *,
    temperature: float = 1.0,
    slope: float = 1.0,
    offset: float = 0.0,
) -> Evidence:
    """Probabilities of leaves, and of an insect, by Bayes' rule.

    Parameters
    ----------
    logits : ndarray, shape (n, leaves)
        Scaled cosines of pictures and leaves. Those of a sigmoid model are shared out as well: an insect has one name.
    weights : ndarray, shape (leaves,)
        Probability of each leaf before looking; sums to 1.
    negatives : ndarray, shape (n, m)
        Scaled cosines of what is no insect; with m = 0 everything is one.
    temperature : float
        Divides the logits; above 1 for an encoder that is too sure of itself.
    slope, offset : float
        Turn the evidence for an insect against none, in nats, into its log odds.

    Returns
    -------
    Evidence

    Raises
    ------
    ValueError
        Shapes do not fit together, or `temperature` is not above 0.

    References
    ----------
    Temperature: Guo et al., On Calibration of Modern Neural Networks, 2017, section 4.2. Slope and offset: Platt,
    Probabilistic Outputs for Support Vector Machines, 1999.
    """
    if logits.ndim != 2 or logits.shape[1] != len(weights) or len(negatives) != len(logits):
        raise ValueError(f"logits {logits.shape}, weights {weights.shape} and negatives {negatives.shape} do not fit")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    with np.errstate(divide="ignore"):
        joint = logits / temperature + np.log(weights)
    if negatives.shape[1] == 0:
        return Evidence(softmax(joint, axis=1), np.ones(len(logits)))
    against = logsumexp(negatives / temperature, axis=1) - np.log(negatives.shape[1])
    return Evidence(softmax(joint, axis=1), expit(slope * (logsumexp(joint, axis=1) - against) + offset))


def sum_upward(leaves: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Probability of every taxon: the sum of its leaves.

    Parameters
    ----------
    leaves : ndarray, shape (n, leaves)
    members : ndarray, shape (taxa, leaves), bool

    Returns
    -------
    ndarray, shape (n, taxa), float64
    """
    # Rounding may carry a sum of all leaves a last digit above 1.
    return np.minimum(leaves @ members.T.astype(np.float64), 1.0)


def roll_up(
    sums: np.ndarray,
    taxonomy: Taxonomy,
    thresholds: Mapping[Level, float | None],
    *,
    insect: np.ndarray | None = None,
    insect_threshold: float = 0.5,
) -> np.ndarray:
    """The finest taxon that is sure.

    Parameters
    ----------
    sums : ndarray, shape (n, taxa)
        As of `sum_upward`.
    taxonomy : Taxonomy
    thresholds : mapping of Level to float or None
        Least probability of an answer of each level; a level that is None or missing is never answered.
    insect : ndarray, shape (n,), optional
        Probability of an insect.
    insect_threshold : float
        Below it there is no insect.

    Returns
    -------
    ndarray, shape (n,), int64
        Index into `taxonomy.taxa`, `UNKNOWN` or `NO_INSECT`.
    """
    answer = np.full(len(sums), UNKNOWN, np.int64)
    for level in LEVELS:
        taxa, threshold = taxonomy.at_level(level), thresholds.get(level)
        if threshold is None or not len(taxa):
            continue
        best = sums[:, taxa].argmax(axis=1)
        sure = sums[np.arange(len(sums)), taxa[best]] >= threshold
        answer = np.where((answer == UNKNOWN) & sure, taxa[best], answer)
    if insect is not None:
        answer[insect < insect_threshold] = NO_INSECT
    return answer


def best_taxa(sums: np.ndarray, taxa: np.ndarray, count: int) -> np.ndarray:
    """Of some taxa, the most probable ones of each picture, the best first; equal ones in the taxonomy's order.

    Parameters
    ----------
    sums : ndarray, shape (n, all taxa)
    taxa : ndarray, shape (k,), int
        Which taxa.
    count : int
        How many.

    Returns
    -------
    ndarray, shape (n, min(count, k)), int64
    """
    order = np.argsort(-sums[:, taxa], axis=1, kind="stable")[:, :count]
    return np.asarray(taxa, np.int64)[order]


def finer_taxa(taxonomy: Taxonomy) -> tuple[np.ndarray, ...]:
    """For each taxon, the taxa of the next finer kind inside it.

    Inside an order and a wide family those are groups, inside a group and a family species.

    Returns
    -------
    tuple of ndarray, shape (k,), int64
        Indices, for each of `taxonomy.taxa`.
    """
    wide: dict[str, list[int]] = {}
    narrow: dict[str, list[int]] = {}
    for i, taxon in enumerate(taxonomy.taxa):
        if taxon.rank in ("group", "species"):
            above = wide if taxon.rank == "group" else narrow
            for key in (taxon.order, taxon.family, taxon.group):
                if key is not None:
                    above.setdefault(key, []).append(i)
    found = []
    for i, taxon in enumerate(taxonomy.taxa):
        key = {"order": taxon.order, "family": taxon.family, "group": taxon.group}.get(taxon.rank)
        inside = (wide if taxon.rank == "order" or taxon.level == "wide family" else narrow).get(str(key), [])
        found.append(np.array([other for other in inside if other != i], np.int64))
    return tuple(found)
