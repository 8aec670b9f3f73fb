"""Bugs with folded fore wings: leafhoppers, planthoppers, cicadas, plant bugs, stink bugs."""

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
    eyes,
    legs,
    mix,
    mottle,
    pick,
    region,
    rings,
    spots,
    stripes,
    tail,
    tone,
    wing_pair,
)
from fine_tune.synthetic.sketch import Paint, Sketch, profile


def _half_wings(sketch: Sketch, rng: np.random.Generator, pose: Pose, paint: Paint, broad: float, front: float) -> None:
    """Draw leathery fore wings whose rear third is a membrane, crossed over the back."""
    spread = {"folded": 0.0, "half": 14.0, "open": 45.0}[pose.wings]
    length = front + 0.5
    leather = profile(0.7, 1, 1, 0.9, blunt=4)
    film = Paint(tone(rng, pick(rng, "dark brown,grey,dark grey")), relief=0.15, alpha=0.7, rim=0.2)
    for side in (1, -1):
        turn = np.deg2rad(180 - side * (spread + rng.normal(0, 6 if pose.crumpled else 1)))
        root = (front, side * broad * 0.24)
        tip = (root[0] + np.cos(turn) * length * 0.58, root[1] * 0.7 + np.sin(turn) * length * 0.58)
        sketch.wing(
            tip,
            length * 0.45,
            broad * 0.62,
            float(turn),
            film,
            profile(0.8, 1, 0.9, 0.6, blunt=2.5),
            profile(0.8, 1, 0.9, 0.6, blunt=2.5),
            [[(0.1, 0), (0.8, 0.2)]],
            (60, 46, 34),
            0.01,
        )
        sketch.wing(
            root, length * 0.72, broad * 0.54, float(turn), paint, leather, leather * 0.95, (), mirrored=side > 0
        )


