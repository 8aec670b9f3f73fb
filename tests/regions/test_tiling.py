"""Tiling: every pixel covered by few equal tiles, and cutting a photo changes nothing in what is found."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agri_clip.regions.base import Regions
from agri_clip.regions.tiling import propose_in_tiles, tiles

sizes = st.tuples(st.integers(1, 900), st.integers(1, 900), st.integers(20, 300)).flatmap(
    lambda s: st.tuples(*map(st.just, s), st.integers(0, s[2] - 1).map(lambda o: min(o, s[2] * 9 // 10)))
)


@given(sizes)
@settings(deadline=None)
def test_tiles_cover_the_photo_in_equal_sizes_with_the_overlap_asked_for(size):
    width, height, tile, overlap = size
    cut = np.array(tiles(width, height, tile, overlap))
    assert np.unique(cut[:, 2] - cut[:, 0]).tolist() == [min(tile, width)]
    assert np.unique(cut[:, 3] - cut[:, 1]).tolist() == [min(tile, height)]
    for low, high, length in ((0, 2, width), (1, 3, height)):
        starts, ends = np.unique(cut[:, low]), np.unique(cut[:, high])
        assert (starts[0], ends[-1]) == (0, length)
        assert (ends[:-1] - starts[1:] >= overlap).all()  # also: no gap between neighbours
    assert len({tuple(c) for c in cut.tolist()}) == len(cut)


@given(sizes)
@settings(deadline=None)
def test_no_fewer_tiles_would_do(size):
    width, height, tile, overlap = size

    def least(length: int) -> int:  # n tiles with this overlap reach n * tile - (n - 1) * overlap
        return 1 if length <= tile else ceil((length - overlap) / (tile - overlap))

    assert len(tiles(width, height, tile, overlap)) == least(width) * least(height)


@pytest.mark.parametrize("wrong", [(0, 5, 5, 0), (5, 5, 0, 0), (5, 5, 5, 5), (5, 5, 5, -1)])
def test_impossible_tiles_are_refused(wrong):
    with pytest.raises(ValueError, match="cannot cut"):
        tiles(*wrong)


def squares(box: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = box
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32)


def photo_with(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """A photo whose pixels name the object they belong to (0 is background), so that a tile can tell what it shows."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for number, (x1, y1, x2, y2) in enumerate(boxes.astype(int), start=1):
        pixels[y1:y2, x1:x2] = number
    return pixels


def perfect(tile: np.ndarray) -> Regions:
    """Finds exactly the part of each object that the tile shows."""
    found = []
    for number in np.unique(tile[tile > 0]):
        rows, columns = np.nonzero(tile[..., 0] == number)
        found.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    boxes = np.array(found, np.float32).reshape(-1, 4)
    return Regions(boxes, np.full(len(boxes), 0.5), tuple(map(squares, boxes)), ("seen",))


@given(
    st.integers(60, 300),
    st.integers(60, 300),
    st.integers(0, 2**31),
    st.sampled_from([(64, 24), (100, 30), (48, 24)]),
)
@settings(deadline=None, max_examples=60)
def test_cutting_changes_nothing_for_objects_up_to_the_overlap(width, height, seed, cut):
    tile, overlap = cut
    rng = np.random.default_rng(seed)
    cells = [(x, y) for x in range(0, width - 29, 30) for y in range(0, height - 29, 30)]
    boxes = np.array([(x, y, x + rng.integers(8, 20), y + rng.integers(8, 20)) for x, y in cells], np.float32)
    boxes += (
        np.repeat(rng.integers(0, 8, (len(boxes), 2)), 2, axis=0).reshape(-1, 2, 2).transpose(0, 2, 1).reshape(-1, 4)
    )
    regions = propose_in_tiles(photo_with(boxes[:200], width, height), perfect, tile, overlap)
    assert sorted(regions.boxes.tolist()) == sorted(boxes[:200].tolist())
    assert regions.notes == ("seen",)
    for box, outline in zip(regions.boxes, regions.outlines, strict=True):
        assert [*outline.min(0), *outline.max(0)] == box.tolist()


def test_an_object_larger_than_any_tile_is_put_together_again():
    boxes = np.array([[30, 40, 260, 90], [10, 200, 40, 230]], np.float32)
    regions = propose_in_tiles(photo_with(boxes, 300, 300), perfect, 100, 20)
    assert sorted(regions.boxes.tolist()) == sorted(boxes.tolist())


def test_a_loose_box_round_a_stump_is_dropped_for_the_whole_insect():
    def sloppy(tile: np.ndarray) -> Regions:
        seen = perfect(tile)
        boxes = seen.boxes.copy()
        if len(boxes) and boxes[0, 0] == 0:  # only the right-hand end shows: drawn 4 px too high at either end
            boxes[0] += [0, -4, 0, 4]
        return Regions(boxes, seen.objectness)

    boxes = np.array([[60, 40, 85, 60]], np.float32)
    regions = propose_in_tiles(photo_with(boxes, 180, 100), sloppy, 100, 20)
    assert regions.boxes.tolist() == boxes.tolist()


def test_a_small_photo_is_not_cut():
    seen = []

    def spy(tile: np.ndarray) -> Regions:
        seen.append(tile.shape)
        return Regions.empty(("n",))

    assert propose_in_tiles(np.zeros((50, 80, 3), np.uint8), spy, 100, 20).notes == ("n",)
    assert seen == [(50, 80, 3)]
