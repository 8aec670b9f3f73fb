"""A season of photos: each insect counted once a card, whatever the order of the photos and without holding them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from agri_clip.counts import CardPeriod, count_table, find_new
from agri_clip.detections import FOUND, OTHER, Detections, PhotoRecord
from agri_clip.errors import PhotoError
from agri_clip.photos.photo import Photo
from tests.counts.conftest import Cards
from tests.counts.results import photo, result, shuffled


class Album:
    """The photos of a season by name; remembers what was read."""

    def __init__(self, photos: dict[str, Photo]) -> None:
        self.photos, self.read = photos, []

    def __call__(self, record: PhotoRecord) -> Photo:
        self.read.append(record.name)
        if record.name not in self.photos:
            raise PhotoError(record.name, "no such file")
        return self.photos[record.name]


def season(days: list[tuple[str, int, Photo, np.ndarray]], trap: str = "T1") -> tuple[Detections, Album]:
    """Photos (name, day of May, pixels, boxes) of one trap, all boxes found."""
    records = [replace(photo(name, day, trap), width=each.width, height=each.height) for name, day, each, _ in days]
    regions = [(i, 0, FOUND, 0.9) for i, (*_, boxes) in enumerate(days) for _ in boxes]
    boxes = np.concatenate([boxes for *_, boxes in days])
    return result(records, regions, boxes=boxes), Album({name: each for name, _, each, _ in days})


@pytest.fixture
def three_weeks(cards: Cards) -> tuple[Detections, Album]:
    """A card, the same with eight insects more, and a new card."""
    return season(
        [
            ("a", 4, cards.first, cards.first_boxes),
            ("b", 11, cards.second, cards.second_boxes),
            ("c", 18, cards.other, cards.other_boxes),
        ]
    )


def test_each_insect_is_new_once_and_the_raw_count_stays(three_weeks, cards: Cards) -> None:
    detections, album = three_weeks
    found = find_new(detections, album)
    table = count_table(detections, ("photo",), new=found.new).query("label == 'a thrips'")
    before, after, other = (len(boxes) for boxes in (cards.first_boxes, cards.second_boxes, cards.other_boxes))
    assert table["count"].tolist() == [before, after, other]
    assert table["new"].tolist() == [before, after - before, other]
    assert found.notes[0] == ""
    assert found.notes[1] == f"same card as first: {before} of {after} were there already"
    assert found.notes[2].startswith("taken for another card than before (second: ")
    assert album.read == ["a", "b", "c"]


def test_the_order_of_photos_and_regions_changes_nothing(three_weeks) -> None:
    detections, album = three_weeks
    other, came_from = shuffled(detections, 0)
    assert [p.name for p in other.photos] != ["a", "b", "c"]
    one, two = find_new(detections, album), find_new(other, album)
    assert two.new.tolist() == one.new[came_from].tolist()
    assert sorted(two.notes) == sorted(one.notes)


def test_where_a_card_was_changed_photos_are_not_compared(three_weeks) -> None:
    detections, album = three_weeks
    periods = [CardPeriod("T1", date(2026, 5, 1)), CardPeriod("T1", date(2026, 5, 6))]
    found = find_new(detections, album, periods)
    assert found.new.all()
    assert found.notes[1] == ""


def test_both_sides_of_a_card_are_followed(cards: Cards) -> None:
    detections, album = season(
        [
            ("1 front", 4, cards.first, cards.first_boxes),
            ("1 side two", 4, cards.other, cards.other_boxes),
            ("2 front", 11, cards.second, cards.second_boxes),
            ("2 side two", 11, cards.other, cards.other_boxes),
        ]
    )
    found = find_new(detections, album)
    counts = count_table(detections, ("photo",), new=found.new).query("label == 'a thrips'")["new"].tolist()
    came = len(cards.second_boxes) - len(cards.first_boxes)
    assert counts == [len(cards.first_boxes), len(cards.other_boxes), came, 0]


def test_a_photo_that_is_gone_is_told_and_the_others_go_on(three_weeks, cards: Cards) -> None:
    detections, album = three_weeks
    more = season([("a", 4, cards.first, cards.first_boxes), ("gone", 6, cards.first, cards.first_boxes)])[0]
    rest = detections[detections.photo_index > 0]
    whole = Detections.concat([more, replace(rest, photos=rest.photos[1:], photo_index=rest.photo_index - 1)])
    found = find_new(whole, album)
    assert found.notes[1] == "not compared: no such file"
    assert found.notes[2].startswith("same card as first")
    changed = replace(
        whole, photos=(whole.photos[0], whole.photos[1], replace(whole.photos[2], width=7), whole.photos[3])
    )
    assert find_new(changed, album).notes[2].startswith("not compared: the photo now has ")


def test_photos_of_which_there_is_nothing_to_compare_are_not_read(cards: Cards) -> None:
    one, album = season([("a", 4, cards.first, cards.first_boxes)])
    two, _ = season([("b", 11, cards.first, cards.first_boxes)], trap="T2")
    no_trap = result([photo("x", 4, None), photo("y"), PhotoRecord("z", reason="is empty")])
    found = find_new(Detections.concat([one, two, no_trap]), album)
    assert found.new.all()
    assert album.read == []
    assert find_new(Detections.empty(), album).notes == ()


def test_insects_that_no_label_fits_help_to_know_the_card(three_weeks) -> None:
    detections, album = three_weeks
    status = np.full(len(detections), OTHER)
    few = np.flatnonzero(detections.photo_index < 2)
    first, second = few[detections.photo_index[few] == 0], few[detections.photo_index[few] == 1]
    status[[*first[:3], *second[:3]]] = FOUND
    found = find_new(replace(detections, status=status), album)
    assert found.notes[1] == "same card as first: 3 of 3 were there already"
    assert not found.new[second[:3]].any()
