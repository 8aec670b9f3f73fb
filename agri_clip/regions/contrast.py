"""Proposer `contrast`: finds what differs from its local background, with OpenCV alone and no network. Step 1.

The photo is read at several octaves. In each, the map of colour distance to the local background is cut at many levels
(`component_tree`), every component is measured, and a small fitted model says how much it looks like an insect and how
well its box fits (`contrast_features`). Overlapping candidates are thinned by non-maximum suppression.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from inspect import signature
from math import ceil

import cv2
import numpy as np

from agri_clip.photos.photo import Photo
from agri_clip.regions.base import Regions
from agri_clip.regions.component_tree import (
    CORE_SIZES,
    Candidates,
    choose_levels,
    contrast_map,
    cores_of,
    cut_at_cores,
    find_candidates,
    group_alike,
    make_maps,
    to_lab,
    trace_outline,
)
from agri_clip.regions.contrast_features import ObjectnessModel, measure
from agri_clip.regions.merging import nms
from agri_clip.regions.tiling import tiles

SMALLEST_OCTAVE = 400
"""Halving stops before the longer side falls below this many pixels."""

OCTAVE_SIDE = 128
"""Longest candidate in pixels of its octave; larger things are found in a coarser one."""

LARGEST_SHARE = 0.6
"""Longest candidate of the coarsest octave, as a share of the longer side of the photo."""

WINDOW = 200
"""Background window in pixels of the octave: half as large again as the longest candidate."""

SMALLEST_SIDE = 8.0
"""Longer side in pixels of a coarser octave below which a candidate is left to the finer one."""

MARGIN = np.array([-1.0, -1.0, 1.0, 1.0])
"""Widening of boxes in photo pixels: a level set ends inside the soft rim of what it shows. Measured on labels."""

VERSION = "2"
"""Grows when the same settings give other regions."""

TILE_OVERLAP = 2 * OCTAVE_SIDE
"""Tiles overlap so far that each candidate stands whole, with its surroundings, in one of them."""


@dataclass(frozen=True)
class MeasuredCandidates:
    """Distinct candidates of one tile, with what is needed to score and outline them.

    Attributes
    ----------
    boxes : ndarray, shape (n, 4), float64
        xyxy in photo pixels.
    features : ndarray, shape (n, len(FEATURE_NAMES)), float32
    found : Candidates
        The same rows in pixels of the tile.
    maps : list of ndarray
        Contrast maps of the tile.
    origin, scale : ndarray, shape (2,), float64
        A point (x, y) of the tile lies at `(point + origin) * scale` in the photo.
    """

    boxes: np.ndarray
    features: np.ndarray
    found: Candidates
    maps: list[np.ndarray]
    origin: np.ndarray
    scale: np.ndarray

    def outline(self, index: int) -> np.ndarray:
        """Polygon of one candidate, shape (k, 2), float32, in photo pixels, inside its box."""
        x0, y0, x1, y1 = self.found.boxes[index]
        level, source = int(self.found.level[index]), int(self.found.source[index])
        part = source - len(self.maps)
        mask = (self.maps[0 if part >= 0 else source][y0:y1, x0:x1] >= level).astype(np.uint8)
        if part >= 0:
            mask = cut_at_cores(mask, cores_of(mask, CORE_SIZES[part]))
        polygon = (trace_outline(mask) + self.found.boxes[index, :2] + self.origin) * self.scale
        box = self.boxes[index]
        return np.clip(polygon, box[:2], box[2:]).astype(np.float32)


class ContrastProposer:
    """What differs from its local background, best first.

    Parameters
    ----------
    min_objectness : float
        Regions below it are left out, 0 to 1. The default keeps about 9 boxes per insect on dirty sticky cards.
    max_regions : int
        At most this many of the best regions of a photo; `Regions.notes` says when the cap cut some.
    max_overlap : float
        Of two regions that overlap more (IoU), the better stays, 0 to 1. Well above 0.5, so that body and body with
        wings are both offered.
    min_side : float
        Shortest longer side of a region, in photo pixels.
    levels : int
        Levels at which the contrast map is cut.
    lowest_contrast : float
        The lowest level, in CIE 1976 colour difference units.
    noise_factor : float
        The lowest level in units of the photo's own unrest, whichever of the two is higher.
    tile : int
        Photos with a longer side than this are read in tiles of this side, in pixels, which bounds memory.
    outlines : bool
        Whether to trace outlines.
    """

    name = "contrast"
    calibrated = True
    concurrent = True

    def __init__(
        self,
        *,
        min_objectness: float = 0.06,
        max_regions: int = 3000,
        max_overlap: float = 0.65,
        min_side: float = 8.0,
        levels: int = 10,
        lowest_contrast: float = 8.0,
        noise_factor: float = 1.5,
        tile: int = 2048,
        outlines: bool = True,
    ) -> None:
        if not tile > 2 * TILE_OVERLAP:
            raise ValueError(f"tile must be more than {2 * TILE_OVERLAP} pixels, not {tile}")
        self.min_objectness = min_objectness
        self.max_regions = max_regions
        self.max_overlap = max_overlap
        self.min_side = min_side
        self.levels = levels
        self.lowest_contrast = lowest_contrast
        self.noise_factor = noise_factor
        self.tile = tile
        self.outlines = outlines
        usual = signature(ContrastProposer).parameters
        changed = {name: value for name, value in vars(self).items() if value != usual[name].default}
        # Regions of other settings are other regions: an archive must not mix them.
        self.version = " ".join([VERSION, *(f"{name}={value:g}" for name, value in sorted(changed.items()))])

    @cached_property
    def _objectness(self) -> ObjectnessModel:
        """Read when first used, so that the fitting can run before there is anything to read."""
        return ObjectnessModel.load()

    def propose(self, photo: Photo) -> Regions:
        """Regions of one photo, best objectness first, with outlines unless these are switched off."""
        parts = [self._score(measured) for measured in measure_candidates(photo.pixels, self)]
        regions = Regions.concat(parts)
        regions = regions[nms(regions.boxes, regions.objectness, self.max_overlap)]
        if len(regions) <= self.max_regions:
            return regions
        note = (
            f"contrast: {len(regions)} regions found, only the best {self.max_regions} kept, "
            "so some may be missing; raise max_regions or min_objectness"
        )
        return replace(regions[: self.max_regions], notes=(*regions.notes, note), at_cap=True)

    def _score(self, measured: MeasuredCandidates) -> Regions:
        """Scored regions of one tile."""
        objectness = self._objectness(measured.features)
        good = np.flatnonzero(objectness >= self.min_objectness)
        good = good[nms(measured.boxes[good], objectness[good], self.max_overlap)]
        outlines = tuple(measured.outline(i) for i in good) if self.outlines else None
        return Regions(measured.boxes[good], objectness[good], outlines)


def measure_candidates(pixels: np.ndarray, settings: ContrastProposer) -> Iterator[MeasuredCandidates]:
    """Distinct candidates of all octaves and tiles of a photo, with their features.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
        RGB.
    settings : ContrastProposer
        Its settings are used, its scores are not, so the fitting of the scores calls this too.

    Yields
    ------
    MeasuredCandidates
        Of one tile at a time.
    """
    height, width = pixels.shape[:2]
    octave = pixels
    while True:
        rows, columns = octave.shape[:2]
        coarsest = max(rows, columns) < 2 * SMALLEST_OCTAVE
        scale = np.array([width / columns, height / rows])
        side_range = (
            max(settings.min_side / scale.max(), min(settings.min_side, SMALLEST_SIDE)),
            LARGEST_SHARE * max(rows, columns) if coarsest else float(OCTAVE_SIDE),
        )
        # the finest octave costs most, and what its further maps add is found in the next one as well
        quick = octave is pixels and not coarsest
        too_fine = not coarsest and side_range[0] >= 2 * SMALLEST_SIDE
        for x0, y0, x1, y1 in [] if too_fine else even_tiles(columns, rows, settings.tile):
            inner = np.array([x0 > 0, y0 > 0, x1 < columns, y1 < rows])
            origin = np.array([x0, y0], np.float64)
            tile = _Tile(octave[y0:y1, x0:x1], origin, scale, inner, side_range, quick)
            measured = _measure_tile(tile, settings)
            if len(measured.boxes):
                measured.boxes[:] = np.clip(measured.boxes + MARGIN, 0, [width, height, width, height])
                yield measured
        if coarsest:
            return
        octave = cv2.resize(
            octave,
            (max(1, columns // 2), max(1, rows // 2)),
            interpolation=cv2.INTER_AREA,
        )


def even_tiles(width: int, height: int, longest: int) -> list[tuple[int, int, int, int]]:
    """Tiles (x0, y0, x1, y1) of sides up to `longest`, no larger than the least number of them needs."""
    spans = []
    for length in (width, height):
        count = max(1, ceil((length - TILE_OVERLAP) / (longest - TILE_OVERLAP)))
        side = max(ceil((length + (count - 1) * TILE_OVERLAP) / count), TILE_OVERLAP + 1)
        spans.append([(start, end) for start, _, end, _ in tiles(length, 1, side, TILE_OVERLAP)])
    return [(x0, y0, x1, y1) for y0, y1 in spans[1] for x0, x1 in spans[0]]


@dataclass(frozen=True)
class _Tile:
    """Pixels of a tile; its origin in the octave, the octave's scale, which sides are no border of the photo."""

    pixels: np.ndarray
    origin: np.ndarray
    scale: np.ndarray
    inner: np.ndarray
    side_range: tuple[float, float]
    quick: bool


