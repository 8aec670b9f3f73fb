"""Measures adapting with few examples: insects that the embedded encoder never met, over seeds and numbers of crops.

python benchmarks/few_shot.py --seeds 5
python benchmarks/few_shot.py --towers 3          # LoRA against what `adapt` picks by itself, at the most crops
python benchmarks/few_shot.py --seeds 0 --known 40    # one crop each of groups that the encoder knows

The six groups are those of `benchmarks.unseen_insects`, which no training drew. Each seed has training crops of its
own; all are tried on the same held-out crops, through the scoring that `detect` uses. A crop counts as a photo.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from scipy import stats

from agri_clip.encoders import Encoder, get_encoder
from agri_clip.encoders.adapted import load_adapted
from agri_clip.io.console import make_table
from agri_clip.prompts import PromptSet
from agri_clip.prompts.base import Target
from agri_clip.prompts.matching import resolve
from agri_clip.prompts.negatives import DEFAULT_NEGATIVES
from agri_clip.scoring.label_vectors import embed_prompts
from agri_clip.scoring.score import score
from benchmarks.unseen_insects import UNSEEN, drawn_too
from fine_tune.adapt.adapting import Adapted, adapt, prompts_for
from fine_tune.adapt.samples import LabelledCrops
from fine_tune.adapt.tower_training import RECIPES, TowerRecipe
from fine_tune.adapt.towers import adapt_towers
from fine_tune.synthetic import GROUP_NAMES, render_crop, split_rng

SHOTS = (1, 4, 16)
#: Held-out crops of each group.
TRIED = 60
#: Crops of each catalogued group on which it is measured what other prompts lose by LoRA.
OTHERS = 8
#: Parts of the seeds of crops that are tried, and that are learnt from.
TRIED_SEED, LEARNT_SEED = 71, 1000
#: The same for groups of the training, and held-out crops of each.
KNOWN_TRIED_SEED, KNOWN_LEARNT_SEED, KNOWN_TRIED = 912, 911, 20


@dataclass(frozen=True)
class Trial:
    """One seed at one number of crops.

    Attributes
    ----------
    right, f1 : ndarray, shape (2, groups)
        Share of each group's crops named rightly, and F1 of each label: by words, and adapted.
    result : Adapted
    """

    right: np.ndarray
    f1: np.ndarray
    result: Adapted


class Remembering:
    """An encoder that encodes each crop once, for the same crops are learnt from again and again."""

    def __init__(self, base: Encoder) -> None:
        self._base = base
        self._kept: dict[bytes, np.ndarray] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base, name)

    def encode_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Vectors of crops, (n, dim)."""
        keys = [crop.tobytes() for crop in crops]
        new = {key: crop for key, crop in zip(keys, crops, strict=True) if key not in self._kept}
        self._kept.update(zip(new, self._base.encode_images(list(new.values())), strict=True))
        return np.array([self._kept[key] for key in keys], np.float32).reshape(-1, self._base.dim)


def draw(seed: int, count: int) -> LabelledCrops:
    """So many crops of each unseen group; the first ones do not depend on the count."""
    with drawn_too():
        crops = [
            render_crop(split_rng("held-out", seed, number * 10_000 + i), group.name).pixels
            for number, group in enumerate(UNSEEN)
            for i in range(count)
        ]
    labels = tuple(group.name for group in UNSEEN for _ in range(count))
    names = tuple(f"{label} {i}" for i, label in enumerate(labels))
    return LabelledCrops(tuple(crops), labels, names, names, "rendered crops of unseen groups")


def described() -> PromptSet:
    """The groups as somebody describes them who knows that the encoder never saw their names."""
    targets = tuple(Target(name=group.name, phrasings=group.looks) for group in UNSEEN)
    return PromptSet(name="described", targets=targets, negatives=DEFAULT_NEGATIVES)


def figures(
    encoder: Encoder, prompts: PromptSet, vectors: np.ndarray, truth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Share named rightly and F1 of each label, (groups,) each."""
    said = score(vectors, embed_prompts(encoder, prompts, force=True)).label_index
    groups = range(len(prompts.labels))
    right = np.array([(said[truth == g] == g).mean() for g in groups])
    hits = np.array([((said == g) & (truth == g)).sum() for g in groups])
    sizes = np.array([(said == g).sum() + (truth == g).sum() for g in groups])
    return right, 2 * hits / np.maximum(sizes, 1)


def shuffled(samples: LabelledCrops, seed: int) -> LabelledCrops:
    """The same crops with labels that mean nothing."""
    order = np.random.default_rng(seed).permutation(len(samples))
    labels = tuple(samples.labels[i] for i in order)
    return LabelledCrops(samples.crops, labels, samples.photos, samples.names, samples.source)


def interval(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Mean, and half the 95 % interval of it by Student's t, over seeds."""
    values = np.asarray(values, np.float64)
    return float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)


