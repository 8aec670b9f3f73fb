"""What lies about on a ground, and the group "none": what a proposer boxes although it is no insect."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from fine_tune.synthetic.anatomy import NET_VEINS, Pose, bent, clear_wings, mottle, pick, seam, tone
from fine_tune.synthetic.backgrounds import (
    GRAIN,
    STICKY,
    blend_mask,
    blob,
    clump,
    dirt,
    drop,
    glare,
    glue,
    leaf_veins,
    noise,
    thread,
)
from fine_tune.synthetic.insects import DRAWERS
from fine_tune.synthetic.lettering import grid_lines, handwriting, ink, letters, ruler
from fine_tune.synthetic.sketch import Paint, Sketch, profile

Draw = Callable[[np.ndarray, np.random.Generator], None]


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
    colour = tone(rng, pick(rng, "green,brown,tan,olive,dark brown,cream,pink,reddish brown"))
    half = profile(0.6, 1, 0.8, 0.4, blunt=float(rng.uniform(2, 6)))
    marks = (mottle(rng, (60, 40, 24), rng.uniform(0.2, 0.7)),)
    bow = profile(*rng.uniform(0.2, 1, 4), blunt=3.0)
    sketch.wing((-0.5, 0), 1, rng.uniform(0.1, 0.7), 0, Paint(colour, marks, relief=0.25, grain=0.2), half, bow)
    if rng.random() < 0.4:
        sketch.line([(-0.45, 0), (0.5, rng.uniform(-0.1, 0.1))], 0.03, tone(rng, "tan"))
    _lay(image, rng, sketch, rng.uniform(0.25, 0.8))


def _seed(image: np.ndarray, rng: np.random.Generator) -> None:
    sketch = Sketch()
    colour = tone(rng, pick(rng, "tan,brown,dark brown,black,cream,reddish brown"))
    drop_shape = profile(rng.uniform(0.3, 1), 1, rng.uniform(0.5, 1), rng.uniform(0.1, 0.8), blunt=2.4)
    marks = (seam((60, 40, 24), 0.08, rng.uniform(0, 0.8)),)
    sketch.body((0, 0), 1, rng.uniform(0.3, 0.85), Paint(colour, marks, gloss=0.25, grain=0.15), drop_shape)
    _lay(image, rng, sketch, rng.uniform(0.2, 0.7))


def _silhouette(image: np.ndarray, rng: np.random.Generator) -> None:
    """Let an insect on the back of the card or leaf show through, blurred and tinted."""
    sketch = Sketch()
    names = tuple(DRAWERS)
    pose = Pose(wings=("folded", "half", "open")[int(rng.integers(3))], crumpled=bool(rng.random() < 0.4))
    DRAWERS[names[int(rng.integers(len(names)))]](sketch, rng, pose)
    size = image.shape[0]
    behind = np.zeros(image.shape, np.float32)
    _lay(behind, rng, sketch, rng.uniform(0.35, 0.9), cover_only=True)
    soft = cv2.GaussianBlur(behind[..., 0], (0, 0), size * rng.uniform(0.03, 0.07))
    lost = np.array(rng.choice([(0.9, 0.65, 1.0), (1.0, 1.0, 1.0), (0.8, 0.9, 1.0)]), np.float32)
    image *= 1 - soft[..., None] * lost * np.float32(rng.uniform(0.15, 0.5))


def _lay(image: np.ndarray, rng: np.random.Generator, sketch: Sketch, share: float, cover_only: bool = False) -> None:
    turn = rng.uniform(0, 2 * np.pi)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    layer = sketch.rasterise(matrix, image.shape[0] * share, float(rng.uniform(0, 6.3)), GRAIN)
    size = image.shape[0]
    x, y = ((size - np.array(layer.shape[1::-1])) * rng.uniform(0.2, 0.8, 2)).astype(int)
    if cover_only:
        layer[..., :3] = layer[..., 3:]
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
    side -= rng.uniform(-0.3, 0.3) * size
    beyond = np.clip(side + 0.5, 0, 1)[..., None].astype(np.float32)
    level = rng.choice([30, 120, 200, 225, 235, 215]) * (1 + rng.normal(0, 0.03, 3))
    shade = 1 - rng.uniform(0, 0.6) * np.exp(-np.clip(side, 0, None) / (size * rng.uniform(0.01, 0.08)))
    other = np.float32(level) * (shade * (1 + 0.02 * noise(rng, size, size, 2)))[..., None].astype(np.float32)
    image += (other - image) * beyond


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


def _scratches(image: np.ndarray, rng: np.random.Generator) -> None:
    size = image.shape[0]
    mask = np.zeros(image.shape[:2], np.uint8)
    for _ in range(int(rng.integers(1, 8))):
        start, turn = rng.uniform(0, 1, 2) * size, rng.uniform(0, 6.3)
        turns = turn + np.cumsum(rng.normal(0, 0.06, 10))
        path = start + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1) * size * rng.uniform(0.02, 0.1), axis=0)
        level = int(rng.integers(80, 255))
        cv2.polylines(mask, [np.round(path).astype(np.int32)], False, level, max(1, size // 110), cv2.LINE_AA)
    shade = float(rng.choice([60, 90, 245]))
    blend_mask(image, mask, (shade, shade, shade), rng.uniform(0.3, 0.8))


def _pollen(image: np.ndarray, rng: np.random.Generator) -> None:
    size = image.shape[0]
    mask = np.zeros(image.shape[:2], np.uint8)
    for place in rng.normal(0.5, rng.uniform(0.08, 0.35), (int(rng.integers(8, 80)), 2)) * size:
        cv2.circle(mask, (int(place[0]), int(place[1])), max(1, int(size * rng.uniform(0.004, 0.016))), 255, -1)
    blend_mask(image, mask, tone(rng, pick(rng, "yellow,orange,cream,tan,pale yellow,white")), rng.uniform(0.6, 1))


def _several(draw: Draw, most: int) -> Draw:
    """Return a function that draws one to `most` of a thing."""

    def repeat(image: np.ndarray, rng: np.random.Generator) -> None:
        for _ in range(int(rng.integers(1, most + 1))):
            draw(image, rng)

    return repeat


def _bubble(image: np.ndarray, rng: np.random.Generator) -> None:
    drop(image, rng, radius=image.shape[0] * rng.uniform(0.03, 0.12))


_DRAW: dict[str, tuple[Draw, ...]] = {
    "plain": (lambda _image, _rng: None,),
    "print": (letters, letters, handwriting),
    "grid line": (grid_lines, grid_lines, ruler),
    "water drop": (_several(drop, 3),),
    "glue": (glue, _several(_bubble, 8)),
    "glare": (glare,),
    "dirt": (lambda image, rng: dirt(image, rng, large=True), clump, clump),
    "hair": (_several(lambda image, rng: thread(image, rng, 0.02), 3),),
    "plant fragment": (_fragment, _seed),
    "leaf vein": (leaf_veins,),
    "shadow": (_shadow, _silhouette),
    "card edge": (_edge,),
    "hole": (_hole,),
    "insect part": (_part, _several(_part, 4)),
    "specks": (_several(dirt, 3), _pollen),
    "stain": (_stain, _silhouette, _scratches),
}
CLUTTER = tuple(_DRAW)


def dress(image: np.ndarray, rng: np.random.Generator, kind: str) -> None:
    """Add the clutter that a background of this kind has around an insect, in place."""
    sticky = kind in STICKY
    if sticky and rng.random() < 0.45:
        glue(image, rng)
    if sticky and rng.random() < 0.16:
        grid_lines(image, rng)
    if sticky and rng.random() < 0.08:
        letters(image, rng)
    if rng.random() < 0.35:
        dirt(image, rng)
    if rng.random() < 0.06:
        drop(image, rng, radius=image.shape[0] * rng.uniform(0.05, 0.16))
    if rng.random() < 0.12:
        glare(image, rng)
    if rng.random() < 0.05:
        thread(image, rng)
    np.clip(image, 0, 255, out=image)


def draw_clutter(image: np.ndarray, rng: np.random.Generator) -> str:
    """Draw one thing that is no insect onto a background, in place; return its name from `CLUTTER`."""
    kind = CLUTTER[int(rng.integers(len(CLUTTER)))]
    ways = _DRAW[kind]
    ways[int(rng.integers(len(ways)))](image, rng)
    np.clip(image, 0, 255, out=image)
    return kind
