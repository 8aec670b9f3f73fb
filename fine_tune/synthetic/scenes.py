"""Whole grounds for rendered photos: cards with print, leaves with veins, soil, tables, tags with a QR code."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fine_tune.synthetic.backgrounds import KINDS, blend_mask, blob
from fine_tune.synthetic.lettering import print_card

PHOTO_KINDS = {
    "yellow": "yellow sticky trap",
    "blue": "blue sticky trap",
    "white": "white sticky trap",
    "clear": "clear sticky trap",
    "delta": "delta trap liner",
    "pan water": "pan of water",
    "leaf": "leaf",
    "soil": "soil",
}
CARDS = ("yellow", "blue", "white", "clear", "delta")
#: A ground for training alone, of any look; see `fine_tune.synthetic.made_up`.
MADE_UP = "made up"
BRANDS = ("STIKA 10x25", "TRAP 10x25", "GLUEFIELD", "CATCHLINE", "Tacto 25", "FLYPLATE")


@dataclass(frozen=True, slots=True)
class Ground:
    """An empty photo: pixels (h, w, 3) float32 in 0..255, and the polygon (n, 2) on which insects may lie."""

    pixels: np.ndarray
    area: np.ndarray


def field(rng: np.random.Generator, height: int, width: int, cell: float, aspect: float = 1.0) -> np.ndarray:
    """Return smooth noise (height, width) float32 of about unit deviation with features of `cell` pixels.

    `aspect` stretches the features along x.
    """
    rows, columns = int(height / cell) + 4, int(width / (cell * aspect)) + 4
    small = rng.standard_normal((rows, columns), dtype=np.float32)
    large: np.ndarray = cv2.resize(
        small, (int(columns * cell * aspect), int(rows * cell)), interpolation=cv2.INTER_CUBIC
    )
    return large[int(cell) : int(cell) + height, int(cell * aspect) : int(cell * aspect) + width] * 1.3


def _relief(rng: np.random.Generator, height: int, width: int, cell: float) -> np.ndarray:
    """Return the lighting of an uneven film, (height, width) float32 of unit deviation."""
    film = field(rng, height, width, cell, 1.6) + 0.6 * field(rng, height, width, cell * 0.45, 1.3)
    rough = cv2.Sobel(film, cv2.CV_32F, 1, 1, ksize=3) + cv2.Sobel(film, cv2.CV_32F, 0, 1, ksize=3)
    slope: np.ndarray = cv2.GaussianBlur(rough, (0, 0), 0.8)
    return slope / (slope.std() + 1e-6)


def card_surface(rng: np.random.Generator, kind: str, height: int, width: int, per_mm: float) -> np.ndarray:
    """Paint an empty card.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all variation.
    kind : str
        A key of `PHOTO_KINDS`.
    height, width : int
        Size in pixels.
    per_mm : float
        Pixels per millimetre.

    Returns
    -------
    numpy.ndarray
        (height, width, 3) float32 in 0..255.
    """
    options = KINDS[PHOTO_KINDS[kind]][1][:2]
    base = np.array(options[int(rng.integers(len(options)))], np.float32) + rng.normal(0, 2.5, 3).astype(np.float32)
    level = 1 + 0.010 * field(rng, height, width, 2) + 0.018 * field(rng, height, width, 25 * per_mm)
    level += 0.012 * field(rng, height, width, 4 * per_mm)
    relief = _relief(rng, height, width, max(3.0, rng.uniform(0.45, 0.9) * per_mm))
    patchy = np.clip(0.55 + 0.5 * field(rng, height, width, 18 * per_mm), 0.1, 1.3)
    if kind == "pan water":
        patchy *= 0
    level += np.float32(rng.uniform(0.012, 0.028)) * relief * patchy
    image = cv2.cvtColor(level.astype(np.float32), cv2.COLOR_GRAY2RGB) * base
    glints = np.clip(relief * patchy - rng.uniform(2.4, 3.0), 0, 1) * np.float32(rng.uniform(40, 100))
    image += glints[..., None]
    return image


def table(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Paint what lies around a card: a pale bench with scratches, wood, or a dark floor; float32 (height, width, 3)."""
    kind = int(rng.integers(3))
    base = np.array(((206, 204, 198), (150, 116, 80), (92, 94, 92))[kind], np.float32)
    level = 1 + 0.012 * field(rng, height, width, 2) + 0.05 * field(rng, height, width, 160)
    if kind == 1:
        grain = field(rng, height, width, 7, 40) + 0.7 * field(rng, height, width, 2.2, 120)
        level += 0.07 * np.sin(grain * 2.0) + 0.035 * grain
    image = cv2.cvtColor(level.astype(np.float32), cv2.COLOR_GRAY2RGB) * base
    marks = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(8, 30))):
        a = rng.uniform(0, 1, 2) * (width, height)
        b = a + rng.normal(0, 90, 2)
        cv2.line(marks, tuple(map(int, a)), tuple(map(int, b)), int(rng.integers(40, 160)), 1, cv2.LINE_AA)
    blend_mask(image, marks, tuple(base * 0.6), 0.6)
    return image


