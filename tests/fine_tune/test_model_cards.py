"""Cards quote what was measured, and refuse to be written without it."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Any

import pytest

from agri_clip.errors import DataError
from fine_tune import model_cards as cards
from fine_tune.synthetic.attributes import PHRASES


def figure(value: float) -> dict[str, Any]:
    return {"value": value, "interval": [value - 0.01, value + 0.01]}


def measured() -> dict[str, Any]:
    builtin = {
        "naming": {"all": figure(0.123), "common": figure(0.2), "common_views": figure(0.3)},
        "attributes": {name: figure(0.4) for name in PHRASES},
        "auroc": {"rendered": figure(0.5), "real": figure(0.6)},
        "blur": {"share": figure(1.5), "group": "moth"},
    }
    boxes = {name: figure(0.7) for name in ("ap50", "recall_best", "recall", "boxes_per_insect")}
    detector = {"real": boxes, "rendered": boxes, "kinds": {"each": {"yellow": figure(0.8)}}}
    check = {"photos": 9, **{name: figure(0.4) for name in ("top1", "macro", "top5")}}
    return {
        "photos": {"models": {"builtin": {"naming": {"check": check}}}},
        "encoders": {"models": {"builtin": builtin}},
        "proposers": {"models": {"insect-yolo": detector}, "left_out": {}},
    }


@pytest.mark.parametrize("name", ["builtin", "insect-yolo"])
def test_every_blank_of_a_card_is_filled(name: str) -> None:
    template = Template((Path(cards.__file__).parent / f"{name}.md").read_text(encoding="utf-8"))
    values = (cards.builtin_values if name == "builtin" else cards.detector_values)(measured())
    assert "$" not in template.substitute(values)


def test_a_figure_stands_with_its_interval() -> None:
    assert cards.builtin_values(measured())["naming_all"] == "0.123 (95 % 0.113 to 0.133)"


def test_a_network_that_never_saw_some_kinds_is_quoted_where_it_was_measured() -> None:
    figures = measured()
    figures["proposers"]["left_out"]["network"] = {"kinds": {"mean_out": figure(0.31), "mean_in": figure(0.42)}}
    assert "0.31 on average, against 0.42" in cards.detector_values(figures)["unseen"]


def test_a_missing_figure_is_named(tmp_path: Path) -> None:
    figures = measured()
    del figures["encoders"]["models"]["builtin"]["blur"]
    (tmp_path / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
    with pytest.raises(DataError, match="blur"):
        cards.write_cards(tmp_path / "figures.json", tmp_path)
    assert not (tmp_path / "model-card.md").exists()
