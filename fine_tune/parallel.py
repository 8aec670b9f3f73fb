"""Towers in threads: a step's batch in several parts, each with a thread and batch statistics of its own.

On a few cores this is faster than one network whose every operation is split over the cores, and it is what training
on several devices does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn


def share_parameters(model: nn.Module) -> Any:
    """A copy of a network that has the very parameters of `model`, but buffers (batch statistics) of its own."""
    copied = deepcopy(model)
    for name, parameter in model.named_parameters():
        owner, _, leaf = name.rpartition(".")
        copied.get_submodule(owner)._parameters[leaf] = parameter
    return copied


class ParallelGradients:
    """Runs several forward passes at once, and later their backward passes; gradients are added in a fixed order.

    Parameters
    ----------
    model : nn.Module
        Whose parameters take the gradients.
    threads : int
    """

    def __init__(self, model: nn.Module, threads: int) -> None:
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.executor = ThreadPoolExecutor(threads)

    def forward(self, passes: Sequence[Callable[[], Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
        """Run the passes.

        Returns
        -------
        outputs : list of Tensor
            With their graphs, for `backward`.
        leaves : list of Tensor
            The same values as leaves that take a gradient.
        """
        outputs = list(self.executor.map(lambda run: run(), passes))
        return outputs, [output.detach().requires_grad_() for output in outputs]

    def backward(self, outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> None:
        """Carry the gradients of the leaves on to the parameters, added to what they hold."""

        def back(pair: tuple[Tensor, Tensor]) -> tuple[Tensor | None, ...]:
            output, leaf = pair
            return torch.autograd.grad(output, self.parameters, leaf.grad, allow_unused=True)

        for gradients in self.executor.map(back, zip(outputs, leaves, strict=True)):
            for parameter, gradient in zip(self.parameters, gradients, strict=True):
                if gradient is not None:
                    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
