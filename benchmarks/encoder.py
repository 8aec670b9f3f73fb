"""Measures an encoder on rendered crops it was never trained on, and on real crops where there are any.

python benchmarks/encoder.py                           # the embedded encoder, rendered crops
python benchmarks/encoder.py --photos DIR              # real crops too: DIR holds val.json (COCO) and images/
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from agri_clip.console import make_table
from agri_clip.encoders import Encoder, get_encoder
from agri_clip.prompts import PromptSet
from agri_clip.prompts.templates import with_article
from agri_clip.scoring import embed_prompts, score
from fine_tune.crops import cut_real_crops
from fine_tune.pool import CropPool, render_pool
from fine_tune.synthetic import GROUP_NAMES, NONE

#: Side of the crops before the encoder's own processor, pixels.
SIDE = 72


def group_prompts() -> PromptSet:
    """One target a group: its name alone, without the catalogue's words, and the default negatives."""
    return PromptSet.model_validate(
        {
            "name": "groups",
            "targets": [{"name": name, "phrasings": [with_article(name)]} for name in GROUP_NAMES],
            "negatives": [negative.model_dump() for negative in PromptSet.of("an insect").negatives],
        }
    )


def zero_shot(encoder: Encoder, pool: CropPool) -> dict[str, Any]:
    """Top-1 over all groups of the renderer, from their names alone.

    Returns
    -------
    dict
        `top1` over the crops with an insect, `interval` (95 %, bootstrap over crops), recall of each group, and what it
        is most often taken for.
    """
    prompts = embed_prompts(encoder, group_prompts(), others=())
    groups = np.array(pool.groups)
    insects = groups != NONE
    vectors = encoder.encode_images(list(pool.images[insects]))
    named = np.array(prompts.labels)[(vectors @ prompts.vectors[: len(prompts.labels)].T).argmax(axis=1)]
    right = named == groups[insects]
    draws = np.random.default_rng(0).integers(0, len(right), (2000, len(right)))
    low, high = np.quantile(right[draws].mean(axis=1), [0.025, 0.975])
    by_group = {}
    for name in GROUP_NAMES:
        mine = groups[insects] == name
        wrong = named[mine & ~right]
        values, counts = np.unique(wrong, return_counts=True)
        confused = str(values[counts.argmax()]) if len(values) else "-"
        by_group[name] = {"recall": float(right[mine].mean()), "crops": int(mine.sum()), "taken_for": confused}
    return {"top1": float(right.mean()), "interval": [float(low), float(high)], "groups": by_group}


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that a positive scores above a negative; ties count half (Mann-Whitney)."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return float((ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))


def insect_or_not(encoder: Encoder, insects: np.ndarray, backgrounds: np.ndarray) -> float:
    """AUROC of the insect probability under the prompt "an insect" and the default negatives."""
    prompts = embed_prompts(encoder, PromptSet.of("an insect"))
    probabilities = [score(encoder.encode_images(list(crops)), prompts).insect for crops in (insects, backgrounds)]
    return auroc(*probabilities)


def main(
    encoder: Annotated[str, typer.Option(help="As in `agri-clip detect`.")] = "builtin",
    crops: Annotated[int, typer.Option(help="Rendered crops, held out by their seed.")] = 4000,
    seed: Annotated[int, typer.Option(help="Seed of the held-out crops.")] = 0,
    photos: Annotated[Path | None, typer.Option(help="Folder with val.json (COCO) and images/.")] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
) -> None:
    """Zero-shot naming over the renderer's groups, and insect against background."""
    model = get_encoder(encoder)
    pool = render_pool("held-out", seed, 0, crops, SIDE, None)
    figures: dict[str, Any] = {"encoder": model.name, "fingerprint": model.fingerprint, **zero_shot(model, pool)}
    groups = np.array(pool.groups)
    figures["rendered_auroc"] = insect_or_not(model, pool.images[groups != NONE], pool.images[groups == NONE])
    if photos is not None:
        real = cut_real_crops(photos / "val.json", photos / "images", seed=seed, size=SIDE)
        figures["real_auroc"] = insect_or_not(model, real.insects, real.backgrounds)
        figures["real_insects"], figures["real_backgrounds"] = len(real.insects), len(real.backgrounds)
    console = Console(highlight=False)
    rows = [[name, f"{f['recall']:.2f}", f["crops"], f["taken_for"]] for name, f in figures["groups"].items()]
    console.print(make_table(["group", "recall", "crops", "most often taken for"], rows))
    low, high = figures["interval"]
    console.print(f"top-1 over {len(GROUP_NAMES)} groups: {figures['top1']:.3f} (95 % {low:.3f} to {high:.3f})")
    console.print(f"insect against background, rendered: AUROC {figures['rendered_auroc']:.3f}")
    if photos is not None:
        console.print(f"insect against background, real: AUROC {figures['real_auroc']:.3f}")
    if json_out is not None:
        json_out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
