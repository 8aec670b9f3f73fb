"""Temperature, thresholds and reliability where the truth is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from agri_clip.errors import DataError
from agri_clip.scoring.label_vectors import NO_CLASS, LabelVectors
from agri_clip.scoring.score import THRESHOLD, Scores, score
from fine_tune.adapt.calibration import calibrate, choose_threshold, reliability, reliability_chart


def made_prompts(scale: float) -> LabelVectors:
    return LabelVectors(
        labels=("aphid", "moth"),
        negatives=("dirt",),
        vectors=np.eye(3, dtype=np.float32),
        others=np.zeros((0, 3), np.float32),
        lengths_mm=np.full((2, 2), np.nan),
        own_thresholds=np.full(2, np.nan),
        activation="softmax",
        logit_scale=scale,
        logit_bias=0.0,
        fingerprint="made",
    )


def made_crops(rng: np.random.Generator, count: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Vectors, and truth drawn by the very probabilities that scoring gives them at this scale."""
    vectors = rng.normal(size=(count, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    logits = scale * vectors
    evidence = np.logaddexp(logits[:, 0], logits[:, 1]) - np.log(2)
    insect = 1 / (1 + np.exp(logits[:, 2] - evidence))
    first = 1 / (1 + np.exp(logits[:, 1] - logits[:, 0]))
    second = rng.random(count) > first
    return vectors, np.where(rng.random(count) < insect, second.astype(int), NO_CLASS)


def asked(
    vectors: np.ndarray, truth: np.ndarray, scale: float
) -> tuple[Callable[[float], Scores], np.ndarray, LabelVectors]:
    prompts = made_prompts(scale)
    return lambda temperature: score(vectors, prompts, temperature=temperature), truth, prompts


@pytest.mark.parametrize("sure", [0.5, 4.0])
def test_temperature_undoes_wrong_confidence(sure: float) -> None:
    vectors, truth = made_crops(np.random.default_rng(0), 4000, 3.0)
    fitted, before, after = calibrate(*asked(vectors, truth, 3.0 * sure))
    assert fitted.temperature == pytest.approx(sure, rel=0.15)
    assert after.error < 0.03 < before.error


def test_threshold_reaches_the_precision_asked_for() -> None:
    vectors, truth = made_crops(np.random.default_rng(1), 4000, 3.0)
    fitted, *_ = calibrate(*asked(vectors, truth, 3.0), precision=0.8)
    assert fitted.goal == "precision 0.8"
    for number, label in enumerate(("aphid", "moth")):
        scores, right = _best(vectors, truth, number)
        counted = scores >= fitted.thresholds[label]
        assert right[counted].mean() >= 0.8
        assert counted.sum() > 50


def test_no_threshold_is_below_the_least() -> None:
    vectors, truth = made_crops(np.random.default_rng(1), 4000, 3.0)
    free, bounded = (
        np.array([*calibrate(*asked(vectors, truth, 3.0), precision=0.4, least=least)[0].thresholds.values()])
        for least in (0.0, 0.3)
    )
    assert free.min() < 0.3
    np.testing.assert_array_equal(bounded, np.maximum(free, 0.3))


def _best(vectors: np.ndarray, truth: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    scores = score(vectors, made_prompts(3.0), temperature=1.0)
    mine = scores.label_index == number
    return scores.score[mine], truth[mine] == number


def test_best_f1_lies_between_right_and_wrong() -> None:
    right = np.repeat([True, False], 30)
    assert choose_threshold(np.repeat([0.9, 0.5], 30), right, 30) == pytest.approx(0.7)
    assert choose_threshold(np.repeat([0.2, 0.1], 30), right, 30) == pytest.approx(0.15)


def test_a_few_crops_do_not_move_the_default() -> None:
    scores, right = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.2]), np.array([1, 1, 1, 1, 1, 0, 0], bool)
    # Without the sixth crop F1 is 1 and not 10 / 11: one mistake, whose standard error is as large as itself.
    assert choose_threshold(scores, right, 5) == THRESHOLD
    many, truth = np.repeat(scores, 20), np.repeat(right, 20)
    assert choose_threshold(many, truth, 100) == pytest.approx(0.45)


def test_where_all_are_taken_the_default_does_if_it_takes_them_too() -> None:
    right = np.ones(60, bool)
    assert choose_threshold(np.full(60, 0.9), right, 60) == THRESHOLD
    assert choose_threshold(np.repeat([0.9, 0.2], 30), right, 60) == pytest.approx(0.1)


def test_a_precision_that_is_not_reached_counts_nothing_and_few_crops_keep_the_default() -> None:
    scores, wrong = np.linspace(0.1, 0.9, 9), np.zeros(9, bool)
    assert choose_threshold(scores, wrong, 9, precision=0.9) > 0.9
    assert choose_threshold(scores, ~wrong, 3) == THRESHOLD


def test_reliability_of_sure_and_wrong_scores_is_all_error() -> None:
    part = reliability(np.full(50, 0.95), np.zeros(50, bool))
    assert part.error == pytest.approx(0.95)
    assert part.crops.tolist() == [0] * 9 + [50]
    page = reliability_chart([("before", part)])
    assert "before, error 0.950" in page
    assert 'src="http' not in page


def test_too_few_crops_are_refused() -> None:
    vectors, truth = made_crops(np.random.default_rng(2), 3, 3.0)
    with pytest.raises(DataError, match="too few to calibrate"):
        calibrate(*asked(vectors, truth, 3.0))
