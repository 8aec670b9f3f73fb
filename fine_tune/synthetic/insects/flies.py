"""Two-winged flies: gnats, leafminers, fruit flies, house flies, hoverflies, mosquitoes."""

from __future__ import annotations

import numpy as np

from fine_tune.synthetic.anatomy import (
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


def fungus_gnat(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Sciaridae: small head, humped thorax, slender abdomen, long legs, beaded antennae, grey wings with a Y vein."""
    name = pick(rng, "black,black,dark grey,dark brown,dark brown,brown")
    colour = tone(rng, name)
    count = legs(
        sketch, rng, pose, mix(colour, (120, 90, 60), 0.25), (0.3, 0.22, 0.14), 0.1, rng.uniform(0.75, 1.0), 0.026
    )
    angle = abdomen_angle(rng, pose, 0.15)
    slim = rng.uniform(0.11, 0.18)
    tail(sketch, 0.18, 0.68, slim, Paint(colour, (rings(7, 0.5),)), angle, profile(0.3, 0.7, 1, 1, 0.9, blunt=3))
    lift = 0.07 if pose.side else 0.0
    sketch.body((0.25, lift), 0.26, 0.2 + lift, Paint(darker(colour, 0.9), gloss=0.2))
    sketch.body((0.41, -lift * 0.6), 0.11, 0.11, Paint(darker(colour, 0.7)))
    antennae(sketch, rng, (0.44, -lift * 0.6), rng.uniform(0.34, 0.5), 0.02, darker(colour, 0.8), "beaded", 35)
    clear_wings(
        sketch,
        rng,
        pose,
        (0.25, 0.06),
        rng.uniform(0.78, 0.92),
        0.3,
        Y_VEINS,
        1,
        16,
        tone(rng, pick(rng, "grey,dark grey,brown"), 0.2),
        rng.uniform(0.38, 0.7),
        (44, 38, 34),
        0.016,
    )
    return Look(
        [name], "plain", ["slender", "humped"], "clear", 2, count, "long", "long beaded", ["a Y-shaped wing vein"]
    )


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


def mosquito(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Culicidae: thread-thin legs longer than the body, a proboscis, feathery antennae, narrow wings."""
    name = pick(rng, "brown,dark brown,grey,black,dark grey,tan")
    colour = tone(rng, name)
    pale = tone(rng, "white")
    tiger = name == "black" and rng.random() < 0.7
    count = legs(
        sketch,
        rng,
        pose,
        colour,
        (0.28, 0.2, 0.12),
        0.08,
        rng.uniform(1.15, 1.6),
        0.02,
        1.15,
        banded=mix(colour, pale, 0.6) if tiger else None,
    )
    angle = abdomen_angle(rng, pose, 0.25)
    tail(
        sketch,
        0.15,
        0.6,
        rng.uniform(0.08, 0.13),
        Paint(colour, (bands(7, mix(colour, pale, 0.6), 0.3),)),
        angle,
        profile(0.6, 1, 1, 0.9, 0.8, blunt=5),
    )
    lift = 0.05 if pose.side else 0.0
    sketch.body((0.22, lift), 0.2, 0.16 + lift, Paint(colour, (stripes(1, pale, 0.3),) if tiger else ()))
    sketch.body((0.35, 0), 0.1, 0.1, Paint(darker(colour, 0.7)))
    sketch.line([(0.38, 0), (0.52, -0.02), (0.72, -0.08)], 0.022, darker(colour, 0.7))
    antennae(sketch, rng, (0.38, 0), 0.24, 0.012, darker(colour, 0.8), "feathery", 32)
    clear_wings(sketch, rng, pose, (0.23, 0.05), rng.uniform(0.66, 0.78), 0.15, folded=7, vein_width=0.012)
    return Look(
        [name],
        "banded" if tiger else "plain",
        ["slender"],
        "clear",
        2,
        count,
        "very long",
        "feathery",
        ["a long proboscis", "thread-like legs"],
    )


DRAWERS = {
    "fungus gnat": fungus_gnat,
    "leafminer fly": leafminer_fly,
    "fruit fly": fruit_fly,
    "house fly": house_fly,
    "hoverfly": hoverfly,
    "mosquito": mosquito,
}
