"""Workers of a Ray runtime and their jobs: one whose worker died is given to another, and no wait is endless."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from agri_clip.batch.engines.ray_worker import PhotoWorker, Recipe
from agri_clip.errors import AgriClipError, EngineError

#: A job that so many workers died of is given to no other.
MOST_DEATHS = 3
#: So many deaths of each worker, and of one more, without a job done between them are no accident.
DEATHS_IN_A_ROW = 2
#: Seconds after which a wait looks up, to see a wish to stop.
TICK = 0.2


@dataclass(eq=False)
class Job:
    """A method of `PhotoWorker` to be called.

    Attributes
    ----------
    method : str
    place : int
        Which photo, or which group, in order.
    arguments : tuple
    what : str
        How messages call it.
    deaths : int
        Workers that died of it.
    """

    method: str
    place: int
    arguments: tuple[Any, ...]
    what: str
    deaths: int = 0


@dataclass(eq=False)
class _Worker:
    actor: Any
    job: Job | None = None
    started: bool = False


class Pool:
    """As many workers as were asked for; one that dies is replaced.

    Parameters
    ----------
    ray : module
        With a runtime that runs.
    recipe : Recipe
    models : mapping
        What `agri_clip.batch.engines.ray_worker.models_of` must say on every worker.
    count : int
    share : mapping
        Resources of a worker, as options of a Ray actor: `num_cpus`, `num_gpus`.
    patience : float
        Seconds without any news after which `wait` gives up.
    """

    def __init__(
        self,
        ray: Any,
        recipe: Recipe,
        models: Mapping[str, str],
        *,
        count: int,
        share: Mapping[str, float],
        patience: float,
    ) -> None:
        self._ray, self._recipe, self._models = ray, recipe, dict(models)
        # Deaths are met here, where it is known which photo was in hand.
        self._class = ray.remote(PhotoWorker).options(
            **share, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD"
        )
        self._patience, self._news = patience, time.monotonic()
        self._jobs: deque[Job] = deque()
        self._count, self._deaths = count, 0
        self._workers: dict[Any, _Worker] = {}  # by what they were last asked
        self._idle: list[_Worker] = []
        for _ in range(count):
            self._hire()

    @property
    def room(self) -> int:
        """Jobs that could begin at once."""
        return max(0, len(self._idle) - len(self._jobs))

    def submit(self, job: Job) -> None:
        """Have a job done; those that came before it go first."""
        self._jobs.append(job)
        self._hand_out()

    def wait(self) -> list[tuple[Job, Any]]:
        """Jobs that are done and what they gave, after a moment at most; none where there are none.

        A job that too many workers died of gives an `EngineError`, which is not raised.

        Raises
        ------
        EngineError
            Nothing has happened for too long; or workers die again and again; or one has other models.
        """
        ready, _ = self._ray.wait(list(self._workers), num_returns=1, timeout=TICK) if self._workers else ((), ())
        results = [done for reference in ready for done in self._take(reference)]
        self._hand_out()
        if not ready and time.monotonic() - self._news > self._patience:
            raise EngineError(f"nothing was done for {self._patience:g} s: {self._state()}. {REMEDY}")
        return results

    def rest(self) -> None:
        """Begin to count patience anew: whoever takes the results was busy."""
        self._news = time.monotonic()

    def close(self) -> None:
        """End all workers."""
        for worker in (*self._workers.values(), *self._idle):
            self._end(worker)

    def _hire(self) -> None:
        worker = _Worker(self._class.remote(self._recipe))
        self._workers[worker.actor.start.remote()] = worker

    def _end(self, worker: _Worker) -> None:
        with suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.kill(worker.actor)

    def _hand_out(self) -> None:
        while self._jobs and self._idle:
            worker = self._idle.pop()
            worker.job = self._jobs.popleft()
            self._workers[getattr(worker.actor, worker.job.method).remote(*worker.job.arguments)] = worker

    def _take(self, reference: Any) -> list[tuple[Job, Any]]:
        """What a worker gave: the result of its job, nothing where it was its start, or its death."""
        worker = self._workers.pop(reference)
        errors = self._ray.exceptions
        try:
            result = self._ray.get(reference, timeout=self._patience)
        except errors.RayTaskError as error:  # the worker lives, and says what is wrong
            if isinstance(error.cause, AgriClipError):
                raise EngineError(f"a worker cannot go on: {error.cause}. {REMEDY}") from error
            raise
        except errors.RayError as error:
            return self._bury(worker, error)
        self._news = time.monotonic()
        self._idle.append(worker)
        if worker.job is None:
            self._check(*result)
            worker.started = True
            return []
        self._deaths = 0
        return [(worker.job, result)]

    def _check(self, host: str, models: Mapping[str, str]) -> None:
        other = [
            f"{name} is {models.get(name)} there and {mine} here"
            for name, mine in self._models.items()
            if models.get(name) != mine
        ]
        if other:
            raise EngineError(
                f"the worker on {host} would give other results: {'; '.join(other)}. Install the same agri_clip and "
                "the same models on every machine"
            )

    def _bury(self, worker: _Worker, error: Exception) -> list[tuple[Job, Any]]:
        """Replace a worker that died; its job is done by the next one, unless it was the death of too many."""
        self._end(worker)
        self._deaths += 1
        reason = " ".join(str(error).split())[:300]
        if self._deaths >= DEATHS_IN_A_ROW * (self._count + 1):
            raise EngineError(f"{self._deaths} workers died one after the other, the last of: {reason}. {REMEDY}")
        self._hire()
        job = worker.job
        if job is None:
            return []
        job.deaths += 1
        if job.deaths < MOST_DEATHS:
            self._jobs.appendleft(job)
            return []
        return [(job, EngineError(f"{job.deaths} workers died of it, the last of: {reason}"))]

    def _state(self) -> str:
        """Who works on what, for a message."""
        starting = sum(not worker.started for worker in self._workers.values())
        busy = [worker.job.what for worker in self._workers.values() if worker.job is not None]
        told = [f"{len(busy)} workers work on {_listed(busy)}"] if busy else []
        if starting:
            total, free = (_cpus(ask()) for ask in (self._ray.cluster_resources, self._ray.available_resources))
            told.append(f"{starting} have not started (the runtime has {total:g} CPUs, {free:g} of them free)")
        return "; ".join(told)


#: What helps whenever workers fail.
REMEDY = "What was finished is safe: the same command goes on, or does without workers where --engine ray is left out"


def _cpus(resources: Mapping[str, float]) -> float:
    return resources.get("CPU", 0.0)


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])
