"""What the insects share: colours, surface marks, legs, antennae, eyes, hairs, clear wings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fine_tune.synthetic.sketch import Colour, Mark, Paint, Sketch, profile

PALETTE: dict[str, Colour] = {
    "black": (30, 28, 28),
    "dark grey": (66, 64, 64),
    "grey": (132, 130, 126),
    "pale grey": (190, 188, 182),
    "white": (242, 240, 234),
    "cream": (234, 222, 188),
    "yellow": (226, 192, 44),
    "pale yellow": (234, 222, 140),
    "orange": (224, 132, 36),
    "red": (190, 38, 32),
    "pink": (228, 146, 146),
    "brown": (112, 74, 42),
    "dark brown": (64, 44, 30),
    "reddish brown": (134, 60, 34),
    "tan": (184, 148, 102),
    "olive": (110, 110, 50),
    "green": (92, 148, 42),
    "light green": (164, 202, 100),
    "dark green": (48, 84, 26),
    "blue": (84, 124, 190),
    "metallic blue": (38, 70, 128),
    "metallic green": (38, 116, 66),
    "purple": (92, 60, 110),
}


@dataclass(frozen=True, slots=True)
class Pose:
    """How the insect lies: view, wings, legs and how the glue left it."""

    side: bool = False
    wings: str = "folded"
    crumpled: bool = False
    missing_leg: float = 0.0
    curl: float = 0.0


@dataclass(slots=True)
class Look:
    """What a drawing shows, in the words that captions use."""

    colours: list[str]
    pattern: str = "plain"
    shapes: list[str] = field(default_factory=list)
    wings: str = "none"
    wing_count: int = 0
    legs: int = 6
    leg_length: str = "medium"
    antennae: str = "short"
    features: list[str] = field(default_factory=list)


def pick(rng: np.random.Generator, names: str) -> str:
    """Choose one of a comma-separated list; a name given twice is twice as likely."""
    options = names.split(",")
    return options[int(rng.integers(len(options)))].strip()


def tone(rng: np.random.Generator, name: str, spread: float = 0.12) -> Colour:
    """Return a colour of that name, as it varies between animals."""
    light = 1 + rng.uniform(-spread, spread)
    r, g, b = np.clip(np.array(PALETTE[name]) * light * (1 + rng.uniform(-0.07, 0.07, 3)), 4, 250)
    return (float(r), float(g), float(b))


def darker(colour: Sequence[float], factor: float = 0.6) -> Colour:
    """Return the colour scaled."""
    return (min(250.0, colour[0] * factor), min(250.0, colour[1] * factor), min(250.0, colour[2] * factor))


def mix(a: Sequence[float], b: Sequence[float], share: float = 0.5) -> Colour:
    """Return `a` moved towards `b`."""
    r, g, c = (float(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return (r, g, c)


def bands(count: float, colour: Colour, width: float = 0.5, phase: float = 0.2, strength: float = 1.0) -> Mark:
    """Crosswise bands."""
    return (lambda u, t: ((u * count + phase + 0.05 * t * t) % 1.0 < width).astype(np.float32), colour, strength)


def stripes(count: float, colour: Colour, width: float = 0.45, strength: float = 1.0) -> Mark:
    """Lengthwise stripes, symmetric about the middle."""
    return (lambda _, t: ((np.abs(t) * count / 2 + width / 2) % 1.0 < width).astype(np.float32), colour, strength)


def spots(places: Sequence[tuple[float, float, float]], colour: Colour, aspect: float = 2.0) -> Mark:
    """Round spots at (u, t, radius in u); aspect is the part's length over its half width."""

    def where(u: np.ndarray, t: np.ndarray) -> np.ndarray:
        covered = np.zeros(u.shape, bool)
        for pu, pt, radius in places:
            covered |= (u - pu) ** 2 + ((t - pt) / aspect) ** 2 < radius * radius
        return covered.astype(np.float32)

    return (where, colour, 1.0)


def mottle(rng: np.random.Generator, colour: Colour, strength: float = 0.7, scale: float = 9.0) -> Mark:
    """Irregular cloudy patches."""
    a, b, c, d = rng.uniform(0, 6.3, 4)
    f, g = rng.uniform(0.7, 1.4, 2) * scale

    def where(u: np.ndarray, t: np.ndarray) -> np.ndarray:
        wave = np.sin(f * u + 2.2 * t + a) * np.sin(3.1 * t + b + 4 * u) + np.sin(g * 1.7 * u - 3 * t + c) * np.sin(
            5 * t + d
        )
        return np.clip(wave * 1.2 + 0.2, 0, 1)

    return (where, colour, strength)


