"""The page as people use it, in a real browser."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from agri_clip.prompts import PromptSet
from agri_clip.ui.samples import sample_photos
from tests.ui.conftest import Served, Visitor

pytestmark = pytest.mark.xdist_group("page")

SAMPLE = sample_photos()[2]


def give_photo(visitor: Visitor, path: Path) -> None:
    visitor.page.set_input_files("#find-photo input[type=file]", str(path))


def find(visitor: Visitor, words: str = "an insect", path: Path = SAMPLE) -> None:
    """Give a photo, say what to look for, and wait for the counts."""
    page = visitor.page
    give_photo(visitor, path)
    page.wait_for_selector("#find-viewer img[src*=view]")
    page.fill("#find-sentences textarea", words)
    page.click("#find-start")
    page.wait_for_selector("#find-counts table")


def counts(visitor: Visitor, table: str = "#find-counts") -> dict[str, int]:
    rows = visitor.page.locator(f"{table} tbody tr").all()
    return {row.locator("th").inner_text(): int(row.locator("td").first.inner_text()) for row in rows}


def downloaded(visitor: Visitor, button: str) -> tuple[str, bytes]:
    with visitor.page.expect_download() as waited:
        visitor.page.click(button)
    return waited.value.suggested_filename, Path(waited.value.path()).read_bytes()


def test_somebody_finds_counts_hovers_zooms_and_takes_home(visit):
    visitor = visit()
    page = visitor.page
    find(visitor, "a whitefly\na fungus gnat")
    before = counts(visitor)
    assert set(before) == {"a whitefly", "a fungus gnat"}
    assert sum(before.values()) > 5
    assert page.locator("#find-crops figure").count() == sum(before.values())

    boxes = page.locator("#find-viewer rect[data-box]")
    assert boxes.count() == sum(before.values())
    boxes.first.hover(force=True)
    visitor.show("find")
    tip = page.locator("#find-viewer .tip")
    assert tip.inner_text().split("  ")[0] in before
    assert "px" in tip.inner_text()

    wide = page.locator("#find-viewer img").bounding_box()["width"]
    page.click("#find-viewer [data-do=closer]")
    assert page.locator("#find-viewer img").bounding_box()["width"] > wide * 1.3
    page.click("#find-viewer [data-do=whole]")

    name, table = downloaded(visitor, "#find-save-csv")
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"))))
    assert name == f"{SAMPLE.stem}-found.csv"
    assert len(rows) == sum(before.values())
    assert {row["photo"] for row in rows} == {SAMPLE.name}
    _, labels = downloaded(visitor, "#find-save-coco")
    assert len(json.loads(labels)["annotations"]) == len(rows)
    _, picture = downloaded(visitor, "#find-save-picture")
    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape[1] == cv2.imread(str(SAMPLE)).shape[1]

    page.fill("#find-threshold input[type=number]", "0.9")
    page.wait_for_function("n => document.querySelectorAll('#find-viewer rect[data-box]').length < n", arg=len(rows))
    after = counts(visitor)
    assert 0 <= sum(after.values()) < sum(before.values())
    assert page.locator("#find-viewer rect[data-box]").count() == sum(after.values())
    assert visitor.errors == []
    assert visitor.elsewhere == []


def test_an_example_is_one_click_away(visit):
    visitor = visit()
    visitor.page.click("#find-example-0")
    visitor.page.wait_for_selector("#find-viewer img[src*=view]")
    visitor.page.click("#find-start")
    visitor.page.wait_for_selector("#find-counts table")
    assert set(counts(visitor)) == set(PromptSet.load("greenhouse").labels)


def test_a_pest_is_found_in_the_list_by_any_of_its_names(visit):
    visitor = visit()
    page = visitor.page
    page.click("#find-pests input")
    page.keyboard.type("粉虱")
    assert page.locator("#find-pests [role=option]").count() > 0
    page.keyboard.press("Enter")
    assert "whitefly" in page.locator("#find-pests").inner_text().lower()


def test_what_is_missing_is_said_in_a_sentence(visit):
    visitor = visit()
    page = visitor.page
    page.click("#find-start")
    page.wait_for_selector("#find-status [role=alert]")
    assert "no photo yet" in page.inner_text("#find-status")
    give_photo(visitor, SAMPLE)
    page.wait_for_selector("#find-viewer img[src*=view]")
    page.click("#find-start")
    page.wait_for_function("document.querySelector('#find-status').innerText.includes('Nothing to look for')")


@pytest.mark.parametrize("name", ["drawing.jpg", "page.png"])
def test_what_only_poses_as_a_photo_is_refused_in_a_sentence(visit, tmp_path, name):
    path = tmp_path / name
    path.write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='document.title=\"run\"'></svg>")
    visitor = visit()
    give_photo(visitor, path)
    visitor.page.wait_for_selector("#find-status [role=alert]")
    said = visitor.page.inner_text("#find-status")
    assert name in said
    assert "Traceback" not in said
    assert visitor.page.title() != "run"


def test_markup_in_a_prompt_is_shown_as_text(visit):
    visitor = visit()
    evil = "<img src=x onerror=document.title='run'><b>fly</b>"
    find(visitor, evil)
    assert evil in counts(visitor)
    assert visitor.page.title() != "run"
    assert visitor.page.locator("#find-counts b, #find-crops b, #find-viewer b").count() == 0


def test_two_visitors_at_once_see_only_their_own(visit):
    one, other = visit(), visit()
    give_photo(one, sample_photos()[0])
    find(other, "a moth")
    one.page.fill("#find-sentences textarea", "an aphid")
    one.page.click("#find-start")
    one.page.wait_for_selector("#find-counts table")
    assert set(counts(one)) == {"an aphid"}
    assert sample_photos()[0].name in one.page.inner_text("#find-counts")
    assert set(counts(other)) == {"a moth"}
    assert SAMPLE.name in other.page.inner_text("#find-counts")
    third = visit()
    assert third.page.locator("#find-counts table").count() == 0


def test_nothing_found_before_stays_under_an_error(visit):
    visitor = visit()
    page = visitor.page
    find(visitor, "an insect")
    page.wait_for_selector("#find-save-csv:enabled")
    page.fill("#find-sentences textarea", "???")
    page.click("#find-start")
    page.wait_for_selector("#find-status [role=alert]")
    page.wait_for_selector("#find-save-csv:disabled")
    assert page.locator("#find-counts table, #find-crops figure, #find-viewer rect[data-box]").count() == 0
    assert page.locator("#find-viewer img[src*=view]").count() == 1  # the photo stays


def test_no_list_and_no_ranking_made_before_stays_under_an_error(visit, tmp_path):
    visitor = visit()
    page = visitor.page
    visitor.open_tab("pests")
    page.fill("#pests-sentences textarea", "a whitefly")
    page.click("#pests-make")
    page.wait_for_selector("#pests-save:enabled")
    page.fill("#pests-sentences textarea", "???")
    page.click("#pests-make")
    page.wait_for_selector("#pests-status [role=alert]")
    page.wait_for_selector("#pests-save:disabled")
    assert page.locator("#pests-table table").count() == 0

    crop = tmp_path / "crop.png"
    cv2.imwrite(str(crop), cv2.imread(str(SAMPLE))[1034:1099, 874:936])
    page.set_input_files("#pests-picture input[type=file]", str(crop))
    page.fill("#pests-phrasings textarea", "a black beetle\na white butterfly")
    page.click("#pests-try")
    page.wait_for_selector("#pests-ranked table")
    page.fill("#pests-phrasings textarea", "a black beetle")
    page.click("#pests-try")
    page.wait_for_selector("#pests-ranked table", state="detached")
    assert "two" in page.inner_text("#pests-status").lower()


def test_boxes_are_as_wide_on_the_screen_at_every_zoom(visit):
    visitor = visit(viewport={"width": 390, "height": 844})
    page = visitor.page
    find(visitor, "a whitefly")

    def width_on_screen() -> float:
        return page.evaluate(
            """() => {
              const rect = document.querySelector('#find-viewer rect[data-box]');
              return parseFloat(getComputedStyle(rect).strokeWidth) * rect.getScreenCTM().a;
            }"""
        )

    assert width_on_screen() == pytest.approx(2, abs=0.3)
    page.click("#find-viewer [data-do=closer]")
    page.click("#find-viewer [data-do=closer]")
    assert width_on_screen() == pytest.approx(2, abs=0.3)


def test_keys_count_while_a_choice_has_the_focus_and_none_is_lost(visit):
    visitor = visit()
    page = visitor.page
    find(visitor, "an insect")
    visitor.open_tab("check")
    page.wait_for_selector("#check-crop img")
    page.focus("#check-what input[type=radio]:checked")
    for _ in range(3):
        page.keyboard.press("1")
    page.wait_for_function("document.querySelector('#check-counts').innerText.includes('3 of 3 were right')")
    page.click("#check-else")
    page.wait_for_selector("#check-status [role=alert]")
    below = page.locator("#check-status").bounding_box()["y"] - page.locator("#check-else").bounding_box()["y"]
    assert 0 < below < 400


def test_answers_by_click_and_key_correct_the_counts_and_are_kept(visit, served: Served):
    others = set(served.answers.rglob("answers.jsonl"))
    visitor = visit()
    page = visitor.page
    find(visitor, "a whitefly\nan aphid")
    program = counts(visitor)
    visitor.open_tab("check")
    page.wait_for_selector("#check-crop img")
    page.click("#check-right")
    page.wait_for_function("document.querySelector('#check-counts').innerText.includes('1 of 1 were right')")
    page.keyboard.press("4")
    page.wait_for_function("document.querySelector('#check-counts').innerText.includes('1 of 2 were right')")
    page.fill("#check-instead input", "a beetle")
    page.keyboard.press("Enter")
    page.click("#check-else")
    page.wait_for_function("document.querySelector('#check-counts').innerText.includes('1 of 3 were right')")
    corrected = {
        row.locator("th").inner_text(): int(row.locator("td").nth(1).inner_text())
        for row in page.locator("#check-counts tbody tr").all()
    }
    assert sum(corrected.values()) == sum(program.values()) - 1
    assert corrected["a beetle"] == 1
    visitor.show("check")

    _, packed = downloaded(visitor, "#check-save-crops")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        lines = [json.loads(line) for line in archive.read("answers.jsonl").decode("utf-8").splitlines()]
        assert [line["verdict"] for line in lines] == ["right", "not an insect", "something else"]
        assert {line["crop"] for line in lines} < set(archive.namelist())
    (kept,) = set(served.answers.rglob("answers.jsonl")) - others
    assert kept.parent.parent == served.answers

    page.keyboard.press("b")
    page.wait_for_function("document.querySelector('#check-counts').innerText.includes('1 of 2 were right')")
    assert visitor.errors == []


def test_a_list_is_made_tried_kept_and_used(visit, tmp_path):
    visitor = visit()
    page = visitor.page
    visitor.open_tab("pests")
    page.fill("#pests-name input, #pests-name textarea", "My house")
    page.fill("#pests-sentences textarea", "a whitefly\na white fly\nan aphid")
    page.click("#pests-make")
    page.wait_for_selector("#pests-table table")
    assert "nearly the same name" in page.inner_text("#pests-status")
    name, saved = downloaded(visitor, "#pests-save")
    assert name == "My-house.yaml"
    path = tmp_path / name
    path.write_bytes(saved)
    assert PromptSet.load(path).labels == ("a whitefly", "a white fly", "an aphid")

    crop = tmp_path / "crop.png"
    cv2.imwrite(str(crop), cv2.imread(str(SAMPLE))[1034:1099, 874:936])
    page.set_input_files("#pests-picture input[type=file]", str(crop))
    page.fill("#pests-phrasings textarea", "a black beetle\na white butterfly")
    page.click("#pests-try")
    page.wait_for_selector("#pests-ranked table")
    assert page.locator("#pests-ranked tbody tr").count() == 2
    visitor.show("pests")

    path.write_text("targets:\n- 5\n- a: b\n")
    page.set_input_files("#pests-load input[type=file]", str(path))
    page.wait_for_selector("#pests-status [role=alert]")
    assert "line" in page.inner_text("#pests-status")


def test_the_page_speaks_chinese_to_a_chinese_browser(visit):
    visitor = visit(locale="zh-CN")
    assert visitor.page.inner_text("#find-start") == "查找"
    visitor.page.click("#find-start")
    visitor.page.wait_for_selector("#find-status [role=alert]")
    assert "还没有照片" in visitor.page.inner_text("#find-status")
    visitor.show("chinese")


def test_it_is_usable_on_a_phone(visit):
    visitor = visit(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = visitor.page
    find(visitor, "an aphid")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#find-start").bounding_box()["height"] >= 40
    page.locator("#find-viewer rect[data-box]").first.tap(force=True)
    assert "an aphid" in page.locator("#find-viewer .tip").inner_text()
    visitor.show("phone")


def test_it_is_usable_by_keyboard(visit):
    visitor = visit()
    page = visitor.page
    find(visitor, "an aphid")
    page.focus("#find-viewer .stage")
    page.keyboard.press("n")
    assert "an aphid" in page.locator("#find-viewer .tip").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#find-viewer .tip").is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_tab_has_a_serious_barrier_and_none_calls_elsewhere(visit, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    visitor = visit(color_scheme=scheme)
    find(visitor, "an aphid")
    assert len(visitor.tabs()) >= 4
    for name in visitor.tabs():
        visitor.open_tab(name)
        visitor.page.wait_for_timeout(500)
        found = axe.run(visitor.page).response["violations"]
        serious = [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")]
        assert serious == [], name
        visitor.show(f"{scheme}-{name}")
    assert visitor.elsewhere == []
    assert visitor.errors == []
