"""Trains the image tower further: it keeps what it knows of photos and learns species, drawn insects and real traps.

The first stages stay as they are, so their maps are computed once for every crop and kept; training takes the rest.
"""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fine_tune.encoder.networks import to_pixels
from fine_tune.encoder.photo_pool import Answers, PhotoPool
from fine_tune.encoder.prompt_bank import SECTIONS, bank_loss
from fine_tune.training.checkpoints import load_checkpoint, save_checkpoint
from fine_tune.training.schedule import cosine_with_warmup, decay_groups, follow

#: Columns of the bank.
QUESTIONS = max(section.stop for section in SECTIONS.values())


@dataclass(frozen=True)
class TowerRecipe:
    """Everything that fixes the training of the tower.

    Attributes
    ----------
    architecture : str
        Of timm, with weights in `fine_tune.encoder.networks.PACKAGES`.
    kept_stages : int
        Stages that stay as they are, the first ones.
    large, small : int
        Sides of the inputs, pixels: close-ups, and insects on a trap.
    steps : int
    photos_large, photos_small, close_ups, drawn, traps : int
        Crops of each kind in a step.
    learning_rate, head_rate, weight_decay, warmup : float, float, float, int
    average : float
        Decay of the running average of the weights, which is what is kept.
    temperature : float
        Of the distilled answers.
    blend : float
        Share of the trained weights in the tower that is kept; the rest is of the tower that training began with.
    start : str
        Fingerprint of the model whose tower is trained further; empty from the photos' weights.
    seed : int
    """

    architecture: str = "tf_efficientnet_lite2"
    kept_stages: int = 4
    large: int = 192
    small: int = 112
    steps: int = 900
    photos_large: int = 18
    photos_small: int = 8
    close_ups: int = 36
    drawn: int = 36
    traps: int = 18
    learning_rate: float = 5e-4
    head_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup: int = 50
    average: float = 0.998
    temperature: float = 1.5
    blend: float = 0.7
    start: str = ""
    seed: int = 0


@torch.inference_mode()
def first_stages(net: Any, images: np.ndarray, size: int, stages: int, batch: int = 32) -> Tensor:
    """Maps (n, c, s, s) float16 of the kept stages, of crops (n, side, side, 3) uint8 brought to `size` pixels."""
    maps = []
    for first in range(0, len(images), batch):
        pixels = to_pixels(images[first : first + batch])
        if pixels.shape[-1] != size:
            pixels = functional.interpolate(pixels, size, mode="bilinear", antialias=True)
        values = net.bn1(net.conv_stem(pixels.contiguous(memory_format=torch.channels_last)))
        for stage in net.blocks[:stages]:
            values = stage(values)
        maps.append(values.half())
    return torch.cat(maps)


class Rest(nn.Module):
    """The stages that are trained, up to the pooled features. Their batch statistics stay those of photos."""

    def __init__(self, net: Any, stages: int) -> None:
        super().__init__()
        self.blocks = deepcopy(net.blocks[stages:])
        self.conv_head, self.bn2, self.pool = deepcopy(net.conv_head), deepcopy(net.bn2), deepcopy(net.global_pool)

    def forward(self, maps: Tensor) -> Tensor:
        """Features (n, d) of maps (n, c, s, s)."""
        values = maps
        for stage in self.blocks:
            values = stage(values)
        features: Tensor = self.pool(self.bn2(self.conv_head(values)))
        return features


@torch.no_grad()
def blended(trained: Rest, start: Rest, share: float) -> Rest:
    """Stages between `start` (0) and `trained` (1), weight by weight: much of what was learnt, less that was forgotten.

    References
    ----------
    Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022.
    """
    between = deepcopy(trained)
    for mixed, old in zip(between.parameters(), start.parameters(), strict=True):
        mixed.lerp_(old, 1 - share)
    return between.eval()


