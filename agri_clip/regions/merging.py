"""Merge boxes that mean the same thing: NMS and NMM by IoU or IoS, fusion of views by weight. Part of step 1.

Evaluation uses its overlaps too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import shapely

from agri_clip.regions.base import Regions

Metric = Literal["iou", "ios"]
Method = Literal["nms", "nmm"]

# Boxes settled together. Bounds the pairs held in memory to BLOCK * n, also where every box overlaps every other.
BLOCK = 256


def iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of every box of `a` with every box of `b`.

    Parameters
    ----------
    a : array_like, shape (n, 4)
    b : array_like, shape (m, 4)
        Boxes xyxy, any one unit.

    Returns
    -------
    ndarray, shape (n, m), float64
        0 to 1. A box without area overlaps only its equal (1), nothing else (0).
    """
    return overlap_matrix(a, b, "iou")


def overlap_matrix(a: np.ndarray, b: np.ndarray, metric: Metric = "iou") -> np.ndarray:
    """Overlap of every box of `a` with every box of `b`; see `iou_matrix` for shapes and boxes without area.

    `metric` is "iou" (intersection over union) or "ios" (intersection over the smaller box's area).
    """
    a, b = _checked(a), _checked(b)
    return _overlap(a[:, None, :], b[None, :, :], metric)


def overlapping_pairs(
    a: np.ndarray, b: np.ndarray, above: float = 0.0, metric: Metric = "iou"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of boxes whose overlap is greater than `above`, without the dense matrix.

    Parameters
    ----------
    a : array_like, shape (n, 4)
    b : array_like, shape (m, 4)
        Boxes xyxy.
    above : float
        Overlap that a pair must exceed, 0 to 1.
    metric : {"iou", "ios"}

    Returns
    -------
    in_a, in_b : ndarray, shape (k,), int64
        Indices of the pairs, in order of `in_a`, then `in_b`.
    overlap : ndarray, shape (k,), float64
    """
    a, b = _checked(a), _checked(b)
    outlines, tree = shapely.box(*a.T), shapely.STRtree(shapely.box(*b.T))
    parts = [
        _pairs_in_tree(a, outlines, np.arange(at, min(at + BLOCK, len(a))), tree, b, above, metric)
        for at in range(0, len(a), BLOCK)
    ]
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    in_a, in_b, overlap = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((in_b, in_a))
    return in_a[order], in_b[order], overlap[order]


def largest_overlaps(boxes: np.ndarray, metric: Metric = "iou") -> np.ndarray:
    """How far each box overlaps the one that it overlaps most, itself left out.

    Parameters
    ----------
    boxes : array_like, shape (n, 4)
        xyxy.
    metric : {"iou", "ios"}

    Returns
    -------
    ndarray, shape (n,), float64
        0 to 1. A box for which this is no more than a threshold takes no part in `nms` with that threshold.
    """
    one, other, overlap = overlapping_pairs(boxes, boxes, 0.0, metric)
    largest = np.zeros(len(np.asarray(boxes).reshape(-1, 4)))
    apart = one != other
    np.maximum.at(largest, one[apart], overlap[apart])
    return largest


def best_first(boxes: np.ndarray, scores: np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
    """Indices in the order in which `nms` goes through boxes; with `group` group by group, in ascending order."""
    boxes, scores = _checked(boxes), np.asarray(scores, dtype=np.float64).reshape(-1)
    first = [-scores] if group is None else [-scores, np.asarray(group)]
    order = np.lexsort(first)
    # Few scores are equal, and sorting by the boxes too would take four times as long.
    equal = np.logical_and.reduce([key[order[1:]] == key[order[:-1]] for key in first])
    if equal.any():
        tied = np.append(equal, False) | np.insert(equal, 0, False)
        rows = order[tied]
        area = np.prod(boxes[rows, 2:] - boxes[rows, :2], axis=1)
        order[tied] = rows[np.lexsort([*boxes[rows, ::-1].T, -area, *(key[rows] for key in first)])]
    return order


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float = 0.5, metric: Metric = "iou") -> np.ndarray:
    """Greedy non-maximum suppression, blind to classes.

    The best box stays and every other whose overlap with it exceeds `threshold` goes; then the best of the rest, and so
    on. Equal scores are settled by the boxes alone, so that the result does not depend on the order of the input:
    larger area first, then smaller x1, y1, x2, y2. Of boxes equal in all of these, duplicates, the first given stays.

    Parameters
    ----------
    boxes : array_like, shape (n, 4)
        xyxy, any one unit.
    scores : array_like, shape (n,)
    threshold : float
        Overlap above which a box goes, 0 to 1; at 1 nothing goes.
    metric : {"iou", "ios"}
        "ios" also takes parts that lie inside a larger box.

    Returns
    -------
    ndarray, shape (k,), int64
        Indices of the boxes that stay, best first.

    Raises
    ------
    ValueError
        Boxes or scores that are not finite, do not match, or with x2 < x1 or y2 < y1; an unknown metric.
    """
    order, owner = _greedy(boxes, scores, threshold, metric)
    return order[owner[order] == order]


def nmm(
    boxes: np.ndarray, scores: np.ndarray, threshold: float = 0.5, metric: Metric = "ios"
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Greedy non-maximum merging: as `nms`, but what would go is merged into the box that it overlaps.

    Groups are formed on the boxes as given, as GREEDYNMM in SAHI does, so merged boxes may overlap each other again.

    Parameters
    ----------
    boxes, scores, threshold, metric
        As for `nms`.

    Returns
    -------
    merged : ndarray, shape (k, 4), float32
        The union of each group's boxes.
    best : ndarray, shape (k,), float32
        The highest score of each group, in descending order.
    groups : list of k ndarray, int64
        Indices of each group's boxes, best first.

    Raises
    ------
    ValueError
        As for `nms`.

    References
    ----------
    Akyon et al., Slicing Aided Hyper Inference, ICIP 2022; https://github.com/obss/sahi
    """
    boxes, scores = _checked(boxes), np.asarray(scores, dtype=np.float64).reshape(-1)
    order, owner = _greedy(boxes, scores, threshold, metric)
    if not len(order):
        return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), []
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    # Members sorted by their keeper's rank, then their own: each group is one run that starts with its keeper.
    members = order[np.lexsort((rank[order], rank[owner[order]]))]
    starts = np.flatnonzero(owner[members] == members)
    low = np.minimum.reduceat(boxes[members, :2], starts)
    high = np.maximum.reduceat(boxes[members, 2:], starts)
    merged = np.concatenate([low, high], axis=1).astype(np.float32)
    return merged, scores[members[starts]].astype(np.float32), np.split(members, starts[1:])


