"""Made vectors and an encoder without a network, of which the right answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from agri_clip.encoders.heads import Words
from fine_tune.adapt.trials import Task

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220), "yellow": (220, 220, 20)}


class ColourEncoder:
    """Vectors of crops are their mean colours; a text is the colour that it names, or always the same nothing."""

    name, fingerprint, activation = "colours", "c0ffee", "softmax"
    dim, logit_scale, logit_bias = 8, 10.0, 0.0

    def encode_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([self._unit(crop.reshape(-1, 3).mean(axis=0)) for crop in crops], np.float32).reshape(-1, 8)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        named = [next((rgb for word, rgb in COLOURS.items() if word in text.split()), None) for text in texts]
        nothing = np.eye(8)[7]
        return np.array([nothing if rgb is None else self._unit(np.array(rgb)) for rgb in named], np.float32)

    @staticmethod
    def _unit(rgb: np.ndarray) -> np.ndarray:
        vector = np.zeros(8)
        vector[:3] = np.asarray(rgb, float) - 127
        vector[3] = 30
        return vector / np.linalg.norm(vector)


def coloured_crop(rng: np.random.Generator, colour: str, spread: float = 25) -> np.ndarray:
    """A noisy crop of about one colour, with structure of its own."""
    shape = rng.normal(0, 25, (4, 4, 1)).repeat(3, axis=2)
    base = np.array(COLOURS[colour]) + rng.normal(0, spread, 3)
    pixels = cv2.resize(shape, (24, 24), interpolation=cv2.INTER_CUBIC) + base
    return np.clip(pixels, 0, 255).astype(np.uint8)


def write_folders(root: Path, colour_of: dict[str, str], count: int, seed: int = 0) -> Path:
    """Folders by label with crops of the colour that each label stands for."""
    rng = np.random.default_rng(seed)
    for label, colour in colour_of.items():
        (root / label).mkdir(parents=True)
        for i in range(count):
            cv2.imwrite(str(root / label / f"{i}.png"), coloured_crop(rng, colour)[..., ::-1])
    return root


def made_task(
    rng: np.random.Generator, shots: int, *, classes: int = 4, words_right: bool = False, spread: float = 0.5
) -> Task:
    """Unit vectors around one centre a class in 16 dimensions; words name the centres, or point anywhere."""
    centres = np.eye(16)[:classes]
    labels = np.repeat(np.arange(classes), shots)
    vectors = centres[labels] + rng.normal(0, spread / 4, (len(labels), 16))
    texts = centres if words_right else rng.normal(size=(classes, 16))
    words = Words(_unit(texts), np.arange(classes), 10.0)
    return Task(_unit(vectors), labels, np.arange(len(labels)), words)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
