"""Trains `insect-yolo`, the embedded class-agnostic detector, from nothing on real and rendered trap photos.

python -m fine_tune.detector --out runs/first --photos DIR    # again after a kill: goes on where it was
python -m fine_tune.detector --out runs/insect-yolo --photos DIR --start runs/first/left-out --steps 3000
python -m fine_tune.detector --out runs/scales --photos DIR --named DIR --start runs/insect-yolo/model --steps 1600
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor, nn

from agri_clip.errors import ModelError
from agri_clip.regions.yolo_models import fingerprint, import_ultralytics, load_model, save_model_folder
from fine_tune.detector.composed import Sources, compose_tile, read_cut_outs, write_drawn
from fine_tune.detector.named import read_named, write_cut_outs
from fine_tune.detector.photos import LabelledPhoto, read_real, read_rendered, write_photos
from fine_tune.detector.tiles import TileRecipe, cut_close_up, cut_tile
from fine_tune.training.checkpoints import load_checkpoint, save_checkpoint
from fine_tune.training.precision import Bfloat16, fast_bfloat16, training_device
from fine_tune.training.schedule import cosine_with_warmup, decay_groups, follow, made_ahead

#: What the shipped model tells `YoloProposer`: native scale, slices of twice the training tile's side, and two coarse
#: looks at the whole photo. A look of the training tile's own side shows the largest insects as training did.
SETTINGS = {
    "imgsz": 640,
    "tile": 640,
    "overlap": 128,
    "conf": 0.03,
    "iou": 0.55,
    "views": 2,
    "whole": 1024,
    "looks": [640, 320],
}

#: The facts of a run, in its model folder.
TRAINING = "training.json"
#: What a run with close-ups changes of the recipe: the traps keep their share, and every kind of ground is in it.
WITH_CLOSE_UPS: dict[str, Any] = {
    "real_share": 0.375,
    "named_share": 0.1875,
    "composed_share": 0.375,
    "warmup": 100,
    "left_out": (),
    "left_out_until": 0.0,
}


@dataclass(frozen=True)
class Recipe:
    """Everything that fixes a training run.

    Attributes
    ----------
    architecture : str
        An ultralytics detection architecture, untrained.
    photos : int
        Rendered photos.
    steps, batch : int
        Optimiser steps, and tiles in each.
    learning_rate, weight_decay, warmup : float, float, int
        Peak rate, decoupled decay, and steps of linear warm-up before the cosine.
    average : float
        Decay of the running average of the weights, which is what ships.
    real_share : float
        Share of a batch that is tiles of real traps, where there are any.
    named_share, composed_share : float
        Shares of a batch that are tiles of close-ups, and composed tiles; 0 without close-ups.
    left_out : tuple of str
        Kinds of ground that are kept from the network until `left_out_until`, so that the network as it is then tells
        how well it does on kinds that it never saw.
    left_out_until : float
        Share of the steps.
    tile : int
        Side of a tile, pixels.
    bfloat16 : bool
        Passes of the network; faster where the processor has it.
    start : str
        Fingerprint of the weights that are trained further; empty from nothing.
    seed : int
    """

    architecture: str = "yolo11n"
    photos: int = 2400
    steps: int = 4500
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: int = 150
    average: float = 0.998
    real_share: float = 0.5
    named_share: float = 0.0
    composed_share: float = 0.0
    left_out: tuple[str, ...] = ("blue", "pan water", "leaf")
    left_out_until: float = 0.8
    tile: int = 320
    bfloat16: bool = False
    start: str = ""
    seed: int = 0


def build_detector(architecture: str, seed: int) -> Any:
    """An untrained ultralytics network of one class, with the loss that trains it.

    Parameters
    ----------
    architecture : str
        Name of a configuration of ultralytics, such as ``yolo11n``.
    seed : int
    """
    import_ultralytics()
    from ultralytics.cfg import get_cfg
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(seed)
    net: Any = DetectionModel(f"{architecture}.yaml", nc=1, verbose=False)
    net.names, net.args, net.task = {0: "insect"}, get_cfg(), "detect"
    return net


def open_network(start: Path) -> Any:
    """The network of an ultralytics model, ready to be trained further.

    Raises
    ------
    ModelError
        It is no detection model, or knows several classes.
    """
    import_ultralytics()
    from ultralytics.cfg import get_cfg
    from ultralytics.nn.tasks import DetectionModel

    net: Any = load_model(start).model
    kind = type(net)
    if kind is not DetectionModel or len(net.names) != 1:
        raise ModelError(
            f"{start}: only a detection model of one class, such as insect-yolo, can be trained further; this is a "
            f"{kind.__name__} of {len(getattr(net, 'names', ()))} classes"
        )
    net.args = get_cfg()
    return net.float()


class Tiles:
    """Batches of tiles; batch number k is the same in every run of a recipe, whatever came before.

    Parameters
    ----------
    recipe : Recipe
    real, rendered : sequence of LabelledPhoto
        Real traps and rendered photos.
    named : sequence of LabelledPhoto
        Close-ups.
    composed : Sources, optional
        What composed tiles are made of.
    """

    def __init__(
        self,
        recipe: Recipe,
        real: Sequence[LabelledPhoto],
        rendered: Sequence[LabelledPhoto],
        named: Sequence[LabelledPhoto] = (),
        composed: Sources | None = None,
    ) -> None:
        self.recipe, self.real, self.rendered = recipe, list(real), list(rendered)
        self.named, self.composed = list(named), composed
        self.allowed = [photo for photo in self.rendered if photo.kind not in recipe.left_out]

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        """One batch as ultralytics' losses want it: pixels (n, 3, size, size) 0 to 1, boxes as shares of the tile."""
        recipe = self.recipe
        # A run that goes on from another's weights sees other tiles than that did.
        rng = np.random.default_rng([recipe.seed, 14 if recipe.start else 13, step])
        everything = step >= recipe.left_out_until * recipe.steps
        rendered = self.rendered if everything else self.allowed
        cutting = TileRecipe(size=recipe.tile)
        reals = round(recipe.batch * recipe.real_share) if self.real else 0
        named = round(recipe.batch * recipe.named_share) if self.named else 0
        composed = round(recipe.batch * recipe.composed_share) if self.composed else 0
        pixels, boxes, owners = [], [], []
        for number in range(recipe.batch):
            left = recipe.batch - 1 - number
            if left < composed and self.composed is not None:
                tile, found = compose_tile(rng, self.composed, recipe.tile)
            elif left < composed + named:
                tile, found = cut_close_up(rng, self.named[rng.integers(len(self.named))], recipe.tile)
            else:
                source = self.real if number < reals else rendered
                tile, found = cut_tile(rng, source[rng.integers(len(source))], cutting)
            pixels.append(tile)
            boxes.append(found)
            owners.append(np.full(len(found), number))
        corners = torch.from_numpy(np.concatenate(boxes)) / recipe.tile
        centred = torch.cat([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], dim=1)
        return {
            "img": torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255,
            "batch_idx": torch.from_numpy(np.concatenate(owners)).float(),
            "cls": torch.zeros(len(corners), 1),
            "bboxes": centred,
        }


