"""Few-shot heads on frozen vectors: one file a method, each an estimator with ``fit`` and numbers for `agri_clip`."""

from __future__ import annotations

from fine_tune.adapt.heads.adapter import ClipAdapter
from fine_tune.adapt.heads.base import FewShot
from fine_tune.adapt.heads.cache import TipAdapter
from fine_tune.adapt.heads.gaussian import GaussianHead
from fine_tune.adapt.heads.probe import TextProbe

__all__ = ["ClipAdapter", "FewShot", "GaussianHead", "TextProbe", "TipAdapter"]
