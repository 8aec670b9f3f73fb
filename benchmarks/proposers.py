"""Figures of a proposer by itself: AP50, recall and number of boxes, on real photos and on every kind of ground."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from agri_clip.detector import propose_on_card
from agri_clip.evaluation.matching import Boxes
from agri_clip.photos.photo import Photo
from agri_clip.regions import Proposer, get_proposer
from agri_clip.regions.base import Regions
from agri_clip.regions.card import find_card
from benchmarks.intervals import Matches, ap50, mean_over, recall_at, with_interval
from benchmarks.labelled import LabelledSet, match

#: Boxes for each insect among which the first recall is taken.
BEST_BOXES = 3


def load_proposer(proposer: str | Proposer) -> Proposer:
    """A proposer that has run once, so that one which cannot is known before anything is measured.

    Raises
    ------
    ModelError
        It is unknown, not here, or cannot be loaded.
    """
    made = get_proposer(proposer)
    made.propose(Photo(np.full((64, 64, 3), 200, np.uint8), "blank"))
    return made


def measure_proposer(
    proposer: str | Proposer, rendered: LabelledSet, real: LabelledSet | None = None, left_out: Collection[str] = ()
) -> dict[str, Any]:
    """All figures of one proposer.

    Parameters
    ----------
    proposer : str or Proposer
        As `get_proposer` takes it.
    rendered : LabelledSet
        With kinds.
    real : LabelledSet, optional
    left_out : collection of str
        Kinds of ground whose mean stands apart.

    Returns
    -------
    dict
        `rendered` and `real`, each as `set_figures`; `kinds`, as `kind_figures`.

    Raises
    ------
    ModelError
        As `load_proposer`.
    """
    proposer = load_proposer(proposer)
    matches = judge(proposer, rendered)
    figures = {
        "version": proposer.version,
        "rendered": set_figures(matches),
        "kinds": kind_figures(matches, rendered.kinds, left_out),
    }
    if real is not None:
        figures["real"] = set_figures(judge(proposer, real))
    return figures


def judge(proposer: Proposer, photos: LabelledSet) -> Matches:
    """The proposer's boxes, on the card where one is found as the program does, and which of them found an insect."""
    found = [propose_on_card(proposer, photo, find_card(photo)) for photo in photos]
    regions = Regions.concat([Regions(part.boxes, part.objectness) for part in found])
    boxes = Boxes(
        photo_index=np.repeat(np.arange(len(found)), [len(part) for part in found]),
        xyxy=regions.boxes.astype(np.float64),
        scores=regions.objectness.astype(np.float64),
        label_index=np.zeros(len(regions), np.int64),
        counted=np.ones(len(regions), bool),
    )
    return match(boxes, photos.truth)


def set_figures(matches: Matches) -> dict[str, Any]:
    """AP50, recall of the best boxes and of all, and boxes per insect, with intervals over photos."""
    photos = np.arange(len(matches.insects))
    boxes = np.bincount(matches.photo_index, minlength=len(photos))
    mean_boxes, mean_insects = mean_over(boxes, photos), mean_over(matches.insects, photos)
    figures: dict[str, Callable[[np.ndarray], float]] = {
        "ap50": lambda weights: ap50(matches, weights),
        "recall_best": lambda weights: recall_at(matches, weights, BEST_BOXES),
        "recall": lambda weights: recall_at(matches, weights, np.inf),
        "boxes_per_insect": lambda weights: mean_boxes(weights) / (mean_insects(weights) or np.nan),
    }
    return {name: with_interval(figure, len(photos)) for name, figure in figures.items()}


def kind_figures(matches: Matches, kinds: Sequence[str], left_out: Collection[str] = ()) -> dict[str, Any]:
    """AP50 on each kind of ground, and their means.

    Returns
    -------
    dict
        `each`, by kind; `mean` over all kinds; where kinds are left out, `mean_in` and `mean_out` over the others and
        over these.
    """
    owner = np.array(kinds)
    names = tuple(dict.fromkeys(kinds))
    parts = {"mean": names}
    if left_out:
        parts["mean_in"] = tuple(name for name in names if name not in left_out)
        parts["mean_out"] = tuple(name for name in names if name in left_out)
    return {
        "each": {name: _ap50_of_photos(matches, np.flatnonzero(owner == name)) for name in names},
        **{part: _mean_ap50(matches, owner, chosen) for part, chosen in parts.items()},
    }


def _ap50_of_photos(matches: Matches, photos: np.ndarray) -> dict[str, Any]:
    """AP50 on some of the photos; the bootstrap draws among them alone."""

    def figure(weights: np.ndarray) -> float:
        spread = np.zeros(len(matches.insects))
        spread[photos] = weights
        return ap50(matches, spread)

    return with_interval(figure, len(photos))


def _mean_ap50(matches: Matches, owner: np.ndarray, kinds: Sequence[str]) -> dict[str, Any]:
    """Mean over some kinds of the AP50 on each; `owner` is the kind of each photo."""

    def figure(weights: np.ndarray) -> float:
        values = [ap50(matches, weights * (owner == kind)) for kind in kinds]
        return float(np.mean(values)) if values else float("nan")

    return with_interval(figure, len(owner))
