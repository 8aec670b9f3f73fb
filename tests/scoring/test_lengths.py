"""Length without a scale: what the insects of one photo tell of each other, and when they tell nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agri_clip.scoring.label_vectors import LabelVectors
from agri_clip.scoring.lengths import LEAST_INSECTS, LEAST_LIKELIHOOD, relative_likelihood
from agri_clip.scoring.score import Scores, score

DIM = 24
SMALL, LARGE = (1.0, 1.5), (6.0, 9.0)
NO_RANGE = (np.nan, np.nan)
KINDS = pytest.mark.parametrize(
    "kind", [{}, {"activation": "sigmoid", "logit_scale": 100.0, "logit_bias": -16.0}], ids=["softmax", "sigmoid"]
)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def embedded(*lengths: tuple[float, float], others: int = 0, alike: bool = True, **kind: object) -> LabelVectors:
    """Labels of these lengths, which look the same unless told otherwise, one negative, and other insects."""
    random = np.random.default_rng(0)
    own = unit(random.normal(size=(1 if alike else len(lengths), DIM)))
    own = np.repeat(own, len(lengths), axis=0) if alike else own
    model = {"activation": "softmax", "logit_scale": 30.0, "logit_bias": 0.0} | kind
    return LabelVectors(
        labels=tuple("abcdef"[: len(lengths)]),
        negatives=("glue",),
        vectors=np.concatenate([own, unit(random.normal(size=(1, DIM)))]),
        others=unit(random.normal(size=(others, DIM))) if others else np.zeros((0, DIM), np.float32),
        lengths_mm=np.array(lengths, float),
        own_thresholds=np.full(len(lengths), np.nan),
        fingerprint="test",
        **model,  # type: ignore[arg-type]
    )


def same(one: Scores, other: Scores) -> bool:
    arrays = ("label_index", "status", "score", "margin", "insect", "labels", "other", "negatives")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)


@KINDS
@pytest.mark.parametrize("pixels_per_mm", [3, 20, 200])
def test_insects_that_look_the_same_are_told_apart_by_their_size_against_each_other(
    kind: dict[str, object], pixels_per_mm: float
) -> None:
    prompts = embedded(SMALL, LARGE, **kind)
    lengths = np.array([1.1, 1.3, 7, 1.2, 8, 7.5, 1.4]) * pixels_per_mm
    result = score(np.repeat(prompts.vectors[:1], 7, axis=0), prompts, lengths_px=lengths)
    assert result.length == "relative"
    assert result.label_index.tolist() == [0, 0, 1, 0, 1, 1, 0]
    # Length says which insect, not whether it is one.
    np.testing.assert_allclose(result.insect, result.insect[0])


def test_what_looks_clear_gives_the_scale_for_what_does_not() -> None:
    prompts = embedded(SMALL, LARGE, alike=False)
    between = unit(prompts.vectors[:1] + prompts.vectors[1:2])
    vectors = np.concatenate([np.repeat(prompts.vectors[:1], 8, axis=0), between, between])
    lengths = np.array([11, 12, 13, 14, 11, 12, 13, 14, 12.5, 75])
    assert score(vectors, prompts, lengths_px=lengths).label_index[-2:].tolist() == [0, 1]


@pytest.mark.parametrize(
    "lengths",
    [(SMALL,), (NO_RANGE, NO_RANGE), (SMALL, NO_RANGE), (SMALL, SMALL), (SMALL, SMALL, NO_RANGE)],
    ids=["one label", "no range", "one range", "equal ranges", "equal ranges and none"],
)
def test_labels_of_one_size_or_none_leave_everything_as_it_was(lengths: tuple[tuple[float, float], ...]) -> None:
    prompts = embedded(*lengths, others=2, alike=False)
    random = np.random.default_rng(1)
    vectors = unit(random.normal(size=(20, DIM)) + 3 * prompts.vectors[0])
    result = score(vectors, prompts, lengths_px=random.uniform(5, 200, 20))
    assert result.length == "none"
    assert same(result, score(vectors, prompts))


def test_a_handful_of_insects_is_needed_and_dirt_is_none() -> None:
    prompts = embedded(SMALL, LARGE, alike=False)
    lengths = np.array([10, 11, 12, 13, 75, *[300.0] * 20])
    few = np.concatenate([prompts.vectors[[0, 0, 0, 1]], np.repeat(prompts.vectors[2:], 21, axis=0)])
    assert (score(few, prompts).insect >= 0.5).sum() == LEAST_INSECTS - 1
    assert same(score(few, prompts, lengths_px=lengths), score(few, prompts))
    enough = np.concatenate([prompts.vectors[[0, 0, 0, 0, 1]], few[5:]])
    assert score(enough, prompts, lengths_px=lengths).length == "relative"


def test_insects_that_no_label_means_do_not_move_the_scale() -> None:
    prompts = embedded(SMALL, LARGE, others=1, alike=False)
    between = unit(prompts.vectors[:1] + prompts.vectors[1:2])
    mine = np.concatenate([np.repeat(prompts.vectors[:1], 6, axis=0), np.repeat(prompts.vectors[1:2], 6, axis=0)])
    vectors = np.concatenate([mine, between, np.repeat(prompts.others, 30, axis=0)])
    lengths = np.concatenate([np.full(6, 12.0), np.full(6, 75.0), [12.0], np.full(30, 400.0)])
    assert score(vectors, prompts, lengths_px=lengths).label_index[12] == 0


def test_a_known_scale_goes_first() -> None:
    prompts = embedded(SMALL, LARGE)
    vectors = np.repeat(prompts.vectors[:1], 7, axis=0)
    lengths = np.array([11, 13, 70, 12, 80, 75, 14.0])
    known = score(vectors, prompts, lengths_mm=lengths / 60, lengths_px=lengths)
    assert known.length == "scale"
    assert same(known, score(vectors, prompts, lengths_mm=lengths / 60))
    assert not same(known, score(vectors, prompts, lengths_px=lengths))
    with pytest.raises(ValueError, match="3 regions"):
        score(vectors[:3], prompts, lengths_px=lengths)


@given(st.permutations(range(14)), st.integers(0, 500), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_order_of_regions_changes_no_digit(order: list[int], seed: int, alike: bool) -> None:
    random = np.random.default_rng(seed)
    prompts = embedded(SMALL, LARGE, (2, 4), NO_RANGE, others=2, alike=alike)
    vectors, lengths = unit(random.normal(size=(14, DIM)) + prompts.vectors[0]), random.uniform(5, 90, 14)
    plain = score(vectors, prompts, lengths_px=lengths)
    turned = score(vectors[order], prompts, lengths_px=lengths[order])
    assert turned.length == plain.length
    for name in ("label_index", "status", "score", "margin", "insect", "labels", "other"):
        np.testing.assert_array_equal(getattr(turned, name), getattr(plain, name)[order], err_msg=name)


@given(st.integers(0, 500), st.integers(5, 40), st.floats(0.5, 3000), st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_length_silences_a_label(seed: int, count: int, typical: float, unknown: bool) -> None:
    random = np.random.default_rng(seed)
    ranges = np.array([SMALL, LARGE, (0.2, 60), NO_RANGE])
    shares = random.dirichlet(np.ones(5), count)[:, :4]
    lengths = typical * np.exp(random.normal(0, 2, count))
    if unknown:
        lengths[0] = np.nan
    fit = relative_likelihood(lengths, ranges, shares, np.ones(count))
    assert fit is not None
    assert np.isfinite(fit).all()
    assert ((fit >= LEAST_LIKELIHOOD) & (fit <= 1)).all()
    np.testing.assert_allclose(fit[:, 3], 1)
    if unknown:
        np.testing.assert_allclose(fit[0], 1, atol=0.05)


def test_where_the_scale_remains_open_every_length_fits() -> None:
    ranges = np.array([SMALL, LARGE])
    # Nobody means these insects, so nothing tells the scale.
    fit = relative_likelihood(np.geomspace(40, 150, 12), ranges, np.full((12, 2), 1e-6), np.ones(12))
    np.testing.assert_allclose(fit, 1, atol=0.02)
