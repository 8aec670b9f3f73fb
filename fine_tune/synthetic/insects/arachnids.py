"""Eight legs, no antennae, no wings: mites and spiders."""

from __future__ import annotations

import numpy as np

from fine_tune.synthetic.anatomy import Look, Pose, darker, legs, mix, mottle, pick, spots, stripes, tone
from fine_tune.synthetic.sketch import Paint, Sketch, profile


def mite(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Acari: one round unsegmented body, eight short legs, no antennae, often two dark patches."""
    name = pick(rng, "red,orange,pale yellow,light green,reddish brown,brown,cream")
    colour = tone(rng, name)
    limb = mix(colour, (235, 220, 170), rng.uniform(0.1, 0.5))
    pose = Pose(False, pose.wings, pose.crumpled, pose.missing_leg, pose.curl)
    count = legs(sketch, rng, pose, limb, (0.3, 0.18, -0.05, -0.2), 0.36, rng.uniform(0.36, 0.55), 0.042, 1.0)
    broad = rng.uniform(0.52, 0.72)
    patches = rng.random() < 0.5
    dark = tone(rng, pick(rng, "dark brown,dark green,black"))
    marks = (
        (spots([(0.5, 0.5, 0.1), (0.5, -0.5, 0.1)], dark, 2.6),)
        if patches
        else (mottle(rng, darker(colour, 0.7), 0.5),)
    )
    sketch.body((-0.03, 0), 0.82, broad, Paint(colour, marks, gloss=0.25), profile(0.8, 1, 1, 0.75, 0.5, blunt=2.2))
    sketch.body((0.38, 0), 0.14, 0.12, Paint(darker(colour, 0.9)))
    if rng.random() < 0.5:
        fuzz = [np.array([(x, y), (x - 0.1, y * 1.35)]) for x in (-0.3, -0.1, 0.1) for y in (-0.16, 0.16)]
        sketch.lines(fuzz, 0.01, mix(colour, (240, 235, 220), 0.6))
    return Look(
        [name],
        "spotted" if patches else "plain",
        ["round", "globular"],
        "none",
        0,
        count,
        "short",
        "none",
        ["two dark spots"] if patches else ["a single round body"],
    )


def spider(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Araneae: two parts, eight long jointed legs, palps, no antennae, no wings."""
    name = pick(rng, "brown,dark brown,black,tan,grey,green,pale yellow,reddish brown")
    colour = tone(rng, name)
    reach = rng.uniform(0.75, 1.3)
    jumping = rng.random() < 0.2
    striped = rng.random() < 0.4
    pose = Pose(False, pose.wings, pose.crumpled, pose.missing_leg, pose.curl)
    count = legs(
        sketch,
        rng,
        pose,
        darker(colour, 0.9),
        (0.3, 0.24, 0.16, 0.08),
        0.2,
        0.6 if jumping else reach,
        0.045,
        1.1,
        banded=darker(colour, 0.5) if striped else None,
        fan=(28, 150),
    )
    dark = darker(colour, 0.5)
    marks = (
        (mottle(rng, dark, 0.7), stripes(1, mix(colour, (240, 230, 200), 0.5), 0.2))
        if striped
        else (mottle(rng, dark, 0.5),)
    )
    sketch.body(
        (-0.2, 0), 0.58, rng.uniform(0.36, 0.54), Paint(colour, marks, gloss=0.15), profile(0.6, 1, 1, 0.7, blunt=2.3)
    )
    sketch.body(
        (0.2, 0),
        0.36,
        0.32 if jumping else 0.26,
        Paint(darker(colour, 0.85), (stripes(1, dark, 0.3),)),
        profile(1, 1, 0.7, blunt=2.5),
    )
    for side in (1, -1):
        sketch.line([(0.36, side * 0.05), (0.46, side * 0.1), (0.52, side * 0.05)], 0.035, colour)
        sketch.body((0.33, side * 0.04), 0.03, 0.03, Paint((10, 10, 10)))
    return Look(
        [name],
        "mottled" if striped else "plain",
        ["two-part"],
        "none",
        0,
        count,
        "short" if jumping else "very long",
        "none",
        ["eight legs", "a round abdomen"],
    )


DRAWERS = {"mite": mite, "spider": spider}
