"""Commands of a season: batch fills an archive; ask, search, label, export and archive read it, without any photo."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agri_clip import defaults
from agri_clip.cli.options import (
    SOME_FAILED,
    CardSize,
    Context,
    Device,
    EncoderName,
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
    make_detector,
    make_prompts,
    reading_options,
)

if TYPE_CHECKING:
    from agri_clip.archive import Archive, Season
    from agri_clip.archive.questions import Answer
    from agri_clip.batch import Stop
    from agri_clip.encoders import Encoder
    from agri_clip.labelling import Labeller
    from agri_clip.prompts import PromptSet

archive_app = typer.Typer(help="Look an archive over.", no_args_is_help=True)
app.add_typer(archive_app, name="archive")

ArchivePlace = Annotated[str, typer.Argument(help="The archive: a folder, or an address such as s3://bucket/season.")]
ArchiveOption = Annotated[str, typer.Option("--archive", "-a", help="The archive; made where there is none.")]
Where = Annotated[
    str | None, typer.Option("--where", help="Which photos, in SQL: \"trap = 'T3' AND day >= '2026-06-01'\".")
]
SeasonEncoder = Annotated[
    str | None, typer.Option("--encoder", help="Whose vectors, where the archive holds those of several encoders.")
]


@app.command()
def batch(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    archive: ArchiveOption,
    prompt: Prompts = None,
    prompts: PromptFile = None,
    negative: Negatives = None,
    encoder: EncoderName = defaults.ENCODER,
    proposer: ProposerName = defaults.PROPOSER,
    device: Device = None,
    context: Context = None,
    views: Views = 1,
    mm_per_pixel: MmPerPixel = None,
    card_size: CardSize = None,
    no_card: NoCard = False,
    name_pattern: NamePattern = None,
    raw_orientation: RawOrientation = False,
    max_megapixels: MaxMegapixels = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Do photos again that failed before.")] = False,
) -> None:
    """Put a season's photos into an archive; the same command again, after a crash or with new photos, goes on."""
    from agri_clip.archive import Archive, Season
    from agri_clip.batch import Stop, plan_batch, run_batch
    from agri_clip.console import batch_progress, errors, output
    from agri_clip.photo import find_photos

    asked = bool(prompt or prompts)
    prompt_set = make_prompts(prompt, prompts, negative) if asked else None
    reading = reading_options(name_pattern, raw_orientation, max_megapixels)
    sources = find_photos(photos)
    detector = make_detector(
        encoder=encoder,
        proposer=proposer,
        device=device,
        context=context,
        views=views,
        mm_per_pixel=mm_per_pixel,
        card_size=card_size,
        no_card=no_card,
    )
    season = Season.begin(
        Archive.open(archive, create=True), detector.encoder, detector.proposer, detector.settings, reading
    )
    stop = Stop()
    with season.writing(), _stopping(stop):
        plan = plan_batch(season, sources, sources=photos, retry_failed=retry_failed)
        if plan.done or plan.failed_before:
            output().print(f"{plan.done} photos are in the archive already, {plan.failed_before} failed before")
        state = None
        for state in batch_progress(run_batch(season, detector, plan, stop=stop, **reading), len(plan.tasks)):  # noqa: B007
            pass
        if plan.tasks:
            season.compact()
        if prompt_set is not None:
            season.archive.remember_prompts(prompt_set.hash, prompt_set.name, prompt_set.model_dump_json())
    if state is not None:
        output().print(
            f"{state.done} photos done, {state.failed} of them failed, {state.copies} are copies; "
            f"{state.regions} regions kept"
        )
        for name, reason in state.failures:
            errors().print(f"failed: {name}: {reason}", markup=False, soft_wrap=True)
    if state is not None and state.stopped:
        output().print(f"stopped with {state.total - state.done} photos to go; give the same command again to go on")
        raise typer.Exit(SOME_FAILED)
    if prompt_set is not None:
        _print_counts(_answer(season, detector.encoder, prompt_set))
    failed = plan.failed_before + (state.failed if state is not None else 0)
    if failed:
        errors().print(f"{failed} photos could not be read; when they are mended: the same command, --retry-failed")
        raise typer.Exit(SOME_FAILED)


