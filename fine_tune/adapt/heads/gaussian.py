"""Gaussian discriminant analysis: closed form, nothing is trained. The first rung of the ladder."""

from __future__ import annotations

import numpy as np

from agri_clip.encoders.heads import Kind, Words
from fine_tune.adapt.heads.base import FewShot, class_weights, one_hot


class GaussianHead(FewShot):
    """Classes as Gaussians of one covariance; the evidence is their log likelihood, equal beforehand.

    The covariance is the empirical Bayes ridge estimate of the paper, ``(N - 1) S + tr(S) I``, here divided by
    ``N - 1 + d`` so that it tends to the covariance itself with many samples, whatever the dimension `d`. With one
    sample a class nothing is known of the spread within a class, and that of all samples stands for it.

    References
    ----------
    Wang et al., A Hard-to-Beat Baseline for Training-free CLIP-based Adaptation, ICLR 2024, section 3.
    Kubokawa and Srivastava, Estimation of the precision matrix of a singular Wishart distribution, 2008.
    """

    kind: Kind = "linear"

    def _fit(self, vectors: np.ndarray, classes: np.ndarray, words: Words) -> dict[str, np.ndarray]:  # noqa: ARG002
        share = one_hot(classes, classes.max() + 1) * class_weights(classes)[:, None]
        means = (share / share.sum(axis=0)).T @ vectors
        samples, dim = vectors.shape
        freedom = samples - len(means)
        deviations = vectors - (means[classes] if freedom else means.mean(axis=0))
        # Balanced over classes, and corrected for the means being fitted to the same samples.
        weights = class_weights(classes) * samples / (freedom or max(samples - 1, 1))
        covariance = (deviations * weights[:, None]).T @ deviations
        spread = max(float(np.trace(covariance)), 1e-12)
        ridge = (freedom * covariance + spread * np.eye(dim)) / (freedom + dim)
        weight = np.linalg.solve(ridge, means.T).T
        return {"weights": weight, "bias": -0.5 * (weight * means).sum(axis=1)}
