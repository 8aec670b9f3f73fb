"""Measures of regions that later steps need: how long a region is."""

from __future__ import annotations

import cv2
import numpy as np

from agri_clip.regions.base import Regions


def long_sides(regions: Regions) -> np.ndarray:
    """Length of each region: the long side of the smallest rotated rectangle around its outline, else of its box.

    Returns
    -------
    ndarray, shape (n,), float32
        Pixels of the upright photo.
    """
    sizes = regions.boxes[:, 2:] - regions.boxes[:, :2]
    lengths = sizes.max(axis=1) if len(sizes) else np.zeros(0, np.float32)
    for i, outline in enumerate(regions.outlines or ()):
        if outline is not None and len(outline) >= 3:
            lengths[i] = max(cv2.minAreaRect(outline.astype(np.float32))[1])
    return lengths.astype(np.float32)
