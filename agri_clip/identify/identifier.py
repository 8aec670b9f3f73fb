"""Identifier: "what is this?", without a prompt. From a photo to names, each at the level that is sure.

Step 1 is the detector's: regions of the photo. A photo that one insect fills is looked at whole as well. Then each
subject is compared with all names of the taxonomy, and the probabilities are rolled up.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from agri_clip.detections import PhotoRecord
from agri_clip.detector import Detector, Proposal
from agri_clip.encoders import Encoder, extract_crops
from agri_clip.encoders.views import encode_views
from agri_clip.errors import AgriClipWarning, ModelError, PhotoError
from agri_clip.identify.answer_words import WORDS, answer_sentence, check_language
from agri_clip.io.version import program_version
from agri_clip.models import defaults
from agri_clip.photos.photo import Photo, read_photo
from agri_clip.regions import Proposer
from agri_clip.regions.base import Regions
from agri_clip.regions.merging import Metric, nms
from agri_clip.scoring.leaf_vectors import LeafVectors, embed_taxonomy
from agri_clip.scoring.likeness import Likeness, likeness_for
from agri_clip.scoring.rollup import NO_INSECT, UNKNOWN, best_taxa, finer_taxa, roll_up, sum_upward, weigh_evidence
from agri_clip.scoring.score import OBJECTNESS_WEIGHT, USUAL_OBJECTNESS, combine, photo_priors
from agri_clip.scoring.taxonomy import Rank, Taxon, leaf_weights
from agri_clip.settings import Settings

#: Names that are listed for each insect.
NAMES = 5

#: A finer name is told with "perhaps" from this likeness on.
PERHAPS = 0.3

#: An insect whose box covers at least this part of the photo fills it: the whole photo is looked at too.
FILLS = 0.2

#: A main region with a lower objectness is not trusted alone: the whole photo is looked at too.
SURE_REGION = 0.3


class UncalibratedWarning(AgriClipWarning):
    """Likeness of an encoder that nothing was fitted for."""


@dataclass(frozen=True)
class Named:
    """A name with its likeness: the probability that it is right, 0 to 1, if there is an insect."""

    taxon: Taxon
    likeness: float


@dataclass(frozen=True)
class Insect:
    """What one place of a photo shows.

    Attributes
    ----------
    box : tuple of 4 floats
        xyxy in pixels of the upright photo.
    whole_photo : bool
        Whether the whole photo was looked at, because the insect fills it or no region was found.
    objectness : float or None
        The proposer's; None without a region.
    insect : float
        Probability that there is an insect.
    answer : Named or None
        The finest name that is sure; None for an insect that no name fits, and where there is none.
    status : {"named", "unknown", "none"}
    perhaps : Named or None
        A finer name that may be right.
    names : tuple of Named
        The most likely groups, the best first.
    species : Named or None
        The most likely species, however unlikely; None where the encoder knows none.
    """

    box: tuple[float, float, float, float]
    whole_photo: bool
    objectness: float | None
    insect: float
    answer: Named | None
    status: Literal["named", "unknown", "none"]
    perhaps: Named | None = None
    names: tuple[Named, ...] = ()
    species: Named | None = None

    @property
    def rank(self) -> Rank | Literal["insect", "none"]:
        """Rank of the answer; ``"insect"`` for one that no name fits, ``"none"`` for no insect."""
        if self.answer is not None:
            return self.answer.taxon.rank
        return "insect" if self.status == "unknown" else "none"

    def sentence(self, language: str = "en") -> str:
        """The answer in words: "a beetle; perhaps a leaf beetle"."""
        if self.answer is None:
            return WORDS[language].unknown if self.status == "unknown" else WORDS[language].none
        return answer_sentence(self.answer.taxon, self.perhaps.taxon if self.perhaps else None, language)

    def short_name(self, language: str = "en") -> str:
        """The answer in a word or two, for tables and pictures."""
        return self.answer.taxon.name_in(language) if self.answer else self.sentence(language)


@dataclass(frozen=True)
class Identification:
    """The answer for one photo.

    Attributes
    ----------
    record : PhotoRecord
        `record.reason` says why a photo could not be read.
    insects : tuple of Insect
        The main insect, or all of them; one with the status "none" where the photo shows no insect.
    regions : int
        Places that the proposer found.
    provenance : dict
        What produced the answer.
    """

    record: PhotoRecord
    insects: tuple[Insect, ...] = ()
    regions: int = 0
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def main(self) -> Insect | None:
        """The main insect: the first; None for a photo that could not be read."""
        return self.insects[0] if self.insects else None

    def __str__(self) -> str:
        return self.main.sentence() if self.main else f"could not be read: {self.record.reason}"


class Identifier:
    """Says what an insect is, at the level that is sure.

    Parameters
    ----------
    proposer, encoder : str or instance
        Picked by name; see `agri-clip models`.
    device : str or None
        ``"cuda"``, ``"mps"``, ``"cpu"``; None chooses.
    settings : Settings or None
    likeness : Likeness or None
        How scores become likeness; what was fitted for the encoder where left out.
    **changes
        Single settings, by name.

    Raises
    ------
    ModelError
        A name is unknown, the model is not on this machine, or it knows no name of any insect.

    Warns
    -----
    UnknownWordWarning
        The encoder knows no name of some groups.
    UncalibratedWarning
        Nothing was fitted for the encoder.

    Examples
    --------
    >>> print(Identifier()("beetle.jpg"))  # doctest: +SKIP
    a beetle; perhaps a leaf beetle
    """

    def __init__(
        self,
        proposer: str | Proposer = defaults.PROPOSER,
        encoder: str | Encoder = defaults.ENCODER,
        *,
        device: str | None = None,
        settings: Settings | None = None,
        likeness: Likeness | None = None,
        **changes: Any,
    ) -> None:
        self.detector = Detector(proposer, encoder, device=device, settings=settings, **changes)
        self.likeness = likeness or likeness_for(self.detector.encoder)
        self.leaves: LeafVectors = embed_taxonomy(self.detector.encoder)
        if not self.leaves.taxonomy.leaves:
            raise ModelError(f'the encoder "{self.detector.encoder.name}" knows no name of any insect; use another one')
        parts = self.likeness
        self._weights = leaf_weights(self.leaves.taxonomy, parts.species, parts.family, parts.further)
        self._finer = finer_taxa(self.leaves.taxonomy)
        if not parts.calibrated:
            warnings.warn(
                f'likeness of the encoder "{self.detector.encoder.name}" was not fitted on labelled photos, so a '
                "likeness of 0.8 may not be right in 8 of 10 cases; fit it with "
                "python -m fine_tune.identify_calibration --photos DIR",
                UncalibratedWarning,
                stacklevel=2,
            )

    def __call__(self, photo: str | Path | np.ndarray | Photo, *, regions: bool = False) -> Identification:
        """What a photo shows.

        Parameters
        ----------
        photo : str, Path, ndarray or Photo
        regions : bool
            Every insect of the photo instead of the main one.

        Raises
        ------
        PhotoError
            The photo cannot be read.
        """
        return self._identify(photo if isinstance(photo, Photo) else read_photo(photo), regions)

    def stream(
        self, photos: Iterable[str | Path | Photo], *, regions: bool = False, **reading: Any
    ) -> Iterator[tuple[Photo | None, Identification]]:
        """What many photos show, in their order; a photo that fails comes with no pixels and its reason.

        Parameters
        ----------
        photos : iterable of str, Path or Photo
        regions : bool
        **reading
            Passed to `agri_clip.photos.photo.read_photo`.
        """
        for source in photos:
            try:
                photo = source if isinstance(source, Photo) else read_photo(source, **reading)
                answer = self._identify(photo, regions)
            except PhotoError as error:
                failure = PhotoRecord.of_failure(str(source), error)
                yield None, Identification(failure, provenance=self.provenance(regions))
            else:
                yield photo, answer

    def encode_subject(self, photo: Photo, regions: Regions, region: int | None, whole: bool) -> np.ndarray:
        """The unit vector (1, dim) of one region, of the whole photo, or the mean of both; see `main_region`."""
        crops, settings = [], self.detector.settings
        if region is not None:
            crops += extract_crops(photo.pixels, regions.boxes[[region]], context=settings.context)
        if whole:
            frame = np.array([[0, 0, photo.width, photo.height]], np.float32)
            crops += extract_crops(photo.pixels, frame, context=1.0)
        mean = encode_views(self.detector.encoder, crops, settings.views).astype(np.float64).mean(axis=0, keepdims=True)
        return mean / np.maximum(np.linalg.norm(mean), 1e-12)

    def name_crops(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probability of every taxon (n, taxa), and of an insect (n,), of crops with these unit vectors (n, dim)."""
        logits, negatives = self.leaves.logits(vectors)
        fitted = self.likeness
        evidence = weigh_evidence(
            logits,
            self._weights,
            negatives,
            temperature=fitted.temperature,
            slope=fitted.slope,
            offset=fitted.offset,
        )
        return sum_upward(evidence.leaves, self.leaves.taxonomy.members), evidence.insect

    def provenance(self, regions: bool) -> dict[str, Any]:
        """What an answer says of its making."""
        detector, fitted = self.detector, self.likeness
        return {
            "program": f"agri_clip {program_version()}",
            "proposer": f"{detector.proposer.name} {detector.proposer.version}",
            "encoder": detector.encoder.name,
            "encoder_fingerprint": detector.encoder.fingerprint,
            "subjects": "every region" if regions else "main insect",
            "context": detector.settings.context,
            "views": detector.settings.views,
            "card": detector.settings.card,
            "calibrated": fitted.calibrated,
            "temperature": fitted.temperature,
            "level_thresholds": dict(fitted.thresholds),
            "insect_threshold": fitted.insect_threshold,
            "unknown_groups": list(self.leaves.unknown_groups),
        }

    def _identify(self, photo: Photo, every: bool) -> Identification:
        proposal = self.detector.propose(photo)
        insects = self._every_insect(proposal) if every else ()
        if not insects:
            insects = (self._main_insect(photo, proposal.regions),)
        return Identification(proposal.record, insects, len(proposal.regions), self.provenance(every))

    def _every_insect(self, proposal: Proposal) -> tuple[Insect, ...]:
        """The insects of a photo, the surest first; of overlapping regions only the best."""
        regions, settings = proposal.regions, self.detector.settings
        if not len(regions):
            return ()
        sums, insect = self.name_crops(self.detector.encode([proposal])[0])
        insect = self._with_objectness(insect, regions.objectness)
        kept = np.flatnonzero(insect >= self.likeness.insect_threshold)
        most: dict[Metric, float] = {"iou": settings.merge_iou, "ios": settings.merge_ios}
        for metric, threshold in most.items():
            kept = kept[nms(regions.boxes[kept], insect[kept], threshold, metric)]
        boxes, objectness = regions.boxes[kept], regions.objectness[kept]
        return self._insects(sums[kept], insect[kept], boxes, [float(value) for value in objectness], whole=False)

    def _main_insect(self, photo: Photo, regions: Regions) -> Insect:
        """The insect that a photo was taken of, which may be none."""
        region, whole = main_region(regions, photo.width, photo.height)
        sums, insect = self.name_crops(self.encode_subject(photo, regions, region, whole))
        if region is None:
            frame = np.array([[0, 0, photo.width, photo.height]], np.float32)
            return self._insects(sums, insect, frame, [None], whole)[0]
        insect = self._with_objectness(insect, regions.objectness[[region]])
        return self._insects(sums, insect, regions.boxes[[region]], [float(regions.objectness[region])], whole)[0]

    def _with_objectness(self, insect: np.ndarray, objectness: np.ndarray) -> np.ndarray:
        usual = USUAL_OBJECTNESS.get(self.detector.proposer.name)
        prior = photo_priors(objectness, np.zeros(len(objectness), np.intp), 1, usual)
        return combine(insect, objectness, OBJECTNESS_WEIGHT, np.repeat(prior, len(objectness)))

    def _insects(
        self, sums: np.ndarray, insect: np.ndarray, boxes: np.ndarray, objectness: Sequence[float | None], whole: bool
    ) -> tuple[Insect, ...]:
        fitted, taxonomy = self.likeness, self.leaves.taxonomy
        answers = roll_up(sums, taxonomy, fitted.thresholds, insect=insect, insect_threshold=fitted.insect_threshold)
        groups = np.flatnonzero([taxon.rank == "group" for taxon in taxonomy.taxa])
        species = np.flatnonzero([taxon.rank == "species" for taxon in taxonomy.taxa])
        best, best_species = best_taxa(sums, groups, NAMES), best_taxa(sums, species, 1)

        def named(row: int, index: int) -> Named:
            return Named(taxonomy.taxa[index], float(sums[row, index]))

        found = []
        for row, answer in enumerate(answers.tolist()):
            x1, y1, x2, y2 = boxes[row].astype(float).tolist()
            inside = self._finer[answer] if answer >= 0 else np.zeros(0, np.int64)
            finer = int(inside[sums[row, inside].argmax()]) if len(inside) else None
            found.append(
                Insect(
                    box=(x1, y1, x2, y2),
                    whole_photo=whole,
                    objectness=objectness[row],
                    insect=float(insect[row]),
                    answer=named(row, answer) if answer >= 0 else None,
                    status={UNKNOWN: "unknown", NO_INSECT: "none"}.get(answer, "named"),  # type: ignore[arg-type]
                    perhaps=None if finer is None or sums[row, finer] < PERHAPS else named(row, finer),
                    names=tuple(named(row, index) for index in best[row].tolist()),
                    species=named(row, int(best_species[row, 0])) if best_species.shape[1] else None,
                )
            )
        return tuple(found)


