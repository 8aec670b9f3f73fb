"""Photo: pixels, and where, when and on which trap it was taken. The only place that opens an image file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Photo:
    """One upright photo and what is known of it.

    Attributes
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
        RGB, upright as the user sees it.
    name : str
        How results call it: the path as the user gave it, or a name for a picture without a file.
    path : Path or None
    taken : datetime or None
        Local capture time without zone.
    camera : str or None
    gps : tuple of float, or None
        Latitude and longitude in degrees, north and east positive.
    trap : str or None
        Trap id from a code on the card or from the file name.
    mm_per_pixel : float or None
        Scale, where it is known.
    notes : tuple of str
        What a user must know of how it was read.
    """

    pixels: np.ndarray
    name: str
    path: Path | None = None
    taken: datetime | None = None
    camera: str | None = None
    gps: tuple[float, float] | None = None
    trap: str | None = None
    mm_per_pixel: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[1])
