"""What can be measured on a candidate of step 1's `contrast`, and the objectness computed from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

import cv2
import numpy as np

from agri_clip.regions.component_tree import CONTRAST_SCALE, Candidates

FIXED_LEVELS = (20, 44, 90)
"""Contrast steps above which the filling of a box is measured: wings, most bodies, dark bodies."""

FEATURE_NAMES = (
    "log_side", "log_aspect", "fill", "level", "level_span", "votes", "sources",
    "mean", "spread", "centre", "mean_noise",
    "fill_low", "fill_mid", "fill_high", "ring_low", "ring_mid", "ring_high",
    "ring", "ring_worst", "ring_best", "wide_ring", "frame", "frame_worst", "frame_best",
    "corner", "corner_worst", "corner_best", "thin", "holes", "edge", "edge_contrast", "edge_ring", "shade_spread",
    "wide_edge", "half_x", "half_y",
)  # fmt: skip


class BoxMeans:
    """Means of a map over boxes, from its summed-area table.

    Parameters
    ----------
    grey : ndarray, shape (h, w)
        uint8 or float32.
    """

    def __init__(self, grey: np.ndarray) -> None:
        self._sums = cv2.integral(grey, sdepth=cv2.CV_64F)
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
    return np.concatenate([boxes[:, :2] + size * (left, top), boxes[:, :2] + size * (right, bottom)], axis=1)


def measure(
    lab: np.ndarray, maps: list[np.ndarray], found: Candidates, group: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """Features of the chosen candidate of each group.

    Parameters
    ----------
    lab : ndarray, shape (h, w, 3), float32
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
    boxes = found.boxes[chosen].astype(np.float64)
    size = boxes[:, 2:] - boxes[:, :2]
    contrast = maps[0]
    n = len(chosen)
    # stability: at how many levels and in how many maps much the same box appears
    votes = np.bincount(group, minlength=n)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(n))
    highest = np.maximum.reduceat(found.level[order], starts)
    lowest = np.minimum.reduceat(found.level[order], starts)
    seen = sum((np.bincount(group, found.source == s, minlength=n) > 0).astype(float) for s in range(len(maps) + 1))

    values = BoxMeans(contrast)
    mean = values(boxes)
    variance = BoxMeans(cv2.multiply(contrast, contrast, dtype=cv2.CV_32F))(boxes) - mean**2
    noise = max(float(np.median(contrast[::2, ::2])), 1.0)
    scale = np.maximum(mean, 1.0)
    wide, wider = part_of(boxes, -0.25, -0.25, 1.25, 1.25), part_of(boxes, -1, -1, 2, 2)
    fills = [BoxMeans(cv2.threshold(contrast, t - 1, 1, cv2.THRESH_BINARY)[1]) for t in FIXED_LEVELS]
    sides = [(-0.25, 0, 0, 1), (1, 0, 1.25, 1), (0, -0.25, 1, 0), (0, 1, 1, 1.25)]
    frames = [(0, 0, 0.15, 1), (0.85, 0, 1, 1), (0, 0, 1, 0.15), (0, 0.85, 1, 1)]
    corners = [(0, 0, 0.3, 0.3), (0.7, 0, 1, 0.3), (0, 0.7, 0.3, 1), (0.7, 0.7, 1, 1)]
    ring = np.stack([values(part_of(boxes, *s)) for s in sides]) / scale
    frame = np.stack([values(part_of(boxes, *s)) for s in frames]) / scale
    corner = np.stack([values(part_of(boxes, *s)) for s in corners]) / scale
    halves = [values(part_of(boxes, *s)) for s in [(0, 0, 0.5, 1), (0.5, 0, 1, 1), (0, 0, 1, 0.5), (0, 0.5, 1, 1)]]
    lightness = np.ascontiguousarray(lab[..., 0])
    steep = cv2.magnitude(cv2.Scharr(lightness, cv2.CV_32F, 1, 0), cv2.Scharr(lightness, cv2.CV_32F, 0, 1))
    edges = BoxMeans(steep * (CONTRAST_SCALE / 32.0))
    edge = edges(boxes)
    dark = cv2.threshold(contrast, FIXED_LEVELS[1] - 1, 1.0, cv2.THRESH_BINARY)[1].astype(np.float32)
    shade, shade2 = BoxMeans(lightness * dark)(boxes), BoxMeans(lightness * lightness * dark)(boxes)
    covered = np.maximum(fills[1](boxes), 1e-3)
    columns = [
        np.log(size.max(axis=1)), np.abs(np.log(size[:, 0] / size[:, 1])),
        found.area[chosen] / size.prod(axis=1), found.level[chosen] / scale, np.log(highest / lowest),
        np.log(votes), seen,
        np.log(scale), np.sqrt(np.maximum(variance, 0)) / scale, values(part_of(boxes, 0.25, 0.25, 0.75, 0.75)) / scale,
        np.log(scale / noise),
        *(f(boxes) for f in fills), *(f.ring(boxes, wide) for f in fills),
        values.ring(boxes, wide) / scale, ring.max(axis=0), ring.min(axis=0), values.ring(wide, wider) / scale,
        frame.mean(axis=0), frame.max(axis=0), frame.min(axis=0),
        corner.mean(axis=0), corner.max(axis=0), corner.min(axis=0),
        1.0 - BoxMeans(maps[1])(boxes) / scale, BoxMeans(maps[3])(boxes) / scale - 1.0,
        np.log(edge + 1.0), edge / scale, edges.ring(boxes, wide) / np.maximum(edge, 1.0),
        np.sqrt(np.maximum(shade2 / covered - (shade / covered) ** 2, 0.0)) / 10.0,
        edges.ring(wide, wider) / np.maximum(edge, 1.0),
        np.abs(halves[0] - halves[1]) / scale, np.abs(halves[2] - halves[3]) / scale,
    ]  # fmt: skip
    return np.stack(columns, axis=1).astype(np.float32)


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