class Heads(nn.Module):
    """What the features are asked in training; dropped afterwards.

    Parameters
    ----------
    start, teacher : nn.Linear
        The classifiers of the two networks; they stay as they are.
    groups : int
        Groups of the taxonomy.
    """

    def __init__(self, start: nn.Linear, teacher: nn.Linear, groups: int) -> None:
        super().__init__()
        self.start, self.teacher = deepcopy(start), deepcopy(teacher)
        for frozen in (self.start, self.teacher):
            frozen.requires_grad_(False)
        self.to_teacher = nn.Linear(start.in_features, teacher.in_features)
        self.group = nn.Linear(start.in_features, groups)
        self.bank = nn.Linear(start.in_features, QUESTIONS)

    @torch.no_grad()
    def fit_to_teacher(self, features: np.ndarray, wanted: np.ndarray, ridge: float = 3.0) -> None:
        """Set the map from the start's features to the teacher's by ridge regression."""
        x, y = features.astype(np.float64), wanted.astype(np.float64)
        mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
        x -= mean_x
        gram = x.T @ x + ridge * np.eye(x.shape[1]) * len(x) * float((x**2).mean()) * 0.01
        weight = np.linalg.solve(gram, x.T @ (y - mean_y)).T
        self.to_teacher.weight.copy_(torch.from_numpy(weight))
        self.to_teacher.bias.copy_(torch.from_numpy(mean_y - weight @ mean_x))


