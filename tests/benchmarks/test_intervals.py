"""Bootstrap figures against figures by hand, and against copies of photos."""

import numpy as np
import pytest

from benchmarks.intervals import Matches, ap50, interval, recall_at


@pytest.fixture
def matches() -> Matches:
    rng = np.random.default_rng(1)
    return Matches(rng.integers(0, 4, 40), rng.random(40) < np.linspace(0.9, 0.1, 40), np.array([9, 8, 7, 10]))


def test_ap50_by_hand() -> None:
    one = Matches(np.array([0, 0, 0]), np.array([True, False, True]), np.array([2]))
    assert ap50(one, np.ones(1)) == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_weight_two_is_a_photo_twice(matches: Matches) -> None:
    again = matches.photo_index == 0
    copied = np.repeat(np.arange(40), 1 + again)
    double = Matches(matches.photo_index[copied], matches.hit[copied], matches.insects * np.array([2, 1, 1, 1]))
    weights = np.array([2, 1, 1, 1])
    assert recall_at(matches, weights, 99) == pytest.approx(recall_at(double, np.ones(4), 99))


def test_recall_takes_no_more_boxes_than_allowed() -> None:
    one = Matches(np.array([0, 0, 0]), np.array([True, False, True]), np.array([2]))
    assert [recall_at(one, np.ones(1), k) for k in (0.5, 1, 1.5)] == [0.5, 0.5, 1.0]


def test_interval_holds_the_figure_and_repeats(matches: Matches) -> None:
    low, high = interval(lambda w: ap50(matches, w), 4, draws=200)
    assert low < ap50(matches, np.ones(4)) < high
    assert [low, high] == interval(lambda w: ap50(matches, w), 4, draws=200)
