"""Trains the embedded dual encoder from nothing: CLIP's contrastive recipe at the scale of two cores.

python -m fine_tune.pretrain --out runs/builtin --photos DIR    # again after a kill: goes on where it was
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from fine_tune.checkpoints import load_checkpoint, save_checkpoint
from fine_tune.crops import RealCrops, cut_proposed_crops, cut_real_crops
from fine_tune.dual_encoder import IMAGE_SIZE, TEXT_LENGTH, build_model, save_dual_encoder, train_tokenizer
from fine_tune.pool import CropPool, read_pool, write_pool
from fine_tune.schedule import cosine_with_warmup, decay_groups

MEAN, STD = 0.5, 0.25
#: A learned temperature may not fall below 0.01 (Radford et al. 2021, section 2.5).
MAX_LOGIT_SCALE = math.log(100.0)


@dataclass(frozen=True)
class Recipe:
    """Everything that fixes a training run.

    Attributes
    ----------
    crops : int
        Rendered crops in the pool.
    steps, batch : int
        Optimiser steps, and crops in each.
    learning_rate, weight_decay, warmup : float, float, int
        Peak rate, decoupled decay, and steps of linear warm-up before the cosine.
    real_share : float
        Share of a batch that is crops of real photos, half insects and half backgrounds, where there are any.
    side : int
        Side of a pooled crop, pixels; a random square of it is what the model sees.
    bfloat16, gradient_checkpointing : bool
        Both trade: speed where the processor has it, memory for time.
    seed : int
    """

    crops: int = 64_000
    steps: int = 5_000
    batch: int = 256
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.1
    warmup: int = 200
    real_share: float = 0.08
    side: int = 72
    bfloat16: bool = False
    gradient_checkpointing: bool = False
    seed: int = 0


def polishing(recipe: Recipe) -> Recipe:
    """The second stage of a run: few steps at a low rate, in which a quarter of a batch is crops of real photos."""
    return replace(
        recipe,
        steps=max(1, recipe.steps // 8),
        learning_rate=recipe.learning_rate / 4,
        warmup=max(1, recipe.warmup // 4),
        real_share=0.25,
        seed=recipe.seed + 1,
    )


def contrastive_loss(images: Tensor, texts: Tensor, logit_scale: Tensor, caption_ids: Tensor) -> Tensor:
    """Symmetric cross-entropy over a batch; pairs that share a caption are not negatives of each other.

    Parameters
    ----------
    images, texts : Tensor, shape (n, d)
        Unit vectors; row i of each belongs together.
    logit_scale : Tensor, scalar
        What cosines are multiplied by.
    caption_ids : Tensor, shape (n,)
        Equal where captions are equal.

    References
    ----------
    Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021, figure 3.
    """
    logits = logit_scale * images @ texts.T
    same = caption_ids[:, None] == caption_ids[None, :]
    same.fill_diagonal_(False)
    logits = logits.masked_fill(same, float("-inf"))
    target = torch.arange(len(images), device=images.device)
    return (nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.T, target)) / 2


def augment(rng: np.random.Generator, images: np.ndarray, size: int) -> np.ndarray:
    """Take a random square of each crop, at a random quarter turn, mirrored half of the time.

    Parameters
    ----------
    images : ndarray, shape (n, side, side, 3), uint8
    size : int
        Side of the square, at most `side`.
    """
    slack = images.shape[1] - size
    out = np.empty((len(images), size, size, 3), np.uint8)
    rows, columns = rng.integers(0, slack + 1, (2, len(images)))
    turns, flips = rng.integers(0, 4, len(images)), rng.random(len(images)) < 0.5
    for i, image in enumerate(images):
        square = np.rot90(image[rows[i] : rows[i] + size, columns[i] : columns[i] + size], turns[i])
        out[i] = square[:, ::-1] if flips[i] else square
    return out


def real_pool(real: RealCrops) -> CropPool:
    """Crops of photos as a pool: first the insects, then the backgrounds."""
    captions = real.captions + real.background_captions
    groups = ("real",) * len(real.insects) + ("none",) * len(real.backgrounds)
    return CropPool(np.concatenate([real.insects, real.backgrounds]), captions, groups, ({},) * len(groups))


class Batches:
    """Batches of pixels and token ids; batch number k is the same in every run of a recipe, whatever came before."""

    def __init__(
        self, recipe: Recipe, pool: CropPool, real: CropPool | None, tokenizer: PreTrainedTokenizerFast
    ) -> None:
        self.recipe = recipe
        self.rendered = len(pool)
        self._orders: dict[int, np.ndarray] = {}
        whole = pool if real is None else CropPool.concat([pool, real])
        self.images, self.groups = whole.images, np.array(whole.groups)
        distinct: dict[str, int] = {}
        self.caption_ids = [
            np.array([distinct.setdefault(text, len(distinct)) for text in texts]) for texts in whole.captions
        ]
        tokens = tokenizer(list(distinct), padding="max_length", truncation=True, max_length=TEXT_LENGTH)
        self.tokens = np.array(tokens["input_ids"], np.int64)
        self.masks = np.array(tokens["attention_mask"], np.int64)
        self.real_insects = self.rendered + np.flatnonzero(self.groups[self.rendered :] == "real")
        self.real_backgrounds = self.rendered + np.flatnonzero(self.groups[self.rendered :] == "none")

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            self._orders = {k: v for k, v in self._orders.items() if k >= epoch - 1}
            self._orders[epoch] = np.random.default_rng([self.recipe.seed, 7, epoch]).permutation(self.rendered)
        return self._orders[epoch]

    def _rows(self, step: int, rng: np.random.Generator) -> np.ndarray:
        recipe = self.recipe
        half = round(recipe.batch * recipe.real_share / 2) if len(self.real_insects) else 0
        wanted = recipe.batch - 2 * half
        epoch, offset = divmod(step * wanted, self.rendered)
        rendered = np.concatenate([self._order(epoch)[offset:], self._order(epoch + 1)])[:wanted]
        drawn = [rng.choice(rows, half) for rows in (self.real_insects, self.real_backgrounds) if half]
        return np.concatenate([rendered, *drawn])

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Pixels (n, 3, size, size) in model units, token ids, attention masks and caption ids of one step."""
        rng = np.random.default_rng([self.recipe.seed, 11, step])
        rows = self._rows(step, rng)
        pixels = augment(rng, self.images[rows], IMAGE_SIZE).astype(np.float32)
        chosen = np.array([rng.choice(self.caption_ids[row]) for row in rows])
        length = int(self.masks[chosen].sum(axis=1).max())
        return (
            torch.from_numpy((pixels / 255.0 - MEAN) / STD).permute(0, 3, 1, 2),
            torch.from_numpy(self.tokens[chosen, :length]),
            torch.from_numpy(self.masks[chosen, :length]),
            torch.from_numpy(chosen),
        )


