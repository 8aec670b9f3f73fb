"""The whole way from photo to detections, on the embedded models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agri_clip import Detector, PromptSet
from agri_clip.detections import FOUND
from agri_clip.detector import MOST_BESIDE, propose_on_card
from agri_clip.encoders.views import encode_views
from agri_clip.errors import AgriClipError
from agri_clip.formats import coco
from agri_clip.photos.photo import Photo, read_photo
from agri_clip.prompts.words import UnknownWordWarning
from agri_clip.regions.base import Regions
from agri_clip.regions.card import find_card
from agri_clip.regions.contrast import ContrastProposer
from agri_clip.regions.merging import iou_matrix
from agri_clip.settings import Settings
from tests.conftest import ROOT

SAMPLE = ROOT / "data" / "samples" / "L1_2026-05-04.jpg"
TRAP = ROOT / "data" / "samples" / "T1_2026-05-04.jpg"


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(proposer="contrast", encoder="builtin")


class Corner:
    """A proposer that always names the same place."""

    name, version = "corner", "1"

    def propose(self, photo: object) -> Regions:  # noqa: ARG002
        return Regions(np.array([[0, 0, 50, 50]], np.float32), np.ones(1, np.float32))


class Scattered:
    """A proposer that is sure of some insects at the edge of a photo, beside its card, and of others in the middle."""

    name, version = "scattered", "1"

    def __init__(self, beside: int, on_card: int) -> None:
        self.beside, self.on_card = beside, on_card

    def propose(self, photo: Photo) -> Regions:
        corners = [(6 * i, 0) for i in range(self.beside)]
        corners += [(photo.width // 2 + 6 * i, photo.height // 2) for i in range(self.on_card)]
        boxes = np.array([[x, y, x + 5, y + 5] for x, y in corners], np.float32)
        return Regions(boxes, np.full(len(boxes), 0.9, np.float32))


class CountingEncoder:
    """Passes on to a real encoder and remembers how many crops each call had."""

    def __init__(self, detector: Detector) -> None:
        self.real = detector.encoder
        self.calls: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)

    def encode_images(self, crops: list[np.ndarray]) -> np.ndarray:
        self.calls.append(len(crops))
        return self.real.encode_images(crops)


def test_the_readme_example_gives_a_table(detector: Detector) -> None:
    table = detector(SAMPLE, PromptSet.of("a ladybird", "a black aphid")).to_pandas()
    found = table[table.status == "found"]
    assert len(found) > 0
    assert set(found.label) <= {"a ladybird", "a black aphid"}
    assert found.score.between(0, 1).all()
    assert (found.x2 > found.x1).all()


def test_the_ladybird_of_the_sample_is_found_where_it_is(detector: Detector) -> None:
    truth = coco.read(SAMPLE.parent / "annotations.json")
    here = truth.photo_index == truth.file_names.index(SAMPLE.name)
    ladybird = truth.boxes[here & (truth.category_index == truth.category_names.index("ladybird"))]
    detections = detector(SAMPLE, "a ladybird").found
    x1, y1, x2, y2 = detections.boxes[np.argmax(detections.scores)]
    left, top, right, bottom = ladybird[0]
    assert left < (x1 + x2) / 2 < right
    assert top < (y1 + y2) / 2 < bottom


def test_a_photo_alone_and_among_others_gives_the_same(detector: Detector) -> None:
    prompts = PromptSet.of("a ladybird", "a whitefly")
    alone = detector(SAMPLE, prompts)
    other = ROOT / "data" / "samples" / "T1_2026-05-04.jpg"
    among = [part for _, part in detector.stream([other, SAMPLE, other], prompts)][1]
    assert len(alone) > 0
    np.testing.assert_array_equal(alone.boxes, among.boxes)
    np.testing.assert_allclose(alone.scores, among.scores, atol=1e-4)
    np.testing.assert_array_equal(alone.status, among.status)


def test_the_order_of_prompts_changes_nothing(detector: Detector) -> None:
    one = detector(SAMPLE, PromptSet.of("a ladybird", "a whitefly"))
    two = detector(SAMPLE, PromptSet.of("a whitefly", "a ladybird"))
    assert len(one) > 0
    np.testing.assert_array_equal(one.boxes, two.boxes)
    np.testing.assert_array_equal(one.scores, two.scores)
    assert [one.label_names[i] for i in one.label_index] == [two.label_names[i] for i in two.label_index]


def test_a_photo_that_fails_stands_in_the_result_and_the_rest_goes_on(detector: Detector, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a photo")
    results = list(detector.stream([broken, SAMPLE], "a ladybird"))
    assert [part.photos[0].failed for _, part in results] == [True, False]
    assert results[0][1].photos[0].reason
    assert len(results[1][1])


@pytest.mark.parametrize(
    ("beside", "on_card", "believed"), [(MOST_BESIDE, 0, False), (MOST_BESIDE - 1, 0, True), (MOST_BESIDE, 1, True)]
)
def test_a_card_without_insects_is_none_where_many_lie_beside_it(
    detector: Detector, beside: int, on_card: int, believed: bool
) -> None:
    scattered = Scattered(beside, on_card)
    searching = Detector(scattered, detector.encoder, card_size_mm=(100, 250))
    found = searching(TRAP, "an insect")
    assert len(propose_on_card(scattered, read_photo(TRAP), find_card(read_photo(TRAP)))) == len(found)
    assert len(found) == on_card + (0 if believed else beside)
    assert (found.photos[0].card_area_px is not None) == believed
    assert any("hardly an insect" in note for note in found.photos[0].notes) != believed


def test_batches_span_photos(detector: Detector) -> None:
    counting = CountingEncoder(detector)
    sharing = Detector(proposer=Corner(), encoder=counting, card=False)  # type: ignore[arg-type]
    photo = np.full((200, 200, 3), 220, np.uint8)
    results = [
        part for _, part in sharing.stream([read_photo(photo), read_photo(photo), read_photo(photo)], "an insect")
    ]
    assert len(results) == 3
    assert len([call for call in counting.calls if call]) == 1
    assert len({part.boxes.tobytes() for part in results}) == 1


def test_a_stream_holds_no_more_bytes_of_photos_than_it_may(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def photos() -> Iterator[Photo]:
        for number in range(12):
            taken.append(number)
            yield read_photo(np.full((200, 200, 3), 220, np.uint8))

    monkeypatch.setattr("agri_clip.detector.HELD_BYTES", 3 * 200 * 200 * 3)
    stream = Detector(proposer=Corner(), encoder=detector.encoder, card=False).stream(photos(), "an insect")
    most = 0
    for given, _ in enumerate(stream):
        most = max(most, len(taken) - given)
    assert most <= 3
    assert len(taken) == 12


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 7},
        {"threshold": -0.1},
        {"threshold": float("nan")},
        {"merge_iou": -3},
        {"merge_ios": 1.5},
        {"mm_per_pixel": -1},
        {"mm_per_pixel": 0},
        {"mm_per_pixel": float("inf")},
        {"context": 0},
        {"context": float("nan")},
        {"card_size_mm": (100, float("inf"))},
        {"card_size_mm": (0, 250)},
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(AgriClipError, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type]


def test_overlapping_regions_are_reported_once(detector: Detector) -> None:
    detections = detector(ROOT / "data" / "samples" / "T1_2026-05-04.jpg", "an insect")
    overlap = iou_matrix(detections.boxes, detections.boxes)
    np.fill_diagonal(overlap, 0)
    assert overlap.max() <= detector.settings.merge_iou + 1e-6


def test_the_scale_gives_lengths_in_millimetres() -> None:
    detections = Detector(mm_per_pixel=0.05)(SAMPLE, "a ladybird")
    np.testing.assert_allclose(detections.length_mm, detections.length_px * 0.05, rtol=1e-5)
    assert detections.photos[0].mm_per_pixel == 0.05


def test_the_area_of_the_card_stands_with_the_photo_only_where_a_card_is_searched(detector: Detector) -> None:
    card = find_card(read_photo(TRAP))
    assert card is not None
    assert detector(TRAP, "an insect").photos[0].card_area_px == pytest.approx(card.area_px)
    assert detector(SAMPLE, "an insect").photos[0].card_area_px is None  # a leaf
    without = Detector(detector.proposer, detector.encoder, card=False, card_size_mm=(100, 250))
    assert without(TRAP, "an insect").photos[0].card_area_px is None


def test_the_result_says_whether_length_was_evidence(detector: Detector) -> None:
    prompts = PromptSet.of("a ladybird", "a whitefly", "an aphid")

    def used(asked: PromptSet, **settings: object) -> object:
        return Detector(detector.proposer, detector.encoder, **settings)(SAMPLE, asked).provenance["length"]

    assert used(prompts) == "relative"
    assert used(prompts, mm_per_pixel=0.045) == "scale"
    assert used(prompts, relative_length=False) == "none"
    assert used(PromptSet.of("a ladybird")) == "none"


def test_a_flat_photo_has_no_detections(detector: Detector) -> None:
    detections = detector(np.full((300, 400, 3), 200, np.uint8), "an insect")
    assert len(detections) == 0
    assert detections.counts()["an insect"].tolist() == [0]


def test_the_result_says_what_made_it(detector: Detector) -> None:
    prompts = PromptSet.of("a ladybird")
    made_by = detector(SAMPLE, prompts).provenance
    assert made_by["prompts_hash"] == prompts.hash
    assert made_by["encoder_fingerprint"] == detector.encoder.fingerprint
    assert made_by["thresholds"].keys() == {"a ladybird"}
    assert "pests" not in made_by


def test_the_result_says_which_pest_a_code_stands_for(detector: Detector, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("targets:\n- {name: WF, pest: whitefly}\n- thrips\n", encoding="utf-8")
    result = detector(np.full((300, 400, 3), 200, np.uint8), PromptSet.load(tmp_path / "p.yaml"))
    assert result.provenance["pests"] == {"WF": "whitefly"}


def test_words_that_the_encoder_never_saw_are_told_once_and_stand_in_the_result(detector: Detector) -> None:
    taught = CountingEncoder(detector)
    taught.known_words = frozenset(["stink", "beetle", "moth"])
    telling = Detector(proposer=Corner(), encoder=taught, card=False)  # type: ignore[arg-type]
    photo = np.full((60, 60, 3), 220, np.uint8)
    prompts = PromptSet.of("a lychee stink beetle", "a moth")
    with pytest.warns(UnknownWordWarning, match='never saw the word "lychee"') as told:
        first, second = telling(photo, prompts), telling(photo, prompts)
    assert len(told) == 1
    assert first.provenance["unknown_words"] == {"a lychee stink beetle": ("lychee",)}
    assert second.provenance == first.provenance
    # An encoder that was trained on the web's words has no list, and a prompt of known words nothing to tell.
    assert "unknown_words" not in telling(photo, "a moth").provenance
    taught.known_words = None
    silent = Detector(proposer=Corner(), encoder=taught, card=False)  # type: ignore[arg-type]
    assert "unknown_words" not in silent(photo, prompts).provenance


def test_a_proposer_of_the_users_own_fits_in() -> None:
    detections = Detector(proposer=Corner(), card=False)(np.zeros((50, 50, 3), np.uint8), "an insect")
    assert len(detections) == 1
    assert detections.status[0] in (FOUND, 1, 2)


def test_views_make_the_vector_of_a_turned_crop_the_same(detector: Detector) -> None:
    crop = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    turned = [np.ascontiguousarray(np.rot90(crop)), np.ascontiguousarray(crop[:, ::-1])]
    for views, same in ((4, turned[:1]), (8, turned)):
        first, *others = (encode_views(detector.encoder, [each], views)[0] for each in (crop, *same))
        assert np.linalg.norm(first) == pytest.approx(1, abs=1e-6)
        for other in others:
            np.testing.assert_allclose(first, other, atol=1e-5)
    once = encode_views(detector.encoder, [crop, turned[0]])
    assert np.abs(once[0] - once[1]).max() > 1e-3


def test_views_are_a_setting_that_the_result_names(detector: Detector) -> None:
    four = Detector(detector.proposer, detector.encoder, views=4)
    result = four(SAMPLE, "a ladybird")
    assert result.provenance["views"] == 4
    assert detector(SAMPLE, "a ladybird").provenance["views"] == 1
    with pytest.raises(AgriClipError, match="views is 3; use one of 1, 4, 8"):
        Detector(detector.proposer, detector.encoder, views=3)


def test_a_photo_whose_regions_were_cut_says_so_by_a_flag(detector: Detector) -> None:
    few = Detector(proposer=ContrastProposer(max_regions=4), encoder=detector.encoder)
    assert few(TRAP, "an insect").photos[0].at_cap
    assert not detector(TRAP, "an insect").photos[0].at_cap
