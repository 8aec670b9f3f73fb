"""A result that has everything an export can stumble over."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from agri_clip.detections import BACKGROUND, FOUND, OTHER, Detections, PhotoRecord

#: Names that break formats which do not expect them.
HOSTILE = (
    "=1+1",
    "+cmd|' /C calc'!A0",
    'a, "b"; c',
    "two\nlines\r\n",
    "\ttab",
    "#REF!",
    "_x0041_",
    "-- <&> ]]>",
    "{}: [x]",
    "caf\udce9",
    "null",
    "found",
    "粉虱 🪰 é",
)
LABELS = ("whitefly", '=HYPERLINK("http://x"), a & <b>', "粉虱")
TRIANGLE = np.array([[10, 10], [20, 10], [10, 30]], np.float32)


@pytest.fixture
def result() -> Detections:
    """Four photos: two of one name in two folders, one without findings, one that failed; six regions."""
    photos = (
        PhotoRecord("house 1/trap.jpg", 100, 80, datetime(2026, 5, 1, 7, 30), "T1", mm_per_pixel=0.1, card_area_px=600),
        PhotoRecord("house 2/trap.jpg", 100, 80, notes=("stopped at 300 boxes",)),
        PhotoRecord('-odd, "name"\nwith a line.png', 50, 50),
        PhotoRecord("ünlesbar.jpg", reason="is empty"),
    )
    return Detections(
        photos=photos,
        label_names=LABELS,
        photo_index=np.array([1, 0, 0, 0, 2, 1]),
        boxes=np.array(
            [[5, 5, 15, 25], [10, 10, 20, 30], [0, 0, 40.26, 20], [60, 60, 70, 70], [1, 1, 9, 9], [90, 70, 110, 90]]
        ),
        label_index=np.array([0, 0, 1, 2, 0, 2]),
        status=np.array([FOUND, FOUND, FOUND, OTHER, BACKGROUND, FOUND]),
        scores=np.array([0.5, 0.61234567, 0.9, 0.2, 0.1, 0.7]),
        insect=np.full(6, 0.9),
        objectness=np.full(6, 0.8),
        margin=np.full(6, 0.3),
        length_px=np.array([20, 20, 40.26, 10, 8, 20]),
        length_mm=np.array([np.nan, 2, 4.026, 1, np.nan, np.nan]),
        outlines=(None, TRIANGLE, None, None, None, None),
        provenance={"program": "agri_clip 0.1", "encoder": "builtin", "thresholds": dict.fromkeys(LABELS, 0.3)},
    )


@pytest.fixture
def hostile() -> Detections:
    """Every name of `HOSTILE` as photo, trap, note and label; one region a photo; one photo more, that failed so."""
    count = len(HOSTILE)
    photos = [
        PhotoRecord(f"{name}/{name}.jpg", 100, 80, trap=name, camera=name, gps=(-90.0, 180.0), notes=(name,))
        for name in HOSTILE
    ]
    ones = {name: np.ones(count) for name in ("insect", "objectness", "margin", "length_px")}
    return Detections(
        photos=(*photos, PhotoRecord("caf\udce9\n=.jpg", reason="=bad\n\udce9")),
        label_names=HOSTILE,
        photo_index=np.arange(count),
        boxes=np.tile([10.0, 20.0, 30.0, 40.0], (count, 1)),
        label_index=np.arange(count),
        status=np.full(count, FOUND),
        scores=np.full(count, 0.75),
        length_mm=np.full(count, np.nan),
        outlines=(None,) * count,
        provenance={
            "program": "=agri_clip\n0.1",
            "encoder": "built\udce9in -->",
            "thresholds": dict.fromkeys(HOSTILE, 0.5),
        },
        **ones,
    )


def readable(name: str) -> str:
    """A name as a format can hold it that takes any Unicode."""
    return name.encode("utf-8", errors="replace").decode("utf-8")
