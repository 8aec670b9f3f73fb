"""Fonts for the annotated picture: for each script the first font here that has its letters."""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import ImageDraw, ImageFont, features

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# No font for Chinese, Japanese, Korean or Indian scripts ships with the package (each is 5 to 20 MB); these are what
# Linux, macOS and Windows have, best first.
SYSTEM_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansSC*.[ot]tf",
    "SourceHanSans*-Regular.*",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallback*.ttf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "STHeiti Medium.ttc",
    "msyh.ttc",
    "simhei.ttf",
    "simsun.ttc",
    "malgun.ttf",
    "meiryo.ttc",
    "NotoSansDevanagari-Regular.ttf",
    "Lohit-Devanagari.ttf",
    "Nirmala.ttf",
    "Nirmala.ttc",
    "Kohinoor.ttc",
    "Arial Unicode.ttf",
)
# First and last character of scripts whose letters join, stack or run from right to left: without a shaping library
# they would be drawn wrong, though the font has them.
SHAPED_SCRIPTS = ((0x0590, 0x08FF), (0x0900, 0x0DFF), (0x0E00, 0x109F), (0x1780, 0x17FF))


def can_draw(text: str) -> bool:
    """Whether every character of a text can be drawn with the fonts of this machine."""
    return all(_font_of(character) is not None for character in text)


def text_width(text: str, size: int) -> float:
    """Pixels from the start of a text to its end, at a font size in pixels."""
    return sum(font.getlength(part) for part, font in _runs(text, size))


def draw_text(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, fill: str) -> None:
    """Draw one line of text; `at` is the left end of its middle line, in pixels."""
    x, y = at
    for part, font in _runs(text, size):
        draw.text((x, y), part, fill=fill, font=font, anchor="lm")
        x += font.getlength(part)


def _runs(text: str, size: int) -> list[tuple[str, ImageFont.FreeTypeFont]]:
    """The text in pieces that one font can draw; characters that none can are left out."""
    places = [(character, _font_of(character)) for character in text]
    drawable = [(character, place) for character, place in places if place is not None]
    return [
        ("".join(character for character, _ in run), _load(place, size))
        for place, run in groupby(drawable, key=lambda pair: pair[1])
    ]


@lru_cache(maxsize=4096)
def _font_of(character: str) -> int | None:
    """Which of `_font_files` draws a character; None where none does."""
    if any(first <= ord(character) <= last for first, last in SHAPED_SCRIPTS) and not features.check("raqm"):
        return None
    for place in range(len(_font_files())):
        if character.isspace() or _glyph(place, character) != _glyph(place, "\uffff"):
            return place
    return None


@lru_cache(maxsize=4096)
def _glyph(place: int, character: str) -> tuple[tuple[int, int], bytes]:
    """The picture of a character; one that a font lacks looks like U+FFFF, which no font has."""
    mask = _load(place, 24).getmask(character, mode="L")
    return mask.size, bytes(mask)


@lru_cache(maxsize=64)
def _load(place: int, size: int) -> ImageFont.FreeTypeFont:
    file = _font_files()[place]
    if file is None:
        font = ImageFont.load_default(size)
        if not isinstance(font, ImageFont.FreeTypeFont):
            raise RuntimeError("Pillow was built without FreeType, so no text can be drawn; install Pillow's own wheel")
        return font
    return ImageFont.truetype(str(file), size)


@lru_cache(maxsize=1)
def _font_files() -> tuple[Path | None, ...]:
    """Fonts to try in order: DejaVu Sans (Latin, Greek, Cyrillic), Pillow's own (None), then the system's."""
    files: list[Path | None] = []
    # supervision needs matplotlib, which brings DejaVu Sans; its folder is found without the cost of importing it.
    matplotlib = importlib.util.find_spec("matplotlib")
    if matplotlib is not None and matplotlib.origin is not None:
        dejavu = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        files += [dejavu] if dejavu.is_file() else []
    files.append(None)
    fonts = [file for folder in _font_folders() if folder.is_dir() for file in folder.rglob("*") if file.is_file()]
    return (*files, *(file for pattern in SYSTEM_FONTS for file in sorted(fonts) if file.match(pattern)))


def _font_folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "darwin":
        return [home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    if sys.platform == "win32":
        return [Path("C:/Windows/Fonts"), home / "AppData/Local/Microsoft/Windows/Fonts"]
    return [home / ".fonts", home / ".local/share/fonts", Path("/usr/local/share/fonts"), Path("/usr/share/fonts")]
