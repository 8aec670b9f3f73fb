"""One rendered card on two visits, photographed by two hands, and another card of the same make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from agri_clip.photos.photo import Photo
from fine_tune.synthetic.visits import photograph_again, render_visits

BEFORE = {"fungus gnat": 9, "aphid": 6, "whitefly": 10}
MAKE = {"kind": "yellow", "size": (1000, 760), "mm_per_pixel": 0.1, "grid_mm": 25, "brand": "CATCHLINE"}


@dataclass(frozen=True)
class Cards:
    """Photos and their boxes: a card, the same a week later (the insects of before come first), and a new card."""

    first: Photo
    first_boxes: np.ndarray
    second: Photo
    second_boxes: np.ndarray
    other: Photo
    other_boxes: np.ndarray


@pytest.fixture(scope="session")
def cards() -> Cards:
    first, second = render_visits(1, BEFORE, 8, **MAKE)
    other, _ = render_visits(2, BEFORE, 0, **MAKE)
    rng = np.random.default_rng(5)
    again, again_boxes = photograph_again(rng, second.pixels, second.boxes)
    new, new_boxes = photograph_again(rng, other.pixels, other.boxes)
    return Cards(
        Photo(first.pixels, "first"),
        np.asarray(first.boxes, np.float64),
        Photo(again, "second"),
        again_boxes,
        Photo(new, "other"),
        new_boxes,
    )
