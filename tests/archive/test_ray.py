"""Batches on a real Ray runtime: the same rows as the local engine gives, whatever happens to the workers."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from agri_clip import Detector
from agri_clip.archive import Archive
from agri_clip.archive.checks import verify
from agri_clip.batch.engines import ray_engine, ray_pool, stages
from agri_clip.batch.engines.ray_engine import RayEngine, check_address, share_out
from agri_clip.batch.run import Plan, Progress, Stop, fill_archive
from agri_clip.errors import EngineError
from agri_clip.photos.photo import find_photos
from tests.archive.conftest import contents
from tests.command_line import run

pytestmark = pytest.mark.xdist_group("ray")

#: Seconds within which workers must start, on a busy machine too.
START = 240.0


@pytest.fixture(scope="module")
def runtime() -> Iterator[Any]:
    """A Ray runtime with two CPUs, for all these tests."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'agri-clip[ray]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        try:
            ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
        except (ray.exceptions.RayError, OSError, RuntimeError) as error:
            pytest.skip(f"no Ray runtime can start on this machine: {error}")
    yield ray
    ray.shutdown()


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of at most two photos, so that there are many in the middle of a run."""
    monkeypatch.setattr(stages, "GROUP_PHOTOS", 2)


@pytest.fixture
def deaths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the workers that died had in hand, as it happens."""
    met: list[str] = []
    bury = ray_pool.Pool._bury

    def met_and_buried(pool: ray_pool.Pool, worker: Any, error: Exception) -> list[tuple[Any, Any]]:
        if worker.job is not None:
            met.append(worker.job.what)
        return bury(pool, worker, error)

    monkeypatch.setattr(ray_pool.Pool, "_bury", met_and_buried)
    return met


def worker_processes() -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "ray::PhotoWorker" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def after(photos: int, act: Callable[[], None]) -> Callable[[Plan, Iterator[Progress]], Iterator[Progress]]:
    """To watch a batch with: does something once, when so many photos are in the archive."""

    def watch(_plan: Plan, states: Iterator[Progress]) -> Iterator[Progress]:
        acted = False
        for state in states:
            if state.done >= photos and not acted:
                acted = True
                act()
            yield state

    return watch


@pytest.mark.usefixtures("runtime", "small_groups")
def test_with_a_worker_killed_in_the_middle_all_rows_are_those_of_the_local_engine(
    photos: Path, detector: Detector, tmp_path: Path, deaths: list[str]
) -> None:
    local, many = tmp_path / "local", tmp_path / "ray"
    found, seen = find_photos(photos), []
    fill_archive(local, found, detector, sources=[photos])

    def kill_one() -> None:
        worker_processes()[0].kill()

    engine = RayEngine(workers=2, patience=START)
    watch = after(3, kill_one)
    given: dict[str, Any] = {"sources": [photos], "seen": lambda task: seen.append(task.file.path)}
    _, progress = fill_archive(many, found, detector, engine=engine, watch=watch, **given)
    assert (progress.done, progress.failed, progress.copies) == (14, 1, 1)
    assert len(deaths) >= 1
    assert seen == [str(path) for path in found]
    assert contents(many) == contents(local)
    assert verify(Archive.open(many)) == []
    _, alive = psutil.wait_procs(worker_processes(), timeout=START)  # Ray ends them without waiting for their end
    assert alive == []


@pytest.mark.usefixtures("runtime", "small_groups")
def test_a_photo_that_workers_die_of_fails_alone_and_can_be_tried_again(
    photos: Path, detector: Detector, tmp_path: Path, deaths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_pool, "MOST_DEATHS", 1)
    folder = shutil.copytree(photos / "T1", tmp_path / "T1")
    place, found = tmp_path / "season", find_photos(folder)
    propose = ray_pool.Pool.submit

    def submit_and_kill(pool: ray_pool.Pool, job: ray_pool.Job) -> None:
        propose(pool, job)
        if job.method == "propose" and job.place == 1:
            worker_processes()[0].kill()

    monkeypatch.setattr(ray_pool.Pool, "submit", submit_and_kill)
    engine = RayEngine(workers=1, patience=START)
    season, progress = fill_archive(place, found, detector, sources=[folder], engine=engine)
    assert deaths == ["T1/T1_2026-06-08.jpg"]
    assert (progress.done, progress.failed) == (4, 1)
    row = season.photo_rows("status = 'failed'")[0]
    assert (row["name"], row["trap"], row["day"]) == ("T1/T1_2026-06-08.jpg", "T1", "2026-06-08")
    assert "1 workers died of it" in row["reason"]
    _, progress = fill_archive(place, found, detector, sources=[folder], retry_failed=True)
    assert (progress.done, progress.failed) == (1, 0)


