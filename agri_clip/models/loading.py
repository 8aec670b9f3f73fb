"""Loads a model of transformers and its processor from a folder: safetensors only, no code, no pickles.

For steps 1 and 2 alike. `agri_clip.models.hub` says where the folder is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agri_clip.errors import ModelError

if TYPE_CHECKING:
    import torch


def load_model(kind: Any, name: str, folder: Path, dtype: torch.dtype) -> Any:
    """A model whose every weight comes from its folder, ready to be asked.

    Parameters
    ----------
    kind : type
        One of transformers' ``AutoModel`` classes.
    name : str
        What the user calls it, for messages.
    folder : Path
        With config.json and model.safetensors.
    dtype : torch.dtype
        Of the weights.

    Raises
    ------
    ModelError
        The folder holds no such model, or weights are missing or damaged.
    """
    from safetensors import SafetensorError

    try:
        with quiet("transformers"):
            model, info = kind.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
        raise ModelError(f"{name} cannot be loaded from {folder}: {_first_line(error)}") from error
    # transformers fills absent weights with random numbers and only logs it.
    absent = sorted(key for key in info["missing_keys"] if not key.endswith("position_ids"))
    if absent:
        raise ModelError(f"{name}: {len(absent)} weights are missing in {folder}, the first is {absent[0]}")
    return model.eval()


def load_processor(name: str, folder: Path) -> Any:
    """The image processor and tokenizer of a model, as one.

    Raises
    ------
    ModelError
        One of the two is missing or cannot be read.
    """
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise ModelError(
            f"the image processor or tokenizer of {name} cannot be loaded from {folder}: {_first_line(error)}"
        ) from error
    if getattr(processor, "image_processor", None) is None or getattr(processor, "tokenizer", None) is None:
        raise ModelError(f"{name}: {folder} has no image processor (preprocessor_config.json) or no tokenizer")
    return processor


@contextmanager
def quiet(logger: str) -> Iterator[None]:
    """Hold back a library's progress bars, and those log lines that the caller says better."""
    from transformers.utils import logging as library

    log, bars = logging.getLogger(logger), library.is_progress_bar_enabled()
    before = log.level
    log.setLevel(logging.ERROR)
    library.disable_progress_bar()
    try:
        yield
    finally:
        log.setLevel(before)
        if bars:
            library.enable_progress_bar()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
