"""Figures of a proposer whose boxes are known, and the same as `agri-clip evaluate` prints."""

from pathlib import Path

import pytest

from agri_clip.errors import ModelError
from agri_clip.evaluation.runs import measure_proposals
from agri_clip.formats import coco
from benchmarks import labelled
from benchmarks.labelled import LabelledSet, real_set, rendered_set
from benchmarks.proposers import judge, load_proposer, measure_proposer, set_figures
from fine_tune.synthetic import RenderedPhoto
from fine_tune.synthetic.scenes import PHOTO_KINDS
from tests.benchmarks.conftest import rendered
from tests.benchmarks.known import SquareProposer


@pytest.fixture(scope="module")
def grounds() -> LabelledSet:
    return rendered_set([rendered("yellow", True), rendered("leaf", False), rendered("yellow", True)], "ground")


def test_real_photos_give_what_evaluate_gives(labelled_folder: Path) -> None:
    figures = set_figures(judge(SquareProposer(), real_set(labelled_folder / "val.json", labelled_folder / "images")))
    report = measure_proposals(
        coco.read(labelled_folder / "val.json"),
        labelled_folder / "images",
        proposer=SquareProposer(),
        reading={"exif_orientation": False},
    )
    assert figures["ap50"]["value"] == pytest.approx(report["ap50"], abs=1e-6)
    assert figures["recall"]["value"] == pytest.approx(report["recall50"]) == 1
    assert figures["boxes_per_insect"]["value"] == pytest.approx(report["boxes_per_insect"], abs=1e-6) == 7 / 5
    low, high = figures["ap50"]["interval"]
    assert low <= figures["ap50"]["value"] <= high


def test_each_kind_of_ground_and_those_left_out(grounds: LabelledSet) -> None:
    kinds = measure_proposer(SquareProposer(), grounds, left_out=["leaf"])["kinds"]
    assert {kind: figure["value"] for kind, figure in kinds["each"].items()} == {"yellow": 1.0, "leaf": 0.0}
    assert [kinds[mean]["value"] for mean in ("mean", "mean_in", "mean_out")] == [0.5, 1.0, 0.0]
    assert kinds["each"]["yellow"]["interval"] == [1.0, 1.0]


def test_without_left_out_kinds_there_is_one_mean(grounds: LabelledSet) -> None:
    figures = measure_proposer(SquareProposer(), grounds)
    assert set(figures["kinds"]) == {"each", "mean"}
    assert "real" not in figures
    assert figures["rendered"]["recall"]["value"] == pytest.approx(2 / 3)


def test_a_proposer_that_is_not_here_is_known_before_it_is_measured() -> None:
    with pytest.raises(ModelError):
        load_proposer("no-such-proposer")


def test_rendered_photos_are_held_out_and_of_every_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def render_photo(*arguments: object) -> RenderedPhoto:
        asked.append(arguments)
        return rendered(tuple(PHOTO_KINDS)[len(asked) % len(PHOTO_KINDS)])

    monkeypatch.setattr(labelled, "render_photo", render_photo)
    photos = labelled.rendered_grounds(2, seed=5)
    assert asked == [("held-out", 5, number) for number in range(2 * len(PHOTO_KINDS))]
    assert photos.insects.tolist() == [1] * len(asked)
    assert [photos.kinds.count(kind) for kind in PHOTO_KINDS] == [2] * len(PHOTO_KINDS)


def test_rendered_traps_are_traps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled, "render_trap", lambda rng, kind: rendered(kind))  # noqa: ARG005
    traps = labelled.rendered_traps(2, seed=1)
    assert sorted(set(PHOTO_KINDS) - set(traps.kinds)) == ["leaf", "soil"]
    assert len(traps) == 2 * len(set(traps.kinds))


def test_some_photos_are_evenly_spaced_and_keep_their_insects(labelled_folder: Path) -> None:
    all_photos = real_set(labelled_folder / "val.json", labelled_folder / "images")
    two = real_set(labelled_folder / "val.json", labelled_folder / "images", most=2)
    assert two.truth.file_names == (all_photos.truth.file_names[0], all_photos.truth.file_names[-1])
    assert two.insects.tolist() == all_photos.insects[[0, 2]].tolist() == [3, 0]
    assert [photo.name for photo in two] == [photo.name for photo in all_photos][::2]
