"""Training of the detector: tiles keep their boxes on their insects, a killed run ends where another does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from agri_clip.errors import AgriClipError
from agri_clip.regions.yolo import YoloProposer
from fine_tune.detector.composed import CutOut, Sources, compose_tile, labels_seen, lay_cut_out, soften
from fine_tune.detector.named import KIND, cut_out, read_boxes
from fine_tune.detector.photos import (
    TRAINING_KINDS,
    LabelledPhoto,
    draw_settings,
    read_rendered,
    render_photo,
    write_photos,
)
from fine_tune.detector.tiles import TileRecipe, cut_close_up, cut_tile
from fine_tune.detector.training import WITH_CLOSE_UPS, Recipe, Tiles, Trainer, open_network, train_detector

TINY = Recipe(photos=8, steps=4, batch=2, warmup=2, tile=64, left_out=("leaf",), left_out_until=0.5, seed=3)
YELLOW = (230, 200, 20)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledPhoto]:
    folder = tmp_path_factory.mktemp("photos")
    write_photos(folder, split="train", seed=3, count=len(TRAINING_KINDS), processes=1)
    return read_rendered(folder, len(TRAINING_KINDS))


def card_with_squares(size: int = 400) -> LabelledPhoto:
    """A yellow card with black squares of 40 pixels, each a labelled insect."""
    pixels = np.full((size, size, 3), YELLOW, np.uint8)
    corners = [(x, y) for x in range(30, size - 60, 90) for y in range(20, size - 60, 110)]
    for x, y in corners:
        pixels[y : y + 40, x : x + 40] = 10
    boxes = np.array([(x, y, x + 40, y + 40) for x, y in corners], np.float32)
    return LabelledPhoto(pixels, boxes, "yellow", real=True)


def make_trainer(rendered: list[LabelledPhoto], out: Path, recipe: Recipe = TINY, net: Any = None) -> Trainer:
    out.mkdir(exist_ok=True)
    return Trainer(recipe, Tiles(recipe, [card_with_squares()], rendered), out, net)


@pytest.mark.parametrize("seed", range(12))
def test_boxes_stay_on_their_insects_however_a_tile_is_cut_and_turned(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels, boxes = cut_tile(rng, card_with_squares(), TileRecipe(size=200, recoloured=0.0))
    assert len(boxes)
    assert boxes.min() >= 0
    assert boxes.max() <= 200
    dark = pixels.max(axis=2) < 0.5 * np.median(pixels.max(axis=2))
    for x1, y1, x2, y2 in boxes.round().astype(int):
        assert dark[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].mean() > 0.9
        dark[max(0, y1 - 3) : y2 + 3, max(0, x1 - 3) : x2 + 3] = False
    kept_out = 40 * 40 * 1.4**2 * 0.45  # a square with less than that share in the tile is no label
    assert dark.sum() < 4 * kept_out


def test_a_tile_larger_than_the_photo_is_filled_up() -> None:
    pixels, boxes = cut_tile(np.random.default_rng(0), card_with_squares(100), TileRecipe(size=320, scale=(1.0, 1.0)))
    assert pixels.shape == (320, 320, 3)
    assert len(boxes) <= 1


def test_made_up_grounds_are_of_all_colours_and_differ_in_texture() -> None:
    photos = [render_photo("sheet", 1, number, ("made up",)).pixels.astype(float) for number in range(10)]
    leading = {int(pixels.mean(axis=(0, 1)).argmax()) for pixels in photos}
    assert leading == {0, 1, 2}
    spread = [pixels.std() for pixels in photos]
    assert max(spread) > 2 * min(spread)


def test_rendered_photos_depend_on_their_number_alone(rendered: list[LabelledPhoto], tmp_path: Path) -> None:
    assert [photo.kind for photo in rendered] == list(TRAINING_KINDS)
    write_photos(tmp_path, split="train", seed=3, count=2, processes=1)
    kept = (tmp_path / "00001.jpg").stat().st_mtime_ns
    write_photos(tmp_path, split="train", seed=3, count=3, processes=1)
    assert (tmp_path / "00001.jpg").stat().st_mtime_ns == kept
    again = read_rendered(tmp_path, 3)
    for one, other in zip(rendered[:3], again, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_rendered_photos_are_of_all_sizes_of_insects() -> None:
    lengths = [np.ptp(render_photo("sheet", 0, 8 * n).boxes.reshape(-1, 2, 2), axis=1).max(axis=1) for n in range(12)]
    shares = np.quantile(np.concatenate(lengths), [0.02, 0.98])
    assert shares[0] < 20
    assert shares[1] > 150


def test_drawn_settings_are_plain_numbers() -> None:
    for seed in range(30):  # numpy's own would make the renderer compute in double precision
        settings = draw_settings(np.random.default_rng(seed), "soil")
        assert {type(v) for v in settings.values()} <= {str, tuple, dict, float, int, bool}


def test_kinds_left_out_come_in_only_at_the_end() -> None:
    insects = {"soil": np.zeros((0, 4)), "blue": np.array([[40, 40, 60, 60]])}
    photos = [
        LabelledPhoto(np.full((99, 99, 3), 90, np.uint8), boxes.astype(np.float32), kind, real=False)
        for kind, boxes in insects.items()
    ]
    tiles = Tiles(replace(TINY, batch=30, left_out=("blue",)), [], photos)
    early, late = (len(batch["cls"]) for batch in (tiles[1], tiles[2]))
    assert early == 0
    assert 5 < late < 25


def test_a_batch_is_the_same_whenever_it_is_made(rendered: list[LabelledPhoto]) -> None:
    first, second = (Tiles(TINY, [card_with_squares()], rendered)[2] for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert first["img"].shape == (2, 3, 64, 64)
    assert first["bboxes"].shape == (len(first["cls"]), 4)


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(rendered: list[LabelledPhoto], tmp_path: Path) -> None:
    whole = make_trainer(rendered, tmp_path / "whole")
    whole.run()
    killed = make_trainer(rendered, tmp_path / "killed")
    killed.net.train()
    for step in range(2):
        killed.train_step(killed.tiles[step])
    killed.save()
    resumed = make_trainer(rendered, tmp_path / "killed")
    assert resumed.resume()
    resumed.run()
    for part in ("net", "average"):
        now = getattr(resumed, part).state_dict()
        for name, value in getattr(whole, part).state_dict().items():
            assert torch.equal(value, now[name]), name


def test_a_network_is_trained_further_from_the_weights_that_were_saved(
    rendered: list[LabelledPhoto], tmp_path: Path
) -> None:
    first = make_trainer(rendered, tmp_path / "first")
    first.train_step(first.tiles[0])
    opened = open_network(first.export(tmp_path / "model"))
    for name, value in first.average.state_dict().items():
        torch.testing.assert_close(opened.state_dict()[name], value, rtol=1e-3, atol=1e-3)  # files hold half precision
    further = make_trainer(rendered, tmp_path / "further", replace(TINY, start="1", bfloat16=True), opened)
    assert all(np.isfinite(further.train_step(further.tiles[0])))
    assert not torch.equal(further.tiles[0]["img"], first.tiles[0]["img"])


def test_a_checkpoint_of_another_recipe_is_refused(rendered: list[LabelledPhoto], tmp_path: Path) -> None:
    make_trainer(rendered, tmp_path).save()
    with pytest.raises(AgriClipError, match="another recipe"):
        make_trainer(rendered, tmp_path, replace(TINY, learning_rate=1.0)).resume()


def test_training_lowers_the_loss(rendered: list[LabelledPhoto], tmp_path: Path) -> None:
    trainer = make_trainer(rendered, tmp_path, replace(TINY, steps=60, batch=4, real_share=1.0))
    trainer.net.train()
    batch = trainer.tiles[0]  # one batch: two tiles differ more from the next two than training changes in a few steps
    losses = [sum(trainer.train_step(batch)) for _ in range(trainer.recipe.steps)]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


def test_the_whole_run_gives_folders_that_the_proposer_reads(tmp_path: Path) -> None:
    folder = train_detector(TINY, tmp_path, processes=1)
    assert {file.name for file in folder.iterdir()} == {"model.yaml", "model.safetensors", "training.json"}
    for each in (folder, tmp_path / "left-out"):
        proposer = YoloProposer(each, conf=0.0)
        assert proposer.settings.imgsz == 640
        assert len(proposer.propose_pixels(card_with_squares(96).pixels))


def close_up(size: int = 300) -> LabelledPhoto:
    """A grey photo with one black disc that fills two thirds of it."""
    pixels = np.full((size, size, 3), 150, np.uint8)
    cv2.circle(pixels, (size // 2, size // 2), size // 3, (15, 15, 15), -1)
    low, high = size // 2 - size // 3, size // 2 + size // 3 + 1
    return LabelledPhoto(pixels, np.array([[low, low, high, high]], np.float32), KIND, real=True)


def cut_disc(group: str = "") -> CutOut:
    layer = np.zeros((90, 90, 4), np.uint8)
    cv2.circle(layer, (45, 45), 40, (10, 10, 10, 255), -1)
    return CutOut.of(layer, group)


@pytest.fixture(scope="module")
def sources(rendered: list[LabelledPhoto]) -> Sources:
    return Sources(
        [cut_disc()], [cut_disc(), cut_disc(group="whitefly")], [close_up()], [card_with_squares()], rendered
    )


def test_close_ups_show_their_insect_at_every_size_and_partly() -> None:
    lengths = []
    for seed in range(200):
        pixels, boxes = cut_close_up(np.random.default_rng(seed), close_up(), 160)
        assert pixels.shape == (160, 160, 3)
        assert boxes.min(initial=0) >= 0
        assert boxes.max(initial=0) <= 160
        lengths += (boxes[:, 2:] - boxes[:, :2]).max(axis=1).tolist()
    assert min(lengths) < 24
    assert sum(60 < length < 110 for length in lengths) > 20
    assert max(lengths) == 160  # of a disc larger than the tile, the part that is seen


def test_composed_tiles_hold_insects_of_every_size_inside_the_tile(sources: Sources) -> None:
    lengths = []
    for seed in range(60):
        pixels, boxes = compose_tile(np.random.default_rng(seed), sources, 320)
        assert pixels.shape == (320, 320, 3)
        assert pixels.dtype == np.uint8
        assert boxes.dtype == np.float32
        assert boxes.min(initial=0) >= 0
        assert boxes.max(initial=0) <= 320
        lengths += (boxes[:, 2:] - boxes[:, :2]).max(axis=1).tolist()
    assert min(lengths) < 14
    assert max(lengths) > 250


def test_a_soft_photo_shows_the_same_with_less_detail() -> None:
    sharp = (np.indices((96, 96)).sum(axis=0) // 2 % 2 * 160 + 40).astype(np.uint8)
    for seed in range(8):
        soft = soften(np.random.default_rng(seed), np.dstack([sharp] * 3))
        assert soft.shape == (96, 96, 3)
        assert soft.dtype == np.uint8
        assert abs(float(soft.mean()) - float(sharp.mean())) < 6
        assert (
            np.abs(np.diff(soft.astype(int), axis=1)).mean() < 0.8 * np.abs(np.diff(sharp.astype(int), axis=1)).mean()
        )


def test_a_pasted_insect_is_where_its_box_says() -> None:
    for seed in range(12):
        image = np.full((200, 200, 3), 200, np.float32)
        rng = np.random.default_rng(seed)
        box = lay_cut_out(rng, image, cut_disc(), 80.0, np.array([90.0, 110.0]), np.ones(3), 0.0)
        rows, columns = np.nonzero(image.max(axis=2) < 60)
        drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(box, drawn, atol=4)


def test_what_is_pasted_over_loses_its_label() -> None:
    before = np.array([[10, 10, 60, 60], [200, 200, 260, 260]], np.float32)
    over = [np.array([0.0, 0.0, 90.0, 90.0])]
    assert labels_seen(before, over, 320).tolist() == [[200, 200, 260, 260], [0, 0, 90, 90]]


def test_a_batch_keeps_its_traps_beside_close_ups_and_composed_tiles(
    rendered: list[LabelledPhoto], sources: Sources
) -> None:
    recipe = replace(TINY, batch=8, **WITH_CLOSE_UPS)
    first, second = (Tiles(recipe, [card_with_squares()], rendered, [close_up()], sources)[1] for _ in range(2))
    assert torch.equal(first["img"], second["img"])
    assert first["img"].shape == (8, 3, 64, 64)


def test_an_insect_is_cut_out_of_its_photo_and_a_plain_box_is_not() -> None:
    photo = close_up()
    layer = cut_out(photo.pixels, photo.boxes[0])
    assert layer is not None
    assert layer.shape[2] == 4
    inside, whole = layer[..., 3] > 128, np.prod(layer.shape[:2])
    assert 0.6 < inside.sum() / whole < 0.95
    assert layer[..., :3][inside].mean() < 40
    assert cut_out(np.full((200, 200, 3), 90, np.uint8), np.array([20, 20, 180, 180])) is None


def test_every_box_of_the_named_photos_has_an_area() -> None:
    boxes = read_boxes()
    assert len(boxes) == 68
    for name, rows in boxes.items():
        assert (rows[:, 2:] > rows[:, :2]).all(), name
        sizes = (rows[:, 2:] - rows[:, :2]).prod(axis=1)
        assert (np.diff(sizes) <= 0).all(), name
