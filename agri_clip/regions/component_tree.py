"""Connected components of a contrast map at many levels, and their splits: the raw candidates of step 1's `contrast`.

A level set of the map of local contrast falls into components; over falling levels these components form a tree in
which every insect is, at some level, a node of its own. Openings and closings of the map give further trees, in which
legs and bridges are gone or wings have joined the body; the distance to eroded cores cuts what still touches.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

CONTRAST_SCALE = 2.0
"""Steps of the uint8 contrast map per unit of CIE 1976 colour difference: 127 units are the most it holds."""

CORE_SIZES = (5, 9, 15)
"""Discs in pixels by which components are eroded to find the cores of what touches: necks narrower than this part."""


@dataclass(frozen=True)
class Candidates:
    """Components of one picture, one row each.

    Attributes
    ----------
    boxes : ndarray, shape (n, 4), int32
        xyxy in pixels of that picture, upper bounds exclusive.
    area : ndarray, shape (n,), int32
        Pixels of the component.
    level : ndarray, shape (n,), int32
        Threshold of the contrast map at which it was found.
    source : ndarray, shape (n,), int32
        Index of the map or of the cut that gave it, see `find_candidates`.
    """

    boxes: np.ndarray
    area: np.ndarray
    level: np.ndarray
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: np.ndarray) -> Candidates:
        """Select rows by a mask or an integer array."""
        return Candidates(self.boxes[index], self.area[index], self.level[index], self.source[index])

    @classmethod
    def concat(cls, parts: list[Candidates]) -> Candidates:
        """Join candidates of one picture."""
        if not parts:
            none = np.zeros(0, np.int32)
            return cls(np.zeros((0, 4), np.int32), none, none, none)
        return cls(
            np.concatenate([p.boxes for p in parts]),
            np.concatenate([p.area for p in parts]),
            np.concatenate([p.level for p in parts]),
            np.concatenate([p.source for p in parts]),
        )


def disc(size: int) -> np.ndarray:
    """Structuring element: a disc of `size` pixels, odd, across."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


