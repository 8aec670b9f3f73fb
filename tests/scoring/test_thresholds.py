"""A wanted precision instead of a threshold: which score it means, what is counted, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from agri_clip import Detector, PromptSet
from agri_clip.detections import BACKGROUND, FOUND, OTHER
from agri_clip.errors import AgriClipError, DataError
from agri_clip.prompts import Target
from agri_clip.regions.base import Regions
from agri_clip.scoring import thresholds
from agri_clip.scoring.score import OBJECTNESS_WEIGHT, PRIOR, THRESHOLD
from agri_clip.scoring.thresholds import FittedThresholds, pair_of, read_table, threshold_for, write_row

#: Probability of an insect of the regions that `Row` gives.
INSECT = np.array([0.9, 0.64, 0.4, 0.2])


class Row:
    """A proposer that names four places in a row, from sure to unsure."""

    name, version = "row", "ultralytics 8.4.1 weights abc conf=0.1"

    def propose(self, photo: object) -> Regions:  # noqa: ARG002
        corners = np.array([[40 * i, 0] for i in range(4)], np.float32)
        objectness = expit((logit(INSECT) - PRIOR) / OBJECTNESS_WEIGHT)
        return Regions(np.concatenate([corners, corners + 20], axis=1), objectness.astype(np.float32))


class Undecided:
    """An encoder to which all pictures and texts are the same, so that objectness alone decides."""

    name, fingerprint, dim = "undecided", "f00d", 3
    activation, logit_scale, logit_bias = "softmax", 10.0, 0.0

    def encode_images(self, crops: list[np.ndarray]) -> np.ndarray:
        return self.encode_texts([""] * len(crops))

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        return np.tile(np.eye(1, self.dim, dtype=np.float32), (len(texts), 1))


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table with 0.3 for half, 0.5 for 0.8 and 0.7 for 0.9; the level 0.95 was not reached."""
    path = tmp_path / "thresholds.json"
    proposer, encoder = pair_of(Row(), Undecided())
    write_row(FittedThresholds(proposer, encoder, {0.5: 0.3, 0.8: 0.5, 0.9: 0.7}), path)
    monkeypatch.setattr(thresholds, "TABLE", path)
    return path


def statuses(prompts: str | PromptSet, **settings: object) -> list[int]:
    """Status of each region, from left to right."""
    detector = Detector(proposer=Row(), encoder=Undecided(), card=False, **settings)
    result = detector(np.full((20, 160, 3), 200, np.uint8), prompts)
    return result.status[np.argsort(result.boxes[:, 0])].tolist()


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("precision", "threshold"), [(0.3, 0.3), (0.5, 0.3), (0.6, 0.5), (0.8, 0.5), (0.85, 0.7), (0.9, 0.7)]
)
def test_between_two_rows_the_stricter_is_taken(precision: float, threshold: float) -> None:
    assert threshold_for(precision, Row(), Undecided()) == threshold


@pytest.mark.usefixtures("table")
def test_regions_are_counted_from_the_fitted_score_on_even_below_one_half() -> None:
    assert statuses("an insect") == [FOUND, FOUND, BACKGROUND, BACKGROUND]
    assert statuses("an insect", precision=0.5) == [FOUND, FOUND, FOUND, BACKGROUND]
    assert statuses("an insect", precision=0.9) == [FOUND, OTHER, BACKGROUND, BACKGROUND]


@pytest.mark.usefixtures("table")
def test_a_name_needs_the_usual_score_too_and_a_label_of_its_own_threshold_keeps_it() -> None:
    # Another insect is as likely, so the label's score is half of what the region is an insect with.
    assert statuses("a whitefly") == [FOUND, FOUND, BACKGROUND, BACKGROUND]
    assert statuses("a whitefly", precision=0.5) == [FOUND, FOUND, OTHER, BACKGROUND]
    own = PromptSet(targets=(Target(name="an insect", threshold=0.85),), negatives=PromptSet.of("an insect").negatives)
    assert statuses(own, precision=0.5) == [FOUND, OTHER, OTHER, BACKGROUND]


@pytest.mark.usefixtures("table")
def test_the_result_says_which_precision_and_which_threshold() -> None:
    detector = Detector(proposer=Row(), encoder=Undecided(), card=False, precision=0.6)
    made_by = detector(np.full((20, 160, 3), 200, np.uint8), "an insect").provenance
    assert made_by["precision"] == 0.6
    assert made_by["thresholds"] == {"an insect": 0.5}
    named = Detector(proposer=Row(), encoder=Undecided(), card=False, precision=0.5)
    assert named(np.full((20, 160, 3), 200, np.uint8), "a moth").provenance["thresholds"] == {"a moth": THRESHOLD}


@pytest.mark.usefixtures("table")
def test_a_precision_that_was_not_reached_is_refused_with_the_highest() -> None:
    with pytest.raises(
        AgriClipError, match=r"did not reach a precision of 0\.95 .*ask for 0\.9 at most, or give --thr"
    ):
        Detector(proposer=Row(), encoder=Undecided(), precision=0.95)


def test_models_without_a_table_are_refused_with_the_remedy(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Undecided()
    other.fingerprint = "beef"
    remedy = r"python -m fine_tune\.thresholds --proposer row --encoder undecided`, or give --threshold"
    with pytest.raises(AgriClipError, match=remedy):
        Detector(proposer=Row(), encoder=other, precision=0.8)
    monkeypatch.setattr(thresholds, "TABLE", table.parent / "none.json")
    with pytest.raises(AgriClipError, match=remedy):
        Detector(proposer=Row(), encoder=Undecided(), precision=0.8)
    # Nothing is read where no precision is asked for.
    table.write_text("{", encoding="utf-8")
    monkeypatch.setattr(thresholds, "TABLE", table)
    assert statuses("an insect")[0] == FOUND
    with pytest.raises(DataError, match=r"thresholds\.json: not a table of thresholds"):
        statuses("an insect", precision=0.8)


@pytest.mark.parametrize("settings", [{"precision": 0.8, "threshold": 0.3}, {"precision": 0.0}, {"precision": 80.0}])
def test_a_precision_out_of_range_or_beside_a_threshold_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(AgriClipError, match="precision"):
        Detector(proposer=Row(), encoder=Undecided(), **settings)


def test_a_row_replaces_that_of_the_same_pair_and_leaves_others(table: Path) -> None:
    proposer, encoder = pair_of(Row(), Undecided())
    assert "ultralytics" not in proposer
    write_row(FittedThresholds("contrast 2", encoder, {0.5: 0.4}, {"real": {"photos": 3}}), table)
    write_row(FittedThresholds(proposer, encoder, {}), table)
    rows = {row.proposer: row for row in read_table(table)}
    assert rows.keys() == {"contrast 2", proposer}
    assert rows["contrast 2"].thresholds == {0.5: 0.4}
    assert rows["contrast 2"].fitted_on == {"real": {"photos": 3}}
    assert json.loads(table.read_text(encoding="utf-8"))["rows"]
    with pytest.raises(AgriClipError, match=r"did not reach a precision of 0\.5 .*; give --threshold"):
        threshold_for(0.5, Row(), Undecided())


def test_the_library_that_runs_a_proposer_is_no_part_of_the_pair_but_its_settings_are() -> None:
    newer, other = Row(), Row()
    newer.version = newer.version.replace("8.4.1", "8.5.0")
    other.version = other.version.replace("conf=0.1", "conf=0.2")
    assert pair_of(newer, Undecided()) == pair_of(Row(), Undecided())
    assert pair_of(other, Undecided()) != pair_of(Row(), Undecided())