def _measure_tile(tile: _Tile, settings: ContrastProposer) -> MeasuredCandidates:
    """Candidates of one tile of one octave, without those cut by a border that is not the photo's."""
    lab = to_lab(tile.pixels)
    contrast = contrast_map(lab, max(WINDOW, round(1.25 * tile.side_range[1])))
    maps = make_maps(contrast)
    levels = choose_levels(contrast, settings.levels, settings.lowest_contrast, settings.noise_factor)
    found = find_candidates(maps, levels, tile.side_range, tile.quick)
    height, width = contrast.shape
    cut = (found.boxes == [0, 0, width, height]) & tile.inner
    found = found[~cut.any(axis=1)]
    group = group_alike(found.boxes)
    chosen = middle_of_groups(group, found.level)
    features = measure(lab, maps, found, group, chosen)
    found = found[chosen]
    corners = (found.boxes.reshape(-1, 2, 2) + tile.origin) * tile.scale
    return MeasuredCandidates(corners.reshape(-1, 4), features, found, maps, tile.origin, tile.scale)


def middle_of_groups(group: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Index of the member of each group whose level is the median one.

    Parameters
    ----------
    group, level : ndarray, shape (n,), int
        From `group_alike`, and the candidates' levels.

    Returns
    -------
    ndarray, shape (number of groups,), int64
    """
    counts = np.bincount(group)
    order = np.lexsort((level, group))
    starts = np.cumsum(counts) - counts
    return order[starts + counts // 2]
