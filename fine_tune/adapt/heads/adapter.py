"""CLIP-Adapter: a small bottleneck that moves a crop's vector, and a residual that keeps most of it."""

from __future__ import annotations

import numpy as np

from agri_clip.few_shot import Kind, Words
from fine_tune.adapt.heads.base import FewShot, class_weights

#: Rate of AdamW, and passes over all samples.
LEARNING_RATE, PASSES = 3e-3, 100


class ClipAdapter(FewShot):
    """Two linear layers with ReLU; the moved vector is ``ratio`` of their output and the rest of the vector itself.

    The evidence is what the moved vector's logits differ by from the vector's own.

    Parameters
    ----------
    ratio : float
        Residual ratio, 0 to 1; at 0 the evidence is nothing.
    reduction : int
        The bottleneck has so many times fewer units than a vector has numbers.
    seed : int
        Of the layers' first numbers.

    References
    ----------
    Gao et al., CLIP-Adapter: Better Vision-Language Models with Feature Adapters, IJCV 2024, section 3.2.
    """

    kind: Kind = "adapter"

    def __init__(self, ratio: float = 0.2, reduction: int = 4, seed: int = 0) -> None:
        self.ratio, self.reduction, self.seed = ratio, reduction, seed

    def _fit(self, vectors: np.ndarray, classes: np.ndarray, words: Words) -> dict[str, np.ndarray]:
        import torch

        dim, prototypes = vectors.shape[1], words.prototypes
        generator = torch.Generator().manual_seed(self.seed)
        hidden = max(dim // self.reduction, 1)

        def layer(rows: int, columns: int) -> torch.nn.Parameter:
            first = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
            return torch.nn.Parameter(first * (2 / columns) ** 0.5)

        down, up = layer(hidden, dim), layer(dim, hidden)
        seen, target = torch.from_numpy(vectors), torch.from_numpy(classes)
        weight, texts = torch.from_numpy(class_weights(classes)), torch.from_numpy(prototypes)
        optimizer = torch.optim.AdamW([down, up], lr=LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, PASSES)
        for _ in range(PASSES):
            moved = self.ratio * torch.relu(torch.relu(seen @ down.T) @ up.T) + (1 - self.ratio) * seen
            moved = moved / moved.norm(dim=1, keepdim=True).clamp(min=1e-12)
            logits = words.logit_scale * moved @ texts.T
            loss = (weight * torch.nn.functional.cross_entropy(logits, target, reduction="none")).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        return {
            "down": down.detach().numpy(),
            "up": up.detach().numpy(),
            "ratio": np.array([self.ratio]),
            "prototypes": prototypes,
            "scale": np.array([words.logit_scale]),
        }
