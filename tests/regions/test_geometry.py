"""Lengths of regions."""

from __future__ import annotations

import numpy as np
import pytest

from agri_clip.regions.base import Regions
from agri_clip.regions.geometry import long_sides


def test_length_is_that_of_the_box_where_there_is_no_outline() -> None:
    regions = Regions(np.array([[0, 0, 30, 10], [5, 5, 6, 45]]), np.ones(2))
    np.testing.assert_allclose(long_sides(regions), [30, 40])


def test_a_slender_insect_lying_aslant_is_as_long_as_it_is() -> None:
    along, across = np.array([1, 1]) / np.sqrt(2), np.array([1, -1]) / np.sqrt(2)
    outline = np.array([along * a + across * b for a, b in ((0, 0), (100, 0), (100, 6), (0, 6))], np.float32) + 50
    box = np.concatenate([outline.min(axis=0), outline.max(axis=0)])[None]
    regions = Regions(np.repeat(box, 2, axis=0), np.ones(2), (outline, None))
    lengths = long_sides(regions)
    assert lengths[0] == pytest.approx(100, rel=1e-3)
    assert lengths[1] == pytest.approx((100 + 6) / np.sqrt(2), rel=1e-3)


def test_an_outline_of_two_points_falls_back_to_the_box() -> None:
    regions = Regions(np.array([[0, 0, 30, 10]]), np.ones(1), (np.zeros((2, 2), np.float32),))
    np.testing.assert_allclose(long_sides(regions), [30])


def test_no_regions_have_no_lengths() -> None:
    assert long_sides(Regions.empty()).shape == (0,)
