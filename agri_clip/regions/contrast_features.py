"""What can be measured on a candidate of step 1's `contrast`, and the objectness computed from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

import cv2
import numpy as np

from agri_clip.regions.component_tree import Candidates

FIXED_LEVELS = (20, 44, 90)
"""Contrast steps above which the filling of a box is measured: wings, most bodies, dark bodies."""

RIM_LEVELS = FIXED_LEVELS[1:]
"""Contrast steps at which the length of the rim is measured: legs and wings have much rim for their area."""

FEATURE_NAMES = (
    "log_side", "log_aspect", "fill", "level", "level_span", "votes", "is_part",
    "mean", "spread", "centre", "mean_noise",
    "fill_low", "fill_mid", "fill_high", "ring_low", "ring_mid", "ring_high",
    "ring", "ring_worst", "ring_best", "wide_ring", "frame", "frame_worst", "frame_best",
    "corner", "corner_worst", "corner_best", "diagonal", "thin", "holes",
    "edge", "edge_contrast", "edge_ring", "edge_wide_ring", "rim_mid", "rim_high",
    "shade", "shade_spread", "chroma", "chroma_spread", "half_x", "half_y", "wide_mid", "core",
)  # fmt: skip


class BoxMeans:
    """Means of a map over boxes, from its summed-area table.

    Parameters
    ----------
    grey : ndarray, shape (h, w)
        uint8 or float32.
    """

    def __init__(self, grey: np.ndarray) -> None:
        # int32 holds the sum of 8 million pixels of 255; a tile has fewer
        exact = grey.dtype == np.uint8 and grey.size < 2**31 // 256
        self._sums = cv2.integral(grey, sdepth=cv2.CV_32S if exact else cv2.CV_64F)
        self._height, self._width = grey.shape

    def sums(self, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums and pixel counts over boxes, shape (n, 4), clipped to the map; shape (n,) each."""
        x0, x1 = (np.clip(np.round(boxes[:, i]), 0, self._width).astype(np.int64) for i in (0, 2))
        y0, y1 = (np.clip(np.round(boxes[:, i]), 0, self._height).astype(np.int64) for i in (1, 3))
        total = self._sums[y1, x1] - self._sums[y0, x1] - self._sums[y1, x0] + self._sums[y0, x0]
        return total, np.maximum((x1 - x0) * (y1 - y0), 0)

    def __call__(self, boxes: np.ndarray) -> np.ndarray:
        """Means over boxes; 0 where nothing of a box lies on the map."""
        total, count = self.sums(boxes)
        return total / np.maximum(count, 1)

    def ring(self, boxes: np.ndarray, wide: np.ndarray) -> np.ndarray:
        """Means over the wide boxes without the boxes inside them."""
        (inner, inner_count), (outer, outer_count) = self.sums(boxes), self.sums(wide)
        return (outer - inner) / np.maximum(outer_count - inner_count, 1)


def part_of(boxes: np.ndarray, left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Boxes given by fractions of boxes: 0 is the left or top side, 1 the right or bottom one."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.concatenate(
        [boxes[:, :2] + size * (left, top), boxes[:, :2] + size * (right, bottom)],
        axis=1,
    )


def measure(
    lab: np.ndarray,
    maps: list[np.ndarray],
    found: Candidates,
    group: np.ndarray,
    chosen: np.ndarray,
) -> np.ndarray:
    """Features of the chosen candidate of each group.

    Parameters
    ----------
    lab : ndarray, shape (h, w, 3), uint8
        From `component_tree.to_lab`.
    maps : list of ndarray
        From `component_tree.make_maps`.
    found : Candidates
    group : ndarray, shape (len(found),)
        Group of each candidate.
    chosen : ndarray, shape (n,)
        Index of the candidate that stands for each group.

    Returns
    -------
    ndarray, shape (n, len(FEATURE_NAMES)), float32
    """
    if len(chosen) == 0:
        return np.zeros((0, len(FEATURE_NAMES)), np.float32)
    boxes = found.boxes[chosen].astype(np.float64)
    columns = {
        **_tree_features(found, group, chosen, parts=len(maps)),
        **_contrast_features(maps, boxes),
        **_edge_features(lab, maps[0], boxes),
        **_colour_features(lab, maps[0], boxes),
    }
    columns["level"] = found.level[chosen] / np.exp(columns["mean"])
    return np.stack([columns[name] for name in FEATURE_NAMES], axis=1).astype(np.float32)


