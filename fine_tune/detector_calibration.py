"""Makes a detector's confidence a probability: fitted on labelled photos and kept in the model folder's settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from scipy.optimize import minimize
from scipy.special import log_expit, logit

from agri_clip.matching import match_boxes
from agri_clip.regions.yolo import YoloProposer
from agri_clip.regions.yolo_models import ARCHITECTURE, SETTINGS_KEY
from fine_tune.detector_photos import LabelledPhoto

#: Most boxes of one photo that take part, so that a crowded one does not decide alone.
MOST_BOXES = 400


def judge_regions(proposer: YoloProposer, photos: Sequence[LabelledPhoto]) -> tuple[np.ndarray, np.ndarray]:
    """Objectness of the regions of labelled photos, and whether each has found an insect (IoU 0.5, one to one).

    Returns
    -------
    objectness : ndarray, shape (n,), float64
    right : ndarray, shape (n,), bool
    """
    objectness, right = [], []
    for photo in photos:
        regions = proposer.propose_pixels(photo.pixels)[:MOST_BOXES]
        objectness.append(regions.objectness.astype(np.float64))
        right.append(match_boxes(regions.boxes, photo.boxes) >= 0)
    return np.concatenate(objectness), np.concatenate(right)


def fit_calibration(objectness: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """Slope and intercept on the log odds under which objectness tells best how often a region is right.

    Parameters
    ----------
    objectness : ndarray, shape (n,)
        0 to 1.
    right : ndarray, shape (n,), bool

    References
    ----------
    Platt, Probabilistic Outputs for Support Vector Machines, 1999.
    """
    odds = logit(np.clip(objectness, 1e-6, 1 - 1e-6))
    sign = np.where(right, 1.0, -1.0)

    def loss(line: np.ndarray) -> float:
        return float(-log_expit(sign * (line[0] * odds + line[1])).mean())

    slope, intercept = minimize(loss, (1.0, 0.0), bounds=[(1e-3, None), (None, None)]).x
    return float(slope), float(intercept)


def calibrate(folder: Path, photos: Sequence[LabelledPhoto]) -> tuple[float, float]:
    """Fit a model folder's confidence on labelled photos and write the result into its settings."""
    line = fit_calibration(*judge_regions(YoloProposer(folder, calibration=(1.0, 0.0)), photos))
    file = folder / ARCHITECTURE
    architecture = yaml.safe_load(file.read_text(encoding="utf-8"))
    architecture[SETTINGS_KEY]["calibration"] = [round(value, 4) for value in line]
    file.write_text(yaml.safe_dump(architecture, sort_keys=False), encoding="utf-8")
    return line
