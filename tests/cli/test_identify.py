"""`agri-clip identify` as a user meets it: the printed answer, files, and exit status 0, 2 or 3."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from agri_clip.cli.options import SOME_FAILED, WRONG_COMMAND
from tests.command_line import rows, run
from tests.conftest import ROOT
from tests.painted_insects import BLACK, GREEN, RED, WHITE, FixedProposer, PaintedEncoder, paint

SAMPLES = ROOT / "data" / "samples"


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of painted photos, and models that know what they show."""
    from PIL import Image

    import agri_clip.detector

    proposer = FixedProposer([[10, 10, 40, 40], [100, 100, 160, 160]], [0.9, 0.8])
    monkeypatch.setattr(agri_clip.detector, "get_proposer", lambda *_args, **_options: proposer)
    monkeypatch.setattr(agri_clip.detector, "get_encoder", lambda *_args, **_options: PaintedEncoder())
    folder = tmp_path / "my photos ü"
    folder.mkdir()
    two = paint(WHITE, ((10, 10, 40, 40), RED), ((100, 100, 160, 160), GREEN))
    Image.fromarray(two).save(folder / "two.png")
    Image.fromarray(paint(BLACK)).save(folder / "beetle.png")
    return folder


def test_the_answer_is_printed_with_the_best_names(painted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("identify", painted, "--no-card") == 0
    printed = capsys.readouterr()
    assert "a beetle; perhaps a ladybird" in printed.out
    # The table may break a line between the two words.
    assert "Leptinotarsa" in printed.out
    assert "decemlineata" in printed.out
    assert "leaf beetle 0." in printed.out
    assert "note: " in printed.err


def test_every_region_is_counted_by_its_answer(
    painted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, document = tmp_path / "out" / "a.csv", tmp_path / "out" / "a.json"
    assert run("identify", painted / "two.png", "--regions", "--no-card", "--csv", table, "--json", document) == 0
    assert {row["name"] for row in rows(table)} == {"ladybird", "beetle"}
    insects = json.loads(document.read_text(encoding="utf-8"))["photos"][0]["insects"]
    assert {insect["answer"]["rank"] for insect in insects} == {"group", "order"}
    assert "ladybird" in capsys.readouterr().out


def test_a_folder_gets_pictures_and_tables(painted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (painted / "broken.jpg").write_bytes(b"no picture")
    out = tmp_path / "results"
    assert run("identify", painted, "--no-card", "--out", out, "--lang", "de") == SOME_FAILED
    assert {path.name for path in (out / "annotated").iterdir()} == {"two.jpg", "beetle.jpg"}
    table = rows(out / "identifications.csv")
    assert len(table) == 3
    assert {Path(row["photo"]).name: bool(row["failed"]) for row in table} == {
        "beetle.png": False,
        "broken.jpg": True,
        "two.png": False,
    }
    assert [Path(row["photo"]).name for row in rows(out / "failures.csv")] == ["broken.jpg"]
    assert json.loads((out / "identifications.json").read_text(encoding="utf-8"))["language"] == "de"
    printed = capsys.readouterr()
    assert "Käfer; vielleicht Marienkäfer" in printed.out
    assert "failed: " in printed.out
    assert "1 of 3 photos could not be read" in printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lang", "xx"], "languages are en"),
        (["--encoder", "no such encoder"], "no such encoder"),
        (["--proposer", "nonsense"], "nonsense"),
        (["--views", "3"], "views"),
        (["--prompt", "a moth"], "prompt"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("identify", SAMPLES / "L1_2026-05-04.jpg", *arguments) == WRONG_COMMAND
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed


def test_the_embedded_models_answer_for_any_photo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(SAMPLES / "T4_2026-05-11.jpg", tmp_path / "T4_2026-05-11.jpg")
    assert run("identify", tmp_path, "--regions", "--csv", tmp_path / "a.csv") == 0
    table = rows(tmp_path / "a.csv")
    assert len(table) > 3
    assert {row["rank"] for row in table} <= {"species", "family", "group", "order", "insect"}
    assert all(0 <= float(row["likeness_1"]) <= 1 for row in table)
    assert capsys.readouterr().out
