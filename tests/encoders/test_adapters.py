"""Adapter folders as encoders: the same vectors as the model they were made from, and refused on any other base."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from agri_clip.encoders import adapters, fetch, get_encoder
from agri_clip.encoders.clip import ClipEncoder
from agri_clip.errors import ModelError

Tiny = Callable[[str], Path]
TEXTS = ["an aphid", "a moth"]


@pytest.fixture
def base(tiny: Tiny, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny("clip"), tmp_path / "base"))


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    """An adapter as peft writes it, with a change in every layer."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel

    torch.manual_seed(0)
    model = AutoModel.from_pretrained(base)
    wrapped = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    wrapped.save_pretrained(tmp_path / "farm")
    return tmp_path / "farm"


def made(folder: Path) -> ClipEncoder:
    encoder = get_encoder(folder, "cpu", dtype="float32")
    assert isinstance(encoder, ClipEncoder)
    return encoder


def test_vectors_are_those_of_peft_itself(adapter: Path, base: Path, crops: list[np.ndarray]) -> None:
    from peft import PeftModel

    plain, adapted = made(base), made(adapter)
    before = plain.encode_images(crops)
    PeftModel.from_pretrained(plain.model, str(adapter)).eval()
    np.testing.assert_allclose(adapted.encode_images(crops), plain.encode_images(crops), atol=1e-5)
    assert np.abs(adapted.encode_images(crops) - before).max() > 1e-3


def test_it_is_another_encoder_than_its_base(adapter: Path, base: Path) -> None:
    plain, adapted = made(base), made(adapter)
    assert adapted.fingerprint != plain.fingerprint
    assert adapted.name == str(adapter)
    assert made(adapter).fingerprint == adapted.fingerprint
    assert adapted.dim == plain.dim


def test_a_base_that_changed_since_is_refused_by_both_fingerprints(adapter: Path, base: Path) -> None:
    trained_on = made(base).fingerprint
    adapters.write_base(adapter, str(base), trained_on)
    made(adapter)
    weights = load_file(base / "model.safetensors")
    weights["logit_scale"] = weights["logit_scale"] + 1
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    now = made(base).fingerprint
    with pytest.raises(ModelError, match=f"{trained_on}.*{now}"):
        made(adapter)


def test_a_base_of_another_shape_is_refused(adapter: Path, tiny: Tiny) -> None:
    config = json.loads((adapter / adapters.CONFIG).read_text())
    config["base_model_name_or_path"] = str(tiny("vision_text"))
    (adapter / adapters.CONFIG).write_text(json.dumps(config))
    with pytest.raises(ModelError, match="does not fit its base"):
        made(adapter)


def test_the_path_of_a_base_holds_wherever_the_program_is_started(
    adapter: Path, base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    adapters.write_base(adapter, "base", made(base).fingerprint)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(made(adapter).encode_texts(TEXTS)) == 2


def test_missing_weights_and_pickles_are_not_opened(adapter: Path) -> None:
    (adapter / adapters.WEIGHTS).rename(adapter / "adapter_model.bin")
    with pytest.raises(ModelError, match=r"adapter_model\.safetensors is missing"):
        made(adapter)


def test_damaged_weights_are_said_to_be(adapter: Path) -> None:
    (adapter / adapters.WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(ModelError, match="does not fit its base"):
        made(adapter)


def test_weights_of_some_layers_only_are_refused(adapter: Path) -> None:
    weights = load_file(adapter / adapters.WEIGHTS)
    weights.pop(sorted(weights)[0])
    save_file(weights, adapter / adapters.WEIGHTS)
    with pytest.raises(ModelError, match="is missing"):
        made(adapter)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_model_name_or_path": None}, "base_model_name_or_path: missing"),
        ({"base_model_name_or_path": "no-such-model"}, "no encoder is called 'no-such-model'"),
        ({"base_model_name_or_path": "hf-hub:imageomics/bioclip"}, "open_clip"),
        ({"peft_type": "IA3"}, "IA3 is not supported"),
    ],
)
def test_an_adapter_that_cannot_be_used_says_why(adapter: Path, changes: dict[str, object], message: str) -> None:
    config = json.loads((adapter / adapters.CONFIG).read_text())
    if "peft_type" in changes:
        config = {"base_model_name_or_path": config["base_model_name_or_path"]}
    (adapter / adapters.CONFIG).write_text(json.dumps({**config, **changes}))
    with pytest.raises(ModelError, match=message):
        made(adapter)


def test_an_adapter_on_an_adapter_is_refused(adapter: Path, tmp_path: Path) -> None:
    second = Path(shutil.copytree(adapter, tmp_path / "second"))
    adapters.write_base(second, str(adapter), "0" * 16)
    with pytest.raises(ModelError, match="is an adapter itself"):
        made(second)


def test_a_file_that_is_no_json_is_named(adapter: Path) -> None:
    (adapter / adapters.BASE).write_text("{")
    with pytest.raises(ModelError, match=r"base\.json cannot be read"):
        made(adapter)


def test_fetching_it_fetches_its_base(adapter: Path, base: Path) -> None:
    assert fetch(str(adapter)) == base
