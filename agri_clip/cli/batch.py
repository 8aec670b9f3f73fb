"""Commands that fill an archive and look it over: batch; archive info, verify and compact."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agri_clip.cli.asking import ArchiveOption, ArchivePlace, answer_of, print_counts
from agri_clip.cli.options import (
    SOME_FAILED,
    CardSize,
    Context,
    Device,
    EncoderName,
    Force,
    MaxMegapixels,
    MmPerPixel,
    NamePattern,
    Negatives,
    NoCard,
    PromptFile,
    Prompts,
    ProposerName,
    RawOrientation,
    Views,
    app,
    finite,
    make_detector,
    make_prompts,
    reading_options,
)

if TYPE_CHECKING:
    from agri_clip.batch.engines import Engine
    from agri_clip.batch.run import Plan, Progress, Stop

archive_app = typer.Typer(help="Look an archive over.", no_args_is_help=True)
app.add_typer(archive_app, name="archive")


#: Copies of a batch that are named one by one.
MOST_COPIES = 20


class EngineName(StrEnum):
    """Engines of `batch`."""

    local = "local"
    ray = "ray"


@app.command()
def batch(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    archive: ArchiveOption,
    prompt: Prompts = None,
    prompts: PromptFile = None,
    negative: Negatives = None,
    encoder: EncoderName = None,
    proposer: ProposerName = None,
    device: Device = None,
    force: Force = False,
    context: Context = None,
    views: Views = 1,
    mm_per_pixel: MmPerPixel = None,
    card_size: CardSize = None,
    no_card: NoCard = False,
    name_pattern: NamePattern = None,
    raw_orientation: RawOrientation = False,
    max_megapixels: MaxMegapixels = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Do photos again that failed before.")] = False,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="Who looks at the photos: this program, or workers of a Ray runtime.")
    ] = EngineName.local,
    address: Annotated[
        str | None, typer.Option("--address", help="Ray runtime to use, such as auto; one is started where left out.")
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="With Ray: how many; one a CPU.")] = None,
    patience: Annotated[
        float | None,
        typer.Option(
            "--patience", min=1, callback=finite, help="With Ray: seconds without news until it gives up; 600."
        ),
    ] = None,
) -> None:
    """Put a season's photos into an archive; the same command again, after a crash or with new photos, goes on."""
    from agri_clip.batch.run import Stop, fill_archive
    from agri_clip.io.console import errors, output
    from agri_clip.photos.photo import find_photos

    asked = bool(prompt or prompts)
    prompt_set = make_prompts(prompt, prompts, negative) if asked else None
    reading = reading_options(name_pattern, raw_orientation, max_megapixels)
    chosen = _make_engine(engine, address=address, workers=workers, patience=patience, device=device)
    sources = find_photos(photos)
    encoder, proposer = _models_of(archive, encoder, proposer)
    detector = make_detector(
        encoder=encoder,
        proposer=proposer,
        device=device,
        force=force,
        context=context,
        views=views,
        mm_per_pixel=mm_per_pixel,
        card_size=card_size,
        no_card=no_card,
    )
    stop = Stop()
    with _stopping(stop):
        season, done = fill_archive(
            archive,
            sources,
            detector,
            sources=photos,
            retry_failed=retry_failed,
            prompts=prompt_set,
            engine=chosen,
            stop=stop,
            watch=_shown,
            **reading,
        )
    output().print(
        f"{done.done} photos done, {done.failed} of them failed, {done.copies} are copies; {done.regions} regions kept"
    )
    for copy, original in done.copied[:MOST_COPIES]:
        output().print(f"copy: {copy} is the same file as {original}, which is kept", markup=False, soft_wrap=True)
    if len(done.copied) > MOST_COPIES:
        output().print(f"and {len(done.copied) - MOST_COPIES} more copies")
    for name, reason in done.failures:
        errors().print(f"failed: {name}: {reason}", markup=False, soft_wrap=True)
    if done.stopped:
        output().print(f"stopped with {done.total - done.done} photos to go; give the same command again to go on")
        raise typer.Exit(SOME_FAILED)
    if prompt_set is not None:
        print_counts(answer_of(season, detector.encoder, prompt_set, force=force))
    failed = done.failed_before + done.failed
    if failed:
        errors().print(f"{failed} photos could not be read; when they are mended: the same command, --retry-failed")
        raise typer.Exit(SOME_FAILED)


