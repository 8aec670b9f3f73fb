"""Trains the embedded dual encoder from nothing: CLIP's contrastive recipe at the scale of two cores.

python -m fine_tune.pretrain --out runs/builtin --photos DIR    # again after a kill: goes on where it was
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor, nn

from agri_clip.encoders.base import KNOWN_WORDS
from agri_clip.hub import fingerprint
from fine_tune.bank import bank_loss, draw_bank
from fine_tune.batches import Batch, Batches, write_caption
from fine_tune.checkpoints import load_checkpoint, save_checkpoint
from fine_tune.contrastive import MAX_LOGIT_SCALE, contrastive_loss
from fine_tune.crops import BACKGROUND_CAPTIONS, RealCrops, cut_proposed_crops, cut_real_crops
from fine_tune.dual_encoder import (
    LAYERS,
    build_model,
    deepen,
    open_dual_encoder,
    save_dual_encoder,
    train_tokenizer,
    words_in,
)
from fine_tune.parallel import ParallelGradients, share_parameters
from fine_tune.pool import CropPool, load_pool, read_pool, save_pool, write_pool
from fine_tune.precision import Bfloat16, fast_bfloat16, training_device
from fine_tune.schedule import cosine_with_warmup, decay_groups, made_ahead
from fine_tune.synthetic import NONE

#: What a run was, in the folder of its model.
TRAINING = "training.json"
#: Captions from which the tokenizer is learned.
TOKENIZER_CAPTIONS = 100_000


@dataclass(frozen=True)
class Recipe:
    """Everything that fixes a training run.

    Attributes
    ----------
    crops : int
        Rendered crops in the pool.
    steps, batch : int
        Optimiser steps, and crops in each.
    captioned : int
        Crops of a batch that come with a caption of their own; all crops are asked the prompt bank.
    parts : int
        Parts into which the crops of a batch are divided for the image tower, each with a thread and batch statistics
        of its own.
    learning_rate, weight_decay, warmup : float, float, int
        Peak rate, decoupled decay, and steps of linear warm-up before the cosine.
    real_share : float
        Share of a batch that is crops of real photos, half insects and half backgrounds, where there are any.
    side, size : int
        Side of a pooled crop, and of what the model sees of it: a random square, shrunk where it is larger; pixels.
    layers : tuple of 4 int
        Basic blocks in each stage of the image tower.
    bfloat16 : bool
        Passes of the towers; faster where the processor has it.
    start : str
        Fingerprint of the model that is trained further; empty from nothing.
    seed : int
    """

    crops: int = 150_000
    steps: int = 4_600
    batch: int = 256
    captioned: int = 96
    parts: int = 2
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.1
    warmup: int = 200
    real_share: float = 0.12
    side: int = 72
    size: int = 64
    layers: tuple[int, ...] = LAYERS
    bfloat16: bool = False
    start: str = ""
    seed: int = 0


def real_pool(parts: Sequence[RealCrops]) -> CropPool:
    """Crops of photos as a pool: the insects of all parts, and the backgrounds."""
    images = [part.insects for part in parts] + [part.backgrounds for part in parts]
    texts = [part.captions for part in parts] + [part.background_captions for part in parts]
    insects, backgrounds = (sum(len(i) for i in half) for half in (images[: len(parts)], images[len(parts) :]))
    groups = ("real",) * insects + (NONE,) * backgrounds
    return CropPool(np.concatenate(images), groups, ({},) * len(groups), tuple(t for part in texts for t in part))


class Trainer:
    """One run: model, optimiser and step, saved together and resumed exactly.

    Parameters
    ----------
    recipe : Recipe
    batches : Batches
    model : VisionTextDualEncoderModel
        What is trained: of `new_model`, or one that is trained further.
    out : Path
        Keeps the checkpoint and the log.
    """

    def __init__(self, recipe: Recipe, batches: Batches, model: Any, out: Path) -> None:
        self.recipe, self.batches, self.out = recipe, batches, out
        self.device = training_device()
        self.model = model.to(self.device, memory_format=torch.channels_last).train()
        if recipe.bfloat16 and self.device == "cpu":  # torch's fused attention is three times slower there
            self.model.text_model.set_attn_implementation("eager")
        self.optimizer = torch.optim.AdamW(
            decay_groups(self.model, recipe.weight_decay), lr=recipe.learning_rate, betas=(0.9, 0.98), eps=1e-6
        )
        self.replicas = [self.model, *(share_parameters(self.model) for _ in range(1, recipe.parts))]
        self.parallel = ParallelGradients(self.model, recipe.parts)
        self.step = 0
        self.seconds = 0.0

    def train_step(self, batch: Batch | None = None) -> float:
        """Take one optimiser step; the loss before it."""
        batch = (self.batches[self.step] if batch is None else batch).to(self.device)
        rate = self.recipe.learning_rate * cosine_with_warmup(self.step, self.recipe.warmup, self.recipe.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        pieces = batch.pixels.contiguous(memory_format=torch.channels_last).chunk(self.recipe.parts)
        passes = [partial(self._images, net, piece) for net, piece in zip(self.replicas, pieces, strict=True)]
        passes += [partial(self._texts, *texts) for texts in (batch.bank, batch.captions)]
        outputs, leaves = self.parallel.forward(passes)
        *image_parts, bank, texts = (nn.functional.normalize(leaf.float(), dim=-1) for leaf in leaves)
        images, scale = torch.cat(image_parts), self.model.logit_scale.exp()
        loss = contrastive_loss(images[batch.captioned], texts, scale, batch.caption_ids)
        loss = loss + bank_loss(scale * images @ bank.T, batch.fit)
        loss.backward()
        self.parallel.backward(outputs, leaves)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.model.logit_scale.data.clamp_(0.0, MAX_LOGIT_SCALE)
        self.step += 1
        return float(loss.detach())

    def _images(self, net: Any, pixels: Tensor) -> Tensor:
        with torch.autocast(self.device, torch.bfloat16, enabled=self.recipe.bfloat16):
            vectors: Tensor = net.get_image_features(pixel_values=pixels).pooler_output
        return vectors

    def _texts(self, tokens: Tensor, mask: Tensor) -> Tensor:
        with torch.autocast(self.device, torch.bfloat16, enabled=self.recipe.bfloat16):
            vectors: Tensor = self.model.get_text_features(input_ids=tokens, attention_mask=mask).pooler_output
        return vectors

    @property
    def checkpoint(self) -> Path:
        """Where the state of an unfinished run is kept."""
        return self.out / "checkpoint.pt"

    def save(self) -> None:
        """Write the whole state, or leave the older one."""
        state = {
            "model": self.model.state_dict(),
            "statistics": [dict(net.named_buffers()) for net in self.replicas[1:]],
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
        for net, buffers in zip(self.replicas[1:], state["statistics"], strict=True):
            net.load_state_dict(buffers, strict=False)
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        torch.set_rng_state(state["rng"].cpu())
        return True

    def run(self, *, save_every: int = 250, log_every: int = 50) -> None:
        """Train to the recipe's last step, saving on the way; the log is a CSV beside the checkpoint."""
        losses: list[float] = []
        started = time.perf_counter() - self.seconds
        with (self.out / "log.csv").open("a", encoding="utf-8") as log:
            for batch in made_ahead(self.batches, self.step, self.recipe.steps):
                losses.append(self.train_step(batch))
                self.seconds = time.perf_counter() - started
                if self.step % log_every == 0:
                    scale = float(self.model.logit_scale.detach().exp())
                    log.write(f"{self.step},{np.mean(losses):.4f},{scale:.2f},{self.seconds:.0f}\n")
                    log.flush()
                    losses.clear()
                if self.step % save_every == 0 or self.step == self.recipe.steps:
                    self.save()


