"""Runs the detector, or the proposer alone, over labelled photos and measures the result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agri_clip.detections import Detections
from agri_clip.detector import Detector, propose_on_card
from agri_clip.errors import DataError, PhotoError
from agri_clip.evaluation.metrics import evaluate
from agri_clip.formats.coco import Annotations, with_sizes
from agri_clip.io.console import progress
from agri_clip.io.version import program_version
from agri_clip.photos.photo import read_photo
from agri_clip.prompts import PromptSet
from agri_clip.regions import get_proposer
from agri_clip.regions.base import Proposer, Regions
from agri_clip.regions.card import find_card


def photo_paths(truth: Annotations, images: Path) -> list[Path]:
    """Where the annotated photos are.

    Raises
    ------
    DataError
        `images` is no folder, or holds none of them.
    """
    if not images.is_dir():
        raise DataError(f"{images}: there is no such folder; give the one that holds the annotated photos")
    paths = [images / name for name in truth.file_names]
    if paths and not any(path.exists() for path in paths):
        raise DataError(f"{images}: holds none of the annotated photos, such as {truth.file_names[0]}")
    return paths


def measure_detections(
    truth: Annotations,
    images: Path,
    detector: Detector,
    prompts: PromptSet,
    *,
    threshold: float | None = None,
    ignore_unmatched: bool = False,
    reading: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure the whole way.

    Parameters
    ----------
    truth : Annotations
    images : Path
        The folder that the annotations' file names start from.
    detector, prompts
        What is measured.
    threshold, ignore_unmatched
        As in `agri_clip.evaluation.metrics.evaluate`.
    reading : mapping, optional
        Options of `read_photo`.

    Returns
    -------
    dict
        As `agri_clip.evaluation.metrics.evaluate`.
    """
    paths = photo_paths(truth, images)
    stream = progress(detector.stream(paths, prompts, **(reading or {})), len(paths), "photos")
    result = Detections.concat([detections for _, detections in stream])
    truth = with_sizes(truth, {photo.name: (photo.width, photo.height) for photo in result.photos if not photo.failed})
    return evaluate(result, truth, threshold=threshold, ignore_unmatched=ignore_unmatched)


def measure_proposals(
    truth: Annotations,
    images: Path,
    *,
    proposer: str | Proposer,
    device: str | None = None,
    card: bool = True,
    threshold: float | None = None,
    ignore_unmatched: bool = False,
    reading: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure step 1 alone, on the card where one is found; otherwise as `measure_detections`."""
    found: dict[str, Regions] = {}
    sizes: dict[str, tuple[int, int]] = {}
    failures: dict[str, str] = {}
    made = get_proposer(proposer, device=device)
    paths = photo_paths(truth, images)
    for path in progress(paths, len(paths), "photos"):
        try:
            photo = read_photo(path, **{"read_codes": False, **(reading or {})})
        except PhotoError as error:
            failures[str(path)] = error.reason
            continue
        sizes[str(path)] = photo.width, photo.height
        found[str(path)] = propose_on_card(made, photo, find_card(photo) if card else None)
    made_by = {"program": f"agri_clip {program_version()}", "proposer": f"{made.name} {made.version}", "card": card}
    return evaluate(
        found,
        with_sizes(truth, sizes),
        threshold=threshold,
        ignore_unmatched=ignore_unmatched,
        failures=failures,
        provenance=made_by,
    )
