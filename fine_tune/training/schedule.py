"""What every training here shares: which weights decay, learning rate, running average, batches made ahead."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

Batch = TypeVar("Batch", covariant=True)


class Batches(Protocol[Batch]):
    """Batches by the number of their step."""

    def __getitem__(self, step: int) -> Batch: ...


def made_ahead(batches: Batches[Batch], first: int, end: int) -> Iterator[Batch]:
    """The batches of steps `first` to `end` (excluded); while one is in use, a thread makes the next."""
    with ThreadPoolExecutor(1) as ahead:
        following = ahead.submit(batches.__getitem__, first)
        for step in range(first, end):
            batch = following.result()
            if step + 1 < end:
                following = ahead.submit(batches.__getitem__, step + 1)
            yield batch


def cosine_with_warmup(step: int, warmup: int, steps: int) -> float:
    """Multiplier of the peak learning rate: a linear rise over `warmup` steps, then half a cosine down to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


@torch.no_grad()
def follow(average: Iterable[Tensor], now: Iterable[Tensor], decay: float, step: int) -> None:
    """Move a running average towards the weights, in place; quickly at first, while they still are noise.

    Parameters
    ----------
    average, now : iterable of Tensor
        The same tensors in the same order; integers, such as counters, are copied.
    decay : float
        Share of the average that stays, once training is well under way.
    step : int
        Steps taken so far.
    """
    share = 1 - min(decay, (1 + step) / (10 + step))
    for kept, value in zip(average, now, strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(value.to(kept.dtype), share)
        else:
            kept.copy_(value)


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups for AdamW: matrices and kernels decay; gains, biases and the temperature do not."""
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
