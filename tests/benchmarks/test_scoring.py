"""What joining and lengths do, on boxes and crops whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agri_clip.detector import Detector
from benchmarks.labelled import real_set
from benchmarks.scoring import GROUPS_ON_A_TRAP, OF_EACH, Judged, counted, joined_boxes, right_names, trap_of_some
from tests.benchmarks.known import KnownEncoder, SquareProposer

BOXES = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [40, 0, 50, 10]], np.float32)


@pytest.fixture
def detector() -> Detector:
    return Detector(SquareProposer(), KnownEncoder())


def test_the_weight_decides_which_of_two_overlapping_boxes_stays(detector: Detector) -> None:
    photo = Judged(BOXES, np.array([0.9, 0.2, 0.6], np.float32), np.array([0.3, 0.8, 0.6], np.float32))
    by_encoder, by_proposer = (joined_boxes([photo], detector, weight, 0.0) for weight in (0.0, 1.0))
    assert by_encoder.xyxy[:, 0].tolist() == [1, 40]
    assert by_proposer.xyxy[:, 0].tolist() == [0, 40]
    assert by_proposer.scores == pytest.approx([0.9, 0.6])


def test_the_prior_counts_less_and_drops_no_box(detector: Detector) -> None:
    photo = Judged(BOXES[::2], np.full(2, 0.6, np.float32), np.full(2, 0.6, np.float32))
    plain, less = (joined_boxes([photo], detector, 0.5, prior) for prior in (0.0, -1.0))
    assert plain.counted.all()
    assert len(less) == 2
    assert not less.counted.any()


def test_counted_boxes_are_judged_by_the_labels(labelled_folder: Path, detector: Detector) -> None:
    labelled = real_set(labelled_folder / "val.json", labelled_folder / "images")
    truth = labelled.truth
    here = truth.boxes[truth.photo_index == 0].astype(np.float32)
    far = here[:1] + 500
    sure = np.full(len(here) + 1, 0.9, np.float32)
    boxes = joined_boxes([Judged(np.concatenate([here, far]), sure, sure)], detector, 0.5, 0.0)
    precision, f1, too_many = counted(boxes, labelled)
    total = int(labelled.insects.sum())
    assert precision == pytest.approx(len(here) / (len(here) + 1))
    assert f1 == pytest.approx(2 * len(here) / (len(here) + 1 + total))
    assert too_many == pytest.approx((len(here) + 1) / total - 1)


def test_a_trap_holds_what_it_says_and_its_insects_are_all_asked_for() -> None:
    photo, chosen = trap_of_some(0)
    assert len(set(chosen)) == GROUPS_ON_A_TRAP
    assert set(photo.groups) == set(chosen)
    asked, *right = right_names(KnownEncoder(), photo, chosen)
    assert GROUPS_ON_A_TRAP <= asked <= GROUPS_ON_A_TRAP * OF_EACH
    assert all(0 <= number <= asked for number in right)
