"""Two-winged flies: by a table the thin ones with long legs; leafminers, fruit flies, house flies, hoverflies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fine_tune.synthetic.anatomy import (
    FLY_VEINS,
    NET_VEINS,
    Y_VEINS,
    Look,
    Pose,
    abdomen_angle,
    antennae,
    bands,
    clear_wings,
    darker,
    edge,
    eyes,
    hairs,
    legs,
    mix,
    mottle,
    pick,
    region,
    rings,
    stripes,
    tail,
    tone,
)
from fine_tune.synthetic.sketch import Paint, Sketch, profile


@dataclass(frozen=True, slots=True)
class _Gnat:
    """How a thin long-legged fly is built, in body lengths, and the words for it."""

    colours: str
    reach: tuple[float, float]
    leg_width: float
    slim: tuple[float, float]
    antenna: tuple[str, float, float, str]
    wing: tuple[float, float, float]
    tints: str
    alpha: tuple[float, float]
    leg_words: str
    shapes: tuple[str, ...]
    features: tuple[str, ...]
    veins: tuple[tuple[tuple[float, float], ...], ...] = FLY_VEINS
    vein_width: float = 0.012
    folded: float = 12.0
    beak: float = 0.0
    humped: float = 0.07
    rings: float = 0.5


_GNATS: dict[str, _Gnat] = {
    "fungus gnat": _Gnat(
        "black,black,dark grey,dark brown,dark brown,brown", (0.75, 1.0), 0.026, (0.11, 0.18),
        ("beaded", 0.42, 0.02, "long beaded"), (0.78, 0.92, 0.3), "grey,dark grey,brown", (0.38, 0.7), "long",
        ("slender", "humped"), ("a Y-shaped wing vein",), Y_VEINS, 0.016, 16),
    "mosquito": _Gnat(
        "brown,dark brown,grey,black,dark grey,tan", (1.1, 1.5), 0.026, (0.08, 0.13),
        ("feathery", 0.24, 0.012, "feathery"), (0.66, 0.78, 0.15), "grey,brown,tan", (0.3, 0.6), "very long",
        ("slender",), ("a long proboscis", "thread-like legs"), folded=7, beak=0.34, humped=0.05),
    "crane fly": _Gnat(
        "brown,tan,grey,dark brown,tan", (1.1, 1.45), 0.03, (0.08, 0.12),
        ("thread", 0.24, 0.014, "short"), (0.95, 1.1, 0.2), "brown,tan,grey", (0.4, 0.65), "very long",
        ("long", "slender"), ("thread-like legs", "a long thin body"), NET_VEINS[:5], 0.01, 22, 0.08, 0.06, 0.3),
    "midge": _Gnat(
        "orange,red,light green,brown,dark grey,pale yellow,orange", (0.7, 0.95), 0.022, (0.12, 0.18),
        ("feathery", 0.34, 0.016, "feathery"), (0.66, 0.8, 0.22), "pale grey,white,grey", (0.25, 0.5), "long",
        ("slender", "delicate"), ("feathery antennae",), FLY_VEINS[:2], 0.01, 14, 0.0, 0.06, 0.3),
}  # fmt: skip


def _gnat(build: _Gnat) -> Callable[[Sketch, np.random.Generator, Pose], Look]:
    """Return the drawer of a thin long-legged fly."""

    def draw(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
        name = pick(rng, build.colours)
        colour, pale = tone(rng, name), tone(rng, "white")
        dark = mix(colour, (40, 34, 30), 0.5 if name in ("orange", "red", "light green", "pale yellow") else 0.1)
        tiger = bool(build.beak > 0.2) and name == "black" and rng.random() < 0.7
        limb, hoops = mix(dark, (120, 90, 60), 0.2), mix(colour, pale, 0.6) if tiger else None
        hips, reach = (0.29, 0.21, 0.13), rng.uniform(*build.reach)
        count = legs(sketch, rng, pose, limb, hips, 0.1, reach, build.leg_width, 1.15, banded=hoops)
        angle = abdomen_angle(rng, pose, 0.2)
        marks = (bands(7, mix(colour, pale, 0.6), 0.3),) if build.beak > 0.2 else (rings(7, build.rings),)
        slim = rng.uniform(*build.slim)
        tail(sketch, 0.17, 0.67, slim, Paint(colour, marks), angle, profile(0.4, 0.8, 1, 1, 0.9, blunt=3.5))
        lift = build.humped if pose.side else 0.0
        hump = Paint(dark, (stripes(1, pale, 0.3),) if tiger else (), gloss=0.2)
        sketch.body((0.24, lift), 0.24, 0.18 + lift, hump)
        sketch.body((0.39, -lift * 0.6), 0.11, 0.11, Paint(darker(dark, 0.75)))
        if build.beak:
            beak = [(0.42, -lift * 0.6), (0.42 + build.beak * 0.4, -0.02), (0.42 + build.beak, -0.06)]
            sketch.line(beak, 0.022, darker(dark, 0.7))
        kind, length, width, words = build.antenna
        antennae(sketch, rng, (0.43, -lift * 0.6), length * rng.uniform(0.8, 1.15), width, darker(dark, 0.8), kind, 34)
        low, high, broad = build.wing
        tint, cover = tone(rng, pick(rng, build.tints), 0.2), rng.uniform(*build.alpha)
        span, folded = rng.uniform(low, high), build.folded
        clear_wings(
            sketch, rng, pose, (0.25, 0.06), span, broad, build.veins, 1, folded, tint, cover, darker(dark, 0.9),
            build.vein_width,
        )  # fmt: skip
        pattern = "banded" if tiger else "plain"
        shapes, features = list(build.shapes), list(build.features)
        return Look([name], pattern, shapes, "clear", 2, count, build.leg_words, words, features)

    return draw


def leafminer_fly(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Liriomyza: compact, shining black above with a yellow spot between the wings, yellow head and sides."""
    yellow, black = tone(rng, pick(rng, "yellow,yellow,pale yellow")), tone(rng, pick(rng, "black,black,dark grey"))
    count = legs(sketch, rng, pose, mix(yellow, black, rng.uniform(0.2, 0.7)), (0.25, 0.12, 0.0), 0.2, 0.42, 0.035)
    angle = abdomen_angle(rng, pose, 0.1)
    tail(sketch, 0.03, 0.52, 0.36, Paint(black, (bands(5, yellow, 0.1, 0.2, 0.5), edge(yellow, 0.84))), angle)
    sketch.body(
        (0.17, 0), 0.4, 0.36, Paint(black, (edge(yellow, 0.78), region(0.0, 0.22, yellow, t_max=0.75)), gloss=0.3)
    )
    sketch.body((0.41, 0), 0.16, 0.34, Paint(yellow, (region(0, 0.25, black),)))
    eyes(sketch, (0.42, 0), 0.26, 0.15, tone(rng, pick(rng, "reddish brown,dark brown,black")), pose, 0.1)
    antennae(sketch, rng, (0.48, 0), 0.06, 0.03, yellow, "thread", 20)
    clear_wings(sketch, rng, pose, (0.17, 0.12), rng.uniform(0.8, 0.92), 0.36, folded=14, alpha=rng.uniform(0.25, 0.5))
    return Look(
        ["black", "yellow"],
        "spotted",
        ["compact", "small"],
        "clear",
        2,
        count,
        "medium",
        "very short",
        ["a yellow spot on the back", "a yellow head"],
    )


