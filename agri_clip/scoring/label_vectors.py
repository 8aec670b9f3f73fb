"""Step 4, first half: the vectors of a prompt set under one encoder, with all that scoring needs of both."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from agri_clip.encoders.base import Encoder, calibration_of, head_of, known_words_of
from agri_clip.encoders.calibration import Calibration
from agri_clip.encoders.heads import BACKGROUND_CLASS, Evidence
from agri_clip.prompts.base import PromptSet, Target, bare_name
from agri_clip.prompts.matching import named_pest
from agri_clip.prompts.words import UnknownWords, UnknownWordWarning, find_unknown_words, unknown_words_message

#: Least score of a found label where the prompt set gives none of its own; docs/encoders.md has the measurement.
THRESHOLD = 0.3

#: Share of a target's looks in its vector, the rest being its names. On rendered crops of 29 groups names alone are
#: right in 68 of 100, with 0.15 looks in 66, with half looks in 59; but of a name it never met, an encoder has only
#: the looks.
LOOKS_WEIGHT = 0.15

#: Insects that compete with the labels asked for, together as likely as one label.
OTHER_INSECTS: tuple[str, ...] = (
    "an insect",
    "a fly",
    "a midge",
    "a mosquito",
    "a beetle",
    "a moth",
    "a wasp",
    "a bee",
    "an ant",
    "a leafhopper",
    "an aphid",
    "a whitefly",
    "a thrips",
    "a lacewing",
    "a spider",
    "a mite",
)

#: A target with one of these words in its name asks for insects by their looks; then no insect is "not asked for".
ANY_INSECT = frozenset(
    ["insect", "insects", "arthropod", "arthropods", "pest", "pests", "insecto", "insectos", "insecte", "insectes"]
) | {"insekt", "insekten", "昆虫", "虫子"}


#: Sentinel: the head has no class for this label (or for background).
NO_CLASS = -1


@dataclass(frozen=True)
class Examples:
    """What an adapted encoder knows of the labels of a prompt set by examples.

    Attributes
    ----------
    evidence : Evidence
        The encoder's head.
    class_of : ndarray, shape (labels,), int64
        Which of its classes each label is; `NO_CLASS` for a label that stays with its words.
    background : int
        Which of its classes is that of crops without an insect, or `NO_CLASS`.
    """

    evidence: Evidence
    class_of: np.ndarray
    background: int = NO_CLASS

    def shifts(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nats to add to the logits of labels (n, labels), and to those of all negatives (n,)."""
        # One more column of zeros, at NO_CLASS, for what has no class.
        moved = np.pad(self.evidence.shift(vectors), ((0, 0), (0, 1)))
        return moved[:, self.class_of], moved[:, self.background]


@dataclass(frozen=True)
class LabelVectors:
    """The vectors of a prompt set under one encoder, with all that scoring needs of both.

    Attributes
    ----------
    labels, negatives : tuple of str
        In the prompt set's order.
    vectors : ndarray, shape (labels + negatives, dim), float32
        One unit vector each, labels first.
    others : ndarray, shape (a, dim), float32
        Insects nobody asked for; may be empty.
    lengths_mm : ndarray, shape (labels, 2), float64
        Shortest and longest body of each label; NaN where it has none.
    own_thresholds : ndarray, shape (labels,), float64
        NaN where the prompt set gives none.
    activation, logit_scale, logit_bias, fingerprint
        The encoder's.
    unknown_words : mapping of str to tuple of str
        For each label that has any, the words that the encoder never saw in training; empty where it does not say.
    unlearnt : frozenset of str
        Labels that count nothing: the encoder never learnt the words that decide. Empty where `force` was given.
    examples : Examples or None
        Where the encoder knows some of the labels by examples.
    temperature : float
        Divides the logits; other than 1 where scores were calibrated on labelled crops.
    calibrated : bool
        Whether scores of all labels were; only then may they be read as probabilities.
    """

    labels: tuple[str, ...]
    negatives: tuple[str, ...]
    vectors: np.ndarray
    others: np.ndarray
    lengths_mm: np.ndarray
    own_thresholds: np.ndarray
    activation: Literal["softmax", "sigmoid"]
    logit_scale: float
    logit_bias: float
    fingerprint: str
    unknown_words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unlearnt: frozenset[str] = frozenset()
    examples: Examples | None = None
    temperature: float = 1.0
    calibrated: bool = False

    @property
    def learnt(self) -> np.ndarray:
        """Which labels take part in scoring, shape (labels,), bool."""
        return np.array([label not in self.unlearnt for label in self.labels], bool)

    @property
    def names(self) -> tuple[str, ...]:
        """Labels, then negatives: the rows of `vectors`."""
        return self.labels + self.negatives

    def thresholds(self, default: float | None = None) -> dict[str, float]:
        """The threshold used for each label: its own, else `default`, else `THRESHOLD`."""
        fallback = THRESHOLD if default is None else default
        own = np.where(np.isnan(self.own_thresholds), fallback, self.own_thresholds)
        return dict(zip(self.labels, own.tolist(), strict=True))


