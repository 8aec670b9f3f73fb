"""Calibrating an encoder on labelled crops, and writing it: the work behind `agri-clip calibrate`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agri_clip.calibration import Calibration
from agri_clip.encoders import Encoder, get_encoder
from agri_clip.encoders.adapted import AdaptedEncoder, is_adapted, read_card, save_adapted
from agri_clip.errors import DataError
from agri_clip.exports.files import write_bytes, write_text
from agri_clip.few_shot import FewShotHead
from agri_clip.label_vectors import NO_CLASS, embed_prompts
from agri_clip.prompts import PromptSet
from fine_tune.adapt.adapting import HELD_OUT, prompts_for
from fine_tune.adapt.calibration import Reliability, calibrate, held_out, reliability_chart
from fine_tune.adapt.check import check_samples, crop_hashes
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
) -> Calibrated:
    """Fit temperature and thresholds on labelled crops, and write them beside the encoder's head, if it has one.

    Crops that the head was fitted to count by what it said of them while they were held out.

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

    Raises
    ------
    DataError
        Too few crops, or the folder cannot be written.
    ModelError
        The encoder cannot be loaded.
    """
    made = get_encoder(encoder)
    base, head = (made.base, made.head) if isinstance(made, AdaptedEncoder) else (made, None)
    findings = check_samples(samples)
    kept = samples[findings.kept]
    words = prompts_for(kept.classes, prompts)
    own = Path(made.name).expanduser()
    vectors = base.encode_images(kept.crops)
    shift, known = _shifts(own, head, kept, vectors)
    notes = list(findings.lines)
    if not known.all():
        notes.append(
            f"{int((~known).sum())} crops are those that the head was fitted to, one photo a class, and were left out"
        )
    if not known.any():
        raise DataError(f"{samples.source}: the head was fitted to all of these crops; label others to calibrate it on")
    plain = embed_prompts(AdaptedEncoder(made.name, base, head, None, base.fingerprint), words)
    place = {label: i for i, label in enumerate(words.labels)} | {BACKGROUND: NO_CLASS}
    truth = np.array([place[label] for label in kept.labels], np.int64)
    fitted, before, after = calibrate(vectors[known], truth[known], held_out(plain, shift[known]), precision)
    card = read_card(own) if is_adapted(own) else None
    numbers = (own / HELD_OUT).read_bytes() if card and (own / HELD_OUT).is_file() else None
    save_adapted(out, base, head, fitted, None if card is None else card["seen"])
    if numbers is not None:
        write_bytes(out / HELD_OUT, numbers)
    write_text(out / CHART, reliability_chart([("before", before), ("after", after)]))
    return Calibrated(fitted, before, after, tuple(notes))


def _shifts(
    folder: Path, head: FewShotHead | None, samples: LabelledCrops, vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Evidence of the head for each crop, (n, classes), and whether it is fair, (n,): of a crop not fitted to."""
    from safetensors.numpy import load

    if head is None:
        return np.zeros((len(samples), 1)), np.ones(len(samples), bool)
    shift = head.shift(vectors)
    seen = {crop: i for i, crop in enumerate(read_card(folder)["seen"].get("crops", []))}
    rows = np.array([seen.get(crop, -1) for crop in crop_hashes(samples)])
    if not (rows >= 0).any():
        return shift, np.ones(len(samples), bool)
    if not (folder / HELD_OUT).is_file():
        return shift, rows < 0
    kept = load((folder / HELD_OUT).read_bytes())["shift"]
    if kept.shape != (len(seen), len(head.labels)):
        raise DataError(f"{folder / HELD_OUT}: does not belong to {json.dumps(head.labels)}; adapt again")
    shift[rows >= 0] = kept[rows[rows >= 0]]
    return shift, np.ones(len(samples), bool)
