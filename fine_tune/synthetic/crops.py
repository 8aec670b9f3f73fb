"""Square crops of one rendered insect with its attributes: the training pictures of the embedded encoder."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fine_tune.synthetic import backgrounds
from fine_tune.synthetic.anatomy import PALETTE, Look, Pose
from fine_tune.synthetic.attributes import BASIC_COLOURS
from fine_tune.synthetic.camera import Shot, choose_shot, photograph
from fine_tune.synthetic.clutter import draw_clutter, dress, paste
from fine_tune.synthetic.groups import GROUP_NAMES, NONE
from fine_tune.synthetic.insects import DRAWERS
from fine_tune.synthetic.insects.gardens import GARDEN_DRAWERS
from fine_tune.synthetic.sketch import Sketch

# Wax and scales shed glue: these stay pale on a card where a bare body turns dark.
_DARKEST = {"whitefly": 0.75, "mealybug": 0.7, "moth": 0.55, "butterfly": 0.6, "lacewing": 0.5}

#: How often a living insect of a group with kinds of gardens is one of these.
GARDEN_SHARE = 0.65


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a crop shows, in words.

    `colours` are those seen on the drawing (a green body darkened by glue is "dark green" or "black"), the largest
    first; `body_colours` are the animal's own. `clutter` names the thing shown by a crop of group "none".
    """

    colours: tuple[str, ...] = ()
    body_colours: tuple[str, ...] = ()
    pattern: str = "plain"
    shapes: tuple[str, ...] = ()
    wings: str = "none"
    wing_count: int = 0
    legs: int = 0
    leg_length: str = "none"
    antennae: str = "none"
    features: tuple[str, ...] = ()
    pose: str = "dorsal"
    background: str = "unknown"
    clutter: str = ""


@dataclass(frozen=True, slots=True)
class RenderedCrop:
    """A rendered crop: pixels (size, size, 3) uint8 RGB, its group, what it shows, how it was photographed."""

    pixels: np.ndarray
    group: str
    attributes: Attributes
    shot: Shot


def choose_pose(rng: np.random.Generator) -> Pose:
    """Draw how an insect lies; never looks at the group."""
    return Pose(
        side=bool(rng.random() < 0.32),
        wings=("folded", "half", "open")[int(rng.choice(3, p=[0.5, 0.25, 0.25]))],
        crumpled=bool(rng.random() < 0.36),
        missing_leg=float(rng.choice([0, 0.12, 0.4], p=[0.55, 0.3, 0.15])),
        curl=float(rng.choice([0.0, 0.4, 1.0], p=[0.55, 0.25, 0.2])),
    )


def resting_pose(rng: np.random.Generator) -> Pose:
    """Draw how a living insect sits: whole, and mostly with its wings folded."""
    return Pose(
        side=bool(rng.random() < 0.35),
        wings=("folded", "half", "open")[int(rng.choice(3, p=[0.62, 0.24, 0.14]))],
        missing_leg=float(rng.choice([0, 0.15], p=[0.85, 0.15])),
    )


def _lab(colours: np.ndarray) -> np.ndarray:
    """CIELAB of (n, 3) float32 RGB in 0..255."""
    return cv2.cvtColor(colours[None] / np.float32(255), cv2.COLOR_RGB2LAB)[0]


_SEEN = {**PALETTE, "dark red": (92.0, 22.0, 18.0), "dark blue": (30.0, 48.0, 92.0)}
_SEEN_NAMES = tuple(_SEEN)
_SEEN_LAB = _lab(np.array(list(_SEEN.values()), np.float32))
_SEEN_BASIC = np.array([BASIC_COLOURS[name] for name in _SEEN])
_COLOURED = {word for name in PALETTE for word in name.split()} - {"dark"} | {"golden", "red-brown"}
#: A colour is seen on an insect that has it on at least this share of its body; a few hundred pixels tell.
_SEEN_SHARE, _SEEN_PIXELS = 0.25, 400
#: How bright a rounded, evenly coloured surface is on average; the eye takes its shading off.
_SHADING = 0.92


