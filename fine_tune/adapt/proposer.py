"""Trains a proposer further on labelled photos of a field, the old set mixed in; the new one must prove better."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agri_clip.evaluation.matching import Boxes, average_precision
from agri_clip.formats.coco import Annotations
from agri_clip.io.console import progress
from agri_clip.regions.yolo import YoloProposer
from agri_clip.regions.yolo_models import fingerprint, obtain_weights, read_settings, save_model_folder
from fine_tune.adapt.curves import TensorBoardLog, plot_curve, write_metrics
from fine_tune.adapt.field_photos import hold_out_photos, read_field_photos
from fine_tune.detector.calibration import calibrate
from fine_tune.detector.photos import LabelledPhoto, read_rendered, render_photo, write_photos
from fine_tune.detector.training import SETTINGS, Recipe, Tiles, Trainer, open_network
from fine_tune.training.schedule import made_ahead

#: Where the rendered photos and the checkpoint are, until the run has ended.
WORK = "unfinished"


@dataclass(frozen=True)
class ProposerRecipe(Recipe):
    """How a proposer is trained further: as `fine_tune.detector.training.Recipe`, gentler and shorter, and

    Attributes
    ----------
    held_out : float
        Share of the insects, by whole photos, that early stopping and the verdict go by.
    judge_every, patience : int
        Steps between judgements, and judgements without a better average precision after which training stops.
    rendered : int
        Rendered photos of every ground that tell what is lost elsewhere, and that the confidence is fitted on beside
        those held out.
    data : str
        Hash of the photos; filled in, as `start` is, by `adapt_proposer`.
    """

    photos: int = 160
    steps: int = 300
    batch: int = 8
    learning_rate: float = 2e-4
    warmup: int = 20
    average: float = 0.98
    left_out: tuple[str, ...] = ()
    held_out: float = 0.25
    judge_every: int = 50
    patience: int = 3
    rendered: int = 24
    data: str = ""


@dataclass(frozen=True)
class ProposerResult:
    """What training further gave.

    Attributes
    ----------
    folder : Path
        What ``--proposer`` takes.
    before, after : float
        Average precision at IoU 0.5 on the photos held out, with the old weights and with the new ones.
    elsewhere_before, elsewhere_after : float
        The same on rendered photos of every ground.
    kept : {"new", "old"}
        Which weights the folder holds: the new ones only where they are better.
    steps, best_step : int
        Taken, and the one whose weights were judged at the end.
    photos, held_out : int
        Trained on, and kept back.
    """

    folder: Path
    before: float
    after: float
    elsewhere_before: float
    elsewhere_after: float
    kept: str
    steps: int
    best_step: int
    photos: int
    held_out: int


def adapt_proposer(
    coco: Path,
    out: Path,
    *,
    images: Path | None = None,
    proposer: str = "insect-yolo",
    also: Sequence[Path] = (),
    recipe: ProposerRecipe | None = None,
    resume: bool = True,
    tensorboard: bool = False,
    processes: int | None = None,
) -> ProposerResult:
    """Train a class-agnostic proposer further on labelled photos.

    Half of what it sees are tiles of these photos; the other half keeps it from forgetting all other grounds: rendered
    photos of every kind, and the sets given as `also`.

    Parameters
    ----------
    coco : Path
        COCO file of at least two photos in which every insect is labelled.
    out : Path
        The model folder to make. The same call after a kill goes on where the run was.
    images : Path or None
        Folder of the photos; None takes that of the file, or ``images`` in it.
    proposer : str
        An ultralytics detection model of one class.
    also : sequence of Path
        More COCO files of other fields to mix in.
    recipe : ProposerRecipe or None
    resume : bool
        Take up a run that was cut short; False begins anew.
    tensorboard : bool
        Write event files to `out`/tensorboard too.
    processes : int or None
        For rendering; None takes one a core.

    Raises
    ------
    DataError
        A COCO file cannot be used, or there are too few photos.
    ModelError
        No such proposer, or not one of a single class.
    AgriClipError
        `out` holds an unfinished run of other photos or settings.
    """
    start = obtain_weights(proposer)
    old = open_network(start)
    settings = {**SETTINGS, **read_settings(start)}
    photos = read_field_photos(coco, images)
    recipe = replace(recipe or ProposerRecipe(), start=fingerprint(start), data=_digest(photos))
    back = hold_out_photos(photos, recipe.held_out, recipe.seed)
    field, held_out = (photos_of(photos, chosen) for chosen in (~back, back))
    work = out / WORK
    work.mkdir(parents=True, exist_ok=True)
    write_photos(work / "photos", split="train", seed=recipe.seed, count=recipe.photos, processes=processes)
    others = [photo for file in also for photo in read_field_photos(file)]
    mixed = [*read_rendered(work / "photos", recipe.photos), *others]
    trainer = FieldTrainer(recipe, Tiles(recipe, field, mixed), work, old, held_out, settings)
    if resume:
        trainer.resume()
    trainer.run_until_best(out, tensorboard)
    result = _settle(trainer, out)
    plot_curve(out / "learning-curve.png", trainer.rows, ("loss",), "held_out_ap50", result.best_step)
    shutil.rmtree(work)
    return result


def photos_of(photos: Sequence[LabelledPhoto], chosen: np.ndarray) -> list[LabelledPhoto]:
    """The photos where `chosen`, shape (n,), is true."""
    return [photo for photo, taken in zip(photos, chosen.tolist(), strict=True) if taken]


def precision_on(proposer: YoloProposer, photos: Sequence[LabelledPhoto]) -> float:
    """Average precision at IoU 0.5 on labelled photos; 0 where nothing is found."""
    regions = [proposer.propose_pixels(photo.pixels) for photo in photos]
    owners = np.repeat(np.arange(len(photos)), [len(found) for found in regions])
    insects = np.repeat(np.arange(len(photos)), [len(photo.boxes) for photo in photos])
    truth = Annotations(
        source="photos held out",
        file_names=tuple(map(str, range(len(photos)))),
        sizes=np.array([photo.pixels.shape[1::-1] for photo in photos], np.int64),
        category_names=("insect",),
        photo_index=insects,
        boxes=np.concatenate([photo.boxes for photo in photos]).astype(np.float64),
        category_index=np.zeros(len(insects), np.int64),
        crowd=np.zeros(len(insects), bool),
    )
    found = Boxes(
        photo_index=owners,
        xyxy=np.concatenate([found.boxes for found in regions]).astype(np.float64),
        scores=np.concatenate([found.objectness for found in regions]).astype(np.float64),
        label_index=np.zeros(len(owners), np.int64),
        counted=np.ones(len(owners), bool),
    )
    return float(np.nan_to_num(average_precision(found.ranked(), truth)[1][0, 0])) if len(found) else 0.0


class FieldTrainer(Trainer):
    """A run that starts from trained weights, is judged on photos held out, and stops where it gets no better."""

    def __init__(
        self,
        recipe: ProposerRecipe,
        tiles: Tiles,
        work: Path,
        net: Any,
        held_out: Sequence[LabelledPhoto],
        settings: dict[str, Any],
    ) -> None:
        self.old = deepcopy(net)
        super().__init__(recipe, tiles, work, net)
        self.field, self.held_out, self.settings = recipe, held_out, settings
        self.best, self.best_step, self.best_precision, self.stale = deepcopy(self.average), 0, -math.inf, 0
        self.rows: list[dict[str, float | int]] = []

    def state(self) -> dict[str, Any]:
        """All that a run is resumed from."""
        own = {name: getattr(self, name) for name in ("best_step", "best_precision", "stale", "rows")}
        return {**super().state(), "best": self.best.state_dict(), **own}

    def take_up(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        super().take_up(state)
        self.best.load_state_dict(state["best"])
        for name in ("best_step", "best_precision", "stale", "rows"):
            setattr(self, name, state[name])

    def judge(self, net: Any, photos: Sequence[LabelledPhoto], **changes: Any) -> float:
        """Average precision of a network on some photos."""
        return precision_on(YoloProposer(self.write(net, self.out / "judged"), **changes), photos)

    def write(self, net: Any, folder: Path) -> Path:
        """Write a network as a model folder with the settings of the start."""
        copied = deepcopy(net).to("cpu", memory_format=torch.contiguous_format)
        copied.criterion = None
        return save_model_folder(copied, folder, **self.settings)

    def run_until_best(self, out: Path, tensorboard: bool = False) -> None:
        """Train until the last step, or until the photos held out say that it gets no better."""
        recipe, losses = self.field, list[float]()
        started = time.perf_counter() - self.seconds
        log = TensorBoardLog(out / "tensorboard", self.step + 1) if tensorboard else None
        if not self.rows:
            self._record(out, math.nan, log)
        if self.stale < recipe.patience:
            batches = made_ahead(self.tiles, self.step, recipe.steps)
            for batch in progress(batches, recipe.steps - self.step, "training"):
                self.net.train()
                losses.append(sum(self.train_step(batch)))
                if self.step % recipe.judge_every == 0 or self.step == recipe.steps:
                    self.seconds = time.perf_counter() - started
                    self._record(out, float(np.mean(losses)), log)
                    self.save()
                    losses.clear()
                    if self.stale >= recipe.patience:
                        break
        if log is not None:
            log.close()

    def _record(self, out: Path, loss: float, log: TensorBoardLog | None) -> None:
        """Judge, remember the weights if they are the best, and write down how far training is."""
        precision = self.judge(self.average, self.held_out, views=1)
        if precision > self.best_precision:
            self.best, self.best_step, self.best_precision = deepcopy(self.average), self.step, precision
            self.stale = 0
        else:
            self.stale += 1
        row = {"step": self.step, "loss": loss, "held_out_ap50": precision, "seconds": round(self.seconds, 1)}
        self.rows.append(row)
        write_metrics(out / "metrics.csv", self.rows)
        if log is not None:
            log.add(row)


def _settle(trainer: FieldTrainer, out: Path) -> ProposerResult:
    """Compare old and new as they would be used, and write the better ones; the old ones where they are equal."""
    recipe = trainer.field
    drawn = [render_photo("validation", recipe.seed, number) for number in range(recipe.rendered)]
    rendered = [LabelledPhoto(p.pixels, p.boxes.astype(np.float32), p.kind, real=False) for p in drawn]
    (before, elsewhere_before), (after, elsewhere_after) = (
        [trainer.judge(net, photos) for photos in (trainer.held_out, rendered)] for net in (trainer.old, trainer.best)
    )
    better = after > before
    trainer.write(trainer.best if better else trainer.old, out)
    if better:
        calibrate(out, trainer.held_out, rendered)
    result = ProposerResult(
        folder=out,
        before=before,
        after=after,
        elsewhere_before=elsewhere_before,
        elsewhere_after=elsewhere_after,
        kept="new" if better else "old",
        steps=trainer.step,
        best_step=trainer.best_step,
        photos=len(trainer.tiles.real),
        held_out=len(trainer.held_out),
    )
    facts = {**{key: value for key, value in asdict(result).items() if key != "folder"}, "recipe": asdict(recipe)}
    (out / "training.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return result


def _digest(photos: Sequence[LabelledPhoto]) -> str:
    whole = sha256()
    for photo in photos:
        whole.update(photo.pixels.tobytes())
        whole.update(photo.boxes.tobytes())
    return whole.hexdigest()[:16]
