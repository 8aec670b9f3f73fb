"""The command and its page: absent models have no row, nothing tells of the machine, figures are those measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from agri_clip.encoders import EncoderInfo
from agri_clip.errors import ModelError
from agri_clip.regions import ProposerInfo
from benchmarks import encoders, models, present, proposers, whole_way
from benchmarks.labelled import rendered_set
from benchmarks.page import cell, percent, table, write_page
from tests.benchmarks.conftest import rendered
from tests.benchmarks.known import KnownEncoder, SquareProposer

runner = CliRunner()


def value(number: float) -> dict[str, Any]:
    return {"value": number, "interval": [number - 0.1, number + 0.1]}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs the command with known models; "broken" is listed as present and cannot be loaded."""

    def get_encoder(name: Any) -> Any:
        if name == "broken":
            raise ModelError("broken: no weights")
        return name if not isinstance(name, str) else KnownEncoder()

    def load_proposer(name: Any) -> Any:
        if name == "broken":
            raise ModelError("broken: no weights")
        return SquareProposer()

    listed = [("builtin", True), ("elsewhere", False), ("broken", True)]
    infos = [EncoderInfo(name, "", "", "", present=here) for name, here in listed]
    monkeypatch.setattr(models.encoder_registry, "available", lambda: infos)
    squares = [ProposerInfo("squares", "", 0, "", True), ProposerInfo("far", "", 20, "", False)]
    monkeypatch.setattr(models.proposer_registry, "available", lambda: squares)
    monkeypatch.setattr(encoders, "get_encoder", get_encoder)
    monkeypatch.setattr("agri_clip.detector.get_encoder", lambda name, device=None: get_encoder(name))  # noqa: ARG005
    monkeypatch.setattr(proposers, "load_proposer", load_proposer)
    monkeypatch.setattr(whole_way, "load_proposer", load_proposer)
    for name in ("rendered_grounds", "rendered_traps"):
        monkeypatch.setattr(models, name, lambda *_: rendered_set([rendered("yellow"), rendered("leaf")], "drawn"))
    monkeypatch.setattr(present, "describe_machine", lambda: "a processor")
    app = typer.Typer()
    app.command()(models.main)

    def run(*arguments: object) -> Any:
        monkeypatch.setattr("sys.argv", ["models.py", *map(str, arguments)])
        return runner.invoke(app, [str(a) for a in arguments], catch_exceptions=False)

    return run


def test_whole_run(command: Any, labelled_folder: Path, tmp_path: Path) -> None:
    out, figures = tmp_path / "page.md", tmp_path / "figures.json"
    small = ("--crops", 8, "--per-kind", 1, "--left-out", "without", "--left-out-kinds", "leaf")
    result = command("--photos", labelled_folder, "--out", out, "--json", figures, *small)
    assert result.exit_code == 0, result.output
    assert "broken is left out: broken: no weights" in result.output
    page, numbers = out.read_text(), json.loads(figures.read_text())
    rows = [line.split(" | ")[0].strip("| ") for line in page.splitlines() if line.startswith("|")]
    assert {"builtin", "squares", "without leaf"} <= set(rows)
    assert not {"elsewhere", "broken", "far"} & set(rows)
    assert "without a row: `elsewhere`, `broken`, `far`." in page
    assert str(tmp_path) not in page
    assert str(labelled_folder) not in page
    assert "--photos DIR --out page.md" in page
    (row,) = numbers["pipeline"]["rows"]
    assert (row["proposer"], row["encoder"]) == ("squares", "builtin")
    assert f"| squares | builtin | {cell(row['real']['ap50'])} |" in page
    assert percent(row["real"]["counting_error"]) in page
    assert "Speed" not in page


