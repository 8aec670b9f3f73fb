"""Parts whose answers are known: an encoder that reads its vector from a pixel, a proposer that finds dark squares."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from agri_clip.photos.photo import Photo
from agri_clip.regions.base import Regions
from benchmarks.encoders import SIDE
from fine_tune.synthetic import GROUP_NAMES
from fine_tune.synthetic.attributes import PHRASES

#: Place in the vector of everything that is no group and no phrase of an attribute.
NEGATIVE = 0
#: Place of "an insect", which crops of groups share a little.
INSECT = 1
GROUP_PLACES = {name: 2 + i for i, name in enumerate(GROUP_NAMES)}
PHRASE_PLACES = {
    phrase: 2 + len(GROUP_NAMES) + i
    for i, phrase in enumerate(phrase for phrases in PHRASES.values() for phrase in phrases.values())
}
DIM = 2 + len(GROUP_NAMES) + len(PHRASE_PLACES)


def unit(*places: int) -> np.ndarray:
    """A unit vector with equal parts in some places."""
    vector = np.zeros(DIM, np.float32)
    vector[list(places)] = 1
    return vector / np.linalg.norm(vector)


def crop_of(red: int, green: int = 0, blue: int = 0) -> np.ndarray:
    """A plain crop; its colour is all that it shows, so nothing is lost when it is shrunk."""
    return np.full((SIDE, SIDE, 3), (red, green, blue), np.uint8)


class KnownEncoder:
    """Reads places in its vectors from the middle pixel: red is one; green and blue, where above 0, are further ones.

    Values from 128 on are no places, but the objectness that `SquareProposer` reads.
    """

    name = "known"
    fingerprint = "known-0"
    dim = DIM
    activation = "softmax"
    logit_scale = 100.0
    logit_bias = 0.0

    def encode_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        middles = [crop[len(crop) // 2, len(crop) // 2] for crop in crops]
        return np.array([self._read(pixel) for pixel in middles], np.float32).reshape(-1, DIM)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([unit(self._place(text)) for text in texts])

    def _read(self, pixel: np.ndarray) -> np.ndarray:
        return unit(*{int(value) % DIM for i, value in enumerate(pixel) if i == 0 or 0 < value < 128})

    def _place(self, text: str) -> int:
        if text in PHRASE_PLACES:
            return PHRASE_PLACES[text]
        if text.split(" on a ")[0].split(" photo of ")[-1] == "an insect":
            return INSECT
        words = f" {text} "
        named = [name for name in GROUP_NAMES if f" {name} " in words]
        return GROUP_PLACES[max(named, key=len)] if named else NEGATIVE


class SquareProposer:
    """Boxes round everything that is not white; the objectness of each is its blue value over 255."""

    name = "squares"
    version = "0"

    def __init__(self) -> None:
        self.asked = 0

    def propose(self, photo: Photo) -> Regions:
        self.asked += 1
        mask = (photo.pixels < 250).any(axis=2).astype(np.uint8)
        _, _, stats, middles = cv2.connectedComponentsWithStats(mask)
        boxes = [[x, y, x + w, y + h] for x, y, w, h, _ in stats[1:].tolist()]
        objectness = [photo.pixels[round(y), round(x), 2] / 255 for x, y in middles[1:]]
        order = np.argsort(objectness)[::-1]
        return Regions(np.array(boxes, np.float32).reshape(-1, 4)[order], np.array(objectness, np.float32)[order])
