"""Animals that crawl: caterpillars, other larvae, springtails, booklice, scale insects; and grasshoppers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    hairs,
    legs,
    mix,
    mottle,
    pick,
    rings,
    spots,
    stripes,
    tone,
)
from fine_tune.synthetic.sketch import ELLIPSE, Mark, Paint, Sketch, profile


def caterpillar(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Larvae of Lepidoptera and sawflies: a chain of soft rings, head capsule, stubby legs, no wings."""
    name = pick(rng, "green,light green,green,brown,yellow,grey,dark green,black,tan,cream")
    colour, head = tone(rng, name), tone(rng, pick(rng, "brown,black,green,orange,reddish brown"))
    number = int(rng.integers(11, 15))
    bow = rng.normal(0, 0.09) + rng.choice([0, 0, 0.13, -0.2])
    turns = np.cumsum(np.full(number, bow) + rng.normal(0, 0.06, number))
    turns = turns - turns.mean()
    chain = bent((-0.5, 0), turns, np.full(number, 1.0 / number))
    broad = rng.uniform(0.11, 0.2)
    kind = pick(rng, "plain,striped,spotted,striped,plain")
    other = tone(rng, pick(rng, "cream,white,yellow,dark brown,black"))
    marks: tuple[Mark, ...] = ()
    if kind == "striped":
        marks = (stripes(2, other, 0.3),)
    elif kind == "spotted":
        marks = (spots([(0.5, 0.45, 0.2), (0.5, -0.45, 0.2)], other, 1.0),)
    hairy = rng.random() < 0.25
    for i in range(number):
        x, y = (chain[i] + chain[i + 1]) / 2
        size = broad * (0.8 + 0.2 * np.sin(np.pi * (i + 0.7) / number))
        normal = turns[i] + np.pi / 2
        if i in (1, 4, 5, 6, 7) or i >= number - 4:
            for side in (-1,) if pose.side else (1, -1):
                foot = (x + side * np.cos(normal) * size * 0.68, y + side * np.sin(normal) * size * 0.68)
                sketch.line([(x, y), foot], 0.045 if i < 8 else 0.025, darker(colour, 0.8) if i < 8 else head)
        if hairy:
            hairs(sketch, rng, (x, y), size * 0.9, size, darker(other, 0.8), 10, 0.1)
        sketch.body(
            (x, y), 1.45 / number, size, Paint(colour, marks, relief=0.5, gloss=0.15, grain=0.12), angle=float(turns[i])
        )
    x, y = chain[-1]
    sketch.body((x, y), 0.1, broad * 0.85, Paint(head, gloss=0.3), angle=float(turns[-1]))
    shapes = ["long", "worm-like", "cylindrical"] if abs(bow) < 0.12 else ["curled", "worm-like"]
    return Look([name], kind, shapes, "none", 0, 6, "very short", "none", ["bristles"] if hairy else ["soft segments"])


