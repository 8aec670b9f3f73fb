"""Adapting an encoder on frozen vectors: labelled crops in, the folder of an adapted encoder and a report out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from agri_clip.encoders import Encoder, get_encoder
from agri_clip.encoders.adapted import AdaptedEncoder, save_adapted
from agri_clip.encoders.heads import BACKGROUND_CLASS, FewShotHead, Words, shift_of
from agri_clip.errors import DataError
from agri_clip.formats.files import prepare_folder, write_bytes, write_text
from agri_clip.prompts import PromptSet
from agri_clip.prompts.base import Target, without_targets
from agri_clip.prompts.matching import resolve
from agri_clip.prompts.negatives import DEFAULT_NEGATIVES
from agri_clip.prompts.words import content_words
from agri_clip.scoring.label_vectors import NO_CLASS, embed_prompts, match_labels
from fine_tune.adapt.check import Findings, check_samples, crop_hashes
from fine_tune.adapt.gate import can_hold_out
from fine_tune.adapt.ladder import Climbed, Method, climb
from fine_tune.adapt.rehearsal import crops_of, other_groups
from fine_tune.adapt.samples import BACKGROUND, LabelledCrops
from fine_tune.adapt.trials import Task

#: What crops said of the classes while they were held out: rows in the order of the card's `seen.crops`.
HELD_OUT = "held_out.safetensors"

#: A label is in words that the encoder was never taught where it never saw at least this share of them: "a mole
#: cricket" without "mole", but not a sentence with one unknown word.
UNTAUGHT = 1 / 3

#: Rendered crops of each catalogued group on which it is measured what prompts outside the labelled classes lose.
OTHER_CROPS = 4


@dataclass(frozen=True)
class OtherPrompts:
    """What prompts outside the labelled classes lose: top-1 over rendered crops of the catalogue's other groups.

    Attributes
    ----------
    before, after : float
        Share of crops named rightly among all groups and the labelled classes, by words and by the adapted encoder.
    crops, groups : int
    """

    before: float
    after: float
    crops: int
    groups: int


@dataclass(frozen=True)
class Adapted:
    """What adapting came to.

    Attributes
    ----------
    encoder : str
        Name of the base.
    samples : LabelledCrops
        That were used.
    findings : Findings
        Faults of those given.
    climbed : Climbed
    others : OtherPrompts or None
        None where the words are kept, so that nothing can be lost.
    """

    encoder: str
    samples: LabelledCrops
    findings: Findings
    climbed: Climbed
    others: OtherPrompts | None


def prompts_for(labels: Sequence[str], given: PromptSet | None = None) -> PromptSet:
    """The words of labels: those of a prompt set where it has the label, else as if each were a prompt.

    Raises
    ------
    PromptError
        A label cannot be a prompt.
    """
    targets = [resolve(label) for label in labels]
    if given is not None:
        place = match_labels(targets, given.labels)
        targets = [
            target if at == NO_CLASS else Target.model_validate({**given.targets[at].model_dump(), "name": target.name})
            for target, at in zip(targets, place, strict=True)
        ]
    negatives = DEFAULT_NEGATIVES if given is None else given.negatives
    return PromptSet(name="labels", targets=tuple(targets), negatives=without_targets(negatives, targets))


def choose_shots(samples: LabelledCrops, shots: int, seed: int) -> LabelledCrops:
    """At most so many crops of each label, at random and of as many photos as there are.

    Raises
    ------
    DataError
        `shots` is below 1.
    """
    if shots < 1:
        raise DataError(f"shots is {shots}; it must be at least 1")
    rng = np.random.default_rng(seed)
    labels, photos = np.array(samples.labels), np.array(samples.photos)
    chosen: list[int] = []
    for label in sorted(set(samples.labels)):
        rows = rng.permutation(np.flatnonzero(labels == label))
        # The first crop of each photo goes before the second of any.
        turn = [int((photos[rows[:i]] == photos[row]).sum()) for i, row in enumerate(rows)]
        chosen += rows[np.argsort(turn, kind="stable")][:shots].tolist()
    return samples[sorted(chosen)]


def usable_crops(samples: LabelledCrops, shots: int | None, seed: int) -> tuple[Findings, LabelledCrops]:
    """What the check finds, and the crops that it leaves: at most so many of each label, where `shots` says so."""
    findings = check_samples(samples)
    kept = samples[findings.kept]
    return findings, kept if shots is None else choose_shots(kept, shots, seed)


def task_of(samples: LabelledCrops, encoder: Encoder, prompts: PromptSet) -> tuple[Task, tuple[str, ...]]:
    """Frozen vectors of crops with the words of their classes; computed once.

    Returns
    -------
    task : Task
    labels : tuple of k str
        Of insects, then `BACKGROUND_CLASS` where crops without an insect are among the samples.
    """
    embedded = embed_prompts(encoder, prompts)
    labels = prompts.labels
    texts, owner = [embedded.vectors[: len(labels)]], [np.arange(len(labels))]
    if BACKGROUND in samples.labels and embedded.negatives:
        texts.append(embedded.vectors[len(labels) :])
        owner.append(np.full(len(embedded.negatives), len(labels)))
        labels = (*labels, BACKGROUND_CLASS)
    number = {BACKGROUND if label == BACKGROUND_CLASS else label: i for i, label in enumerate(labels)}
    _, photos = np.unique(samples.photos, return_inverse=True)
    words = Words(np.concatenate(texts), np.concatenate(owner), encoder.logit_scale, encoder.logit_bias)
    vectors = encoder.encode_images(samples.crops)
    classes = np.array([number[label] for label in samples.labels], np.int64)
    taught = np.ones(len(labels), bool)
    for i, target in enumerate(prompts.targets):
        if unknown := embedded.unknown_words.get(target.name, ()):
            taught[i] = len(unknown) < UNTAUGHT * len(content_words(target.phrases()))
    return Task(vectors, classes, photos, words, taught), labels


def adapt(
    samples: LabelledCrops,
    encoder: str | Encoder,
    out: Path,
    *,
    method: Method | None = None,
    prompts: PromptSet | None = None,
    shots: int | None = None,
    seed: int = 0,
) -> Adapted:
    """Adapt an encoder to labelled crops, and write it where they help; the words where they do not.

    Parameters
    ----------
    samples : LabelledCrops
    encoder : str or Encoder
        The base. An adapted one stands for its base.
    out : Path
        Folder that `agri_clip.encoders.get_encoder` loads.
    method : Method or None
        None picks by the number of crops and by held-out crops.
    prompts : PromptSet, optional
        Words for the labels, and negatives.
    shots : int, optional
        Use at most so many crops of each label.
    seed : int
        One seed gives one result.

    Raises
    ------
    DataError
        Too few classes, or the folder cannot be written.
    ModelError
        The encoder cannot be loaded.
    """
    made = get_encoder(encoder)
    base = made.base if isinstance(made, AdaptedEncoder) else made
    findings, used = usable_crops(samples, shots, seed)
    if not used.classes:
        raise DataError(f"{samples.source}: no crop of an insect is left after the check; mend the labels")
    if prompts is not None and not prompts.negatives:
        used = used[np.array(used.labels) != BACKGROUND]
    task, labels = task_of(used, base, prompts_for(used.classes, prompts))
    climbed = climb(task, labels, method, seed)
    others = None if climbed.head is None else measure_others(base, climbed.head, prompts_for(used.classes, prompts))
    result = Adapted(base.name, used, findings, climbed, others)
    _write(result, base, task, out, seed)
    return result


def measure_others(base: Encoder, head: FewShotHead, prompts: PromptSet) -> OtherPrompts:
    """What prompts outside the labelled classes lose when they are asked together with these.

    Asked alone they lose nothing: their words are scored as before.
    """
    groups = other_groups(prompts.labels)
    targets = (*(resolve(group) for group in groups), *prompts.targets)
    together = PromptSet(targets=targets)
    vectors, truth = base.encode_images(_crops_of(groups)), np.repeat(np.arange(len(groups)), OTHER_CROPS)
    after = embed_prompts(AdaptedEncoder("adapted", base, head, None, base.fingerprint), together)
    logits = base.logit_scale * vectors.astype(np.float64) @ after.vectors[: len(targets)].T.astype(np.float64)
    moved = 0 if after.examples is None else after.examples.shifts(vectors)[0]
    right = [float((each.argmax(axis=1) == truth).mean()) for each in (logits, logits + moved)]
    return OtherPrompts(right[0], right[1], len(truth), len(groups))


@lru_cache(maxsize=2)
def _crops_of(groups: tuple[str, ...]) -> tuple[np.ndarray, ...]:
    """`OTHER_CROPS` rendered crops of each group, kept for the next trial."""
    return crops_of(groups, OTHER_CROPS, "held-out")


def _write(result: Adapted, base: Encoder, task: Task, out: Path, seed: int) -> None:
    from safetensors.numpy import save

    from fine_tune.adapt.report import report_text

    prepare_folder(out)
    climbed, samples = result.climbed, result.samples
    seen = {"crops": crop_hashes(samples), "labels": samples.counts, "source": samples.source, "seed": seed}
    save_adapted(out, base, climbed.head, None, seen)
    if climbed.head is not None and can_hold_out(task).sum() >= 2:
        shift = shift_of(task.words.logits(task.vectors), climbed.verdict.log_shares)
        write_bytes(out / HELD_OUT, save({"shift": shift.astype(np.float32)}))
    else:
        (out / HELD_OUT).unlink(missing_ok=True)
    write_text(out / "report.md", report_text(result))
