"""RayEngine: reading, proposing and encoding on the workers of a Ray runtime, here or on many machines.

This program stays the one that decides and writes. It reads the files and sends their bytes, so workers need no disk in
common with it; they send back regions and crops; whole groups go out once more to be encoded.

Plain actors do the work and not Ray Data's `map_batches`: which photos are encoded together follows from the regions
found in them, so a group can be formed only in the middle of the stream and in one place; Ray Data has no such step.
And a wait for its results has no limit, which `Pool.wait` has.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import threading
import warnings
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from agri_clip.archive.schema import path_on_disk
from agri_clip.archive.season import Finished
from agri_clip.batch.engines.ray_pool import REMEDY, Job, Pool
from agri_clip.batch.engines.ray_worker import Recipe, models_of
from agri_clip.batch.engines.stages import (
    GROUP_PHOTOS,
    Groups,
    Proposed,
    Stop,
    Task,
    Work,
    encode_group,
    propose,
    read_task,
)
from agri_clip.detections import PhotoRecord
from agri_clip.errors import EngineError
from agri_clip.io.prefetch import Ahead

#: Seconds without any news from the workers after which a batch is given up.
PATIENCE = 600.0
#: Seconds within which the machine of an address must answer.
REACHED = 10.0
#: Bytes that a worker takes, with the embedded models and photos of a phone.
WORKER_MEMORY = 1.5e9
#: Workers that share a GPU: one reads its photo while the other computes.
WORKERS_A_GPU = 2
#: Photos for each worker that are on their way and not in the archive yet, beside those of a group.
HELD_A_WORKER = 4
#: Crops of photos on their way; at 20 kB a crop 300 MB.
HELD_CROPS = 16_384


class RayEngine:
    """The engine of a batch on a Ray runtime.

    Parameters
    ----------
    address : str or None
        Of a runtime that runs, as for ``ray.init``: ``"auto"``, ``"192.0.2.1:6379"``. None starts one on this machine
        and ends it afterwards; one that this program started already is used and left.
    workers : int or None
        None: one for each CPU of the runtime that has `WORKER_MEMORY`; where it has GPUs and `device` is not ``"cpu"``,
        `WORKERS_A_GPU` for each of them.
    device : str or None
        Of the workers' models, as for `Detector`.
    patience : float
        Seconds.

    Raises
    ------
    EngineError
        Ray is not installed.
    """

    def __init__(
        self,
        address: str | None = None,
        workers: int | None = None,
        device: str | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.address, self.workers, self.device, self.patience = address, workers, device, patience
        self._ray = import_ray()

    def finish(self, work: Work) -> Generator[list[Finished], None, None]:
        """As `agri_clip.batch.engines.Engine` says.

        Raises
        ------
        EngineError
            The runtime cannot be used, or its workers fail or stand still.
        """
        if not work.tasks:
            return
        detector = work.detector
        recipe = Recipe.of(detector, work.reading, self.device)
        with running(self._ray, self.address):
            count, share = share_out(self._ray.cluster_resources(), self.workers, self.device)
            options: dict[str, Any] = {"count": count, "share": share, "patience": self.patience}
            with closing(Pool(self._ray, recipe, models_of(detector), **options)) as pool:
                course = _Course(work, pool, count)
                groups = Ahead(course.run(), 1)
                with closing(groups), closing(course):
                    yield from groups


def import_ray() -> Any:
    """The library.

    Raises
    ------
    EngineError
        It is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise EngineError("--engine ray needs the Ray library: pip install 'agri-clip[ray]'") from error
    return ray


@contextmanager
def running(ray: Any, address: str | None) -> Iterator[None]:
    """A Ray runtime: that of this program where it has one, else that at the address, else one that is started here.

    Raises
    ------
    EngineError
        It cannot be reached or started.
    """
    if ray.is_initialized():
        yield
        return
    # Ray would tell its makers of each start, and give its workers less of the machine than other programs have.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")
    options: dict[str, Any] = {} if address else {"include_dashboard": False}
    try:
        if address:
            check_address(address)
        with _signals_kept(), warnings.catch_warnings():
            # Meant for forks that go on as they are; these start other programs.
            warnings.filterwarnings("ignore", message="lancedb fork support", category=RuntimeWarning)
            ray.init(address or "local", log_to_driver=False, logging_level="error", **options)
    except (ray.exceptions.RayError, OSError, RuntimeError, ValueError, AssertionError) as error:
        place = f"at {address}" if address else "on this machine"
        reason = " ".join(str(error).split())[:300]
        raise EngineError(f"no Ray runtime can be used {place}: {reason}") from error
    try:
        yield
    finally:
        ray.shutdown()


