"""transformers encoders: every family gives what its own model gives, and says clearly what it cannot load."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from tiny_models import MAKERS, clip_tokenizer

from agri_clip.encoders import Encoder
from agri_clip.encoders.base import known_words_of
from agri_clip.encoders.clip import ClipEncoder
from agri_clip.encoders.dual import TruncatedTextWarning
from agri_clip.errors import ModelError

TEXTS = ["a green aphid", "a moth on a leaf", "trap"]
KINDS = pytest.mark.parametrize("kind", MAKERS)


@pytest.fixture
def copy(tiny, tmp_path):
    """A copy of a tiny model that a test may damage."""

    def make(kind: str = "clip") -> Path:
        return Path(shutil.copytree(tiny(kind), tmp_path / kind))

    return make


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@KINDS
def test_vectors_and_scale_are_those_of_the_model_itself(tiny, crops, kind):
    folder = tiny(kind)
    encoder = ClipEncoder(str(folder), device="cpu")
    model, processor = hf.AutoModel.from_pretrained(folder).eval(), hf.AutoProcessor.from_pretrained(folder)
    padding = "max_length" if kind.startswith("siglip") or kind == "align" else True
    texts = processor.tokenizer(TEXTS, padding=padding, return_tensors="pt")
    if kind.startswith("siglip"):
        texts.pop("attention_mask", None)
    pictures = processor.image_processor(crops, return_tensors="pt", input_data_format="channels_last")
    inputs = {**texts, **pictures}
    with torch.inference_mode():
        wanted = model(**inputs)
    pictures, texts = encoder.encode_images(crops), encoder.encode_texts(TEXTS)
    logits = encoder.logit_scale * pictures @ texts.T + encoder.logit_bias
    np.testing.assert_allclose(logits, wanted.logits_per_image.numpy(), atol=2e-4)
    assert encoder.activation == ("sigmoid" if kind.startswith("siglip") else "softmax")


@KINDS
def test_vectors_are_unit_float32_whatever_the_batch(tiny, crops, kind):
    encoder = ClipEncoder(str(tiny(kind)), device="cpu")
    assert isinstance(encoder, Encoder)
    together = encoder.encode_images(crops)
    assert together.shape == (len(crops), encoder.dim)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    by_fives = ClipEncoder(str(tiny(kind)), device="cpu", batch_size=5).encode_images(crops[::-1])[::-1]
    alone = np.concatenate([encoder.encode_images([crop]) for crop in crops])
    np.testing.assert_allclose(by_fives, together, atol=1e-5)
    np.testing.assert_allclose(alone, together, atol=1e-5)


@KINDS
def test_a_text_gives_the_same_vector_alone_and_beside_longer_ones(tiny, kind):
    alone = ClipEncoder(str(tiny(kind)), device="cpu").encode_texts(["trap"])
    beside = ClipEncoder(str(tiny(kind)), device="cpu").encode_texts(["a moth on a leaf", "trap"])
    np.testing.assert_allclose(beside[1:], alone, atol=1e-5)


@pytest.mark.parametrize("kind", ["clip", "siglip", "chinese_clip", "vision_text"])
def test_the_batched_preparation_of_crops_is_the_processors(tiny, crops, kind):
    encoder = ClipEncoder(str(tiny(kind)), device="cpu")
    assert encoder._batch_preparation_is_exact
    torch.testing.assert_close(encoder._prepare_batch(crops), encoder._prepare(crops), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["clip", "metaclip_2", "vision_text"])
def test_texts_are_pooled_at_their_end_token(tiny, kind):
    encoder = ClipEncoder(str(tiny(kind)), device="cpu")
    model, tokenizer = encoder.model, encoder.processor.tokenizer
    inputs = tokenizer(["a fly", "a moth on a leaf"], padding=True, return_tensors="pt")
    ends = [ids.index(tokenizer.eos_token_id) for ids in inputs["input_ids"].tolist()]
    assert ends[0] < ends[1]
    with torch.inference_mode():
        states = model.text_model(**inputs).last_hidden_state[range(2), ends]
        wanted = torch.nn.functional.normalize(model.text_projection(states), dim=-1)
    np.testing.assert_allclose(encoder.encode_texts(["a fly", "a moth on a leaf"]), wanted.numpy(), atol=1e-5)


@pytest.mark.parametrize("end", [2, 7])
def test_a_text_tower_that_would_miss_the_end_token_is_refused(copy, end):
    folder = copy("vision_text")
    tokenizer = clip_tokenizer()
    tokenizer.add_tokens(["<extra>"])  # now the end token is not the highest id, which the id 2 relies on
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["eos_token_id"] = end
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="end token"):
        ClipEncoder(str(folder), device="cpu")


def test_the_old_clip_configuration_is_accepted(copy):
    folder = copy("clip")
    config = json.loads((folder / "config.json").read_text())
    wanted = ClipEncoder(str(folder), device="cpu").encode_texts(TEXTS)
    config["text_config"]["eos_token_id"] = 2
    (folder / "config.json").write_text(json.dumps(config))
    np.testing.assert_array_equal(ClipEncoder(str(folder), device="cpu").encode_texts(TEXTS), wanted)


@pytest.mark.parametrize("kind", ["clip", "siglip", "chinese_clip", "altclip", "align"])
def test_a_prompt_that_is_too_long_is_named(tiny, kind):
    encoder = ClipEncoder(str(tiny(kind)), device="cpu")
    long = "a small green insect " + "on a leaf of the trap " * 20
    with pytest.warns(TruncatedTextWarning, match="a small green insect on a leaf"):
        vectors = encoder.encode_texts([long, "fly"])
    assert np.isfinite(vectors).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.encode_texts(["moth"])


def test_each_text_passes_the_model_once(tiny, monkeypatch):
    encoder = ClipEncoder(str(tiny("clip")), device="cpu")
    seen: list[str] = []
    inner = encoder._text_features
    monkeypatch.setattr(encoder, "_text_features", lambda texts: (seen.extend(texts), inner(texts))[1])
    first = encoder.encode_texts(["fly", "moth", "fly"])
    second = encoder.encode_texts(["moth", "trap", "fly"])
    assert sorted(seen) == ["fly", "moth", "trap"]
    np.testing.assert_array_equal(first[0], first[2])
    np.testing.assert_array_equal(second[[0, 2]], first[[1, 0]])


def test_the_kept_texts_are_bounded(tiny, monkeypatch):
    monkeypatch.setattr("agri_clip.encoders.dual.TEXT_CACHE", 3)
    encoder = ClipEncoder(str(tiny("clip")), device="cpu")
    names = [f"moth {i}" for i in range(9)]
    vectors = encoder.encode_texts(names)
    assert len(encoder._texts) == 3
    np.testing.assert_allclose(encoder.encode_texts(names[::-1]), vectors[::-1], atol=1e-6)


def test_nothing_to_encode_gives_no_vectors(tiny):
    encoder = ClipEncoder(str(tiny("clip")), device="cpu")
    assert encoder.encode_images([]).shape == encoder.encode_texts([]).shape == (0, encoder.dim)


def test_wrong_input_is_named(tiny):
    encoder = ClipEncoder(str(tiny("clip")), device="cpu")
    fine = np.zeros((8, 8, 3), np.uint8)
    for wrong in (fine[..., 0], fine.astype(float), fine[:0], np.zeros((8, 8, 4), np.uint8)):
        with pytest.raises(ValueError, match="crop 1 must be RGB uint8"):
            encoder.encode_images([fine, wrong])
    with pytest.raises(ValueError, match="empty"):
        encoder.encode_texts(["moth", " "])
    with pytest.raises(TypeError, match="list"):
        encoder.encode_texts("moth")


def test_one_picture_is_seen_the_same_as_a_view_and_as_a_copy(tiny):
    photo = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    encoder = ClipEncoder(str(tiny("clip")), device="cpu")
    view = photo[10:50, 20:60]
    np.testing.assert_array_equal(encoder.encode_images([view]), encoder.encode_images([view.copy()]))
    photo.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.encode_images([photo[:40, :40]])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_gives_nearly_the_same_float32_vectors(tiny, crops, dtype):
    whole = ClipEncoder(str(tiny("clip")), device="cpu")
    half = ClipEncoder(str(tiny("clip")), device="cpu", dtype=dtype)
    vectors = half.encode_images(crops)
    assert vectors.dtype == np.float32
    assert ((vectors * whole.encode_images(crops)).sum(axis=1) > 0.999).all()
    assert half.fingerprint == whole.fingerprint


def test_the_fingerprint_follows_weights_and_processor_and_not_the_place(tiny, copy):
    original = ClipEncoder(str(tiny("clip")), device="cpu").fingerprint
    folder = copy("clip")
    assert ClipEncoder(str(folder), device="cpu").fingerprint == original
    processor = next(folder.glob("*processor*.json"))
    before = processor.read_text()
    processor.write_text(before.replace("0.48145466", "0.5"))
    assert processor.read_text() != before
    assert ClipEncoder(str(folder), device="cpu").fingerprint != original
    processor.write_text(before)
    weights = load_file(folder / "model.safetensors")
    weights["visual_projection.weight"][0, 0] += 1
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert ClipEncoder(str(folder), device="cpu").fingerprint != original


def test_the_file_layout_of_older_hub_models_is_read(copy, crops):
    folder = copy("clip")
    encoder = ClipEncoder(str(folder), device="cpu")
    wanted = encoder.encode_images(crops), encoder.encode_texts(TEXTS)
    pictures = json.loads((folder / "processor_config.json").read_text())["image_processor"]
    old = {key: pictures[key] for key in ("image_mean", "image_std", "resample", "do_resize", "do_center_crop")}
    old |= {"size": 32, "crop_size": 32, "do_normalize": True, "feature_extractor_type": "CLIPFeatureExtractor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(old))
    encoder.processor.tokenizer.backend_tokenizer.model.save(str(folder))  # vocab.json, merges.txt
    names = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    settings = names | {"unk_token": "<|endoftext|>", "model_max_length": 16, "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "processor_config.json").unlink()
    (folder / "tokenizer.json").unlink()
    again = ClipEncoder(str(folder), device="cpu")
    np.testing.assert_allclose(again.encode_images(crops), wanted[0], atol=1e-5)
    np.testing.assert_allclose(again.encode_texts(TEXTS), wanted[1], atol=1e-5)


def test_a_model_with_pickled_weights_only_is_refused_and_says_why(copy):
    folder = copy("clip")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"pickle.*safetensors"):
        ClipEncoder(str(folder), device="cpu")


def test_weights_that_are_missing_do_not_become_random(copy):
    folder = copy("clip")
    weights = load_file(folder / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"1 weights are missing.*text_projection"):
        ClipEncoder(str(folder), device="cpu")


def test_code_that_comes_with_a_model_is_never_run(copy):
    folder = copy("clip")
    (folder / "evil.py").write_text("raise SystemExit('code of the model was run')")
    edit(folder / "config.json", auto_map={"AutoModel": "evil.Model", "AutoConfig": "evil.Config"}, model_type="evil")
    with pytest.raises(ModelError, match="cannot be loaded"):
        ClipEncoder(str(folder), device="cpu")


def test_damaged_and_foreign_folders_are_refused_in_one_line(copy, tmp_path):
    broken = copy("clip")
    (broken / "model.safetensors").write_bytes(b"not weights")
    bert = tmp_path / "bert"
    hf.BertModel(
        hf.BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9)
    ).save_pretrained(bert)
    without = copy("siglip")
    for file in [*without.glob("*processor*.json")]:
        file.unlink()
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder, reason in (
        (broken, "cannot be loaded"),
        (bert, "does not encode both"),
        (without, "processor"),
        (empty, "is missing"),
        (tmp_path / "nowhere", "no folder"),
    ):
        with pytest.raises(ModelError, match=reason) as caught:
            ClipEncoder(str(folder), device="cpu")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("factor", "dtype"), [(np.nan, "float32"), (0.0, "float32"), (1e-6, "float16")])
def test_numbers_out_of_range_are_an_error_and_no_vector(copy, factor, dtype):
    folder = copy("clip")
    weights = load_file(folder / "model.safetensors")
    weights["visual_projection.weight"] *= factor
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    encoder = ClipEncoder(str(folder), device="cpu", dtype=dtype)
    with pytest.raises(ModelError, match="beyond the range"):
        encoder.encode_images([np.full((8, 8, 3), 90, np.uint8)])


def test_unknown_devices_and_formats_are_named(tiny):
    for device in ("cuda:99", "gpu", "tpu"):
        with pytest.raises(ModelError, match=r"not usable on this machine; there is: .*cpu"):
            ClipEncoder(str(tiny("clip")), device=device)
    with pytest.raises(ModelError, match="float32, float16"):
        ClipEncoder(str(tiny("clip")), dtype="float12")
    with pytest.raises(ValueError, match="batch_size"):
        ClipEncoder(str(tiny("clip")), batch_size=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
@KINDS
def test_a_gpu_gives_what_the_cpu_gives(tiny, crops, kind):
    gpu, cpu = ClipEncoder(str(tiny(kind))), ClipEncoder(str(tiny(kind)), device="cpu")
    assert gpu.device.type == "cuda"
    assert ((gpu.encode_images(crops) * cpu.encode_images(crops)).sum(axis=1) > 0.999).all()
    assert ((gpu.encode_texts(TEXTS) * cpu.encode_texts(TEXTS)).sum(axis=1) > 0.999).all()


def test_a_folder_that_lists_the_words_of_its_captions_says_which_it_knows(copy):
    folder = copy()
    assert ClipEncoder(str(folder), device="cpu").known_words is None
    (folder / "known_words.txt").write_text("aphid\nnarrow\nwaisted\nfür\n", encoding="utf-8")
    assert ClipEncoder(str(folder), device="cpu").known_words == {"aphid", "narrow", "waisted", "für"}
    (folder / "known_words.txt").write_bytes("für".encode("utf-16"))
    with pytest.raises(ModelError, match=r"known_words\.txt cannot be read as words in UTF-8"):
        ClipEncoder(str(folder), device="cpu")


def test_an_encoder_that_lists_no_words_knows_them_all():
    assert known_words_of(object()) is None


def test_a_service_that_runs_for_weeks_remembers_only_so_many_texts(tiny, monkeypatch):
    monkeypatch.setattr("agri_clip.encoders.dual.TEXT_CACHE", 6)
    encoder = ClipEncoder(str(tiny("clip")), device="cpu")
    texts = [f"a moth with {n} spots" for n in range(20)]
    first = encoder.encode_texts(texts)
    for text in texts:
        encoder.encode_texts([text])
    assert len(encoder._texts) <= 6
    np.testing.assert_allclose(encoder.encode_texts(texts), first, atol=1e-5)
