"""Where LoRA goes in a dual encoder: the q and v projections of both towers, or the kernels of a tower without any.

References
----------
Hu et al., LoRA: low-rank adaptation of large language models, ICLR 2022, section 4.2: q and v projections.
https://huggingface.co/docs/peft/package_reference/lora: convolutions are adapted by a kernel of the same size to
`rank` channels, and a kernel of one pixel from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from agri_clip.errors import ModelError

#: Towers by the names that transformers gives them.
TOWERS = ("vision_model", "text_model")
#: Names of the q and v projections, by family: CLIP, SigLIP and kin; BERT and kin.
PROJECTIONS = (("q_proj", "v_proj"), ("query", "value"))


def find_targets(model: nn.Module) -> list[str]:
    """Names of the layers that LoRA adapts.

    In each tower its q and v projections; in a tower without attention, such as a residual network, every convolution
    that mixes channels.

    Parameters
    ----------
    model : torch.nn.Module
        A dual encoder of transformers.

    Raises
    ------
    ModelError
        A tower has neither.
    """
    targets: list[str] = []
    for tower in TOWERS:
        inside = {f"{tower}.{name}": layer for name, layer in model.get_submodule(tower).named_modules()}
        found = [
            name
            for name, layer in inside.items()
            if isinstance(layer, nn.Linear) and any(name.endswith(tuple(f".{p}" for p in pair)) for pair in PROJECTIONS)
        ]
        attention = any("attn" in name or "attention" in name for name in inside)
        if not found and not attention:
            found = [name for name, layer in inside.items() if isinstance(layer, nn.Conv2d) and layer.groups == 1]
        if not found:
            raise ModelError(
                f"{tower}: LoRA finds no q and v projections in this tower, and it is no convolutional one; use "
                "--method full, or a head on its vectors (--method gda)"
            )
        targets.extend(found)
    return targets


def add_lora(model: Any, rank: int, alpha: float, dropout: float, base: str) -> Any:
    """Freeze a model and add LoRA to the layers of `find_targets`; untrained, it changes nothing (its B is 0).

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Changed in place.
    rank : int
        1 or more.
    alpha : float
        The change is multiplied by ``alpha / rank``.
    dropout : float
        Share of a layer's inputs that its adapter does not see in training.
    base : str
        What the adapter says it was trained on.

    Returns
    -------
    peft.PeftModel
        Shares its layers with `model`.

    Raises
    ------
    ModelError
        As for `find_targets`.
    """
    from peft import LoraConfig, get_peft_model

    settings: dict[str, Any] = {"r": rank, "lora_alpha": alpha, "lora_dropout": dropout, "bias": "none"}
    model.name_or_path = base  # peft records this, not what its configuration says
    return get_peft_model(model, LoraConfig(target_modules=find_targets(model), **settings))


def save_lora(wrapped: Any, folder: Path, share: float) -> None:
    """Write an adapter in peft's layout, its change multiplied by `share`.

    Parameters
    ----------
    wrapped : peft.PeftModel
    folder : Path
        Made if absent.
    share : float
        0 to 1; 1 is the change as it was trained.
    """
    config = wrapped.peft_config["default"]
    trained = config.lora_alpha
    config.lora_alpha = trained * share
    try:
        wrapped.save_pretrained(str(folder))
    finally:
        config.lora_alpha = trained
    (folder / "README.md").unlink(missing_ok=True)  # a form with blanks, which peft adds
