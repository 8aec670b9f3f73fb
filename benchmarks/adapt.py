"""Adapting the embedded encoder to one field: LoRA against full fine-tuning, and rendered crops for a pest of no photo.

python benchmarks/adapt.py --json adapt.json

Ten groups, rendered as an old trap camera would show them: few pixels, a cold cast, little contrast, noise. Words know
the groups, but not this camera. Both methods get the same crops, in one run.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import typer

from agri_clip.encoders import get_encoder
from agri_clip.prompts.templates import expand, with_article
from benchmarks.intervals import mean_over, with_interval
from fine_tune.adapt.samples import LabelledCrops
from fine_tune.adapt.tower_training import RECIPES, Method, TowerRecipe
from fine_tune.adapt.towers import adapt_towers
from fine_tune.synthetic import GROUP_NAMES, render_crop, split_rng

#: The first of the renderer's list, fixed before anything was measured; the last of them is the pest of no photo.
CLASSES = GROUP_NAMES[:10]
SHOTS, TESTED = 16, 40
#: Side of a crop, and side in pixels of what the old camera sees of it.
SIDE, SEEN = 72, 20
#: LoRA's optimiser may keep this share of what full fine-tuning keeps.
MOST_MEMORY = 1 / 5
TEXTS = {name: expand([with_article(name)]) for name in CLASSES}


def as_old_camera(coarse: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pixels (h, w, 3) uint8 as an old trap camera would show them: cold, pale and noisy."""
    cast = np.array([[0.5, 0.3, 0.1], [0.1, 0.5, 0.3], [0.0, 0.2, 0.9]], np.float32)
    pale = 40 + 0.6 * coarse.astype(np.float32) @ cast + rng.normal(0, 6, coarse.shape)
    return np.clip(pale, 0, 255).astype(np.uint8)


def old_camera(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A crop (s, s, 3) uint8 as an old trap camera would show it: coarse too."""
    small = cv2.resize(crop, (SEEN, SEEN), interpolation=cv2.INTER_AREA)
    return as_old_camera(cv2.resize(small, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR), rng)


def field_crops(names: Sequence[str], count: int, split: str, seed: int, *, old: bool = True) -> LabelledCrops:
    """`count` crops of each group, each a photo of its own; with `old` as the field's camera shows them."""
    crops, labels, photos = [], [], []
    for i, name in enumerate(names):
        for number in range(count):
            rng = split_rng(split, seed, 1000 * i + number)
            crop = render_crop(rng, name, SIDE).pixels
            crops.append(old_camera(crop, rng) if old else crop)
            labels.append(name)
            photos.append(f"{'old' if old else 'clear'} {split} {name} {number}")
    return LabelledCrops(tuple(crops), tuple(labels), tuple(photos), tuple(photos))


def right_names(encoder: str, crops: LabelledCrops, names: Sequence[str] = CLASSES) -> np.ndarray:
    """Which crops an encoder names rightly among `names`, shape (n,), bool."""
    model = get_encoder(encoder, "cpu")
    words = np.stack([model.encode_texts(expand([with_article(name)])).mean(axis=0) for name in names])
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    told = (model.encode_images(crops.crops) @ words.T).argmax(axis=1)
    return np.array(names)[told] == np.array(crops.labels)


def share(right: np.ndarray) -> dict[str, Any]:
    """A share with its 95 % interval over crops."""
    return with_interval(mean_over(right, np.arange(len(right))), len(right))


def compare_methods(seed: int, steps: int, reminders: int, work: Path) -> dict[str, Any]:
    """LoRA and full fine-tuning on the same crops: accuracy on other crops, and what the optimisers kept."""
    shots, tested = field_crops(CLASSES, SHOTS, "validation", seed), field_crops(CLASSES, TESTED, "held-out", seed)
    right = {"words": right_names("builtin", tested)}
    figures: dict[str, Any] = {}
    methods: tuple[Method, ...] = ("lora", "full")
    for method in methods:
        recipe = replace(RECIPES[method], steps=steps, reminders=reminders)
        result = adapt_towers(
            shots, TEXTS, "builtin", work / method, method=method, recipe=recipe, seed=seed, device="cpu", resume=False
        )
        right[method] = right_names(str(result.folder), tested)
        figures[method] = {
            "trained_parameters": result.trained_parameters,
            "optimizer_bytes": result.optimizer_bytes,
            "blend": result.blend,
            "steps": result.steps,
            "best_step": result.best_step,
        }
    for name, hits in right.items():
        figures.setdefault(name, {})["accuracy"] = share(hits)
    figures["lora_over_full"] = {
        "memory": figures["lora"]["optimizer_bytes"] / figures["full"]["optimizer_bytes"],
        "accuracy": share(right["lora"].astype(float) - right["full"]),
    }
    return figures


def without_photos(seed: int, steps: int, reminders: int, work: Path) -> dict[str, Any]:
    """LoRA where one pest has no photo: with nothing of it, and with rendered crops by another camera as its shots."""
    *others, pest = CLASSES
    field = field_crops(others, SHOTS, "validation", seed)
    drawn = field_crops([pest], SHOTS, "train", seed, old=False)
    both = LabelledCrops(
        field.crops + drawn.crops, field.labels + drawn.labels, field.photos + drawn.photos, field.names + drawn.names
    )
    tested = field_crops(CLASSES, TESTED, "held-out", seed)
    own = np.array(tested.labels) == pest
    figures: dict[str, Any] = {"pest": pest}
    encoders = {"words": "builtin"}
    for name, samples in (("nothing", field), ("rendered", both)):
        folder = work / name
        recipe = replace(RECIPES["lora"], steps=steps, reminders=reminders)
        adapt_towers(
            samples, TEXTS, "builtin", folder, method="lora", recipe=recipe, seed=seed, device="cpu", resume=False
        )
        encoders[name] = str(folder)
    for name, encoder in encoders.items():
        right = right_names(encoder, tested)
        figures[name] = {"pest": share(right[own]), "others": share(right[~own])}
    return figures


def main(
    seed: Annotated[int, typer.Option(help="Of crops and training.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Most optimiser steps of each method.")] = 100,
    out: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
    methods: Annotated[bool, typer.Option(help="LoRA against full fine-tuning.")] = True,
    rendered: Annotated[bool, typer.Option(help="The pest of no photo.")] = True,
    reminders: Annotated[int, typer.Option(min=0, help="Crops of other groups a step.")] = TowerRecipe.reminders,
) -> None:
    """Measure; the exit status is 1 where LoRA needs more memory than it may, or names significantly fewer crops."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        if methods:
            figures["methods"] = compare_methods(seed, steps, reminders, Path(folder))
        if rendered:
            figures["without_photos"] = without_photos(seed, steps, reminders, Path(folder))
    text = json.dumps(figures, indent=1)
    typer.echo(text)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    if methods:
        ratio = figures["methods"]["lora_over_full"]
        if ratio["memory"] > MOST_MEMORY or ratio["accuracy"]["interval"][1] < 0:
            raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
