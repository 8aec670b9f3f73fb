"""open_clip encoders: the same weights through both libraries give the same vectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from tiny_models import SIDE, clip_tokenizer

from agri_clip.encoders import get_encoder
from agri_clip.encoders.clip import ClipEncoder
from agri_clip.encoders.dual import TruncatedTextWarning
from agri_clip.encoders.open_clip import OpenClipEncoder
from agri_clip.errors import ModelError

pytest.importorskip("open_clip", reason="the extra open-clip is not installed")

WIDTH, LAYERS, LENGTH = 64, 2, 16
TEXTS = ["a green aphid", "a moth on a leaf", "trap"]


def to_open_clip(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The names and layouts of open_clip's CLIP from those of transformers' CLIPModel."""
    out = {
        "logit_scale": weights["logit_scale"],
        "text_projection": weights["text_projection.weight"].T,
        "visual.proj": weights["visual_projection.weight"].T,
        "positional_embedding": weights["text_model.embeddings.position_embedding.weight"],
        "token_embedding.weight": weights["text_model.embeddings.token_embedding.weight"],
        "visual.class_embedding": weights["vision_model.embeddings.class_embedding"],
        "visual.positional_embedding": weights["vision_model.embeddings.position_embedding.weight"],
        "visual.conv1.weight": weights["vision_model.embeddings.patch_embedding.weight"],
    }
    norms = {
        "ln_final": "text_model.final_layer_norm",
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
    }
    for tower, name in (("transformer", "text_model"), ("visual.transformer", "vision_model")):
        for i in range(LAYERS):
            there, here = f"{name}.encoder.layers.{i}", f"{tower}.resblocks.{i}"
            parts = ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")
            norms |= {f"{here}.{a}": f"{there}.{b}" for a, b in (*parts, ("attn.out_proj", "self_attn.out_proj"))}
            for kind in ("weight", "bias"):
                joined = [weights[f"{there}.self_attn.{p}_proj.{kind}"] for p in "qkv"]
                out[f"{here}.attn.in_proj_{kind}"] = torch.cat(joined)
    out |= {f"{a}.{kind}": weights[f"{b}.{kind}"] for a, b in norms.items() for kind in ("weight", "bias")}
    return {name: tensor.contiguous() for name, tensor in out.items()}


@pytest.fixture(scope="session")
def twins(tmp_path_factory) -> tuple[Path, Path]:
    """One random CLIP as a folder of each library; both with CLIP's own processor and the same tokenizer."""
    torch.manual_seed(0)
    there, here = (tmp_path_factory.mktemp("twins") / name for name in ("transformers", "open_clip"))
    tokenizer = clip_tokenizer(LENGTH)
    tower = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": LAYERS}
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = hf.CLIPConfig(
        text_config=tower
        | ends
        | {"num_attention_heads": 2, "vocab_size": len(tokenizer), "max_position_embeddings": LENGTH},
        vision_config=tower | {"num_attention_heads": 1, "image_size": SIDE, "patch_size": 8},
        projection_dim=24,
    )
    square = {"height": SIDE, "width": SIDE}
    pictures = hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=square)
    model = hf.CLIPModel(config)
    # Random layers of this size hardly change what they are given; larger weights make every part count.
    for name, parameter in model.named_parameters():
        if "layers" in name and name.endswith("weight") and parameter.ndim == 2:
            parameter.data *= 4
    model.save_pretrained(there)
    hf.CLIPProcessor(pictures, tokenizer).save_pretrained(there)
    tokenizer.save_pretrained(here)
    text = {"context_length": LENGTH, "vocab_size": len(tokenizer), "width": WIDTH, "heads": 2, "layers": LAYERS}
    text |= {"hf_tokenizer_name": "here", "tokenizer_kwargs": {}}
    vision = {"image_size": SIDE, "layers": LAYERS, "width": WIDTH, "head_width": WIDTH, "patch_size": 8}
    settings = {"embed_dim": 24, "quick_gelu": True, "text_cfg": text, "vision_cfg": vision}
    mean_std = {"mean": list(pictures.image_mean), "std": list(pictures.image_std)}
    written = {"model_cfg": settings, "preprocess_cfg": mean_std}
    (here / "open_clip_config.json").write_text(json.dumps(written))
    save_file(to_open_clip(load_file(there / "model.safetensors")), here / "open_clip_model.safetensors")
    return there, here


def test_the_same_weights_give_the_same_vectors_through_both_libraries(twins, crops):
    transformers_side, open_clip_side = (get_encoder(folder, device="cpu") for folder in twins)
    assert isinstance(transformers_side, ClipEncoder)
    assert isinstance(open_clip_side, OpenClipEncoder)
    assert open_clip_side.dim == transformers_side.dim == 24
    assert open_clip_side.activation == transformers_side.activation == "softmax"
    assert open_clip_side.logit_scale == pytest.approx(transformers_side.logit_scale)
    texts = [encoder.encode_texts(TEXTS) for encoder in (transformers_side, open_clip_side)]
    np.testing.assert_allclose(texts[1], texts[0], atol=1e-5)
    # The libraries shrink pictures with two filters that may round a pixel differently; at the model's size they agree.
    exact = [crop for crop in crops if crop.shape == (SIDE, SIDE, 3)] * 2
    vectors = [encoder.encode_images(exact) for encoder in (transformers_side, open_clip_side)]
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-5)
    squares = [crop for crop in crops if crop.shape[0] == crop.shape[1]]
    sized = [encoder.encode_images(squares) for encoder in (transformers_side, open_clip_side)]
    assert ((sized[0] * sized[1]).sum(axis=1) > 0.999).all()
    # Different pictures and texts are far apart, or the comparison would say nothing.
    assert np.abs(sized[0] @ sized[0].T - 1).max() > 0.01
    assert (texts[0] @ texts[0].T)[0, 1] < 0.99


def test_batches_do_not_change_vectors(twins, crops):
    encoder = get_encoder(twins[1], device="cpu")
    small = get_encoder(twins[1], device="cpu", batch_size=5)
    np.testing.assert_allclose(small.encode_images(crops), encoder.encode_images(crops), atol=1e-5)


def test_a_prompt_that_is_too_long_is_named(twins, recwarn):
    encoder = get_encoder(twins[1], device="cpu")
    encoder.encode_texts(["a fly"])
    assert not [w for w in recwarn if w.category is TruncatedTextWarning]
    with pytest.warns(TruncatedTextWarning, match="an insect that nobody"):
        encoder.encode_texts(["an insect that nobody has ever described in so few letters", "a fly"])


def test_weights_that_are_missing_or_pickled_are_refused(twins, tmp_path):
    import shutil

    folder = Path(shutil.copytree(twins[1], tmp_path / "broken"))
    weights = load_file(folder / "open_clip_model.safetensors")
    del weights["text_projection"]
    save_file(weights, folder / "open_clip_model.safetensors")
    with pytest.raises(ModelError, match="cannot be loaded"):
        get_encoder(folder)
    (folder / "open_clip_model.safetensors").unlink()
    torch.save(weights, folder / "open_clip_pytorch_model.bin")
    with pytest.raises(ModelError, match="pickle"):
        get_encoder(folder)


def test_without_the_extra_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "open_clip", None)
    with pytest.raises(ModelError, match=r"agri-clip\[open-clip\]"):
        get_encoder("hf-hub:imageomics/bioclip")
