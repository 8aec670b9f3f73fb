"""What labelled examples add to words, for labels that have some: part of scoring (step 4). Vectors in, evidence out.

A head is fitted by `fine_tune.adapt`; here it is only applied, with numpy, so that an adapted encoder needs no library
that the words do not need. It never makes the labels that it knows more or less likely together: it shares out among
them what the words give to all of them. So a prompt outside the labelled classes keeps its share to the digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from scipy.special import log_softmax, logsumexp

#: Name of the class of crops that show no insect.
BACKGROUND_CLASS = "not an insect"

#: No probability of a class is taken for less; with it the evidence of one crop stays within about ten nats.
LEAST_SHARE = 1e-4

#: How the evidence of a head is worked out from its numbers.
Kind = Literal["linear", "cache", "adapter"]


class Evidence(Protocol):
    """What examples add to the logits of the classes that they show."""

    def shift(self, vectors: np.ndarray) -> np.ndarray:
        """Nats to add to the logit of each class, (n, classes), for unit vectors (n, dim)."""
        ...


@dataclass(frozen=True)
class Words:
    """What words alone say of a set of classes.

    Attributes
    ----------
    texts : ndarray, shape (t, dim), float32
        Unit vectors; of every class at least one.
    owner : ndarray, shape (t,), int64
        Which class a text belongs to, 0 to k - 1.
    logit_scale, logit_bias : float
        The encoder's.
    """

    texts: np.ndarray
    owner: np.ndarray
    logit_scale: float
    logit_bias: float = 0.0

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.owner.max()) + 1

    @property
    def prototypes(self) -> np.ndarray:
        """One vector a class, the mean of its texts at unit length, (k, dim) float64."""
        sums = np.zeros((self.classes, self.texts.shape[1]))
        np.add.at(sums, self.owner, self.texts.astype(np.float64))
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        return np.asarray(sums / np.maximum(lengths, 1e-12))

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """Logits of the classes (n, k); of several texts the mean of their likelihoods counts."""
        cosines = np.asarray(vectors, np.float64) @ self.texts.astype(np.float64).T
        logits = self.logit_scale * cosines + self.logit_bias
        columns = [self.owner == number for number in range(self.classes)]
        return np.stack([logsumexp(logits[:, mine], axis=1) - np.log(mine.sum()) for mine in columns], axis=1)

    def of(self, classes: np.ndarray) -> Words:
        """The words of some classes, numbered anew in the order given."""
        kept = np.concatenate([np.flatnonzero(self.owner == number) for number in classes])
        owner = np.concatenate([np.full((self.owner == number).sum(), i) for i, number in enumerate(classes)])
        return Words(self.texts[kept], owner, self.logit_scale, self.logit_bias)


@dataclass(frozen=True)
class FewShotHead:
    """A fitted head as numbers.

    Attributes
    ----------
    method : str
        Which method of the ladder fitted it, for people.
    kind : {"linear", "cache", "adapter"}
        How its evidence is worked out: see `head_evidence`.
    labels : tuple of k str
        Its classes; `BACKGROUND_CLASS` may be one.
    used : ndarray, shape (k,), bool
        Classes for which examples are used; the others keep what words give them.
    words : Words
        Of its classes, as they were when it was fitted.
    weight : float
        Of its evidence beside the words' logits; 0 leaves the words.
    temperature : float
        Divides the sum, so that shares can be read as probabilities.
    arrays : mapping of str to ndarray
        Its numbers.
    """

    method: str
    kind: Kind
    labels: tuple[str, ...]
    used: np.ndarray
    words: Words
    weight: float
    temperature: float
    arrays: Mapping[str, np.ndarray] = field(repr=False)

    def log_shares(self, vectors: np.ndarray) -> np.ndarray:
        """Log of each class's share among the classes, (n, k), for unit vectors (n, dim)."""
        evidence = head_evidence(self.kind, self.arrays, vectors)
        return blend(self.words.logits(vectors), evidence, self.used, self.weight, self.temperature)

    def shift(self, vectors: np.ndarray) -> np.ndarray:
        """Nats to add to the logit of each class, (n, k): its share with examples over its share by words."""
        return shift_of(self.words.logits(vectors), self.log_shares(vectors))


def head_evidence(kind: Kind, arrays: Mapping[str, np.ndarray], vectors: np.ndarray) -> np.ndarray:
    """Evidence of a head for each class, (n, k), in nats before its weight.

    Parameters
    ----------
    kind : {"linear", "cache", "adapter"}
        ``linear``: ``weights`` (k, dim) and ``bias`` (k,). ``cache``: ``keys`` (m, dim), ``values`` (m, k) and
        ``sharpness`` (1,), the affinity of Tip-Adapter. ``adapter``: ``down`` (h, dim), ``up`` (dim, h), ``ratio``
        (1,), ``prototypes`` (k, dim) and ``scale`` (1,), the bottleneck of CLIP-Adapter.
    arrays : mapping of str to ndarray
    vectors : ndarray, shape (n, dim)
        Of unit length.

    References
    ----------
    Zhang et al., Tip-Adapter: Training-free Adaption of CLIP for Few-shot Classification, ECCV 2022, equation 4.
    Gao et al., CLIP-Adapter: Better Vision-Language Models with Feature Adapters, IJCV 2024, section 3.2.
    """
    vectors = np.asarray(vectors, np.float64)
    numbers = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    if kind == "linear":
        return np.asarray(vectors @ numbers["weights"].T + numbers["bias"])
    if kind == "cache":
        affinity = np.exp(-numbers["sharpness"] * (1 - vectors @ numbers["keys"].T))
        return np.asarray(affinity @ numbers["values"])
    hidden = np.maximum(vectors @ numbers["down"].T, 0)
    moved = numbers["ratio"] * np.maximum(hidden @ numbers["up"].T, 0) + (1 - numbers["ratio"]) * vectors
    moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
    return np.asarray(numbers["scale"] * ((moved - vectors) @ numbers["prototypes"].T))


def blend(words: np.ndarray, evidence: np.ndarray, used: np.ndarray, weight: float, temperature: float) -> np.ndarray:
    """Log shares of classes by words and examples together.

    Classes that are not used keep their share by words; the rest is shared out among the others.

    Parameters
    ----------
    words, evidence : ndarray, shape (n, k)
        Logits by words, and a head's evidence.
    used : ndarray, shape (k,) or (n, k), bool
    weight, temperature : float
        As in `FewShotHead`.

    Returns
    -------
    ndarray, shape (n, k), float64
    """
    if used.all():
        return np.asarray(log_softmax((words + weight * evidence) / temperature, axis=1))
    used = np.broadcast_to(used, words.shape)
    plain = log_softmax(words, axis=1)
    joined = np.where(used, (words + weight * evidence) / temperature, -np.inf)
    with np.errstate(divide="ignore"):
        left = np.where(used, plain, -np.inf)
        some = used.any(axis=1)
        mass = np.where(some, logsumexp(left, axis=1), 0.0)
        within = joined - np.where(some, logsumexp(joined, axis=1), 0.0)[:, None]
    return np.where(used, within + mass[:, None], plain)


def shift_of(words: np.ndarray, log_shares: np.ndarray) -> np.ndarray:
    """Nats from the shares by words (logits, (n, k)) to other shares (logs, (n, k)); both held above `LEAST_SHARE`.

    Held shares add up to a little more than one, so they are brought back to one: what all classes have together stays.
    """
    plain = log_softmax(words, axis=1)
    held = np.maximum(log_shares, np.minimum(plain, np.log(LEAST_SHARE)))
    return np.asarray(held - logsumexp(held, axis=1, keepdims=True) - plain)
