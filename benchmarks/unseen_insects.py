"""Insects that the renderer does not know, drawn with its brushes: for what the embedded encoder never met.

All 45 groups of `fine_tune.synthetic` were in the embedded encoder's training, with every colour and pose. So groups
for trials with few examples are drawn here and nowhere else: body plans that no drawing of the renderer has. Six are
measured on (`UNSEEN`); the others (`REHEARSAL`) are for choosing settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from fine_tune.synthetic.anatomy import (
    NET_VEINS,
    Look,
    Pose,
    antennae,
    bands,
    bent,
    clear_wings,
    darker,
    edge,
    eyes,
    legs,
    mottle,
    pick,
    region,
    rings,
    seam,
    spots,
    tail,
    tone,
)
from fine_tune.synthetic.insects import DRAWERS
from fine_tune.synthetic.sketch import Paint, Sketch, profile


@dataclass(frozen=True)
class Described:
    """The words for a group: its name, and what a grower who has never seen it in training would write."""

    name: str
    looks: tuple[str, ...]


UNSEEN = (
    Described("longhorn beetle", ("a long beetle with antennae longer than its body", "a narrow beetle, long feelers")),
    Described("cockroach", ("a flat brown oval insect with long antennae", "a flat insect with spiny legs")),
    Described(
        "silverfish", ("a silvery wingless insect tapering to three long bristles", "a grey carrot-shaped insect")
    ),
    Described("mole cricket", ("a brown cylindrical insect with broad digging front legs", "a stout velvety insect")),
    Described(
        "tortoise beetle", ("a round flat green beetle with a clear rim", "a beetle hidden under a round shield")
    ),
    Described("leaf-footed bug", ("a brown bug with leaf-like plates on its hind legs", "a large narrow brown bug")),
)
REHEARSAL = (
    Described("damselfly", ("a very long thin blue insect with four clear wings", "a needle-like blue body")),
    Described("treehopper", ("a green humped insect like a thorn", "a thorn-shaped hopper")),
    Described("harvestman", ("a small round body on eight very long thin legs", "a spider with threadlike legs")),
    Described("stick insect", ("a very long thin twig-like brown insect", "a green stick with thin legs")),
    Described("mantis", ("a long green insect with folded grasping front legs", "a slender insect, triangular head")),
    Described("firebrat", ("a mottled wingless insect with long antennae and bristles", "a banded bristle-tail")),
)


def longhorn_beetle(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Cerambycidae: long parallel wing cases, antennae longer than the body."""
    name = pick(rng, "black,dark brown,grey,reddish brown")
    colour = tone(rng, name)
    white = tone(rng, pick(rng, "white,cream,pale yellow"))
    count = legs(sketch, rng, pose, darker(colour, 0.8), (0.26, 0.08, -0.08), 0.2, 0.5, 0.035, 1.15)
    marks = (
        spots([(u, t, 0.05) for u in (0.15, 0.38, 0.62, 0.85) for t in (-0.5, 0.5)], white, 3),
        bands(3, white, 0.25),
        mottle(rng, darker(colour, 0.5), 0.4),
    )[int(rng.integers(3))]
    broad = rng.uniform(0.24, 0.3)
    paint = Paint(colour, (marks, seam(darker(colour, 0.5), 0.03)), relief=0.5, gloss=0.25)
    sketch.body((-0.14, 0), 0.68, broad, paint, profile(0.6, 0.9, 1, 1, blunt=4))
    sketch.body((0.28, 0), 0.18, broad * 0.72, Paint(darker(colour, 0.8)), profile(0.8, 1.1, 0.8, blunt=3))
    sketch.body((0.41, 0), 0.12, broad * 0.55, Paint(darker(colour, 0.7)))
    for side in (1, -1):
        swing = side * np.deg2rad(rng.uniform(20, 50))
        angles = swing + side * np.linspace(0, rng.uniform(1.4, 2.4), 9)
        joints = bent((0.45, side * 0.05), angles, np.full(9, rng.uniform(0.13, 0.17)))
        sketch.line(joints, 0.026, darker(colour, 0.7))
        sketch.lines([joints[i : i + 1].repeat(2, 0) for i in range(1, 9)], 0.04, white)
    return Look([name], "spotted", ["long", "narrow"], "hard wing cases", 4, count, "long", "very long")


