"""UnionProposer: proposers joined by "+", what both found kept once, in the first one's box."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from agri_clip import regions as registry
from agri_clip.errors import AgriClipError, ModelError
from agri_clip.photos.photo import Photo
from agri_clip.regions import Regions, available, fetch_proposer, get_proposer, is_proposer, register
from agri_clip.regions.union import UnionProposer

PHOTO = Photo(np.full((100, 200, 3), 200, np.uint8), "plain")


@dataclass
class Known:
    """A proposer that gives the same regions of every photo."""

    name: str
    boxes: list[list[float]]
    objectness: list[float]
    calibrated: bool = True
    outlines: tuple[np.ndarray | None, ...] | None = None
    notes: tuple[str, ...] = ()
    at_cap: bool = False
    version: str = "1"

    def propose(self, photo: Photo) -> Regions:  # noqa: ARG002
        return Regions(np.array(self.boxes), np.array(self.objectness), self.outlines, self.notes, self.at_cap)


def union(*parts: Known, **settings: float) -> Regions:
    return UnionProposer(parts, **settings).propose(PHOTO)


FIRST = Known("first", [[0, 0, 10, 10], [50, 50, 60, 60]], [0.8, 0.3], notes=("a note",))
SECOND = Known("second", [[52, 50, 62, 60], [100, 0, 120, 20]], [0.6, 0.5], notes=("another",), at_cap=True)


def test_regions_of_all_parts_come_best_first_and_duplicates_once():
    found = union(FIRST, SECOND)
    assert found.boxes.tolist() == [[0, 0, 10, 10], [50, 50, 60, 60], [100, 0, 120, 20]]
    assert found.objectness.tolist() == pytest.approx([0.8, 0.6, 0.5])
    assert found.notes == ("a note", "another")
    assert found.at_cap


def test_the_order_of_the_names_says_whose_box_stays():
    boxes = union(SECOND, FIRST).boxes.tolist()
    assert [52, 50, 62, 60] in boxes
    assert [50, 50, 60, 60] not in boxes


def test_regions_that_overlap_less_than_the_setting_both_stay():
    assert len(union(FIRST, SECOND, iou=0.7)) == 4
    with pytest.raises(AgriClipError, match="iou"):
        union(FIRST, SECOND, iou=1.5)


def test_what_one_part_offers_twice_it_may():
    body, whole = [0, 0, 10, 10], [0, 0, 10, 15]
    twice = Known("twice", [body, whole], [0.9, 0.7])
    assert len(union(twice, SECOND)) == 4
    assert union(SECOND, twice).boxes.tolist()[:2] == [body, whole]
    near = Known("near", [[0, 0, 10, 13]], [0.2])
    found = union(near, twice)
    assert (found.boxes.tolist(), found.objectness.tolist()) == ([[0, 0, 10, 13]], pytest.approx([0.9]))


def test_a_region_is_absorbed_by_the_one_that_it_overlaps_most():
    two = Known("two", [[0, 0, 10, 10], [0, 0, 10, 15]], [0.5, 0.4])
    one = Known("one", [[0, 0, 10, 14]], [0.9])
    assert union(two, one).boxes.tolist() == [[0, 0, 10, 15], [0, 0, 10, 10]]


def test_an_outline_is_taken_over_within_the_box_that_stays():
    square = np.array([[52, 50], [62, 50], [62, 60], [52, 60]], np.float32)
    drawn = Known("drawn", SECOND.boxes, SECOND.objectness, outlines=(square, None))
    found = union(FIRST, drawn)
    (outline,) = [o for o in found.outlines if o is not None]
    assert found.boxes[[o is not None for o in found.outlines]].tolist() == [[50, 50, 60, 60]]
    assert (outline.min(0).tolist(), outline.max(0).tolist()) == ([52, 50], [60, 60])
    assert union(FIRST, SECOND).outlines is None


def test_a_confidence_that_is_no_probability_never_says_more_than_even_odds():
    sure = Known("sure", [[100, 0, 120, 20], [0, 0, 10, 10]], [1.0, 0.9], calibrated=False)
    found = union(sure, FIRST)
    assert found.objectness.tolist() == pytest.approx([0.8, 0.5, 0.3])
    assert not UnionProposer((sure, FIRST)).calibrated
    assert UnionProposer((FIRST, SECOND)).calibrated


def test_parts_that_find_nothing_are_no_trouble():
    nothing = Known("nothing", [], [])
    assert len(union(nothing, nothing)) == 0
    assert union(nothing, FIRST).boxes.tolist() == union(FIRST, nothing).boxes.tolist() == FIRST.boxes


@pytest.fixture
def fakes(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    for fake in (FIRST, SECOND):
        register(fake.name, good_for="a test")(lambda device=None, fake=fake: fake)  # noqa: ARG005


@pytest.mark.usefixtures("fakes")
def test_names_joined_by_plus_are_picked_as_all_names():
    joined = get_proposer("first+second+contrast", iou=0.4)
    assert joined.name == "first+second+contrast"
    assert joined.version == "first 1 + second 1 + contrast 2 iou=0.4"
    assert is_proposer("first+second")
    assert fetch_proposer("first+contrast") is None


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("name", ["first+secnd", "secnd+first", "first+", "first+no/such/folder"])
def test_an_unknown_part_is_named_in_the_error(name):
    part = name.replace("first", "").strip("+")
    with pytest.raises(ModelError, match=f"no proposer '{part}'.*contrast"):
        get_proposer(name)
    assert not is_proposer(name)


def test_a_file_with_a_plus_in_its_name_is_one_proposer(tmp_path):
    (tmp_path / "mine+yours.pt").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"mine\+yours\.pt"):
        get_proposer(str(tmp_path / "mine+yours.pt"), device="cpu").propose(PHOTO)


def test_the_two_that_ship_are_listed_together_run_and_go_to_workers():
    (info,) = [i for i in available() if i.name == "insect-yolo+contrast"]
    assert info.present
    assert fetch_proposer(info.name) is None
    pixels = np.full((120, 160, 3), (230, 200, 40), np.uint8)
    pixels[40:60, 70:100] = 30
    proposer = pickle.loads(pickle.dumps(get_proposer(info.name, device="cpu")))
    regions = proposer.propose(Photo(pixels, "drawn"))
    assert proposer.name == info.name
    assert len(regions)
    assert (np.diff(regions.objectness) <= 0).all()


def test_a_network_is_calibrated_once_its_confidence_has_been_fitted():
    assert not get_proposer("insect-yolo", calibration=(1.0, 0.0)).calibrated
    assert get_proposer("insect-yolo", calibration=(1.2, 0.3)).calibrated
