"""Training a proposer further: kept only where better on photos held out, resumed exactly, saved as a proposer."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from agri_clip.errors import AgriClipError, DataError, ModelError
from agri_clip.regions import get_proposer
from agri_clip.regions.yolo import YoloProposer
from agri_clip.regions.yolo_models import save_model_folder
from fine_tune.adapt import proposer as adapting
from fine_tune.adapt.field_photos import hold_out_photos, read_field_photos
from fine_tune.adapt.proposer import FieldTrainer, ProposerRecipe, ProposerResult, adapt_proposer, precision_on
from fine_tune.detector.photos import LabelledPhoto, write_photos
from fine_tune.detector.training import build_detector

TINY = ProposerRecipe(photos=2, steps=4, batch=2, warmup=1, tile=64, judge_every=2, rendered=1, seed=3)
SIDE, SQUARE = 160, 40


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rendered photos of `TINY`, rendered once."""
    folder = tmp_path_factory.mktemp("drawn")
    write_photos(folder, split="train", seed=TINY.seed, count=TINY.photos, processes=1)
    return folder


@pytest.fixture(autouse=True)
def rendered_before(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos that are there already are kept, so they are put there."""

    def put(folder: Path, **settings: Any) -> None:
        shutil.copytree(drawn, folder, dirs_exist_ok=True)
        write_photos(folder, **settings | {"seed": TINY.seed})

    monkeypatch.setattr(adapting, "write_photos", put)


def photo_of_squares(number: int) -> tuple[np.ndarray, list[list[int]]]:
    """A card with dark squares, and their boxes [x, y, w, h]."""
    rng = np.random.default_rng(number)
    pixels = np.full((SIDE, SIDE + 20, 3), (230, 200, 20), np.uint8)
    boxes = []
    for x, y in ((15, 20), (95, 30), (30, 100)):
        left, top = x + int(rng.integers(10)), y + int(rng.integers(10))
        pixels[top : top + SQUARE, left : left + SQUARE] = 15
        boxes.append([left, top, SQUARE, SQUARE])
    return pixels, boxes


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Four labelled photos in `images` beside the file."""
    folder = tmp_path / "field"
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(4):
        pixels, boxes = photo_of_squares(number)
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": SIDE + 20, "height": SIDE})
        annotations += [{"image_id": number, "category_id": 1, "bbox": box} for box in boxes]
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "insect"}]}
    document["annotations"] = [{"id": i, **row} for i, row in enumerate(annotations)]
    (folder / "labels.json").write_text(json.dumps(document))
    return folder / "labels.json"


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained detector of one class, with settings of its own."""
    net = build_detector("yolo11n", 0).eval()
    return save_model_folder(
        net, tmp_path_factory.mktemp("models") / "start", imgsz=64, tile=96, overlap=48, conf=0.001
    )


def adapt(coco: Path, out: Path, start: Path, recipe: ProposerRecipe = TINY, **more: Any) -> ProposerResult:
    return adapt_proposer(coco, out, proposer=str(start), recipe=recipe, processes=1, **more)


def judged_as(monkeypatch: pytest.MonkeyPatch, *values: float) -> None:
    """Let judgements come out as given, in turn; the last one stays."""
    left = list(values)
    monkeypatch.setattr(adapting, "precision_on", lambda *_: left.pop(0) if len(left) > 1 else left[0])


def same_weights(one: Path, other: Path) -> bool:
    a, b = (load_file(folder / "model.safetensors") for folder in (one, other))
    return all(torch.equal(a[key], b[key]) for key in a)


def test_better_weights_are_kept_with_the_settings_of_the_start(
    coco: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # At 0, 2 and 4 steps; then old and new as they would be used, each on the field and elsewhere.
    judged_as(monkeypatch, 0.1, 0.2, 0.3, 0.1, 0.7, 0.3, 0.6)
    result = adapt(coco, tmp_path / "mine", start)
    assert (result.kept, result.best_step, result.photos, result.held_out) == ("new", 4, 3, 1)
    assert (result.before, result.after, result.elsewhere_before, result.elsewhere_after) == (0.1, 0.3, 0.7, 0.6)
    assert not same_weights(start, tmp_path / "mine")
    proposer = get_proposer(str(tmp_path / "mine"))
    assert isinstance(proposer, YoloProposer)
    assert (proposer.settings.tile, proposer.settings.overlap, proposer.settings.conf) == (96, 48, 0.001)
    assert len(proposer.propose_pixels(photo_of_squares(9)[0])) > 0
    assert {file.name for file in (tmp_path / "mine").iterdir()} == {
        "model.yaml",
        "model.safetensors",
        "training.json",
        "metrics.csv",
        "learning-curve.png",
    }


@pytest.mark.parametrize("after", [0.2, 0.1])
def test_the_old_weights_are_kept_where_the_new_ones_are_no_better(
    after: float, coco: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged_as(monkeypatch, 0.1, 0.2, 0.3, 0.2, 0.7, after, 0.8)
    result = adapt(coco, tmp_path / "mine", start)
    assert (result.kept, result.before, result.after) == ("old", 0.2, after)
    assert same_weights(start, tmp_path / "mine")
    assert json.loads((tmp_path / "mine" / "training.json").read_text())["kept"] == "old"


def test_a_killed_run_ends_where_an_uninterrupted_one_does(
    coco: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged_as(monkeypatch, 0.1, 0.2, 0.3, 0.1, 0.3)
    adapt(coco, tmp_path / "whole", start)
    judged_as(monkeypatch, 0.1, 0.2)
    save = FieldTrainer.save

    def die(trainer: FieldTrainer) -> None:
        save(trainer)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FieldTrainer, "save", die)
        with pytest.raises(KeyboardInterrupt):
            adapt(coco, tmp_path / "killed", start)
    with pytest.raises(AgriClipError, match="another recipe"):
        adapt(coco, tmp_path / "killed", start, replace(TINY, seed=4))
    judged_as(monkeypatch, 0.3, 0.1, 0.3)
    resumed = adapt(coco, tmp_path / "killed", start)
    assert resumed.best_step == 4
    assert same_weights(tmp_path / "whole", tmp_path / "killed")


def test_training_stops_when_it_gets_no_better(
    coco: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged_as(monkeypatch, 0.3, 0.2)
    result = adapt(coco, tmp_path / "mine", start, replace(TINY, steps=50, judge_every=1, patience=2))
    assert (result.steps, result.best_step, result.kept) == (2, 0, "old")


def test_other_fields_are_mixed_in(coco: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged_as(monkeypatch, 0.1)
    seen: list[int] = []
    init = FieldTrainer.__init__

    def look(self: FieldTrainer, recipe: Any, tiles: Any, *rest: Any) -> None:
        seen.extend((len(tiles.real), len(tiles.rendered)))
        init(self, recipe, tiles, *rest)

    monkeypatch.setattr(FieldTrainer, "__init__", look)
    adapt(coco, tmp_path / "mine", start, replace(TINY, steps=1), also=[coco])
    assert seen == [3, 2 + 4]


def test_average_precision_is_that_of_the_boxes(start: Path) -> None:
    photos = [LabelledPhoto(*_labelled(number), "field", real=True) for number in range(2)]

    class Knowing(YoloProposer):
        def propose_pixels(self, pixels: np.ndarray) -> Any:
            from agri_clip.regions import Regions

            number = next(n for n in range(2) if np.array_equal(pixels, photos[n].pixels))
            boxes = photos[number].boxes if number == 0 else photos[number].boxes[:0]
            return Regions(boxes, np.full(len(boxes), 0.9, np.float32))

    # Three of six insects, none wrong: precision 1 up to a recall of one half, so 51 of COCO's 101 points.
    assert precision_on(Knowing(start), photos) == pytest.approx(51 / 101, abs=1e-3)


def _labelled(number: int) -> tuple[np.ndarray, np.ndarray]:
    pixels, boxes = photo_of_squares(number)
    corners = np.array(boxes, np.float32)
    return pixels, np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:]], axis=1)


def test_photos_are_held_out_whole_and_photos_without_insects_are_trained_on() -> None:
    photos = [LabelledPhoto(*_labelled(number), "field", real=True) for number in range(5)]
    photos.append(LabelledPhoto(photos[0].pixels, np.zeros((0, 4), np.float32), "field", real=True))
    back = hold_out_photos(photos, 0.25, 0)
    assert back.sum() == 1
    assert not back[5]
    with pytest.raises(DataError, match="at least two photos"):
        hold_out_photos(photos[4:], 0.25, 0)


def test_photos_labelled_as_stored_are_read_as_stored(tmp_path: Path) -> None:
    pixels = np.zeros((30, 50, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif)
    for width, height in ((50, 30), (30, 50)):
        document = {
            "images": [{"id": 1, "file_name": "a.jpg", "width": width, "height": height}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 10], "iscrowd": 0}],
            "categories": [{"id": 1, "name": "insect"}],
        }
        (tmp_path / "labels.json").write_text(json.dumps(document))
        (photo,) = read_field_photos(tmp_path / "labels.json")
        assert photo.pixels.shape == (height, width, 3)
        np.testing.assert_array_equal(photo.boxes, [[1, 2, 11, 12]])


def test_a_model_of_many_classes_is_refused(coco: Path, tmp_path: Path) -> None:
    net = build_detector("yolo11n", 0)
    net.names = {0: "cat", 1: "dog"}
    start = save_model_folder(net, tmp_path / "pets")
    with pytest.raises(ModelError, match="of one class"):
        adapt(coco, tmp_path / "mine", start)
