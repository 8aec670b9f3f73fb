"""The Encoder protocol: step 2 turns crops, and step 3 texts, into unit vectors of one space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np

from agri_clip.errors import ModelError

if TYPE_CHECKING:
    from agri_clip.encoders.calibration import Calibration
    from agri_clip.encoders.heads import FewShotHead

#: File of a model folder with the words of its training captions: UTF-8, one lower-case word a line.
KNOWN_WORDS = "known_words.txt"


@runtime_checkable
class Encoder(Protocol):
    """A dual encoder.

    Attributes
    ----------
    name : str
        The string that picks it (``"builtin"``, a hub name, a folder).
    fingerprint : str
        Changes whenever its vectors may: vectors of different fingerprints are never compared.
    dim : int
        Length of a vector.
    activation : {"softmax", "sigmoid"}
        How the model was trained: contrastive softmax (CLIP) or pairwise sigmoid (SigLIP).
    logit_scale : float
        What a cosine is multiplied by before the activation (already exponentiated).
    logit_bias : float
        What is added to it (0 for softmax models).

    An encoder may also have `known_words`, `head`, `calibration` and `vectors_fingerprint`; ask for them with the
    functions below. One that several threads may ask at once, and that then gets through more crops than with one, may
    say so by ``concurrent = True``; a batch asks for it.
    """

    name: str
    fingerprint: str
    dim: int
    activation: Literal["softmax", "sigmoid"]
    logit_scale: float
    logit_bias: float

    def encode_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Encode RGB uint8 crops of any size, each (h, w, 3), to (n, dim) float32 of unit length."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts to (n, dim) float32 of unit length."""
        ...


def known_words_of(encoder: Encoder) -> frozenset[str] | None:
    """The words that an encoder saw in training; None where it does not say, such as one trained on the web's words."""
    return getattr(encoder, "known_words", None)


def head_of(encoder: Encoder) -> FewShotHead | None:
    """The few-shot head of an adapted encoder; None for any other."""
    return getattr(encoder, "head", None)


def calibration_of(encoder: Encoder) -> Calibration | None:
    """How an encoder's scores were calibrated on labelled crops; None where they were not."""
    return getattr(encoder, "calibration", None)


def vectors_fingerprint_of(encoder: Encoder) -> str:
    """What vectors are compared by: that of the base for an adapted encoder, whose vectors are the base's."""
    own: str | None = getattr(encoder, "vectors_fingerprint", None)
    return own or encoder.fingerprint


def read_known_words(folder: Path) -> frozenset[str] | None:
    """The words in a model folder's `KNOWN_WORDS`; None where it has no such file.

    Raises
    ------
    ModelError
        The file cannot be read.
    """
    file = folder / KNOWN_WORDS
    if not file.is_file():
        return None
    try:
        return frozenset(file.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{file} cannot be read as words in UTF-8, one a line: {error}") from error