@app.command()
def ask(
    archive: ArchivePlace,
    prompt: Prompts = None,
    prompts: PromptFile = None,
    negative: Negatives = None,
    where: Where = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for tables; none where left out.")] = None,
    formats: Annotated[list[Format] | None, typer.Option("--format", help="Files to write with --out.")] = None,
    all_regions: Annotated[
        bool, typer.Option("--all-regions", help="List other insects and background in the tables too.")
    ] = False,
    threshold: Threshold = None,
    precision: Precision = None,
    encoder: SeasonEncoder = None,
    device: Device = None,
) -> None:
    """Ask a whole season for a pest, in seconds: counts by trap, and tables."""
    from agri_clip.console import output
    from agri_clip.exports import write_tables

    season, made, prompt_set = _open(archive, encoder, device, prompt, prompts, negative)
    answer = _answer(season, made, prompt_set, where, threshold=threshold, precision=precision)
    _print_counts(answer)
    if out is not None:
        names = [f.value for f in formats or (Format.csv, Format.json)]
        written = write_tables(answer.detections, out, names, all_regions=all_regions)
        output().print(f"tables: {', '.join(map(str, written))}", markup=False, soft_wrap=True)


@app.command()
def search(
    archive: ArchivePlace,
    text: Annotated[str | None, typer.Option("--text", help="What the region shall look like.")] = None,
    image: Annotated[Path | None, typer.Option("--image", help="A picture of one insect to look for.")] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Regions wanted.")] = 48,
    where: Annotated[
        str | None, typer.Option("--where", help="Which regions, in SQL: \"trap = 'T3' AND length_mm > 5\".")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The contact sheet, .jpg or .png.")] = Path("search.jpg"),
    csv: Annotated[Path | None, typer.Option("--csv", help="The same as a table.")] = None,
    encoder: SeasonEncoder = None,
    device: Device = None,
) -> None:
    """Find regions by a sentence or by an example picture, best first, as a contact sheet."""
    from agri_clip.archive import questions
    from agri_clip.console import make_table, output
    from agri_clip.errors import AgriClipError
    from agri_clip.exports.contact_sheet import write_sheet
    from agri_clip.exports.csv_table import write_frame
    from agri_clip.photo import read_photo

    if (text is None) == (image is None):
        raise AgriClipError("give one of the two: --text 'a moth with striped wings', or --image crop.jpg")
    season, made = _season(archive, encoder, device)
    if image is not None:
        vector = questions.image_vector(made, read_photo(image, read_codes=False), season.settings().views)
    else:
        vector = questions.text_vector(made, str(text))
    found = questions.search(season, vector, top, where)
    table = found.drop_columns(["thumbnail", "photo", "region"]).to_pandas()
    captions = [
        (f"{place}  {row.similarity:.2f}", row.trap or row.name, row.day or "")
        for place, row in enumerate(table.itertuples(index=False), 1)
    ]
    write_sheet([cell.as_py() for cell in found["thumbnail"]], captions, out)
    shown = [
        (place, f"{row.similarity:.3f}", row.name, row.day or "")
        for place, row in enumerate(table.head(10).itertuples(index=False), 1)
    ]
    output().print(make_table(["", "similarity", "photo", "day"], shown))
    output().print(f"{len(table)} regions: {out}", markup=False, soft_wrap=True)
    if csv is not None:
        write_frame(table, csv)
        output().print(f"table: {csv}", markup=False, soft_wrap=True)


@app.command("label")
def label_command(
    archive: ArchiveOption,
    photo: Annotated[
        list[str] | None, typer.Option("--photo", help="Names of photos, or parts of them; all where left out.")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Regions: those that are most certainly insects.")] = 20,
    names: Annotated[int, typer.Option("--names", min=1, max=10, help="Names for each.")] = 3,
    where: Where = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="The same as a table.")] = None,
    encoder: SeasonEncoder = None,
    device: Device = None,
) -> None:
    """Say which names of the pest catalogue fit the regions of photos."""
    from agri_clip.archive.questions import label_regions, labeller_of
    from agri_clip.console import make_table, output
    from agri_clip.exports.csv_table import write_frame

    season, made = _season(archive, encoder, device)
    conditions = [where] if where else []
    if photo:
        likes = " OR ".join("name LIKE '%{}%'".format(name.replace("'", "''")) for name in photo)
        conditions.append(f"({likes})")
    table = label_regions(season, labeller_of(season, made), " AND ".join(conditions) or None, top, names)
    rows = [
        [
            row["photo"],
            f"{row['x1']:.0f} {row['y1']:.0f}",
            f"{row['insect']:.2f}",
            *(f"{row[f'name_{k}']} {row[f'share_{k}']:.2f}" for k in range(1, names + 1)),
        ]
        for row in table.to_dict("records")
    ]
    output().print(make_table(["photo", "at", "insect", *(f"name {k}" for k in range(1, names + 1))], rows))
    if csv is not None:
        write_frame(table, csv)
        output().print(f"table: {csv}", markup=False, soft_wrap=True)


