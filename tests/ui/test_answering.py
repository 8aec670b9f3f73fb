"""Which encoder may open an archive on the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from agri_clip.archive import Archive, Season
from agri_clip.encoders.adapted import AdaptedEncoder
from agri_clip.errors import DataError
from agri_clip.regions.contrast import ContrastProposer
from agri_clip.settings import Settings
from agri_clip.ui.answering import Place
from agri_clip.ui.fair_lock import EncoderInTurn, Turns


class Base:
    """An encoder of four dimensions."""

    name, activation = "base", "softmax"
    dim, logit_scale, logit_bias = 4, 5.0, 0.0

    def __init__(self, fingerprint: str = "vectors of base") -> None:
        self.fingerprint = fingerprint

    def encode_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        return np.eye(4, dtype=np.float32)[[0] * len(crops)]

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.eye(4, dtype=np.float32)[[0] * len(texts)]


@pytest.mark.parametrize("adapted_began", [True, False])
def test_an_adapted_encoder_and_its_base_open_each_others_archives(tmp_path: Path, adapted_began: bool) -> None:
    base = Base()
    adapted = AdaptedEncoder("farm", base, None, None, "card of farm")
    archive = Archive.open(tmp_path / "season", create=True)
    Season.begin(archive, adapted if adapted_began else base, ContrastProposer(), Settings(), {})
    place = Place("My house", tmp_path / "season")
    assert place.open(adapted).key == place.open(base).key
    assert place.open(EncoderInTurn(adapted, Turns())).key == place.open(base).key  # as the page holds it
    with pytest.raises(DataError, match="My house: holds no vectors of that encoder"):
        place.open(Base("other vectors"))
    with pytest.raises(DataError, match="My house: holds no vectors of that encoder"):
        place.open(AdaptedEncoder("farm", Base("other vectors"), None, None, "card of farm"))
