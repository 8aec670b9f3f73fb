"""Merging: equal to the plain textbook loop on any boxes, whatever their order, and quick on a crowded trap."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agri_clip.regions.base import Regions
from agri_clip.regions.merging import best_first, fuse_views, merge_regions, nmm, nms, overlap_matrix, overlapping_pairs

# A coarse grid and few score levels, so that ties, duplicates, touching and empty boxes are common.
corner = st.integers(0, 6)
box = st.tuples(corner, corner, corner, corner).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)
crowd = st.lists(st.tuples(box, st.integers(0, 3)), max_size=40).map(
    lambda items: (
        np.array([b for b, _ in items], np.float32).reshape(-1, 4),
        np.array([s for _, s in items], np.float32) / 4,
    )
)
metric = st.sampled_from(["iou", "ios"])
threshold = st.sampled_from([0.0, 0.2, 1 / 3, 0.5, 0.75, 1.0])


def plain_overlap(a: np.ndarray, b: np.ndarray, metric: str) -> float:
    """Two boxes, by the book."""
    if tuple(a) == tuple(b):
        return 1.0
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    whole = min(area_a, area_b) if metric == "ios" else area_a + area_b - width * height
    return width * height / whole if whole > 0 else 0.0


def plain_groups(boxes: np.ndarray, scores: np.ndarray, threshold: float, metric: str) -> list[list[int]]:
    """Greedy suppression in two nested loops; each group starts with the box that stays."""

    def priority(i: int) -> tuple:
        x1, y1, x2, y2 = (float(v) for v in boxes[i])
        return (-scores[i], -(x2 - x1) * (y2 - y1), x1, y1, x2, y2, i)

    left = sorted(range(len(boxes)), key=priority)
    groups = []
    while left:
        best, *rest = left
        overlap = {i: plain_overlap(boxes[best].astype(float), boxes[i].astype(float), metric) for i in rest}
        groups.append([best] + [i for i in rest if overlap[i] > threshold])
        left = [i for i in rest if overlap[i] <= threshold]
    return groups


@given(crowd, threshold, metric)
@settings(deadline=None, max_examples=150)
def test_nms_and_nmm_equal_the_plain_loop(items, threshold, metric):
    boxes, scores = items
    expected = plain_groups(boxes, scores, threshold, metric)
    assert nms(boxes, scores, threshold, metric).tolist() == [group[0] for group in expected]
    merged, best, groups = nmm(boxes, scores, threshold, metric)
    assert [group.tolist() for group in groups] == expected
    for group, union, score in zip(expected, merged, best, strict=True):
        assert union.tolist() == [*boxes[group][:, :2].min(0), *boxes[group][:, 2:].max(0)]
        assert score == scores[group].max()


@given(crowd, threshold, metric, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=80)
def test_the_order_of_the_input_does_not_matter(items, threshold, metric, random):
    boxes, scores = items
    shuffled = list(range(len(boxes)))
    random.shuffle(shuffled)
    one = boxes[nms(boxes, scores, threshold, metric)]
    other = boxes[shuffled][nms(boxes[shuffled], scores[shuffled], threshold, metric)]
    assert one.tolist() == other.tolist()


@given(crowd, st.integers(1, 4))
def test_best_first_sorts_by_group_score_area_and_place(items, groups):
    boxes, scores = items
    group = np.arange(len(boxes)) % groups

    def key(i: int) -> tuple[float, ...]:
        x1, y1, x2, y2 = boxes[i].tolist()
        return int(group[i]), -float(scores[i]), -(x2 - x1) * (y2 - y1), x1, y1, x2, y2, i

    assert best_first(boxes, scores, group).tolist() == sorted(range(len(boxes)), key=key)


@pytest.mark.parametrize("metric", ["iou", "ios"])
def test_more_boxes_than_a_block_equal_the_plain_loop(metric):
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 300, (900, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 60, (900, 2))], 1).astype(np.float32)
    scores = rng.integers(0, 50, 900).astype(np.float32)
    expected = plain_groups(boxes, scores, 0.4, metric)
    assert [g.tolist() for g in nmm(boxes, scores, 0.4, metric)[2]] == expected


@given(crowd, crowd, metric, st.sampled_from([0.0, 0.3]))
@settings(deadline=None, max_examples=80)
def test_overlaps_by_tree_and_by_matrix_agree_with_the_definition(one, other, metric, above):
    a, b = one[0], other[0]
    matrix = overlap_matrix(a, b, metric)
    assert matrix.shape == (len(a), len(b))
    for i in range(len(a)):
        for j in range(len(b)):
            assert matrix[i, j] == pytest.approx(plain_overlap(a[i].astype(float), b[j].astype(float), metric))
    in_a, in_b, overlap = overlapping_pairs(a, b, above, metric)
    assert list(zip(in_a, in_b, strict=True)) == list(zip(*np.nonzero(matrix > above), strict=True))
    assert overlap.tolist() == matrix[in_a, in_b].tolist()


@pytest.mark.parametrize("spread", [4000, 40], ids=["spread out", "piled up"])
def test_ten_thousand_boxes_take_well_under_a_few_seconds(spread):
    rng = np.random.default_rng(1)
    corners = rng.uniform(0, spread, (10_000, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 50, (10_000, 2))], 1)
    scores = rng.uniform(size=10_000)
    start = time.process_time()
    kept = nms(boxes, scores, 0.5)
    merged, _, _ = nmm(boxes, scores, 0.5, "iou")
    assert time.process_time() - start < 3
    assert len(kept) == len(merged)
    left, other, _ = overlapping_pairs(boxes[kept], boxes[kept], above=0.5)
    assert np.array_equal(left, other)  # each overlaps only itself


def square(x: float, y: float, side: float) -> np.ndarray:
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]], np.float32)


def test_merged_halves_of_an_insect_get_one_outline_and_keep_the_notes():
    regions = Regions(
        np.array([[0, 0, 10, 10], [6, 0, 16, 10], [50, 50, 60, 60]]),
        np.array([0.5, 0.9, 0.7]),
        (square(0, 0, 10), square(6, 0, 10), None),
        ("a note",),
        at_cap=True,
    )
    merged = merge_regions(regions, "nmm", "ios", 0.3)
    assert merged.boxes.tolist() == [[0, 0, 16, 10], [50, 50, 60, 60]]
    assert merged.objectness.tolist() == pytest.approx([0.9, 0.7])
    assert merged.notes == ("a note",)
    assert merged.at_cap
    assert not merge_regions(Regions.empty(), "nmm").at_cap
    outline, none = merged.outlines
    assert none is None
    assert (outline.min(0).tolist(), outline.max(0).tolist()) == ([0, 0], [16, 10])


def test_suppression_keeps_the_best_regions_own_outline():
    regions = Regions(
        np.array([[0, 0, 10, 10], [1, 0, 11, 10]]), np.array([0.5, 0.9]), (square(0, 0, 10), square(1, 0, 10))
    )
    kept = merge_regions(regions, "nms", "iou", 0.5)
    assert kept.boxes.tolist() == [[1, 0, 11, 10]]
    assert np.array_equal(kept.outlines[0], square(1, 0, 10))


def test_outlines_in_pieces_become_their_hull():
    regions = Regions(
        np.array([[0, 0, 30, 10], [0, 0, 30, 10]]), np.array([0.5, 0.9]), (square(0, 0, 10), square(20, 0, 10))
    )
    (outline,) = merge_regions(regions, "nmm").outlines
    assert outline.min(0).tolist() == [0, 0]
    assert outline.max(0).tolist() == [30, 10]


def test_what_two_views_show_is_averaged_and_what_one_shows_counts_half():
    plain = Regions(np.array([[0, 0, 10, 10], [50, 50, 60, 60]]), np.array([0.9, 0.8]), notes=("a note",), at_cap=True)
    mirrored = Regions(np.array([[0, 0, 10, 13]]), np.array([0.3]))
    fused = fuse_views([plain, mirrored], 0.5)
    assert fused.boxes == pytest.approx(np.array([[0, 0, 10, 10.75], [50, 50, 60, 60]]))  # 10 and 13 weighed 3 to 1
    assert fused.objectness.tolist() == pytest.approx([0.6, 0.4])
    assert fused.notes == ("a note",)
    assert fused.at_cap


def test_what_one_view_shows_twice_moves_the_box_but_counts_once():
    twice = Regions(np.array([[0, 0, 10, 10], [0, 0, 10, 13]]), np.array([0.9, 0.3]))
    fused = fuse_views([twice], 0.5)
    assert fused.boxes == pytest.approx(np.array([[0, 0, 10, 10.75]]))
    assert fused.objectness.tolist() == pytest.approx([0.9])


def test_with_outlines_a_box_is_the_average_of_the_views_best_and_keeps_the_best_outline():
    one = Regions(
        np.array([[0, 0, 10, 10], [2, 0, 12, 10]]), np.array([0.8, 0.7]), (square(0, 0, 10), square(2, 0, 10))
    )
    other = Regions(np.array([[1, 0, 11, 10]]), np.array([0.8]), (square(1, 0, 10),))
    alone, both = fuse_views([one], 0.5), fuse_views([one, other], 0.5)
    assert alone.boxes.tolist() == [[0, 0, 10, 10]]
    assert both.boxes == pytest.approx(np.array([[0.5, 0, 10.5, 10]]))
    assert np.array_equal(both.outlines[0], square(0, 0, 10))


@given(crowd, threshold, st.integers(1, 4))
@settings(deadline=None, max_examples=80)
def test_views_that_agree_give_what_one_of_them_gives(items, threshold, count):
    one = Regions(*items)
    alone, agreed = fuse_views([one], threshold), fuse_views([one] * count, threshold)
    if threshold < 1:
        np.testing.assert_allclose(agreed.boxes, alone.boxes, atol=1e-5)
        np.testing.assert_allclose(agreed.objectness, alone.objectness, atol=1e-6)
    assert sorted(alone.objectness.tolist(), reverse=True) == alone.objectness.tolist()
    assert alone.objectness.tolist() == pytest.approx(
        one.objectness[nms(one.boxes, one.objectness, threshold)].tolist()
    )


def test_no_regions_merge_to_none():
    assert len(fuse_views([Regions.empty(), Regions.empty()])) == 0
    assert len(merge_regions(Regions.empty(("n",)), "nms")) == len(merge_regions(Regions.empty(), "nmm")) == 0
    assert merge_regions(Regions.empty(("n",)), "nmm").notes == ("n",)


@pytest.mark.parametrize(
    ("boxes", "scores", "settings_", "says"),
    [
        ([[5, 0, 1, 1]], [1], {}, "x1 <= x2"),
        ([[0, 0, np.nan, 1]], [1], {}, "finite"),
        ([[0, 0, 1, 1]], [1, 2], {}, "1 boxes"),
        ([[0, 0, 1, 1]], [np.nan], {}, "finite"),
        ([[0, 0, 1, 1]], [1], {"metric": "giou"}, "giou"),
    ],
)
def test_nonsense_is_refused_with_a_clear_word(boxes, scores, settings_, says):
    with pytest.raises(ValueError, match=says):
        nms(np.array(boxes, float), np.array(scores, float), **settings_)
