"""Settings: what changes a result besides photo, models and prompts. Used by every step that makes a result."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agri_clip.encoders.crops import CONTEXT
from agri_clip.encoders.views import VIEWS
from agri_clip.errors import AgriClipError


@dataclass(frozen=True)
class Settings:
    """What changes a result besides photo, models and prompts; part of every result's provenance.

    Attributes
    ----------
    context : float
        Side of the square crop as a multiple of the region's long side.
    views : int
        Views of each crop that are encoded and averaged: 1, 4 (quarter turns) or 8 (and mirrored). Slower, a little
        surer.
    threshold : float or None
        Least score of a found label where the prompt set gives none of its own; None takes the measured default of
        `agri_clip.scoring.score`.
    precision : float or None
        Instead of a threshold: how often a counted region shall be an insect, as fitted on labelled photos for the
        two models; see `agri_clip.scoring.thresholds`.
    merge_iou : float
        Of regions that overlap by more, only the best is kept.
    merge_ios : float
        Of regions that share more than this part of the smaller one, only the best is kept. On real traps AP50 does not
        depend on it between 0.5 and 0.8; 0.5 leaves fewest insects with two boxes.
    card : bool
        Look for the trap card and leave out what lies beside it.
    card_size_mm : tuple of float, or None
        Short and long side of the card in millimetres: gives the scale where the card is found.
    mm_per_pixel : float or None
        Scale of every photo, where the user knows it; goes before the card's.
    relative_length : bool
        Where a photo has no scale, let the lengths of its insects against each other be evidence.
    force : bool
        Count prompts whose deciding words the encoder never learnt; without it they count nothing.

    Raises
    ------
    AgriClipError
        A setting is out of range.
    """

    context: float = CONTEXT
    views: int = 1
    threshold: float | None = None
    precision: float | None = None
    merge_iou: float = 0.4
    merge_ios: float = 0.5
    card: bool = True
    card_size_mm: tuple[float, float] | None = None
    mm_per_pixel: float | None = None
    relative_length: bool = True
    force: bool = False

    def __post_init__(self) -> None:
        if self.views not in VIEWS:
            raise AgriClipError(f"views is {self.views}; use one of {', '.join(map(str, VIEWS))}")
        if self.precision is not None and self.threshold is not None:
            raise AgriClipError("a precision sets the threshold; give one of the two, --precision or --threshold")
        if self.precision is not None and not 0 < self.precision <= 1:
            raise AgriClipError(f"precision is {self.precision:g}; it must be above 0 and at most 1, such as 0.8")
        shares = {"threshold": self.threshold, "merge_iou": self.merge_iou, "merge_ios": self.merge_ios}
        for name, share in shares.items():
            if share is not None and not 0 <= share <= 1:
                raise AgriClipError(f"{name} is {share:g}; it must be from 0 to 1")
        short, long = self.card_size_mm or (None, None)
        lengths = {"context": self.context, "mm_per_pixel": self.mm_per_pixel}
        for name, length in [*lengths.items(), ("card_size_mm", short), ("card_size_mm", long)]:
            if length is not None and not (math.isfinite(length) and length > 0):
                raise AgriClipError(f"{name} is {length:g}; give a finite number above 0")
