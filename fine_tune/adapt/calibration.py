"""Calibration on labelled crops: a temperature, thresholds for a precision or the best F1, and a reliability plot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar

from agri_clip.encoders.calibration import Calibration
from agri_clip.errors import DataError
from agri_clip.scoring.label_vectors import NO_CLASS, Examples, LabelVectors
from agri_clip.scoring.score import THRESHOLD, Scores

#: Fewest crops of a label for a threshold of its own; of fewer the default is as good.
LEAST_CROPS = 5

#: Temperatures lie between these.
COLDEST, HOTTEST = 0.1, 20.0

#: Truth of a region that shows none of the labels, but maybe an insect; `NO_CLASS` is one that shows no insect.
NONE_ASKED = -2

#: Bins of the reliability plot and of the calibration error.
BINS = 10


@dataclass(frozen=True)
class Reliability:
    """How often scores are right, bin by bin.

    Attributes
    ----------
    score, right : ndarray, shape (bins,), float64
        Mean score, and share of crops whose best label is right; NaN where a bin is empty.
    crops : ndarray, shape (bins,), int64
    error : float
        Expected calibration error: the mean distance of the two, weighted by crops.
    """

    score: np.ndarray
    right: np.ndarray
    crops: np.ndarray
    error: float


@dataclass(frozen=True)
class HeldOutShift:
    """Evidence of a head as it was while each crop was held out; for the very crops it was made of, in their order."""

    values: np.ndarray

    def shift(self, vectors: np.ndarray) -> np.ndarray:
        """The values; ValueError where these are not those crops."""
        if len(vectors) != len(self.values):
            raise ValueError(f"{len(vectors)} vectors for the evidence of {len(self.values)} crops")
        return self.values


def held_out(prompts: LabelVectors, shift: np.ndarray) -> LabelVectors:
    """Prompts whose evidence is that of held-out crops, (n, classes), where they have any."""
    if prompts.examples is None:
        return prompts
    evidence = HeldOutShift(shift)
    return replace(prompts, examples=Examples(evidence, prompts.examples.class_of, prompts.examples.background))


def calibrate(
    scores_at: Callable[[float], Scores],
    truth: np.ndarray,
    prompts: LabelVectors,
    precision: float | None = None,
    missed: np.ndarray | int = 0,
    least: float = 0.0,
) -> tuple[Calibration, Reliability, Reliability]:
    """Fit a temperature and a threshold for each label.

    The temperature is that of least log loss of the right label, or of no insect. Thresholds follow at it: for a wanted
    precision the least one that reaches it from there on, else the one of best F1; `LEAST_CROPS` crops are needed for
    either, and a label with fewer keeps the default.

    Parameters
    ----------
    scores_at : callable
        Gives the scores of n labelled crops at a temperature; with an adapted encoder, of crops that it was not fitted
        to.
    truth : ndarray, shape (n,), int
        Label of each, `NO_CLASS` for one that shows no insect, or `NONE_ASKED`.
    prompts : LabelVectors
        What was asked.
    precision : float or None
        Wanted; None for the best F1.
    missed : ndarray, shape (labels,), int, or 0
        Insects of each label that were not found, so that they have no score.
    least : float
        No threshold is below this: of crops that are all insects, even the lowest threshold has a good F1.

    Returns
    -------
    calibration : Calibration
    before, after : Reliability
        At temperature 1, and at the fitted one.

    Raises
    ------
    DataError
        There are fewer than `LEAST_CROPS` crops of insects, or the precision is no share.
    """
    if precision is not None and not 0 < precision <= 1:
        raise DataError(f"precision is {precision:g}; it must be above 0 and at most 1, such as 0.9")
    if (insects := int((truth >= 0).sum())) < LEAST_CROPS:
        raise DataError(f"{insects} insects are too few to calibrate on; label {LEAST_CROPS} at least")

    def loss(temperature: float) -> float:
        scores = scores_at(temperature)
        right = np.where(truth == NO_CLASS, 1 - scores.insect, scores.labels[np.arange(len(truth)), truth])
        right = np.where(truth == NONE_ASKED, _of_none(scores, prompts), right)
        return float(-np.log(np.maximum(right, 1e-6)).mean())

    found = minimize_scalar(
        lambda log: loss(float(np.exp(log))), bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded"
    )
    temperature = float(np.exp(found.x))
    uncalibrated, scores = scores_at(1.0), scores_at(temperature)
    before, after = (reliability(s.score.astype(np.float64), s.label_index == truth) for s in (uncalibrated, scores))
    totals = np.bincount(truth[truth >= 0], minlength=len(prompts.labels)) + missed
    thresholds = {}
    for number, (label, total) in enumerate(zip(prompts.labels, totals.tolist(), strict=True)):
        chosen = scores.label_index == number
        fit = choose_threshold(scores.score[chosen], truth[chosen] == number, total, precision)
        thresholds[label] = max(fit, least)
    goal = "best F1" if precision is None else f"precision {precision:g}"
    fitted_on = {"crops": len(truth), "error_before": round(before.error, 4), "error_after": round(after.error, 4)}
    return Calibration(temperature, thresholds, goal, fitted_on), before, after


def choose_threshold(scores: np.ndarray, right: np.ndarray, total: int, precision: float | None = None) -> float:
    """The threshold of a label from the crops whose best label it is.

    Of thresholds whose F1 is the best but for noise, the one nearest the default: few crops are no reason to leave it.

    Parameters
    ----------
    scores : ndarray, shape (m,), 0 to 1
    right : ndarray, shape (m,), bool
        Whether the label is right.
    total : int
        Crops of the label, those under another best label too.
    precision : float or None
        Wanted; None for the best F1.

    Returns
    -------
    float
        The default of scoring for fewer than `LEAST_CROPS` crops of the label, or where it takes the very crops that
        are to be taken; else half way between two scores; above all scores where a wanted precision is not reached.
    """
    if total < LEAST_CROPS or not len(scores):
        return THRESHOLD
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order].astype(np.float64), right[order]
    # Crops of one score are counted together.
    ends = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True))
    if precision is None:
        best = _nearest_default(ranked, right, ends, total)
    else:
        reached = ends[np.cumsum(right)[ends] / (ends + 1) >= precision]
        if not len(reached):
            return float(min(1.0, ranked[0] + (1 - ranked[0]) / 2))
        best = reached[-1]
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return THRESHOLD if below < THRESHOLD <= ranked[best] else float((ranked[best] + below) / 2)


def _nearest_default(ranked: np.ndarray, right: np.ndarray, ends: np.ndarray, total: int) -> int:
    """Of all numbers of crops that may be taken, less one, that nearest the default which is best but for noise.

    F1 is compared by one standard error of its difference, by what each crop adds to either (the delta method).
    """
    hits, counted = np.cumsum(right)[ends], ends + 1
    f1 = 2 * hits / (counted + total)
    best = int(np.argmax(f1))
    places, spread = np.arange(len(ranked)), len(ranked) / max(len(ranked) - 1, 1)

    def parts(number: int) -> np.ndarray:
        taken = places <= ends[number]
        return np.asarray((taken * (2 * right - f1[number]) - f1[number] * right) / (counted[number] + total))

    # How far the default lies outside the scores between which the threshold would be.
    below = np.append(ranked[ends[:-1] + 1], 0.0)
    away = np.maximum(0, np.maximum(below - THRESHOLD, THRESHOLD - ranked[ends]))
    at_best = parts(best)
    for number in np.lexsort((-f1, away)).tolist():
        noise = float(np.sqrt(((at_best - parts(number)) ** 2).sum() * spread))
        if f1[best] - f1[number] <= noise:
            return int(ends[number])
    return int(ends[best])


def _of_none(scores: Scores, prompts: LabelVectors) -> np.ndarray:
    """Probability that a region shows none of the labels, (n,)."""
    if prompts.activation == "softmax":
        return 1 - scores.labels.sum(axis=1)
    return np.prod(1 - scores.labels, axis=1)


def reliability(scores: np.ndarray, right: np.ndarray) -> Reliability:
    """How often scores (n,) are right (n,), in bins of equal width.

    References
    ----------
    Guo et al., On Calibration of Modern Neural Networks, 2017, section 2.
    """
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    crops = np.bincount(place, minlength=BINS)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, weights=scores, minlength=BINS) / crops
        share = np.bincount(place, weights=right, minlength=BINS) / crops
    error = float(np.nansum(crops * np.abs(mean - share)) / max(len(scores), 1))
    return Reliability(mean, share, crops, error)


def reliability_chart(parts: Sequence[tuple[str, Reliability]]) -> str:
    """A reliability plot as HTML without network: share of right crops by score, against the diagonal."""
    import plotly.graph_objects as go

    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], mode="lines", name="right as probability", line={"dash": "dot"}))
    for name, part in parts:
        some = part.crops > 0
        figure.add_scatter(
            x=part.score[some],
            y=part.right[some],
            mode="lines+markers",
            name=f"{name}, error {part.error:.3f}",
            text=[f"{n} crops" for n in part.crops[some]],
            marker={"size": 4 + 2 * np.sqrt(part.crops[some])},
        )
    figure.update_layout(
        title="How often scores are right",
        xaxis={"title": "score", "range": [0, 1]},
        yaxis={"title": "share of crops named rightly", "range": [0, 1]},
        template="plotly_white",
    )
    return str(figure.to_html(include_plotlyjs=True, full_html=True))
