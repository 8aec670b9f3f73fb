"""Adapting both towers: better on held-out crops, never worse than words, resumed exactly, saved as others save."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from agri_clip.encoders import get_encoder
from agri_clip.encoders.base import KNOWN_WORDS
from agri_clip.encoders.clip import ClipEncoder
from agri_clip.errors import AgriClipError, DataError, ModelError
from fine_tune.adapt import tower_training, towers
from fine_tune.adapt.samples import BACKGROUND
from fine_tune.adapt.shots import Shots
from fine_tune.adapt.tower_training import HeldOut, Method, TowerRecipe, TowerRun, TowerTrainer
from fine_tune.adapt.towers import TowersResult, adapt_towers
from tests.fine_tune.adapt.small_encoders import TEXTS, coloured_crops, tiny

SAMPLES = coloured_crops()
TINY = TowerRecipe(steps=12, batch=6, learning_rate=5e-3, warmup=2, rank=2, alpha=4, judge_every=4, reminders=0)
WEIGHTS = {"lora": "adapter_model.safetensors", "full": "model.safetensors"}
METHODS: tuple[Method, ...] = ("lora", "full")


def adapt(out: Path, method: Method = "lora", recipe: TowerRecipe = TINY, kind: str = "clip", **more: Any) -> Any:
    return adapt_towers(SAMPLES, TEXTS, str(tiny(kind)), out, method=method, recipe=recipe, device="cpu", **more)


def make_trainer(out: Path, method: Method = "full", kind: str = "clip", **changes: Any) -> TowerTrainer:
    encoder = get_encoder(tiny(kind), "cpu", dtype="float32")
    assert isinstance(encoder, ClipEncoder)
    recipe = replace(TINY, **changes)
    shots = Shots(SAMPLES.crops, SAMPLES.labels, TEXTS, recipe.batch, seed=0)
    names = sorted(TEXTS)
    labels = torch.tensor([names.index(label) for label in SAMPLES.labels])
    held_out = HeldOut(SAMPLES.crops, labels, [TEXTS[name] for name in names])
    return TowerTrainer(TowerRun(method, "", "", recipe, 0), encoder, shots, held_out, out)


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "metrics.csv").open(encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def die_at_save(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Kill the run right after its state was saved for the n-th time."""
    save, saved = TowerTrainer.save, []

    def die(trainer: TowerTrainer) -> None:
        save(trainer)
        saved.append(trainer.step)
        if len(saved) == number:
            raise KeyboardInterrupt

    monkeypatch.setattr(TowerTrainer, "save", die)


@pytest.mark.parametrize(("method", "kind"), [("lora", "clip"), ("full", "clip"), ("full", "siglip")])
def test_it_learns_to_tell_labels_apart(method: Method, kind: str, tmp_path: Path) -> None:
    rate = 2e-2 if method == "lora" else 3e-3
    result = adapt(tmp_path, method, replace(TINY, steps=60, learning_rate=rate, judge_every=20), kind)
    assert result.blended.accuracy > result.words.accuracy
    assert result.blended.accuracy >= 0.8
    assert result.blend > 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["clip", "vision_text"])
def test_what_is_saved_is_an_encoder_with_the_weights_that_were_judged(
    method: Method, kind: str, tmp_path: Path
) -> None:
    result: TowersResult = adapt(tmp_path, method, kind=kind)
    encoder = get_encoder(tmp_path, "cpu", dtype="float32")
    assert isinstance(encoder, ClipEncoder)
    assert not list(tmp_path.glob("*.pt")), "no pickle stays behind"
    assert (tmp_path / WEIGHTS[method]).is_file()
    facts = json.loads((tmp_path / "training.json").read_text())
    assert facts["blend"] == result.blend
    assert facts["labels"] == {"aphid": 8, "bee": 8, "moth": 8}
    back = towers.hold_out(SAMPLES.labels, SAMPLES.photos, TINY.held_out, 0)
    names = sorted(TEXTS)
    words = encoder.encode_texts([TEXTS[name][0] for name in names])
    told = (encoder.encode_images(SAMPLES[back].crops) @ words.T).argmax(axis=1)
    right = [names[place] == label for place, label in zip(told, SAMPLES[back].labels, strict=True)]
    assert np.mean(right) == pytest.approx(result.blended.accuracy)  # as many held-out crops of each label