def fruit_fly(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Drosophila: tan body, bright red eyes, dark bands across the abdomen."""
    name = pick(rng, "tan,tan,orange,brown,pale yellow,brown")
    colour = tone(rng, name)
    dark = tone(rng, pick(rng, "dark brown,black,brown"))
    count = legs(sketch, rng, pose, darker(colour, 0.85), (0.25, 0.14, 0.04), 0.18, 0.42, 0.032)
    angle = abdomen_angle(rng, pose, 0.25)
    male = rng.random() < 0.4
    marks = (bands(5, dark, 0.36, 0.1), *((region(0, 0.4, dark),) if male else ()))
    tail(sketch, 0.05, 0.55, 0.36, Paint(colour, marks), angle, profile(0.3, 0.85, 1, 0.95, 0.7, blunt=2.3))
    sketch.body((0.17, 0), 0.32, 0.32, Paint(colour, gloss=0.2))
    sketch.body((0.37, 0), 0.18, 0.28, Paint(mix(colour, (240, 220, 160), 0.2)))
    red = tone(rng, "red")
    eyes(sketch, (0.38, 0), 0.27, 0.2, red, pose, 0.15)
    antennae(sketch, rng, (0.46, 0), 0.08, 0.02, darker(colour), "thread", 30)
    clear_wings(sketch, rng, pose, (0.17, 0.1), rng.uniform(0.85, 1.0), 0.36, folded=15, alpha=rng.uniform(0.22, 0.45))
    features = ["red eyes", "bright red eyes"]
    if rng.random() < 0.2 and not pose.crumpled:
        features.append("a dark spot on each wing tip")
        spread = np.deg2rad(165)
        if pose.wings == "folded" and not pose.side:
            for side in (1, -1):
                tip = (0.17 + 0.62 * np.cos(spread), side * (0.1 + 0.62 * np.sin(spread)))
                sketch.body(tip, 0.14, 0.1, Paint(dark, alpha=0.7))
    return Look([name], "banded", ["stout", "small"], "clear", 2, count, "medium", "very short", features)


def house_fly(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Musca and its like: stout, bristly, grey-black with four stripes on the thorax, or metallic."""
    name = pick(rng, "dark grey,black,black,grey,dark grey,metallic blue,metallic green,dark brown")
    colour = tone(rng, name)
    metal = "metallic" in name
    count = legs(sketch, rng, pose, (28, 26, 26), (0.26, 0.12, -0.02), 0.24, rng.uniform(0.48, 0.62), 0.045)
    angle = abdomen_angle(rng, pose, 0.12)
    back = colour if metal or rng.random() < 0.6 else tone(rng, pick(rng, "brown,grey,dark brown"))
    marks = () if metal else (mottle(rng, darker(back, 0.45), 0.6),)
    tail(
        sketch,
        0.05,
        0.54,
        0.42,
        Paint(back, marks, gloss=0.4 if metal else 0.15),
        angle,
        profile(0.4, 0.9, 1, 0.95, 0.8, blunt=2.3),
    )
    stripe = () if metal or name == "black" else (stripes(4, darker(colour, 0.4), 0.42),)
    sketch.body((0.18, 0), 0.4, 0.38, Paint(colour, stripe, gloss=0.45 if metal else 0.12))
    hairs(sketch, rng, (0.15, 0), 0.42, 0.4, (24, 22, 22), 26, 0.07, 0.008)
    sketch.body((0.41, 0), 0.17, 0.34, Paint(darker(colour, 0.8)))
    eyes(sketch, (0.42, 0), 0.26, 0.2, tone(rng, pick(rng, "reddish brown,red,dark brown,reddish brown")), pose, 0.16)
    antennae(sketch, rng, (0.5, 0), 0.05, 0.02, (25, 22, 20), "thread", 20)
    clear_wings(sketch, rng, pose, (0.2, 0.14), rng.uniform(0.8, 0.95), 0.36, folded=22)
    return Look(
        [name],
        "striped" if stripe else "plain",
        ["stout", "bristly"],
        "clear",
        2,
        count,
        "medium",
        "very short",
        ["big red-brown eyes"],
    )


def hoverfly(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Syrphidae: banded like a wasp, but no waist, two wings, short antennae, very large eyes."""
    name = pick(rng, "yellow,orange,yellow,pale yellow")
    bright, black = tone(rng, name), tone(rng, pick(rng, "black,black,dark brown"))
    count = legs(sketch, rng, pose, mix(bright, black, rng.uniform(0.2, 0.8)), (0.26, 0.14, 0.02), 0.2, 0.4, 0.028)
    angle = abdomen_angle(rng, pose)
    number = float(rng.integers(3, 6))
    slim = rng.uniform(0.2, 0.3)
    tail(
        sketch,
        0.08,
        0.6,
        slim,
        Paint(black, (bands(number, bright, rng.uniform(0.4, 0.6)),), relief=0.35),
        angle,
        profile(0.5, 0.85, 1, 0.95, 0.75, blunt=3),
    )
    chest = tone(rng, pick(rng, "metallic green,dark brown,dark grey,olive"))
    sketch.body((0.2, 0), 0.3, 0.26, Paint(chest, (region(0, 0.18, bright),), gloss=0.3))
    sketch.body((0.4, 0), 0.17, 0.28, Paint(tone(rng, "yellow")))
    eyes(sketch, (0.41, 0), 0.2, 0.2, tone(rng, pick(rng, "reddish brown,dark brown,red")), pose, 0.17)
    antennae(sketch, rng, (0.48, 0), 0.06, 0.025, black, "thread", 20)
    wings = Pose(pose.side, "open" if pose.wings == "half" else pose.wings, pose.crumpled)
    clear_wings(sketch, rng, wings, (0.2, 0.1), rng.uniform(0.74, 0.86), 0.24, folded=18, alpha=rng.uniform(0.25, 0.5))
    return Look(
        ["black", name], "banded", ["slender", "smooth"], "clear", 2, count, "medium", "very short", ["very large eyes"]
    )


DRAWERS = {
    "leafminer fly": leafminer_fly,
    "fruit fly": fruit_fly,
    "house fly": house_fly,
    "hoverfly": hoverfly,
    **{name: _gnat(build) for name, build in _GNATS.items()},
}
