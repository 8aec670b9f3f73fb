"""Fitting thresholds: the precision promised is the precision had, and what is not reached is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agri_clip import Detector
from agri_clip.detections import ARRAYS, Detections, PhotoRecord
from agri_clip.scoring.thresholds import LEVELS, read_table, threshold_for
from fine_tune import thresholds
from fine_tune.thresholds import fit_thresholds, judge_detections, strictest


def labelled(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and whether each is right, which happens as often as the square of the score."""
    random = np.random.default_rng(seed)
    scores = random.uniform(0, 1, count)
    return scores, random.random(count) < scores**2


def test_a_threshold_has_the_precision_that_made_the_labels() -> None:
    fitted = fit_thresholds(*labelled(0, 200_000))
    # The mean of the square from t to 1 is (1 + t + t^2) / 3. A threshold stands where the fitted function next steps
    # up, so the precision may be somewhat higher than asked for, and lower only by chance.
    for level, threshold in fitted.items():
        assert level - 0.005 < (1 + threshold + threshold**2) / 3 < level + 0.03
    assert list(fitted) == list(LEVELS)


@given(st.integers(0, 1000), st.integers(1, 400), st.integers(1, 60), st.booleans())
@settings(max_examples=80, deadline=None)
def test_what_is_promised_held_on_the_photos_it_was_fitted_on(seed: int, count: int, least: int, tied: bool) -> None:
    scores, right = labelled(seed, count)
    if tied:
        scores = scores.round(1)
    fitted = fit_thresholds(scores, right, least_regions=least)
    assert list(fitted.values()) == sorted(fitted.values())
    for level, threshold in fitted.items():
        counted = scores >= threshold
        assert counted.sum() >= least
        assert right[counted].mean() >= level - 1e-6


def test_a_precision_that_few_regions_have_or_none_is_left_out() -> None:
    scores, right = labelled(1, 400)
    assert 0.95 not in fit_thresholds(scores, right)
    assert fit_thresholds(scores, np.zeros(400, bool)) == {}
    assert fit_thresholds(np.zeros(0), np.zeros(0, bool)) == {}
    assert fit_thresholds(scores, np.ones(400, bool))[0.95] == scores.min()


def test_rendered_and_real_photos_must_both_reach_a_level() -> None:
    assert strictest([{0.5: 0.2, 0.6: 0.3, 0.7: 0.4}, {0.5: 0.25, 0.6: 0.1}]) == {0.5: 0.25, 0.6: 0.3}
    assert strictest([{0.5: 0.2}]) == {0.5: 0.2}
    assert strictest([]) == {}


def test_each_labelled_insect_is_found_once_by_the_best_region_on_it() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 11], [50, 50, 60, 60], [90, 90, 99, 99]], np.float32)

    def detect(pixels: np.ndarray, prompt: str) -> Detections:  # noqa: ARG001
        arrays = {name: np.zeros(4) for name in ARRAYS} | {"boxes": boxes, "scores": np.array([0.4, 0.9, 0.8, 0.7])}
        return Detections(photos=(PhotoRecord("p"),), label_names=(prompt,), outlines=(None,) * 4, **arrays)

    judged = judge_detections(detect, [(np.zeros((9, 9, 3), np.uint8), boxes[[0, 2]])] * 2)
    assert (judged.photos, judged.insects) == (2, 4)
    np.testing.assert_allclose(judged.scores, [0.9, 0.8, 0.7, 0.4] * 2)
    assert judged.right.tolist() == [True, True, False, False] * 2


def test_a_fitted_pair_can_be_asked_for_its_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(thresholds, "LEAST_REGIONS", 1)
    out = tmp_path / "thresholds.json"
    thresholds.main("contrast", "builtin", rendered=2, out=out)
    row = read_table(out)[0]
    assert row.fitted_on["rendered"]["photos"] == 2
    assert row.fitted_on["rendered"]["insects"] > 0
    assert "rendered: 2 photos" in capsys.readouterr().out
    detector = Detector(proposer="contrast", encoder="builtin")
    for level, threshold in row.thresholds.items():
        assert threshold_for(level, detector.proposer, detector.encoder, out) == threshold
