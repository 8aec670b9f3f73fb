"""Labelled crops from every form in which people label, and the faults that are named."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_vectors import coloured_crop, write_folders

from agri_clip.errors import DataError
from fine_tune.adapt.check import check_samples
from fine_tune.adapt.samples import BACKGROUND, LabelledCrops, Place, read_samples


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo 200 wide and 100 high, red on the left and green on the right."""
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[:, :100], pixels[:, 100:] = (220, 20, 20), (20, 200, 20)
    path = tmp_path / "images" / "trap.png"
    path.parent.mkdir()
    cv2.imwrite(str(path), pixels[..., ::-1])
    return path


def is_red(crop: np.ndarray) -> bool:
    return bool(crop[..., 0].mean() > crop[..., 1].mean())


def check_two(samples: LabelledCrops) -> None:
    """One red aphid and one green moth of one photo."""
    assert dict(zip(samples.labels, map(is_red, samples.crops), strict=True)) == {"aphid": True, "moth": False}
    assert len(set(samples.photos)) == 1


def test_folders_by_label(tmp_path: Path) -> None:
    write_folders(tmp_path / "crops", {"green_aphid": "green", "Background": "yellow"}, 3)
    samples = read_samples(tmp_path / "crops")
    assert samples.counts == {"green aphid": 3, BACKGROUND: 3}
    assert samples.classes == ("green aphid",)
    assert len(set(samples.photos)) == 6


def test_the_photo_of_a_crop_is_its_folder_or_stands_in_its_name(tmp_path: Path) -> None:
    crop = coloured_crop(np.random.default_rng(0), "red")
    for name in ("aphid/T1/1.png", "aphid/T1/2.png", "moth/T2__1.png", "moth/T2__2.png"):
        path = tmp_path / "crops" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), crop)
    samples = read_samples(tmp_path / "crops")
    assert dict(zip(samples.labels, samples.photos, strict=True)) == {"aphid": "T1", "moth": "T2"}


def test_coco(tmp_path: Path, photo: Path) -> None:
    document = {
        "images": [{"id": 1, "file_name": photo.name, "width": 200, "height": 100}],
        "categories": [{"id": 1, "name": "aphid"}, {"id": 2, "name": "moth"}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "bbox": [20, 20, 30, 30]},
            {"image_id": 1, "category_id": 2, "bbox": [140, 20, 30, 30]},
        ],
    }
    (tmp_path / "labels.json").write_text(json.dumps(document))
    samples = read_samples(tmp_path / "labels.json", photo.parent)
    check_two(samples)
    assert samples.places[1] == Place(photo, (140.0, 20.0, 170.0, 50.0))
    assert samples[[1]].places == samples.places[1:]


def test_yolo(tmp_path: Path, photo: Path) -> None:
    (tmp_path / "data.yaml").write_text("names: [aphid, moth]\ntrain: images\n")
    assert photo.parent == tmp_path / "images"
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "trap.txt").write_text("0 0.2 0.4 0.1 0.2\n1 0.7 0.2 0.8 0.2 0.8 0.4 0.7 0.4\n")
    check_two(read_samples(tmp_path))
    (tmp_path / "labels" / "trap.txt").write_text("0 0.2 0.4 0.1 0.2\n7 0.2 0.4 0.1 0.2\n")
    with pytest.raises(DataError, match=r"trap\.txt:2: no class of data\.yaml"):
        read_samples(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "0 nan nan nan nan",
        "0 inf 0.5 0.1 0.1",
        "0 0.5 0.5 -0.1 0.1",
        "0 0.5 0.5 0.1 -0.001",
        "0 100 60 40 40",
        "0 0.5 -0.4 0.1 0.1",
        "0 0.1 0.1 0.2 0.1 -inf 0.3",
        "0 10 10 20 10 20 20",
    ],
)
def test_a_yolo_number_outside_0_to_1_is_named_with_its_line(tmp_path: Path, photo: Path, line: str) -> None:
    (tmp_path / "data.yaml").write_text("names: [aphid, moth]\n")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "trap.txt").write_text(f"1 0.2 0.4 0.1 0.2\n{line}\n")
    with pytest.raises(DataError, match=r"trap\.txt:2: .* from 0 to 1") as caught:
        read_samples(tmp_path)
    assert photo.is_file()
    assert "\n" not in str(caught.value)


