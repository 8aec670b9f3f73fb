"""A folder of photos into an archive: reading, proposing, encoding and writing overlap, and a killed run goes on.

Photos are finished in groups. What a group holds follows from the photos before it alone, so a run that goes on after a
kill forms the groups that it would have formed anyway, and its vectors are the same to the last digit.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from agri_clip.ahead import Ahead
from agri_clip.archive import Archive, Season
from agri_clip.archive.schema import FAILED, SAME, SourceFile
from agri_clip.archive.season import Finished
from agri_clip.detections import PhotoRecord
from agri_clip.detector import BATCH_CROPS, Detector, Proposal
from agri_clip.encoders.crops import make_thumbnail
from agri_clip.errors import PhotoError
from agri_clip.photo import Photo, one_line, read_photo
from agri_clip.prompts import PromptSet

#: Most photos of a group: what a kill can cost.
GROUP_PHOTOS = 32
#: A group holds no more than this part of the photos before it, so that of a few photos each is safe at once.
GROUP_SHARE = 1 / 8
#: Photos that are read before they are needed; each takes three bytes a pixel.
READ_AHEAD = 2


@dataclass(frozen=True)
class Task:
    """A photo that the batch has to do.

    Attributes
    ----------
    file : SourceFile
    same_as : str or None
        Path of an earlier photo with the same bytes.
    """

    file: SourceFile
    same_as: str | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be done and what is done already.

    Attributes
    ----------
    tasks : list of Task
    replaced : dict of str to int
        Path and number of photos in the archive that are done again.
    next_number : int
        Of the first photo that is added.
    done, failed_before : int
        Photos left as they are, and those of them that failed and are not tried again.
    """

    tasks: list[Task]
    replaced: dict[str, int]
    next_number: int
    done: int = 0
    failed_before: int = 0


@dataclass
class Progress:
    """How far a batch is; `stopped` where it was asked to stop before its end, `failed_before` as in `Plan`."""

    total: int
    failed_before: int = 0
    done: int = 0
    failed: int = 0
    copies: int = 0
    regions: int = 0
    stopped: bool = False
    failures: list[tuple[str, str]] = field(default_factory=list)


