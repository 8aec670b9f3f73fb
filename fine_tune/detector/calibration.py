"""Makes a detector's confidence a probability: fitted on labelled photos and kept in the model folder's settings.

python -m fine_tune.detector.calibration FOLDER --photos DIR --named DIR
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import yaml
from scipy.optimize import minimize
from scipy.special import log_expit, logit

from agri_clip.evaluation.matching import match_boxes
from agri_clip.regions.yolo import YoloProposer
from agri_clip.regions.yolo_models import ARCHITECTURE, SETTINGS_KEY
from fine_tune.detector.named import read_named
from fine_tune.detector.photos import LabelledPhoto, read_real, render_photo

#: Most boxes of one photo that take part, so that a crowded one does not decide alone.
MOST_BOXES = 400


def judge_regions(proposer: YoloProposer, photos: Sequence[LabelledPhoto]) -> tuple[np.ndarray, np.ndarray]:
    """Objectness of the regions of labelled photos, and whether each has found an insect (IoU 0.5, one to one).

    Returns
    -------
    objectness : ndarray, shape (n,), float64
    right : ndarray, shape (n,), bool
    """
    objectness, right = [], []
    for photo in photos:
        regions = proposer.propose_pixels(photo.pixels)[:MOST_BOXES]
        objectness.append(regions.objectness.astype(np.float64))
        right.append(match_boxes(regions.boxes, photo.boxes) >= 0)
    return np.concatenate(objectness), np.concatenate(right)


def fit_calibration(
    objectness: np.ndarray, right: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, float]:
    """Slope and intercept on the log odds under which objectness tells best how often a region is right.

    Parameters
    ----------
    objectness : ndarray, shape (n,)
        0 to 1.
    right : ndarray, shape (n,), bool
    weights : ndarray, shape (n,), optional

    References
    ----------
    Platt, Probabilistic Outputs for Support Vector Machines, 1999.
    """
    odds = logit(np.clip(objectness, 1e-6, 1 - 1e-6))
    sign = np.where(right, 1.0, -1.0)
    share = np.full(len(odds), 1 / len(odds)) if weights is None else weights / weights.sum()

    def loss(line: np.ndarray) -> float:
        return float(-log_expit(sign * (line[0] * odds + line[1])) @ share)

    slope, intercept = minimize(loss, (1.0, 0.0), bounds=[(1e-3, None), (None, None)]).x
    return float(slope), float(intercept)


def calibrate(folder: Path, *sets: Sequence[LabelledPhoto]) -> tuple[float, float]:
    """Fit a model folder's confidence on labelled photos and write the result into its settings.

    Parameters
    ----------
    folder : Path
        With `model.yaml`.
    *sets : sequence of LabelledPhoto
        Each counts as much as the others, however many regions its photos have.
    """
    proposer = YoloProposer(folder, calibration=(1.0, 0.0))
    judged = [judge_regions(proposer, photos) for photos in sets if photos]
    weights = np.concatenate([np.full(len(right), 1 / max(len(right), 1)) for _, right in judged])
    objectness, right = (np.concatenate(column) for column in zip(*judged, strict=True))
    line = fit_calibration(objectness, right, weights)
    file = folder / ARCHITECTURE
    architecture = yaml.safe_load(file.read_text(encoding="utf-8"))
    architecture[SETTINGS_KEY]["calibration"] = [round(value, 4) for value in line]
    file.write_text(yaml.safe_dump(architecture, sort_keys=False), encoding="utf-8")
    return line


def main(
    folder: Annotated[Path, typer.Argument(help="Model folder of a detector.")],
    photos: Annotated[Path | None, typer.Option(help="Folder with train.json (COCO) and images/.")] = None,
    named: Annotated[Path | None, typer.Option(help="Folder of close-ups: catalogue.csv and images/.")] = None,
    real: Annotated[int, typer.Option(min=1, help="Real photos, about so many.")] = 32,
    rendered: Annotated[int, typer.Option(min=1, help="Rendered photos, of every kind of ground in turn.")] = 96,
    seed: Annotated[int, typer.Option(help="Of the rendered photos, in the validation split.")] = 0,
) -> None:
    """Fit the confidence of a detector on real traps, rendered photos and close-ups, which count the same."""
    drawn = [render_photo("validation", seed, number) for number in range(rendered)]
    sets = [[LabelledPhoto(p.pixels, p.boxes.astype(np.float32), p.kind, real=False) for p in drawn]]
    if photos is not None:
        sets.append(read_real(photos / "train.json", photos / "images", most=real))
    if named is not None:
        sets.append(read_named(named))
    slope, intercept = calibrate(folder, *sets)
    typer.echo(f"{folder}: slope {slope:.3f}, intercept {intercept:.3f}")


if __name__ == "__main__":
    typer.run(main)
