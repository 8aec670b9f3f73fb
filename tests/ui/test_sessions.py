"""A visit that has lost what a button works on gets a sentence, and a photo is reread as carefully as it was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from agri_clip.detections import Detections, PhotoRecord
from agri_clip.errors import AgriClipError, PhotoError
from agri_clip.ui.sessions import Session
from agri_clip.ui.tabs import ask, batch, check, find, pests
from agri_clip.ui.uploads import Limits

WRITERS: dict[str, Callable[[Session, str], Path]] = {
    **{f"find {kind}": find._writer(kind, Limits()) for kind in find._SAVED},
    **{f"batch {kind}": batch._writer(kind) for kind in batch._SAVED},
    **{f"check {kind}": save for kind, save in check._SAVED.items()},
    "ask": ask._write,
    "pests": pests._save,
}


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    opened = Session.open(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize("button", WRITERS)
def test_a_button_that_has_nothing_to_save_says_so(session: Session, button: str) -> None:
    with pytest.raises(AgriClipError, match="nothing to save"):
        WRITERS[button](session, "en")


def test_a_photo_that_is_drawn_on_is_reread_within_the_operators_limit(session: Session, tmp_path: Path) -> None:
    Image.fromarray(np.full((200, 300, 3), 200, np.uint8)).save(tmp_path / "trap.png")
    record = PhotoRecord("trap.png", 300, 200)
    found = SimpleNamespace(
        path=tmp_path / "trap.png", record=record, detections=Detections.empty([record], ["a moth"])
    )
    session.finding = found  # type: ignore[assignment]
    assert find._writer("picture", Limits(megapixels=1))(session, "en").is_file()
    with pytest.raises(PhotoError, match="which this page does not take"):
        find._writer("picture", Limits(megapixels=0.05))(session, "en")
