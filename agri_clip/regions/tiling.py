"""Slices for photos larger than a network's input: cut, propose in each, join what the cuts parted. Part of step 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from agri_clip.regions.base import Regions
from agri_clip.regions.merging import Method, Metric, join_outlines, merge_regions, overlapping_pairs

# A box this near an inner border, in pixels, counts as cut by it: networks place sides to a few pixels.
BORDER = 3
# Two views of one object agree on at least this much of the area that both tiles show.
AGREE = 0.5
# A cut view is the same object as a whole one that holds this share of it; networks draw loose boxes round stumps.
HELD = 0.7


def tiles(width: int, height: int, tile: int, overlap: int = 0) -> list[tuple[int, int, int, int]]:
    """Cut a photo into as few equal tiles as cover it.

    Tiles are spread evenly, so the last ones are shifted inwards instead of becoming slivers, and neighbours overlap by
    at least `overlap`. A side of the photo shorter than `tile` is not cut.

    Parameters
    ----------
    width, height : int
        Pixels of the photo, 1 or more.
    tile : int
        Side of a tile in pixels.
    overlap : int
        Least overlap of neighbours in pixels. An object up to this size is seen whole by some tile.

    Returns
    -------
    list of (x1, y1, x2, y2)
        Row by row from the top left.

    Raises
    ------
    ValueError
        A size below 1, or an overlap that is negative or not smaller than the tile.
    """
    if min(width, height, tile) < 1 or not 0 <= overlap < tile:
        raise ValueError(
            f"cannot cut {width} x {height} pixels into tiles of {tile} with an overlap of {overlap}: "
            "sizes must be 1 or more, the overlap 0 or more and smaller than the tile"
        )
    columns, rows = _starts(width, tile, overlap), _starts(height, tile, overlap)
    wide, high = min(tile, width), min(tile, height)
    return [(x, y, x + wide, y + high) for y in rows for x in columns]


def propose_in_tiles(
    pixels: np.ndarray,
    propose: Callable[[np.ndarray], Regions],
    tile: int,
    overlap: int,
    method: Method = "nms",
    metric: Metric = "iou",
    threshold: float = 0.5,
) -> Regions:
    """Run `propose` on every tile and return one set of regions in photo pixels, best objectness first.

    A region cut by an inner border is dropped where another tile shows the same object whole. Where none does, its
    pieces are joined if the tiles agree on the part that both show. What is left is merged as `merge_regions` does.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
    propose : callable
        Takes the pixels of a tile, a view (h', w', 3), and gives `Regions` in pixels of that tile.
    tile, overlap : int
        As for `tiles`.
    method, metric, threshold
        As for `merge_regions`.

    Raises
    ------
    ValueError
        As for `tiles` and `merge_regions`.
    """
    height, width = pixels.shape[:2]
    areas = tiles(width, height, tile, overlap)
    parts = [propose(pixels[y1:y2, x1:x2]).placed((x1, y1)) for x1, y1, x2, y2 in areas]
    regions = Regions.concat(parts)
    if len(areas) > 1 and len(regions):
        area_of = np.repeat(np.array(areas, np.float64), [len(part) for part in parts], axis=0)
        regions = _rejoin(regions, area_of, width, height)
    return merge_regions(regions, method, metric, threshold)


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles start along one side."""
    if length <= tile:
        return [0]
    count = ceil((length - overlap) / (tile - overlap))
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def _rejoin(regions: Regions, area_of: np.ndarray, width: int, height: int) -> Regions:
    """Drop cut views of objects that another tile shows whole; join the pieces of objects that none does.

    `area_of` (n, 4) is the tile of each region in photo pixels.
    """
    boxes = regions.boxes.astype(np.float64)
    photo = np.array([0, 0, width, height], np.float64)
    cut = ((np.abs(boxes - area_of) <= BORDER) & (area_of != photo)).any(axis=1)
    one, other, _ = overlapping_pairs(boxes, boxes)
    pair = cut[one] & (area_of[one] != area_of[other]).any(axis=1)
    one, other = one[pair], other[pair]
    low = np.maximum(area_of[one, :2], area_of[other, :2])
    high = np.minimum(area_of[one, 2:], area_of[other, 2:])
    agree = _iou_inside(boxes[one], boxes[other], low, high) > AGREE
    held = _shared(boxes[one], boxes[other]) > HELD * np.maximum(_area(boxes[one]), 1e-9)

    seen_whole = np.zeros(len(boxes), bool)
    seen_whole[one[~cut[other] & (agree | held)]] = True
    pieces = cut & ~seen_whole
    edge = agree & pieces[one] & pieces[other]
    graph = coo_array((np.ones(edge.sum()), (one[edge], other[edge])), shape=(len(boxes), len(boxes)))
    _, group = connected_components(graph, directed=False)
    return _joined(regions, np.flatnonzero(~seen_whole), group)


def _joined(regions: Regions, keep: np.ndarray, group: np.ndarray) -> Regions:
    """Regions of the indices `keep`, those of one group as one: union of boxes and outlines, highest objectness."""
    order = keep[np.lexsort((keep, group[keep]))]
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    if not len(starts):
        return Regions.empty(regions.notes, at_cap=regions.at_cap)
    boxes = np.concatenate(
        [
            np.minimum.reduceat(regions.boxes[order, :2], starts),
            np.maximum.reduceat(regions.boxes[order, 2:], starts),
        ],
        axis=1,
    )
    outlines = None
    if regions.outlines is not None:
        outlines = tuple(
            join_outlines([regions.outlines[i] for i in members]) for members in np.split(order, starts[1:])
        )
    objectness = np.maximum.reduceat(regions.objectness[order], starts)
    return replace(regions, boxes=boxes, objectness=objectness, outlines=outlines)


def _area(boxes: np.ndarray) -> np.ndarray:
    """Area of boxes (n, 4); 0 where turned inside out."""
    return np.clip(boxes[:, 2] - boxes[:, 0], 0, None) * np.clip(boxes[:, 3] - boxes[:, 1], 0, None)


def _shared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Area that boxes a[i] and b[i] share."""
    return _area(np.concatenate([np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])], axis=1))


def _iou_inside(a: np.ndarray, b: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """IoU of a[i] and b[i], both clipped to the box low[i]..high[i]."""
    bounds = np.concatenate([low, low], axis=1), np.concatenate([high, high], axis=1)
    a, b = np.clip(a, *bounds), np.clip(b, *bounds)
    shared = _shared(a, b)
    return shared / np.maximum(_area(a) + _area(b) - shared, 1e-9)
