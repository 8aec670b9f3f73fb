"""Commands that learn from labelled crops: adapt, calibrate, and prompts tune."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agri_clip.cli.options import (
    Device,
    EncoderName,
    PromptFile,
    ProposerName,
    app,
    chosen_encoder,
    chosen_models,
    finite,
)
from agri_clip.cli.photos import prompts_app

if TYPE_CHECKING:
    from agri_clip.prompts import PromptSet
    from fine_tune.adapt.samples import LabelledCrops

Labelled = Annotated[
    Path,
    typer.Argument(help="Labelled crops: folders by label, COCO, YOLO, a Label Studio export, or the page's answers."),
]
Images = Annotated[Path | None, typer.Option("--images", help="Folder of the photos, for COCO and Label Studio.")]
Seed = Annotated[int, typer.Option("--seed", help="One seed gives one result.")]


class AdaptMethod(StrEnum):
    """What `adapt` can be told to use."""

    gda = "gda"
    probe = "probe"
    tip_adapter = "tip-adapter"
    tip_adapter_f = "tip-adapter-f"
    clip_adapter = "clip-adapter"
    lora = "lora"
    full = "full"


@app.command()
def adapt(
    crops: Labelled,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the adapted encoder.")] = Path("adapted"),
    encoder: EncoderName = None,
    method: Annotated[
        AdaptMethod | None, typer.Option("--method", help="Chosen by the number of crops where left out.")
    ] = None,
    shots: Annotated[int | None, typer.Option("--shots", min=1, help="Use at most so many crops of a label.")] = None,
    prompts: PromptFile = None,
    images: Images = None,
    seed: Seed = 0,
    device: Device = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard; for lora and full.")
    ] = False,
) -> None:
    """Teach an encoder a field's pests from labelled crops; words are kept where crops do not help."""
    from agri_clip.encoders import get_encoder
    from agri_clip.io.console import make_table, output
    from fine_tune.adapt.adapting import adapt as adapt_heads
    from fine_tune.adapt.report import COLUMNS, class_rows, summary_lines
    from fine_tune.adapt.samples import read_samples

    encoder = chosen_encoder(encoder)
    samples = read_samples(crops, images)
    given = _prompts(prompts)
    if method in (AdaptMethod.lora, AdaptMethod.full):
        chosen_crops, texts = _crops_and_texts(samples, given, shots, seed)
        kind: Literal["lora", "full"] = "lora" if method is AdaptMethod.lora else "full"
        _adapt_towers(chosen_crops, texts, encoder, out, method=kind, seed=seed, device=device, tensorboard=tensorboard)
        return
    made = get_encoder(encoder, device=device)
    chosen: Any = None if method is None else method.value
    with _notes_of(samples):
        result = adapt_heads(samples, made, out, method=chosen, prompts=given, shots=shots, seed=seed)
    for line in summary_lines(result):
        output().print(line, markup=False, soft_wrap=True)
    output().print(make_table(COLUMNS, class_rows(result.climbed.verdict.classes)))
    output().print(f"encoder: {out}; report: {out / 'report.md'}", markup=False, soft_wrap=True)


@app.command()
def calibrate(
    crops: Labelled,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write; the encoder's own where left out.")
    ] = None,
    encoder: EncoderName = None,
    precision: Annotated[
        float | None,
        typer.Option(
            "--precision", callback=finite, help="Wanted of each label, such as 0.9; the best F1 where left out."
        ),
    ] = None,
    prompts: PromptFile = None,
    images: Images = None,
    proposer: ProposerName = None,
    all_labelled: Annotated[
        bool,
        typer.Option(
            "--all-labelled", help="All insects of these labels have a box, so all else that is found is wrong."
        ),
    ] = False,
    device: Device = None,
) -> None:
    """Fit temperature and thresholds on labelled crops, so that scores can be read and counts have intervals."""
    from agri_clip.encoders import get_encoder
    from agri_clip.encoders.adapted import is_adapted
    from agri_clip.errors import AgriClipError
    from agri_clip.io.console import make_table, output
    from agri_clip.prompts.checks import capped
    from fine_tune.adapt.calibrating import CHART, calibrate_encoder
    from fine_tune.adapt.samples import read_samples

    models = chosen_models(encoder, proposer)
    if out is None and not is_adapted(Path(models.encoder)):
        raise AgriClipError("--out is missing: give a folder for the calibrated encoder, such as --out my-farm")
    place = Path(models.encoder) if out is None else out
    made = get_encoder(models.encoder, device=device)
    samples = read_samples(crops, images)
    with _notes_of(samples):
        result = calibrate_encoder(
            samples,
            made,
            place,
            precision=precision,
            prompts=_prompts(prompts),
            proposer=models.proposer,
            all_labelled=all_labelled,
            device=device,
        )
    for note in capped([*samples.notes, *result.notes]):
        output().print(note, markup=False, soft_wrap=True)
    fitted = result.calibration
    rows = [[label, f"{value:.3f}"] for label, value in sorted(fitted.thresholds.items())]
    output().print(make_table(["label", f"threshold for {fitted.goal}"], rows))
    output().print(
        f"temperature {fitted.temperature:.2f}; calibration error {result.after.error:.3f} "
        f"(before {result.before.error:.3f}); plot: {place / CHART}",
        markup=False,
        soft_wrap=True,
    )


