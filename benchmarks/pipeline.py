"""Measures what the pipeline adds to its two models: wall time over the proposer's and the encoder's own time.

python benchmarks/pipeline.py                 # on data/samples
python benchmarks/pipeline.py --photos DIR

Baseline, in the same run on the same input: `Proposer.propose` on photos already in memory, and
`Encoder.encode_images` on crops already cut. The pipeline reads, looks for codes and the card, cuts, scores and merges.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from agri_clip.detector import Detector
from agri_clip.models import defaults
from agri_clip.photos.photo import find_photos, read_photo
from agri_clip.prompts import PromptSet

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "samples"


def own_time(detector: Detector, paths: list[Path]) -> tuple[float, float]:
    """Seconds that the proposer and the encoder take by themselves."""
    propose = encode = 0.0
    for path in paths:
        photo = read_photo(path)
        started = perf_counter()
        detector.proposer.propose(photo)
        propose += perf_counter() - started
        crops = detector.propose(photo).crops
        started = perf_counter()
        detector.encoder.encode_images(crops)
        encode += perf_counter() - started
    return propose, encode


def pipeline_time(detector: Detector, paths: list[Path], prompts: PromptSet) -> float:
    """Seconds from files to detections."""
    started = perf_counter()
    for _ in detector.stream(paths, prompts):
        pass
    return perf_counter() - started


def main(
    photos: Annotated[Path, typer.Option(help="Folder of photos.")] = SAMPLES,
    proposer: Annotated[str, typer.Option(help="As in `agri-clip detect`.")] = defaults.PROPOSER,
    encoder: Annotated[str, typer.Option(help="As in `agri-clip detect`.")] = defaults.ENCODER,
    repeats: Annotated[int, typer.Option(min=1, help="Pairs of runs; the median ratio is printed.")] = 5,
    json_out: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
) -> None:
    """Print the ratio of the pipeline's wall time to its models' own time."""
    detector, prompts = Detector(proposer=proposer, encoder=encoder), PromptSet.load("greenhouse")
    paths = find_photos([photos])
    pipeline_time(detector, paths[:1], prompts)
    runs = []
    for _ in range(repeats):
        propose, encode = own_time(detector, paths)
        runs.append({"propose": propose, "encode": encode, "pipeline": pipeline_time(detector, paths, prompts)})
    ratios = [run["pipeline"] / (run["propose"] + run["encode"]) for run in runs]
    for run, ratio in zip(runs, ratios, strict=True):
        parts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in run.items())
        typer.echo(f"{len(paths)} photos: {parts}; ratio {ratio:.2f}")
    typer.echo(f"pipeline over models, median of {repeats}: {statistics.median(ratios):.2f}")
    if json_out is not None:
        json_out.write_text(json.dumps({"runs": runs, "ratio": statistics.median(ratios)}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
