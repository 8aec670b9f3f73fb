"""The gate: examples are used where they beat the words on crops they were not fitted to, by more than noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import log_softmax

from agri_clip.encoders.heads import blend
from fine_tune.adapt.heads.base import class_weights
from fine_tune.adapt.trials import Task, Trial, log_losses, words_alone

#: Chance by which labels that mean nothing pass, as a whole.
LEVEL = 0.02

#: Standard deviations by which a single class must gain. It is judged on few crops, so it leans on the others.
CLASS_NOISE = 1.0

#: With too few photos to hold any out: chance by which the words agree as well with labels that mean nothing. Chosen on
#: six groups that are not measured on, asked by descriptions: of true labels 52 in 100 pass, of shuffled ones 20.
AGREEMENT_LEVEL = 0.2

#: Shuffles of labels behind that chance.
SHUFFLES = 2000


@dataclass(frozen=True)
class ClassVerdict:
    """What the held-out crops say of one class.

    Attributes
    ----------
    label : str
    crops, photos : int
        Labelled.
    words_right, examples_right : float
        Share of its held-out crops that each names rightly among all classes; NaN where none could be held out.
    gain, noise : float
        Nats that examples save in telling it from the others, and the standard error; NaN where not known.
    used : bool
    """

    label: str
    crops: int
    photos: int
    words_right: float
    examples_right: float
    gain: float
    noise: float
    used: bool


@dataclass(frozen=True)
class Verdict:
    """Whether examples are used, for which classes, and why.

    Attributes
    ----------
    used : ndarray, shape (k,), bool
        All False: the words are kept.
    reason : str
        One sentence.
    gain, noise : float
        Nats a crop that examples save, all classes counting the same, and the standard error; NaN with one photo a
        class, where nothing can be held out.
    classes : tuple of k ClassVerdict
    log_shares : ndarray, shape (n, k), float64
        Shares of the classes for each crop as they were held out.
    """

    used: np.ndarray
    reason: str
    gain: float
    noise: float
    classes: tuple[ClassVerdict, ...]
    log_shares: np.ndarray


def can_hold_out(task: Task) -> np.ndarray:
    """Classes (k,) whose crops are of two photos or more, so that one can be judged by the other."""
    return np.array([len(np.unique(task.photos[task.classes == c])) > 1 for c in range(task.words.classes)])


def judge(task: Task, trial: Trial, weight: float, temperature: float, labels: tuple[str, ...]) -> Verdict:
    """Judge a head by its trial.

    Parameters
    ----------
    task : Task
    trial : Trial
    weight, temperature : float
        As chosen on the same trial; that one choice makes examples look better by far less than noise.
    labels : tuple of k str

    Returns
    -------
    Verdict
    """
    words = task.words.logits(task.vectors)
    plain = words_alone(task)
    shares = blend(words, trial.evidence, trial.fitted, weight, temperature)
    judged = trial.fitted[np.arange(len(task.classes)), task.classes]
    gain, noise = _gain(task, plain, shares, judged)
    limit = _limit(task, judged)
    gains, noises, used = _judge_classes(task, plain, shares, judged)
    if gain <= limit * noise:
        used[:] = False
        reason = f"examples save {gain:.3f} nats a held-out crop, within noise ({limit * noise:.3f}): words are kept"
    elif used.sum() < 2:
        used[:] = False
        reason = "examples help too few classes to tell any from another: words are kept"
    else:
        shares = blend(words, trial.evidence, trial.fitted & used, weight, temperature)
        gain, noise = _gain(task, plain, shares, judged)
        reason = f"examples save {gain:.3f} nats a held-out crop, beyond noise ({limit * noise:.3f})"
        if gain <= limit * noise or _right(shares, task, judged) < _right(words, task, judged):
            used[:] = False
            reason = "with the classes that examples help, held-out crops are named no better: words are kept"
    if not used.any():
        shares = log_softmax(words, axis=1)
    return Verdict(
        used, reason, gain, noise, _verdicts(task, words, shares, judged, gains, noises, used, labels), shares
    )


def judge_by_agreement(task: Task, labels: tuple[str, ...], seed: int) -> Verdict:
    """Judge where photos are too few to prove a gain on held-out crops: labels are believed where the words agree.

    Words that the encoder was taught agree where they fit the labels better than most shuffles of them do. Of labels in
    words that it was never taught nothing can be said, and they are given because words fail: where there are no
    others, they are believed.

    Class by class, one stays with its words where these name its crops rightly, and no other crop so.
    """
    words = log_softmax(task.words.logits(task.vectors), axis=1)
    taught = np.ones(task.words.classes, bool) if task.taught is None else task.taught
    classes = task.classes[taught[task.classes]]
    known = words[taught[task.classes]]
    asked = len(np.unique(classes)) > 1
    rng = np.random.default_rng(seed)
    rows = np.arange(len(classes))
    shuffled = np.array([known[rows, rng.permutation(classes)].sum() for _ in range(SHUFFLES)])
    own = known[rows, classes].sum()
    # Sums in another order differ in their last digits. Of two or three labels even the best order is not that rare.
    agree = bool((shuffled >= own - 1e-9).mean() <= AGREEMENT_LEVEL or own >= shuffled.max() - 1e-9)
    used = agree & ~_named_well(words, task.classes)
    if not agree:
        told = "other orders of the labels fit the words as well; check the labels, or give more photos: words are kept"
    elif not used.any():
        told = "the words name all crops rightly: words are kept"
    elif asked:
        told = "words and labels agree"
    else:
        told = "the encoder was not taught the labels' words, so labels are believed"
    reason = f"too few photos to prove a gain on held-out crops; {told}"
    nan = np.full(task.words.classes, np.nan)
    none = np.zeros(len(task.classes), bool)
    return Verdict(used, reason, np.nan, np.nan, _verdicts(task, words, words, none, nan, nan, used, labels), words)


def _named_well(words: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Classes (k,) that the words (n, k) give to their own crops, and to no other."""
    given = words.argmax(axis=1) == np.arange(words.shape[1])[:, None]
    own = classes == np.arange(words.shape[1])[:, None]
    return np.asarray((given == own).all(axis=1))


