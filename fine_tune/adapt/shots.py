"""What one step of adapting sees: as many crops of a rare label as of a frequent one, varied as a camera would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: Least share of a crop's side that a step sees.
LEAST_WINDOW = 0.85
#: Deviation of the light and of each colour channel.
LIGHT, TINT = 0.12, 0.04


@dataclass(frozen=True)
class ShotBatch:
    """Crops of one step and a text for each of their labels.

    Attributes
    ----------
    crops : list of n ndarray, shape (h, w, 3), uint8
    labels : ndarray, shape (n,), int64
        Index into `texts`.
    texts : list of str
    """

    crops: list[np.ndarray]
    labels: np.ndarray
    texts: list[str]


class Shots:
    """Batches of labelled crops; batch number k is the same in every run of a seed, whatever came before.

    Parameters
    ----------
    crops : sequence of n ndarray, shape (h, w, 3), uint8
    labels : sequence of n str
    texts : mapping of str to sequence of str
        What each label is called; one of them is drawn for a step.
    batch, seed : int
    """

    def __init__(
        self,
        crops: Sequence[np.ndarray],
        labels: Sequence[str],
        texts: Mapping[str, Sequence[str]],
        batch: int,
        seed: int,
    ) -> None:
        self.crops, self.texts, self.batch, self.seed = crops, texts, batch, seed
        self.names = sorted(set(labels))
        self.rows = {name: np.flatnonzero(np.array(labels) == name) for name in self.names}

    def __getitem__(self, step: int) -> ShotBatch:
        """The batch of one step: every label equally often, as far as they go into it."""
        rng = np.random.default_rng([self.seed, 17, step])
        rounds = -(-self.batch // len(self.names))
        drawn = np.concatenate([rng.permutation(len(self.names)) for _ in range(rounds)])[: self.batch]
        shown, labels, often = np.unique(drawn, return_inverse=True, return_counts=True)
        rows = np.empty(self.batch, np.int64)
        for place, (name, count) in enumerate(zip(shown, often, strict=True)):
            rows[labels == place] = np.resize(rng.permutation(self.rows[self.names[name]]), count)
        texts = [self.texts[self.names[name]] for name in shown]
        return ShotBatch(
            crops=[vary(rng, self.crops[row]) for row in rows.tolist()],
            labels=labels.astype(np.int64),
            texts=[options[int(rng.integers(len(options)))] for options in texts],
        )


def vary(rng: np.random.Generator, crop: np.ndarray) -> np.ndarray:
    """A crop as it could have been taken: turned by quarters, mirrored, a little nearer, in another light.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all choices.
    crop : ndarray, shape (h, w, 3), uint8

    Returns
    -------
    ndarray, shape (h', w', 3), uint8
        At least `LEAST_WINDOW` of each side.
    """
    height, width = (max(1, round(side * rng.uniform(LEAST_WINDOW, 1))) for side in crop.shape[:2])
    top, left = rng.integers(crop.shape[0] - height + 1), rng.integers(crop.shape[1] - width + 1)
    view = np.rot90(crop[top : top + height, left : left + width], int(rng.integers(4)))
    view = view[:, ::-1] if rng.random() < 0.5 else view
    gain = np.float32(rng.normal(1, LIGHT) * rng.normal(1, TINT, 3)).clip(0.5, 1.6)
    return np.rint(np.clip(view * gain, 0, 255)).astype(np.uint8)
