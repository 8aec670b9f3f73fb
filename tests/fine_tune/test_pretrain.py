"""Pretraining: the loss is CLIP's, a killed run ends where an uninterrupted one does, the folder loads as any other."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoProcessor

from agri_clip.errors import AgriClipError
from fine_tune.batches import Batches, augment
from fine_tune.dual_encoder import END, build_model, deepen, open_dual_encoder, save_dual_encoder, train_tokenizer
from fine_tune.pool import CropPool, load_pool, read_pool, render_pool, save_pool, write_pool
from fine_tune.pretrain import Recipe, Trainer, contrastive_loss, new_model, sample_texts
from fine_tune.schedule import cosine_with_warmup, decay_groups

TINY = Recipe(crops=24, steps=4, batch=8, captioned=6, warmup=2, side=72, seed=3)


@pytest.fixture(scope="module")
def pool() -> CropPool:
    return render_pool("train", seed=3, first=0, count=24, side=72, backgrounds=None)


def make_trainer(pool: CropPool, out: Path, recipe: Recipe = TINY) -> Trainer:
    out.mkdir(exist_ok=True)
    tokenizer = train_tokenizer(sample_texts(pool, 24), vocabulary_size=400)
    return Trainer(recipe, Batches(recipe, pool, len(pool), tokenizer), new_model(recipe, len(tokenizer)), out)


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


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(pool: CropPool, tmp_path: Path) -> None:
    whole = make_trainer(pool, tmp_path / "whole")
    whole.run()
    killed = make_trainer(pool, tmp_path / "killed")
    killed.train_step()
    killed.train_step()
    killed.save()
    resumed = make_trainer(pool, tmp_path / "killed")
    assert resumed.resume()
    assert resumed.step == 2
    resumed.run()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_a_checkpoint_of_another_recipe_is_refused(pool: CropPool, tmp_path: Path) -> None:
    make_trainer(pool, tmp_path).save()
    with pytest.raises(AgriClipError, match="another recipe"):
        make_trainer(pool, tmp_path, replace(TINY, learning_rate=1.0)).resume()


def test_the_temperature_never_falls_below_a_hundredth(pool: CropPool, tmp_path: Path) -> None:
    trainer = make_trainer(pool, tmp_path)
    assert float(trainer.model.logit_scale.exp()) == pytest.approx(1 / 0.07, rel=1e-5)
    trainer.model.logit_scale.data.fill_(9.0)
    trainer.train_step()
    assert float(trainer.model.logit_scale.exp()) <= 100.0 + 1e-3


def test_training_lowers_the_loss(pool: CropPool, tmp_path: Path) -> None:
    trainer = make_trainer(pool, tmp_path, replace(TINY, steps=40, learning_rate=1e-3))
    losses = [trainer.train_step() for _ in range(30)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_the_folder_loads_with_the_auto_classes_and_gives_the_same_vectors(pool: CropPool, tmp_path: Path) -> None:
    tokenizer = train_tokenizer(sample_texts(pool, 24), vocabulary_size=400)
    model = build_model(len(tokenizer)).eval()
    save_dual_encoder(tmp_path, model, tokenizer, TINY.size)
    assert not list(tmp_path.glob("*.bin"))
    loaded, processor = AutoModel.from_pretrained(tmp_path).eval(), AutoProcessor.from_pretrained(tmp_path)
    inputs = processor(text=["a green aphid"], images=[pool.images[0]], return_tensors="pt", padding=True)
    with torch.inference_mode():
        for part in ("image", "text"):
            key = {"pixel_values": inputs["pixel_values"]} if part == "image" else {"input_ids": inputs["input_ids"]}
            ours, theirs = (getattr(m, f"get_{part}_features")(**key).pooler_output for m in (model, loaded))
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-8)  # kernels may differ with alignment


def test_a_model_is_opened_for_further_training_as_it_was_saved(pool: CropPool, tmp_path: Path) -> None:
    trainer = make_trainer(pool, tmp_path)
    trainer.train_step()
    save_dual_encoder(tmp_path / "model", trainer.model, trainer.batches.tokenizer, TINY.size)
    model, tokenizer = open_dual_encoder(tmp_path / "model")
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    assert tokenizer("a green aphid")["input_ids"] == trainer.batches.tokenizer("a green aphid")["input_ids"]
    further = Trainer(replace(TINY, start="1"), Batches(TINY, pool, len(pool), tokenizer), model, tmp_path)
    assert further.train_step() == pytest.approx(trainer.train_step(trainer.batches[0]), rel=1e-5)


def test_a_deeper_model_gives_the_same_vectors_and_learns_in_its_new_blocks(pool: CropPool, tmp_path: Path) -> None:
    trainer = make_trainer(pool, tmp_path)
    trainer.train_step()
    deeper = deepen(trainer.model, (1, 3, 2, 3)).eval()
    pixels = trainer.batches[0].pixels
    with torch.inference_mode():
        expected, ours = (
            m.eval().get_image_features(pixel_values=pixels).pooler_output for m in (trainer.model, deeper)
        )
    torch.testing.assert_close(ours, expected)
    recipe = replace(TINY, layers=(1, 3, 2, 3))
    further = Trainer(recipe, Batches(recipe, pool, len(pool), trainer.batches.tokenizer), deeper, tmp_path)
    new = deeper.vision_model.timm_model.get_submodule("layer4.2")
    before = [parameter.clone() for parameter in new.bn2.parameters()]
    further.train_step()
    assert all(not torch.equal(a, b) for a, b in zip(before, new.bn2.parameters(), strict=True))
    with pytest.raises(AgriClipError, match=r"has \(1, 3, 2, 3\) already"):
        deepen(deeper, (1, 2, 2, 2))


def test_larger_pictures_are_what_the_saved_folder_asks_for(pool: CropPool, tmp_path: Path) -> None:
    tokenizer = train_tokenizer(sample_texts(pool, 24), vocabulary_size=400)
    save_dual_encoder(tmp_path, build_model(len(tokenizer)), tokenizer, 72)
    inputs = AutoProcessor.from_pretrained(tmp_path)(images=[pool.images[0]], return_tensors="pt")
    assert inputs["pixel_values"].shape == (1, 3, 72, 72)
    recipe = replace(TINY, size=72)
    assert Batches(recipe, pool, len(pool), tokenizer)[0].pixels.shape == (TINY.batch, 3, 72, 72)


def test_larger_crops_are_shrunk_to_what_the_model_sees() -> None:
    whole = np.zeros((1, 108, 108, 3), np.uint8)
    whole[0, 6:102, 6:102] = 255
    out = augment(np.random.default_rng(0), whole, 64, blurred=0.0)
    assert out.shape == (1, 64, 64, 3)
    assert out.mean() > 0.85 * 255  # 96 of the 108 pixels are seen


def test_passes_in_bfloat16_give_nearly_the_same_loss(pool: CropPool, tmp_path: Path) -> None:
    exact, rounded = (make_trainer(pool, tmp_path, replace(TINY, bfloat16=b)).train_step() for b in (False, True))
    assert rounded == pytest.approx(exact, rel=0.02)
    assert rounded != exact


def test_text_is_pooled_at_its_end_token_whatever_stands_behind_it() -> None:
    tokenizer = train_tokenizer(["a green aphid", "a white moth on a leaf"] * 5, vocabulary_size=300)
    model = build_model(len(tokenizer)).eval()
    short = tokenizer("a green aphid", return_tensors="pt")["input_ids"]
    assert int(short[0, -1]) == END
    padded = tokenizer("a green aphid", return_tensors="pt", padding="max_length")["input_ids"]
    with torch.inference_mode():
        a, b = (model.get_text_features(input_ids=ids).pooler_output for ids in (short, padded))
        hidden = model.text_model(input_ids=short).last_hidden_state[:, -1]
        expected = model.text_projection(hidden)
    torch.testing.assert_close(a, b)
    torch.testing.assert_close(a, expected)


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
    model = build_model(300)
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
