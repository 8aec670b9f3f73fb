"""A linear probe that starts at the words and is held to them: convex, so the same samples give the same probe."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from agri_clip.encoders.heads import Kind, Words
from fine_tune.adapt.heads.base import FewShot, class_weights, one_hot


class TextProbe(FewShot):
    """Cross-entropy over class prototypes that begin as the text vectors, with a penalty for leaving them.

    The penalty of a class is the mean probability that the words give to its own samples, as in CLAP: where words are
    right already, the prototype stays. The evidence is what the moved prototypes add to the text vectors' logits.

    Parameters
    ----------
    penalty : float
        Multiplies all penalties.

    Attributes
    ----------
    prototypes_ : ndarray, shape (k, dim)

    References
    ----------
    Silva-Rodriguez et al., A Closer Look at the Few-Shot Adaptation of Large Vision-Language Models (CLAP), CVPR 2024,
    equations 6 to 8; the text-started probe also Huang et al., LP++, CVPR 2024.
    """

    kind: Kind = "linear"

    def __init__(self, penalty: float = 1.0) -> None:
        self.penalty = penalty

    def _fit(self, vectors: np.ndarray, classes: np.ndarray, words: Words) -> dict[str, np.ndarray]:
        start, scale = words.prototypes, words.logit_scale
        count = len(start)
        targets, weights = one_hot(classes, count), class_weights(classes)
        right = softmax(scale * vectors @ start.T, axis=1)[np.arange(len(classes)), classes]
        held = self.penalty * np.bincount(classes, weights=right, minlength=count) / np.bincount(classes)

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            prototypes = flat.reshape(count, -1)
            logits = scale * vectors @ prototypes.T
            away = prototypes - start
            value = -(weights[:, None] * targets * log_softmax(logits, axis=1)).sum()
            value += (held[:, None] * away**2).sum()
            residual = weights[:, None] * (softmax(logits, axis=1) - targets)
            return value, (scale * residual.T @ vectors + 2 * held[:, None] * away).ravel()

        found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 100})
        self.prototypes_ = found.x.reshape(count, -1)
        return {"weights": scale * (self.prototypes_ - start), "bias": np.zeros(count)}