def embed_prompts(
    encoder: Encoder, prompts: PromptSet, others: Sequence[str] = OTHER_INSECTS, *, force: bool = False
) -> LabelVectors:
    """Encode a prompt set: the vectors of a label's texts are averaged and brought to unit length again.

    Where a target has names and looks, its looks count for `LOOKS_WEIGHT` together, however many they are.

    Parameters
    ----------
    encoder : Encoder
    prompts : PromptSet
    others : sequence of str
        Insects that compete with those asked for; see `competing_insects`.
    force : bool
        Count labels whose deciding words the encoder never learnt all the same.

    Returns
    -------
    LabelVectors

    Warns
    -----
    UnknownWordWarning
        Targets have words that the encoder never saw in training; one warning for the whole set.

    References
    ----------
    Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021, section 3.1.4.
    """
    texts = prompts.texts()
    examples = _examples_of(encoder, prompts.targets)
    calibration = calibration_of(encoder)
    fitted = _fitted_thresholds(calibration, prompts.targets)
    unknown = _find_unknown_words(encoder, prompts, examples, fitted)
    if unknown:
        message = unknown_words_message(unknown, encoder.name, force=force)
        warnings.warn(message, UnknownWordWarning, stacklevel=2)
    unlearnt = frozenset(label for label, found in unknown.items() if not found.learnt and not force)
    learnt = [target for target in prompts.targets if target.name not in unlearnt]
    # Without any label left there must be insects, or nothing could be told from background.
    rivals = competing_insects(learnt, others if learnt else others or OTHER_INSECTS)
    # One call, so that the encoder batches all texts; sorted, so that their order cannot change a digit.
    everything = sorted({text for group in texts.values() for text in group} | set(rivals))
    vector_of = dict(zip(everything, np.asarray(encoder.encode_texts(everything), np.float64), strict=True))
    dim = len(vector_of[everything[0]])
    looks = prompts.looks_texts()
    means = np.stack([_label_mean(vector_of, set(texts[label]), set(looks.get(label, ()))) for label in texts])
    vectors = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return LabelVectors(
        labels=prompts.labels,
        negatives=prompts.negative_labels,
        vectors=vectors.astype(np.float32),
        others=np.array([vector_of[text] for text in rivals], np.float32).reshape(-1, dim),
        lengths_mm=np.array([target.length_mm or (np.nan, np.nan) for target in prompts.targets], np.float64),
        own_thresholds=np.array(
            [
                fit if target.threshold is None else target.threshold
                for target, fit in zip(prompts.targets, fitted, strict=True)
            ],
            np.float64,
        ),
        activation=encoder.activation,
        logit_scale=encoder.logit_scale,
        logit_bias=encoder.logit_bias,
        fingerprint=encoder.fingerprint,
        unknown_words={label: found.words for label, found in unknown.items()},
        unlearnt=unlearnt,
        examples=examples,
        temperature=1.0 if calibration is None or np.isnan(fitted).all() else calibration.temperature,
        calibrated=bool(np.isfinite(fitted).all()),
    )


