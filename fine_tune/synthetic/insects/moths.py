"""Insects with scaly wings: moths and butterflies."""

from __future__ import annotations

import numpy as np

from fine_tune.synthetic.anatomy import (
    Look,
    Pose,
    antennae,
    bands,
    darker,
    eyes,
    hairs,
    legs,
    mix,
    mottle,
    pick,
    region,
    rings,
    spots,
    tone,
)
from fine_tune.synthetic.sketch import Colour, Mark, Paint, Sketch, profile


def _scales(rng: np.random.Generator, name: str) -> tuple[str, list[Mark], Colour]:
    """Return pattern, marks and second colour of a moth's fore wing."""
    colour = tone(rng, name)
    second = tone(rng, pick(rng, "dark brown,white,black,cream,reddish brown,dark grey"))
    kind = pick(rng, "plain,banded,mottled,spotted,mottled,banded")
    marks: list[Mark] = []
    if kind == "banded":
        marks = [bands(rng.uniform(2, 4), second, 0.35, rng.random(), 0.8)]
    elif kind == "mottled":
        marks = [mottle(rng, second, 0.7), mottle(rng, darker(colour, 0.6), 0.6, 5)]
    elif kind == "spotted":
        marks = [
            spots(
                [(rng.uniform(0.3, 0.85), rng.uniform(-0.6, 0.6), rng.uniform(0.04, 0.09)) for _ in range(4)],
                second,
                3.5,
            )
        ]
    if rng.random() < 0.5:
        marks.append(region(0.93, 1.0, darker(colour, 0.6), 0.8))
    return kind, marks, second


