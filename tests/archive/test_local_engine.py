"""The local engine: photos side by side where the models allow it, the same rows as one after the other."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from agri_clip.batch.engines.local import threads_for
from agri_clip.batch.run import fill_archive
from agri_clip.detector import Detector
from agri_clip.encoders import get_encoder
from agri_clip.io import threads as cores
from agri_clip.io.threads import threads_side_by_side
from agri_clip.photos.photo import Photo, find_photos
from agri_clip.regions.base import Regions
from agri_clip.regions.contrast import ContrastProposer
from agri_clip.regions.union import UnionProposer


@dataclass
class Waiting:
    """A proposer that answers only once two photos are looked at, or alone where `concurrent` is false."""

    concurrent: bool
    name: str = "waiting"
    version: str = "1"

    def __post_init__(self) -> None:
        self.both, self.inside, self.most = threading.Barrier(2), 0, 0

    def propose(self, photo: Photo) -> Regions:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.concurrent:
            self.both.wait(30)  # broken, with an error, where nobody else comes
        self.inside -= 1
        side = float(min(photo.width, photo.height))
        return Regions(np.array([[0, 0, side / 4, side / 4]]), np.array([0.5]))


@pytest.mark.parametrize("concurrent", [True, False])
def test_photos_are_looked_at_side_by_side_where_the_proposer_allows_it(
    concurrent: bool, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores.os, "cpu_count", lambda: 2)
    proposer = Waiting(concurrent)
    found = find_photos(photos)[:4]
    season, progress = fill_archive(tmp_path / "season", found, Detector(proposer, "builtin", card=False))
    assert progress.done == 4
    assert progress.failed == 0
    assert proposer.most == (2 if concurrent else 1)
    assert [row["path"] for row in season.photo_rows()] == [str(path) for path in found]


def test_models_say_whether_they_may_be_asked_at_once() -> None:
    assert threads_for(ContrastProposer()) == threads_side_by_side()
    assert threads_for(Waiting(False)) == 1
    assert get_encoder("builtin", device="cpu").concurrent
    assert UnionProposer([ContrastProposer(), ContrastProposer()]).concurrent
    assert not UnionProposer([ContrastProposer(), Waiting(False)]).concurrent
