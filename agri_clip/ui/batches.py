"""Batches: what a visitor's photos are as a job for `fill_archive`, run in a thread that says how far it is."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from agri_clip.batch.run import Plan, Progress, Stop, Task, fill_archive
from agri_clip.detector import Detector
from agri_clip.errors import DataError
from agri_clip.photos.photo import find_photos, natural_order
from agri_clip.prompts import PromptSet
from agri_clip.ui.answering import Place
from agri_clip.ui.archives import folder_place, own_place
from agri_clip.ui.options import PageOptions, allowed_folders
from agri_clip.ui.sessions import Session
from agri_clip.ui.uploads import collect_uploads
from agri_clip.ui.words import say

#: Seconds between two looks at how far a batch is.
TICK = 0.3
#: Photos after which the time that is left can be told.
TIMED_FROM = 3


@dataclass(frozen=True)
class Job:
    """A batch as it was asked for: photos, folders that their names begin in, where they go, and how they are read."""

    place: Place
    photos: list[Path]
    sources: list[Path]
    prompts: PromptSet
    detector: Detector
    reading: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """How far a batch is.

    Attributes
    ----------
    seen, total : int
        Photos that were looked at, and all of them; those that were in the archive before among both.
    minutes : int or None
        Left, at least one; None while that cannot be told.
    stopping : bool
        Whether it was asked to stop.
    """

    seen: int = 0
    total: int = 0
    minutes: int | None = None
    stopping: bool = False


@dataclass(frozen=True)
class Done:
    """How a batch ended: photos in the archive, of how many, whether it was stopped before, and photos not read."""

    kept: int
    total: int
    stopped: bool
    failed: int = 0


def folder_job(
    session: Session,
    options: PageOptions,
    folder: str,
    prompts: PromptSet,
    detector: Detector,
    language: str,
) -> Job:
    """A batch over a folder of the operator's; only one that is allowed."""
    path = allowed_folders(options).get(folder)
    if path is None:
        raise DataError(say("batch_folder_gone", language, name=folder))
    photos = find_photos(path)
    if photos == [path]:
        raise DataError(say("batch_no_photos", language))
    return Job(folder_place(session, options, folder), photos, [path], prompts, detector)


def upload_job(
    session: Session,
    options: PageOptions,
    files: list[str] | None,
    name: str,
    prompts: PromptSet,
    detector: Detector,
    language: str,
) -> Job:
    """A batch over what was uploaded; under a name that is known, photos are added to those that are there."""
    place = own_place(session, (name or "").strip() or say("batch_unnamed", language))
    folder = session.folder / "photos" / place.path.name
    taken = session.uploads.setdefault(place.name, set())
    for file in files or ():
        if file not in taken:
            collect_uploads([Path(file)], folder, options.limits)
            taken.add(file)
    found = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: natural_order(str(path)))
    if not found:
        raise DataError(say("batch_no_photos", language))
    # Photos are called by their path in the upload alone: inside a zip's folders from these on.
    inner = [path for path in folder.iterdir() if path.is_dir()]
    return Job(place, found, inner, prompts, detector, options.limits.reading)


def run_job(session: Session, stop: Stop, job: Job) -> Generator[State, None, Done]:
    """Run a batch until it ends or is asked to stop; gives how far it is whenever that changes.

    Raises
    ------
    DataError
        The archive cannot be written, or was filled with other settings.
    """
    watch, told = _Watch(), State()
    fill = partial(fill_archive, job.place.path, job.photos, job.detector, sources=job.sources)
    with ThreadPoolExecutor(1) as pool:
        named = {"prompts": job.prompts, "called": job.place.name}
        future = pool.submit(partial(fill, stop=stop, watch=watch.watch, seen=watch.count, **named, **job.reading))
        try:
            while not future.done():
                wait([future], TICK)
                now = replace(watch.state(), stopping=bool(stop))
                if now != told and now.total:
                    yield now
                told = now
        finally:
            stop.ask()  # a visitor who has left needs no more photos
            wait([future])
            if session.closed:
                session.close()
    _, progress = future.result()
    failed = progress.failed_before + progress.failed
    return Done(watch.before + progress.done, watch.total, progress.stopped, failed)


class _Watch:
    """Counts photos, in the batch's own threads."""

    def __init__(self) -> None:
        self.total = self.seen = self.before = 0
        self._started = time.monotonic()

    def watch(self, plan: Plan, states: Iterator[Progress]) -> Iterator[Progress]:
        """Take the numbers of the plan; the states pass."""
        self.before = self.seen = plan.done + plan.failed_before
        self.total = self.before + len(plan.tasks)
        self._started = time.monotonic()
        yield from states

    def count(self, _task: Task) -> None:
        """One photo more."""
        self.seen += 1

    def state(self) -> State:
        """How far it is."""
        done, minutes = self.seen - self.before, None
        if done >= TIMED_FROM:
            each = (time.monotonic() - self._started) / done
            minutes = max(1, round(each * (self.total - self.seen) / 60))
        return State(self.seen, self.total, minutes)