def run(base: Encoder, given: PromptSet | None, seeds: int, tried: LabelledCrops) -> dict[int, tuple[list[Trial], int]]:
    """For each number of crops the trials of all seeds, and how many with shuffled labels kept the words."""
    prompts = prompts_for([group.name for group in UNSEEN], given)
    truth = np.repeat(np.arange(len(UNSEEN)), TRIED)
    vectors = base.encode_images(tried.crops)
    drawn = [draw(LEARNT_SEED + seed, max(SHOTS)) for seed in range(seeds)]
    found: dict[int, tuple[list[Trial], int]] = {}
    for shots in SHOTS:
        trials, kept = [], 0
        for seed in range(seeds):
            samples = drawn[seed][[i for i in range(len(drawn[seed])) if i % max(SHOTS) < shots]]
            with tempfile.TemporaryDirectory() as place:
                result = adapt(samples, base, Path(place) / "farm", prompts=given, seed=seed)
                adapted = load_adapted(str(Path(place) / "farm"), base)
                parts = [figures(encoder, prompts, vectors, truth) for encoder in (base, adapted)]
                right, f1 = (np.stack(column) for column in zip(*parts, strict=True))
                trials.append(Trial(right, f1, result))
                lie = adapt(shuffled(samples, seed), base, Path(place) / "lie", prompts=given, seed=seed)
                kept += lie.climbed.head is None
        found[shots] = trials, kept
    return found


def summary(found: dict[int, tuple[list[Trial], int]]) -> list[list[str]]:
    """One row a number of crops."""
    rows = []
    for shots, (trials, kept) in found.items():
        words, adapted = (np.array([t.right[i].mean() for t in trials]) for i in (0, 1))
        gain, half = interval(adapted - words)
        others = [0.0 if t.result.others is None else t.result.others.before - t.result.others.after for t in trials]
        methods = sorted({t.result.climbed.method if t.result.climbed.head else "words" for t in trials})
        rows.append(
            [
                str(shots),
                f"{words.mean():.3f}",
                f"{adapted.mean():.3f}",
                f"{gain:+.3f} ± {half:.3f}",
                f"{100 * np.mean(others):+.1f}, most {100 * max(others):+.1f}",
                f"{kept} of {len(trials)}",
                ", ".join(methods),
            ]
        )
    return rows


def by_class(found: dict[int, tuple[list[Trial], int]]) -> list[list[str]]:
    """One row a group: change of its top-1 and of its F1 at each number of crops, with intervals."""
    rows = []
    for number, group in enumerate(UNSEEN):
        row = [group.name, f"{found[SHOTS[0]][0][0].right[0, number]:.2f}"]
        for trials, _ in found.values():
            for name in ("right", "f1"):
                mean, half = interval([getattr(t, name)[1, number] - getattr(t, name)[0, number] for t in trials])
                row.append(f"{mean:+.2f} ± {half:.2f}")
        rows.append(row)
    return rows


def named_among_all(encoder: Encoder, prompts: PromptSet, vectors: np.ndarray, truth: np.ndarray) -> float:
    """Share of crops of catalogued groups that are named rightly where the unseen groups are asked too."""
    together = PromptSet(targets=(*(resolve(name) for name in GROUP_NAMES), *prompts.targets))
    return float((score(vectors, embed_prompts(encoder, together, force=True)).label_index == truth).mean())


