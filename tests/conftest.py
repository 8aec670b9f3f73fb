"""Fixtures that several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def yellow_traps() -> Path:
    """The folder of real, labelled trap photos; they are no part of the project, so tests skip where it is absent."""
    base = Path(os.environ.get("AGRI_CLIP_DATA", ROOT.parent / "shared" / "data"))
    folder = base / "yellow_traps"
    if not (folder / "val.json").is_file():
        pytest.skip(f"real trap photos are not here ({folder}); set AGRI_CLIP_DATA to the folder that holds them")
    return folder
