"""Files made by the renderer: the shipped samples, contact sheets, held-out sets of crops; and the seeds they use.

Every crop of every set comes from ``SeedSequence([split, seed, index])``. The split's number differs between training,
validation and held-out sets, so that no held-out crop can coincide with a training crop whatever the seeds are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fine_tune.synthetic.captions import captions
from fine_tune.synthetic.crops import RenderedCrop, render_crop
from fine_tune.synthetic.groups import GROUP_NAMES, NONE
from fine_tune.synthetic.photos import render_trap

SPLITS = {"train": 0, "held-out": 1, "validation": 2, "samples": 3, "sheet": 4}


def split_rng(split: str, seed: int, index: int) -> np.random.Generator:
    """Return the generator of item `index` of a set; sets of different split or seed never share one.

    Raises
    ------
    ValueError
        If the split is not a key of `SPLITS`.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; use one of {', '.join(SPLITS)}")
    return np.random.default_rng(np.random.SeedSequence([SPLITS[split], seed, index]))


@dataclass(frozen=True, slots=True)
class Sample:
    """One shipped photo: file name with trap id and date, and the arguments of `render_trap`."""

    file_name: str
    seed: int
    settings: dict[str, Any] = field(default_factory=dict)


_WEEK_TWO = {
    "whitefly": 38,
    "fungus gnat": 16,
    "thrips": 9,
    "aphid": 9,
    "leafminer fly": 7,
    "house fly": 3,
    "parasitoid wasp": 5,
    "leafhopper": 2,
    "fruit fly": 2,
}
SAMPLES = (
    Sample(
        "T1_2026-05-04.jpg", 11, {"kind": "yellow", "tag_text": "T1\n4 May", "grid_mm": 25, "brand": "", "blur": 0.6}
    ),
    Sample(
        "T1_2026-05-11.jpg",
        12,
        {
            "kind": "yellow",
            "tag_text": "T1\n11 May",
            "grid_mm": 25,
            "brand": "",
            "insects": _WEEK_TWO,
            "dirt": 2.6,
            "blur": 0.6,
        },
    ),
    Sample(
        "T3_2026-05-11.jpg",
        13,
        {
            "kind": "yellow",
            "tag_text": "T3\n11 May",
            "tag_code": "trap=T3;date=2026-05-11",
            "grid_mm": 0,
            "brand": "TRAP 10x25",
            "blur": 0.7,
        },
    ),
    Sample(
        "T2_2026-05-04.jpg",
        14,
        {"kind": "blue", "mm_per_pixel": 0.05, "grid_mm": 20, "brand": "CATCHLINE", "blur": 0.6},
    ),
    Sample("T4_2026-05-11.jpg", 15, {"kind": "delta", "grid_mm": 20, "brand": "", "mm_per_pixel": 0.09, "blur": 0.6}),
    Sample("L1_2026-05-04.jpg", 16, {"kind": "leaf", "mm_per_pixel": 0.045, "dirt": 0.8, "drops": 4, "blur": 0.6}),
    Sample(
        "L2_2026-05-11.jpg",
        17,
        {
            "kind": "leaf",
            "mm_per_pixel": 0.04,
            "dirt": 0.5,
            "drops": 5,
            "blur": 0.6,
            "insects": {"whitefly": 16, "mealybug": 6, "mite": 6, "thrips": 4, "ladybird": 1},
        },
    ),
)


def write_jpeg(path: Path, pixels: np.ndarray, quality: int = 88) -> None:
    """Write (h, w, 3) uint8 RGB pixels as a JPEG or, by the name's ending, any format that OpenCV writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = path.suffix or ".jpg"
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality] if ending.lower() in (".jpg", ".jpeg") else []
    _, packed = cv2.imencode(ending, pixels[..., ::-1], settings)
    path.write_bytes(packed.tobytes())


def write_samples(folder: Path) -> list[Path]:
    """Render the shipped samples and their COCO file into a folder; return the photos' paths."""
    coco: dict[str, Any] = {
        "info": {
            "description": "Trap and leaf photos rendered by fine_tune.synthetic, with exact truth",
            "version": "1.0",
            "date_created": "2026-05-11",
        },
        "licenses": [{"id": 1, "name": "AGPL-3.0-or-later", "url": "https://www.gnu.org/licenses/agpl-3.0.html"}],
        "images": [],
        "annotations": [],
        "categories": [],
    }
    paths = []
    for number, sample in enumerate(SAMPLES, start=1):
        photo = render_trap(split_rng("samples", sample.seed, 0), **sample.settings)
        write_jpeg(folder / sample.file_name, photo.pixels)
        part = photo.to_coco(sample.file_name, number, len(coco["annotations"]) + 1)
        part["images"][0]["license"] = 1
        coco["images"] += part["images"]
        coco["annotations"] += part["annotations"]
        coco["categories"] = part["categories"]
        paths.append(folder / sample.file_name)
    (folder / "annotations.json").write_text(json.dumps(coco) + "\n", encoding="utf-8")
    return paths


def render_set(count: int, seed: int, split: str, size: int = 64) -> list[RenderedCrop]:
    """Render crops with the groups, and "none", in turn."""
    names = (*GROUP_NAMES, NONE)
    return [render_crop(split_rng(split, seed, i), names[i % len(names)], size) for i in range(count)]


def write_crops(path: Path, count: int, seed: int, split: str = "held-out", size: int = 64) -> None:
    """Render a set of crops into one compressed file.

    The file holds `pixels` (count, size, size, 3) uint8 RGB, `groups` (count,) and `captions` (count,) as strings.
    """
    crops = render_set(count, seed, split, size)
    sentences = [captions(split_rng(split, seed, count + i), c.group, c.attributes) for i, c in enumerate(crops)]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        pixels=np.stack([crop.pixels for crop in crops]),
        groups=np.array([crop.group for crop in crops]),
        captions=np.array(sentences),
    )


def contact_sheet(seed: int = 0, columns: int = 14, size: int = 64) -> np.ndarray:
    """Return a picture, (h, w, 3) uint8 RGB, with a row of crops for each group, in two halves side by side."""
    names = (*GROUP_NAMES, NONE)
    rows = []
    for row, name in enumerate(names):
        label = np.zeros((size, int(size * 1.7), 3), np.uint8)
        cv2.putText(label, name, (3, size // 2), cv2.FONT_HERSHEY_SIMPLEX, size / 150, (255, 255, 255), 1, cv2.LINE_AA)
        crops = [render_crop(split_rng("sheet", seed, row * columns + i), name, size).pixels for i in range(columns)]
        rows.append(np.hstack([label, *crops]))
    rows.extend([np.zeros_like(rows[0])] * (len(rows) % 2))
    half = len(rows) // 2
    return np.hstack([np.vstack(rows[:half]), np.vstack(rows[half : 2 * half])])
