"""Measures tracking: made-up insects that stick, walk and arrive, seen by a detector with known flaws.

python benchmarks/tracking.py joining --runs 3
python benchmarks/tracking.py cards

For the joining alone no picture is drawn: boxes are moved, jittered and missed. The cards are the rendered sample
traps, changed as a camera would. Baselines are the detections of all frames, and the frame with the most insects.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from agri_clip.detections import FOUND, Detections, PhotoRecord
from agri_clip.detector import Detector
from agri_clip.photos.photo import Photo, read_photo
from agri_clip.tracking.tracks import LEAST_OVERLAP, LOST_FRAMES, MIN_FRAMES, REACH, Tracker

app = typer.Typer(help="Measure tracking.", no_args_is_help=True)

#: A card of 1000 by 2500 pixels with insects of 12 to 40, as a phone sees a trap of 10 by 25 cm.
HEIGHT, WIDTH = 2500, 1000
SHORTEST, LONGEST = 12, 40
#: Detector: boxes are off by 6 % of the length (one standard deviation a side).
JITTER = 0.06


@dataclass(frozen=True)
class Scene:
    """What happens on a card.

    Attributes
    ----------
    name : str
    insects : int
        On the card from the first frame on.
    arrivals : int
        That come later, at even chances over the frames.
    walking : float
        Part of them that walk.
    speed : float
        Mean body lengths a frame of those that walk: in half of the frames they rest, in the others the step is
        a gamma variable of shape 4.
    missed : float
        Chance of an insect to be missed in a frame.
    specks : float
        False boxes a frame, at random places.
    frames : int
    """

    name: str
    insects: int
    arrivals: int
    walking: float
    speed: float
    missed: float
    specks: float = 1.0
    frames: int = 40


SCENES = (
    Scene("stuck, few missed", 60, 20, 0.0, 0.0, 0.05),
    Scene("stuck, a quarter missed", 60, 20, 0.0, 0.0, 0.25),
    Scene("crowded, stuck, a tenth missed", 250, 50, 0.0, 0.0, 0.10, frames=20),
    Scene("walking, 0.3 lengths a frame", 20, 5, 1.0, 0.3, 0.10),
    Scene("walking, 0.5 lengths a frame", 20, 5, 1.0, 0.5, 0.10),
    Scene("walking, 1 length a frame", 20, 5, 1.0, 1.0, 0.10),
    Scene("a third walking, 0.3 lengths", 60, 20, 0.33, 0.3, 0.10),
)


def play(scene: Scene, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Boxes of every frame, (n, 4) float64, and which insect each is, (n,) int64; -1 for specks."""
    rng = np.random.default_rng(seed)
    count = scene.insects + scene.arrivals
    length = rng.uniform(SHORTEST, LONGEST, count)
    sides = np.stack([length, length * rng.uniform(0.4, 1.0, count)], axis=1)
    place = rng.uniform((0, 0), (WIDTH, HEIGHT), (count, 2))
    comes = np.r_[np.zeros(scene.insects, int), rng.integers(1, scene.frames, scene.arrivals)]
    walks = rng.random(count) < scene.walking
    heading = rng.uniform(0, 2 * np.pi, count)
    boxes, owners = [], []
    for frame in range(scene.frames):
        going = walks & (rng.random(count) < 0.5)
        heading += rng.normal(0, 0.6, count)
        step = 2 * scene.speed * length * rng.gamma(4, 1 / 4, count) * going
        place = np.clip(place + step[:, None] * np.stack([np.cos(heading), np.sin(heading)], 1), 0, (WIDTH, HEIGHT))
        here = np.flatnonzero((comes <= frame) & (rng.random(count) >= scene.missed))
        seen = np.c_[place[here] - sides[here] / 2, place[here] + sides[here] / 2]
        seen += rng.normal(0, 1, seen.shape) * (JITTER * length[here, None])
        specks = rng.uniform((0, 0), (WIDTH, HEIGHT), (rng.poisson(scene.specks), 2))
        boxes.append(np.r_[seen, np.c_[specks - 8, specks + 8]])
        owners.append(np.r_[here, np.full(len(specks), -1)])
    return boxes, owners


def as_detections(boxes: np.ndarray, number: int) -> Detections:
    """A frame with these boxes, all found."""
    n = len(boxes)
    return Detections(
        (PhotoRecord(f"frame {number}", WIDTH, HEIGHT),),
        ("insect",),
        photo_index=np.zeros(n),
        boxes=boxes,
        label_index=np.zeros(n),
        status=np.full(n, FOUND),
        scores=np.full(n, 0.8),
        insect=np.full(n, 0.9),
        objectness=np.full(n, 0.9),
        margin=np.full(n, 0.8),
        length_px=np.full(n, 20),
        length_mm=np.full(n, np.nan),
        outlines=(None,) * n,
    )