def _soft_shadow(image: np.ndarray, mask: np.ndarray, shift: tuple[int, int], sigma: float, strength: float) -> None:
    """Darken around a mask (uint8) shifted by some pixels, in place."""
    moved = cv2.warpAffine(mask, np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32), mask.shape[::-1])
    small = cv2.resize(moved, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.6, sigma / 4))
    soft = cv2.resize(small, mask.shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)
    image *= (1 - soft * np.float32(strength / 255))[..., None]


def lay_sheet(
    image: np.ndarray,
    sheet: np.ndarray,
    matrix: np.ndarray,
    shadow: float = 0.35,
    hole: tuple[int, int, int] | None = None,
) -> np.ndarray:
    """Lay a flat sheet on the image through an affine matrix, with its shadow, in place.

    `hole` is (x, y, radius) in sheet pixels. Returns the sheet's corners in the photo, (4, 2) float32.
    """
    h, w = image.shape[:2]
    cover = np.full(sheet.shape[:2], 255, np.uint8)
    if hole is not None:
        cv2.circle(cover, hole[:2], hole[2], 0, -1, cv2.LINE_AA)
    mask = cv2.warpAffine(cover, matrix, (w, h), flags=cv2.INTER_LINEAR)
    _soft_shadow(image, mask, (6, 9), 12, shadow)
    laid = cv2.warpAffine(sheet, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    weight = (mask.astype(np.float32) / 255)[..., None]
    image += (laid - image) * weight
    corners = np.array([[0, 0], [sheet.shape[1], 0], [sheet.shape[1], sheet.shape[0]], [0, sheet.shape[0]]], np.float32)
    return corners @ matrix[:, :2].T.astype(np.float32) + matrix[:, 2].astype(np.float32)


def placing(turn: float, centre: tuple[float, float], size: tuple[int, int]) -> np.ndarray:
    """Return the (2, 3) matrix that turns a (width, height) sheet by `turn` radians about its middle at `centre`."""
    c, s = np.cos(turn), np.sin(turn)
    rotation = np.array([[c, -s], [s, c]])
    shift = np.array(centre) - rotation @ (np.array(size) / 2)
    return np.column_stack([rotation, shift])


def tag(rng: np.random.Generator, height: int, width: int, text: str, code: str = "") -> np.ndarray:
    """Draw a paper tag with an eyelet, words in marker pen and, if given, a QR code; float32 (height, width, 3)."""
    image = np.full((height, width, 3), (240, 239, 234), np.float32) * (
        1 + 0.006 * field(rng, height, width, 2)[..., None]
    )
    pen = np.zeros((height, width), np.uint8)
    left = int(height * 0.42)
    lines = text.split("\n")
    for i, line in enumerate(lines):
        scale = height / 58 * (0.85 if i == 0 else 0.5)
        y = int(height * (0.48 + 0.36 * i)) if len(lines) > 1 else int(height * 0.65)
        cv2.putText(
            pen, line, (left, y), cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, scale, 255, max(2, height // 45), cv2.LINE_AA
        )
    blend_mask(image, pen, (28, 30, 44), 0.92)
    middle = (int(height * 0.2), height // 2)
    cv2.circle(image, middle, int(height * 0.1), (150, 152, 155), max(2, height // 30), cv2.LINE_AA)
    cv2.circle(image, middle, int(height * 0.06), (90, 88, 84), -1, cv2.LINE_AA)
    if code:
        modules = cv2.QRCodeEncoder.create().encode(code)
        cell = max(2, int(height * 0.86) // modules.shape[0])
        square = np.kron(modules, np.ones((cell, cell), np.uint8)).astype(np.float32)
        side = square.shape[0]
        y, x = (height - side) // 2, width - side - (height - side) // 2
        image[y : y + side, x : x + side] = (24 + square[..., None] * (214 / 255)).astype(np.float32)
    return image


def card_ground(
    rng: np.random.Generator, kind: str, size: tuple[int, int], per_mm: float, grid_mm: float, brand: str, edge: bool,
    tag_text: str, tag_code: str,
) -> Ground:  # fmt: skip
    """Compose table, card and tag of a trap photo."""
    w, h = size
    image = table(rng, h, w)
    tagged = bool(tag_text or tag_code)
    inset = (0.07 if edge else -0.05) * min(w, h)
    top = (0.19 * h if tagged else inset) if edge or tagged else inset
    card_w, card_h = int(w - 2 * inset), int(h - top + (0.04 * h if edge else -inset))
    sheet = card_surface(rng, kind, card_h, card_w, per_mm)
    print_card(rng, sheet, per_mm, grid_mm, brand)
    matrix = placing(rng.normal(0, 0.02), (w / 2 + rng.normal(0, 0.006) * w, top + card_h / 2), (card_w, card_h))
    if kind == "clear":
        mapped = cv2.warpAffine(image, matrix, (card_w, card_h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        sheet = sheet * 0.35 + mapped * 0.65
    hole = (card_w // 2, int(5 * per_mm), int(2.4 * per_mm)) if edge and not tagged else None
    area = lay_sheet(image, sheet, matrix, hole=hole)
    if tagged:
        tag_h = int(0.24 * h)
        tag_w = int(0.56 * w)
        paper = tag(rng, tag_h, tag_w, tag_text, tag_code)
        place = (w * rng.uniform(0.42, 0.58), tag_h * 0.44)
        lay_sheet(image, paper, placing(rng.normal(0, 0.025), place, (tag_w, tag_h)), 0.45)
        area[:2, 1] = np.maximum(area[:2, 1], tag_h * 1.04)
    margin = per_mm * 1.5
    centre = area.mean(axis=0)
    area = centre + (area - centre) * (1 - 2 * margin / np.ptp(area, axis=0).max())
    return Ground(image, area.astype(np.float32))


def leaf_ground(rng: np.random.Generator, size: tuple[int, int], per_mm: float) -> Ground:
    """Compose one leaf, seen from close, over a dim out-of-focus ground."""
    w, h = size
    deep = np.clip(1 + 0.35 * field(rng, h, w, 190) + 0.2 * field(rng, h, w, 70), 0.3, 2)
    image = deep[..., None].astype(np.float32) * np.array([34, 50, 24], np.float32)
    length, broad = 1.16 * np.hypot(w, h), 1.18 * h
    angle = -np.arctan2(h, w) * rng.uniform(0.4, 0.8)
    axis, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    root = np.array([w / 2, h / 2]) - axis * length * 0.52
    s = np.linspace(0, 1, 160)
    half = broad / 2 * np.sin(np.pi * s**0.8) ** 0.75 * (1 + 0.022 * np.abs((s * 26) % 1 - 0.5) * 2)
    bow = 0.045 * length * np.sin(np.pi * s)
    middle = root + s[:, None] * axis * length + bow[:, None] * across
    outline = np.concatenate([middle + half[:, None] * across, (middle - half[:, None] * across)[::-1]])
    mask = np.zeros((h, w), np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    leaf = _leaf_skin(rng, (h, w), per_mm, middle, half, axis, across)
    _soft_shadow(image, mask, (14, 22), 30, 0.55)
    image += (leaf - image) * (mask.astype(np.float32) / 255)[..., None]
    inner = np.concatenate([middle + 0.82 * half[:, None] * across, (middle - 0.82 * half[:, None] * across)[::-1]])
    return Ground(image, inner[::8].astype(np.float32))


def _leaf_skin(
    rng: np.random.Generator,
    shape: tuple[int, int],
    per_mm: float,
    middle: np.ndarray,
    half: np.ndarray,
    axis: np.ndarray,
    across: np.ndarray,
) -> np.ndarray:
    """Paint blade, midrib, side veins and the net between them over the whole photo."""
    h, w = shape
    veins = np.zeros(shape, np.uint8)
    main = max(3, int(0.9 * per_mm))
    for i in range(8, 150, 11):
        for side in (1, -1):
            t = np.linspace(0, 1, 14)[:, None]
            reach = half[i] * 1.02
            path = middle[i] + across * side * reach * t * 0.95 + axis * reach * (0.55 * t + 0.35 * t**2)
            points = np.round(path * 8).astype(np.int32)
            cv2.polylines(veins, [points], False, 200, max(2, main // 3), cv2.LINE_AA, 3)
            for j in range(3, 13, 2):
                for turn in (1, -1):
                    step = np.linspace(0, 1, 5)[:, None] * reach * 0.16
                    twig = path[j] + step * (axis * turn + across * side * 0.55 * (1 + 0.2 * turn))
                    cv2.polylines(veins, [np.round(twig * 8).astype(np.int32)], False, 120, 1, cv2.LINE_AA, 3)
    cv2.polylines(veins, [np.round(middle * 8).astype(np.int32)], False, 255, main, cv2.LINE_AA, 3)
    seeds = np.full(shape, 255, np.uint8)
    count = int(h * w / (1.5 * per_mm) ** 2)
    seeds[rng.integers(0, h, count), rng.integers(0, w, count)] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5)
    net = (cv2.morphologyEx(labels.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((2, 2))) > 0).astype(np.float32)
    net = np.asarray(cv2.GaussianBlur(net, (0, 0), 0.9))
    ridge = cv2.GaussianBlur(veins, (0, 0), 1.2).astype(np.float32) / 255
    bulge = cv2.GaussianBlur(ridge, (0, 0), per_mm * 0.6) * 1.5 + 0.25 * cv2.GaussianBlur(net, (0, 0), 1.5)
    light = cv2.Sobel(bulge, cv2.CV_32F, 1, 0) + cv2.Sobel(bulge, cv2.CV_32F, 0, 1)
    level = 1 + 0.35 * light / (np.abs(light).max() + 1e-6) + 0.012 * field(rng, h, w, 2)
    level += 0.05 * field(rng, h, w, 3 * per_mm) + 0.06 * field(rng, h, w, 22 * per_mm)
    options = ((78, 128, 46), (96, 146, 56), (66, 112, 44))
    base = np.array(options[int(rng.integers(3))], np.float32)
    image = cv2.cvtColor(level.astype(np.float32), cv2.COLOR_GRAY2RGB) * base
    image += (np.array([176, 200, 118], np.float32) - image) * (np.clip(ridge * 0.75 + net * 0.13, 0, 1))[..., None]
    return image


def _crumbs(rng: np.random.Generator, height: int, width: int, per_mm: float) -> np.ndarray:
    """Paint soil: crumbs of three sizes, each lit from one side, dark gaps between; float32 (height, width, 3)."""
    level = 0.75 + 0.06 * field(rng, height, width, 2) + 0.12 * field(rng, height, width, 12 * per_mm)
    for pitch, strength in ((0.35, 0.24), (0.8, 0.3), (2.6, 0.2)):
        seeds = np.full((height, width), 255, np.uint8)
        count = int(height * width / (pitch * per_mm) ** 2)
        seeds[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
        away, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5)
        height_of = rng.uniform(0.1, 1.0, labels.max() + 1).astype(np.float32)[labels]
        dome = height_of * np.sqrt(np.clip(1 - (away / (pitch * per_mm * 0.8)) ** 2, 0, 1))
        dome = cv2.GaussianBlur(dome, (0, 0), pitch * per_mm * 0.09)
        slope = cv2.Sobel(dome, cv2.CV_32F, 1, 0) + cv2.Sobel(dome, cv2.CV_32F, 0, 1)
        level += strength * (0.35 * slope * pitch * per_mm / 4 + 0.5 * (dome - 0.45))
    image = np.clip(level, 0.3, 1.7)[..., None].astype(np.float32) * np.array([104, 82, 62], np.float32)
    straw = np.zeros((height, width), np.uint8)
    for _ in range(int(height * width / (9 * per_mm) ** 2)):
        turn, middle = rng.uniform(0, np.pi), rng.uniform(0, 1, 2) * (width, height)
        half = np.array([np.cos(turn), np.sin(turn)]) * per_mm * rng.uniform(0.5, 3.0)
        ends = np.round(np.stack([middle - half, middle + half]) * 8).astype(np.int32)
        cv2.polylines(straw, [ends], False, int(rng.integers(90, 220)), max(1, int(per_mm * 0.12)), cv2.LINE_AA, 3)
    blend_mask(image, straw, (168, 140, 96), 0.8)
    return image


def open_ground(rng: np.random.Generator, kind: str, size: tuple[int, int], per_mm: float) -> Ground:
    """Compose soil crumbs, or the water of a pan trap with ripples and its rim."""
    w, h = size
    inset = 0.03 * min(w, h)
    area = np.array([[inset, inset], [w - inset, inset], [w - inset, h - inset], [inset, h - inset]], np.float32)
    if kind == "soil":
        return Ground(_crumbs(rng, h, w, per_mm), area)
    image = card_surface(rng, "pan water", h, w, per_mm)
    ripple = np.sin(field(rng, h, w, 30 * per_mm) * 2.2 + 0.3 * field(rng, h, w, 9 * per_mm))
    patchy = np.clip(field(rng, h, w, 22 * per_mm), 0, 1)
    image *= (1 + 0.04 * ripple)[..., None].astype(np.float32)
    image += (np.clip(ripple - 0.96, 0, 1) * patchy * 900)[..., None].astype(np.float32)
    rim = np.zeros((h, w), np.uint8)
    centre = (int(w * rng.uniform(0.4, 0.6)), int(h * rng.uniform(0.4, 0.6)))
    cv2.circle(rim, centre, int(0.62 * np.hypot(w, h)), 255, -1, cv2.LINE_AA)
    _soft_shadow(image, 255 - rim, (0, 0), 30, 0.5)
    return Ground(image, area)


def _bead(rng: np.random.Generator, image: np.ndarray, centre: np.ndarray, radius: float, light: float) -> None:
    """Put a water drop on the ground: magnified ground, bright far side, thin dark rim, one highlight; in place."""
    h, w = image.shape[:2]
    x = (np.arange(w, dtype=np.float32) - np.float32(centre[0]))[None] / np.float32(radius)
    y = (np.arange(h, dtype=np.float32) - np.float32(centre[1]))[:, None] / np.float32(radius * rng.uniform(0.85, 1.0))
    turn = np.arctan2(y, x)
    reach = np.sqrt(x * x + y * y) * (1 + 0.05 * np.sin(2 * turn + rng.uniform(0, 6)) + 0.03 * np.sin(3 * turn))
    toward = (x * np.cos(light) + y * np.sin(light)).astype(np.float32)
    cover = np.clip((1 - reach) * radius * 0.6 + 0.5, 0, 1)
    xs = (x * 0.75 * radius + centre[0]) + np.zeros_like(y)
    ys = (y * 0.75 * radius + centre[1]) + np.zeros_like(x)
    lens = cv2.remap(
        image, xs.astype(np.float32), ys.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    level = 1 - 0.22 * toward + 0.10 * (1 - reach) - 0.45 * np.clip((reach - 0.82) / 0.18, 0, 1)
    shadow = np.clip(1.35 - np.hypot(x + 0.22 * np.cos(light), y + 0.22 * np.sin(light)), 0, 0.35) * 0.8
    image *= (1 - shadow * (1 - cover))[..., None].astype(np.float32)
    image += (lens * level[..., None].astype(np.float32) - image) * cover[..., None].astype(np.float32)
    spot = np.exp(-((x - 0.45 * np.cos(light)) ** 2 + (y - 0.45 * np.sin(light)) ** 2) / 0.02)
    image += (np.clip(spot * 1.5, 0, 1) * cover * 235)[..., None].astype(np.float32)


def litter(
    rng: np.random.Generator, image: np.ndarray, area: np.ndarray, per_mm: float, dirt: float, drops: int
) -> None:
    """Scatter specks, fibres and drops over an area, in place; `dirt` is specks per square centimetre."""
    h, w = image.shape[:2]
    low, high = area.min(axis=0).clip(0), np.minimum(area.max(axis=0), (w, h))
    number = int(dirt * np.prod((high - low) / per_mm / 10))
    mask = np.zeros((h, w), np.uint8)
    pale = np.zeros((h, w), np.uint8)
    for _ in range(number):
        place = rng.uniform(low, high)
        radius = per_mm * float(np.exp(rng.normal(-2.2, 0.55)))
        cv2.fillPoly(
            pale if rng.random() < 0.25 else mask, [blob(rng, place * 8, radius * 8, 0.3)], 255, cv2.LINE_AA, 3
        )
    blend_mask(image, mask, (46, 38, 26), 0.85)
    blend_mask(image, pale, (120, 96, 56), 0.6)
    fibres = np.zeros((h, w), np.uint8)
    for _ in range(number // 40):
        turns = rng.uniform(0, 6.3) + np.cumsum(rng.normal(0, 0.3, 12))
        steps = np.stack([np.cos(turns), np.sin(turns)], 1) * per_mm * rng.uniform(0.2, 0.7)
        path = rng.uniform(low, high) + np.cumsum(steps, axis=0)
        cv2.polylines(fibres, [np.round(path * 8).astype(np.int32)], False, 255, 1, cv2.LINE_AA, 3)
    blend_mask(image, fibres, (70, 60, 50), 0.6)
    light = float(rng.uniform(0, 2 * np.pi))
    for _ in range(drops):
        place = rng.uniform(low, high)
        radius = per_mm * rng.uniform(0.6, 2.2)
        x0, y0 = np.maximum(place - radius * 2, 0).astype(int)
        x1, y1 = np.minimum(place + radius * 2, (w, h)).astype(int)
        if x1 - x0 > 8 and y1 - y0 > 8:
            _bead(rng, image[y0:y1, x0:x1], place - (x0, y0), radius, light)