@pytest.mark.usefixtures("runtime", "small_groups")
def test_stopped_by_a_wish_and_again_by_workers_that_hang_the_same_command_goes_on(
    photos: Path, detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools: list[ray_pool.Pool] = []
    begin = ray_pool.Pool.__init__

    def begin_and_keep(pool: ray_pool.Pool, *given: Any, **options: Any) -> None:
        begin(pool, *given, **options)
        pools.append(pool)

    monkeypatch.setattr(ray_pool.Pool, "__init__", begin_and_keep)
    local, many = tmp_path / "local", tmp_path / "ray"
    found, stop = find_photos(photos), Stop()
    fill_archive(local, found, detector, sources=[photos])
    engine = RayEngine(workers=1, patience=START)
    given: dict[str, Any] = {"sources": [photos], "engine": engine}
    _, progress = fill_archive(many, found, detector, stop=stop, watch=after(4, stop.ask), **given)
    assert progress.stopped
    assert 4 <= progress.done < 14
    held: list[psutil.Process] = []

    def hold_all() -> None:
        held.extend(worker_processes())
        for process in held:
            process.send_signal(signal.SIGSTOP)
        pools[-1]._patience = 2

    try:
        with pytest.raises(
            EngineError, match=r"nothing was done for 2 s: 1 workers work on .* the same command goes on"
        ):
            fill_archive(many, found, detector, watch=after(1, hold_all), **given)
    finally:
        for process in held:
            process.kill()
    fill_archive(many, found, detector, sources=[photos])
    assert contents(many) == contents(local)


def test_workers_that_find_no_room_end_the_batch_with_the_reason(
    runtime: Any, photos: Path, detector: Detector, tmp_path: Path
) -> None:
    class Other:
        def here(self) -> int:
            return 1

    other = runtime.remote(Other).options(num_cpus=2).remote()
    assert runtime.get(other.here.remote(), timeout=START) == 1
    started = time.monotonic()
    try:
        with pytest.raises(EngineError, match=r"2 have not started \(the runtime has 2 CPUs, 0 of them free\)"):
            fill_archive(tmp_path / "season", find_photos(photos), detector, engine=RayEngine(workers=2, patience=2))
    finally:
        runtime.kill(other)
    assert time.monotonic() - started < 60


def test_where_there_is_no_runtime_or_no_ray_the_error_says_what_to_do(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    command = ["batch", photos, "--archive", tmp_path / "season", "--engine", "ray"]
    assert run(*command) == 2
    assert "needs the Ray library: pip install 'agri-clip[ray]'" in capsys.readouterr().err
    assert not (tmp_path / "season").exists()
    assert run(*command[:4], "--workers", 2) == 2
    assert "--workers goes with --engine ray" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "reason"), [("127.0.0.1:1", "refused"), ("ray://127.0.0.1:1", "refused"), ("here", "give auto, or an")]
)
def test_an_address_where_nothing_listens_is_told_at_once(address: str, reason: str) -> None:
    started = time.monotonic()
    with pytest.raises((OSError, ValueError), match=reason):
        check_address(address)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("resources", "workers", "device", "count", "share"),
    [
        ({"CPU": 8.0}, None, None, 8, {"num_cpus": 1.0}),
        ({"CPU": 2.0}, 3, None, 3, {"num_cpus": 0.666}),
        ({"CPU": 64.0, "memory": 8e9}, None, None, 5, {"num_cpus": 1.0}),
        ({"CPU": 16.0, "GPU": 2.0}, None, None, 4, {"num_cpus": 1.0, "num_gpus": 0.5}),
        ({"CPU": 16.0, "GPU": 2.0}, 3, "cuda", 3, {"num_cpus": 1.0, "num_gpus": 0.5}),
        ({"CPU": 16.0, "GPU": 2.0}, None, "cpu", 16, {"num_cpus": 1.0}),
        ({}, None, None, 1, {"num_cpus": 0.0}),
    ],
)
def test_workers_ask_for_no_more_than_there_is(
    resources: dict[str, float], workers: int | None, device: str | None, count: int, share: dict[str, float]
) -> None:
    assert share_out(resources, workers, device) == (count, share)
    for key, name in (("num_cpus", "CPU"), ("num_gpus", "GPU")):
        assert count * share.get(key, 0) <= resources.get(name, 0) + 1e-9


def test_a_file_that_this_program_cannot_read_is_not_sent(tmp_path: Path) -> None:
    from agri_clip.batch.run import describe_file

    folder = tmp_path / "folder.jpg"
    folder.mkdir()
    assert ray_engine.read_content(stages.Task(describe_file(folder, "folder.jpg"))) is None