def _tree_features(found: Candidates, group: np.ndarray, chosen: np.ndarray, parts: int) -> dict[str, np.ndarray]:
    """Size and form of the box, and stability: over how many levels and maps much the same box appears."""
    size = (found.boxes[chosen, 2:] - found.boxes[chosen, :2]).astype(np.float64)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(chosen)))
    highest = np.maximum.reduceat(found.level[order], starts)
    lowest = np.minimum.reduceat(found.level[order], starts)
    return {
        "log_side": np.log(size.max(axis=1)),
        "log_aspect": np.abs(np.log(size[:, 0] / size[:, 1])),
        "fill": found.area[chosen] / size.prod(axis=1),
        "level_span": np.log(highest / lowest),
        "votes": np.log(np.bincount(group)),
        "is_part": (found.source[chosen] >= parts).astype(np.float64),
    }


def _contrast_features(maps: list[np.ndarray], boxes: np.ndarray) -> dict[str, np.ndarray]:
    """How contrast is spread over the box, its frame, its corners and the rings around it."""
    contrast = maps[0]
    values = BoxMeans(contrast)
    mean = values(boxes)
    scale = np.maximum(mean, 1.0)
    squares = BoxMeans(cv2.multiply(contrast, contrast, scale=1 / 256, dtype=cv2.CV_8U))
    noise = max(float(np.median(contrast[::2, ::2])), 1.0)
    wide, wider = part_of(boxes, -0.25, -0.25, 1.25, 1.25), part_of(boxes, -1, -1, 2, 2)
    fills = [BoxMeans(cv2.threshold(contrast, t - 1, 1, cv2.THRESH_BINARY)[1]) for t in FIXED_LEVELS]

    def at(*parts: tuple[float, float, float, float]) -> np.ndarray:
        return np.stack([values(part_of(boxes, *part)) for part in parts]) / scale

    ring = at((-0.25, 0, 0, 1), (1, 0, 1.25, 1), (0, -0.25, 1, 0), (0, 1, 1, 1.25))
    frame = at((0, 0, 0.15, 1), (0.85, 0, 1, 1), (0, 0, 1, 0.15), (0, 0.85, 1, 1))
    corner = at((0, 0, 0.3, 0.3), (0.7, 0, 1, 0.3), (0, 0.7, 0.3, 1), (0.7, 0.7, 1, 1))
    half = at((0, 0, 0.5, 1), (0.5, 0, 1, 1), (0, 0, 1, 0.5), (0, 0.5, 1, 1))
    centre = at((0.25, 0.25, 0.75, 0.75), (0.4, 0.4, 0.6, 0.6))
    opened = BoxMeans(maps[1])(boxes)
    return {
        "mean": np.log(scale),
        "mean_noise": np.log(scale / noise),
        "spread": np.sqrt(np.maximum(squares(boxes) * 256.0 - mean**2, 0.0)) / scale,
        "centre": centre[0],
        "core": centre[1],
        **{f"fill_{n}": f(boxes) for n, f in zip(("low", "mid", "high"), fills, strict=True)},
        **{f"ring_{n}": f.ring(boxes, wide) for n, f in zip(("low", "mid", "high"), fills, strict=True)},
        "wide_mid": fills[1].ring(wide, wider),
        "ring": values.ring(boxes, wide) / scale,
        "ring_worst": ring.max(axis=0),
        "ring_best": ring.min(axis=0),
        "wide_ring": values.ring(wide, wider) / scale,
        "frame": frame.mean(axis=0),
        "frame_worst": frame.max(axis=0),
        "frame_best": frame.min(axis=0),
        "corner": corner.mean(axis=0),
        "corner_worst": corner.max(axis=0),
        "corner_best": corner.min(axis=0),
        "diagonal": np.abs(corner[0] + corner[3] - corner[1] - corner[2]),
        "half_x": np.abs(half[0] - half[1]),
        "half_y": np.abs(half[2] - half[3]),
        "thin": 1.0 - opened / scale,
        "holes": BoxMeans(maps[2])(boxes) / scale - 1.0,
    }