def match_labels(targets: Sequence[Target], known: Sequence[str]) -> np.ndarray:
    """Which of some known labels each target is, by its name or by the catalogue.

    "A whitefly", "whitefly" and "mosca blanca" are one label. A description of a catalogued pest ("a green aphid") is
    not that pest: it asks for some aphids only.

    Returns
    -------
    ndarray, shape (targets,), int64
        Index into `known`, or `NO_CLASS`; of several the first.
    """
    names = {bare_name(label): i for i, label in reversed(list(enumerate(known)))}
    pests = {pest.id: i for i, label in reversed(list(enumerate(known))) if (pest := named_pest(label)) is not None}
    found = np.full(len(targets), NO_CLASS, np.int64)
    for i, target in enumerate(targets):
        # Only a target that takes a pest's looks is that pest; see `agri_clip.prompts.matching.resolve`.
        by_pest = pests.get(target.pest, NO_CLASS) if target.pest and target.looks else NO_CLASS
        found[i] = names.get(bare_name(target.name), by_pest)
    return found


def _examples_of(encoder: Encoder, targets: Sequence[Target]) -> Examples | None:
    """What an encoder's head knows of the targets; None where that is nothing."""
    head = head_of(encoder)
    if head is None:
        return None
    insects = [label if label != BACKGROUND_CLASS else "" for label in head.labels]
    class_of = match_labels(targets, insects)
    background = head.labels.index(BACKGROUND_CLASS) if BACKGROUND_CLASS in head.labels else NO_CLASS
    return Examples(head, class_of, background) if (class_of != NO_CLASS).any() else None


def _fitted_thresholds(calibration: Calibration | None, targets: Sequence[Target]) -> np.ndarray:
    """Thresholds (targets,) fitted on labelled crops; NaN where there are none."""
    values = [] if calibration is None else list(calibration.thresholds.values())
    known = () if calibration is None else tuple(calibration.thresholds)
    return np.append(values, np.nan)[match_labels(targets, known)]


def _find_unknown_words(
    encoder: Encoder, prompts: PromptSet, examples: Examples | None, fitted: np.ndarray
) -> dict[str, UnknownWords]:
    """Words of each label that the encoder never saw.

    A label with examples needs no words. A label with a threshold fitted on labelled crops was measured, so it counts
    whatever its words.
    """
    known = known_words_of(encoder)
    unknown = {} if known is None else find_unknown_words(prompts, known)
    shown = np.zeros(len(prompts.labels), bool) if examples is None else examples.class_of != NO_CLASS
    for label, by_examples, threshold in zip(prompts.labels, shown, fitted, strict=True):
        if label in unknown and by_examples:
            del unknown[label]
        elif label in unknown and np.isfinite(threshold):
            unknown[label] = unknown[label]._replace(learnt=True)
    return unknown


def _label_mean(vector_of: dict[str, np.ndarray], texts: set[str], looks: set[str]) -> np.ndarray:
    """Weighted mean of the vectors of one label's names and looks, not yet of unit length."""
    parts = [np.mean([vector_of[t] for t in sorted(part)], axis=0) for part in (texts - looks, looks) if part]
    return parts[0] if len(parts) == 1 else (1 - LOOKS_WEIGHT) * parts[0] + LOOKS_WEIGHT * parts[1]


def competing_insects(targets: Sequence[Target], others: Sequence[str] = OTHER_INSECTS) -> tuple[str, ...]:
    """Which insects compete with the targets: all that no target names.

    None does where a target asks for insects in general or by their looks ("a small green insect"): then every insect
    is asked for.

    Parameters
    ----------
    targets : sequence of Target
    others : sequence of str
        Noun phrases whose last word is the insect's name.
    """
    named: set[str] = set()
    for target in targets:
        words = _words(" ".join((target.name, *target.phrasings)))
        if words & ANY_INSECT or words <= {"bug", "bugs", "a", "the"}:
            return ()
        named |= words | _words(" ".join(target.synonyms))
    return tuple(sorted(other for other in others if not _forms(other) & named))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", unicodedata.normalize("NFKC", text).casefold()))


def _forms(phrase: str) -> set[str]:
    """The last word of a phrase, in singular and plural."""
    noun = phrase.split()[-1]
    return {noun, f"{noun}s", f"{noun}es", f"{noun[:-1]}ies" if noun.endswith("y") else noun}