def divergence(logits: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of softened answers (Hinton et al. 2015), mean over rows."""
    log_p = functional.log_softmax(logits / temperature, dim=1)
    q = functional.softmax(wanted / temperature, dim=1)
    return functional.kl_div(log_p, q, reduction="batchmean") * temperature**2


@dataclass(frozen=True)
class Material:
    """All that the tower is trained on, as maps of the kept stages.

    Attributes
    ----------
    photos_large, photos_small, close_ups, drawn, traps : Tensor, float16
        Photos at both sizes, drawn close-ups at the large one, drawn and real crops of traps at the small one.
    photos : PhotoPool
    close_up_answers : Answers
        A few dozen photos alone tell little of what the teacher knows: it is asked of drawings too.
    photo_groups : ndarray, shape (n,), int64
        Number of the group that a crop of a photo shows; -1 where it is not known.
    fit_close_ups, fit_drawn, fit_traps : ndarray, bool
        As `fine_tune.encoder.prompt_bank.fits`, of the drawn and trap crops.
    """

    photos_large: Tensor
    photos_small: Tensor
    close_ups: Tensor
    drawn: Tensor
    traps: Tensor
    photos: PhotoPool
    close_up_answers: Answers
    photo_groups: np.ndarray
    fit_close_ups: np.ndarray
    fit_drawn: np.ndarray
    fit_traps: np.ndarray


class TowerTrainer:
    """One run: stages, heads, running average, optimiser and step, saved together and resumed exactly."""

    def __init__(self, recipe: TowerRecipe, material: Material, rest: Rest, heads: Heads, out: Path) -> None:
        self.recipe, self.material, self.out = recipe, material, out
        self.rest = rest.to(memory_format=torch.channels_last).eval()
        self.heads = heads
        self.average = deepcopy(self.rest)
        groups = [
            {**g, "lr": recipe.learning_rate, "peak": recipe.learning_rate}
            for g in decay_groups(self.rest, recipe.weight_decay)
        ]
        groups += [
            {**g, "lr": recipe.head_rate, "peak": recipe.head_rate}
            for g in decay_groups(self.heads, recipe.weight_decay)
        ]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        self.spread = float(np.var(material.photos.teacher_features[:2000].astype(np.float32)))
        self.step, self.seconds = 0, 0.0

    def _draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        r, m = self.recipe, self.material
        return {
            "photos_large": rng.integers(0, len(m.photos_large), r.photos_large),
            "photos_small": rng.integers(0, len(m.photos_small), r.photos_small),
            "close_ups": rng.integers(0, len(m.close_ups), r.close_ups),
            "drawn": rng.integers(0, len(m.drawn), r.drawn),
            "traps": rng.integers(0, len(m.traps), r.traps),
        }

    def _features(self, rng: np.random.Generator, names: tuple[str, ...], rows: dict[str, np.ndarray]) -> list[Tensor]:
        maps = torch.cat([getattr(self.material, name)[torch.from_numpy(rows[name])] for name in names]).float()
        if rng.random() < 0.5:
            maps = maps.flip(3)
        if rng.random() < 0.25:
            maps = maps.flip(2)
        features = self.rest(maps.contiguous(memory_format=torch.channels_last))
        return list(features.split([len(rows[name]) for name in names]))

    def train_step(self) -> dict[str, float]:
        """Take one optimiser step; the losses before it."""
        recipe, m, heads = self.recipe, self.material, self.heads
        rng = np.random.default_rng([recipe.seed, 31, self.step])
        rows = self._draw(rng)
        photos_large, close_ups = self._features(rng, ("photos_large", "close_ups"), rows)
        photos_small, drawn, traps = self._features(rng, ("photos_small", "drawn", "traps"), rows)
        photos = torch.cat([photos_large, photos_small])
        which = np.concatenate([rows["photos_large"], rows["photos_small"]])
        known = [(m.photos, which), (m.close_up_answers, rows["close_ups"])]
        wanted = {
            name: torch.from_numpy(np.concatenate([getattr(answers, name)[some] for answers, some in known])).float()
            for name in ("start_logits", "teacher_logits", "teacher_features")
        }
        asked = torch.cat([photos, close_ups])
        mapped = heads.to_teacher(asked)
        losses = {
            "start": divergence(heads.start(asked), wanted["start_logits"], recipe.temperature),
            "teacher": divergence(heads.teacher(mapped), wanted["teacher_logits"], recipe.temperature),
            "features": functional.mse_loss(mapped, wanted["teacher_features"]) / self.spread,
        }
        groups = m.photo_groups[which]
        named = torch.from_numpy(np.flatnonzero(groups >= 0))
        target = torch.from_numpy(groups[groups >= 0])
        losses["group"] = functional.cross_entropy(heads.group(photos[named]), target, label_smoothing=0.1)
        shown = heads.bank(torch.cat([close_ups, drawn, traps]))
        fit = np.concatenate(
            [m.fit_close_ups[rows["close_ups"]], m.fit_drawn[rows["drawn"]], m.fit_traps[rows["traps"]]]
        )
        losses["bank"] = bank_loss(shown, torch.from_numpy(fit))
        total = losses["start"] + losses["teacher"] + losses["features"] + 0.3 * losses["group"] + losses["bank"]
        share = cosine_with_warmup(self.step, recipe.warmup, recipe.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * share
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_([*self.rest.parameters(), *self.heads.parameters()], 5.0)
        self.optimizer.step()
        self.step += 1
        follow(self.average.parameters(), self.rest.parameters(), recipe.average, self.step)
        return {name: float(value.detach()) for name, value in losses.items()}

    @property
    def checkpoint(self) -> Path:
        """Where the state of an unfinished run is kept."""
        return self.out / "tower.pt"

    def save(self) -> None:
        """Write the whole state, or leave the older one."""
        state = {
            "rest": self.rest.state_dict(),
            "average": self.average.state_dict(),
            "heads": self.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        save_checkpoint(self.checkpoint, self.recipe, state)

    def resume(self) -> bool:
        """Take up the state of an earlier run of the same recipe, if there is one."""
        state = load_checkpoint(self.checkpoint, self.recipe, "cpu")
        if state is None:
            return False
        for name in ("rest", "average", "heads", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.seconds = state["step"], state["seconds"]
        return True

    def run(self, *, save_every: int = 100, log_every: int = 25) -> None:
        """Train to the last step, saving on the way; the log is a CSV beside the checkpoint."""
        started, seen = time.perf_counter() - self.seconds, list[dict[str, float]]()
        with (self.out / "tower.csv").open("a", encoding="utf-8") as log:
            while self.step < self.recipe.steps:
                seen.append(self.train_step())
                self.seconds = time.perf_counter() - started
                if self.step % log_every == 0:
                    means = ",".join(f"{name} {np.mean([s[name] for s in seen]):.3f}" for name in seen[0])
                    log.write(f"{self.step},{means},{self.seconds:.0f}\n")
                    log.flush()
                    seen.clear()
                if self.step % save_every == 0 or self.step == self.recipe.steps:
                    self.save()
