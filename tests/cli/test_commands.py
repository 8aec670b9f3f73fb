"""The command line as a user meets it: files, tables, and exit status 0, 2 or 3."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from agri_clip.cli.options import SOME_FAILED, WRONG_COMMAND, Format
from agri_clip.encoders import BUILTIN
from agri_clip.encoders.base import KNOWN_WORDS
from tests.command_line import rows, run
from tests.conftest import ROOT
from tests.hostile import write_hostile_folder

SAMPLES = ROOT / "data" / "samples"


@pytest.fixture
def two_photos(tmp_path: Path) -> Path:
    folder = tmp_path / "my traps ü"
    folder.mkdir()
    for name in ("L1_2026-05-04.jpg", "T4_2026-05-11.jpg"):
        shutil.copy(SAMPLES / name, folder / name)
    return folder


def test_detect_writes_pictures_tables_and_counts(
    two_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results"
    assert run("detect", two_photos, "-p", "a ladybird", "-p", "a moth", "--out", out) == 0
    assert len(list((out / "annotated").glob("*.jpg"))) == 2
    table = rows(out / "detections.csv")
    assert len(table) > 0
    assert {row["label"] for row in table} <= {"a ladybird", "a moth"}
    counts = rows(out / "counts.csv")
    assert len(counts) == 2
    assert sum(int(row["a ladybird"]) for row in counts) == sum(row["label"] == "a ladybird" for row in table) > 0
    document = json.loads((out / "detections.json").read_text(encoding="utf-8"))
    assert document
    printed = capsys.readouterr()
    assert "a ladybird" in printed.out
    assert "T4_2026-05-11.jpg" in printed.out
    assert printed.err == ""


def test_detect_writes_every_format_that_is_asked_for(two_photos: Path, tmp_path: Path) -> None:
    wanted = [argument for name in Format for argument in ("--format", name.value)]
    out = tmp_path / "r"
    assert run("detect", two_photos, "-p", "an insect", "--out", out, "--no-pictures", *wanted) == 0
    names = {"detections.csv", "detections.json", "coco.json", "yolo", "voc", "label-studio", "counts.geojson"}
    names |= {"darwin-core.zip", "detections.parquet", "results.xlsx", "counts.csv", "failures.csv"}
    assert {path.name for path in out.iterdir()} == names
    found = len(rows(out / "detections.csv"))
    assert found > 0
    assert len(pd.read_parquet(out / "detections.parquet")) == len(pd.read_excel(out / "results.xlsx")) == found


def test_trap_and_date_come_from_the_file_name(two_photos: Path, tmp_path: Path) -> None:
    assert run("detect", two_photos, "-p", "an insect", "--out", tmp_path / "r", "--no-pictures") == 0
    assert {(row["trap"], row["taken"][:10]) for row in rows(tmp_path / "r" / "detections.csv")} == {
        ("", "2026-05-04"),  # a leaf: its name gives a day and no trap
        ("T4", "2026-05-11"),
    }
    assert not (tmp_path / "r" / "annotated").exists()


def test_hostile_files_are_clear_rows_and_the_good_ones_are_done(tmp_path: Path) -> None:
    folder = write_hostile_folder(tmp_path / "photos")
    assert len(folder.good) == 5
    assert len(folder.bad) >= 30
    out = tmp_path / "results"
    assert run("detect", folder.folder, "-p", "an insect", "--out", out) == SOME_FAILED
    failures = rows(out / "failures.csv")
    assert len(failures) == len(folder.bad)
    reasons = {row["photo"]: row["reason"] for row in failures}
    assert all("\n" not in reason and len(reason) > 15 for reason in reasons.values())
    assert len(list((out / "annotated").glob("*.jpg"))) == 5
    counts = rows(out / "counts.csv")
    assert len(counts) == len(folder.bad) + 5
    seen = [sum(int(row[name] or 0) for name in ("found", "other_insects", "not_insects")) for row in counts]
    assert sum(regions > 0 for regions in seen) == 5  # painted spots: regions, whatever they are taken for


def test_an_empty_folder_is_a_failure_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("detect", tmp_path / "empty", "-p", "a moth", "--out", tmp_path / "r") == SOME_FAILED
    assert [row["photo"] for row in rows(tmp_path / "r" / "failures.csv")] == [str(tmp_path / "empty")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["detect", "{photo}"], "nothing to look for"),
        (["detect", "{photo}", "-p", "  "], "prompt"),
        (["detect", "{photo}", "-p", "a moth", "--encoder", "no such encoder"], "no such encoder"),
        (["detect", "{photo}", "-p", "a moth", "--proposer", "nonsense"], "nonsense"),
        (["detect", "{photo}", "-p", "a moth", "--device", "abacus"], "abacus"),
        (["detect", "{photo}", "--prompts", "missing.yaml"], "missing.yaml"),
        (["detect", "{photo}", "-p", "a moth", "--card-size", "huge"], "huge"),
        (["detect", "{photo}", "-p", "a moth", "--format", "pdf"], "pdf"),
        (["evaluate", "--coco", "none.json", "--images", "{empty}", "--json", "{out}", "--proposals"], "none.json"),
        (["evaluate", "--coco", "{coco}", "--images", "{empty}", "--json", "{out}", "--proposals"], "holds none"),
        (["models", "fetch", "no such thing"], "no such thing"),
        (["detekt"], "detekt"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    places = {
        "photo": SAMPLES / "L1_2026-05-04.jpg",
        "empty": tmp_path / "empty",
        "out": tmp_path / "out.json",
        "coco": SAMPLES / "annotations.json",
    }
    filled = [argument.format(**places) for argument in arguments]
    if arguments[0] == "detect":
        filled += ["--out", str(tmp_path / "results")]
    assert run(*filled) == WRONG_COMMAND
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed


def test_evaluate_writes_the_figures_that_are_promised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--coco", SAMPLES / "annotations.json", "--images", SAMPLES, "--json", tmp_path / "figures.json"]
    assert run("evaluate", *common, "--proposals") == 0
    promised = {"ap", "ap50", "recall50", "boxes_per_insect", "precision", "recall", "f1"}
    promised |= {"count_mae", "count_mape", "count_bias"}
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert promised <= figures.keys()
    assert figures["recall50"] > 0.5
    assert figures["insects"] == len(json.loads((SAMPLES / "annotations.json").read_text())["annotations"])
    assert f"{figures['recall50']:.3f}" in capsys.readouterr().out


def test_evaluate_measures_the_whole_way(tmp_path: Path) -> None:
    common = ["--coco", SAMPLES / "annotations.json", "--images", SAMPLES, "--json", tmp_path / "figures.json"]
    assert run("evaluate", *common, "-p", "an insect") == 0
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert figures["ap50"] > 0.3
    assert figures["produced_by"]["encoder"] == "builtin"


def test_prompts_test_shows_winners_and_prompts_that_mean_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    photo = SAMPLES / "L1_2026-05-04.jpg"
    assert run("prompts", "test", photo, "-p", "a ladybird", "-p", "a ladybird beetle", "-p", "a green aphid") == 0
    printed = capsys.readouterr().out
    assert "margin" in printed
    assert "means the same" in printed


def test_a_prompt_longer_than_the_encoder_reads_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "a green aphid with " + " ".join("qxz" for _ in range(60))
    photo = SAMPLES / "L1_2026-05-04.jpg"
    assert run("detect", photo, "-p", sentence, "--out", tmp_path / "r", "--no-pictures") == 0
    assert "its end is not read" in capsys.readouterr().err


@pytest.fixture
def taught(tmp_path: Path) -> Path:
    """The embedded encoder, said to have learnt a few words only."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    for file in BUILTIN.iterdir():
        (folder / file.name).symlink_to(file)
    (folder / KNOWN_WORDS).unlink(missing_ok=True)
    (folder / KNOWN_WORDS).write_text("stink\nbeetle\nladybird\n", encoding="utf-8")
    return folder


