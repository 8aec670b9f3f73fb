"""Labelled photos as the detector sees them: the regions of a proposer, and which labelled box each has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agri_clip.detections import PhotoRecord
from agri_clip.detector import Detector
from agri_clip.errors import PhotoError
from agri_clip.evaluation.matching import match_boxes
from agri_clip.io.console import progress
from agri_clip.photos.photo import read_photo
from agri_clip.prompts import PromptSet
from agri_clip.regions.base import Regions
from agri_clip.scoring.label_vectors import LabelVectors
from agri_clip.scoring.score import Scores
from fine_tune.adapt.calibration import HeldOutShift
from fine_tune.adapt.samples import LabelledCrops


@dataclass(frozen=True)
class ProposedPhoto:
    """A labelled photo with its regions.

    Attributes
    ----------
    record : PhotoRecord
    regions : Regions
        All n of them, as they are when the photo is scored.
    vectors : ndarray, shape (n, dim)
        Of unit length.
    kept : ndarray, shape (k,), int64
        Regions that are left when overlapping ones are merged.
    found : ndarray, shape (k,), int64
        Which labelled crop each of these has found (IoU 0.5, one to one), or -1.
    """

    record: PhotoRecord
    regions: Regions
    vectors: np.ndarray
    kept: np.ndarray
    found: np.ndarray


def propose_photos(
    samples: LabelledCrops, detector: Detector, prompts: PromptSet, *, bare: bool = False
) -> tuple[list[ProposedPhoto], list[str]]:
    """Go through the photos of labelled crops as `detect` does, and see which labelled box each region has found.

    Parameters
    ----------
    samples : LabelledCrops
        With places.
    detector : Detector
    prompts : PromptSet
        Of their labels; what overlapping regions are merged by.
    bare : bool
        Whether to go through the photos in which nothing was labelled too.

    Returns
    -------
    photos : list of ProposedPhoto
    notes : list of str
        Photos that cannot be read, and why.
    """
    rows_of: dict[tuple[str, bool], list[int]] = {}
    for row, place in enumerate(samples.places):
        rows_of.setdefault((str(place.path), place.upright), []).append(row)
    rows_of.update({(str(path), True): [] for path in samples.bare if bare})
    seen, notes = [], []
    for (path, upright), rows in progress(rows_of.items(), len(rows_of), "proposing"):
        try:
            photo = read_photo(path, read_codes=False, exif_orientation=upright)
        except PhotoError as error:
            notes.append(f"left out: {error}")
            continue
        proposal = detector.propose(photo)
        vectors = detector.encode([proposal])[0]
        regions = proposal.regions
        _, kept = detector.labeller.label_photos([proposal.record], [len(regions)], regions, vectors, prompts)
        boxes = np.array([samples.places[row].box for row in rows], np.float64).reshape(-1, 4)
        found = np.array([*rows, -1], np.int64)[match_boxes(regions.boxes[kept], boxes)]
        seen.append(ProposedPhoto(proposal.record, regions, vectors, kept, found))
    return seen, notes


def score_photos(
    photos: Sequence[ProposedPhoto],
    detector: Detector,
    prompts: LabelVectors,
    shifts: Sequence[np.ndarray],
    temperature: float,
) -> Scores:
    """Scores of the kept regions of all photos, in their order, as `detect` gives them at a temperature.

    Parameters
    ----------
    photos : sequence of ProposedPhoto
    detector : Detector
    prompts : LabelVectors
    shifts : sequence of ndarray, shape (n, classes)
        For each photo, what the encoder's head says of its regions; not used where it has none.
    temperature : float
    """
    parts = []
    for photo, shift in zip(photos, shifts, strict=True):
        examples = prompts.examples and replace(prompts.examples, evidence=HeldOutShift(shift))
        asked = replace(prompts, examples=examples, temperature=temperature)
        scores = detector.labeller.score(photo.record, photo.regions, photo.vectors, asked)
        parts.append(scores[photo.kept])
    return Scores.concat(parts)
