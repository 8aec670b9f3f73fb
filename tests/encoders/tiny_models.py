"""Tiny models of the real architectures with their real processors, written as the folders that the hub would give."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import torch
import transformers as hf

SIDE = 32
WORDS = [
    *("a", "an", "aphid", "fly", "green", "insect", "leaf", "moth", "of", "on"),
    *("photo", "red", "small", "sticky", "the", "trap", "whitefly", "yellow"),
]
TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = TOWER | {"image_size": SIDE, "patch_size": 8}
SQUARE = {"height": SIDE, "width": SIDE}


def clip_tokenizer(length: int = 16) -> hf.CLIPTokenizer:
    """Byte-level BPE of single letters with CLIP's own special tokens, which come last as in the real vocabulary."""
    letters = [chr(i) for i in range(33, 127)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return hf.CLIPTokenizer(
        vocab={token: i for i, token in enumerate(tokens)},
        merges=[],
        model_max_length=length,
        pad_token="<|endoftext|>",
    )


def bert_tokenizer() -> hf.BertTokenizer:
    letters = [chr(i) for i in range(97, 123)]
    tokens = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *WORDS,
        *letters[1:],
        *(f"##{c}" for c in letters),
        *"蚜虫绿色",
    ]
    return hf.BertTokenizer(vocab={t: i for i, t in enumerate(dict.fromkeys(tokens))}, model_max_length=64)


def roberta_tokenizer() -> hf.XLMRobertaTokenizer:
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = [(f"▁{word}", -2.0) for word in WORDS] + [(chr(i), -9.0) for i in range(97, 123)] + [("▁", -8.0)]
    vocab = [(token, 0.0) for token in special] + pieces + [("<mask>", 0.0)]
    return hf.XLMRobertaTokenizer(vocab=vocab, model_max_length=64)


def siglip_tokenizer(folder: Path) -> hf.SiglipTokenizer:
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(WORDS)] * 20 + WORDS * 5),
        model_writer=model,
        vocab_size=48,
        pad_id=-1,
        bos_id=-1,
        eos_id=1,
        unk_id=2,
        control_symbols=["<pad>"],
        hard_vocab_limit=False,
        minloglevel=2,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(model.getvalue())
    return hf.SiglipTokenizer(str(folder / "spiece.model"), model_max_length=16)


def siglip2_tokenizer() -> hf.Siglip2Tokenizer:
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *(chr(i) for i in range(97, 123))]
    return hf.Siglip2Tokenizer(
        vocab={t: i for i, t in enumerate(tokens)}, merges=[], model_max_length=64, padding_side="right"
    )


def clip_text(tokenizer: hf.PreTrainedTokenizerBase) -> dict[str, object]:
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    return TOWER | ends | {"vocab_size": len(tokenizer), "max_position_embeddings": 16, "pad_token_id": 1}


def clip(folder: Path) -> None:
    tokenizer = clip_tokenizer()
    config = hf.CLIPConfig(text_config=clip_text(tokenizer), vision_config=VISION, projection_dim=12)
    pictures = hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE)
    save(folder, hf.CLIPModel(config), hf.CLIPProcessor(pictures, tokenizer))


def metaclip_2(folder: Path) -> None:
    tokenizer = roberta_tokenizer()
    config = hf.MetaClip2Config(text_config=clip_text(tokenizer), vision_config=VISION, projection_dim=12)
    pictures = hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE)
    save(folder, hf.MetaClip2Model(config), hf.CLIPProcessor(pictures, tokenizer))


def siglip(folder: Path) -> None:
    tokenizer = siglip_tokenizer(folder)
    text = TOWER | {"vocab_size": len(tokenizer), "max_position_embeddings": 16, "projection_size": 16}
    config = hf.SiglipConfig(text_config=text, vision_config=VISION)
    save(folder, hf.SiglipModel(config), hf.SiglipProcessor(hf.SiglipImageProcessor(size=SQUARE), tokenizer))


