"""Teaches the text tower its words, on the features of a finished image tower.

Features are computed once for every crop, so a step costs little more than its texts. Three kinds of pictures meet
their words here: drawn crops with their captions, photos with the answers of the two networks, and *prototypes*: for
each class of these networks the features of a typical member, worked out from the class's own weights.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from agri_clip.prompts.templates import TEMPLATES, with_article
from fine_tune.encoder.batches import write_caption
from fine_tune.encoder.contrastive import contrastive_loss
from fine_tune.encoder.crop_pool import CropPool
from fine_tune.encoder.dual_encoder import TEXT_LENGTH
from fine_tune.encoder.prompt_bank import MORE_TEMPLATES, SECTIONS, bank_loss, draw_bank, insect_loss
from fine_tune.encoder.species import Species, families, groups, imagenet_groups, orders
from fine_tune.synthetic import NONE
from fine_tune.training.checkpoints import load_checkpoint, save_checkpoint
from fine_tune.training.schedule import cosine_with_warmup, decay_groups, follow


@dataclass(frozen=True)
class WordsRecipe:
    """Everything that fixes the training of the words.

    Attributes
    ----------
    steps : int
    captions, drawn, close_ups, traps, photos, prototypes : int
        Drawn crops with captions, drawn crops as of traps, drawn close-ups, crops of traps, crops of photos and
        prototypes in a step.
    others : int
        Of the prototypes, those of classes that are no insects. More of them draw the words for nothing to all photos.
    rare : float
        How often a close-up of a group that neither network knows is taken, against one of a group that they know:
        bees are photographed more often than booklice, and where pictures tell little that tells something.
    learning_rate, weight_decay, warmup : float, float, int
    projection_rate : float
        Rate of the image projection as a share of the others': few photos are learnt by heart by what moves freely.
    drawn_weight : float
        Weight of the drawn crops' questions against those of photos.
    insect_weight : float
        Weight of "insect or not" of photos and prototypes.
    trap_weight : float
        Weight of "insect or not" of crops of real traps, beside its share in the bank's questions.
    photo_weight : float
        Weight of photos against prototypes: there are few photos, and they are soon known by heart.
    noise : float
        Share of a photo's residual that is added to a prototype.
    smoothing : float
        Of the groups that photos and prototypes are told to show.
    average : float
        Decay of the running average of the weights, which is what is kept.
    sharpest : float
        Cosines are multiplied by this at most: few photos are learnt by heart the sooner, the more each one can pull.
    projection, text_width, text_layers, vocabulary : int
        Of the model.
    seed : int
    """

    steps: int = 400
    captions: int = 48
    drawn: int = 160
    close_ups: int = 96
    traps: int = 160
    photos: int = 160
    prototypes: int = 96
    others: int = 5
    rare: float = 1.0
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    warmup: int = 100
    projection_rate: float = 0.2
    drawn_weight: float = 1.0
    insect_weight: float = 3.0
    trap_weight: float = 2.0
    photo_weight: float = 0.2
    noise: float = 1.0
    smoothing: float = 0.1
    average: float = 0.995
    sharpest: float = 20.0
    projection: int = 256
    text_width: int = 128
    text_layers: int = 3
    vocabulary: int = 6000
    seed: int = 0


@dataclass(frozen=True)
class Classes:
    """All classes of the two networks: what they are called, and where they belong.

    Attributes
    ----------
    names : tuple of tuples of str
        Names of each class, the usual one first.
    group, family, order : ndarray, shape (n,), int64
        Numbers in `groups()`, `families` of `family_names`, `orders()`; -1 where it is none.
    family_names : tuple of tuples of str
    """

    names: tuple[tuple[str, ...], ...]
    group: np.ndarray
    family: np.ndarray
    order: np.ndarray
    family_names: tuple[tuple[str, ...], ...]

    @property
    def insect(self) -> np.ndarray:
        """Which are insects or their kin."""
        return self.group >= 0


def all_classes(species: list[Species | None], imagenet: list[str]) -> Classes:
    """The classes of the teacher, and behind them those of ImageNet.

    Parameters
    ----------
    species : list of n Species or None
    imagenet : list of 1000 str
        Descriptions, with commas between names.
    """
    group_index = {name: number for number, name in enumerate(groups())}
    order_index = {name: number for number, name in enumerate(orders())}
    found = sorted({one.place.family for one in species if one is not None})
    family_index = {name: number for number, name in enumerate(found)}
    names, rows = list[tuple[str, ...]](), []
    for one in species:
        if one is None:
            names.append(("an animal",))
            rows.append((-1, -1, -1))
            continue
        names.append((one.latin, one.english) if one.english else (one.latin,))
        place = one.place
        rows.append((group_index[place.group], family_index[place.family], order_index.get(place.order, -1)))
    known = imagenet_groups()
    for number, description in enumerate(imagenet):
        names.append(tuple(dict.fromkeys(part.strip() for part in description.split(","))))
        rows.append((group_index[known[number]] if number in known else -1, -1, -1))
    group, family, order = np.array(rows).T
    return Classes(tuple(names), group, family, order, tuple((name, *families().get(name, ())) for name in found))


def prototypes(features: np.ndarray, rows: np.ndarray, shrink: float = 0.1) -> np.ndarray:
    """Features of a typical member of each class of a linear classifier, up to their common mean.

    For classes that differ in their means alone, the weights of the best linear classifier are the inverse covariance
    times the mean; so the mean is the covariance times the weights.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        Of photos.
    rows : ndarray, shape (classes, d)
        Weights.
    shrink : float
        Share of the covariance that is taken to be alike in all directions.

    References
    ----------
    Hastie, Tibshirani, Friedman: The Elements of Statistical Learning, section 4.3.
    """
    centred = features - features.mean(axis=0)
    covariance = centred.T @ centred / len(centred)
    scale = float(np.trace(covariance)) / len(covariance)
    covariance = (1 - shrink) * covariance + shrink * scale * np.eye(len(covariance))
    means = (rows - rows.mean(axis=0)) @ covariance
    # As far from the middle as photos are.
    usual = np.sqrt((centred**2).sum(axis=1).mean())
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return np.asarray(means / np.median(lengths) * usual * 0.7, np.float32)


def common_part(features: np.ndarray, ridge: float = 1e-3) -> tuple[np.ndarray, np.ndarray]:
    """The mean of features, and a direction in which all are about 1 long.

    A projection has no constant that could take the mean off. With these two a linear map can: x less (one . x) mean.

    Parameters
    ----------
    features : ndarray, shape (n, d)

    Returns
    -------
    mean, one : ndarray, shape (d,), float64
        Their product is 1.
    """
    x = features.astype(np.float64)
    mean, gram = x.mean(axis=0), x.T @ x / len(x)
    one = np.linalg.solve(gram + ridge * np.trace(gram) / len(gram) * np.eye(len(gram)), mean)
    return mean, one / (one @ mean)


@dataclass(frozen=True)
class Features:
    """What the words are taught on; all features of one image tower.

    Attributes
    ----------
    photos : Tensor, shape (n, d)
    photo_groups : ndarray, shape (n,)
        Number of the group, -1 where it is not known.
    photo_species : tuple of n str or None
        Latin name that is known to be shown.
    teacher, start : Tensor, shape (n, classes), float32
        Probabilities.
    drawn : Tensor, shape (m, d)
        Crops as of traps, and behind them close-ups.
    close_ups : int
        Row of the first close-up.
    looks : CropPool
        What each drawn crop shows; no pictures.
    fit : ndarray, shape (m, questions), bool
    traps : Tensor; fit_traps : ndarray
    mean, one : Tensor, shape (d,)
        What all photos share, as `common_part`.
    residuals : Tensor, shape (n, d)
        Of photos, from the mean of the crops of their photo.
    prototypes : Tensor, shape (classes, d)
        From `mean`.
    classes : Classes
    """

    photos: Tensor
    photo_groups: np.ndarray
    teacher: Tensor
    start: Tensor
    drawn: Tensor
    close_ups: int
    looks: CropPool
    fit: np.ndarray
    traps: Tensor
    fit_traps: np.ndarray
    mean: Tensor
    one: Tensor
    residuals: Tensor
    prototypes: Tensor
    classes: Classes


def texts_of(features: Features, count: int = 40_000) -> list[str]:
    """What the tokenizer is learnt from, and what words the text tower can know."""
    rng = np.random.default_rng(0)
    texts = {write_caption(rng, features.looks, int(row)) for row in rng.integers(0, len(features.looks), count)}
    texts.update(text for _ in range(80) for text in draw_bank(rng))
    for names in (*features.classes.names, *features.classes.family_names, *groups().values(), *orders().values()):
        texts.update(with_article(name) for name in names)
    return sorted(texts)


class WordsTrainer:
    """Trains projections, temperature and text tower."""

    def __init__(self, recipe: WordsRecipe, features: Features, model: Any, tokenizer: Any, out: Path) -> None:
        self.recipe, self.features, self.model, self.tokenizer, self.out = recipe, features, model, tokenizer, out
        trained = nn.ModuleList([model.text_projection, model.text_model])
        parts = [*decay_groups(trained, recipe.weight_decay), {"params": [model.logit_scale], "weight_decay": 0.0}]
        for group in parts:
            group["share"] = 1.0
        self.constant = nn.Parameter(torch.zeros(len(model.visual_projection.weight)))
        projection = {"params": [model.visual_projection.weight], "weight_decay": recipe.weight_decay}
        self.optimizer = torch.optim.AdamW(
            [
                *parts,
                {**projection, "share": recipe.projection_rate},
                {"params": [self.constant], "weight_decay": 0.0, "share": 1.0},
            ],
            lr=recipe.learning_rate,
            betas=(0.9, 0.98),
        )
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        classes = features.classes
        self.group_names, self.order_names = list(groups().values()), list(orders().values())
        member = np.zeros((len(classes.names), len(self.group_names)), np.float32)
        member[np.flatnonzero(classes.insect), classes.group[classes.insect]] = 1
        teachers = features.teacher.shape[1]
        by_teacher = features.teacher @ torch.from_numpy(member[:teachers])
        by_start = features.start @ torch.from_numpy(member[teachers:])
        sure = by_start.sum(dim=1, keepdim=True)
        answers = (by_teacher + by_start) / (by_teacher.sum(dim=1, keepdim=True) + sure).clamp_min(1e-6)
        self.group_answers = answers
        self.group_sure = (sure[:, 0].clamp(0, 1) * 0.7 + 0.3) * answers.max(dim=1).values
        covered = np.asarray(member.any(axis=0))
        self.covered = torch.from_numpy(covered)
        self.insects = np.flatnonzero(classes.insect)
        known = {name for number, name in enumerate(groups()) if covered[number]}
        shown = features.looks.groups[features.close_ups :]
        often = np.array([1.0 if name in known or name == NONE else recipe.rare for name in shown])
        self.often = often / often.sum()
        self.average = [p.detach().clone() for p in self.parameters]
        self.step = 0

    def _encode(self, texts: list[str]) -> Tensor:
        tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=TEXT_LENGTH, return_tensors="pt")
        vectors = self.model.get_text_features(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output
        return functional.normalize(vectors, dim=-1)

    def _see(self, features: Tensor) -> Tensor:
        ones = features @ self.features.one
        centred = features - torch.outer(ones, self.features.mean)
        return functional.normalize(self.model.visual_projection(centred) + torch.outer(ones, self.constant), dim=-1)

    def _say(self, rng: np.random.Generator, names: list[tuple[str, ...]], usual: float = 0.6) -> list[str]:
        template = str(rng.choice(TEMPLATES + MORE_TEMPLATES)) if rng.random() < 0.5 else "{}"
        picked = [n[0] if rng.random() < usual else n[int(rng.integers(len(n)))] for n in names]
        return [template.format(with_article(name)) for name in picked]

    def train_step(self) -> dict[str, float]:
        """Take one optimiser step; the losses before it."""
        r, f, rng = self.recipe, self.features, np.random.default_rng([self.recipe.seed, 53, self.step])
        small, traps, photos = (
            rng.integers(0, most, count)
            for most, count in ((f.close_ups, r.drawn), (len(f.traps), r.traps), (len(f.photos), r.photos))
        )
        large = f.close_ups + rng.choice(len(self.often), r.close_ups, p=self.often)
        drawn = rng.permutation(np.concatenate([small, large]))
        chosen = self._choose_classes(rng)
        noise = f.residuals[torch.from_numpy(rng.integers(0, len(f.residuals), len(chosen)))]
        typical = (f.mean + f.prototypes[torch.from_numpy(chosen)] + r.noise * noise).clamp_min(0)
        images = self._see(torch.cat([f.drawn[drawn], f.traps[traps], f.photos[photos], typical]))
        see_drawn, see_traps, see_photos, see_typical = images.split([len(drawn), r.traps, r.photos, len(chosen)])
        bank = self._encode(draw_bank(rng))
        losses = self._drawn_losses(rng, drawn, traps, see_drawn, see_traps, bank)
        both = torch.cat([see_photos, see_typical])
        losses |= self._photo_losses(rng, photos, chosen, both, bank)
        losses |= self._name_losses(rng, photos, chosen, see_photos, see_typical)
        total = torch.stack(list(losses.values())).sum()
        share = cosine_with_warmup(self.step, r.warmup, r.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = r.learning_rate * share * group["share"]
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.model.logit_scale.data.clamp_(math.log(5.0), math.log(r.sharpest))
        self.step += 1
        follow(self.average, self.parameters, r.average, self.step)
        return {name: float(value.detach()) for name, value in losses.items()}

    def _choose_classes(self, rng: np.random.Generator) -> np.ndarray:
        """Classes whose prototypes are seen: any insects, insects of each group alike, and some that are none."""
        count, of_group = self.recipe.prototypes, self.features.classes.group
        others = np.flatnonzero(~self.features.classes.insect)
        some = rng.choice(np.unique(of_group[self.insects]), count // 2)
        by_group = [rng.choice(self.insects[of_group[self.insects] == group]) for group in some]
        anything = rng.choice(others, min(self.recipe.others, len(others)))
        return np.concatenate(
            [rng.choice(self.insects, count - count // 2 - len(anything)), by_group, anything]
        ).astype(int)

    def _drawn_losses(
        self,
        rng: np.random.Generator,
        drawn: np.ndarray,
        traps: np.ndarray,
        see_drawn: Tensor,
        see_traps: Tensor,
        bank: Tensor,
    ) -> dict[str, Tensor]:
        """Captions of drawn crops, and the questions of the bank for them and for crops of traps."""
        f, scale, count = self.features, self.model.logit_scale.exp(), self.recipe.captions
        captions = [write_caption(rng, f.looks, int(row)) for row in drawn[:count]]
        distinct: dict[str, int] = {}
        ids = torch.tensor([distinct.setdefault(text, len(distinct)) for text in captions])
        fit = torch.from_numpy(np.concatenate([f.fit[drawn], f.fit_traps[traps]]))
        weight = self.recipe.drawn_weight
        on_traps = insect_loss(scale * see_traps @ bank.T, fit[len(drawn) :])
        return {
            "traps": self.recipe.trap_weight * on_traps,
            "captions": weight * contrastive_loss(see_drawn[:count], self._encode(captions), scale, ids),
            "bank": weight * bank_loss(scale * torch.cat([see_drawn, see_traps]) @ bank.T, fit),
        }

    def _photo_losses(
        self, rng: np.random.Generator, photos: np.ndarray, chosen: np.ndarray, both: Tensor, bank: Tensor
    ) -> dict[str, Tensor]:
        """Photos and prototypes: insect or not, and which group, by their truth or by what the two networks say."""
        f, scale, classes = self.features, self.model.logit_scale.exp(), self.features.classes
        known = f.photo_groups[photos] >= 0
        insect = torch.zeros(len(both), bank.shape[0], dtype=torch.bool)
        insect[:, SECTIONS["insect"]] = torch.from_numpy(np.concatenate([known, classes.insect[chosen]]))[:, None]
        told = np.concatenate([known, np.ones(len(chosen), bool)])
        losses = {"insect": self.recipe.insect_weight * insect_loss((scale * both @ bank.T)[told], insect[told])}
        logits = scale * both @ self._encode(self._say(rng, self.group_names)).T
        truth = np.concatenate([f.photo_groups[photos], classes.group[chosen]])
        rows = np.flatnonzero(truth >= 0)
        wrong = functional.cross_entropy(
            logits[rows], torch.from_numpy(truth[rows]), label_smoothing=self.recipe.smoothing, reduction="none"
        )
        weight = torch.where(torch.from_numpy(rows < len(photos)), self.recipe.photo_weight, 1.0)
        losses["groups"] = (weight * wrong).sum() / weight.sum()
        unknown = np.flatnonzero(~known)
        if len(unknown):
            # Among the groups that the networks know: of the others they say nothing.
            among = functional.log_softmax(logits[unknown].masked_fill(~self.covered, -1e4), dim=1)
            cross = -(self.group_answers[photos[unknown]] * among).sum(dim=1)
            losses["answers"] = self.recipe.photo_weight * (cross * self.group_sure[photos[unknown]]).mean()
        return losses

    def _name_losses(
        self, rng: np.random.Generator, photos: np.ndarray, chosen: np.ndarray, see_photos: Tensor, see_typical: Tensor
    ) -> dict[str, Tensor]:
        """Names of classes, families and orders; species on photos as the teacher names them."""
        f, scale, classes = self.features, self.model.logit_scale.exp(), self.features.classes
        likely = f.teacher[photos[::2]].argmax(dim=1).numpy()
        candidates = np.unique(np.concatenate([chosen, likely]))
        column = {int(c): k for k, c in enumerate(candidates)}
        said = self._encode(self._say(rng, [classes.names[c] for c in candidates], 0.5))
        named = torch.tensor([column[int(c)] for c in chosen])
        losses = {"names": 0.7 * functional.cross_entropy(scale * see_typical @ said.T, named)}
        species = candidates[candidates < f.teacher.shape[1]]
        if len(species):
            answer = f.teacher[photos][:, torch.from_numpy(species)]
            where = torch.tensor([column[int(c)] for c in species])
            log_p = functional.log_softmax((scale * see_photos @ said.T)[:, where], dim=1)
            mass = answer.sum(dim=1).mean().clamp_min(0.1)
            losses["species"] = self.recipe.photo_weight * (-(answer * log_p).sum(dim=1)).mean() / mass
        # Families and orders take turns: they are many texts, and few things to learn.
        turn = self.step % 2 == 0
        numbers = classes.family if turn else classes.order
        have = np.flatnonzero(numbers[chosen] >= 0)
        if len(have):
            texts = self._say(rng, list(classes.family_names) if turn else self.order_names, 0.5)
            asked = (scale * see_typical @ self._encode(texts).T)[have]
            losses["ranks"] = 0.4 * functional.cross_entropy(asked, torch.from_numpy(numbers[chosen][have]))
        return losses

    @property
    def checkpoint(self) -> Path:
        """Where the state of an unfinished run is kept."""
        return self.out / "words.pt"

    def save(self) -> None:
        """Write the whole state, or leave the older one."""
        state = {
            "model": self.model.state_dict(),
            "constant": self.constant.data,
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }
        save_checkpoint(self.checkpoint, self.recipe, state)

    def resume(self) -> bool:
        """Take up the state of an earlier run of the same recipe, if there is one."""
        state = load_checkpoint(self.checkpoint, self.recipe, "cpu")
        if state is None:
            return False
        self.model.load_state_dict(state["model"])
        self.constant.data.copy_(state["constant"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step = state["average"], state["step"]
        return True

    @torch.no_grad()
    def keep_average(self) -> None:
        """Give the model the averaged weights, once training is over.

        Its projection takes the mean of photos off and adds the constant, by which any picture of a kind is likelier.
        """
        for now, kept in zip(self.parameters, self.average, strict=True):
            now.copy_(kept)
        weight = self.model.visual_projection.weight
        weight.add_(torch.outer(self.constant - weight @ self.features.mean, self.features.one))

    def run(self, *, save_every: int = 200, log_every: int = 50) -> None:
        """Train to the last step, saving on the way; the log is a CSV."""
        started, seen = time.perf_counter(), list[dict[str, float]]()
        with (self.out / "words.csv").open("a", encoding="utf-8") as log:
            while self.step < self.recipe.steps:
                seen.append(self.train_step())
                if self.step % log_every == 0:
                    means = ",".join(f"{n} {np.mean([s.get(n, 0.0) for s in seen]):.3f}" for n in seen[0])
                    scale = float(self.model.logit_scale.detach().exp())
                    log.write(f"{self.step},{means},scale {scale:.1f},{time.perf_counter() - started:.0f}\n")
                    log.flush()
                    seen.clear()
                if self.step % save_every == 0 or self.step == self.recipe.steps:
                    self.save()