@archive_app.command("info")
def archive_info(archive: ArchivePlace) -> None:
    """Say what an archive holds and what made it."""
    from agri_clip.archive import Archive
    from agri_clip.archive.checks import describe
    from agri_clip.io.console import make_table, output

    output().print(make_table(["", ""], describe(Archive.open(archive))))


@archive_app.command("verify")
def archive_verify(archive: ArchivePlace) -> None:
    """Read all of an archive and name any damage; exit status 3 where there is some."""
    from agri_clip.archive import Archive
    from agri_clip.archive.checks import verify
    from agri_clip.io.console import output

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
    from agri_clip.io.console import output

    opened = Archive.open(archive)
    for run in opened.encoders():
        season = Season(opened, run)
        with season.writing():
            season.compact(timedelta(0))
        output().print(f"{run['encoder']}: {season.region_count()} regions")


def _models_of(archive: str, encoder: str | None, proposer: str | None) -> tuple[str | None, str | None]:
    """Models that no option names are those that filled the archive, so that a batch goes on as it began.

    A change of the user's default must not work a whole season out again.
    """
    from agri_clip.archive import Archive
    from agri_clip.errors import DataError
    from agri_clip.io.console import errors
    from agri_clip.model_choice.selection import ModelChoice, choose_models

    if encoder is not None and proposer is not None:
        return encoder, proposer
    try:
        runs = Archive.open(archive).encoders()
    except DataError:
        return encoder, proposer  # no archive yet; one that is damaged is refused when it is filled
    mine = [run for run in runs if encoder in (None, run["encoder"])]
    if len(mine) != 1:
        return encoder, proposer
    kept = ModelChoice(encoder or mine[0]["encoder"], proposer or mine[0]["proposer"])
    usual = choose_models(encoder, proposer)
    if (kept.encoder, kept.proposer) != (usual.encoder, usual.proposer):
        errors().print(
            f"note: {archive} was filled with encoder {kept.encoder} and proposer {kept.proposer}, and the batch goes "
            f"on with them; your default is encoder {usual.encoder} and proposer {usual.proposer}. To keep the vectors "
            f"of another encoder beside them, name it: --encoder {usual.encoder}",
            markup=False,
            soft_wrap=True,
        )
    return kept.encoder, kept.proposer


def _shown(plan: Plan, states: Iterator[Progress]) -> Iterator[Progress]:
    """Say what is in the archive already, and show how far the batch is."""
    from agri_clip.io.console import batch_progress, output

    if plan.done or plan.failed_before:
        output().print(f"{plan.done} photos are in the archive already, {plan.failed_before} failed before")
    return batch_progress(states, len(plan.tasks))


def _make_engine(name: EngineName, *, device: str | None, **given: Any) -> Engine:
    """The engine that the options ask for; those left out keep their defaults."""
    from agri_clip.errors import AgriClipError

    options = {key: value for key, value in given.items() if value is not None}
    if name is EngineName.local:
        if options:
            raise AgriClipError(f"{', '.join(f'--{key}' for key in options)} goes with --engine ray")
        from agri_clip.batch.engines import LocalEngine

        return LocalEngine()
    from agri_clip.batch.engines.ray_engine import RayEngine

    return RayEngine(device=device, **options)


@contextmanager
def _stopping(stop: Stop) -> Iterator[None]:
    """Ctrl-C asks to stop after the photos in hand; a second one ends the program at once."""
    from agri_clip.io.console import errors

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
