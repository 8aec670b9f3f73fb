"""Measures the Ray engine of `agri-clip batch` against the local one, in the same run: time, rate, memory, same rows.

python -m benchmarks.ray_engine
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import psutil
import typer

from agri_clip.archive import Archive, Season
from agri_clip.archive.store import read
from agri_clip.batch.engines import Engine, LocalEngine
from agri_clip.batch.engines.ray_engine import RayEngine
from agri_clip.batch.run import Plan, Progress, fill_archive
from agri_clip.detector import Detector
from agri_clip.photos.photo import find_photos
from benchmarks.archive import write_photos


class Clock:
    """When photos were done."""

    def __init__(self) -> None:
        self.started = perf_counter()
        self.states: list[tuple[float, int]] = []

    def watch(self, _plan: Plan, states: Iterator[Progress]) -> Iterator[Progress]:
        """Keep the seconds and number of photos of each state."""
        for state in states:
            self.states.append((perf_counter() - self.started, state.done))
            yield state

    def rate(self) -> float:
        """Photos a minute from the first group to the last."""
        (first, before), (last, after) = self.states[0], self.states[-1]
        return 60 * (after - before) / (last - first)


class Memory:
    """Largest resident memory of a worker, MB, looked at once a second."""

    def __init__(self) -> None:
        self.most, self._end = 0.0, threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while not self._end.wait(1):
            for process in psutil.Process().children(recursive=True):
                try:
                    if "PhotoWorker" in " ".join(process.cmdline()):
                        self.most = max(self.most, process.memory_info().rss / 2**20)
                except psutil.Error:
                    continue

    def stop(self) -> float:
        """End looking; the largest."""
        self._end.set()
        return self.most


def rows(place: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Photos and regions of an archive, in order."""
    season = Season.of(Archive.open(place))
    regions = read(season.archive.table(season.regions_name), str(place))
    return season.photo_rows(), regions.sort_by([("photo", "ascending"), ("region", "ascending")]).to_pylist()


def main(
    count: Annotated[int, typer.Option(help="Made photos of 1600 x 1200 pixels.")] = 32,
    workers: Annotated[int, typer.Option(help="Of the Ray engine.")] = 2,
    proposer: Annotated[str, typer.Option(help="As in `agri-clip batch`.")] = "contrast",
) -> None:
    """The local engine, then the Ray engine, on the same photos."""
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        write_photos(photos, count, (1600, 1200))
        paths, detector = find_photos(photos), Detector(proposer=proposer)
        fill_archive(Path(folder) / "warm", paths[:1], detector)
        engines: dict[str, Engine] = {"local": LocalEngine(), f"Ray, {workers} workers": RayEngine(workers=workers)}
        found, memory = [], Memory()
        for name, engine in engines.items():
            place, clock = Path(folder) / f"season{len(found)}", Clock()
            fill_archive(place, paths, detector, engine=engine, watch=clock.watch)
            whole = perf_counter() - clock.started
            typer.echo(
                f"{name}: {count} photos in {whole:.1f} s, the first after {clock.states[0][0]:.1f} s, from then on "
                f"{clock.rate():.1f} a minute; {time.process_time():.0f} s of this process so far"
            )
            found.append(rows(place))
        same = found[0] == found[1]
        typer.echo(f"rows {'are the same' if same else 'DIFFER'}; a worker takes {memory.stop():.0f} MB at most")


if __name__ == "__main__":
    typer.run(main)
