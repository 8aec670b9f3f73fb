"""The contrastive loss that dual encoders are trained with, from nothing or further."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

#: A learned temperature may not fall below 0.01 (Radford et al. 2021, section 2.5).
MAX_LOGIT_SCALE = math.log(100.0)


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
