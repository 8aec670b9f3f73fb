"""What is printed or written on cards: grids, words, signs, scales, handwriting."""

from __future__ import annotations

import string

import cv2
import numpy as np

from fine_tune.synthetic.backgrounds import blend_mask, blob, point

WORDS = (
    "sticky trap",
    "monitoring",
    "date",
    "field no.",
    "crop",
    "10 x 25 cm",
    "insect control",
    "front",
    "back",
    "no. 12",
    "row 4",
    "www",
    "made for growers",
    "use by",
    "peel here",
)
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)


def ink(rng: np.random.Generator) -> tuple[float, float, float]:
    """Return a print colour."""
    options = (
        (20, 22, 20),
        (20, 22, 20),
        (26, 26, 22),
        (14, 60, 40),
        (16, 70, 50),
        (30, 100, 60),
        (40, 50, 110),
        (150, 40, 30),
        (90, 90, 80),
    )
    r, g, b = options[int(rng.integers(len(options)))]
    return (float(r), float(g), float(b))


def grid_lines(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw one to three straight printed lines, whole or dashed, in place."""
    size = image.shape[0]
    mask = np.zeros(image.shape[:2], np.uint8)
    turn = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.12)
    thick = int(rng.integers(1, max(2, size // 22)))
    for k in range(int(rng.integers(1, 3))):
        a = turn + (k % 2) * np.pi / 2
        direction = np.array([np.cos(a), np.sin(a)])
        middle = rng.uniform(0.05, 0.95, 2) * size
        dash = rng.uniform(0.08, 0.3) * size if rng.random() < 0.4 else None
        if dash is None:
            cv2.line(
                mask,
                point(middle - direction * size * 2),
                point(middle + direction * size * 2),
                255,
                thick,
                cv2.LINE_AA,
            )
        else:
            for step in np.arange(-1.5 * size, 1.5 * size, dash * 1.6):
                cv2.line(mask, point(middle + direction * step), point(middle + direction * (step + dash)), 255, thick)
    blend_mask(image, mask, ink(rng), rng.uniform(0.4, 0.95))


def letters(image: np.ndarray, rng: np.random.Generator) -> None:
    """Print small words, mostly in lower case, or a few large characters, in place."""
    size = image.shape[0]
    small = rng.random() < 0.5
    characters = rng.choice(list(string.ascii_letters + string.digits), int(rng.integers(1, 5)))
    text = WORDS[int(rng.integers(len(WORDS)))] if small else "".join(characters)
    scale = size / 90 * (rng.uniform(0.35, 1.1) if small else rng.uniform(0.9, 4.5))
    mask = np.zeros(image.shape[:2], np.uint8)
    start = (
        (rng.uniform(-0.9, 0.3), rng.uniform(0.3, 0.8)) if small else (rng.uniform(-0.3, 0.6), rng.uniform(0.3, 1.2))
    )
    font = _FONTS[int(rng.integers(len(_FONTS)))]
    stroke = max(1, int(scale * (rng.uniform(1.0, 2.5) if small else rng.uniform(1.5, 6.0))))
    cv2.putText(mask, text.upper() if rng.random() < 0.3 else text, point(np.array(start) * size), font, scale, 255,
                stroke, cv2.LINE_AA)  # fmt: skip
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), float(rng.choice([0, 90, 180, 270]) + rng.normal(0, 8)), 1.0)
    through = rng.random() < 0.2
    turned = cv2.warpAffine(np.ascontiguousarray(mask[:, ::-1]) if through else mask, turn, (size, size))
    blend_mask(image, turned, ink(rng), rng.uniform(0.1, 0.3) if through else rng.uniform(0.5, 0.97))


def handwriting(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw strokes of a marker pen, half the time on white paper, in place."""
    size = image.shape[0]
    if rng.random() < 0.5:
        image += (np.float32(rng.uniform(205, 245)) - image) * np.float32(0.95)
    mask = np.zeros(image.shape[:2], np.uint8)
    width = max(1, int(size * rng.uniform(0.03, 0.13)))
    for _ in range(int(rng.integers(1, 4))):
        turns = rng.uniform(0, 6.3) + np.cumsum(rng.normal(0, 0.5, 12))
        steps = np.stack([np.cos(turns), np.sin(turns)], 1) * size * rng.uniform(0.05, 0.12)
        path = rng.uniform(0.2, 0.8, 2) * size + np.cumsum(steps, axis=0)
        cv2.polylines(mask, [np.round(path).astype(np.int32)], False, 255, width, cv2.LINE_AA)
    blend_mask(image, mask, (22, 22, 26), rng.uniform(0.8, 1.0))


def ruler(image: np.ndarray, rng: np.random.Generator) -> None:
    """Print the ticks and figures of a scale along one side, in place."""
    size = image.shape[0]
    mask = np.zeros(image.shape[:2], np.uint8)
    pitch, base = size * rng.uniform(0.05, 0.14), size * rng.uniform(0.15, 0.5)
    thick = max(1, int(size * rng.uniform(0.006, 0.018)))
    for i in range(int(size / pitch) + 1):
        x, long = int(i * pitch), i % 5 == 0
        cv2.line(mask, (x, int(base)), (x, int(base + size * (0.16 if long else 0.09))), 255, thick, cv2.LINE_AA)
        if long:
            figure = (x, int(base + size * 0.34))
            cv2.putText(mask, str(i), figure, cv2.FONT_HERSHEY_SIMPLEX, size / 220, 255, thick, cv2.LINE_AA)
    mask = np.ascontiguousarray(np.rot90(mask, int(rng.integers(4))))
    blend_mask(image, mask, ink(rng), rng.uniform(0.5, 0.95))


def print_card(rng: np.random.Generator, image: np.ndarray, per_mm: float, grid_mm: float, brand: str) -> None:
    """Print a dashed grid and an invented brand on a card, in place; 0 and "" leave them out."""
    h, w = image.shape[:2]
    colour = ink(rng)
    mask = np.zeros((h, w), np.uint8)
    if grid_mm:
        thick = max(1, round(0.3 * per_mm))
        dash, gap = (int(n * per_mm) for n in ((4.0, 1.2) if rng.random() < 0.6 else (grid_mm, 0.0)))
        lines = [(True, x) for x in np.arange(w / 2 % (grid_mm * per_mm), w, grid_mm * per_mm)]
        lines += [(False, y) for y in np.arange(12 * per_mm, h, grid_mm * per_mm)]
        for upright, at in lines:
            for start in range(0, h if upright else w, dash + gap):
                a, b = (int(at), start), (int(at), start + dash)
                cv2.line(mask, a if upright else a[::-1], b if upright else b[::-1], 255, thick, cv2.LINE_AA)
        blend_mask(image, mask, (40, 42, 36), rng.uniform(0.6, 0.85))
    if brand:
        _logo(rng, image, per_mm, brand, colour)
    for _ in range(int(rng.integers(2, 9))):
        spot = np.zeros((h, w), np.uint8)
        cv2.fillPoly(spot, [blob(rng, rng.uniform(0, 1, 2) * (w, h), per_mm * rng.uniform(0.8, 3.0), 0.35)], 255)
        blend_mask(image, cv2.GaussianBlur(spot, (0, 0), per_mm * 0.8), (90, 100, 40), rng.uniform(0.1, 0.35))


def _logo(
    rng: np.random.Generator, image: np.ndarray, per_mm: float, brand: str, colour: tuple[float, float, float]
) -> None:
    """Print a brand with its sign, words in small letters and sometimes a scale; and what shines through, in place."""
    h, w = image.shape[:2]

    def line(mask: np.ndarray, text: str, place: tuple[int, int], height_mm: float, bold: float) -> None:
        scale = height_mm * per_mm / 22
        stroke = max(1, round(scale * bold))
        cv2.putText(mask, text, place, cv2.FONT_HERSHEY_DUPLEX, scale, 255, stroke, cv2.LINE_AA)

    name = np.zeros((h, w), np.uint8)
    x, y = int(w * rng.uniform(0.1, 0.3)), int(h * rng.uniform(0.2, 0.85))
    tall = rng.uniform(4.5, 8.5)
    line(name, brand, (x, y), tall, 2.2)
    sign, radius = (x - int(tall * per_mm * 0.7), y - int(tall * per_mm * 0.45)), int(tall * per_mm * 0.5)
    cv2.ellipse(name, sign, (radius, int(radius * rng.uniform(0.45, 1))), -40, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.line(name, (sign[0] - radius, sign[1] + radius), sign, 0, max(1, radius // 8), cv2.LINE_AA)
    blend_mask(image, name, colour, rng.uniform(0.6, 0.95))
    back = np.ascontiguousarray(np.roll(name[:, ::-1], int(h * rng.uniform(0.2, 0.6)), axis=0))
    blend_mask(image, cv2.blur(back, (max(2, int(per_mm * 0.4)),) * 2), (120, 140, 20), rng.uniform(0, 0.3))
    words = np.zeros((h, w), np.uint8)
    line(words, "monitoring card", (x, y + int(4.5 * per_mm)), 2.2, 1.3)
    for _ in range(int(rng.integers(1, 6))):
        place = (int(w * rng.uniform(0.02, 0.8)), int(h * rng.uniform(0.05, 0.98)))
        if abs(place[1] - y) > 10 * per_mm:
            line(words, str(rng.choice(WORDS)), place, rng.uniform(1.4, 3.0), 1.3)
    if rng.random() < 0.4:
        level = int(h * rng.uniform(0.08, 0.95))
        for i, at in enumerate(np.arange(0, w, per_mm)):
            reach = 3.2 if i % 10 == 0 else 2.2 if i % 5 == 0 else 1.4
            cv2.line(words, (int(at), level), (int(at), level - int(reach * per_mm)), 255, max(1, int(per_mm * 0.15)))
            if i and i % 10 == 0:
                line(words, str(i // 10), (int(at - per_mm), level - int(3.8 * per_mm)), 2.0, 1.2)
    blend_mask(image, words, (34, 36, 32), rng.uniform(0.6, 0.9))
