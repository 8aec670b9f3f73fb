"""Detector: steps 1 to 4 in order, from a photo to detections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from agri_clip import defaults
from agri_clip.detections import BACKGROUND, FOUND, Detections, PhotoRecord
from agri_clip.encoders import Encoder, get_encoder
from agri_clip.encoders.crops import CONTEXT, extract_crops
from agri_clip.encoders.views import VIEWS, encode_views
from agri_clip.errors import AgriClipError, PhotoError
from agri_clip.photo import Photo, read_photo
from agri_clip.prompts import PromptSet
from agri_clip.regions import Proposer, get_proposer
from agri_clip.regions.base import Regions
from agri_clip.regions.card import Card, find_card
from agri_clip.regions.geometry import long_sides
from agri_clip.regions.merging import nms
from agri_clip.scoring import INSECT_THRESHOLD, THRESHOLD, LabelVectors, Scores, embed_prompts, score
from agri_clip.thresholds import threshold_for

#: Crops that are encoded together; photos with few regions share a batch.
BATCH_CROPS = 1024


@dataclass(frozen=True)
class Settings:
    """What changes a result besides photo, models and prompts; part of every result's provenance.

    Attributes
    ----------
    context : float
        Side of the square crop as a multiple of the region's long side.
    views : int
        Views of each crop that are encoded and averaged: 1, 4 (quarter turns) or 8 (and mirrored). Slower, a little
        surer.
    threshold : float or None
        Least score of a found label where the prompt set gives none of its own; None takes the measured default of
        `agri_clip.scoring`.
    precision : float or None
        Instead of a threshold: how often a counted region shall be an insect, as fitted on labelled photos for the
        two models; see `agri_clip.thresholds`.
    merge_iou : float
        Of regions that overlap by more, only the best is kept.
    merge_ios : float
        Of regions that share more than this part of the smaller one, only the best is kept. On real traps AP50 does not
        depend on it between 0.5 and 0.8; 0.5 leaves fewest insects with two boxes.
    card : bool
        Look for the trap card and leave out what lies beside it.
    card_size_mm : tuple of float, or None
        Short and long side of the card in millimetres: gives the scale where the card is found.
    mm_per_pixel : float or None
        Scale of every photo, where the user knows it; goes before the card's.
    relative_length : bool
        Where a photo has no scale, let the lengths of its insects against each other be evidence.
    """

    context: float = CONTEXT
    views: int = 1
    threshold: float | None = None
    precision: float | None = None
    merge_iou: float = 0.4
    merge_ios: float = 0.5
    card: bool = True
    card_size_mm: tuple[float, float] | None = None
    mm_per_pixel: float | None = None
    relative_length: bool = True

    def __post_init__(self) -> None:
        if self.views not in VIEWS:
            raise AgriClipError(f"views is {self.views}; use one of {', '.join(map(str, VIEWS))}")
        if self.precision is not None and self.threshold is not None:
            raise AgriClipError("a precision sets the threshold; give one of the two, --precision or --threshold")
        if self.precision is not None and not 0 < self.precision <= 1:
            raise AgriClipError(f"precision is {self.precision:g}; it must be above 0 and at most 1, such as 0.8")


@dataclass(frozen=True)
class Proposal:
    """A photo with its regions, ready to be encoded.

    Attributes
    ----------
    record : PhotoRecord
    regions : Regions
        Inside the card, where one was found.
    crops : list of n ndarray, shape (s, s, 3), uint8
    """

    record: PhotoRecord
    regions: Regions
    crops: list[np.ndarray] = field(repr=False)


class Detector:
    """Finds what prompts describe.

    Parameters
    ----------
    proposer, encoder : str or instance
        Picked by name; see `agri-clip models`.
    device : str or None
        ``"cuda"``, ``"mps"``, ``"cpu"``; None chooses.
    settings : Settings or None
    **changes
        Single settings, by name.

    Raises
    ------
    ModelError
        A name is unknown, or the model is not on this machine.
    AgriClipError
        A setting is out of range, or the precision asked for has no fitted threshold with these models.

    Examples
    --------
    >>> detector = Detector()
    >>> detector("trap.jpg", PromptSet.of("a green aphid")).to_pandas()  # doctest: +SKIP
    """

    def __init__(
        self,
        proposer: str | Proposer = defaults.PROPOSER,
        encoder: str | Encoder = defaults.ENCODER,
        *,
        device: str | None = None,
        settings: Settings | None = None,
        **changes: Any,
    ) -> None:
        self.settings = replace(settings or Settings(), **changes)
        self.proposer = get_proposer(proposer, device=device)
        self.encoder = get_encoder(encoder, device=device)
        self._fitted: float | None = None
        if self.settings.precision is not None:
            self._fitted = threshold_for(self.settings.precision, self.proposer, self.encoder)
        self._embedded: dict[PromptSet, LabelVectors] = {}

    def __call__(self, photo: str | Path | np.ndarray | Photo, prompts: PromptSet | str) -> Detections:
        """Detections of one photo.

        Raises
        ------
        PhotoError
            The photo cannot be read.
        """
        read = photo if isinstance(photo, Photo) else self._read(photo)
        proposal = self.propose(read)
        return self.label(proposal, self.encode([proposal])[0], prompts)

    def stream(
        self, photos: Iterable[str | Path | Photo], prompts: PromptSet | str, **reading: Any
    ) -> Iterator[tuple[Photo | None, Detections]]:
        """Detections of many photos, in their order; a photo that fails comes with no pixels and its reason.

        Crops are encoded in batches that span photos; no more photos are held than fill one batch.

        Parameters
        ----------
        photos : iterable of str, Path or Photo
        prompts : PromptSet or str
        **reading
            Passed to `agri_clip.photo.read_photo`.
        """
        waiting: list[tuple[Photo | None, Proposal | PhotoRecord]] = []
        pending = 0
        for source in photos:
            try:
                photo = source if isinstance(source, Photo) else self._read(source, **reading)
                proposal = self.propose(photo)
            except PhotoError as error:
                waiting.append((None, PhotoRecord(name=str(source), reason=error.reason)))
            else:
                waiting.append((photo, proposal))
                pending += len(proposal.regions)
            if pending >= BATCH_CROPS or not pending:
                yield from self._finish(waiting, prompts)
                waiting, pending = [], 0
        yield from self._finish(waiting, prompts)

    def propose(self, photo: Photo) -> Proposal:
        """Step 1 and the crops: where something is, on the card if there is one."""
        card = find_card(photo) if self.settings.card or self.settings.card_size_mm else None
        regions = propose_on_card(self.proposer, photo, card if self.settings.card else None)
        notes = photo.notes + regions.notes
        scale = self._scale(photo, card)
        if self.settings.card_size_mm and scale is None:
            notes += ("no card was found, so there is no scale; give --mm-per-pixel",)
        record = PhotoRecord(
            name=photo.name,
            width=photo.width,
            height=photo.height,
            taken=photo.taken,
            trap=photo.trap,
            camera=photo.camera,
            gps=photo.gps,
            mm_per_pixel=scale,
            notes=notes,
            card_area_px=card.area_px if card is not None and self.settings.card else None,
        )
        crops = extract_crops(photo.pixels, regions.boxes, context=self.settings.context)
        return Proposal(record, regions, crops)

    def encode(self, proposals: list[Proposal]) -> list[np.ndarray]:
        """Step 2: one (n, dim) array of unit vectors for each photo, encoded together."""
        counts = [len(proposal.crops) for proposal in proposals]
        crops = [crop for proposal in proposals for crop in proposal.crops]
        vectors = encode_views(self.encoder, crops, self.settings.views)
        return np.split(vectors, np.cumsum(counts)[:-1])

    def label(self, proposal: Proposal, vectors: np.ndarray, prompts: PromptSet | str) -> Detections:
        """Steps 3 and 4: which words fit each region, and of overlapping regions only the best."""
        prompt_set = as_prompt_set(prompts)
        embedded = self.embed(prompt_set)
        regions, record = proposal.regions, proposal.record
        lengths = long_sides(regions)
        lengths_mm = lengths * (record.mm_per_pixel if record.mm_per_pixel else np.nan)
        threshold, insect_threshold = self._limits(embedded)
        scores = score(
            vectors,
            embedded,
            objectness=regions.objectness,
            lengths_mm=lengths_mm if record.mm_per_pixel else None,
            lengths_px=lengths if self.settings.relative_length else None,
            threshold=threshold,
            insect_threshold=insect_threshold,
        )
        kept = self._merge(regions, scores)
        outlines = regions.outlines or (None,) * len(regions)
        return Detections(
            photos=(record,),
            label_names=prompt_set.labels,
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
            provenance=self.provenance(prompt_set, embedded) | {"length": scores.length},
        )

    def embed(self, prompts: PromptSet) -> LabelVectors:
        """Step 3: the vectors of a prompt set, kept for the next photo."""
        if prompts not in self._embedded:
            self._embedded[prompts] = embed_prompts(self.encoder, prompts)
        return self._embedded[prompts]

    def provenance(self, prompts: PromptSet, embedded: LabelVectors) -> dict[str, Any]:
        """What a result says of its making; `unknown_words` only where the encoder never saw some."""
        made_by = {
            "program": f"agri_clip {program_version()}",
            "proposer": f"{self.proposer.name} {self.proposer.version}",
            "encoder": self.encoder.name,
            "encoder_fingerprint": self.encoder.fingerprint,
            "prompts": prompts.name,
            "prompts_hash": prompts.hash,
            "thresholds": embedded.thresholds(self._limits(embedded)[0]),
            "precision": self.settings.precision,
            "context": self.settings.context,
            "views": self.settings.views,
            "merge_iou": self.settings.merge_iou,
            "merge_ios": self.settings.merge_ios,
            "card": self.settings.card,
            "card_size_mm": self.settings.card_size_mm,
            "mm_per_pixel": self.settings.mm_per_pixel,
            "relative_length": self.settings.relative_length,
        }
        return made_by | ({"unknown_words": dict(embedded.unknown_words)} if embedded.unknown_words else {})

    def _read(self, source: Any, **reading: Any) -> Photo:
        return read_photo(source, **reading)

    def _finish(
        self, waiting: list[tuple[Photo | None, Proposal | PhotoRecord]], prompts: PromptSet | str
    ) -> Iterator[tuple[Photo | None, Detections]]:
        vectors = iter(self.encode([part for _, part in waiting if isinstance(part, Proposal)]))
        for photo, part in waiting:
            if isinstance(part, Proposal):
                yield photo, self.label(part, next(vectors), prompts)
            else:
                prompt_set = as_prompt_set(prompts)
                provenance = self.provenance(prompt_set, self.embed(prompt_set))
                yield None, Detections.empty([part], prompt_set.labels, provenance)

    def _scale(self, photo: Photo, card: Card | None) -> float | None:
        if self.settings.mm_per_pixel is not None:
            return self.settings.mm_per_pixel
        if card is not None and self.settings.card_size_mm is not None:
            return card.mm_per_pixel(*self.settings.card_size_mm)
        return photo.mm_per_pixel

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


def propose_on_card(proposer: Proposer, photo: Photo, card: Card | None) -> Regions:
    """The proposer's regions, without those beside the card; all of them where there is no card."""
    regions = proposer.propose(photo)
    return regions if card is None else regions[card.contains(regions.boxes)]


def as_prompt_set(prompts: PromptSet | str) -> PromptSet:
    """A prompt set as it is, or one made of a single sentence."""
    return PromptSet.of(prompts) if isinstance(prompts, str) else prompts


@lru_cache(maxsize=1)
def program_version() -> str:
    """Version of the installed package."""
    return version("agri-clip")