def region(u0: float, u1: float, colour: Colour, strength: float = 1.0, t_max: float = 2.0) -> Mark:
    """One stretch of the axis, within `t_max` of the middle."""
    return (lambda u, t: ((u >= u0) & (u <= u1) & (np.abs(t) < t_max)).astype(np.float32), colour, strength)


def edge(colour: Colour, from_t: float = 0.8, strength: float = 1.0) -> Mark:
    """The rim along both sides."""
    return (lambda _, t: (np.abs(t) > from_t).astype(np.float32), colour, strength)


def seam(colour: Colour, half_width: float = 0.05, strength: float = 0.8) -> Mark:
    """The line between two wing cases."""
    return (lambda _, t: (np.abs(t) < half_width).astype(np.float32), colour, strength)


def rings(count: float, strength: float = 0.35) -> Mark:
    """Thin dark lines between segments."""
    return bands(count, (20, 16, 12), 0.16, 0.0, strength)


def bent(
    start: tuple[float, float], angles: Sequence[float] | np.ndarray, lengths: Sequence[float] | np.ndarray
) -> np.ndarray:
    """Return the joints, (n + 1, 2), of a jointed limb from absolute angles and lengths."""
    steps = np.stack([np.cos(angles) * lengths, np.sin(angles) * lengths], axis=1)
    return np.concatenate([[start], np.asarray(start) + np.cumsum(steps, axis=0)])


def legs(
    sketch: Sketch,
    rng: np.random.Generator,
    pose: Pose,
    colour: Colour,
    at: Sequence[float] = (0.22, 0.12, 0.02),
    spread: float = 0.1,
    length: float = 0.5,
    width: float = 0.03,
    hind: float = 1.25,
    thigh: float = 1.0,
    banded: Colour | None = None,
    fan: tuple[float, float] = (50, 135),
) -> int:
    """Draw jointed legs, one pair at each x of `at`; return how many are there.

    `hind` lengthens the last pair, `thigh` thickens its femora, `fan` holds the degrees from the head at which the
    first and the last pair leave the body.
    """
    drawn = 0
    pairs = len(at)
    for side in (1, -1):
        sway = rng.normal(0, 0.7 if pose.crumpled else 0.25)
        for i, x in enumerate(at):
            if rng.random() < pose.missing_leg:
                continue
            drawn += 1
            share = i / max(1, pairs - 1)
            last = i == pairs - 1
            out = sway + np.deg2rad(fan[0] + (fan[1] - fan[0]) * share + rng.normal(0, 13)) * (1 - pose.curl * 0.3)
            reach = length * (hind if last else 1.0) * rng.uniform(0.88, 1.1) * (1 - 0.25 * pose.curl)
            bend = np.deg2rad(rng.normal(-25 if share < 0.4 else 35, 16)) * (1 + 2.2 * pose.curl)
            angles = np.array([out, out + bend, out + bend * rng.uniform(1.0, 1.9)])
            root = (x, side * spread * 0.5)
            if pose.side:
                root = (x, -spread * 0.5)
                angles = np.array([0.25, 0.0, 0.1]) * rng.normal(0, 0.8) + np.deg2rad(-60 - 60 * share)
                angles = angles + np.array([0.5, -0.25, -0.1]) * (1 if share < 0.4 else -1) + rng.normal(0, 0.22)
            elif side < 0:
                angles = -angles
            joints = bent(root, angles, np.array([0.42, 0.38, 0.22]) * reach)
            heavy = thigh if last else 1.0
            ink = darker(colour, rng.uniform(0.85, 1.1))
            sketch.line(joints[0:2], width * 1.25 * heavy, ink)
            sketch.line(joints[1:3], width * 0.85, banded or ink)
            sketch.line(joints[2:4], width * 0.6, ink)
    return drawn


