"""Labelled photos with known insects: white cards with dark squares."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import intervals
from fine_tune.synthetic import RenderedPhoto
from tests.benchmarks.known import INSECT, NEGATIVE

#: Colours: red is what the encoder reads, blue is objectness.
STRONG, WEAK, DIRT = (INSECT, 0, 230), (INSECT, 0, 180), (NEGATIVE, 0, 230)
#: Squares of each photo, and whether they are labelled as insects. On `val` the weak ones are worth counting, on
#: `train` they are not.
SQUARES = {
    "val": (
        [(STRONG, True), (WEAK, True), (DIRT, True), (DIRT, False)],
        [(STRONG, True), (WEAK, True), (WEAK, False)],
        [],
    ),
    "train": ([(STRONG, True), (STRONG, True), (WEAK, False)], [(STRONG, True), (WEAK, False)]),
}
#: Side of a photo and of a square, pixels.
PHOTO, SQUARE = 300, 24


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals from a few samples, for speed."""
    monkeypatch.setattr(intervals, "DRAWS", 50)


def draw(squares: Sequence[tuple[tuple[int, int, int], bool]]) -> tuple[np.ndarray, list[list[int]]]:
    """A photo, and the boxes [x, y, w, h] of the squares that are labelled."""
    pixels = np.full((PHOTO, PHOTO, 3), 255, np.uint8)
    boxes = []
    for i, (colour, labelled) in enumerate(squares):
        x, y = 20 + 60 * i, 40
        pixels[y : y + SQUARE, x : x + SQUARE] = colour
        if labelled:
            boxes.append([x, y, SQUARE, SQUARE])
    return pixels, boxes


def rendered(kind: str, shown: bool = True) -> RenderedPhoto:
    """A photo of one square, as if rendered; it is labelled where it is, or elsewhere."""
    pixels, ((x, y, w, h),) = draw([(STRONG, True)])
    box = np.array([[x, y, x + w, y + h]], np.float32) + (0 if shown else 100)
    return RenderedPhoto(pixels, box, ["aphid"], [], 0.1, kind)


@pytest.fixture(scope="session")
def labelled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with val.json, train.json and images/ as the benchmarks take it."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "images").mkdir()
    for split, photos in SQUARES.items():
        images, annotations = [], []
        for number, squares in enumerate(photos):
            pixels, boxes = draw(squares)
            name = f"{split}{number}.png"
            Image.fromarray(pixels).save(folder / "images" / name)
            images.append({"id": number, "file_name": name, "width": PHOTO, "height": PHOTO})
            annotations += [{"image_id": number, "category_id": 1, "bbox": box} for box in boxes]
        document = {
            "images": images,
            "annotations": [{"id": i, **row} for i, row in enumerate(annotations)],
            "categories": [{"id": 1, "name": "insect"}],
        }
        (folder / f"{split}.json").write_text(json.dumps(document))
    return folder
