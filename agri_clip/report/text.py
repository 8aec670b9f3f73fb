"""Text and numbers of others made fit for a page: nothing that hides, turns around or ends what stands beside it."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup, escape

from agri_clip.formats.files import printable

# Characters that turn the direction of all text after them, so that "gpj.exe" reads "exe.jpg". The marks for one place
# (U+200E, U+200F, U+061C) stay: names in Arabic and Hebrew have them. https://www.unicode.org/reports/tr9/
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def plain(value: Any) -> str:
    """Any value as text that a page can show: control characters are named, such as ``[U+202E]``."""
    text = str(printable(str(value)))
    return TURNING.sub(_named, CONTROL.sub(_named, text))


def name(value: Any) -> Markup:
    """Somebody's text as HTML, escaped, with its direction of writing kept apart from what stands around it."""
    return Markup("<bdi>") + escape(plain(value)) + Markup("</bdi>")


def number(value: float | None, decimals: int = 2) -> str:
    """A number without needless decimals; a dash where it is not known."""
    return "–" if value is None else f"{value:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:.0f}"


def _named(found: re.Match[str]) -> str:
    return f"[U+{ord(found[0]):04X}]"
