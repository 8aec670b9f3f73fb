"""LocalEngine: reading, proposing and encoding overlap in threads of this program."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from functools import partial

from agri_clip.archive.season import Finished
from agri_clip.batch.engines.stages import Groups, Proposed, Read, Work, encode_group, propose, read_task
from agri_clip.encoders import Encoder
from agri_clip.io.prefetch import Ahead, map_ahead
from agri_clip.io.threads import threads_side_by_side, torch_cores_for
from agri_clip.regions.base import Proposer

#: Photos that are read before they are needed; each takes three bytes a pixel.
READ_AHEAD = 2


class LocalEngine:
    """The engine of a batch on this machine, with the detector's own models."""

    def finish(self, work: Work) -> Generator[list[Finished], None, None]:
        """As `agri_clip.batch.engines.Engine` says."""
        detector = work.detector
        proposing, encoding = threads_for(detector.proposer), threads_for(detector.encoder)
        with torch_cores_for(max(proposing, encoding)) as begin:
            photos = Ahead(_read_all(work), READ_AHEAD)
            proposals = Ahead(_seen(map_ahead(partial(_look, work), photos, proposing, begin), work), READ_AHEAD)
            encode = partial(encode_group, detector=detector)
            groups = Ahead(map_ahead(encode, _grouped(proposals, work), encoding, begin), 1)
            # The first stage is closed first: what waits for it then ends, and need not fill a group before.
            with closing(groups), closing(proposals), closing(photos):
                yield from groups


def threads_for(model: Proposer | Encoder) -> int:
    """Threads that ask a model side by side."""
    return threads_side_by_side() if getattr(model, "concurrent", False) else 1


def _read_all(work: Work) -> Iterator[Read]:
    for task in work.tasks:
        if work.stop:
            return
        yield read_task(task, work.reading)


def _look(work: Work, read: Read) -> Proposed | None:
    """A photo's regions; None where it was not begun before the wish to stop."""
    return None if work.stop else propose(read, work.detector)


def _seen(proposals: Iterable[Proposed | None], work: Work) -> Iterator[Proposed]:
    for proposed in proposals:
        if proposed is None:
            return
        if work.seen is not None:
            work.seen(proposed.task)
        yield proposed


def _grouped(proposals: Iterable[Proposed], work: Work) -> Iterator[list[Proposed]]:
    """Groups of photos; after a wish to stop the last one is dropped if it is not full."""
    groups = Groups(work.number)
    for proposed in proposals:
        if group := groups.add(proposed):
            yield group
    if (group := groups.rest()) and not work.stop:
        yield group
