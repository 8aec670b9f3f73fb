"""Command of films and camera folders: track, one row an insect over all frames."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agri_clip.cli.options import (
    SOME_FAILED,
    CardSize,
    Context,
    Device,
    EncoderName,
    Force,
    MmPerPixel,
    NamePattern,
    Negatives,
    NoCard,
    Precision,
    PromptFile,
    Prompts,
    ProposerName,
    Threshold,
    Views,
    app,
    make_detector,
    make_prompts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agri_clip.photos.photo import Photo


@app.command()
def track(
    source: Annotated[Path, typer.Argument(help="A video file, or a folder of one camera's photos.")],
    prompt: Prompts = None,
    prompts: PromptFile = None,
    negative: Negatives = None,
    every: Annotated[
        str | None, typer.Option("--every", help="Time between frames, such as 2s or 10min; 1s of a video if left out.")
    ] = None,
    step: Annotated[
        int | None, typer.Option("--step", min=1, help="Instead: take each STEP-th frame or photo.")
    ] = None,
    min_frames: Annotated[int, typer.Option("--min-frames", min=1, help="Leave out what is seen in fewer frames.")] = 2,
    start: Annotated[
        datetime | None, typer.Option("--start", help="When the video begins, where its name does not say it.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables and the picture.")] = Path("results"),
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
    all_regions: Annotated[
        bool, typer.Option("--all-regions", help="List insects that no prompt fits in the table and picture too.")
    ] = False,
) -> None:
    """Follow insects through a video or a camera's photos: one that walks is one row."""
    from agri_clip.cli.tables import tracks_table
    from agri_clip.formats import csv_table, prepare_folder
    from agri_clip.formats import tracks as exports
    from agri_clip.io.console import errors, output, progress
    from agri_clip.tracking.tracks import Tracker
    from agri_clip.tracking.video import detect_frames, parse_duration

    prompt_set = make_prompts(prompt, prompts, negative)
    tracker = Tracker(min_frames=min_frames)
    frames, total = _frames(source, None if every is None else parse_duration(every), step, start, name_pattern)
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
    stream = detect_frames(detector, frames, prompt_set, name_pattern=name_pattern)
    for photo, detections in progress(stream, total, "frames"):
        tracker.add(detections, photo)
    tracks = tracker.finish()
    exports.write_table(tracks, out / "tracks.csv", all_regions=all_regions)
    csv_table.write_failures(tracks.regions, out / "failures.csv")
    pictures = exports.write_pictures(tracks, out / "tracks.jpg", all_regions=all_regions)
    output().print(tracks_table(tracks))
    output().print(f"pictures: {out / 'tracks.jpg'}, {pictures} insects", markup=False, soft_wrap=True)
    output().print(f"tables: {out / 'tracks.csv'}, {out / 'failures.csv'}", markup=False, soft_wrap=True)
    failed = [frame for frame in tracks.regions.photos if frame.failed]
    if failed:
        errors().print(f"{failed[0].name}: {failed[0].reason}", markup=False, soft_wrap=True)
        message = f"{len(failed)} of {len(tracks.regions.photos)} frames could not be read; see {out / 'failures.csv'}"
        errors().print(message, markup=False, soft_wrap=True)
        raise typer.Exit(SOME_FAILED)


def _frames(
    source: Path, every: float | None, step: int | None, start: datetime | None, name_pattern: str | None
) -> tuple[Iterable[Photo | Path], int | None]:
    """The frames of a film or folder, and how many there are where that is known.

    Raises
    ------
    AgriClipError
        The options do not go together or with what the source is.
    """
    from agri_clip.errors import AgriClipError
    from agri_clip.tracking.video import frame_paths, read_frames

    if not source.is_dir():
        return read_frames(source, every=every, step=step, start=start, name_pattern=name_pattern), None
    if start is not None:
        raise AgriClipError("--start is for a video; photos of a folder carry their own times")
    paths = frame_paths(source, every=every, step=step, name_pattern=name_pattern)
    return paths, len(paths)
