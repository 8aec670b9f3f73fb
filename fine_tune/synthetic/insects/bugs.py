"""Sap suckers that are soft or small: aphids, whiteflies, psyllids, mealybugs, and thrips."""

from __future__ import annotations

import numpy as np

from fine_tune.synthetic.anatomy import (
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
    mix,
    mottle,
    pick,
    region,
    rings,
    spots,
    stripes,
    tone,
    wing_pair,
)
from fine_tune.synthetic.sketch import Paint, Sketch, profile

PEAR = profile(0.45, 0.95, 1.0, 0.8, 0.5, blunt=2.4)
WHITE_UPPER = profile(0.35, 0.7, 0.95, 1.0, 0.85, blunt=2.6)
WHITE_LOWER = profile(0.35, 0.65, 0.85, 0.85, 0.7, blunt=2.6)


def aphid(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Aphididae: soft pear-shaped body, two tubes at the rear, long antennae, with or without wings."""
    name = pick(rng, "green,light green,green,yellow,black,pink,brown,dark green,red,pale yellow,black,dark grey")
    colour = tone(rng, name)
    winged = rng.random() < 0.45
    limb = mix(colour, (60, 50, 30), rng.uniform(0.2, 0.8))
    count = legs(sketch, rng, pose, limb, (0.25, 0.15, 0.02), 0.2, rng.uniform(0.48, 0.68), 0.026)
    broad = rng.uniform(0.3, 0.4) if winged else rng.uniform(0.42, 0.56)
    tubes = darker(limb, rng.uniform(0.4, 1.0))
    for side in (1, -1):
        sketch.line([(-0.3, side * broad * 0.34), (-0.56, side * broad * 0.44)], 0.045, tubes)
    sketch.line([(-0.45, 0), (-0.54, 0)], 0.04, colour)
    dark = tone(rng, pick(rng, "black,dark brown,dark grey"))
    marks = [rings(6, 0.18), mottle(rng, darker(colour, 0.75), 0.5)]
    if winged and rng.random() < 0.5:
        marks.append(spots([(0.45, 0, 0.2)], darker(colour, 0.5), 2.2))
    paint = Paint(colour, tuple(marks), relief=0.5, gloss=0.2 if rng.random() < 0.6 else 0.0)
    sketch.body((-0.12 if winged else -0.05, 0), 0.72 if winged else 0.9, broad, paint, PEAR)
    chest = mix(colour, dark, 0.85) if winged else colour
    sketch.body((0.27, 0), 0.26, 0.26, Paint(chest))
    sketch.body((0.4, 0), 0.14, 0.19, Paint(mix(colour, chest, 0.6)))
    eyes(sketch, (0.41, 0), 0.17, 0.05, (60, 16, 14) if rng.random() < 0.6 else (20, 18, 18), pose)
    antennae(sketch, rng, (0.45, 0), rng.uniform(0.5, 0.95), 0.018, limb, "thread", 35)
    if winged:
        clear_wings(
            sketch,
            rng,
            pose,
            (0.25, 0.07),
            rng.uniform(1.15, 1.4),
            0.38,
            pairs=2,
            folded=11,
            alpha=rng.uniform(0.22, 0.42),
            vein_width=0.012,
        )
    return Look(
        [name],
        "plain",
        ["pear-shaped", "soft"],
        "clear" if winged else "none",
        4 if winged else 0,
        count,
        "long",
        "long",
        ["two tubes at the rear"],
    )


def whitefly(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Aleyrodidae: tiny pale yellow body under four powdery white wings held like a roof or flat."""
    body = tone(rng, pick(rng, "pale yellow,yellow,cream,orange"))
    white = tone(rng, pick(rng, "white,white,white,cream,pale grey"), 0.05)
    alpha = float(rng.choice([1.0, 0.95, 0.8, 0.6], p=[0.4, 0.25, 0.2, 0.15]))
    count = legs(sketch, rng, pose, mix(body, (230, 220, 190), 0.4), (0.25, 0.15, 0.06), 0.12, 0.42, 0.03)
    sketch.body((-0.05, 0), 0.5, 0.22, Paint(body, (rings(5, 0.2),)), PEAR)
    sketch.body((0.22, 0), 0.24, 0.22, Paint(body))
    paint = Paint(
        white, (mottle(rng, (205, 205, 200), 0.5),), relief=0.22, gloss=0.02, alpha=alpha, grain=0.08, rim=0.1
    )
    spread = {"folded": rng.uniform(8, 18), "half": rng.uniform(22, 38), "open": rng.uniform(50, 75)}[pose.wings]
    vein = [[(0, 0.05), (0.5, 0.12), (0.95, 0.0)]]
    for pair in (1, 0):
        for side in (1, -1):
            turn = spread + pair * 14 * (spread > 20) + rng.normal(0, 18 if pose.crumpled else 3)
            angle = np.deg2rad(180 - side * turn)
            if pose.side:
                angle = np.deg2rad(180 - 6 + 8 * side * (spread > 20) - rng.uniform(0, 8))
            size = (0.86 if pair else 1.0) * (rng.uniform(0.7, 1) if pose.crumpled else 1)
            sketch.wing(
                (0.2, 0 if pose.side else side * 0.04),
                0.8 * size,
                0.38 * size,
                float(angle),
                paint,
                WHITE_UPPER,
                WHITE_LOWER,
                vein,
                (206, 204, 196),
                0.012,
                mirrored=side > 0,
            )
    sketch.body((0.36, 0), 0.13, 0.18, Paint(body))
    eyes(sketch, (0.37, 0), 0.15, 0.06, tone(rng, pick(rng, "reddish brown,black,red")), pose)
    antennae(sketch, rng, (0.42, 0), 0.22, 0.018, body, "thread", 40)
    return Look(
        ["white", "pale yellow"],
        "plain",
        ["small", "moth-like"],
        "white",
        4,
        count,
        "short",
        "short",
        ["powdery wings"],
    )


def thrips(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Thysanoptera: cigar-shaped, ringed, narrow fringed wings along the back, short beaded antennae."""
    name = pick(rng, "yellow,pale yellow,orange,brown,dark brown,black,tan")
    colour = tone(rng, name)
    limb = mix(colour, (220, 200, 130), 0.3)
    count = legs(sketch, rng, pose, limb, (0.26, 0.16, 0.06), 0.12, 0.24, 0.034, 1.1)
    slim = rng.uniform(0.12, 0.19)
    dark = darker(colour, rng.uniform(0.4, 0.75))
    sketch.body(
        (-0.17, 0),
        0.66,
        slim,
        Paint(colour, (rings(9, 0.55), bands(9, dark, 0.4, 0.3, 0.7))),
        profile(0.12, 0.75, 1, 1, 0.8, blunt=4),
        float(rng.normal(0, 0.12 if pose.crumpled else 0.03)),
    )
    sketch.body((0.18, 0), 0.24, slim * 0.95, Paint(colour, (rings(2, 0.4),)), profile(1, 1, 1, blunt=4))
    sketch.body((0.34, 0), 0.13, slim * 0.85, Paint(mix(colour, dark, 0.3)), profile(1, 1, 0.9, blunt=3))
    sketch.body((0.44, 0), 0.12, slim * 0.7, Paint(colour), profile(1, 1, 1, blunt=3))
    eyes(sketch, (0.45, 0), slim * 0.6, 0.05, (40, 14, 14), pose)
    antennae(sketch, rng, (0.49, 0), 0.2, 0.022, dark, "beaded", 24)
    winged = rng.random() < 0.8
    if winged:
        thin = profile(0.8, 1, 0.9, 0.7, 0.5, blunt=4)
        film = Paint(mix(colour, (120, 110, 90), 0.5), relief=0.2, alpha=0.75)
        ink, root, size = mix(colour, (90, 80, 70), 0.6), (0.2, slim * 0.25), (0.66, 0.07)
        wing_pair(sketch, rng, pose, root, size, film, (thin, thin), (4, 16, 55), (), ink, 0.008, 0.07)
    return Look(
        [name],
        "ringed",
        ["slender", "cigar-shaped", "narrow"],
        "fringed" if winged else "none",
        4 if winged else 0,
        count,
        "very short",
        "short beaded",
        ["narrow fringed wings"] if winged else [],
    )


def psyllid(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Psylloidea: like a tiny cicada, roof of clear or spotted wings wider towards the tip, broad head."""
    name = pick(rng, "green,orange,brown,dark brown,light green,reddish brown,yellow")
    colour = tone(rng, name)
    dark = darker(colour, 0.45)
    count = legs(sketch, rng, pose, mix(colour, (90, 70, 40), 0.4), (0.28, 0.18, 0.06), 0.16, 0.36, 0.034, 1.2, 1.5)
    sketch.body((-0.1, 0), 0.6, 0.24, Paint(colour, (rings(6, 0.5),)), PEAR)
    sketch.body((0.2, 0), 0.36, 0.3, Paint(colour, (stripes(3, dark, 0.35),)))
    sketch.body((0.4, 0), 0.15, 0.32, Paint(colour, (region(0, 0.4, dark, 0.5),)))
    eyes(sketch, (0.4, 0), 0.3, 0.1, tone(rng, pick(rng, "reddish brown,dark brown,grey")), pose)
    antennae(sketch, rng, (0.46, 0), 0.32, 0.018, dark, "thread", 38)
    spotted = rng.random() < 0.35
    marks = (mottle(rng, (70, 46, 28), 0.8, 14),) if spotted else ()
    tint = tone(rng, pick(rng, "tan,pale grey,cream,white"))
    paint = Paint(tint, marks, relief=0.15, gloss=0.1, alpha=float(rng.uniform(0.3, 0.6)), grain=0.06, rim=0.4)
    upper, lower = profile(0.3, 0.6, 0.9, 1, 0.8, blunt=2.6), profile(0.2, 0.5, 0.7, 0.7, 0.5, blunt=2.6)
    veins = (
        ((0, 0), (0.35, 0.1), (0.55, 0.3), (0.85, 0.8)),
        ((0.35, 0.1), (0.6, 0), (0.95, 0.3)),
        ((0.35, 0.1), (0.6, -0.2), (0.8, -0.5)),
        ((0.6, 0), (0.97, -0.15)),
    )
    size = (rng.uniform(0.92, 1.05), 0.42)
    wing_pair(sketch, rng, pose, (0.22, 0.09), size, paint, (upper, lower), (14, 34, 62), veins, vein_width=0.014)
    return Look(
        [name],
        "mottled" if spotted else "plain",
        ["stout", "cicada-like"],
        "spotted clear" if spotted else "clear",
        4,
        count,
        "short",
        "medium",
        ["roof-like wings"],
    )


def mealybug(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Pseudococcidae: oval, segmented, dusted with white wax, wax threads around the edge."""
    name = pick(rng, "white,white,white,pink,pale grey,cream")
    wax = tone(rng, name, 0.05)
    flesh = tone(rng, pick(rng, "pink,tan,pale yellow,grey"))
    count = (
        legs(sketch, rng, pose, mix(flesh, (130, 90, 60), 0.5), (0.24, 0.1, -0.04), 0.36, 0.26, 0.03)
        if rng.random() < 0.6
        else 0
    )
    broad = rng.uniform(0.48, 0.62)
    reach, number = rng.uniform(0.06, 0.2), 36
    turn = np.linspace(0, 2 * np.pi, number)
    threads = []
    for i in range(number):
        out = reach * rng.uniform(0.6, 1.1) * (1.9 if 0.9 * np.pi < turn[i] < 1.1 * np.pi else 1)
        base = (np.cos(turn[i]) * 0.44, np.sin(turn[i]) * broad * 0.45)
        threads.append(bent(base, [turn[i] + rng.normal(0, 0.15)], [out]))
    sketch.lines(threads, 0.026, wax)
    sketch.body(
        (0, 0),
        0.94,
        broad,
        Paint(
            wax,
            (
                bands(9, mix(wax, flesh, 0.75), 0.3, 0.0, 0.8),
                edge(wax, 0.8),
                *((stripes(2, mix(wax, flesh, 0.8), 0.3),) if rng.random() < 0.4 else ()),
            ),
            relief=0.4,
            gloss=0,
            grain=0.18,
        ),
        profile(0.85, 1, 1, 0.9, blunt=2.3),
    )
    antennae(sketch, rng, (0.42, 0), 0.16, 0.02, flesh, "thread", 36)
    return Look(
        [name],
        "segmented",
        ["oval", "waxy"],
        "none",
        0,
        count,
        "very short",
        "short",
        ["white wax threads", "a mealy coat of wax"],
    )


DRAWERS = {"aphid": aphid, "whitefly": whitefly, "thrips": thrips, "psyllid": psyllid, "mealybug": mealybug}
