"""Drawn close-ups: what they show, what changes from one to the next, and what is kept of the drawing."""

from __future__ import annotations

import numpy as np
import pytest

from fine_tune.encoder.crop_pool import described, render_pool
from fine_tune.synthetic import GROUP_NAMES, NONE
from fine_tune.synthetic.captions import NOTHING, captions, nothing_kind
from fine_tune.synthetic.close_ups import recolour, relight, render_close_up, tilt
from fine_tune.synthetic.crops import draw_insect
from fine_tune.synthetic.insects import DRAWERS
from fine_tune.synthetic.insects.gardens import GARDEN_DRAWERS


def disc(colour: tuple[float, float, float], side: int = 80) -> np.ndarray:
    """A premultiplied layer with one round body."""
    y, x = np.mgrid[:side, :side] - side / 2
    layer = np.zeros((side, side, 4), np.float32)
    inside = x**2 + y**2 < (0.4 * side) ** 2
    layer[inside] = (*colour, 1.0)
    return layer


@pytest.mark.parametrize("group", ["bee", "caterpillar", "whitefly"])
def test_a_close_up_is_the_same_for_the_same_state_and_another_for_another(group: str) -> None:
    one, same, other = (render_close_up(np.random.default_rng(seed), group, 64) for seed in (1, 1, 2))
    assert one.pixels.shape == (64, 64, 3)
    assert one.pixels.dtype == np.uint8
    np.testing.assert_array_equal(one.pixels, same.pixels)
    assert one.attributes == same.attributes
    assert not np.array_equal(one.pixels, other.pixels)


def test_every_group_can_be_drawn_and_told_of() -> None:
    for number, group in enumerate((*GROUP_NAMES, NONE)):
        crop = render_close_up(np.random.default_rng(number), group, 48)
        assert captions(np.random.default_rng(0), group, crop.attributes)


@pytest.mark.parametrize("group", GARDEN_DRAWERS)
def test_kinds_of_gardens_are_of_a_known_group_and_only_in_close_ups(group: str) -> None:
    assert group in DRAWERS

    def looks(*, in_gardens: bool) -> set[tuple[str, ...]]:
        drawn = [draw_insect(np.random.default_rng(s), group, 40, False, 0.0, in_gardens=in_gardens) for s in range(30)]
        return {(look.colours[0], look.pattern, *look.shapes, *look.features) for _, look, _, _ in drawn}

    assert looks(in_gardens=True) - looks(in_gardens=False)


def test_a_living_insect_lies_neither_crumpled_nor_curled_up() -> None:
    poses = [draw_insect(np.random.default_rng(s), "bee", 40, False, 0.0, in_gardens=True)[2] for s in range(60)]
    assert not any(pose.crumpled or pose.curl for pose in poses)
    assert sum(pose.wings == "folded" for pose in poses) > 25


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(ValueError, match="unicorn"):
        render_close_up(np.random.default_rng(0), "unicorn")


def test_what_lies_where_no_insect_is_has_a_name() -> None:
    kinds = {nothing_kind(render_close_up(np.random.default_rng(s), NONE, 40).attributes) for s in range(40)}
    assert kinds <= set(NOTHING)
    assert {"plants", "flower"} <= kinds


def test_given_grounds_are_drawn_over() -> None:
    red = np.zeros((1, 50, 50, 3), np.uint8)
    red[..., 0] = 255
    seen = [render_close_up(np.random.default_rng(s), NONE, 40, red).pixels.mean(axis=(0, 1)) for s in range(25)]
    assert sum(r > 4 * max(g, b) for r, g, b in seen) >= 3


def test_light_rounds_a_body_and_leaves_its_outline() -> None:
    layer = disc((120, 120, 120))
    relight(np.random.default_rng(3), layer)
    np.testing.assert_array_equal(layer[..., 3], disc((0, 0, 0))[..., 3])
    assert layer[..., :3].max() <= 255
    inside = layer[layer[..., 3] > 0][:, 0]
    assert np.percentile(inside, 95) - np.percentile(inside, 5) > 15


def test_a_tilted_view_is_never_wider_and_keeps_its_colours() -> None:
    layer = disc((200, 40, 10))
    for seed in range(6):
        seen = tilt(np.random.default_rng(seed), layer)
        assert max(seen.shape[:2]) <= 1.5 * 80 * 2**0.5
        body = seen[seen[..., 3] > 0.99]
        np.testing.assert_allclose(body[:, :3].mean(axis=0), (200, 40, 10), atol=2)


def test_another_colour_keeps_the_outline() -> None:
    changed = 0
    for seed in range(8):
        layer = disc((210, 170, 40))
        recolour(np.random.default_rng(seed), layer)
        np.testing.assert_array_equal(layer[..., 3], disc((0, 0, 0))[..., 3])
        assert (layer[..., :3] <= 255 * layer[..., 3:] + 1e-3).all()
        changed += bool(np.abs(layer[40, 40, :3] - (210, 170, 40)).max() > 25)
    assert changed >= 6


def test_a_pool_of_close_ups_is_told_of_without_its_pictures() -> None:
    pools = [render_pool("train", 3, 0, count, 40, None, close_ups=True) for count in (3, 2)]
    looks = described(pools)
    assert len(looks) == 5
    assert looks.groups[3:] == pools[1].groups
    assert looks.attributes[:3] == pools[0].attributes
