"""Measures every model that is here on every labelled set that is here, and writes the page of figures.

python benchmarks/models.py --photos DIR --speed --out docs/benchmark.md --json figures.json
python benchmarks/models.py --only proposers --keep figures.json …    # the other parts as they were measured before
python benchmarks/models.py --only encoders --encoder runs/1/model --label "seed 1"    # any number of such pairs

DIR holds train.json and val.json (COCO) and images/; without it there are no figures of real traps. --named and
--leaves are folders of photos of real insects (see `benchmarks/real_photos.py`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from agri_clip import encoders as encoder_registry
from agri_clip import regions as proposer_registry
from agri_clip.detector import Detector
from agri_clip.errors import AgriClipError, ModelError
from benchmarks import encoders, present, proposers, real_photos, speed, whole_way
from benchmarks.labelled import LabelledSet, real_set, rendered_grounds, rendered_traps
from benchmarks.page import write_page
from fine_tune.synthetic.scenes import PHOTO_KINDS

Result = TypeVar("Result")

#: Most rendered traps of each kind: they are five times as large as the other rendered photos.
TRAPS_PER_KIND = 4


class Part(StrEnum):
    """What can be measured by itself."""

    ENCODERS = "encoders"
    PHOTOS = "photos"
    PROPOSERS = "proposers"
    PIPELINE = "pipeline"
    SPEED = "speed"


@dataclass
class Run:
    """One run of the command: what was asked for (see `main`), and what turned out not to be here.

    Attributes
    ----------
    encoders, proposers, left_out : dict of str to str
        What the page calls a model, and what picks it.
    absent : dict of str to list of str
        Labels of encoders and proposers without figures.
    """

    encoders: dict[str, str]
    proposers: dict[str, str]
    left_out: dict[str, str]
    left_out_kinds: list[str]
    photos: Path | None
    named: Path | None
    leaves: Path | None
    crops: int
    per_kind: int
    train_photos: int
    seed: int
    repeats: int
    absent: dict[str, list[str]]
    console: Console = field(default_factory=lambda: Console(highlight=False, stderr=True))

    def attempt(self, kind: str, label: str, measure: Callable[..., Result], *arguments: Any) -> Result | None:
        """Call `measure` with the arguments, or note that the model cannot be loaded here."""
        if label in self.absent[kind]:
            return None
        self.console.print(f"{kind}: {label}", markup=False)
        try:
            return measure(*arguments)
        except ModelError as error:
            self.console.print(f"{label} is left out: {error}", markup=False)
            self.absent[kind].append(label)
            return None

    @property
    def val(self) -> LabelledSet | None:
        """The real photos that are measured."""
        return None if self.photos is None else real_set(self.photos / "val.json", self.photos / "images")

    @property
    def train(self) -> LabelledSet | None:
        """The real photos that a threshold is chosen on."""
        if self.photos is None or not (self.photos / "train.json").is_file():
            return None
        return real_set(self.photos / "train.json", self.photos / "images", self.train_photos)


def measure_encoders(run: Run) -> dict[str, Any]:
    """Figures of every encoder by itself."""
    rendered = encoders.rendered_crops(run.crops, run.seed)
    real = None
    if run.photos is not None:
        real = encoders.real_crops(run.photos / "val.json", run.photos / "images", run.seed)
    models = {}
    for label, name in run.encoders.items():
        found = run.attempt("encoders", label, encoders.measure_encoder, name, rendered, real)
        if found is not None:
            models[label] = found
    return {"sets": encoders.describe_sets(rendered, real), "models": models}


def measure_photos(run: Run) -> dict[str, Any]:
    """Figures on photos of real insects: every encoder with the default proposer."""
    leaves = None if run.leaves is None else real_set(run.leaves / "annotations.json", run.leaves / "images")
    models = {}
    if run.named is not None or leaves is not None:
        for label, name in run.encoders.items():
            detector = run.attempt("encoders", label, lambda encoder: Detector(encoder=encoder), name)
            if detector is not None:
                run.console.print(f"photos: {label}", markup=False)
                models[label] = real_photos.measure_real_photos(detector, run.named, leaves)
    return {"models": models}


def measure_proposers(run: Run) -> dict[str, Any]:
    """Figures of every proposer by itself, and of a network that some kinds of ground were kept from."""
    rendered, real = rendered_grounds(run.per_kind, run.seed), run.val
    figures: dict[str, Any] = {
        "sets": {"rendered": _size(rendered), "real": real and _size(real), "per_kind": run.per_kind},
        "left_out_kinds": run.left_out_kinds,
        "models": {},
        "left_out": {},
    }
    asked = [("models", *model, real) for model in run.proposers.items()]
    asked += [("left_out", *model, None) for model in run.left_out.items()]
    for part, label, name, photos in asked:
        measure = proposers.measure_proposer
        found = run.attempt("proposers", label, measure, name, rendered, photos, run.left_out_kinds)
        if found is not None:
            figures[part][label] = found
    return figures


def measure_pipeline(run: Run) -> dict[str, Any]:
    """Figures of the whole way: every encoder with every proposer that ships or was named by the user."""
    traps = rendered_traps(min(run.per_kind, TRAPS_PER_KIND), run.seed)
    real, train = run.val, run.train
    others = {info.name for info in proposer_registry.available() if info.size_mb != 0}
    rows: list[dict[str, Any]] = []
    for label, name in run.proposers.items():
        if name in others:
            continue
        proposer = run.attempt("proposers", label, whole_way.RememberingProposer, name)
        for encoder_label, encoder in run.encoders.items() if proposer is not None else ():
            measure = whole_way.measure_whole_way
            found = run.attempt("encoders", encoder_label, measure, proposer, encoder, traps, real, train)
            if found is None:
                continue
            rows.append({"proposer": label, "encoder": encoder_label, **found})
            if "threshold" in found.get("real", {}):
                run.console.print(f"threshold chosen on train.json: {found['real']['threshold']:.4f}")
    return {
        "sets": {
            "prompt": whole_way.PROMPT,
            "traps": _size(traps),
            "real": real and _size(real),
            "train": train and _size(train),
        },
        "rows": rows,
    }


def measure_speed(run: Run) -> dict[str, Any]:
    """Time of the program with its defaults against a naive program."""
    run.console.print("speed")
    return speed.measure_speed(Detector(), repeats=run.repeats, seed=run.seed)


MEASURES: dict[Part, Callable[[Run], dict[str, Any]]] = {
    Part.ENCODERS: measure_encoders,
    Part.PHOTOS: measure_photos,
    Part.PROPOSERS: measure_proposers,
    Part.PIPELINE: measure_pipeline,
    Part.SPEED: measure_speed,
}


#: Parts that each kind of model takes part in with every one that is here.
CONCERNS = {
    "encoders": {Part.ENCODERS, Part.PHOTOS, Part.PIPELINE},
    "proposers": {Part.PROPOSERS, Part.PIPELINE},
}


def take_over(figures: dict[str, Any], earlier: dict[str, Any], measured: set[str]) -> None:
    """Add the parts of an earlier run that are not measured now, each with how it was made, in place."""
    kept = figures["earlier"] = {}
    figures["absent"] = {**earlier["absent"], **figures["absent"]}
    for name in (part.value for part in Part):
        if name in earlier and name not in measured:
            figures[name] = earlier[name]
            kept[name] = earlier.get("earlier", {}).get(name, earlier["made"])


def _size(photos: LabelledSet) -> dict[str, int]:
    return {"photos": len(photos), "insects": int(photos.insects.sum())}


def main(
    photos: Annotated[Path | None, typer.Option(help="Folder with train.json, val.json (COCO) and images/.")] = None,
    named: Annotated[Path | None, typer.Option(help="Folder with catalogue.csv and images/ of named insects.")] = None,
    leaves: Annotated[Path | None, typer.Option(help="Folder with annotations.json (COCO) and images/.")] = None,
    out: Annotated[Path | None, typer.Option(help="The page; printed where left out.")] = None,
    json_out: Annotated[
        Path | None, typer.Option("--json", help="File for all figures, written after each part.")
    ] = None,
    encoder: Annotated[list[str] | None, typer.Option(help="A further encoder: hub name or folder.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="What the page calls each --encoder, in order.")] = None,
    proposer: Annotated[list[str] | None, typer.Option(help="A further proposer: name, file or folder.")] = None,
    left_out: Annotated[Path | None, typer.Option(help="Model folder of a network that never saw some kinds.")] = None,
    left_out_kinds: Annotated[list[str] | None, typer.Option(help="A kind of ground that it never saw.")] = None,
    only: Annotated[list[Part] | None, typer.Option(help="Measure this alone; may be given again.")] = None,
    keep: Annotated[
        Path | None, typer.Option(help="What --json wrote: its parts that are not measured now stay on the page.")
    ] = None,
    with_speed: Annotated[bool, typer.Option("--speed", help="Measure speed too.")] = False,
    crops: Annotated[int, typer.Option(min=1, help="Rendered crops.")] = 4000,
    per_kind: Annotated[int, typer.Option(min=1, help="Rendered photos of each kind of ground.")] = 20,
    train_photos: Annotated[int, typer.Option(min=1, help="Photos of train.json for the threshold.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is rendered, in the held-out split.")] = 0,
    repeats: Annotated[int, typer.Option(min=1, help="Pairs of runs for speed.")] = 3,
) -> None:
    """Measure every model that is present on every labelled set that is present."""
    kinds = left_out_kinds or []
    unknown = sorted(set(kinds) - set(PHOTO_KINDS))
    if unknown or bool(kinds) != (left_out is not None):
        raise typer.BadParameter(
            f"--left-out goes with --left-out-kinds, each one of {', '.join(PHOTO_KINDS)}"
            + (f"; {unknown[0]!r} is none" if unknown else "")
        )
    encoder_names, absent_encoders = present.choose_models(encoder_registry.available(), encoder or [], label or [])
    proposer_names, absent_proposers = present.choose_models(proposer_registry.available(), proposer or [])
    parts = only or [part for part in Part if part is not Part.SPEED or with_speed]
    run = Run(
        encoders=encoder_names,
        proposers=proposer_names,
        left_out={f"without {', '.join(kinds)}": str(left_out)} if left_out is not None else {},
        left_out_kinds=kinds,
        photos=photos,
        named=named,
        leaves=leaves,
        crops=crops,
        per_kind=per_kind,
        train_photos=train_photos,
        seed=seed,
        repeats=repeats,
        absent={"encoders": absent_encoders, "proposers": absent_proposers},
    )
    figures: dict[str, Any] = {
        "made": {
            "command": present.command_line(sys.argv[1:]),
            "date": date.today().isoformat(),
            "machine": present.describe_machine(),
            "versions": present.versions(),
        },
        "absent": {kind: run.absent[kind] for kind, concerned in CONCERNS.items() if concerned & set(parts)},
    }
    if keep is not None:
        take_over(figures, json.loads(keep.read_text(encoding="utf-8")), {part.value for part in parts})
    for part in parts:
        figures[part.value] = MEASURES[part](run)
        if json_out is not None:
            json_out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    for kind, names in figures["absent"].items():
        if names:
            run.console.print(f"{kind} not present: {', '.join(names)}", markup=False)
    text = write_page(figures)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        typer.run(main)
    except AgriClipError as error:
        sys.exit(str(error))
