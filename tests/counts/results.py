"""Results for tests of counts: any at all for properties, and one of a few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import strategies as st

from agri_clip.detections import BACKGROUND, FOUND, OTHER, Detections, PhotoRecord

LABELS = ("a thrips", "whitefly", "=moth")


def result(
    photos: Sequence[PhotoRecord], regions: Sequence[tuple[int, int, int, float]] = (), **changes: Any
) -> Detections:
    """A result of these photos, and of regions (photo, label, status, score)."""
    columns = np.array(regions, float).reshape(-1, 4).T
    ones = np.ones(len(regions))
    made = Detections(
        photos=tuple(photos),
        label_names=LABELS,
        photo_index=columns[0],
        boxes=np.arange(4 * len(regions)).reshape(-1, 4),
        label_index=columns[1],
        status=columns[2],
        scores=columns[3],
        insect=ones,
        objectness=ones,
        margin=ones,
        length_px=ones,
        length_mm=ones,
        outlines=(None,) * len(regions),
        provenance={"program": "agri_clip 0.1", "thresholds": dict.fromkeys(LABELS, 0.5)},
    )
    return replace(made, **changes)


def photo(name: str, day: int | None = None, trap: str | None = "T1", **known: Any) -> PhotoRecord:
    """A photo taken on a day of May 2026."""
    taken = None if day is None else datetime(2026, 5, day, 9, 30)
    return PhotoRecord(name, 100, 80, taken=taken, trap=trap, **known)


def shuffled(detections: Detections, seed: int) -> tuple[Detections, np.ndarray]:
    """The same result with photos and regions in another order, and where each region came from."""
    rng = np.random.default_rng(seed)
    photos, regions = rng.permutation(len(detections.photos)), rng.permutation(len(detections))
    moved = detections[regions]
    place = np.argsort(photos)
    return replace(
        moved,
        photos=tuple(detections.photos[i] for i in photos),
        photo_index=place[moved.photo_index] if len(place) else moved.photo_index,
    ), regions


_photos = st.builds(
    PhotoRecord,
    name=st.uuids().map(str),
    width=st.just(100),
    height=st.just(80),
    taken=st.none() | st.integers(0, 1500).map(lambda hours: datetime(2025, 12, 1) + timedelta(hours=7 * hours)),
    trap=st.none() | st.sampled_from(["T1", "T2", "T10", "house 1"]),
    mm_per_pixel=st.none() | st.floats(0.01, 0.2),
    card_area_px=st.none() | st.floats(1e3, 1e6),
    at_cap=st.booleans(),
    reason=st.sampled_from([None, None, None, "is empty"]),
)


@st.composite
def results(draw: st.DrawFn) -> Detections:
    """Any result: traps and days that are known or not, photos that failed, regions of every status."""
    photos = draw(st.lists(_photos, max_size=8))
    read = [i for i, each in enumerate(photos) if not each.failed]
    region = st.tuples(
        st.sampled_from(read or [0]),
        st.integers(0, len(LABELS) - 1),
        st.sampled_from([FOUND, OTHER, BACKGROUND]),
        st.floats(0, 1),
    )
    return result(photos, draw(st.lists(region, max_size=30)) if read else [])
