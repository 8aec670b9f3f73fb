"""The annotated picture: boxes coloured by label on the photo, and under it a legend with the counts."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import supervision as sv
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from agri_clip.detections import OTHER, Detections
from agri_clip.errors import DataError
from agri_clip.formats.files import produced_by, thresholds, write_bytes
from agri_clip.photos.photo import Photo
from agri_clip.report.fonts import can_draw, draw_text, text_width

# Told apart with every common kind of colour blindness, and seen on yellow, blue and white cards: Okabe and Ito's
# palette without its yellow, in the order of contrast on yellow. https://jfly.uni-koeln.de/color/
# From the ninth label on there is no such palette; these are apart from the first eight for most eyes.
PALETTE = (
    *("#0072B2", "#D55E00", "#7B2D8E", "#009E73", "#1A1A1A", "#CC79A7", "#8C510A", "#56B4E9"),
    *("#B2182B", "#E7298A", "#35978F", "#6E7F80"),
)
HALO = sv.Color.WHITE
#: With more boxes than this in one photo they carry no text; the legend says what the colours mean.
MAX_TEXTS = 40
PAPER, INK, PALE_INK = "#FFFFFF", "#1F2328", "#6E7781"

Shape = Literal["box", "outline"]


def draw(pixels: np.ndarray, detections: Detections, *, shape: Shape = "box", max_texts: int = MAX_TEXTS) -> np.ndarray:
    """Draw what was found in one photo.

    Lines and text are scaled to the photo. Lines run around an insect, not over it; text is left out where it would
    cover another box. A label whose letters no font here has is called by its number, as in ``label 2``.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
        RGB; is not changed.
    detections : Detections
        Of that photo alone, as `Detections.split` gives them. Only findings are drawn.
    shape : {"box", "outline"}
        Boxes, or the outlines where there are some.
    max_texts : int
        Most boxes in a photo for which each still gets its label and score in text.

    Returns
    -------
    ndarray, shape (h + legend, w, 3), uint8
        RGB; the photo's pixels keep their places, the legend stands under them.

    Raises
    ------
    ValueError
        The pixels are no RGB picture, or the detections are of several photos.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(f"pixels must be (h, w, 3) uint8, not {pixels.shape} {pixels.dtype}")
    if len(detections.photos) > 1:
        raise ValueError(f"detections of one photo are needed, these are of {len(detections.photos)}; use split()")
    found = detections.found
    names = _drawable_names(detections)
    height, width = pixels.shape[:2]
    legend = _legend(width, _text_size(pixels), detections, names)
    # One copy of the photo, drawn on in place: a large one takes 300 MB.
    picture = np.empty((height + len(legend), width, 3), np.uint8)
    picture[:height], picture[height:] = pixels, legend
    _draw_shapes(picture[:height], found, shape)
    if 0 < len(found) <= max_texts:
        _draw_texts(picture[:height], found, names)
    return picture


