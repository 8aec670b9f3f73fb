"""Tokenizer and files of the dual encoder that ships embedded.

An ordinary Hugging Face `VisionTextDualEncoderModel` with a byte-level BPE tokenizer, so that `agri_clip` loads it with
the code that loads any model from the hub.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import (
    CLIPImageProcessor,
    PreTrainedTokenizerFast,
    VisionTextDualEncoderModel,
    VisionTextDualEncoderProcessor,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: Longest text, in tokens with the start and the end token.
TEXT_LENGTH = 40
#: What the image tower reads: pixels of 0 to 1 less this, over that.
MEAN, STD = 0.5, 0.5
#: The end token must not be 2: for that id transformers pools at the highest token id instead of at the end token.
PAD, START, UNKNOWN, END = range(4)
SPECIAL_TOKENS = ("<|pad|>", "<|startoftext|>", "<|unknown|>", "<|endoftext|>")


def train_tokenizer(texts: Iterable[str], *, vocabulary_size: int = 1500) -> PreTrainedTokenizerFast:
    """Learn a lower-case byte-level BPE tokenizer; any text can be encoded, words never seen fall into pieces.

    Parameters
    ----------
    texts : iterable of str
        What it is learned from.
    vocabulary_size : int
        Most entries it may have, special tokens and the 256 bytes included.

    References
    ----------
    Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021, section 2.4.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer: Tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{SPECIAL_TOKENS[START]} $A {SPECIAL_TOKENS[END]}",
        special_tokens=[(SPECIAL_TOKENS[START], START), (SPECIAL_TOKENS[END], END)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL_TOKENS[PAD],
        bos_token=SPECIAL_TOKENS[START],
        unk_token=SPECIAL_TOKENS[UNKNOWN],
        eos_token=SPECIAL_TOKENS[END],
        model_max_length=TEXT_LENGTH,
    )


def open_dual_encoder(folder: Path) -> tuple[VisionTextDualEncoderModel, PreTrainedTokenizerFast]:
    """Model and tokenizer that `save_dual_encoder` wrote, the weights in float32, to be trained further."""
    model = VisionTextDualEncoderModel.from_pretrained(folder, dtype="float32")
    return model, PreTrainedTokenizerFast.from_pretrained(folder)


def save_dual_encoder(
    folder: Path,
    model: VisionTextDualEncoderModel,
    tokenizer: PreTrainedTokenizerFast,
    size: int,
    *,
    half: bool = False,
) -> None:
    """Write model, tokenizer and image processor as one Hugging Face folder (safetensors, no pickle).

    Parameters
    ----------
    folder : Path
        Made if absent.
    size : int
        Side of the square picture that the image tower sees, pixels; the largest of several.
    half : bool
        Store weights as float16, which halves the file.
    """
    import copy

    import torch

    processor = CLIPImageProcessor(
        size={"height": size, "width": size},
        do_center_crop=False,
        crop_size={"height": size, "width": size},
        resample=3,
        image_mean=[MEAN] * 3,
        image_std=[STD] * 3,
    )
    stored: Any = copy.deepcopy(model)
    stored = stored.to("cpu", torch.float16 if half else torch.float32)
    stored.save_pretrained(folder)
    VisionTextDualEncoderProcessor(processor, tokenizer).save_pretrained(folder)


def words_in(texts: Iterable[str]) -> list[str]:
    """The distinct words of texts, lower case, in order; hyphens part words."""
    return sorted({word for text in texts for word in re.findall(r"[^\W\d_]+", text.lower())})
