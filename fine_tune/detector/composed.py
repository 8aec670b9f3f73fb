"""Composed tiles for the detector: insects cut out of close-ups, and drawn ones, at any size on any ground.

A tile shows one insect that fills it, some of middle size, a crowd of a dozen pixels each, or whiteflies on a leaf in a
soft photo; beside them lie things that are easily taken for insects, without a label: hairs, gleams, specks, print,
dark gaps between leaves, fruit and lights out of focus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fine_tune.detector.named import KIND
from fine_tune.detector.photos import LabelledPhoto
from fine_tune.detector.tiles import SHORTEST, VISIBLE, cut_window, turn
from fine_tune.recolouring import develop, turn_hue
from fine_tune.synthetic import GROUPS, backgrounds, split_rng
from fine_tune.synthetic.close_ups import garden_ground, living_insect
from fine_tune.synthetic.clutter import draw_clutter, dress
from fine_tune.synthetic.crops import draw_insect

#: Length of a drawn insect that is cut out later, pixels, and how many there are of each group.
DRAWN_LENGTH, DRAWN_EACH = 280.0, 14
#: Groups whose insects are often a dozen pixels long on a photo of a whole leaf; drawn three times as often.
TINY = ("whitefly", "aphid", "thrips", "psyllid", "leafhopper", "mite", "springtail", "parasitoid wasp")
#: Length of the insects of a tile, pixels, and their number, from and to; and how often tiles are so.
REGIMES = (
    (0.16, (120.0, 430.0), (1, 2)),
    (0.18, (36.0, 140.0), (1, 7)),
    (0.2, (9.0, 44.0), (2, 24)),
    (0.46, (9.0, 76.0), (0, 8)),
)
#: The last regime is whiteflies on leaves: pale on what is neither pale nor sharp.
ON_LEAVES = REGIMES[-1]
PALE = "whitefly"
#: Margin that people leave around an insect on a leaf when they draw its box, as a share of its longer side.
LOOSE = (0.06, 0.2)
#: How often a tile is soft, as what a phone has enlarged and smoothed; with whiteflies on leaves, and else.
SOFT_LEAF, SOFT = 0.75, 0.3
#: Grounds under composed insects and their shares: windows of close-ups, of traps, of rendered photos; painted ones;
#: those of drawn close-ups.
GROUNDS = (("close-up", 0.3), ("trap", 0.12), ("rendered", 0.12), ("painted", 0.28), ("garden", 0.18))
#: A label goes where pasted insects cover more than this share of its box.
COVERED = 0.6
#: Colours of fruit.
FRUIT = ((205, 50, 40), (220, 110, 60), (150, 60, 40), (150, 170, 80), (190, 200, 120))
#: Colours of what is out of focus: fruit, sky, petals, leaves in the sun, stems.
_LIGHTS = tuple(
    np.array(colour, np.float64)
    for colour in (
        (200, 40, 25),
        (230, 120, 30),
        (245, 245, 240),
        (250, 220, 60),
        (150, 190, 70),
        (120, 90, 60),
        (200, 150, 210),
    )
)


@dataclass(frozen=True)
class CutOut:
    """An insect without its ground.

    Attributes
    ----------
    layer : ndarray, shape (h, w, 4), uint8
        RGB, multiplied by the coverage, and the coverage.
    hull : ndarray, shape (k, 2), float32
        Convex hull of what is seen, legs and antennae too, in pixels of the layer.
    group : str
        What it is, or "".
    """

    layer: np.ndarray
    hull: np.ndarray
    group: str = ""

    @classmethod
    def of(cls, layer: np.ndarray, group: str = "") -> CutOut:
        """Make one of RGB and coverage, (h, w, 4) uint8, not multiplied."""
        coverage = layer[..., 3:].astype(np.float32) / 255
        points = cv2.findNonZero((layer[..., 3] > 60).astype(np.uint8))
        hull = cv2.convexHull(points).reshape(-1, 2).astype(np.float32)
        return cls(np.dstack([(layer[..., :3] * coverage).astype(np.uint8), layer[..., 3]]), hull, group)


def write_drawn(folder: Path, seed: int) -> None:
    """Draw insects of every group into a folder, as PNG files; those already there are kept.

    Every other one lives in a garden, the rest lie on traps.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, group in enumerate(name for name in GROUPS for _ in range(DRAWN_EACH * (3 if name in TINY else 1))):
        path = folder / f"{number:04d} {group}.png"
        if path.exists():
            continue
        rng = split_rng("train", seed, 1_000_000 + number)
        light = float(rng.uniform(0, 2 * np.pi))
        if number % 2:
            layer = living_insect(rng, group, DRAWN_LENGTH, light)[0]
        else:
            layer = draw_insect(rng, group, DRAWN_LENGTH, bool(rng.random() < 0.3), light)[0]
        coverage = layer[..., 3:].clip(1e-3, 1)
        rgba = np.dstack([layer[..., :3] / coverage, layer[..., 3] * 255]).clip(0, 255).astype(np.uint8)
        partial = path.with_suffix(".partial.png")
        cv2.imwrite(str(partial), cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))
        partial.replace(path)


