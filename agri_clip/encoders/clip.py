"""Dual encoders of the transformers library, by hub name or folder (step 2): CLIP, SigLIP, MetaCLIP, ALIGN and kin."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agri_clip.encoders.adapters import adapter_fingerprint, merge_adapter
from agri_clip.encoders.base import read_known_words
from agri_clip.encoders.dual import DualEncoder, TruncatedTextWarning
from agri_clip.errors import ModelError
from agri_clip.models.hub import ensure, fingerprint
from agri_clip.models.loading import load_model, load_processor, quiet

if TYPE_CHECKING:
    import torch

#: Largest difference between the batched preparation of crops and the model's own processor that counts as equal.
#: One level of 255 is 0.016 in CLIP's units; rounding noise is below 1e-6.
SAME_PIXELS = 1e-4

#: Key of a model's config.json with the sides of the inputs that it may be given, rising; a convolutional tower that
#: was trained for several reads a small crop at less cost.
INPUT_SIZES = "input_sizes"
#: A crop is shrunk by this at most before the next larger input is taken.
SHRUNK = 1.3

#: Model types whose text tower reads the padding too, so every text is padded to the same length and no mask is given.
PADDED_TEXT = ("siglip", "siglip2")

#: Text towers that read a text's vector at its end token.
END_POOLED_TEXT = ("clip_text_model", "metaclip_2_text_model")


class ClipEncoder(DualEncoder):
    """Any model that transformers' `AutoModel` loads and that has image and text features in one space.

    The model's own processor is used: size, filter, mean and deviation of pictures, and tokenizer, length and padding
    of texts. Only safetensors weights are loaded, and no code that comes with a model is run.

    Parameters
    ----------
    name : str
        Hub name (``"openai/clip-vit-base-patch16"``) or folder.
    device : str or None
        ``"cuda"``, ``"mps"``, ``"cpu"``; None chooses the fastest kind there is.
    dtype : str or None
        ``"float32"``, ``"float16"``, ``"bfloat16"``; ``"auto"`` is half precision where the device is faster with it.
    batch_size : int or None
        Crops per pass; None takes 32 on a CPU and 256 elsewhere.
    folder : Path or None
        Where the files are, when that is not what `name` says.
    adapter : Path or None
        Folder of a LoRA adapter to merge into the weights; its base was checked before.

    Attributes
    ----------
    model : transformers.PreTrainedModel
        For training; whoever changes its weights makes a new encoder of them.
    known_words : frozenset of str or None
        Words of the training captions, where the folder lists them; None for a model trained on the web's words.

    Raises
    ------
    ModelError
        The model is not here and cannot be fetched, is no dual encoder, has only pickled weights, or is damaged.
    """

    def __init__(
        self,
        name: str,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = "auto",
        batch_size: int | None = None,
        folder: Path | None = None,
        adapter: Path | None = None,
    ) -> None:
        super().__init__(name, device, dtype, batch_size)
        self.folder = folder or ensure(name)
        self.model = _load_dual_encoder(name, self.folder, self.dtype, adapter).to(self.device)
        self.processor = load_processor(name, self.folder)
        self.fingerprint = fingerprint(self.folder)
        self.input_sizes = _input_sizes(name, self.model.config)
        if adapter is not None:
            self.fingerprint = adapter_fingerprint(adapter, self.fingerprint)
        self.known_words = read_known_words(adapter or self.folder)
        self.activation = "sigmoid" if hasattr(self.model, "logit_bias") else "softmax"
        self.logit_scale, self.logit_bias = (float(value.detach()) for value in scale_and_bias(self.model))
        _check_end_token(name, self.model.config, self.processor.tokenizer)
        self.dim = self.encode_texts(["insect"]).shape[1]

    @cached_property
    def _text_settings(self) -> dict[str, Any]:
        """How the tokenizer is called: the processor's own settings, within the length that the model can read."""
        config, tokenizer = self.model.config, self.processor.tokenizer
        own = dict(getattr(self.processor, "text_kwargs", None) or {})
        lengths = [int(tokenizer.model_max_length), int(own.get("max_length") or tokenizer.model_max_length)]
        positions = getattr(config.text_config, "max_position_embeddings", None)
        if positions is not None:
            # RoBERTa counts positions from the padding id on.
            roberta = any(kind in config.text_config.model_type for kind in ("roberta", "altclip"))
            lengths.append(positions - (config.text_config.pad_token_id + 1 if roberta else 0))
        padding = "max_length" if config.model_type in PADDED_TEXT else own.get("padding", True)
        return {"padding": padding, "truncation": True, "max_length": min(lengths), "return_tensors": "pt"}

    def prepare_texts(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """What the text tower reads of n texts: token ids and, for most models, their mask, each (n, length) int64."""
        tokenizer, limit = self.processor.tokenizer, self._text_settings["max_length"]
        with quiet("transformers.tokenization_utils_base"):
            lengths = [len(ids) for ids in tokenizer(list(texts), padding=False, truncation=False)["input_ids"]]
        for text, length in zip(texts, lengths, strict=True):
            if length > limit:
                message = (
                    f"{self.name} reads {limit} tokens, this prompt has {length} and its end is not read: {text!r}"
                )
                warnings.warn(message, TruncatedTextWarning, stacklevel=5)
        inputs = tokenizer(list(texts), **self._text_settings)
        if self.model.config.model_type in PADDED_TEXT:
            inputs = {"input_ids": inputs["input_ids"]}
        return {key: value.to(self.device) for key, value in inputs.items()}

    def prepare_crops(self, crops: Sequence[np.ndarray], size: int | None = None) -> dict[str, torch.Tensor]:
        """What the image tower reads of n crops: tensors of n rows each, on the device, in its number format.

        With a model of several input sizes all n get the same: `size`, or the one that most of them would get alone.
        """
        if self.input_sizes and size is None:
            sizes = [input_size(crop, self.input_sizes) for crop in crops]
            size = max(sorted(set(sizes)), key=sizes.count)
        prepared = self._prepare_batch(crops, size) if self._batch_preparation_is_exact else self._prepare(crops, size)
        return {k: v.to(self.device, self.dtype if v.is_floating_point() else None) for k, v in prepared.items()}

    def run_text_tower(self, prepared: dict[str, torch.Tensor]) -> torch.Tensor:
        """Raw features (n, dim) of texts from `prepare_texts`, with their graph where gradients are on."""
        return _pooled(self.model.get_text_features(**prepared))

    def run_image_tower(self, prepared: dict[str, torch.Tensor]) -> torch.Tensor:
        """Raw features (n, dim) of crops from `prepare_crops`, with their graph where gradients are on."""
        return _pooled(self.model.get_image_features(**prepared))

    def _text_features(self, texts: Sequence[str]) -> torch.Tensor:
        import torch

        with torch.inference_mode():
            return self.run_text_tower(self.prepare_texts(texts))

    def _image_features(self, crops: Sequence[np.ndarray]) -> torch.Tensor:
        import torch

        with torch.inference_mode():
            if not self.input_sizes:
                return self.run_image_tower(self.prepare_crops(crops))
            sizes = np.array([input_size(crop, self.input_sizes) for crop in crops])
            features = None
            for size in np.unique(sizes).tolist():
                rows = np.flatnonzero(sizes == size)
                part = self.run_image_tower(self.prepare_crops([crops[row] for row in rows.tolist()], size))
                features = part.new_empty(len(crops), part.shape[1]) if features is None else features
                features[torch.from_numpy(rows).to(part.device)] = part
            assert features is not None
            return features

    def _prepare(self, crops: Sequence[np.ndarray], size: int | None = None) -> dict[str, torch.Tensor]:
        """Crops through the model's own processor: right for every model, slow for many small crops."""
        changes = {} if size is None else {"size": {"height": size, "width": size}}
        return dict(
            self.processor.image_processor(
                list(crops), return_tensors="pt", input_data_format="channels_last", **changes
            )
        )

    def _prepare_batch(self, crops: Sequence[np.ndarray], size: int | None = None) -> dict[str, torch.Tensor]:
        """The same through the processor's own steps, normalised as one batch on the device."""
        import torch

        own = self.processor.image_processor
        wanted = own.size if size is None else type(own.size)(height=size, width=size)
        resized = []
        for crop in crops:
            picture = torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1)
            if own.do_resize:
                picture = own.resize(picture, wanted, own.resample)
            if own.do_center_crop:
                picture = own.center_crop(picture, own.crop_size)
            resized.append(picture)
        batch = torch.stack(resized).to(self.device)
        return {
            "pixel_values": own.rescale_and_normalize(
                batch, own.do_rescale, own.rescale_factor, own.do_normalize, own.image_mean, own.image_std
            )
        }

    @cached_property
    def _batch_preparation_is_exact(self) -> bool:
        """Whether `_prepare_batch` gives what the model's own processor gives, tried on three pictures."""
        random = np.random.default_rng(0)
        shapes = ((31, 31), (190, 190), (45, 70))
        crops = [random.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
        plain = self._prepare(crops)
        if set(plain) != {"pixel_values"}:
            return False
        try:
            fast = self._prepare_batch(crops)["pixel_values"].cpu()
        except (AttributeError, TypeError, ValueError, RuntimeError):
            # A processor of another build; its own way is always there.
            return False
        slow = plain["pixel_values"]
        return fast.shape == slow.shape and float((fast - slow).abs().max()) < SAME_PIXELS


def input_size(crop: np.ndarray, sizes: Sequence[int]) -> int:
    """Side of the input that a crop gets, of a model that reads several: the least that loses little of its pixels.

    Parameters
    ----------
    crop : ndarray, shape (h, w, 3)
    sizes : sequence of int
        Rising, in pixels.
    """
    return next((size for size in sizes if max(crop.shape[:2]) <= SHRUNK * size), sizes[-1])


def _input_sizes(name: str, config: Any) -> tuple[int, ...]:
    """The sides that a model may read, rising; empty for one with a single size, as nearly all have."""
    sizes = config.to_dict().get(INPUT_SIZES) or ()
    if not all(isinstance(size, int) and size > 0 for size in sizes) or list(sizes) != sorted(set(sizes)):
        raise ModelError(f"{name}: {INPUT_SIZES} in config.json must be sides in pixels, rising, not {sizes}")
    return tuple(sizes)


def _load_dual_encoder(name: str, folder: Path, dtype: torch.dtype, adapter: Path | None = None) -> Any:
    import torch
    from transformers import AutoModel

    model = load_model(AutoModel, name, folder, dtype if adapter is None else torch.float32)
    if not hasattr(model, "get_image_features") or not hasattr(model, "get_text_features"):
        raise ModelError(f"{name} is a {type(model).__name__}, which does not encode both pictures and texts")
    return model if adapter is None else merge_adapter(model, adapter).to(dtype)


def scale_and_bias(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """What a model multiplies a cosine by and what it adds, whatever it calls them: scalars with their graph."""
    if hasattr(model, "temperature"):
        return 1.0 / model.temperature.float().squeeze(), model.temperature.new_zeros(())
    bias = model.logit_bias.float().squeeze() if hasattr(model, "logit_bias") else model.logit_scale.new_zeros(())
    return model.logit_scale.float().exp().squeeze(), bias


def _check_end_token(name: str, config: Any, tokenizer: Any) -> None:
    """Refuse a CLIP text tower that would pool at another place than the end token.

    transformers' CLIP pools at the first `eos_token_id`; for the id 2, which old configurations have by mistake, at the
    highest id of the text; where the id is not in the text, at the first token, without a word.
    """
    if config.text_config.model_type not in END_POOLED_TEXT:
        return
    ids = tokenizer("insect")["input_ids"]
    end = config.text_config.eos_token_id
    legacy = end == 2 and config.text_config.model_type == "clip_text_model"
    pooled = len(tokenizer) - 1 if legacy else end
    if ids[-1] != tokenizer.eos_token_id or ids.index(ids[-1]) != len(ids) - 1 or pooled != ids[-1]:
        raise ModelError(
            f"{name}: its text tower would not read the end token: the tokenizer ends a text with {ids[-1]}, and "
            f"eos_token_id in text_config of config.json is {end}; set it to the tokenizer's, which must not be 2"
        )


def _pooled(output: Any) -> torch.Tensor:
    """Features of a model, which are a tensor or, since transformers 5, the pooled part of an output."""
    features = output if not hasattr(output, "pooler_output") else output.pooler_output
    return features.flatten(1)
