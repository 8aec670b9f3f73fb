"""The commands that train and render, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agri_clip.cli.options import WRONG_COMMAND
from tests.command_line import run


def test_render_makes_a_folder_by_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run("render", "--pest", "aphid", "--pest", "Tuta absoluta", "--out", tmp_path, "--count", 2, "--size", 40) == 0
    )
    assert {folder.name: len(list(folder.glob("*.png"))) for folder in tmp_path.iterdir()} == {
        "aphid": 2,
        "tomato leafminer": 2,
    }
    assert str(tmp_path / "aphid") in capsys.readouterr().out


def test_render_of_an_unknown_pest_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("render", "--pest", "aphid", "--pest", "unicorn", "--out", tmp_path / "crops") == WRONG_COMMAND
    assert "no pest 'unicorn'" in capsys.readouterr().err
    assert not (tmp_path / "crops").exists()


@pytest.mark.parametrize(
    ("kept", "said"), [("new", "0.400 before, 0.500 after 50 steps"), ("old", "holds the old ones")]
)
def test_adapt_proposer_says_what_was_kept(
    kept: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from fine_tune.adapt import proposer

    asked: dict[str, Any] = {}

    def adapt(coco: Path, out: Path, **options: Any) -> proposer.ProposerResult:
        asked.update(options, coco=coco)
        return proposer.ProposerResult(out, 0.4, 0.5, 0.72, 0.71, kept, 60, 50, 3, 1)

    monkeypatch.setattr(proposer, "adapt_proposer", adapt)
    more = ("--also", "b.json", "--steps", 60, "--rendered", 5, "--seed", 2, "--fresh")
    assert run("adapt-proposer", "a.json", "--out", tmp_path / "mine", *more) == 0
    printed = capsys.readouterr().out
    assert said in printed
    assert "rendered photos of every ground: 0.720 before, 0.710 after" in printed
    assert f"--proposer {tmp_path / 'mine'}" in printed
    assert (asked["coco"], asked["also"], asked["resume"]) == (Path("a.json"), [Path("b.json")], False)
    assert asked["recipe"] == proposer.ProposerRecipe(steps=60, photos=5, seed=2)


def test_adapt_proposer_needs_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("adapt-proposer", tmp_path / "none.json", "--out", tmp_path / "mine") == WRONG_COMMAND
    assert "none.json: cannot be read" in capsys.readouterr().err


def test_a_box_without_a_label_is_told_where_the_rest_is_too_little(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((200, 200, 3), 120, np.uint8))
    boxes = [
        {"type": "rectanglelabels", "value": {"x": x, "y": 10, "width": 20, "height": 20, "rectanglelabels": labels}}
        for x, labels in ((5, ["aphid"]), (50, []))
    ]
    tasks = [{"data": {"image": "a.png"}, "annotations": [{"result": boxes}]}]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
    assert run("adapt", tmp_path / "tasks.json", "--images", tmp_path, "--out", tmp_path / "mine") == WRONG_COMMAND
    told = capsys.readouterr()
    assert "1 boxes have no label and were left out" in told.out
    assert "only 'aphid' is labelled" in told.err