def _edge_features(lab: np.ndarray, contrast: np.ndarray, boxes: np.ndarray) -> dict[str, np.ndarray]:
    """Steepness of the lightness in and around the box, and length of rim for the area."""
    lightness = cv2.extractChannel(lab, 0)
    across, down = (cv2.convertScaleAbs(cv2.Sobel(lightness, cv2.CV_16S, *d), alpha=0.25) for d in ((1, 0), (0, 1)))
    edges = BoxMeans(cv2.add(across, down))
    wide, wider = part_of(boxes, -0.25, -0.25, 1.25, 1.25), part_of(boxes, -1, -1, 2, 2)
    edge = edges(boxes)
    base = np.maximum(edge, 1.0)
    rims = []
    for level in RIM_LEVELS:
        mask = cv2.threshold(contrast, level - 1, 1, cv2.THRESH_BINARY)[1]
        area = BoxMeans(mask).sums(boxes)[0]
        inside = BoxMeans(cv2.erode(mask, np.ones((3, 3), np.uint8))).sums(boxes)[0]
        rims.append((area - inside) / np.sqrt(np.maximum(area, 1.0)))
    return {
        "edge": np.log(edge + 1.0),
        "edge_contrast": edge / np.maximum(BoxMeans(contrast)(boxes), 1.0),
        "edge_ring": edges.ring(boxes, wide) / base,
        "edge_wide_ring": edges.ring(wide, wider) / base,
        "rim_mid": rims[0],
        "rim_high": rims[1],
    }


def _colour_features(lab: np.ndarray, contrast: np.ndarray, boxes: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and spread of lightness and chroma of what stands out in the box."""
    mask = cv2.threshold(contrast, FIXED_LEVELS[1] - 1, 255, cv2.THRESH_BINARY)[1]
    lightness, green_red, blue_yellow = cv2.split(lab)
    grey = np.full(1, 128.0)
    chroma = cv2.add(cv2.absdiff(green_red, grey), cv2.absdiff(blue_yellow, grey))
    covered = np.maximum(BoxMeans(mask).sums(boxes)[0] / 255.0, 1.0)
    columns = {}
    for name, channel in (("shade", lightness), ("chroma", chroma)):
        shown = cv2.bitwise_and(channel, mask)
        mean = BoxMeans(shown).sums(boxes)[0] / covered
        squares = BoxMeans(cv2.multiply(shown, shown, scale=1 / 256, dtype=cv2.CV_8U)).sums(boxes)[0] / covered
        columns[name] = mean / 128.0
        columns[f"{name}_spread"] = np.sqrt(np.maximum(squares * 256.0 - mean**2, 0.0)) / 32.0
    return columns


@dataclass(frozen=True)
class ObjectnessModel:
    """A small perceptron over the standardised features; fitted by `fine_tune/contrast_objectness.py`.

    Attributes
    ----------
    mean, scale : ndarray, shape (len(FEATURE_NAMES),)
        Standardisation; standardised features are limited to plus and minus 5.
    layers : tuple of (ndarray of shape (inputs, outputs), ndarray of shape (outputs,))
        Weights and biases; rectified between layers, logistic at the end.
    """

    mean: np.ndarray
    scale: np.ndarray
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Objectness of features, shape (n, len(FEATURE_NAMES)); shape (n,), float32, 0 to 1."""
        values = np.clip((features - self.mean) / self.scale, -5.0, 5.0)
        for weights, bias in self.layers[:-1]:
            values = np.maximum(values @ weights + bias, 0.0)
        weights, bias = self.layers[-1]
        logit = np.clip((values @ weights + bias)[:, 0], -30.0, 30.0)
        return (1.0 / (1.0 + np.exp(-logit))).astype(np.float32)

    @classmethod
    def load(cls) -> ObjectnessModel:
        """Read the fitted numbers that stand beside this module."""
        text = resources.files("agri_clip.regions").joinpath("contrast_objectness.json").read_text("utf-8")
        fitted = json.loads(text)
        if fitted["features"] != list(FEATURE_NAMES):
            raise ValueError(
                "contrast_objectness.json was fitted to other features: run fine_tune/contrast_objectness.py"
            )
        layers = tuple((np.array(layer["weights"]), np.array(layer["bias"])) for layer in fitted["layers"])
        return cls(np.array(fitted["mean"]), np.array(fitted["scale"]), layers)
