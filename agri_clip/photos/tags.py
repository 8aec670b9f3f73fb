"""Which trap, and on what day: from a code on the card, or from the file name. Part of reading a photo (step 0)."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import cv2
import numpy as np
import zxingcpp

from agri_clip.errors import AgriClipError

# A code is searched in a copy of at most this size: it bounds the time for large photos, and a tag that fills a
# fiftieth of the photo's width still has four pixels per module.
CODE_SEARCH_PIXELS = 6_000_000
LONGEST_SIDE = 65_535  # of what zxing-cpp takes
MARKER_DICTIONARIES = (
    "DICT_4X4_50",
    "DICT_5X5_100",
    "DICT_6X6_250",
    "DICT_ARUCO_ORIGINAL",
    "DICT_APRILTAG_36h11",
)
_TRAP_KEYS = ("trap", "trap_id", "trapid", "trap-id")
_DATE_KEYS = ("date", "day")
_DATE = r"(?:19|20)\d{2}(?P<dash>[-_.]?)\d{2}(?P=dash)\d{2}"
_FRACTION = r"(?:[.,]?\d{3,9})?"
_TIME = rf"\d{{2}}(?P<colon>[-_.:]?)\d{{2}}(?P=colon)\d{{2}}{_FRACTION}"
# After the T of ISO 8601 the seconds may be missing: 20260518T1530 is half past three, not trap T1530.
_ISO_TIME = rf"\d{{2}}(?P<point>[-_.:]?)\d{{2}}(?:(?P=point)\d{{2}}{_FRACTION})?"
_MOMENT = re.compile(rf"(?<!\d)(?P<date>{_DATE})(?:[Tt](?P<iso>{_ISO_TIME})|[-_ ]?(?P<time>{_TIME}))?(?!\d)")
_DAY_ONLY = re.compile(rf"(?<!\d)(?P<date>{_DATE})(?!\d)")
# What a camera calls a picture, and a year with its month, are no trap.
_NO_TRAP = r"(?!-?(?:(?:IMG|DSC|PXL|MVI|VID|DJI|SAM|PIC)-?\d|(?:19|20)\d{2}[-_. ]\d{1,2}(?!\d)))"
_TRAP_WORD = re.compile(
    rf"(?<![^\W_])trap[-_ ]?{_NO_TRAP}(?P<trap>[A-Za-z]{{0,3}}-?\d{{1,4}})(?![^\W_])", re.IGNORECASE
)
_TRAP_LETTER = re.compile(r"(?<![^\W_])(?P<trap>T[-_ ]?\d{1,4})(?![^\W_])")
_PLAIN_ID = re.compile(r"(?=.*[^\W\d_]|\d{1,6}$)[^\W_][\w /#-]{0,31}")
_FIELDS = {
    "trap": r"(?P<trap>[^/]+?)",
    "date": (
        r"(?P<date>\d{4}[-_.]?\d{2}[-_.]?\d{2}"
        rf"(?:T\d{{2}}[-_.:]?\d{{2}}(?:[-_.:]?\d{{2}}{_FRACTION})?"
        rf"|[-_ ]?\d{{2}}[-_.:]?\d{{2}}[-_.:]?\d{{2}}{_FRACTION})?)"
    ),
    "day": r"(?P<day>\d{1,2})",
    "month": r"(?P<month>\d{1,2})",
    "year": r"(?P<year>\d{4})",
}


@dataclass(frozen=True)
class Tag:
    """What a code or a file name says.

    Attributes
    ----------
    trap : str or None
    taken : datetime or None
        Midnight where only the day is known.
    notes : tuple of str
        What was found and not used.
    marker : bool
        Whether the trap is the bare number of a marker, which a crowd of insects can look like.
    """

    trap: str | None = None
    taken: datetime | None = None
    notes: tuple[str, ...] = ()
    marker: bool = False


def parse_date(text: str) -> datetime | None:
    """Find a day, year first, and the time after it.

    Parameters
    ----------
    text : str
        Such as `2026-05-04`, `20260504_153000`, `20260504T1530` or `2026.05.04 15.30.00`, with other text around it
        or not.

    Returns
    -------
    datetime or None
        Midnight where no time stands after the day; None where there is no such day in the calendar.
    """
    found = _find_date(text)
    return None if found is None else found[0]


def read_name(path: Path | str, pattern: str | None = None) -> Tag:
    """Trap and day from a file name.

    Parameters
    ----------
    path : Path or str
        The photo's path; the extension is not looked at.
    pattern : str, optional
        A template such as `{trap}_{date}*`, or a regular expression after `re:`; see `compile_pattern`. Without one
        a day written year first is found anywhere in the name, and a trap where the name holds `T` and a number
        (`T1`) or the word `trap` and an id (`trap-12` is trap 12).

    Returns
    -------
    Tag

    Raises
    ------
    AgriClipError
        The pattern is not valid.
    """
    path = Path(path)
    if pattern is None:
        return _read_name_by_default(path.stem)
    compiled, parts, whole = compile_pattern(pattern)
    text = "/".join((*path.parts[:-1], path.stem)[-parts:])
    match = compiled.fullmatch(text) if whole else compiled.search(text)
    if match is None:
        return Tag(notes=(f"its name does not match the pattern {pattern}",))
    return _tag_from_groups({key: value for key, value in match.groupdict().items() if value})


@functools.lru_cache(maxsize=32)
def compile_pattern(pattern: str) -> tuple[re.Pattern[str], int, bool]:
    """Turn a file name pattern into a regular expression.

    Parameters
    ----------
    pattern : str
        A template: `{trap}`, `{date}` (year first, a time may follow), `{day}`, `{month}` and `{year}` stand for
        themselves, `*` for any text, everything else for itself, upper or lower case. Or `re:` and a regular
        expression with groups named trap, date, day, month or year. It is matched with the name without its
        extension; a template with `/` also with as many folders above it.

    Returns
    -------
    expression : re.Pattern
    parts : int
        How many of the path's last parts it looks at.
    whole : bool
        Whether it must match all of them.

    Raises
    ------
    AgriClipError
        An unknown field, a field twice, no field, or a regular expression that does not compile.
    """
    help_text = "write a template such as {trap}_{date}* or re: and a regular expression with a group (?P<trap>...)"
    if not pattern.startswith("re:"):
        pieces = re.split(r"(\{[^{}]*\}|\*)", pattern)
        unknown = [piece for piece in pieces if piece.startswith("{") and piece[1:-1] not in _FIELDS]
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in _FIELDS)
            raise AgriClipError(f"file name pattern {pattern!r}: unknown field {unknown[0]}; the fields are {known}")
        text = "".join(
            _FIELDS[piece[1:-1]] if piece.startswith("{") else "[^/]*" if piece == "*" else re.escape(piece)
            for piece in pieces
        )
    else:
        text = pattern[3:]
    try:
        compiled = re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise AgriClipError(f"file name pattern {pattern!r}: {error}; {help_text}") from None
    if not set(compiled.groupindex) & {"trap", "date", "year"}:
        raise AgriClipError(f"file name pattern {pattern!r}: it has no field for a trap or a date; {help_text}")
    return compiled, pattern.count("/") + 1, not pattern.startswith("re:")


def read_codes(pixels: np.ndarray) -> Tag:
    """Trap and day from a QR code, a Data Matrix or an ArUco marker in the photo.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
        RGB, upright.

    Returns
    -------
    Tag
        A code that carries text goes before a marker. Codes that name different traps name none, and a note says so.

    References
    ----------
    S. Garrido-Jurado et al., Automatic generation and detection of highly reliable fiducial markers under occlusion,
    Pattern Recognition 47 (2014); ISO/IEC 18004 (QR Code) and 16022 (Data Matrix), decoded by zxing-cpp.
    """
    grey = _search_copy(pixels)
    formats = zxingcpp.barcode_formats_from_str("QRCode,MicroQRCode,DataMatrix")
    texts = sorted({code.text for code in zxingcpp.read_barcodes(grey, formats=formats) if code.text})
    tags = [parse_payload(text) for text in texts]
    notes = tuple(note for tag in tags for note in tag.notes)
    taken = next((tag.taken for tag in tags if tag.taken), None)
    traps = sorted({tag.trap for tag in tags if tag.trap})
    kind = "codes"
    if not traps:
        kind, traps = "markers", _read_markers(grey)
    if len(traps) > 1:
        return Tag(None, None, (*notes, f"{kind} on it name different traps ({', '.join(traps)}): none was used"))
    return Tag(traps[0] if traps else None, taken, notes, marker=bool(traps) and kind == "markers")


def parse_payload(text: str) -> Tag:
    """Read the text of a code.

    Parameters
    ----------
    text : str
        `trap=T3;date=2026-05-11` (separated by `;`, `,`, `&`, `|` or line ends, with `=` or `:`), a JSON object or an
        address's query with the same keys, or a plain id such as `T3`.

    Returns
    -------
    Tag
        Empty with a note for any other text, such as a maker's web address.
    """
    text = text.strip().lstrip("\ufeff")
    fields = _json_fields(text) or _query_fields(text) or _pair_fields(text)
    if fields:
        trap = next((value for key in _TRAP_KEYS if (value := fields.get(key))), None)
        date = next((value for key in _DATE_KEYS if (value := fields.get(key))), None)
        if trap or date:
            return _tag_from_groups({"trap": trap or "", "date": date or ""}, "code")
    elif _PLAIN_ID.fullmatch(text):
        return Tag(trap=text)
    shown = "".join(character if character.isprintable() else " " for character in text)
    return Tag(notes=(f"a code on it names no trap: {shown[:60]}{'...' if len(shown) > 60 else ''}",))


def _read_name_by_default(stem: str) -> Tag:
    found = _find_date(stem)
    taken = None
    if found is not None:
        taken, start, end = found
        stem = f"{stem[:start]} {stem[end:]}"  # the day's digits must not become a trap's
    match = _TRAP_WORD.search(stem) or _TRAP_LETTER.search(stem)
    return Tag(match["trap"] if match else None, taken)


def _find_date(text: str) -> tuple[datetime, int, int] | None:
    """The first valid day in a text, with the time after it, and where it starts and ends."""
    for expression in (_MOMENT, _DAY_ONLY):
        for match in expression.finditer(text):
            digits = re.sub(r"\D", "", match["date"])
            named = match.groupdict()
            clock = re.sub(r"\D", "", named.get("iso") or named.get("time") or "")[:6].ljust(6, "0")
            try:
                moment = datetime.strptime(digits + clock, "%Y%m%d%H%M%S")
            except ValueError:
                continue
            return moment, match.start(), match.end()
    return None


def _tag_from_groups(groups: dict[str, str], origin: str = "name") -> Tag:
    """A tag from the named parts of a file name or code."""
    notes: list[str] = []
    trap = " ".join("".join(c if c.isprintable() else " " for c in groups.get("trap", "")).split())
    if len(trap) > 64:
        notes.append(f"the trap id in its {origin} is longer than 64 characters and was not used")
        trap = ""
    date = groups.get("date", "")
    if "year" in groups:
        date = "-".join(groups.get(part, "1").zfill(2) for part in ("year", "month", "day"))
    taken = parse_date(date)
    if date and taken is None:
        notes.append(f"the date {date[:30]!r} in its {origin} is not a day written year-month-day")
    return Tag(trap or None, taken, tuple(notes))


def _search_copy(pixels: np.ndarray) -> np.ndarray:
    """Grey copy of at most `CODE_SEARCH_PIXELS`."""
    height, width = pixels.shape[:2]
    factor = min((CODE_SEARCH_PIXELS / (height * width)) ** 0.5, LONGEST_SIDE / max(height, width))
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def _read_markers(grey: np.ndarray) -> list[str]:
    """Numbers of the ArUco and AprilTag markers in a photo, as text."""
    if min(grey.shape) < 32:
        return []
    dictionaries = [cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, name)) for name in MARKER_DICTIONARIES]
    parameters = cv2.aruco.DetectorParameters()
    # Strict on purpose: a printed grid with insects on it holds thousands of dark squares, and a wrong trap id is worse
    # than none. No bit may be wrong, and a marker's outline is at least 6 % of the photo's longer side.
    parameters.errorCorrectionRate = 0.0
    parameters.maxErroneousBitsInBorderRate = 0.1
    parameters.minMarkerPerimeterRate = 0.06
    detector = cv2.aruco.ArucoDetector(dictionaries, parameters)
    numbers = detector.detectMarkersMultiDict(grey)[1]
    return [] if numbers is None else [str(number) for number in sorted({int(n) for n in numbers.ravel()})]


def _json_fields(text: str) -> dict[str, str]:
    if not text.startswith("{"):
        return {}
    try:
        loaded: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {str(key).lower(): str(value) for key, value in loaded.items() if isinstance(value, str | int)}


def _query_fields(text: str) -> dict[str, str]:
    if "://" not in text:
        return {}
    try:
        query = urlsplit(text).query
    except ValueError:
        return {}
    return {key.lower(): value.strip() for key, value in parse_qsl(query)} or {"": text}


def _pair_fields(text: str) -> dict[str, str]:
    pairs = (re.split(r"[=:]", part, maxsplit=1) for part in re.split(r"[;,&|\r\n]+", text))
    return {pair[0].strip().lower(): pair[1].strip() for pair in pairs if len(pair) == 2}
