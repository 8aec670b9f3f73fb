"""Model folders that are only looked at, never loaded: their weights are empty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_model(folder: Path, **config: Any) -> Path:
    """A folder with the files of a dual encoder of transformers; `config` replaces what its configuration says."""
    folder.mkdir(parents=True, exist_ok=True)
    said = config or {"model_type": "clip", "text_config": {}, "vision_config": {}}
    (folder / "config.json").write_text(json.dumps(said), encoding="utf-8")
    (folder / "model.safetensors").touch()
    return folder


def write_open_clip_model(folder: Path) -> Path:
    """The same for open_clip."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text("{}", encoding="utf-8")
    (folder / "open_clip_model.safetensors").touch()
    return folder
