"""What lies under the insects: cards, leaves, soil, paper; dirt, drops, glue and glare on them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

KINDS: dict[str, tuple[float, tuple[tuple[int, int, int], ...]]] = {
    "yellow sticky trap": (
        0.36,
        (
            (240, 206, 12),
            (230, 194, 8),
            (210, 174, 6),
            (244, 216, 40),
            (176, 146, 6),
            (236, 186, 4),
            (232, 204, 20),
            (196, 172, 20),
        ),
    ),
    "blue sticky trap": (0.10, ((40, 80, 190), (30, 110, 200), (60, 90, 160), (20, 60, 150), (70, 130, 210))),
    "white sticky trap": (0.09, ((236, 236, 232), (215, 212, 205), (190, 188, 182), (244, 240, 225))),
    "clear sticky trap": (0.06, ((190, 195, 190), (160, 170, 165), (215, 215, 205), (130, 135, 130))),
    "delta trap liner": (0.07, ((232, 230, 222), (225, 215, 190), (200, 200, 196))),
    "pan of water": (0.05, ((200, 180, 60), (170, 175, 165), (120, 140, 140), (225, 200, 30))),
    "leaf": (0.14, ((70, 125, 45), (90, 150, 60), (50, 95, 40), (120, 165, 70), (100, 130, 80))),
    "soil": (0.05, ((75, 55, 40), (100, 78, 58), (50, 40, 34))),
    "bark": (0.02, ((95, 75, 60), (125, 110, 95))),
    "paper": (0.04, ((245, 245, 242), (225, 222, 215), (235, 228, 210))),
    "table": (0.02, ((160, 125, 85), (120, 120, 122), (210, 205, 198))),
}
#: Colours of hands.
SKIN = ((224, 182, 152), (190, 138, 106), (120, 80, 58), (238, 200, 178))
STICKY = ("yellow sticky trap", "blue sticky trap", "white sticky trap", "clear sticky trap", "delta trap liner")
_NAMES = tuple(KINDS)
_WEIGHTS = np.array([KINDS[name][0] for name in _NAMES])
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def _noise_bank() -> tuple[np.ndarray, ...]:
    """Return fixed tiles (512, 512) of noise, unit deviation, from fine to coarse."""
    rng = np.random.default_rng(20260101)
    tiles = []
    for cell in (1, 3, 8, 24, 64):
        small = rng.normal(0, 1, (512 // cell + 3, 512 // cell + 3)).astype(np.float32)
        tile = cv2.resize(small, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)[
            cell : cell + 512, cell : cell + 512
        ]
        tiles.append(tile / tile.std())
    return tuple(tiles)


NOISE = _noise_bank()
GRAIN = (NOISE[0] * 0.4 + NOISE[1] * 0.6).astype(np.float32)


def noise(rng: np.random.Generator, height: int, width: int, octave: int) -> np.ndarray:
    """Return (height, width) float32 noise of unit deviation; octave 0 is the finest, 4 the coarsest."""
    tile = NOISE[octave]
    if height > 512 or width > 512:
        scale = max(height, width) / 500
        tile = cv2.resize(tile, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    y, x = rng.integers(0, tile.shape[0] - height + 1), rng.integers(0, tile.shape[1] - width + 1)
    out = tile[y : y + height, x : x + width]
    return out[:: int(rng.choice((1, -1))), :: int(rng.choice((1, -1)))]


def choose_kind(rng: np.random.Generator) -> str:
    """Choose a background kind, sticky cards most often."""
    return _NAMES[int(rng.choice(len(_NAMES), p=_WEIGHTS))]


def surface(rng: np.random.Generator, kind: str, size: int) -> np.ndarray:
    """Paint an empty background.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all variation.
    kind : str
        A key of `KINDS`.
    size : int
        Side in pixels.

    Returns
    -------
    numpy.ndarray
        (size, size, 3) float32 in 0..255.
    """
    options = KINDS[kind][1]
    base = np.array(options[int(rng.integers(len(options)))], np.float32)
    base = (base * rng.uniform(0.8, 1.05) * (1 + rng.normal(0, 0.02, 3)) + rng.normal(0, 3, 3)).astype(np.float32)
    fine = {"leaf": 0.03, "soil": 0.2, "bark": 0.15, "table": 0.03}.get(kind, 0.007)
    coarse = {"leaf": 0.06, "soil": 0.18, "bark": 0.2}.get(kind, 0.03)
    level = 1 + fine * noise(rng, size, size, 1 if fine > 0.01 else 2) * rng.uniform(0.5, 2)
    level += coarse * noise(rng, size, size, int(rng.integers(2, 5))) * rng.uniform(0.4, 1.6)
    slope = rng.uniform(-0.16, 0.16, 2)
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    level += (ramp * np.float32(slope[0]))[None] + (ramp * np.float32(slope[1]))[:, None]
    if kind in ("bark", "table"):
        level += 0.1 * noise(rng, size, size, 3)[:1] * rng.uniform(0.3, 1.2)
    image: np.ndarray = cv2.cvtColor(level.astype(np.float32), cv2.COLOR_GRAY2RGB)
    image *= base
    if kind == "leaf":
        leaf_veins(image, rng)
    return image


def leaf_veins(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a midrib or side veins with branches, lighter or darker than the leaf, in place."""
    size = image.shape[0]
    colour = image[size // 2, size // 2] * rng.uniform(0.75, 1.35) + rng.uniform(-10, 25)
    turn = rng.uniform(0, np.pi)
    direction, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    middle = np.array([size / 2, size / 2]) + across * rng.uniform(-0.5, 0.5) * size
    over = image.copy()
    thick = int(rng.integers(1, max(2, size // 24)))
    for i, offset in enumerate(np.linspace(-1.2, 1.2, int(rng.integers(4, 12)))):
        start = middle + direction * offset * size
        for side in (1, -1):
            end = start + (direction * 0.7 + across * side) * size
            cv2.line(over, point(start), point(end), tuple(map(float, colour)), max(1, thick // 2), cv2.LINE_AA)
        if i == 0:
            cv2.line(
                over,
                point(middle - direction * size * 2),
                point(middle + direction * size * 2),
                tuple(map(float, colour)),
                thick,
                cv2.LINE_AA,
            )
    image += (over - image) * np.float32(rng.uniform(0.2, 0.7))


def point(p: np.ndarray) -> tuple[int, int]:
    """Return a place (x, y) as whole pixels."""
    return (int(p[0]), int(p[1]))


def blend_mask(image: np.ndarray, mask: np.ndarray, colour: Sequence[float], strength: float) -> None:
    """Move the image towards a colour where the mask (uint8) is set, in place."""
    x, y, w, h = cv2.boundingRect(mask)
    if not w:
        return
    roi = image[y : y + h, x : x + w]
    weight = cv2.cvtColor(
        mask[y : y + h, x : x + w].astype(np.float32) * np.float32(strength / 255), cv2.COLOR_GRAY2RGB
    )
    roi += (np.asarray(colour, np.float32) - roi) * weight


def blob(
    rng: np.random.Generator, centre: np.ndarray, radius: float, rough: float = 0.3, points: int = 12
) -> np.ndarray:
    """Return an irregular closed outline, (n, 1, 2) int32."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    reach = radius * np.clip(1 + rng.normal(0, rough, points), 0.25, 2)
    stretch = rng.uniform(0.5, 1)
    return np.round(np.stack([np.cos(turn) * reach, np.sin(turn) * reach * stretch], 1) + centre).astype(np.int32)[
        :, None
    ]


def dirt(image: np.ndarray, rng: np.random.Generator, large: bool = False, count: int | None = None) -> None:
    """Scatter dark specks, or place a lump, in place."""
    size = image.shape[0]
    mask = np.zeros(image.shape[:2], np.uint8)
    number = 1 if large else count or int(rng.integers(1, 12))
    for _ in range(number):
        radius = size * (
            rng.uniform(0.08, 0.3) if large else float(np.clip(np.exp(rng.normal(-4.1, 0.6)), 0.006, 0.06))
        )
        place = rng.uniform(0.35, 0.65, 2) if large else rng.uniform(0, 1, 2)
        cv2.fillPoly(mask, [blob(rng, place * size, radius, points=20 if large else 8)], 255)
    _soil(image, rng, mask)


def clump(image: np.ndarray, rng: np.random.Generator) -> None:
    """Heap crumbs of dirt around a place, in place."""
    size = image.shape[0]
    mask = np.zeros(image.shape[:2], np.uint8)
    centre, spread = rng.uniform(0.35, 0.65, 2), rng.uniform(0.03, 0.16, 2)
    for place in rng.normal(centre, spread, (int(rng.integers(6, 40)), 2)):
        cv2.fillPoly(mask, [blob(rng, place * size, size * rng.uniform(0.01, 0.06), points=9)], 255)
    _soil(image, rng, mask)


def _soil(image: np.ndarray, rng: np.random.Generator, mask: np.ndarray) -> None:
    """Colour a mask as dirt, uneven, with a stain around it, in place."""
    size = image.shape[0]
    if rng.random() < 0.4:
        blend_mask(image, cv2.blur(mask, (size // 9, size // 9)), (96, 100, 30), rng.uniform(0.1, 0.5))
    colours = ((40, 32, 20), (26, 22, 18), (74, 50, 26), (104, 82, 50))
    patches = 1 + 0.35 * noise(rng, size, size, 2)
    cover = np.clip(cv2.GaussianBlur(mask, (3, 3), 0) * np.clip(patches, 0.55, 1.0), 0, 255).astype(np.uint8)
    blend_mask(image, cover, colours[int(rng.integers(4))], rng.uniform(0.6, 0.97))


def drop(
    image: np.ndarray, rng: np.random.Generator, centre: np.ndarray | None = None, radius: float | None = None
) -> None:
    """Place a water or glue drop: darker rim on one side, bright spots, a lens in between, in place."""
    size = image.shape[0]
    place = np.asarray(rng.uniform(0.2, 0.8, 2) * size if centre is None else centre)
    r = float(radius or size * rng.uniform(0.1, 0.36))
    shape = blob(rng, place, r, 0.05, 24)
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [shape], 255, cv2.LINE_AA)
    ring = np.zeros_like(mask)
    cv2.polylines(ring, [shape], True, 255, max(1, int(r * rng.uniform(0.06, 0.2))), cv2.LINE_AA)
    light = rng.uniform(0, 6.3)
    away = np.array([np.cos(light), np.sin(light)])
    h, w = image.shape[:2]
    side = (np.arange(w, dtype=np.float32) - place[0])[None] * away[0] + (np.arange(h, dtype=np.float32) - place[1])[
        :, None
    ] * away[1]
    lens = np.clip(side / max(r, 1), -1, 1).astype(np.float32)
    inside = mask.astype(np.float32) / 255
    image *= (1 + inside * lens * np.float32(rng.uniform(0.05, 0.25)))[..., None]
    soft = cv2.GaussianBlur(ring, (0, 0), max(0.6, r * 0.05)).astype(np.float32) / 255
    image *= (1 - soft * np.clip(0.35 - 0.5 * lens, 0, 0.7))[..., None]
    glint = np.zeros_like(mask)
    cv2.ellipse(
        glint,
        point(place - away * r * 0.45),
        (max(1, int(r * 0.2)), max(1, int(r * 0.1))),
        float(np.rad2deg(light)),
        0,
        360,
        255,
        -1,
        cv2.LINE_AA,
    )
    blend_mask(image, glint, (255, 255, 250), rng.uniform(0.5, 1))


def glue(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw the wrinkles, dents and glints of uneven glue, in place."""
    size = image.shape[0]
    stretch, octave = rng.uniform(1.0, 3.0), int(rng.integers(2, 4))
    film: np.ndarray = noise(rng, size, max(8, int(size / stretch)), octave)
    film = cv2.resize(np.ascontiguousarray(film), (size, size), interpolation=cv2.INTER_LINEAR)
    film = np.ascontiguousarray(film.T) if rng.random() < 0.5 else film
    relief = cv2.Sobel(film, cv2.CV_32F, 1, 0, ksize=3) + cv2.Sobel(film, cv2.CV_32F, 0, 1, ksize=3)
    relief *= np.float32(1 / (relief.std() + 1e-6))
    image *= (1 + np.float32(rng.uniform(0.01, 0.045)) * relief)[..., None]
    if rng.random() < 0.45:
        image += (np.clip(relief - rng.uniform(1.6, 2.4), 0, 1) * np.float32(rng.uniform(20, 110)))[..., None]


def glare(image: np.ndarray, rng: np.random.Generator) -> None:
    """Lay a soft bright spot or streak over the surface, in place."""
    size = image.shape[0]
    x, y = rng.uniform(0, 1, 2) * size
    wide, tall = rng.uniform(0.1, 0.7, 2) * size
    a = np.exp(-(((np.arange(size, dtype=np.float32) - x) / wide) ** 2))
    b = np.exp(-(((np.arange(size, dtype=np.float32) - y) / tall) ** 2))
    image += (b[:, None] * a[None] * np.float32(rng.uniform(30, 190)))[..., None]


def thread(image: np.ndarray, rng: np.random.Generator, thick: float = 0.012) -> None:
    """Draw a hair or fibre, in place."""
    size = image.shape[0]
    start = rng.uniform(0.05, 0.95, 2) * size
    turns = rng.uniform(0, 6.3) + np.cumsum(rng.normal(0, 0.35, 14))
    path = start + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1) * size * rng.uniform(0.03, 0.1), axis=0)
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.polylines(
        mask,
        [np.round(path).astype(np.int32)],
        False,
        255,
        max(1, int(size * thick * rng.uniform(0.5, 1.6))),
        cv2.LINE_AA,
    )
    options = ((30, 26, 22), (90, 70, 45), (235, 235, 230), (60, 60, 60))
    blend_mask(image, mask, options[int(rng.integers(4))], rng.uniform(0.5, 0.95))
