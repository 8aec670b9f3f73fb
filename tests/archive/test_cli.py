"""The commands of a season as a technician meets them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.archive.conftest import draw_card
from tests.command_line import rows, run


@pytest.fixture
def season(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "season"))


def batch(photos: Path, season: Path, *more: str) -> int:
    return run("batch", photos, "--archive", season, "--proposer", "contrast", "--no-card", *more)


def test_batch_fills_goes_on_and_asks(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(photos, tmp_path / "photos")
    place = tmp_path / "another"
    assert batch(folder, place, "-p", "a house fly", "-p", "a ladybird") == 3  # one photo is broken
    first = capsys.readouterr()
    assert "14 photos done, 1 of them failed, 1 are copies" in first.out
    assert "T2_2026-06-29.jpg: is a" in first.err
    assert "--retry-failed" in first.err
    for trap in ("T1", "T2", "T3", "all"):
        assert trap in first.out
    draw_card(folder / "T2" / "T2_2026-06-29.jpg", 5)
    assert batch(folder, place, "-p", "a house fly") == 0
    second = capsys.readouterr()
    assert "13 photos are in the archive already" in second.out
    assert "1 photos done, 0 of them failed" in second.out
    assert batch(folder, place) == 0
    assert batch(folder, place, "--context", "1.6") == 2
    assert "context was 1.25, now 1.6" in capsys.readouterr().err


def test_ask_counts_by_trap_and_writes_tables(season: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "asked"
    where = "trap = 'T1' AND day >= '2026-06-08'"
    assert run("ask", season, "-p", "an insect", "--where", where, "--out", out, "--format", "csv") == 0
    printed = capsys.readouterr().out
    assert "T1" in printed
    assert "T2" not in printed
    counts = rows(out / "counts.csv")
    assert [row["trap"] for row in counts] == ["T1"] * 3
    assert sum(int(row["an insect"]) for row in counts) == len(rows(out / "detections.csv"))


def test_ask_without_prompts_takes_those_of_the_last_batch(
    photos: Path, season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("ask", season) == 2
    assert "no batch was given prompts" in capsys.readouterr().err
    assert batch(photos, season, "-p", "a ladybird", "-p", "a moth") == 3  # the broken photo failed before
    capsys.readouterr()
    assert run("ask", season) == 0
    printed = capsys.readouterr().out
    assert "a ladybird" in printed
    assert "a moth" in printed


def test_search_makes_a_sheet_and_a_table(season: Path, photos: Path, tmp_path: Path) -> None:
    sheet, table = tmp_path / "sheet.png", tmp_path / "found.csv"
    assert run("search", season, "--text", "a black beetle", "--top", 10, "--out", sheet, "--csv", table) == 0
    assert Image.open(sheet).width > 500
    found = pd.read_csv(table, encoding="utf-8-sig")
    assert len(found) == 10
    assert found["similarity"].is_monotonic_decreasing
    assert {"name", "trap", "day", "x1", "length_px"} <= set(found.columns)
    example = photos / "T1" / "T1_2026-06-08.jpg"
    assert run("search", season, "--image", example, "--out", sheet, "--where", "trap = 'T2'") == 0
    assert run("search", season, "--out", sheet) == 2
    assert run("search", season, "--text", "a fly", "--out", sheet, "--where", "pest = 1") == 2


def test_search_shows_regions_of_photos_without_trap_or_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, place = tmp_path / "photos", tmp_path / "archive"
    draw_card(folder / "IMG_0001.jpg", 1)
    draw_card(folder / "T4.jpg", 2)
    draw_card(folder / "2026-06-01.jpg", 3)
    assert batch(folder, place) == 0
    sheet, table = tmp_path / "sheet.jpg", tmp_path / "found.csv"
    assert run("search", place, "--text", "a fly", "--top", 40, "--out", sheet, "--csv", table) == 0
    printed = capsys.readouterr().out
    assert "nan" not in printed.casefold()
    assert "IMG_0001.jpg" in printed
    assert sheet.is_file()
    found = rows(table)
    assert {(row["trap"], row["day"]) for row in found} == {("", ""), ("T4", ""), ("", "2026-06-01")}


def test_label_names_what_stands_in_a_photo(season: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "names.csv"
    assert run("label", "--archive", season, "--photo", "T3_2026-06-08", "--top", 4, "--csv", table) == 0
    named = pd.read_csv(table, encoding="utf-8-sig")
    assert len(named) == 4
    assert named["photo"].str.contains("T3_2026-06-08").all()
    assert named["name_1"].iloc[0] in capsys.readouterr().out
    assert run("label", "--archive", season, "--photo", "T3%06-08", "--csv", table) == 0
    assert len(pd.read_csv(table, encoding="utf-8-sig")) == 0  # letters stand for themselves


def test_export_writes_formats(season: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    assert run("export", season, "-p", "an insect", "--format", "coco", "--format", "csv", "--out", out) == 0
    assert (out / "coco.json").is_file()
    assert (out / "detections.csv").is_file()


def test_count_by_trap_and_week_with_thresholds(
    season: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "counts.csv"
    asked = ("-p", "a whitefly", "-p", "a thrips", "--by", "trap,week", "--csv", table)
    assert run("count", season, *asked, "--thresholds", "greenhouse") == 0
    counted = rows(table)
    assert {row["trap"] for row in counted} == {"T1", "T2", "T3"}
    # The broken photo is missed on its own trap and in its own week.
    assert {(row["trap"], row["week"]) for row in counted if row["failed"] != "0"} == {("T2", "2026-W27")}
    assert {row["week"] for row in counted if row["trap"] == "T1"} == {"2026-W23", "2026-W24", "2026-W25", "2026-W26"}
    assert {"action_threshold", "over", "per_day", "threshold"} <= set(counted[0])
    assert "T1" in capsys.readouterr().out
    assert run("count", season, "-p", "a fly", "--by", "trap,year") == 2
    assert "year" in capsys.readouterr().err


def test_groups_in_which_every_photo_failed_are_printed(season: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("fly", "moth", "bee", "wasp", "ant", "mite", "spider")
    asked = [argument for name in names for argument in ("-p", f"a {name}")]
    assert run("count", season, *asked, "--by", "trap,week") == 0
    printed = capsys.readouterr().out
    assert "rows with a count of 0 are not shown" in printed
    assert printed.count("2026-W27") == len(names)  # T2's broken photo


def test_cards_of_unknown_traps_are_told_and_letter_case_does_not_matter(
    season: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("count", season, "-p", "an insect", "--by", "trap,day", "--csv", tmp_path / "counts.csv")
    cards = tmp_path / "cards.csv"
    cards.write_text("trap,placed\nT99,2026-05-20\n")
    assert run(*asked, "--cards", cards) == 0
    told = capsys.readouterr().err
    assert "no photo is of trap T99" in told
    assert "none is given for trap T1, T2, T3" in told
    cards.write_text("trap,placed\nt1,2026-05-20\nT2,2026-05-20\nT3,2026-05-20\n")
    assert run(*asked, "--cards", cards) == 0
    assert "cards:" not in capsys.readouterr().err
    first = next(row for row in rows(tmp_path / "counts.csv") if row["trap"] == "T1")
    assert float(first["days"]) == 12


def test_a_condition_that_fits_nothing_is_told_with_the_traps(
    season: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = ("--where", "trap = 'zzz'")
    for command in (
        ("ask", season, "-p", "a fly", *nothing),
        ("count", season, "-p", "a fly", *nothing),
        ("search", season, "--text", "a fly", "--out", tmp_path / "sheet.jpg", *nothing),
        ("label", "--archive", season, *nothing),
        ("label", "--archive", season, "--photo", "nosuch"),
        ("label", "--archive", season, "--photo", "T1", "--photo", "nosuch"),
    ):
        assert run(*command) == 0
        told = capsys.readouterr().err
        assert told.count(" fits ") == 1
        assert "nosuch" in told or "zzz" in told
        assert "traps are T1, T2, T3" in told


@pytest.mark.parametrize(
    "where",
    [
        "1=1; drop table photos",
        "trap = 'T1' nonsense",
        "trap = 'T1' LIMIT 1",
        "trap = 'T1') LIMIT (1",
        "trap = 'T1",
        "trap",
        "pest = 1",
    ],
)
def test_a_condition_is_one_expression_or_an_error(
    season: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    assert run("ask", season, "-p", "a fly", "--where", where) == 2
    assert "cannot be used" in capsys.readouterr().err
    assert run("search", season, "--text", "a fly", "--out", tmp_path / "sheet.jpg", "--where", where) == 2
    assert "cannot be used" in capsys.readouterr().err


def test_a_condition_may_hold_what_only_looks_like_an_end(season: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = "trap IN ('T1', 'a;b', 'c)') AND (day >= '2026-06-01') -- June"
    assert run("ask", season, "-p", "a fly", "--where", where) == 0
    printed = capsys.readouterr()
    assert "T1" in printed.out
    assert printed.err == ""


def test_new_only_opens_the_photos_and_marks_what_hung_there_before(season: Path, tmp_path: Path) -> None:
    table = tmp_path / "counts.csv"
    assert run("count", season, "-p", "an insect", "--by", "trap,day", "--new-only", "--csv", table) == 0
    counted = [row for row in rows(table) if row["trap"] == "T1"]
    assert all(row["new"] == row["count"] for row in counted)  # every card is another one


def test_report_is_one_file_with_counts_and_pictures(season: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    asked = ("-p", "an insect", "--out", page, "--title", "A small season")
    assert run("report", season, *asked) == 0
    text = page.read_text(encoding="utf-8")
    assert "A small season" in text
    assert text.count("data:image/jpeg;base64") >= 12
    assert "T2_2026-06-29.jpg" in text  # the failure
    assert "no trap id" not in text  # of which nothing is counted, so that it is no trap without a name


def test_archive_commands(season: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("archive", "info", season) == 0
    assert "12 done, 1 failed, 1 copies of others" in capsys.readouterr().out
    assert run("archive", "verify", season) == 0
    assert run("archive", "compact", season) == 0
    assert run("archive", "verify", season) == 0
    shutil.rmtree(season / "runs.lance" / "data")
    assert run("archive", "verify", season) == 3
    assert "table runs" in capsys.readouterr().out
    assert run("ask", season.parent / "none", "-p", "a fly") == 2
    assert "there is no such archive" in capsys.readouterr().err


def test_words_that_the_encoder_never_learnt_are_not_searched_or_counted_unless_forced(
    season: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet, table = tmp_path / "sheet.png", tmp_path / "counts.csv"
    assert run("search", season, "--text", "a frumious zorb", "--out", sheet) == 2
    told = capsys.readouterr().err
    assert "nothing to search by" in told
    assert "or add --force" in told
    assert run("search", season, "--text", "a frumious zorb", "--out", sheet, "--force") == 0
    asked = ("count", season, "-p", "a frumious zorb", "-p", "a fly", "--by", "trap", "--csv", table)
    assert run(*asked) == 0
    assert {row["label"]: row["count"] == "" for row in rows(table)} == {"a frumious zorb": True, "a fly": False}
    assert run(*asked, "--force") == 0
    assert all(row["count"] != "" for row in rows(table))


def test_a_batch_goes_on_with_the_archives_own_models(
    season: Path, photos: Path, settings_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("models", "use", "insect-yolo+contrast") == 0
    assert run("batch", photos, "--archive", season, "--no-card") == 3  # the broken photo failed before
    printed = capsys.readouterr()
    assert "was filled with encoder builtin and proposer contrast, and the batch goes on with them" in printed.err
    assert "0 photos done" in printed.out
    assert settings_file.is_file()