class Trainer:
    """One run: model, optimiser and step, saved together and resumed exactly."""

    def __init__(self, recipe: Recipe, batches: Batches, vocabulary_size: int, out: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.batches, self.out = recipe, batches, out
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        model: Any = build_model(vocabulary_size)
        self.model = model.to(self.device, memory_format=torch.channels_last)
        self.model.logit_scale.data.fill_(math.log(1 / 0.07))
        if recipe.gradient_checkpointing:
            self.model.text_model.gradient_checkpointing_enable()
            self.model.vision_model.timm_model.set_grad_checkpointing(True)
        self.optimizer = torch.optim.AdamW(
            decay_groups(self.model, recipe.weight_decay), lr=recipe.learning_rate, betas=(0.9, 0.98), eps=1e-6
        )
        self.step = 0
        self.seconds = 0.0

    def train_step(self) -> float:
        """Take one optimiser step; the loss before it."""
        pixels, tokens, mask, ids = (tensor.to(self.device) for tensor in self.batches[self.step])
        rate = self.recipe.learning_rate * cosine_with_warmup(self.step, self.recipe.warmup, self.recipe.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device, torch.bfloat16, enabled=self.recipe.bfloat16):
            images = self.model.get_image_features(pixel_values=pixels).pooler_output
            texts = self.model.get_text_features(input_ids=tokens, attention_mask=mask).pooler_output
        images, texts = (nn.functional.normalize(v.float(), dim=-1) for v in (images, texts))
        loss = contrastive_loss(images, texts, self.model.logit_scale.exp(), ids)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.model.logit_scale.data.clamp_(0.0, MAX_LOGIT_SCALE)
        self.step += 1
        return float(loss.detach())

    @property
    def checkpoint(self) -> Path:
        """Where the state of an unfinished run is kept."""
        return self.out / "checkpoint.pt"

    def save(self) -> None:
        """Write the whole state, or leave the older one."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "rng": torch.get_rng_state(),
        }
        save_checkpoint(self.checkpoint, self.recipe, state)

    def resume(self) -> bool:
        """Take up the state of an earlier run of the same recipe, if there is one.

        Raises
        ------
        AgriClipError
            The checkpoint was made with another recipe.
        """
        state = load_checkpoint(self.checkpoint, self.recipe, self.device)
        if state is None:
            return False
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        torch.set_rng_state(state["rng"].cpu())
        return True

    def run(self, *, save_every: int = 250, log_every: int = 50) -> None:
        """Train to the recipe's last step, saving on the way; the log is a CSV beside the checkpoint."""
        self.model.train()
        losses: list[float] = []
        started = time.perf_counter() - self.seconds
        with (self.out / "log.csv").open("a", encoding="utf-8") as log:
            while self.step < self.recipe.steps:
                losses.append(self.train_step())
                self.seconds = time.perf_counter() - started
                if self.step % log_every == 0:
                    scale = float(self.model.logit_scale.detach().exp())
                    log.write(f"{self.step},{np.mean(losses):.4f},{scale:.2f},{self.seconds:.0f}\n")
                    log.flush()
                    losses.clear()
                if self.step % save_every == 0 or self.step == self.recipe.steps:
                    self.save()


def prepare(
    recipe: Recipe, out: Path, photos: Path | None, processes: int | None = None
) -> tuple[CropPool, CropPool | None]:
    """Render the pool and cut the crops of real photos, or read what an earlier run made.

    Parameters
    ----------
    photos : Path or None
        A folder with `train.json` (COCO) and `images/`; None trains on renders alone.
    """
    real = None
    if photos is not None:
        real = cut_real_crops(photos / "train.json", photos / "images", seed=recipe.seed, size=recipe.side)
    write_pool(
        out / "pool",
        split="train",
        seed=recipe.seed,
        count=recipe.crops,
        side=recipe.side,
        backgrounds=None if real is None else real.backgrounds,
        processes=processes,
    )
    return read_pool(out / "pool", recipe.crops), None if real is None else real_pool(real)


def tokenizer_texts(pools: Sequence[CropPool]) -> list[str]:
    """What the tokenizer is learned from: every distinct caption."""
    return sorted({text for pool in pools for texts in pool.captions for text in texts})


def pretrain(recipe: Recipe, out: Path, photos: Path | None = None, *, processes: int | None = None) -> Path:
    """Train the embedded encoder; the finished Hugging Face folder is `out/model`.

    Parameters
    ----------
    recipe : Recipe
    out : Path
        Keeps the pool, the checkpoint and the log. The same call again goes on where a killed run was.
    photos : Path or None
        See `prepare`.

    Raises
    ------
    AgriClipError
        `out` holds a run of another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    pool, real = prepare(recipe, out, photos, processes)
    tokenizer = train_tokenizer(tokenizer_texts([pool] if real is None else [pool, real]))
    trainer = Trainer(recipe, Batches(recipe, pool, real, tokenizer), len(tokenizer), out)
    trainer.resume()
    trainer.run()
    facts = [stage_facts(trainer, real)]
    if photos is not None:
        trainer, proposed = polish(trainer, pool, photos, tokenizer, out / "polish")
        facts.append(stage_facts(trainer, proposed))
    save_dual_encoder(out / "model", trainer.model, tokenizer, half=True)
    (out / "model" / "training.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return out / "model"


def polish(
    trained: Trainer, pool: CropPool, photos: Path, tokenizer: PreTrainedTokenizerFast, out: Path
) -> tuple[Trainer, CropPool]:
    """Train on with what the contrast proposer takes for an insect on real photos, right or wrong; see `polishing`."""
    out.mkdir(parents=True, exist_ok=True)
    recipe = polishing(trained.recipe)
    proposed = real_pool(
        cut_proposed_crops(photos / "train.json", photos / "images", seed=recipe.seed, size=recipe.side)
    )
    trainer = Trainer(recipe, Batches(recipe, pool, proposed, tokenizer), len(tokenizer), out)
    trainer.model.load_state_dict(trained.model.state_dict())
    trainer.resume()
    trainer.run()
    return trainer, proposed


def stage_facts(trainer: Trainer, real: CropPool | None) -> dict[str, Any]:
    """What the model card says of one stage."""
    return {
        "recipe": asdict(trainer.recipe),
        "seconds": round(trainer.seconds),
        "samples_seen": trainer.recipe.steps * trainer.recipe.batch,
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "real_insects": 0 if real is None else real.groups.count("real"),
        "real_backgrounds": 0 if real is None else real.groups.count("none"),
    }


def main(
    out: Annotated[Path, typer.Option(help="Folder for the pool, the checkpoint, the log and the model.")],
    photos: Annotated[Path | None, typer.Option(help="Folder with train.json (COCO) and images/.")] = None,
    crops: Annotated[int, typer.Option(help="Rendered crops.")] = Recipe.crops,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = Recipe.steps,
    batch: Annotated[int, typer.Option(help="Crops in a step.")] = Recipe.batch,
    seed: Annotated[int, typer.Option(help="Fixes pool, order and start.")] = Recipe.seed,
    threads: Annotated[int | None, typer.Option(help="Cores for training; default all.")] = None,
) -> None:
    """Train the embedded dual encoder; the same command after a kill goes on."""
    if threads:
        torch.set_num_threads(threads)
    recipe = replace(Recipe(), crops=crops, steps=steps, batch=batch, seed=seed)
    typer.echo(f"model in {pretrain(recipe, out, photos)}")


if __name__ == "__main__":
    typer.run(main)
