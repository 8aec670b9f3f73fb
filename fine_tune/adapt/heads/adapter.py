"""CLIP-Adapter: a small bottleneck that moves a crop's vector, and a residual that keeps most of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from agri_clip.encoders.heads import Kind, Words
from fine_tune.adapt.heads.base import FewShot, class_weights, descend, one_hot

#: Rate of AdamW, and passes over all samples.
LEARNING_RATE, PASSES = 3e-3, 50


class ClipAdapter(FewShot):
    """Two linear layers with ReLU; the moved vector is ``ratio`` of their output and the rest of the vector itself.

    The evidence is what the moved vector's logits differ by from the vector's own.

    Parameters
    ----------
    ratio : float
        Residual ratio, 0 to 1; at 0 the evidence is nothing.
    reduction : int
        The bottleneck has so many times fewer units than a vector has numbers.
    seed : int
        Of the layers' first numbers.

    References
    ----------
    Gao et al., CLIP-Adapter: Better Vision-Language Models with Feature Adapters, IJCV 2024, section 3.2.
    """

    kind: Kind = "adapter"

    def __init__(self, ratio: float = 0.2, reduction: int = 4, seed: int = 0) -> None:
        self.ratio, self.reduction, self.seed = ratio, reduction, seed

    def _fit(self, vectors: np.ndarray, classes: np.ndarray, words: Words) -> dict[str, np.ndarray]:
        dim, prototypes = vectors.shape[1], words.prototypes
        random = np.random.default_rng(self.seed)
        hidden = max(dim // self.reduction, 1)
        start = [random.normal(0, (2 / n) ** 0.5, (m, n)) for m, n in ((hidden, dim), (dim, hidden))]
        targets, weights = one_hot(classes, words.classes), class_weights(classes)[:, None]

        def gradients(parameters: Sequence[np.ndarray]) -> list[np.ndarray]:
            down, up = parameters
            inner = np.maximum(vectors @ down.T, 0)
            outer = np.maximum(inner @ up.T, 0)
            moved = self.ratio * outer + (1 - self.ratio) * vectors
            lengths = np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
            unit = moved / lengths
            residual = weights * (softmax(words.logit_scale * unit @ prototypes.T, axis=1) - targets)
            to_unit = words.logit_scale * residual @ prototypes
            to_moved = (to_unit - unit * (to_unit * unit).sum(axis=1, keepdims=True)) / lengths
            to_outer = self.ratio * to_moved * (outer > 0)
            to_inner = (to_outer @ up) * (inner > 0)
            return [to_inner.T @ vectors, to_outer.T @ inner]

        down, up = descend(start, gradients, LEARNING_RATE, PASSES)
        return {
            "down": down,
            "up": up,
            "ratio": np.array([self.ratio]),
            "prototypes": prototypes,
            "scale": np.array([words.logit_scale]),
        }
