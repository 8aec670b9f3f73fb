"""Fits what `agri-clip identify` needs of an encoder on labelled photos, and measures its answers.

python -m fine_tune.identify_calibration --photos DIR [--split dev] [--traps DIR] [--backgrounds DIR] [--measure]

DIR holds `catalogue.csv` (columns file, group, and where known species and split) with the photos in `images/`, or one
folder of photos for each group. A temperature and the share of species are fitted so that likeness is likely; then, for
each level, the least likeness from which on enough answers are right. Crops of traps and photos without insects fit
what counts as an insect.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from agri_clip.encoders import extract_crops
from agri_clip.encoders.base import vectors_fingerprint_of
from agri_clip.encoders.views import encode_views
from agri_clip.errors import AgriClipError, DataError, PhotoError
from agri_clip.identify.identifier import Identifier, UncalibratedWarning, main_region
from agri_clip.models import defaults
from agri_clip.photos.photo import find_photos, read_photo
from agri_clip.regions.base import Regions
from agri_clip.scoring.likeness import DEFAULT_THRESHOLDS, TABLE, Likeness, likeness_for, write_row
from agri_clip.scoring.rollup import UNKNOWN, Evidence, roll_up, sum_upward, weigh_evidence
from agri_clip.scoring.taxonomy import LEVELS, Level, Taxonomy, leaf_weights, read_table
from fine_tune.adapt.calibration import reliability
from fine_tune.encoder.crops import read_annotated, sample_backgrounds

#: Temperatures lie between these.
COLDEST, HOTTEST = 0.1, 20.0

#: Shares of a group's weight for its species that are tried. Never none: a species could then not even be guessed.
SPECIES_SHARES = (0.05, 0.1, 0.3, 0.5)

#: Fewer answers than this show no share that is right; the level keeps its default threshold.
LEAST_ANSWERS = 12

#: Answers, right as often as their likeness says, that stand beside the labelled ones.
PRIOR_ANSWERS = 20

#: No threshold is lower: photos of insects that the taxonomy lacks are rare in any labelled set.
LEAST_THRESHOLD = 0.35

#: Patches without an insect from each trap photo, and their side in pixels.
PATCHES, PATCH_SIDE = 30, 96


@dataclass(frozen=True)
class Truth:
    """What a labelled photo shows: a group of the taxonomy, and a binomial where it is known."""

    group: str
    species: str | None = None


@dataclass(frozen=True)
class Subjects:
    """Main insects of labelled photos under one encoder.

    Attributes
    ----------
    logits : ndarray, shape (n, leaves)
    negatives : ndarray, shape (n, m)
    truths : tuple of n Truth
    """

    logits: np.ndarray
    negatives: np.ndarray
    truths: tuple[Truth, ...]


@dataclass(frozen=True)
class Report:
    """How good answers are on labelled photos.

    Attributes
    ----------
    photos, answered, judged : int
        Photos; those with an answer other than "an insect that I do not know" and "no insect"; and of these those whose
        truth is known as finely as the answer.
    right : float
        Share of the judged answers that are right; NaN where there are none.
    finer : float
        Share of all photos that are answered at group level or finer.
    error : float
        Expected calibration error of the best group's likeness.
    by_level : mapping of Level to (int, int)
        Judged and right answers.
    """

    photos: int
    answered: int
    judged: int
    right: float
    finer: float
    error: float
    by_level: dict[Level, tuple[int, int]]

    def lines(self) -> list[str]:
        """What a person reads."""
        levels = ", ".join(f"{level} {right} of {judged}" for level, (judged, right) in self.by_level.items())
        return [
            f"{self.photos} photos; answered {self.answered}, right {self.right:.3f} of {self.judged} judged "
            f"({levels or 'none'})",
            f"answered at group level or finer: {self.finer:.3f}; calibration error of the best group {self.error:.3f}",
        ]


def read_labels(folder: Path, split: Sequence[str] = ()) -> list[tuple[Path, Truth]]:
    """The labelled photos of a folder; those of groups that the taxonomy lacks are left out.

    Parameters
    ----------
    folder : Path
    split : sequence of str
        Only rows with one of these in the column `split`; all where empty.

    Raises
    ------
    DataError
        There are no labelled photos.
    """
    groups, genera = (
        {row[key] for row in read_table(name)} for key, name in (("group", "groups"), ("genus", "genera"))
    )
    table = folder / "catalogue.csv"
    if table.is_file():
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.DictReader(file) if not split or row.get("split") in split]
        labelled = [(folder / "images" / row["file"], row["group"], row.get("species") or "") for row in rows]
    else:
        labelled = [
            (path, child.name.replace("_", " "), "")
            for child in sorted(folder.iterdir() if folder.is_dir() else ())
            if child.is_dir()
            for path in find_photos(child)
        ]
    known = [(path, Truth(group, binomial(name, genera))) for path, group, name in labelled if group in groups]
    if not known:
        raise DataError(f"{folder}: no labelled photos; give catalogue.csv with images/, or one folder for each group")
    return known


def binomial(name: str, genera: set[str]) -> str | None:
    """The scientific name at the start of a label; None where it does not start with a genus of the taxonomy."""
    words = name.split()
    if len(words) < 2 or words[0] not in genera or not words[1].isalpha() or not words[1].islower():
        return None
    return None if words[1] in ("sp", "spp", "larva", "et", "autres") else " ".join(words[:2])


def judge(taxonomy: Taxonomy, index: int, truth: Truth, families: dict[str, str]) -> bool | None:
    """Whether an answer is right; None where the truth is not known as finely.

    Parameters
    ----------
    taxonomy : Taxonomy
    index : int
        The answer.
    truth : Truth
    families : dict of str to str
        Family of each genus.
    """
    taxon = taxonomy.taxa[index]
    if taxon.rank == "group":
        return taxon.group == truth.group
    if taxon.rank == "order" or taxon.level == "wide family":
        return truth.group in taxonomy.groups_of(index)
    if truth.species is None:
        return None if taxon.group == truth.group else False
    if taxon.rank == "species":
        return taxon.latin == truth.species
    return taxon.latin == families.get(truth.species.split()[0])


def look_at(identifier: Identifier, labelled: Sequence[tuple[Path, Truth]]) -> Subjects:
    """The main insects of labelled photos, chosen and encoded as `identify` does; unreadable photos are left out."""
    vectors, truths = [], []
    for path, truth in labelled:
        try:
            photo = read_photo(path)
        except PhotoError as error:
            warnings.warn(str(error), stacklevel=2)
            continue
        regions = identifier.detector.propose(photo).regions
        vectors.append(identifier.encode_subject(photo, regions, *main_region(regions, photo.width, photo.height)))
        truths.append(truth)
    if not vectors:
        raise DataError("none of the labelled photos could be read")
    return Subjects(*identifier.leaves.logits(np.concatenate(vectors)), tuple(truths))


def fit(
    identifier: Identifier,
    subjects: Subjects,
    share: float,
    others: tuple[np.ndarray, np.ndarray] | None = None,
) -> Likeness:
    """What `identify` needs of an encoder.

    Parameters
    ----------
    identifier : Identifier
    subjects : Subjects
    share : float
        How many of the answers of each level are to be right, at least.
    others : pair of ndarray, (insects, dim) and (k, dim), optional
        Vectors of crops with an insect and without one; without them `slope` and `offset` keep their defaults.

    Raises
    ------
    AgriClipError
        The encoder knows none of the groups of the photos.
    """
    taxonomy = identifier.leaves.taxonomy
    own = np.array([[taxon.group == truth.group for taxon in taxonomy.leaf_taxa] for truth in subjects.truths])
    known = own.any(axis=1)
    if not known.any():
        raise AgriClipError("the encoder knows no name of any group of these photos, so nothing can be fitted")
    start = Likeness(encoder=vectors_fingerprint_of(identifier.detector.encoder))

    def loss(likeness: Likeness) -> float:
        leaves = _evidence(taxonomy, likeness, subjects).leaves
        return float(-np.log(np.maximum((leaves * own).sum(axis=1)[known], 1e-6)).mean())

    tried = []
    for species in SPECIES_SHARES:
        part = replace(start, species=species)
        found = minimize_scalar(
            lambda log, part=part: loss(replace(part, temperature=float(np.exp(log)))),
            bounds=(np.log(COLDEST), np.log(HOTTEST)),
            method="bounded",
        )
        tried.append((float(found.fun), replace(part, temperature=float(np.exp(found.x)))))
    likeness = min(tried, key=lambda each: each[0])[1]
    if others is not None:
        likeness = _fit_insect(identifier, likeness, subjects, others)
    evidence = _evidence(taxonomy, likeness, subjects)
    sums = sum_upward(evidence.leaves, taxonomy.members)
    seen = evidence.insect >= likeness.insect_threshold
    likeness = replace(likeness, thresholds=fit_levels(taxonomy, sums[seen], _chosen(subjects.truths, seen), share))
    report = measure(taxonomy, likeness, subjects)
    facts = {
        "photos": report.photos,
        "share_wanted": share,
        "right": round(report.right, 4),
        "group_or_finer": round(report.finer, 4),
        "calibration_error": round(report.error, 4),
    }
    return replace(likeness, fitted_on=facts)


def fit_levels(
    taxonomy: Taxonomy, sums: np.ndarray, truths: Sequence[Truth], share: float
) -> dict[Level, float | None]:
    """The least likeness of an answer of each level.

    The finest level comes first; photos that it answers are gone from the next.
    A level with fewer than `LEAST_ANSWERS` photos whose truth is known keeps its default; one that never reaches the
    share is None, which is never answered.
    """
    families = {row["genus"]: row["family"] for row in read_table("genera")}
    left = np.ones(len(sums), bool)
    thresholds: dict[Level, float | None] = {}
    for level in LEVELS:
        taxa = taxonomy.at_level(level)
        thresholds[level] = DEFAULT_THRESHOLDS[level]
        if not len(taxa):
            continue
        best = taxa[sums[:, taxa].argmax(axis=1)]
        scores = sums[np.arange(len(sums)), best]
        right = [judge(taxonomy, int(i), truth, families) for i, truth in zip(best, truths, strict=True)]
        judged = left & np.array([answer is not None for answer in right], bool)
        # Where a truth is known only as far as the group, a wrong species shows and a right one does not.
        known = judged & np.array([level not in ("species", "family") or t.species is not None for t in truths], bool)
        if known.sum() >= LEAST_ANSWERS:
            chosen = np.flatnonzero(known)
            fitted = least_likeness(scores[chosen], np.array([bool(right[i]) for i in chosen]), share)
            thresholds[level] = None if fitted is None else max(fitted, LEAST_THRESHOLD)
        threshold = thresholds[level]
        if threshold is not None:
            left &= scores < threshold
    return thresholds


def least_likeness(scores: np.ndarray, right: np.ndarray, share: float) -> float | None:
    """The lowest score from which on enough answers are right; None where there is none.

    Enough must be right of the labelled photos, and also of these together with `PRIOR_ANSWERS` more, of which as many
    are right as their likeness says: 18 of 20 alone may well be 14 of 20 on other photos.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Likeness of the best name.
    right : ndarray, shape (n,), bool
    share : float
        Wanted.
    """
    order = np.argsort(-scores, kind="stable")
    count = np.arange(1, len(order) + 1)
    likely = np.cumsum(scores[order]) / count
    seen = np.cumsum(right[order])
    reached = np.minimum(seen / count, (seen + PRIOR_ANSWERS * likely) / (count + PRIOR_ANSWERS)) >= share
    return float(scores[order][np.flatnonzero(reached)[-1]]) if reached.any() else None


def measure(taxonomy: Taxonomy, likeness: Likeness, subjects: Subjects) -> Report:
    """How good the answers are on labelled photos."""
    families = {row["genus"]: row["family"] for row in read_table("genera")}
    evidence = _evidence(taxonomy, likeness, subjects)
    sums = sum_upward(evidence.leaves, taxonomy.members)
    answers = roll_up(
        sums, taxonomy, likeness.thresholds, insect=evidence.insect, insect_threshold=likeness.insect_threshold
    )
    by_level: dict[Level, tuple[int, int]] = {}
    finer = answered = 0
    for answer, truth in zip(answers.tolist(), subjects.truths, strict=True):
        if answer <= UNKNOWN:
            continue
        taxon = taxonomy.taxa[answer]
        answered += 1
        finer += taxon.rank != "order" and taxon.level != "wide family"
        right = judge(taxonomy, answer, truth, families)
        if right is not None:
            judged, good = by_level.get(taxon.level, (0, 0))
            by_level[taxon.level] = judged + 1, good + right
    judged = sum(count for count, _ in by_level.values())
    groups = np.flatnonzero([taxon.rank == "group" for taxon in taxonomy.taxa])
    best = groups[sums[:, groups].argmax(axis=1)]
    hit = np.array([taxonomy.taxa[i].group == truth.group for i, truth in zip(best, subjects.truths, strict=True)])
    return Report(
        photos=len(answers),
        answered=answered,
        judged=judged,
        right=sum(good for _, good in by_level.values()) / judged if judged else float("nan"),
        finer=finer / max(len(answers), 1),
        error=reliability(sums[np.arange(len(best)), best], hit).error,
        by_level={level: by_level[level] for level in LEVELS if level in by_level},
    )


def _evidence(taxonomy: Taxonomy, likeness: Likeness, subjects: Subjects) -> Evidence:
    return weigh_evidence(
        subjects.logits,
        leaf_weights(taxonomy, likeness.species, likeness.family, likeness.further),
        subjects.negatives,
        temperature=likeness.temperature,
        slope=likeness.slope,
        offset=likeness.offset,
    )


def _fit_insect(
    identifier: Identifier, likeness: Likeness, subjects: Subjects, others: tuple[np.ndarray, np.ndarray]
) -> Likeness:
    """Slope and offset from crops with and without an insect, each side with the same weight."""
    from sklearn.linear_model import LogisticRegression

    taxonomy = identifier.leaves.taxonomy
    weights = leaf_weights(taxonomy, likeness.species, likeness.family, likeness.further)

    def nats(logits: np.ndarray, negatives: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            insects = logsumexp(logits / likeness.temperature + np.log(weights), axis=1)
        return insects - logsumexp(negatives / likeness.temperature, axis=1) + np.log(negatives.shape[1])

    insects, nothing = (nats(*identifier.leaves.logits(vectors)) for vectors in others)
    shown = np.concatenate([nats(subjects.logits, subjects.negatives), insects])
    model = LogisticRegression(C=1e6, class_weight="balanced")
    model.fit(np.concatenate([shown, nothing])[:, None], np.repeat([1, 0], [len(shown), len(nothing)]))
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        raise AgriClipError("the encoder does not tell insects from what is none, so nothing can be fitted")
    return replace(likeness, slope=slope, offset=offset)


def _chosen(truths: Sequence[Truth], keep: np.ndarray) -> list[Truth]:
    return [truth for truth, kept in zip(truths, keep, strict=True) if kept]


def _other_vectors(
    identifier: Identifier, traps: Path | None, backgrounds: Path | None, most: int, seed: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Vectors of crops with an insect and without one; None where no such photos are given."""
    if traps is None and backgrounds is None:
        return None
    encoder, settings = identifier.detector.encoder, identifier.detector.settings
    insects, nothing = [np.zeros((0, encoder.dim))], [np.zeros((0, encoder.dim))]
    rng = np.random.default_rng(seed)
    photos: Iterator[tuple[np.ndarray, np.ndarray]] = iter(())
    if traps is not None:
        photos = read_annotated(traps / "train.json", traps / "images", most=most)
    for pixels, boxes in photos:
        shown = boxes[rng.permutation(len(boxes))[:PATCHES]]
        patches = sample_backgrounds(rng, pixels, boxes, count=PATCHES, size=PATCH_SIDE)
        insects.append(encode_views(encoder, extract_crops(pixels, shown, settings.context), settings.views))
        nothing.append(encode_views(encoder, list(patches), settings.views))
    for path in find_photos(backgrounds) if backgrounds is not None else []:
        nothing.append(identifier.encode_subject(read_photo(path), Regions.empty(), None, True))
    return np.concatenate(insects), np.concatenate(nothing)


