"""Calibration of a detector: the line is found that made the labels, and the proposer reads it from the folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from agri_clip.regions.yolo import YoloProposer
from agri_clip.regions.yolo_models import save_model_folder
from fine_tune.detector.calibration import calibrate, fit_calibration
from fine_tune.detector.photos import LabelledPhoto
from fine_tune.detector.training import build_detector


def test_the_line_that_made_the_labels_is_found() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.05, 0.9, 400_000)
    right = rng.random(400_000) < expit(2.5 * logit(confidence) + 0.6)
    assert fit_calibration(confidence, right) == pytest.approx((2.5, 0.6), abs=0.05)


def test_a_calibrated_folder_changes_objectness_and_not_the_boxes(tmp_path: Path) -> None:
    folder = save_model_folder(build_detector("yolo11n", 0), tmp_path, imgsz=64, conf=0.0)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    before = YoloProposer(folder).propose_pixels(pixels)
    slope, intercept = calibrate(folder, [LabelledPhoto(pixels, before.boxes[::3], "yellow", real=True)])
    proposer = YoloProposer(folder)
    assert proposer.settings.calibration == pytest.approx((slope, intercept), abs=1e-4)
    after = proposer.propose_pixels(pixels)
    assert sorted(map(tuple, after.boxes.tolist())) == sorted(map(tuple, before.boxes.tolist()))
    assert len(after)
    assert np.abs(np.sort(after.objectness) - np.sort(before.objectness)).max() > 1e-3
