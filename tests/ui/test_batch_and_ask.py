"""The tabs "Many photos" and "Ask the archive", as people use them in a real browser."""

from __future__ import annotations

import re
import threading
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from agri_clip.detector import Detector
from agri_clip.ui.samples import sample_photos
from tests.ui.conftest import PATIENCE, Served, Visitor

pytestmark = pytest.mark.xdist_group("page")

#: Sample photos whose names say trap and day.
NAMES = ("T1_2026-05-04", "T1_2026-05-11", "T2_2026-05-04")


@pytest.fixture(scope="module")
def small_photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three of the photos that ship, smaller, so that they are counted in seconds."""
    folder, made = tmp_path_factory.mktemp("photos"), []
    for path in sample_photos():
        if path.stem in NAMES:
            with Image.open(path) as photo:
                photo.reduce(3).save(folder / path.name, quality=92)
            made.append(folder / path.name)
    assert len(made) == len(NAMES)
    return made


@pytest.fixture(scope="module")
def season_zip(small_photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three in a zip, two of them in a folder, with a file that is called a photo and is none."""
    path = tmp_path_factory.mktemp("zip") / "season.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.write(small_photos[0], small_photos[0].name)
        for photo in small_photos[1:]:
            packed.write(photo, f"house 2/{photo.name}")
        packed.writestr("T3_2026-05-11.jpg", b"no photo at all")
    return path


def upload(visitor: Visitor, place: str, *files: Path) -> None:
    """Choose files and wait until they have arrived."""
    visitor.page.set_input_files(f"{place} input[type=file]", [str(file) for file in files])
    wait_for(visitor, place, files[-1].suffix)


def wait_for(visitor: Visitor, place: str, text: str) -> None:
    visitor.page.wait_for_function(
        "([place, text]) => document.querySelector(place).innerText.includes(text)", arg=[place, text]
    )


def start(visitor: Visitor, *files: Path, name: str, words: str) -> None:
    """Begin to count uploads under a name."""
    visitor.open_tab("batch")
    visitor.page.fill("#batch-name input, #batch-name textarea", name)
    visitor.page.fill("#batch-sentences textarea", words)
    upload(visitor, "#batch-files", *files)
    visitor.page.click("#batch-start")


def cells(visitor: Visitor, table: str) -> list[list[str]]:
    """The rows of a table without its head."""
    return [row.locator("th, td").all_inner_texts() for row in visitor.page.locator(f"{table} tbody tr").all()]


def scores(visitor: Visitor) -> list[float]:
    """What the ranked pictures say last, in their order."""
    captions = visitor.page.locator("#ask-ranked figcaption").all_inner_texts()
    assert captions
    assert all(re.fullmatch(r"T[12]\n2026-05-(04|11)\n-?[01]\.\d\d", caption) for caption in captions)
    return [float(caption.rsplit("\n", 1)[1]) for caption in captions]


def taken_home(visitor: Visitor, button: str, folder: Path) -> Path:
    with visitor.page.expect_download() as coming:
        visitor.page.click(button)
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    assert "agri-clip-visit" not in path.read_text("utf-8")  # where it lies on the server is nobody's business
    return path


