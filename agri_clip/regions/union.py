"""UnionProposer: several proposers read one photo, and what they agree on is one region. Part of step 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from agri_clip.errors import AgriClipError
from agri_clip.photos.photo import Photo
from agri_clip.regions.base import Proposer, Regions
from agri_clip.regions.merging import overlapping_pairs

#: Joins the names of the parts.
JOINT = "+"

# What the confidence of a part counts for where it is no probability. Halved, it alone never says more than even odds.
UNCALIBRATED = 0.5


class UnionProposer:
    """Regions of several proposers, those that two of them found kept once.

    A region that overlaps one of an earlier part by more than `iou` is the same thing: the earlier part's box stays,
    with the higher objectness of the two, and with the later one's outline if it has none. So the part whose boxes fit
    best is named first. Regions of one part are never merged with each other; each part has done that in its own way.

    Objectness is comparable only where it is a probability. A part says so by an attribute ``calibrated``; where it is
    missing or false, its objectness is halved, so that an unmeasured confidence never ranks above even odds.

    Parameters
    ----------
    parts : sequence of Proposer
        Two or more; the first one's boxes go before the others'.
    iou : float
        Overlap (intersection over union) above which regions of two parts are the same thing, 0 to 1.

    Attributes
    ----------
    name, version : str
        The parts' own, joined by ``"+"``; the version holds the setting too.
    calibrated, concurrent : bool
        Whether every part is.

    Raises
    ------
    AgriClipError
        Fewer than two parts, or `iou` out of range.
    """

    def __init__(self, parts: Sequence[Proposer], *, iou: float = 0.5) -> None:
        if len(parts) < 2 or not 0 <= iou <= 1:
            raise AgriClipError(
                f"a union needs two proposers or more (not {len(parts)}) and an iou of 0 to 1 (not {iou})"
            )
        self.parts = tuple(parts)
        self.iou = iou
        self.name = JOINT.join(part.name for part in parts)
        self.version = f" {JOINT} ".join(f"{part.name} {part.version}" for part in parts) + f" iou={iou}"
        self.calibrated = all(_is_calibrated(part) for part in parts)
        self.concurrent = all(getattr(part, "concurrent", False) for part in parts)

    def propose(self, photo: Photo) -> Regions:
        """Regions of one photo, best objectness first, with the notes of every part."""
        joined = reduce(
            lambda earlier, later: _add(earlier, later, self.iou), (_ask(part, photo) for part in self.parts)
        )
        return joined[np.argsort(-joined.objectness, kind="stable")]


def _ask(part: Proposer, photo: Photo) -> Regions:
    """Regions of one part, with an objectness that may stand beside other parts'."""
    found = part.propose(photo)
    weight = 1.0 if _is_calibrated(part) else UNCALIBRATED
    return replace(found, objectness=weight * found.objectness)


def _is_calibrated(part: Proposer) -> bool:
    return bool(getattr(part, "calibrated", False))


def _add(earlier: Regions, later: Regions, iou: float) -> Regions:
    """Both sets as one; a later region that overlaps earlier ones is absorbed by the one it overlaps most."""
    row, into, overlap = overlapping_pairs(later.boxes, earlier.boxes, iou)
    order = np.lexsort((-overlap, row))
    absorbed, first = np.unique(row[order], return_index=True)
    owner = into[order][first]
    objectness = earlier.objectness.copy()
    np.maximum.at(objectness, owner, later.objectness[absorbed])
    outlines = earlier.outlines
    if later.outlines is not None:
        filled = list(outlines or (None,) * len(earlier))
        for index, own in zip(absorbed, owner, strict=True):  # each part gives its best first
            outline, box = later.outlines[index], earlier.boxes[own]
            if filled[own] is None and outline is not None:
                filled[own] = np.clip(outline, box[:2], box[2:])
        outlines = tuple(filled)
    new = np.setdiff1d(np.arange(len(later)), absorbed)
    return Regions.concat([replace(earlier, objectness=objectness, outlines=outlines), later[new]])
