"""Encoders by name: known names, folders, the hub's cache, and what is said where something is not there."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub.utils import httpx

from agri_clip import encoders
from agri_clip.encoders import available, fetch, get_encoder
from agri_clip.errors import ModelError
from agri_clip.models import hub
from tests.hub_cache import put_in_cache

PICKLED = ["config.json", "pytorch_model.bin", "vocab.json", "modeling.py", "README.md"]
SAFE = [*PICKLED, "model.safetensors", "onnx/model.safetensors"]


@pytest.fixture(autouse=True)
def cache(hub_cache):
    return hub_cache


class FakeHub:
    """What the hub says of one model; `snapshot_download` only notes what was asked for."""

    def __init__(self, monkeypatch, files, requests=()):
        self.files = {None: files} | {request.git_reference: SAFE for request in requests}
        self.asked: list[tuple[str | None, list[str]]] = []
        monkeypatch.setattr(huggingface_hub.HfApi, "model_info", self.model_info)
        monkeypatch.setattr(huggingface_hub.HfApi, "get_repo_discussions", lambda *_a, **_k: iter(requests))
        monkeypatch.setattr(huggingface_hub, "snapshot_download", self.download)

    def model_info(self, _name, revision=None, **_kwargs):
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=file) for file in self.files[revision]])

    def download(self, _name, revision=None, allow_patterns=()):
        self.asked.append((revision, sorted(allow_patterns)))
        return "/somewhere"


def request(author="SFconvertbot", number=7):
    title = "Adding `safetensors` variant of this model"
    return SimpleNamespace(author=author, title=title, git_reference=f"refs/pr/{number}")


def test_a_folder_by_path_and_a_ready_encoder_are_taken(tiny):
    encoder = get_encoder(tiny("clip"), device="cpu", batch_size=3)
    assert (encoder.batch_size, encoder.name) == (3, str(tiny("clip")))
    assert get_encoder(encoder) is encoder


@pytest.mark.parametrize("name", ["clipp", "no/such/folder", "./nowhere", "", "vit_b_32"])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(ModelError, match=r"known are builtin, openai/clip-vit-base-patch32"):
        get_encoder(name)
    with pytest.raises(ModelError, match="known are"):
        fetch(name)


def test_every_known_encoder_is_listed_with_what_a_user_needs():
    infos = available()
    assert infos[0].name == "builtin"
    assert len({info.name for info in infos}) == len(infos)
    assert all(info.good_for and info.size and info.licence for info in infos)
    assert not any(info.present for info in infos[1:])


@pytest.mark.usefixtures("no_network")
def test_a_model_in_the_cache_is_present_and_loads_without_network(cache, tiny):
    name = "openai/clip-vit-base-patch32"
    put_in_cache(cache, name, tiny("clip"))
    assert {info.name for info in available() if info.present} - {"builtin"} == {name}
    encoder = get_encoder(name, device="cpu")
    same = get_encoder(tiny("clip"), device="cpu")
    assert encoder.name == name
    assert encoder.fingerprint == same.fingerprint
    np.testing.assert_array_equal(encoder.encode_texts(["a fly"]), same.encode_texts(["a fly"]))
    assert fetch(name) == encoder.folder


@pytest.mark.usefixtures("no_network")
def test_a_converted_version_in_the_cache_is_found_beside_a_pickled_one(cache, tiny):
    put_in_cache(cache, "some/clip", tiny("clip"), leave_out="model.safetensors")
    whole = put_in_cache(cache, "some/clip", tiny("clip"), "refs/pr/7")
    assert get_encoder("some/clip", device="cpu").folder == whole


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("half_there", [False, True])
def test_without_network_a_model_that_is_not_here_says_how_to_get_it(cache, tiny, half_there):
    if half_there:
        put_in_cache(cache, "some/clip", tiny("clip"), leave_out="model.safetensors")
    started = time.perf_counter()
    for get in (get_encoder, fetch):
        with pytest.raises(ModelError, match=r"not on this machine.*agri-clip models fetch some/clip"):
            get("some/clip")
    assert time.perf_counter() - started < 5


def test_fetch_takes_safe_weights_and_texts_and_no_code(monkeypatch):
    fake = FakeHub(monkeypatch, SAFE)
    assert fetch("some/clip") == Path("/somewhere")
    assert fake.asked == [(None, ["config.json", "model.safetensors", "vocab.json"])]


def test_fetch_takes_all_parts_of_large_weights(monkeypatch):
    parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    fake = FakeHub(monkeypatch, [*PICKLED, *parts, "model.safetensors.index.json"])
    fetch("some/clip")
    assert fake.asked == [(None, sorted(["config.json", "vocab.json", "model.safetensors.index.json", *parts]))]


def test_fetch_takes_the_hubs_own_conversion_of_pickled_weights_and_nobody_elses(monkeypatch):
    fake = FakeHub(monkeypatch, PICKLED, [request("somebody", 3), request()])
    fetch("some/clip")
    assert fake.asked == [("refs/pr/7", ["config.json", "model.safetensors", "vocab.json"])]
    fake = FakeHub(monkeypatch, PICKLED, [request("somebody", 3)])
    with pytest.raises(ModelError, match="pickle"):
        fetch("some/clip")
    assert not fake.asked


def test_fetch_of_an_open_clip_model_takes_its_files(monkeypatch):
    fake = FakeHub(monkeypatch, ["open_clip_config.json", "open_clip_model.safetensors", "model.safetensors", "a.bin"])
    fetch("hf-hub:imageomics/bioclip-2")
    assert fake.asked == [(None, ["open_clip_config.json", "open_clip_model.safetensors"])]


def test_fetch_of_what_is_no_such_model_says_so(monkeypatch):
    FakeHub(monkeypatch, ["dataset.csv"])
    with pytest.raises(ModelError, match=r"no config\.json on the hub"):
        fetch("some/dataset")


def test_the_hubs_refusals_become_one_clear_line(monkeypatch):
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    answer = httpx.Response(403, request=httpx.Request("GET", "https://huggingface.co"))
    for error, words in ((GatedRepoError, "accept terms"), (RepositoryNotFoundError, "no such model")):

        def refuse(*_args, error=error, **_kwargs):
            raise error("long\ntext", response=answer)

        monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
        with pytest.raises(ModelError, match=words) as caught:
            fetch("some/clip")
        assert "\n" not in str(caught.value)


def test_the_embedded_encoder_is_loaded_by_the_same_code(tiny, monkeypatch, tmp_path):
    monkeypatch.setattr(encoders, "BUILTIN", tiny("vision_text"))
    encoder = get_encoder(device="cpu")
    assert (encoder.name, encoder.folder) == ("builtin", tiny("vision_text"))
    assert next(iter(available())).present
    assert fetch("builtin") == tiny("vision_text")
    monkeypatch.setattr(encoders, "BUILTIN", tmp_path)
    with pytest.raises(ModelError, match="embedded encoder is incomplete"):
        get_encoder("builtin")
    assert not next(iter(available())).present


def test_fingerprints_do_not_read_large_files_of_the_cache_again(cache, tiny):
    snapshot = put_in_cache(cache, "some/clip", tiny("clip"))
    assert hub.fingerprint(snapshot) == hub.fingerprint(tiny("clip"))
    weights = (snapshot / "model.safetensors").resolve()
    weights.write_bytes(b"")  # the name of a blob is its hash, so its bytes are not needed
    assert hub.fingerprint(snapshot) == hub.fingerprint(tiny("clip"))


def test_the_registry_imports_nothing_heavy():
    code = "import sys, agri_clip.encoders as e; e.available(); print({'torch', 'transformers'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "set()"
