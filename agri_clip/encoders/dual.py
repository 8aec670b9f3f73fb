"""What all dual encoders share (step 2): batches, unit vectors, and texts that are encoded once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from agri_clip.errors import AgriClipWarning, ModelError
from agri_clip.models.devices import choose_device, choose_dtype

if TYPE_CHECKING:
    import torch

#: Crops per pass. On a CPU a small batch stays in its caches; a GPU needs more to be busy.
CPU_BATCH, GPU_BATCH = 32, 256

#: Texts whose vectors are kept; 512 numbers each, so about 40 MB when full.
TEXT_CACHE = 20_000


#: Shortest feature vector that is trusted when it was computed in float16.
LEAST_HALF_LENGTH = 1e-2


class TruncatedTextWarning(AgriClipWarning):
    """A prompt was longer than the model reads; the rest of it was left out."""


class DualEncoder(ABC):
    """Base of the encoders; a subclass loads the model and says how a batch passes it.

    Attributes
    ----------
    As in `agri_clip.encoders.base.Encoder`, and

    device : torch.device
    dtype : torch.dtype
        Number format of the weights. Vectors are float32 whatever it is.
    batch_size : int
        Crops per pass.
    """

    activation: Literal["softmax", "sigmoid"]
    fingerprint: str
    logit_scale: float
    logit_bias: float
    dim: int

    def __init__(
        self,
        name: str,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = "auto",
        batch_size: int | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        self.name = name
        self.device = choose_device(device)
        self.dtype = choose_dtype(self.device, dtype)
        self.batch_size = batch_size or (CPU_BATCH if self.device.type == "cpu" else GPU_BATCH)
        self._texts: dict[str, np.ndarray] = {}

    @property
    def concurrent(self) -> bool:
        """As `agri_clip.encoders.base.Encoder` says."""
        return self.device.type == "cpu"

    @abstractmethod
    def _image_features(self, crops: Sequence[np.ndarray]) -> torch.Tensor:
        """Raw image features of one batch, shape (n, dim)."""

    @abstractmethod
    def _text_features(self, texts: Sequence[str]) -> torch.Tensor:
        """Raw text features of one batch, shape (n, dim)."""

    def encode_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Encode crops.

        Parameters
        ----------
        crops : sequence of n ndarray, shape (h, w, 3), uint8
            RGB, of any sizes. The model's own processor resizes and normalises them.

        Returns
        -------
        ndarray, shape (n, dim), float32
            Unit vectors, in the order of `crops`.

        Raises
        ------
        ValueError
            A crop is not RGB uint8, or has no pixels.
        ModelError
            The model returned numbers beyond the range of its number format.
        """
        for i, crop in enumerate(crops):
            if crop.ndim != 3 or crop.shape[2] != 3 or crop.dtype != np.uint8 or crop.size == 0:
                raise ValueError(f"crop {i} must be RGB uint8 of shape (h, w, 3), not {crop.dtype} {crop.shape}")
        parts = [
            self._unit_vectors(self._image_features(crops[start : start + self.batch_size]))
            for start in range(0, len(crops), self.batch_size)
        ]
        vectors = np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)
        if vectors.shape[1] != self.dim:
            raise ModelError(f"{self.name} gives {vectors.shape[1]} numbers for a picture and {self.dim} for a text")
        return vectors

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts; each text passes the model once in this encoder's life.

        Parameters
        ----------
        texts : sequence of n str

        Returns
        -------
        ndarray, shape (n, dim), float32
            Unit vectors, in the order of `texts`.

        Warns
        -----
        TruncatedTextWarning
            A text is longer than the model reads.

        Raises
        ------
        ValueError
            A text is empty.
        ModelError
            The model returned numbers beyond the range of its number format.
        """
        if isinstance(texts, str):
            raise TypeError("encode_texts takes a list of texts, not one text")
        if any(not text.strip() for text in texts):
            raise ValueError("a text to encode is empty")
        known = {text: self._texts[text] for text in texts if text in self._texts}
        # Sorted by length, so that one long prompt does not pad all others.
        new = sorted(set(texts) - set(known), key=lambda text: (len(text), text))
        for start in range(0, len(new), self.batch_size):
            batch = new[start : start + self.batch_size]
            known.update(zip(batch, self._unit_vectors(self._text_features(batch)), strict=True))
        self._texts.update((text, known[text]) for text in new)
        for text in list(self._texts)[: max(len(self._texts) - TEXT_CACHE, 0)]:
            self._texts.pop(text, None)
        return np.stack([known[text] for text in texts]) if texts else np.zeros((0, self.dim), np.float32)

    def _unit_vectors(self, features: torch.Tensor) -> np.ndarray:
        features = features.float()
        lengths = features.norm(dim=-1, keepdim=True)
        kind = str(self.dtype).removeprefix("torch.")
        # float16 has few digits left below this length; a vector of no length has no direction.
        least = LEAST_HALF_LENGTH if kind == "float16" else 0.0
        if not bool((lengths.isfinite() & (lengths > least)).all()):
            remedy = "its weights are damaged" if kind == "float32" else "choose the number format float32 (dtype)"
            raise ModelError(f"{self.name} gives numbers beyond the range of {kind} on {self.device}; {remedy}")
        return (features / lengths).cpu().numpy()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, device={str(self.device)!r})"
