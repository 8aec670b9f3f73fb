"""The tally of pairs of photos, with cards whose insects are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agri_clip.counts.same_card import view_card
from benchmarks.same_card import MISSED, Seen, Tally, look
from tests.counts.conftest import Cards, cards  # noqa: F401


@pytest.fixture(scope="module")
def seen(cards: Cards) -> Seen:  # noqa: F811
    return Seen(view_card(cards.first, cards.first_boxes), np.arange(len(cards.first_boxes)))


def test_a_photo_against_itself_is_right_and_wrong_numbers_are_told(seen: Seen) -> None:
    tally = Tally("pairs")
    tally.add(seen, seen)
    total = len(seen.insect)
    assert (tally.pairs, tally.same_card, tally.old, tally.old_called_new, tally.new) == (1, 1, total, 0, 0)
    tally.add(seen, replace(seen, insect=seen.insect + 100))
    assert (tally.pairs, tally.new, tally.new_called_old) == (2, total, total)


def test_some_boxes_are_missed_and_keep_their_numbers(cards: Cards) -> None:  # noqa: F811
    photo = look(np.random.default_rng(1), cards.first.pixels, np.tile(cards.first_boxes, (8, 1)), first_number=5)
    total = 8 * len(cards.first_boxes)
    assert len(photo.insect) == len(photo.view.boxes)
    assert len(photo.insect) / total == pytest.approx(1 - MISSED, abs=0.1)
    original = cards.first_boxes[(photo.insect - 5) % len(cards.first_boxes)]
    sizes = original[:, 2:] - original[:, :2]
    assert (np.abs(photo.view.boxes - original) < 0.3 * np.tile(sizes, 2)).all()
