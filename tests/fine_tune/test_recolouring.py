"""Other colours for training pictures: the card changes, what is on it stays."""

from __future__ import annotations

import numpy as np

from fine_tune.recolouring import develop, recolour, turn_hue

YELLOW = (230, 200, 20)


def card_with_square() -> np.ndarray:
    """A yellow card of 64 pixels with a black square of 20."""
    pixels = np.full((64, 64, 3), YELLOW, np.uint8)
    pixels[20:40, 30:50] = 0
    return pixels


def test_recolouring_changes_the_card_and_leaves_the_insects() -> None:
    pixels = card_with_square()
    out = recolour(pixels, (40, 80, 190))
    card = (pixels == YELLOW).all(axis=2)
    assert np.abs(out[card].astype(int) - (40, 80, 190)).max() <= 3
    body = ~card
    assert np.abs(out[body].astype(int) - pixels[body]).max() <= 12


def test_turned_hues_leave_grey_and_lightness_alone() -> None:
    pixels = card_with_square()
    out = turn_hue(pixels, 60)
    card = (pixels == YELLOW).all(axis=2)
    np.testing.assert_array_equal(out[~card], pixels[~card])
    np.testing.assert_array_equal(out.max(axis=2), pixels.max(axis=2))
    assert (out[card].argmax(axis=1) == 1).all()  # 120 degrees on from yellow lies cyan, whose green leads here


def test_developing_keeps_the_shape_and_varies() -> None:
    pixels = card_with_square()
    results = [develop(np.random.default_rng(n), pixels) for n in range(20)]
    assert {r.shape for r in results} == {pixels.shape}
    assert len({r.tobytes() for r in results}) > 15
