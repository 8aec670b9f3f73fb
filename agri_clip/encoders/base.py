"""The Encoder protocol: step 2 turns crops, and step 3 texts, into unit vectors of one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np


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