@prompts_app.command("tune")
def prompts_tune(
    crops: Labelled,
    out: Annotated[Path, typer.Option("--out", "-o", help="The prompt set, a YAML file.")] = Path("tuned.yaml"),
    encoder: EncoderName = None,
    prompts: PromptFile = None,
    images: Images = None,
    device: Device = None,
) -> None:
    """Rank phrasings on labelled crops, and write the prompt set that tells them best."""
    from agri_clip.encoders import get_encoder
    from agri_clip.io.console import make_table, output
    from fine_tune.adapt.prompt_tuning import tune_prompts
    from fine_tune.adapt.samples import read_samples

    samples = read_samples(crops, images)
    with _notes_of(samples):
        tuned = tune_prompts(samples, get_encoder(chosen_encoder(encoder), device=device), _prompts(prompts))
    rows = [[r.label, r.phrase, f"{r.apart:.3f}", "yes" if r.kept else "no"] for r in tuned.ranked]
    output().print(make_table(["label", "phrase", "apart", "kept"], rows))
    output().print(tuned.reason, markup=False, soft_wrap=True)
    if not isnan(tuned.before):
        output().print(f"held-out crops named rightly: {tuned.before:.3f} before, {tuned.after:.3f} with chosen words")
    tuned.prompts.save(out)
    output().print(f"prompt set: {out}", markup=False, soft_wrap=True)


@contextmanager
def _notes_of(samples: LabelledCrops) -> Iterator[None]:
    """Tell what was left out of the crops where what is done with them fails: it may be the reason."""
    from agri_clip.errors import AgriClipError
    from agri_clip.io.console import output
    from agri_clip.prompts.checks import capped

    try:
        yield
    except AgriClipError:
        for note in capped(samples.notes):
            output().print(note, markup=False, soft_wrap=True)
        raise


def _prompts(file: str | None) -> PromptSet | None:
    from agri_clip.prompts import PromptSet
    from agri_clip.prompts.checks import warn_of_shared_counts

    if file is None:
        return None
    loaded = PromptSet.load(file)
    warn_of_shared_counts(loaded)
    return loaded


def _crops_and_texts(
    samples: LabelledCrops, prompts: PromptSet | None, shots: int | None, seed: int
) -> tuple[LabelledCrops, dict[str, tuple[str, ...]]]:
    """The crops to train on, after the check, and the sentences of their labels."""
    from agri_clip.io.console import output
    from fine_tune.adapt.adapting import prompts_for, usable_crops

    findings, used = usable_crops(samples, shots, seed)
    for line in (*findings.lines, *used.notes):
        output().print(line, markup=False, soft_wrap=True)
    return used, prompts_for(used.classes, prompts).texts()


def _adapt_towers(
    samples: LabelledCrops, texts: dict[str, tuple[str, ...]], encoder: str, out: Path, **how: Any
) -> None:
    """Adapt the encoder itself, by LoRA or in full; `how` is for `adapt_towers`."""
    from agri_clip.io.console import output
    from fine_tune.adapt.towers import adapt_towers

    result = adapt_towers(samples, texts, encoder, out, **how)
    output().print(
        f"{result.held_out} crops were held out: {result.words.accuracy:.3f} of each label right by words, "
        f"{result.blended.accuracy:.3f} adapted; {result.blend:g} of the change is kept",
        markup=False,
        soft_wrap=True,
    )
    if result.others_before is not None and result.others_after is not None:
        output().print(
            f"prompts outside the labels, on rendered crops of the catalogue: {result.others_before:.3f} right by "
            f"words, {result.others_after:.3f} adapted",
            markup=False,
            soft_wrap=True,
        )
    output().print(f"encoder: {out}", markup=False, soft_wrap=True)
