"""Insects with wing cases: ladybirds, leaf beetles, flea beetles, weevils; by a table also others, and earwigs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fine_tune.synthetic.anatomy import (
    Look,
    Pose,
    abdomen_angle,
    antennae,
    bands,
    bent,
    darker,
    edge,
    eyes,
    legs,
    mix,
    mottle,
    pick,
    rings,
    seam,
    spots,
    stripes,
    tail,
    tone,
)
from fine_tune.synthetic.sketch import Mark, Paint, Sketch, profile

OVAL = profile(0.7, 0.95, 1.0, 1.0, 0.85, blunt=2.4)


def _wing_cases(
    sketch: Sketch,
    rng: np.random.Generator,
    pose: Pose,
    centre: float,
    length: float,
    broad: float,
    paint: Paint,
    shape: np.ndarray = OVAL,
) -> str:
    """Draw the two wing cases, closed with a seam or open over the hind wings; return the words for the wings."""
    if pose.wings == "open" and rng.random() < 0.6 and not pose.side:
        film = Paint(tone(rng, "tan"), relief=0.1, alpha=0.45, rim=0.2)
        front = centre + length / 2
        sketch.body((centre, 0), length, broad * 0.7, Paint(darker(paint.colour, 0.5), (rings(6, 0.5),)))
        for side in (1, -1):
            back = np.deg2rad(180 - side * rng.uniform(25, 50))
            half = profile(0.5, 0.9, 1, 0.7, blunt=2.4)
            sketch.wing(
                (front, side * 0.08), length * 1.25, broad * 0.6, float(back), film, half, half, [[(0, 0), (0.9, 0.2)]]
            )
            out = np.deg2rad(180 - side * rng.uniform(40, 75))
            case = profile(0.6, 1, 1, 0.6, blunt=2.6)
            sketch.wing(
                (front, side * 0.06), length, broad * 0.5, float(out), paint, case, case * 0.8, mirrored=side > 0
            )
        return "hard wing cases, open"
    sketch.body((centre, 0), length, broad, paint, shape)
    return "hard wing cases"


def ladybird(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Coccinellidae: domed, round, red, orange, yellow or black with spots, short legs, black and white shield."""
    name = pick(rng, "red,red,orange,red,yellow,black,orange")
    colour = tone(rng, name)
    dots = tone(rng, pick(rng, "red,orange")) if name == "black" else tone(rng, "black")
    count = legs(sketch, rng, pose, (34, 28, 24), (0.2, 0.05, -0.1), 0.5, 0.3, 0.045, 1.0)
    broad = rng.uniform(0.66, 0.78)
    number = int(rng.choice([0, 1, 2, 3, 3, 3, 5, 6, 8]))
    if name == "black":
        number = max(1, min(number, 2))
    places: list[tuple[float, float, float]] = [(0.93, 0, 0.07)] if number == 3 else []
    layout = [(0.7, 0.5), (0.42, 0.62), (0.32, 0.25), (0.78, 0.2), (0.6, 0.25), (0.5, 0.85), (0.15, 0.4), (0.85, 0.6)]
    radius = 0.11 if number == 1 else rng.uniform(0.055, 0.095)
    for u, t in layout[:number]:
        places += [(u, t, radius), (u, -t, radius)]
    paint = Paint(colour, (spots(places, dots, 2.2), seam(darker(colour, 0.4), 0.03)), relief=0.55, gloss=0.45)
    wings = _wing_cases(sketch, rng, pose, -0.07, 0.84, broad, paint)
    white = tone(rng, "white")
    sketch.body(
        (0.36, 0),
        0.2,
        broad * 0.66,
        Paint(tone(rng, "black"), (edge(white, 0.62, 1.0),), gloss=0.3),
        profile(1, 0.9, 0.7, blunt=3),
    )
    sketch.body((0.45, 0), 0.11, broad * 0.36, Paint(tone(rng, "black")))
    antennae(sketch, rng, (0.48, 0), 0.12, 0.02, (60, 40, 24), "clubbed", 45)
    pattern = "spotted" if number else "plain"
    return Look(
        [name] + (["black"] if number and name != "black" else []),
        pattern,
        ["round", "domed"],
        wings,
        4,
        count,
        "very short",
        "short",
        [f"{number * 2 + (number == 3)} spots"] if number else [],
    )


