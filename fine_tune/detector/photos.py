"""Labelled photos that the class-agnostic detector learns from: real ones, and rendered ones on every ground."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fine_tune.encoder.crops import read_annotated
from fine_tune.synthetic import GROUPS, RenderedPhoto, render_trap, split_rng
from fine_tune.synthetic.export import write_jpeg
from fine_tune.synthetic.scenes import CARDS, MADE_UP, PHOTO_KINDS

#: Side of a rendered photo, pixels.
SIDE = 640
#: Smallest and largest typical length of the insects in a rendered photo, pixels; single ones are smaller and larger.
LENGTH = (14.0, 220.0)
#: Smallest and largest share of a rendered photo that insects cover, and the most insects in it.
COVERAGE, MOST = (0.01, 0.22), 110
#: Grounds of the photos for training, in turn: every kind once, and made-up ones twice.
TRAINING_KINDS = (*PHOTO_KINDS, MADE_UP, MADE_UP)
#: Photos that one worker renders before it reports.
CHUNK = 16


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo and its insects.

    Attributes
    ----------
    packed : ndarray, shape (h, w, 3), uint8, or bytes
        RGB; or the bytes of a JPEG, which are unpacked whenever `pixels` are asked for.
    boxes : ndarray, shape (n, 4), float32
        xyxy in pixels.
    kind : str
        A key of `fine_tune.synthetic.scenes.PHOTO_KINDS`, or `MADE_UP` there.
    real : bool
        Whether a camera took it.
    """

    packed: np.ndarray | bytes
    boxes: np.ndarray
    kind: str
    real: bool

    @property
    def pixels(self) -> np.ndarray:
        """RGB, shape (h, w, 3), uint8."""
        if isinstance(self.packed, np.ndarray):
            return self.packed
        bgr = np.asarray(cv2.imdecode(np.frombuffer(self.packed, np.uint8), cv2.IMREAD_COLOR))
        return bgr[..., ::-1]


def draw_settings(rng: np.random.Generator, kind: str) -> dict[str, Any]:
    """Draw what a rendered photo shows, as arguments of `render_trap`.

    Insects of two to six groups, whatever the ground, so that no insect belongs to one kind of ground; their size in
    pixels, their number, dirt, drops, grid, print, focus and the card's edge vary widely and apart from each other.
    """
    chosen = [str(name) for name in rng.choice(list(GROUPS), int(rng.integers(2, 7)), replace=False)]
    lengths = np.array([np.mean(GROUPS[name].length_mm) for name in chosen])
    low, high = (np.log(v) for v in LENGTH)
    per_mm = float(np.exp(rng.uniform(low, high)) / np.median(lengths))
    per_mm = min(per_mm, 420 / float(lengths.max()))
    shares = rng.dirichlet(np.ones(len(chosen)))
    covered = float(np.exp(rng.uniform(*np.log(COVERAGE)))) * SIDE**2
    total = min(MOST, max(1.0, covered / float((shares * (lengths * per_mm) ** 2 * 0.45).sum())))
    settings: dict[str, Any] = {
        "kind": kind,
        "size": (SIDE, SIDE),
        "insects": {name: int(np.ceil(share * total)) for name, share in zip(chosen, shares, strict=True)},
        "mm_per_pixel": 1 / per_mm,
        "dirt": float(np.exp(rng.uniform(np.log(0.3), np.log(25)))),
        "drops": int(rng.integers(0, 9)) if rng.random() < 0.5 else 0,
        "touching": float(rng.uniform(0, 0.3)),
        "blur": float(rng.uniform(0.4, 1.6)),
        "edge": bool(rng.random() < 0.3),
    }
    if kind in CARDS and rng.random() < 0.4:
        settings["grid_mm"] = float(rng.choice([5, 10, 15, 20, 25]))
    return settings


def render_photo(split: str, seed: int, number: int, kinds: Sequence[str] = tuple(PHOTO_KINDS)) -> RenderedPhoto:
    """Render photo `number` of a split; its kind of ground goes round `kinds`."""
    rng = split_rng(split, seed, number)
    return render_trap(rng, **draw_settings(rng, kinds[number % len(kinds)]))


def _write_chunk(folder: Path, split: str, seed: int, numbers: Sequence[int]) -> None:
    cv2.setNumThreads(1)
    for number in numbers:
        photo = render_photo(split, seed, number, TRAINING_KINDS)
        write_jpeg(folder / f"{number:05d}.jpg", photo.pixels, quality=95)
        truth = {"kind": photo.kind, "boxes": photo.boxes.round(1).tolist()}
        partial = folder / f".{number:05d}.json"
        partial.write_text(json.dumps(truth), encoding="utf-8")
        partial.replace(folder / f"{number:05d}.json")


def write_photos(folder: Path, *, split: str, seed: int, count: int, processes: int | None = None) -> None:
    """Render photos of `TRAINING_KINDS` into a folder; those already there are kept, so a killed run goes on.

    Parameters
    ----------
    folder : Path
        Made if absent.
    split, seed
        As in `fine_tune.synthetic.split_rng`.
    count : int
    processes : int or None
        Default: one a core.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [n for n in range(count) if not (folder / f"{n:05d}.json").exists()]
    chunks = [missing[i : i + CHUNK] for i in range(0, len(missing), CHUNK)]
    # A forked child of a process whose OpenCV or torch has started threads can wait for ever on their locks.
    with ProcessPoolExecutor(processes or os.cpu_count(), mp_context=get_context("spawn")) as executor:
        for job in [executor.submit(_write_chunk, folder, split, seed, chunk) for chunk in chunks]:
            job.result()


def read_rendered(folder: Path, count: int) -> list[LabelledPhoto]:
    """Read the first `count` photos of a folder that `write_photos` filled."""
    photos = []
    for number in range(count):
        truth = json.loads((folder / f"{number:05d}.json").read_text(encoding="utf-8"))
        boxes = np.array(truth["boxes"], np.float32).reshape(-1, 4)
        photos.append(LabelledPhoto((folder / f"{number:05d}.jpg").read_bytes(), boxes, truth["kind"], real=False))
    return photos


def read_real(coco: Path, images: Path, kind: str = "yellow", most: int | None = None) -> list[LabelledPhoto]:
    """Read the labelled photos of a COCO file, all of one kind of ground; with `most`, about so many, evenly spaced.

    Raises
    ------
    DataError
        The COCO file cannot be read.
    """
    return [LabelledPhoto(pixels, boxes, kind, real=True) for pixels, boxes in read_annotated(coco, images, most)]