def test_the_words_are_kept_where_training_did_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = TowerTrainer.judge
    seen: list[float] = []

    def worse(trainer: TowerTrainer) -> Any:
        judged = judge(trainer)
        seen.append(judged.loss)
        return replace(judged, accuracy=1.0 if judged.loss == seen[0] else 0.0)

    monkeypatch.setattr(TowerTrainer, "judge", worse)
    result = adapt(tmp_path)
    assert result.blend == 0
    crops = SAMPLES.crops[:4]
    start, saved = (get_encoder(folder, "cpu", dtype="float32") for folder in (tiny("clip"), tmp_path))
    np.testing.assert_array_equal(start.encode_images(crops), saved.encode_images(crops))
    np.testing.assert_array_equal(start.encode_texts(["a bee"]), saved.encode_texts(["a bee"]))


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_run_ends_where_an_uninterrupted_one_does(
    method: Method, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = adapt(tmp_path / "whole", method)
    with monkeypatch.context() as patch:
        die_at_save(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            adapt(tmp_path / "killed", method)
    steps: list[int] = []
    step = TowerTrainer.train_step
    monkeypatch.setattr(TowerTrainer, "train_step", lambda self, batch: steps.append(self.step) or step(self, batch))
    resumed = adapt(tmp_path / "killed", method)
    assert steps == [8, 9, 10, 11]
    assert rows_of(tmp_path / "whole") == rows_of(tmp_path / "killed")
    for name, value in load_file(tmp_path / "whole" / WEIGHTS[method]).items():
        assert torch.equal(value, load_file(tmp_path / "killed" / WEIGHTS[method])[name]), name
    assert replace(resumed, folder=whole.folder) == whole


def test_one_seed_gives_one_result_and_another_seed_another(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(len(name) + seed)  # what else the program drew must not matter
        adapt(tmp_path / name, seed=seed)
    a, b, c = (load_file(tmp_path / name / WEIGHTS["lora"]) for name in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert any(not torch.equal(a[key], c[key]) for key in a)


def test_an_unfinished_run_of_other_settings_is_refused_unless_it_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        die_at_save(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            adapt(tmp_path)
    with pytest.raises(AgriClipError, match="another recipe"):
        adapt(tmp_path, seed=5)
    with pytest.raises(AgriClipError, match="another recipe"):
        adapt(tmp_path, "full")
    assert adapt(tmp_path, seed=5, resume=False).steps == TINY.steps


def test_it_stops_when_held_out_crops_get_no_better(tmp_path: Path) -> None:
    result = adapt(tmp_path, "full", replace(TINY, steps=400, learning_rate=0.5, warmup=1, judge_every=2, patience=3))
    assert result.steps <= result.best_step + 6
    assert result.steps < 400


def test_lora_keeps_a_fifth_of_the_optimisers_memory_or_less(tmp_path: Path) -> None:
    small, large = (make_trainer(tmp_path, method, "vision_text", rank=1) for method in METHODS)
    assert small.optimizer_bytes == 0
    for trainer in (small, large):
        trainer.train_step(trainer.shots[0])
    # AdamW keeps two numbers of four bytes beside each weight, and a count for each tensor.
    for trainer in (small, large):
        numbers = sum(value.numel() for value in trainer.trained.values())
        assert trainer.optimizer_bytes == 8 * numbers + 4 * len(trainer.trained)
    assert 0 < small.optimizer_bytes < large.optimizer_bytes


def kept_bytes(run: Callable[[], torch.Tensor]) -> int:
    """Of what a pass keeps for its gradient."""
    kept: dict[int, int] = {}

    def pack(value: torch.Tensor) -> torch.Tensor:
        kept[value.data_ptr()] = value.nbytes
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        run()
    return sum(kept.values())


@pytest.mark.parametrize("kind", ["clip", "vision_text"])
def test_recomputing_keeps_less_and_gives_the_same_gradient(kind: str, tmp_path: Path) -> None:
    plain, again = (make_trainer(tmp_path, "full", kind, recompute=part) for part in (0, 2))
    batch = plain.shots[0]
    gradients, bytes_ = [], []
    for trainer in (plain, again):
        trainer._train_mode()
        bytes_.append(kept_bytes(lambda trainer=trainer: trainer._image_vectors(batch.crops)))
        trainer._image_vectors(batch.crops).pow(3).sum().backward()
        gradients.append({n: p.grad for n, p in trainer.trained.items() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=1e-3, atol=1e-6, msg=name)
    assert bytes_[1] < 0.3 * bytes_[0]


def test_half_precision_computes_coarser_and_trains_full_weights(tmp_path: Path) -> None:
    plain, half = (make_trainer(tmp_path, "full", precision=kind) for kind in ("float32", "bfloat16"))
    losses = [trainer.train_step(trainer.shots[0]) for trainer in (plain, half)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)
    assert {value.dtype for value in half.trained.values()} == {torch.float32}


def test_statistics_of_batch_normalisation_stay(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, "full", "vision_text")
    before = {name: value.clone() for name, value in trainer.encoder.model.named_buffers() if "running" in name}
    trainer.train_step(trainer.shots[0])
    assert before
    for name, value in before.items():
        assert torch.equal(trainer.encoder.model.get_buffer(name), value), name


def test_the_temperature_is_not_trained_below_clips_limit(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, "full")
    trainer.encoder.model.logit_scale.data.fill_(9.0)
    trainer.train_step(trainer.shots[0])
    assert float(trainer.encoder.model.logit_scale.detach().exp()) == pytest.approx(100, rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_ends_of_the_blend_are_the_start_and_the_best_weights(method: Method, share: float, tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, method)
    crops = list(SAMPLES.crops[:4])
    ends = {0.0: trainer.encoder.encode_images(crops)}
    for step in range(3):
        trainer.train_step(trainer.shots[step])
    trainer.best = trainer._weights()
    trainer.encoder.model.eval()
    ends[1.0] = trainer.encoder.encode_images(crops)
    trainer.set_blend(0.4)
    assert not np.array_equal(trainer.encoder.encode_images(crops), ends[share])
    trainer.set_blend(share)
    np.testing.assert_array_equal(trainer.encoder.encode_images(crops), ends[share])


def test_the_run_can_be_watched(tmp_path: Path) -> None:
    adapt(tmp_path, tensorboard=True)
    rows = rows_of(tmp_path)
    assert [row["step"] for row in rows] == ["0", "4", "8", "12"]
    assert math.isnan(float(rows[0]["loss"]))
    assert all(math.isfinite(float(row[k])) for row in rows[1:] for k in ("loss", "held_out_loss", "learning_rate"))
    assert (tmp_path / "learning-curve.png").read_bytes().startswith(b"\x89PNG")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("held_out_loss")] == [0, 4, 8, 12]


def test_without_tensorboard_the_option_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(AgriClipError, match=r"agri-clip\[tensorboard\]"):
        adapt(tmp_path, tensorboard=True)


def test_words_of_the_labels_become_known_words(tmp_path: Path) -> None:
    import shutil

    start = Path(shutil.copytree(tiny("clip"), tmp_path / "start"))
    (start / KNOWN_WORDS).write_text("insect\nsticky\n")
    for method in METHODS:
        adapt_towers(SAMPLES, TEXTS, str(start), tmp_path / method, method=method, recipe=TINY, device="cpu")
        encoder = get_encoder(tmp_path / method, "cpu")
        assert isinstance(encoder, ClipEncoder)
        assert encoder.known_words is not None
        assert {"insect", "sticky", "aphid", "bee", "moth"} <= encoder.known_words


def test_crops_without_an_insect_are_called_what_negatives_are_called(tmp_path: Path) -> None:
    samples = replace(SAMPLES, labels=tuple(BACKGROUND if n == "moth" else n for n in SAMPLES.labels))
    result = adapt_towers(samples, TEXTS, str(tiny("clip")), tmp_path, method="lora", recipe=TINY, device="cpu")
    assert "glue" in towers._call(samples, TEXTS)[BACKGROUND]
    assert result.steps == TINY.steps


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ("aphid",) * len(SAMPLES)}, "all crops are 'aphid'"),
        ({"labels": ("wasp",) * len(SAMPLES)}, "'wasp' has crops but no words"),
        ({"photos": ("p",) * len(SAMPLES)}, "another photo"),
    ],
)
def test_samples_that_cannot_be_trained_on_say_why(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        adapt_towers(replace(SAMPLES, **change), TEXTS, str(tiny("clip")), tmp_path, method="lora", recipe=TINY)


def test_an_adapter_gets_no_second_one_but_can_be_trained_whole(tmp_path: Path) -> None:
    adapt(tmp_path / "first")
    with pytest.raises(ModelError, match="an adapter already"):
        adapt_towers(SAMPLES, TEXTS, str(tmp_path / "first"), tmp_path / "second", method="lora", recipe=TINY)
    adapt_towers(SAMPLES, TEXTS, str(tmp_path / "first"), tmp_path / "second", method="full", recipe=TINY, device="cpu")
    assert get_encoder(tmp_path / "second", "cpu").encode_texts(["a bee"]).shape[0] == 1


@pytest.mark.parametrize(("first", "second"), [("lora", "full"), ("full", "lora"), ("full", "start")])
def test_models_are_not_mixed_up_in_one_folder(first: Method, second: str, tmp_path: Path) -> None:
    adapt(tmp_path, first)
    start = str(tmp_path) if second == "start" else str(tiny("clip"))
    method: Method = "lora" if second == "lora" else "full"
    with pytest.raises(DataError, match="another kind"):
        adapt_towers(SAMPLES, TEXTS, start, tmp_path, method=method, recipe=TINY)


def test_recipes_of_both_methods_are_there() -> None:
    assert set(tower_training.RECIPES) == set(METHODS)