def _gain(task: Task, plain: np.ndarray, shares: np.ndarray, judged: np.ndarray) -> tuple[float, float]:
    """Nats saved on the judged crops, all classes counting the same, and the standard error over photos."""
    if not judged.any():
        return 0.0, np.inf
    saved = (log_losses(plain, task.classes) - log_losses(shares, task.classes))[judged]
    return _mean(saved, class_weights(task.classes[judged]), task.photos[judged])


def _mean(values: np.ndarray, weights: np.ndarray, photos: np.ndarray) -> tuple[float, float]:
    """Weighted mean and its standard error, where values of one photo go together; weights sum to one."""
    mean = float(weights @ values)
    _, owner = np.unique(photos, return_inverse=True)
    count = owner.max() + 1
    parts = np.bincount(owner, weights=weights * (values - mean), minlength=count)
    return mean, float(np.sqrt((parts**2).sum() * count / (count - 1))) if count > 1 else np.inf


def _limit(task: Task, judged: np.ndarray) -> float:
    """Standard errors that count as more than noise."""
    return float(stats.t.ppf(1 - LEVEL, max(len(np.unique(task.photos[judged])) - 1, 1)))


def _judge_classes(
    task: Task, plain: np.ndarray, shares: np.ndarray, judged: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each class: nats saved in telling it from the others, standard error, and whether to use examples.

    A class of few crops leans on what the others gain: gains are taken for normal about a common mean, with a spread
    between classes that is estimated by DerSimonian and Laird, Meta-analysis in clinical trials, 1986.
    """
    count = task.words.classes
    gains, noises = np.full(count, np.nan), np.full(count, np.nan)
    for number in range(count):
        mine = judged & (task.classes == number)
        others = judged & (task.classes != number)
        if not mine.any() or not others.any():
            continue
        saved = _binary_losses(plain[:, number], mine) - _binary_losses(shares[:, number], mine)
        weights = np.where(mine, 0.5 / mine.sum(), 0.5 / others.sum())[judged]
        gains[number], noises[number] = _mean(saved[judged], weights, task.photos[judged])
    known = np.isfinite(gains) & np.isfinite(noises)
    if not known.any():
        return gains, noises, np.zeros(count, bool)
    precision = 1 / np.maximum(noises[known], 1e-6) ** 2
    mean = float((precision * gains[known]).sum() / precision.sum())
    excess = float((precision * (gains[known] - mean) ** 2).sum()) - (known.sum() - 1)
    scale = precision.sum() - (precision**2).sum() / precision.sum()
    between = max(excess / max(scale, 1e-12), 1e-12)
    total = 1 / (1 / precision + between)
    mean, spread = float((total * gains[known]).sum() / total.sum()), 1 / total.sum()
    leaning = between / (between + 1 / precision)
    # A class that could not be held out follows the others.
    centre, width = np.full(count, mean), np.full(count, np.sqrt(spread + between))
    centre[known] = mean + leaning * (gains[known] - mean)
    width[known] = np.sqrt(leaning / precision + (1 - leaning) ** 2 * spread)
    return gains, noises, centre > CLASS_NOISE * width


def _binary_losses(log_share: np.ndarray, mine: np.ndarray) -> np.ndarray:
    """Nats by which "it is this class" is missed for each crop."""
    share = np.clip(np.exp(log_share), 1e-6, 1 - 1e-6)
    return -np.log(np.where(mine, share, 1 - share))


def _right(scores: np.ndarray, task: Task, judged: np.ndarray) -> float:
    """Share of the judged crops named rightly, all classes counting the same."""
    right = scores.argmax(axis=1) == task.classes
    return float(class_weights(task.classes[judged]) @ right[judged]) if judged.any() else 0.0


def _verdicts(
    task: Task,
    words: np.ndarray,
    shares: np.ndarray,
    judged: np.ndarray,
    gains: np.ndarray,
    noises: np.ndarray,
    used: np.ndarray,
    labels: tuple[str, ...],
) -> tuple[ClassVerdict, ...]:
    verdicts = []
    for number, label in enumerate(labels):
        all_of = task.classes == number
        mine = judged & all_of
        right = [float((s[mine].argmax(axis=1) == number).mean()) if mine.any() else np.nan for s in (words, shares)]
        photos = len(np.unique(task.photos[all_of]))
        numbers = (right[0], right[1], float(gains[number]), float(noises[number]), bool(used[number]))
        verdicts.append(ClassVerdict(label, int(all_of.sum()), photos, *numbers))
    return tuple(verdicts)
