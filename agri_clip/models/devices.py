"""Which device and number format a model runs on: chosen here, once, for encoders and proposers alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agri_clip.errors import ModelError

if TYPE_CHECKING:
    import torch

#: Number formats by the name a user gives; "auto" asks `choose_dtype`.
DTYPES = ("auto", "float32", "float16", "bfloat16")

#: CUDA devices older than Volta (compute capability 7.0) compute half precision slower than float32.
MIN_HALF_CAPABILITY = (7, 0)


def available_devices() -> list[str]:
    """Names of the devices that torch can use here, the fastest kind first; "cpu" is always the last."""
    import torch

    names = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def choose_device(name: str | torch.device | None = None) -> torch.device:
    """Check a device by name, or choose the first of `available_devices`.

    Parameters
    ----------
    name : str, torch.device or None
        ``"cuda"``, ``"cuda:1"``, ``"mps"``, ``"cpu"``; None or ``"auto"`` to choose.

    Raises
    ------
    ModelError
        There is no such device here.
    """
    import torch

    names = available_devices()
    if name is None or name == "auto":
        return torch.device(names[0])
    problem = f"device {str(name)!r} is not usable on this machine; there is: {', '.join(names)}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(problem) from error
    full = device.type if device.type != "cuda" else f"cuda:{device.index or 0}"
    if full not in names:
        raise ModelError(problem)
    return device


def choose_dtype(device: torch.device, name: str | torch.dtype | None = "auto") -> torch.dtype:
    """Number format of a model's weights on a device.

    "auto" is float16 on CUDA devices that compute it fast, else float32. float16 is preferred to bfloat16 because a
    unit vector fits its range and keeps three more bits.

    Raises
    ------
    ModelError
        `name` is none of `DTYPES`.
    """
    import torch

    if isinstance(name, torch.dtype):
        name = str(name).removeprefix("torch.")
    if name is None or name == "auto":
        fast = device.type == "cuda" and torch.cuda.get_device_capability(device) >= MIN_HALF_CAPABILITY
        return torch.float16 if fast else torch.float32
    if name not in DTYPES:
        raise ModelError(f"number format {name!r} is unknown; choose one of {', '.join(DTYPES)}")
    return getattr(torch, name)