def cockroach(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Blattodea: flat oval, a broad shield over the head, spiny legs spread flat, two short tails."""
    name = pick(rng, "reddish brown,brown,tan,dark brown")
    colour = tone(rng, name)
    limb = darker(colour, 0.75)
    count = legs(sketch, rng, pose, limb, (0.2, 0.05, -0.12), 0.3, 0.55, 0.045, 1.35, fan=(40, 150))
    broad = rng.uniform(0.4, 0.48)
    for side in (1, -1):
        sketch.line(bent((-0.45, side * 0.08), [np.pi - side * 0.4] * 2, [0.07, 0.06]), 0.03, limb)
    sketch.body((-0.14, 0), 0.72, broad, Paint(darker(colour, 0.7), (rings(8, 0.5),)), profile(0.5, 1, 1, blunt=2.6))
    cover = Paint(colour, (seam(darker(colour, 0.5), 0.02),), relief=0.25, gloss=0.4, alpha=0.92)
    half = profile(0.7, 1, 0.95, 0.7, blunt=2.6)
    for side in (1, -1):
        sketch.wing((0.24, side * 0.08), 0.74, broad * 0.55, float(np.pi - side * 0.06), cover, half, half * 0.9)
    pale = tone(rng, pick(rng, "tan,cream,reddish brown"))
    dark = spots([(0.5, 0.35, 0.14), (0.5, -0.35, 0.14)], darker(colour, 0.35), 1.2)
    sketch.body(
        (0.32, 0), 0.26, broad * 0.92, Paint(pale, (dark, edge(pale, 0.8)), gloss=0.3), profile(1, 1, 0.8, blunt=2)
    )
    antennae(sketch, rng, (0.45, 0), rng.uniform(0.7, 1.0), 0.014, limb, "thread", 35)
    return Look([name], "plain", ["flat", "oval"], "leathery", 4, count, "long", "very long", ["spiny legs"])


def silverfish(sketch: Sketch, rng: np.random.Generator, pose: Pose, marked: bool = False) -> Look:
    """Zygentoma: wingless, tapering from the chest, scales, three long bristles behind, two antennae before."""
    name = pick(rng, "tan,brown,grey") if marked else pick(rng, "pale grey,grey,white,grey")
    colour = tone(rng, name)
    count = legs(sketch, rng, pose, darker(colour, 0.8), (0.3, 0.22, 0.14), 0.16, 0.22, 0.026, 1.1)
    limb = darker(colour, 0.65)
    for turn in (-0.55, 0.0, 0.55):
        sway = np.pi + turn + rng.normal(0, 0.08)
        sketch.line(bent((-0.42, 0), sway + np.linspace(0, turn * 0.4, 5), np.full(5, 0.1)), 0.014, limb)
    broad = rng.uniform(0.24, 0.3)
    marks = (rings(11, 0.5), mottle(rng, tone(rng, "dark brown"), 0.8)) if marked else (rings(11, 0.35),)
    taper = profile(0.15, 0.5, 0.75, 0.95, 1, 0.95, blunt=3)
    bend = rng.normal(0, 0.12)
    tail(sketch, 0.42, 0.88, broad, Paint(colour, marks, relief=0.4, gloss=0.55), float(bend), taper)
    sketch.body((0.42, 0), 0.13, broad * 0.6, Paint(darker(colour, 0.9), gloss=0.4))
    antennae(sketch, rng, (0.46, 0), rng.uniform(0.45, 0.7), 0.013, limb, "thread", 30)
    return Look([name], "mottled" if marked else "plain", ["tapering"], "none", 0, count, "short", "long")


def mole_cricket(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Gryllotalpidae: a cylinder with a large chest, broad digging fore legs, short wings, two tails."""
    name = pick(rng, "brown,dark brown,tan,reddish brown")
    colour = tone(rng, name)
    limb = darker(colour, 0.8)
    count = legs(sketch, rng, pose, limb, (0.12, -0.08), 0.2, 0.34, 0.045, 1.1, fan=(80, 140))
    for side in (1, -1):
        out = side * np.deg2rad(rng.normal(50, 12))
        joints = bent((0.3, side * 0.1), [out, out * 0.3], [0.14, 0.14])
        sketch.line(joints[:2], 0.085, limb)
        sketch.body(
            tuple(joints[2]), 0.2, 0.15, Paint(darker(colour, 0.65)), profile(0.7, 1, 0.9, blunt=5), float(out * 0.3)
        )
        sketch.line(bent((-0.46, side * 0.05), [np.pi - side * 0.35] * 3, [0.08] * 3), 0.016, limb)
    broad = rng.uniform(0.24, 0.3)
    tail(sketch, 0.1, 0.6, broad, Paint(colour, (rings(8, 0.5),)), rng.normal(0, 0.08), profile(0.6, 0.9, 1, blunt=3))
    wing = Paint(darker(colour, 0.75), relief=0.2, alpha=0.85)
    for side in (1, -1):
        sketch.wing(
            (0.1, side * 0.06),
            0.32,
            broad * 0.6,
            float(np.pi - side * 0.15),
            wing,
            profile(0.8, 1, 0.6),
            profile(0.5, 0.5),
        )
    sketch.body((0.22, 0), 0.3, broad * 1.1, Paint(darker(colour, 0.9), relief=0.6), profile(0.85, 1, 0.8, blunt=3))
    sketch.body((0.41, 0), 0.16, broad * 0.7, Paint(darker(colour, 0.7)))
    eyes(sketch, (0.44, 0), broad * 0.55, 0.05, (20, 18, 16), pose)
    antennae(sketch, rng, (0.47, 0), 0.25, 0.015, limb, "thread", 30)
    return Look([name], "plain", ["cylindrical"], "short", 4, count, "stout", "short", ["broad digging front legs"])


def tortoise_beetle(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Cassidinae: a flat round shield with a clear rim hides head and legs."""
    name = pick(rng, "light green,green,olive,yellow")
    colour = tone(rng, name)
    count = legs(sketch, rng, pose, darker(colour, 0.8), (0.2, 0.0, -0.15), 0.5, 0.28, 0.03, 1.0)
    rim = Paint(tone(rng, pick(rng, "pale yellow,light green,cream")), relief=0.1, gloss=0.3, alpha=0.6, rim=0.3)
    round_ = profile(0.85, 1, 1, 0.9, blunt=2.1)
    broad = rng.uniform(0.74, 0.86)
    sketch.body((0, 0), 1.0, broad, rim, round_)
    dots = spots([(u, t, 0.05) for u in (0.25, 0.5, 0.7) for t in (-0.4, 0.4)], tone(rng, "dark green"), 1.6)
    marks = (seam(darker(colour, 0.6), 0.03), dots) if rng.random() < 0.5 else (seam(darker(colour, 0.6), 0.03),)
    sketch.body((-0.1, 0), 0.66, broad * 0.62, Paint(colour, marks, relief=0.7, gloss=0.4), round_)
    sketch.body((0.3, 0), 0.2, broad * 0.55, Paint(darker(colour, 0.9), gloss=0.3), profile(1, 0.9, 0.4, blunt=2.4))
    antennae(sketch, rng, (0.46, 0), 0.14, 0.015, darker(colour, 0.6), "clubbed", 35)
    return Look([name], "plain", ["round", "flat"], "hard wing cases", 4, count, "hidden", "short", ["clear rim"])


def leaf_footed_bug(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Coreidae: narrow brown bug, a pale line across the wings, leaf-like plates on the hind shins."""
    name = pick(rng, "brown,dark brown,reddish brown,dark grey")
    colour = tone(rng, name)
    limb = darker(colour, 0.8)
    count = legs(sketch, rng, pose, limb, (0.26, 0.14), 0.18, 0.5, 0.03, 1.0, fan=(45, 85))
    for side in (1, -1):
        out = side * np.deg2rad(rng.normal(128, 10))
        joints = bent((0.0, side * 0.1), [out, out + side * 0.45, out + side * 0.3], [0.32, 0.36, 0.14])
        sketch.line(joints[:2], 0.055, limb)
        middle = joints[1:3].mean(axis=0)
        plate = Paint(darker(colour, 0.7), relief=0.2)
        sketch.body(
            tuple(middle),
            0.32,
            rng.uniform(0.15, 0.22),
            plate,
            profile(0.3, 1, 0.9, 0.4, blunt=3),
            float(out + side * 0.45),
        )
        sketch.line(joints[2:], 0.02, limb)
    broad = rng.uniform(0.27, 0.33)
    white = tone(rng, pick(rng, "white,cream,pale yellow"))
    wings = Paint(colour, (region(0.55, 0.62, white), seam(darker(colour, 0.5), 0.03)), relief=0.4)
    sketch.body((-0.12, 0), 0.7, broad, wings, profile(0.6, 0.95, 1, 0.9, blunt=3))
    sketch.body((0.27, 0), 0.2, broad * 1.1, Paint(darker(colour, 0.85)), profile(1.1, 1, 0.5, blunt=5))
    sketch.body((0.41, 0), 0.15, broad * 0.4, Paint(darker(colour, 0.7)))
    antennae(sketch, rng, (0.47, 0), rng.uniform(0.4, 0.55), 0.02, limb, "thread", 35)
    return Look([name], "banded", ["narrow"], "half-hard", 4, count, "long", "long", ["leaf-like hind legs"])


def damselfly(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Zygoptera: needle-like abdomen, four equal clear wings, wide head."""
    name = pick(rng, "blue,metallic green,blue,red")
    colour = tone(rng, name)
    count = legs(sketch, rng, pose, (40, 34, 30), (0.36, 0.3, 0.25), 0.08, 0.18, 0.014, 1.1)
    tail(sketch, 0.25, 0.78, 0.05, Paint(colour, (bands(8, tone(rng, "black"), 0.4),), gloss=0.4), rng.normal(0, 0.06))
    clear_wings(sketch, rng, pose, (0.3, 0.03), 0.6, 0.14, NET_VEINS, 2, 8.0, alpha=0.35)
    sketch.body((0.32, 0), 0.17, 0.1, Paint(darker(colour, 0.8), gloss=0.4))
    eyes(sketch, (0.44, 0), 0.13, 0.07, darker(colour, 0.6), pose)
    return Look([name], "banded", ["very long", "thin"], "clear", 4, count, "short", "very short")


def treehopper(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Membracidae: a thorn-like shield over a wedge."""
    name = pick(rng, "green,light green,brown,dark brown")
    colour = tone(rng, name)
    count = legs(sketch, rng, pose, darker(colour, 0.8), (0.2, 0.1, 0.0), 0.2, 0.3, 0.03, 1.2)
    broad = rng.uniform(0.36, 0.46)
    sketch.body((-0.15, 0), 0.6, broad * 0.6, Paint(darker(colour, 0.8), alpha=0.7), profile(0.3, 0.8, 1, blunt=4))
    for side in (1, -1):
        horn = profile(1, 0.7, 0.35, 0.1, blunt=6)
        sketch.wing(
            (0.28, side * 0.1),
            rng.uniform(0.24, 0.36),
            0.14,
            float(side * np.deg2rad(rng.uniform(60, 85))),
            Paint(colour),
            horn,
            horn,
        )
    shield = Paint(colour, (seam(darker(colour, 0.5), 0.05),), relief=0.8)
    sketch.body((0.02, 0), 0.86, broad, shield, profile(0.05, 0.3, 0.75, 1, 0.85, blunt=4))
    return Look([name], "plain", ["thorn-shaped"], "clear", 4, count, "short", "very short")


def harvestman(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Opiliones: one oval body, eight very long thin legs."""
    name = pick(rng, "brown,tan,dark grey")
    colour = tone(rng, name)
    count = legs(
        sketch,
        rng,
        pose,
        darker(colour, 0.7),
        (0.12, 0.05, -0.03, -0.1),
        0.2,
        rng.uniform(1.3, 1.8),
        0.018,
        1.0,
        fan=(25, 155),
    )
    sketch.body((0, 0), 0.44, 0.32, Paint(colour, (mottle(rng, darker(colour, 0.5), 0.6), rings(5, 0.3))))
    return Look([name], "mottled", ["oval"], "none", 0, count, "very long", "none")


def stick_insect(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Phasmatodea: a stick with six thin legs far apart."""
    name = pick(rng, "brown,green,tan")
    colour = tone(rng, name)
    count = legs(sketch, rng, pose, darker(colour, 0.9), (0.36, 0.12, -0.05), 0.03, rng.uniform(0.4, 0.6), 0.014, 1.1)
    sketch.body(
        (0, 0), 1.0, rng.uniform(0.045, 0.065), Paint(colour, (rings(9, 0.5),)), profile(0.6, 0.9, 1, 0.9, blunt=5)
    )
    antennae(sketch, rng, (0.5, 0), 0.3, 0.008, darker(colour, 0.8), "thread", 15)
    return Look([name], "plain", ["very long", "thin"], "none", 0, count, "long", "long")


def mantis(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Mantodea: long neck, folded grasping fore legs, triangular head."""
    name = pick(rng, "green,light green,brown,tan")
    colour = tone(rng, name)
    count = legs(sketch, rng, pose, darker(colour, 0.9), (0.02, -0.08), 0.1, 0.5, 0.018, 1.15, fan=(70, 130))
    for side in (1, -1):
        out = side * np.deg2rad(rng.normal(45, 12))
        joints = bent((0.33, side * 0.03), [out, out - side * 2.4], [0.24, 0.2])
        sketch.line(joints[:2], 0.05, colour)
        sketch.line(joints[1:], 0.03, darker(colour, 0.8))
    sketch.body(
        (-0.2, 0),
        0.6,
        0.17,
        Paint(colour, (seam(darker(colour, 0.6), 0.04),), relief=0.3),
        profile(0.4, 0.9, 1, blunt=3),
    )
    sketch.body((0.2, 0), 0.36, 0.07, Paint(darker(colour, 0.9)), profile(0.8, 0.8, 1.2, blunt=4))
    sketch.body((0.42, 0), 0.09, 0.16, Paint(colour), profile(1, 0.8, 0.3, blunt=3))
    eyes(sketch, (0.4, 0), 0.14, 0.05, darker(colour, 0.5), pose)
    antennae(sketch, rng, (0.45, 0), 0.22, 0.008, darker(colour, 0.7), "thread", 25)
    return Look([name], "plain", ["long", "slender"], "leathery", 4, count, "long", "short")


def firebrat(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Lepismatidae of warm rooms: as the silverfish, mottled."""
    return silverfish(sketch, rng, pose, marked=True)


_DRAWN = (longhorn_beetle, cockroach, silverfish, mole_cricket, tortoise_beetle, leaf_footed_bug)
_REHEARSED = (damselfly, treehopper, harvestman, stick_insect, mantis, firebrat)


@contextmanager
def drawn_too() -> Iterator[None]:
    """Let the renderer draw these groups by their names, within the block."""
    groups = zip((*UNSEEN, *REHEARSAL), (*_DRAWN, *_REHEARSED), strict=True)
    added = {group.name: drawer for group, drawer in groups}
    DRAWERS.update(added)
    try:
        yield
    finally:
        for name in added:
            del DRAWERS[name]