def main_region(regions: Regions, width: int, height: int) -> tuple[int | None, bool]:
    """The region that a photo was most likely taken of, and whether to look at the whole photo too.

    That is the largest sure one: objectness times the side of its box. Without a region it is the whole photo.

    Parameters
    ----------
    regions : Regions
    width, height : int
        Of the photo, in pixels.
    """
    if not len(regions):
        return None, True
    sides = regions.boxes[:, 2:] - regions.boxes[:, :2]
    covered = sides.prod(axis=1, dtype=np.float64) / (width * height)
    best = int(np.argmax(regions.objectness * np.sqrt(covered)))
    return best, bool(covered[best] >= FILLS or regions.objectness[best] < SURE_REGION)


def identify(
    photo: str | Path | np.ndarray | Photo,
    *,
    regions: bool = False,
    proposer: str | Proposer = defaults.PROPOSER,
    encoder: str | Encoder = defaults.ENCODER,
    device: str | None = None,
) -> Identification:
    """What a photo shows; for many photos make one `Identifier` and keep it.

    Raises
    ------
    PhotoError
        The photo cannot be read.
    ModelError
        As for `Identifier`.
    """
    return Identifier(proposer, encoder, device=device)(photo, regions=regions)


__all__ = [
    "Identification",
    "Identifier",
    "Insect",
    "Named",
    "UncalibratedWarning",
    "check_language",
    "identify",
    "main_region",
]
