"""LocalEngine: reading, proposing and encoding overlap in threads of this program."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing

from agri_clip.ahead import Ahead
from agri_clip.archive.season import Finished
from agri_clip.engines.stages import Groups, Proposed, Read, Work, encode_group, propose, read_task

#: Photos that are read before they are needed; each takes three bytes a pixel.
READ_AHEAD = 2


class LocalEngine:
    """The engine of a batch on this machine, with the detector's own models."""

    def finish(self, work: Work) -> Generator[list[Finished], None, None]:
        """As `agri_clip.engines.Engine` says."""
        photos = Ahead(_read_all(work), READ_AHEAD)
        proposals = Ahead(_propose_all(photos, work), READ_AHEAD)
        groups = Ahead((encode_group(group, work.detector) for group in _grouped(proposals, work)), 1)
        # The first stage is closed first: what waits for it then ends, and need not fill a group before.
        with closing(groups), closing(proposals), closing(photos):
            yield from groups


def _read_all(work: Work) -> Iterator[Read]:
    for task in work.tasks:
        if work.stop:
            return
        yield read_task(task, work.reading)


def _propose_all(photos: Iterable[Read], work: Work) -> Iterator[Proposed]:
    for read in photos:
        if work.stop:
            return
        proposed = propose(read, work.detector)
        if work.seen is not None:
            work.seen(read.task)
        yield proposed


def _grouped(proposals: Iterable[Proposed], work: Work) -> Iterator[list[Proposed]]:
    """Groups of photos; after a wish to stop the last one is dropped if it is not full."""
    groups = Groups(work.number)
    for proposed in proposals:
        if group := groups.add(proposed):
            yield group
    if (group := groups.rest()) and not work.stop:
        yield group
