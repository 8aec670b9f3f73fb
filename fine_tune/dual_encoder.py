"""The architecture that ships embedded: a small residual image tower and a three-layer CLIP text tower.

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
    CLIPTextConfig,
    PreTrainedTokenizerFast,
    TimmWrapperConfig,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
    VisionTextDualEncoderProcessor,
)

from agri_clip.errors import AgriClipError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: Longest text, in tokens with the start and the end token.
TEXT_LENGTH = 40
#: Basic blocks in each stage of the image tower.
LAYERS: tuple[int, int, int, int] = (1, 2, 2, 2)
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


def build_model(
    vocabulary_size: int,
    *,
    layers: tuple[int, ...] = LAYERS,
    channels: tuple[int, ...] = (32, 64, 128, 256),
    text_width: int = 128,
    text_layers: int = 3,
    projection: int = 256,
) -> VisionTextDualEncoderModel:
    """Build the two towers with random weights; the temperature starts at 0.07.

    Parameters
    ----------
    vocabulary_size : int
        Entries of the tokenizer.
    layers, channels : tuple of 4 int
        Basic blocks and width of each stage of the residual image tower.
    text_width, text_layers : int
        Width and depth of the text tower.
    projection : int
        Length of the common vector.
    """
    settings: dict[str, Any] = {
        "architecture": "resnet10t",
        "do_pooling": True,
        "num_labels": 0,
        "hidden_size": channels[-1],
        "model_args": {"layers": list(layers), "channels": list(channels), "stem_type": "", "avg_down": False},
    }
    vision = TimmWrapperConfig(**settings)
    text = CLIPTextConfig(
        vocab_size=vocabulary_size,
        hidden_size=text_width,
        intermediate_size=4 * text_width,
        num_hidden_layers=text_layers,
        num_attention_heads=4,
        max_position_embeddings=TEXT_LENGTH,
        projection_dim=projection,
        pad_token_id=PAD,
        bos_token_id=START,
        eos_token_id=END,
    )
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        vision, text, projection_dim=projection, logit_scale_init_value=2.6592
    )
    return VisionTextDualEncoderModel(config)


def open_dual_encoder(folder: Path) -> tuple[VisionTextDualEncoderModel, PreTrainedTokenizerFast]:
    """Model and tokenizer that `save_dual_encoder` wrote, the weights in float32, to be trained further."""
    model = VisionTextDualEncoderModel.from_pretrained(folder, dtype="float32")
    return model, PreTrainedTokenizerFast.from_pretrained(folder)


def deepen(model: VisionTextDualEncoderModel, layers: tuple[int, ...]) -> VisionTextDualEncoderModel:
    """The same model with more blocks in its image tower; it gives the same vectors until it is trained further.

    Each block that is new adds nothing at first: the scale of its last normalisation is zero.

    Parameters
    ----------
    layers : tuple of 4 int
        Blocks of each stage.

    Raises
    ------
    AgriClipError
        The model has more of them already.

    References
    ----------
    Chen, Goodfellow, Shlens, Net2Net: Accelerating Learning via Knowledge Transfer, 2016, section 2.3; the zero scale
    is that of Goyal et al., Accurate, Large Minibatch SGD, 2017, section 5.1.
    """
    config: Any = model.config
    image, text = config.vision_config.model_args, config.text_config
    if any(wanted < has for wanted, has in zip(layers, image["layers"], strict=True)):
        raise AgriClipError(f"layers {layers}: the model has {tuple(image['layers'])} already; give no fewer")
    deeper = build_model(
        text.vocab_size,
        layers=layers,
        channels=tuple(image["channels"]),
        text_width=text.hidden_size,
        text_layers=text.num_hidden_layers,
        projection=config.projection_dim,
    )
    tower: Any = deeper.vision_model.timm_model
    for stage, had in enumerate(image["layers"], start=1):
        for block in tower.get_submodule(f"layer{stage}")[had:]:
            block.bn2.weight.data.zero_()
    deeper.load_state_dict(deeper.state_dict() | model.state_dict())
    return deeper


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
        Side of the square picture that the image tower sees, pixels.
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
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.25, 0.25, 0.25],
    )
    stored: Any = copy.deepcopy(model)
    stored = stored.to("cpu", torch.float16 if half else torch.float32)
    stored.save_pretrained(folder)
    VisionTextDualEncoderProcessor(processor, tokenizer).save_pretrained(folder)


def words_in(texts: Iterable[str]) -> list[str]:
    """The distinct words of texts, lower case, in order; hyphens part words."""
    return sorted({word for text in texts for word in re.findall(r"[^\W\d_]+", text.lower())})
