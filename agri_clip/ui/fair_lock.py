"""Turns: models that jobs of several visitors use at once, one call at a time, so that a long batch holds up nobody."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from agri_clip.encoders import Encoder
from agri_clip.photos.photo import Photo
from agri_clip.regions import Proposer, Regions


class Turns:
    """A lock for which whoever waits comes before whoever had it last; one thread may take it again inside."""

    def __init__(self) -> None:
        self._next, self._now = threading.Lock(), threading.Lock()
        self._owner: int | None = None
        self._depth = 0

    @property
    def wanted(self) -> bool:
        """Whether somebody waits."""
        return self._next.locked()

    def __enter__(self) -> None:
        if self._owner != threading.get_ident():
            # Of those who wait one stands at the head of the line; who comes back for more stands behind.
            with self._next:
                self._now.acquire()
            self._owner = threading.get_ident()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = None
            self._now.release()


class ProposerInTurn:
    """A proposer, each photo in its turn; in all else the proposer that it stands for."""

    def __init__(self, proposer: Proposer, turns: Turns) -> None:
        self._proposer, self._turns = proposer, turns
        self.name, self.version = proposer.name, proposer.version

    def __getattr__(self, name: str) -> Any:
        return getattr(self._proposer, name)

    def propose(self, photo: Photo) -> Regions:
        """Regions of one photo."""
        with self._turns:
            return self._proposer.propose(photo)


class EncoderInTurn:
    """An encoder, each pass of the model in its turn; in all else the encoder that it stands for."""

    def __init__(self, encoder: Encoder, turns: Turns) -> None:
        self._encoder, self._turns = encoder, turns
        self.name, self.fingerprint, self.dim = encoder.name, encoder.fingerprint, encoder.dim
        self.activation = encoder.activation
        self.logit_scale, self.logit_bias = encoder.logit_scale, encoder.logit_bias

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Vectors of crops; the batches are the encoder's own, so they are what it gives without turns."""
        step = getattr(self._encoder, "batch_size", None) or len(crops) or 1
        parts = []
        for start in range(0, len(crops), step):
            with self._turns:
                parts.append(self._encoder.encode_images(crops[start : start + step]))
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts."""
        with self._turns:
            return self._encoder.encode_texts(texts)
