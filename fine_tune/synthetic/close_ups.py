"""Close-ups of one rendered insect as people photograph it: rounded and glossy, from any side, on plants in the open.

The drawings are those of `fine_tune.synthetic.crops`. What a trap does not show is added: light on a rounded body, a
view that is tilted, a ground out of focus, flowers and blades before and behind.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from fine_tune.synthetic import backgrounds
from fine_tune.synthetic.anatomy import Look, Pose
from fine_tune.synthetic.backgrounds import point
from fine_tune.synthetic.camera import Shot, photograph
from fine_tune.synthetic.clutter import draw_clutter, paste
from fine_tune.synthetic.crops import (
    Attributes,
    RenderedCrop,
    cast_shadow,
    check_group,
    describe,
    draw_insect,
    seen_colours,
)
from fine_tune.synthetic.groups import NONE

#: Grounds and their shares; "photo" only where patches are given.
GROUNDS = {
    "photo": 0.3,
    "blurred": 0.24,
    "flower": 0.2,
    "leaf": 0.13,
    "bark": 0.03,
    "soil": 0.03,
    "paper": 0.03,
    "skin": 0.04,
}
#: What a ground is called where captions have no word for it.
_CALLED = {"photo": "plants", "blurred": "plants", "skin": "hand"}
_GREENS = ((70, 105, 40), (110, 145, 60), (45, 70, 35), (150, 175, 95), (95, 120, 80), (130, 150, 45))
_EARTH = ((120, 100, 75), (80, 65, 50), (165, 150, 125), (60, 52, 45), (200, 190, 170), (30, 30, 26))
_PETALS = (
    (250, 250, 245),
    (250, 215, 30),
    (240, 150, 25),
    (190, 120, 200),
    (225, 120, 165),
    (120, 120, 215),
    (215, 50, 45),
)
#: Share of the crop's side that the insect takes, from and to.
SHARES = (0.45, 1.15)
#: How often an insect has another colour than its group is drawn in, so that its form has to tell.
RECOLOURED = 0.25


def _pick(rng: np.random.Generator, colours: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    colour = np.array(colours[int(rng.integers(len(colours)))], np.float64)
    return np.clip(colour * rng.uniform(0.65, 1.2) * (1 + rng.normal(0, 0.06, 3)), 0, 255)


def relight(rng: np.random.Generator, layer: np.ndarray) -> None:
    """Light a premultiplied layer (h, w, 4) as a rounded, more or less glossy body under sun or sky, in place.

    Its height is that of a balloon of its outline, with the relief of its markings on top (Johnston, Lumo, NPAR 2002,
    inflates drawings so).
    """
    cover = layer[..., 3]
    solid = (cover > 0.55).astype(np.uint8)
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
    radius = max(3.0, float(np.percentile(depth[solid > 0], 92)) if solid.any() else 3.0)
    height = np.sqrt(np.clip(depth / radius, 0, 1)) * radius
    tone = layer[..., :3].mean(axis=2) / np.maximum(cover, 0.05)
    height += cv2.GaussianBlur(tone, (0, 0), 1.2) / 255 * radius * float(rng.uniform(-0.25, 0.35))
    height = cv2.GaussianBlur(height, (0, 0), max(1.0, radius * float(rng.uniform(0.04, 0.12))))
    height += backgrounds.noise(rng, len(height), height.shape[1], 0) * float(rng.choice((0.0, 0.15, 0.5)))
    strength = float(rng.uniform(0.6, 1.5))
    dx, dy = (cv2.Sobel(height, cv2.CV_32F, *axis, ksize=3) / 8 * strength for axis in ((1, 0), (0, 1)))
    normal = np.dstack([-dx, -dy, np.ones_like(dx)])
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    turn, lift = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.4)
    sun = np.array([np.cos(turn) * np.cos(lift), np.sin(turn) * np.cos(lift), np.sin(lift)], np.float32)
    between = sun + np.array([0, 0, 1], np.float32)
    ambient = float(rng.uniform(0.35, 0.8))
    diffuse = ambient + (1.15 - ambient) * np.clip(normal @ sun, 0, None)
    glint = np.clip(normal @ (between / np.linalg.norm(between)), 0, None) ** float(rng.uniform(6, 70))
    sky = np.clip(0.5 - normal[..., 1], 0, 1) ** 2
    gloss = float(rng.choice((0.0, 0.12, 0.35, 0.8)))
    seen = solid.astype(np.float32)
    layer[..., :3] *= (1 + (diffuse - 1) * seen)[..., None]
    shine = (glint * 210 + sky * 50) * gloss * seen * cover
    layer[..., :3] += shine[..., None] * np.array([1, 1, rng.uniform(0.9, 1.1)], np.float32)
    np.minimum(layer[..., :3], 255 * cover[..., None], out=layer[..., :3])


def recolour(rng: np.random.Generator, layer: np.ndarray) -> None:
    """Give a premultiplied layer another colour than its kind is drawn in, in place: dark, metallic, or another hue."""
    kind, cover = rng.random(), np.maximum(layer[..., 3:], 1e-3)
    colour = layer[..., :3] / cover / 255
    tone = colour.mean(axis=2, keepdims=True)
    if kind < 0.4:  # nearly black, with some of its own colour
        colour = (tone * 0.3 + colour * 0.7) * float(rng.uniform(0.12, 0.45))
    elif kind < 0.65:  # green, blue, bronze metal
        metal = _pick(rng, ((60, 140, 70), (50, 80, 150), (140, 100, 45), (110, 60, 130), (40, 110, 110))) / 255
        colour = (0.35 + 0.8 * tone) * metal.astype(np.float32)
    else:
        hls = cv2.cvtColor(np.clip(colour, 0, 1).astype(np.float32), cv2.COLOR_RGB2HLS)
        hls[..., 0] = (hls[..., 0] + float(rng.uniform(-40, 40))) % 360
        hls[..., 2] *= float(rng.uniform(0.3, 1.2))
        colour = cv2.cvtColor(np.clip(hls, 0, (360, 1, 1)).astype(np.float32), cv2.COLOR_HLS2RGB)
    layer[..., :3] = np.clip(colour, 0, 1) * 255 * layer[..., 3:]


def tilt(rng: np.random.Generator, layer: np.ndarray) -> np.ndarray:
    """A layer seen from an angle of up to 65 degrees: shortened one way, its far end smaller."""
    h, w = layer.shape[:2]
    turn, angle = rng.uniform(0, np.pi), np.deg2rad(rng.uniform(0, 65))
    c, s = np.cos(turn), np.sin(turn)
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float64)
    flat = (corners - (w / 2, h / 2)) @ np.array([[c, -s], [s, c]])
    far = 1 + rng.uniform(0.0, 0.45) * np.sin(angle) * flat[:, 0] / max(w, h)
    seen = np.column_stack([flat[:, 0] * np.cos(angle), flat[:, 1]]) / far[:, None]
    seen = seen @ np.array([[c, s], [-s, c]])
    seen -= seen.min(axis=0)
    size = tuple(int(v) for v in np.ceil(seen.max(axis=0)))
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), seen.astype(np.float32))
    return np.asarray(cv2.warpPerspective(layer, matrix, size, flags=cv2.INTER_AREA))


def _blurred(rng: np.random.Generator, size: int) -> np.ndarray:
    """A ground far behind: soft patches of plants, earth, sky and flowers."""
    calm = rng.random() < 0.4
    base = _pick(rng, _GREENS if rng.random() < 0.7 else _EARTH)
    image = np.ones((size, size, 3), np.float32) * base.astype(np.float32)
    for _ in range(int(rng.integers(1, 4) if calm else rng.integers(5, 28))):
        kind = rng.random()
        colour = _pick(rng, _GREENS if kind < 0.6 else _EARTH if kind < 0.85 else _PETALS)
        sheet = np.zeros((size, size), np.uint8)
        middle = tuple(int(v) for v in rng.uniform(0, size, 2))
        if rng.random() < 0.4:  # a blade
            end = tuple(int(v) for v in rng.uniform(-0.3, 1.3, 2) * size)
            cv2.line(sheet, middle, end, 255, int(rng.integers(2, max(3, size // 10))), cv2.LINE_AA)
        else:
            radius = float(np.exp(rng.uniform(np.log(size * 0.03), np.log(size * 0.4))))
            axes = (int(radius), max(1, int(radius * rng.uniform(0.3, 1))))
            cv2.ellipse(sheet, middle, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
        soft = cv2.GaussianBlur(sheet, (0, 0), size * float(np.exp(rng.uniform(np.log(0.008), np.log(0.12)))))
        backgrounds.blend_mask(image, soft, colour.tolist(), float(rng.uniform(0.4, 1)))
    return image


def _petal(rng: np.random.Generator, root: np.ndarray, turn: float, length: float, width: float) -> np.ndarray:
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    u = np.linspace(0, 1, 14)
    half = width / 2 * np.sin(np.pi * u**0.8) ** 0.7
    bend = across * (rng.normal(0, 0.06) * length * u[:, None] ** 2)
    sides = [root + along * (length * u[:, None]) + across * (sign * half[:, None]) + bend for sign in (1, -1)]
    return np.concatenate([sides[0], sides[1][::-1]])


def _flower(rng: np.random.Generator, image: np.ndarray, centre: np.ndarray, radius: float) -> None:
    """Draw a daisy, a thistle or an umbel, in place."""
    colour, heart = _pick(rng, _PETALS), _pick(rng, ((240, 200, 30), (200, 150, 40), (120, 140, 50), (90, 60, 40)))
    kind = rng.random()
    if kind < 0.45:
        count, width = int(rng.integers(5, 34)), rng.uniform(0.1, 0.35)
        core = radius * rng.uniform(0.12, 0.45)
        for turn in np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.normal(0, 0.06, count):
            outline = _petal(
                rng,
                centre + core * 0.7 * np.array([np.cos(turn), np.sin(turn)]),
                turn,
                radius - core * 0.7,
                radius * width,
            )
            tone = np.clip(colour * rng.uniform(0.8, 1.08), 0, 255)
            cv2.fillPoly(image, [np.round(outline * 8).astype(np.int32)], tone.tolist(), cv2.LINE_AA, 3)
        _grains(rng, image, centre, core, heart, 160)
    elif kind < 0.7:  # many thin spikes
        for _ in range(int(rng.integers(60, 220))):
            turn, reach = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0.5, 1)
            tip = centre + reach * np.array([np.cos(turn), np.sin(turn)])
            start = centre + rng.normal(0, radius * 0.15, 2)
            tone = np.clip(colour * rng.uniform(0.55, 1.1), 0, 255).tolist()
            cv2.line(image, point(start), point(tip), tone, int(rng.integers(1, 4)), cv2.LINE_AA)
    else:
        _grains(rng, image, centre, radius, colour, int(rng.integers(40, 260)))


def _grains(
    rng: np.random.Generator, image: np.ndarray, centre: np.ndarray, radius: float, colour: np.ndarray, count: int
) -> None:
    """Draw a disc of small bright pieces, in place: a flower's heart, an umbel."""
    for _ in range(count):
        turn, reach = rng.uniform(0, 2 * np.pi), radius * np.sqrt(rng.uniform())
        place = tuple(int(v) for v in centre + reach * np.array([np.cos(turn), np.sin(turn)]))
        tone = np.clip(colour * rng.uniform(0.5, 1.15), 0, 255).tolist()
        cv2.circle(image, place, max(1, int(radius * rng.uniform(0.03, 0.14))), tone, -1, cv2.LINE_AA)


