"""Contact sheets: many crops in one picture, best first, each with a line that says what it is."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from agri_clip.report import drawing
from agri_clip.report.fonts import draw_text, text_width

#: Side of a crop on the sheet, space around it, and size of the letters; pixels.
CELL, GAP, LETTERS = 120, 10, 13


def draw_sheet(thumbnails: Sequence[bytes], captions: Sequence[Sequence[str]], columns: int = 8) -> np.ndarray:
    """Lay crops out in rows.

    Parameters
    ----------
    thumbnails : sequence of n bytes
        JPEG or PNG.
    captions : sequence of n sequences of str
        Lines under each crop; what is too long is cut.
    columns : int

    Returns
    -------
    ndarray, shape (h, w, 3), uint8
        RGB.
    """
    lines = max((len(caption) for caption in captions), default=0)
    tall = CELL + lines * (LETTERS + 4) + 2 * GAP
    across = max(1, min(columns, len(thumbnails)))
    down = -(-len(thumbnails) // across)
    sheet = Image.new("RGB", (across * (CELL + GAP) + GAP, max(1, down) * tall + GAP), drawing.PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, (data, caption) in enumerate(zip(thumbnails, captions, strict=True)):
        x, y = GAP + number % across * (CELL + GAP), GAP + number // across * tall
        crop = Image.open(io.BytesIO(data)).convert("RGB")
        sheet.paste(crop.resize((CELL, CELL), Image.Resampling.BICUBIC), (x, y))
        for line, text in enumerate(caption):
            at = (x, y + CELL + 3 + line * (LETTERS + 4))
            draw_text(pen, at, _shorten(text), LETTERS, drawing.INK if line == 0 else drawing.PALE_INK)
    return np.asarray(sheet)


def write_sheet(
    thumbnails: Sequence[bytes], captions: Sequence[Sequence[str]], path: Path | str, columns: int = 8
) -> None:
    """Draw a sheet and write it, whole or not at all; JPEG or PNG by the name's ending.

    Raises
    ------
    DataError
        The place cannot be written.
    """
    drawing.save(draw_sheet(thumbnails, captions, columns), path)


def _shorten(text: str) -> str:
    while text and text_width(text, LETTERS) > CELL:
        text = text[:-2].rstrip("…") + "…" if len(text) > 2 else ""
    return text
