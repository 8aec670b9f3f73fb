"""Stages of a batch, photo by photo and group by group; and what an engine gets and gives.

Photos are finished in groups. What a group holds follows from the photos before it alone, so a run that goes on after a
kill forms the groups that it would have formed anyway, and its vectors are the same to the last digit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from agri_clip.archive.schema import SourceFile, path_on_disk
from agri_clip.archive.season import Finished
from agri_clip.detections import PhotoRecord
from agri_clip.detector import BATCH_CROPS, Detector, Proposal
from agri_clip.encoders.crops import make_thumbnail
from agri_clip.errors import PhotoError
from agri_clip.photos.photo import Photo, read_photo

#: Most photos of a group: what a kill can cost.
GROUP_PHOTOS = 32
#: A group holds no more than this part of the photos before it, so that of a few photos each is safe at once.
GROUP_SHARE = 1 / 8


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


class Stop:
    """A wish to stop, which every stage sees."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ask(self) -> None:
        """Begin no further group."""
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()


@dataclass(frozen=True)
class Work:
    """What an engine has to do.

    Attributes
    ----------
    tasks : sequence of Task
    detector : Detector
    number : int
        Of the first photo, as in `agri_clip.batch.run.Plan`: groups follow from it.
    reading : mapping
        Options of `agri_clip.photos.photo.read_photo`.
    stop : Stop
        Once asked, the groups that are whole are finished and no other is begun.
    seen : callable or None
        To be called, in order, with each task whose photo was looked at.
    """

    tasks: Sequence[Task]
    detector: Detector
    number: int
    reading: Mapping[str, Any] = field(default_factory=dict)
    stop: Stop = field(default_factory=Stop)
    seen: Callable[[Task], None] | None = None


class Engine(Protocol):
    """Does the work of a batch."""

    def finish(self, work: Work) -> Generator[list[Finished], None, None]:
        """Groups of finished photos, in the order of the tasks; every task in one of them unless asked to stop."""
        ...


@dataclass(frozen=True)
class Read:
    """A photo that was read; without pixels where it is a copy or failed."""

    task: Task
    photo: Photo | None
    failure: PhotoRecord | None = None


@dataclass(frozen=True)
class Proposed:
    """A photo that was looked at; without a proposal where it is a copy or failed."""

    task: Task
    record: PhotoRecord
    proposal: Proposal | None = None

    @property
    def crops(self) -> int:
        """How many there are to encode."""
        return 0 if self.proposal is None else len(self.proposal.crops)


def read_task(task: Task, reading: Mapping[str, Any], content: bytes | None = None) -> Read:
    """Read a task's photo from its file, or from the bytes of the file where they are given."""
    if task.same_as is not None:
        return Read(task, None)
    try:
        source = path_on_disk(task.file.path) if content is None else content
        return Read(task, read_photo(source, name=task.file.name, **reading))
    except PhotoError as error:
        return Read(task, None, PhotoRecord.of_failure(task.file.name, error))


def propose(read: Read, detector: Detector) -> Proposed:
    """The regions and crops of a photo."""
    name = read.task.file.name
    if read.photo is None:
        return Proposed(read.task, read.failure or PhotoRecord(name=name))
    try:
        proposal = detector.propose(read.photo)
    except PhotoError as error:
        return Proposed(read.task, PhotoRecord.of_failure(name, error))
    # Crops are views that would keep the whole photo in memory until its group is full.
    crops = [crop.copy() for crop in proposal.crops]
    return Proposed(read.task, proposal.record, replace(proposal, crops=crops))


class Groups:
    """Forms groups that fill a batch of crops.

    Parameters
    ----------
    number : int
        Of the first photo, as in `Work`.
    """

    def __init__(self, number: int) -> None:
        self._number, self._crops = number, 0
        self._group: list[Proposed] = []

    def add(self, proposed: Proposed) -> list[Proposed] | None:
        """Take the next photo; the group that it closes, if it does."""
        self._group.append(proposed)
        self._crops += proposed.crops
        most = min(GROUP_PHOTOS, max(1, int(self._number * GROUP_SHARE)))
        return self.rest() if self._crops >= BATCH_CROPS or len(self._group) >= most else None

    def rest(self) -> list[Proposed]:
        """The photos of the group that is not full, which is closed with them."""
        group, self._group, self._crops = self._group, [], 0
        self._number += len(group)
        return group


def encode_group(group: Sequence[Proposed], detector: Detector) -> list[Finished]:
    """Encode the crops of a group together; its photos are then ready for the archive."""
    vectors = iter(detector.encode([p.proposal for p in group if p.proposal is not None]))
    return [_finish(proposed, None if proposed.proposal is None else next(vectors)) for proposed in group]


def _finish(proposed: Proposed, vectors: np.ndarray | None) -> Finished:
    task, proposal = proposed.task, proposed.proposal
    if proposal is None or vectors is None:
        return Finished(task.file, proposed.record, same_as=task.same_as)
    thumbnails = [make_thumbnail(crop) for crop in proposal.crops]
    return Finished(task.file, proposed.record, proposal.regions, thumbnails, vectors)
