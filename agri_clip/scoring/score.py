"""Step 4: which words fit each region. Vectors and prompts in, probabilities and decisions out; numpy only.

Labels and negatives are not one flat list of classes. There are two groups, insects and background, and each is as
likely before looking however many names it has, so that adding a negative or a pest does not by itself push the other
group down. Among the insects stands one that nobody asked for (`OTHER_INSECTS`): without it every fly on a card would
be the only pest that was asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from scipy.special import expit, logit

from agri_clip.detections import BACKGROUND, FOUND, OTHER
from agri_clip.scoring.label_vectors import (
    ANY_INSECT,
    LOOKS_WEIGHT,
    OTHER_INSECTS,
    THRESHOLD,
    LabelVectors,
    competing_insects,
    embed_prompts,
)
from agri_clip.scoring.lengths import (
    LEAST_LIKELIHOOD,
    LONGER,
    SHORTER,
    length_likelihood,
    relative_likelihood,
    weigh_lengths,
)

__all__ = [
    "ANY_INSECT",
    "COSINE_DECIMALS",
    "INSECT_THRESHOLD",
    "LEAST_LIKELIHOOD",
    "LONGER",
    "LOOKS_WEIGHT",
    "OBJECTNESS_WEIGHT",
    "OTHER_INSECTS",
    "PRIOR",
    "SHORTER",
    "THRESHOLD",
    "LabelVectors",
    "Scores",
    "combine",
    "competing_insects",
    "embed_prompts",
    "length_likelihood",
    "photo_priors",
    "score",
]

#: Weight of objectness against the encoder in the probability of an insect (`combine`), chosen with the embedded models
#: on 32 real training traps: counts are off by 14.6 % with 0.6, 14.1 % with 0.7, 14.0 % with 0.8; AP50 is .859, .860,
#: .858 (models of 30 November 2026).
OBJECTNESS_WEIGHT = 0.7

#: Log odds of an insect before looking, where a proposer gives the region: how much is no insect is told by the photo's
#: objectness beside what is usual. Chosen on the same traps: counted from one half on, 1 % too few are counted there.
PRIOR = 0.0

#: Mean objectness of a proposer's regions on the photos that `PRIOR` was chosen on, by its name. Of others it is not
#: known what is usual; with `contrast`, which gives many weak boxes everywhere, every photo would look full of clutter.
USUAL_OBJECTNESS = {"insect-yolo": 0.33, "insect-yolo+contrast": 0.33}

#: So many regions of the usual objectness are added to every photo: a few dozen, as a close-up has, tell little, and a
#: dirty card has hundreds. With 10 an insect is counted in .92 of 119 close-ups, with 30 in .94, with 100 in .96.
USUAL_REGIONS = 100

#: A region with a lower probability of an insect is background.
INSECT_THRESHOLD = 0.5

#: Least score of a label that counts nothing.
NOTHING = np.array([np.inf])

#: Cosines are rounded to this many decimals: float32 vectors hold no more, and sums in another order then agree.
COSINE_DECIMALS = 8


LengthEvidence = Literal["scale", "relative", "none"]


@dataclass(frozen=True)
class Scores:
    """What scoring says of n regions.

    Attributes
    ----------
    label_index : ndarray, shape (n,), int32
        The best label of each region, whatever its status; of equal ones the first by name.
    status : ndarray, shape (n,), int8
        `FOUND`, `OTHER` or `BACKGROUND`, as in `agri_clip.detections`.
    score : ndarray, shape (n,), float32
        Probability of the best label.
    margin : ndarray, shape (n,), float32
        Score less that of the runner-up label; the score itself where there is one label.
    insect : ndarray, shape (n,), float32
        Probability that the region is not background: the encoder's, joined with the proposer's objectness where given.
    labels : ndarray, shape (n, labels), float32
        Probability of every label. With softmax models labels compete; with sigmoid models each stands alone.
    other : ndarray, shape (n,), float32
        Probability of an insect that nobody asked for.
    negatives : ndarray, shape (n, negatives), float32
        Probability of every negative.
    length : {"scale", "relative", "none"}
        Whether length was evidence: in millimetres, against the other regions of the photo, or not at all.
    """

    label_index: np.ndarray
    status: np.ndarray
    score: np.ndarray
    margin: np.ndarray
    insect: np.ndarray
    labels: np.ndarray
    other: np.ndarray
    negatives: np.ndarray
    length: LengthEvidence = "none"

    def __len__(self) -> int:
        return len(self.label_index)

    def __getitem__(self, index: np.ndarray) -> Scores:
        return replace(self, **{name: column[index] for name, column in self._columns().items()})

    @classmethod
    def concat(cls, parts: Sequence[Scores]) -> Scores:
        """One after the other, of the same prompts; `length` is that of the first. There must be one part at least."""
        columns = [part._columns() for part in parts]
        joined: dict[str, Any] = {name: np.concatenate([part[name] for part in columns]) for name in columns[0]}
        return replace(parts[0], **joined)

    def _columns(self) -> dict[str, Any]:
        return {part.name: getattr(self, part.name) for part in fields(self) if part.name != "length"}


def score(
    vectors: np.ndarray,
    prompts: LabelVectors,
    *,
    objectness: np.ndarray | None = None,
    priors: np.ndarray | float = PRIOR,
    lengths_mm: np.ndarray | None = None,
    lengths_px: np.ndarray | None = None,
    threshold: float | None = None,
    insect_threshold: float = INSECT_THRESHOLD,
    temperature: float | None = None,
) -> Scores:
    """Score regions against a prompt set.

    The order of regions, labels, negatives and phrasings changes nothing but the order of the result.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim)
        Unit vectors of the regions' crops, of the encoder that `prompts` was made with.
    prompts : LabelVectors
    objectness : ndarray, shape (n,), optional
        The proposer's, 0 to 1; joined with the encoder's probability of an insect by `combine`.
    priors : ndarray, shape (n,), or float
        Log odds of an insect before looking, as of `photo_priors`; used with `objectness` only.
    lengths_mm : ndarray, shape (n,), optional
        Lengths of the regions in millimetres; NaN where unknown.
    lengths_px : ndarray, shape (n,), optional
        Their lengths in pixels, where all regions are of one photo: without `lengths_mm`, evidence by
        `agri_clip.scoring.lengths.relative_likelihood`.
    threshold : float, optional
        Least score of a found label that has no threshold of its own; `THRESHOLD` where left out.
    insect_threshold : float
        Least `insect` of a region that is no background. No score is higher than `insect`, so a threshold below this
        one changes nothing.
    temperature : float, optional
        Divides the logits; above 1 for an encoder that is too sure of itself. That of `prompts` where left out.

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        Shapes do not fit together, or `temperature` is not above 0.

    References
    ----------
    Temperature: Guo et al., On Calibration of Modern Neural Networks, 2017, section 4.2.
    Sigmoid models: Zhai et al., Sigmoid Loss for Language Image Pre-Training, 2023.
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or vectors.shape[1] != prompts.vectors.shape[1]:
        raise ValueError(f"vectors are {vectors.shape}, the prompts' are (…, {prompts.vectors.shape[1]})")
    temperature = prompts.temperature if temperature is None else temperature
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    # Everything is worked out in the order of the names, so that no sum depends on the order of the prompts.
    # Labels whose words the encoder never learnt take no part: what they ask for is arbitrary.
    by_name = sorted(np.flatnonzero(prompts.learnt).tolist(), key=prompts.labels.__getitem__)
    negative_order = sorted(range(len(prompts.negatives)), key=prompts.negatives.__getitem__)
    rows = [*by_name, *(len(prompts.labels) + i for i in negative_order)]
    logits = _logits(vectors, np.concatenate([prompts.vectors[rows], prompts.others]), prompts)
    labels, negatives, others = np.split(logits, [len(by_name), len(rows)], axis=1)
    if prompts.examples is not None:
        label_shifts, negative_shifts = prompts.examples.shifts(vectors)
        labels += label_shifts[:, by_name]
        negatives += negative_shifts[:, None]
    logits /= temperature
    judge = _judge_together if prompts.activation == "softmax" else _judge_apart
    judgement = judge(labels, others, negatives)
    known = objectness, priors
    likelihood, length = _length_evidence(lengths_mm, lengths_px, prompts.lengths_mm[by_name], judgement, known)
    if likelihood is not None:
        weigh = _weigh_together if prompts.activation == "softmax" else _weigh_apart
        judgement = weigh(judgement, likelihood)
    labels, other, negatives, insect = _join(judgement, *known)
    needed = np.array(list(prompts.thresholds(threshold).values()))[by_name], insect_threshold
    orders = np.array(by_name, np.intp), np.array(negative_order)
    return replace(_decide(labels, other, negatives, insect, needed, orders, len(prompts.labels)), length=length)


