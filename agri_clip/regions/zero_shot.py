"""ZeroShotProposer: regions from detectors of transformers that are asked in words, run slice by slice. Part of step 1.

OWL-ViT, OWLv2 and Grounding DINO. They are asked for something as general as an insect, and which word they heard is
dropped; what it is, step 2 says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from agri_clip.errors import AgriClipError, ModelError
from agri_clip.models import hub
from agri_clip.models.devices import choose_device
from agri_clip.models.loading import load_model, load_processor
from agri_clip.photos.photo import Photo
from agri_clip.regions.base import Regions
from agri_clip.regions.merging import merge_regions
from agri_clip.regions.tiling import propose_in_tiles

#: Kinds of detectors as their config.json names them, and the side of their input in pixels where it names none.
INPUT_SIDES = {"owlv2": 768, "owlvit": 768, "grounding-dino": 800}
#: The one of them that reads all words as one sentence and not each by itself.
ONE_SENTENCE = "grounding-dino"
#: Pictures longer than this many times their width are widened with black: Grounding DINO takes a fixed number of
#: places from each picture and fails where a thin strip has fewer.
MAX_ASPECT = 8


@dataclass(frozen=True)
class ZeroShotSettings:
    """What changes the regions that one model gives.

    Attributes
    ----------
    words : tuple of str
        What to look for, in general words. A single str is one word.
    tile : int
        Side in photo pixels of the slices that a larger photo is cut into; 0 shows it whole, shrunk to the model's
        input.
    overlap : int
        Least overlap of neighbouring slices in photo pixels; no insect should be longer.
    conf : float
        Regions have a higher confidence than this, 0 to 1. Low, because later steps reject what is no insect.
    iou : float
        Of regions that overlap by more, the best stays.
    max_det : int
        Most regions that one slice may give. Where it cuts some, the notes say so.
    """

    words: tuple[str, ...] = ("insect",)
    tile: int = 800
    overlap: int = 160
    conf: float = 0.1
    iou: float = 0.6
    max_det: int = 1000

    def __post_init__(self) -> None:
        words = (self.words,) if isinstance(self.words, str) else tuple(self.words)
        object.__setattr__(self, "words", words)
        if not words or not all(isinstance(word, str) and word.strip() and "." not in word for word in words):
            raise AgriClipError(
                f"proposer setting words {words} must be one text or more, none empty and none with a full stop, "
                "which parts texts from each other"
            )
        if self.tile < 0 or (self.tile and not 0 <= self.overlap < self.tile) or self.max_det < 1:
            raise AgriClipError(
                f"proposer settings do not fit: tile {self.tile} (0 for none), overlap {self.overlap} (smaller than "
                f"the tile), max_det {self.max_det} (1 or more)"
            )
        if not (0 <= self.conf <= 1 and 0 <= self.iou <= 1):
            raise AgriClipError(f"proposer settings conf {self.conf} and iou {self.iou} must be between 0 and 1")


class ZeroShotProposer:
    """Regions from a text-prompted detector of transformers: OWL-ViT, OWLv2, Grounding DINO.

    The model's own processor is used. Its confidence in the best of the words is the objectness, which is no
    probability. Only safetensors weights are loaded, and no code that comes with a model is run.

    Parameters
    ----------
    model : str or Path
        A hub name (``"google/owlv2-base-patch16-ensemble"``), fetched once, or a folder.
    device : str or None
        As for `agri_clip.models.devices.choose_device`.
    settings
        `ZeroShotSettings` by name; slices are as large as the model's input where `tile` is not given, and overlap by a
        fifth where `overlap` is not.

    Attributes
    ----------
    name, version : str
        As `Proposer` asks: the version holds transformers' version, the hash of the model's files, and the settings.
    calibrated : bool
        Always False: the confidence is no probability.

    Raises
    ------
    ModelError
        The model is not here and cannot be fetched, is of another kind, or has only pickled weights.
    AgriClipError
        Settings that do not fit together.

    References
    ----------
    Minderer, Gritsenko, Houlsby: Scaling Open-Vocabulary Object Detection. NeurIPS 2023 (OWLv2).
    Liu et al.: Grounding DINO. ECCV 2024.
    """

    calibrated = False

    def __init__(self, model: str | Path, *, device: str | None = None, **settings: Any) -> None:
        self.name = str(model)
        self.path = hub.ensure(self.name)
        self.device = device
        config = _read_config(self.path)
        self.kind = str(config.get("model_type"))
        if self.kind not in INPUT_SIDES:
            raise ModelError(
                f"{self.name} is no detector that is asked in words: config.json in {self.path} says model_type "
                f"{self.kind!r}, where one of {', '.join(INPUT_SIDES)} is needed"
            )
        self.settings = _settings_for(_input_side(config), settings)
        self._model: Any = None
        self._processor: Any = None
        chosen = " ".join(f"{key}={value}" for key, value in asdict(self.settings).items())
        self.version = f"transformers {version('transformers')} weights {hub.fingerprint(self.path)} {chosen}"

    def propose(self, photo: Photo) -> Regions:
        """Regions of one photo, best first; the notes say where a cap cut them.

        Raises
        ------
        ModelError
            The model cannot be loaded, has no room for the words, or failed while it ran.
        """
        return self.propose_pixels(photo.pixels)

    def propose_pixels(self, pixels: np.ndarray) -> Regions:
        """As `propose`, for pixels (h, w, 3) uint8 RGB."""
        if self._model is None:
            self._load()
        settings = self.settings
        return propose_in_tiles(
            pixels,
            self._propose_tile,
            tile=settings.tile or max(pixels.shape[:2]),
            overlap=settings.overlap if settings.tile else 0,
            threshold=settings.iou,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_model": None, "_processor": None}  # workers load the network for themselves

    def _load(self) -> None:
        import torch
        from transformers import AutoModelForZeroShotObjectDetection

        processor = load_processor(self.name, self.path)
        # Boxes of half a pixel's error would follow from half precision, so there is no choice of it.
        model = load_model(AutoModelForZeroShotObjectDetection, self.name, self.path, torch.float32)
        self._check_length(processor.tokenizer, model.config)
        self._processor, self._model = processor, model.to(choose_device(self.device))

    def _check_length(self, tokenizer: Any, config: Any) -> None:
        """Refuse words of which the model would not read the end."""
        limit, texts = config.text_config.max_position_embeddings, list(self.settings.words)
        if self.kind == ONE_SENTENCE:
            limit, texts = min(limit, config.max_text_len), [". ".join(texts) + "."]
        for text in texts:
            length = len(tokenizer(text, truncation=False, verbose=False)["input_ids"])
            if length > limit:
                raise ModelError(f"{self.name} reads {limit} tokens; the words {text!r} have {length}: say it shorter")

    def _propose_tile(self, tile: np.ndarray) -> Regions:
        """Regions of one slice (h, w, 3), in its pixels."""
        settings, (height, width) = self.settings, tile.shape[:2]
        found, places = self._ask(_widened(tile))
        # OWLv2 pads a picture to a square, so boxes may lie in the padding; of those and of slivers nothing is seen.
        boxes = np.clip(found.boxes, 0, np.tile([width, height], 2))
        inside = (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)
        merged = merge_regions(Regions(boxes[inside], found.objectness[inside]), threshold=settings.iou)
        notes = []
        if len(found) >= places:
            notes.append(
                f"{self.name} can give {places} regions of one slice at most and reached that; some may be missing "
                "(smaller tiles give it more slices)"
            )
        if len(merged) > settings.max_det:
            notes.append(
                f"{self.name} reached its cap of {settings.max_det} regions in one slice; some are missing "
                "(raise max_det or conf, or use smaller tiles)"
            )
        kept = merged[: settings.max_det]
        return replace(kept, notes=tuple(notes), at_cap=bool(notes))

    def _ask(self, picture: np.ndarray) -> tuple[Regions, int]:
        """Run the network on one picture (h, w, 3).

        Returns
        -------
        Regions
            In the picture's pixels, in no order; they may reach beyond it.
        int
            How many the network could have given.
        """
        import torch

        settings = self.settings
        # The library looks for the phrase of each region; above a threshold of 1 there is none to look for.
        options = {"text_threshold": 1.0} if self.kind == ONE_SENTENCE else {}
        try:
            with torch.inference_mode():
                inputs = self._processor(
                    images=np.ascontiguousarray(picture),
                    text=[list(settings.words)],
                    input_data_format="channels_last",
                    return_tensors="pt",
                ).to(self._model.device)
                outputs = self._model(**inputs)
                (result,) = self._processor.post_process_grounded_object_detection(
                    outputs, threshold=settings.conf, target_sizes=[picture.shape[:2]], **options
                )
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self.name}: transformers failed while it ran: {error}") from error
        return Regions(result["boxes"].cpu().numpy(), result["scores"].cpu().numpy()), outputs.logits.shape[1]


def find(name: str | Path) -> Path | None:
    """Folder of a detector that is asked in words, on this machine, or None; touches no network.

    Parameters
    ----------
    name : str or Path
        A folder, complete or not, or a hub name, which must be wholly in the Hugging Face cache.
    """
    if not str(name):
        return None
    given = Path(name).expanduser()
    folder = given if given.is_dir() else hub.locate(str(name))
    return folder if folder is not None and _read_config(folder).get("model_type") in INPUT_SIDES else None


def _read_config(folder: Path) -> dict[str, Any]:
    """What config.json of a folder says; empty where there is none or it is no JSON object."""
    try:
        config = json.loads((folder / hub.TRANSFORMERS.config).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _input_side(config: Mapping[str, Any]) -> int:
    """Side of a model's input in pixels; Grounding DINO takes pictures of any size, this is the shorter side's."""
    vision = config.get("vision_config")
    side = vision.get("image_size") if isinstance(vision, dict) else None
    return side if isinstance(side, int) else INPUT_SIDES[config["model_type"]]


def _settings_for(side: int, given: Mapping[str, Any]) -> ZeroShotSettings:
    """Settings that the user gave, over the defaults of a model with inputs of `side` pixels."""
    known = [field.name for field in fields(ZeroShotSettings)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise AgriClipError(
            f"a proposer that is asked in words has no setting {unknown[0]!r}; it has: {', '.join(known)}"
        )
    chosen = {"tile": side, **{key: value for key, value in given.items() if value is not None}}
    chosen.setdefault("overlap", chosen["tile"] // 5)
    return ZeroShotSettings(**chosen)


def _widened(tile: np.ndarray) -> np.ndarray:
    """A slice, or where it is a strip thinner than `MAX_ASPECT` allows, the slice with black below or to its right."""
    height, width = tile.shape[:2]
    least = ceil(max(height, width) / MAX_ASPECT)
    missing = max(0, least - height), max(0, least - width)
    return np.pad(tile, ((0, missing[0]), (0, missing[1]), (0, 0))) if any(missing) else tile