def test_a_prompt_that_the_encoder_never_learnt_is_not_counted_unless_forced(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r"
    arguments = ["detect", SAMPLES / "L1_2026-05-04.jpg", "-p", "a red zorb", "-p", "a ladybird", "--encoder", taught]
    assert run(*arguments, "--out", out, "--no-pictures") == 0
    printed = capsys.readouterr()
    assert "'a red zorb': the encoder" in printed.err
    assert "so this prompt counts nothing" in printed.err
    assert "not counted" in printed.out
    (counts,) = rows(out / "counts.csv")
    assert counts["a red zorb"] == ""
    assert int(counts["a ladybird"]) == int(counts["found"]) > 0
    document = json.loads((out / "detections.json").read_text(encoding="utf-8"))
    assert document["produced_by"]["not_counted"] == ["a red zorb"]
    assert document["produced_by"]["force"] is False
    assert document["labels"][0]["found"] is None
    assert run(*arguments, "--out", out, "--no-pictures", "--force") == 0
    assert "counted all the same" in capsys.readouterr().err
    (forced,) = rows(out / "counts.csv")
    assert int(forced["a red zorb"]) >= 0
    made_by = json.loads((out / "detections.json").read_text(encoding="utf-8"))["produced_by"]
    assert made_by["force"] is True
    assert "not_counted" not in made_by


def test_a_word_that_the_encoder_never_saw_is_noted_and_stands_in_the_tables(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r"
    arguments = ["detect", SAMPLES / "L1_2026-05-04.jpg", "-p", "a lychee stink beetle", "--encoder", taught]
    assert run(*arguments, "--out", out, "--no-pictures") == 0
    told = capsys.readouterr().err
    assert told.count('never saw the word "lychee"; describe what it looks like') == 1
    made_by = json.loads((out / "detections.json").read_text(encoding="utf-8"))["produced_by"]
    assert made_by["unknown_words"] == {"a lychee stink beetle": ["lychee"]}


def test_a_set_of_many_labels_is_printed_row_by_row_with_few_notes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"qzx{chr(97 + n // 26)}{chr(97 + n % 26)} insect" for n in range(300)]
    (tmp_path / "many.yaml").write_text("targets:\n" + "".join(f"- {name}\n" for name in names), encoding="utf-8")
    arguments = ["detect", SAMPLES / "L1_2026-05-04.jpg", "--proposer", "contrast", "--prompts", tmp_path / "many.yaml"]
    assert run(*arguments, "--out", tmp_path / "r", "--no-pictures") == 0
    printed = capsys.readouterr()
    lines = [line for line in printed.out.splitlines() if line.startswith("│")]
    assert len([line for line in lines if "qzx" in line]) == 300
    assert all(len(line) <= 160 for line in lines)
    assert len(printed.err.splitlines()) < 40
    assert "more like these" in printed.err


def test_models_lists_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models") == 0
    printed = capsys.readouterr().out
    lines = {line.split()[1]: line.split()[3] for line in printed.splitlines() if line.startswith("│")}
    assert lines["builtin"] == "yes"
    assert lines["contrast"] == "yes"
    assert "openai/clip-vit-base-patch16" in lines


@pytest.mark.parametrize("name", ["builtin", "contrast"])
def test_fetching_what_ships_needs_no_network(name: str) -> None:
    assert run("models", "fetch", name) == 0


SCORED = ("--threshold", "--precision")
NUMBERS = {
    ("detect",): (*SCORED, "--context", "--mm-per-pixel", "--max-megapixels"),
    ("batch",): ("--context", "--mm-per-pixel", "--max-megapixels", "--patience"),
    ("track",): (*SCORED, "--context", "--mm-per-pixel"),
    ("evaluate",): ("--threshold", "--context"),
    **{(command,): SCORED for command in ("ask", "count", "report", "export")},
    ("app",): ("--keep-minutes", "--max-upload", "--max-megapixels", "--max-zip"),
    ("calibrate",): ("--precision",),
    ("prompts", "test"): ("--alike",),
}
WITHOUT_END = {"--precision", "--mm-per-pixel", "--max-megapixels", "--patience", "--keep-minutes", "--max-upload"}


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
@pytest.mark.parametrize(("command", "option"), [(c, option) for c, options in NUMBERS.items() for option in options])
def test_infinity_is_no_number(
    command: tuple[str, ...], option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*command, f"{option}={value}") == WRONG_COMMAND
    told = capsys.readouterr().err
    assert option in told
    if value == "inf" and option in WITHOUT_END:
        assert "finite" in told


def test_a_limit_as_large_as_numbers_go_ends_in_no_traceback(tmp_path: Path) -> None:
    arguments = ["detect", SAMPLES / "L1_2026-05-04.jpg", "-p", "an insect", "--proposer", "contrast", "--no-pictures"]
    assert run(*arguments, "--max-megapixels=1e308", "--out", tmp_path / "r") == 0


def test_a_size_prior_needs_a_scale_and_uses_it(tmp_path: Path) -> None:
    photo = SAMPLES / "L1_2026-05-04.jpg"
    lengths = []
    for scale in ("0.02", "0.05"):
        out = tmp_path / scale
        arguments = ["detect", photo, "-p", "an insect", "--mm-per-pixel", scale, "--out", out, "--no-pictures"]
        assert run(*arguments) == 0
        lengths.append([float(row["length_mm"]) for row in rows(out / "detections.csv")])
    assert max(lengths[1]) == pytest.approx(max(lengths[0]) * 2.5, rel=0.05)


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys; from agri_clip import cli; sys.exit(any(m in sys.modules for m in ('torch', 'cv2', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
