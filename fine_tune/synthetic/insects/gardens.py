"""Kinds that people photograph on flowers and leaves, and that traps hardly show: for close-ups, beside the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fine_tune.synthetic.anatomy import (
    CLEAR_LOWER,
    CLEAR_UPPER,
    FLY_VEINS,
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
    mottle,
    pick,
    region,
    rings,
    seam,
    spots,
    stripes,
    tail,
    tone,
    wing_pair,
)
from fine_tune.synthetic.sketch import Mark, Paint, Sketch, profile

Drawer = Callable[[Sketch, np.random.Generator, Pose], Look]

SHIELD = profile(0.55, 0.85, 1.0, 1.0, 0.95, blunt=3)


def _mirrored_spots(rng: np.random.Generator, count: int, colour: tuple[float, float, float], aspect: float) -> Mark:
    """Spots at random places, alike on both sides."""
    places = [(rng.uniform(0.1, 0.92), rng.uniform(0.05, 0.85), rng.uniform(0.06, 0.15)) for _ in range(count)]
    return spots([(u, side * t, radius) for u, t, radius in places for side in (1, -1)], colour, aspect)


def shield_bug(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Pentatomidae and Scutelleridae on plants: a flat shield, striped lengthwise, patterned, brown or green."""
    kind = pick(rng, "striped,spotted,spotted,brown,brown,green")
    black = tone(rng, "black")
    names = {
        "striped": [pick(rng, "red,orange,reddish brown,tan"), "black"],
        "spotted": [pick(rng, "red,orange,yellow,cream,white"), "black"],
        "brown": [pick(rng, "brown,reddish brown,tan,dark brown,grey,olive")],
        "green": [pick(rng, "green,light green,dark green")],
    }[kind]
    colour = tone(rng, names[0])
    broad = rng.uniform(0.56, 0.7)
    limb = black if kind in ("striped", "spotted") else mix(colour, black, rng.uniform(0.1, 0.6))
    legs(sketch, rng, pose, limb, (0.24, 0.1, -0.06), broad * 0.85, rng.uniform(0.3, 0.42), 0.036)
    banded = bands(9, mix(colour, tone(rng, "cream"), 0.7), 0.5)
    rim = Paint(black if kind != "green" else darker(colour, 0.7), (banded,), relief=0.3)
    sketch.body((-0.08, 0), 0.82, broad, rim, profile(0.4, 0.85, 1, 1, 0.9, blunt=3))
    inner = broad * rng.uniform(0.78, 0.9)
    if kind == "striped":
        marks: tuple[Mark, ...] = (stripes(float(rng.integers(5, 8)), black, rng.uniform(0.35, 0.55)),)
        front = (stripes(float(rng.integers(5, 8)), black, rng.uniform(0.35, 0.55)),)
    elif kind == "spotted":
        marks = (_mirrored_spots(rng, int(rng.integers(3, 7)), black, 1.6), seam(black, rng.uniform(0.02, 0.12)))
        front = (_mirrored_spots(rng, int(rng.integers(1, 4)), black, 0.6),)
    else:
        marks = front = (mottle(rng, darker(colour, 0.6), rng.uniform(0.2, 0.7), 22),)
    coat = Paint(colour, marks, relief=0.45, gloss=rng.uniform(0.05, 0.3), grain=0.15)
    sketch.body((-0.1, 0), 0.7, inner, coat, SHIELD)
    if kind != "striped":
        film = Paint(tone(rng, pick(rng, "dark brown,grey,black,tan")), relief=0.15, alpha=0.75, rim=0.2)
        sketch.body((-0.36, 0), 0.22, inner * 0.7, film, profile(0.5, 0.9, 1, blunt=3))
    back = Paint(mix(colour, black, rng.choice([0.0, 0.15])), marks, relief=0.45, gloss=0.12, grain=0.15)
    long = rng.uniform(0.5, 0.68) if kind == "striped" else rng.uniform(0.36, 0.46)
    sketch.body((0.19 - long / 2, 0), long, inner * rng.uniform(0.6, 0.75), back, profile(0.25, 0.55, 0.9, 1, blunt=6))
    collar = profile(0.95, 1, 0.75, 0.5, blunt=4)
    sketch.body((0.27, 0), 0.22, broad * rng.uniform(1.0, 1.14), Paint(colour, front, relief=0.45, grain=0.15), collar)
    sketch.body((0.42, 0), 0.15, 0.25, Paint(colour, front, relief=0.4), profile(1, 0.95, 0.75, blunt=3))
    eyes(sketch, (0.38, 0), 0.26, 0.05, (40, 22, 18), pose)
    antennae(sketch, rng, (0.46, 0), rng.uniform(0.28, 0.4), 0.024, limb, "thread", 45)
    return Look(
        names,
        {"brown": "mottled", "green": "plain"}.get(kind, kind),
        ["shield-shaped", "broad"],
        "half-leathery",
        4,
        6,
        "medium",
        "medium",
        ["a large triangle on the back"],
    )


