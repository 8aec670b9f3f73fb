"""What a camera wrote beside the pixels: orientation, time, camera and place. Part of reading a photo (step 0)."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

# What Pillow raises on damaged metadata: it parses bytes of any kind, so nearly every built-in error can come out.
DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    struct.error,
)

#: Clocks that say an earlier year were never set: digital cameras of then took no photos of traps.
FIRST_YEAR = 2001
#: The clock of this machine may be wrong too, so that a year or two ahead are believed.
YEARS_AHEAD = 2

_DAMAGED_NOTE = "its EXIF data is damaged and was not used"


@dataclass(frozen=True)
class Metadata:
    """What EXIF says of a photo.

    Attributes
    ----------
    orientation : int
        1 to 8 as in EXIF tag 0x0112; 1 where it is missing or not valid.
    taken : datetime or None
        Local capture time without zone.
    camera : str or None
        Make and model.
    gps : tuple of float, or None
        Latitude and longitude in degrees, north and east positive.
    notes : tuple of str
        What could not be read.
    """

    orientation: int = 1
    taken: datetime | None = None
    camera: str | None = None
    gps: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def read_metadata(image: Image.Image) -> Metadata:
    """Read EXIF of an opened image; damaged EXIF gives an empty answer with a note, never an error.

    Parameters
    ----------
    image : PIL.Image.Image

    Returns
    -------
    Metadata

    References
    ----------
    CIPA DC-008-2023, Exchangeable image file format (Exif) 3.0.
    """
    try:
        exif = image.getexif()
        main = dict(exif)
        detail = dict(exif.get_ifd(ExifTags.IFD.Exif))
        place = dict(exif.get_ifd(ExifTags.IFD.GPSInfo))
    except DAMAGED:
        return Metadata(notes=(_DAMAGED_NOTE,))
    if not main and _promises_entries(image.info.get("exif")):
        return Metadata(notes=(_DAMAGED_NOTE,))
    base = ExifTags.Base
    orientation = main.get(base.Orientation, 1)
    times = (detail.get(base.DateTimeOriginal), detail.get(base.DateTimeDigitized), main.get(base.DateTime))
    return Metadata(
        orientation=orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1,
        taken=next((time for time in map(parse_exif_time, times) if time), None),
        camera=camera_name(main.get(base.Make), main.get(base.Model)),
        gps=parse_gps(place),
    )


def parse_exif_time(value: Any) -> datetime | None:
    """Turn EXIF's `YYYY:MM:DD HH:MM:SS` into a datetime; None for anything else, such as zeros or blanks."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if not isinstance(value, str):
        return None
    match = re.match(r"\s*(\d{4})[:/.-](\d{2})[:/.-](\d{2})[ T](\d{2}):(\d{2}):(\d{2})", value)
    if not match:
        return None
    try:
        return datetime(*(int(part) for part in match.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None


def is_plausible(moment: datetime) -> bool:
    """Whether a camera's clock can be right: one that was never set says 1970 or 2000, or a year far ahead."""
    return FIRST_YEAR <= moment.year <= datetime.now().year + YEARS_AHEAD


def camera_name(make: Any, model: Any) -> str | None:
    """Join make and model as `Make Model`; a make that the model repeats is not said twice."""
    make, model = _clean(make), _clean(model)
    if make and model.lower().startswith(make.lower()):
        make = ""
    return " ".join(part for part in (make, model) if part) or None


def parse_gps(place: Mapping[int, Any]) -> tuple[float, float] | None:
    """Turn EXIF's GPS tags into degrees.

    Parameters
    ----------
    place : mapping
        The GPS directory: tag number to value.

    Returns
    -------
    tuple of float, or None
        Latitude and longitude, north and east positive; None where either is missing, divides by zero or lies
        outside the globe.
    """
    gps = ExifTags.GPS
    latitude = _degrees(place.get(gps.GPSLatitude), place.get(gps.GPSLatitudeRef), "N", "S", 90.0)
    longitude = _degrees(place.get(gps.GPSLongitude), place.get(gps.GPSLongitudeRef), "E", "W", 180.0)
    return None if latitude is None or longitude is None else (latitude, longitude)


def _promises_entries(exif: Any) -> bool:
    """Whether raw EXIF claims to hold something: Pillow gives nothing, and no error, for one that it cannot follow."""
    if not isinstance(exif, bytes):
        return False
    entries = exif.removeprefix(b"Exif\0\0")[8:10]
    return entries != b"\0\0"


def _degrees(parts: Any, side: Any, positive: str, negative: str, limit: float) -> float | None:
    """Degrees, minutes and seconds with a hemisphere letter, as signed degrees."""
    letter = _clean(side)[:1].upper()
    if letter not in (positive, negative):
        return None
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError, ArithmeticError):
        return None
    if not 1 <= len(numbers) <= 3 or not all(math.isfinite(number) and number >= 0 for number in numbers):
        return None
    value = sum(number / 60**power for power, number in enumerate(numbers))
    if value > limit:
        return None
    return -value if letter == negative else value


def _clean(value: Any) -> str:
    """Text of an EXIF string: no padding, no control characters, single spaces."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    text = "".join(character if character.isprintable() else " " for character in value.split("\0")[0])
    return " ".join(text.split())
