"""An adapted encoder is a folder of numbers and a card; what does not fit together is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from agri_clip.archive.questions import check_encoder
from agri_clip.encoders import get_encoder
from agri_clip.encoders.adapted import AdaptedEncoder, load_adapted, save_adapted
from agri_clip.encoders.calibration import Calibration
from agri_clip.encoders.heads import BACKGROUND_CLASS, FewShotHead, Words
from agri_clip.errors import DataError, ModelError
from agri_clip.prompts import PromptSet
from agri_clip.prompts.base import Negative, Target
from agri_clip.scoring.label_vectors import embed_prompts
from agri_clip.scoring.score import score


class Base:
    """Texts and crops are unit vectors of four dimensions, by the words in them."""

    name, fingerprint, activation = "base", "abc", "softmax"
    dim, logit_scale, logit_bias = 4, 5.0, 0.0

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        words = ("aphid", "moth", "dirt")
        rows = [next((i for i, word in enumerate(words) if word in text), 3) for text in texts]
        return np.eye(4, dtype=np.float32)[rows]

    def encode_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        return np.eye(4, dtype=np.float32)[[int(crop[0, 0, 0]) for crop in crops]]


def made_head(*labels: str, bias: Sequence[float] = (4.0, 0.0)) -> FewShotHead:
    words = Words(Base().encode_texts(labels), np.arange(len(labels)), 5.0)
    arrays = {"weights": np.zeros((len(labels), 4), np.float32), "bias": np.array(bias, np.float32)}
    return FewShotHead("gda", "linear", labels, np.ones(len(labels), bool), words, 1.0, 1.0, arrays)


VECTORS = np.full((1, 4), 0.5, np.float32)


def test_it_takes_as_many_crops_at_once_as_its_base() -> None:
    base = Base()
    assert AdaptedEncoder("farm", base, None, None, "x").batch_size is None
    base.batch_size = 64  # type: ignore[attr-defined]
    assert AdaptedEncoder("farm", base, None, None, "x").batch_size == 64


def test_a_folder_gives_back_what_was_saved(tmp_path: Path) -> None:
    head, calibration = made_head("aphid", "moth"), Calibration(2.0, {"aphid": 0.4}, "best F1")
    save_adapted(tmp_path / "farm", Base(), head, calibration)
    loaded = load_adapted(str(tmp_path / "farm"), Base())
    assert loaded.head is not None
    np.testing.assert_allclose(loaded.head.shift(VECTORS), head.shift(VECTORS), rtol=1e-6)
    assert loaded.calibration == calibration
    assert loaded.fingerprint not in ("abc", load_adapted_without(tmp_path).fingerprint)
    assert not list((tmp_path / "farm").glob("*.pkl"))


def load_adapted_without(tmp_path: Path) -> AdaptedEncoder:
    save_adapted(tmp_path / "plain", Base(), None, None)
    return load_adapted(str(tmp_path / "plain"), Base())


def test_another_base_is_refused(tmp_path: Path) -> None:
    save_adapted(tmp_path, Base(), made_head("aphid", "moth"), None)
    other = Base()
    other.fingerprint = "xyz"
    with pytest.raises(ModelError, match=r"fitted on the encoder base \(abc\), but that is now xyz"):
        load_adapted(str(tmp_path), other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "format: 9 is not 1"),
        ({"head": {"labels": ["aphid"]}}, "damaged"),
        ({"calibration": {"temperature": -1, "thresholds": {}, "goal": ""}}, "damaged"),
        ({"base": {"encoder": 3}}, "no card of an adapted encoder"),
    ],
)
def test_a_damaged_card_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    save_adapted(tmp_path, Base(), made_head("aphid", "moth"), None)
    card = json.loads((tmp_path / "adapted.json").read_text())
    (tmp_path / "adapted.json").write_text(json.dumps(card | change))
    with pytest.raises(ModelError, match=message):
        load_adapted(str(tmp_path), Base())


def test_a_models_own_folder_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DataError, match="another folder"):
        save_adapted(tmp_path, Base(), None, None)


def test_examples_decide_between_known_labels_and_leave_others_to_the_digit() -> None:
    prompts = PromptSet.of("an aphid", "a moth", "a wombat", "a beetle", negatives=["dirt"])
    # The words of its classes are those by which they are asked for.
    words = Words(embed_prompts(Base(), prompts).vectors[:2], np.arange(2), 5.0)
    adapted = AdaptedEncoder("farm", Base(), replace(made_head("aphid", "moth"), words=words), None, "f")
    plain, known = (score(VECTORS, embed_prompts(e, prompts, others=())) for e in (Base(), adapted))
    assert known.labels[0, 0] > 3 * known.labels[0, 1]
    np.testing.assert_allclose(known.labels[0, :2].sum(), plain.labels[0, :2].sum(), rtol=1e-5)
    np.testing.assert_allclose(known.labels[0, 2:], plain.labels[0, 2:], rtol=1e-5)
    only = PromptSet.of("a wombat", "a beetle")
    np.testing.assert_array_equal(*(score(VECTORS, embed_prompts(e, only)).labels for e in (Base(), adapted)))


def test_a_class_of_background_moves_the_negatives() -> None:
    head = made_head("aphid", BACKGROUND_CLASS, bias=(0.0, 4.0))
    adapted = AdaptedEncoder("farm", Base(), head, None, "f")
    prompts = PromptSet(targets=(Target(name="aphid"),), negatives=(Negative(name="dirt"),))
    plain, known = (score(VECTORS, embed_prompts(e, prompts, others=())) for e in (Base(), adapted))
    assert known.insect[0] < 0.1 < 0.4 < plain.insect[0]


def test_labels_are_known_by_the_catalogues_names_and_a_description_is_not_the_pest() -> None:
    head = made_head("aphid", "moth")
    adapted = AdaptedEncoder("farm", Base(), head, None, "f")
    embedded = embed_prompts(adapted, PromptSet.of("greenfly", "pulgón", "a green aphid", "Moth"))
    assert embedded.examples is not None
    assert embedded.examples.class_of.tolist() == [0, 0, -1, 1]


def test_an_archive_of_the_base_answers_to_the_adapted_encoder() -> None:
    season = SimpleNamespace(
        run={"encoder": "base", "encoder_fingerprint": "abc"}, archive=SimpleNamespace(place="season")
    )
    adapted = AdaptedEncoder("farm", Base(), made_head("aphid", "moth"), None, "f")
    check_encoder(season, adapted)  # type: ignore[arg-type]
    other = Base()
    other.fingerprint = "xyz"
    with pytest.raises(DataError, match="cannot be compared"):
        check_encoder(season, AdaptedEncoder("farm", other, None, None, "f"))  # type: ignore[arg-type]


def test_get_encoder_loads_the_folder_on_its_base(tmp_path: Path) -> None:
    base = get_encoder("builtin")
    save_adapted(tmp_path / "farm", base, None, Calibration(1.5, {"aphid": 0.4}, "best F1"))
    made = get_encoder(tmp_path / "farm")
    assert isinstance(made, AdaptedEncoder)
    assert made.vectors_fingerprint == base.fingerprint != made.fingerprint
    np.testing.assert_array_equal(made.encode_texts(["an aphid"]), base.encode_texts(["an aphid"]))
