"""Steps 3 and 4 joined: regions with their vectors in, `Detections` out. No photo, proposer or image is needed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from agri_clip.detections import BACKGROUND, FOUND, Detections, PhotoRecord
from agri_clip.encoders import Encoder
from agri_clip.io.version import program_version
from agri_clip.prompts import PromptSet, catalogued_labels
from agri_clip.regions.base import Regions
from agri_clip.regions.geometry import long_sides
from agri_clip.regions.merging import Metric, best_first, nms
from agri_clip.scoring.score import (
    INSECT_THRESHOLD,
    THRESHOLD,
    USUAL_OBJECTNESS,
    LabelVectors,
    Scores,
    embed_prompts,
    photo_priors,
    score,
)
from agri_clip.scoring.thresholds import ProposedBy, threshold_for
from agri_clip.settings import Settings

#: Pixels from the place of one photo to that of the next while regions of many are merged at once: more than any photo
#: has, and a power of two, so that no digit of a box is lost.
PHOTO_STEP = 2.0**20

#: Prompt sets whose vectors a labeller remembers: a service that runs for weeks is asked many.
MOST_SETS = 32

Key = TypeVar("Key")
Value = TypeVar("Value")

#: Regions scored at once: few enough for what is worked out of them to stay in the processor's cache.
BLOCK = 4096


class Labeller:
    """Says which words fit each region; keeps the vectors of the prompt sets that it was asked.

    Parameters
    ----------
    encoder : Encoder
        Which made the regions' vectors.
    proposer : ProposedBy
        Which found the regions; only what it is called is used.
    settings : Settings

    Raises
    ------
    AgriClipError
        The precision asked for has no fitted threshold with these models.
    """

    def __init__(self, encoder: Encoder, proposer: ProposedBy, settings: Settings) -> None:
        self.encoder, self.proposer, self.settings = encoder, proposer, settings
        self._usual = USUAL_OBJECTNESS.get(proposer.name)
        self._fitted: float | None = None
        if settings.precision is not None:
            self._fitted = threshold_for(settings.precision, proposer, encoder)
        self._embedded: dict[tuple[PromptSet, bool], LabelVectors] = {}
        self._provenance: dict[PromptSet, dict[str, Any]] = {}

    def label(self, record: PhotoRecord, regions: Regions, vectors: np.ndarray, prompts: PromptSet) -> Detections:
        """Which words fit each region of a photo, and of overlapping regions only the best.

        Parameters
        ----------
        record : PhotoRecord
        regions : Regions
            n of them.
        vectors : ndarray, shape (n, dim)
            Of unit length.
        prompts : PromptSet
        """
        return self.label_photos([record], [len(regions)], regions, vectors, prompts)[0]

    def label_photos(
        self,
        records: Sequence[PhotoRecord],
        counts: Sequence[int],
        regions: Regions,
        vectors: np.ndarray,
        prompts: PromptSet,
        *,
        lengths: np.ndarray | None = None,
        crowded: Mapping[Metric, np.ndarray] | None = None,
    ) -> tuple[Detections, np.ndarray]:
        """As `label`, for many photos at once; each gives what it would give by itself.

        Parameters
        ----------
        records : sequence of PhotoRecord
        counts : sequence of int
            Regions of each photo.
        regions : Regions
            Of all photos, in their order; n of them.
        vectors : ndarray, shape (n, dim)
            Of unit length.
        prompts : PromptSet
        lengths : ndarray, shape (n,), float32, optional
            Where they are known already, `long_sides` of the regions.
        crowded : mapping of "iou" and "ios" to ndarray, shape (n,), bool, optional
            False for regions that overlap no other of their photo by more than the settings let two stand.

        Returns
        -------
        detections : Detections
        kept : ndarray, shape (k,), int64
            For each row of the result the index of the region that it is.
        """
        owner = np.repeat(np.arange(len(records)), counts)
        lengths = long_sides(regions) if lengths is None else lengths
        scale = np.array([record.mm_per_pixel or np.nan for record in records], np.float32)
        lengths_mm = lengths * scale[owner]
        columns, evidence = self._decide(records, owner, regions.objectness, lengths, lengths_mm, vectors, prompts)
        kept = self._merge(regions.boxes, owner, columns["status"], columns["insect"], crowded)
        outlines = (None,) * len(kept) if regions.outlines is None else tuple(regions.outlines[i] for i in kept)
        lengths_told = list(dict.fromkeys(evidence))
        told = {"length": lengths_told[0] if len(lengths_told) == 1 else lengths_told} if lengths_told else {}
        detections = Detections(
            photos=tuple(records),
            label_names=prompts.labels,
            photo_index=owner[kept],
            boxes=regions.boxes[kept],
            label_index=columns["label_index"][kept],
            status=columns["status"][kept],
            scores=columns["score"][kept],
            insect=columns["insect"][kept],
            objectness=regions.objectness[kept],
            margin=columns["margin"][kept],
            length_px=lengths[kept],
            length_mm=lengths_mm[kept],
            outlines=outlines,
            provenance=self.provenance(prompts) | told,
        )
        return detections, kept

    def with_settings(self, **changes: Any) -> Labeller:
        """The same labeller with other settings of scoring; words that were embedded are not embedded again.

        Raises
        ------
        AgriClipError
            As for `Settings`.
        """
        other = Labeller(self.encoder, self.proposer, replace(self.settings, **changes))
        other._embedded = self._embedded
        return other

    def score(
        self,
        record: PhotoRecord,
        regions: Regions,
        vectors: np.ndarray,
        prompts: PromptSet | LabelVectors,
    ) -> Scores:
        """Probabilities of every label for every region of a photo, overlapping ones too."""
        lengths = long_sides(regions)
        lengths_mm = lengths * record.mm_per_pixel if record.mm_per_pixel else None
        priors = photo_priors(regions.objectness, np.zeros(len(regions), np.intp), 1, self._usual)
        given = regions.objectness, np.repeat(priors, len(regions)), lengths, lengths_mm, vectors
        return self._score(*given, prompts if isinstance(prompts, LabelVectors) else self.embed(prompts))

    def _score(
        self,
        objectness: np.ndarray,
        priors: np.ndarray,
        lengths_px: np.ndarray | None,
        lengths_mm: np.ndarray | None,
        vectors: np.ndarray,
        embedded: LabelVectors,
    ) -> Scores:
        threshold, insect_threshold = self._limits(embedded)
        return score(
            vectors,
            embedded,
            objectness=objectness,
            priors=priors,
            lengths_mm=lengths_mm,
            lengths_px=lengths_px if self.settings.relative_length else None,
            threshold=threshold,
            insect_threshold=insect_threshold,
        )

    def _decide(
        self,
        records: Sequence[PhotoRecord],
        owner: np.ndarray,
        objectness: np.ndarray,
        lengths: np.ndarray,
        lengths_mm: np.ndarray,
        vectors: np.ndarray,
        prompts: PromptSet,
    ) -> tuple[dict[str, np.ndarray], list[str]]:
        """Columns of `Scores` for all regions, and for each photo which evidence its lengths were.

        Where lengths are judged against those of the same photo, photos are gone through one by one.
        """
        columns: dict[str, np.ndarray] = {
            "label_index": np.zeros(len(owner), np.int32),
            "status": np.zeros(len(owner), np.int8),
            **{name: np.zeros(len(owner), np.float32) for name in ("score", "insect", "margin")},
        }
        scaled = np.array([bool(record.mm_per_pixel) for record in records], bool)
        embedded = self.embed(prompts)
        known = embedded.lengths_mm[embedded.learnt & ~np.isnan(embedded.lengths_mm).any(axis=1)]
        # Without two different ranges, lengths of one photo say nothing of each other.
        relative = self.settings.relative_length and len(np.unique(known, axis=0)) > 1
        evidence = np.where(scaled & bool(len(known)), "scale", "none").astype(object)
        priors = photo_priors(objectness, owner, len(records), self._usual)[owner]
        ends = np.searchsorted(owner, np.arange(len(records) + 1))
        alone = np.flatnonzero(~scaled & relative)
        together = np.flatnonzero(~np.isin(owner, alone)) if len(alone) else None
        parts: list[tuple[np.ndarray | slice, int | None, np.ndarray | None]] = []
        for first in range(0, len(owner) if together is None else len(together), BLOCK):
            # Slices where it can be: they copy no vectors.
            block = slice(first, first + BLOCK) if together is None else together[first : first + BLOCK]
            parts.append((block, None, lengths_mm[block] if scaled.any() else None))
        parts += [(slice(ends[i], ends[i + 1]), int(i), None) for i in alone]
        for rows, photo, millimetres in parts:
            pixels = None if photo is None else lengths[rows]
            scores = self._score(objectness[rows], priors[rows], pixels, millimetres, vectors[rows], embedded)
            for name, column in columns.items():
                column[rows] = getattr(scores, name)
            if photo is not None:
                evidence[photo] = scores.length
        return columns, evidence.tolist()

    def nothing(self, records: Sequence[PhotoRecord], prompts: PromptSet) -> Detections:
        """The result of photos without regions, such as those that could not be read."""
        return Detections.empty(records, prompts.labels, self.provenance(prompts))

    def embed(self, prompts: PromptSet) -> LabelVectors:
        """The vectors of a prompt set, kept for the next photo."""
        key, force = (prompts, self.settings.force), self.settings.force
        return _remembered(self._embedded, key, lambda: embed_prompts(self.encoder, prompts, force=force))

    def provenance(self, prompts: PromptSet) -> dict[str, Any]:
        """What a result says of its making.

        `unknown_words` only where the encoder never saw some; `not_counted`, the labels that count nothing because the
        encoder never learnt their words, only where there are such; `calibrated` only where the scores of all labels
        are; `pests`, label to catalogue id, only for labels to which the prompt set gives a pest that they do not name.
        """
        remembered = _remembered(self._provenance, prompts, lambda: self._make_provenance(prompts))
        return dict(remembered)

    def _make_provenance(self, prompts: PromptSet) -> dict[str, Any]:
        embedded, settings = self.embed(prompts), self.settings
        made_by: dict[str, Any] = {
            "program": f"agri_clip {program_version()}",
            "proposer": f"{self.proposer.name} {self.proposer.version}",
            "encoder": self.encoder.name,
            "encoder_fingerprint": self.encoder.fingerprint,
            "prompts": prompts.name,
            "prompts_hash": prompts.hash,
            "thresholds": embedded.thresholds(self._limits(embedded)[0]),
            "precision": settings.precision,
            "context": settings.context,
            "views": settings.views,
            "merge_iou": settings.merge_iou,
            "merge_ios": settings.merge_ios,
            "card": settings.card,
            "card_size_mm": settings.card_size_mm,
            "mm_per_pixel": settings.mm_per_pixel,
            "relative_length": settings.relative_length,
            "force": settings.force,
        }
        if pests := catalogued_labels(prompts):
            made_by["pests"] = dict(pests)
        if embedded.calibrated:
            made_by["calibrated"] = True
        if embedded.unknown_words:
            made_by["unknown_words"] = dict(embedded.unknown_words)
        if embedded.unlearnt:
            made_by["not_counted"] = [label for label in prompts.labels if label in embedded.unlearnt]
        return made_by

    def _limits(self, embedded: LabelVectors) -> tuple[float | None, float]:
        """Least score of a label (None: the default), and least probability of an insect.

        A fitted threshold may lie below the one half under which a region is background otherwise; it goes first.
        Prompts that name some insects have to tell them from others too, and keep at least the default for that.
        """
        if self._fitted is None:
            return self.settings.threshold, INSECT_THRESHOLD
        names_some = len(embedded.others) > 0
        return max(self._fitted, THRESHOLD) if names_some else self._fitted, min(self._fitted, INSECT_THRESHOLD)

    def _merge(
        self,
        boxes: np.ndarray,
        owner: np.ndarray,
        status: np.ndarray,
        insect: np.ndarray,
        crowded: Mapping[Metric, np.ndarray] | None,
    ) -> np.ndarray:
        """Indices of the regions kept, photo by photo and best first: found labels, other insects, background."""
        order = np.where(status == FOUND, 2.0, np.where(status == BACKGROUND, 0.0, 1.0)) + insect
        kept = np.ones(len(boxes), bool)
        most: dict[Metric, float] = {"iou": self.settings.merge_iou, "ios": self.settings.merge_ios}
        for metric, threshold in most.items():
            rivals = np.flatnonzero(kept if crowded is None else kept & crowded[metric])
            # Each photo on a place of its own, so that regions of different photos never overlap.
            apart = boxes[rivals].astype(np.float64)
            apart[:, [0, 2]] += owner[rivals, None] * PHOTO_STEP
            kept[rivals] = False
            kept[rivals[nms(apart, order[rivals], threshold, metric)]] = True
        ranked = best_first(boxes, order, owner)
        return ranked[kept[ranked]]


def _remembered(memory: dict[Key, Value], key: Key, make: Callable[[], Value]) -> Value:
    """What is remembered under a key, made where it is not; beyond `MOST_SETS` the oldest is forgotten."""
    value = memory.get(key)
    if value is None:
        value = memory[key] = make()
        for old in list(memory)[:-MOST_SETS]:
            memory.pop(old, None)
    return value