def flower_chafer(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Cetoniinae and dung beetles: a broad domed beetle, metallic, black with pale flecks, or furry like a bee."""
    kind = pick(rng, "metal,metal,black,black,furry")
    names = {
        "metal": [pick(rng, "metallic green,metallic green,metallic blue,olive,reddish brown")],
        "black": [pick(rng, "black,dark grey,black")],
        "furry": [pick(rng, "yellow,orange,tan"), "black"],
    }[kind]
    colour, black = tone(rng, names[0]), tone(rng, "black")
    broad = rng.uniform(0.52, 0.64)
    limb = black if kind != "metal" else darker(colour, 0.6)
    legs(sketch, rng, pose, limb, (0.22, 0.02, -0.12), broad * 0.8, rng.uniform(0.36, 0.46), 0.055, 1.1, 1.3)
    antennae(sketch, rng, (0.46, 0), 0.15, 0.026, limb, "fan", 42)
    gloss = {"metal": rng.uniform(0.3, 0.8), "black": rng.uniform(0.1, 0.5), "furry": 0.1}[kind]
    pattern, marks = "plain", list[Mark]()
    if kind == "furry":
        marks.append(bands(rng.uniform(2, 3), black, rng.uniform(0.4, 0.6), rng.random()))
        pattern = "banded"
        sketch.body((-0.42, 0), 0.16, broad * 0.7, Paint(tone(rng, "cream"), grain=0.25))
    else:
        marks.append(stripes(float(rng.integers(5, 11)), darker(colour, 0.7), 0.25, rng.uniform(0, 0.7)))
        if rng.random() < 0.5:
            marks.append(_mirrored_spots(rng, int(rng.integers(3, 9)), tone(rng, pick(rng, "white,cream")), 2.0))
            pattern = "spotted"
    marks.append(seam(darker(colour, 0.4), 0.03))
    grain = 0.25 if kind == "furry" else 0.1
    cases = Paint(colour, tuple(marks), relief=0.55, gloss=gloss, grain=grain)
    sketch.body((-0.14, 0), 0.66, broad, cases, profile(0.75, 0.98, 1, 1, 0.92, blunt=3.5))
    front = Paint(black if kind == "furry" else colour, tuple(marks[1:-1]), relief=0.55, gloss=gloss, grain=grain)
    sketch.body((0.4, 0), 0.18, broad * 0.46, front, profile(1, 1, 0.85, blunt=4))
    eyes(sketch, (0.38, 0), broad * 0.44, 0.05, (16, 14, 14), pose)
    if kind == "furry":
        fuzz = mix(colour, tone(rng, "brown"), 0.5)
        hairs(sketch, rng, (0.24, 0), 0.3, broad * 0.85, fuzz, 90, 0.06)
        front = Paint(fuzz, relief=0.4, gloss=0.0, grain=0.25)
    sketch.body((0.25, 0), 0.28, broad * rng.uniform(0.8, 0.95), front, profile(1, 0.97, 0.7, 0.55, blunt=4))
    if rng.random() < 0.6:
        sketch.body((0.1, 0), 0.14, 0.16, Paint(darker(colour, 0.8), gloss=gloss), profile(0.1, 0.6, 1, blunt=6))
    return Look(names, pattern, ["broad", "stout"], "hard wing cases", 4, 6, "medium", "fan-shaped", ["spiny legs"])


def flower_sawfly(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Tenthredinidae at rest: long, as wide behind as in front, wings along the back, antennae stretched forward."""
    kind = pick(rng, "black,belted,belted,green,banded")
    black = tone(rng, "black")
    names = {
        "black": ["black"],
        "belted": ["black", pick(rng, "orange,reddish brown,red,orange")],
        "green": [pick(rng, "green,light green"), "black"],
        "banded": ["black", pick(rng, "yellow,yellow,pale yellow")],
    }[kind]
    bright = tone(rng, names[-1] if kind != "green" else names[0])
    limb = pick(rng, "black,bright")
    shin = bright if kind in ("green", "banded") or rng.random() < 0.5 else None
    ink = black if limb == "black" else mix(bright, black, 0.3)
    legs(sketch, rng, pose, ink, (0.25, 0.15, 0.04), 0.16, rng.uniform(0.4, 0.5), 0.034, banded=shin)
    broad = rng.uniform(0.19, 0.27)
    marks: tuple[Mark, ...] = {
        "black": (rings(8, 0.4),),
        "belted": (region(rng.uniform(0.1, 0.3), rng.uniform(0.6, 0.95), bright), rings(8, 0.35)),
        "green": (stripes(1, black, rng.uniform(0.3, 0.7)), rings(8, 0.25)),
        "banded": (bands(rng.uniform(4, 7), bright, rng.uniform(0.2, 0.5), rng.random()),),
    }[kind]
    base = bright if kind == "green" else black
    shape = profile(0.55, 0.9, 1, 1, 1, blunt=4)
    tail(sketch, 0.14, 0.66, broad, Paint(base, marks, gloss=0.25), abdomen_angle(rng, pose, 0.05), shape)
    chest: tuple[Mark, ...] = (region(0.55, 1, bright),) if rng.random() < 0.4 else ()
    if kind in ("green", "banded"):
        chest = (_mirrored_spots(rng, 3, black if kind == "green" else bright, 1.0),)
    sketch.body((0.22, 0), 0.3, broad * 1.02, Paint(base, chest, gloss=0.25), profile(1, 1, 0.85, blunt=4))
    sketch.body((0.41, 0), 0.14, broad * 0.98, Paint(base, gloss=0.25), profile(1, 1, 0.8, blunt=3))
    eyes(sketch, (0.41, 0), broad * 0.8, 0.09, (30, 24, 20), pose, 0.06)
    antennae(sketch, rng, (0.46, 0), rng.uniform(0.34, 0.5), 0.03, black, "thread", 26)
    tint = tone(rng, pick(rng, "dark grey,grey,brown,pale grey,tan"))
    clear_wings(
        sketch, rng, pose, (0.22, broad * 0.3), rng.uniform(0.74, 0.86), 0.28, NET_VEINS[:8], 2, rng.uniform(3, 12),
        tint, rng.uniform(0.3, 0.65),
    )  # fmt: skip
    pattern = {"banded": "banded", "green": "striped"}.get(kind, "plain")
    return Look(names, pattern, ["long", "smooth"], "clear", 4, 6, "medium", "medium", ["no waist"])


def picture_winged_fly(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Tephritidae: a stout fly with bands or a net on its wings, green or brown eyes, a pointed rear end."""
    name = pick(rng, "tan,grey,yellow,orange,black,brown,pale grey,pale yellow")
    colour, dark = tone(rng, name), tone(rng, pick(rng, "dark brown,black,brown"))
    legs(sketch, rng, pose, mix(colour, tone(rng, "orange"), 0.5), (0.25, 0.14, 0.03), 0.2, 0.42, 0.036)
    angle = abdomen_angle(rng, pose, 0.15)
    if rng.random() < 0.5:
        tail(sketch, -0.4, 0.24, 0.1, Paint(darker(colour, 0.5), gloss=0.3), angle, profile(0.4, 0.7, 1, blunt=3))
    marks = (bands(5, dark, rng.uniform(0.1, 0.45), 0.1), mottle(rng, dark, rng.uniform(0, 0.5), 12))
    tail(sketch, 0.05, 0.52, 0.34, Paint(colour, marks), angle, profile(0.25, 0.8, 1, 0.95, 0.7, blunt=2.5))
    chest = (stripes(float(rng.integers(2, 5)), dark, 0.35, rng.uniform(0.2, 0.8)), region(0, 0.2, tone(rng, "yellow")))
    sketch.body((0.18, 0), 0.34, 0.33, Paint(colour, chest, gloss=0.15))
    sketch.body((0.4, 0), 0.16, 0.3, Paint(tone(rng, pick(rng, "yellow,tan,pale yellow,grey"))))
    eye = tone(rng, pick(rng, "metallic green,green,reddish brown,dark brown,metallic blue"))
    eyes(sketch, (0.4, 0), 0.28, 0.17, eye, pose, 0.14)
    antennae(sketch, rng, (0.48, 0), 0.08, 0.03, tone(rng, "orange"), "thread", 20)
    net: tuple[Mark, ...] = (mottle(rng, dark, rng.uniform(0.6, 0.95), rng.uniform(8, 16)),)
    if rng.random() < 0.5:
        net = (bands(rng.uniform(2.5, 4.5), dark, rng.uniform(0.3, 0.55), rng.random(), rng.uniform(0.6, 0.95)),)
    if rng.random() < 0.5:
        net = (*net, edge(dark, 0.75, 0.7))
    film = Paint(tone(rng, pick(rng, "pale grey,white,tan")), net, 0.1, 0.1, rng.uniform(0.45, 0.8), 0.08, 0.2)
    size = (rng.uniform(0.78, 0.95), rng.uniform(0.32, 0.4))
    spread = (rng.uniform(10, 22), rng.uniform(30, 50), rng.uniform(60, 90))
    wing_pair(sketch, rng, pose, (0.19, 0.12), size, film, (CLEAR_UPPER, CLEAR_LOWER), spread, FLY_VEINS, dark, 0.01)
    return Look([name], "banded", ["stout"], "spotted clear", 2, 6, "medium", "very short", ["patterned wings"])


def drone_fly(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Syrphidae that are broad or furry: pairs of pale spots or belts, two wings held flat and half open."""
    furry = rng.random() < 0.45
    name = pick(rng, "orange,brown,tan,dark brown") if furry else pick(rng, "yellow,orange,yellow,pale yellow,cream")
    bright, black = tone(rng, name), tone(rng, pick(rng, "black,black,dark brown"))
    broad = rng.uniform(0.3, 0.42)
    legs(sketch, rng, pose, mix(bright, black, rng.uniform(0.3, 1)), (0.26, 0.14, 0.02), 0.24, 0.4, 0.034)
    angle, count = abdomen_angle(rng, pose), int(rng.integers(2, 5))
    pairs = [(0.92 - 0.8 * (i + 0.5) / count, side * 0.55) for i in range(count) for side in (1, -1)]
    belts: tuple[Mark, ...] = (spots([(u, t, 0.32 / count) for u, t in pairs], bright, 1.3),)
    if rng.random() < 0.5:
        belts = (bands(count, bright, rng.uniform(0.3, 0.65), rng.random()), seam(black, rng.uniform(0, 0.15)))
    coat = Paint(black, belts, relief=0.4, gloss=0.25, grain=0.2 if furry else 0.08)
    tail(sketch, 0.08, 0.58, broad, coat, angle, profile(0.35, 0.8, 1, 1, 0.8, blunt=2.6))
    chest = tone(rng, pick(rng, "tan,brown,orange" if furry else "metallic green,dark brown,black,dark grey"))
    lines = () if furry or rng.random() < 0.5 else (stripes(3, bright, 0.3, 0.7),)
    if furry:
        hairs(sketch, rng, (0.2, 0), 0.32, broad * 0.95, chest, 80, 0.05)
    sketch.body((0.2, 0), 0.32, broad * 0.95, Paint(chest, lines, gloss=0.15, grain=0.2))
    sketch.body((0.41, 0), 0.16, broad * 0.86, Paint(tone(rng, pick(rng, "yellow,tan,pale grey"))))
    eye = tone(rng, pick(rng, "reddish brown,dark brown,black"))
    eyes(sketch, (0.41, 0), broad * 0.62, 0.18, eye, pose, broad * 0.5)
    antennae(sketch, rng, (0.48, 0), 0.06, 0.028, black, "thread", 20)
    tint = tone(rng, pick(rng, "pale grey,grey,tan,brown"))
    clear_wings(
        sketch, rng, pose, (0.22, 0.12), rng.uniform(0.74, 0.88), 0.26, folded=rng.uniform(14, 30), tint=tint,
        alpha=rng.uniform(0.2, 0.5),
    )  # fmt: skip
    shapes = ["broad", "hairy" if furry else "smooth"]
    return Look(["black", name], "banded", shapes, "clear", 2, 6, "medium", "very short", ["very large eyes"])


def globular_springtail(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Symphypleona: a ball of a body, a round head bent down, elbowed antennae, no wings."""
    name = pick(rng, "yellow,orange,brown,pale yellow,purple,dark brown,light green")
    colour = tone(rng, name)
    dark = darker(colour, 0.45)
    legs(sketch, rng, pose, mix(colour, dark, 0.3), (0.25, 0.16, 0.06), 0.26, rng.uniform(0.26, 0.38), 0.028)
    spotted = rng.random() < 0.5
    coat = Paint(colour, (mottle(rng, dark, 0.6, 10),) if spotted else (), relief=0.55, gloss=0.3)
    sketch.body((-0.3, 0), 0.22, 0.22, coat)
    sketch.body((-0.06, 0), 0.6, rng.uniform(0.48, 0.58), coat)
    sketch.body((0.34, -0.05 if pose.side else 0), 0.28, 0.28, Paint(colour, gloss=0.25))
    eyes(sketch, (0.36, 0), 0.2, 0.08, (16, 14, 14), pose)
    antennae(sketch, rng, (0.44, 0), rng.uniform(0.36, 0.5), 0.028, dark, "elbowed", 40)
    pattern = "mottled" if spotted else "plain"
    return Look([name], pattern, ["round"], "none", 0, 6, "short", "elbowed", ["a round body"])


def resting_moth(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Larger moths by day: broad patterned fore wings as a roof or a triangle that hides body, hind wings and legs."""
    name = pick(rng, "brown,tan,grey,dark brown,cream,white,pale grey,olive,pink,green,orange,dark grey")
    colour = tone(rng, name)
    second = tone(rng, pick(rng, "dark brown,white,black,cream,reddish brown,pink,tan,olive"))
    third = mix(second, tone(rng, pick(rng, "white,black,cream")), 0.6)
    slant, phase = rng.uniform(-0.15, 0.15), rng.uniform(0, 1)
    count, waves = rng.uniform(1.2, 4.5), rng.uniform(2, 9)

    def zigzag(u: np.ndarray, t: np.ndarray) -> np.ndarray:
        line = u + slant * t + 0.03 * np.sin(waves * t + phase * 6)
        return ((line * count + phase) % 1.0 < 0.3).astype(np.float32)

    kind = pick(rng, "banded,banded,mottled,plain")
    marks: dict[str, tuple[Mark, ...]] = {
        "banded": ((zigzag, second, rng.uniform(0.5, 1)), mottle(rng, darker(colour, 0.7), 0.4, 12)),
        "mottled": (mottle(rng, second, 0.7, 6), mottle(rng, third, 0.5, 14)),
        "plain": (mottle(rng, darker(colour, 0.8), 0.4, 16),),
    }
    eye = spots([(rng.uniform(0.45, 0.65), rng.uniform(-0.3, 0.3), rng.uniform(0.04, 0.08))], third, 2.2)
    lines = (edge(second, 0.88, 0.5), region(0.94, 1, darker(colour, 0.6), 0.7))
    fore = Paint(colour, (*marks[kind], eye, *lines), relief=0.25, gloss=0.0, grain=0.2)
    body = mix(colour, second, rng.uniform(0, 0.6))
    legs(sketch, rng, pose, darker(body, 0.8), (0.32, 0.24), 0.16, 0.24, 0.026)
    wide = {"folded": rng.uniform(8, 24), "half": rng.uniform(24, 42), "open": rng.uniform(55, 80)}[pose.wings]
    hind = Paint(mix(colour, tone(rng, pick(rng, "tan,grey,orange,white,pink")), 0.6), (), 0.15, 0.0, 1.0, 0.2)
    round_wing = profile(0.4, 0.8, 1, 0.95, blunt=2.6)
    spread = (wide * 0.5, wide * 0.6, wide * 0.7)
    wing_pair(sketch, rng, pose, (0.2, 0.05), (0.72, rng.uniform(0.5, 0.62)), hind, (round_wing,) * 2, spread)
    sketch.body((-0.1, 0), 0.72, 0.2, Paint(body, (rings(6, 0.4),), grain=0.2), profile(0.3, 0.8, 1, 1, blunt=3))
    outline = profile(0.3, 0.55, 0.8, 0.95, 1.0, blunt=5), profile(0.4, 0.8, 1.0, 1.05, 0.95, blunt=5)
    broad = rng.uniform(0.42, 0.62)
    veins = ([(0, 0), (0.9, 0.3)], [(0, 0), (0.95, -0.3)], [(0, 0), (0.97, 0.0)])
    size = (rng.uniform(0.92, 1.05), broad)
    wing_pair(sketch, rng, pose, (0.3, 0.05), size, fore, outline, (wide,) * 3, veins, darker(colour, 0.8), 0.006)
    hairs(sketch, rng, (0.3, 0), 0.26, 0.26, body, 70, 0.05)
    tuft = Paint(body, (stripes(1, second, 0.4, 0.5),), grain=0.25)
    sketch.body((0.3, 0), 0.28, 0.27, tuft)
    sketch.body((0.44, 0), 0.13, 0.16, Paint(darker(body, 1.1), grain=0.2))
    eyes(sketch, (0.45, 0), 0.14, 0.06, (24, 20, 16), pose)
    feathery = rng.random() < 0.35
    feeler = "feathery" if feathery else "thread"
    antennae(sketch, rng, (0.47, 0), rng.uniform(0.25, 0.5), 0.018, darker(body, 0.8), feeler, rng.uniform(30, 120))
    shapes = ["triangular" if wide < 40 else "broad-winged", "hairy"]
    words = "feathery" if feathery else "thread-like"
    return Look([name], kind, shapes, "scaly", 4, 6, "medium", words, ["dusty scales"])


#: By group, what else a close-up may show.
GARDEN_DRAWERS: dict[str, Drawer] = {
    "stink bug": shield_bug,
    "chafer": flower_chafer,
    "sawfly": flower_sawfly,
    "fruit fly": picture_winged_fly,
    "hoverfly": drone_fly,
    "moth": resting_moth,
    "springtail": globular_springtail,
}