#: Probabilities of labels (n, labels), of other insects (n,), of negatives (n, negatives) and of an insect (n,).
Judgement = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _logits(vectors: np.ndarray, texts: np.ndarray, prompts: LabelVectors) -> np.ndarray:
    # Texts first, so that the numbers of one text lie side by side: the product and all that follows is quicker so.
    logits = texts.astype(np.float64) @ vectors.astype(np.float64).T
    np.round(logits, COSINE_DECIMALS, out=logits)
    logits *= prompts.logit_scale
    logits += prompts.logit_bias
    return logits.T


def _evidence(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Evidence of a group whose members are equally likely beforehand, and the share of each member in it.

    Returns
    -------
    evidence : ndarray, shape (n,)
        Log of the mean of the exponentials; -inf for an empty group.
    shares : ndarray, shape (n, members)
        The softmax. Over a million regions exponentials take most of the time, so these are the same.
    """
    if logits.shape[1] == 0:
        return np.full(len(logits), -np.inf), logits
    highest = logits.max(axis=1)
    powers = logits - highest[:, None]
    np.exp(powers, out=powers)
    total = powers.sum(axis=1)
    powers /= total[:, None]
    return highest + np.log(total / logits.shape[1]), powers


def _judge_together(labels: np.ndarray, others: np.ndarray, negatives: np.ndarray) -> Judgement:
    """Softmax models: one probability is shared out, first between insect and background, then within each."""
    classes = labels.shape[1] + (others.shape[1] > 0)
    kinds, share = _evidence(np.concatenate([labels, _evidence(others)[0][:, None]], axis=1))
    background, within = _evidence(negatives)
    # An insect nobody asked for counts as one more label only where there is one.
    insect = expit(kinds + np.log((labels.shape[1] + 1) / classes) - background)
    share *= insect[:, None]
    return share[:, :-1], share[:, -1], within * (1 - insect)[:, None], insect


def _weigh_together(judgement: Judgement, likelihood: np.ndarray) -> Judgement:
    """The same with lengths as evidence of the label: what one loses goes to the others."""
    labels, other, negatives, insect = judgement
    return *weigh_lengths(labels, other, likelihood), negatives, insect


def _judge_apart(labels: np.ndarray, others: np.ndarray, negatives: np.ndarray) -> Judgement:
    """Sigmoid models: each label alone against background and other insects, so that several may be true.

    The model's own sigmoid against nothing is used only where there is nothing to compare with: on small crops it is
    near 0 for right and wrong labels alike.
    """
    background, other = _evidence(negatives)[0], _evidence(others)[0]
    against = np.logaddexp(background, other)
    nothing = np.zeros(len(labels))
    strongest = labels.max(axis=1, initial=-np.inf)
    best = np.maximum(strongest, other)
    insect = expit(best - np.where(np.isinf(background), nothing, background))
    alone = expit(labels - np.where(np.isinf(against), nothing, against)[:, None])
    rest = np.logaddexp(background, strongest)
    return alone, expit(other - rest), expit(negatives - best[:, None]), insect


def _weigh_apart(judgement: Judgement, likelihood: np.ndarray) -> Judgement:
    """The same with lengths as evidence: a label that does not fit loses, and no other gains."""
    labels, other, negatives, insect = judgement
    return labels * likelihood, other, negatives, insect


def _join(judgement: Judgement, objectness: np.ndarray | None, priors: np.ndarray | float) -> Judgement:
    """The encoder's judgement joined with the proposer's objectness, where that is given."""
    if objectness is None:
        return judgement
    labels, other, negatives, insect = judgement
    joined = combine(insect, objectness, OBJECTNESS_WEIGHT, priors)
    up, down = joined / np.maximum(insect, 1e-12), (1 - joined) / np.maximum(1 - insect, 1e-12)
    labels, other = np.minimum(labels * up[:, None], 1), np.minimum(other * up, 1)
    return labels, other, np.minimum(negatives * down[:, None], 1), joined


def _length_evidence(
    lengths_mm: np.ndarray | None,
    lengths_px: np.ndarray | None,
    ranges_mm: np.ndarray,
    judgement: Judgement,
    known: tuple[np.ndarray | None, np.ndarray | float],
) -> tuple[np.ndarray | None, LengthEvidence]:
    """Likelihood of the lengths, shape (n, labels), and which it is; None where length is no evidence."""
    regions = len(judgement[0])
    for lengths in (lengths_mm, lengths_px):
        if lengths is not None and np.shape(lengths) != (regions,):
            raise ValueError(f"{np.shape(lengths)} lengths for {regions} regions")
    if np.isnan(ranges_mm).any(axis=1).all():
        return None, "none"
    if lengths_mm is not None:
        return length_likelihood(lengths_mm, ranges_mm), "scale"
    if lengths_px is None:
        return None, "none"
    labels, other, _, insect = _join(judgement, *known)
    shares = labels / np.maximum(labels.sum(axis=1) + other, 1e-12)[:, None]
    relative = relative_likelihood(np.asarray(lengths_px, np.float64), ranges_mm, shares, insect)
    return relative, "none" if relative is None else "relative"


def _decide(
    labels: np.ndarray,
    other: np.ndarray,
    negatives: np.ndarray,
    insect: np.ndarray,
    needed: tuple[np.ndarray, float],
    orders: tuple[np.ndarray, np.ndarray],
    asked: int,
) -> Scores:
    """Best label, runner-up and status; columns go back from the order of names to that of all labels asked."""
    by_name, negative_order = orders
    # Rounded as the result is, so that labels that look equal are equal.
    labels = labels.astype(np.float32)
    label_columns = np.zeros((len(labels), asked), np.float32)
    label_columns[:, by_name] = labels
    if not len(by_name):
        # No label takes part: a column that nothing reaches stands for them.
        by_name, labels, needed = np.zeros(1, np.intp), np.zeros((len(labels), 1), np.float32), (NOTHING, needed[1])
    best = labels.argmax(axis=1) if len(labels) else np.zeros(0, np.intp)
    top = np.take_along_axis(labels, best[:, None], axis=1)[:, 0]
    margin = top - np.partition(labels, -2, axis=1)[:, -2] if labels.shape[1] > 1 else top
    least, least_insect = needed[0].astype(np.float32), np.float32(needed[1])
    insect = insect.astype(np.float32)
    status = np.where(insect < least_insect, BACKGROUND, np.where(top >= least[best], FOUND, OTHER))
    negative_columns = np.empty(negatives.shape, np.float32)
    if len(negative_order):
        negative_columns[:, negative_order] = negatives
    return Scores(
        label_index=by_name[best].astype(np.int32),
        status=status.astype(np.int8),
        score=top,
        margin=margin,
        insect=insect,
        labels=label_columns,
        other=other.astype(np.float32),
        negatives=negative_columns,
    )


def photo_priors(objectness: np.ndarray, owner: np.ndarray, photos: int, usual: float | None) -> np.ndarray:
    """Log odds of an insect before looking at a region, for each photo: lower where a photo is full of clutter.

    On a dirty card most regions are unlikely to be insects, and each of them by itself looks as good as one on a clean
    card. A photo with less clutter than usual keeps `PRIOR`, so that no region is counted because of its neighbours.

    Parameters
    ----------
    objectness : ndarray, shape (n,), 0 to 1
        The proposer's, of all regions of the photos.
    owner : ndarray, shape (n,), int
        Photo of each region.
    photos : int
    usual : float or None
        Mean objectness of the proposer's regions where there is as much clutter as usual, as `USUAL_OBJECTNESS` has it;
        without it every photo has `PRIOR`.

    Returns
    -------
    ndarray, shape (photos,), float64

    References
    ----------
    Saerens, Latinne, Decaestecker, Adjusting the Outputs of a Classifier to New a Priori Probabilities, 2002; one step
    of it, with the proposer's objectness as the outputs.
    """
    if usual is None:
        return np.full(photos, PRIOR)
    total = np.bincount(owner, objectness.astype(np.float64), minlength=photos) + USUAL_REGIONS * usual
    mean = total / (np.bincount(owner, minlength=photos) + USUAL_REGIONS)
    missing = logit(mean) - logit(usual)
    return PRIOR + np.minimum(missing, 0.0)


def combine(insect: np.ndarray, objectness: np.ndarray, weight: float, prior: np.ndarray | float = 0.0) -> np.ndarray:
    """Two probabilities of an insect into one: the weighted mean of their log odds, and what is known beforehand.

    Parameters
    ----------
    insect, objectness : ndarray, shape (n,), 0 to 1
        The encoder's and the proposer's.
    weight : float
        Of objectness, 0 to 1.
    prior : float or ndarray, shape (n,)
        Log odds that are added.

    Returns
    -------
    ndarray, shape (n,), float64
        0 to 1.

    Raises
    ------
    ValueError
        `weight` is out of range, or the shapes differ.
    """
    insect, objectness = np.asarray(insect, np.float64), np.asarray(objectness, np.float64)
    if not 0 <= weight <= 1 or insect.shape != objectness.shape:
        raise ValueError(f"weight {weight} must be 0 to 1, and {insect.shape} and {objectness.shape} the same")
    # Beyond these odds a float32 probability has no digits left.
    first, second = (logit(np.clip(p, 1e-7, 1 - 1e-7)) for p in (insect, objectness))
    return expit((1 - weight) * first + weight * second + prior)
