"""LoRA in dual encoders: it sits where it should, changes nothing untrained, and every layer once trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from agri_clip.encoders import get_encoder
from agri_clip.encoders.clip import ClipEncoder
from agri_clip.errors import ModelError
from fine_tune.adapt.lora import add_lora, find_targets, save_lora
from fine_tune.adapt.wise import scale_adapter
from tests.fine_tune.adapt.small_encoders import coloured_crops, tiny

KINDS = ("clip", "siglip", "chinese_clip", "vision_text")
CROPS = coloured_crops(2).crops


def make_encoder(kind: str) -> ClipEncoder:
    encoder = get_encoder(tiny(kind), "cpu", dtype="float32")
    assert isinstance(encoder, ClipEncoder)
    return encoder


def vectors(encoder: ClipEncoder) -> np.ndarray:
    """Of crops and texts, past the texts that the encoder remembers."""
    with torch.inference_mode():
        texts = encoder.run_text_tower(encoder.prepare_texts(["an aphid", "a moth on a leaf"]))
        return torch.cat([encoder.run_image_tower(encoder.prepare_crops(CROPS)), texts]).numpy()


def teach(model: nn.Module, seed: int = 0) -> None:
    """Give every adapter a change, as training would."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.named_parameters():
        if "lora_B" in name:
            value.data.normal_(0, 0.05, generator=generator)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_q_and_v_of_both_towers_are_adapted_and_nothing_else(kind: str) -> None:
    model = make_encoder(kind).model
    targets = find_targets(model)
    layers = [name for name, _ in model.named_modules() if name.endswith(("q_proj", "v_proj"))]
    assert sorted(targets) == sorted(layers)
    assert {name.split(".")[0] for name in targets} == {"vision_model", "text_model"}


def test_towers_of_berts_kind_are_adapted_at_their_own_names() -> None:
    targets = find_targets(make_encoder("chinese_clip").model)
    assert {name.rsplit(".", 1)[1] for name in targets if name.startswith("text")} == {"query", "value"}
    assert {name.rsplit(".", 1)[1] for name in targets if name.startswith("vision")} == {"q_proj", "v_proj"}


@pytest.mark.parametrize("kind", ["vision_text", "align"])
def test_a_tower_of_convolutions_is_adapted_in_those_that_mix_channels(kind: str) -> None:
    model = make_encoder(kind).model
    targets = [name for name in find_targets(model) if name.startswith("vision")]
    kernels = {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d) and n.startswith("vision")}
    assert set(targets) == {name for name, layer in kernels.items() if layer.groups == 1}
    assert targets


def test_a_tower_without_either_is_refused() -> None:
    model = make_encoder("clip").model
    model.vision_model = nn.ModuleDict({"attention": nn.MultiheadAttention(8, 2)})
    with pytest.raises(ModelError, match=r"vision_model.*--method full"):
        find_targets(model)


@pytest.mark.parametrize("kind", KINDS)
def test_untrained_it_changes_nothing(kind: str) -> None:
    encoder = make_encoder(kind)
    before = vectors(encoder)
    add_lora(encoder.model, rank=4, alpha=8, dropout=0.1, base=kind).eval()
    np.testing.assert_array_equal(vectors(encoder), before)


@pytest.mark.parametrize("kind", KINDS)
def test_trained_it_changes_the_output_of_every_layer_it_is_in(kind: str) -> None:
    encoder = make_encoder(kind)
    targets = find_targets(encoder.model)
    wrapped = add_lora(encoder.model, rank=4, alpha=8, dropout=0.0, base=kind).eval()
    teach(wrapped)
    seen: dict[str, bool] = {}
    for name in targets:
        layer: Any = encoder.model.get_submodule(name)

        def look(layer: Any, inputs: Any, output: torch.Tensor, name: str = name) -> None:
            seen[name] = bool((output != layer.base_layer(inputs[0])).any())

        layer.register_forward_hook(look)
    vectors(encoder)
    assert seen == dict.fromkeys(targets, True)


@pytest.mark.parametrize("kind", ["clip", "vision_text"])
def test_only_the_adapters_take_gradients(kind: str) -> None:
    encoder = make_encoder(kind)
    targets = find_targets(encoder.model)
    add_lora(encoder.model, rank=4, alpha=8, dropout=0.0, base=kind)
    open_weights = [name for name, value in encoder.model.named_parameters() if value.requires_grad]
    assert len(open_weights) == 2 * len(targets)
    assert all("lora_" in name for name in open_weights)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_the_change_is_a_share_of_the_weights_and_is_saved_as_such(share: float, tmp_path: Path) -> None:
    encoder = make_encoder("vision_text")
    start = {name: value.clone() for name, value in encoder.model.state_dict().items()}
    wrapped = add_lora(encoder.model, rank=4, alpha=8, dropout=0.0, base=str(tiny("vision_text"))).eval()
    teach(wrapped)
    save_lora(wrapped, tmp_path, share)
    scale_adapter(encoder.model, share)
    blended = vectors(encoder)
    scale_adapter(encoder.model, 1.0)
    end = wrapped.merge_and_unload().state_dict()
    loaded = get_encoder(tmp_path, "cpu", dtype="float32")
    assert isinstance(loaded, ClipEncoder)
    for name, value in loaded.model.state_dict().items():
        torch.testing.assert_close(value.float(), torch.lerp(start[name].float(), end[name].float(), share), msg=name)
    np.testing.assert_allclose(vectors(loaded), blended, rtol=1e-3, atol=1e-5)
    if share == 0:
        np.testing.assert_array_equal(vectors(loaded), vectors(make_encoder("vision_text")))


def test_the_change_is_scaled_exactly_at_the_ends() -> None:
    encoder = make_encoder("clip")
    before = vectors(encoder)
    wrapped = add_lora(encoder.model, rank=4, alpha=8, dropout=0.0, base="clip").eval()
    teach(wrapped)
    end = vectors(encoder)
    scale_adapter(encoder.model, 0.0)
    np.testing.assert_array_equal(vectors(encoder), before)
    scale_adapter(encoder.model, 1.0)
    np.testing.assert_array_equal(vectors(encoder), end)
    assert (end != before).any()
