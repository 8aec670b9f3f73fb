"""A photo is found once; sliders only score what is known."""

from pathlib import Path

import numpy as np
import pytest

from agri_clip.errors import PromptError
from agri_clip.photos.photo import read_photo
from agri_clip.prompts import PromptSet
from agri_clip.ui.finding import Finder, make_prompts, split_lines
from agri_clip.ui.options import PageOptions
from agri_clip.ui.samples import sample_photos


@pytest.fixture(scope="module")
def finder() -> Finder:
    return Finder(PageOptions(proposer="contrast"))


@pytest.fixture(scope="module")
def finding(finder):
    path = sample_photos()[0]
    return finder.find(read_photo(path), Path(path), PromptSet.of("a whitefly", "an aphid", "a fungus gnat"))


def test_moving_a_slider_asks_neither_encoder_nor_proposer(finder, finding, monkeypatch):
    calls = []
    detector = finder.detector()
    monkeypatch.setattr(type(detector.proposer), "propose", lambda *_: calls.append("propose"))
    monkeypatch.setattr(type(detector.encoder), "encode_images", lambda *_: calls.append("images"))
    monkeypatch.setattr(type(detector.encoder), "encode_texts", lambda *_: calls.append("texts"))
    counts = [len(finding.scored(threshold).detections.found) for threshold in (0.1, 0.5, 0.9)]
    assert calls == []
    assert counts[0] > counts[1] > counts[2]


def test_scores_are_those_of_a_detector_with_that_threshold(finder, finding):
    detector = finder.detector()
    detector = type(detector)(detector.proposer, detector.encoder, threshold=0.6)
    detections = detector(finding.path, finding.prompts)
    again = finding.scored(0.6).detections
    np.testing.assert_array_equal(again.boxes, detections.boxes)
    np.testing.assert_array_equal(again.status, detections.status)
    np.testing.assert_allclose(again.scores, detections.scores, rtol=1e-5)


def test_lengths_narrow_what_is_shown(finding):
    whole = finding.scored(0.1)
    lengths = whole.detections.length_px
    middle = float(np.median(lengths))
    long, short = whole.scored(0.1, middle, None), whole.scored(0.1, None, middle)
    assert long.detections.length_px.min() >= middle
    assert short.detections.length_px.max() <= middle
    assert len(long.detections) + len(short.detections) >= len(whole.detections)


def test_a_crop_is_that_of_its_row(finding):
    import cv2

    row = int(finding.detections.length_px.argmax())
    crop = cv2.imdecode(np.frombuffer(finding.crop(row), np.uint8), cv2.IMREAD_COLOR)
    x1, y1, x2, y2 = finding.detections.boxes[row]
    assert crop.shape[0] == crop.shape[1]
    assert crop.shape[0] >= min(max(x2 - x1, y2 - y1), 384) - 1


def test_what_is_picked_typed_and_ready_is_joined():
    prompts = make_prompts(["whitefly"], "a small black fly; an aphid\n\n", "a raindrop")
    assert prompts.labels == ("whitefly", "a small black fly", "an aphid")
    assert "a raindrop" in prompts.negative_labels
    assert "glue" in " ".join(prompts.negative_labels)
    ready = PromptSet.load("greenhouse")
    joined = make_prompts([ready.labels[0]], "an earwig", "", ready)
    assert joined.labels == (*ready.labels, "an earwig")


def test_nothing_to_look_for_is_an_error():
    with pytest.raises(PromptError):
        make_prompts([], " \n", "")


def test_lines_and_semicolons_part_sentences():
    assert split_lines("a fly；an ant; a fly\n a bee ") == ["a fly", "an ant", "a bee"]
    assert split_lines(None) == []
