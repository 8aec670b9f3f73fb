"""The state of an unfinished training run on disk: written whole, and taken up by the same recipe only."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from agri_clip.errors import AgriClipError


def save_checkpoint(path: Path, recipe: Any, state: dict[str, Any]) -> None:
    """Write the state of a run, or leave the older one.

    Parameters
    ----------
    path : Path
    recipe : dataclass instance
        Everything that fixes the run.
    state : dict
        Tensors, numbers and state dictionaries.
    """
    partial = path.with_suffix(".partial")
    torch.save({"recipe": asdict(recipe), **state}, partial)
    partial.replace(path)


def load_checkpoint(path: Path, recipe: Any, device: str) -> dict[str, Any] | None:
    """Read the state of an earlier run of the same recipe; None if there is none.

    Raises
    ------
    AgriClipError
        The checkpoint was made with another recipe.
    """
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    if state["recipe"] != asdict(recipe):
        raise AgriClipError(f"{path}: made with another recipe; use another --out or the same settings")
    return state