def antennae(
    sketch: Sketch,
    rng: np.random.Generator,
    at: tuple[float, float],
    length: float,
    width: float,
    colour: Colour,
    kind: str = "thread",
    spread: float = 28.0,
) -> None:
    """Draw a pair of antennae: thread, elbowed, clubbed, fan, feathery, bristle or beaded."""
    for side in (1, -1):
        a = np.deg2rad(rng.normal(spread, 9)) * side
        root = (at[0], at[1] + side * abs(width) * 1.2)
        if kind == "elbowed":
            joints = bent(root, [a * 1.5, a * 0.2 - side * 0.25], [length * 0.5, length * 0.55])
            sketch.line(joints[:2], width, colour)
            sketch.line(joints[1:], width * 1.5, colour)
            continue
        curve = a + side * np.linspace(0, rng.normal(0.5, 0.3), 5)
        joints = bent(root, curve, np.full(5, length / 5))
        sketch.line(joints, width, colour)
        if kind == "clubbed":
            sketch.body(tuple(joints[-1]), length * 0.2, width * 3.2, Paint(colour), angle=float(curve[-1]))
        elif kind == "fan":
            blades = [bent(tuple(joints[-1]), [curve[-1] + turn], [length * 0.4]) for turn in (-0.5, 0.0, 0.5)]
            sketch.lines(blades, width * 1.6, colour)
        elif kind == "feathery":
            barbs = []
            for joint, angle in zip(joints[1:], curve, strict=True):
                for turn in (0.9, -0.9):
                    barbs.append(bent(tuple(joint), [angle + turn], [length * 0.2]))
            sketch.lines(barbs, width * 0.6, colour)
        elif kind == "beaded":
            sketch.lines([joints[i : i + 1].repeat(2, 0) for i in range(1, 6)], width * 2.0, colour)


def eyes(
    sketch: Sketch,
    at: tuple[float, float],
    apart: float,
    length: float,
    colour: Colour,
    pose: Pose,
    width: float | None = None,
) -> None:
    """Draw a pair of compound eyes, one in side view."""
    paint = Paint(colour, relief=0.5, gloss=0.35)
    if pose.side:
        sketch.body((at[0], at[1] + apart * 0.1), length, (width or length) * 1.1, paint)
        return
    for side in (1, -1):
        sketch.body((at[0], at[1] + side * apart / 2), length, width or length, paint, angle=side * 0.25)


def hairs(
    sketch: Sketch,
    rng: np.random.Generator,
    centre: tuple[float, float],
    length: float,
    width: float,
    colour: Colour,
    count: int = 50,
    reach: float = 0.05,
    thickness: float = 0.006,
) -> None:
    """Draw short hairs around the outline of an ellipse."""
    turn = rng.uniform(0, 2 * np.pi, count)
    ring = np.stack([np.cos(turn) * length / 2, np.sin(turn) * width / 2], axis=1)
    out = ring / np.maximum(np.linalg.norm(ring, axis=1, keepdims=True), 1e-6)
    start = ring * 0.85 + np.asarray(centre)
    end = ring + np.asarray(centre) + out * (reach * rng.uniform(0.4, 1.1, (count, 1)))
    sketch.lines(list(np.stack([start, end], axis=1)), thickness, colour)


CLEAR_UPPER = profile(0.15, 0.45, 0.6, 0.6, 0.45, blunt=2.4)
CLEAR_LOWER = profile(0.25, 0.8, 1.0, 0.95, 0.7, blunt=2.2)
FLY_VEINS = (
    ((0.0, 0.1), (0.35, 0.45), (0.75, 0.5)),
    ((0.0, 0.0), (0.4, 0.15), (0.97, 0.12)),
    ((0.1, -0.05), (0.5, -0.2), (0.92, -0.3)),
    ((0.1, -0.15), (0.4, -0.5), (0.7, -0.85)),
    ((0.5, 0.14), (0.52, -0.2)),
)
Y_VEINS = (
    ((0.0, 0.15), (0.4, 0.42), (0.85, 0.42)),
    ((0.05, 0.0), (0.4, 0.02), (0.58, 0.02), (0.98, 0.22)),
    ((0.58, 0.02), (0.95, -0.22)),
    ((0.1, -0.1), (0.4, -0.35), (0.75, -0.8)),
)
NET_VEINS = (
    *FLY_VEINS,
    ((0.05, 0.0), (0.5, 0.32), (0.95, 0.3)),
    ((0.1, -0.1), (0.5, -0.42), (0.85, -0.6)),
    *tuple(((x, 0.6), (x + 0.02, -0.9)) for x in (0.2, 0.32, 0.44, 0.56, 0.68, 0.8, 0.9)),
)


