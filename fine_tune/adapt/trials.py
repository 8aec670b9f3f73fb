"""Trials of a head on crops that it was not fitted to, split by photo.

Each fold takes one part of every class: with few photos one photo a class. To leave out single photos instead would
leave just the class in question one example short, and make examples look worse than they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.model_selection import StratifiedGroupKFold

from agri_clip.encoders.heads import Words, blend
from fine_tune.adapt.heads.base import FewShot, class_weights

#: Most folds, and how many a crop is held out in altogether, over repeated splits, where there are fewer.
FOLDS, ROUNDS = 5, 4

#: Weights of a head's evidence that are tried.
WEIGHTS = tuple(float(w) for w in np.geomspace(0.01, 10, 13).round(4))

#: Temperatures lie between these.
COLDEST, HOTTEST = 0.2, 20.0


@dataclass(frozen=True)
class Task:
    """Vectors of labelled crops, and the words for their classes.

    Attributes
    ----------
    vectors : ndarray, shape (n, dim), float32
        Of unit length.
    classes : ndarray, shape (n,), int64
    photos : ndarray, shape (n,), int64
        Number of each crop's photo.
    words : Words
        Of k classes.
    taught : ndarray, shape (k,), bool, optional
        Classes whose words the encoder was taught; None where that is not known.
    """

    vectors: np.ndarray
    classes: np.ndarray
    photos: np.ndarray
    words: Words
    taught: np.ndarray | None = None

    @property
    def weights(self) -> np.ndarray:
        """Weight of each crop, (n,), with which all classes count the same; they sum to one."""
        return class_weights(self.classes)


@dataclass(frozen=True)
class Trial:
    """What a head says of each crop when it was fitted to the others.

    Attributes
    ----------
    evidence : ndarray, shape (n, k), float64
        Mean over the folds that held it out; 0 for classes of which no crop was left to fit to.
    fitted : ndarray, shape (n, k), bool
        False for these.
    """

    evidence: np.ndarray
    fitted: np.ndarray


def folds_of(task: Task, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers of crops to fit to and to try on; a photo's crops are always on one side."""
    pairs = np.unique(np.stack([task.classes, task.photos], axis=1), axis=0)
    usual = int(np.median(np.bincount(pairs[:, 0], minlength=task.words.classes)))
    folds = min(max(usual, 2), FOLDS, len(np.unique(task.photos)))
    for again in range(max(ROUNDS // folds, 1)):
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + again)
        with warnings.catch_warnings():
            # It warns of classes with fewer crops than folds; `Trial.fitted` takes care of these.
            warnings.simplefilter("ignore", UserWarning)
            yield from splitter.split(task.vectors, task.classes, task.photos)


def try_head(make: Callable[[], FewShot], task: Task, seed: int) -> Trial:
    """Fit a head to each fold's other crops, and let it judge the fold.

    Parameters
    ----------
    make : callable
        Gives a new head.
    task : Task
    seed : int
        Of the folds.
    """
    count = task.words.classes
    evidence, times = np.zeros((len(task.classes), count)), np.zeros((len(task.classes), count))
    for fit, held in folds_of(task, seed):
        present = np.unique(task.classes[fit])
        if len(present) < 2:
            continue
        number = np.full(count, -1)
        number[present] = np.arange(len(present))
        head = make().fit(task.vectors[fit], number[task.classes[fit]], task.words.of(present))
        evidence[np.ix_(held, present)] += head.evidence(task.vectors[held])
        times[np.ix_(held, present)] += 1
    return Trial(evidence / np.maximum(times, 1), times > 0)


def log_losses(log_shares: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Nats by which each crop's own class is missed, (n,)."""
    return -log_shares[np.arange(len(classes)), classes]


def fit_temperature(loss: Callable[[float], float]) -> float:
    """The temperature of least loss, between `COLDEST` and `HOTTEST`; searched on a logarithmic scale."""
    found = minimize_scalar(
        lambda log: loss(float(np.exp(log))),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 0.03},
    )
    return float(np.exp(found.x))


def choose_weight(trial: Trial, task: Task) -> tuple[float, float]:
    """Weight of the evidence, of `WEIGHTS`, and temperature that predict the held-out crops best."""
    words = task.words.logits(task.vectors)

    def loss(weight: float, temperature: float) -> float:
        shares = blend(words, trial.evidence, trial.fitted, weight, temperature)
        return float(task.weights @ log_losses(shares, task.classes))

    best = []
    for weight in WEIGHTS:
        temperature = fit_temperature(lambda t, weight=weight: loss(weight, t))  # type: ignore[misc]
        best.append((loss(weight, temperature), weight, temperature))
    return min(best)[1:]


def words_alone(task: Task) -> np.ndarray:
    """Log shares (n, k) by words at the temperature that suits the crops best, so that confidence is no advantage."""
    words = task.words.logits(task.vectors)
    nothing, used = np.zeros_like(words), np.ones(words.shape[1], bool)

    def shares(temperature: float) -> np.ndarray:
        return blend(words, nothing, used, 0.0, temperature)

    return shares(fit_temperature(lambda t: float(task.weights @ log_losses(shares(t), task.classes))))
