"""Square crops around boxes: what the encoder sees of each region (between steps 1 and 2)."""

from __future__ import annotations

import cv2
import numpy as np

from agri_clip.errors import DataError

#: Side of a crop over the long side of its box. Measured on real insects: 1.25 gave .893 right among three species,
#: 1.0 gave .789; the trial stands in docs/encoders.md.
CONTEXT = 1.25

#: Least side of a crop in photo pixels, so that a box of no area still shows something.
MIN_SIDE = 8

#: Side of a thumbnail in pixels, and quality of its JPEG.
THUMBNAIL, QUALITY = 96, 85


def crop_windows(boxes: np.ndarray, context: float = CONTEXT, min_side: int = MIN_SIDE) -> np.ndarray:
    """Square windows around boxes, on whole pixels; they may reach beyond the photo.

    Parameters
    ----------
    boxes : ndarray, shape (n, 4)
        xyxy in photo pixels.
    context : float
        Side of the window over the long side of the box.
    min_side : int
        Least side of a window, in pixels.

    Returns
    -------
    ndarray, shape (n, 3), int64
        Left, top and side of each window in pixels.

    Raises
    ------
    ValueError
        A box is not finite or its corners are swapped, or a setting is out of range.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    if not (np.isfinite(context) and context > 0) or min_side < 1:
        raise ValueError(f"context must be above 0 and min_side at least 1, not {context} and {min_side}")
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    bad = np.flatnonzero(~(np.isfinite(boxes).all(axis=1) & (width >= 0) & (height >= 0)))
    if len(bad):
        raise ValueError(f"box {bad[0]} is not x1 y1 x2 y2 with x1 <= x2 and y1 <= y2: {boxes[bad[0]].tolist()}")
    side = np.maximum(np.rint(np.maximum(width, height) * context), min_side)
    left = np.rint((boxes[:, 0] + boxes[:, 2] - side) / 2)
    top = np.rint((boxes[:, 1] + boxes[:, 3] - side) / 2)
    return np.stack([left, top, side], axis=1).astype(np.int64)


def extract_crops(
    pixels: np.ndarray,
    boxes: np.ndarray,
    context: float = CONTEXT,
    size: int | None = None,
    min_side: int = MIN_SIDE,
) -> list[np.ndarray]:
    """Cut a square crop around each box.

    What lies beyond the photo repeats its edge pixels: a mirrored edge would show an insect that is cut by it twice.
    Crops inside the photo are views, not copies, so a thousand of them cost next to nothing; the encoder brings them
    to its own size with its own filter.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
        The photo, RGB.
    boxes : ndarray, shape (n, 4)
        xyxy in pixels of the photo; parts beyond it are cut off first.
    context : float
        Side of the crop over the long side of its box.
    size : int or None
        Resize every crop to this side in pixels (area averaging down, bilinear up). None leaves them as they are.
    min_side : int
        Least side of a crop in photo pixels.

    Returns
    -------
    list of n ndarray, shape (side, side, 3), uint8
        RGB; read-only in spirit, for they may share memory with `pixels`.

    Raises
    ------
    ValueError
        `pixels` is no RGB uint8 picture, or as for `crop_windows`.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ValueError(f"pixels must be RGB uint8 of shape (h, w, 3), not {pixels.dtype} {pixels.shape}")
    if size is not None and size < 1:
        raise ValueError(f"size must be at least 1, not {size}")
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    # A box is cut at the photo's edges first, so that no box can ask for a crop much larger than the photo.
    clipped = np.clip(corners, 0, np.tile([pixels.shape[1], pixels.shape[0]], 2))
    windows = crop_windows(np.where(np.isfinite(corners), clipped, np.nan), context, min_side)
    crops = [_cut(pixels, left, top, side) for left, top, side in windows.tolist()]
    return crops if size is None else [_resize(crop, size) for crop in crops]


def make_thumbnail(crop: np.ndarray, side: int = THUMBNAIL, quality: int = QUALITY) -> bytes:
    """A crop (s, s, 3) uint8 RGB as a small JPEG, at most `side` pixels wide."""
    if max(crop.shape[:2]) > side:
        crop = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    packed, data = cv2.imencode(".jpg", np.ascontiguousarray(crop[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not packed:
        raise DataError("a thumbnail could not be packed as JPEG; OpenCV was built without it")
    return data.tobytes()


def _cut(pixels: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    right, bottom = left + side, top + side
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return pixels[top:bottom, left:right]
    rows = np.clip(np.arange(top, bottom), 0, height - 1)
    columns = np.clip(np.arange(left, right), 0, width - 1)
    return pixels[rows[:, None], columns[None, :]]


def _resize(crop: np.ndarray, size: int) -> np.ndarray:
    if crop.shape[0] == size:
        return crop
    method = cv2.INTER_AREA if crop.shape[0] > size else cv2.INTER_LINEAR
    return cv2.resize(crop, (size, size), interpolation=method)
