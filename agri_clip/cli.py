"""The command line: one command per verb. Imports stand inside the commands, so that --help is instant."""

from __future__ import annotations

import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from agri_clip import defaults
from agri_clip.errors import AgriClipError, AgriClipWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agri_clip.detector import Detector
    from agri_clip.encoders import EncoderInfo
    from agri_clip.prompts import PromptSet
    from agri_clip.regions import ProposerInfo

app = typer.Typer(
    name="agri-clip",
    help="Find insects in field photos from a sentence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
prompts_app = typer.Typer(help="Try prompts before trusting them.", no_args_is_help=True)
models_app = typer.Typer(help="Encoders and proposers: what is here, and fetching more.")
app.add_typer(prompts_app, name="prompts")
app.add_typer(models_app, name="models")

#: Exit status where some photos could not be read, and where the command itself was wrong.
SOME_FAILED, WRONG_COMMAND = 3, 2


class Format(StrEnum):
    """Files that `detect` can write beside the pictures."""

    csv = "csv"
    json = "json"
    coco = "coco"
    yolo = "yolo"
    voc = "voc"
    label_studio = "label-studio"
    geojson = "geojson"
    darwin_core = "darwin-core"
    parquet = "parquet"
    excel = "excel"


Prompts = Annotated[list[str] | None, typer.Option("--prompt", "-p", help="What to look for; give it once or often.")]
PromptFile = Annotated[
    str | None, typer.Option("--prompts", help="A prompt set: a YAML file, or the name of a ready one.")
]
Negatives = Annotated[
    list[str] | None, typer.Option("--negative", "-n", help="What to reject, instead of the default negatives.")
]
EncoderName = Annotated[str, typer.Option("--encoder", help="Encoder: a name of `agri-clip models`, or a folder.")]
ProposerName = Annotated[str, typer.Option("--proposer", help="Proposer: a name of `agri-clip models`, or a file.")]
Device = Annotated[str | None, typer.Option("--device", help="cuda, mps or cpu; chosen by itself where left out.")]
Threshold = Annotated[float | None, typer.Option("--threshold", min=0, max=1, help="Least score that is counted.")]
Precision = Annotated[
    float | None,
    typer.Option("--precision", help="How often a counted region shall be an insect, such as 0.8; sets the threshold."),
]
Views = Annotated[int, typer.Option("--views", help="Views of a crop, turned and mirrored: 1, 4 or 8.")]
Context = Annotated[float | None, typer.Option("--context", min=1, max=4, help="Side of a crop over its region's.")]
MmPerPixel = Annotated[float | None, typer.Option("--mm-per-pixel", min=0.0001, help="Scale of every photo.")]
CardSize = Annotated[
    str | None, typer.Option("--card-size", help="Size of the trap card: a make (see docs/photos.md) or 100x250 in mm.")
]
NoCard = Annotated[bool, typer.Option("--no-card", help="Do not look for the trap card; search the whole photo.")]
NamePattern = Annotated[
    str | None, typer.Option("--name-pattern", help="How file names give trap and date, such as '{trap}_{date}'.")
]
RawOrientation = Annotated[bool, typer.Option("--raw-orientation", help="Do not turn photos as their EXIF data say.")]
MaxMegapixels = Annotated[
    float | None, typer.Option("--max-megapixels", min=0.001, help="Refuse larger photos before decoding them.")
]


def make_prompts(sentences: list[str] | None, file: str | None, negatives: list[str] | None) -> PromptSet:
    """The prompt set that the options ask for.

    Raises
    ------
    PromptError
        No prompt at all, or one that cannot be used.
    """
    from agri_clip.errors import PromptError
    from agri_clip.prompts import PromptSet

    if file is None:
        if not sentences:
            raise PromptError("nothing to look for; give --prompt 'a green aphid', or --prompts with a file")
        return PromptSet.of(*sentences, negatives=negatives or None)
    if negatives:
        raise PromptError(f"--negative does not go with --prompts; write the negatives into {file}")
    loaded = PromptSet.load(file)
    return loaded.with_targets(*sentences) if sentences else loaded


def make_detector(
    *,
    encoder: str,
    proposer: str,
    device: str | None,
    threshold: float | None = None,
    precision: float | None = None,
    context: float | None = None,
    views: int = 1,
    mm_per_pixel: float | None = None,
    card_size: str | None = None,
    no_card: bool = False,
) -> Detector:
    """The detector that the options ask for; options left out keep their measured defaults."""
    from agri_clip.detector import Detector
    from agri_clip.regions.card import parse_card_size

    given = {
        "threshold": threshold,
        "precision": precision,
        "context": context,
        "views": views,
        "mm_per_pixel": mm_per_pixel,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if card_size is not None:
        changes["card_size_mm"] = parse_card_size(card_size)
    return Detector(proposer=proposer, encoder=encoder, device=device, card=not no_card, **changes)


def reading_options(name_pattern: str | None, raw_orientation: bool, max_megapixels: float | None) -> dict[str, Any]:
    """Options of `read_photo`; those left out keep their defaults."""
    options: dict[str, Any] = {"exif_orientation": not raw_orientation, "name_pattern": name_pattern}
    if max_megapixels is not None:
        options["max_pixels"] = int(max_megapixels * 1_000_000)
    return options


@app.command()
def detect(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    prompt: Prompts = None,
    prompts: PromptFile = None,
    negative: Negatives = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for pictures and tables.")] = Path("results"),
    encoder: EncoderName = defaults.ENCODER,
    proposer: ProposerName = defaults.PROPOSER,
    device: Device = None,
    threshold: Threshold = None,
    precision: Precision = None,
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
    from agri_clip.console import counts_table, errors, output, progress
    from agri_clip.detections import Detections
    from agri_clip.exports import annotated_paths, prepare_folder, write_picture, write_tables
    from agri_clip.photo import find_photos

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
    encoder: EncoderName = defaults.ENCODER,
    proposer: ProposerName = defaults.PROPOSER,
    device: Device = None,
    top: Annotated[int, typer.Option(help="Regions to list for each photo, the most certain first.")] = 20,
    alike: Annotated[float, typer.Option(min=-1, max=1, help="Prompts with a higher cosine mean the same.")] = 0.9,
) -> None:
    """Show which prompt wins on which region, by what margin, and which prompts mean the same to the encoder."""
    from agri_clip.console import make_table, output, progress
    from agri_clip.photo import find_photos
    from agri_clip.prompt_trials import alike_labels, region_winners
    from agri_clip.prompts import check_prompts

    prompt_set = make_prompts(prompt, prompts, negative)
    for remark in check_prompts(prompt_set):
        output().print(f"note: {remark}", markup=False, soft_wrap=True)
    detector = make_detector(encoder=encoder, proposer=proposer, device=device)
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
    columns, rows = alike_labels(detector.embed(prompt_set), alike)
    if rows:
        console.print(make_table(columns, rows, title="Prompts that mean the same to this encoder"))
    else:
        console.print(f"No two prompts are closer than {alike:g}: each means something of its own.")
    if failed:
        raise typer.Exit(SOME_FAILED)


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List encoders and proposers: what is here, size, licence, and what each is good for."""
    if context.invoked_subcommand is not None:
        return
    from agri_clip import encoders, regions
    from agri_clip.console import make_table, output

    columns = ["name", "here", "size", "licence", "good for"]
    listed: tuple[tuple[str, Sequence[EncoderInfo | ProposerInfo]], ...] = (
        ("Encoders", encoders.available()),
        ("Proposers", regions.available()),
    )
    for title, infos in listed:
        rows = [[i.name, "yes" if i.present else "no", i.size, i.licence, i.good_for] for i in infos]
        output().print(make_table(columns, rows, title=title))
    output().print("Fetch one for use without network: agri-clip models fetch NAME", soft_wrap=True)


@models_app.command("fetch")
def models_fetch(name: Annotated[str, typer.Argument(help="A name of `agri-clip models`, or of the hub.")]) -> None:
    """Download everything that a later run without network needs."""
    from agri_clip import encoders, regions
    from agri_clip.console import output

    place = regions.fetch_proposer(name) if regions.is_proposer(name) else encoders.fetch(name)
    message = f"{name} is in {place}" if place else f"{name} needs no files; it is ready"
    output().print(message, markup=False, soft_wrap=True)


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
    encoder: EncoderName = defaults.ENCODER,
    proposer: ProposerName = defaults.PROPOSER,
    device: Device = None,
    threshold: Threshold = None,
    context: Context = None,
    views: Views = 1,
    no_card: NoCard = False,
    raw_orientation: RawOrientation = False,
) -> None:
    """Measure against labelled photos: AP, recall, precision, F1 and counting error."""
    from agri_clip.console import make_table, output
    from agri_clip.evaluation import summary_rows, write_report
    from agri_clip.evaluation_runs import measure_detections, measure_proposals
    from agri_clip.exports import coco as coco_format

    truth = coco_format.read(coco)
    reading = reading_options(None, raw_orientation, None)
    common: dict[str, Any] = {"threshold": threshold, "ignore_unmatched": ignore_unmatched}
    if proposals:
        report = measure_proposals(
            truth, images, proposer=proposer, device=device, card=not no_card, reading=reading, **common
        )
    else:
        detector = make_detector(
            encoder=encoder,
            proposer=proposer,
            device=device,
            threshold=threshold,
            context=context,
            views=views,
            no_card=no_card,
        )
        prompt_set = make_prompts(prompt, prompts, negative)
        report = measure_detections(truth, images, detector, prompt_set, reading=reading, **common)
    write_report(report, json_out)
    output().print(make_table(["figure", "value"], summary_rows(report), title=str(coco)))
    for warning in report["warnings"]:
        output().print(f"note: {warning}", markup=False, soft_wrap=True)
    output().print(f"all figures: {json_out}", markup=False, soft_wrap=True)
    if report["failures"]:
        raise typer.Exit(SOME_FAILED)


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Print our own warnings as notes; what libraries warn of is for their developers."""
    if issubclass(category, AgriClipWarning):
        from agri_clip.console import errors

        errors().print(f"note: {message}", markup=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; what a user can mend is one line on the error stream and exit status 2.

    Parameters
    ----------
    arguments : sequence of str or None
        Default: those of the command line.

    Raises
    ------
    SystemExit
        Always, with the exit status.
    """
    warnings.showwarning = show_warning
    try:
        app(args=None if arguments is None else list(arguments))
    except AgriClipError as error:
        from agri_clip.console import errors

        errors().print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(WRONG_COMMAND)


if __name__ == "__main__":
    main()