def garden_ground(rng: np.random.Generator, size: int, patches: np.ndarray | None = None) -> tuple[np.ndarray, str]:
    """A ground (size, size, 3) float32 and its kind."""
    names = [name for name in GROUNDS if name != "photo" or (patches is not None and len(patches))]
    shares = np.array([GROUNDS[name] for name in names])
    kind = names[int(rng.choice(len(names), p=shares / shares.sum()))]
    if kind == "photo":
        assert patches is not None
        patch = np.rot90(patches[int(rng.integers(len(patches)))], int(rng.integers(4)))
        side = int(len(patch) * rng.uniform(0.5, 1))
        y, x = rng.integers(0, len(patch) - side + 1, 2)
        piece = np.ascontiguousarray(patch[y : y + side, x : x + side])
        return cv2.resize(piece, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.float32), kind
    if kind in ("blurred", "flower"):
        image = _blurred(rng, size)
        if kind == "flower":
            for _ in range(int(rng.integers(1, 4))):
                _flower(rng, image, rng.uniform(0.1, 0.9, 2) * size, size * rng.uniform(0.15, 0.75))
    elif kind == "skin":
        image = backgrounds.surface(rng, "leaf", size)
        image *= _pick(rng, backgrounds.SKIN).astype(np.float32) / image.mean(axis=(0, 1)).clip(1)
    else:
        image = backgrounds.surface(rng, kind, size)
    if rng.random() < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), size * float(np.exp(rng.uniform(np.log(0.002), np.log(0.03)))))
    level = 1 + float(rng.uniform(0, 0.3)) * backgrounds.noise(rng, size, size, 4)
    return image * np.clip(level, 0.3, 1.7)[..., None], kind


