"""Tiny models that the encoder tests share; each kind is written once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a tiny model by its kind; tests copy it before they change it."""
    import tiny_models

    made: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in made:
            made[kind] = tiny_models.make(kind, tmp_path_factory.mktemp("models") / kind)
        return made[kind]

    return folder


@pytest.fixture(scope="session")
def crops() -> list[np.ndarray]:
    """Twelve pictures of many sizes, two of them no squares; smooth, for noise has no right size."""
    import cv2

    random = np.random.default_rng(0)
    shapes = [(9, 9), (32, 32), (47, 47), (130, 130), (20, 33), (64, 40), *[(s, s) for s in (24, 31, 64, 65, 90, 200)]]
    seeds = [random.integers(0, 256, (5, 5, 3), dtype=np.uint8) for _ in shapes]
    return [
        cv2.resize(seed, shape[::-1], interpolation=cv2.INTER_CUBIC) for seed, shape in zip(seeds, shapes, strict=True)
    ]