def leafhopper(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Cicadellidae: wedge-shaped, blunt triangular head, opaque wings folded lengthwise, bristle antennae."""
    name = pick(rng, "green,light green,yellow,brown,green,tan,pale yellow,olive")
    colour = tone(rng, name)
    kind = pick(rng, "plain,plain,striped,spotted,mottled")
    dark = tone(rng, pick(rng, "dark brown,black,red,dark green"))
    count = legs(sketch, rng, pose, mix(colour, (200, 190, 120), 0.4), (0.3, 0.2, 0.05), 0.14, 0.34, 0.028, 1.6)
    slim = rng.uniform(0.23, 0.3)
    sketch.body((-0.05, 0), 0.6, slim * 0.8, Paint(mix(colour, (90, 80, 40), 0.5), (rings(6, 0.4),)))
    marks = {
        "plain": (),
        "striped": (stripes(2, dark, 0.4),),
        "mottled": (mottle(rng, dark, 0.6),),
        "spotted": (spots([(0.3, 0.4, 0.07), (0.6, 0.4, 0.07), (0.8, -0.3, 0.06), (0.5, -0.4, 0.06)], dark, 5),),
    }[kind]
    paint = Paint(colour, marks, relief=0.45, gloss=0.15, alpha=float(rng.choice([1, 1, 0.8])))
    wing = profile(0.55, 1, 0.95, 0.8, 0.6, blunt=4)
    folds = (((0.05, 0), (0.9, 0.1)), ((0.1, -0.4), (0.8, -0.3)))
    root, size, ink = (0.26, slim * 0.22), (0.84, slim * 0.62), darker(colour, 0.75)
    wing_pair(sketch, rng, pose, root, size, paint, (wing, wing * 0.8), (2, 5, 36), folds, ink, 0.01)
    sketch.body(
        (0.28, 0),
        0.17,
        slim,
        Paint(colour, (spots([(0.5, 0.4, 0.12), (0.5, -0.4, 0.12)], dark, 1.2),) if kind == "spotted" else ()),
        profile(0.9, 1, 0.9, blunt=3),
    )
    sketch.body((0.24, 0), 0.12, slim * 0.5, Paint(darker(colour, 0.8)), profile(0.1, 0.5, 1, blunt=6))
    point = rng.uniform(0.25, 0.6)
    sketch.body(
        (0.4, 0), 0.2, slim * 1.02, Paint(mix(colour, (230, 220, 120), 0.2)), profile(1, 1, 0.75, point, blunt=3)
    )
    eyes(sketch, (0.37, 0), slim * 0.9, 0.075, tone(rng, pick(rng, "black,reddish brown,white,grey")), pose, 0.06)
    antennae(sketch, rng, (0.45, 0), 0.12, 0.01, darker(colour), "bristle", 40)
    return Look(
        [name], kind, ["wedge-shaped", "narrow"], "opaque", 4, count, "short", "bristle-like", ["spiny hind legs"]
    )


def plant_bug(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Miridae: elongate oval, pale triangle between the wings, long antennae and legs."""
    name = pick(rng, "green,brown,light green,reddish brown,tan,olive,black")
    colour = tone(rng, name)
    dark = darker(colour, 0.5)
    limb = mix(colour, (110, 90, 50), 0.35)
    count = legs(sketch, rng, pose, limb, (0.26, 0.16, 0.04), 0.18, rng.uniform(0.55, 0.75), 0.028, 1.35)
    broad = rng.uniform(0.27, 0.38)
    sketch.body((-0.05, 0), 0.75, broad * 0.9, Paint(dark))
    mottled = rng.random() < 0.4
    _half_wings(sketch, rng, pose, Paint(colour, (mottle(rng, dark, 0.6),) if mottled else (), gloss=0.12), broad, 0.22)
    pale = tone(rng, pick(rng, "cream,pale yellow,light green,tan"))
    sketch.body((0.11, 0), 0.22, broad * 0.6, Paint(mix(colour, pale, 0.9)), profile(0.05, 0.5, 1, blunt=8))
    sketch.body(
        (0.27, 0), 0.18, broad * 0.85, Paint(colour, (region(0, 0.2, dark, 0.5),)), profile(1, 0.9, 0.65, blunt=5)
    )
    sketch.body((0.4, 0), 0.12, 0.16, Paint(darker(colour, 0.85)), profile(1, 1, 0.7, blunt=2.5))
    eyes(sketch, (0.39, 0), 0.17, 0.07, (40, 22, 18), pose)
    antennae(sketch, rng, (0.44, 0), rng.uniform(0.6, 0.85), 0.02, limb, "thread", 40)
    return Look(
        [name],
        "mottled" if mottled else "plain",
        ["elongated oval"],
        "half-leathery",
        4,
        count,
        "long",
        "long",
        ["a pale triangle on the back"],
    )


def stink_bug(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Pentatomidae: broad shield with shoulders, large triangle, membrane at the rear, banded edge."""
    name = pick(rng, "green,brown,tan,green,dark brown,grey,black,reddish brown")
    colour = tone(rng, name)
    dark = tone(rng, pick(rng, "black,dark brown"))
    count = legs(sketch, rng, pose, mix(colour, dark, 0.3), (0.24, 0.1, -0.04), 0.4, rng.uniform(0.42, 0.52), 0.034)
    broad = rng.uniform(0.56, 0.68)
    pale = mix(colour, (225, 210, 170), 0.6)
    sketch.body(
        (-0.08, 0),
        0.8,
        broad,
        Paint(dark, (bands(9, mix(dark, pale, 0.3), 0.5),), relief=0.3),
        profile(0.35, 0.8, 1, 1, 0.9, blunt=3),
    )
    harlequin = name in ("black", "reddish brown") and rng.random() < 0.7
    bright = tone(rng, pick(rng, "orange,red"))
    marks = (mottle(rng, bright, 1.0, 6),) if harlequin else (mottle(rng, darker(colour, 0.65), 0.6, 20),)
    paint = Paint(colour, marks, relief=0.4, grain=0.18)
    _half_wings(sketch, rng, pose, paint, broad * 0.86, 0.18)
    sketch.body((-0.02, 0), 0.48, broad * 0.6, paint, profile(0.2, 0.45, 0.8, 1, blunt=8))
    if rng.random() < 0.4:
        for y in (-0.16, 0, 0.16):
            sketch.body((0.19, y), 0.035, 0.035, Paint(pale))
    sketch.body((0.27, 0), 0.22, broad * rng.uniform(1.0, 1.12), paint, profile(0.85, 1, 0.7, 0.5, blunt=4))
    sketch.body((0.42, 0), 0.15, 0.24, paint, profile(1, 0.95, 0.75, blunt=3))
    eyes(sketch, (0.38, 0), 0.25, 0.05, (40, 22, 18), pose)
    antennae(sketch, rng, (0.45, 0), 0.4, 0.022, mix(colour, dark, 0.5), "thread", 42)
    return Look(
        [name] if not harlequin else ["black", "orange"],
        "spotted" if harlequin else "mottled",
        ["shield-shaped", "broad"],
        "half-leathery",
        4,
        count,
        "medium",
        "medium",
        ["a large triangle on the back"],
    )


def planthopper(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Fulgoromorpha: a roof of long wings, glassy or opaque and broad like a wedge; blunt head, ridged back."""
    glassy = rng.random() < 0.55
    name = pick(rng, "brown,dark brown,tan,brown" if glassy else "light green,pale grey,white,brown,tan,green")
    colour = tone(rng, name)
    dark = darker(colour, 0.5)
    count = legs(sketch, rng, pose, mix(colour, dark, 0.3), (0.3, 0.22, 0.08), 0.14, 0.36, 0.03, 1.5)
    broad = rng.uniform(0.26, 0.32)
    mottled = not glassy and rng.random() < 0.35
    if glassy:
        sketch.body((-0.08, 0), 0.66, broad * 0.85, Paint(colour, (rings(7, 0.5),)), profile(0.3, 0.9, 1, 0.9, blunt=3))
        wing = Paint(tone(rng, "tan"), relief=0.15, gloss=0.1, alpha=rng.uniform(0.3, 0.5), grain=0.06, rim=0.3)
    else:
        wing = Paint(colour, (mottle(rng, dark, 0.6),) if mottled else (), relief=0.3, gloss=0.02, grain=0.2)
    roof = profile(0.4, 0.6, 0.75, 0.9, 1, blunt=3) if glassy else profile(0.35, 0.65, 0.9, 1, 1, blunt=9)
    veins = ((0, 0.2), (0.9, 0.5)), ((0, 0), (0.95, 0.0)), ((0.1, -0.2), (0.9, -0.5))
    size, ink = (rng.uniform(0.95, 1.1), broad * (0.85 if glassy else 1.35)), dark if glassy else darker(colour, 0.8)
    spread = (5, 14, 42) if glassy else (11, 18, 42)
    wing_pair(sketch, rng, pose, (0.26, broad * 0.25), size, wing, (roof, roof * 0.8), spread, veins, ink, 0.014)
    ridges = Paint(colour, (stripes(3, mix(colour, (235, 215, 170), 0.6), 0.3),))
    sketch.body((0.27, 0), 0.2, broad * 0.95, ridges, profile(0.4, 1, 1, blunt=3))
    sketch.body((0.41, 0), 0.14, broad * 0.7, Paint(colour), profile(1, 1, 0.95, blunt=6))
    eyes(sketch, (0.39, 0), broad * 0.72, 0.07, tone(rng, pick(rng, "red,black,reddish brown")), pose, 0.06)
    wings, shapes = ("clear", ["slender", "long-winged"]) if glassy else ("opaque", ["triangular", "broad-winged"])
    return Look([name], "mottled" if mottled else "plain", shapes, wings, 4, count, "short", "short", ["a blunt head"])


def cicada(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Cicadidae: large, broad head with eyes far apart, tapering body, long glassy wings with strong veins."""
    name = pick(rng, "green,black,brown,olive,dark brown")
    colour, dark = tone(rng, name), tone(rng, pick(rng, "black,dark brown"))
    count = legs(sketch, rng, pose, mix(colour, dark, 0.4), (0.3, 0.2, 0.08), 0.26, 0.3, 0.04)
    broad = rng.uniform(0.34, 0.4)
    mottled = name != "black"
    marks = (mottle(rng, dark, 0.75, 7),) if mottled else ()
    cone = profile(0.2, 0.6, 0.9, 1, 1, blunt=3)
    tail(sketch, 0.1, 0.6, broad * 0.9, Paint(colour, (*marks, rings(7, 0.6))), abdomen_angle(rng, pose), cone)
    sketch.body((0.2, 0), 0.36, broad, Paint(colour, marks, gloss=0.2), profile(0.85, 1, 1, 0.95, blunt=5))
    sketch.body((0.42, 0), 0.16, broad * 1.02, Paint(colour, marks), profile(1, 1, 0.6, blunt=3))
    eyes(sketch, (0.41, 0), broad * 0.98, 0.1, tone(rng, pick(rng, "reddish brown,black,red")), pose)
    antennae(sketch, rng, (0.48, 0), 0.09, 0.014, dark, "bristle", 40)
    span, alpha, tint = rng.uniform(1.15, 1.3), rng.uniform(0.2, 0.4), tone(rng, pick(rng, "pale grey,tan,white"))
    clear_wings(
        sketch, rng, pose, (0.24, 0.14), span, 0.4, NET_VEINS[:7], 2, 15, tint, alpha, darker(colour, 0.5), 0.018
    )
    pattern, shapes = "mottled" if mottled else "plain", ["stout", "wedge-shaped"]
    return Look([name], pattern, shapes, "clear", 4, count, "short", "bristle-like", ["large glassy wings"])


DRAWERS = {
    "leafhopper": leafhopper,
    "plant bug": plant_bug,
    "stink bug": stink_bug,
    "planthopper": planthopper,
    "cicada": cicada,
}