def prepare(recipe: Recipe, out: Path, photos: Path | None, processes: int | None = None) -> CropPool:
    """Render the pool and cut the crops of real photos, or read what an earlier run made.

    Parameters
    ----------
    photos : Path or None
        A folder with `train.json` (COCO) and `images/`; None trains on renders alone.

    Returns
    -------
    CropPool
        The rendered crops, and behind them those of photos.
    """
    real = None if photos is None else _real_crops(recipe, out, photos)
    # The proposer's mistakes are training crops only: they may show an insect, so nothing is drawn over them.
    grounds = None if real is None else [i for i, texts in enumerate(real.captions) if texts == BACKGROUND_CAPTIONS]
    patches = None if real is None else real.images[grounds]
    write_pool(
        out / "pool",
        split="train",
        seed=recipe.seed,
        count=recipe.crops,
        side=recipe.side,
        backgrounds=patches,
        processes=processes,
    )
    return read_pool(out / "pool", recipe.crops, behind=() if real is None else (real,))


def _real_crops(recipe: Recipe, out: Path, photos: Path) -> CropPool:
    """Labelled insects, patches without any, and what the contrast proposer takes for insects; cut once."""
    file = out / "real.npz"
    if not file.exists():
        cutting: dict[str, Any] = {"seed": recipe.seed, "size": recipe.side}
        cut = [f(photos / "train.json", photos / "images", **cutting) for f in (cut_real_crops, cut_proposed_crops)]
        save_pool(file, real_pool(cut))
    return load_pool(file)


