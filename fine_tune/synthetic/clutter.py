"""The group "none": what a proposer boxes although it is no insect."""

from __future__ import annotations

import cv2
import numpy as np

from fine_tune.synthetic.anatomy import NET_VEINS, Pose, bent, clear_wings, pick, tone
from fine_tune.synthetic.backgrounds import (
    GRAIN,
    blend_mask,
    blob,
    dirt,
    drop,
    glare,
    glue,
    grid_lines,
    ink,
    leaf_veins,
    letters,
    noise,
    thread,
)
from fine_tune.synthetic.sketch import Paint, Sketch, profile

CLUTTER = (
    "plain",
    "print",
    "grid line",
    "water drop",
    "glue",
    "glare",
    "dirt",
    "hair",
    "plant fragment",
    "leaf vein",
    "shadow",
    "card edge",
    "hole",
    "insect part",
    "specks",
    "stain",
)


def paste(image: np.ndarray, layer: np.ndarray, x: int, y: int) -> None:
    """Lay a premultiplied RGBA layer over an image with its corner at (x, y), cut at the border, in place."""
    h, w = image.shape[:2]
    x0, y0, x1, y1 = max(0, x), max(0, y), min(w, x + layer.shape[1]), min(h, y + layer.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    cut = layer[y0 - y : y1 - y, x0 - x : x1 - x]
    roi = image[y0:y1, x0:x1]
    cv2.multiply(roi, cv2.cvtColor(1 - cut[..., 3], cv2.COLOR_GRAY2RGB), roi)
    cv2.add(roi, cv2.cvtColor(cut, cv2.COLOR_RGBA2RGB), roi)


def _part(image: np.ndarray, rng: np.random.Generator) -> None:
    sketch = Sketch()
    if rng.random() < 0.5:
        clear_wings(
            sketch, rng, Pose(wings="open"), (0, 0), 1, 0.35, NET_VEINS if rng.random() < 0.3 else NET_VEINS[:5]
        )
        sketch.operations = sketch.operations[:1]
    else:
        colour = tone(rng, pick(rng, "black,dark brown,brown,tan"))
        sketch.line(bent((0, 0), rng.uniform(-1.2, 1.2, 3), [0.42, 0.38, 0.2]), rng.uniform(0.02, 0.07), colour)
    _lay(image, rng, sketch, rng.uniform(0.3, 0.8))


def _fragment(image: np.ndarray, rng: np.random.Generator) -> None:
    sketch = Sketch()
    colour = tone(rng, pick(rng, "green,brown,tan,olive,dark brown,cream,pink"))
    half = profile(0.6, 1, 0.8, 0.4, blunt=float(rng.uniform(2, 6)))
    sketch.body((0, 0), 1, rng.uniform(0.08, 0.6), Paint(colour, grain=0.3), half)
    if rng.random() < 0.4:
        sketch.line([(-0.4, 0), (0.5, rng.uniform(-0.1, 0.1))], 0.03, tone(rng, "tan"))
    _lay(image, rng, sketch, rng.uniform(0.25, 0.8))


def _lay(image: np.ndarray, rng: np.random.Generator, sketch: Sketch, share: float) -> None:
    turn = rng.uniform(0, 2 * np.pi)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    layer = sketch.rasterise(matrix, image.shape[0] * share, float(rng.uniform(0, 6.3)), GRAIN)
    size = image.shape[0]
    x, y = ((size - np.array(layer.shape[1::-1])) * rng.uniform(0.2, 0.8, 2)).astype(int)
    paste(image, layer, int(x), int(y))


def _shadow(image: np.ndarray, rng: np.random.Generator) -> None:
    size = image.shape[0]
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [blob(rng, rng.uniform(0, 1, 2) * size, size * rng.uniform(0.3, 0.8), 0.2)], 255)
    soft = cv2.blur(mask, (size // 6 + 1, size // 6 + 1)).astype(np.float32) / 255
    image *= (1 - soft * np.float32(rng.uniform(0.2, 0.6)))[..., None]


def _edge(image: np.ndarray, rng: np.random.Generator) -> None:
    size = image.shape[0]
    turn = rng.choice([0, np.pi / 2, np.pi, -np.pi / 2]) + rng.normal(0, 0.15)
    side = (np.arange(size) - size / 2)[None] * np.cos(turn) + (np.arange(size) - size / 2)[:, None] * np.sin(turn)
    beyond = side > rng.uniform(-0.3, 0.3) * size
    image[beyond] = np.array(rng.choice([30, 120, 200, 235]) + rng.normal(0, 12, 3), np.float32)
    image *= (1 + 0.03 * noise(rng, size, size, 2))[..., None]


def _hole(image: np.ndarray, rng: np.random.Generator) -> None:
    size = image.shape[0]
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.circle(
        mask,
        tuple(int(v) for v in rng.uniform(0.3, 0.7, 2) * size),
        int(size * rng.uniform(0.1, 0.4)),
        255,
        -1,
        cv2.LINE_AA,
    )
    level = float(rng.choice([20, 70, 150, 225]))
    blend_mask(image, mask, (level, level, level * 0.97), 1.0)


def _stain(image: np.ndarray, rng: np.random.Generator) -> None:
    size = image.shape[0]
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [blob(rng, rng.uniform(0.3, 0.7, 2) * size, size * rng.uniform(0.1, 0.35), 0.25)], 255)
    blur = cv2.blur(mask, (size // 5 + 1, size // 5 + 1))
    blend_mask(image, blur, ink(rng), rng.uniform(0.15, 0.6))


def draw_clutter(image: np.ndarray, rng: np.random.Generator) -> str:
    """Draw one thing that is no insect onto a background, in place; return its name from `CLUTTER`."""
    kind = CLUTTER[int(rng.integers(len(CLUTTER)))]
    draw = {
        "print": letters,
        "grid line": grid_lines,
        "glare": glare,
        "leaf vein": leaf_veins,
        "shadow": _shadow,
        "card edge": _edge,
        "hole": _hole,
        "insect part": _part,
        "plant fragment": _fragment,
        "stain": _stain,
        "glue": glue,
        "specks": dirt,
    }.get(kind)
    if draw is not None:
        draw(image, rng)
    elif kind == "water drop":
        for _ in range(int(rng.integers(1, 4))):
            drop(image, rng)
    elif kind == "dirt":
        dirt(image, rng, large=True)
    elif kind == "hair":
        for _ in range(int(rng.integers(1, 4))):
            thread(image, rng, 0.02)
    np.clip(image, 0, 255, out=image)
    return kind
