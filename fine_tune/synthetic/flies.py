"""Two-winged flies and other insects with clear wings: gnats, flies, mosquitoes, wasps, bees, ants, lacewings."""

from __future__ import annotations

import numpy as np

from fine_tune.synthetic.anatomy import (
    NET_VEINS,
    Y_VEINS,
    Look,
    Pose,
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
    tone,
)
from fine_tune.synthetic.sketch import Paint, Sketch, profile

TAPER = profile(0.25, 0.8, 1.0, 0.95, 0.75, blunt=2.5)
GASTER = profile(0.15, 0.75, 1.0, 0.9, 0.35, blunt=2.5)


def _abdomen_angle(rng: np.random.Generator, pose: Pose, droop: float = 0.0) -> float:
    return float(rng.normal(droop if pose.side else 0, 0.3 if pose.crumpled else 0.07))


def _tail(
    sketch: Sketch, start: float, length: float, width: float, paint: Paint, angle: float, shape: np.ndarray = TAPER
) -> None:
    """Draw an abdomen from its front end `start`, turned by `angle` about it."""
    centre = (start - np.cos(angle) * length / 2, -np.sin(angle) * length / 2)
    sketch.body((float(centre[0]), float(centre[1])), length, width, paint, shape, angle)


def fungus_gnat(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Sciaridae: small head, humped thorax, slender abdomen, long legs, beaded antennae, grey wings with a Y vein."""
    name = pick(rng, "black,black,dark grey,dark brown,dark brown,brown")
    colour = tone(rng, name)
    count = legs(
        sketch, rng, pose, mix(colour, (120, 90, 60), 0.25), (0.3, 0.22, 0.14), 0.1, rng.uniform(0.75, 1.0), 0.026
    )
    angle = _abdomen_angle(rng, pose, 0.15)
    slim = rng.uniform(0.11, 0.18)
    _tail(sketch, 0.18, 0.68, slim, Paint(colour, (rings(7, 0.5),)), angle, profile(0.3, 0.7, 1, 1, 0.9, blunt=3))
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
    angle = _abdomen_angle(rng, pose, 0.1)
    _tail(sketch, 0.03, 0.52, 0.36, Paint(black, (bands(5, yellow, 0.1, 0.2, 0.5), edge(yellow, 0.84))), angle)
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
    angle = _abdomen_angle(rng, pose, 0.25)
    male = rng.random() < 0.4
    marks = (bands(5, dark, 0.36, 0.1), *((region(0, 0.4, dark),) if male else ()))
    _tail(sketch, 0.05, 0.55, 0.36, Paint(colour, marks), angle, profile(0.3, 0.85, 1, 0.95, 0.7, blunt=2.3))
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
    angle = _abdomen_angle(rng, pose, 0.12)
    back = colour if metal or rng.random() < 0.6 else tone(rng, pick(rng, "brown,grey,dark brown"))
    marks = () if metal else (mottle(rng, darker(back, 0.45), 0.6),)
    _tail(
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
    angle = _abdomen_angle(rng, pose)
    number = float(rng.integers(3, 6))
    slim = rng.uniform(0.2, 0.3)
    _tail(
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
    angle = _abdomen_angle(rng, pose, 0.25)
    _tail(
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


def lacewing(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Chrysopidae and Hemerobiidae: thin green or brown body under four large net-veined clear wings."""
    name = pick(rng, "light green,green,light green,tan,pale yellow,brown")
    colour = tone(rng, name)
    count = legs(sketch, rng, pose, colour, (0.28, 0.2, 0.1), 0.1, 0.42, 0.02)
    angle = _abdomen_angle(rng, pose)
    _tail(sketch, 0.15, 0.62, 0.1, Paint(colour, (rings(7, 0.3),)), angle, profile(0.6, 1, 1, 0.9, blunt=4))
    sketch.body((0.24, 0), 0.24, 0.15, Paint(colour))
    sketch.body((0.4, 0), 0.1, 0.14, Paint(colour))
    eyes(sketch, (0.41, 0), 0.14, 0.07, tone(rng, pick(rng, "orange,reddish brown,yellow,black")), pose)
    antennae(sketch, rng, (0.45, 0), rng.uniform(0.7, 1.0), 0.014, darker(colour, 0.8), "thread", 20)
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
    angle = _abdomen_angle(rng, pose, 0.2)
    if rng.random() < 0.45:
        sting = bent_tail(angle, rng.uniform(0.58, 1.0))
        sketch.line(sting, 0.016, (50, 34, 24))
    sketch.line([(0.1, 0), (0.02, 0)], 0.04, chest)
    _tail(
        sketch,
        0.05,
        0.5,
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
        rng.uniform(0.25, 0.5),
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


def bent_tail(angle: float, reach: float) -> list[tuple[float, float]]:
    """Return the line of an ovipositor behind an abdomen turned by `angle`."""
    return [(-0.3 * np.cos(angle), -0.3 * np.sin(angle)), (-reach * np.cos(angle), -reach * np.sin(angle * 1.3))]


def wasp(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Vespidae: smooth, yellow and black bands, wasp waist, four brownish wings, thick antennae."""
    name = pick(rng, "yellow,yellow,orange,yellow")
    bright, black = tone(rng, name), tone(rng, "black")
    count = legs(sketch, rng, pose, bright if rng.random() < 0.8 else black, (0.22, 0.14, 0.05), 0.14, 0.52, 0.034)
    angle = _abdomen_angle(rng, pose, 0.2)
    sketch.line([(0.08, 0), (0.0, 0)], 0.045, black)
    _tail(
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
    angle = _abdomen_angle(rng, pose, 0.15)
    marks = (region(0, 0.22, tone(rng, "white")), region(0.45, 0.7, bright)) if bumble else (bands(5, bright, 0.5),)
    fuzz = mix(bright, black, 0.5)
    hairs(sketch, rng, (-0.2, 0), 0.55, broad, fuzz, 70, 0.06)
    _tail(
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
    sketch.body((0.18, 0), 0.32, broad * 0.95, Paint(chest, (region(0.2, 0.6, black, 0.6),), grain=0.3, gloss=0.0))
    sketch.body((0.41, 0), 0.15, 0.24, Paint(darker(black, 1.2)))
    eyes(sketch, (0.4, 0), 0.2, 0.15, (30, 24, 20), pose, 0.08)
    antennae(sketch, rng, (0.47, 0), 0.22, 0.026, black, "elbowed", 36)
    return Look(["black", name], "banded", ["broad", "hairy"], "clear", 4, count, "medium", "elbowed", ["a furry body"])


def ant(sketch: Sketch, rng: np.random.Generator, pose: Pose) -> Look:
    """Formicidae: three separate parts with a node between, elbowed antennae, as a rule without wings."""
    name = pick(rng, "black,black,reddish brown,brown,dark brown,red,tan")
    colour = tone(rng, name)
    count = legs(sketch, rng, pose, darker(colour, 0.9), (0.16, 0.1, 0.04), 0.1, rng.uniform(0.5, 0.68), 0.026, 1.15)
    angle = _abdomen_angle(rng, pose, 0.1)
    rear = darker(colour, rng.uniform(0.5, 1.0))
    sketch.line([(0.05, 0), (-0.16, 0)], 0.03, colour)
    _tail(sketch, -0.1, 0.4, rng.uniform(0.22, 0.3), Paint(rear, (rings(4, 0.3),), gloss=0.4), angle, GASTER)
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
    "fungus gnat": fungus_gnat,
    "leafminer fly": leafminer_fly,
    "fruit fly": fruit_fly,
    "house fly": house_fly,
    "hoverfly": hoverfly,
    "mosquito": mosquito,
    "lacewing": lacewing,
    "parasitoid wasp": parasitoid_wasp,
    "wasp": wasp,
    "bee": bee,
    "ant": ant,
}
