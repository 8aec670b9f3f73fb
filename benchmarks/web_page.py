"""Measures what the page adds to finding: the time from the click to the first detections, and that of a slider.

python benchmarks/web_page.py                 # needs Chromium; a rendered trap of 12 megapixels, embedded models

The baseline is the work of `agri-clip detect` with its models loaded, on the same photo in the same run.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import cv2
import typer

from agri_clip.detector import Detector
from agri_clip.formats import write_tables
from agri_clip.io.console import make_table, output
from agri_clip.prompts import PromptSet
from agri_clip.report.drawing import write_picture
from agri_clip.ui.launch import serve
from agri_clip.ui.options import PageOptions
from agri_clip.ui.samples import sample_photos

SIZE = (4000, 3000)
PROMPTS = ("a whitefly", "an aphid", "a fungus gnat")


def main(repeats: Annotated[int, typer.Option(help="Runs of each; the median counts.")] = 3) -> None:
    """Print both times and their ratios."""
    folder = Path(tempfile.mkdtemp())
    photo = folder / "trap.jpg"
    sample = cv2.imread(str(sample_photos()[0]))
    cv2.imwrite(str(photo), cv2.resize(sample, SIZE, interpolation=cv2.INTER_CUBIC))
    blocks, address = serve(PageOptions(), wait=False)
    try:
        first, slider = time_page(address, photo, repeats)
    finally:
        blocks.close()
    baseline = time_command(photo, folder, repeats)
    output().print(
        make_table(
            ["what", "seconds", "ratio"],
            [
                ["agri-clip detect, warm", f"{baseline:.2f}", "1"],
                ["page: click to first detections", f"{first:.2f}", f"{first / baseline:.2f} of detect"],
                ["page: threshold slider", f"{slider:.2f}", f"{slider / first:.3f} of the first run"],
            ],
        )
    )


def time_command(photo: Path, folder: Path, repeats: int) -> float:
    """Seconds of what `agri-clip detect` does with one photo, its models loaded."""
    detector, prompts = Detector(), PromptSet.of(*PROMPTS)

    def run() -> None:
        for read, detections in detector.stream([photo], prompts):
            if read is not None:
                write_picture(read, detections, folder / "annotated.jpg")
            write_tables(detections, folder / "out")

    run()
    return timed(run, repeats)


def time_page(address: str, photo: Path, repeats: int) -> tuple[float, float]:
    """Seconds from the click to the table of counts, and from moving the threshold to the new one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        found = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(300_000)
        page.goto(address)
        page.set_input_files("#find-photo input[type=file]", str(photo))
        page.wait_for_selector("#find-viewer img[src*=view]")
        page.fill("#find-sentences textarea", "\n".join(PROMPTS))

        def find() -> None:
            now = page.input_value("#find-sentences textarea").splitlines()
            before = page.inner_text("#find-counts")
            # Another order gives another table, so that it is seen when it is there.
            page.fill("#find-sentences textarea", "\n".join([*now[1:], now[0]]))
            page.click("#find-start")
            page.wait_for_function("t => document.querySelector('#find-counts').innerText !== t", arg=before)

        def slide() -> None:
            now = page.input_value("#find-threshold input[type=number]")
            before = page.inner_text("#find-counts")
            page.fill("#find-threshold input[type=number]", "0.9" if float(now) < 0.9 else "0.3")
            page.wait_for_function("t => document.querySelector('#find-counts').innerText !== t", arg=before)

        find()
        first = timed(find, repeats)
        slider = timed(slide, 2 * repeats)
        browser.close()
    return first, slider


def timed(work: Callable[[], None], repeats: int) -> float:
    """Median of the seconds that some work takes."""
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


if __name__ == "__main__":
    typer.run(main)
