"""What one step of the encoder's training sees: crops changed at random, captions written anew, the prompt bank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from fine_tune.bank import draw_bank, fits
from fine_tune.dual_encoder import TEXT_LENGTH
from fine_tune.pool import CropPool
from fine_tune.recolouring import develop, recolour
from fine_tune.synthetic import NONE, Attributes, captions
from fine_tune.synthetic.camera import lose_detail
from fine_tune.synthetic.made_up import any_colour

if TYPE_CHECKING:
    from fine_tune.pretrain import Recipe

MEAN, STD = 0.5, 0.25
#: Share of crops that are shrunk and enlarged again, and the least and most pixels that are left of their side.
BLURRED, BLURRED_SIDE = 0.08, (10, 30)
#: The same of crops of photos. There are few photos, and what is not changed of them is learnt by heart.
REAL_BLURRED, REAL_BLURRED_SIDE = 0.3, (16, 72)
#: Shares of a crop's side that a random square takes: always the same of a render, which is drawn at many scales.
TAKEN, REAL_TAKEN = 8 / 9, (0.78, 1.0)
#: Share of the crops of photos whose card gets another colour, any at all.
RECOLOURED = 0.2


def augment(
    rng: np.random.Generator, images: np.ndarray, size: int, blurred: float = BLURRED, real: np.ndarray | None = None
) -> np.ndarray:
    """Take a random square of each crop, at a random quarter turn, mirrored half of the time, a few of them blurred.

    Crops of photos are also enlarged and seen in another light, some on a card of another colour, and more of them are
    blurred. Each change is alike for insects and backgrounds, so that it says nothing of what a crop shows.

    Parameters
    ----------
    images : ndarray, shape (n, side, side, 3), uint8
    size : int
        Side of the result; a larger square is shrunk to it.
    blurred : float
        Share of the rendered crops.
    real : ndarray, shape (n,), bool, optional
        Which are crops of photos; default none.
    """
    n, side = len(images), images.shape[1]
    real = np.zeros(n, bool) if real is None else real
    least = max(size, round(side * TAKEN))
    taken = np.where(real, np.round(side * rng.uniform(*REAL_TAKEN, n)).astype(int), least)
    corners = (rng.random((n, 2)) * (side - taken + 1)[:, None]).astype(int)
    turns, flips = rng.integers(0, 4, n), rng.random(n) < 0.5
    left = np.where(real, rng.integers(*REAL_BLURRED_SIDE, n), rng.integers(*BLURRED_SIDE, n))
    left[rng.random(n) >= np.where(real, REAL_BLURRED, blurred)] = size
    out = np.empty((n, size, size, 3), np.uint8)
    for i, image in enumerate(images):
        (y, x), t = corners[i], taken[i]
        square = np.rot90(image[y : y + t, x : x + t], turns[i])
        square = np.ascontiguousarray(square[:, ::-1] if flips[i] else square)
        if t != size:
            how = cv2.INTER_AREA if t > size else cv2.INTER_LINEAR
            square = np.asarray(cv2.resize(square, (size, size), interpolation=how))
        if real[i]:
            square = recolour(square, any_colour(rng)) if rng.random() < RECOLOURED else square
            square = develop(rng, square)
        out[i] = lose_detail(square, int(left[i])) if left[i] < size else square
    return out


@dataclass(frozen=True)
class Batch:
    """What one step needs.

    Attributes
    ----------
    pixels : Tensor, shape (n, 3, size, size), float32
        In model units.
    captioned : Tensor, shape (m,), int64
        The crops that have a caption of their own.
    captions, bank : tuple of Tensor, shape (m or prompts, length), int64
        Token ids and attention masks.
    caption_ids : Tensor, shape (m,), int64
        Equal where captions are equal.
    fit : Tensor, shape (n, prompts), bool
        As `fine_tune.bank.fits`.
    """

    pixels: Tensor
    captioned: Tensor
    captions: tuple[Tensor, Tensor]
    bank: tuple[Tensor, Tensor]
    caption_ids: Tensor
    fit: Tensor

    def to(self, device: str) -> Batch:
        """The same batch on a device."""
        if device == "cpu":
            return self
        moved: dict[str, Any] = {
            name: tuple(t.to(device) for t in value) if isinstance(value, tuple) else value.to(device)
            for name, value in vars(self).items()
        }
        return Batch(**moved)


class Batches:
    """Batches of a run; batch number k is the same in every run of a recipe, whatever came before.

    Parameters
    ----------
    recipe : Recipe
    pool : CropPool
        Rendered crops, and behind them those of real photos.
    rendered : int
        How many are rendered.
    tokenizer : PreTrainedTokenizerFast
    """

    def __init__(self, recipe: Recipe, pool: CropPool, rendered: int, tokenizer: PreTrainedTokenizerFast) -> None:
        self.recipe, self.pool, self.rendered, self.tokenizer = recipe, pool, rendered, tokenizer
        self._orders: dict[int, np.ndarray] = {}
        self.fit = fits(self.pool)
        groups = np.array(self.pool.groups[self.rendered :])
        self.real_insects = self.rendered + np.flatnonzero(groups != NONE)
        self.real_backgrounds = self.rendered + np.flatnonzero(groups == NONE)

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
        return rng.permutation(np.concatenate([rendered, *drawn]))  # so that all parts are alike

    def _tokens(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=TEXT_LENGTH, return_tensors="pt")
        return tokens["input_ids"], tokens["attention_mask"]

    def __getitem__(self, step: int) -> Batch:
        """The batch of one step."""
        rng = np.random.default_rng([self.recipe.seed, 11, step])
        rows = self._rows(step, rng)
        pixels = augment(rng, self.pool.images[rows], self.recipe.size, real=rows >= self.rendered).astype(np.float32)
        captioned = np.sort(rng.permutation(len(rows))[: self.recipe.captioned])
        texts = [write_caption(rng, self.pool, row) for row in rows[captioned]]
        distinct: dict[str, int] = {}
        return Batch(
            pixels=torch.from_numpy((pixels / 255.0 - MEAN) / STD).permute(0, 3, 1, 2),
            captioned=torch.from_numpy(captioned),
            captions=self._tokens(texts),
            bank=self._tokens(draw_bank(rng)),
            caption_ids=torch.tensor([distinct.setdefault(text, len(distinct)) for text in texts]),
            fit=torch.from_numpy(self.fit[rows]),
        )


def write_caption(rng: np.random.Generator, pool: CropPool, row: int) -> str:
    """A caption of one crop: one of its own, or one written from its attributes."""
    own = pool.captions[row]
    if own:
        return own[int(rng.integers(len(own)))]
    return captions(rng, pool.groups[row], Attributes(**pool.attributes[row]))
