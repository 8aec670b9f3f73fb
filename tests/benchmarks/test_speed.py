"""The naive program does what the page says, and its labels are really compared."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from agri_clip.detections import OTHER
from agri_clip.detector import Detector
from agri_clip.photos.photo import Photo
from agri_clip.prompts import PromptSet
from benchmarks.speed import measure_speed, run_naive, run_program, same_labels
from tests.benchmarks.conftest import DIRT, STRONG, WEAK, draw
from tests.benchmarks.known import KnownEncoder, SquareProposer


class CountingEncoder(KnownEncoder):
    """Notes how it is called, and keeps texts as the encoders of the program do."""

    def __init__(self) -> None:
        self.pictures: list[int] = []
        self.text_calls = 0
        self._texts: dict[str, np.ndarray] = {}

    def encode_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        self.pictures.append(len(crops))
        return super().encode_images(crops)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        self.text_calls += any(text not in self._texts for text in texts)
        self._texts |= {text: super(CountingEncoder, self).encode_texts([text])[0] for text in texts}
        return np.stack([self._texts[text] for text in texts])


@pytest.fixture
def photo() -> Photo:
    return Photo(draw([(STRONG, True), (WEAK, True), (DIRT, False)])[0], "squares")


def test_naive_takes_each_crop_and_all_texts_by_themselves(photo: Photo) -> None:
    encoder = CountingEncoder()
    detector, prompts = Detector(SquareProposer(), encoder), PromptSet.of("an insect", "a moth", negatives=["glue"])
    seconds, detections = run_program(detector, photo, prompts)
    assert (encoder.pictures, encoder.text_calls) == ([3], 1)
    naive = run_naive(detector, photo, prompts)
    assert (encoder.pictures, encoder.text_calls) == ([3, 1, 1, 1], 4)
    assert seconds > 0
    assert naive.with_texts_once == pytest.approx(naive.total - naive.texts * 2 / 3)
    assert same_labels(detections, naive.detections) == len(detections) == 3


def test_another_label_is_noticed(photo: Photo) -> None:
    detector, prompts = (
        Detector(SquareProposer(), KnownEncoder()),
        PromptSet.of("an insect", "a moth", negatives=["glue"]),
    )
    _, detections = run_program(detector, photo, prompts)
    assert same_labels(detections, replace(detections, label_index=1 - detections.label_index)) == 1  # dirt has none
    assert same_labels(detections, replace(detections, status=detections.status * 0 + OTHER)) == 0
    assert same_labels(detections, replace(detections, boxes=detections.boxes + 1)) == 0


def test_measured_on_a_rendered_trap() -> None:
    detector = Detector("contrast", KnownEncoder())
    prompts = PromptSet.of("an insect", negatives=["glue"])
    figures = measure_speed(detector, repeats=2, seed=0, size=(480, 480), density=0.1, prompts=prompts)
    assert figures["same_labels"] == figures["labels"] > 0
    assert len(figures["runs"]) == 2
    assert figures["ratio"] == pytest.approx(np.mean([run["ratio"] for run in figures["runs"]]))
    assert figures["ratio_texts_once"] < figures["ratio"]
