"""Steps 3 and 4 joined: regions with their vectors in, `Detections` out. No photo, proposer or image is needed here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np

from agri_clip.detections import BACKGROUND, FOUND, Detections, PhotoRecord
from agri_clip.encoders import Encoder
from agri_clip.prompts import PromptSet
from agri_clip.regions.base import Regions
from agri_clip.regions.geometry import long_sides
from agri_clip.regions.merging import nms
from agri_clip.scoring import INSECT_THRESHOLD, THRESHOLD, LabelVectors, Scores, embed_prompts, score
from agri_clip.settings import Settings
from agri_clip.thresholds import ProposedBy, threshold_for


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
        self._fitted: float | None = None
        if settings.precision is not None:
            self._fitted = threshold_for(settings.precision, proposer, encoder)
        self._embedded: dict[PromptSet, LabelVectors] = {}
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
        return self.choose(record, regions, vectors, prompts)[0]

    def choose(
        self, record: PhotoRecord, regions: Regions, vectors: np.ndarray, prompts: PromptSet
    ) -> tuple[Detections, np.ndarray]:
        """As `label`; beside the result, for each of its rows the index of the region that it is, shape (k,), int64."""
        lengths = long_sides(regions)
        lengths_mm = lengths * (record.mm_per_pixel if record.mm_per_pixel else np.nan)
        scores = self.score(record, regions, vectors, prompts)
        kept = self._merge(regions, scores)
        outlines = regions.outlines or (None,) * len(regions)
        detections = Detections(
            photos=(record,),
            label_names=prompts.labels,
            photo_index=np.zeros(len(kept), np.int32),
            boxes=regions.boxes[kept],
            label_index=scores.label_index[kept],
            status=scores.status[kept],
            scores=scores.score[kept],
            insect=scores.insect[kept],
            objectness=regions.objectness[kept],
            margin=scores.margin[kept],
            length_px=lengths[kept],
            length_mm=lengths_mm[kept],
            outlines=tuple(outlines[i] for i in kept),
            provenance=self.provenance(prompts) | {"length": scores.length},
        )
        return detections, kept

    def score(self, record: PhotoRecord, regions: Regions, vectors: np.ndarray, prompts: PromptSet) -> Scores:
        """Probabilities of every label for every region of a photo, overlapping ones too."""
        lengths = long_sides(regions)
        embedded = self.embed(prompts)
        threshold, insect_threshold = self._limits(embedded)
        return score(
            vectors,
            embedded,
            objectness=regions.objectness,
            lengths_mm=lengths * record.mm_per_pixel if record.mm_per_pixel else None,
            lengths_px=lengths if self.settings.relative_length else None,
            threshold=threshold,
            insect_threshold=insect_threshold,
        )

    def nothing(self, records: Sequence[PhotoRecord], prompts: PromptSet) -> Detections:
        """The result of photos without regions, such as those that could not be read."""
        return Detections.empty(records, prompts.labels, self.provenance(prompts))

    def embed(self, prompts: PromptSet) -> LabelVectors:
        """The vectors of a prompt set, kept for the next photo."""
        if prompts not in self._embedded:
            self._embedded[prompts] = embed_prompts(self.encoder, prompts)
        return self._embedded[prompts]

    def provenance(self, prompts: PromptSet) -> dict[str, Any]:
        """What a result says of its making; `unknown_words` only where the encoder never saw some."""
        if prompts not in self._provenance:
            self._provenance[prompts] = self._make_provenance(prompts)
        return dict(self._provenance[prompts])

    def _make_provenance(self, prompts: PromptSet) -> dict[str, Any]:
        embedded, settings = self.embed(prompts), self.settings
        made_by = {
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
        }
        return made_by | ({"unknown_words": dict(embedded.unknown_words)} if embedded.unknown_words else {})

    def _limits(self, embedded: LabelVectors) -> tuple[float | None, float]:
        """Least score of a label (None: the default), and least probability of an insect.

        A fitted threshold may lie below the one half under which a region is background otherwise; it goes first.
        Prompts that name some insects have to tell them from others too, and keep at least the default for that.
        """
        if self._fitted is None:
            return self.settings.threshold, INSECT_THRESHOLD
        names_some = len(embedded.others) > 0
        return max(self._fitted, THRESHOLD) if names_some else self._fitted, min(self._fitted, INSECT_THRESHOLD)

    def _merge(self, regions: Regions, scores: Scores) -> np.ndarray:
        """Indices of the regions kept, best first: a found label goes before another insect, that before background."""
        order = np.where(scores.status == FOUND, 2.0, np.where(scores.status == BACKGROUND, 0.0, 1.0)) + scores.insect
        kept = nms(regions.boxes, order, self.settings.merge_iou, metric="iou")
        return kept[nms(regions.boxes[kept], order[kept], self.settings.merge_ios, metric="ios")]


@lru_cache(maxsize=1)
def program_version() -> str:
    """Version of the installed package."""
    return version("agri-clip")
