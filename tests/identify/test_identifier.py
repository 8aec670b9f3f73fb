"""Identifier: which place of a photo is named, and what is answered, with an encoder whose answers are known."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agri_clip import Identifier
from agri_clip.errors import AgriClipError, ModelError, PhotoError
from agri_clip.identify.answer_words import WORDS as ANSWERS
from agri_clip.identify.answer_words import answer_sentence, check_language
from agri_clip.identify.identifier import UncalibratedWarning, main_region
from agri_clip.prompts.catalogue import LANGUAGES
from agri_clip.prompts.words import UnknownWordWarning
from agri_clip.regions.base import Regions
from agri_clip.scoring.likeness import Likeness
from agri_clip.scoring.taxonomy import load_taxonomy
from tests.painted_insects import BLACK, BLUE, GREEN, RED, WHITE, WORDS, FixedProposer, PaintedEncoder, paint

FITTED = Likeness(encoder="painted-1")


def make_identifier(
    boxes: Sequence[Sequence[float]] = (), objectness: Sequence[float] = (), encoder: PaintedEncoder | None = None
) -> Identifier:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownWordWarning)
        proposer = FixedProposer(boxes, objectness)
        return Identifier(proposer, encoder or PaintedEncoder(), likeness=FITTED, card=False)


@pytest.mark.parametrize(
    ("colour", "sentence", "rank"),
    [
        (RED, "a ladybird", "group"),
        (GREEN, "a beetle; perhaps a ladybird", "order"),
        (BLUE, "an insect that I do not know", "insect"),
        (WHITE, "no insect", "none"),
        (BLACK, "a Colorado potato beetle (Leptinotarsa decemlineata)", "species"),
    ],
)
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_photo_without_regions_is_looked_at_whole(
    colour: tuple[int, int, int], sentence: str, rank: str, activation: str
) -> None:
    answer = make_identifier(encoder=PaintedEncoder(activation=activation))(paint(colour))  # type: ignore[arg-type]
    assert str(answer) == sentence
    (insect,) = answer.insects
    assert (insect.rank, insect.whole_photo, insect.objectness) == (rank, True, None)
    assert insect.box == (0, 0, 200, 200)
    assert [named.likeness for named in insect.names] == sorted((n.likeness for n in insect.names), reverse=True)
    assert 3 <= len(insect.names) <= 5


def test_the_main_insect_is_the_largest_sure_region() -> None:
    photo = paint(WHITE, ((10, 10, 40, 40), RED), ((100, 100, 160, 160), BLACK))
    answer = make_identifier([[10, 10, 40, 40], [100, 100, 160, 160]], [0.9, 0.8])(photo)
    assert answer.regions == 2
    (insect,) = answer.insects
    assert insect.box == (100, 100, 160, 160)
    assert insect.sentence().startswith("a Colorado potato beetle")
    assert not insect.whole_photo


def test_every_region_is_named_and_what_is_no_insect_is_left_out() -> None:
    boxes = [[10, 10, 40, 40], [100, 100, 160, 160], [60, 10, 90, 40], [12, 12, 41, 41]]
    photo = paint(WHITE, ((10, 10, 41, 41), RED), ((100, 100, 160, 160), BLACK))
    answer = make_identifier(boxes, [0.9, 0.8, 0.7, 0.6])(photo, regions=True)
    assert {insect.short_name() for insect in answer.insects} == {"ladybird", "Colorado potato beetle"}
    assert [insect.box for insect in answer.insects if insect.short_name() == "ladybird"] == [(10, 10, 40, 40)]


def test_without_any_insect_among_the_regions_the_photo_is_answered() -> None:
    answer = make_identifier([[10, 10, 40, 40]], [0.6])(paint(WHITE), regions=True)
    assert [insect.status for insect in answer.insects] == ["none"]


@pytest.mark.parametrize(
    ("boxes", "objectness", "expected"),
    [
        ([], [], (None, True)),
        ([[0, 0, 100, 100]], [0.9], (0, True)),
        ([[0, 0, 20, 20]], [0.9], (0, False)),
        ([[0, 0, 20, 20]], [0.1], (0, True)),
        ([[0, 0, 20, 20], [50, 50, 90, 90]], [0.9, 0.8], (1, False)),
        ([[0, 0, 30, 30], [50, 50, 90, 90]], [0.9, 0.1], (0, False)),
    ],
)
def test_the_whole_photo_is_looked_at_where_the_region_is_large_or_doubtful(
    boxes: list[list[float]], objectness: list[float], expected: tuple[int | None, bool]
) -> None:
    regions = Regions(np.array(boxes, np.float32).reshape(-1, 4), np.array(objectness, np.float32))
    assert main_region(regions, 200, 200) == expected


def test_photos_that_cannot_be_read_are_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    Image.fromarray(paint(RED)).save(tmp_path / "red.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    identifier = make_identifier()
    stream = list(identifier.stream([tmp_path / "broken.jpg", tmp_path / "red.png", tmp_path / "gone.jpg"]))
    assert [photo is None for photo, _ in stream] == [True, False, True]
    assert [answer.record.failed for _, answer in stream] == [True, False, True]
    assert str(stream[1][1]) == "a ladybird"
    assert str(stream[0][1]).startswith("could not be read: ")
    with pytest.raises(PhotoError):
        identifier(tmp_path / "gone.jpg")


def test_groups_that_the_encoder_was_never_taught_are_told() -> None:
    with pytest.warns(UnknownWordWarning, match=r"knows no name of \d+ of \d+ groups \(.* and \d+ more\)"):
        identifier = Identifier(FixedProposer(), PaintedEncoder(), likeness=FITTED)
    answer = identifier(paint(RED))
    assert "dragonfly" in answer.provenance["unknown_groups"]
    assert "moth" not in answer.provenance["unknown_groups"]


def test_an_encoder_that_knows_no_insect_is_refused() -> None:
    with pytest.raises(ModelError, match="knows no name of any insect"):
        make_identifier(encoder=PaintedEncoder(known_words=frozenset(["car"])))


def test_an_encoder_without_a_fit_is_told() -> None:
    with pytest.warns(UncalibratedWarning, match=r"fine_tune\.identify_calibration"):
        identifier = Identifier(FixedProposer(), PaintedEncoder())
    assert identifier.provenance(regions=False)["calibrated"] is False


def test_an_encoder_that_knows_all_words_has_all_names() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnknownWordWarning)
        identifier = Identifier(FixedProposer(), PaintedEncoder(known_words=None), likeness=FITTED)
    assert len(identifier.leaves.taxonomy) == len(load_taxonomy())
    assert identifier.provenance(regions=False)["unknown_groups"] == []


def test_the_words_of_names_do_not_matter_in_capitals_and_plurals() -> None:
    encoder = PaintedEncoder(known_words=WORDS - {"ladybird"} | {"Ladybirds"})
    identifier = make_identifier(encoder=encoder)
    assert identifier.leaves.taxonomy.find("ladybird", "group") is not None


def test_answers_come_in_the_catalogues_languages() -> None:
    assert set(ANSWERS) == set(LANGUAGES)
    insect = make_identifier()(paint(GREEN)).insects[0]
    assert insect.sentence("zh") == "甲虫；可能是瓢虫"
    assert insect.sentence("de") == "Käfer; vielleicht Marienkäfer"
    assert make_identifier()(paint(WHITE)).insects[0].sentence("es") == "ningún insecto"
    with pytest.raises(AgriClipError, match="languages are en, zh"):
        check_language("xx")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("thrips", "a thrips"),
        ("earwig", "an earwig"),
        ("Noctuidae", "an owlet moth (Noctuidae)"),
        ("Danaus plexippus", "a monarch (Danaus plexippus)"),
        ("Syntomoides imaon", "Syntomoides imaon"),
        ("Coleoptera", "a beetle"),
    ],
)
def test_names_are_spoken_as_people_do(name: str, sentence: str) -> None:
    taxonomy = load_taxonomy()
    index = taxonomy.find(name)
    assert index is not None
    assert answer_sentence(taxonomy.taxa[index]) == sentence
