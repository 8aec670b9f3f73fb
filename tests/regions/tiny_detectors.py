"""Tiny detectors of the real architectures with their real processors, written as the folders that the hub would give.

Their weights are random, except where a test wants boxes at known places.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import transformers as hf

from tests.encoders.tiny_models import TOWER, clip_text, clip_tokenizer

#: Side of the input; the processors scale every picture to it, as those of the hub do to 960, 768 or 800.
SIDE = 64
#: Patches along a side of OWL's input.
GRID = 8


def bert_tokenizer() -> hf.BertTokenizer:
    """WordPiece of single letters; the special tokens have BERT's ids, which Grounding DINO knows by heart."""
    tokens = [f"[unused{i}]" for i in range(1030)]
    tokens[0], tokens[100], tokens[101], tokens[102], tokens[103] = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
    tokens[1012], tokens[1029] = ".", "?"
    letters = [chr(i) for i in range(97, 123)]
    tokens += [*letters, *(f"##{letter}" for letter in letters)]
    return hf.BertTokenizer(vocab={t: i for i, t in enumerate(tokens)}, model_max_length=512)


def steady(last_layer: torch.nn.Linear, still: bool) -> None:
    """Let boxes stray a little from the places that the architecture has for them, or not at all."""
    torch.nn.init.normal_(last_layer.weight, std=0.0 if still else 0.1)
    torch.nn.init.zeros_(last_layer.bias)


def owl(folder: Path, kind: str, still: bool) -> None:
    """OWL-ViT or OWLv2; where it is still, each patch gives the box that the architecture has for it."""
    tokenizer = clip_tokenizer()
    text = clip_text(tokenizer)
    vision = TOWER | {"image_size": SIDE, "patch_size": SIDE // GRID}
    size = {"height": SIDE, "width": SIDE}
    if kind == "owlv2":
        config = hf.Owlv2Config(text_config=text, vision_config=vision, projection_dim=16)
        model, processor = hf.Owlv2ForObjectDetection(config), hf.Owlv2Processor
        pictures = hf.Owlv2ImageProcessor(size=size)
    else:
        config = hf.OwlViTConfig(text_config=text, vision_config=vision, projection_dim=16)
        model, processor = hf.OwlViTForObjectDetection(config), hf.OwlViTProcessor
        pictures = hf.OwlViTImageProcessor(size=size)
    steady(model.box_head.dense2, still)
    model.save_pretrained(folder)
    processor(pictures, tokenizer).save_pretrained(folder)


def owlv2(folder: Path, still: bool) -> None:
    owl(folder, "owlv2", still)


def owlvit(folder: Path, still: bool) -> None:
    owl(folder, "owlvit", still)


def grounding_dino(folder: Path, still: bool) -> None:
    """Grounding DINO on a Swin backbone; where it is still, boxes stay where the first stage places them."""
    tokenizer = bert_tokenizer()
    backbone = hf.SwinConfig(
        image_size=SIDE,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 2, 2, 2],
        window_size=4,
        out_features=["stage2", "stage3", "stage4"],
    )
    text = hf.BertConfig(**TOWER, vocab_size=len(tokenizer))
    config = hf.GroundingDinoConfig(
        backbone_config=backbone,
        text_config=text,
        d_model=64,
        num_queries=40,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        disable_custom_kernels=True,
    )
    model = hf.GroundingDinoForObjectDetection(config)
    for head in (model.model.encoder_output_bbox_embed, *model.bbox_embed):
        steady(head.layers[-1], still)
    pictures = hf.GroundingDinoImageProcessor(size={"shortest_edge": SIDE, "longest_edge": 2 * SIDE})
    model.save_pretrained(folder)
    hf.GroundingDinoProcessor(pictures, tokenizer).save_pretrained(folder)


MAKERS: dict[str, Callable[[Path, bool], None]] = {
    "owlv2": owlv2,
    "owlvit": owlvit,
    "grounding-dino": grounding_dino,
}


def make(kind: str, folder: Path, *, still: bool = False) -> Path:
    """Write the detector of a kind, with the same random weights every time."""
    torch.manual_seed(0)
    MAKERS[kind](folder, still)
    return folder
