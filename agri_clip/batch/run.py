"""A folder of photos into an archive: what is to be done, and writing what an engine finished; a killed run goes on.

What must be decided once is decided here: which photos are new, changed or copies, their order, and what is safe. The
looking is done by an engine of `agri_clip.batch.engines`.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import time
from pathlib import Path
from typing import Any

from agri_clip.archive import Archive, Season
from agri_clip.archive.schema import FAILED, SAME, SourceFile, stored_path
from agri_clip.archive.season import Finished
from agri_clip.batch.engines import Engine, LocalEngine, Stop, Task, Work
from agri_clip.detector import Detector
from agri_clip.errors import AgriClipWarning, DataError
from agri_clip.photos.photo import one_line
from agri_clip.photos.tags import read_name
from agri_clip.prompts import PromptSet


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
    names : dict of str to str
        Path and name of photos that others may be copies of.
    """

    tasks: list[Task]
    replaced: dict[str, int]
    next_number: int
    done: int = 0
    failed_before: int = 0
    names: dict[str, str] = field(default_factory=dict)


@dataclass
class Progress:
    """How far a batch is; `stopped` where it was asked to stop before its end, `failed_before` as in `Plan`.

    `copied` holds the names of each copy and of the photo that is kept instead.
    """

    total: int
    failed_before: int = 0
    done: int = 0
    failed: int = 0
    copies: int = 0
    regions: int = 0
    stopped: bool = False
    failures: list[tuple[str, str]] = field(default_factory=list)
    copied: list[tuple[str, str]] = field(default_factory=list)


def plan_batch(
    season: Season,
    photos: Sequence[Path],
    *,
    sources: Sequence[Path] = (),
    retry_failed: bool = False,
    name_pattern: str | None = None,
) -> Plan:
    """Compare photos with the archive: which are new, changed, copies of others, or done.

    A file of the same path, size and time is taken for the same; of others the bytes are compared. Of equal files the
    one whose name tells most (trap and day) is kept, and the others are its copies; of names that tell as much, the one
    in the archive, then the first.

    Parameters
    ----------
    season : Season
    photos : sequence of Path
    sources : sequence of Path
        Folders that the photos were found in; see `names_of`.
    retry_failed : bool
        Do photos again that failed.
    name_pattern : str, optional
        How names hold trap and day, as for `agri_clip.photos.photo.read_photo`.
    """
    columns = ["photo", "path", "name", "content", "bytes", "modified_ns", "status", "same_as"]
    rows = season.photo_rows(columns=columns)
    by_path = {row["path"]: row for row in rows}
    files = [
        describe_file(path, name, by_path.get(stored_path(path)))
        for path, name in zip(photos, names_of(photos, sources), strict=True)
    ]
    kept = _kept_files(rows, files, name_pattern)
    names = {file.path: file.name for file in kept.values()}
    plan = Plan([], {}, 1 + max((row["photo"] for row in rows), default=-1), names=names)
    done = failed_before = 0
    tasks: list[Task] = []
    for file in [*files, *_replaced_files(rows, files, kept)]:
        known = by_path.get(file.path)
        first = kept[file.content].path if file.content else file.path
        task = Task(file, None if first == file.path else first)
        if known is not None and _stands(known, task, retry_failed):
            done += known["status"] != FAILED
            failed_before += known["status"] == FAILED
            continue
        if known is not None:
            plan.replaced[file.path] = known["photo"]
        tasks.append(task)
    return replace(plan, tasks=_originals_first(tasks), done=done, failed_before=failed_before)


def _kept_files(
    rows: Sequence[Mapping[str, Any]], files: Sequence[SourceFile], name_pattern: str | None
) -> dict[str, SourceFile]:
    """Of the files of each content, the one that is kept; the others are its copies."""
    changed = {file.path for file in files}
    archived = [_file_of(row) for row in rows if row["status"] != SAME and row["path"] not in changed]
    # Files that are in the archive go before new ones, so that nothing is done twice for a name that tells as much.
    originals = {(row["path"], row["content"]) for row in rows if row["status"] != SAME}
    given = sorted(files, key=lambda file: (file.path, file.content) not in originals)
    kept: dict[str, SourceFile] = {}
    for file in [*archived, *given]:
        other = kept.get(file.content)
        if file.content and (other is None or _told(file, name_pattern) > _told(other, name_pattern)):
            kept[file.content] = file
    return kept


def _told(file: SourceFile, name_pattern: str | None) -> int:
    """How much a file's name tells: its trap, its day, and the time of the day."""
    tag = read_name(file.name, name_pattern)
    timed = tag.taken is not None and tag.taken.time() != time()
    return 2 * (tag.trap is not None) + 2 * (tag.taken is not None) + timed


def _replaced_files(
    rows: Sequence[Mapping[str, Any]], files: Sequence[SourceFile], kept: Mapping[str, SourceFile]
) -> list[SourceFile]:
    """Archived files that were not given now, and are copies from now on: one with a better name was given."""
    given, contents = {file.path for file in files}, {file.content for file in files} & kept.keys()
    return [
        _file_of(row)
        for row in rows
        if row["path"] not in given
        and row["status"] != SAME
        and row["content"] in contents
        and kept[row["content"]].path != row["path"]
    ]


def _file_of(row: Mapping[str, Any]) -> SourceFile:
    return SourceFile(row["path"], row["name"], row["content"], row["bytes"], row["modified_ns"])


