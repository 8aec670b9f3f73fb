"""Where passes in bfloat16 are faster than in float32; weights and optimiser stay float32 either way."""

from __future__ import annotations

import torch


def fast_bfloat16(device: str = "cpu") -> bool:
    """Whether a device multiplies matrices of bfloat16 in hardware.

    Parameters
    ----------
    device : {"cpu", "cuda"}
        A processor is taken to do so where it has AMX. AVX-512 with bfloat16 alone gains too little for what is lost.
    """
    if device == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))
