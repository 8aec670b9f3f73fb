"""Looks at several scales: few are needed, an insect that fills the photo is one region, and no insect is swallowed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agri_clip.regions.base import Regions
from agri_clip.regions.looks import WORTH, Look, coarse_scales, join_looks
from agri_clip.regions.tiling import tiles

SIDES = (320, 640)


def regions(*rows: tuple[float, ...]) -> Regions:
    """Each row is x1, y1, x2, y2, objectness."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Regions(table[:, :4], table[:, 4])


def join(fine: Regions, coarse: Regions, scale: float = 0.4) -> set[tuple[float, ...]]:
    joined = join_looks([Look(fine, 1.0), Look(coarse, scale)], 0.55)
    assert (np.diff(joined.objectness) <= 0).all()
    return {
        (*map(float, box), round(float(sure), 3)) for box, sure in zip(joined.boxes, joined.objectness, strict=True)
    }


@given(st.integers(1, 9000), st.integers(1, 9000))
@settings(deadline=None)
def test_every_coarse_look_shrinks_the_photo_and_the_finest_comes_first(width, height):
    scales = coarse_scales(width, height, SIDES)
    assert scales == sorted(scales, reverse=True)
    assert all(scale <= 1 / WORTH for scale in scales)
    for longer, shorter in zip([1.0, *scales], scales, strict=False):
        assert longer / shorter <= max(2 * WORTH, max(width, height) / SIDES[-1]) + 1e-9


@given(st.integers(1400, 6000), st.floats(0.5, 1.0))
@settings(deadline=None)
def test_the_coarse_looks_at_a_large_photo_cost_a_fifth_of_its_slices_at_most(longest, aspect):
    width, height = longest, round(longest * aspect)
    cut = np.array(tiles(width, height, 640, 128))
    slices = np.prod(cut[:, 2:] - cut[:, :2], axis=1).sum()
    coarse = sum(width * height * scale**2 for scale in coarse_scales(width, height, SIDES))
    assert coarse < slices / 5


def test_an_insect_that_fills_the_photo_is_one_region_and_not_its_pieces():
    fine = regions((0, 50, 400, 480, 0.6), (380, 60, 790, 490, 0.55), (100, 100, 180, 160, 0.3))
    assert join(fine, regions((5, 45, 795, 495, 0.9))) == {(5, 45, 795, 495, 0.9)}


def test_small_insects_on_a_large_one_stay():
    small = [(100 + 60 * i, 200, 130 + 60 * i, 225, 0.85) for i in range(5)]
    found = join(regions(*small), regions((5, 45, 795, 495, 0.8)))
    assert len(found) == 6


def test_insects_on_a_leaf_that_was_taken_for_one_stay():
    specks = [(100 + 60 * i, 200, 116 + 60 * i, 214, 0.05) for i in range(5)]
    assert len(join(regions(*specks), regions((5, 45, 795, 595, 0.8)))) == 6
    assert len(join(regions((100, 100, 300, 200, 0.05)), regions((5, 45, 795, 595, 0.2)))) == 2  # hardly taken for one


def test_a_heap_of_insects_is_not_swallowed_by_a_box_round_it():
    crowd = [(100 + 40 * i, 100 + 40 * j, 138 + 40 * i, 138 + 40 * j, 0.7) for i in range(5) for j in range(5)]
    assert len(join(regions(*crowd), regions((100, 100, 300, 300, 0.5)))) == 25
    pair = regions((100, 100, 200, 200, 0.8), (190, 100, 290, 200, 0.7))
    assert len(join(pair, regions((100, 100, 290, 200, 0.6)))) == 2


def test_a_coarse_look_adds_nothing_that_it_shows_with_few_pixels():
    assert join(regions((10, 10, 40, 40, 0.9)), regions((200, 200, 230, 230, 0.9))) == {(10, 10, 40, 40, 0.9)}


boxes = st.tuples(st.floats(0, 900), st.floats(0, 900), st.floats(8, 400), st.floats(8, 400), st.floats(0.05, 1)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3], b[4])
)


@given(st.lists(boxes, max_size=15), st.lists(boxes, max_size=4))
@settings(deadline=None)
def test_a_fine_region_goes_only_for_a_surer_one_over_it(fine, coarse):
    joined = join_looks([Look(regions(*fine), 1.0), Look(regions(*coarse), 0.4)], 0.55)
    given_ = regions(*fine, *coarse)
    everything = {tuple(row) for row in np.column_stack([given_.boxes, given_.objectness]).tolist()}
    kept = np.column_stack([joined.boxes, joined.objectness])
    assert {tuple(row) for row in kept.tolist()} <= everything
    for row in np.column_stack([regions(*fine).boxes, regions(*fine).objectness]):
        if tuple(row.tolist()) in {tuple(k) for k in kept.tolist()}:
            continue
        low, high = np.maximum(row[:2], given_.boxes[:, :2]), np.minimum(row[2:4], given_.boxes[:, 2:])
        meets = np.clip(high - low, 0, None).prod(axis=1) > 0
        assert (given_.objectness[meets] >= row[4]).any()


@pytest.mark.parametrize("count", [1, 2])
def test_without_regions_there_is_nothing_to_join(count):
    assert len(join_looks([Look(Regions.empty(), 1.0)] * count, 0.5)) == 0
