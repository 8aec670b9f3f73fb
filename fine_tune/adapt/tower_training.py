"""The training loop of adapting: LoRA or all weights of both towers, judged on held-out crops as it goes.

References
----------
Goyal et al., Finetune like you pretrain: improved finetuning of zero-shot vision models, CVPR 2023: all weights of both
towers are trained with the loss of pretraining, on texts made of the labels.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint as recompute

from agri_clip.encoders.clip import ClipEncoder, scale_and_bias
from agri_clip.io.console import progress
from fine_tune.adapt.curves import TensorBoardLog, write_metrics
from fine_tune.adapt.judging import Judgement, contrast, judge
from fine_tune.adapt.lora import add_lora
from fine_tune.adapt.rehearsal import Reminded
from fine_tune.adapt.shots import ShotBatch, Shots
from fine_tune.adapt.wise import blend_weights, scale_adapter
from fine_tune.encoder.contrastive import MAX_LOGIT_SCALE
from fine_tune.training.checkpoints import load_checkpoint, save_checkpoint
from fine_tune.training.precision import fast_bfloat16
from fine_tune.training.schedule import cosine_with_warmup, decay_groups, made_ahead

Method = Literal["lora", "full"]


@dataclass(frozen=True)
class TowerRecipe:
    """How both towers are trained. The defaults were measured on the embedded encoder; see docs/adapting-training.md.

    Attributes
    ----------
    steps, batch : int
        Most optimiser steps, and crops in each.
    learning_rate : float
        Peak of the cosine.
    weight_decay : float
        Decoupled.
    warmup : int
        Steps of linear warm-up.
    rank : int
        Of LoRA.
    alpha : float
        LoRA's change is multiplied by ``alpha / rank``.
    dropout : float
        Of LoRA's inputs.
    held_out : float
        Share of the crops, by whole photos, that early stopping and the blend are judged on.
    judge_every, patience : int
        Steps between judgements, and judgements without a lower loss after which training stops.
    precision : {"auto", "float32", "bfloat16"}
        Of the passes; the weights stay float32. ``"auto"`` is bfloat16 where a GPU has it.
    recompute : int
        Crops whose activations are kept at a time: each part of a batch is passed again for its gradient, which takes
        a third longer and less memory. 0 keeps those of the whole batch.
    reminders : int
        Rendered crops of catalogued groups outside the labels that each step has beside those of `batch`; no blend is
        taken that loses much on such groups. 0 does without, and lets other prompts lose what they will.
    """

    steps: int = 300
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: int = 20
    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.1
    held_out: float = 0.25
    judge_every: int = 20
    patience: int = 5
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    recompute: int = 0
    reminders: int = 32


#: What is taken where no recipe is given.
RECIPES: dict[Method, TowerRecipe] = {
    "lora": TowerRecipe(),
    "full": TowerRecipe(learning_rate=1e-4, weight_decay=0.1),
}


@dataclass(frozen=True)
class TowerRun:
    """Everything that fixes a run, so that a checkpoint of another is refused.

    Attributes
    ----------
    method : {"lora", "full"}
    base : str
        Fingerprint of the encoder at the start.
    data : str
        Hash of crops, labels, photos and texts.
    recipe : TowerRecipe
    seed : int
    """

    method: Method
    base: str
    data: str
    recipe: TowerRecipe
    seed: int


@dataclass(frozen=True)
class HeldOut:
    """Crops that are not trained on.

    Attributes
    ----------
    crops : sequence of n ndarray, shape (h, w, 3), uint8
    labels : Tensor, shape (n,), int64
        Index into `texts`.
    texts : sequence of k sequences of str
        All that each label is called; the mean of their vectors stands for it, as in `agri_clip.scoring.score`.
    """

    crops: Sequence[np.ndarray]
    labels: Tensor
    texts: Sequence[Sequence[str]]


class TowerTrainer:
    """One run: model, optimiser and step, saved together and resumed exactly.

    Batch normalisation keeps its statistics: those of a few crops would be worse than those of pretraining, and the
    blend would have to mix them.
    """

    def __init__(
        self,
        run: TowerRun,
        encoder: ClipEncoder,
        shots: Shots | Reminded,
        held_out: HeldOut,
        out: Path,
        tensorboard: bool = False,
    ) -> None:
        self.plan, self.recipe, self.encoder = run, run.recipe, encoder
        self.shots, self.held_out, self.out, self.tensorboard = shots, held_out, out, tensorboard
        self.device = encoder.device
        with torch.random.fork_rng(self._cuda):
            torch.manual_seed(run.seed)
            self.wrapped = self._open_weights()
        self.trained = {n: p for n, p in encoder.model.named_parameters() if p.requires_grad}
        self.start = self._weights() if run.method == "full" else {}
        # Sigmoid models begin beyond CLIP's limit.
        start = float(scale_and_bias(encoder.model)[0].detach().log())
        self.max_logit_scale = max(MAX_LOGIT_SCALE, start)
        self.optimizer = torch.optim.AdamW(
            decay_groups(encoder.model, run.recipe.weight_decay), lr=run.recipe.learning_rate
        )
        self.step, self.stale, self.seconds = 0, 0, 0.0
        self.best, self.best_step, self.best_loss = self._weights(), 0, math.inf
        self.rows: list[dict[str, float | int]] = []

    @property
    def _cuda(self) -> list[torch.device]:
        return [self.device] if self.device.type == "cuda" else []

    def _open_weights(self) -> Any:
        """Let the weights that the method trains take gradients; the model with its adapters where it has any."""
        model = self.encoder.model
        if self.plan.method == "full":
            return model.requires_grad_(True)
        model.requires_grad_(False)
        return add_lora(model, self.recipe.rank, self.recipe.alpha, self.recipe.dropout, self.encoder.name)

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.trained.items()}

    def _load(self, weights: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in weights.items():
                self.trained[name].copy_(value)

    @property
    def optimizer_bytes(self) -> int:
        """What the optimiser keeps beside the weights, bytes; 0 before the first step."""
        kept = (value for state in self.optimizer.state.values() for value in state.values())
        return sum(value.nbytes for value in kept if isinstance(value, Tensor))

    def train_step(self, batch: ShotBatch) -> float:
        """Take one optimiser step; the loss before it."""
        recipe, model = self.recipe, self.encoder.model
        self._train_mode()
        rate = recipe.learning_rate * cosine_with_warmup(self.step, recipe.warmup, recipe.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.random.fork_rng(self._cuda):
            # The step alone seeds dropout, so that a resumed run needs no state of the generator.
            torch.manual_seed(self.plan.seed * 1_000_003 + self.step)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self._half):
                images, names = self._image_vectors(batch.crops), self._text_vectors(batch.texts)
            labels = torch.from_numpy(batch.labels).to(self.device)
            scale, bias = scale_and_bias(model)
            loss = contrast(images, names, labels, scale, bias if self.encoder.activation == "sigmoid" else None)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
        nn.utils.clip_grad_norm_(list(self.trained.values()), 1.0)
        self.optimizer.step()
        self._limit_scale()
        self.step += 1
        return float(loss.detach())

    @property
    def _half(self) -> bool:
        if self.recipe.precision == "auto":
            return self.device.type == "cuda" and fast_bfloat16("cuda")
        return self.recipe.precision == "bfloat16"

    def _train_mode(self) -> None:
        for layer in self.encoder.model.train().modules():
            if isinstance(layer, _BatchNorm):
                layer.eval()

    def _limit_scale(self) -> None:
        scale = getattr(self.encoder.model, "logit_scale", None)
        if scale is not None and scale.requires_grad:
            scale.data.clamp_(max=self.max_logit_scale)

    def _image_vectors(self, crops: Sequence[np.ndarray]) -> Tensor:
        """Unit vectors (n, dim) of crops with their graph; in parts where activations are computed again."""
        prepared, part = self.encoder.prepare_crops(crops), self.recipe.recompute
        if not part:
            return _unit(self.encoder.run_image_tower(prepared))
        pieces = [{key: value[i : i + part] for key, value in prepared.items()} for i in range(0, len(crops), part)]
        return _unit(torch.cat([recompute(self.encoder.run_image_tower, p, use_reentrant=False) for p in pieces]))

    def _text_vectors(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (k, dim) of texts with their graph."""
        return _unit(self.encoder.run_text_tower(self.encoder.prepare_texts(texts)))

    def judge(self) -> Judgement:
        """Name the held-out crops with the weights as they are."""
        return self.judge_on(self.held_out)

    def judge_on(self, held_out: HeldOut) -> Judgement:
        """Name any crops with the weights as they are."""
        self.encoder.model.eval()
        texts = [text for options in held_out.texts for text in options]
        with torch.inference_mode():
            parts = [self._text_vectors(texts[i : i + 256]).cpu() for i in range(0, len(texts), 256)]
            owners = [len(options) for options in held_out.texts]
            names = _unit(torch.stack([own.mean(dim=0) for own in torch.cat(parts).split(owners)]))
            images = torch.from_numpy(self.encoder.encode_images(held_out.crops))
            scale = float(scale_and_bias(self.encoder.model)[0])
        return judge(images, names, held_out.labels, scale)

    def set_blend(self, share: float) -> None:
        """Put the model at a share of the way from the start to the best weights of the run."""
        if self.plan.method == "full":
            self._load(blend_weights(self.start, self.best, share))
        else:
            self._load(self.best)
            scale_adapter(self.encoder.model, share)

    @property
    def checkpoint(self) -> Path:
        """Where the state of an unfinished run is kept."""
        return self.out / "checkpoint.pt"

    def save(self) -> None:
        """Write the whole state, or leave the older one."""
        state = {
            "weights": self._weights(),
            "best": self.best,
            "best_step": self.best_step,
            "best_loss": self.best_loss,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "stale": self.stale,
            "rows": self.rows,
            "seconds": self.seconds,
        }
        save_checkpoint(self.checkpoint, self.plan, state)

    def resume(self) -> bool:
        """Take up the state of an earlier run that was cut short, if there is one.

        Raises
        ------
        AgriClipError
            The checkpoint is of another run.
        """
        state = load_checkpoint(self.checkpoint, self.plan, str(self.device))
        if state is None:
            return False
        self._load(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.best_step, self.best_loss = state["best"], state["best_step"], state["best_loss"]
        self.step, self.stale, self.rows, self.seconds = (state[k] for k in ("step", "stale", "rows", "seconds"))
        return True

    def run(self) -> None:
        """Train until the last step, or until held-out crops say that it gets no better; keeps the best weights."""
        recipe, losses = self.recipe, list[float]()
        started = time.perf_counter() - self.seconds
        log = TensorBoardLog(self.out / "tensorboard", self.step + 1) if self.tensorboard else None
        if not self.rows:
            self._record(math.nan, log)
        if self.stale < recipe.patience:
            batches = made_ahead(self.shots, self.step, recipe.steps)
            for batch in progress(batches, recipe.steps - self.step, "training"):
                losses.append(self.train_step(batch))
                if self.step % recipe.judge_every == 0 or self.step == recipe.steps:
                    self.seconds = time.perf_counter() - started
                    self._record(float(np.mean(losses)), log)
                    self.save()
                    losses.clear()
                    if self.stale >= recipe.patience:
                        break
        if log is not None:
            log.close()

    def _record(self, loss: float, log: TensorBoardLog | None) -> None:
        """Judge, remember the weights if they are the best, and write down how far training is."""
        judged = self.judge()
        if judged.loss < self.best_loss:
            self.best, self.best_step, self.best_loss, self.stale = self._weights(), self.step, judged.loss, 0
        else:
            self.stale += 1
        row: dict[str, float | int] = {
            "step": self.step,
            "loss": loss,
            "held_out_loss": judged.loss,
            "held_out_accuracy": judged.accuracy,
            "learning_rate": self.optimizer.param_groups[0]["lr"] if self.step else 0.0,
            "seconds": round(self.seconds, 1),
        }
        self.rows.append(row)
        write_metrics(self.out / "metrics.csv", self.rows)
        if log is not None:
            log.add(row)


def _unit(vectors: Tensor) -> Tensor:
    return nn.functional.normalize(vectors.float(), dim=-1)