def to_lab(pixels: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of RGB uint8 pixels (h, w, 3), as OpenCV's uint8: L* times 2.55, a* and b* plus 128."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)


def contrast_map(lab: np.ndarray, window: int, reduction: int = 8) -> np.ndarray:
    """Colour distance of each pixel to the nearest of five local backgrounds.

    A background is the median colour of a square window; the five windows lie around the pixel and shifted by half a
    window to each side. Near the edge of a card one window shows the card and another the table, so the edge itself
    has no contrast, while an insect on it has.

    Parameters
    ----------
    lab : ndarray, shape (h, w, 3), uint8
        From `to_lab`.
    window : int
        Side of the window in pixels; things up to about two thirds of it stand out.
    reduction : int
        The medians are taken on a picture reduced by this factor.

    Returns
    -------
    ndarray, shape (h, w), uint8
        CIE 1976 colour difference times `CONTRAST_SCALE`, saturated.
    """
    height, width = lab.shape[:2]
    size = (max(1, round(width / reduction)), max(1, round(height / reduction)))
    small = cv2.resize(lab, size, interpolation=cv2.INTER_AREA)
    side = min(max(3, round(window / reduction) // 2 * 2 + 1), 255)
    shift = side // 2
    padded = cv2.copyMakeBorder(small, side, side, side, side, cv2.BORDER_REPLICATE)
    median = cv2.medianBlur(padded, side)
    nearest = np.full((height, width), np.iinfo(np.uint16).max, np.uint16)
    for dy, dx in ((0, 0), (-shift, 0), (shift, 0), (0, -shift), (0, shift)):
        part = median[side + dy : side + dy + size[1], side + dx : side + dx + size[0]]
        background = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
        cv2.min(nearest, _squared_distance(cv2.absdiff(lab, background)), dst=nearest)
    return cv2.convertScaleAbs(np.sqrt(nearest, dtype=np.float32), alpha=CONTRAST_SCALE)


def _squared_distance(difference: np.ndarray) -> np.ndarray:
    """Squared colour difference, uint16 and saturated, of channel differences in OpenCV's uint8 Lab."""
    lightness, green_red, blue_yellow = cv2.split(difference)
    total = cv2.multiply(lightness, lightness, scale=1 / 2.55**2, dtype=cv2.CV_16U)
    cv2.add(total, cv2.multiply(green_red, green_red, dtype=cv2.CV_16U), dst=total)
    cv2.add(total, cv2.multiply(blue_yellow, blue_yellow, dtype=cv2.CV_16U), dst=total)
    return total


def choose_levels(contrast: np.ndarray, count: int, lowest: float, noise_factor: float) -> np.ndarray:
    """Thresholds in geometric steps, from what stands out of the noise to near-black on yellow.

    Parameters
    ----------
    contrast : ndarray, shape (h, w), uint8
        From `contrast_map`.
    count : int
        Levels at most.
    lowest : float
        The lowest level in colour difference units, whatever the noise.
    noise_factor : float
        The lowest level in units of the map's median, whichever of the two is higher.

    Returns
    -------
    ndarray, shape (k,), int32
        Ascending, in steps of the map.
    """
    noise = float(np.median(contrast[::2, ::2]))
    low = min(max(lowest * CONTRAST_SCALE, noise_factor * noise), 180.0)
    return np.unique(np.round(np.geomspace(low, 200.0, count))).astype(np.int32)


def components(
    mask: np.ndarray, level: int, source: int, side_range: tuple[float, float], connectivity: int = 8
) -> Candidates:
    """Connected components of one binary mask whose longer side lies in the range.

    Parameters
    ----------
    mask : ndarray, shape (h, w), uint8
    level, source : int
        Noted in the result.
    side_range : tuple of float
        Shortest and longest permitted longer side in pixels.
    connectivity : int
        4 or 8.
    """
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=connectivity, ltype=cv2.CV_32S)
    stats = stats[1:]
    side = stats[:, 2:4].max(axis=1) if len(stats) else np.zeros(0)
    small, large = side_range
    stats = stats[(side >= small) & (side <= large) & (stats[:, 4] >= small * small / 4)]
    boxes = np.concatenate([stats[:, :2], stats[:, :2] + stats[:, 2:4]], axis=1)
    row = np.ones(len(stats), np.int32)
    return Candidates(boxes.astype(np.int32), stats[:, 4].astype(np.int32), level * row, source * row)


def cut_at_cores(mask: np.ndarray, cores: np.ndarray) -> np.ndarray:
    """Cut a mask where pixels nearest to different cores meet.

    Every pixel belongs to its nearest core, so two touching bodies part half-way and each keeps its own legs.

    Parameters
    ----------
    mask, cores : ndarray, shape (h, w), uint8
        0 or 1; the cores are the mask after an erosion.

    Returns
    -------
    ndarray, shape (h, w), uint8
        The mask without the pixels along the cuts, to be read with 4-connectivity.
    """
    _, nearest = cv2.distanceTransformWithLabels(1 - cores, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_CCOMP)
    parts = mask.copy()
    parts[:, :-1] &= np.equal(nearest[:, :-1], nearest[:, 1:]).view(np.uint8)
    parts[:-1] &= np.equal(nearest[:-1], nearest[1:]).view(np.uint8)
    return parts


def make_maps(contrast: np.ndarray) -> list[np.ndarray]:
    """The contrast map itself, opened by a disc of 5 pixels, closed by one of 5, and opened by one of 3."""
    return [
        contrast,
        cv2.morphologyEx(contrast, cv2.MORPH_OPEN, disc(5)),
        cv2.morphologyEx(contrast, cv2.MORPH_CLOSE, disc(5)),
        cv2.morphologyEx(contrast, cv2.MORPH_OPEN, disc(3)),
    ]


def cores_of(mask: np.ndarray, size: int) -> np.ndarray:
    """What is left of a mask, shape (h, w), uint8, after an erosion by a disc of `size` pixels."""
    return cv2.erode(mask, disc(size))


def find_candidates(
    maps: list[np.ndarray], levels: np.ndarray, side_range: tuple[float, float], quick: bool
) -> Candidates:
    """All components of the maps at all levels, and the parts of those of the first map that hold several cores.

    Parameters
    ----------
    maps : list of ndarray, shape (h, w), uint8
        From `make_maps`.
    levels : ndarray of int
        From `choose_levels`.
    side_range : tuple of float
        Shortest and longest permitted longer side in pixels.
    quick : bool
        Use only the first two maps and the smallest cores.

    Returns
    -------
    Candidates
        `source` is the index of the map, or `len(maps)` and the index of the size in `CORE_SIZES` for parts.
    """
    found = []
    for source, grey in enumerate(maps[: 2 if quick else None]):
        # the derived maps differ most from the first at low levels and change slowly: every other level will do
        for level in levels[:: 2 if source else 1].tolist():
            mask = cv2.threshold(grey, level - 1, 1, cv2.THRESH_BINARY)[1]
            found.append(components(mask, level, source, side_range))
    for level in levels[1:-3:2].tolist():
        mask = cv2.threshold(maps[0], level - 1, 1, cv2.THRESH_BINARY)[1]
        for number, size in enumerate(CORE_SIZES[: 1 if quick else None]):
            parts = cut_at_cores(mask, cores_of(mask, size))
            found.append(components(parts, level, len(maps) + number, side_range, connectivity=4))
    return Candidates.concat(found)


def group_alike(boxes: np.ndarray, size_step: float = 0.2, place_step: float = 0.12) -> np.ndarray:
    """Number the groups of nearly equal boxes (IoU mostly above 0.75), in time linear in their number.

    Parameters
    ----------
    boxes : ndarray, shape (n, 4)
        xyxy.
    size_step : float
        Step of the logarithm of width and height.
    place_step : float
        Step of the centre, in widths and heights.

    Returns
    -------
    ndarray, shape (n,), int64
        Group of each box, 0 to the number of groups - 1.
    """
    if len(boxes) == 0:
        return np.zeros(0, np.int64)
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 1).astype(np.float64)
    centre = (boxes[:, 2:] + boxes[:, :2]) / 2.0
    size_key = np.round(np.log(size) / size_step)
    place_key = np.floor(centre / (place_step * np.exp(size_key * size_step)))
    key = np.concatenate([size_key, place_key], axis=1).astype(np.int64)
    return np.unique(key, axis=0, return_inverse=True)[1].reshape(-1)


def trace_outline(mask: np.ndarray) -> np.ndarray:
    """Outline of the largest component of a small mask.

    Parameters
    ----------
    mask : ndarray, shape (h, w), uint8

    Returns
    -------
    ndarray, shape (k, 2), float32
        Corners in pixels of the mask; the four corners of the mask where it holds nothing with an area.
    """
    height, width = mask.shape
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    contours = [c for c in contours if len(c) >= 3]
    if not contours:
        return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    largest = max(contours, key=lambda c: cv2.boundingRect(c)[2] * cv2.boundingRect(c)[3])
    # contours run through pixel centres; the half pixel makes them stand in the same frame as the boxes
    return largest.reshape(-1, 2).astype(np.float32) + 0.5
