"""Measures the archive: asking over very many regions, memory and rate of a batch, recall of the index.

python benchmarks/archive.py ask --regions 1000000
python benchmarks/archive.py memory
python benchmarks/archive.py throughput
python benchmarks/archive.py index --regions 300000

Baselines, each in the same run: encoding 10,000 crops (ask); a batch of 100 photos (memory); `agri-clip detect` once
for each photo, and the models' own time on photos and crops in memory (throughput); comparing with all vectors (index).
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from agri_clip.archive import Archive, Season
from agri_clip.archive.questions import ask as ask_season
from agri_clip.archive.questions import labeller_of, search
from agri_clip.archive.schema import SourceFile
from agri_clip.archive.season import Finished
from agri_clip.batch.run import fill_archive
from agri_clip.detections import PhotoRecord
from agri_clip.detector import Detector
from agri_clip.encoders import get_encoder
from agri_clip.encoders.crops import make_thumbnail
from agri_clip.models import defaults
from agri_clip.photos.photo import find_photos, read_photo
from agri_clip.prompts import PromptSet
from agri_clip.regions.base import Regions

app = typer.Typer(help="Measure the archive.", no_args_is_help=True)
PROMPTS = ("a whitefly", "a thrips", "a fungus gnat", "an aphid", "a leafminer fly", "a moth", "a ladybird", "a spider",
           "a parasitoid wasp", "a leafhopper")  # fmt: skip
REGIONS_A_PHOTO = 200
CROPS = 10_000


def make_archive(place: Path, regions: int, detector: Detector) -> Season:
    """An archive of photos that never were: boxes at random places, vectors near those of true prompts."""
    rng = np.random.default_rng(0)
    season = Season.begin(Archive.open(place, create=True), detector.encoder, detector.proposer, detector.settings, {})
    centres = detector.encoder.encode_texts([*PROMPTS, "a speck of dirt", "a photo of an empty trap"])
    thumbnail = make_thumbnail(np.full((32, 32, 3), 128, np.uint8))
    photos = -(-regions // REGIONS_A_PHOTO)
    for first in range(0, photos, 50):
        group = []
        for number in range(first, min(first + 50, photos)):
            corners = rng.uniform(0, 3900, (REGIONS_A_PHOTO, 2))
            boxes = np.concatenate([corners, corners + rng.uniform(20, 90, (REGIONS_A_PHOTO, 2))], axis=1)
            noisy = centres[rng.integers(len(centres), size=REGIONS_A_PHOTO)]
            noisy = noisy + rng.normal(0, 0.6 / np.sqrt(noisy.shape[1]), noisy.shape)
            vectors = noisy / np.linalg.norm(noisy, axis=1, keepdims=True)
            name = f"made/{number:06d}.jpg"
            record = PhotoRecord(name, 4000, 4000, trap=f"T{number % 40}", mm_per_pixel=0.05)
            file = SourceFile(f"/{name}", name, f"{number:064x}", 1, 1)
            found = Regions(boxes, rng.uniform(0, 1, REGIONS_A_PHOTO))
            group.append(Finished(file, record, found, [thumbnail] * REGIONS_A_PHOTO, vectors))
        season.add(group, first, {})
    season.compact()
    return season


def peak_mb() -> float:
    """Largest resident memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@app.command()
def ask(regions: Annotated[int, typer.Option(help="Made regions.")] = 1_000_000) -> None:
    """Ten prompts over very many regions, against encoding 10,000 crops."""
    detector = Detector()
    rng = np.random.default_rng(1)
    crops = [rng.integers(0, 255, (48, 48, 3), np.uint8) for _ in range(CROPS)]
    with tempfile.TemporaryDirectory() as folder:
        season = make_archive(Path(folder) / "season", regions, detector)
        labeller, prompts = labeller_of(season, detector.encoder), PromptSet.of(*PROMPTS)
        labeller.embed(prompts)
        detector.encoder.encode_images(crops[:64])
        started = perf_counter()
        detector.encoder.encode_images(crops)
        encoding = perf_counter() - started
        before, started, found = peak_mb(), perf_counter(), 0
        for answer in ask_season(season, labeller, prompts):
            found += len(answer.detections.found)
        asking = perf_counter() - started
    typer.echo(
        f"{regions} regions, {len(PROMPTS)} prompts: {asking:.1f} s, {found} found; encoding {CROPS} crops: "
        f"{encoding:.1f} s; ratio {asking / encoding:.3f}; peak memory {before:.0f} MB before, {peak_mb():.0f} MB after"
    )