def merge_regions(regions: Regions, method: Method = "nms", metric: Metric = "iou", threshold: float = 0.5) -> Regions:
    """Merge the regions of one photo that mean the same thing; best objectness first; notes and `at_cap` are kept.

    With "nmm" the outline of a group is the union of its members' outlines (members without one add nothing). Where
    that union falls into several pieces it is their convex hull, as a region has one outline.

    Raises
    ------
    ValueError
        An unknown method, or as for `nms`.
    """
    if method == "nms":
        return regions[nms(regions.boxes, regions.objectness, threshold, metric)]
    if method != "nmm":
        raise ValueError(f"unknown merging method {method!r}: use 'nms' or 'nmm'")
    boxes, scores, groups = nmm(regions.boxes, regions.objectness, threshold, metric)
    outlines = None
    if regions.outlines is not None:
        outlines = tuple(join_outlines([regions.outlines[i] for i in group]) for group in groups)
    return replace(regions, boxes=boxes, objectness=scores, outlines=outlines)


def fuse_views(views: Sequence[Regions], threshold: float = 0.5) -> Regions:
    """Regions of one picture, seen in one or several views, with those of one thing averaged; best objectness first.

    Regions that overlap the best of them by more than `threshold` (IoU) are one thing. Its box is their average,
    weighted by objectness. Its objectness is that of each view's best, summed, over the number of views: found by one
    view of two, it counts half. Its outline is the best one's; where there are outlines, only each view's best region
    is part of the average, so that box and outline still fit. Groups are formed as `nms` does, on the boxes as given,
    where the paper compares with the running average.

    Parameters
    ----------
    views : sequence of Regions
        One or more, in pixels of one picture.
    threshold : float
        0 to 1.

    References
    ----------
    Solovyev, Wang, Gabruseva: Weighted boxes fusion. Image and Vision Computing 107, 2021.
    """
    joined = Regions.concat(views)
    count = len(joined)
    order, owner = _greedy(joined.boxes, joined.objectness, threshold, "iou")
    view = np.repeat(np.arange(len(views)), [len(part) for part in views])
    weight = joined.objectness.astype(np.float64) + 1e-12  # so that an average exists where all weigh nothing
    if joined.outlines is not None:
        _, first = np.unique(np.stack([owner[order], view[order]]), axis=1, return_index=True)
        weight[np.setdiff1d(order, order[first])] = 0
    boxes, total, best = np.zeros((count, 4)), np.zeros((count, 1)), np.zeros((count, len(views)))
    np.add.at(boxes, owner, joined.boxes * weight[:, None])
    np.add.at(total, owner, weight[:, None])
    np.maximum.at(best, (owner, view), joined.objectness)
    objectness = best.mean(axis=1)
    kept = order[owner[order] == order]
    kept = kept[np.argsort(-objectness[kept], kind="stable")]
    outlines = None if joined.outlines is None else tuple(joined.outlines[i] for i in kept)
    return replace(joined, boxes=boxes[kept] / total[kept], objectness=objectness[kept], outlines=outlines)


def _checked(boxes: np.ndarray) -> np.ndarray:
    """Boxes as float64 (n, 4); ValueError where they are no boxes."""
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    if not np.isfinite(boxes).all():
        raise ValueError("boxes must be finite numbers")
    if (boxes[:, 2:] < boxes[:, :2]).any():
        raise ValueError("boxes must be xyxy with x1 <= x2 and y1 <= y2")
    return boxes


