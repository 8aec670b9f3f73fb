"""What the renderer promises: one seed, one picture; the words fit the picture; the truth fits the pixels."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fine_tune.synthetic import (
    GROUP_NAMES,
    GROUPS,
    NONE,
    captions,
    contact_sheet,
    matching_species,
    render_crop,
    render_set,
    render_trap,
    split_rng,
    write_crops,
)
from fine_tune.synthetic.attributes import BASIC_COLOURS
from fine_tune.synthetic.clutter import CLUTTER, draw_clutter
from fine_tune.synthetic.crops import draw_insect, seen_colours, soak
from fine_tune.synthetic.export import SAMPLES, SPLITS
from fine_tune.synthetic.photos import TYPICAL

SAMPLE_FOLDER = Path(__file__).resolve().parents[2] / "data" / "samples"


@pytest.mark.parametrize("group", [*GROUP_NAMES, NONE])
def test_every_group_renders_at_any_size(group: str) -> None:
    for size in (24, 64, 150):
        crop = render_crop(np.random.default_rng([size, 5]), group, size)
        assert crop.pixels.shape == (size, size, 3)
        assert crop.pixels.dtype == np.uint8
        assert crop.group == group


def test_same_seed_same_crop_and_caption() -> None:
    def once(seed: int) -> tuple[bytes, str]:
        rng = np.random.default_rng(seed)
        crop = render_crop(rng, "moth")
        return crop.pixels.tobytes(), captions(rng, crop.group, crop.attributes)

    assert once(3) == once(3)
    assert once(3) != once(4)


def test_unknown_names_are_refused_with_the_list() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"unknown group 'unicorn'.*aphid"):
        render_crop(rng, "unicorn")
    with pytest.raises(ValueError, match=r"unknown group 'unicorn'.*aphid"):
        render_trap(rng, insects={"unicorn": 1})
    with pytest.raises(ValueError, match=r"unknown kind 'purple'.*yellow"):
        render_trap(rng, kind="purple")
    with pytest.raises(ValueError, match=r"unknown split 'test'.*held-out"):
        split_rng("test", 0, 0)


def test_no_set_shares_a_crop_with_another_split() -> None:
    """Held-out crops must not coincide with training crops, even under the same seed."""
    sets = {split: {crop.pixels.tobytes() for crop in render_set(25, 7, split)} for split in SPLITS}
    names = list(sets)
    for i, one in enumerate(names):
        assert len(sets[one]) == 25
        for other in names[i + 1 :]:
            assert not sets[one] & sets[other]


def test_blur_and_resolution_do_not_tell_the_group() -> None:
    """The state of the generator alone decides the shot, whatever the group is."""
    for seed in range(20):
        shots = {render_crop(np.random.default_rng([9, seed]), group, 32).shot for group in (*GROUP_NAMES[::5], NONE)}
        assert len(shots) == 1
    sides = [render_crop(np.random.default_rng([8, seed]), NONE, 16).shot.native_long_side for seed in range(200)]
    assert min(sides) >= 10
    assert max(sides) <= 200
    assert np.percentile(sides, 25) < 45 < np.percentile(sides, 75)


def _body_colour(seed: int, group: str, wanted: set[str]) -> tuple[str, np.ndarray] | None:
    layer, look, _, tone = draw_insect(np.random.default_rng([1, seed]), group, 120.0, False, 0.0)
    if look.colours[0] not in wanted or tone < 0.8:
        return None
    solid = layer[..., 3] > 0.95
    return look.colours[0], layer[solid][:, :3].mean(axis=0)


@pytest.mark.parametrize(
    ("group", "wanted", "channel"),
    [
        ("aphid", {"green", "light green", "dark green"}, 1),
        ("ladybird", {"red"}, 0),
        ("aphid", {"red"}, 0),
        ("caterpillar", {"green"}, 1),
        ("leafhopper", {"green"}, 1),
    ],
)
def test_colour_words_fit_the_pixels(group: str, wanted: set[str], channel: int) -> None:
    found = [m for seed in range(60) if (m := _body_colour(seed, group, wanted)) is not None]
    assert found
    for _, mean in found:
        assert mean.argmax() == channel
        assert mean[channel] > mean.mean() * 1.05


def test_black_is_darker_than_white() -> None:
    dark = [m[1].mean() for s in range(60) if (m := _body_colour(s, "aphid", {"black"})) is not None]
    pale = [m[1].mean() for s in range(60) if (m := _body_colour(s, "mealybug", {"white"})) is not None]
    assert max(dark) < 90 < 110 < min(pale)


def _painted(*parts: tuple[tuple[int, int, int], float, float]) -> np.ndarray:
    """A layer of 1,000 pixels: colour, share and cover of each part."""
    pixels = [np.tile([*(np.array(colour) * cover), cover], (round(1000 * share), 1)) for colour, share, cover in parts]
    return np.concatenate(pixels).astype(np.float32)[:, None]


RED, WHITE, BLACK, PALE_GREY = (190, 38, 32), (242, 240, 234), (30, 28, 28), (190, 188, 182)


@pytest.mark.parametrize(
    ("layer", "seen"),
    [
        (_painted((RED, 0.6, 1.0), (BLACK, 0.4, 1.0)), ("red", "black")),
        (_painted((RED, 0.4, 1.0), (BLACK, 0.6, 1.0)), ("black", "red")),
        (_painted((RED, 0.85, 1.0), (BLACK, 0.15, 1.0)), ("red",)),
        (_painted((RED, 0.5, 1.0), (WHITE, 0.5, 0.3)), ("red",)),
        (_painted((RED, 1.0, 0.5)), ("red",)),
        (_painted(((184, 70, 66), 0.2, 1.0), ((80, 30, 20), 0.8, 1.0)), ("dark red",)),
        (_painted((tuple(int(v * 0.92) for v in WHITE), 1.0, 1.0)), ("white",)),
        (_painted((tuple(int(v * 0.92) for v in PALE_GREY), 1.0, 1.0)), ("pale grey",)),
        (_painted(*[((v, v, v), 0.2, 1.0) for v in (29, 85, 190, 130, 240)]), ("dark grey",)),
    ],
)
def test_colours_are_those_that_most_of_the_body_shows(layer: np.ndarray, seen: tuple[str, ...]) -> None:
    assert seen_colours(layer) == seen


def test_a_green_body_is_called_green_until_glue_has_darkened_it() -> None:
    crops = [render_crop(np.random.default_rng([4, seed]), "aphid", 32) for seed in range(150)]
    own = [a for a in (c.attributes for c in crops) if a.body_colours[0] in ("green", "light green", "dark green")]
    assert len(own) > 20
    basic = [{BASIC_COLOURS[name] for name in a.colours} for a in own]
    assert sum("green" in colours for colours in basic) > 0.7 * len(own)
    assert any(colours == {"black"} for colours in basic)


def test_the_card_shines_through_wet_wings_more_than_through_bodies() -> None:
    layer = np.full((2, 1, 4), 200.0, np.float32)
    layer[..., 3] = [[0.4], [1.0]]
    soak(np.random.default_rng(1), layer, "house fly", np.array([240.0, 200.0, 10.0]))
    wing, body = layer[0, 0], layer[1, 0]
    assert wing[2] < body[2] < 200
    assert wing[0] == body[0] == 200
    dry = np.full((1, 1, 4), 200.0, np.float32)
    dry[..., 3] = 1.0
    soak(np.random.default_rng(1), dry, "whitefly", np.array([240.0, 200.0, 10.0]))
    assert body[2] < dry[0, 0, 2]


def test_every_kind_of_clutter_is_drawn() -> None:
    changed: dict[str, float] = dict.fromkeys(CLUTTER, 0.0)
    for seed in range(250):
        image = np.full((96, 96, 3), 150, np.float32)
        kind = draw_clutter(image, np.random.default_rng([11, seed]))
        changed[kind] = max(changed[kind], float(np.abs(image - 150).max()))
    assert changed.pop("plain") == 0
    assert all(change > 10 for change in changed.values())


def test_spiders_and_mites_have_up_to_eight_legs_and_no_wings_or_antennae() -> None:
    for group in GROUP_NAMES:
        looks = [render_crop(np.random.default_rng([4, i]), group, 16).attributes for i in range(8)]
        most = max(look.legs for look in looks)
        if group in ("spider", "mite"):
            assert most == 8
            assert all(look.wing_count == 0 and look.antennae == "none" for look in looks)
        else:
            assert most <= 6


def test_an_insect_shows_against_its_background() -> None:
    """At a usable resolution the middle of a crop differs from an empty card far more often than not."""
    seen = 0
    card = np.full((64, 64, 3), (235, 205, 30), np.uint8)
    for i, group in enumerate(GROUP_NAMES):
        pixels = render_crop(np.random.default_rng([6, i]), group, 64, card).pixels.astype(float)
        seen += pixels[12:52, 12:52].std(axis=(0, 1)).max() > 1.5 * pixels[:3].std(axis=(0, 1)).max() + 2
    assert seen > 0.8 * len(GROUP_NAMES)


def test_a_given_patch_is_the_background() -> None:
    blue = np.zeros((90, 120, 3), np.uint8)
    blue[..., 2] = 200
    crop = render_crop(np.random.default_rng(2), "ant", 64, blue, "blue sticky trap")
    corners = np.concatenate([crop.pixels[:3, :3].reshape(-1, 3), crop.pixels[-3:, -3:].reshape(-1, 3)])
    assert corners.mean(axis=0).argmax() == 2
    assert crop.attributes.background == "blue sticky trap"


def test_captions_mostly_name_the_group() -> None:
    named, total = 0, 0
    for group in GROUP_NAMES:
        vocabulary = [*GROUPS[group].names]
        for species in GROUPS[group].species:
            vocabulary += [species.common, species.latin]
        for i in range(8):
            rng = np.random.default_rng([2, i])
            crop = render_crop(rng, group, 16)
            sentence = captions(rng, group, crop.attributes)
            assert sentence == sentence.strip()
            named += any(word in sentence for word in vocabulary)
            total += 1
    assert 0.78 < named / total < 0.97


def test_species_names_only_where_the_drawing_looks_like_them() -> None:
    checked = 0
    for i in range(150):
        rng = np.random.default_rng([3, i])
        crop = render_crop(rng, "leaf beetle", 16)
        names = {species.latin for species in matching_species("leaf beetle", crop.attributes)}
        potato = "Leptinotarsa decemlineata" in names
        assert potato == ("ten black stripes" in crop.attributes.features)
        checked += potato
    assert checked > 10


def test_captions_of_nothing_never_name_an_insect_group() -> None:
    for i in range(80):
        rng = np.random.default_rng([5, i])
        sentence = captions(rng, NONE, render_crop(rng, NONE, 16).attributes)
        assert not any(f" {group}" in sentence for group in GROUP_NAMES)


@pytest.mark.parametrize("kind", list(TYPICAL))
def test_boxes_are_inside_the_photo_and_around_the_drawing(kind: str) -> None:
    size = (480, 360)
    settings = {"kind": kind, "size": size, "mm_per_pixel": 0.12, "density": 0.6, "tag_text": "T9"}
    photo = render_trap(np.random.default_rng(1), **settings)
    assert photo.pixels.shape == (360, 480, 3)
    assert len(photo.boxes) == len(photo.groups) == len(photo.outlines) > 0
    assert (photo.boxes[:, :2] >= 0).all()
    assert (photo.boxes[:, 2:] <= size).all()
    assert (photo.boxes[:, 2:] - photo.boxes[:, :2] >= 2).all()
    for box, outline in zip(photo.boxes, photo.outlines, strict=True):
        assert (outline >= box[:2] - 1).all()
        assert (outline <= box[2:] + 1).all()


def test_boxes_are_tight_around_what_was_drawn() -> None:
    """The photo with and without its insects differs inside the boxes, up to their edges, and hardly outside."""
    settings = {
        "kind": "white",
        "size": (420, 320),
        "dirt": 0.0,
        "drops": 0,
        "edge": False,
        "brand": "",
        "grid_mm": 0.0,
    }
    full = render_trap(np.random.default_rng(5), insects={"house fly": 3}, blur=0.4, **settings)
    bare = render_trap(np.random.default_rng(5), insects={}, blur=0.4, **settings)
    change = cv2.GaussianBlur(
        np.abs(full.pixels.astype(np.float32) - bare.pixels.astype(np.float32)).mean(axis=2), (0, 0), 1.0
    )
    strong = change > 60
    covered = np.zeros(strong.shape, bool)
    for x0, y0, x1, y1 in full.boxes.astype(int):
        covered[y0:y1, x0:x1] = True
        inner = strong[y0:y1, x0:x1]
        rows, columns = np.flatnonzero(inner.any(axis=1)), np.flatnonzero(inner.any(axis=0))
        assert columns[-1] - columns[0] > 0.75 * (x1 - x0)
        assert rows[-1] - rows[0] > 0.75 * (y1 - y0)
    assert strong[covered].any()
    assert not strong[~cv2.dilate(covered.astype(np.uint8), np.ones((7, 7))).astype(bool)].any()


def test_insects_keep_their_size_in_millimetres() -> None:
    for scale in (0.05, 0.1):
        photo = render_trap(
            np.random.default_rng(8),
            kind="leaf",
            size=(700, 500),
            insects={"ladybird": 3, "mite": 6},
            mm_per_pixel=scale,
        )
        long_mm = (photo.boxes[:, 2:] - photo.boxes[:, :2]).max(axis=1) * scale
        for group, length in zip(photo.groups, long_mm, strict=True):
            low, high = GROUPS[group].length_mm
            assert 0.6 * low < length < 2.2 * high


def test_coco_records_fit_the_photo() -> None:
    photo = render_trap(np.random.default_rng(3), size=(500, 400), density=0.4)
    coco = photo.to_coco("T1_2026-05-04.jpg", image_id=4, first_annotation_id=10)
    json.dumps(coco)
    names = {category["id"]: category["name"] for category in coco["categories"]}
    assert [names[a["category_id"]] for a in coco["annotations"]] == photo.groups
    assert [a["id"] for a in coco["annotations"]] == list(range(10, 10 + len(photo.groups)))
    assert coco["images"][0]["width"] == 500
    for annotation in coco["annotations"]:
        assert annotation["image_id"] == 4
        assert annotation["area"] > 0
        assert len(annotation["segmentation"][0]) >= 6


def test_crops_file_holds_pixels_groups_and_captions(tmp_path: Path) -> None:
    write_crops(tmp_path / "held_out.npz", 48, seed=2)
    with np.load(tmp_path / "held_out.npz") as held_out:
        assert held_out["pixels"].shape == (48, 64, 64, 3)
        assert held_out["groups"].tolist()[:2] == ["aphid", "whitefly"]
        assert all(held_out["captions"].tolist())


def test_contact_sheet_has_a_row_for_each_group() -> None:
    sheet = contact_sheet(columns=2, size=32)
    assert sheet.shape == ((len(GROUP_NAMES) + 1) // 2 * 32, 2 * (54 + 64), 3)


def test_shipped_samples_have_their_truth() -> None:
    truth = json.loads((SAMPLE_FOLDER / "annotations.json").read_text(encoding="utf-8"))
    assert {image["file_name"] for image in truth["images"]} == {sample.file_name for sample in SAMPLES}
    for image in truth["images"]:
        pixels = cv2.imread(str(SAMPLE_FOLDER / image["file_name"]))
        assert pixels.shape[:2] == (image["height"], image["width"])
        count = sum(a["image_id"] == image["id"] for a in truth["annotations"])
        assert count > 5
    size = sum(path.stat().st_size for path in SAMPLE_FOLDER.glob("*") if path.is_file())
    assert size < 2_700_000


def test_the_tag_of_a_sample_can_be_read() -> None:
    zxing = pytest.importorskip("zxingcpp")
    pixels = cv2.imread(str(SAMPLE_FOLDER / "T3_2026-05-11.jpg"))
    assert [code.text for code in zxing.read_barcodes(pixels)] == ["trap=T3;date=2026-05-11"]
