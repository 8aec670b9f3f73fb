"""Prompts adapt as well: phrasings of the catalogue ranked on labelled crops. No gradient; the words stay readable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from agri_clip.encoders import Encoder
from agri_clip.prompts import PromptSet
from agri_clip.prompts.base import Target
from agri_clip.prompts.templates import expand
from fine_tune.adapt.adapting import prompts_for
from fine_tune.adapt.heads.base import class_weights
from fine_tune.adapt.samples import BACKGROUND, LabelledCrops
from fine_tune.adapt.trials import fit_temperature, log_losses

#: Most phrasings of a label that are kept; more blur it.
MOST_PHRASES = 4

#: Standard errors by which a label's new words must do better on held-out photos.
NOISE = 1.0


@dataclass(frozen=True)
class Ranked:
    """One phrasing of a label.

    Attributes
    ----------
    label, phrase : str
    apart : float
        How well it tells the label's crops from the others: the area under the ROC curve, 0.5 is chance.
    kept : bool
    """

    label: str
    phrase: str
    apart: float
    kept: bool


@dataclass(frozen=True)
class Tuned:
    """What tuning came to.

    Attributes
    ----------
    prompts : PromptSet
    ranked : tuple of Ranked
        Best first within each label.
    before, after : float
        Share of held-out crops named rightly, all labels counting the same, by the former words and by chosen ones.
    reason : str
        Why the new words were taken, or not.
    """

    prompts: PromptSet
    ranked: tuple[Ranked, ...]
    before: float
    after: float
    reason: str


def tune_prompts(samples: LabelledCrops, encoder: Encoder, given: PromptSet | None = None) -> Tuned:
    """Choose, for each label, the phrasings that tell its crops from the others.

    For each label phrasings are ranked by the area under the ROC curve, and the best few are kept, as many as predict
    best. The choice is repeated without each fifth of the photos; where these photos are not named better by it than
    by the former words, by more than noise, the former words stay.

    Parameters
    ----------
    samples : LabelledCrops
    encoder : Encoder
    given : PromptSet, optional
        Words to begin with; those of the catalogue where left out.

    Returns
    -------
    Tuned
    """
    mine = samples[np.array(samples.labels) != BACKGROUND]
    prompts = prompts_for(mine.classes, given)
    number = {label: i for i, label in enumerate(prompts.labels)}
    classes = np.array([number[label] for label in mine.labels], np.int64)
    vectors = encoder.encode_images(mine.crops).astype(np.float64)
    phrases = [target.phrases() for target in prompts.targets]
    texts = [np.stack([_unit(encoder.encode_texts(expand([p], prompts.templates))) for p in some]) for some in phrases]
    _, photos = np.unique(mine.photos, return_inverse=True)
    every = np.arange(len(classes))
    chosen = _choose(vectors, classes, every, texts)
    plain = [np.arange(len(some)) for some in phrases]
    better, reason, before, after = _proved(vectors, classes, photos, texts, plain, encoder.logit_scale)
    kept = chosen if better else plain
    targets = tuple(
        _with_phrases(target, [some[i] for i in rows]) if better else target
        for target, some, rows in zip(prompts.targets, phrases, kept, strict=True)
    )
    ranked = []
    for i, (label, some) in enumerate(zip(prompts.labels, phrases, strict=True)):
        apart = _apart(vectors, classes, every, texts[i], i)
        ranked += [Ranked(label, some[j], float(apart[j]), j in kept[i]) for j in np.argsort(-apart, kind="stable")]
    tuned = PromptSet(name="tuned", targets=targets, negatives=prompts.negatives, templates=prompts.templates)
    return Tuned(tuned, tuple(ranked), before, after, reason)


def _proved(
    vectors: np.ndarray,
    classes: np.ndarray,
    photos: np.ndarray,
    texts: list[np.ndarray],
    plain: list[np.ndarray],
    scale: float,
) -> tuple[bool, str, float, float]:
    """Whether chosen phrasings name held-out photos better, why, and shares named rightly before and after."""
    folds = min(5, len(np.unique(photos)))
    if folds < 2 or np.bincount(classes).min() < 2:
        return False, "too few crops to hold any out; the former words stay", np.nan, np.nan
    before, after = _logits(vectors, texts, plain), np.zeros((len(classes), len(texts)))
    for fold in range(folds):
        held = photos % folds == fold
        after[held] = _logits(vectors[held], texts, _choose(vectors, classes, np.flatnonzero(~held), texts))
    weights = class_weights(classes)
    losses = []
    for cosines in (before, after):

        def loss(temperature: float, cosines: np.ndarray = cosines) -> np.ndarray:
            logits = scale * cosines / temperature
            return log_losses(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True), classes)

        losses.append(loss(fit_temperature(lambda t, loss=loss: float(weights @ loss(t)))))  # type: ignore[misc]
    saved = losses[0] - losses[1]
    gain = float(weights @ saved)
    noise = float(np.sqrt((np.bincount(photos, weights=weights * (saved - gain)) ** 2).sum()))
    shares = [float(weights @ (each.argmax(axis=1) == classes)) for each in (before, after)]
    better = gain > NOISE * noise and shares[1] >= shares[0]
    reason = f"chosen words save {gain:.3f} nats a held-out crop, noise {noise:.3f}: "
    return better, reason + ("they are taken" if better else "the former words stay"), shares[0], shares[1]


def _choose(vectors: np.ndarray, classes: np.ndarray, rows: np.ndarray, texts: list[np.ndarray]) -> list[np.ndarray]:
    """For each label the best phrasings, as many as together tell its crops best from the others."""
    chosen = []
    for number, some in enumerate(texts):
        apart = _apart(vectors, classes, rows, some, number)
        order = np.argsort(-apart, kind="stable")[:MOST_PHRASES]
        together = [_unit(some[order[: n + 1]]) for n in range(len(order))]
        chosen.append(order[: 1 + int(_apart(vectors, classes, rows, np.stack(together), number).argmax())])
    return chosen


def _apart(vectors: np.ndarray, classes: np.ndarray, rows: np.ndarray, texts: np.ndarray, number: int) -> np.ndarray:
    """How well each text (t, dim) tells crops of a label from the others, (t,); 0.5 where there is nothing to tell."""
    mine = classes[rows] == number
    if mine.all() or not mine.any():
        return np.full(len(texts), 0.5)
    return np.array([roc_auc_score(mine, vectors[rows] @ text) for text in texts])


def _logits(vectors: np.ndarray, texts: list[np.ndarray], kept: list[np.ndarray]) -> np.ndarray:
    """Cosines of vectors with the mean of each label's kept phrasings, (n, labels)."""
    return np.asarray(vectors @ np.stack([_unit(some[rows]) for some, rows in zip(texts, kept, strict=True)]).T)


def _unit(texts: np.ndarray) -> np.ndarray:
    """Mean of vectors at unit length, (dim,) float64."""
    mean = np.asarray(texts, np.float64).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12))


def _with_phrases(target: Target, phrases: list[str]) -> Target:
    """The target with these phrasings alone; its name, size and pest stay."""
    return target.model_copy(update={"phrasings": tuple(phrases), "synonyms": (), "looks": ()})
