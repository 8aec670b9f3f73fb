"""Figures of the whole way, from a photo to counted insects, with the prompt "an insect"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from agri_clip.detections import BACKGROUND, FOUND, Detections
from agri_clip.detector import Detector
from agri_clip.encoders import Encoder
from agri_clip.evaluation.matching import Boxes
from agri_clip.photos.photo import Photo
from agri_clip.prompts import PromptSet
from agri_clip.regions import Proposer
from agri_clip.regions.base import Regions
from benchmarks.intervals import Matches, ap50, mean_over, with_interval
from benchmarks.labelled import LabelledSet, match
from benchmarks.proposers import load_proposer

PROMPT = "an insect"


class RememberingProposer:
    """A proposer that reads each photo once, however many encoders follow it.

    Parameters
    ----------
    proposer : str or Proposer
        As `get_proposer` takes it.

    Raises
    ------
    ModelError
        As `benchmarks.proposers.load_proposer`.
    """

    def __init__(self, proposer: str | Proposer) -> None:
        self.proposer = load_proposer(proposer)
        self.name, self.version = self.proposer.name, self.proposer.version
        self._found: dict[str, Regions] = {}

    def propose(self, photo: Photo) -> Regions:
        """The proposer's regions; photos are told apart by their names."""
        if photo.name not in self._found:
            self._found[photo.name] = self.proposer.propose(photo)
        return self._found[photo.name]


@dataclass(frozen=True)
class Outcome:
    """What the whole way gave on a set.

    Attributes
    ----------
    photos : LabelledSet
    boxes : Boxes
        All regions, best score first; `counted` by the default threshold.
    insect : ndarray, shape (boxes,), bool
        Not background: counted wherever the threshold is no higher than the score.
    """

    photos: LabelledSet
    boxes: Boxes
    insect: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Insects counted in each photo at the default threshold, shape (photos,), int64."""
        return np.bincount(self.boxes.photo_index[self.boxes.counted], minlength=len(self.photos))

    def counts_at(self, threshold: float) -> np.ndarray:
        """Insects counted in each photo at a threshold, as `agri_clip.evaluation.metrics` counts them."""
        counted = self.insect & (self.boxes.scores >= threshold)
        return np.bincount(self.boxes.photo_index[counted], minlength=len(self.photos))


def run(detector: Detector, photos: LabelledSet) -> Outcome:
    """Take the whole way on every photo of a set."""
    result = Detections.concat([part for _, part in detector.stream(photos, PromptSet.of(PROMPT))])
    order = np.argsort(-result.scores, kind="stable")
    boxes = Boxes(
        photo_index=result.photo_index.astype(np.int64),
        xyxy=result.boxes.astype(np.float64),
        scores=result.scores.astype(np.float64),
        label_index=result.label_index.astype(np.int64),
        counted=result.status == FOUND,
    )
    return Outcome(photos, boxes[order], (result.status != BACKGROUND)[order])


def choose_threshold(outcome: Outcome) -> float | None:
    """The score threshold with the least mean relative counting error; of equally good ones the middle one.

    Returns
    -------
    float or None
        One of the scores; None where no photo has an insect, or no region is one.
    """
    labelled = outcome.photos.insects
    scores = np.unique(outcome.boxes.scores[outcome.insect])
    some = np.flatnonzero(labelled)
    if not len(some) or not len(scores):
        return None
    error = np.zeros(len(scores))
    for photo in some:
        own = np.sort(outcome.boxes.scores[outcome.insect & (outcome.boxes.photo_index == photo)])
        counted = len(own) - np.searchsorted(own, scores)
        error += np.abs(counted - labelled[photo]) / labelled[photo]
    best = np.flatnonzero(error <= error.min() + 1e-12)
    return float(scores[best[len(best) // 2]])


def counting_error(counted: np.ndarray, labelled: np.ndarray) -> dict[str, Any]:
    """Mean over photos with insects of |counted - labelled| / labelled."""
    some = np.flatnonzero(labelled)
    relative = np.abs(counted[some] - labelled[some]) / labelled[some]
    return with_interval(mean_over(relative, np.arange(len(some))), len(some))


def threshold_figures(outcome: Outcome) -> dict[str, Any]:
    """Precision, recall and F1 of what the default threshold counts, with intervals over photos."""
    matches = match(outcome.boxes[outcome.boxes.counted], outcome.photos.truth)
    photos = np.arange(len(outcome.photos))
    right = mean_over(np.bincount(matches.photo_index[matches.hit], minlength=len(photos)), photos)
    given = mean_over(np.bincount(matches.photo_index, minlength=len(photos)), photos)
    labelled = mean_over(matches.insects, photos)
    figures: dict[str, Callable[[np.ndarray], float]] = {
        "precision": lambda weights: right(weights) / (given(weights) or np.nan),
        "recall": lambda weights: right(weights) / (labelled(weights) or np.nan),
        "f1": lambda weights: 2 * right(weights) / (given(weights) + labelled(weights) or np.nan),
    }
    return {name: with_interval(figure, len(photos)) for name, figure in figures.items()}


def measure_whole_way(
    proposer: Proposer,
    encoder: str | Encoder,
    traps: LabelledSet,
    real: LabelledSet | None = None,
    train: LabelledSet | None = None,
) -> dict[str, Any]:
    """All figures of one proposer with one encoder.

    Parameters
    ----------
    proposer : Proposer
    encoder : str or Encoder
        As `get_encoder` takes it.
    traps : LabelledSet
        Rendered.
    real : LabelledSet, optional
        Real photos that are measured.
    train : LabelledSet, optional
        Other real photos, on which the threshold of the counting error is chosen.

    Returns
    -------
    dict
        `default_threshold`; `traps`: precision, recall, F1; `real`: these, AP50, and the relative counting error at the
        default threshold and, where there is `train`, at the `threshold` chosen there.
    """
    detector = Detector(proposer=proposer, encoder=encoder)
    thresholds = detector.labeller.embed(PromptSet.of(PROMPT)).thresholds()
    figures: dict[str, Any] = {
        "default_threshold": thresholds[PROMPT],
        "traps": threshold_figures(run(detector, traps)),
    }
    if real is None:
        return figures
    outcome = run(detector, real)
    matches: Matches = match(outcome.boxes, real.truth)
    figures["real"] = {
        "ap50": with_interval(lambda weights: ap50(matches, weights), len(real)),
        **threshold_figures(outcome),
        "counting_error_default": counting_error(outcome.counts, real.insects),
    }
    threshold = choose_threshold(run(detector, train)) if train is not None else None
    if threshold is not None:
        figures["real"]["threshold"] = threshold
        figures["real"]["counting_error"] = counting_error(outcome.counts_at(threshold), real.insects)
    return figures
