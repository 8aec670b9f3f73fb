"""Finding: one photo, found once and scored as often as a visitor moves a slider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from agri_clip.archive.questions import image_vector
from agri_clip.detections import FOUND, Detections, PhotoRecord
from agri_clip.detector import Detector
from agri_clip.encoders.crops import make_thumbnail
from agri_clip.errors import PromptError
from agri_clip.model_choice.selection import choose_models
from agri_clip.photos.photo import Photo
from agri_clip.prompts import PromptSet
from agri_clip.regions.base import Regions
from agri_clip.scoring.labeller import Labeller
from agri_clip.scoring.trials import rank_phrasings
from agri_clip.settings import Settings
from agri_clip.ui.fair_lock import EncoderInTurn, ProposerInTurn, Turns
from agri_clip.ui.options import PageOptions

#: Side in pixels and JPEG quality of the crops that a finding keeps: no encoder in use reads more than 384 pixels.
CROP, CROP_QUALITY = 384, 92


@dataclass(frozen=True)
class Finding:
    """The regions of one photo with their vectors: all that scoring needs.

    Attributes
    ----------
    record : PhotoRecord
    path : Path
        The photo's file, for the annotated picture.
    regions : Regions
        n of them.
    vectors : ndarray, shape (n, dim), float32
        Of unit length.
    crops : tuple of n bytes
        JPEG, at most `CROP` pixels wide: for the eye, and kept as examples where somebody corrects them.
    prompts : PromptSet
    labeller : Labeller
        With the settings that the last scores were made with.
    shortest, longest : float or None
        Lengths that are shown, in millimetres where the scale is known and in pixels otherwise.
    """

    record: PhotoRecord
    path: Path
    regions: Regions
    vectors: np.ndarray = field(repr=False)
    crops: tuple[bytes, ...] = field(repr=False)
    prompts: PromptSet
    labeller: Labeller
    shortest: float | None = None
    longest: float | None = None

    def scored(self, threshold: float | None, shortest: float | None = None, longest: float | None = None) -> Finding:
        """The same regions under another threshold and other lengths; no model is asked.

        Parameters
        ----------
        threshold : float or None
            Least score; None takes the measured default.
        shortest, longest : float or None
        """
        labeller = self.labeller.with_settings(threshold=threshold)
        return replace(self, labeller=labeller, shortest=shortest, longest=longest)

    @cached_property
    def _labelled(self) -> tuple[Detections, np.ndarray]:
        detections, kept = self.labeller.label_photos(
            [self.record], [len(self.regions)], self.regions, self.vectors, self.prompts
        )
        lengths = detections.length_mm if self.record.mm_per_pixel else detections.length_px
        shown = np.ones(len(detections), bool)
        if self.shortest is not None:
            shown &= lengths >= self.shortest
        if self.longest is not None:
            shown &= lengths <= self.longest
        return detections[shown], kept[shown]

    @property
    def detections(self) -> Detections:
        """What the regions are, best first."""
        return self._labelled[0]

    def crop(self, row: int) -> bytes:
        """JPEG of a row of `detections`."""
        return self.crops[self._labelled[1][row]]

    @property
    def unit(self) -> str:
        """Of lengths."""
        return "mm" if self.record.mm_per_pixel else "px"

    @cached_property
    def longest_region(self) -> float:
        """Length of the longest region, in `unit`."""
        labelled = self.scored(self.labeller.settings.threshold).detections
        lengths = labelled.length_mm if self.record.mm_per_pixel else labelled.length_px
        return float(lengths.max(initial=0))

    def rows_of(self, label: int) -> np.ndarray:
        """Rows of `detections` that are counted under a label, best first."""
        detections = self.detections
        rows = np.flatnonzero((detections.status == FOUND) & (detections.label_index == label))
        return rows[np.argsort(-detections.scores[rows], kind="stable")]


class Finder:
    """The models of the page, loaded once; jobs of several visitors take turns with each call of them.

    Attributes
    ----------
    lock : Turns
        What each call takes; to be held by whoever needs several calls in one turn.

    Parameters
    ----------
    options : PageOptions

    Raises
    ------
    ModelError
        A model is unknown, or is not on this machine.
    DataError
        The settings file of the operator cannot be read.
    """

    def __init__(self, options: PageOptions) -> None:
        models = choose_models(options.encoder, options.proposer)
        made = Detector(models.proposer, models.encoder, device=options.device)
        self.lock = Turns()
        self._proposer = ProposerInTurn(made.proposer, self.lock)
        self._encoder = EncoderInTurn(made.encoder, self.lock)

    @property
    def encoder(self) -> str:
        """Name of the encoder."""
        return self._encoder.name

    def detector(self, settings: Settings | None = None) -> Detector:
        """A detector of the page's models with settings of its own; several threads may use it."""
        return Detector(self._proposer, self._encoder, settings=settings)

    def find(self, photo: Photo, path: Path, prompts: PromptSet, settings: Settings | None = None) -> Finding:
        """Find what prompts describe on one photo.

        Parameters
        ----------
        photo : Photo
        path : Path
            Its file.
        prompts : PromptSet
        settings : Settings or None
        """
        detector = self.detector(settings)
        proposal = detector.propose(photo)
        vectors = detector.encode([proposal])[0]
        detector.labeller.embed(prompts)
        crops = tuple(make_thumbnail(crop, CROP, CROP_QUALITY) for crop in proposal.crops)
        return Finding(proposal.record, path, proposal.regions, vectors, crops, prompts, detector.labeller)

    def compare(self, picture: Photo, phrasings: Sequence[str]) -> list[tuple[str, float, float]]:
        """Which of several phrasings fits a picture of one insect best; see `prompt_trials.rank_phrasings`."""
        return rank_phrasings(self._encoder, image_vector(self._encoder, picture), phrasings)


def make_prompts(pests: Sequence[str], sentences: str, ignore: str, prepared: PromptSet | None = None) -> PromptSet:
    """What a visitor asked for: pests picked, sentences typed, or a prepared set, joined.

    Parameters
    ----------
    pests : sequence of str
        Names, as the catalogue has them.
    sentences, ignore : str
        One a line, or parted by semicolons.
    prepared : PromptSet or None

    Raises
    ------
    PromptError
        Nothing was asked for, or a sentence cannot be used.
    """
    wanted = list(dict.fromkeys([*pests, *split_lines(sentences)]))
    ignored = split_lines(ignore)
    if prepared is not None:
        known = set(prepared.labels)
        wanted = [text for text in wanted if text not in known]
        joined = prepared.with_targets(*wanted) if wanted else prepared
        return joined.with_negatives(*ignored) if ignored else joined
    if not wanted:
        raise PromptError("nothing to look for")
    made = PromptSet.of(*wanted)
    return made.with_negatives(*ignored) if ignored else made


def split_lines(text: str | None) -> list[str]:
    """Sentences, one a line or parted by semicolons, without empty ones and repeats."""
    parts = (part.strip() for line in (text or "").splitlines() for part in line.replace("；", ";").split(";"))
    return list(dict.fromkeys(part for part in parts if part))