def measure(scene: Scene, seed: int, **settings: Any) -> dict[str, float]:
    """Figures of one scene; insects that were seen in fewer frames than `MIN_FRAMES` are not asked for.

    Returns
    -------
    dict
        `rows`, `insects`, `most` (detections of the fullest frame), `detections`, `whole` (part of the insects that are
        one row, all of it theirs) and `mixed` (part of the rows that hold several insects).
    """
    boxes, owners = play(scene, seed)
    tracker = Tracker(**settings)
    for number, frame in enumerate(boxes):
        tracker.add(as_detections(frame, number))
    tracks = tracker.finish()
    owner, track = np.concatenate(owners), tracks.track_index
    seen = np.flatnonzero(np.bincount(owner[owner >= 0], minlength=1) >= MIN_FRAMES)
    pairs = np.unique(np.stack([owner, track]).T[track >= 0], axis=0)
    shared = np.bincount(pairs[:, 1], minlength=len(tracks)) > 1
    rows_of = {insect: pairs[pairs[:, 0] == insect, 1] for insect in seen.tolist()}
    whole = sum(len(rows) == 1 and not shared[rows[0]] for rows in rows_of.values())
    return {
        "rows": len(tracks),
        "insects": len(seen),
        "most": max(map(len, boxes)),
        "detections": len(owner),
        "whole": whole / max(1, len(seen)),
        "mixed": float(shared.mean()) if len(tracks) else 0.0,
    }


def mean_figures(scene: Scene, seeds: Sequence[int], **settings: Any) -> dict[str, float]:
    """`measure`, averaged over seeds."""
    each = [measure(scene, seed, **settings) for seed in seeds]
    return {name: float(np.mean([figures[name] for figures in each])) for name in each[0]}


def figures_table(seeds: Sequence[int], settings: dict[str, Any]) -> list[str]:
    """A Markdown table, one row a scene."""
    lines = [
        "| scene | insects | rows | one row each | rows of several | fullest frame | detections |",
        "|---|---|---|---|---|---|---|",
    ]
    for scene in SCENES:
        mean = mean_figures(scene, seeds, **settings)
        lines.append(
            f"| {scene.name} | {mean['insects']:.1f} | {mean['rows']:.1f} | {mean['whole']:.1%} "
            f"| {mean['mixed']:.1%} | {mean['most']:.1f} | {mean['detections']:.0f} |"
        )
    return lines


@app.command()
def joining(runs: Annotated[int, typer.Option("--runs", min=1, help="Runs of each scene.")] = 3) -> None:
    """The defaults, and what one setting changes at a time, on boxes that move, jitter and are missed."""
    trials: list[dict[str, Any]] = [{}]
    trials += [{"reach": value} for value in (0.3, 0.5, 1.0, 1.5, 2.0) if value != REACH]
    trials += [{"lost_frames": value} for value in (3, 5, 10, 20) if value != LOST_FRAMES]
    trials += [{"least_overlap": value} for value in (0.05, 0.1, 0.2) if value != LEAST_OVERLAP]
    for settings in trials:
        title = ", ".join(f"{name} {value:g}" for name, value in settings.items()) or "defaults"
        typer.echo("\n".join([f"## {title}", "", *figures_table(range(runs), settings), ""]))


@app.command()
def cards(
    frames: Annotated[int, typer.Option("--frames", min=2, help="Photos of each card.")] = 12,
    folder: Annotated[Path, typer.Option("--samples", help="Photos and annotations.json.")] = Path("data/samples"),
) -> None:
    """The sample traps, each photographed again and again under other light, found by the default models."""
    truth = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    detector, rng = Detector(), np.random.default_rng(0)
    columns = ("card", "insects", "found in a frame: least, mean, most", "detections", "rows", "left out")
    typer.echo(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for image in truth["images"]:
        if not image["file_name"].startswith("T"):
            continue
        photo = read_photo(folder / image["file_name"], read_codes=False)
        tracker = Tracker()
        for number in range(frames):
            seen = Photo(photograph_again(photo.pixels, rng), f"{photo.name} {number}")
            tracker.add(detector(seen, "an insect"))
        tracks = tracker.finish()
        found = tracks.regions.counts()["an insect"]
        insects = sum(one["image_id"] == image["id"] for one in truth["annotations"])
        typer.echo(
            f"| {image['file_name']} | {insects} | {found.min()}, {found.mean():.1f}, {found.max()} | {found.sum()} "
            f"| {(tracks.status == FOUND).sum()} | {tracks.left_out} |"
        )


def photograph_again(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same card (h, w, 3) uint8 another time: swung by some pixels, other light, noise, and a camera's JPEG."""
    shift = np.array([[1, 0, rng.uniform(-4, 4)], [0, 1, rng.uniform(-4, 4)]])
    moved = cv2.warpAffine(pixels, shift, pixels.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    light = rng.uniform(0.75, 1.15) * rng.uniform(0.95, 1.05, 3)
    noisy = (moved * light + rng.normal(0, 5, moved.shape)).clip(0, 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 95))])
    return cv2.imdecode(packed, cv2.IMREAD_COLOR)


if __name__ == "__main__":
    app()
