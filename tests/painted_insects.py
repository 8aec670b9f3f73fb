"""An encoder and a proposer whose answers are known: what a crop shows is the colour of its middle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from agri_clip.photos.photo import Photo
from agri_clip.regions.base import Regions
from agri_clip.scoring.leaf_vectors import TEMPLATES

RED, GREEN, BLUE, WHITE, BLACK = (200, 0, 0), (0, 200, 0), (0, 0, 200), (250, 250, 250), (0, 0, 0)

#: What each colour looks like: phrases, all of the same weight.
MEANINGS: dict[tuple[int, int, int], tuple[str, ...]] = {
    RED: ("a ladybird",),
    GREEN: ("a ladybird", "a leaf beetle"),
    BLUE: ("a ladybird", "a moth", "an aphid"),
    WHITE: ("dirt",),
    BLACK: ("a Colorado potato beetle",),
}

#: Another name of the same insect lies on the same axis.
SYNONYMS = {"a ladybird beetle": "a ladybird"}

#: Words of groups of four orders, of one species, and of what is no insect.
WORDS = frozenset(
    ["a", "an", "photo", "of", "ladybird", "leaf", "beetle", "weevil", "moth", "butterfly", "aphid", "whitefly"]
) | {"colorado", "potato", "dirt", "glue", "shadow"}


class PaintedEncoder:
    """Gives each of its first 256 phrases an axis of its own, so that cosines are exact."""

    name = "painted"
    dim = 256
    logit_scale = 60.0
    logit_bias = 0.0

    def __init__(
        self,
        known_words: frozenset[str] | None = WORDS,
        meanings: Mapping[tuple[int, int, int], tuple[str, ...]] = MEANINGS,
        activation: Literal["softmax", "sigmoid"] = "softmax",
    ) -> None:
        self.fingerprint = "painted-1"
        self.known_words = known_words
        self.activation = activation
        self._meanings = meanings
        self._axes: dict[str, int] = {}

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """A template around a phrase changes nothing."""
        return np.stack([self._axis(text) for text in texts])

    def encode_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """The phrases of the colour in the middle of each crop."""
        vectors = []
        for crop in crops:
            colour = tuple(int(value) for value in crop[crop.shape[0] // 2, crop.shape[1] // 2])
            total = np.sum([self._axis(phrase) for phrase in self._meanings[colour]], axis=0)
            vectors.append(total / np.linalg.norm(total))
        return np.array(vectors, np.float32).reshape(-1, self.dim)

    def _axis(self, text: str) -> np.ndarray:
        phrase = text
        for template in TEMPLATES:
            phrase = phrase.removeprefix(template.partition("{}")[0])
        phrase = SYNONYMS.get(phrase, phrase)
        vector = np.zeros(self.dim, np.float32)
        vector[self._axes.setdefault(phrase, len(self._axes) % self.dim)] = 1
        return vector


class FixedProposer:
    """Gives the same regions for every photo."""

    name = "fixed"
    version = "1"

    def __init__(self, boxes: Sequence[Sequence[float]] = (), objectness: Sequence[float] = ()) -> None:
        self._regions = Regions(np.array(boxes, np.float32).reshape(-1, 4), np.array(objectness, np.float32))

    def propose(self, photo: Photo) -> Regions:  # noqa: ARG002 - they do not depend on it
        """The regions."""
        return self._regions


def paint(colour: tuple[int, int, int], *patches: tuple[tuple[int, int, int, int], tuple[int, int, int]]) -> np.ndarray:
    """A picture of 200 by 200 pixels in one colour, with patches (xyxy) in others."""
    picture = np.full((200, 200, 3), colour, np.uint8)
    for (x1, y1, x2, y2), other in patches:
        picture[y1:y2, x1:x2] = other
    return picture