def moth(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Night-flying Lepidoptera: hairy body, scaly patterned wings held as a triangle, roof or spread."""
    name = pick(rng, "brown,tan,grey,dark brown,cream,white,dark grey,pale grey,brown,tan")
    colour = tone(rng, name)
    kind, marks, _ = _scales(rng, name)
    body = darker(colour, rng.uniform(0.65, 1.05))
    count = legs(sketch, rng, pose, darker(body, 0.8), (0.3, 0.22, 0.1), 0.16, 0.42, 0.026)
    hind = Paint(mix(colour, (200, 190, 175), 0.4), relief=0.15, gloss=0, grain=0.18)
    fore = Paint(colour, tuple(marks), relief=0.3, gloss=0.0, grain=0.2)
    slim = rng.uniform(0.16, 0.28)
    spread = {"folded": rng.uniform(10, 30), "half": rng.uniform(32, 50), "open": rng.uniform(75, 105)}[pose.wings]
    narrow = rng.uniform(0.26, 0.42) if spread < 30 else rng.uniform(0.4, 0.52)
    outer, inner = profile(0.25, 0.5, 0.7, 0.85, 0.95, blunt=5), profile(0.35, 0.75, 0.9, 1.0, 0.95, blunt=6)
    sketch.body(
        (-0.15, 0), 0.66, slim, Paint(body, (rings(6, 0.4),), grain=0.2, gloss=0), profile(0.4, 0.8, 1, 1, blunt=3)
    )
    for pair in (1, 0):
        for side in (1, -1):
            turn = np.deg2rad(
                180 - side * (spread - pair * min(38, spread * 0.5) + rng.normal(0, 14 if pose.crumpled else 3))
            )
            if pose.side:
                turn = np.deg2rad(178 - 12 * (side > 0) * (pose.wings != "folded"))
            root = (0.26 - pair * 0.08, 0 if pose.side else side * 0.05)
            size = rng.uniform(0.7, 1) if pose.crumpled else 1.0
            shape = (profile(0.4, 0.8, 1, 0.95, blunt=2.6),) * 2 if pair else (outer, inner)
            sketch.wing(
                root,
                (0.66 if pair else 0.92) * size,
                narrow * (1.3 if pair else 1.0) * size,
                float(turn),
                hind if pair else fore,
                *shape,
                [[(0, 0), (0.9, 0.3)], [(0, 0), (0.95, -0.3)]] if pair == 0 else (),
                darker(colour, 0.8),
                0.006,
                mirrored=side > 0,
            )
    hairs(sketch, rng, (0.27, 0), 0.28, slim * 1.15, body, 50, 0.05)
    sketch.body((0.27, 0), 0.28, slim * 1.15, Paint(body, grain=0.22, gloss=0))
    sketch.body((0.42, 0), 0.14, slim * 0.8, Paint(darker(body, 1.1), grain=0.2))
    eyes(sketch, (0.43, 0), slim * 0.7, 0.06, (24, 20, 16), pose)
    feathery = rng.random() < 0.4
    antennae(
        sketch,
        rng,
        (0.46, 0),
        rng.uniform(0.35, 0.6),
        0.018,
        darker(body, 0.8),
        "feathery" if feathery else "thread",
        34,
    )
    shapes = ["triangular"] if spread < 32 else ["broad-winged"]
    return Look(
        [name],
        kind,
        [*shapes, "hairy"],
        "scaly",
        4,
        count,
        "medium",
        "feathery" if feathery else "thread-like",
        ["dusty scales"],
    )


def butterfly(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Day-flying Lepidoptera: four broad coloured wings, thin dark body, clubbed antennae."""
    name = pick(rng, "white,white,orange,yellow,brown,blue,orange,cream")
    colour, dark = tone(rng, name), tone(rng, pick(rng, "black,dark brown"))
    kind = pick(rng, "spotted,banded,plain,spotted")
    tip: list[Mark] = [region(0.86, 1.0, dark, 0.95)] if rng.random() < 0.7 else []
    if kind == "spotted":
        tip.append(spots([(0.55, 0.1, 0.07), (0.7, -0.4, 0.06)], dark, 2.6))
    elif kind == "banded":
        tip += [bands(3, dark, 0.22, 0.3), region(0.8, 0.9, dark, 0.6)]
    fore = Paint(colour, tuple(tip), relief=0.12, gloss=0, grain=0.2, rim=0)
    ray = [[(0, 0), (0.95, x)] for x in (-0.7, -0.3, 0.1, 0.5)]
    outer, inner = profile(0.2, 0.5, 0.75, 0.95, 0.9, blunt=4), profile(0.3, 0.6, 0.8, 0.95, 0.95, blunt=4)
    round_ = profile(0.4, 0.8, 1, 0.95, blunt=2.6)
    back = Paint(mix(colour, dark, rng.uniform(0, 0.2)), tuple(tip[-1:]), relief=0.12, gloss=0, grain=0.2)
    closed = pose.side or pose.wings == "folded"
    for pair in (1, 0):
        for side in (-1,) if closed else (1, -1):
            reach = rng.uniform(0.66, 1) if pose.crumpled else 1.0
            if closed:
                turn = np.deg2rad((142 if pair else 105) + rng.normal(0, 4))
            else:
                turn = np.deg2rad(180 - side * ((58 if pair else 108) + rng.normal(0, 12 if pose.crumpled else 4)))
            sketch.wing(
                (0.1 if pair else 0.2, 0.0 if closed else side * 0.04),
                (0.74 if pair else 0.98) * reach,
                (0.66 if pair else 0.6) * reach,
                float(turn),
                back if pair else fore,
                round_ if pair else outer,
                round_ if pair else inner,
                ray,
                mix(colour, dark, 0.6),
                0.01,
                mirrored=side > 0 or closed,
            )
    count = legs(sketch, rng, pose, dark, (0.3, 0.24, 0.16), 0.1, 0.26, 0.02) if closed else 0
    sketch.body((-0.12, 0), 0.56, 0.1, Paint(darker(dark, 1.3), grain=0.2), profile(0.5, 1, 1, blunt=3))
    sketch.body((0.22, 0), 0.24, 0.14, Paint(darker(dark, 1.5), grain=0.22))
    sketch.body((0.37, 0), 0.1, 0.12, Paint(dark))
    antennae(sketch, rng, (0.41, 0), 0.46, 0.018, dark, "clubbed", 24)
    return Look(
        [name] + (["black"] if tip else []),
        kind,
        ["broad-winged", "slim-bodied"],
        "scaly",
        4,
        count,
        "medium",
        "clubbed",
        ["large coloured wings"],
    )


DRAWERS = {"moth": moth, "butterfly": butterfly}
