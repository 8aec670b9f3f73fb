"""The registry: proposers by name, by path, or ready made; and light until a network is asked for."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from agri_clip import regions as registry
from agri_clip.errors import AgriClipError, ModelError
from agri_clip.photos.photo import Photo
from agri_clip.regions import Proposer, Regions, available, fetch_proposer, get_proposer, is_proposer, register


class Nothing:
    name, version = "nothing", "1"

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def propose(self, photo: Photo) -> Regions:  # noqa: ARG002
        return Regions.empty()


@pytest.fixture
def nothing(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))

    @register("nothing", good_for="a test")
    def make(*, device: str | None = None, **settings) -> Proposer:  # noqa: ARG001
        return Nothing(**settings)


@pytest.mark.usefixtures("nothing")
def test_a_registered_proposer_is_picked_by_name_with_its_settings():
    assert get_proposer("nothing", threshold=0.7).threshold == 0.7
    assert "nothing" in {info.name for info in available()}
    assert fetch_proposer("nothing") is None


def test_a_ready_proposer_passes_through_but_takes_no_settings_any_more():
    ready = Nothing()
    assert get_proposer(ready) is ready
    with pytest.raises(AgriClipError, match="too late"):
        get_proposer(ready, threshold=0.1)


@pytest.mark.parametrize("name", ["contrats", "no/such/folder", ""])
def test_an_unknown_name_lists_the_names(name):
    with pytest.raises(ModelError, match=r"Names that work: contrast.*FastSAM-s\.pt"):
        get_proposer(name)


def test_a_folder_with_an_encoder_is_no_proposer(tmp_path):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert not is_proposer(str(tmp_path))
    assert is_proposer("contrast")
    assert is_proposer("weights.pt")


def test_contrast_is_always_here_and_weights_only_when_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("AGRI_CLIP_MODELS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    present = {info.name: info.present for info in available()}
    assert present["contrast"]
    assert not present["FastSAM-s.pt"]
    (tmp_path / "FastSAM-s.pt").write_bytes(b"weights")
    assert {info.name: info.present for info in available()}["FastSAM-s.pt"]


def test_the_contrast_proposer_answers_to_its_name():
    regions = get_proposer("contrast").propose(Photo(np.full((64, 64, 3), 200, np.uint8), "plain"))
    assert isinstance(regions, Regions)


def test_listing_and_importing_load_no_network_library():
    script = (
        "import sys, agri_clip.regions as r; r.available(); "
        "print([m for m in ('torch', 'ultralytics', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
