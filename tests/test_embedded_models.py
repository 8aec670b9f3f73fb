"""What ships in the package: the encoder knows the catalogue's words, nothing is pickled, the files are small."""

from __future__ import annotations

from pathlib import Path

import agri_clip
from agri_clip.encoders import get_encoder
from agri_clip.prompts import PromptSet
from agri_clip.prompts.catalogue import load_catalogue
from agri_clip.prompts.words import find_unknown_words

PACKAGE = Path(agri_clip.__file__).parent


def test_the_encoder_knows_every_english_name_of_the_catalogue() -> None:
    known = get_encoder("builtin").known_words
    assert known is not None
    names = sorted({pest.english for pest in load_catalogue().values()})
    assert find_unknown_words(PromptSet.of(*names), known) == {}


def test_a_word_that_no_caption_had_is_told() -> None:
    known = get_encoder("builtin").known_words
    found = find_unknown_words(PromptSet.of("a frumious insect"), known)
    assert found["a frumious insect"].words == ("frumious",)


def test_models_are_safetensors_and_small() -> None:
    folders = (PACKAGE / "models" / "builtin", PACKAGE / "regions" / "weights" / "insect-yolo")
    for folder in folders:
        files = [file for file in folder.rglob("*") if file.is_file()]
        assert any(file.suffix == ".safetensors" for file in files)
        assert not [file for file in files if file.suffix in {".bin", ".pt", ".pth", ".pkl", ".ckpt"}]
        assert sum(file.stat().st_size for file in files) < 20e6  # all that ships must stay below 40 MB