class Trainer:
    """One run: network, its running average, optimiser and step, saved together and resumed exactly.

    Parameters
    ----------
    recipe : Recipe
    tiles : Tiles
    out : Path
        Keeps the checkpoint and the log.
    net : ultralytics network, optional
        What is trained; without it, the recipe's architecture from nothing.
    """

    def __init__(self, recipe: Recipe, tiles: Tiles, out: Path, net: Any = None) -> None:
        self.recipe, self.tiles, self.out = recipe, tiles, out
        self.device = training_device()
        net = build_detector(recipe.architecture, recipe.seed) if net is None else net
        self.net = net.to(self.device, memory_format=torch.channels_last)
        self.average = deepcopy(self.net).eval()
        self.optimizer = torch.optim.AdamW(
            decay_groups(self.net, recipe.weight_decay), lr=recipe.learning_rate, betas=(0.9, 0.99)
        )
        self.step = 0
        self.seconds = 0.0

    def train_step(self, batch: dict[str, Tensor]) -> list[float]:
        """Take one optimiser step; the box, class and distribution losses a tile before it."""
        batch = {key: value.to(self.device) for key, value in batch.items()}
        batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        rate = self.recipe.learning_rate * cosine_with_warmup(self.step, self.recipe.warmup, self.recipe.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device, torch.bfloat16, enabled=self.recipe.bfloat16):
            losses, parts = self.net(batch)
        self.optimizer.zero_grad(set_to_none=True)
        losses.sum().div(self.recipe.batch).backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.optimizer.step()
        self.step += 1
        follow(self.average.state_dict().values(), self.net.state_dict().values(), self.recipe.average, self.step)
        return [float(part) for part in parts.values()]

    @property
    def checkpoint(self) -> Path:
        """Where the state of an unfinished run is kept."""
        return self.out / "checkpoint.pt"

    def state(self) -> dict[str, Any]:
        """All that a run is resumed from."""
        return {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def take_up(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self) -> None:
        """Write the whole state, or leave the older one."""
        save_checkpoint(self.checkpoint, self.recipe, self.state())

    def resume(self) -> bool:
        """Take up the state of an earlier run of the same recipe, if there is one.

        Raises
        ------
        AgriClipError
            The checkpoint was made with another recipe.
        """
        state = load_checkpoint(self.checkpoint, self.recipe, self.device)
        if state is None:
            return False
        self.take_up(state)
        return True

    def export(self, folder: Path) -> Path:
        """Write the averaged network as a model folder without pickle."""
        net = deepcopy(self.average).to("cpu", memory_format=torch.contiguous_format)
        net.criterion = None
        return save_model_folder(net, folder, **SETTINGS)

    def run(self, *, save_every: int = 200, log_every: int = 50) -> None:
        """Train to the recipe's last step, saving on the way; the log is a CSV beside the checkpoint.

        When the kinds that were left out come in, the network as it is goes to the folder `left-out`.
        """
        self.net.train()
        recipe, losses = self.recipe, []
        opening = int(np.ceil(recipe.left_out_until * recipe.steps))
        started = time.perf_counter() - self.seconds
        with (self.out / "log.csv").open("a", encoding="utf-8") as log:
            for batch in made_ahead(self.tiles, self.step, recipe.steps):
                losses.append(self.train_step(batch))
                self.seconds = time.perf_counter() - started
                if self.step == opening and recipe.left_out:
                    self.export(self.out / "left-out")
                if self.step % log_every == 0:
                    box, cls, dfl = np.mean(losses, axis=0)
                    log.write(f"{self.step},{box:.4f},{cls:.4f},{dfl:.4f},{self.seconds:.0f}\n")
                    log.flush()
                    losses.clear()
                if self.step % save_every == 0 or self.step == recipe.steps:
                    self.save()


def train_detector(
    recipe: Recipe,
    out: Path,
    photos: Path | None = None,
    *,
    named: Path | None = None,
    start: Path | None = None,
    processes: int | None = None,
) -> Path:
    """Train the embedded detector; the finished model folder is `out/model`.

    Parameters
    ----------
    recipe : Recipe
    out : Path
        Keeps the rendered photos, the checkpoint and the log. The same call again goes on where a killed run was.
    photos : Path or None
        A folder with `train.json` (COCO) and `images/`; None trains on renders alone.
    named : Path or None
        A folder with `catalogue.csv` and `images/` of close-ups, of which the split for training is taken.
    start : Path or None
        Model folder that is trained further; None begins from nothing. Where kinds are to be left out, one that never
        saw them: the folder `left-out` of an earlier run.

    Raises
    ------
    AgriClipError
        `out` holds a run of another recipe.
    ModelError
        `start` is no detection model of one class.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_photos(out / "photos", split="train", seed=recipe.seed, count=recipe.photos, processes=processes)
    real = [] if photos is None else read_real(photos / "train.json", photos / "images")
    rendered = read_rendered(out / "photos", recipe.photos)
    close_ups: list[LabelledPhoto] = []
    composed = None
    if named is not None:
        write_drawn(out / "drawn", recipe.seed)
        close_ups = read_named(named)
        write_cut_outs(out / "photographed", close_ups)
        insects = read_cut_outs(out / "photographed"), read_cut_outs(out / "drawn")
        composed = Sources(*insects, close_ups, real, rendered)
    net = None if start is None else open_network(start)
    recipe = recipe if start is None else replace(recipe, start=fingerprint(start))
    trainer = Trainer(recipe, Tiles(recipe, real, rendered, close_ups, composed), out, net)
    trainer.resume()
    trainer.run()
    folder = trainer.export(out / "model")
    facts: dict[str, Any] = {
        "recipe": asdict(recipe),
        "seconds": round(trainer.seconds),
        "tiles_seen": recipe.steps * recipe.batch,
        "parameters": sum(p.numel() for p in trainer.net.parameters()),
        "real_photos": len(real),
        "real_insects": sum(len(photo.boxes) for photo in real),
        "close_ups": len(close_ups),
        "close_up_insects": sum(len(photo.boxes) for photo in close_ups),
    }
    earlier = None if start is None else start / TRAINING
    if earlier is not None and earlier.exists():
        facts["before"] = json.loads(earlier.read_text(encoding="utf-8"))
    (folder / TRAINING).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return folder


def main(
    out: Annotated[Path, typer.Option(help="Folder for the photos, the checkpoint, the log and the model.")],
    photos: Annotated[Path | None, typer.Option(help="Folder with train.json (COCO) and images/.")] = None,
    rendered: Annotated[int, typer.Option(help="Rendered photos.")] = Recipe.photos,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = Recipe.steps,
    batch: Annotated[int, typer.Option(help="Tiles in a step.")] = Recipe.batch,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = Recipe.learning_rate,
    named: Annotated[Path | None, typer.Option(help="Folder of close-ups: catalogue.csv and images/.")] = None,
    seed: Annotated[int, typer.Option(help="Fixes photos, order and start.")] = Recipe.seed,
    start: Annotated[Path | None, typer.Option(help="Model folder to train further; default from nothing.")] = None,
    bfloat16: Bfloat16 = None,
    threads: Annotated[int | None, typer.Option(help="Cores for training; default all.")] = None,
) -> None:
    """Train the embedded class-agnostic detector; the same command after a kill goes on."""
    if threads:
        torch.set_num_threads(threads)
    half = fast_bfloat16(training_device()) if bfloat16 is None else bfloat16
    recipe = replace(Recipe(), photos=rendered, steps=steps, batch=batch, learning_rate=rate, seed=seed, bfloat16=half)
    if named is not None:
        recipe = replace(recipe, **WITH_CLOSE_UPS)
    typer.echo(f"model in {train_detector(recipe, out, photos, named=named, start=start)}")
