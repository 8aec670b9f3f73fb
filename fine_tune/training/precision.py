"""Where training runs, and whether bfloat16 passes are faster there; weights and optimiser stay float32 either way."""

from __future__ import annotations

from typing import Annotated

import torch
import typer

#: The option of the training commands; `fast_bfloat16` decides where it is left out.
Bfloat16 = Annotated[
    bool | None,
    typer.Option("--bfloat16/--float32", help="Passes of the network; default what the machine is faster with."),
]


def training_device() -> str:
    """``"cuda"`` where there is one, else ``"cpu"``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def fast_bfloat16(device: str) -> bool:
    """Whether a device multiplies matrices of bfloat16 in hardware.

    Parameters
    ----------
    device : {"cpu", "cuda"}
        A processor is taken to do so where it has AMX. AVX-512 with bfloat16 alone gains too little for what is lost.
    """
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))