def read_cut_outs(folder: Path) -> list[CutOut]:
    """Read the PNG files that `write_drawn` or `write_cut_outs` wrote."""
    found = []
    for path in sorted(folder.glob("*.png")):
        rgba = cv2.cvtColor(np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)), cv2.COLOR_BGRA2RGBA)
        if (rgba[..., 3] > 60).any():
            found.append(CutOut.of(rgba, path.stem.split(" ", 1)[1]))
    return found


@dataclass(frozen=True)
class Sources:
    """What composed tiles are made of: insects, photographed and drawn, and photos for the ground."""

    photographed: Sequence[CutOut]
    drawn: Sequence[CutOut]
    close_ups: Sequence[LabelledPhoto]
    traps: Sequence[LabelledPhoto]
    rendered: Sequence[LabelledPhoto]


def compose_tile(rng: np.random.Generator, sources: Sources, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Compose one tile.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all choices.
    sources : Sources
    size : int
        Side of the tile, pixels.

    Returns
    -------
    pixels : ndarray, shape (size, size, 3), uint8
    boxes : ndarray, shape (m, 4), float32
        xyxy in pixels of the tile.
    """
    regime = REGIMES[int(rng.choice(len(REGIMES), p=[share for share, _, _ in REGIMES]))]
    pixels, boxes = _ground(rng, sources, size, leaf=regime is ON_LEAVES)
    image = np.ascontiguousarray(pixels, np.float32)
    if rng.random() < 0.5:
        _hairs_and_gleams(rng, image)
    if rng.random() < 0.3:
        _gaps_and_lights(rng, image)
    placed = _lay_all(rng, image, sources, *regime[1:], group=PALE if regime is ON_LEAVES else None)
    if regime is ON_LEAVES:
        placed = [_loose(rng, box) for box in placed]
    if regime is REGIMES[0] and rng.random() < 0.35:  # small insects beside, and on, a large one
        placed += _lay_all(rng, image, sources, *REGIMES[2][1:])[:6]
    if rng.random() < 0.3:
        _hairs_and_gleams(rng, image, few=True)
    pixels = image.clip(0, 255).astype(np.uint8)
    if rng.random() < (0.05 if regime is ON_LEAVES else 0.2):
        pixels = turn_hue(pixels, int(rng.integers(20, 161)))
    if rng.random() < (SOFT_LEAF if regime is ON_LEAVES else SOFT):
        pixels = soften(rng, pixels)
    pixels, boxes = turn(rng, pixels, labels_seen(boxes, placed, size))
    return develop(rng, pixels), boxes


def soften(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """What a phone makes of too few pixels: shrunk, smoothed, enlarged again and sharpened; same shape, uint8."""
    size = len(pixels)
    small = round(size / float(rng.uniform(1.4, 4.5)))
    image = cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        image = cv2.bilateralFilter(image, 5, float(rng.uniform(10, 45)), 2)
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        blurred = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(1, 3)))
        strength = float(rng.uniform(0.2, 1.2))
        image = cv2.addWeighted(image, 1 + strength, blurred, -strength, 0)
    return np.asarray(image)


def _ground(
    rng: np.random.Generator, sources: Sources, size: int, *, leaf: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """An image (size, size, 3) and the boxes of the insects that are on it already; `leaf`: plants alone."""
    kind = str(rng.choice([name for name, _ in GROUNDS], p=[share for _, share in GROUNDS]))
    if leaf:
        kind = str(rng.choice(("close-up", "painted", "garden"), p=(0.5, 0.4, 0.1)))
    photos = {"close-up": sources.close_ups, "trap": sources.traps, "rendered": sources.rendered}.get(kind, ())
    if photos:
        photo = photos[int(rng.integers(len(photos)))]
        low, high = (0.6, 3.0) if photo.kind == KIND else (0.42, 1.4)
        scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        return cut_window(rng, photo, size, scale, near=0.0)
    if kind == "garden":
        return garden_ground(rng, size)[0].clip(0, 255), np.zeros((0, 4), np.float32)
    if rng.random() < 0.12:  # a fruit, or a hand
        tones = FRUIT if leaf else backgrounds.SKIN
        image = backgrounds.surface(rng, "leaf", size)
        image *= np.array(tones[int(rng.integers(len(tones)))], np.float32) / image.mean(axis=(0, 1)).clip(1)
    else:
        kind = "leaf" if leaf or rng.random() < 0.4 else str(rng.choice(list(backgrounds.KINDS)))
        image = backgrounds.surface(rng, kind, size)
        dress(image, rng, kind)
        if rng.random() < 0.25:
            draw_clutter(image, rng)
    return image.clip(0, 255), np.zeros((0, 4), np.float32)


def _lay_all(
    rng: np.random.Generator,
    image: np.ndarray,
    sources: Sources,
    lengths: tuple[float, float],
    most: tuple[int, int],
    *,
    group: str | None = None,
) -> list[np.ndarray]:
    """Lay insects of one regime on the image, in place; their boxes, which may reach over the border."""
    size = image.shape[0]
    low, high = lengths
    small = high < 80
    typical = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    crowd = sources.drawn if rng.random() < (0.65 if small else 0.45) else sources.photographed
    if small and rng.random() < 0.6:
        crowd = [cut for cut in sources.drawn if cut.group in TINY]
    if group is not None:
        crowd = [cut for cut in sources.drawn if cut.group == group] or crowd
    kinds = [crowd[int(rng.integers(len(crowd)))] for _ in range(int(rng.integers(1, 5)))]
    gain = (1 + rng.normal(0, 0.08, 3)) * rng.uniform(0.75, 1.3)
    light = float(rng.uniform(0, 2 * np.pi))
    boxes: list[np.ndarray] = []
    for _ in range(int(rng.integers(most[0], most[1] + 1))):
        length = float(np.clip(typical * np.exp(rng.normal(0, 0.22)), low, high))
        edge = 0.35 if high > 300 else 0.0
        for _ in range(8):
            centre = rng.uniform(edge * size, (1 - edge) * size, 2)
            half = length / 2
            around = np.array([*(centre - half), *(centre + half)])
            if small or all(_shared(around, box) < 0.2 * length**2 for box in boxes):
                break
        else:
            continue
        boxes.append(lay_cut_out(rng, image, kinds[int(rng.integers(len(kinds)))], length, centre, gain, light))
    return boxes


def lay_cut_out(
    rng: np.random.Generator,
    image: np.ndarray,
    cut: CutOut,
    length: float,
    centre: np.ndarray,
    gain: np.ndarray,
    light: float,
) -> np.ndarray:
    """Lay one insect, turned at random, with its shadow, in place; its box (4,)."""
    scale = length / float(np.ptp(cut.hull, axis=0).max())
    layer, hull = cut.layer, cut.hull
    if scale < 0.5:  # averaged first, so that thin legs fade instead of breaking up
        layer = cv2.resize(layer, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
        hull, scale = hull * (2 * scale), 0.5
    angle, flip = rng.uniform(0, 2 * np.pi), rng.choice((-1, 1))
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    matrix = np.array([[c, -s], [s, c]]) @ np.diag([rng.uniform(0.85, 1.0), flip * rng.uniform(0.85, 1.0)])
    outline = hull @ matrix.T
    low, high = outline.min(axis=0), outline.max(axis=0)
    shift = centre - (low + high) / 2
    corner = np.floor(low + shift - 2).astype(int)
    side = np.ceil(high - low + 5).astype(int)
    whole = np.column_stack([matrix, shift - corner])
    turned = cv2.warpAffine(layer, whole, tuple(int(v) for v in side), flags=cv2.INTER_LINEAR)
    _shade(rng, image, turned[..., 3], corner, length, light)
    _paste(image, turned, corner, gain)
    return np.concatenate([low + shift, high + shift])


def _paste(image: np.ndarray, layer: np.ndarray, corner: np.ndarray, gain: np.ndarray) -> None:
    """Lay a premultiplied layer on the image, in place, cut at the border."""
    size = np.array(image.shape[1::-1])
    low, high = np.maximum(corner, 0), np.minimum(corner + layer.shape[1::-1], size)
    if (low >= high).any():
        return
    part = layer[low[1] - corner[1] : high[1] - corner[1], low[0] - corner[0] : high[0] - corner[0]].astype(np.float32)
    roi = image[low[1] : high[1], low[0] : high[0]]
    roi *= 1 - part[..., 3:] / 255
    roi += part[..., :3] * gain.astype(np.float32)


def _shade(
    rng: np.random.Generator, image: np.ndarray, coverage: np.ndarray, corner: np.ndarray, length: float, light: float
) -> None:
    """Darken the ground beside an insect, away from the light, in place."""
    if rng.random() < 0.3:
        return
    reach = float(length * rng.uniform(0.0, 0.08))
    soft = cv2.GaussianBlur(coverage, (0, 0), max(0.7, length * float(rng.uniform(0.01, 0.05))))
    dark = np.zeros((*coverage.shape, 4), np.uint8)
    dark[..., 3] = soft * float(rng.uniform(0.1, 0.5))
    away = np.round(np.array([np.cos(light), np.sin(light)]) * reach).astype(int)
    _paste(image, dark, corner + away, np.ones(3))


def _hairs_and_gleams(rng: np.random.Generator, image: np.ndarray, few: bool = False) -> None:
    """Draw what is no insect: hairs, gleaming dots, dark specks; in place."""
    size = image.shape[0]
    number = int(rng.integers(2, 12) if few else rng.integers(0, 110))
    colour = image[int(rng.integers(size)), int(rng.integers(size))] * rng.uniform(0.5, 1.2) + rng.uniform(-20, 110)
    sheet = np.zeros((size, size), np.uint8)
    length, turning = float(np.exp(rng.uniform(np.log(6), np.log(60)))), float(rng.uniform(0, 2 * np.pi))
    spread = float(rng.uniform(0.2, 3))
    for _ in range(number):
        start = rng.uniform(0, size, 2)
        turns = turning + rng.normal(0, spread) + np.cumsum(rng.normal(0, 0.25, 5))
        steps = np.stack([np.cos(turns), np.sin(turns)], axis=1) * length / 5 * rng.uniform(0.5, 1.3)
        path = np.round((start + np.cumsum(steps, axis=0)) * 8).astype(np.int32)
        cv2.polylines(sheet, [path], False, int(rng.integers(90, 255)), 1 if rng.random() < 0.8 else 2, cv2.LINE_AA, 3)
    backgrounds.blend_mask(image, sheet, colour.clip(0, 255).tolist(), float(rng.uniform(0.2, 0.9)))
    for tone, most in ((255, 40), (30, 25)):
        dots = np.zeros((size, size), np.uint8)
        radius = float(rng.uniform(0.4, 2.2))
        for _ in range(int(rng.integers(0, 6 if few else most))):
            middle = rng.uniform(0, size * 8, 2).astype(int)
            around = max(2, int(8 * radius * rng.uniform(0.5, 1.6)))
            cv2.circle(dots, (int(middle[0]), int(middle[1])), around, int(rng.integers(90, 255)), -1, cv2.LINE_AA, 3)
        backgrounds.blend_mask(image, dots, (tone, tone, tone - 10), float(rng.uniform(0.3, 0.95)))


def _gaps_and_lights(rng: np.random.Generator, image: np.ndarray) -> None:
    """Draw what lies between and behind leaves: dark gaps, fruit, flowers and lights out of focus; in place."""
    size = image.shape[0]
    for _ in range(int(rng.integers(1, 4))):
        sheet = np.zeros((size, size), np.uint8)
        centre, radius = rng.uniform(0, size, 2), float(np.exp(rng.uniform(np.log(8), np.log(110))))
        if rng.random() < 0.5:
            corners = int(rng.integers(3, 7))
            turns = np.sort(rng.uniform(0, 2 * np.pi, corners))
            around = (
                centre
                + (np.stack([np.cos(turns), np.sin(turns)], axis=1) * rng.uniform(0.4, 1.3, (corners, 1))) * radius
            )
            cv2.fillPoly(sheet, [np.round(around * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
            soft, colour = float(np.exp(rng.uniform(np.log(0.5), np.log(8)))), rng.uniform(0, 45, 3)
        else:
            axes = (int(radius * 8), int(radius * 8 * rng.uniform(0.6, 1)))
            middle = (int(centre[0] * 8), int(centre[1] * 8))
            cv2.ellipse(sheet, middle, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA, 3)
            soft, colour = (
                radius * float(rng.uniform(0.08, 0.6)),
                _LIGHTS[int(rng.integers(len(_LIGHTS)))] * rng.uniform(0.5, 1.05),
            )
        blurred = cv2.GaussianBlur(sheet, (0, 0), max(0.5, soft))
        backgrounds.blend_mask(image, blurred, np.clip(colour, 0, 255).tolist(), float(rng.uniform(0.6, 1)))


def _loose(rng: np.random.Generator, box: np.ndarray) -> np.ndarray:
    """A box as people draw it around something small."""
    margin = float((box[2:] - box[:2]).max()) * rng.uniform(*LOOSE, 4)
    grown: np.ndarray = box + margin * np.array([-1, -1, 1, 1])
    return grown


def labels_seen(before: np.ndarray, placed: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Boxes of the insects of a tile that can be seen, (m, 4) float32: those of the ground, and those laid on it."""
    kept = [box for box in before if sum(_shared(box, over) for over in placed) <= COVERED * _area(box)]
    for number, box in enumerate(placed):
        seen = box.clip(0, size)
        if _area(seen) < VISIBLE * _area(box) or (seen[2:] - seen[:2]).max() < SHORTEST:
            continue
        if sum(_shared(box, over) for over in placed[number + 1 :]) <= COVERED * _area(box):
            kept.append(seen)
    return np.array(kept, np.float32).reshape(-1, 4)


def _area(box: np.ndarray) -> float:
    return float(np.clip(box[2:] - box[:2], 0, None).prod())


def _shared(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod())
