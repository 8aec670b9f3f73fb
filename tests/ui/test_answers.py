"""Answers are kept as labelled crops, correct the counts, and go out in the formats that others read."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from agri_clip.detections import BACKGROUND, FOUND, Detections, PhotoRecord
from agri_clip.formats import coco
from agri_clip.ui.answers import Answers, by_doubt

CROP = cv2.imencode(".jpg", np.full((20, 20, 3), 90, np.uint8))[1].tobytes()


@pytest.fixture
def detections() -> Detections:
    """Three whiteflies, one aphid, and something that is not counted."""
    boxes = np.array([[10 * i, 0, 10 * i + 8.04, 8] for i in range(5)], np.float32)
    column = np.array
    return Detections(
        photos=(PhotoRecord("T1.jpg", 100, 50),),
        label_names=("whitefly", "aphid"),
        photo_index=np.zeros(5, np.int32),
        boxes=boxes,
        label_index=column([0, 0, 0, 1, 0]),
        status=column([FOUND, FOUND, FOUND, FOUND, BACKGROUND]),
        scores=column([0.9, 0.6, 0.4, 0.8, 0.1]),
        insect=column([0.95, 0.9, 0.5, 0.9, 0.1]),
        objectness=column([0.9, 0.85, 0.5, 0.9, 0.2]),
        margin=column([0.9, 0.1, 0.3, 0.7, 0.0]),
        length_px=np.full(5, 8.0),
        length_mm=np.full(5, np.nan),
        outlines=(None,) * 5,
        provenance={"encoder": "builtin"},
    )


def test_the_doubtful_come_first_and_only_what_is_counted(detections):
    assert by_doubt(detections).tolist() == [1, 2, 3, 0]


def test_answers_correct_the_counts(tmp_path, detections):
    answers = Answers(tmp_path)
    assert answers.corrected(detections) == {"whitefly": 3, "aphid": 1}
    answers.give(detections, 0, CROP, "right")
    answers.give(detections, 1, CROP, "not an insect")
    answers.give(detections, 2, CROP, "something else", "thrips")
    answers.give(detections, 3, CROP, "wrong")
    assert answers.corrected(detections) == {"whitefly": 1, "aphid": 0, "thrips": 1}
    assert answers.precision(detections) == (1, 4)


def test_an_answer_can_be_changed_and_taken_back(tmp_path, detections):
    answers = Answers(tmp_path)
    answers.give(detections, 0, CROP, "wrong")
    again = answers.give(detections, 0, CROP, "right")
    assert (len(answers), answers.precision(detections)) == (1, (1, 1))
    answers.take_back(again)
    assert answers.of(detections, 0) is None
    assert not list((tmp_path / "crops").iterdir())


def test_answers_hold_when_the_threshold_moves(tmp_path, detections):
    answers = Answers(tmp_path)
    answers.give(detections, 1, CROP, "right")
    fewer = detections[np.array([3, 1])]
    assert answers.of(fewer, 1).verdict == "right"
    assert answers.of(fewer, 0) is None


def test_answers_are_a_file_that_programs_read_and_another_visit_goes_on_with(tmp_path, detections):
    answers = Answers(tmp_path)
    answers.give(detections, 0, CROP, "right")
    answers.give(detections, 1, CROP, "something else", "白粉虱")
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text("utf-8").splitlines()]
    assert [(line["verdict"], line["label"], line["predicted"]) for line in lines] == [
        ("right", "whitefly", "whitefly"),
        ("something else", "白粉虱", "whitefly"),
    ]
    assert [line["objectness"] for line in lines] == [0.9, 0.85]
    assert all((tmp_path / line["crop"]).read_bytes() == CROP for line in lines)
    assert len(Answers(tmp_path)) == 2
    # A file of a version that did not keep the objectness.
    for line in lines:
        del line["objectness"]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    assert len(Answers(tmp_path)) == 2


def test_something_else_needs_to_be_named(tmp_path, detections):
    with pytest.raises(ValueError, match="needs a label"):
        Answers(tmp_path).give(detections, 0, CROP, "something else")


def test_answers_go_out_as_coco_with_what_people_said(tmp_path: Path, detections):
    answers = Answers(tmp_path / "answers")
    answers.give(detections, 0, CROP, "right")
    answers.give(detections, 2, CROP, "something else", "thrips")
    answers.give(detections, 3, CROP, "wrong")
    coco.write(answers.detections(), tmp_path / "coco.json")
    read = json.loads((tmp_path / "coco.json").read_text("utf-8"))
    names = {category["id"]: category["name"] for category in read["categories"]}
    assert [names[annotation["category_id"]] for annotation in read["annotations"]] == ["whitefly", "thrips"]
    assert [(image["width"], image["height"]) for image in read["images"]] == [(100, 50)]
