"""WiSE-FT: weights between a model and its fine-tuned self, as far from the start as held-out crops say is best.

References
----------
Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022, equation 2: the weights are interpolated linearly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from fine_tune.adapt.judging import Judgement

#: Shares of the fine-tuned weights that are tried: 0 is the start, 1 the end of training.
BLENDS = tuple(step / 10 for step in range(11))


def blend_weights(start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights at `share` of the way from `start` to `end`; at 0 and 1 exactly those of the ends.

    Parameters
    ----------
    start, end : mapping of str to Tensor
        Of one architecture. What is no floating point number is taken from `end`.
    share : float
        0 to 1.
    """

    def between(first: Tensor, last: Tensor) -> Tensor:
        # In float64: where a weight shrinks to little, float32 would keep the rounding of what it was.
        return torch.lerp(first.double(), last.double(), share).to(last.dtype)

    return {
        name: between(start[name], value) if value.is_floating_point() else value.clone() for name, value in end.items()
    }


def scale_adapter(model: Any, share: float) -> None:
    """The same for LoRA, where start and end differ by a product of matrices: that product times `share`.

    Parameters
    ----------
    model : torch.nn.Module
        With LoRA layers of peft.
    share : float
        Of the change as it was trained.
    """
    from peft.tuners.lora import LoraLayer

    for layer in model.modules():
        if isinstance(layer, LoraLayer):
            for adapter in layer.scaling:
                layer.set_scale(adapter, share)


def choose_blend(
    judge: Callable[[float], Judgement], allowed: Callable[[float], bool] = lambda _: True
) -> tuple[float, dict[float, Judgement]]:
    """The share of `BLENDS` that names held-out crops best.

    Parameters
    ----------
    judge : callable
        Gives the judgement of the model at a share.
    allowed : callable
        Whether a share may be taken; asked in ascending order. The start, 0, always may.

    Returns
    -------
    share : float
        With the highest accuracy; of several the one with the lowest loss, then the one nearest to the start.
    judged : dict of float to Judgement
        Each share's.
    """
    judged = {share: judge(share) for share in BLENDS}
    shares = [share for share in BLENDS if allowed(share) or not share]
    return min(shares, key=lambda share: (-judged[share].accuracy, judged[share].loss, share)), judged
