"""The commands adapt, calibrate and prompts tune, with the embedded encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_vectors import write_folders
from typer.testing import CliRunner

import agri_clip.cli  # noqa: F401 - registers the commands
from agri_clip.cli.options import app
from agri_clip.encoders import get_encoder
from agri_clip.encoders.adapted import AdaptedEncoder
from agri_clip.errors import AgriClipError
from agri_clip.prompts import PromptSet


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("labelled") / "crops", {"snark": "red", "boojum": "blue"}, 6)


def test_adapt_then_calibrate_gives_one_folder_that_is_an_encoder(crops: Path, tmp_path: Path) -> None:
    said = run("adapt", crops, "--out", tmp_path / "farm", "--method", "gda", "--seed", 1)
    assert "gate: examples save" in said
    assert "snark" in said
    said = run("calibrate", crops, "--encoder", tmp_path / "farm", "--precision", 0.9)
    assert "threshold for precision 0.9" in said
    made = get_encoder(tmp_path / "farm")
    assert isinstance(made, AdaptedEncoder)
    assert made.head is not None
    assert made.calibration is not None
    assert set(made.calibration.thresholds) == {"snark", "boojum"}


def test_prompts_tune_writes_a_prompt_set(crops: Path, tmp_path: Path) -> None:
    assert "apart" in run("prompts", "tune", crops, "--out", tmp_path / "tuned.yaml")
    assert PromptSet.load(tmp_path / "tuned.yaml").labels == ("boojum", "snark")


def test_calibrate_asks_for_a_place_where_the_encoder_is_no_folder_of_ours(crops: Path) -> None:
    with pytest.raises(AgriClipError, match="--out is missing"):
        run("calibrate", crops)
