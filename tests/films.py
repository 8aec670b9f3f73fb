"""Small films of dark spots that move over a card, and a finder of those spots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from agri_clip.detections import FOUND, Detections, PhotoRecord
from agri_clip.photos.photo import Photo, read_photo
from tests.conftest import ROOT

WIDTH, HEIGHT, RATE = 320, 240, 10
LABELS = ("fly", "moth")

Spots = Sequence[tuple[float, float]]


def draw_frame(spots: Spots, radius: int = 7) -> np.ndarray:
    """A yellow card (240, 320, 3) uint8 RGB with dark discs around these centres."""
    card = np.full((HEIGHT, WIDTH, 3), (228, 196, 30), np.uint8)
    for x, y in spots:
        cv2.circle(card, (round(x), round(y)), radius, (45, 35, 30), -1, cv2.LINE_AA)
    return card


#: Three insects of a sample photo that the embedded models know.
INSECTS = ((880, 1052, 942, 1104), (610, 1043, 658, 1106), (1113, 561, 1145, 593))


def draw_insects(spots: Spots) -> np.ndarray:
    """A card (240, 320, 3) uint8 RGB with the insects of a sample photo around these three centres."""
    photo = read_photo(ROOT / "data" / "samples" / "T1_2026-05-04.jpg", read_codes=False).pixels
    noise = np.random.default_rng(0).normal(0, 3, (HEIGHT, WIDTH, 1))
    card = (np.median(photo.reshape(-1, 3), axis=0) + noise).clip(0, 255).astype(np.uint8)
    for (x, y), (x1, y1, x2, y2) in zip(spots, INSECTS, strict=True):
        left, top = round(x - (x2 - x1) / 2), round(y - (y2 - y1) / 2)
        card[top : top + y2 - y1, left : left + x2 - x1] = photo[y1:y2, x1:x2]
    return card


def write_film(path: Path, frames: Sequence[np.ndarray], codec: str = "MJPG", rate: float = RATE) -> Path:
    """A film of RGB frames; Motion JPEG, for that OpenCV has everywhere."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def find_spots(photo: Photo) -> Detections:
    """Every dark spot of a frame, found as the first label."""
    dark = (photo.pixels.max(axis=2) < 140).astype(np.uint8)
    count, _, table, _ = cv2.connectedComponentsWithStats(dark)
    corners = np.array([[x, y, x + w, y + h] for x, y, w, h, area in table[1:count] if area > 20], np.float32)
    return boxes_of(photo, corners.reshape(-1, 4))


def boxes_of(photo: Photo, boxes: np.ndarray, **changes: object) -> Detections:
    """A frame's detections with these boxes."""
    count = len(boxes)
    arrays: dict[str, object] = {
        "label_index": np.zeros(count),
        "status": np.full(count, FOUND),
        "scores": np.full(count, 0.8),
        "insect": np.full(count, 0.9),
        "objectness": np.full(count, 0.9),
        "margin": np.full(count, 0.7),
        "length_px": np.full(count, 14),
        "length_mm": np.full(count, np.nan),
        "outlines": (None,) * count,
    } | changes
    record = PhotoRecord(photo.name, photo.width, photo.height, taken=photo.taken, trap=photo.trap)
    return Detections((record,), LABELS, photo_index=np.zeros(count), boxes=np.asarray(boxes), **arrays)
