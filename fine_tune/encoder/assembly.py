"""Puts a trained tower, projections and text tower together as the model that ships."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTextConfig, TimmWrapperConfig, VisionTextDualEncoderConfig, VisionTextDualEncoderModel

from fine_tune.encoder.dual_encoder import END, PAD, START, TEXT_LENGTH
from fine_tune.encoder.tower import Rest
from fine_tune.encoder.words import WordsRecipe


def build_model(architecture: str, features: int, vocabulary: int, recipe: WordsRecipe) -> Any:
    """The two towers as one Hugging Face model; text tower and projections have random weights."""
    settings: dict[str, Any] = {
        "architecture": architecture,
        "do_pooling": True,
        "num_labels": 0,
        "hidden_size": features,
    }
    text = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=recipe.text_width,
        intermediate_size=4 * recipe.text_width,
        num_hidden_layers=recipe.text_layers,
        num_attention_heads=4,
        max_position_embeddings=TEXT_LENGTH,
        projection_dim=recipe.projection,
        pad_token_id=PAD,
        bos_token_id=START,
        eos_token_id=END,
    )
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        TimmWrapperConfig(**settings), text, projection_dim=recipe.projection, logit_scale_init_value=2.6592
    )
    torch.manual_seed(recipe.seed)
    return VisionTextDualEncoderModel(config)


def put_tower(model: Any, net: Any, rest: Rest, stages: int) -> None:
    """Give a model the kept stages of `net` and the trained ones of `rest`."""
    whole = deepcopy(net)
    whole.reset_classifier(0)
    for number, stage in enumerate(rest.blocks, start=stages):
        whole.blocks[number] = deepcopy(stage)
    whole.conv_head, whole.bn2 = deepcopy(rest.conv_head), deepcopy(rest.bn2)
    model.vision_model.timm_model.load_state_dict(whole.state_dict())


def take_tower(rest: Rest, model: Any, stages: int) -> None:
    """Give `rest` the trained stages of a finished model."""
    tower = model.vision_model.timm_model
    for number, stage in enumerate(rest.blocks, start=stages):
        stage.load_state_dict(tower.blocks[number].state_dict())
    rest.conv_head.load_state_dict(tower.conv_head.state_dict())
    rest.bn2.load_state_dict(tower.bn2.state_dict())


@torch.inference_mode()
def features_of(rest: Rest, maps: Tensor, batch: int = 64) -> Tensor:
    """Features (n, d) float32 of maps (n, c, s, s) float16."""
    parts = [
        rest(maps[i : i + batch].float().contiguous(memory_format=torch.channels_last))
        for i in range(0, len(maps), batch)
    ]
    return torch.cat(parts)


def centred_projection(
    photos: np.ndarray, others: np.ndarray, width: int, mean: np.ndarray, one: np.ndarray
) -> np.ndarray:
    """A start for the image projection: features less the mean of photos, over their spread, along the main directions.

    Photos are centred and not the drawn crops, of which there are more: what all photos share tells nothing of any.

    Parameters
    ----------
    photos : ndarray, shape (n, d)
        Features of photos.
    others : ndarray, shape (m, d)
        Features of other pictures, which have a say in the directions.
    width : int
        Directions that are kept.
    mean, one : ndarray, shape (d,)
        Of `common_part` of the photos.

    Returns
    -------
    ndarray, shape (width, d), float32
    """
    spread = photos.std(axis=0, dtype=np.float64)
    scaled = (np.eye(len(mean)) - np.outer(mean, one)) / (spread + 0.1 * spread.mean())[:, None]
    scatter = np.zeros_like(scaled)
    for features in (photos.astype(np.float64), others.astype(np.float64)):
        seen = features @ scaled.T
        scatter += np.cov(seen, rowvar=False) / np.var(seen, axis=0).sum()
    _, directions = np.linalg.eigh(scatter)
    return np.asarray(directions[:, ::-1][:, :width].T @ scaled, np.float32)
