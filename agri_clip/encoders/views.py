"""Several views of each crop, turned and mirrored, averaged into one vector: an insect on a card has no upright way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agri_clip.encoders.base import Encoder

#: Numbers of views: as it is; the four quarter turns; these and their mirror images.
VIEWS = (1, 4, 8)


def encode_views(encoder: Encoder, crops: Sequence[np.ndarray], views: int = 1) -> np.ndarray:
    """Encode crops; with more than one view, the mean of the views' vectors at unit length.

    Parameters
    ----------
    encoder : Encoder
    crops : sequence of n ndarray, shape (s, s, 3), uint8
    views : int
        One of `VIEWS`; the encoder's time grows with it.

    Returns
    -------
    ndarray, shape (n, dim), float32

    Raises
    ------
    ValueError
        Another number of views.
    """
    if views not in VIEWS:
        raise ValueError(f"{views} views of a crop cannot be made; use one of {', '.join(map(str, VIEWS))}")
    if not len(crops):
        return np.zeros((0, encoder.dim), np.float32)
    if views == 1:
        return encoder.encode_images(crops)
    total = np.zeros((len(crops), encoder.dim), np.float64)
    for view in range(views):
        seen = [np.ascontiguousarray(np.rot90(crop if view < 4 else crop[:, ::-1], view % 4)) for crop in crops]
        total += encoder.encode_images(seen)
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).astype(np.float32)
