"""Encoders of the open_clip library, such as BioCLIP (step 2). Needs the extra ``agri-clip[open-clip]``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from agri_clip.encoders.dual import DualEncoder, TruncatedTextWarning
from agri_clip.errors import ModelError
from agri_clip.models.hub import OPEN_CLIP, ensure, fingerprint

if TYPE_CHECKING:
    import torch


class OpenClipEncoder(DualEncoder):
    """A model of the hub or a folder that open_clip loads, with its own transform and tokenizer.

    Parameters
    ----------
    name : str
        ``"hf-hub:"`` and a hub name (``"hf-hub:imageomics/bioclip"``), or a folder with open_clip_config.json.
    device, dtype, batch_size
        As for `agri_clip.encoders.clip.ClipEncoder`.

    Raises
    ------
    ModelError
        open_clip is not installed; or the model is not here and cannot be fetched, or cannot be loaded.
    """

    def __init__(
        self,
        name: str,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = "auto",
        batch_size: int | None = None,
    ) -> None:
        try:
            import open_clip
        except ImportError as error:
            raise ModelError(f"{name} needs the open_clip library: pip install 'agri-clip[open-clip]'") from error
        super().__init__(name, device, dtype, batch_size)
        self.folder = ensure(name.removeprefix("hf-hub:"), OPEN_CLIP)
        source = f"local-dir:{self.folder}"
        try:
            # Takes the safetensors weights that `ensure` found; strictly, so that none stays a random number.
            model, _, self._transform = open_clip.create_model_and_transforms(source)
            self._tokenizer = open_clip.get_tokenizer(source)
        except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"{name} cannot be loaded from {self.folder}: {reason}") from error
        self._model: Any = model.to(self.device, self.dtype).eval()
        self.fingerprint = fingerprint(self.folder, OPEN_CLIP)
        bias = getattr(model, "logit_bias", None)
        self.activation = "softmax" if bias is None else "sigmoid"
        self.logit_scale = float(model.logit_scale.detach().float().exp())
        self.logit_bias = 0.0 if bias is None else float(bias.detach())
        self.dim = self.encode_texts(["insect"]).shape[1]

    def _image_features(self, crops: Sequence[np.ndarray]) -> torch.Tensor:
        import torch
        from PIL import Image

        batch = torch.stack([self._transform(Image.fromarray(crop)) for crop in crops])
        with torch.inference_mode():
            return self._model.encode_image(batch.to(self.device, self.dtype))

    def _text_features(self, texts: Sequence[str]) -> torch.Tensor:
        import torch

        limit = self._tokenizer.context_length
        for text in texts:
            length = self._token_count(text)
            if length > limit:
                message = (
                    f"{self.name} reads {limit} tokens and leaves out the end of this prompt of {length}: {text!r}"
                )
                warnings.warn(message, TruncatedTextWarning, stacklevel=3)
        with torch.inference_mode():
            return self._model.encode_text(self._tokenizer(list(texts)).to(self.device))

    def _token_count(self, text: str) -> int:
        """Tokens of a text with its start and its end."""
        inner = getattr(self._tokenizer, "tokenizer", None)
        # open_clip's own tokenizer adds start and end only when it fills up to the full length.
        return len(inner(text)["input_ids"]) if inner is not None else len(self._tokenizer.encode(text)) + 2