def sample_texts(pool: CropPool, count: int = TOKENIZER_CAPTIONS) -> list[str]:
    """Captions and prompts as training sees them: what the tokenizer is learned from, and what words it can know."""
    rng = np.random.default_rng(0)
    texts = {write_caption(rng, pool, row) for row in rng.permutation(len(pool))[:count]}
    texts.update(text for _ in range(max(1, count // 500)) for text in draw_bank(rng))
    return sorted(texts)


def new_model(recipe: Recipe, vocabulary_size: int) -> Any:
    """A model with the random weights of the recipe's seed, at the temperature that CLIP begins with."""
    torch.manual_seed(recipe.seed)
    model: Any = build_model(vocabulary_size, layers=recipe.layers)
    model.logit_scale.data.fill_(math.log(1 / 0.07))
    return model


def pretrain(
    recipe: Recipe,
    out: Path,
    photos: Path | None = None,
    *,
    start: Path | None = None,
    processes: int | None = None,
) -> Path:
    """Train the embedded encoder; the finished Hugging Face folder is `out/model`.

    Parameters
    ----------
    recipe : Recipe
    out : Path
        Keeps the pool, the checkpoint and the log. The same call again goes on where a killed run was.
    photos : Path or None
        See `prepare`.
    start : Path or None
        Model folder of an earlier run that is trained further, with its tokenizer; None begins from nothing.

    Raises
    ------
    AgriClipError
        `out` holds a run of another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    pool = prepare(recipe, out, photos, processes)
    texts = sample_texts(pool)
    known = words_in(texts)
    before: dict[str, Any] = {}
    if start is None:
        tokenizer = train_tokenizer(texts)
        model = new_model(recipe, len(tokenizer))
    else:
        recipe = replace(recipe, start=fingerprint(start))
        model, tokenizer = open_dual_encoder(start)
        torch.manual_seed(recipe.seed)
        model = deepen(model, recipe.layers)
        before = json.loads((start / TRAINING).read_text(encoding="utf-8"))
        known = sorted({*known, *(start / KNOWN_WORDS).read_text(encoding="utf-8").split()})
    trainer = Trainer(recipe, Batches(recipe, pool, pool.captions.count(()), tokenizer), model, out)
    trainer.resume()
    trainer.run()
    save_dual_encoder(out / "model", trainer.model, tokenizer, recipe.size, half=True)
    (out / "model" / KNOWN_WORDS).write_text("\n".join(known) + "\n", encoding="utf-8")
    record = facts(trainer) | ({"before": before} if before else {})
    (out / "model" / TRAINING).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return out / "model"


def facts(trainer: Trainer) -> dict[str, Any]:
    """What the model card says of a run; what it was trained further from stands behind it, as `before`."""
    batches = trainer.batches
    return {
        "recipe": asdict(trainer.recipe),
        "seconds": round(trainer.seconds),
        "samples_seen": trainer.recipe.steps * trainer.recipe.batch,
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "real_insects": len(batches.real_insects),
        "real_backgrounds": len(batches.real_backgrounds),
    }


def main(
    out: Annotated[Path, typer.Option(help="Folder for the pool, the checkpoint, the log and the model.")],
    photos: Annotated[Path | None, typer.Option(help="Folder with train.json (COCO) and images/.")] = None,
    crops: Annotated[int, typer.Option(help="Rendered crops.")] = Recipe.crops,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = Recipe.steps,
    batch: Annotated[int, typer.Option(help="Crops in a step.")] = Recipe.batch,
    side: Annotated[int, typer.Option(help="Side of a rendered crop, pixels.")] = Recipe.side,
    size: Annotated[int, typer.Option(help="Side of what the model sees, pixels.")] = Recipe.size,
    layers: Annotated[tuple[int, int, int, int], typer.Option(help="Blocks of the image tower's stages.")] = LAYERS,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = Recipe.learning_rate,
    seed: Annotated[int, typer.Option(help="Fixes pool, order and start.")] = Recipe.seed,
    start: Annotated[Path | None, typer.Option(help="Model folder to train further; default from nothing.")] = None,
    bfloat16: Bfloat16 = None,
    threads: Annotated[int | None, typer.Option(help="Cores for training; default all.")] = None,
) -> None:
    """Train the embedded dual encoder; the same command after a kill goes on."""
    torch.set_num_threads(max(1, (threads or torch.get_num_threads()) // Recipe.parts))
    half = fast_bfloat16(training_device()) if bfloat16 is None else bfloat16
    recipe = Recipe(
        crops=crops,
        steps=steps,
        batch=batch,
        side=side,
        size=size,
        layers=layers,
        learning_rate=rate,
        seed=seed,
        bfloat16=half,
    )
    typer.echo(f"model in {pretrain(recipe, out, photos, start=start)}")


if __name__ == "__main__":
    typer.run(main)
