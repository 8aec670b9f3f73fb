"""Calibrating an encoder on labelled crops, and writing it: the work behind `agri-clip calibrate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agri_clip.detector import Detector
from agri_clip.encoders import Encoder, get_encoder
from agri_clip.encoders.adapted import AdaptedEncoder, is_adapted, read_card, save_adapted
from agri_clip.encoders.calibration import Calibration
from agri_clip.encoders.heads import FewShotHead
from agri_clip.errors import DataError
from agri_clip.formats.files import write_bytes, write_text
from agri_clip.models import defaults
from agri_clip.prompts import PromptSet
from agri_clip.regions import Proposer
from agri_clip.scoring.label_vectors import NO_CLASS, LabelVectors, embed_prompts
from agri_clip.scoring.score import THRESHOLD, Scores, score
from fine_tune.adapt.adapting import HELD_OUT, prompts_for
from fine_tune.adapt.calibration import LEAST_CROPS, NONE_ASKED, Reliability, calibrate, held_out, reliability_chart
from fine_tune.adapt.check import check_samples, crop_hashes
from fine_tune.adapt.proposed import propose_photos, score_photos
from fine_tune.adapt.samples import BACKGROUND, LabelledCrops

#: Name of the reliability plot.
CHART = "reliability.html"


@dataclass(frozen=True)
class Calibrated:
    """What calibrating came to.

    Attributes
    ----------
    calibration : Calibration
    before, after : Reliability
    notes : tuple of str
        Crops that were left out, and why.
    """

    calibration: Calibration
    before: Reliability
    after: Reliability
    notes: tuple[str, ...]


def calibrate_encoder(
    samples: LabelledCrops,
    encoder: str | Encoder,
    out: Path,
    *,
    precision: float | None = None,
    prompts: PromptSet | None = None,
    proposer: str | Proposer = defaults.PROPOSER,
    all_labelled: bool = False,
    device: str | None = None,
) -> Calibrated:
    """Fit temperature and thresholds on labelled crops, and write them beside the encoder's head, if it has one.

    Where boxes in photos were labelled, the photos are gone through as `detect` does, and the scores of the regions
    that have found a labelled box are fitted on; else those of the crops. Crops that the head was fitted to count by
    what it said of them while they were held out.

    Parameters
    ----------
    samples : LabelledCrops
    encoder : str or Encoder
    out : Path
        Folder that `agri_clip.encoders.get_encoder` loads; may be the encoder's own.
    precision : float, optional
        Wanted of each label; the best F1 where left out.
    prompts : PromptSet, optional
        Words for the labels, and negatives.
    proposer : str or Proposer
        That photos are gone through with.
    all_labelled : bool
        Whether the photos show no insect of these labels but the labelled ones: all else that is found is then wrong.
    device : str, optional
        Of the proposer.

    Raises
    ------
    DataError
        Too few crops, or the folder cannot be written; `all_labelled` without photos.
    ModelError
        A model cannot be loaded.
    """
    made = get_encoder(encoder)
    base, head = (made.base, made.head) if isinstance(made, AdaptedEncoder) else (made, None)
    if all_labelled and not samples.places:
        raise DataError(f"{samples.source}: these are crops without their photos; leave out --all-labelled")
    findings = check_samples(samples)
    usable = np.isin(np.arange(len(samples)), findings.kept)
    if not samples[usable].classes:
        raise DataError(f"{samples.source}: no crop of an insect is left after the check; mend the labels")
    words = prompts_for(samples[usable].classes, prompts)
    own = Path(made.name).expanduser()
    said, fair = _while_held_out(own, head, samples)
    notes = list(findings.lines)
    if unfair := int((usable & ~fair).sum()):
        notes.append(f"{unfair} crops are those that the head was fitted to, one photo a class, and were left out")
    if not (usable & fair).any():
        raise DataError(f"{samples.source}: the head was fitted to all of these crops; label others to calibrate it on")
    plain = AdaptedEncoder(made.name, base, head, None, base.fingerprint)
    place = {label: i for i, label in enumerate(words.labels)} | {BACKGROUND: NO_CLASS}
    truth = np.array([place.get(label, NO_CLASS) for label in samples.labels], np.int64)
    task = _Task(samples, usable & fair, truth, said, plain, words)
    if samples.places:
        judged = _judge_photos(task, Detector(proposer, plain, device=device), all_labelled)
    else:
        judged = _judge_crops(task)
    # Where nothing shows what else is found, thresholds may rise, but there is no reason to lower them.
    least = 0.0 if (judged.truth < 0).sum() >= LEAST_CROPS else THRESHOLD
    notes += judged.notes
    if least:
        crops = f"{LEAST_CROPS} crops labelled 'not an insect'"
        more = "--all-labelled if all insects of these labels have a box" if samples.places else crops
        so = "" if precision is None else ", and the precision holds among insects of these labels only"
        notes.append(f"nothing shows what else is found, so no threshold is below {least:g}{so}; add {more}")
    fitted, before, after = calibrate(judged.scores_at, judged.truth, judged.prompts, precision, judged.missed, least)
    fitted = replace(fitted, fitted_on={**fitted.fitted_on, **judged.facts})
    card = read_card(own) if is_adapted(own) else None
    numbers = (own / HELD_OUT).read_bytes() if card and (own / HELD_OUT).is_file() else None
    save_adapted(out, base, head, fitted, None if card is None else card["seen"])
    if numbers is not None:
        write_bytes(out / HELD_OUT, numbers)
    write_text(out / CHART, reliability_chart([("before", before), ("after", after)]))
    return Calibrated(fitted, before, after, tuple(notes))


@dataclass(frozen=True)
class _Task:
    """Labelled crops with all that their scores are made of.

    Attributes
    ----------
    samples : LabelledCrops
        n of them.
    usable : ndarray, shape (n,), bool
        Whether a crop may be calibrated on.
    truth : ndarray, shape (n,), int64
        As for `calibrate`; NO_CLASS too for crops of a label that no usable crop has.
    said : ndarray, shape (n, classes), float64
        What the head said of a crop while it was held out; NaN where the head was not fitted to it.
    encoder : AdaptedEncoder
        Not calibrated.
    words : PromptSet
    """

    samples: LabelledCrops
    usable: np.ndarray
    truth: np.ndarray
    said: np.ndarray
    encoder: AdaptedEncoder
    words: PromptSet

    def shifts(self, vectors: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """Evidence of the head for vectors (n, dim), each of which shows the sample of a number, or none at -1."""
        if self.encoder.head is None or not len(vectors):
            return np.zeros((len(vectors), self.said.shape[1]))
        said = np.append(self.said, np.full((1, self.said.shape[1]), np.nan), axis=0)[shown]
        return np.where(np.isnan(said), self.encoder.head.shift(vectors), said)


@dataclass(frozen=True)
class _Judged:
    """Arguments of `calibrate`, and what is told of them."""

    scores_at: Callable[[float], Scores]
    truth: np.ndarray
    prompts: LabelVectors
    missed: np.ndarray | int
    facts: dict[str, int | str]
    notes: tuple[str, ...] = ()


def _judge_crops(task: _Task) -> _Judged:
    """Scores of the crops themselves, joined with the objectness of their regions where that is known."""
    chosen = np.flatnonzero(task.usable)
    vectors = task.encoder.encode_images(task.samples[chosen].crops)
    # Labels are measured here, so those whose words the encoder never learnt are counted too.
    prompts, shifts = embed_prompts(task.encoder, task.words, force=True), task.shifts(vectors, chosen)
    objectness = np.array(task.samples.objectness or [np.nan] * len(task.samples))[chosen]
    unknown = np.isnan(objectness)
    parts = [(rows, given) for rows, given in ((unknown, None), (~unknown, objectness[~unknown])) if rows.any()]

    def scores_at(temperature: float) -> Scores:
        return Scores.concat(
            [
                score(vectors[rows], held_out(prompts, shifts[rows]), objectness=given, temperature=temperature)
                for rows, given in parts
            ]
        )

    return _Judged(scores_at, np.concatenate([task.truth[chosen][rows] for rows, _ in parts]), prompts, 0, {})


def _judge_photos(task: _Task, detector: Detector, all_labelled: bool) -> _Judged:
    """Scores of what a proposer finds in the photos, as `detect` gives them."""
    prompts = embed_prompts(task.encoder, task.words, force=True)
    photos, notes = propose_photos(task.samples, detector, task.words, bare=all_labelled)
    if not photos:
        raise DataError(f"{task.samples.source}: no photo can be read; {'; '.join(notes)}")
    found = np.concatenate([photo.found for photo in photos])
    shifts = []
    for photo in photos:
        shown = np.full(len(photo.regions), -1)
        shown[photo.kept] = photo.found
        shifts.append(task.shifts(photo.vectors, shown))
    truth = np.where(found < 0, NONE_ASKED, task.truth[found])
    taken = np.where(found < 0, all_labelled, task.usable[found])
    insects = task.usable & (task.truth >= 0)
    never = insects & ~np.isin(np.arange(len(insects)), found)
    note = (
        f"{detector.proposer.name} found {(insects & ~never).sum()} of {insects.sum()} insects in {len(photos)} photos"
    )
    facts: dict[str, int | str] = {"photos": len(photos), "proposer": detector.proposer.name}
    return _Judged(
        lambda t: score_photos(photos, detector, prompts, shifts, t)[taken],
        truth[taken],
        prompts,
        np.bincount(task.truth[never], minlength=len(prompts.labels)),
        facts | {"missed": int(never.sum())},
        (note, *notes),
    )


def _while_held_out(folder: Path, head: FewShotHead | None, samples: LabelledCrops) -> tuple[np.ndarray, np.ndarray]:
    """What the head said of each crop while it was held out, (n, classes), NaN where it was not fitted to it; and
    whether that is a fair judgement, (n,): of a crop that was held out, or never fitted to."""
    from safetensors.numpy import load

    if head is None:
        return np.full((len(samples), 1), np.nan), np.ones(len(samples), bool)
    said = np.full((len(samples), len(head.labels)), np.nan)
    seen = {crop: i for i, crop in enumerate(read_card(folder)["seen"].get("crops", []))}
    rows = np.array([seen.get(crop, -1) for crop in crop_hashes(samples)])
    if not (rows >= 0).any():
        return said, np.ones(len(samples), bool)
    if not (folder / HELD_OUT).is_file():
        return said, rows < 0
    kept = load((folder / HELD_OUT).read_bytes())["shift"]
    if kept.shape != (len(seen), len(head.labels)):
        raise DataError(f"{folder / HELD_OUT}: does not belong to {json.dumps(head.labels)}; adapt again")
    said[rows >= 0] = kept[rows[rows >= 0]]
    return said, np.ones(len(samples), bool)
