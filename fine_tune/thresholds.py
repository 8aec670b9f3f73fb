"""Fits the score thresholds behind `agri-clip detect --precision` and writes them into the package's table.

python -m fine_tune.thresholds --proposer contrast --encoder builtin [--photos DIR] [--named DIR]

Regions are those of the prompt "an insect" with the detector's own settings. A region is right where it has an
overlap (IoU) of at least 0.5 with a labelled insect that no better one has taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.optimize import isotonic_regression

from agri_clip.detections import Detections
from agri_clip.detector import Detector
from agri_clip.evaluation.matching import MATCH_IOU, match_boxes
from agri_clip.scoring.thresholds import LEVELS, TABLE, FittedThresholds, pair_of, write_row
from fine_tune.detector.named import read_named
from fine_tune.detector.photos import render_photo
from fine_tune.encoder.crops import read_annotated

#: What is asked for.
PROMPT = "an insect"
#: A threshold above which fewer regions are left is not trusted: of 100 that are right 8 times in 10, the share seen is
#: off by 4 in 100 (one standard deviation).
LEAST_REGIONS = 100

#: Pixels (h, w, 3), uint8, and labelled boxes (n, 4), xyxy.
Labelled = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Judged:
    """Regions of labelled photos of one source.

    Attributes
    ----------
    scores : ndarray, shape (n,), float64
    right : ndarray, shape (n,), bool
    photos, insects : int
        How many were labelled.
    """

    scores: np.ndarray
    right: np.ndarray
    photos: int
    insects: int


def rendered_photos(count: int, seed: int) -> Iterator[Labelled]:
    """Rendered photos of the validation split, of every kind of ground in turn."""
    for number in range(count):
        photo = render_photo("validation", seed, number)
        yield photo.pixels, photo.boxes


def judge_detections(detect: Callable[[np.ndarray, str], Detections], photos: Iterable[Labelled]) -> Judged:
    """Scores of the regions of labelled photos, and whether each has found an insect.

    Parameters
    ----------
    detect : callable
        Pixels and prompt to detections, whatever their status; a `Detector`.
    photos : iterable of (pixels, boxes)
    """
    scores, right, insects = [np.zeros(0)], [np.zeros(0, bool)], 0
    for pixels, boxes in photos:
        found = detect(pixels, PROMPT)
        found = found[np.argsort(-found.scores, kind="stable")]
        scores.append(found.scores.astype(np.float64))
        right.append(match_boxes(found.boxes, boxes, MATCH_IOU) >= 0)
        insects += len(boxes)
    return Judged(np.concatenate(scores), np.concatenate(right), len(scores) - 1, insects)


def fit_thresholds(
    scores: np.ndarray, right: np.ndarray, levels: Sequence[float] = LEVELS, least_regions: int = LEAST_REGIONS
) -> dict[float, float]:
    """Least score from which on regions are right often enough.

    How often a region of a score is right is fitted as a function that never falls; the precision from a score on is
    the mean of that over the regions counted, so it never falls either.

    Parameters
    ----------
    scores : ndarray, shape (n,)
    right : ndarray, shape (n,), bool
    levels : sequence of float
        Precisions.
    least_regions : int
        Fewer regions above a threshold do not show a precision.

    Returns
    -------
    dict of float to float
        Levels that were reached, rising, with their thresholds.

    References
    ----------
    Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass Probability Estimates, 2002.
    """
    if not len(scores):
        return {}
    values, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    fit = isotonic_regression(np.bincount(place, weights=right) / counts, weights=counts)
    counted = np.cumsum(counts[::-1])[::-1]
    precision = np.cumsum((fit.x * counts)[::-1])[::-1] / counted
    # Only from the start of a step of the fitted function on is the fitted precision also the one seen.
    starts = fit.blocks[:-1]
    starts = starts[counted[starts] >= least_regions]
    thresholds = {}
    for level in sorted(levels):
        # Sums of many shares may miss a whole number by a last digit.
        reached = starts[precision[starts] >= level - 1e-9]
        if len(reached):
            thresholds[level] = float(values[reached[0]])
    return thresholds


def strictest(tables: Iterable[Mapping[float, float]]) -> dict[float, float]:
    """For each level that every table reaches, the highest threshold."""
    each = list(tables)
    common = set.intersection(*(set(table) for table in each)) if each else set()
    return {level: max(table[level] for table in each) for level in sorted(common)}


def fit_pair(detector: Detector, sources: Mapping[str, Iterable[Labelled]]) -> tuple[FittedThresholds, list[str]]:
    """The row of a detector's models over all sources of labelled photos, and a line for people on each.

    Parameters
    ----------
    detector : Detector
    sources : mapping of str to iterable of (pixels, boxes)
    """
    judged = {name: judge_detections(detector, photos) for name, photos in sources.items()}
    fitted = {
        name: fit_thresholds(each.scores, each.right, least_regions=LEAST_REGIONS) for name, each in judged.items()
    }
    chosen = strictest(fitted.values())
    facts: dict[str, Any] = {}
    lines = []
    for name, each in judged.items():
        facts[name] = {"photos": each.photos, "insects": each.insects, "regions": len(each.scores)}
        reached = ", ".join(f"{level:g} from {value:.3f}" for level, value in fitted[name].items())
        lines.append(f"{name}: {each.photos} photos, {each.insects} insects; precision {reached or 'nowhere reached'}")
        for level, value in chosen.items():
            counted = each.right[each.scores >= value]
            lines.append(
                f"  at {value:.3f} (for {level:g}): precision {counted.mean():.3f}, "
                f"recall {counted.sum() / max(each.insects, 1):.3f}"
            )
    proposer, encoder = pair_of(detector.proposer, detector.encoder)
    return FittedThresholds(proposer, encoder, chosen, facts), lines


def main(
    proposer: Annotated[str, typer.Option(help="Proposer: a name of `agri-clip models`, or a file.")],
    encoder: Annotated[str, typer.Option(help="Encoder: a name of `agri-clip models`, or a folder.")],
    photos: Annotated[Path | None, typer.Option(help="Folder with train.json (COCO) and images/.")] = None,
    named: Annotated[Path | None, typer.Option(help="Folder of close-ups: catalogue.csv and images/.")] = None,
    real: Annotated[int, typer.Option(min=1, help="Photos of train.json, about so many.")] = 40,
    rendered: Annotated[int, typer.Option(help="Rendered photos.")] = 160,
    seed: Annotated[int, typer.Option(help="Of the rendered photos.")] = 0,
    device: Annotated[str | None, typer.Option(help="cuda, mps or cpu; chosen by itself where left out.")] = None,
    out: Annotated[Path, typer.Option(help="The table.")] = TABLE,
) -> None:
    """Fit the thresholds of a pair of models and put them into the table."""
    sources: dict[str, Iterable[Labelled]] = {"rendered": rendered_photos(rendered, seed)}
    if photos is not None:
        sources["real"] = read_annotated(photos / "train.json", photos / "images", most=real)
    if named is not None:
        sources["close-ups"] = ((photo.pixels, photo.boxes) for photo in read_named(named))
    row, lines = fit_pair(Detector(proposer=proposer, encoder=encoder, device=device), sources)
    write_row(row, out)
    typer.echo("\n".join([*lines, f"{len(row.thresholds)} levels for {row.proposer} are in {out}"]))


if __name__ == "__main__":
    typer.run(main)
