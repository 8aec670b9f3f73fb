"""Crops: square, centred, with the surroundings asked for, whatever the box."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agri_clip.encoders.crops import CONTEXT, MIN_SIDE, crop_windows, extract_crops


@pytest.fixture(scope="module")
def photo():
    """A photo that says in every pixel where it is: red is x, green is y."""
    y, x = np.mgrid[:100, :200]
    return np.stack([x, y, np.zeros_like(x)], axis=2).astype(np.uint8)


def test_a_crop_is_a_square_around_the_box_with_its_context(photo):
    (crop,) = extract_crops(photo, np.array([[40, 30, 60, 70]]), context=1.25)
    assert crop.shape == (50, 50, 3)
    assert crop[0, 0].tolist() == [25, 25, 0]
    assert crop[-1, -1].tolist() == [74, 74, 0]


def test_the_default_context_is_the_measured_one():
    assert CONTEXT == 1.25
    assert crop_windows(np.array([[0, 0, 80, 40]]))[0, 2] == 100


def test_what_lies_beyond_the_photo_repeats_its_edge(photo):
    (crop,) = extract_crops(photo, np.array([[0, 0, 20, 20]]), context=2)
    assert crop.shape == (40, 40, 3)
    assert (crop[:10, :10] == photo[0, 0]).all()
    np.testing.assert_array_equal(crop[10:, 10:], photo[:30, :30])
    np.testing.assert_array_equal(crop[10:, 0], photo[:30, 0])


def test_crops_inside_the_photo_are_not_copied(photo):
    inside, outside = extract_crops(photo, np.array([[40, 30, 60, 50], [0, 0, 9, 9]]))
    assert np.shares_memory(inside, photo)
    assert not np.shares_memory(outside, photo)


@pytest.mark.parametrize("size", [8, 32, 64])
def test_crops_of_one_size_can_be_asked_for(photo, size):
    crops = extract_crops(photo, np.array([[40, 30, 60, 70], [5, 5, 9, 9], [0, 0, 200, 100]]), size=size)
    assert np.stack(crops).shape == (3, size, size, 3)
    # Brightness stays: area averaging, not picking.
    assert abs(crops[0].astype(float)[..., 0].mean() - 49.5) < 1.5


def test_degenerate_boxes_give_a_small_crop(photo):
    boxes = np.array([[50, 50, 50, 50], [199, 99, 199, 99], [-40, -40, -20, -20], [500, 20, 600, 40]])
    for crop in extract_crops(photo, boxes):
        assert crop.shape[0] == crop.shape[1] >= MIN_SIDE


def test_a_box_far_larger_than_the_photo_costs_no_more_than_the_photo(photo):
    (crop,) = extract_crops(photo, np.array([[-1e9, -1e9, 1e9, 1e9]]))
    assert crop.shape == (250, 250, 3)


@pytest.mark.parametrize("box", [[9, 0, 3, 5], [0, 9, 5, 3], [0, 0, np.nan, 5], [0, 0, np.inf, 5]])
def test_a_box_that_is_none_is_named(photo, box):
    with pytest.raises(ValueError, match="box 1 is not"):
        extract_crops(photo, np.array([[0, 0, 5, 5], box]))


def test_what_is_no_photo_and_settings_out_of_range_are_named(photo):
    boxes = np.array([[0, 0, 5, 5]])
    for pixels in (photo[..., 0], photo.astype(np.float32), photo[:0]):
        with pytest.raises(ValueError, match="RGB uint8"):
            extract_crops(pixels, boxes)
    for wrong in ({"context": 0}, {"context": np.nan}, {"size": 0}, {"min_side": 0}):
        with pytest.raises(ValueError, match="must be"):
            extract_crops(photo, boxes, **wrong)


def test_no_boxes_give_no_crops(photo):
    assert extract_crops(photo, np.zeros((0, 4))) == []


@given(st.floats(-50, 250), st.floats(-50, 150), st.floats(0, 300), st.floats(0, 300), st.floats(0.5, 4))
def test_every_pixel_of_a_crop_is_the_nearest_pixel_of_the_photo(left, top, width, height, context):
    y, x = np.mgrid[:100, :200]
    photo = np.stack([x, y, x], axis=2).astype(np.uint8)
    box = np.array([[left, top, left + width, top + height]])
    (crop,) = extract_crops(photo, box, context=context)
    clipped = np.clip(box, 0, [200, 100, 200, 100])
    x0, y0, side = crop_windows(clipped, context)[0]
    assert crop.shape == (side, side, 3)
    rows, columns = np.mgrid[y0 : y0 + side, x0 : x0 + side]
    np.testing.assert_array_equal(crop[..., 0], np.clip(columns, 0, 199))
    np.testing.assert_array_equal(crop[..., 1], np.clip(rows, 0, 99))
    # The window is centred on the box to within the pixel grid.
    assert abs(x0 + side / 2 - (clipped[0, 0] + clipped[0, 2]) / 2) <= 0.5
    assert side >= min(context * (clipped[0, 2:] - clipped[0, :2]).max() - 0.5, 2000)


def test_a_thousand_crops_of_a_large_photo_take_a_moment():
    random = np.random.default_rng(0)
    photo = np.zeros((4000, 6000, 3), np.uint8)
    corners = random.uniform(0, 3900, (1000, 2))
    boxes = np.concatenate([corners, corners + random.uniform(5, 100, (1000, 2))], axis=1)
    started = time.perf_counter()
    extract_crops(photo, boxes)
    assert time.perf_counter() - started < 0.5  # 5 ms on an idle core