def test_parts_of_an_earlier_run_stay_and_say_when_they_were_made(command: Any, tmp_path: Path) -> None:
    first, second, out = tmp_path / "first.json", tmp_path / "second.json", tmp_path / "page.md"
    assert command("--only", "encoders", "--crops", 8, "--json", first).exit_code == 0
    before = json.loads(first.read_text())
    before["made"]["date"] = "2001-02-03"
    first.write_text(json.dumps(before))
    result = command("--only", "proposers", "--per-kind", 1, "--keep", first, "--json", second, "--out", out)
    assert result.exit_code == 0, result.output
    numbers, page = json.loads(second.read_text()), out.read_text()
    assert numbers["encoders"] == before["encoders"]
    assert numbers["earlier"]["encoders"]["date"] == "2001-02-03"
    assert "*Encoders*: measured before, on 2001-02-03" in page.replace("\n", " ")
    assert "## Proposers" in page
    assert "proposers" not in numbers["earlier"]
    assert "encoders" not in json.loads(first.read_text()).get("earlier", {})


def test_one_part_without_real_photos(command: Any) -> None:
    result = command("--only", "encoders", "--crops", "8", "--encoder", "some/folder", "--label", "seed 1")
    assert result.exit_code == 0, result.output
    assert "| seed 1 | " in result.output
    assert "| real crops |" not in result.output
    assert "`far`" not in result.output
    assert "Proposers" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("--left-out", "somewhere"),
        ("--left-out-kinds", "leaf"),
        ("--left-out", "somewhere", "--left-out-kinds", "moon"),
        ("--encoder", "a/b", "--encoder", "c/d", "--label", "one"),
        ("--encoder", "a/b", "--label", "builtin"),
    ],
)
def test_options_that_do_not_fit(command: Any, arguments: tuple[str, ...]) -> None:
    assert command("--only", "encoders", *arguments).exit_code == 2


def test_a_model_given_and_listed_is_one(tmp_path: Path) -> None:
    infos = [EncoderInfo("builtin", "", "", "", present=True), EncoderInfo("owner/far", "", "", "")]
    folder = tmp_path / "seed-1"
    folder.mkdir()
    chosen, absent = present.choose_models(infos, ["builtin", "owner/far", str(folder)])
    assert chosen == {"builtin": "builtin", "owner/far": "owner/far", "seed-1": str(folder)}
    assert absent == []


def test_the_command_names_no_folder_of_the_machine() -> None:
    arguments = ["--photos", "/data/traps", "--encoder=/home/me/run 1/model", "--out", "docs/a.md", "--speed"]
    assert present.command_line([*arguments, "--label", "seed 1", "--json", "../f.json"]) == (
        "python benchmarks/models.py --photos DIR --encoder=model --out docs/a.md --speed "
        '--label "seed 1" --json f.json'
    )


def test_cells() -> None:
    assert cell(value(0.5)) == "0.500 (0.400 to 0.600)"
    assert percent(value(0.5)) == "50.0 % (40.0 to 60.0)"
    assert cell(None) == percent(None) == cell({"value": None, "interval": None}) == "–"
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | --: |\n| x | 1 |"


def test_speed_says_what_was_compared() -> None:
    seconds = dict.fromkeys(("program", "regions", "crops", "texts", "scores"), 2.0)
    speed = {
        "proposer": "squares", "encoder": "known", "prompts": "greenhouse", "megapixels": 12.0, "insects": 150,
        "regions": 400, "texts": 90, "seconds": seconds, "ratio": 8.25, "ratio_texts_once": 1.5, "same_labels": 300,
        "labels": 300, "runs": [seconds] * 3,
    }  # fmt: skip
    made = {"command": "python", "date": "2026-01-01", "machine": "a processor", "versions": {"Python": "3"}}
    page = " ".join(write_page({"made": made, "absent": {}, "speed": speed}).split())
    assert "**8.2 times** as fast; had the naive one encoded the texts only once, it would be **1.5 times**" in page
    assert "same label to 300 of the 300 regions" in page
    assert "Not present" not in page
