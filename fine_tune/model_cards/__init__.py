"""Writes the cards of the embedded models from their training records and the benchmark's figures.

python -m fine_tune.model_cards --figures figures.json      # docs/model-card.md and two pictures of failures
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from agri_clip.encoders import get_encoder
from agri_clip.errors import DataError
from agri_clip.regions.yolo import YoloProposer
from fine_tune.encoder.networks import PACKAGES
from fine_tune.encoder.pretrain import TRAINING
from fine_tune.model_cards.failures import finding_failures, naming_failures
from fine_tune.synthetic.export import write_jpeg

ROOT = Path(__file__).resolve().parents[2]
BUILTIN = ROOT / "agri_clip" / "models" / "builtin"
DETECTOR = ROOT / "agri_clip" / "regions" / "weights" / "insect-yolo"

Record = Mapping[str, Any]


def write_cards(figures: Path, docs: Path) -> list[Path]:
    """Write `model-card.md` and its pictures into a folder of documentation.

    Parameters
    ----------
    figures : Path
        What `benchmarks/models.py --json` wrote.
    docs : Path

    Raises
    ------
    DataError
        A figure that the cards quote is missing.
    """
    measured = json.loads(figures.read_text(encoding="utf-8"))
    here = Path(__file__).parent
    try:
        parts = (("builtin.md", builtin_values(measured)), ("insect-yolo.md", detector_values(measured)))
        texts = [Template((here / name).read_text(encoding="utf-8")).substitute(values) for name, values in parts]
    except KeyError as error:
        raise DataError(f"{figures}: has no {error}; run benchmarks/models.py with --photos and all parts") from error
    card = docs / "model-card.md"
    card.write_text("\n".join(texts), encoding="utf-8")
    pictures = {
        "failures-builtin.jpg": naming_failures(get_encoder("builtin")),
        "failures-insect-yolo.jpg": finding_failures(YoloProposer(DETECTOR)),
    }
    for name, pixels in pictures.items():
        write_jpeg(docs / "images" / name, pixels, 85)
    return [card, *(docs / "images" / name for name in pictures)]


def builtin_values(measured: Record) -> dict[str, str]:
    """What the encoder's card quotes."""
    record = json.loads((BUILTIN / TRAINING).read_text(encoding="utf-8"))
    recipe, tower, runs = record["recipe"], record["recipe"]["tower"], record["recipe"]["words"]
    words = runs[0]
    figures = measured["encoders"]["models"]["builtin"]
    check = measured["photos"]["models"]["builtin"]["naming"]["check"]
    naming, blur = figures["naming"], figures["blur"]
    return {
        **_of_any_model(record, BUILTIN),
        "architecture": tower["architecture"],
        "package": PACKAGES[tower["architecture"]].replace("_", "-"),
        "kept_stages": str(tower["kept_stages"]),
        "tower_steps": _number(tower["steps"]),
        "words_runs": str(len(runs)),
        "words_steps": _number(words["steps"]),
        **{name: str(words[name]) for name in ("text_layers", "text_width", "projection")},
        "vocabulary": _number(words["vocabulary"]),
        "sizes": ", ".join(map(str, recipe["sizes"])),
        **{name: _number(recipe[name]) for name in ("crops", "close_ups", "photo_crops")},
        "named": str(len(record["named_photos"])),
        "real_backgrounds": _number(record["real_backgrounds"]),
        "note": f" ({record['note']})" if "note" in record else "",
        "check_photos": str(check["photos"]),
        **{f"check_{name}": _figure(check[name]) for name in ("top1", "macro", "top5")},
        **{f"naming_{name}": _figure(naming[name]) for name in ("all", "common")},
        **{name: _figure(figure) for name, figure in figures["attributes"].items()},
        "auroc_rendered": _figure(figures["auroc"]["rendered"]),
        "auroc_real": _figure(figures["auroc"]["real"]),
        "blur": _figure(blur["share"], 2),
        "blur_group": blur["group"],
        "credits": "\n".join(
            f"| {_cell(of['file'])} | {_cell(of['licence'])} | {_cell(of['credit'])} |" for of in record["named_photos"]
        ),
    }


def _cell(text: str) -> str:
    """Text in a cell of a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())


def detector_values(measured: Record) -> dict[str, str]:
    """What the detector's card quotes."""
    runs = _runs(json.loads((DETECTOR / TRAINING).read_text(encoding="utf-8")))
    record, first = runs[0], next(run for run in runs if run["recipe"]["left_out"])
    recipe = first["recipe"]
    figures = measured["proposers"]["models"]["insect-yolo"]
    real, kinds = figures["real"], figures["kinds"]["each"]
    return {
        **{name: _number(recipe[name]) for name in ("photos", "tile")},
        "left_out": ", ".join(recipe["left_out"]),
        **_of_any_model(record | {"seconds": sum(run["seconds"] for run in runs)}, DETECTOR),
        "tiles": _number(sum(run["tiles_seen"] for run in runs)),
        "close_ups": _number(record["close_ups"]),
        "real_photos": _number(record["real_photos"]),
        **{name: _figure(real[name]) for name in ("ap50", "recall_best", "recall")},
        "boxes": f"{real['boxes_per_insect']['value']:.1f}",
        "ap50_rendered": _figure(figures["rendered"]["ap50"]),
        "note": f"\n{first['note']}" if "note" in first else "",
        "unseen": _unseen(measured, first),
        "kinds": "".join(f"| AP50, rendered, {kind} | {_figure(figure)} |\n" for kind, figure in kinds.items()),
    }


def _runs(record: Record) -> list[dict[str, Any]]:
    """A training record and those of the runs that it went on from, the last one first."""
    earlier = record.get("before")
    return [dict(record), *(_runs(earlier) if earlier else [])]


def _of_any_model(record: Record, folder: Path) -> dict[str, str]:
    """What both cards say of a training run and of the folder that it filled."""
    return {
        "size": f"{(folder / 'model.safetensors').stat().st_size / 1e6:.1f}",
        "parameters": f"{record['parameters'] / 1e6:.1f}",
        "minutes": str(round(record["seconds"] / 60)),
        "real_insects": _number(record["real_insects"]),
    }


def _unseen(measured: Record, record: Record) -> str:
    """How well the network did on kinds of ground that it had not seen: measured now, or when it was trained."""
    for network in measured["proposers"]["left_out"].values():
        means = (network["kinds"][part]["value"] for part in ("mean_out", "mean_in"))
        break
    else:
        means = (record["left_out_ap50"][part] for part in ("kinds_out", "kinds_in"))
    out, known = means
    kinds = ", ".join(record["recipe"]["left_out"])
    return f"before {kinds} came in, AP50 on them was {out:.2f} on average, against {known:.2f} on the other kinds"


def _figure(figure: Record, digits: int = 3) -> str:
    """A figure with its 95 % interval."""
    low, high = figure["interval"]
    return f"{figure['value']:.{digits}f} (95 % {low:.{digits}f} to {high:.{digits}f})"


def _number(value: float) -> str:
    return f"{value:,}"