def leaf_beetle(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Chrysomelidae: oval and domed; striped, spotted, metallic, red or yellow."""
    kind = pick(rng, "potato,potato,metallic,red,cucumber,spotted,brown")
    black = tone(rng, "black")
    pattern, names = "plain", ["black"]
    marks: list[Mark] = []
    if kind in ("potato", "cucumber"):
        names = [pick(rng, "yellow,pale yellow,orange"), "black"]
        pattern = "striped"
        marks.append(stripes(5 if kind == "potato" else 3, black, 0.4))
    elif kind == "spotted":
        names = [pick(rng, "yellow,light green,orange"), "black"]
        pattern = "spotted"
        marks.append(spots([(u, t, 0.08) for u in (0.2, 0.5, 0.8) for t in (-0.5, 0.5)], black, 2.4))
    else:
        names = [
            {"metallic": pick(rng, "metallic blue,metallic green"), "red": pick(rng, "red,orange")}.get(kind, "brown")
        ]
    colour = tone(rng, names[0])
    slim = kind in ("cucumber", "red", "spotted")
    broad = rng.uniform(0.4, 0.48) if slim else rng.uniform(0.58, 0.68)
    count = legs(
        sketch,
        rng,
        pose,
        black if rng.random() < 0.7 else darker(colour, 0.7),
        (0.24, 0.1, -0.05),
        broad * 0.7,
        0.42,
        0.045,
        1.05,
    )
    marks.append(seam(black, 0.025))
    wings = _wing_cases(sketch, rng, pose, -0.1, 0.78, broad, Paint(colour, tuple(marks), relief=0.5, gloss=0.4))
    front = darker(colour, 0.95) if kind == "potato" else pick(rng, "black,same")
    shield = colour if front == "same" else (black if front == "black" else tone(rng, "orange"))
    freckles = spots([(0.5, 0.3, 0.1), (0.3, -0.3, 0.1), (0.5, 0.75, 0.09), (0.5, -0.75, 0.09)], black, 1.0)
    sketch.body(
        (0.31, 0),
        0.2,
        broad * 0.76,
        Paint(shield, (freckles,) if kind == "potato" else (), gloss=0.3),
        profile(1, 1, 0.8, blunt=4),
    )
    sketch.body((0.43, 0), 0.14, broad * 0.45, Paint(shield if kind == "potato" else black))
    antennae(sketch, rng, (0.48, 0), rng.uniform(0.3, 0.45), 0.03, black, "thread", 42)
    return Look(
        names,
        pattern,
        ["oval", "domed"],
        wings,
        4,
        count,
        "short",
        "medium",
        ["ten black stripes"] if kind == "potato" else [],
    )


def flea_beetle(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Alticini: small shining oval, thick hind thighs, sometimes a yellow stripe on each wing case."""
    name = pick(rng, "black,black,metallic blue,metallic green,dark brown,reddish brown")
    colour = tone(rng, name)
    striped = name == "black" and rng.random() < 0.5
    yellow = tone(rng, "yellow")
    broad = rng.uniform(0.4, 0.5)
    for side in (1, -1):
        angle = np.pi - side * rng.uniform(0.75, 1.15)
        thigh = (-0.12 + np.cos(angle) * 0.15, side * broad * 0.3 + np.sin(angle) * 0.15)
        sketch.body(thigh, 0.4, 0.16, Paint(darker(colour, 0.9), gloss=0.3), angle=float(angle))
        knee = (thigh[0] + np.cos(angle) * 0.2, thigh[1] + np.sin(angle) * 0.2)
        sketch.line(bent(knee, [np.pi + side * 0.25, np.pi - side * 0.1], [0.24, 0.14]), 0.03, darker(colour, 0.8))
    count = 2 + legs(sketch, rng, pose, darker(colour, 0.8), (0.28, 0.12), broad * 0.6, 0.36, 0.035, 1.0)
    marks: list[Mark] = [seam((16, 14, 14), 0.03), bands(14, darker(colour, 0.7), 0.3, 0, 0.25)]
    if striped:
        marks.append(
            (
                lambda u, t: (
                    (np.abs(np.abs(t) - 0.45) < 0.17 + 0.05 * np.cos(9 * u)) & (u > 0.06) & (u < 0.95)
                ).astype(np.float32),
                yellow,
                1.0,
            )
        )
    pose = Pose(pose.side, "folded", pose.crumpled)
    wings = _wing_cases(sketch, rng, pose, -0.1, 0.76, broad, Paint(colour, tuple(marks), relief=0.55, gloss=0.6))
    sketch.body((0.32, 0), 0.2, broad * 0.82, Paint(colour, gloss=0.5), profile(1, 1, 0.85, blunt=4))
    sketch.body((0.44, 0), 0.13, broad * 0.5, Paint(darker(colour, 0.8), gloss=0.4))
    antennae(sketch, rng, (0.48, 0), 0.4, 0.026, mix(colour, (150, 110, 60), 0.4), "thread", 36)
    return Look(
        [name] + (["yellow"] if striped else []),
        "striped" if striped else "plain",
        ["oval", "shiny"],
        wings,
        4,
        count,
        "short",
        "medium",
        ["thick hind legs", "swollen hind thighs"],
    )


def weevil(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Curculionidae: a snout with elbowed antennae on it, ridged wing cases, narrow front."""
    name = pick(rng, "brown,dark brown,black,grey,reddish brown,tan,dark grey")
    colour = tone(rng, name)
    broad = rng.uniform(0.34, 0.46)
    count = legs(sketch, rng, pose, darker(colour, 0.8), (0.16, 0.06, -0.1), broad * 0.7, 0.44, 0.045, 1.0, 1.2)
    snout = rng.uniform(0.22, 0.42)
    drop = -0.12 if pose.side else 0.0
    pose = Pose(pose.side, "folded", pose.crumpled)
    mottled = rng.random() < 0.4
    marks: tuple[Mark, ...] = (stripes(8, darker(colour, 0.5), 0.35, 0.8), seam((20, 16, 12), 0.03))
    if mottled:
        marks = (*marks, mottle(rng, tone(rng, pick(rng, "tan,grey,cream")), 0.6, 14))
    wings = _wing_cases(sketch, rng, pose, -0.18, 0.64, broad, Paint(colour, marks, relief=0.5, gloss=0.25, grain=0.15))
    sketch.body((0.16, 0), 0.24, broad * 0.66, Paint(colour, grain=0.2), profile(1, 1, 0.75, blunt=3))
    sketch.body((0.31, drop * 0.3), 0.15, broad * 0.44, Paint(darker(colour, 0.9)))
    eyes(sketch, (0.31, 0), broad * 0.34, 0.05, (14, 12, 12), pose)
    end = (0.35 + snout, drop * 2)
    sketch.line([(0.34, drop * 0.3), (0.35 + snout * 0.55, drop * 0.9), end], 0.065, darker(colour, 0.85))
    antennae(sketch, rng, (0.35 + snout * 0.5, drop), 0.26, 0.022, darker(colour, 0.7), "elbowed", 62)
    return Look(
        [name],
        "mottled" if mottled else "ridged",
        ["pear-shaped", "hard"],
        wings,
        4,
        count,
        "medium",
        "elbowed",
        ["a long snout"],
    )


@dataclass(frozen=True, slots=True)
class _Build:
    """How a beetle is built: lengths and widths of its parts in body lengths, and the words for it.

    `cases`, `shield` and `head` are (length, share of the width); what they leave of the length is a bare abdomen.
    """

    colours: str
    broad: tuple[float, float]
    cases: tuple[float, np.ndarray]
    shield: tuple[float, float, np.ndarray]
    head: tuple[float, float]
    leg: tuple[float, float, str]
    antenna: tuple[str, float, float, str]
    shapes: tuple[str, ...]
    features: tuple[str, ...]
    grooves: float = 8
    gloss: float = 0.35
    jaws: float = 0.0
    pincers: float = 0.0
    two_coloured: float = 0.0
    fuzzy: bool = False


_BUILDS: dict[str, _Build] = {
    "ground beetle": _Build(
        "black,black,dark brown,metallic green,metallic blue,reddish brown", (0.34, 0.42),
        (0.58, profile(0.5, 0.9, 1, 1, 0.85, blunt=3.5)), (0.22, 0.74, profile(0.7, 0.95, 1, 0.85, blunt=5)),
        (0.17, 0.5), (0.62, 0.042, "long"), ("thread", 0.5, 0.022, "long"),
        ("long oval", "flat"), ("strong jaws", "long running legs"), gloss=0.4, jaws=0.07),
    "click beetle": _Build(
        "brown,dark brown,black,reddish brown,tan", (0.23, 0.29),
        (0.62, profile(0.2, 0.7, 0.95, 1, 1, blunt=6)), (0.28, 1.02, profile(1.12, 0.9, 0.97, 0.8, blunt=8)),
        (0.09, 0.55), (0.28, 0.03, "short"), ("beaded", 0.36, 0.024, "medium"),
        ("long", "narrow", "parallel-sided"), ("pointed shoulders", "a tapering rear end"), 9, 0.2),
    "rove beetle": _Build(
        "black,black,dark brown,reddish brown", (0.18, 0.24),
        (0.17, profile(0.95, 1, 1, 0.95, blunt=8)), (0.16, 0.9, profile(0.9, 1, 1, 0.8, blunt=3)),
        (0.14, 0.85), (0.3, 0.03, "short"), ("beaded", 0.26, 0.024, "short"),
        ("long", "narrow"), ("very short wing cases", "a long bare abdomen"), 0, jaws=0.03, two_coloured=0.35),
    "chafer": _Build(
        "brown,reddish brown,metallic green,tan,dark brown,reddish brown", (0.52, 0.6),
        (0.6, profile(0.75, 0.98, 1, 1, 0.95, blunt=4)), (0.22, 0.86, profile(1, 0.95, 0.7, blunt=4)),
        (0.12, 0.5), (0.46, 0.055, "medium"), ("fan", 0.16, 0.026, "fan-shaped"),
        ("broad", "stout"), ("fan-shaped antennae", "spiny legs"), 5, 0.3, two_coloured=0.4, fuzzy=True),
    "bark beetle": _Build(
        "dark brown,reddish brown,black,brown", (0.36, 0.44),
        (0.58, profile(0.85, 1, 1, 1, blunt=5)), (0.4, 0.98, profile(1, 1, 0.95, 0.75, blunt=3)),
        (0.05, 0.5), (0.2, 0.04, "very short"), ("clubbed", 0.13, 0.024, "short"),
        ("cylindrical", "stubby"), ("a hood over the head",), 9, 0.3, two_coloured=0.3, fuzzy=True),
    "earwig": _Build(
        "brown,dark brown,reddish brown,brown", (0.17, 0.22),
        (0.17, profile(1, 1, 1, 0.9, blunt=8)), (0.11, 0.85, profile(1, 1, 0.9, blunt=6)),
        (0.13, 0.8), (0.26, 0.03, "short"), ("thread", 0.42, 0.018, "long"),
        ("long", "narrow", "flat"), ("pincers at the rear", "very short wing cases"), 0, 0.35, pincers=0.2),
}  # fmt: skip


def _built(build: _Build) -> Callable[[Sketch, np.random.Generator, Pose], Look]:
    """Return the drawer of a beetle of that build."""

    def draw(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
        name = pick(rng, build.colours)
        colour = tone(rng, name)
        front = tone(rng, pick(rng, "black,dark brown,orange")) if rng.random() < build.two_coloured else colour
        limb = mix(darker(colour, 0.7), tone(rng, "reddish brown"), rng.uniform(0, 0.7))
        broad = rng.uniform(*build.broad)
        length, outline = build.cases
        neck = 0.5 - build.head[0]
        rear = neck - build.shield[0] + 0.02
        count = legs(
            sketch, rng, pose, limb, (neck - 0.08, rear - 0.03, rear - 0.16), broad * 0.8, build.leg[0], build.leg[1]
        )
        if rear - length > -0.45:
            bare = Paint(darker(colour, 0.85), (rings(9, 0.6),), gloss=build.gloss * 0.7)
            taper = profile(0.5, 0.85, 1, 0.95, 0.9, blunt=4)
            tail(sketch, rear - 0.03, rear + 0.47, broad * 0.95, bare, abdomen_angle(rng, pose), taper)
            pose = Pose(pose.side, "folded", pose.crumpled)
        for side in (1, -1):
            if build.pincers:
                claw = [(-0.47, side * 0.04), (-0.58, side * 0.08), (-0.68, side * 0.02)]
                sketch.line(claw, 0.034, limb)
            if build.jaws:
                sketch.line([(0.47, side * 0.06), (0.5 + build.jaws, side * 0.03)], 0.03, limb)
        antennae(sketch, rng, (0.46, 0), build.antenna[1], build.antenna[2], limb, build.antenna[0], 42)
        marks: list[Mark] = [seam(darker(colour, 0.4), 0.04)]
        if build.grooves:
            marks.append(stripes(build.grooves, darker(colour, 0.6), 0.3, 0.7))
        fuzz = 0.22 if build.fuzzy else 0.1
        paint = Paint(colour, tuple(marks), relief=0.5, gloss=build.gloss, grain=fuzz)
        wings = _wing_cases(sketch, rng, pose, rear - length / 2, length, broad, paint, outline)
        plain = Paint(front, (), relief=0.5, gloss=build.gloss, grain=fuzz)
        sketch.body((0.49 - build.head[0] / 2, 0), build.head[0] + 0.02, broad * build.head[1], plain)
        eyes(sketch, (0.46, 0), broad * build.head[1] * 0.8, 0.045, (16, 14, 14), pose)
        sketch.body((neck - build.shield[0] / 2, 0), build.shield[0], broad * build.shield[1], plain, build.shield[2])
        return Look(
            [name],
            "ridged" if build.grooves else "ringed",
            list(build.shapes),
            wings,
            4,
            count,
            build.leg[2],
            build.antenna[3],
            list(build.features),
        )

    return draw


DRAWERS = {
    "ladybird": ladybird,
    "leaf beetle": leaf_beetle,
    "flea beetle": flea_beetle,
    "weevil": weevil,
    **{name: _built(build) for name, build in _BUILDS.items()},
}