def seen_colours(layer: np.ndarray) -> tuple[str, ...]:
    """Return the words for the colours that an insect shows, the one that covers most of it first.

    Each pixel has the palette's nearest colour in CIELAB. Shades of one basic colour count together, by the name of the
    commonest; clear wings do not count.

    Parameters
    ----------
    layer : numpy.ndarray
        Premultiplied (h, w, 4) float32, as `draw_insect` returns it.
    """
    body = layer[layer[..., 3] > 0.7 * layer[..., 3].max()]
    body = body[:: -(-len(body) // _SEEN_PIXELS)]
    lab = _lab(np.ascontiguousarray(np.clip(body[:, :3] / body[:, 3:] / _SHADING, 0, 255)))
    nearest = np.linalg.norm(lab[:, None] - _SEEN_LAB, axis=2).argmin(axis=1)
    names, counts = np.unique(nearest, return_counts=True)
    which = np.unique(_SEEN_BASIC[names], return_inverse=True)[1]
    covered = np.bincount(which, weights=counts)
    order = covered.argsort()[::-1]
    shown = [i for i in order if covered[i] >= _SEEN_SHARE * len(body)] or [order[0]]
    return tuple(_SEEN_NAMES[names[np.where(which == i, counts, 0).argmax()]] for i in shown)


def draw_insect(
    rng: np.random.Generator,
    group: str,
    long_side: float,
    wet: bool,
    light: float,
    body_length: float | None = None,
    colour: str | None = None,
    in_gardens: bool = False,
) -> tuple[np.ndarray, Look, Pose, float]:
    """Draw one insect of a group on nothing.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all variation.
    group : str
        A name of `GROUP_NAMES`.
    long_side : float
        Length in pixels of the longer side of its bounding box.
    wet : bool
        Whether glue or water may darken it and make it translucent.
    light : float
        Direction of the light, radians.
    body_length : float, optional
        Length in pixels of the body, instead of `long_side`.
    colour : str, optional
        First body colour wanted; drawings are repeated some times until one has it.
    in_gardens : bool
        Whether it is alive and at rest, of all kinds that people photograph; otherwise it lies as on a trap.

    Returns
    -------
    tuple
        Premultiplied (h, w, 4) float32 layer, what is shown, the pose, the tone the body was darkened to.
    """
    darkened = wet and rng.random() < 0.7
    tone = float(rng.uniform(_DARKEST.get(group, 0.28), 0.85) if darkened else rng.uniform(0.85, 1.12))
    for _ in range(1 if colour is None else 30):
        sketch = Sketch(tone=tone)
        pose = resting_pose(rng) if in_gardens else choose_pose(rng)
        drawer = DRAWERS[group]
        if in_gardens and rng.random() < GARDEN_SHARE:
            drawer = GARDEN_DRAWERS.get(group, drawer)
        look = drawer(sketch, rng, pose)
        if look.colours[0] == colour:
            break
    turn = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(turn), np.sin(turn)
    squash = np.diag([rng.uniform(0.8, 1.0), rng.choice((1, -1)) * rng.uniform(0.8, 1.0)])
    layer = sketch.rasterise(np.array([[c, -s], [s, c]]) @ squash, long_side, light, backgrounds.GRAIN, body_length)
    if pose.crumpled or rng.random() < 0.3:
        layer = _warp(rng, layer, 0.05 if pose.crumpled else 0.015)
    if darkened:
        _grime(rng, layer, 0.08 if group in _DARKEST else 0.25)
    return layer, look, pose, tone


def _grime(rng: np.random.Generator, layer: np.ndarray, most: float) -> None:
    """Let glue cover the layer more towards one side and soil it in patches, by up to `most`, in place."""
    h, w = layer.shape[:2]
    low, high = rng.uniform(0.5, 1.0), rng.uniform(0.85, 1.0)
    x, y = rng.uniform(-1, 1, 2)
    slope = np.linspace(-x, x, w, dtype=np.float32)[None] + np.linspace(-y, y, h, dtype=np.float32)[:, None]
    layer *= np.clip((low + high) / 2 + (high - low) * slope, min(low, high), max(low, high))[..., None]
    patches = backgrounds.noise(rng, h, w, int(rng.integers(1, 4)))
    layer[..., :3] *= np.clip(1 + np.float32(rng.uniform(0, most)) * patches, 0.4, 1.3)[..., None]


def soak(rng: np.random.Generator, layer: np.ndarray, group: str, card: np.ndarray) -> None:
    """Filter the card's colour (3,) through a wet layer, in place: clear wings most, bodies less, waxy ones hardly."""
    dry = group in _DARKEST
    body, film = rng.uniform(0, 0.1 if dry else 0.35), rng.uniform(0.1, 0.3) if dry else rng.uniform(0.4, 1.0)
    missing = (1 - card / max(1.0, float(card.max()))).astype(np.float32)
    cover = layer[..., 3:]
    layer[..., :3] *= 1 - missing * (np.float32(film) - np.float32(film - body) * cover)


def wet_rim(rng: np.random.Generator, image: np.ndarray, layer: np.ndarray, x: int, y: int, reach: float) -> None:
    """Brighten or darken the film of glue that climbs `reach` pixels around a body, in place."""
    pad = max(2, int(reach))
    alpha = cv2.copyMakeBorder(layer[..., 3], pad, pad, pad, pad, cv2.BORDER_CONSTANT)
    rim = np.clip(cv2.blur(alpha, (pad + 1, pad + 1)) - alpha, 0, 1)
    sheet = np.zeros((*rim.shape, 4), np.float32)
    sheet[..., 3] = rim * np.float32(rng.uniform(0, 0.25))
    if rng.random() < 0.6:
        sheet[..., :3] = sheet[..., 3:] * 255
    paste(image, sheet, x - pad, y - pad)


def _warp(rng: np.random.Generator, layer: np.ndarray, amount: float) -> np.ndarray:
    """Bend a layer smoothly by about `amount` of its side."""
    h, w = layer.shape[:2]
    bend = rng.normal(0, amount * max(h, w), (2, 4, 4)).astype(np.float32)
    bend[:, [0, -1]] *= 0.3
    bend[:, :, [0, -1]] *= 0.3
    dx = cv2.resize(bend[0], (w, h), interpolation=cv2.INTER_CUBIC) + np.arange(w, dtype=np.float32)[None]
    dy = cv2.resize(bend[1], (w, h), interpolation=cv2.INTER_CUBIC) + np.arange(h, dtype=np.float32)[:, None]
    return cv2.remap(layer, dx, dy, cv2.INTER_LINEAR)


def cast_shadow(rng: np.random.Generator, image: np.ndarray, layer: np.ndarray, x: int, y: int, light: float) -> None:
    """Darken the background beside a layer that will be pasted at (x, y), away from the light, in place."""
    h, w = layer.shape[:2]
    small = cv2.resize(layer[..., 3], (max(2, w // 4), max(2, h // 4)), interpolation=cv2.INTER_AREA)
    pad = 6
    small = cv2.GaussianBlur(
        cv2.copyMakeBorder(small, pad, pad, pad, pad, cv2.BORDER_CONSTANT), (0, 0), float(rng.uniform(0.8, 2.6))
    )
    shade: np.ndarray = cv2.resize(
        small, None, fx=w / max(2, w // 4), fy=h / max(2, h // 4), interpolation=cv2.INTER_LINEAR
    )
    reach = max(h, w) * rng.uniform(0.0, 0.05)
    shade *= np.float32(rng.uniform(0.05, 0.45))
    left, top = int(x - pad * 4 - np.cos(light) * reach), int(y - pad * 4 - np.sin(light) * reach)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(image.shape[1], left + shade.shape[1]), min(image.shape[0], top + shade.shape[0])
    if x0 < x1 and y0 < y1:
        cut = 1 - shade[y0 - top : y1 - top, x0 - left : x1 - left]
        roi = image[y0:y1, x0:x1]
        cv2.multiply(roi, cv2.cvtColor(cut, cv2.COLOR_GRAY2RGB), roi)


def _ground(
    rng: np.random.Generator, work: int, background: np.ndarray | None, background_kind: str | None
) -> tuple[np.ndarray, str]:
    """Return a float32 (work, work, 3) background and its kind, painted or cut from a given patch."""
    if background is None:
        kind = background_kind or backgrounds.choose_kind(rng)
        image = backgrounds.surface(rng, kind, work)
        dress(image, rng, kind)
        return image, kind
    side = min(background.shape[:2])
    y, x = rng.integers(0, background.shape[0] - side + 1), rng.integers(0, background.shape[1] - side + 1)
    patch = np.rot90(background[y : y + side, x : x + side], int(rng.integers(4)))
    image = cv2.resize(np.ascontiguousarray(patch), (work, work), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    return image, background_kind or "sticky trap"


def check_group(group: str) -> None:
    """Refuse what is neither a name of `GROUP_NAMES` nor "none".

    Raises
    ------
    ValueError
        Names the groups.
    """
    if group != NONE and group not in DRAWERS:
        raise ValueError(f"unknown group {group!r}; use one of {', '.join(GROUP_NAMES)} or {NONE}")


def render_crop(
    rng: np.random.Generator,
    group: str,
    size: int = 64,
    background: np.ndarray | None = None,
    background_kind: str | None = None,
) -> RenderedCrop:
    """Render one square crop: an insect with about a quarter of context, or, for "none", something else.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all variation; the same state gives the same crop.
    group : str
        A name of `GROUP_NAMES`, or "none".
    size : int
        Side of the crop in pixels.
    background : numpy.ndarray, optional
        (h, w, 3) uint8 RGB patch to use as the ground instead of a painted one, at least `size` on each side.
    background_kind : str, optional
        Word for the ground: a key of `backgrounds.KINDS`, or any word for a given patch ("sticky trap" by default).

    Returns
    -------
    RenderedCrop
        The crop.

    Raises
    ------
    ValueError
        If the group is unknown.
    """
    check_group(group)
    work = max(160, min(3 * size, 2 * size + 48))
    shot = choose_shot(rng)
    side_factor = float(rng.triangular(1.05, 1.2, 1.7))
    image, kind = _ground(rng, work, background, background_kind)
    if group == NONE:
        clutter = draw_clutter(image, rng) if background is None or rng.random() < 0.6 else "plain"
        pixels = photograph(rng, image, shot, side_factor, size)
        return RenderedCrop(pixels, NONE, Attributes(background=kind, clutter=clutter), shot)
    light = float(rng.uniform(0, 2 * np.pi))
    wet = "trap" in kind or kind == "pan of water" or kind == "delta trap liner"
    layer, look, pose, tone = draw_insect(rng, group, work / side_factor, wet, light)
    if rng.random() < 0.05:
        _neighbour(rng, image, work, wet, light)
    shown = seen_colours(layer)  # before the card's colour is mixed in, which the eye takes off again
    h, w = layer.shape[:2]
    x, y = (int((work - n) / 2 + rng.normal(0, 0.035) * work) for n in (w, h))
    if rng.random() < 0.75:
        cast_shadow(rng, image, layer, x, y, light + np.pi)
    if wet:
        soak(rng, layer, group, image[::16, ::16].mean(axis=(0, 1)))
        if rng.random() < 0.4:
            wet_rim(rng, image, layer, x, y, work * rng.uniform(0.02, 0.06))
    paste(image, layer, x, y)
    if rng.random() < 0.08:
        backgrounds.dirt(image, rng, count=2)
    pixels = photograph(rng, image, shot, side_factor, size)
    return RenderedCrop(pixels, group, describe(look, pose, tone, kind, shown), shot)


def _neighbour(rng: np.random.Generator, image: np.ndarray, work: int, wet: bool, light: float) -> None:
    """Let another insect reach into the crop from its border, in place."""
    other = GROUP_NAMES[int(rng.integers(len(GROUP_NAMES)))]
    layer, _, _, _ = draw_insect(rng, other, work * rng.uniform(0.3, 0.8), wet, light)
    turn = rng.uniform(0, 2 * np.pi)
    centre = work / 2 + np.array([np.cos(turn), np.sin(turn)]) * work * rng.uniform(0.6, 0.75)
    paste(image, layer, int(centre[0] - layer.shape[1] / 2), int(centre[1] - layer.shape[0] / 2))


def describe(look: Look, pose: Pose, tone: float, kind: str, shown: tuple[str, ...]) -> Attributes:
    """Put into words what is seen: features told by their colour are not, once glue has darkened it."""
    return Attributes(
        colours=shown,
        body_colours=tuple(dict.fromkeys(look.colours)),
        pattern=look.pattern,
        shapes=tuple(look.shapes),
        wings=look.wings,
        wing_count=look.wing_count,
        legs=look.legs,
        leg_length=look.leg_length,
        antennae=look.antennae,
        features=tuple(words for words in look.features if tone > 0.45 or not _COLOURED & set(words.split())),
        pose="crumpled" if pose.crumpled else "side" if pose.side else "dorsal",
        background=kind,
    )