class Stop:
    """A wish to stop, which every stage sees."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ask(self) -> None:
        """Begin no further group."""
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()


def plan_batch(
    season: Season, photos: Sequence[Path], *, sources: Sequence[Path] = (), retry_failed: bool = False
) -> Plan:
    """Compare photos with the archive: which are new, changed, copies of others, or done.

    A file of the same path, size and time is taken for the same; of others the bytes are compared.

    Parameters
    ----------
    season : Season
    photos : sequence of Path
    sources : sequence of Path
        Folders that the photos were found in; see `names_of`.
    retry_failed : bool
        Do photos again that failed.
    """
    columns = ["photo", "path", "content", "bytes", "modified_ns", "status"]
    rows = season.photo_rows(columns=columns)
    by_path = {row["path"]: row for row in rows}
    owner = {row["content"]: row["path"] for row in rows if row["status"] != SAME and row["content"]}
    plan = Plan([], {}, 1 + max((row["photo"] for row in rows), default=-1))
    done = failed_before = 0
    for path, name in zip(photos, names_of(photos, sources), strict=True):
        known = by_path.get(_absolute(path))
        file = describe_file(path, name, known)
        if known is not None and _stands(known, file, owner, retry_failed):
            done += known["status"] != FAILED
            failed_before += known["status"] == FAILED
            continue
        if known is not None:
            plan.replaced[file.path] = known["photo"]
            if owner.get(known["content"]) == file.path:
                del owner[known["content"]]
        first = owner.setdefault(file.content, file.path) if file.content else file.path
        plan.tasks.append(Task(file, None if first == file.path else first))
    return replace(plan, done=done, failed_before=failed_before)


def _stands(known: Mapping[str, Any], file: SourceFile, owner: Mapping[str, str], retry_failed: bool) -> bool:
    """Whether a photo of the archive is left as it is."""
    if known["content"] != file.content or known["bytes"] != file.bytes:
        return False
    if known["status"] == SAME:  # done anew where that which it is a copy of has gone
        return owner.get(file.content, file.path) != file.path
    return not (retry_failed and known["status"] == FAILED)


def names_of(photos: Sequence[Path], sources: Sequence[Path] = ()) -> list[str]:
    """What results call photos.

    A photo in one of the folders `sources` is called by its path from that folder on, so its name does not depend on
    where the program was started or which other photos there were; any other by its file name. Where two would be
    called the same, by their whole paths.
    """
    folders = [Path(_absolute(source)) for source in sources]
    names = []
    for path in (Path(_absolute(photo)) for photo in photos):
        folder = next((folder for folder in folders if folder in path.parents), path.parent)
        names.append(path.relative_to(folder.parent if folder in folders else folder))
    shown = [one_line(name.as_posix()) for name in names]
    twice = {name for name, times in Counter(shown).items() if times > 1}
    return [one_line(_absolute(path)) if name in twice else name for path, name in zip(photos, shown, strict=True)]


def describe_file(path: Path, name: str, known: Mapping[str, Any] | None = None) -> SourceFile:
    """Size, time and SHA-256 of a file; the bytes are not read where the row `known` has the same size and time."""
    absolute = _absolute(path)
    try:
        state = path.stat()
        if not path.is_file():
            return SourceFile(absolute, name, "", -1, -1)
        if known is not None and (known["bytes"], known["modified_ns"]) == (state.st_size, state.st_mtime_ns):
            return SourceFile(absolute, name, known["content"], state.st_size, state.st_mtime_ns)
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return SourceFile(absolute, name, "", -1, -1)
    return SourceFile(absolute, name, content, state.st_size, state.st_mtime_ns)


def run_batch(
    season: Season,
    detector: Detector,
    plan: Plan,
    *,
    stop: Stop | None = None,
    seen: Callable[[Task], None] | None = None,
    **reading: Any,
) -> Iterator[Progress]:
    """Do what a plan says; gives the state after every group that is safe in the archive.

    Parameters
    ----------
    season : Season
        From `Season.begin`; call this inside `Season.writing`.
    detector : Detector
        Of the models and settings that the season began with.
    plan : Plan
    stop : Stop or None
        Once asked, the groups that are whole are finished and no other is begun.
    seen : callable, optional
        Called from another thread with each photo that was looked at, before its group is encoded and safe.
    **reading
        Passed to `agri_clip.photo.read_photo`.

    Raises
    ------
    DataError
        The archive cannot be written; what was given before is safe.
    """
    stop = Stop() if stop is None else stop
    progress = Progress(total=len(plan.tasks), failed_before=plan.failed_before)
    number = plan.next_number
    photos = Ahead(_read_all(plan.tasks, stop, reading), READ_AHEAD)
    proposals = Ahead(_propose_all(photos, detector, stop, seen), READ_AHEAD)
    groups = Ahead(_encode_all(_grouped(proposals, stop, number), detector), 1)
    # The first stage is closed first: what waits for it then ends, and need not fill a group before.
    with closing(groups), closing(proposals), closing(photos):
        for group in groups:
            season.add(group, number, plan.replaced)
            number += len(group)
            _count(progress, group)
            yield progress
    progress.stopped = progress.done < progress.total
    if progress.stopped or not plan.tasks:
        yield progress


def fill_archive(
    place: str | Path,
    photos: Sequence[Path],
    detector: Detector,
    *,
    sources: Sequence[Path] = (),
    retry_failed: bool = False,
    prompts: PromptSet | None = None,
    stop: Stop | None = None,
    watch: Callable[[Plan, Iterator[Progress]], Iterator[Progress]] | None = None,
    seen: Callable[[Task], None] | None = None,
    **reading: Any,
) -> tuple[Season, Progress]:
    """Put photos into an archive, made where there is none; the whole of a batch in one call.

    Parameters
    ----------
    place : str or Path
    photos : sequence of Path
    detector : Detector
    sources, retry_failed
        As for `plan_batch`.
    prompts : PromptSet, optional
        Kept for later questions that name none.
    stop, seen, reading
        As for `run_batch`.
    watch : callable, optional
        Takes the plan and the states of `run_batch`, and passes the states on; for whoever shows them.

    Returns
    -------
    Season
        To be asked.
    Progress
        Of this call, at its end.

    Raises
    ------
    DataError
        The archive cannot be used, or other settings would mix its results.
    """
    season = Season.begin(
        Archive.open(place, create=True), detector.encoder, detector.proposer, detector.settings, reading
    )
    with season.writing():
        plan = plan_batch(season, photos, sources=sources, retry_failed=retry_failed)
        states = run_batch(season, detector, plan, stop=stop, seen=seen, **reading)
        *_, progress = states if watch is None else watch(plan, states)
        if plan.tasks:
            season.compact()
        if prompts is not None:
            season.archive.remember_prompts(prompts.hash, prompts.name, prompts.model_dump_json())
    return season, progress


@dataclass(frozen=True)
class _Read:
    task: Task
    photo: Photo | None
    failure: PhotoRecord | None = None


@dataclass(frozen=True)
class _Proposed:
    task: Task
    record: PhotoRecord
    proposal: Proposal | None = None


def _read_all(tasks: Iterable[Task], stop: Stop, reading: Mapping[str, Any]) -> Iterator[_Read]:
    for task in tasks:
        if stop:
            return
        if task.same_as is not None:
            yield _Read(task, None)
            continue
        try:
            yield _Read(task, read_photo(task.file.path, name=task.file.name, **reading))
        except PhotoError as error:
            yield _Read(task, None, PhotoRecord.of_failure(task.file.name, error))


def _propose_all(
    photos: Iterable[_Read], detector: Detector, stop: Stop, seen: Callable[[Task], None] | None
) -> Iterator[_Proposed]:
    for read in photos:
        if stop:
            return
        proposed = _propose(read, detector)
        if seen is not None:
            seen(read.task)
        yield proposed


def _propose(read: _Read, detector: Detector) -> _Proposed:
    name = read.task.file.name
    if read.photo is None:
        return _Proposed(read.task, read.failure or PhotoRecord(name=name))
    try:
        proposal = detector.propose(read.photo)
    except PhotoError as error:
        return _Proposed(read.task, PhotoRecord.of_failure(name, error))
    # Crops are views that would keep the whole photo in memory until its group is full.
    crops = [crop.copy() for crop in proposal.crops]
    return _Proposed(read.task, proposal.record, replace(proposal, crops=crops))


def _grouped(proposals: Iterable[_Proposed], stop: Stop, number: int) -> Iterator[list[_Proposed]]:
    """Groups that fill a batch of crops; after a wish to stop the last one is dropped if it is not full.

    `number` is that of the first photo, as in `Plan`.
    """
    group: list[_Proposed] = []
    crops = 0
    for proposed in proposals:
        group.append(proposed)
        crops += 0 if proposed.proposal is None else len(proposed.proposal.crops)
        if crops >= BATCH_CROPS or len(group) >= min(GROUP_PHOTOS, max(1, int(number * GROUP_SHARE))):
            number += len(group)
            yield group
            group, crops = [], 0
    if group and not stop:
        yield group


def _encode_all(groups: Iterable[list[_Proposed]], detector: Detector) -> Iterator[list[Finished]]:
    for group in groups:
        vectors = iter(detector.encode([p.proposal for p in group if p.proposal is not None]))
        yield [_finish(proposed, None if proposed.proposal is None else next(vectors)) for proposed in group]


def _finish(proposed: _Proposed, vectors: np.ndarray | None) -> Finished:
    task, proposal = proposed.task, proposed.proposal
    if proposal is None or vectors is None:
        return Finished(task.file, proposed.record, same_as=task.same_as)
    thumbnails = [make_thumbnail(crop) for crop in proposal.crops]
    return Finished(task.file, proposed.record, proposal.regions, thumbnails, vectors)


def _count(progress: Progress, group: Sequence[Finished]) -> None:
    for entry in group:
        progress.done += 1
        progress.copies += entry.same_as is not None
        progress.regions += len(entry.regions)
        if entry.record.failed:
            progress.failed += 1
            progress.failures.append((entry.file.name, str(entry.record.reason)))


def _absolute(path: Path) -> str:
    return str(Path(path).absolute())
