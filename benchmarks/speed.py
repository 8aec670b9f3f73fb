"""Time of the program against a naive one over the same two models, on one rendered photo of 12 megapixels."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from agri_clip.detections import FOUND, Detections
from agri_clip.detector import Detector
from agri_clip.encoders import Encoder
from agri_clip.photos.photo import Photo
from agri_clip.prompts import PromptSet
from agri_clip.scoring.score import embed_prompts
from fine_tune.synthetic import render_trap, split_rng

#: Width and height of the photo in pixels, its scale, and how many typical catches lie on the card: about 150 insects.
SIZE, MM_PER_PIXEL, DENSITY = (4000, 3000), 0.06, 2.0
#: Ready prompt set that both programs use.
PROMPTS = "greenhouse"
#: What the naive program spends its time on; fields of `NaiveRun`.
PARTS = ("regions", "crops", "texts", "scores")


@dataclass(frozen=True)
class NaiveRun:
    """What the naive program gave and what it spent.

    Attributes
    ----------
    regions : float
        Seconds for regions: the same call as in the program.
    crops : float
        Seconds for pictures, encoded one at a time.
    texts : float
        Seconds for the prompts' texts, encoded again for each crop.
    scores : float
        Seconds for scoring and merging, as in the program.
    detections : Detections
    number : int
        Regions, before those that overlap are merged.
    """

    regions: float
    crops: float
    texts: float
    scores: float
    detections: Detections
    number: int

    @property
    def total(self) -> float:
        """Seconds of the whole run."""
        return self.regions + self.crops + self.texts + self.scores

    @property
    def with_texts_once(self) -> float:
        """Seconds, had the texts been encoded for one crop only."""
        return self.total - self.texts * (1 - 1 / max(self.number, 1))


def forget_texts(encoder: Encoder) -> None:
    """Empty the encoder's store of texts, which a naive program does not have."""
    getattr(encoder, "_texts", {}).clear()


def run_program(detector: Detector, photo: Photo, prompts: PromptSet) -> tuple[float, Detections]:
    """Seconds from pixels in memory to detections, texts not encoded before; and the detections."""
    forget_texts(detector.encoder)
    fresh = Detector(detector.proposer, detector.encoder, settings=detector.settings)
    started = perf_counter()
    detections = fresh(photo, prompts)
    return perf_counter() - started, detections


def run_naive(detector: Detector, photo: Photo, prompts: PromptSet) -> NaiveRun:
    """The naive program: the same regions; then each crop by itself, with every prompt's texts encoded for it."""
    encoder = detector.encoder
    started = perf_counter()
    proposal = detector.propose(photo)
    regions = perf_counter() - started
    crops = texts = 0.0
    vectors = [np.zeros((0, encoder.dim), np.float32)]
    for crop in proposal.crops:
        before = perf_counter()
        vectors.append(encoder.encode_images([crop]))
        between = perf_counter()
        forget_texts(encoder)
        embed_prompts(encoder, prompts)
        crops += between - before
        texts += perf_counter() - between
    started = perf_counter()
    detections = detector.label(proposal, np.concatenate(vectors), prompts)
    return NaiveRun(regions, crops, texts, perf_counter() - started, detections, len(proposal.regions))


def same_labels(one: Detections, other: Detections) -> int:
    """How many regions of `one` stand in `other` too, under the same label if they are found, else of the same kind."""

    def described(detections: Detections) -> list[tuple[object, ...]]:
        labels = np.where(detections.status == FOUND, detections.label_index, -1)
        return list(zip(*detections.boxes.T.tolist(), detections.status.tolist(), labels.tolist(), strict=True))

    there = set(described(other))
    return sum(region in there for region in described(one))


def measure_speed(
    detector: Detector,
    *,
    repeats: int,
    seed: int,
    size: tuple[int, int] = SIZE,
    density: float = DENSITY,
    prompts: PromptSet | None = None,
) -> dict[str, Any]:
    """Ratio of the naive program's time to the program's, medians of pairs of runs.

    Parameters
    ----------
    detector : Detector
    repeats : int
        Pairs of runs.
    seed : int
        Of the rendered photo.
    size, density
        Of the rendered photo; smaller ones are for trying out.
    prompts : PromptSet, optional
        `PROMPTS` where left out.

    Returns
    -------
    dict
        `ratio`, and `ratio_texts_once`: the same had the naive program encoded the texts only once; seconds of all
        runs and their medians; how many labels are the same in every run; sizes.
    """
    made = render_trap(
        split_rng("held-out", seed, 0), kind="yellow", size=size, mm_per_pixel=MM_PER_PIXEL, density=density
    )
    photo, asked = Photo(made.pixels, "trap"), prompts or PromptSet.load(PROMPTS)
    corner = Photo(np.ascontiguousarray(made.pixels[:640, :640]), "corner")
    detector(corner, asked)  # networks are loaded before the clock starts
    runs = []
    for _ in range(repeats):
        seconds, detections = run_program(detector, photo, asked)
        naive = run_naive(detector, photo, asked)
        runs.append(
            {
                "program": seconds,
                **{part: getattr(naive, part) for part in PARTS},
                "ratio": naive.total / seconds,
                "ratio_texts_once": naive.with_texts_once / seconds,
                "same_labels": same_labels(detections, naive.detections),
                "labels": len(detections),
            }
        )
    return {
        "proposer": detector.proposer.name,
        "encoder": detector.encoder.name,
        "megapixels": size[0] * size[1] / 1e6,
        "insects": len(made.boxes),
        "regions": naive.number,
        "texts": len({text for texts in asked.texts().values() for text in texts}),
        "prompts": asked.name,
        "seconds": {part: _median(runs, part) for part in ("program", *PARTS)},
        "ratio": _median(runs, "ratio"),
        "ratio_texts_once": _median(runs, "ratio_texts_once"),
        "same_labels": min(run["same_labels"] for run in runs),
        "labels": runs[-1]["labels"],
        "runs": runs,
    }


def _median(runs: Sequence[dict[str, Any]], name: str) -> float:
    return float(statistics.median(run[name] for run in runs))
