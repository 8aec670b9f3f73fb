"""Tip-Adapter: the samples themselves are the head, a cache that is asked by likeness; Tip-Adapter-F tunes its keys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from agri_clip.encoders.heads import Kind, Words
from fine_tune.adapt.heads.base import FewShot, class_weights, descend, one_hot

#: Rate of the tuning and passes over all samples; the paper's 20 epochs are of many batches, here a pass is one step.
LEARNING_RATE, PASSES = 1e-3, 50


class TipAdapter(FewShot):
    """Evidence ``exp(-sharpness (1 - v K')) L``: keys K are the samples, values L their classes.

    Values of a class add up to the same, however many samples it has: with equal shots that is the paper's formula up
    to a factor that the weight takes up.

    Parameters
    ----------
    sharpness : float
        Beta of the paper.
    tuned : bool
        Tune the keys by gradient (Tip-Adapter-F), at the weight `tuning_weight`.
    tuning_weight : float
        Alpha of the paper, while keys are tuned.

    References
    ----------
    Zhang et al., Tip-Adapter: Training-free Adaption of CLIP for Few-shot Classification, ECCV 2022, section 3.
    """

    kind: Kind = "cache"

    def __init__(self, sharpness: float = 5.5, *, tuned: bool = False, tuning_weight: float = 1.0) -> None:
        self.sharpness, self.tuned, self.tuning_weight = sharpness, tuned, tuning_weight

    def _fit(self, vectors: np.ndarray, classes: np.ndarray, words: Words) -> dict[str, np.ndarray]:
        shots = len(classes) / words.classes
        weights = class_weights(classes)
        values = one_hot(classes, words.classes) * (weights * words.classes * shots)[:, None]
        keys = self._tune(vectors, classes, words, values, weights) if self.tuned else vectors
        return {"keys": keys, "values": values, "sharpness": np.array([self.sharpness])}

    def _tune(
        self, vectors: np.ndarray, classes: np.ndarray, words: Words, values: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        said = words.logits(vectors)
        targets = one_hot(classes, words.classes)

        def gradients(parameters: Sequence[np.ndarray]) -> list[np.ndarray]:
            affinity = np.exp(-self.sharpness * (1 - vectors @ parameters[0].T))
            logits = said + self.tuning_weight * affinity @ values
            residual = weights[:, None] * (softmax(logits, axis=1) - targets)
            return [self.tuning_weight * self.sharpness * (affinity * (residual @ values.T)).T @ vectors]

        return descend([vectors], gradients, LEARNING_RATE, PASSES)[0]