def compare_towers(
    base: Encoder, given: PromptSet | None, seeds: int, tried: LabelledCrops, reminders: int
) -> list[list[str]]:
    """One row a method at the most crops: top-1 of the unseen groups, and what other prompts lose."""
    prompts = prompts_for([group.name for group in UNSEEN], given)
    truth, others = np.repeat(np.arange(len(UNSEEN)), TRIED), np.repeat(np.arange(len(GROUP_NAMES)), OTHERS)
    crops = [
        render_crop(split_rng("held-out", TRIED_SEED, 100_000 + number * OTHERS + i), name).pixels
        for number, name in enumerate(GROUP_NAMES)
        for i in range(OTHERS)
    ]
    recipe = replace(RECIPES["lora"], reminders=reminders)
    right: dict[str, list[float]] = {"words": [], "picked by itself": [], "lora": []}
    kept: dict[str, list[float]] = {name: [] for name in right}
    for seed in range(seeds):
        samples = draw(LEARNT_SEED + seed, max(SHOTS))
        with tempfile.TemporaryDirectory() as place:
            adapt(samples, base, Path(place) / "head", prompts=given, seed=seed)
            made = adapt_towers(
                samples, prompts.texts(), "builtin", Path(place) / "lora", method="lora", recipe=recipe, seed=seed
            )
            tried_with = base, load_adapted(str(Path(place) / "head"), base), get_encoder(str(made.folder))
            for name, encoder in zip(right, tried_with, strict=True):
                right[name].append(figures(encoder, prompts, encoder.encode_images(tried.crops), truth)[0].mean())
                kept[name].append(named_among_all(encoder, prompts, encoder.encode_images(crops), others))
    return [
        [
            name,
            "{:.3f} ± {:.3f}".format(*interval(right[name])),
            "{:+.3f} ± {:.3f}".format(*interval(np.subtract(right[name], right["picked by itself"]))),
            "{:+.1f} ± {:.1f}".format(*(100 * x for x in interval(np.subtract(kept["words"], kept[name])))),
        ]
        for name in right
    ]


def try_known(base: Encoder, trials: int) -> list[str]:
    """Top-1 by words, its change by one crop a class, and how often words were kept: random groups of the training."""
    right, kept = [], 0
    for trial in range(trials):
        names = np.random.default_rng(trial).choice(GROUP_NAMES, len(UNSEEN), replace=False).tolist()
        labels = tuple(sorted(names))
        learnt, tried = (
            [
                render_crop(split_rng("held-out", seed, 1000 * trial + 100 * number + i), label).pixels
                for number, label in enumerate(labels)
                for i in range(count)
            ]
            for seed, count in ((KNOWN_LEARNT_SEED, 1), (KNOWN_TRIED_SEED, KNOWN_TRIED))
        )
        samples = LabelledCrops(tuple(learnt), labels, labels, labels)
        prompts, vectors = prompts_for(labels), base.encode_images(tried)
        truth = np.repeat(np.arange(len(labels)), KNOWN_TRIED)
        with tempfile.TemporaryDirectory() as place:
            kept += adapt(samples, base, Path(place) / "farm", seed=trial).climbed.head is None
            encoders = base, load_adapted(str(Path(place) / "farm"), base)
            right.append([figures(encoder, prompts, vectors, truth)[0].mean() for encoder in encoders])
    words, adapted = np.array(right).T
    return [f"{words.mean():.3f}", "{:+.4f} ± {:.4f}".format(*interval(adapted - words)), f"{kept} of {trials}"]


def main(
    seeds: Annotated[int, typer.Option(help="Draws of the training crops, 2 or more; 0 for none.")] = 5,
    towers: Annotated[int, typer.Option(help="Draws on which LoRA is compared; 2 or more, 0 for none.")] = 0,
    known: Annotated[int, typer.Option(help="Trials with groups of the training; 2 or more, 0 for none.")] = 0,
    reminders: Annotated[int, typer.Option(min=0, help="LoRA's crops of other groups a step.")] = TowerRecipe.reminders,
) -> None:
    """Print top-1 by words and adapted, what other prompts lose, and how often shuffled labels keep the words."""
    if min(seeds, towers, known) < 0 or 1 in (seeds, towers, known):
        raise typer.BadParameter("an interval needs 2 draws or more; 0 leaves that part out")
    warnings.simplefilter("ignore")
    console = Console(width=160)
    base, tried = Remembering(get_encoder()), draw(TRIED_SEED, TRIED)
    if known:
        title = f"One crop each of {len(UNSEEN)} groups of the training"
        console.print(make_table(["words", "change", "words kept"], [try_known(base, known)], title=title))
    for title, given in (("words: the groups' names", None), ("words: descriptions", described())):
        if towers:
            columns = ["method", "top-1", "against what is picked", "other prompts lose, points"]
            rows = compare_towers(base, given, towers, tried, reminders)
            console.print(make_table(columns, rows, title=f"{max(SHOTS)} crops of each of six unseen groups; {title}"))
        if not seeds:
            continue
        found = run(base, given, seeds, tried)
        columns = ["crops", "words", "adapted", "change", "other prompts lose", "shuffled: words kept", "methods"]
        console.print(make_table(columns, summary(found), title=f"Top-1 of six unseen groups; {title}"))
        columns = ["group", "words", *(f"{what}, {n}" for n in SHOTS for what in ("top-1", "F1"))]
        console.print(make_table(columns, by_class(found), title=f"Change by group; {title}"))


if __name__ == "__main__":
    typer.run(main)
