"""Whole rendered photos, traps and leaves, with a box, a group and an outline for every insect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from fine_tune.synthetic.clutter import paste
from fine_tune.synthetic.crops import cast_shadow, draw_insect, soak, wet_rim
from fine_tune.synthetic.groups import GROUP_NAMES, GROUPS
from fine_tune.synthetic.made_up import made_up_ground
from fine_tune.synthetic.scenes import (
    BRANDS,
    CARDS,
    MADE_UP,
    PHOTO_KINDS,
    Ground,
    card_ground,
    field,
    leaf_ground,
    litter,
    open_ground,
)  # fmt: skip

TYPICAL: dict[str, dict[str, int]] = {
    "yellow": {"whitefly": 22, "fungus gnat": 14, "thrips": 8, "aphid": 8, "leafminer fly": 6, "house fly": 3,
               "parasitoid wasp": 5, "leafhopper": 2, "psyllid": 2, "fruit fly": 2, "midge": 4, "rove beetle": 1},
    "blue": {"thrips": 26, "fungus gnat": 5, "house fly": 2, "aphid": 4, "leafminer fly": 4, "midge": 2},
    "white": {"flea beetle": 10, "plant bug": 4, "fruit fly": 8, "fungus gnat": 6, "thrips": 4, "sawfly": 3},
    "clear": {"fungus gnat": 8, "parasitoid wasp": 6, "psyllid": 5, "leafhopper": 4, "lacewing": 1,
              "bark beetle": 4, "planthopper": 2},
    "delta": {"moth": 9, "house fly": 2, "spider": 1, "mosquito": 2, "crane fly": 1, "earwig": 1},
    "pan water": {"hoverfly": 2, "aphid": 12, "house fly": 3, "flea beetle": 5, "parasitoid wasp": 4, "bee": 1,
                  "springtail": 6, "rove beetle": 2},
    "leaf": {"aphid": 22, "whitefly": 6, "ladybird": 1, "thrips": 3, "scale insect": 4, "ladybird larva": 1,
             "lacewing larva": 1},
    "soil": {"ant": 9, "spider": 2, "weevil": 3, "caterpillar": 1, "ground beetle": 2, "springtail": 6, "earwig": 1},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RenderedPhoto:
    """A rendered photo and its truth.

    Attributes
    ----------
    pixels : numpy.ndarray
        (h, w, 3) uint8 RGB.
    boxes : numpy.ndarray
        (n, 4) float32 xyxy in pixels, tight around what was drawn of each insect.
    groups : list of str
        n names of `GROUP_NAMES`.
    outlines : list of numpy.ndarray
        n polygons (k, 2) float32 in pixels: the outer outline of each insect's largest connected piece.
    mm_per_pixel : float
        Scale of the photo.
    kind : str
        A key of `scenes.PHOTO_KINDS`, or `scenes.MADE_UP`.
    """

    pixels: np.ndarray
    boxes: np.ndarray
    groups: list[str]
    outlines: list[np.ndarray]
    mm_per_pixel: float
    kind: str

    def to_coco(self, file_name: str, image_id: int = 1, first_annotation_id: int = 1) -> dict[str, Any]:
        """Return a whole COCO dictionary for this photo; category ids follow `GROUP_NAMES`."""
        height, width = self.pixels.shape[:2]
        image = {
            "id": image_id,
            "file_name": file_name,
            "width": width,
            "height": height,
            "mm_per_pixel": round(self.mm_per_pixel, 6),
        }
        annotations = []
        for i, (box, group, outline) in enumerate(zip(self.boxes, self.groups, self.outlines, strict=True)):
            x0, y0, x1, y1 = (float(v) for v in box)
            annotations.append(
                {
                    "id": first_annotation_id + i,
                    "image_id": image_id,
                    "category_id": GROUP_NAMES.index(group) + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": float(cv2.contourArea(outline)),
                    "segmentation": [[round(float(v), 1) for v in outline.ravel()]],
                    "iscrowd": 0,
                }
            )
        categories = [{"id": i + 1, "name": name, "supercategory": "arthropod"} for i, name in enumerate(GROUP_NAMES)]
        return {"images": [image], "annotations": annotations, "categories": categories}


def _layer(
    rng: np.random.Generator, group: str, per_mm: float, wet: bool, light: float, colour: str | None
) -> tuple[np.ndarray, str]:
    """Draw one insect at the photo's scale, supersampled, premultiplied (h, w, 4) float32; return its colour too."""
    low, high = GROUPS[group].length_mm
    body = per_mm * rng.uniform(low, high)
    finer = int(np.clip(round(110 / body), 1, 4))
    layer, look, _, _ = draw_insect(rng, group, 0.0, wet, light, body_length=body * finer, colour=colour)
    h, w = (-(-n // finer) * finer for n in layer.shape[:2])
    padded = np.zeros((h, w, 4), np.float32)
    padded[: layer.shape[0], : layer.shape[1]] = layer
    return cv2.resize(padded, (w // finer, h // finer), interpolation=cv2.INTER_AREA), look.colours[0]


def _trace(layer: np.ndarray, x: int, y: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the box and outline of a layer placed at (x, y), cut at the photo's border; None if too little is seen."""
    solid = (layer[..., 3] > 0.2).astype(np.uint8)
    whole = int(solid.sum())
    x0, y0 = max(0, -x), max(0, -y)
    solid = solid[y0 : max(y0, size[1] - y), x0 : max(x0, size[0] - x)]
    if not whole or int(solid.sum()) < 0.6 * whole:
        return None
    shift = np.array([x + x0, y + y0], np.float32)
    found, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(found, key=cv2.contourArea)
    if len(largest) < 4 or cv2.contourArea(largest) < 4:
        return None
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32) + np.tile(shift, 2)
    simple = cv2.approxPolyDP(largest, 0.7, True)
    outline = simple if len(simple) > 3 else largest
    return box, outline[:, 0].astype(np.float32) + shift + 0.5


def _place(
    rng: np.random.Generator,
    layer: np.ndarray,
    area: np.ndarray,
    boxes: Sequence[np.ndarray],
    touching: float,
    size: tuple[int, int],
) -> tuple[int, int] | None:
    """Find a corner for a layer inside an area: free, or, with a share of `touching`, against an earlier insect."""
    h, w = layer.shape[:2]
    low, high = area.min(axis=0), area.max(axis=0)
    beside = bool(boxes) and rng.random() < touching
    placed = np.array(boxes, np.float32).reshape(-1, 4)
    allowed = 0.18 if beside else 0.0
    for _ in range(60):
        centre = rng.uniform(low, high)
        if beside:
            other = boxes[int(rng.integers(len(boxes)))]
            turn = rng.uniform(0, 2 * np.pi)
            away = np.add(np.ptp(other.reshape(2, 2), axis=0), (w, h)) / 2 * rng.uniform(0.65, 0.95)
            centre = other.reshape(2, 2).mean(axis=0) + np.array([np.cos(turn), np.sin(turn)]) * away
        if cv2.pointPolygonTest(area.reshape(-1, 1, 2), (float(centre[0]), float(centre[1])), False) < 0:
            continue
        x, y = int(centre[0] - w / 2), int(centre[1] - h / 2)
        if x < -0.1 * w or y < -0.1 * h or x + 0.9 * w > size[0] or y + 0.9 * h > size[1]:
            continue
        overlap = np.minimum(placed[:, 2:], (x + w, y + h)) - np.maximum(placed[:, :2], (x, y))
        shared = overlap.clip(0).prod(axis=1)
        smaller = np.minimum(np.ptp(placed.reshape(-1, 2, 2), axis=1).prod(axis=1), w * h)
        if np.all(shared <= allowed * smaller):
            return x, y
    return None


def _develop(rng: np.random.Generator, image: np.ndarray, blur: float) -> np.ndarray:
    """Light, focus, sensor and exposure of a whole photo; (h, w, 3) uint8."""
    h, w = image.shape[:2]
    y, x = np.linspace(-1, 1, h, dtype=np.float32)[:, None], np.linspace(-1, 1, w, dtype=np.float32)[None]
    a, b = rng.uniform(-0.09, 0.09, 2)
    light = 1 + a * x + b * y - rng.uniform(0.03, 0.12) * (x * x + y * y) + 0.02 * field(rng, h, w, 300)
    image = image * light[..., None].astype(np.float32)
    if rng.random() < 0.5:
        cx, cy = rng.uniform(-0.8, 0.8, 2)
        image += (np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / rng.uniform(0.05, 0.3)) * rng.uniform(8, 32))[..., None]
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), blur))
    image *= (1 + rng.normal(0, 0.012, 3)).astype(np.float32)
    image += rng.standard_normal(image.shape[:2], dtype=np.float32)[..., None] * np.float32(rng.uniform(0.8, 2.0))
    return np.clip(image, 0, 255).astype(np.uint8)