def membrane(rng: np.random.Generator, tint: Colour | None = None, alpha: float | None = None) -> Paint:
    """Return the paint of a clear wing: glassy, smoky or brownish."""
    colour = tint or tone(rng, pick(rng, "grey,pale grey,white,tan,dark grey,brown,dark grey"), 0.15)
    return Paint(colour, relief=0.08, gloss=0.06, alpha=float(alpha or rng.uniform(0.3, 0.65)), grain=0.1, rim=0.3)


def clear_wings(
    sketch: Sketch,
    rng: np.random.Generator,
    pose: Pose,
    root: tuple[float, float],
    length: float,
    width: float,
    veins: Sequence[Sequence[tuple[float, float]]] = FLY_VEINS,
    pairs: int = 1,
    folded: float = 12.0,
    tint: Colour | None = None,
    alpha: float | None = None,
    vein_colour: Colour = (62, 52, 42),
    vein_width: float = 0.01,
) -> None:
    """Draw one or two pairs of clear wings: open, half open, folded over the body or crumpled."""
    paint = membrane(rng, tint, alpha)
    spread = {"open": rng.uniform(55, 95), "half": rng.uniform(25, 50), "folded": folded + rng.normal(0, 4)}[pose.wings]
    for pair in range(pairs - 1, -1, -1):
        for side in (1, -1):
            jitter = rng.normal(0, 28 if pose.crumpled else 8)
            angle = np.deg2rad(180 - side * (spread - pair * 22 * (spread > 20) + jitter))
            if pose.side:
                angle = np.deg2rad(180 - (10 + spread * 0.8 + 14 * (side < 0) - 12 * pair + jitter * 0.5))
            size = (1 - 0.28 * pair) * (rng.uniform(0.6, 1.0) if pose.crumpled else rng.uniform(0.95, 1.04))
            sketch.wing(
                (root[0] - 0.05 * pair, root[1] * (1 if pose.side else side)),
                length * size,
                width * size * (rng.uniform(0.55, 1.0) if pose.crumpled else 1.0),
                float(angle),
                paint,
                CLEAR_UPPER,
                CLEAR_LOWER,
                veins,
                vein_colour,
                vein_width,
                mirrored=side > 0 or pose.side,
            )


def wing_pair(
    sketch: Sketch,
    rng: np.random.Generator,
    pose: Pose,
    root: tuple[float, float],
    size: tuple[float, float],
    paint: Paint,
    shape: tuple[np.ndarray, np.ndarray],
    spread: tuple[float, float, float],
    veins: Sequence[Sequence[tuple[float, float]]] = (),
    ink: Colour = (80, 60, 40),
    vein_width: float = 0.012,
    fringe: float = 0.0,
) -> None:
    """Draw one pair of wings, alike on both sides.

    `size` is (length, width), `shape` the outer and inner outline, `spread` the degrees from the body's axis when
    folded, half open and open. In side view both lie along the back.
    """
    wide = spread[("folded", "half", "open").index(pose.wings)]
    for side in (1, -1):
        turn = side * (4.0 if pose.side else wide) + rng.normal(0, 12 if pose.crumpled else 2.5)
        place, angle = (root[0], side * root[1]), float(np.deg2rad(180 - turn))
        sketch.wing(place, *size, angle, paint, *shape, veins, ink, vein_width, fringe, mirrored=side > 0)


TAPER = profile(0.25, 0.8, 1.0, 0.95, 0.75, blunt=2.5)


def abdomen_angle(rng: np.random.Generator, pose: Pose, droop: float = 0.0) -> float:
    """Return how far an abdomen is bent, radians; `droop` is its mean in side view."""
    return float(rng.normal(droop if pose.side else 0, 0.3 if pose.crumpled else 0.07))


def tail(
    sketch: Sketch, start: float, length: float, width: float, paint: Paint, angle: float, shape: np.ndarray = TAPER
) -> None:
    """Draw an abdomen from its front end `start`, turned by `angle` about it."""
    centre = (start - np.cos(angle) * length / 2, -np.sin(angle) * length / 2)
    sketch.body((float(centre[0]), float(centre[1])), length, width, paint, shape, angle)
