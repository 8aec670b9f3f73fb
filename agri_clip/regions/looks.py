"""Looks at one photo at several scales: which ones are needed, and one set of regions from all of them. Part of step 1.

Slices at the photo's own scale find small insects and cut large ones into pieces. Coarse looks at the whole photo,
shrunk, find the large ones whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agri_clip.regions.base import Regions
from agri_clip.regions.merging import merge_regions, overlapping_pairs

# A coarse look is used where it shrinks the photo at least by this; else it would show what the slices show.
WORTH = 2.0
# A coarse look gives nothing shorter than this, in its own pixels. A finer look, at twice its scale or at the photo's
# own, shows such an insect with more pixels and whole, so nothing is hidden.
SHORTEST = 24.0
# A region lies inside another where the other holds this share of it.
HELD = 0.7
# A coarse region is a heap where two or more surer regions inside it cover this share of it, ...
HEAPED = 0.3
# ... or where it is not even this sure, compared with the second surest inside it.
DOUBTED = 0.5
# A region inside a coarse one is a piece of it if it is less sure than the coarse one times a factor. The factor grows
# with the share of the area: a small insect on a large one stays if it is half as sure.
SMALL_PIECE, LARGE_PIECE, GROWTH = 0.5, 0.9, 1.3
# A region is no piece where it holds less than this share of the coarse one, a thirtieth of its length: on a close-up
# hardly anything so small is found, but an insect on a leaf is, where the leaf was taken for one.
TINY = 0.001
# Nor is it one where the coarse region is less sure than this.
SURE = 0.25
# Of a coarse region round one surer region that covers this share of it, the coarse one is the looser box.
LOOSE = 0.45


@dataclass(frozen=True)
class Look:
    """Regions of one look, in photo pixels, and its scale: pixels of the look for each photo pixel."""

    regions: Regions
    scale: float


def coarse_scales(width: int, height: int, sides: Sequence[int], imgsz: int = 0) -> list[float]:
    """Scales of the coarse looks at a photo, the finest first.

    Parameters
    ----------
    width, height : int
        Pixels of the photo.
    sides : sequence of int
        Long sides, in pixels, to which the whole photo is shrunk. Those that hardly shrink it are left out.
    imgsz : int
        Side of the network's input, to which smaller photos are blown up where they are not shrunk.
    """
    longest = max(width, height)
    return [side / longest for side in sorted(sides, reverse=True) if max(longest, imgsz) >= WORTH * side]


def join_looks(looks: Sequence[Look], threshold: float) -> Regions:
    """One set of regions from several looks at one photo, best objectness first.

    An insect that fills the photo is one region and not its pieces. Small insects that lie on it stay. A coarse region
    round several surer ones is a heap of insects and goes.

    Parameters
    ----------
    looks : sequence of Look
        The finest first; one or more.
    threshold : float
        Of regions that overlap by more (IoU), the surest stays.
    """
    joined = looks[0].regions
    for look in looks[1:]:
        length = np.ptp(look.regions.boxes.reshape(-1, 2, 2), axis=1).max(axis=1, initial=0)
        joined = _join(joined, look.regions[length * look.scale >= SHORTEST])
    return merge_regions(joined, threshold=threshold) if len(looks) > 1 else joined


def _join(fine: Regions, coarse: Regions) -> Regions:
    """Both sets, without heaps and pieces."""
    area_fine, area_coarse = _area(fine.boxes), _area(coarse.boxes)
    inner, outer, overlap = overlapping_pairs(fine.boxes, coarse.boxes, HELD, "ios")
    # The smaller one of such a pair lies inside the other. Here only fine ones inside coarse ones matter.
    smaller = area_fine[inner] < area_coarse[outer]
    inner, outer = inner[smaller & (overlap > HELD)], outer[smaller & (overlap > HELD)]
    heap = _heaps(fine, coarse, inner, outer, area_fine, area_coarse)
    share = area_fine[inner] / np.maximum(area_coarse[outer], 1e-9)
    factor = np.clip(SMALL_PIECE + GROWTH * share, SMALL_PIECE, LARGE_PIECE)
    may_hold = (coarse.objectness[outer] >= SURE) & (share >= TINY)
    piece = ~heap[outer] & may_hold & (fine.objectness[inner] < factor * coarse.objectness[outer])
    kept = np.ones(len(fine), bool)
    kept[inner[piece]] = False
    return Regions.concat([fine[kept], coarse[~heap]])


def _heaps(
    fine: Regions,
    coarse: Regions,
    inner: np.ndarray,
    outer: np.ndarray,
    area_fine: np.ndarray,
    area_coarse: np.ndarray,
) -> np.ndarray:
    """Which coarse regions are a heap of insects, or a loose box round one, shape (n,), bool."""
    surer = fine.objectness[inner] > coarse.objectness[outer]
    inner, outer = inner[surer], outer[surer]
    count = np.bincount(outer, minlength=len(coarse))
    covered = np.bincount(outer, area_fine[inner], minlength=len(coarse)) / np.maximum(area_coarse, 1e-9)
    second = np.zeros(len(coarse))
    order = np.lexsort((-fine.objectness[inner], outer))
    places = np.arange(len(order)) - np.searchsorted(outer[order], outer[order])
    second[outer[order][places == 1]] = fine.objectness[inner[order][places == 1]]
    several = (count >= 2) & ((covered >= HEAPED) | (coarse.objectness < DOUBTED * second))
    return several | ((count == 1) & (covered >= LOOSE))


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1), np.float64)
