"""A run in small: three named photos, a teacher of five species, two dozen drawn crops, a tower with random weights."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch

from fine_tune.encoder.crop_pool import CropPool, render_pool
from fine_tune.synthetic import NONE

LOAD = """
import timm, torch
def load():
    torch.manual_seed(5)
    names = ["Bombus terrestris (Buff-tailed Bumblebee)", "Halyomorpha halys (Brown Marmorated Stink Bug)",
             "Vanessa cardui ()", "Nowhere known (Nobody)"]
    return timm.create_model("mobilenetv2_050", num_classes=5).eval(), names
"""
PHOTOS = (
    ("bee.jpg", "Bombus terrestris", "bee", "train"),
    ("bug.jpg", "Halyomorpha halys", "stink bug", "train"),
    ("centipede.jpg", "centipede", "not an insect", "train"),
    ("hidden.jpg", "Vanessa cardui", "butterfly", "check"),
)


@pytest.fixture(scope="session")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("named")
    (folder / "images").mkdir()
    random = np.random.default_rng(0)
    with (folder / "catalogue.csv").open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(["file", "species", "group", "split", "licence", "credit"])
        for file, species, group, split in PHOTOS:
            cv2.imwrite(str(folder / "images" / file), random.integers(0, 256, (90, 120, 3), np.uint8))
            table.writerow([file, species, group, split, "CC BY 4.0", f"by the author of {file}"])
    return folder


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    (folder / "load.py").write_text(LOAD, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def start() -> torch.nn.Module:
    torch.manual_seed(1)
    net: torch.nn.Module = timm.create_model("tf_efficientnet_lite0")
    return net.eval()


@pytest.fixture(scope="session")
def drawn() -> CropPool:
    return render_pool("train", seed=3, first=0, count=24, side=72, backgrounds=None)


@pytest.fixture(scope="session")
def close_ups() -> CropPool:
    return render_pool("train", seed=3, first=0, count=12, side=64, backgrounds=None, close_ups=True)


@pytest.fixture(scope="session")
def traps() -> CropPool:
    images = np.random.default_rng(2).integers(0, 256, (12, 72, 72, 3), np.uint8)
    groups = ("real",) * 6 + (NONE,) * 6
    return CropPool(images, groups, ({},) * 12, (("an insect",),) * 6 + (("dirt",),) * 6)