def _originals_first(tasks: Sequence[Task]) -> list[Task]:
    """The tasks in order, but no copy before its original: a killed batch must not leave a copy of nothing."""
    waiting: dict[str | None, list[Task]] = {task.file.path: [] for task in tasks if task.same_as is None}
    ordered: list[Task] = []
    for task in tasks:
        if task.same_as in waiting:
            waiting[task.same_as].append(task)
            continue
        ordered += [task, *waiting.pop(task.file.path, ())]
    return ordered


def _stands(known: Mapping[str, Any], task: Task, retry_failed: bool) -> bool:
    """Whether a photo of the archive is left as it is."""
    file = task.file
    if known["content"] != file.content or known["bytes"] != file.bytes or known["same_as"] != task.same_as:
        return False
    return not (retry_failed and known["status"] == FAILED)


def names_of(photos: Sequence[Path], sources: Sequence[Path] = ()) -> list[str]:
    """What results call photos.

    A photo in one of the folders `sources` is called by its path from that folder on, so its name does not depend on
    where the program was started or which other photos there were; any other by its file name. Where two would be
    called the same, by their whole paths.
    """
    folders = [Path(stored_path(source)) for source in sources]
    names = []
    for path in (Path(stored_path(photo)) for photo in photos):
        folder = next((folder for folder in folders if folder in path.parents), path.parent)
        names.append(path.relative_to(folder.parent if folder in folders else folder))
    shown = [one_line(name.as_posix()) for name in names]
    twice = {name for name, times in Counter(shown).items() if times > 1}
    return [one_line(stored_path(path)) if name in twice else name for path, name in zip(photos, shown, strict=True)]


def describe_file(path: Path, name: str, known: Mapping[str, Any] | None = None) -> SourceFile:
    """Size, time and SHA-256 of a file; the bytes are not read where the row `known` has the same size and time."""
    absolute = stored_path(path)
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
    engine: Engine | None = None,
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
    engine : Engine or None
        Who reads, proposes and encodes; None for this program itself.
    stop : Stop or None
        Once asked, the groups that are whole are finished and no other is begun.
    seen : callable, optional
        Called from another thread with each photo that was looked at, before its group is encoded and safe.
    **reading
        Passed to `agri_clip.photos.photo.read_photo`.

    Raises
    ------
    DataError
        The archive cannot be written; what was given before is safe.
    EngineError
        The engine cannot work or stands still; what was given before is safe.
    """
    progress = Progress(total=len(plan.tasks), failed_before=plan.failed_before)
    number = plan.next_number
    work = Work(plan.tasks, detector, number, reading, Stop() if stop is None else stop, seen)
    with closing((engine or LocalEngine()).finish(work)) as groups:
        for group in groups:
            season.add(group, number, plan.replaced)
            number += len(group)
            _count(progress, group, plan)
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
    engine: Engine | None = None,
    stop: Stop | None = None,
    watch: Callable[[Plan, Iterator[Progress]], Iterator[Progress]] | None = None,
    seen: Callable[[Task], None] | None = None,
    called: str | None = None,
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
    called : str, optional
        As for `agri_clip.archive.Archive.open`.
    prompts : PromptSet, optional
        Kept for later questions that name none.
    engine, stop, seen, reading
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
        A source does not exist or none holds a photo; the archive cannot be used, or other settings would mix its
        results.
    EngineError
        As for `run_batch`.
    """
    photos = check_sources(photos, sources)
    season = Season.begin(
        Archive.open(place, create=True, called=called), detector.encoder, detector.proposer, detector.settings, reading
    )
    with season.writing():
        pattern = reading.get("name_pattern")
        plan = plan_batch(season, photos, sources=sources, retry_failed=retry_failed, name_pattern=pattern)
        states = run_batch(season, detector, plan, engine=engine, stop=stop, seen=seen, **reading)
        *_, progress = states if watch is None else watch(plan, states)
        if plan.tasks:
            season.compact()
        if prompts is not None:
            season.archive.remember_prompts(prompts.hash, prompts.name, prompts.model_dump_json())
    return season, progress


def check_sources(photos: Sequence[Path], sources: Sequence[Path]) -> list[Path]:
    """The photos without folders that hold none; nothing is kept of a folder that is empty or does not exist.

    Raises
    ------
    DataError
        A source does not exist, or no source holds a photo.
    """
    for source in sources:
        if not os.path.lexists(source):
            raise DataError(f"{one_line(str(source))}: there is no such file or folder; check the name")
    empty = {path for path in map(Path, sources) if path.is_dir()}
    found = [photo for photo in photos if photo not in empty]
    if photos and not found:
        raise DataError(f"{one_line(str(photos[0]))}: is a folder without photos; name one that holds some")
    for folder in sorted(empty & set(photos)):
        warnings.warn(f"{one_line(str(folder))}: is a folder without photos; left out", AgriClipWarning, stacklevel=3)
    return found


def _count(progress: Progress, group: Sequence[Finished], plan: Plan) -> None:
    for entry in group:
        progress.done += 1
        if entry.same_as is not None:
            progress.copies += 1
            progress.copied.append((entry.file.name, plan.names.get(entry.same_as, entry.same_as)))
        progress.regions += len(entry.regions)
        if entry.record.failed:
            progress.failed += 1
            progress.failures.append((entry.file.name, str(entry.record.reason)))