def _before(rng: np.random.Generator, image: np.ndarray, reach: float) -> None:
    """Let a soft blade or petal cover a piece of the picture that is no more than `reach` from its border, in place."""
    size = len(image)
    sheet = np.zeros((size, size), np.uint8)
    turn = rng.uniform(0, 2 * np.pi)
    root = size / 2 + np.array([np.cos(turn), np.sin(turn)]) * size * 0.72
    outline = _petal(rng, root, turn + np.pi + rng.normal(0, 0.4), size * (0.2 + reach), size * rng.uniform(0.08, 0.35))
    cv2.fillPoly(sheet, [np.round(outline * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    soft = cv2.GaussianBlur(sheet, (0, 0), size * float(rng.uniform(0.004, 0.04)))
    colour = _pick(rng, _GREENS if rng.random() < 0.7 else _PETALS)
    backgrounds.blend_mask(image, soft, colour.tolist(), float(rng.uniform(0.6, 1)))


def _focus(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Keep a band of the picture sharp and blur what is nearer and farther."""
    size = len(image)
    turn = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    off = np.clip(np.abs(x * np.cos(turn) + y * np.sin(turn) - rng.normal(0, 0.15)) - rng.uniform(0.15, 0.5), 0, None)
    soft = cv2.GaussianBlur(image, (0, 0), size * float(rng.uniform(0.006, 0.025)))
    share = np.clip(off * float(rng.uniform(1.5, 4)), 0, 1)[..., None]
    return np.asarray(image * (1 - share) + soft * share, np.float32)


def living_insect(
    rng: np.random.Generator, group: str, long_side: float, light: float
) -> tuple[np.ndarray, Look, Pose, float, tuple[str, ...]]:
    """Draw an insect at rest on nothing, some in another colour, rounded by light, seen from any side.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all variation.
    group : str
        A name of `GROUP_NAMES`.
    long_side : float
        About the length in pixels of the longer side of its bounding box.
    light : float
        Direction of the light, radians.

    Returns
    -------
    tuple
        As `draw_insect` gives, and the colours that are seen.
    """
    layer, look, pose, tone = draw_insect(rng, group, long_side * 1.1, False, light, in_gardens=True)
    recoloured = rng.random() < RECOLOURED
    if recoloured:
        recolour(rng, layer)
    shown = seen_colours(layer)
    if recoloured:
        look = replace(look, colours=list(shown))
    if rng.random() < 0.85:
        relight(rng, layer)
    if rng.random() < 0.7:
        layer = tilt(rng, layer)
        grow = min(1.6, long_side / max(layer.shape[:2]))
        layer = cv2.resize(layer, None, fx=grow, fy=grow, interpolation=cv2.INTER_LINEAR)
    return layer, look, pose, tone, shown


def render_close_up(
    rng: np.random.Generator, group: str, size: int = 208, patches: np.ndarray | None = None
) -> RenderedCrop:
    """Render a close-up of one insect, or, for "none", of plants and things without one.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all variation; the same state gives the same picture.
    group : str
        A name of `GROUP_NAMES`, or "none".
    size : int
        Side in pixels.
    patches : ndarray, shape (n, s, s, 3), uint8, optional
        Pieces of photos without an insect, RGB, for some of the grounds.

    Raises
    ------
    ValueError
        The group is unknown.
    """
    check_group(group)
    work = round(size * 1.4)
    image, kind = garden_ground(rng, work, patches)
    called = _CALLED.get(kind, kind)
    share = float(np.exp(rng.uniform(*np.log(SHARES))))
    shot = Shot(float(size * share * rng.choice((1.0, 0.7, 0.45), p=(0.5, 0.3, 0.2))), float(rng.uniform(0.3, 1.0)))
    if group == NONE:
        clutter = draw_clutter(image, rng) if rng.random() < 0.3 else "plain"
        pixels = photograph(rng, image, shot, 1 / share, size)
        return RenderedCrop(pixels, NONE, Attributes(background=called, clutter=clutter), shot)
    light = float(rng.uniform(0, 2 * np.pi))
    layer, look, pose, tone, shown = living_insect(rng, group, work * share, light)
    h, w = layer.shape[:2]
    room = work * (1 - share) / 2
    x, y = (int((work - n) / 2 + rng.normal(0, 0.3) * room + rng.normal(0, 0.02) * work) for n in (w, h))
    if kind != "blurred" and rng.random() < 0.8:
        cast_shadow(rng, image, layer, x, y, light + np.pi)
    paste(image, layer, x, y)
    if rng.random() < 0.25:
        _before(rng, image, (1 - share) * 0.4 + 0.12)
    if rng.random() < 0.55:
        image = _focus(rng, image)
    pixels = photograph(rng, image, shot, 1 / share, size)
    return RenderedCrop(pixels, group, describe(look, pose, tone, called, shown), shot)
