"""The proposer that needs no weights: finds planted and real insects, orders them, and says what it left out."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from agri_clip.photos.photo import Photo
from agri_clip.regions.base import Proposer, Regions
from agri_clip.regions.component_tree import cut_at_cores, group_alike
from agri_clip.regions.contrast import ContrastProposer
from agri_clip.regions.merging import iou_matrix

GROUNDS = {
    "dark on yellow": ((240, 200, 20), (45, 35, 25)),
    "white on yellow": ((240, 200, 20), (240, 240, 235)),
    "light on blue": ((20, 80, 190), (220, 220, 230)),
    "dark on blue": ((20, 80, 190), (30, 25, 20)),
    "brown on white": ((235, 235, 230), (90, 60, 40)),
    "red on leaf": ((60, 120, 40), (160, 50, 40)),
    "light on soil": ((80, 60, 45), (200, 180, 150)),
}


def plant(
    ground: tuple[int, int, int],
    colour: tuple[int, int, int],
    places: list[tuple[int, int, int, int, int]],
    size: tuple[int, int] = (701, 903),
) -> tuple[Photo, np.ndarray]:
    """A noisy ground with ellipses (x, y, half length, half width, degrees), and their boxes."""
    pixels = np.broadcast_to(np.float32(ground), (*size, 3)).copy()
    boxes = []
    for x, y, length, width, turn in places:
        cv2.ellipse(pixels, (x, y), (length, width), turn, 0, 360, colour, -1, cv2.LINE_AA)
        angle = np.radians(turn)
        half_x = np.hypot(length * np.cos(angle), width * np.sin(angle))
        half_y = np.hypot(length * np.sin(angle), width * np.cos(angle))
        boxes.append((x - half_x, y - half_y, x + half_x + 1, y + half_y + 1))
    noise = np.random.default_rng(0).normal(0, 4, pixels.shape)
    pixels = cv2.GaussianBlur(pixels, (0, 0), 0.8) + noise
    return Photo(np.clip(pixels, 0, 255).astype(np.uint8), "planted"), np.array(boxes)


def scattered(length: int, width: int) -> list[tuple[int, int, int, int, int]]:
    """Six places far apart."""
    return [(150 + 300 * i, 170 + 350 * j, length, width, 30 * i + 45 * j) for i in range(3) for j in range(2)]


def test_is_a_proposer() -> None:
    proposer = ContrastProposer()
    assert isinstance(proposer, Proposer)
    assert proposer.name == "contrast"


@pytest.mark.parametrize("half_length", [9, 20, 60])
@pytest.mark.parametrize("ground", list(GROUNDS))
def test_planted_insects_are_found(ground: str, half_length: int) -> None:
    photo, boxes = plant(*GROUNDS[ground], scattered(half_length, round(0.55 * half_length)))
    regions = ContrastProposer().propose(photo)
    assert iou_matrix(boxes, regions.boxes).max(axis=1).min() > 0.6


def test_insect_that_fills_a_third_of_a_small_photo_is_found() -> None:
    photo, boxes = plant(*GROUNDS["brown on white"], [(150, 140, 60, 40, 20)], size=(280, 300))
    assert iou_matrix(boxes, ContrastProposer().propose(photo).boxes).max() > 0.6


def test_touching_pair_is_offered_whole_and_in_parts() -> None:
    photo, boxes = plant(*GROUNDS["dark on yellow"], [(400, 300, 30, 17, 0), (456, 300, 30, 17, 0)])
    whole = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
    overlap = iou_matrix(np.vstack([boxes, whole]), ContrastProposer().propose(photo).boxes)
    assert overlap.max(axis=1).min() > 0.6


def test_cut_at_cores_gives_each_pixel_to_its_nearest_core() -> None:
    mask, cores = np.zeros((2, 20, 40), np.uint8)
    mask[8:12, 2:38] = 1
    cores[9:11, 4:8] = cores[9:11, 30:34] = 1
    count, labels = cv2.connectedComponents(cut_at_cores(mask, cores), connectivity=4)
    assert count == 3
    assert labels[10, 6] != labels[10, 32]
    assert labels[10, 12] == labels[10, 6]


def test_grouping_joins_nearly_equal_boxes_only() -> None:
    boxes = np.array([[10, 10, 50, 50], [10.2, 10, 50, 50.2], [200, 10, 240, 50], [10, 10, 90, 90]])
    group = group_alike(boxes)
    assert group[0] == group[1]
    assert len(set(group.tolist())) == 3


def test_outlines_lie_in_their_boxes_and_enclose_an_area() -> None:
    photo, _ = plant(*GROUNDS["light on soil"], [*scattered(30, 15), (420, 300, 30, 17, 0), (470, 300, 30, 17, 0)])
    regions = ContrastProposer().propose(photo)
    assert regions.outlines is not None
    for box, outline in zip(regions.boxes, regions.outlines, strict=True):
        assert outline is not None
        assert (outline >= box[:2]).all()
        assert (outline <= box[2:]).all()
        assert cv2.contourArea(outline) > 0.1 * np.prod(box[2:] - box[:2])


def test_outline_follows_the_insect() -> None:
    photo, boxes = plant(*GROUNDS["dark on yellow"], [(400, 300, 60, 25, 40)])
    regions = ContrastProposer().propose(photo)
    best = int(iou_matrix(boxes, regions.boxes)[0].argmax())
    assert regions.outlines is not None
    assert cv2.contourArea(regions.outlines[best]) == pytest.approx(np.pi * 60 * 25, rel=0.15)


def test_best_come_first_and_noise_below_insects() -> None:
    places = scattered(25, 14)
    photo, boxes = plant(*GROUNDS["dark on yellow"], places)
    pixels = photo.pixels.copy()
    cv2.line(pixels, (0, 345), (902, 345), (30, 60, 30), 3)
    for x, y in np.random.default_rng(1).integers(20, 680, (60, 2)).tolist():
        cv2.circle(pixels, (x, y), 2, (60, 50, 20), -1)
    regions = ContrastProposer().propose(Photo(pixels, "dirty"))
    assert (np.diff(regions.objectness) <= 0).all()
    assert ((regions.objectness >= 0) & (regions.objectness <= 1)).all()
    top = regions.boxes[: 3 * len(places)]
    assert (iou_matrix(boxes, top).max(axis=1) > 0.5).mean() >= 0.8


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (7, 5), (300, 9), (640, 480)])
def test_flat_photo_of_any_size_gives_no_regions(size: tuple[int, int]) -> None:
    regions = ContrastProposer().propose(Photo(np.full((*size, 3), 128, np.uint8), "flat"))
    assert len(regions) == 0
    assert regions.notes == ()


def test_same_photo_gives_the_same_regions() -> None:
    photo, _ = plant(*GROUNDS["red on leaf"], scattered(20, 10))
    first, second = (ContrastProposer().propose(photo) for _ in range(2))
    np.testing.assert_array_equal(first.boxes, second.boxes)
    np.testing.assert_array_equal(first.objectness, second.objectness)


def test_cap_keeps_the_best_and_is_reported() -> None:
    photo, _ = plant(*GROUNDS["dark on blue"], scattered(20, 10))
    everything, capped = ContrastProposer().propose(photo), ContrastProposer(max_regions=4).propose(photo)
    assert len(everything) > 4
    np.testing.assert_array_equal(capped.boxes, everything.boxes[:4])
    assert everything.notes == ()
    assert any("4" in note and str(len(everything)) in note for note in capped.notes)
    assert capped.at_cap
    assert not everything.at_cap


def test_large_photo_read_in_tiles_gives_each_insect_once_and_whole() -> None:
    places = [(200 + 350 * i, 200 + 300 * j, 40, 22, 25 * i) for i in range(6) for j in range(5)]
    photo, boxes = plant(*GROUNDS["dark on yellow"], places, size=(1601, 2203))
    tiled = ContrastProposer(tile=900, outlines=False).propose(photo)
    overlap = iou_matrix(boxes, tiled.boxes)
    assert overlap.max(axis=1).min() > 0.6
    assert (overlap > 0.65).sum(axis=1).max() <= 3


def test_the_version_tells_settings_apart_and_the_usual_ones_are_not_named() -> None:
    assert ContrastProposer().version == ContrastProposer(max_regions=3000).version == "2"
    changed = [ContrastProposer(min_side=30), ContrastProposer(min_side=31), ContrastProposer(outlines=False)]
    assert len({proposer.version for proposer in changed} | {"2"}) == 4
    assert ContrastProposer(tile=900, levels=8).version == ContrastProposer(levels=8, tile=900).version


def test_tile_too_small_for_its_overlap_is_refused() -> None:
    with pytest.raises(ValueError, match="tile"):
        ContrastProposer(tile=256)


def matched(boxes: np.ndarray, regions: Regions) -> int:
    """Labels found at IoU 0.5, each region serving one label, best overlaps first."""
    overlap = iou_matrix(boxes, regions.boxes)
    label, region = np.nonzero(overlap >= 0.5)
    taken_labels: set[int] = set()
    taken_regions: set[int] = set()
    for k in np.argsort(-overlap[label, region], kind="stable").tolist():
        if int(label[k]) not in taken_labels and int(region[k]) not in taken_regions:
            taken_labels.add(int(label[k]))
            taken_regions.add(int(region[k]))
    return len(taken_labels)


def test_real_traps_recall_with_few_boxes(yellow_traps: Path) -> None:
    coco = json.loads((yellow_traps / "val.json").read_text("utf-8"))
    proposer = ContrastProposer(outlines=False)
    found = labels = offered = 0
    for image in coco["images"][::7]:
        boxes = np.array([a["bbox"] for a in coco["annotations"] if a["image_id"] == image["id"]], np.float64)
        boxes[:, 2:] += boxes[:, :2]
        pixels = cv2.imread(str(yellow_traps / "images" / image["file_name"]), cv2.IMREAD_COLOR)
        regions = proposer.propose(Photo(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), image["file_name"]))
        found, labels, offered = found + matched(boxes, regions), labels + len(boxes), offered + len(regions)
    assert offered <= 12 * labels
    assert found >= 0.8 * labels
