"""Commands that open photos and need no archive: detect, evaluate, prompts test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agri_clip.cli.options import (
    SOME_FAILED,
    CardSize,
    Context,
    Device,
    EncoderName,
    Force,
    Format,
    MaxMegapixels,
    MmPerPixel,
    NamePattern,
    Negatives,
    NoCard,
    Precision,
    PromptFile,
    Prompts,
    ProposerName,
    RawOrientation,
    Threshold,
    Views,
    app,
    chosen_proposer,
    finite,
    make_detector,
    make_prompts,
    reading_options,
)

prompts_app = typer.Typer(help="Try prompts before trusting them.", no_args_is_help=True)
app.add_typer(prompts_app, name="prompts")


@app.command()
def detect(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    prompt: Prompts = None,
    prompts: PromptFile = None,
    negative: Negatives = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for pictures and tables.")] = Path("results"),
    encoder: EncoderName = None,
    proposer: ProposerName = None,
    device: Device = None,
    threshold: Threshold = None,
    precision: Precision = None,
    force: Force = False,
    context: Context = None,
    views: Views = 1,
    mm_per_pixel: MmPerPixel = None,
    card_size: CardSize = None,
    no_card: NoCard = False,
    name_pattern: NamePattern = None,
    raw_orientation: RawOrientation = False,
    max_megapixels: MaxMegapixels = None,
    formats: Annotated[
        list[Format] | None, typer.Option("--format", help="Files to write; csv and json where left out.")
    ] = None,
    all_regions: Annotated[
        bool, typer.Option("--all-regions", help="List other insects and background in the tables too.")
    ] = False,
    no_pictures: Annotated[bool, typer.Option("--no-pictures", help="Write no annotated pictures.")] = False,
) -> None:
    """Find what the prompts describe: pictures, tables and counts."""
    from agri_clip.cli.tables import counts_table
    from agri_clip.detections import Detections
    from agri_clip.formats import annotated_paths, prepare_folder, write_tables
    from agri_clip.io.console import errors, output, progress
    from agri_clip.photos.photo import find_photos
    from agri_clip.report.drawing import write_picture

    prompt_set = make_prompts(prompt, prompts, negative)
    reading = reading_options(name_pattern, raw_orientation, max_megapixels)
    sources = find_photos(photos)
    prepare_folder(out)
    detector = make_detector(
        encoder=encoder,
        proposer=proposer,
        device=device,
        threshold=threshold,
        precision=precision,
        force=force,
        context=context,
        views=views,
        mm_per_pixel=mm_per_pixel,
        card_size=card_size,
        no_card=no_card,
    )
    pictures = annotated_paths([str(source) for source in sources], out / "annotated")
    if not no_pictures:
        prepare_folder(out / "annotated")
    parts = []
    stream = progress(detector.stream(sources, prompt_set, **reading), len(sources), "photos")
    for (photo, detections), picture in zip(stream, pictures, strict=True):
        parts.append(detections)
        if photo is not None and not no_pictures:
            write_picture(photo, detections, picture)
    result = Detections.concat(parts)
    written = write_tables(
        result, out, [f.value for f in formats or (Format.csv, Format.json)], all_regions=all_regions
    )
    output().print(counts_table(result))
    failed = sum(record.failed for record in result.photos)
    if not no_pictures and failed < len(sources):
        output().print(f"pictures: {out / 'annotated'}", markup=False, soft_wrap=True)
    output().print(f"tables: {', '.join(map(str, written))}", markup=False, soft_wrap=True)
    if failed:
        message = f"{failed} of {len(result.photos)} photos could not be read; see {out / 'failures.csv'}"
        errors().print(message, markup=False, soft_wrap=True)
        raise typer.Exit(SOME_FAILED)


@prompts_app.command("test")
def prompts_test(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    prompt: Prompts = None,
    prompts: PromptFile = None,
    negative: Negatives = None,
    encoder: EncoderName = None,
    proposer: ProposerName = None,
    device: Device = None,
    force: Force = False,
    top: Annotated[int, typer.Option(help="Regions to list for each photo, the most certain first.")] = 20,
    alike: Annotated[
        float, typer.Option(min=-1, max=1, callback=finite, help="Prompts with a higher cosine mean the same.")
    ] = 0.9,
) -> None:
    """Show which prompt wins on which region, by what margin, and which prompts mean the same to the encoder."""
    from agri_clip.io.console import make_table, output, progress
    from agri_clip.photos.photo import find_photos
    from agri_clip.prompts import check_prompts
    from agri_clip.prompts.checks import capped, shared_counts
    from agri_clip.scoring.trials import alike_labels, region_winners

    prompt_set = make_prompts(prompt, prompts, negative)
    told = shared_counts(prompt_set)
    for remark in capped([remark for remark in check_prompts(prompt_set) if remark not in told]):
        output().print(f"note: {remark}", markup=False, soft_wrap=True)
    detector = make_detector(encoder=encoder, proposer=proposer, device=device, force=force)
    sources = find_photos(photos)
    console, failed = output(), 0
    for _, detections in progress(detector.stream(sources, prompt_set), len(sources), "photos"):
        record = detections.photos[0]
        if record.failed:
            failed += 1
            console.print(f"{record.name}: {record.reason}", markup=False, soft_wrap=True)
            continue
        columns, rows = region_winners(detections, top)
        console.print(make_table(columns, rows, title=record.name))
    columns, rows = alike_labels(detector.labeller.embed(prompt_set), alike)
    if rows:
        console.print(make_table(columns, rows, title="Prompts that mean the same to this encoder"))
    else:
        console.print(f"No two prompts are closer than {alike:g}: each means something of its own.")
    if failed:
        raise typer.Exit(SOME_FAILED)


@app.command()
def evaluate(
    coco: Annotated[Path, typer.Option("--coco", help="Annotations in COCO format.")],
    images: Annotated[Path, typer.Option("--images", help="Folder of the photos that the annotations name.")],
    json_out: Annotated[Path, typer.Option("--json", help="File for all figures.")],
    prompt: Prompts = None,
    prompts: PromptFile = None,
    negative: Negatives = None,
    proposals: Annotated[
        bool, typer.Option("--proposals", help="Measure the proposer alone; needs no prompt.")
    ] = False,
    ignore_unmatched: Annotated[
        bool, typer.Option("--ignore-unmatched", help="For sets in which only some species are labelled.")
    ] = False,
    encoder: EncoderName = None,
    proposer: ProposerName = None,
    device: Device = None,
    threshold: Threshold = None,
    force: Force = False,
    context: Context = None,
    views: Views = 1,
    no_card: NoCard = False,
    raw_orientation: RawOrientation = False,
) -> None:
    """Measure against labelled photos: AP, recall, precision, F1 and counting error."""
    from agri_clip.evaluation.metrics import summary_rows, write_report
    from agri_clip.evaluation.runs import measure_detections, measure_proposals
    from agri_clip.formats import coco as coco_format
    from agri_clip.io.console import make_table, output
    from agri_clip.prompts.checks import capped

    truth = coco_format.read(coco)
    reading = reading_options(None, raw_orientation, None)
    common: dict[str, Any] = {"threshold": threshold, "ignore_unmatched": ignore_unmatched}
    if proposals:
        report = measure_proposals(
            truth,
            images,
            proposer=chosen_proposer(proposer),
            device=device,
            card=not no_card,
            reading=reading,
            **common,
        )
    else:
        detector = make_detector(
            encoder=encoder,
            proposer=proposer,
            device=device,
            threshold=threshold,
            force=force,
            context=context,
            views=views,
            no_card=no_card,
        )
        prompt_set = make_prompts(prompt, prompts, negative)
        report = measure_detections(truth, images, detector, prompt_set, reading=reading, **common)
    write_report(report, json_out)
    output().print(make_table(["figure", "value"], summary_rows(report), title=str(coco)))
    for warning in capped(report["warnings"]):
        output().print(f"note: {warning}", markup=False, soft_wrap=True)
    output().print(f"all figures: {json_out}", markup=False, soft_wrap=True)
    if report["failures"]:
        raise typer.Exit(SOME_FAILED)