def test_yolo_boxes_without_area_are_left_out_and_told_and_those_at_the_border_stay(
    tmp_path: Path, photo: Path
) -> None:
    (tmp_path / "data.yaml").write_text("names: [aphid, moth]\n")
    (tmp_path / "labels").mkdir()
    lines = ["0 0.5 0.5 0 0", "0 0.05 0.4 0.2 0.2", "1 0.5 0.5 0.001 0.001", "1 0.99 1.0000005 0.1 0.2"]
    (tmp_path / "labels" / "trap.txt").write_text("\n".join(lines))
    samples = read_samples(tmp_path)
    assert samples.labels == ("aphid", "moth")
    assert len(samples.places) == 2
    assert any("2 boxes without area or outside their photo were left out" in note for note in samples.notes)
    assert photo.is_file()


def test_coco_boxes_outside_their_photo_are_left_out_and_told(tmp_path: Path, photo: Path) -> None:
    boxes = [[20, 20, 30, 30], [500, 20, 30, 30], [0.2, 0.3, 0.1, 0.1], [-80, -90, 40, 50]]
    document = {
        "images": [{"id": 1, "file_name": photo.name}],
        "categories": [{"id": 1, "name": "aphid"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": box} for box in boxes],
    }
    (tmp_path / "labels.json").write_text(json.dumps(document))
    samples = read_samples(tmp_path / "labels.json", photo.parent)
    assert [place.box for place in samples.places] == [(20.0, 20.0, 50.0, 50.0)]
    assert any("3 boxes without area or outside their photo were left out" in note for note in samples.notes)


@pytest.mark.parametrize("names_file", ["data.yml", "dataset.yaml", "classes.txt", "labels/classes.txt"])
def test_yolo_class_names_by_other_programs(tmp_path: Path, photo: Path, names_file: str) -> None:
    (tmp_path / "labels").mkdir()
    listed = "aphid\r\nmoth\r\n" if names_file.endswith(".txt") else "names: {0: aphid, 1: moth}\n"
    (tmp_path / names_file).write_text(listed)
    (tmp_path / "notes.json").write_text('{"categories": []}')
    (tmp_path / "labels" / "trap.txt").write_text("0 0.2 0.4 0.1 0.2\n1 0.8 0.4 0.1 0.2\n")
    assert photo.is_file()
    check_two(read_samples(tmp_path))
    (tmp_path / "labels" / "trap.txt").write_text("7 0.2 0.4 0.1 0.2\n")
    with pytest.raises(DataError, match=rf"trap\.txt:1: no class of {Path(names_file).name}"):
        read_samples(tmp_path)


def test_yolo_labels_beside_their_photos(photo: Path) -> None:
    (photo.parent / "classes.txt").write_text("aphid\nmoth\n")
    photo.with_suffix(".txt").write_text("0 0.2 0.4 0.1 0.2\n1 0.8 0.4 0.1 0.2\n")
    check_two(read_samples(photo.parent))


def test_a_yolo_folder_without_class_names_says_what_is_missing(tmp_path: Path, photo: Path) -> None:
    assert photo.is_file()
    with pytest.raises(DataError, match=r"images/.*classes\.txt"):
        read_samples(tmp_path)
    (tmp_path / "labels").mkdir()
    with pytest.raises(DataError, match=r"images/.*data\.yaml"):
        read_samples(tmp_path)


def label_studio_task(photo: Path, *values: dict[str, object]) -> list[dict[str, object]]:
    results = [{"type": "rectanglelabels", "value": value} for value in values]
    return [{"data": {"image": f"/data/upload/1/abc12345-{photo.name}"}, "annotations": [{"result": results}]}]


def test_a_label_studio_box_drawn_backwards_is_turned_round(tmp_path: Path, photo: Path) -> None:
    value = {"x": 40, "y": 60, "width": -20, "height": -30, "rotation": 0, "rectanglelabels": ["aphid"]}
    (tmp_path / "export.json").write_text(json.dumps(label_studio_task(photo, value)))
    samples = read_samples(tmp_path / "export.json", photo.parent)
    np.testing.assert_allclose(samples.places[0].box, (40, 30, 80, 60))


@pytest.mark.parametrize("empty", [{"rectanglelabels": []}, {"rectanglelabels": [""]}, {}])
def test_a_label_studio_box_without_a_label_is_left_out_and_told(
    tmp_path: Path, photo: Path, empty: dict[str, object]
) -> None:
    place = {"x": 10, "y": 20, "width": 15, "height": 30}
    tasks = label_studio_task(photo, place | {"rectanglelabels": ["aphid"]}, place | empty)
    tasks[0]["annotations"][0]["result"].append({"type": "ellipselabels", "value": {}})  # type: ignore[index]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    samples = read_samples(tmp_path / "export.json", photo.parent)
    assert samples.labels == ("aphid",)
    assert "1 boxes have no label and were left out" in samples.notes
    assert any("1 labelled shapes are no rectangles" in note for note in samples.notes)


@pytest.mark.parametrize("key", ["x", "width", "rotation"])
def test_a_label_studio_number_that_is_not_finite_is_named(tmp_path: Path, photo: Path, key: str) -> None:
    value = {"x": 10, "y": 20, "width": 15, "height": 30, "rotation": 0, "rectanglelabels": ["aphid"]}
    (tmp_path / "export.json").write_text(json.dumps(label_studio_task(photo, value | {key: float("nan")})))
    with pytest.raises(DataError, match=r"\[0\]\.annotations\.result\[0\]\.value: .*not finite"):
        read_samples(tmp_path / "export.json", photo.parent)


@pytest.mark.parametrize(
    ("rotation", "box"),
    [
        (90, (50, 20, 80, 60)),
        (-90, (80, -20, 110, 20)),
        (180, (40, -10, 80, 20)),
        (30, (65, 20, 114.641, 65.981)),
        (None, (80, 20, 120, 50)),
    ],
)
def test_a_turned_label_studio_box_is_the_box_around_its_corners(
    tmp_path: Path, photo: Path, rotation: float | None, box: tuple[float, ...]
) -> None:
    value = {"x": 40, "y": 20, "width": 20, "height": 30, "rotation": rotation, "rectanglelabels": ["aphid"]}
    (tmp_path / "export.json").write_text(json.dumps(label_studio_task(photo, value)))
    samples = read_samples(tmp_path / "export.json", photo.parent)
    np.testing.assert_allclose(samples.places[0].box, box, atol=0.01)


def test_parts_of_a_data_set_are_no_labels(tmp_path: Path) -> None:
    for part in ("train", "val"):
        write_folders(tmp_path / "set" / part, {"Aphid" if part == "val" else "aphid": "green", "moth": "red"}, 3)
    (tmp_path / "set" / "test").mkdir()
    samples = read_samples(tmp_path / "set")
    assert samples.counts == {"aphid": 6, "moth": 6}
    assert any("train, val are parts of one data set" in note for note in samples.notes)


def test_crops_of_one_photo_in_two_parts_are_of_one_photo(tmp_path: Path) -> None:
    crop = coloured_crop(np.random.default_rng(0), "red")
    for name in ("train/aphid/T1__1.png", "Valid/aphid/T1__2.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        cv2.imwrite(str(path), crop)
    assert set(read_samples(tmp_path).photos) == {"T1"}


def test_parts_in_coco_are_read_with_their_photos(tmp_path: Path, photo: Path) -> None:
    for part, x in (("train", 20), ("valid", 140)):
        (tmp_path / "robo" / part).mkdir(parents=True)
        (tmp_path / "robo" / part / photo.name).write_bytes(photo.read_bytes())
        document = {
            "images": [{"id": 0, "file_name": photo.name}],
            "categories": [{"id": 0, "name": "pests"}, {"id": 1, "name": "aphid" if part == "train" else "moth"}],
            "annotations": [{"image_id": 0, "category_id": 1, "bbox": [x, 20, 30, 30]}],
        }
        (tmp_path / "robo" / part / "_annotations.coco.json").write_text(json.dumps(document))
    samples = read_samples(tmp_path / "robo")
    check_two(samples)
    assert len(samples.places) == 2


def test_parts_beside_labels_are_one_clear_line(tmp_path: Path) -> None:
    write_folders(tmp_path / "set", {"train": "green", "aphid": "red"}, 2)
    with pytest.raises(DataError, match="train is a part of a data set and no label, but aphid lies beside"):
        read_samples(tmp_path / "set")


def test_label_studio_takes_what_people_said_and_not_what_was_proposed(tmp_path: Path, photo: Path) -> None:
    def rectangle(x: float, label: str) -> dict[str, object]:
        value = {"x": x, "y": 20, "width": 15, "height": 30, "rectanglelabels": [label]}
        return {"type": "rectanglelabels", "value": value}

    data = {"image": f"/data/local-files/?d=season/{photo.name}"}
    proposed = [{"result": [rectangle(10, "thrips")]}]
    tasks = [
        {
            "data": data,
            "predictions": proposed,
            "annotations": [{"result": [rectangle(10, "aphid"), rectangle(70, "moth")]}],
        },
        {"data": data, "predictions": proposed, "annotations": []},
    ]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    samples = read_samples(tmp_path / "export.json", photo.parent)
    check_two(samples)
    assert "1 tasks have no answer" in samples.notes[0]


def test_answers_of_the_page(tmp_path: Path) -> None:
    write_folders(tmp_path, {"crops": "red"}, 5)
    said = [
        {"crop": "crops/0.png", "label": "aphid", "verdict": "right", "predicted": "aphid", "photo": "T1.jpg"},
        {
            "crop": "crops/1.png",
            "label": "moth",
            "verdict": "something else",
            "predicted": "aphid",
            "objectness": 0.25,
        },
        {"crop": "crops/2.png", "label": None, "verdict": "wrong", "predicted": "aphid"},
        {"crop": "crops/3.png", "label": None, "verdict": "not an insect", "predicted": "aphid"},
        {"crop": "crops/4.png", "label": "aphid", "verdict": "right", "predicted": "aphid"},
        {"crop": "crops/4.png", "label": "moth", "verdict": "wrong", "predicted": "aphid"},
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, said)))
    samples = read_samples(tmp_path)
    assert samples.labels == ("aphid", "moth", BACKGROUND, "moth")
    assert samples.photos[0] == "T1.jpg"
    np.testing.assert_equal(samples.objectness, [np.nan, 0.25, np.nan, np.nan])
    assert samples[[0, 1]].objectness[1] == 0.25
    assert "1 crops are only known not to be what was said" in samples.notes[0]


def test_answers_of_many_visits_come_together(tmp_path: Path) -> None:
    for visit, label in (("monday", "aphid"), ("tuesday", "thrips")):
        write_folders(tmp_path / visit, {"crops": "red"}, 1)
        said = {"crop": "crops/0.png", "verdict": "something else", "label": label, "photo": f"{visit}.jpg"}
        (tmp_path / visit / "answers.jsonl").write_text(json.dumps(said))
    samples = read_samples(tmp_path)
    assert samples.labels == ("aphid", "thrips")
    assert samples.photos == ("monday.jpg", "tuesday.jpg")


def test_a_damaged_answer_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text('{"crop": "a.png", "verdict": "perhaps"}\n')
    with pytest.raises(DataError, match=r"answers\.jsonl:1: verdict"):
        read_samples(tmp_path)


def test_an_answer_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text('{"crop": "../secret.png", "verdict": "right", "label": "aphid"}\n')
    with pytest.raises(DataError, match="not in this folder"):
        read_samples(tmp_path)


def test_a_place_without_labels_lists_the_forms(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a COCO file, a YOLO folder"):
        read_samples(tmp_path / "nothing")


def test_an_unreadable_crop_is_a_note(tmp_path: Path) -> None:
    write_folders(tmp_path / "crops", {"aphid": "green"}, 2)
    (tmp_path / "crops" / "aphid" / "9.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    samples = read_samples(tmp_path / "crops")
    assert len(samples) == 2
    assert "9.png" in samples.notes[0]


def test_repeats_and_contradictions_are_found_in_any_turn_and_brightness() -> None:
    rng = np.random.default_rng(0)
    crops = [coloured_crop(rng, "green", spread=5) for _ in range(6)]
    repeat = np.ascontiguousarray(np.rot90(crops[0])[:, ::-1])
    contradiction = np.clip(crops[1].astype(int) + 12, 0, 255).astype(np.uint8)
    samples = LabelledCrops(
        (*crops, repeat, contradiction), ("aphid",) * 7 + ("moth",), tuple("abcdefgh"), tuple("abcdefgh")
    )
    findings = check_samples(samples)
    assert findings.repeats == ((0, 6),)
    assert findings.contradictions == ((1, 7),)
    assert findings.kept.tolist() == [0, 2, 3, 4, 5]
    assert "two labels, both left out: b (aphid) and h (moth)" in findings.lines[0]