def main(
    photos: Annotated[Path, typer.Option(help="Labelled photos: catalogue.csv and images/, or a folder a group.")],
    split: Annotated[list[str] | None, typer.Option(help="Only rows of this split; give it once or often.")] = None,
    encoder: Annotated[
        str, typer.Option(help="Encoder: a name of `agri-clip models`, or a folder.")
    ] = defaults.ENCODER,
    proposer: Annotated[str, typer.Option(help="Proposer: a name, or a file.")] = defaults.PROPOSER,
    share: Annotated[float, typer.Option(min=0.5, max=1, help="How many answers are to be right.")] = 0.9,
    traps: Annotated[Path | None, typer.Option(help="Folder with train.json (COCO) and images/.")] = None,
    backgrounds: Annotated[Path | None, typer.Option(help="Folder of photos without insects.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Trap photos, about so many.")] = 30,
    seed: Annotated[int, typer.Option(help="Fixes where patches of traps are cut.")] = 0,
    device: Annotated[str | None, typer.Option(help="cuda, mps or cpu; chosen by itself where left out.")] = None,
    measure_only: Annotated[
        bool, typer.Option("--measure", help="Measure what is fitted already; fit nothing.")
    ] = False,
    out: Annotated[Path, typer.Option(help="The table.")] = TABLE,
) -> None:
    """Fit the likeness of an encoder and put it into the table; or measure its answers."""
    labelled = read_labels(photos, split or ())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UncalibratedWarning)
        identifier = Identifier(proposer, encoder, device=device)
    subjects = look_at(identifier, labelled)
    taxonomy = identifier.leaves.taxonomy
    if measure_only:
        likeness = likeness_for(identifier.detector.encoder, out)
        typer.echo("\n".join(measure(taxonomy, likeness, subjects).lines()))
        return
    others = _other_vectors(identifier, traps, backgrounds, most, seed)
    likeness = fit(identifier, subjects, share, others)
    write_row(likeness, out)
    limits = ", ".join(f"{level} {'never' if t is None else f'{t:.2f}'}" for level, t in likeness.thresholds.items())
    before = [f"before: {line}" for line in measure(taxonomy, Likeness(), subjects).lines()]
    after = [f"fitted: {line}" for line in measure(taxonomy, likeness, subjects).lines()]
    numbers = f"temperature {likeness.temperature:.3f}, species {likeness.species:g}; answered from: {limits}"
    typer.echo("\n".join([*before, *after, numbers, f"the row of {encoder} is in {out}"]))


if __name__ == "__main__":
    typer.run(main)
