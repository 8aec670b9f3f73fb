"""What all few-shot heads share: vectors and classes in, numbers out that `agri_clip.encoders.heads` applies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator

from agri_clip.encoders.heads import Kind, Words, head_evidence


class FewShot(BaseEstimator, ABC):
    """Base of the heads; `fit(vectors, classes, words)`, then `evidence(vectors)`.

    Attributes
    ----------
    kind : {"linear", "cache", "adapter"}
        How `agri_clip.encoders.heads.head_evidence` works out the evidence.
    arrays_ : dict of str to ndarray
        The fitted numbers.
    """

    kind: Kind
    arrays_: dict[str, np.ndarray]

    def fit(self, vectors: np.ndarray, classes: np.ndarray, words: Words) -> Self:
        """Fit to labelled vectors.

        Parameters
        ----------
        vectors : ndarray, shape (n, dim)
            Of unit length.
        classes : ndarray, shape (n,), int
            0 to k - 1; of every class at least one. Each class counts the same, however many vectors it has.
        words : Words
            Of the k classes.

        Raises
        ------
        ValueError
            Shapes do not fit together, or a class has no vector.
        """
        vectors, classes = np.asarray(vectors, np.float64), np.asarray(classes, np.int64)
        if vectors.ndim != 2 or classes.shape != vectors.shape[:1] or vectors.shape[1] != words.texts.shape[1]:
            raise ValueError(f"vectors {vectors.shape}, classes {classes.shape} and words {words.texts.shape} differ")
        counts = np.bincount(classes, minlength=words.classes)
        if len(counts) != words.classes or not counts.all():
            raise ValueError(f"each of {words.classes} classes needs a vector; there are {counts.tolist()}")
        self.arrays_ = self._fit(vectors, classes, words)
        return self

    def evidence(self, vectors: np.ndarray) -> np.ndarray:
        """Evidence for each class, (n, k), to be added to the words' logits with a weight."""
        return head_evidence(self.kind, self.arrays_, vectors)

    @abstractmethod
    def _fit(self, vectors: np.ndarray, classes: np.ndarray, words: Words) -> dict[str, np.ndarray]:
        """The numbers, from checked input."""


def class_weights(classes: np.ndarray) -> np.ndarray:
    """Weight of each of n samples, summing to one, with which all classes count the same."""
    counts = np.bincount(classes)
    return np.asarray(1 / (counts[classes] * (counts > 0).sum()))


def one_hot(classes: np.ndarray, count: int) -> np.ndarray:
    """Classes (n,) as rows of zeros with a single one, (n, count)."""
    return np.asarray(np.eye(count)[classes])


def descend(
    parameters: Sequence[np.ndarray],
    gradients: Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]],
    rate: float,
    passes: int,
    decay: float = 0.01,
) -> list[np.ndarray]:
    """Minimise by AdamW with a rate that falls as a cosine; all samples at each step, so nothing is random.

    Parameters
    ----------
    parameters : sequence of ndarray
        Where to begin; not changed.
    gradients : callable
        Gradients of the loss, in the order of the parameters.
    rate, decay : float
        Learning rate, and weight decay.
    passes : int
        Steps.

    References
    ----------
    Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019, algorithm 2.
    """
    values = [np.array(p, np.float64) for p in parameters]
    first, second = [np.zeros_like(v) for v in values], [np.zeros_like(v) for v in values]
    for step in range(passes):
        now = rate * 0.5 * (1 + np.cos(np.pi * step / passes))
        for i, gradient in enumerate(gradients(values)):
            first[i] = 0.9 * first[i] + 0.1 * gradient
            second[i] = 0.999 * second[i] + 0.001 * gradient**2
            mean, size = first[i] / (1 - 0.9 ** (step + 1)), second[i] / (1 - 0.999 ** (step + 1))
            values[i] = values[i] * (1 - now * decay) - now * mean / (np.sqrt(size) + 1e-8)
    return values
