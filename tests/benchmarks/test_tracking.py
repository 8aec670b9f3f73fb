"""The measurement of tracking tells right from wrong, and what it plays is what it says."""

import numpy as np
import pytest

from benchmarks.tracking import Scene, as_detections, measure, photograph_again, play
from tests.films import draw_frame

STILL = Scene("still", insects=6, arrivals=2, walking=0, speed=0, missed=0, specks=0, frames=12)


def test_insects_that_stick_and_are_never_missed_are_one_row_each() -> None:
    figures = measure(STILL, seed=3)
    assert figures["rows"] == figures["insects"] == 8
    assert figures["whole"] == 1
    assert figures["mixed"] == 0


def test_a_tracker_that_joins_too_little_or_too_much_is_told() -> None:
    walking = Scene("fast", insects=6, arrivals=0, walking=1, speed=3, missed=0, specks=0, frames=12)
    assert measure(walking, seed=0, reach=0.0)["whole"] < 0.5
    missed = Scene("missed", insects=40, arrivals=0, walking=0, speed=0, missed=0.4, specks=0, frames=12)
    assert measure(missed, seed=0, reach=10.0, least_overlap=0.01)["mixed"] > 0.1


def test_boxes_belong_to_those_that_have_come() -> None:
    boxes, owners = play(STILL, seed=1)
    assert [len(frame) for frame in boxes] == [len(owner) for owner in owners]
    assert set(owners[0].tolist()) == set(range(6))
    assert set(owners[-1].tolist()) == set(range(8))
    assert len(as_detections(boxes[0], 0)) == 6


@pytest.mark.parametrize("seed", [0, 1])
def test_a_card_photographed_again_is_the_same_card(seed: int) -> None:
    card = draw_frame([(100, 100)])
    again = photograph_again(card, np.random.default_rng(seed))
    assert again.shape == card.shape
    assert again[95:105, 95:105].mean() < 0.6 * again[:40].mean()
