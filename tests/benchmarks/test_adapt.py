"""The benchmark of adapting: crops of training and test never coincide, and it fails where LoRA costs or loses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from benchmarks import adapt


def test_tested_crops_are_no_shots() -> None:
    shots, tested = (adapt.field_crops(("aphid", "moth"), 3, split, 0) for split in ("validation", "held-out"))
    assert shots.labels == ("aphid",) * 3 + ("moth",) * 3
    assert len(set(shots.photos)) == 6
    assert not any(np.array_equal(a, b) for a in shots.crops for b in tested.crops)
    again = adapt.field_crops(("aphid", "moth"), 3, "validation", 0)
    assert all(np.array_equal(a, b) for a, b in zip(shots.crops, again.crops, strict=True))


def test_the_old_camera_is_coarse_cold_and_pale() -> None:
    rng = np.random.default_rng(0)
    crop = np.zeros((72, 72, 3), np.uint8)
    crop[:, ::2] = 255
    seen = adapt.old_camera(crop, rng).astype(float)
    assert seen.std() < 0.3 * crop.std()
    assert seen[..., 2].mean() > seen[..., 0].mean()


@pytest.mark.parametrize(
    ("memory", "interval", "status"), [(0.1, [-0.02, 0.03], 0), (0.3, [0.0, 0.1], 1), (0.1, [-0.2, -0.1], 1)]
)
def test_it_fails_where_lora_costs_too_much_or_names_fewer(
    memory: float, interval: list[float], status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures: dict[str, Any] = {"lora_over_full": {"memory": memory, "accuracy": {"value": 0.0, "interval": interval}}}
    monkeypatch.setattr(adapt, "compare_methods", lambda *_: figures)
    try:
        adapt.main(0, 1, tmp_path / "figures.json", rendered=False)
        ended = 0
    except typer.Exit as exit_:
        ended = exit_.exit_code
    assert ended == status
    assert (tmp_path / "figures.json").is_file()
