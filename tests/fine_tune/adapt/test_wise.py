"""The blend: exactly the ends at 0 and 1, on the straight line between, and chosen where held-out crops say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fine_tune.adapt.judging import Judgement
from fine_tune.adapt.wise import BLENDS, blend_weights, choose_blend

Weights = dict[str, torch.Tensor]


def weights(seed: int) -> Weights:
    torch.manual_seed(seed)
    return {"kernel": torch.randn(7, 5) * 10 ** torch.randn(7, 5), "seen": torch.tensor(seed)}


@pytest.mark.parametrize("seed", range(5))
def test_the_ends_are_exact(seed: int) -> None:
    start, end = weights(seed), weights(seed + 100)
    assert torch.equal(blend_weights(start, end, 0.0)["kernel"], start["kernel"])
    assert torch.equal(blend_weights(start, end, 1.0)["kernel"], end["kernel"])


@given(share=st.floats(0, 1))
@settings(deadline=None)
def test_between_them_it_is_the_papers_sum(share: float) -> None:
    start, end = weights(1), weights(2)
    expected = (1 - share) * start["kernel"].double() + share * end["kernel"].double()
    torch.testing.assert_close(blend_weights(start, end, share)["kernel"].double(), expected, rtol=1e-4, atol=1e-6)


def test_counters_are_not_blended() -> None:
    blended = blend_weights(weights(3), weights(4), 0.5)
    assert blended["seen"] == 4


def test_the_most_accurate_share_is_taken() -> None:
    share, judged = choose_blend(lambda s: Judgement(accuracy=1 - abs(s - 0.3), loss=s))
    assert share == pytest.approx(0.3)
    assert list(judged) == list(BLENDS)


def test_of_equally_accurate_shares_the_lowest_loss_counts_and_then_the_start() -> None:
    assert choose_blend(lambda s: Judgement(0.5, abs(s - 0.8)))[0] == pytest.approx(0.8)
    assert choose_blend(lambda _: Judgement(0.5, 1.0))[0] == 0.0


def test_a_share_that_is_not_allowed_is_not_taken_but_the_start_always_is() -> None:
    asked: list[float] = []

    def allowed(share: float) -> bool:
        asked.append(share)
        return 0 < share <= 0.45

    share, judged = choose_blend(lambda s: Judgement(s, 1.0), allowed)
    assert share == pytest.approx(0.4)
    assert asked == sorted(asked) == list(judged)
    assert choose_blend(lambda s: Judgement(s, 1.0), lambda _: False)[0] == 0.0
