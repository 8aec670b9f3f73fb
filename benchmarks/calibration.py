"""Measures what `calibrate` brings, by what was labelled: crops in folders, boxes in photos, all boxes in photos.

python benchmarks/calibration.py --fields 5

Each field is rendered: traps of three colours with eight groups of insects, five of which are asked for and labelled.
Half of its traps are calibrated on, the whole way is measured on the others.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from agri_clip.detector import Detector
from agri_clip.encoders import get_encoder
from agri_clip.encoders.adapted import load_adapted
from agri_clip.evaluation.runs import measure_detections
from agri_clip.formats import coco
from agri_clip.io.console import make_table
from agri_clip.photos.photo import Photo
from agri_clip.prompts import PromptSet
from agri_clip.regions import Proposer, Regions, get_proposer
from benchmarks.few_shot import Remembering, interval
from fine_tune.adapt.calibrating import calibrate_encoder
from fine_tune.adapt.samples import read_samples
from fine_tune.synthetic import render_trap, split_rng
from fine_tune.synthetic.export import write_jpeg

#: Fixed before anything was measured: pests of greenhouses, and what else hangs there.
ASKED = ("whitefly", "thrips", "psyllid", "leafhopper", "fungus gnat")
BESIDE = ("midge", "aphid", "parasitoid wasp")
COLOURS = ("yellow", "blue", "white")
#: Traps of a field that are calibrated on, and as many that are measured on; insects of a group on each.
TRAPS, INSECTS = 6, (2, 15)
#: Part of the seeds of photos.
SEED = 5000
#: What was labelled, in the order of the table.
WAYS = ("nothing: default thresholds", "crops in folders", "boxes in photos", "boxes in photos, --all-labelled")
FIGURES = ("precision", "recall", "F1", "mean F1 of the labels", "counting error of a label")


class Keeping:
    """A proposer that goes through each photo once, for the same photos are asked again and again."""

    def __init__(self, real: Proposer) -> None:
        self.name, self.version = real.name, real.version
        self._real = real
        self._kept: dict[str, Regions] = {}

    def propose(self, photo: Photo) -> Regions:
        """The regions of the photo of this name."""
        if photo.name not in self._kept:
            self._kept[photo.name] = self._real.propose(photo)
        return self._kept[photo.name]


def write_traps(folder: Path, field: int, part: str) -> Path:
    """Render one half of a field with a COCO file of the groups that are asked for."""
    document: dict[str, Any] = {"images": [], "annotations": []}
    for number in range(TRAPS):
        rng = split_rng("held-out", SEED + field, number + TRAPS * (part == "test"))
        insects = {group: int(rng.integers(*INSECTS, endpoint=True)) for group in (*ASKED, *BESIDE)}
        photo = render_trap(
            rng,
            kind=COLOURS[number % len(COLOURS)],
            insects=insects,
            dirt=float(rng.uniform(1, 8)),
            mm_per_pixel=0.05,
        )
        write_jpeg(folder / f"{number}.jpg", photo.pixels)
        own = photo.to_coco(f"{number}.jpg", number + 1, 1000 * number + 1)
        document["images"] += own["images"]
        document["categories"] = [c for c in own["categories"] if c["name"] in ASKED]
        asked = {category["id"] for category in document["categories"]}
        document["annotations"] += [a for a in own["annotations"] if a["category_id"] in asked]
    (folder / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    return folder / "annotations.json"


def measure_field(field: int, work: Path, proposer: Proposer, precision: float | None) -> np.ndarray:
    """Figures (ways, figures) of one field, NaN where there is none."""
    base = Remembering(get_encoder())
    fit, test = (write_traps(work / part, field, part) for part in ("fit", "test"))
    samples, truth, prompts = read_samples(fit), coco.read(test), PromptSet.of(*ASKED)
    rows = []
    for number, way in enumerate(WAYS):
        encoder: Any = base
        if number:
            given = replace(samples, places=()) if way == "crops in folders" else samples
            every = way.endswith("--all-labelled")
            made = work / str(number)
            calibrate_encoder(given, base, made, precision=precision, proposer=proposer, all_labelled=every)
            encoder = load_adapted(str(made), base)
        report = measure_detections(truth, test.parent, Detector(proposer, encoder), prompts)
        errors = [abs(row["counted"] - row["insects"]) / row["insects"] for row in report["per_label"]]
        figures = [report["precision"], report["recall"], report["f1"], report["macro_f1"], np.mean(errors)]
        rows.append([np.nan if value is None else value for value in figures])
    return np.array(rows, np.float64)


def main(
    fields: Annotated[int, typer.Option(min=2, help="Rendered fields.")] = 5,
    precision: Annotated[float | None, typer.Option(help="Calibrate for a precision; the best F1 without.")] = None,
) -> None:
    """Print what the whole way reaches with each way of calibrating, with 95 % intervals over fields."""
    proposer = get_proposer("insect-yolo")
    found = []
    for field in range(fields):
        with tempfile.TemporaryDirectory() as place:
            found.append(measure_field(field, Path(place), Keeping(proposer), precision))
    values = np.stack(found)
    rows = [
        [way, *("{:.3f} ± {:.3f}".format(*interval(values[:, i, j])) for j in range(len(FIGURES)))]
        for i, way in enumerate(WAYS)
    ]
    Console(width=160).print(make_table(["what was labelled", *FIGURES], rows, title=f"{fields} rendered fields"))


if __name__ == "__main__":
    typer.run(main)
