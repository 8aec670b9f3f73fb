"""`agri-clip models`: what is here, what to fetch, what is the default, and that every command uses the default."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agri_clip.cli.options import WRONG_COMMAND
from agri_clip.encoders import BUILTIN
from tests.command_line import run
from tests.conftest import ROOT

PHOTO = ROOT / "data" / "samples" / "L1_2026-05-04.jpg"


@pytest.fixture
def mine(tmp_path: Path, settings_file: Path) -> Path:  # noqa: ARG001 - settings of the test's own
    """An encoder folder of the user's own: a copy of the embedded one."""
    return Path(shutil.copytree(BUILTIN, tmp_path / "mine"))


def test_the_default_is_marked_in_the_list(capsys: pytest.CaptureFixture[str], settings_file: Path) -> None:
    def marked() -> list[str]:
        assert run("models") == 0
        lines = [line.split("│") for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
        return [cells[1].strip() for cells in lines if cells[3].strip() == "default"]

    assert marked() == ["builtin", "insect-yolo"]
    assert run("models", "use", "contrast") == 0
    assert marked() == ["builtin", "contrast"]
    settings_file.write_text("encoder: {", encoding="utf-8")
    assert marked() == ["builtin", "insect-yolo"]


def test_detect_uses_the_default_and_its_result_names_it(
    mine: Path, tmp_path: Path, settings_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def made_by(*options: object) -> dict[str, str]:
        out = tmp_path / "results"
        assert run("detect", PHOTO, "-p", "a ladybird", "--out", out, "--no-pictures", *options) == 0
        return json.loads((out / "detections.json").read_text(encoding="utf-8"))["produced_by"]

    assert run("models", "use", mine) == 0
    assert run("models", "use", "contrast") == 0
    capsys.readouterr()
    told = made_by()
    assert told["encoder"] == str(mine)
    assert told["proposer"].startswith("contrast ")
    note = f"note: encoder {mine} and proposer contrast: your default from {settings_file}"
    assert note in capsys.readouterr().err
    assert made_by("--encoder", "builtin")["encoder"] == "builtin"
    assert run("models", "use", "builtin") == 0
    assert made_by()["encoder"] == "builtin"


def test_a_default_that_cannot_be_used_ends_a_command_with_the_remedy(
    settings_file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings_file.parent.mkdir()
    settings_file.write_text("encoder: no-such-model\n", encoding="utf-8")
    assert run("detect", PHOTO, "-p", "a ladybird", "--out", tmp_path / "r") == WRONG_COMMAND
    told = capsys.readouterr().err
    assert f"error: {settings_file}: encoder: no encoder is called 'no-such-model'" in told
    assert "agri-clip models use builtin" in told


def test_the_page_uses_the_default(mine: Path) -> None:
    from agri_clip.ui.finding import Finder
    from agri_clip.ui.options import PageOptions

    assert run("models", "use", mine) == 0
    assert Finder(PageOptions(proposer="contrast")).encoder == str(mine)
    assert Finder(PageOptions(proposer="contrast", encoder="builtin")).encoder == "builtin"


def test_python_code_does_not_read_the_settings_file(mine: Path) -> None:
    from agri_clip.detector import Detector

    assert run("models", "use", mine) == 0
    assert Detector(proposer="contrast").encoder.name == "builtin"


@pytest.mark.usefixtures("hub_cache", "no_network", "settings_file")
@pytest.mark.parametrize("name", ["openai/clip-vit-base-patch16", "hf-hub:imageomics/bioclip-2"])
def test_what_was_not_fetched_is_refused_in_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "use", name) == WRONG_COMMAND
    said = f"error: {name} is not on this machine; fetch it first: agri-clip models fetch {name}\n"
    assert capsys.readouterr().err == said
    assert run("models", "fetch", name) == WRONG_COMMAND
    assert "the hub cannot be reached" in capsys.readouterr().err


@pytest.mark.usefixtures("hub_cache", "settings_file")
def test_recommend_prints_a_table_and_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "recommend", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert run("models", "recommend") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("This machine: ")
    for each in document["recommended"]:
        assert {"name", "here", "licence", "size", "figure", "source", "why", "commands"} <= each.keys()
        assert each["name"] in printed
        assert each["figure"] in printed
        assert all(command in printed for command in each["commands"])


@pytest.mark.parametrize("command", ["models", "models recommend", "models use builtin"])
def test_no_command_of_models_waits_for_torch(command: str) -> None:
    code = (
        "import sys\nfrom agri_clip import cli\n"
        f"try: cli.main({command.split()!r})\nexcept SystemExit: pass\n"
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'pandas', 'ultralytics')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL).returncode == 0
