"""The ladder: which methods fit the number of examples, which of them predicts held-out crops best, and the gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from agri_clip.encoders.heads import FewShotHead, blend
from agri_clip.errors import DataError
from fine_tune.adapt.gate import Verdict, can_hold_out, judge, judge_by_agreement
from fine_tune.adapt.heads import ClipAdapter, FewShot, GaussianHead, TextProbe, TipAdapter
from fine_tune.adapt.trials import Task, Trial, choose_weight, fit_temperature, log_losses, try_head, words_alone

Method = Literal["gda", "probe", "tip-adapter", "tip-adapter-f", "clip-adapter"]
METHODS: tuple[Method, ...] = get_args(Method)

#: From so many crops of the usual class on, these methods are tried as well.
RUNGS: tuple[tuple[int, tuple[Method, ...]], ...] = (
    (1, ("gda", "probe")),
    (4, ("tip-adapter", "tip-adapter-f", "clip-adapter")),
)

#: From so many crops of the usual class on, adapting the encoder itself is worth a trial.
TOWERS_FROM = 16

#: Weight of the Gaussian evidence where nothing can be held out, over the temperature of the words on these crops.
#: On rehearsal groups that no training showed it names .45 of all crops rightly with one crop a class (words .09); on
#: groups of the training .85 as the words do.
UNTRIED_WEIGHT = 0.005

#: With fewer photos of the usual class held-out crops cannot prove a gain; where they show one, labels are believed as
#: with one photo.
PROVABLE = 4

#: Settings of each method that are tried.
_SETTINGS: dict[Method, tuple[Callable[[int], FewShot], ...]] = {
    "gda": (lambda _: GaussianHead(),),
    "probe": (lambda _: TextProbe(),),
    "tip-adapter": (lambda _: TipAdapter(2.0), lambda _: TipAdapter(5.5)),
    "tip-adapter-f": (lambda _: TipAdapter(5.5, tuned=True, tuning_weight=2.0),),
    "clip-adapter": (lambda seed: ClipAdapter(0.2, seed=seed), lambda seed: ClipAdapter(0.6, seed=seed)),
}


@dataclass(frozen=True)
class Candidate:
    """A method with its settings, as it did on held-out crops.

    Attributes
    ----------
    method : Method
    make : callable
        Gives a new head from a seed.
    trial : Trial
    weight, temperature : float
    losses : ndarray, shape (n,), float64
        Nats by which each held-out crop was missed.
    """

    method: Method
    make: Callable[[int], FewShot]
    trial: Trial
    weight: float
    temperature: float
    losses: np.ndarray


@dataclass(frozen=True)
class Climbed:
    """Where the ladder ended.

    Attributes
    ----------
    head : FewShotHead or None
        None where the words are kept.
    method : Method
        That was judged.
    why : str
        Why this method.
    verdict : Verdict
    tried : tuple of (str, float)
        Methods tried with the nats by which they miss a held-out crop, all classes counting the same; the words first.
    """

    head: FewShotHead | None
    method: Method
    why: str
    verdict: Verdict
    tried: tuple[tuple[str, float], ...]


def usual_count(task: Task) -> int:
    """Crops of the usual class: the median over classes."""
    return int(np.median(np.bincount(task.classes, minlength=task.words.classes)))


def usual_photos(task: Task) -> int:
    """Photos with crops of the usual class: the median over classes."""
    return int(np.median([len(np.unique(task.photos[task.classes == c])) for c in range(task.words.classes)]))


def methods_for(count: int) -> tuple[Method, ...]:
    """Methods of the ladder that fit so many crops a class, simplest first."""
    return tuple(method for least, methods in RUNGS if count >= least for method in methods)


def climb(task: Task, labels: Sequence[str], method: Method | None = None, seed: int = 0) -> Climbed:
    """Choose a method by held-out crops, judge it, and fit it to all crops where it passes.

    Of methods that are equal but for noise, the simplest is taken.

    Parameters
    ----------
    task : Task
    labels : sequence of k str
    method : Method or None
        None chooses.
    seed : int
        Of folds and of the methods that begin at random.

    Returns
    -------
    Climbed

    Raises
    ------
    DataError
        There are fewer than two classes.
    """
    names = tuple(labels)
    if task.words.classes < 2:
        raise DataError(
            f"only {names[0]!r} is labelled, and there is nothing to tell it from; label crops of another insect, or "
            "crops that show none"
        )
    if method is not None and method not in METHODS:
        raise DataError(f"no few-shot method is called {method!r}; known are {', '.join(METHODS)}")
    count = usual_count(task)
    if can_hold_out(task).sum() < 2:
        return _climb_untried(task, names, method, seed)
    methods = (method,) if method else methods_for(count)
    candidates = [candidate for name in methods for candidate in _candidates(task, name, seed)]
    best = _simplest(candidates, task)
    verdict = judge(task, best.trial, best.weight, best.temperature, names)
    if not verdict.used.any() and verdict.gain > 0 and usual_photos(task) < PROVABLE and method in (None, "gda"):
        return _climb_untried(task, names, method, seed)
    tried = [("words", float(task.weights @ log_losses(words_alone(task), task.classes)))]
    for name in methods:
        tried.append((name, min(float(task.weights @ c.losses) for c in candidates if c.method == name)))
    why = "as asked for" if method else f"{count} crops of the usual class; the simplest of those equal but for noise"
    head = None
    if verdict.used.any():
        fitted = best.make(seed).fit(task.vectors, task.classes, task.words)
        head = _head_of(fitted, best.method, names, verdict.used, task, best.weight, best.temperature)
    return Climbed(head, best.method, why, verdict, tuple(tried))


def _candidates(task: Task, method: Method, seed: int) -> list[Candidate]:
    made = []
    words = task.words.logits(task.vectors)
    for make in _SETTINGS[method]:
        trial = try_head(lambda make=make: make(seed), task, seed)  # type: ignore[misc]
        weight, temperature = choose_weight(trial, task)
        shares = blend(words, trial.evidence, trial.fitted, weight, temperature)
        made.append(Candidate(method, make, trial, weight, temperature, log_losses(shares, task.classes)))
    return made


def _simplest(candidates: Sequence[Candidate], task: Task) -> Candidate:
    """The first candidate that misses no more than the best one by more than one standard error of their difference."""
    losses = np.array([task.weights @ candidate.losses for candidate in candidates])
    best = candidates[int(losses.argmin())]
    for candidate in candidates:
        more = candidate.losses - best.losses
        mean = float(task.weights @ more)
        if mean <= float(np.sqrt((task.weights**2 * (more - mean) ** 2).sum())):
            return candidate
    return best


def _climb_untried(task: Task, labels: tuple[str, ...], method: Method | None, seed: int) -> Climbed:
    """Closed form with a set weight, where photos are too few to hold any out, or to prove anything by it."""
    if method not in (None, "gda"):
        raise DataError(
            f"{method} needs classes with crops of two photos or more, to choose its weight by; give more crops, or "
            "--method gda"
        )
    words = task.words.logits(task.vectors)
    nothing, every = np.zeros_like(words), np.ones(words.shape[1], bool)

    def loss(temperature: float) -> float:
        shares = blend(words, nothing, every, 0.0, temperature)
        return float(task.weights @ log_losses(shares, task.classes))

    # Words that fail on the labelled crops are believed less: their temperature is high, and evidence counts for more.
    temperature = max(fit_temperature(loss), 1.0)
    verdict = judge_by_agreement(task, labels, seed)
    head = None
    if verdict.used.any():
        fitted = GaussianHead().fit(task.vectors, task.classes, task.words)
        weight = UNTRIED_WEIGHT * temperature
        head = _head_of(fitted, "gda", labels, verdict.used, task, weight, temperature)
    why = "few photos a class: the closed form, with the weight that served best on other insects"
    return Climbed(head, "gda", why, verdict, (("words", loss(temperature)),))


def _head_of(
    fitted: FewShot,
    method: Method,
    labels: tuple[str, ...],
    used: np.ndarray,
    task: Task,
    weight: float,
    temperature: float,
) -> FewShotHead:
    arrays = {name: np.asarray(array, np.float32) for name, array in fitted.arrays_.items()}
    return FewShotHead(method, fitted.kind, labels, used, task.words, weight, temperature, arrays)
