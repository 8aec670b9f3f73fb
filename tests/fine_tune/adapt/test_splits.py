"""Crops kept back: whole photos, about the share asked for, and never the last crops of a label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agri_clip.errors import DataError
from fine_tune.adapt.splits import hold_out

PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), min_size=2, max_size=60)


@given(pairs=PAIRS, share=st.floats(0.1, 0.6), seed=st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_photos_are_kept_whole_and_every_label_stays_in_training(
    pairs: list[tuple[str, int]], share: float, seed: int
) -> None:
    labels, photos = [label for label, _ in pairs], [str(photo) for _, photo in pairs]
    try:
        back = hold_out(labels, photos, share, seed)
    except DataError:
        # Refused rightly: taking any single photo would take the last crops of some label.
        for photo in set(photos):
            left = {label for label, own in zip(labels, photos, strict=True) if own != photo}
            assert left != set(labels)
        return
    assert back.any()
    assert {label for label, kept in zip(labels, back, strict=True) if not kept} == set(labels)
    assert not {p for p, k in zip(photos, back, strict=True) if k} & {
        p for p, k in zip(photos, back, strict=True) if not k
    }


@pytest.mark.parametrize("seed", range(5))
def test_about_the_share_of_each_label_is_kept_back(seed: int) -> None:
    labels = ["aphid"] * 40 + ["moth"] * 8
    photos = [f"{label}{i // 2}" for i, label in enumerate(labels)]
    back = hold_out(labels, photos, 0.25, seed)
    assert 8 <= back[:40].sum() <= 12
    assert back[40:].sum() == 2


def test_another_seed_keeps_other_photos_and_the_same_seed_the_same() -> None:
    labels, photos = ["a", "b"] * 20, [str(i) for i in range(40)]
    chosen = [hold_out(labels, photos, 0.25, seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(chosen[0], chosen[1])
    assert (chosen[0] != chosen[2]).any()


def test_crops_of_one_photo_cannot_be_split() -> None:
    with pytest.raises(DataError, match="another photo"):
        hold_out(["a", "b", "a"], ["p"] * 3, 0.25, 0)
