"""The encoder's training: the loss is CLIP's, crops are changed, pools and tokenizer keep their word."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fine_tune.encoder.batches import augment
from fine_tune.encoder.contrastive import contrastive_loss
from fine_tune.encoder.crop_pool import CropPool, load_pool, read_pool, render_pool, save_pool, write_pool
from fine_tune.encoder.dual_encoder import train_tokenizer
from fine_tune.training.schedule import cosine_with_warmup, decay_groups


@pytest.fixture(scope="module")
def pool() -> CropPool:
    return render_pool("train", seed=3, first=0, count=24, side=72, backgrounds=None)


def test_loss_is_the_symmetric_cross_entropy_of_the_paper() -> None:
    torch.manual_seed(0)
    images, texts = (torch.nn.functional.normalize(torch.randn(5, 7), dim=-1) for _ in range(2))
    scale = torch.tensor(13.0)
    expected = 0.0
    for a, b in ((images, texts), (texts, images)):
        for i in range(5):
            weights = [math.exp(13.0 * float(a[i] @ b[j])) for j in range(5)]
            expected -= math.log(weights[i] / sum(weights)) / 10
    assert float(contrastive_loss(images, texts, scale, torch.arange(5))) == pytest.approx(expected, abs=1e-4)


def test_pairs_with_one_caption_do_not_push_each_other_apart() -> None:
    vectors = torch.eye(3)
    texts = torch.stack([vectors[0], vectors[0], vectors[2]])
    images = texts.clone()
    same = contrastive_loss(images, texts, torch.tensor(50.0), torch.tensor([0, 0, 1]))
    other = contrastive_loss(images, texts, torch.tensor(50.0), torch.tensor([0, 1, 2]))
    assert float(same) < 1e-6
    assert float(other) > 0.4


def test_larger_crops_are_shrunk_to_what_the_model_sees() -> None:
    whole = np.zeros((1, 108, 108, 3), np.uint8)
    whole[0, 6:102, 6:102] = 255
    out = augment(np.random.default_rng(0), whole, 64, blurred=0.0)
    assert out.shape == (1, 64, 64, 3)
    assert out.mean() > 0.85 * 255  # 96 of the 108 pixels are seen


def test_words_never_seen_are_still_encoded() -> None:
    tokenizer = train_tokenizer(["a green aphid"] * 5, vocabulary_size=300)
    for text in ("Zikade", "叶蝉", "ä" * 500):
        ids = tokenizer(text, truncation=True)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert len(ids) <= tokenizer.model_max_length


def test_held_out_crops_are_not_training_crops() -> None:
    train, held_out = (
        render_pool(s, seed=0, first=0, count=6, side=64, backgrounds=None) for s in ("train", "held-out")
    )
    assert not any(np.array_equal(a, b) for a in train.images for b in held_out.images)


def test_a_pool_file_depends_on_its_number_alone(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"split": "train", "seed": 1, "side": 64, "processes": 1, "shard_size": 4}
    write_pool(tmp_path / "a", count=4, **settings)
    write_pool(tmp_path / "a", count=8, **settings)
    write_pool(tmp_path / "b", count=8, **settings)
    first, second = read_pool(tmp_path / "a", 8, 4), read_pool(tmp_path / "b", 8, 4)
    np.testing.assert_array_equal(first.images, second.images)
    assert first.attributes == second.attributes


def test_augmented_crops_are_squares_of_the_crop() -> None:
    image = np.arange(6 * 6 * 3, dtype=np.uint8).reshape(1, 6, 6, 3)
    out = augment(np.random.default_rng(0), np.repeat(image, 50, axis=0), 4)
    assert out.shape == (50, 4, 4, 3)
    assert len(np.unique(out.reshape(50, -1), axis=0)) > 20
    assert set(np.unique(out)) <= set(np.unique(image))


def test_schedule_rises_then_falls_to_nothing() -> None:
    rates = [cosine_with_warmup(step, 10, 100) for step in range(100)]
    assert rates[9] == pytest.approx(1.0)
    assert (np.diff(rates[:10]) > 0).all()
    assert (np.diff(rates[10:]) <= 0).all()
    assert rates[-1] < 0.01


def test_only_matrices_and_kernels_decay() -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
    decayed, others = decay_groups(model, 0.1)
    assert {p.ndim for p in others["params"]} <= {0, 1}
    assert all(p.ndim >= 2 for p in decayed["params"])
    assert len(decayed["params"]) + len(others["params"]) == len(list(model.parameters()))


def test_crops_of_photos_are_seen_in_another_light_and_renders_are_not() -> None:
    grey = np.full((60, 72, 72, 3), 120, np.uint8)
    real = np.arange(60) < 30
    out = augment(np.random.default_rng(0), grey, 64, real=real)
    assert (out[~real] == 120).all()
    means = out[real].mean(axis=(1, 2))
    assert np.ptp(means[:, 0]) > 40
    np.testing.assert_allclose(np.median(means, axis=0), 120, atol=20)


def test_a_square_of_a_crop_of_a_photo_may_be_smaller_than_what_the_model_sees() -> None:
    middle = np.zeros((40, 64, 64, 3), np.uint8)
    middle[:, 22:42, 22:42] = 255
    out = augment(np.random.default_rng(0), middle, 64, real=np.ones(40, bool))
    lit = (out.mean(axis=3) > 128).mean(axis=(1, 2))
    assert lit.max() > 1.3 * lit.min() > 0


def test_a_share_of_the_crops_loses_its_detail_whatever_it_shows() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (200, 72, 72, 3), np.uint8)
    out = augment(np.random.default_rng(0), noise, 64, blurred=0.5)
    detail = np.abs(np.diff(out.astype(int), axis=2)).mean(axis=(1, 2, 3))
    assert 0.35 < (detail < 40).mean() < 0.65


def test_crops_of_photos_keep_their_own_captions_in_a_file(pool: CropPool, tmp_path: Path) -> None:
    real = CropPool(pool.images[:2], ("real", "none"), ({}, {}), (("an insect",), ("dirt", "dust")))
    save_pool(tmp_path / "real.npz", real)
    back = load_pool(tmp_path / "real.npz")
    assert back.captions == real.captions
    assert back.groups == real.groups
    np.testing.assert_array_equal(back.images, real.images)


def test_captions_can_use_every_name_of_the_catalogue() -> None:
    from agri_clip.prompts.catalogue import load_catalogue
    from fine_tune.synthetic import GROUPS

    for pest in load_catalogue().values():
        group = GROUPS[pest.group]
        names = {*group.names, "beetle"} | {s.common for s in group.species}
        assert pest.english in names, pest.id
        if pest.is_species:
            assert pest.scientific in {s.latin for s in group.species}, pest.id