def _overlap(a: np.ndarray, b: np.ndarray, metric: Metric) -> np.ndarray:
    """Overlap of boxes (..., 4) with boxes (..., 4), broadcast."""
    width = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    shared = np.clip(width, 0, None) * np.clip(height, 0, None)
    area_a, area_b = ((x[..., 2] - x[..., 0]) * (x[..., 3] - x[..., 1]) for x in (a, b))
    if metric == "iou":
        whole = area_a + area_b - shared
    elif metric == "ios":
        whole = np.minimum(area_a, area_b)
    else:
        raise ValueError(f"unknown overlap metric {metric!r}: use 'iou' or 'ios'")
    overlap = np.divide(shared, whole, out=np.zeros(np.shape(shared)), where=whole > 0)
    same = np.logical_and.reduce([a[..., i] == b[..., i] for i in range(4)])
    return np.where(same, 1.0, np.minimum(overlap, 1.0))


def _pairs_in_tree(
    boxes: np.ndarray,
    outlines: np.ndarray,
    rows: np.ndarray,
    tree: shapely.STRtree,
    others: np.ndarray,
    above: float,
    metric: Metric,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (row of `boxes`, row of `others`, overlap) with overlap above `above`; `tree` holds `others`.

    `outlines` are the `boxes` as shapely has them; making them takes as long as looking them up.
    """
    near, other = tree.query(outlines[rows])
    row = rows[near]
    overlap = _overlap(boxes[row], others[other], metric)
    keep = overlap > above
    return row[keep], other[keep], overlap[keep]


def _greedy(boxes: np.ndarray, scores: np.ndarray, threshold: float, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """Order of the boxes, best first, and for each box the index of the kept box that takes it (itself if kept).

    Blocks of the best boxes left are settled among themselves by a small dense matrix; then those kept look up in the
    tree what else they take. Boxes that are taken are never looked up, so crowds of duplicates cost little.
    """
    boxes, scores = _checked(boxes), np.asarray(scores, dtype=np.float64).reshape(-1)
    if len(boxes) != len(scores) or not np.isfinite(scores).all():
        raise ValueError(f"{len(boxes)} boxes need as many finite scores, got {len(scores)}")
    order = best_first(boxes, scores)
    ranked = boxes[order]
    outlines = shapely.box(*ranked.T)
    tree = shapely.STRtree(outlines)
    free = np.ones(len(ranked), bool)  # neither kept nor taken yet
    owner = np.arange(len(ranked))  # by rank
    start = 0
    while start < len(ranked):
        block = start + np.flatnonzero(free[start : start + 4 * BLOCK])[:BLOCK]
        if not len(block):
            start += 4 * BLOCK
            continue
        free[block] = False
        kept = _settle_block(ranked, outlines, block, owner, threshold, metric)
        keeper, taken, _ = _pairs_in_tree(ranked, outlines, kept, tree, ranked, threshold, metric)
        open_ = free[taken]
        owner[taken[open_]] = len(ranked)
        np.minimum.at(owner, taken[open_], keeper[open_])
        free[taken[open_]] = False
        start = int(block[-1]) + 1
    by_index = np.empty(len(ranked), np.int64)
    by_index[order] = order[owner]
    return order, by_index


def _settle_block(
    ranked: np.ndarray, outlines: np.ndarray, block: np.ndarray, owner: np.ndarray, threshold: float, metric: Metric
) -> np.ndarray:
    """Greedy suppression inside one block of ranks; writes `owner`, returns the ranks kept."""
    boxes, tree = ranked[block], shapely.STRtree(outlines[block])
    one, other, _ = _pairs_in_tree(boxes, outlines[block], np.arange(len(block)), tree, boxes, threshold, metric)
    later = one < other
    order = np.argsort(one[later], kind="stable")
    one, other = one[later][order], other[later][order]
    left = np.ones(len(block), bool)
    keepers, starts = np.unique(one, return_index=True)
    bounds = [*starts.tolist(), len(one)]
    for keeper, first, last in zip(keepers.tolist(), bounds, bounds[1:], strict=False):
        if left[keeper]:
            taken = other[first:last][left[other[first:last]]]
            owner[block[taken]] = block[keeper]
            left[taken] = False
    return block[left]


def join_outlines(outlines: list[np.ndarray | None]) -> np.ndarray | None:
    """One outline, shape (k, 2), round all of those given: their hull where they lie apart, None where none is."""
    present = [o for o in outlines if o is not None]
    if len(present) < 2:
        return present[0] if present else None
    polygons = [shapely.make_valid(shapely.Polygon(o)) for o in present if len(o) >= 3]
    joined = shapely.unary_union(polygons)
    if joined.geom_type != "Polygon":
        joined = shapely.convex_hull(joined)
    if joined.geom_type != "Polygon" or joined.is_empty:
        return present[0]
    return shapely.get_coordinates(joined.exterior)[:-1].astype(np.float32)
