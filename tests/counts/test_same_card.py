"""The same card photographed again: what was there is not new; on another card everything is."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agri_clip.counts.same_card import CardView, new_regions, view_card
from agri_clip.photos.photo import Photo
from fine_tune.synthetic import GROUPS
from fine_tune.synthetic.visits import photograph_again, render_visits
from tests.counts.conftest import Cards


@pytest.fixture(scope="module")
def first(cards: Cards) -> CardView:
    return view_card(cards.first, cards.first_boxes)


@pytest.fixture(scope="module")
def second(cards: Cards) -> CardView:
    return view_card(cards.second, cards.second_boxes)


def with_boxes(view: CardView, chosen: np.ndarray, counted: np.ndarray | None = None) -> CardView:
    """The same photo with some of its boxes, in that order."""
    boxes = view.boxes[chosen]
    counted = np.ones(len(boxes), bool) if counted is None else counted
    known = view.known[chosen][counted]
    return replace(view, boxes=boxes, counted=counted, known=known)


def test_only_what_came_later_is_new(first: CardView, second: CardView) -> None:
    comparison = new_regions(first, second)
    before, after = len(first.boxes), len(second.boxes)
    assert comparison.same_card
    assert comparison.new.tolist() == [False] * before + [True] * (after - before)
    assert comparison.reason == f"{before} of {after} were there already"


def test_what_comes_later_may_also_be_looked_at_first(first: CardView, second: CardView) -> None:
    comparison = new_regions(second, first)
    assert comparison.same_card
    assert not comparison.new.any()


def test_on_another_card_of_the_same_make_everything_is_new(first: CardView, cards: Cards) -> None:
    comparison = new_regions(first, view_card(cards.other, cards.other_boxes))
    assert not comparison.same_card
    assert comparison.new.all()
    assert "in the same place" in comparison.reason or "no common features" in comparison.reason


@pytest.mark.parametrize("value", [0, 200])
def test_a_photo_of_nothing_is_another_card(first: CardView, value: int) -> None:
    nothing = view_card(Photo(np.full((300, 400, 3), value, np.uint8), "flat"), np.array([[10, 10, 30, 30]]))
    for comparison in (new_regions(first, nothing), new_regions(nothing, first)):
        assert not comparison.same_card
        assert comparison.new.all()


def test_a_mirrored_card_is_another_one(first: CardView, cards: Cards) -> None:
    mirrored = view_card(Photo(np.ascontiguousarray(cards.first.pixels[:, ::-1]), "mirrored"), np.zeros((0, 4)))
    assert not new_regions(first, mirrored).same_card


def test_an_insect_is_counted_once_though_a_photo_between_missed_it(first: CardView, second: CardView) -> None:
    every = np.arange(len(first.boxes))
    missing = with_boxes(second, every[3:])
    between = new_regions(first, missing)
    assert not between.new.any()
    assert len(between.view.known) == len(every)
    assert not new_regions(between.view, with_boxes(second, every)).new.any()
    assert new_regions(missing, with_boxes(second, every)).new.tolist() == [True] * 3 + [False] * (len(every) - 3)


def test_matching_is_one_to_one(first: CardView) -> None:
    twice = with_boxes(first, np.r_[np.arange(len(first.boxes)), 0])
    assert new_regions(first, twice).new.sum() == 1
    assert not new_regions(twice, first).new.any()


def test_what_was_seen_but_not_counted_is_new_when_it_is_counted(first: CardView, second: CardView) -> None:
    every = np.arange(len(first.boxes))
    comparison = new_regions(with_boxes(first, every, every >= 5), with_boxes(second, every, every < 10))
    assert comparison.new[:10].tolist() == [True] * 5 + [False] * 5
    assert comparison.reason == "5 of 10 were there already"


def test_of_a_photo_from_closer_only_what_both_show_must_agree(first: CardView, cards: Cards) -> None:
    left, top, width, height = 250, 200, 450, 380
    near = cv2.resize(cards.first.pixels[top : top + height, left : left + width], None, fx=2, fy=2)
    boxes = (cards.first_boxes - [left, top, left, top]) * 2
    inside = ((boxes[:, :2] > 0) & (boxes[:, 2:] < [2 * width, 2 * height])).all(axis=1)
    assert 3 < inside.sum() < 0.6 * len(boxes)
    closer = view_card(Photo(near, "closer"), boxes[inside])
    for comparison in (new_regions(first, closer), new_regions(closer, first)):
        assert comparison.same_card
    assert not new_regions(first, closer).new.any()
    assert new_regions(closer, first).new.tolist() == (~inside).tolist()


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_whatever_boxes_are_missing_the_others_are_told_apart(first: CardView, second: CardView, data) -> None:
    total = len(first.boxes)
    some = st.lists(st.integers(0, total - 1), max_size=total // 4, unique=True)
    unseen_before, unseen_after = data.draw(some), data.draw(some)
    before = np.setdiff1d(np.arange(total), unseen_before)
    after = data.draw(st.permutations(np.setdiff1d(np.arange(len(second.boxes)), unseen_after).tolist()))
    comparison = new_regions(with_boxes(first, before), with_boxes(second, np.array(after)))
    assert comparison.same_card
    assert comparison.new.tolist() == [insect not in before for insect in after]


def test_boxes_may_be_none(first: CardView, second: CardView) -> None:
    none = np.zeros(0, np.int64)
    assert new_regions(with_boxes(first, none), second).new.all()
    assert new_regions(first, with_boxes(second, none)).new.shape == (0,)


@pytest.mark.parametrize("kind", ["blue", "white"])
def test_cards_of_other_colours_are_recognised(kind: str) -> None:
    before, after = render_visits(
        3, {"fungus gnat": 10, "thrips": 20}, 6, group="thrips", kind=kind, size=(1000, 760), mm_per_pixel=0.08
    )
    pixels, boxes = photograph_again(np.random.default_rng(1), after.pixels, after.boxes)
    comparison = new_regions(view_card(Photo(before.pixels, "a"), before.boxes), view_card(Photo(pixels, "b"), boxes))
    inside = ((boxes[:, :2] >= 0) & (boxes[:, 2:] <= pixels.shape[1::-1])).all(axis=1)
    truth = np.arange(len(boxes)) >= len(before.boxes)
    assert comparison.same_card
    assert (comparison.new == truth)[inside].mean() > 0.95


def test_a_group_that_is_not_the_smallest_cannot_be_added() -> None:
    assert GROUPS["whitefly"].length_mm[1] < GROUPS["fungus gnat"].length_mm[1]
    with pytest.raises(ValueError, match="whitefly is smaller than fungus gnat"):
        render_visits(1, {"whitefly": 3}, 2, group="fungus gnat")