def render_trap(
    rng: np.random.Generator,
    *,
    kind: str = "yellow",
    size: tuple[int, int] = (1600, 1200),
    insects: Mapping[str, int] | None = None,
    density: float = 1.0,
    mm_per_pixel: float = 0.07,
    dirt: float = 1.8,
    drops: int = 3,
    grid_mm: float | None = None,
    brand: str | None = None,
    edge: bool = True,
    tag_text: str = "",
    tag_code: str = "",
    touching: float = 0.12,
    blur: float | None = None,
) -> RenderedPhoto:
    """Render a whole photo of a trap, a leaf or soil.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all variation; the same state gives the same photo.
    kind : str
        yellow, blue, white, clear, delta, pan water, leaf or soil; or "made up", a ground of no meaning.
    size : tuple of int
        (width, height) in pixels.
    insects : mapping of str to int, optional
        Number of insects per group; by default a typical catch of the kind (of a yellow trap, on a made-up ground)
        times `density`.
    density : float
        Factor on the numbers.
    mm_per_pixel : float
        Scale; every insect has its group's length in millimetres.
    dirt : float
        Specks per square centimetre.
    drops : int
        Number of water drops.
    grid_mm : float, optional
        Pitch of the printed grid on cards, 0 for none; chosen at random by default.
    brand : str, optional
        Printed words on cards, "" for none; invented ones at random by default.
    edge : bool
        Whether the card's edge and the table around it are in the photo.
    tag_text, tag_code : str
        Words and QR code of a paper tag at the top; no tag when both are empty.
    touching : float
        Share of insects put against another.
    blur : float, optional
        Sigma of the focus in pixels; 0.5 to 1.1 at random by default.

    Returns
    -------
    RenderedPhoto
        The photo with boxes, groups and outlines. An insect that found no free place is left out of photo and truth.

    Raises
    ------
    ValueError
        If the kind or a group is unknown.
    """
    if kind not in (*PHOTO_KINDS, MADE_UP):
        raise ValueError(f"unknown kind {kind!r}; use one of {', '.join((*PHOTO_KINDS, MADE_UP))}")
    wanted = dict(insects if insects is not None else TYPICAL.get(kind, TYPICAL["yellow"]))
    unknown = sorted(set(wanted) - set(GROUPS))
    if unknown:
        raise ValueError(f"unknown group {unknown[0]!r}; use one of {', '.join(GROUP_NAMES)}")
    per_mm = 1 / mm_per_pixel
    ground = _ground(rng, kind, size, per_mm, grid_mm, brand, edge, tag_text, tag_code)
    image = ground.pixels
    litter(rng, image, ground.area, per_mm, dirt, drops)
    np.clip(image, 0, 255, out=image)
    light = float(rng.uniform(0, 2 * np.pi))
    wet = kind in CARDS or kind == "pan water" or (kind == MADE_UP and rng.random() < 0.5)
    order = [group for group, number in wanted.items() for _ in range(round(number * density))]
    order.sort(key=lambda group: -GROUPS[group].length_mm[1])
    boxes: list[np.ndarray] = []
    groups: list[str] = []
    outlines: list[np.ndarray] = []
    native: dict[str, str] = {}
    loyal = 0.85 if kind == "leaf" else 0.4
    for group in order:
        layer, colour = _layer(rng, group, per_mm, wet, light, native.get(group) if rng.random() < loyal else None)
        native.setdefault(group, colour)
        corner = _place(rng, layer, ground.area, boxes, touching, size)
        traced = _trace(layer, *corner, size) if corner is not None else None
        if corner is None or traced is None:
            continue
        cast_shadow(rng, image, layer, *corner, light + np.pi)
        if wet:
            soak(rng, layer, group, image[::32, ::32].mean(axis=(0, 1)))
            wet_rim(rng, image, layer, *corner, 0.5 * per_mm)
        paste(image, layer, *corner)
        boxes.append(traced[0])
        outlines.append(traced[1])
        groups.append(group)
    pixels = _develop(rng, image, float(rng.uniform(0.5, 1.1) if blur is None else blur))
    return RenderedPhoto(pixels, np.array(boxes, np.float32).reshape(-1, 4), groups, outlines, mm_per_pixel, kind)


def _ground(
    rng: np.random.Generator, kind: str, size: tuple[int, int], per_mm: float, grid_mm: float | None, brand: str | None,
    edge: bool, tag_text: str, tag_code: str,
) -> Ground:  # fmt: skip
    if kind == "leaf":
        return leaf_ground(rng, size, per_mm)
    if kind == MADE_UP:
        return made_up_ground(rng, size, per_mm)
    if kind not in CARDS:
        return open_ground(rng, kind, size, per_mm)
    if grid_mm is None:
        grid_mm = float(rng.choice([0, 20, 25, 30]))
    if brand is None:
        brand = str(rng.choice(["", *BRANDS]))
    return card_ground(rng, kind, size, per_mm, grid_mm, brand, edge, tag_text, tag_code)
