"""Measures the choices that scoring makes: weight and prior of objectness, and length as evidence.

python benchmarks/scoring.py --only lengths
python benchmarks/scoring.py --photos DIR          # DIR holds train.json, val.json (COCO) and images/

Rendered photos are of the validation split for what is chosen on them, of the held-out split for what is only measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from agri_clip.detector import Detector
from agri_clip.encoders import Encoder, get_encoder
from agri_clip.encoders.crops import extract_crops
from agri_clip.evaluation.matching import Boxes
from agri_clip.io.console import make_table
from agri_clip.models import defaults
from agri_clip.prompts import PromptSet
from agri_clip.regions.merging import nms
from agri_clip.scoring.score import (
    OBJECTNESS_WEIGHT,
    PRIOR,
    USUAL_OBJECTNESS,
    combine,
    embed_prompts,
    photo_priors,
    score,
)
from benchmarks.intervals import ap50
from benchmarks.labelled import TRAP_KINDS, LabelledSet, match, real_set, rendered_set
from benchmarks.whole_way import PROMPT, Outcome, choose_threshold, counting_error
from fine_tune.detector.photos import render_photo
from fine_tune.synthetic import GROUP_NAMES, RenderedPhoto, render_trap, split_rng

WEIGHTS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
PRIORS = (0.0, -0.3, -0.5, -0.8)
#: Groups on each trap of the measurement of lengths, and insects of each.
GROUPS_ON_A_TRAP, OF_EACH = 6, 8


class Part(StrEnum):
    """What can be measured by itself."""

    OBJECTNESS = "objectness"
    LENGTHS = "lengths"


@dataclass(frozen=True)
class Judged:
    """The regions of one photo with both probabilities of an insect, before overlapping ones are merged.

    Attributes
    ----------
    boxes : ndarray, shape (n, 4), float32
    objectness, insect : ndarray, shape (n,), float32
        The proposer's, and the encoder's by itself.
    """

    boxes: np.ndarray
    objectness: np.ndarray
    insect: np.ndarray


def judge(detector: Detector, photos: LabelledSet) -> list[Judged]:
    """Regions of every photo, with what proposer and encoder say of each."""
    prompts = detector.labeller.embed(PromptSet.of(PROMPT))
    judged = []
    for photo in photos:
        proposal = detector.propose(photo)
        (vectors,) = detector.encode([proposal])
        regions = proposal.regions
        judged.append(Judged(regions.boxes, regions.objectness, score(vectors, prompts).insect))
    return judged


def joined_boxes(
    judged: Sequence[Judged],
    detector: Detector,
    weight: float = OBJECTNESS_WEIGHT,
    prior: float = PRIOR,
    clutter: bool = True,
) -> Boxes:
    """What is left of all photos when both probabilities are joined so, merged as the detector merges."""
    settings = detector.settings
    usual = USUAL_OBJECTNESS.get(detector.proposer.name) if clutter else None
    parts = []
    for number, photo in enumerate(judged):
        (own,) = photo_priors(photo.objectness, np.zeros(len(photo.boxes), np.intp), 1, usual)
        insect = combine(photo.insect, photo.objectness, weight, own + prior - PRIOR)
        kept = nms(photo.boxes, insect, settings.merge_iou, metric="iou")
        kept = kept[nms(photo.boxes[kept], insect[kept], settings.merge_ios, metric="ios")]
        parts.append((np.full(len(kept), number), photo.boxes[kept].astype(np.float64), insect[kept]))
    owners, boxes, scores = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Boxes(owners, boxes, scores, np.zeros(len(scores), np.int64), scores >= 0.5)


def counted(boxes: Boxes, photos: LabelledSet) -> tuple[float, float, float]:
    """Precision and F1 of what is counted from one half on, and how many too many of the labelled are, as a share."""
    mine = boxes[boxes.counted]
    right, total = int(match(mine, photos.truth).hit.sum()), int(photos.insects.sum())
    return right / max(len(mine), 1), 2 * right / max(len(mine) + total, 1), len(mine) / max(total, 1) - 1


def measure_objectness(console: Console, photos: Path, train_photos: int, rendered: int) -> None:
    """Print AP50 by weight, what is counted with the prior and without it, and with clutter and without it."""
    detector = Detector()
    drawn = [render_photo("validation", 0, number) for number in range(rendered)]
    sets = {
        "train.json": real_set(photos / "train.json", photos / "images", train_photos),
        "val.json": real_set(photos / "val.json", photos / "images"),
        "rendered": rendered_set(drawn, "rendered"),
    }
    judged = {name: judge(detector, part) for name, part in sets.items()}
    rows: list[list[object]] = []
    for name, part in sets.items():
        found = [match(joined_boxes(judged[name], detector, weight), part.truth) for weight in WEIGHTS]
        rows.append([name, *(f"{ap50(matches, np.ones(len(part))):.3f}" for matches in found)])
    console.print(make_table(["AP50 by weight", *map(str, WEIGHTS)], rows))
    rows = []
    for prior in PRIORS:
        for name, part in sets.items():
            figures = counted(joined_boxes(judged[name], detector, prior=prior), part)
            rows.append([f"{prior:g}", name, *(f"{value:.3f}" for value in figures)])
    console.print(make_table(["prior", "photos", "precision", "F1", "too many"], rows))
    measure_clutter(console, detector, sets, judged)


def measure_clutter(
    console: Console, detector: Detector, sets: Mapping[str, LabelledSet], judged: Mapping[str, Sequence[Judged]]
) -> None:
    """Print F1 and how far counts are off (threshold of train.json), without clutter and with it."""
    rows: list[list[object]] = []
    for clutter in (False, True):
        boxes = {name: joined_boxes(judged[name], detector, clutter=clutter) for name in sets}
        outcomes = {name: Outcome(part, boxes[name], np.ones(len(boxes[name]), bool)) for name, part in sets.items()}
        threshold = choose_threshold(outcomes["train.json"])
        assert threshold is not None  # all labelled sets have insects, and regions
        row = ["yes" if clutter else "no", f"{threshold:.3f}"]
        for name, part in sets.items():
            off = counting_error(outcomes[name].counts_at(threshold), part.insects)["value"]
            row += [f"{off:.3f}", f"{counted(boxes[name], part)[1]:.3f}"]
        rows.append(row)
    heads = [f"{name}: {what}" for name in sets for what in ("counts off", "F1")]
    console.print(make_table(["clutter", "threshold", *heads], rows))


def trap_of_some(number: int) -> tuple[RenderedPhoto, list[str]]:
    """A held-out trap of one kind in turn with insects of a few groups, and these groups."""
    rng = split_rng("held-out", 7, number)
    chosen = [str(name) for name in rng.choice(GROUP_NAMES, GROUPS_ON_A_TRAP, replace=False)]
    kind = TRAP_KINDS[number % len(TRAP_KINDS)]
    return render_trap(rng, kind=kind, size=(1600, 1200), insects=dict.fromkeys(chosen, OF_EACH)), chosen


def right_names(encoder: Encoder, photo: RenderedPhoto, asked: Sequence[str]) -> tuple[int, int, int, int]:
    """Insects of the groups asked for, and how many are named right without length, by relative length, by scale."""
    prompts = embed_prompts(encoder, PromptSet.of(*asked))
    vectors = encoder.encode_images(extract_crops(photo.pixels, photo.boxes))
    lengths = (photo.boxes[:, 2:] - photo.boxes[:, :2]).max(axis=1)
    places = {name: place for place, name in enumerate(asked)}
    own = np.array([places.get(name, -1) for name in photo.groups])
    evidence: tuple[dict[str, Any], ...] = ({}, {"lengths_px": lengths}, {"lengths_mm": lengths * photo.mm_per_pixel})
    right = [int((score(vectors, prompts, **known).label_index == own).sum()) for known in evidence]
    return int((own >= 0).sum()), right[0], right[1], right[2]


def measure_lengths(console: Console, traps: int) -> None:
    """Print how many insects in their true boxes are named right, by what is known of their length."""
    encoder = get_encoder(defaults.ENCODER)
    sums = {f"all {GROUPS_ON_A_TRAP} groups": np.zeros(4), "4 of them": np.zeros(4), "and 6 not there": np.zeros(4)}
    for number in range(traps):
        photo, chosen = trap_of_some(number)
        absent = [name for name in GROUP_NAMES if name not in chosen]
        more = np.random.default_rng(number).choice(absent, 6, replace=False).tolist()
        for asked, total in zip((chosen, chosen[:4], [*chosen, *more]), sums.values(), strict=True):
            total += right_names(encoder, photo, asked)
    rows = [[asked, f"{s[0]:.0f}", *(f"{right / s[0]:.3f}" for right in s[1:])] for asked, s in sums.items()]
    console.print(make_table(["asked", "insects", "no length", "relative", "known scale"], rows))


def main(
    photos: Annotated[Path | None, typer.Option(help="Folder with train.json, val.json (COCO) and images/.")] = None,
    only: Annotated[Part | None, typer.Option(help="Measure this alone.")] = None,
    train_photos: Annotated[int, typer.Option(min=1, help="Photos of train.json.")] = 32,
    rendered: Annotated[int, typer.Option(min=1, help="Rendered photos, of every kind of ground in turn.")] = 64,
    traps: Annotated[int, typer.Option(min=1, help="Rendered traps for lengths.")] = 24,
) -> None:
    """Measure the choices of scoring with the embedded models."""
    if only is not Part.LENGTHS and photos is None:
        raise typer.BadParameter("objectness is measured on real photos too: give --photos, or --only lengths")
    console = Console(highlight=False)
    if only is not Part.LENGTHS and photos is not None:
        measure_objectness(console, photos, train_photos, rendered)
    if only is not Part.OBJECTNESS:
        measure_lengths(console, traps)


if __name__ == "__main__":
    typer.run(main)