def grasshopper(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Orthoptera: long body, huge folded hind legs with thick thighs, blunt head."""
    name = pick(rng, "green,brown,green,tan,olive,light green")
    colour = tone(rng, name)
    dark = darker(colour, 0.6)
    side = pose.side or rng.random() < 0.7
    pose = Pose(side, "folded", pose.crumpled, pose.missing_leg, pose.curl)
    count = legs(sketch, rng, pose, darker(colour, 0.85), (0.3, 0.16), 0.18, 0.34, 0.03)
    slim = rng.uniform(0.17, 0.23)
    sketch.body(
        (-0.12, -0.02),
        0.74,
        slim * 0.85,
        Paint(mix(colour, (200, 180, 100), 0.3), (rings(8, 0.4),)),
        profile(0.4, 0.8, 1, 1, blunt=3),
    )
    mottled = rng.random() < 0.4
    cover = Paint(mix(colour, dark, 0.3), (mottle(rng, dark, 0.6),) if mottled else (), relief=0.3)
    half = profile(0.8, 1, 0.9, 0.6, blunt=4)
    for k in (1, -1):
        sketch.wing(
            (0.18, 0.05 if side else k * slim * 0.2),
            rng.uniform(0.7, 0.85),
            slim * 0.55,
            float(np.pi + (0.0 if side else -k * 0.03)),
            cover,
            half,
            half,
            [[(0, 0), (0.95, 0)]],
            dark,
            0.008,
        )
    sketch.body((0.24, 0.0), 0.24, slim * 1.05, Paint(colour, (edge(dark, 0.85),)), profile(1, 1, 0.95, blunt=4))
    sketch.body((0.41, 0.0), 0.17, slim * 0.95, Paint(colour), profile(1, 1, 0.7, blunt=2.6))
    eyes(sketch, (0.43, 0.02), slim * 0.8, 0.065, (40, 26, 18), pose, 0.05)
    long_horn = rng.random() < 0.35
    antennae(sketch, rng, (0.48, 0.02), 1.0 if long_horn else 0.28, 0.018, dark, "thread", 30)
    for k in (1,) if side else (1, -1):
        angle = np.pi - (0.8 if side else k * rng.uniform(0.35, 0.8)) + rng.normal(0, 0.1)
        hip = np.array([0.04, 0.0 if side else k * slim * 0.4])
        knee = hip + 0.54 * np.array([np.cos(angle), np.sin(angle)])
        mid = (hip + knee) / 2
        sketch.line(
            bent(
                tuple(knee),
                [angle + (1 if side else -k) * (2.35 if side else -2.8), angle + (2.0 if side else 2.8 * k)],
                [0.46, 0.12],
            ),
            0.03,
            darker(colour, 0.8),
        )
        sketch.body(
            (float(mid[0]), float(mid[1])),
            0.58,
            0.16,
            Paint(mix(colour, dark, 0.35), (bands(9, dark, 0.3, 0, 0.4),), gloss=0.1),
            profile(0.35, 0.5, 0.9, 1, blunt=3),
            float(angle + np.pi),
        )
        count += 1
    return Look(
        [name],
        "mottled" if mottled else "plain",
        ["long"],
        "leathery",
        4,
        count,
        "long",
        "very long" if long_horn else "short",
        ["huge jumping hind legs"],
    )


@dataclass(frozen=True, slots=True)
class _Crawler:
    """How a wingless crawler is built: outline, limbs and mouth in body lengths, and the words for it."""

    colours: str
    broad: tuple[float, float]
    outline: np.ndarray
    patterns: str
    other: str
    leg: tuple[float, float, str]
    antenna: tuple[str, float, str]
    head: tuple[float, float]
    shapes: tuple[str, ...]
    features: tuple[str, ...]
    segments: float = 9
    spines: float = 0.0
    jaws: float = 0.0
    fork: float = 0.0
    gloss: float = 0.1
    wings: float = 0.0


_CRAWLERS: dict[str, _Crawler] = {
    "ladybird larva": _Crawler(
        "dark grey,black,dark grey,grey", (0.27, 0.34), profile(0.25, 0.7, 1, 1, 0.75, blunt=3), "spotted", "orange",
        (0.5, 0.042, "medium"), ("thread", 0.08, "very short"), (0.1, 0.13), ("spindle-shaped", "long"),
        ("orange spots", "rows of spines"), 10, 0.1),
    "lacewing larva": _Crawler(
        "tan,brown,cream,tan", (0.25, 0.32), profile(0.12, 0.7, 1, 0.9, 0.55, blunt=3), "striped,mottled",
        "reddish brown",
        (0.4, 0.034, "medium"), ("thread", 0.16, "short"), (0.12, 0.13), ("spindle-shaped", "long"),
        ("sickle jaws", "tufts of bristles"), 9, 0.09, 0.2),
    "springtail": _Crawler(
        "white,grey,dark grey,purple,pale yellow,tan", (0.2, 0.3), profile(0.5, 0.9, 1, 0.8, 0.7, blunt=4),
        "plain,plain,mottled", "dark grey", (0.24, 0.03, "short"), ("beaded", 0.34, "medium"), (0.17, 0.16),
        ("cylindrical", "soft"), ("a forked tail",), 6, 0.03, 0.0, 0.22),
    "booklouse": _Crawler(
        "tan,pale yellow,brown,cream,grey,tan", (0.34, 0.42), profile(0.6, 1, 0.95, 0.6, 0.5, blunt=3), "plain,banded",
        "brown", (0.4, 0.034, "medium"), ("thread", 0.75, "long"), (0.22, 0.27), ("soft", "swollen"),
        ("a large head", "thread-like antennae"), 7, wings=0.35),
}  # fmt: skip


def _crawler(build: _Crawler) -> Callable[[Sketch, np.random.Generator, Pose], Look]:
    """Return the drawer of a crawler."""

    def draw(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
        name, pattern = pick(rng, build.colours), pick(rng, build.patterns)
        colour, other = tone(rng, name), tone(rng, build.other)
        limb, broad = mix(colour, (50, 36, 24), rng.uniform(0.2, 0.6)), rng.uniform(*build.broad)
        reach, width, leg_words = build.leg
        count = legs(sketch, rng, pose, limb, (0.28, 0.18, 0.08), broad * 0.7, reach, width)
        for side in (1, -1):
            if build.jaws:
                sickle = [(0.46, side * 0.05), (0.48 + build.jaws * 0.6, side * 0.09), (0.48 + build.jaws, side * 0.01)]
                sketch.line(sickle, 0.03, darker(limb, 0.7))
            if build.fork:
                sketch.line([(-0.36, 0), (-0.48, side * 0.02), (-0.46 - build.fork, side * 0.07)], 0.026, limb)
        if build.spines:
            hairs(sketch, rng, (-0.08, 0), 0.8, broad, darker(colour, 0.6), 46, build.spines, 0.016)
        marks: list[Mark] = [rings(build.segments, 0.4)]
        if pattern == "spotted":
            size = rng.uniform(0.06, 0.085)
            rows = [(u, t, size) for u in (0.5, 0.63, 0.75)[: int(rng.integers(1, 4))] for t in (-0.6, 0.6)]
            marks.append(spots(rows, other, 3.0))
        elif pattern != "plain":
            dark = mix(colour, other, 0.75)
            kinds = {"striped": stripes(2, dark, 0.35), "mottled": mottle(rng, dark), "banded": bands(6, dark, 0.4)}
            marks.append(kinds[pattern])
        long, wide = build.head
        paint = Paint(colour, tuple(marks), relief=0.5, gloss=build.gloss, grain=0.15)
        bend = float(rng.normal(0, 0.25 if pose.crumpled else 0.05))
        sketch.body((-0.06, 0), 0.96 - long * 0.7, broad, paint, build.outline, bend)
        sketch.body((0.49 - long / 2, 0), long, wide, Paint(darker(colour, 0.85)), profile(1, 1, 0.8, blunt=2.6))
        eyes(sketch, (0.46, 0), wide * 0.7, 0.04, (24, 18, 16), pose)
        kind, length, antenna_words = build.antenna
        antennae(sketch, rng, (0.47, 0), length, 0.02, limb, kind, 36)
        winged = rng.random() < build.wings
        if winged:
            clear_wings(sketch, rng, pose, (0.2, 0.06), rng.uniform(0.95, 1.1), 0.36, pairs=2, folded=10)
        names = [name, build.other] if pattern == "spotted" else [name]
        wings, features = "clear" if winged else "none", list(build.features)
        return Look(names, pattern, list(build.shapes), wings, 4 * winged, count, leg_words, antenna_words, features)

    return draw


def scale_insect(sketch: Sketch, rng: np.random.Generator, _: Pose) -> Look:
    """Coccoidea under their shell: a dome without visible limbs, ridged, ringed like an oyster or smooth."""
    name = pick(rng, "brown,tan,reddish brown,grey,white,dark brown,yellow")
    colour = tone(rng, name)
    ringed = rng.random() < 0.5
    broad = rng.uniform(0.62, 0.95) if rng.random() < 0.75 else rng.uniform(0.32, 0.45)
    dark = darker(colour, 0.6)
    rim = edge(mix(colour, (225, 205, 160), 0.5), 0.85, 0.7)
    marks: tuple[Mark, ...] = (rim, mottle(rng, dark, 0.4))
    sketch.body(
        (0, 0), 1.0, broad, Paint(colour, marks, relief=0.7, gloss=0.25, grain=0.2), profile(0.9, 1, 0.9, blunt=2.2)
    )
    if ringed:
        for size, shade in ((0.66, 0.8), (0.4, 1.15), (0.2, 0.6)):
            ring = Paint(darker(colour, shade), relief=0.5, gloss=0.15, grain=0.2)
            sketch.body((0.16 * (1 - size), 0), size, broad * size, ring, ELLIPSE)
    elif rng.random() < 0.5:
        sketch.line([(-0.4, 0), (0.4, 0)], 0.05, dark)
    shapes = ["round", "domed"] if broad > 0.6 else ["oval", "mussel-shaped"]
    features = ["a domed shell", "no visible legs"]
    return Look([name], "ringed" if ringed else "plain", shapes, "none", 0, 0, "none", "none", features)


DRAWERS = {
    "caterpillar": caterpillar,
    "grasshopper": grasshopper,
    "scale insect": scale_insect,
    **{name: _crawler(build) for name, build in _CRAWLERS.items()},
}
