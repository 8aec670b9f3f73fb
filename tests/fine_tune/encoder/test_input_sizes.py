"""A model of several input sizes: each crop gets its own, whatever else is in the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agri_clip.encoders import get_encoder
from agri_clip.encoders.clip import INPUT_SIZES, input_size
from agri_clip.errors import ModelError
from fine_tune.encoder.assembly import build_model
from fine_tune.encoder.dual_encoder import save_dual_encoder, train_tokenizer
from fine_tune.encoder.words import WordsRecipe


def save(folder: Path, sizes: list[int]) -> Path:
    tokenizer = train_tokenizer(["a green aphid", "a moth"] * 5, vocabulary_size=300)
    recipe = WordsRecipe(projection=16, text_width=32, text_layers=1)
    model = build_model("tf_efficientnet_lite0", 1280, len(tokenizer), recipe).eval()
    model.config.update({INPUT_SIZES: sizes})
    save_dual_encoder(folder, model, tokenizer, 96)
    return folder


def test_a_crop_is_seen_alike_alone_and_among_others(tmp_path: Path) -> None:
    encoder = get_encoder(save(tmp_path, [48, 96]))
    random = np.random.default_rng(0)
    crops = [random.integers(0, 256, (side, side, 3), np.uint8) for side in (20, 90, 50, 300)]
    together = encoder.encode_images(crops)
    alone = np.concatenate([encoder.encode_images([crop]) for crop in crops])
    np.testing.assert_allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize(("side", "size"), [(10, 48), (62, 48), (63, 96), (400, 96)])
def test_the_least_size_that_keeps_most_pixels_is_taken(side: int, size: int) -> None:
    assert input_size(np.zeros((side, side // 2, 3), np.uint8), (48, 96)) == size


def test_sizes_that_do_not_rise_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="rising"):
        get_encoder(save(tmp_path, [96, 48]))
