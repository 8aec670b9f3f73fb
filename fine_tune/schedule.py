"""Optimiser habits that every training here shares: which weights decay, and how the learning rate moves."""

from __future__ import annotations

import math
from typing import Any

from torch import nn


def cosine_with_warmup(step: int, warmup: int, steps: int) -> float:
    """Multiplier of the peak learning rate: a linear rise over `warmup` steps, then half a cosine down to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups for AdamW: matrices and kernels decay; gains, biases and the temperature do not."""
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
