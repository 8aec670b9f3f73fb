"""The benchmarks of adapting the proposer and of calibration: nothing is measured on what was learnt from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from agri_clip.formats import coco
from agri_clip.photos.photo import Photo, read_photo
from agri_clip.regions import Regions
from benchmarks import adapt_proposer, calibration
from benchmarks.labelled import LabelledSet, rendered_set
from fine_tune.adapt.proposer import ProposerResult
from fine_tune.synthetic import render_trap, split_rng


@pytest.fixture(scope="module")
def traps() -> LabelledSet:
    photos = [
        render_trap(split_rng("held-out", 3, i), size=(400, 300), insects={"whitefly": 3, "house fly": 2})
        for i in range(3)
    ]
    return rendered_set(photos, "trap")


def test_the_old_camera_keeps_boxes_on_their_insects(traps: LabelledSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapt_proposer, "SEEN", 200)
    plain, old = (adapt_proposer.some(traps, [2, 0], 0, old=camera) for camera in (False, True))
    assert [photo.pixels.shape for photo in old] == [(150, 200, 3)] * 2
    np.testing.assert_array_equal(old.truth.sizes, [[200, 150]] * 2)
    np.testing.assert_allclose(old.truth.boxes, plain.truth.boxes / 2)
    assert [photo.name for photo in plain] == ["trap-00000", "trap-00002"]
    again = adapt_proposer.some(traps, [0, 2], 0, old=True)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(old, again, strict=True))


def test_the_files_for_adapting_say_what_the_set_says(traps: LabelledSet, tmp_path: Path) -> None:
    file = adapt_proposer.write_coco(traps, tmp_path / "photos")
    read = coco.read(file)
    labelled, given = (
        sorted(zip(truth.photo_index.tolist(), truth.boxes.tolist(), strict=True)) for truth in (read, traps.truth)
    )
    assert labelled == given
    for name, photo in zip(read.file_names, traps, strict=True):
        np.testing.assert_array_equal(read_photo(file.parent / name).pixels, photo.pixels)


@pytest.mark.parametrize(("after", "status"), [(0.5, 0), (0.1, 1)])
def test_it_fails_where_the_field_is_found_worse(
    after: float, status: int, traps: LabelledSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    learnt: list[int] = []

    def learn(labels: Path, out: Path, **_: Any) -> ProposerResult:
        learnt.append(len(coco.read(labels).file_names))
        return ProposerResult(out, 0.2, after, 0.2, 0.2, "new", 1, 1, 1, 1)

    def judge(proposer: str, tried: LabelledSet) -> float:  # noqa: ARG001
        return 0.2 if proposer == "insect-yolo" else after

    monkeypatch.setattr(adapt_proposer, "field_photos", lambda *_: traps)
    monkeypatch.setattr(adapt_proposer, "rendered_grounds", lambda *_: traps)
    monkeypatch.setattr(adapt_proposer, "adapt_proposer", learn)
    monkeypatch.setattr(adapt_proposer, "YoloProposer", lambda name: name)
    monkeypatch.setattr(adapt_proposer, "judge", judge)
    monkeypatch.setattr(adapt_proposer, "set_figures", lambda value: {"ap50": {"value": value, "interval": None}})
    try:
        adapt_proposer.main(learnt=2, out=tmp_path / "figures.json")
        ended = 0
    except typer.Exit as exit_:
        ended = exit_.exit_code
    assert (ended, learnt) == (status, [2])
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures["after"]) == {"field", "as they were", "every ground"}
    with pytest.raises(typer.BadParameter, match="some must be left"):
        adapt_proposer.main(learnt=3)


def test_only_what_is_asked_for_is_labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "TRAPS", 1)
    monkeypatch.setattr(calibration, "INSECTS", (2, 3))
    halves = [coco.read(calibration.write_traps(tmp_path / part, 0, part)) for part in ("fit", "test")]
    assert {*halves[0].category_names} == set(calibration.ASKED)
    assert 0 < len(halves[0].boxes) <= 3 * len(calibration.ASKED)
    photos = [read_photo(tmp_path / part / "0.jpg").pixels for part in ("fit", "test")]
    assert not np.array_equal(*photos)


def test_a_photo_is_gone_through_once() -> None:
    asked: list[str] = []

    class Counting:
        name, version = "counting", "1"

        def propose(self, photo: Photo) -> Regions:
            asked.append(photo.name)
            return Regions(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    keeping = calibration.Keeping(Counting())
    for name in ("a", "b", "a"):
        keeping.propose(Photo(np.zeros((4, 4, 3), np.uint8), name))
    assert asked == ["a", "b"]