def siglip2(folder: Path) -> None:
    tokenizer = siglip2_tokenizer()
    text = TOWER | {"vocab_size": len(tokenizer), "max_position_embeddings": 64, "projection_size": 16}
    vision = TOWER | {"patch_size": 8, "num_patches": 16}
    config = hf.Siglip2Config(text_config=text, vision_config=vision)
    pictures = hf.Siglip2ImageProcessor(patch_size=8, max_num_patches=16)
    save(folder, hf.Siglip2Model(config), hf.Siglip2Processor(pictures, tokenizer))


def chinese_clip(folder: Path) -> None:
    tokenizer = bert_tokenizer()
    text = TOWER | {"vocab_size": len(tokenizer), "max_position_embeddings": 64, "pad_token_id": 0}
    config = hf.ChineseCLIPConfig(text_config=text, vision_config=VISION, projection_dim=12)
    pictures = hf.ChineseCLIPImageProcessor(size=SQUARE, do_center_crop=False)
    save(folder, hf.ChineseCLIPModel(config), hf.ChineseCLIPProcessor(pictures, tokenizer))


def align(folder: Path) -> None:
    tokenizer = bert_tokenizer()
    text = TOWER | {"vocab_size": len(tokenizer), "max_position_embeddings": 64, "pad_token_id": 0}
    vision = {"image_size": SIDE, "width_coefficient": 1.0, "depth_coefficient": 0.2, "hidden_dim": 16}
    small = {"in_channels": [32, 16], "out_channels": [16, 16], "kernel_sizes": [3, 3], "strides": [1, 2]}
    small |= {"num_block_repeats": [1, 1], "expand_ratios": [1, 2], "depthwise_padding": []}
    config = hf.AlignConfig(text_config=text, vision_config=vision | small, projection_dim=16)
    pictures = hf.EfficientNetImageProcessor(
        size=SQUARE, crop_size=SQUARE, do_center_crop=True, rescale_offset=True, include_top=False
    )
    save(folder, hf.AlignModel(config), hf.AlignProcessor(pictures, tokenizer))


def altclip(folder: Path) -> None:
    tokenizer = roberta_tokenizer()
    text = TOWER | {"vocab_size": len(tokenizer), "max_position_embeddings": 40, "project_dim": 16}
    config = hf.AltCLIPConfig(text_config=text, vision_config=VISION, projection_dim=12)
    pictures = hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE)
    save(folder, hf.AltCLIPModel(config), hf.AltCLIPProcessor(pictures, tokenizer))


def vision_text(folder: Path) -> None:
    """The kind of the embedded encoder: a convolutional image tower and the text tower of CLIP."""
    tokenizer = clip_tokenizer()
    vision = hf.TimmWrapperConfig(
        architecture="resnet10t",
        do_pooling=True,
        num_labels=0,
        hidden_size=16,
        model_args={"layers": [1, 1, 1, 1], "channels": [8, 8, 8, 16], "stem_type": "", "avg_down": False},
    )
    text = hf.CLIPTextConfig(**clip_text(tokenizer))
    config = hf.VisionTextDualEncoderConfig.from_vision_text_configs(vision, text, projection_dim=12)
    pictures = hf.CLIPImageProcessor(size=SQUARE, do_center_crop=False)
    processor = hf.VisionTextDualEncoderProcessor(pictures, tokenizer)
    save(folder, hf.VisionTextDualEncoderModel(config), processor)


#: What the real models learned, roughly; untrained values would hide a wrong scale, for they are 1 or 0.
LEARNED = {"logit_scale": 3.2, "logit_bias": -4.0, "temperature": 0.05}


def save(folder: Path, model: hf.PreTrainedModel, processor: hf.ProcessorMixin) -> None:
    for name, value in LEARNED.items():
        if hasattr(model, name):
            getattr(model, name).data.fill_(value)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


MAKERS: dict[str, Callable[[Path], None]] = {
    maker.__name__: maker for maker in (clip, metaclip_2, siglip, siglip2, chinese_clip, align, altclip, vision_text)
}


def make(kind: str, folder: Path) -> Path:
    """Write the model of a kind, with the same random weights every time."""
    torch.manual_seed(0)
    MAKERS[kind](folder)
    return folder
