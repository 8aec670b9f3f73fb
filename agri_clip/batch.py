"""A folder of photos into an archive: what is to be done, and writing what an engine finished; a killed run goes on.

What must be decided once is decided here: which photos are new, changed or copies, their order, and what is safe. The
looking is done by an engine of `agri_clip.engines`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agri_clip.archive import Archive, Season
from agri_clip.archive.schema import FAILED, SAME, SourceFile
from agri_clip.archive.season import Finished
from agri_clip.detector import Detector
from agri_clip.engines import Engine, LocalEngine, Stop, Task, Work
from agri_clip.photo import one_line
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
        Passed to `agri_clip.photo.read_photo`.

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
    engine: Engine | None = None,
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
        The archive cannot be used, or other settings would mix its results.
    EngineError
        As for `run_batch`.
    """
    season = Season.begin(
        Archive.open(place, create=True), detector.encoder, detector.proposer, detector.settings, reading
    )
    with season.writing():
        plan = plan_batch(season, photos, sources=sources, retry_failed=retry_failed)
        states = run_batch(season, detector, plan, engine=engine, stop=stop, seen=seen, **reading)
        *_, progress = states if watch is None else watch(plan, states)
        if plan.tasks:
            season.compact()
        if prompts is not None:
            season.archive.remember_prompts(prompts.hash, prompts.name, prompts.model_dump_json())
    return season, progress


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
