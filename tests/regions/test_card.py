"""The card: found in any colour on plain and leafy ground, never where there is none, and no insect lost by it."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import shapely
from PIL import Image

from agri_clip.errors import AgriClipError
from agri_clip.photos.photo import Photo
from agri_clip.regions.card import CARD_SIZES_MM, find_card, parse_card_size

YELLOW, BLUE, WHITE, BLACK = (235, 205, 30), (30, 90, 190), (240, 240, 236), (25, 25, 28)
UPRIGHT = [(300, 150), (700, 150), (700, 1150), (300, 1150)]
TILTED = [(250, 260), (640, 120), (950, 1050), (560, 1190)]
IN_PERSPECTIVE = [(380, 140), (660, 150), (760, 1180), (260, 1160)]
RUNNING_OFF = [(320, -200), (720, -200), (720, 1500), (320, 1500)]


def table(colour: tuple[int, int, int], seed: int = 0, size: tuple[int, int] = (1000, 1300)) -> np.ndarray:
    """A table with light falling off to one side, grain and crumbs."""
    rng = np.random.default_rng(seed)
    width, height = size
    light = np.linspace(1.0, 0.8, width)[None, :, None]
    pixels = np.array(colour) * light + rng.normal(0, 4, (height, width, 3))
    for x, y in rng.integers(0, size, (120, 2)):
        cv2.circle(pixels, (int(x), int(y)), int(rng.integers(1, 5)), (90, 80, 70), -1)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def leaves(seed: int = 0, size: tuple[int, int] = (1000, 1300)) -> np.ndarray:
    """A canopy: overlapping leaves in many greens."""
    rng = np.random.default_rng(seed)
    pixels = np.full((size[1], size[0], 3), (30, 45, 20), np.uint8)
    for _ in range(150):
        green = np.array([40, 90, 30]) * rng.uniform(0.6, 1.6)
        at, axes = rng.integers(0, size), rng.integers(40, 170, 2)
        cv2.ellipse(pixels, at.tolist(), axes.tolist(), int(rng.integers(0, 180)), 0, 360, green.tolist(), -1)
    return pixels


def put_card(ground: np.ndarray, corners: list[tuple[int, int]], colour: tuple[int, int, int], seed: int = 1) -> Photo:
    """Lay a card with shading, print and insects on the ground."""
    rng = np.random.default_rng(seed)
    face = np.array(colour) * np.linspace(1.0, 0.88, 1000)[:, None, None] * np.ones((1000, 400, 1))
    for x in range(0, 400, 100):
        cv2.line(face, (x, 0), (x, 1000), (np.array(colour) * 0.6).tolist(), 2)
    for x, y in rng.integers(10, (390, 990), (150, 2)):
        dark = (50, 45, 40) if colour != BLACK else (200, 195, 180)
        cv2.ellipse(face, (int(x), int(y)), (9, 4), int(rng.integers(0, 180)), 0, 360, dark, -1)
    flat = np.array([(0, 0), (400, 0), (400, 1000), (0, 1000)], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, np.array(corners, np.float32))
    size = (ground.shape[1], ground.shape[0])
    laid = cv2.warpPerspective(face, matrix, size)
    mask = cv2.warpPerspective(np.ones((1000, 400), np.uint8), matrix, size)
    pixels = np.where(mask[..., None] > 0, laid + rng.normal(0, 3, laid.shape), ground)
    return Photo(np.clip(pixels, 0, 255).astype(np.uint8), "drawn.png")


def agreement(card, corners: list[tuple[int, int]], photo: Photo) -> float:
    frame = shapely.box(0, 0, photo.width, photo.height)
    truth = shapely.intersection(shapely.Polygon(corners), frame)
    found = shapely.Polygon(card.polygon)
    return shapely.intersection(found, truth).area / shapely.union(found, truth).area


@pytest.mark.parametrize(
    ("colour", "ground", "corners"),
    [
        (YELLOW, "pale table", TILTED),
        (YELLOW, "leaves", IN_PERSPECTIVE),
        (YELLOW, "leaves", RUNNING_OFF),
        (YELLOW, "wood", UPRIGHT),
        (BLUE, "pale table", RUNNING_OFF),
        (BLUE, "leaves", TILTED),
        (BLUE, "dark table", IN_PERSPECTIVE),
        (WHITE, "leaves", UPRIGHT),
        (WHITE, "wood", TILTED),
        (WHITE, "dark table", RUNNING_OFF),
        (BLACK, "pale table", IN_PERSPECTIVE),
    ],
)
def test_a_card_of_any_colour_is_found(colour, ground, corners):
    grounds = {
        "pale table": lambda: table((215, 212, 205)),
        "dark table": lambda: table((60, 60, 62)),
        "wood": lambda: table((160, 115, 70)),
        "leaves": leaves,
    }
    photo = put_card(grounds[ground](), corners, colour)
    card = find_card(photo)
    assert card is not None
    assert agreement(card, corners, photo) > 0.9


def test_of_two_cards_side_by_side_neither_is_left_out():
    left, right = [(100, 150), (460, 150), (460, 1050), (100, 1050)], [(540, 150), (900, 150), (900, 1050), (540, 1050)]
    ground = put_card(table((215, 212, 205)), left, YELLOW).pixels
    card = find_card(put_card(ground, right, BLUE))
    boxes = np.array([[270, 600, 290, 620], [720, 600, 740, 620], [480, 1200, 500, 1220]])
    assert card.contains(boxes).tolist() == [True, True, False]
    assert card.mm_per_pixel(100, 250) == pytest.approx(100 / 360, rel=0.03)


def test_a_white_tag_stuck_on_the_card_is_left_out():
    photo = put_card(table((150, 148, 140)), UPRIGHT, YELLOW)
    pixels = photo.pixels.copy()
    cv2.rectangle(pixels, (340, 200), (520, 270), (245, 245, 245), -1)
    cv2.putText(pixels, "A 5", (370, 250), 0, 1.2, (40, 40, 120), 3)
    card = find_card(Photo(pixels, "tagged.png"))
    assert card.contains(np.array([[380, 225, 410, 250], [600, 225, 630, 250]])).tolist() == [False, True]
    assert card.area_px == pytest.approx(400 * 1000 - 180 * 70, rel=0.02)


@pytest.mark.parametrize(("corners", "area"), [(UPRIGHT, 400 * 1000), (RUNNING_OFF, 400 * 1300)])
def test_the_area_is_that_of_the_card_in_sight(corners, area):
    card = find_card(put_card(table((215, 212, 205)), corners, YELLOW))
    assert card.area_px == pytest.approx(area, rel=0.02)


def hand() -> Photo:
    """A card held at its lower end."""
    photo = put_card(leaves(), UPRIGHT, YELLOW)
    pixels = photo.pixels.copy()
    cv2.ellipse(pixels, (480, 1290), (240, 190), 0, 0, 360, (205, 150, 120), -1)
    return Photo(pixels, "hand.png")


def test_a_hand_at_the_card_is_left_out():
    card = find_card(hand())
    assert card is not None
    boxes = np.array([[470, 600, 500, 630], [470, 1250, 500, 1280], [100, 600, 130, 630], [290, 500, 310, 520]])
    assert card.contains(boxes).tolist() == [True, False, False, True]


@pytest.mark.parametrize(
    "pixels",
    [
        leaves(),
        leaves(seed=5),
        table((215, 212, 205)),
        table((235, 205, 30)),
        np.zeros((400, 300, 3), np.uint8),
        np.full((1, 1, 3), 200, np.uint8),
        np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8),
    ],
    ids=["leaves", "more leaves", "empty table", "card fills the photo", "black", "one pixel", "noise"],
)
def test_where_there_is_no_card_none_is_found(pixels):
    assert find_card(Photo(pixels, "none.png")) is None


def leaf(ground: np.ndarray) -> Photo:
    """One leaf with a pointed tip on a table."""
    at = np.linspace(0, np.pi, 60)
    half = 260 * np.sin(at) ** 1.3
    along = 100 + 1100 * (1 - np.cos(at)) / 2
    outline = np.concatenate([np.stack([500 + half, along], 1), np.stack([500 - half, along], 1)[::-1]])
    cv2.fillPoly(ground, [outline.astype(np.int32)], (70, 130, 50))
    cv2.line(ground, (500, 100), (500, 1200), (110, 160, 80), 8)
    return Photo(ground, "leaf.png")


def strip(colour: tuple[int, int, int]) -> Photo:
    """A grass leaf that crosses the photo: straight sides, yet no card."""
    ground = table((215, 212, 205))
    cv2.fillPoly(ground, [np.array([(380, 0), (640, 0), (600, 1300), (340, 1300)])], colour)
    return Photo(ground, "grass.png")


@pytest.mark.parametrize("photo", [leaf(table((215, 212, 205))), strip((80, 140, 50)), strip((110, 150, 60))])
def test_a_leaf_is_no_card(photo):
    assert find_card(photo) is None


def test_black_bars_round_a_photo_are_no_card_edges():
    photo = put_card(table((215, 212, 205)), RUNNING_OFF, YELLOW)
    barred = np.zeros((1700, 1000, 3), np.uint8)
    barred[200:1500] = photo.pixels
    card = find_card(Photo(barred, "barred.png"))
    assert card is not None
    assert agreement(card, [(320, 200), (720, 200), (720, 1500), (320, 1500)], Photo(barred, "barred.png")) > 0.9
    assert sum(card.sides_seen) == 2


@pytest.mark.parametrize("corners", [UPRIGHT, TILTED], ids=["upright", "tilted"])
def test_the_scale_comes_from_the_known_size(corners):
    card = find_card(put_card(table((215, 212, 205)), corners, YELLOW))
    side = np.linalg.norm(np.subtract(corners[1], corners[0]))
    assert all(card.sides_seen)
    for size in ((100, 250), (250, 100)):
        assert card.mm_per_pixel(*size) == pytest.approx(100 / side, rel=0.03)
    to_mm = card.homography_mm(*CARD_SIZES_MM["horiver-10x25"])
    flat = cv2.perspectiveTransform(np.array([corners], np.float32), to_mm)[0]
    assert sorted(np.round(np.linalg.norm(np.roll(flat, -1, 0) - flat, axis=1), -1)) == [100, 100, 250, 250]


def test_of_a_cut_card_the_short_side_gives_the_scale():
    card = find_card(put_card(table((215, 212, 205)), RUNNING_OFF, YELLOW))
    assert card.mm_per_pixel(100, 250) == pytest.approx(100 / 400, rel=0.03)
    assert card.homography_mm(100, 250) is None


def test_a_tag_over_the_end_does_not_spoil_the_scale():
    photo = put_card(table((150, 148, 140)), UPRIGHT, YELLOW)
    pixels = photo.pixels.copy()
    cv2.rectangle(pixels, (250, 60), (750, 300), (245, 245, 245), -1)
    card = find_card(Photo(pixels, "tagged.png"))
    assert card.mm_per_pixel(100, 250) == pytest.approx(100 / 400, rel=0.03)
    assert not card.contains(np.array([[480, 150, 520, 190]])).any()


def test_of_a_card_cut_across_the_width_gives_the_scale_while_enough_is_seen():
    seen_more = [(150, -700), (850, -700), (850, 500), (150, 500)]
    card = find_card(put_card(table((215, 212, 205)), seen_more, YELLOW))
    assert card.mm_per_pixel(100, 250) == pytest.approx(100 / 700, rel=0.03)
    seen_less = [(150, -700), (850, -700), (850, 260), (150, 260)]  # might be the long side of a card cut along it
    card = find_card(put_card(table((215, 212, 205)), seen_less, YELLOW))
    assert card.mm_per_pixel(100, 250) is None


def test_a_large_tag_is_not_taken_for_the_card():
    corners = [(80, 150), (920, 150), (920, 2300), (80, 2300)]
    pixels = put_card(table((160, 115, 70)), corners, YELLOW).pixels.copy()
    cv2.rectangle(pixels, (200, 0), (750, 290), (238, 238, 232), -1)
    card = find_card(Photo(pixels, "tagged.png"))
    boxes = np.array([[480, 800, 500, 820], [450, 60, 500, 100]])
    assert card.contains(boxes).tolist() == [True, False]


def test_a_tag_is_not_taken_for_a_card_that_cannot_be_told_from_the_table():
    corners = [(80, 150), (920, 150), (920, 2300), (80, 2300)]
    pixels = put_card(table((224, 222, 216)), corners, (226, 224, 220)).pixels.copy()
    cv2.rectangle(pixels, (200, 0), (750, 330), (120, 120, 122), -1)
    assert find_card(Photo(pixels, "pale.png")) is None


def test_boxes_on_the_edge_of_the_card_stay():
    card = find_card(put_card(table((215, 212, 205)), UPRIGHT, YELLOW))
    boxes = np.array([[290, 400, 308, 420], [694, 700, 712, 716], [500, 145, 520, 158], [280, 600, 360, 640]])
    assert card.contains(boxes).all()
    assert card.contains(np.zeros((0, 4))).shape == (0,)


def test_real_traps_lose_no_insects_to_their_card(yellow_traps):
    labelled = json.loads((yellow_traps / "val.json").read_text(encoding="utf-8"))
    inside = total = found = 0
    for image in labelled["images"]:
        boxes = np.array([a["bbox"] for a in labelled["annotations"] if a["image_id"] == image["id"]], float)
        boxes[:, 2:] += boxes[:, :2]
        with Image.open(yellow_traps / "images" / image["file_name"]) as file:
            card = find_card(Photo(np.asarray(file.convert("RGB")), image["file_name"]))
        found += card is not None
        inside += len(boxes) if card is None else int(card.contains(boxes).sum())
        total += len(boxes)
    assert found == len(labelled["images"])
    assert inside / total >= 0.995


@pytest.mark.parametrize(
    ("text", "size"), [("100x250", (100, 250)), (" 76.2 × 127 ", (76.2, 127)), ("Horiver-10x25", (100, 250))]
)
def test_a_card_size_is_a_make_or_millimetres(text: str, size: tuple[float, float]) -> None:
    assert parse_card_size(text) == size


@pytest.mark.parametrize("text", ["", "huge", "0x250", "100", "100x", "-1x5"])
def test_a_wrong_card_size_lists_what_can_be_given(text: str) -> None:
    with pytest.raises(AgriClipError, match="horiver-10x25"):
        parse_card_size(text)
