"""Insects with four clear wings, and ants: lacewings, parasitoids, wasps, sawflies, bees."""

from __future__ import annotations

import numpy as np

from fine_tune.synthetic.anatomy import (
    NET_VEINS,
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
    pick,
    region,
    rings,
    tail,
    tone,
)
from fine_tune.synthetic.sketch import Paint, Sketch, profile

GASTER = profile(0.15, 0.75, 1.0, 0.9, 0.35, blunt=2.5)


def _ovipositor(angle: float, reach: float) -> list[tuple[float, float]]:
    """Return the line of an ovipositor behind an abdomen turned by `angle`."""
    return [(-0.3 * np.cos(angle), -0.3 * np.sin(angle)), (-reach * np.cos(angle), -reach * np.sin(angle * 1.3))]


def lacewing(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Chrysopidae and Hemerobiidae: thin green or brown body under four large net-veined clear wings."""
    name = pick(rng, "light green,green,light green,tan,pale yellow,brown")
    colour = tone(rng, name)
    count = legs(sketch, rng, pose, colour, (0.28, 0.2, 0.1), 0.1, 0.42, 0.02)
    angle = abdomen_angle(rng, pose)
    tail(sketch, 0.15, 0.62, 0.1, Paint(colour, (rings(7, 0.3),)), angle, profile(0.6, 1, 1, 0.9, blunt=4))
    sketch.body((0.24, 0), 0.24, 0.15, Paint(colour))
    sketch.body((0.4, 0), 0.1, 0.14, Paint(colour))
    eyes(sketch, (0.41, 0), 0.14, 0.07, tone(rng, pick(rng, "orange,reddish brown,yellow,black")), pose)
    antennae(sketch, rng, (0.45, 0), rng.uniform(0.7, 1.0), 0.02, darker(colour, 0.8), "thread", 20)
    clear_wings(
        sketch,
        rng,
        pose,
        (0.24, 0.06),
        rng.uniform(1.0, 1.15),
        0.42,
        NET_VEINS,
        2,
        15,
        mix(colour, (230, 235, 225), 0.7),
        rng.uniform(0.25, 0.45),
        darker(colour, 0.7),
        0.011,
    )
    return Look(
        [name],
        "plain",
        ["slender", "delicate"],
        "clear",
        4,
        count,
        "medium",
        "very long",
        ["large net-veined wings", "golden eyes"],
    )


def parasitoid_wasp(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Small parasitoids: narrow waist, elbowed or thread antennae, four clear wings with few veins."""
    name = pick(rng, "black,black,brown,yellow,metallic green,dark brown,orange,yellow")
    colour = tone(rng, name)
    two = rng.random() < 0.25 and name != "black"
    chest = tone(rng, "black") if two else colour
    limb = tone(rng, pick(rng, "tan,yellow,brown,black,orange"))
    count = legs(sketch, rng, pose, limb, (0.25, 0.17, 0.08), 0.12, rng.uniform(0.42, 0.62), 0.03)
    angle = abdomen_angle(rng, pose, 0.2)
    if rng.random() < 0.45:
        sting = _ovipositor(angle, rng.uniform(0.58, 1.0))
        sketch.line(sting, 0.016, (50, 34, 24))
    sketch.line([(0.1, 0), (-0.06, 0)], 0.035, chest)
    tail(
        sketch,
        -0.02,
        0.46,
        rng.uniform(0.16, 0.26),
        Paint(colour, (rings(5, 0.3),), gloss=0.3),
        angle,
        profile(0.1, 0.7, 1, 0.8, 0.25, blunt=2.5),
    )
    sketch.body((0.2, 0), 0.26, 0.21, Paint(chest, gloss=0.3))
    sketch.body((0.38, 0), 0.12, 0.2, Paint(darker(chest, 0.85)))
    eyes(sketch, (0.38, 0), 0.16, 0.09, tone(rng, pick(rng, "red,black,dark brown")), pose)
    elbowed = rng.random() < 0.55
    antennae(
        sketch,
        rng,
        (0.43, 0),
        0.3 if elbowed else 0.6,
        0.022,
        darker(limb, 0.7),
        "elbowed" if elbowed else "thread",
        28,
    )
    spare = (((0.0, 0.3), (0.4, 0.55), (0.62, 0.5)), ((0.55, 0.5), (0.62, 0.3)), ((0.1, 0), (0.4, -0.1)))
    clear_wings(
        sketch,
        rng,
        pose,
        (0.18, 0.07),
        rng.uniform(0.68, 0.82),
        0.27,
        spare,
        2,
        10,
        tone(rng, pick(rng, "pale grey,grey,tan")),
        rng.uniform(0.32, 0.58),
    )
    return Look(
        [name] if not two else ["black", name],
        "plain",
        ["slender", "narrow-waisted"],
        "clear",
        4,
        count,
        "medium",
        "elbowed" if elbowed else "long",
        ["a narrow waist"],
    )


def wasp(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Vespidae: smooth, yellow and black bands, wasp waist, four brownish wings, thick antennae."""
    name = pick(rng, "yellow,yellow,orange,yellow")
    bright, black = tone(rng, name), tone(rng, "black")
    count = legs(sketch, rng, pose, bright if rng.random() < 0.8 else black, (0.22, 0.14, 0.05), 0.14, 0.52, 0.034)
    angle = abdomen_angle(rng, pose, 0.2)
    sketch.line([(0.08, 0), (0.0, 0)], 0.045, black)
    tail(
        sketch,
        0.02,
        0.52,
        rng.uniform(0.24, 0.3),
        Paint(bright, (bands(5, black, rng.uniform(0.38, 0.58), 0.35),), gloss=0.3),
        angle,
        profile(0.05, 0.7, 1, 0.95, 0.4, blunt=2.4),
    )
    sketch.body((0.18, 0), 0.28, 0.22, Paint(black, (edge(bright, 0.85), region(0, 0.1, bright)), gloss=0.25))
    sketch.body((0.38, 0), 0.12, 0.23, Paint(bright, (region(0, 0.4, black),)))
    eyes(sketch, (0.37, 0), 0.19, 0.12, (36, 28, 24), pose, 0.07)
    antennae(sketch, rng, (0.43, 0), 0.3, 0.03, black, "thread", 38)
    clear_wings(
        sketch,
        rng,
        pose,
        (0.2, 0.08),
        rng.uniform(0.62, 0.74),
        0.17,
        pairs=2,
        folded=20,
        tint=tone(rng, pick(rng, "brown,tan,reddish brown")),
        alpha=rng.uniform(0.35, 0.6),
    )
    return Look(
        ["yellow" if name == "yellow" else name, "black"],
        "banded",
        ["narrow-waisted", "smooth"],
        "clear",
        4,
        count,
        "long",
        "thick",
        ["a narrow waist"],
    )


def sawfly(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Symphyta: like a wasp without a waist; broad flat abdomen, often orange under a black head, smoky wings."""
    name = pick(rng, "orange,black,yellow,light green,orange,reddish brown")
    colour, black = tone(rng, name), tone(rng, "black")
    count = legs(sketch, rng, pose, mix(colour, black, rng.choice([0.1, 0.7])), (0.24, 0.14, 0.04), 0.2, 0.44, 0.036)
    broad = rng.uniform(0.27, 0.33)
    banded = name in ("yellow", "light green") or rng.random() < 0.2
    back = Paint(colour, (bands(6, black, 0.4),) if banded else (rings(7, 0.35),), gloss=0.2)
    tail(sketch, 0.14, 0.64, broad, back, abdomen_angle(rng, pose, 0.1), profile(0.5, 0.85, 1, 1, 1, blunt=4))
    sketch.body((0.2, 0), 0.32, broad, Paint(black, (region(0.6, 1, colour),), gloss=0.25), profile(1, 1, 0.9, blunt=4))
    sketch.body((0.4, 0), 0.14, broad * 0.95, Paint(black, gloss=0.2))
    antennae(sketch, rng, (0.45, 0), 0.38, 0.032, black, "thread", 32)
    tint = tone(rng, pick(rng, "dark grey,grey,brown"))
    cover = rng.uniform(0.35, 0.65)
    clear_wings(sketch, rng, pose, (0.22, 0.1), rng.uniform(0.75, 0.88), 0.32, NET_VEINS[:8], 2, 18, tint, cover)
    names = [name] + ([] if name == "black" else ["black"])
    shapes, pattern = ["broad", "smooth"], "banded" if banded else "plain"
    return Look(names, pattern, shapes, "clear", 4, count, "medium", "medium", ["no waist", "a black head"])


def bee(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Honey bees and bumble bees: broad, hairy, brown or yellow bands, four wings, thick hind legs."""
    bumble = rng.random() < 0.4
    name = pick(rng, "yellow,orange,yellow") if bumble else pick(rng, "brown,tan,orange,dark brown")
    bright, black = tone(rng, name), tone(rng, "black" if bumble else pick(rng, "black,dark brown"))
    broad = rng.uniform(0.4, 0.48) if bumble else rng.uniform(0.3, 0.36)
    count = legs(sketch, rng, pose, darker(black, 1.1), (0.22, 0.12, 0.0), broad * 0.7, 0.42, 0.045, thigh=1.5)
    clear_wings(
        sketch,
        rng,
        pose,
        (0.16, 0.1),
        rng.uniform(0.58, 0.68),
        0.2,
        pairs=2,
        folded=24,
        tint=tone(rng, pick(rng, "grey,tan,brown")),
        alpha=rng.uniform(0.25, 0.45),
    )
    angle = abdomen_angle(rng, pose, 0.15)
    marks = (region(0, 0.22, tone(rng, "white")), region(0.45, 0.7, bright)) if bumble else (bands(5, bright, 0.5),)
    fuzz = mix(bright, black, 0.5)
    hairs(sketch, rng, (-0.2, 0), 0.55, broad, fuzz, 70, 0.06)
    tail(
        sketch,
        0.08,
        0.56,
        broad,
        Paint(black, marks, grain=0.2, gloss=0.05),
        angle,
        profile(0.35, 0.85, 1, 0.95, 0.7, blunt=2.3),
    )
    hairs(sketch, rng, (0.18, 0), 0.32, broad * 0.95, bright if not bumble else fuzz, 80, 0.07)
    chest = bright if bumble and rng.random() < 0.5 else mix(bright, black, 0.45)
    sketch.body((0.18, 0), 0.32, broad * 0.95, Paint(chest, (region(0.2, 0.6, black, 0.6),), grain=0.2, gloss=0.0))
    sketch.body((0.41, 0), 0.15, 0.24, Paint(darker(black, 1.2)))
    eyes(sketch, (0.4, 0), 0.2, 0.15, (30, 24, 20), pose, 0.08)
    antennae(sketch, rng, (0.47, 0), 0.22, 0.026, black, "elbowed", 36)
    return Look(["black", name], "banded", ["broad", "hairy"], "clear", 4, count, "medium", "elbowed", ["a furry body"])


def ant(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Formicidae: three separate parts with a node between, elbowed antennae, as a rule without wings."""
    name = pick(rng, "black,black,reddish brown,brown,dark brown,red,tan")
    colour = tone(rng, name)
    count = legs(sketch, rng, pose, darker(colour, 0.9), (0.16, 0.1, 0.04), 0.1, rng.uniform(0.5, 0.68), 0.026, 1.15)
    angle = abdomen_angle(rng, pose, 0.1)
    rear = darker(colour, rng.uniform(0.5, 1.0))
    sketch.line([(0.05, 0), (-0.16, 0)], 0.03, colour)
    tail(sketch, -0.1, 0.4, rng.uniform(0.22, 0.3), Paint(rear, (rings(4, 0.3),), gloss=0.4), angle, GASTER)
    sketch.body((-0.07, 0), 0.07, 0.09, Paint(colour))
    sketch.body((0.1, 0), 0.27, 0.13, Paint(colour, gloss=0.25), profile(0.5, 0.6, 0.8, 1, 0.8, blunt=2.5))
    sketch.body((0.34, 0), 0.2, 0.2, Paint(colour, gloss=0.3), profile(0.8, 1, 1, 0.8, blunt=2.5))
    sketch.line([(0.43, 0.05), (0.49, 0.01)], 0.025, darker(colour, 0.6))
    sketch.line([(0.43, -0.05), (0.49, -0.01)], 0.025, darker(colour, 0.6))
    eyes(sketch, (0.36, 0), 0.17, 0.045, (18, 16, 16), pose)
    antennae(sketch, rng, (0.42, 0), 0.42, 0.02, colour, "elbowed", 40)
    winged = rng.random() < 0.1
    if winged:
        clear_wings(sketch, rng, pose, (0.12, 0.05), 0.85, 0.22, pairs=2, folded=12)
    return Look(
        [name],
        "plain",
        ["three-part", "narrow-waisted"],
        "clear" if winged else "none",
        4 if winged else 0,
        count,
        "long",
        "elbowed",
        ["a narrow waist", "a large head"],
    )


DRAWERS = {
    "lacewing": lacewing,
    "parasitoid wasp": parasitoid_wasp,
    "wasp": wasp,
    "sawfly": sawfly,
    "bee": bee,
    "ant": ant,
}
