"""The number of successes among trials of different probabilities, against counting all cases."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from agri_clip.counts.interval import count_interval, poisson_binomial

probabilities = st.lists(st.floats(0, 1), max_size=7)


@settings(deadline=None)
@given(probabilities)
def test_the_distribution_is_that_of_all_cases(chances: list[float]) -> None:
    expected = np.zeros(len(chances) + 1)
    for case in product((0, 1), repeat=len(chances)):
        expected[sum(case)] += np.prod([p if hit else 1 - p for p, hit in zip(chances, case, strict=True)])
    np.testing.assert_allclose(poisson_binomial(np.array(chances)), expected, atol=1e-12)


def test_equal_chances_give_the_binomial_distribution_also_of_many_trials() -> None:
    np.testing.assert_allclose(poisson_binomial(np.full(3000, 0.3)), binom.pmf(np.arange(3001), 3000, 0.3), atol=1e-12)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=40), st.sampled_from([0.5, 0.9, 0.95]))
def test_the_interval_holds_the_number_as_often_as_it_says_and_no_end_can_go(
    chances: list[float], level: float
) -> None:
    mass = poisson_binomial(np.array(chances))
    low, high = count_interval(np.array(chances), level)
    assert mass[low : high + 1].sum() >= level - 1e-9
    # An equal-tailed interval: what lies below its lower end, and above its upper end, is at most half of the rest.
    assert mass[:low].sum() <= (1 - level) / 2 + 1e-9
    assert mass[: low + 1].sum() >= (1 - level) / 2 - 1e-9
    assert mass[high:].sum() >= (1 - level) / 2 - 1e-9


@pytest.mark.parametrize(("chances", "interval"), [([], (0, 0)), ([1.0] * 4, (4, 4)), ([0.0] * 4, (0, 0))])
def test_what_is_certain_has_no_width(chances: list[float], interval: tuple[int, int]) -> None:
    assert count_interval(np.array(chances)) == interval


def test_draws_from_calibrated_scores_fall_inside_as_often_as_promised() -> None:
    rng = np.random.default_rng(3)
    scores = rng.beta(2, 1, 200)
    low, high = count_interval(scores)
    drawn = (rng.random((20_000, 200)) < scores).sum(axis=1)
    inside = ((drawn >= low) & (drawn <= high)).mean()
    assert 0.95 <= inside < 0.975
    assert high - low < 30