def check_address(address: str) -> None:
    """Look whether anything listens there: Ray itself asks for minutes.

    Raises
    ------
    ValueError
        It is no address.
    OSError
        Nothing listens there.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if address == "auto":
        return
    if not (host and port.isdecimal()):
        raise ValueError("give auto, or an address such as 192.0.2.1:6379")
    with socket.create_connection((host, int(port)), timeout=REACHED):
        pass


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; who asked for it before gets it back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def share_out(resources: Mapping[str, float], workers: int | None, device: str | None) -> tuple[int, dict[str, float]]:
    """How many workers a runtime gets, and what each asks for: parts so small that all find room.

    Parameters
    ----------
    resources : mapping
        Of the whole runtime: `CPU`, `GPU`, and `memory` in bytes.
    workers, device
        As for `RayEngine`.

    Returns
    -------
    int
    dict
        Options of an actor: `num_cpus` and, where there are GPUs, `num_gpus`.
    """
    cpus = resources.get("CPU", 0.0)
    gpus = int(resources.get("GPU", 0)) if device is None or device.startswith("cuda") else 0
    room = int(min(cpus, resources.get("memory", math.inf) // WORKER_MEMORY))
    count = workers or max(1, gpus * WORKERS_A_GPU or room)
    share = {"num_cpus": _part(cpus, count)}
    if gpus:
        share["num_gpus"] = _part(1, -(-count // gpus))
    return count, share


def _part(whole: float, count: int) -> float:
    """An equal part, 1 at most, rounded down so that all of them together are no more than the whole."""
    return min(1.0, int(1000 * whole / count) / 1000)


class _Course:
    """The photos of one batch on their way through the workers: out of order there, in order here."""

    def __init__(self, work: Work, pool: Pool, workers: int) -> None:
        self._work, self._pool = work, pool
        self._tasks = deque(enumerate(work.tasks))
        self._groups = Groups(work.number)
        self._most = GROUP_PHOTOS + HELD_A_WORKER * workers
        self._proposed: dict[int, Proposed] = {}
        self._finished: dict[int, list[Finished]] = {}
        self._next_photo = self._next_group = self._begun_groups = 0
        self._held_photos = self._held_crops = 0
        self._given_up = Stop()

    def close(self) -> None:
        """Give up: the results are not wanted any more."""
        self._given_up.ask()

    def run(self) -> Iterator[list[Finished]]:
        """Groups, in order."""
        while not self._given_up:
            self._send_photos()
            self._form_groups()
            if self._next_group in self._finished:
                group = self._finished.pop(self._next_group)
                self._next_group += 1
                self._held_photos -= len(group)
                self._held_crops -= sum(len(entry.regions) for entry in group)
                yield group
                self._pool.rest()
            elif self._next_group == self._begun_groups and (self._work.stop or self._at_end):
                return
            else:
                for job, result in self._pool.wait():
                    self._take(job, result)

    @property
    def _at_end(self) -> bool:
        return self._next_photo == len(self._work.tasks)

    def _send_photos(self) -> None:
        """Begin photos while workers have nothing to do and what is on its way is not too much."""
        while self._tasks and not self._work.stop and self._pool.room:
            if self._held_photos >= self._most or self._held_crops >= HELD_CROPS:
                return
            place, task = self._tasks.popleft()
            self._held_photos += 1
            content = read_content(task)
            if content is None:  # the reader says why, or it is a copy
                self._put(place, propose(read_task(task, self._work.reading), self._work.detector))
                self._form_groups()
            else:
                self._pool.submit(Job("propose", place, (task, content), task.file.name))

    def _take(self, job: Job, result: Any) -> None:
        if job.method == "encode":
            if isinstance(result, EngineError):
                raise EngineError(f"{job.what} cannot be encoded: {result}. {REMEDY}") from result
            self._finished[job.place] = result
            return
        if isinstance(result, EngineError):
            result = _deadly(job.arguments[0], result, self._work.reading)
        self._put(job.place, result)

    def _put(self, place: int, proposed: Proposed) -> None:
        self._proposed[place] = proposed
        self._held_crops += proposed.crops

    def _form_groups(self) -> None:
        """Give photos to groups as far as there is no gap; groups that are whole go out to be encoded."""
        while self._next_photo in self._proposed and not (self._work.stop or self._given_up):
            proposed = self._proposed.pop(self._next_photo)
            self._next_photo += 1
            if self._work.seen is not None:
                self._work.seen(proposed.task)
            group = self._groups.add(proposed)
            if group is None and self._at_end:
                group = self._groups.rest()
            if group:
                self._encode(group)

    def _encode(self, group: list[Proposed]) -> None:
        place, self._begun_groups = self._begun_groups, self._begun_groups + 1
        first, last = group[0].task.file.name, group[-1].task.file.name
        if any(proposed.crops for proposed in group):  # copies and failures alone need no worker
            self._pool.submit(Job("encode", place, (group,), first if first == last else f"{first} to {last}"))
        else:
            self._finished[place] = encode_group(group, self._work.detector)


def _deadly(task: Task, error: EngineError, reading: Mapping[str, Any]) -> Proposed:
    """A photo that workers died of, as one that failed; with the trap and day that its name says."""
    record = read_task(task, reading, b"").failure
    reason = f"{error}; try it alone: --retry-failed, without --engine ray"
    return Proposed(task, replace(record or PhotoRecord(task.file.name), reason=reason))


def read_content(task: Task) -> bytes | None:
    """The bytes of a photo's file; None for a copy, and where they cannot be had."""
    if task.same_as is not None or not task.file.content:
        return None
    try:
        return path_on_disk(task.file.path).read_bytes()
    except (OSError, ValueError):
        return None
