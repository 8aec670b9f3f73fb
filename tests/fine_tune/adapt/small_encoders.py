"""Tiny random encoders of real architectures, and labelled crops that they can learn to tell apart."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from fine_tune.adapt.samples import LabelledCrops
from tests.encoders import tiny_models

#: What each label looks like, and what it is called.
COLOURS = {"aphid": (40, 160, 60), "moth": (150, 110, 60), "bee": (220, 180, 20)}
TEXTS = {name: (f"a {name}",) for name in COLOURS}


@cache
def tiny(kind: str) -> Path:
    """Folder of a tiny model of a kind; written once."""
    return tiny_models.make(kind, Path(mkdtemp()) / kind)


def coloured_crops(per_label: int = 8, per_photo: int = 2, seed: int = 0) -> LabelledCrops:
    """Crops whose colour tells the label, `per_photo` of each photo."""
    rng = np.random.default_rng(seed)
    rows = [
        (np.clip(rng.normal(colour, 25, (20, 20, 3)), 0, 255).astype(np.uint8), name, f"{name}{i // per_photo}")
        for name, colour in COLOURS.items()
        for i in range(per_label)
    ]
    crops, labels, photos = zip(*rows, strict=True)
    return LabelledCrops(crops, labels, photos, tuple(f"crop {i}" for i in range(len(rows))))