def save(picture: np.ndarray, path: Path | str, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a picture as JPEG (quality 90) or PNG, by the file's suffix, whole or not at all.

    Parameters
    ----------
    picture : ndarray, shape (h, w, 3), uint8
        RGB.
    path : Path or str
    provenance : mapping, optional
        What produced it; kept in the file's comment.

    Raises
    ------
    DataError
        The suffix is neither, the picture is too large for JPEG, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    made_by = produced_by(provenance or {})
    memory = io.BytesIO()
    if suffix in (".jpg", ".jpeg"):
        if max(picture.shape[:2]) > 65500:
            raise DataError(
                f"{path}: JPEG holds no more than 65500 pixels a side, not {max(picture.shape[:2])}; use PNG"
            )
        # Thin coloured lines smear where colour is stored at half size, so it is not (subsampling 0).
        Image.fromarray(picture).save(memory, "JPEG", quality=90, subsampling=0, comment=made_by.encode()[:65000])
    elif suffix == ".png":
        note = PngInfo()
        note.add_itxt("comment", made_by)
        # zlib's lowest level: half the time of its default, and a photo's noise packs no better.
        Image.fromarray(picture).save(memory, "PNG", pnginfo=note, compress_level=1)
    else:
        raise DataError(f"{path}: pictures are written as .jpg or .png, not {suffix or 'without a suffix'}")
    write_bytes(path, memory.getvalue())


def write_picture(photo: Photo, detections: Detections, path: Path | str) -> None:
    """Draw what was found in one photo and write the picture; see `draw`, `save`, `formats.annotated_paths`."""
    save(draw(photo.pixels, detections), path, detections.provenance)


def _draw_shapes(scene: np.ndarray, found: Detections, shape: Shape) -> None:
    """Draw the boxes or outlines on the photo, in place, each with a thin white halo."""
    line, halo_width = _line_widths(scene)
    # supervision draws on BGR; with red and blue exchanged in the colours it draws on RGB.
    palette = sv.ColorPalette([sv.Color(c.b, c.g, c.r) for c in sv.ColorPalette.from_hex(list(PALETTE)).colors])
    outlined = np.array([shape == "outline" and outline is not None for outline in found.outlines], bool)
    # The halo's inner edge lies just outside the box.
    away = halo_width // 2 + 1
    around = np.array([-away, -away, away, away], np.float32)
    # The largest first, so that a small insect on a large one stays in sight.
    boxes = found[~outlined]
    area = np.prod(boxes.boxes[:, 2:] - boxes.boxes[:, :2], axis=1)
    boxed = boxes[np.argsort(-area, kind="stable")].to_supervision()
    boxed.xyxy = np.rint(boxed.xyxy + around)
    polygons = [
        np.rint(o).astype(np.int32)
        for o, wanted in zip(found.outlines, outlined, strict=True)
        if wanted and o is not None
    ]
    for halo in (True, False):
        width = halo_width if halo else line
        sv.BoxAnnotator(HALO if halo else palette, thickness=width).annotate(scene, boxed)
        for label, polygon in zip(found.label_index[outlined].tolist(), polygons, strict=True):
            sv.draw_polygon(scene, polygon, HALO if halo else palette.by_idx(label), thickness=width)


def _draw_texts(scene: np.ndarray, found: Detections, names: list[str]) -> None:
    """Write label and score beside each box, in place, the best first, where boxes and other texts leave room."""
    size = _text_size(scene)
    pad = max(2, size // 5)
    gap = _line_widths(scene)[1] + 1
    taken = [*(found.boxes + np.array([-gap, -gap, gap, gap], np.float32))]
    for i in np.argsort(-found.scores, kind="stable"):
        label = int(found.label_index[i])
        text = f"{found.scores[i]:.2f}"
        if len(names) > 1:
            text = f"{_shorten(names[label], size, 16 * size)} {text}"
        extent = (round(text_width(text, size)) + 2 * pad, size + 2 * pad)
        place = _free_place(taken[i], extent, np.array(taken), scene.shape[1], scene.shape[0])
        if place is None:
            continue
        taken.append(place)
        x1, y1, x2, y2 = place.astype(int).tolist()
        colour = PALETTE[label % len(PALETTE)]
        chip = Image.fromarray(scene[y1:y2, x1:x2])
        pen = ImageDraw.Draw(chip)
        pen.rounded_rectangle((0, 0, x2 - x1 - 1, y2 - y1 - 1), radius=pad, fill=colour)
        draw_text(pen, (pad, (y2 - y1) / 2), text, size, _ink_on(colour))
        scene[y1:y2, x1:x2] = np.asarray(chip)


def _free_place(
    box: np.ndarray, extent: tuple[int, int], taken: np.ndarray, width: int, height: int
) -> np.ndarray | None:
    """The first place for a text around a box, xyxy, that lies in the photo and on nothing that is taken."""
    x1, y1 = np.floor(box[:2]).tolist()
    x2, y2 = np.ceil(box[2:]).tolist()
    w, h = extent
    corners = [
        (x1, y1 - h),
        (x2 - w, y1 - h),
        (x1, y2),
        (x2 - w, y2),
        (x2, y1),
        (x1 - w, y1),
        (x2, y2 - h),
        (x1 - w, y2 - h),
    ]
    places = np.array([(x, y, x + w, y + h) for x, y in corners], np.float32)
    inside = np.all(places[:, :2] >= 0, axis=1) & (places[:, 2] < width) & (places[:, 3] < height)
    apart = (places[:, None, :2] >= taken[None, :, 2:]) | (places[:, None, 2:] <= taken[None, :, :2])
    free = np.flatnonzero(inside & np.all(apart.any(axis=2), axis=1))
    return places[free[0]] if len(free) else None


def _legend(width: int, size: int, detections: Detections, names: list[str]) -> np.ndarray:
    """A strip as wide as the photo: a square, the name and the count of each label, and what was left out."""
    size = min(size, max(8, width // 16))
    found = np.bincount(detections.found.label_index, minlength=len(names)).tolist()
    counts = [
        "not counted" if label in detections.not_counted else str(count)
        for label, count in zip(detections.label_names, found, strict=True)
    ]
    room = width - 6 * size
    entries: list[tuple[str | None, str]] = [
        (PALETTE[i % len(PALETTE)], f"{_shorten(names[i], size, room)}  {counts[i]}") for i in range(len(names))
    ]
    limits = set(thresholds(detections).values())
    if len(limits) == 1:
        entries.append((None, f"counted from score {limits.pop():g}"))
    others = int((detections.status == OTHER).sum())
    if others:
        entries.append((None, f"other insects, not drawn  {others}"))
    if detections.photos and detections.photos[0].failed:
        entries = [(None, "could not be read")]
    square, gap, row = size, 2 * size, round(1.9 * size)
    places, x, y = [], size, row
    for colour, text in entries:
        long = (square + size // 2 if colour else 0) + text_width(text, size)
        if x > size and x + long > width - size:
            x, y = size, y + row
        places.append((x, y, colour, text))
        x += round(long) + gap
    strip = Image.new("RGB", (width, y + row), PAPER)
    pen = ImageDraw.Draw(strip)
    for x, y, colour, text in places:
        if colour:
            pen.rectangle((x, y - square // 2, x + square, y + square // 2), fill=colour)
            x += square + size // 2
        draw_text(pen, (x, y), text, size, INK if colour else PALE_INK)
    return np.asarray(strip)


def _drawable_names(detections: Detections) -> list[str]:
    """Label names as the picture shows them: a number for one that no font here can draw."""
    names = [" ".join(name.split()) for name in detections.label_names]
    return [name if name and can_draw(name) else f"label {i}" for i, name in enumerate(names, 1)]


def _shorten(text: str, size: int, width: float) -> str:
    """The text, or as much of its beginning as fits, and three dots."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}...", size) > width:
        text = text[:-1]
    return f"{text.rstrip()}..."


def _line_widths(pixels: np.ndarray) -> tuple[int, int]:
    """Pixels: of a line, about a 700th of the photo's long side, crisp also where it is enlarged; with its halo."""
    line = max(1, round(max(pixels.shape[:2]) / 700))
    return line, line + 2 * max(1, line // 3)


def _text_size(pixels: np.ndarray) -> int:
    """Font size in pixels: about a 90th of the long side, and never too small to read."""
    return max(11, round(max(pixels.shape[:2]) / 90))


def _ink_on(colour: str) -> str:
    """Black or white, whichever reads better on a colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else "#FFFFFF"
