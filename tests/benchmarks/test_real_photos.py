"""Figures on photos of real insects: what counts as right, and which photos take part."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest

from agri_clip.encoders import Encoder
from agri_clip.errors import DataError
from benchmarks.page import write_page
from benchmarks.real_photos import naming_figures, read_named, square

COLOURS = {"moth": (255, 0, 0), "aphid": (0, 255, 0), "bee": (0, 0, 255)}


class ColourEncoder:
    """Names moths red, aphids green and bees blue."""

    def encode_images(self, crops: list[np.ndarray]) -> np.ndarray:
        means = np.stack([crop.reshape(-1, 3).mean(axis=0) for crop in crops]).astype(np.float32)
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        return np.stack([np.array(COLOURS[text.split()[-1]], np.float32) / 255 for text in texts])


@pytest.fixture
def named(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    shown = {"a": ("moth", "moth"), "b": ("aphid", "aphid"), "c": ("bee", "moth"), "d": ("tick", "bee")}
    with (tmp_path / "catalogue.csv").open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(["file", "group", "split"])
        for name, (group, colour) in shown.items():
            pixels = np.full((20, 40, 3), COLOURS[colour][::-1], np.uint8)
            cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), pixels)
            table.writerow([f"{name}.png", group, "check"])
        table.writerow(["e.png", "moth", "train"])
    return tmp_path


def test_only_photos_of_the_split_and_of_known_groups_count(named: Path) -> None:
    assert read_named(named, ["check"], list(COLOURS)).groups == ("moth", "aphid", "bee")


def test_a_name_is_right_where_it_is_the_photos_own(named: Path) -> None:
    photos = read_named(named, ["check"], list(COLOURS))
    figures = naming_figures(cast(Encoder, ColourEncoder()), photos, list(COLOURS))
    assert figures["top1"]["value"] == pytest.approx(2 / 3)
    assert figures["macro"]["value"] == pytest.approx(2 / 3)
    assert figures["top5"]["value"] == 1
    assert figures["groups"]["bee"] == {"photos": 1, "right": 0.0}


def test_a_photo_is_padded_to_a_square_by_its_edge(named: Path) -> None:
    padded = square(named / "images" / "a.png")
    assert padded.shape == (288, 288, 3)
    assert (padded == COLOURS["moth"]).all()


def test_a_folder_without_a_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"catalogue\.csv"):
        read_named(tmp_path, ["check"])


def test_the_page_tells_what_was_measured(named: Path) -> None:
    photos = read_named(named, ["check"], list(COLOURS))
    naming = {"check": naming_figures(cast(Encoder, ColourEncoder()), photos, list(COLOURS))}
    made = {"date": "2026-11-30", "command": "x", "machine": "y", "versions": {}}
    text = write_page({"made": made, "absent": {}, "photos": {"models": {"builtin": {"naming": naming}}}})
    assert "| builtin | check | 3 | 0.667" in text
    assert "| bee | 1 | 0.00 |" in text