@app.command()
def export(
    archive: ArchivePlace,
    formats: Annotated[list[Format], typer.Option("--format", help="Files to write; give it once or often.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")] = Path("results"),
    prompt: Prompts = None,
    prompts: PromptFile = None,
    negative: Negatives = None,
    where: Where = None,
    all_regions: Annotated[bool, typer.Option("--all-regions", help="Write other insects and background too.")] = False,
    threshold: Threshold = None,
    precision: Precision = None,
    encoder: SeasonEncoder = None,
    device: Device = None,
) -> None:
    """Write what a season's photos show in formats that other programs read."""
    from agri_clip.console import output
    from agri_clip.exports import write_tables

    season, made, prompt_set = _open(archive, encoder, device, prompt, prompts, negative)
    answer = _answer(season, made, prompt_set, where, threshold=threshold, precision=precision)
    written = write_tables(answer.detections, out, [f.value for f in formats], all_regions=all_regions)
    output().print(f"written: {', '.join(map(str, written))}", markup=False, soft_wrap=True)


@archive_app.command("info")
def archive_info(archive: ArchivePlace) -> None:
    """Say what an archive holds and what made it."""
    from agri_clip.archive import Archive
    from agri_clip.archive.checks import describe
    from agri_clip.console import make_table, output

    output().print(make_table(["", ""], describe(Archive.open(archive))))


@archive_app.command("verify")
def archive_verify(archive: ArchivePlace) -> None:
    """Read all of an archive and name any damage; exit status 3 where there is some."""
    from agri_clip.archive import Archive
    from agri_clip.archive.checks import verify
    from agri_clip.console import output

    damages = verify(Archive.open(archive))
    for damage in damages:
        output().print(damage, markup=False, soft_wrap=True)
    output().print("no damage found" if not damages else f"{len(damages)} damages")
    if damages:
        raise typer.Exit(SOME_FAILED)


@archive_app.command("compact")
def archive_compact(archive: ArchivePlace) -> None:
    """Join an archive's many small files, drop older versions, and index it where it is large enough to need that."""
    from datetime import timedelta

    from agri_clip.archive import Archive, Season
    from agri_clip.console import output

    opened = Archive.open(archive)
    for run in opened.encoders():
        season = Season(opened, run)
        with season.writing():
            season.compact(timedelta(0))
        output().print(f"{run['encoder']}: {season.region_count()} regions")


def _season(archive: str, encoder: str | None, device: str | None) -> tuple[Season, Encoder]:
    """The season that a question goes to, and its encoder."""
    from agri_clip.archive import Archive, Season
    from agri_clip.archive.questions import check_encoder
    from agri_clip.encoders import get_encoder

    season = Season.of(Archive.open(archive), encoder)
    made = get_encoder(season.run["encoder"], device=device)
    check_encoder(season, made)
    return season, made


def _open(
    archive: str,
    encoder: str | None,
    device: str | None,
    sentences: list[str] | None,
    file: str | None,
    negatives: list[str] | None,
) -> tuple[Season, Encoder, PromptSet]:
    """As `_season`, and the prompts of the question: those that the last batch was given where none are named."""
    season, made = _season(archive, encoder, device)
    if sentences or file or negatives:
        return season, made, make_prompts(sentences, file, negatives)
    return season, made, _kept_prompts(season.archive)


def _kept_prompts(archive: Archive) -> PromptSet:
    from agri_clip.errors import PromptError
    from agri_clip.prompts import PromptSet

    kept = archive.rows("prompt_sets")
    if not kept:
        raise PromptError(
            "nothing to look for: no batch was given prompts; give --prompt 'a green aphid', or --prompts"
        )
    return PromptSet.model_validate_json(kept[-1]["text"])


def _answer(season: Season, encoder: Encoder, prompts: PromptSet, where: str | None = None, **question: Any) -> Answer:
    from agri_clip.archive.questions import Answer, ask, labeller_of

    labeller: Labeller = labeller_of(season, encoder, **question)
    return Answer.concat(list(ask(season, labeller, prompts, where)))


def _print_counts(answer: Answer) -> None:
    from agri_clip.console import output, trap_table

    output().print(trap_table(answer.detections))


@contextmanager
def _stopping(stop: Stop) -> Iterator[None]:
    """Ctrl-C asks to stop after the photos in hand; a second one ends the program at once."""
    from agri_clip.console import errors

    def ask_once(number: int, frame: Any) -> None:  # noqa: ARG001
        if stop:
            raise KeyboardInterrupt
        stop.ask()
        errors().print("finishing the photos in hand; once more to end at once")

    before = {number: signal.signal(number, ask_once) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
