"""Batches of adapting: labels equally often however many crops they have, the same whenever they are made."""

from __future__ import annotations

import numpy as np
import pytest

from fine_tune.adapt.shots import LEAST_WINDOW, Shots, vary


def make_shots(counts: dict[str, int], batch: int = 12) -> Shots:
    labels = [label for label, count in counts.items() for _ in range(count)]
    crops = [np.full((20 + i, 30, 3), 20 if label == "aphid" else 200, np.uint8) for i, label in enumerate(labels)]
    return Shots(crops, labels, {label: (f"a {label}", f"one {label}") for label in counts}, batch, seed=4)


@pytest.mark.parametrize("step", range(4))
def test_a_rare_label_is_shown_as_often_as_a_frequent_one(step: int) -> None:
    batch = make_shots({"aphid": 50, "moth": 3, "bee": 1})[step]
    assert np.bincount(batch.labels).tolist() == [4, 4, 4]
    assert len(batch.crops) == 12
    assert [text.split()[1] for text in batch.texts] == ["aphid", "bee", "moth"]


def test_crops_are_those_of_their_label() -> None:
    shots = make_shots({"aphid": 2, "moth": 2})
    for step in range(5):
        batch = shots[step]
        for crop, label in zip(batch.crops, batch.labels, strict=True):
            assert (crop.mean() < 60) == (batch.texts[label].endswith("aphid"))


def test_with_more_labels_than_crops_in_a_batch_all_come_in_turn() -> None:
    shots = make_shots({f"kind{i:02d}": 1 for i in range(30)}, batch=8)
    shown = {text.split()[1] for step in range(60) for text in shots[step].texts}
    assert len(shown) == 30


def test_a_batch_is_the_same_whenever_it_is_made() -> None:
    first, second = (make_shots({"aphid": 5, "moth": 2})[3] for _ in range(2))
    assert first.texts == second.texts
    assert all(np.array_equal(a, b) for a, b in zip(first.crops, second.crops, strict=True))


@pytest.mark.parametrize("shape", [(1, 1, 3), (9, 40, 3), (64, 64, 3)])
def test_a_varied_crop_is_a_part_of_the_crop_in_another_light(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    crop = np.full(shape, 100, np.uint8)
    seen = [vary(rng, crop) for _ in range(40)]
    for view in seen:
        sides = sorted(view.shape[:2])
        for side, whole in zip(sides, sorted(shape[:2]), strict=True):
            assert LEAST_WINDOW * whole - 1 <= side <= whole
        assert 40 < view.mean() < 180
    assert len({float(view.mean()) for view in seen}) > 20
