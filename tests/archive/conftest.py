"""A small season: cards with dark spots, three traps, four days, one file that is no photo and one copy."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agri_clip import Detector
from agri_clip.archive import Archive, Season
from agri_clip.archive.store import read
from agri_clip.batch.run import fill_archive
from agri_clip.photos.photo import find_photos

TRAPS, DAYS = ("T1", "T2", "T3"), (1, 8, 15, 22)


def draw_card(path: Path, seed: int, spots: int = 9) -> None:
    """A yellow card of 260 by 200 pixels with dark ellipses of several sizes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:200, 0:260]
    card = np.full((200, 260, 3), (228, 196, 30), np.float64) + rng.normal(0, 3, (200, 260, 1))
    for _ in range(spots):
        centre, radii = rng.uniform((20, 20), (240, 180)), rng.uniform(3, 9, 2)
        inside = ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 < 1
        card[inside] = rng.uniform(20, 90, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(card.clip(0, 255).astype(np.uint8)).save(path, quality=92)


def write_season(folder: Path) -> Path:
    """Twelve cards by trap, a broken file, and a copy of the first card under another name."""
    for t, trap in enumerate(TRAPS):
        for d, day in enumerate(DAYS):
            draw_card(folder / trap / f"{trap}_2026-06-{day:02d}.jpg", 10 * t + d)
    (folder / "T2" / "T2_2026-06-29.jpg").write_bytes(b"no photo at all")
    shutil.copy(folder / "T1" / "T1_2026-06-01.jpg", folder / "T3" / "T3_2026-06-29.jpg")
    return folder


def contents(place: Path) -> dict[str, Any]:
    """Everything in an archive, row for row."""
    archive = Archive.open(place)
    season = Season.of(archive)
    regions = read(season.archive.table(season.regions_name), str(place))
    return {
        "runs": archive.rows("runs"),
        "photos": season.photo_rows(),
        "regions": regions.sort_by([("photo", "ascending"), ("region", "ascending")]).to_pylist(),
    }


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_season(tmp_path_factory.mktemp("season") / "photos")


@pytest.fixture(scope="session")
def detector() -> Detector:
    return Detector(proposer="contrast", encoder="builtin", card=False)


@pytest.fixture(scope="session")
def filled(photos: Path, detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of all these photos; tests that write take a copy."""
    place = tmp_path_factory.mktemp("archive") / "season"
    fill_archive(place, find_photos(photos), detector, sources=[photos])
    return place
