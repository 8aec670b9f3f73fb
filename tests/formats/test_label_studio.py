"""Label Studio: tasks that its documented format takes, with equal boxes and labels."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest

from agri_clip.detections import Detections, PhotoRecord
from agri_clip.errors import DataError
from agri_clip.formats import label_studio
from tests.formats.conftest import readable

# What Label Studio documents of pre-annotations (https://labelstud.io/guide/predictions), with the bounds that its
# own import checks (label-studio-sdk, label_interface: fields that a region must have, percent from 0 to 100, score
# from 0 to 1, labels of the configuration). The SDK itself cannot be installed here: it asks for an older numpy.
PERCENT = {"type": "number", "minimum": 0, "maximum": 100}
REGION = {
    "type": "object",
    "required": ["id", "type", "from_name", "to_name", "original_width", "original_height", "image_rotation", "value"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "type": {"const": "rectanglelabels"},
        "from_name": {"type": "string"},
        "to_name": {"type": "string"},
        "original_width": {"type": "integer", "minimum": 1},
        "original_height": {"type": "integer", "minimum": 1},
        "image_rotation": {"const": 0},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "meta": {"type": "object", "properties": {"text": {"type": "array", "items": {"type": "string"}}}},
        "value": {
            "type": "object",
            "required": ["x", "y", "width", "height", "rotation", "rectanglelabels"],
            "additionalProperties": False,
            "properties": {
                **dict.fromkeys(("x", "y", "width", "height"), PERCENT),
                "rotation": {"type": "number", "minimum": 0, "maximum": 360},
                "rectanglelabels": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1},
            },
        },
    },
    "additionalProperties": False,
}
TASKS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["data", "predictions"],
        "additionalProperties": False,
        "properties": {
            "data": {"type": "object", "required": ["image"], "properties": {"image": {"type": "string"}}},
            "predictions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["result"],
                    "additionalProperties": False,
                    "properties": {
                        "model_version": {"type": "string"},
                        "score": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
                        "result": {"type": "array", "items": REGION},
                    },
                },
            },
        },
    },
}


def read(folder: Path) -> list[dict[str, Any]]:
    """The tasks, after the checks that Label Studio makes when it imports them."""
    tasks = json.loads((folder / "tasks.json").read_text("utf-8"), parse_constant=pytest.fail)
    jsonschema.validate(tasks, TASKS, cls=jsonschema.Draft202012Validator)
    config = ElementTree.parse(folder / "config.xml").getroot()
    control, picture = config.find("RectangleLabels"), config.find("Image")
    assert control is not None
    assert picture is not None
    assert control.get("toName") == picture.get("name")
    assert picture.get("value") == "$image"
    labels = [label.get("value") for label in control.findall("Label")]
    regions = [region for task in tasks for part in task["predictions"] for region in part["result"]]
    for region in regions:
        assert region["from_name"] == control.get("name")
        assert region["to_name"] == picture.get("name")
        assert set(region["value"]["rectanglelabels"]) <= set(labels)
    ids = [region["id"] for region in regions]
    assert len(set(ids)) == len(ids)
    return tasks


def boxes(task: dict[str, Any]) -> list[tuple[str, list[float]]]:
    """Label and xyxy in pixels of each region of a task, as the picture shows them."""
    found = []
    for region in task["predictions"][0]["result"]:
        value, width, height = region["value"], region["original_width"], region["original_height"]
        x, y = value["x"] * width / 100, value["y"] * height / 100
        corners = [x, y, x + value["width"] * width / 100, y + value["height"] * height / 100]
        found.append((value["rectanglelabels"][0], [round(corner, 2) for corner in corners]))
    return found


def test_boxes_and_labels_are_equal_and_the_best_stand_first(result: Detections, tmp_path: Path) -> None:
    label_studio.write(result, tmp_path / "ls")
    first, second, third = read(tmp_path / "ls")
    assert boxes(first) == [(result.label_names[1], [0, 0, 40.26, 20]), ("whitefly", [10, 10, 20, 30])]
    assert boxes(second) == [("粉虱", [90, 70, 100, 80]), ("whitefly", [5, 5, 15, 25])]  # cut at the photo's edge
    assert boxes(third) == []
    assert [region["score"] for region in first["predictions"][0]["result"]] == [0.9, 0.6123]
    assert first["predictions"][0]["score"] == pytest.approx((0.9 + 0.6123) / 2, abs=1e-4)
    assert third["predictions"][0]["score"] is None


def test_all_regions_carry_their_status(result: Detections, tmp_path: Path) -> None:
    label_studio.write(result, tmp_path / "ls", all_regions=True)
    tasks = read(tmp_path / "ls")
    regions = [region for task in tasks for region in task["predictions"][0]["result"]]
    assert [region["meta"]["text"] for region in regions if "meta" in region] == [
        ["status other"],
        ["status background"],
    ]
    assert len(regions) == 6


def test_tasks_say_what_made_them_and_can_be_filtered_by_trap(result: Detections, tmp_path: Path) -> None:
    label_studio.write(result, tmp_path / "ls")
    task = read(tmp_path / "ls")[0]
    assert task["data"]["photo"] == "house 1/trap.jpg"
    assert task["data"]["trap"] == "T1"
    assert task["data"]["taken"] == datetime(2026, 5, 1, 7, 30).isoformat()
    assert "builtin" in task["predictions"][0]["model_version"]
    assert "ünlesbar.jpg: is empty" in (tmp_path / "ls" / "README.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("photos/a b.jpg", "photos/a%20b.jpg"),
        ("./photos//a.jpg", "photos/a.jpg"),
        ("/home/me/photos/a.jpg", "home/me/photos/a.jpg"),
        ("C:\\me\\photos\\a.jpg", "me/photos/a.jpg"),
        ("photos/#1?&=ü.jpg", "photos/%231%3F%26%3D%C3%BC.jpg"),
        ("photos/caf\udce9.jpg", "photos/caf%3F.jpg"),
    ],
)
def test_the_picture_is_addressed_as_a_local_file(name: str, place: str, tmp_path: Path) -> None:
    label_studio.write(Detections.empty([PhotoRecord(name, 8, 8)], ("moth",)), tmp_path / "ls")
    assert read(tmp_path / "ls")[0]["data"]["image"] == f"/data/local-files/?d={place}"


def test_hostile_names_stay_names(hostile: Detections, tmp_path: Path) -> None:
    label_studio.write(hostile, tmp_path / "ls")
    tasks = read(tmp_path / "ls")
    assert [boxes(task) for task in tasks] == [[(readable(name), [10, 20, 30, 40])] for name in hostile.label_names]


def test_many_labels_have_a_colour_each(tmp_path: Path) -> None:
    label_studio.write(Detections.empty((), tuple(f"insect {i}" for i in range(40))), tmp_path / "ls")
    labels = ElementTree.parse(tmp_path / "ls" / "config.xml").getroot().findall("RectangleLabels/Label")
    assert len([label.get("background") for label in labels]) == 40
    assert read(tmp_path / "ls") == []


def test_a_box_beside_the_photo_is_cut_to_it(result: Detections, tmp_path: Path) -> None:
    out = replace(result, boxes=np.tile([-50.0, 30, 500, 900], (6, 1)))
    label_studio.write(out, tmp_path / "ls")
    assert boxes(read(tmp_path / "ls")[0])[0][1] == [0, 30, 100, 80]


def test_without_a_photo_size_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jpg: its size"):
        label_studio.write(Detections.empty([PhotoRecord("a.jpg")], ("moth",)), tmp_path / "ls")
    assert list(tmp_path.iterdir()) == []