def serious_barriers(visitor: Visitor) -> list[tuple[str, str]]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(visitor.page).response["violations"]
    return [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")]


def test_a_season_is_counted_reported_asked_again_and_nobody_elses(visit, season_zip, small_photos, tmp_path):
    visitor = visit()
    page = visitor.page
    start(visitor, season_zip, name="House <b>2</b>", words="a whitefly\na dark fly")
    wait_for(visitor, "#batch-status", "Done: 3 read, 1 not, of 4 photos")
    rows = cells(visitor, "#batch-counts")
    assert [row[:3] for row in rows] == [
        ["T1", "2026-05-04", "1"],
        ["T1", "2026-05-11", "1"],
        ["T2", "2026-05-04", "1"],
        ["T3", "2026-05-11", "0"],
    ]
    assert rows[3][3:] == ["–"] * len(rows[3][3:])  # nobody counted, which is not none
    assert page.inner_text("#batch-counts caption") == "Counted on House <b>2</b>"
    assert [row[0] for row in cells(visitor, "#batch-failures")] == ["T3_2026-05-11.jpg"]
    assert "not a photo" in page.inner_text("#batch-failures")
    # A line without rise or fall has no height, and counts as hidden.
    page.wait_for_selector("#batch-plot .js-plotly-plot .scatterlayer path", state="attached")
    visitor.show("batch")
    assert serious_barriers(visitor) == []

    report = taken_home(visitor, "#batch-save-report", tmp_path)
    assert report.suffix == ".html"
    assert report.read_text("utf-8").lstrip().lower().startswith("<!doctype html>")
    table = pd.read_csv(taken_home(visitor, "#batch-save-csv", tmp_path), encoding="utf-8-sig")
    assert set(table["trap"].dropna()) >= {"T1", "T2"}
    assert table["count"].sum() == sum(int(cell) for row in rows[:3] for cell in row[3:])

    counted = sum(int(cell) for row in rows[:3] for cell in row[3:])
    page.fill("#batch-threshold input[type=number]", "0.9")
    page.wait_for_function("n => parseInt(document.querySelector('#batch-status').innerText) < n", arg=counted)

    visitor.open_tab("ask")
    page.wait_for_function("document.querySelector('#ask-archive input').value === 'House <b>2</b>'")
    page.fill("#ask-sentences textarea", "an insect")
    page.click("#ask-start")
    page.wait_for_selector("#ask-ranked figcaption")
    ranked = scores(visitor)
    assert ranked == sorted(ranked, reverse=True)
    by_trap = cells(visitor, "#ask-counts")
    assert [row[:2] for row in by_trap] == [["T1", "2"], ["T2", "1"], ["T3", "0"]]
    assert sum(int(row[2]) for row in by_trap[:2]) >= len(ranked)
    visitor.show("ask")
    assert serious_barriers(visitor) == []

    example = tmp_path / "example.png"
    with Image.open(small_photos[0]) as photo:
        photo.crop((100, 100, 140, 140)).save(example)
    upload(visitor, "#ask-example", example)
    page.click("#ask-search")
    wait_for(visitor, "#ask-status", "most like your picture")
    alike = scores(visitor)
    assert alike == sorted(alike, reverse=True)
    listed = pd.read_csv(taken_home(visitor, "#ask-save-csv", tmp_path), encoding="utf-8-sig")
    assert set(listed["name"]) <= {"T1_2026-05-04.jpg", "house 2/T1_2026-05-11.jpg", "house 2/T2_2026-05-04.jpg"}
    assert visitor.errors == []
    assert visitor.elsewhere == []

    other = visit()
    other.open_tab("ask")
    other.page.fill("#ask-sentences textarea", "an insect")
    other.page.click("#ask-archive input")
    assert "House" not in " ".join(other.page.locator("[role=option]").all_inner_texts())


def test_a_batch_in_which_no_photo_can_be_read_lists_them_all(visit, tmp_path):
    broken = tmp_path / "card.jpg"
    broken.write_bytes(b"no photo at all")
    visitor = visit()
    start(visitor, broken, name="Broken", words="a whitefly")
    wait_for(visitor, "#batch-status", "Done: 0 read, 1 not")
    assert [row[0] for row in cells(visitor, "#batch-failures")] == ["card.jpg"]
    assert visitor.page.locator("#batch-status [role=alert]").count() == 0
    assert visitor.errors == []


def test_an_answer_does_not_stay_under_an_error(visit, small_photos):
    visitor = visit()
    start(visitor, small_photos[0], name="One", words="an insect")
    wait_for(visitor, "#batch-status", "Done: 1 of 1 photos")
    visitor.open_tab("ask")
    visitor.page.fill("#ask-sentences textarea", "an insect")
    visitor.page.click("#ask-start")
    visitor.page.wait_for_selector("#ask-save-csv:enabled")
    visitor.page.fill("#ask-sentences textarea", "!!!")
    visitor.page.click("#ask-start")
    visitor.page.wait_for_selector("#ask-status [role=alert]")
    visitor.page.wait_for_selector("#ask-save-csv:disabled")
    assert cells(visitor, "#ask-counts") == []


def test_a_batch_is_stopped_and_goes_on(visit, small_photos, monkeypatch):
    propose, pressed, begun = Detector.propose, threading.Event(), threading.Event()

    def wait_for_the_press(self, photo):
        begun.set()
        assert pressed.wait(PATIENCE / 1000)
        return propose(self, photo)

    monkeypatch.setattr(Detector, "propose", wait_for_the_press)
    visitor = visit()
    start(visitor, *small_photos, name="Stopped", words="a whitefly")
    assert begun.wait(PATIENCE / 1000)
    visitor.page.click("#batch-stop")
    wait_for(visitor, "#batch-progress", "Stopping")
    pressed.set()
    wait_for(visitor, "#batch-status", "Stopped: ")
    kept = int(re.search(r"Stopped: (\d) of 3", visitor.page.inner_text("#batch-status"))[1])
    assert 1 <= kept < 3
    assert len(cells(visitor, "#batch-counts")) == kept
    assert visitor.page.inner_text("#batch-start") == "Go on"
    visitor.page.click("#batch-start")
    wait_for(visitor, "#batch-status", "Done: 3 of 3 photos")
    assert len(cells(visitor, "#batch-counts")) == 3


def test_a_folder_of_the_operators_is_counted_for_all_visitors(visit, served: Served):
    visitor = visit(viewport={"width": 390, "height": 844})
    page = visitor.page
    visitor.open_tab("batch")
    page.click("#batch-folder input")
    page.click(f"[role=option]:has-text('{served.photos.name}')")
    page.fill("#batch-sentences textarea", "a whitefly")
    page.click("#batch-start")
    wait_for(visitor, "#batch-status", "Done: 2 of 2 photos")
    assert (served.archives / served.photos.name).is_dir()
    page.wait_for_selector("#batch-plot .js-plotly-plot")
    visitor.show("batch-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious_barriers(visitor) == []
    other = visit()
    other.open_tab("ask")
    other.page.wait_for_function(
        "name => document.querySelector('#ask-archive input').value === name", arg=served.photos.name
    )


def test_what_cannot_be_counted_is_said_and_the_button_comes_back(visit, tmp_path):
    visitor = visit()
    visitor.open_tab("batch")
    visitor.page.fill("#batch-sentences textarea", "a whitefly")
    visitor.page.click("#batch-start")
    wait_for(visitor, "#batch-status", "no photo yet")
    hostile = tmp_path / "hostile.zip"
    with zipfile.ZipFile(hostile, "w") as packed:
        packed.writestr("../../escape.jpg", b"x")
    upload(visitor, "#batch-files", hostile)
    visitor.page.click("#batch-start")
    wait_for(visitor, "#batch-status", "outside of its folder")
    visitor.page.wait_for_selector("#batch-start:enabled")
    assert cells(visitor, "#batch-counts") == []