@app.command()
def index(
    regions: Annotated[int, typer.Option(help="Made regions.")] = 300_000,
    top: Annotated[int, typer.Option(help="Regions wanted.")] = 50,
    questions: Annotated[int, typer.Option(help="Searches.")] = 30,
) -> None:
    """Recall and time of searches by the index, against comparing with every vector."""
    detector = Detector()
    with tempfile.TemporaryDirectory() as folder:
        season = make_archive(Path(folder) / "season", regions, detector)
        rng = np.random.default_rng(2)
        vectors = rng.normal(0, 1, (questions, detector.encoder.dim))
        vectors += 2 * detector.encoder.encode_texts(PROMPTS)[rng.integers(len(PROMPTS), size=questions)] * 8
        right, times = 0, np.zeros(2)
        for vector in vectors / np.linalg.norm(vectors, axis=1, keepdims=True):
            keys = []
            for place, exact in enumerate((False, True)):
                started = perf_counter()
                found = search(season, vector, top, exact=exact)
                times[place] += perf_counter() - started
                keys.append(set(zip(found["photo"].to_pylist(), found["region"].to_pylist(), strict=True)))
            right += len(keys[0] & keys[1])
    typer.echo(
        f"{regions} regions, best {top}: recall {right / (questions * top):.3f}; {times[0] / questions * 1000:.0f} ms "
        f"a search, {times[1] / questions * 1000:.0f} ms with every vector; ratio {times[0] / times[1]:.2f}"
    )


def write_photos(folder: Path, count: int, size: tuple[int, int] = (640, 480)) -> None:
    """Cards with dark spots, each another file."""
    folder.mkdir(parents=True)
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    for number in range(count):
        rng = np.random.default_rng(number)
        card = np.full((size[1], size[0], 3), (228, 196, 30), np.float32) + rng.normal(0, 3, (size[1], size[0], 1))
        for _ in range(20):
            centre, radii = rng.uniform((20, 20), (size[0] - 20, size[1] - 20)), rng.uniform(4, 14, 2)
            card[((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 < 1] = rng.uniform(20, 90, 3)
        name = f"T{number % 9}_2026-06-{1 + number % 28:02d}_{number:05d}.jpg"
        Image.fromarray(card.clip(0, 255).astype(np.uint8)).save(folder / name, quality=90)


@app.command()
def memory(
    few: Annotated[int, typer.Option(help="Photos of the baseline.")] = 100,
    many: Annotated[int, typer.Option(help="Photos.")] = 2000,
    proposer: Annotated[str, typer.Option(help="As in `agri-clip batch`.")] = "contrast",
) -> None:
    """Peak memory of a batch of many photos, against one of few; each in a process of its own."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (few, many):
            photos = Path(folder) / f"photos{count}"
            write_photos(photos, count)
            command = [sys.executable, __file__, "fill", str(photos), str(Path(folder) / f"season{count}")]
            done = subprocess.run([*command, "--proposer", proposer], check=True, capture_output=True, text=True)
            peaks.append(float(done.stdout.split()[-1]))
    typer.echo(f"{few} photos: {peaks[0]:.0f} MB; {many} photos: {peaks[1]:.0f} MB; ratio {peaks[1] / peaks[0]:.3f}")


@app.command(hidden=True)
def fill(photos: Path, place: Path, proposer: str = "contrast") -> None:
    """Fill an archive and print this process's peak memory in MB."""
    fill_archive(place, find_photos(photos), Detector(proposer=proposer), sources=[photos])
    typer.echo(f"{peak_mb():.0f}")


def own_seconds(detector: Detector, paths: Sequence[Path]) -> float:
    """Seconds that proposer and encoder take on photos and crops in memory, all crops in one call."""
    seconds, crops = 0.0, []
    for path in paths:
        photo = read_photo(path)
        started = perf_counter()
        detector.proposer.propose(photo)
        seconds += perf_counter() - started
        crops += [crop.copy() for crop in detector.propose(photo).crops]
    started = perf_counter()
    detector.encoder.encode_images(crops)
    return seconds + perf_counter() - started


@app.command()
def throughput(
    photos: Annotated[Path | None, typer.Option(help="Folder of photos; made ones where left out.")] = None,
    count: Annotated[int, typer.Option(help="Made photos.")] = 24,
    proposer: Annotated[str, typer.Option(help="As in `agri-clip batch`.")] = defaults.PROPOSER,
) -> None:
    """A batch, against `agri-clip detect` in a shell loop and against the models' own time."""
    program = str(Path(sys.executable).with_name("agri-clip"))
    with tempfile.TemporaryDirectory() as folder:
        if photos is None:
            photos = Path(folder) / "photos"
            write_photos(photos, count, (1600, 1200))
        paths = find_photos(photos)
        started = perf_counter()
        for path in paths:
            out = str(Path(folder) / "out")
            command = [program, "detect", str(path), "--prompt", "an insect", "--out", out, "--proposer", proposer]
            subprocess.run([*command, "--no-pictures"], check=True, capture_output=True)
        loop = perf_counter() - started
        started = perf_counter()
        command = [program, "batch", str(photos), "--archive", str(Path(folder) / "season"), "--proposer", proposer]
        subprocess.run([*command, "--prompt", "an insect"], check=True, capture_output=True, env=os.environ)
        whole = perf_counter() - started
        detector = Detector(proposer=proposer, encoder=get_encoder(defaults.ENCODER))
        fill_archive(Path(folder) / "warm", paths[:1], detector)
        started = perf_counter()
        fill_archive(Path(folder) / "again", paths, detector)
        inside = perf_counter() - started
        own = own_seconds(detector, paths)
    typer.echo(
        f"{len(paths)} photos: shell loop {loop:.1f} s, batch {whole:.1f} s, ratio {loop / whole:.1f}; in one process "
        f"{inside:.1f} s against {own:.1f} s of the models alone: {own / inside:.2f} of their rate"
    )


if __name__ == "__main__":
    app()
