"""The whole way with parts whose answers are known, against `agri-clip evaluate`."""

from pathlib import Path

import pytest

from agri_clip.detector import Detector
from agri_clip.evaluation.runs import measure_detections
from agri_clip.formats import coco
from agri_clip.prompts import PromptSet
from benchmarks.labelled import LabelledSet, real_set
from benchmarks.whole_way import RememberingProposer, choose_threshold, measure_whole_way, run
from tests.benchmarks.known import KnownEncoder, SquareProposer


@pytest.fixture(scope="module")
def sets(labelled_folder: Path) -> dict[str, LabelledSet]:
    return {name: real_set(labelled_folder / f"{name}.json", labelled_folder / "images") for name in ("val", "train")}


@pytest.fixture(scope="module")
def figures(sets: dict[str, LabelledSet]) -> dict:
    return measure_whole_way(SquareProposer(), KnownEncoder(), sets["val"], sets["val"], sets["train"])


def test_figures_are_those_of_evaluate(labelled_folder: Path, figures: dict) -> None:
    report = measure_detections(
        coco.read(labelled_folder / "val.json"),
        labelled_folder / "images",
        Detector(proposer=SquareProposer(), encoder=KnownEncoder()),
        PromptSet.of("an insect"),
        reading={"exif_orientation": False},
    )
    for name in ("ap50", "precision", "recall", "f1"):
        assert figures["real"][name]["value"] == pytest.approx(report[name], abs=1e-6)
    assert figures["real"]["precision"]["value"] == pytest.approx(4 / 5)
    assert figures["real"]["counting_error_default"]["value"] == pytest.approx(report["count_mape"], abs=1e-6)
    assert figures["traps"] == {name: figures["real"][name] for name in ("precision", "recall", "f1")}


def test_threshold_is_chosen_on_train_alone(sets: dict[str, LabelledSet], figures: dict) -> None:
    detector = Detector(proposer=SquareProposer(), encoder=KnownEncoder())
    on_val, on_train = (choose_threshold(run(detector, sets[name])) for name in ("val", "train"))
    assert on_val is not None
    assert on_train is not None
    assert on_val < on_train == figures["real"]["threshold"]
    # With the weak ones left out each photo of val counts one insect, of 3 and of 2; with them two and three.
    assert figures["real"]["counting_error"]["value"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert figures["real"]["counting_error_default"]["value"] == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_without_train_no_threshold_is_chosen(sets: dict[str, LabelledSet]) -> None:
    figures = measure_whole_way(SquareProposer(), KnownEncoder(), sets["train"], sets["val"])
    assert "threshold" not in figures["real"]
    assert "counting_error" not in figures["real"]


def test_a_photo_is_proposed_once_for_all_encoders(sets: dict[str, LabelledSet]) -> None:
    squares = SquareProposer()
    proposer = RememberingProposer(squares)
    first = measure_whole_way(proposer, KnownEncoder(), sets["val"])
    asked = squares.asked
    assert asked == len(sets["val"]) + 1  # and once to see that it runs
    assert measure_whole_way(proposer, KnownEncoder(), sets["val"]) == first
    assert squares.asked == asked


def test_no_insect_gives_no_threshold(sets: dict[str, LabelledSet]) -> None:
    outcome = run(Detector(proposer=SquareProposer(), encoder=KnownEncoder()), sets["val"])
    outcome.insect[:] = False
    assert choose_threshold(outcome) is None
