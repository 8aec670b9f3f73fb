"""COCO, YOLO and VOC: what other programs' readers get from them."""

from __future__ import annotations

import copy
import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import supervision as sv
import yaml
from faster_coco_eval import COCO
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import coco as pycoco
from ultralytics.data.dataset import YOLODataset

from agri_clip.detections import Detections, PhotoRecord
from agri_clip.errors import DataError
from agri_clip.formats import coco, voc, yolo
from agri_clip.formats.files import unique_stems
from tests.formats.conftest import HOSTILE, readable

GOOD: dict[str, Any] = {
    "images": [{"id": 7, "file_name": "b.jpg", "width": 20, "height": 10}, {"id": 3, "file_name": "a.jpg"}],
    "categories": [{"id": 2, "name": "moth"}],
    "annotations": [
        {"image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4.5]},
        {"image_id": 3, "category_id": 2, "bbox": [5, 6, 7, 8], "iscrowd": 1},
        {"image_id": 3, "category_id": 2, "bbox": [5, 6, 0, 8]},
    ],
}


def table_of(detections: Detections, decimals: int = 1) -> list[tuple[int, str, list[float]]]:
    """Photo, label and box of each region, sorted, as exact as a format with so many decimals can hold."""
    names = [detections.label_names[i] for i in detections.label_index]
    boxes = detections.boxes.astype(float).round(decimals).tolist()
    return sorted(zip(detections.photo_index.tolist(), names, boxes, strict=True))


def test_coco_opens_in_the_coco_library(result: Detections, tmp_path: Path) -> None:
    coco.write(result, tmp_path / "c.json")
    opened = COCO(str(tmp_path / "c.json"))
    assert [image["file_name"] for image in opened.imgs.values()] == [p.name for p in result.photos[:3]]
    assert [category["name"] for category in opened.cats.values()] == list(result.label_names)
    assert len(opened.anns) == 4
    triangle = next(a for a in opened.anns.values() if a["segmentation"])
    assert triangle["bbox"] == [10, 10, 10, 20]
    assert triangle["area"] == 100
    assert triangle["segmentation"] == [[10, 10, 20, 10, 10, 30]]
    assert triangle["score"] == 0.6123
    assert opened.dataset["info"]["failed_photos"] == [{"file_name": "ünlesbar.jpg", "reason": "is empty"}]
    assert opened.dataset["info"]["produced_by"]["encoder"] == "builtin"


@pytest.mark.parametrize("all_regions", [False, True])
def test_coco_is_equal_in_pycocotools(result: Detections, tmp_path: Path, all_regions: bool) -> None:
    coco.write(result, tmp_path / "c.json", all_regions=all_regions)
    opened = pycoco.COCO(str(tmp_path / "c.json"))
    names = {category["id"]: category["name"] for category in opened.loadCats(opened.getCatIds())}
    chosen = result if all_regions else result.found
    read = []
    for index, image in enumerate(opened.loadImgs(opened.getImgIds())):
        for annotation in opened.loadAnns(opened.getAnnIds(imgIds=image["id"])):
            x, y, width, height = annotation["bbox"]
            read.append((index, names[annotation["category_id"]], np.round([x, y, x + width, y + height], 1).tolist()))
    assert sorted(read) == table_of(chosen)
    triangle = next(annotation for annotation in opened.anns.values() if annotation["segmentation"])
    assert opened.annToMask(triangle).sum() == pytest.approx(100, abs=20)


def test_coco_opens_in_supervision(result: Detections, tmp_path: Path) -> None:
    coco.write(result, tmp_path / "c.json")
    opened = sv.DetectionDataset.from_coco(str(tmp_path), str(tmp_path / "c.json"))
    assert tuple(opened.classes) == result.label_names
    read = []
    for index, photo in enumerate(result.photos[:3]):
        found = opened.annotations[str(tmp_path / photo.name)]
        for box, label in zip(found.xyxy, found.class_id, strict=True):
            read.append((index, opened.classes[label], box.astype(float).round(1).tolist()))
    assert sorted(read) == table_of(result.found)


def test_what_coco_writes_coco_reads(result: Detections, tmp_path: Path) -> None:
    coco.write(result, tmp_path / "c.json", all_regions=True)
    back = coco.read(tmp_path / "c.json")
    assert set(back.file_names) == {p.name for p in result.photos[:3]}
    assert len(back) == len(result)
    assert sorted(back.boxes.round(1).tolist()) == sorted(result.boxes.astype(float).round(1).tolist())


def test_reading_gives_boxes_in_an_order_of_their_own(tmp_path: Path) -> None:
    turned = copy.deepcopy(GOOD)
    for part in ("images", "annotations"):
        turned[part].reverse()
    (tmp_path / "c.json").write_text(json.dumps(turned), encoding="utf-8-sig")
    for read in (coco.parse(GOOD), coco.read(tmp_path / "c.json")):
        assert read.file_names == ("a.jpg", "b.jpg")
        assert read.sizes.tolist() == [[0, 0], [20, 10]]
        assert read.photo_index.tolist() == [0, 1]
        assert read.boxes.tolist() == [[5, 6, 12, 14], [1, 2, 4, 6.5]]
        assert read.crowd.tolist() == [True, False]
        assert read.notes == ("1 boxes without area left out",)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("images",), None, "images: .*found None"),
        (("annotations",), ..., "annotations: missing"),
        (("categories",), [], "categories: .*at least 1"),
        (("images", 0, "file_name"), ..., r"images\[0\].file_name: missing"),
        (("images", 1, "file_name"), "b.jpg", "images: file_name 'b.jpg' stands there twice"),
        (("images", 1, "id"), 7, "images: id 7 stands there twice"),
        (("images", 1, "id"), 1.5, r"images\[1\].id: .*found 1.5"),
        (("images", 1, "width"), "wide", r"images\[1\].width: .*found 'wide'"),
        (("annotations", 1, "bbox"), [1, 2, 3], r"annotations\[1\].bbox: .*at least 4"),
        (("annotations", 1, "bbox"), [1, 2, -3, 4], r"annotations\[1\].bbox: width and height must not be negative"),
        (("annotations", 1, "bbox"), [1, 2, 3, "4"], r"annotations\[1\].bbox\[3\]: .*found '4'"),
        (("annotations", 1, "bbox"), [1, 2, 3, float("nan")], r"annotations\[1\].bbox\[3\]: .*finite"),
        (("annotations", 1, "image_id"), 99, r"annotations\[1\].image_id: no image has id 99"),
        (("annotations", 1, "category_id"), 99, r"annotations\[1\].category_id: no category has id 99"),
        (("annotations", 1, "iscrowd"), 5, r"annotations\[1\].iscrowd: "),
    ],
)
def test_a_fault_names_the_field(place: tuple[Any, ...], value: object, message: str) -> None:
    document = copy.deepcopy(GOOD)
    part: Any = document
    for step in place[:-1]:
        part = part[step]
    if value is ...:
        del part[place[-1]]
    else:
        part[place[-1]] = value
    with pytest.raises(DataError, match=f"my.json: {message}"):
        coco.parse(document, "my.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1, column 1: not JSON"),
        (b'{"images": [,]}', "line 1, column 13: not JSON"),
        (b"[]", "results file"),
        (b"3", "not a number"),
        (b"\xff\xfe", "not UTF-8"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_is_no_coco_is_one_clear_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "c.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        coco.read(path)
    assert "c.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_labels_meet_categories_whatever_their_spelling() -> None:
    names = ["Whiteflies", "fungus_gnat", "Aphid", "larvae", "thrips", "moss"]
    truth = replace(coco.parse(GOOD), category_names=tuple(names))
    labels = ["a whitefly", "Fungus Gnats", "an aphid", "larva", "Thrips", "wasp", "mos"]
    assert truth.categories_of(labels) == {0: 0, 1: 1, 2: 2, 3: 3, 4: 4}


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (["a.jpg", "b.jpg", "c.jpg"], [0, 1, -1]),
        (["/data/set/a.jpg", "x\\b.jpg"], [0, 1]),
        (["./a.jpg"], [0]),
        (["data.jpg"], [-1]),
    ],
)
def test_photos_are_found_by_the_end_of_their_path(names: list[str], places: list[int]) -> None:
    assert coco.parse(GOOD).find_photos(names).tolist() == places


def test_two_photos_for_one_name_are_refused() -> None:
    with pytest.raises(DataError, match=r"a\.jpg is meant by both x/a\.jpg and y/a\.jpg"):
        coco.parse(GOOD).find_photos(["x/a.jpg", "y/a.jpg"])


def test_yolo_opens_in_supervision(tmp_path: Path) -> None:
    photos = (PhotoRecord("one/trap.png", 100, 50), PhotoRecord("two/trap.png", 40, 40), PhotoRecord("bare.png", 8, 8))
    boxes = np.array([[10, 10, 30, 20], [0, 0, 40, 40], [90, 40, 120, 60]])
    found = replace(
        Detections.empty(photos, ("a: b", "粉虱")),
        photo_index=np.array([0, 1, 0]),
        boxes=boxes,
        outlines=(None,) * 3,
        label_index=np.array([1, 0, 1]),
        status=np.zeros(3),
        **{name: np.ones(3) for name in ("scores", "insect", "objectness", "margin", "length_px", "length_mm")},
    )
    yolo.write(found, tmp_path / "set")
    images = tmp_path / "images"
    images.mkdir()
    for stem, photo in zip(("one_trap", "two_trap", "bare"), photos, strict=True):
        Image.new("RGB", (photo.width, photo.height)).save(images / f"{stem}.png")
    opened = sv.DetectionDataset.from_yolo(
        str(images), str(tmp_path / "set" / "labels"), str(tmp_path / "set" / "data.yaml")
    )
    assert opened.classes == ["a: b", "粉虱"]
    read = {Path(path).stem: annotations for path, _, annotations in opened}
    assert read["one_trap"].xyxy.round(2).tolist() == [[10, 10, 30, 20], [90, 40, 100, 50]]
    assert read["one_trap"].class_id.tolist() == [1, 1]
    assert read["two_trap"].xyxy.round(2).tolist() == [[0, 0, 40, 40]]
    assert len(read["bare"]) == 0


@pytest.mark.parametrize("all_regions", [False, True])
def test_yolo_is_equal_in_ultralytics_own_loader(result: Detections, tmp_path: Path, all_regions: bool) -> None:
    yolo.write(result, tmp_path, all_regions=all_regions)
    with (tmp_path / "photos.csv").open(encoding="utf-8-sig", newline="") as file:
        stems = [Path(row["label_file"]).stem for row in csv.DictReader(file)]
    (tmp_path / "images").mkdir()
    places = {}
    for index, (photo, stem) in enumerate(zip(result.photos[:3], stems, strict=True)):
        Image.new("RGB", (photo.width, photo.height)).save(tmp_path / "images" / f"{stem}.jpg")
        places[stem] = index
    names = yaml.safe_load((tmp_path / "data.yaml").read_text("utf-8"))["names"]
    dataset = YOLODataset(
        img_path=str(tmp_path / "images"),
        data={"names": names, "channels": 3},
        task="detect",
        augment=False,
        rect=False,
    )
    read = []
    for entry in dataset.labels:
        height, width = entry["shape"]
        for label, (x, y, w, h) in zip(entry["cls"][:, 0], entry["bboxes"], strict=True):
            corners = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * [width, height, width, height]
            read.append((places[Path(entry["im_file"]).stem], names[int(label)], corners.round(1).tolist()))
    chosen = result if all_regions else result.found
    edges = np.array([(photo.width, photo.height) * 2 for photo in result.photos])[chosen.photo_index]
    assert len(dataset.labels) == 3
    assert sorted(read) == table_of(replace(chosen, boxes=chosen.boxes.clip(0, edges)))


def test_yolo_says_which_file_belongs_to_which_photo(result: Detections, tmp_path: Path) -> None:
    yolo.write(result, tmp_path / "set")
    table = (tmp_path / "set" / "photos.csv").read_text("utf-8")
    assert "labels/house 2_trap.txt,house 2/trap.jpg" in table
    assert len(list((tmp_path / "set" / "labels").iterdir())) == 3
    assert yaml.safe_load((tmp_path / "set" / "data.yaml").read_text("utf-8"))["names"] == dict(
        enumerate(result.label_names)
    )


def test_the_table_of_yolo_opens_in_a_spreadsheet_as_the_others_do(result: Detections, tmp_path: Path) -> None:
    photos = (replace(result.photos[0], name="=HYPERLINK(1).jpg"), *result.photos[1:])
    yolo.write(replace(result, photos=photos), tmp_path / "set")
    content = (tmp_path / "set" / "photos.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    with (tmp_path / "set" / "photos.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert "'=HYPERLINK(1).jpg" in [row["photo"] for row in rows]
    assert all(row["produced_by"].startswith("agri-clip") for row in rows)


def yolo_edges(folder: Path) -> np.ndarray:
    """xyxy of every line, as programs reckon it from the numbers in the file."""
    lines = [line for file in (folder / "labels").iterdir() for line in file.read_text().splitlines()]
    x, y, w, h = np.array([[float(cell) for cell in line.split()[1:]] for line in lines]).T
    return np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9000), st.integers(1, 9000), st.data())
def test_yolo_boxes_stay_in_their_photo_after_rounding(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, data: st.DataObject
) -> None:
    corner = st.tuples(st.floats(-5, width + 5, width=32), st.floats(-5, height + 5, width=32))
    pairs = data.draw(st.lists(st.tuples(corner, corner), min_size=1, max_size=8))
    boxes = np.array([[min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])] for a, b in pairs])
    n = len(boxes)
    found = Detections(
        photos=(PhotoRecord("a.jpg", width, height),),
        label_names=("moth",),
        photo_index=np.zeros(n),
        boxes=boxes,
        outlines=(None,) * n,
        label_index=np.zeros(n),
        status=np.zeros(n),
        **{name: np.ones(n) for name in ("scores", "insect", "objectness", "margin", "length_px", "length_mm")},
    )
    folder = tmp_path_factory.mktemp("yolo") / "set"
    yolo.write(found, folder)
    edges = yolo_edges(folder)
    assert edges.min() >= 0
    assert edges.max() <= 1
    wanted = np.clip(found.boxes, 0, [width, height] * 2) / ([width, height] * 2)
    np.testing.assert_allclose(edges, wanted, atol=2.6e-6)


def test_yolo_without_a_photo_size_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jpg: its size"):
        yolo.write(Detections.empty([PhotoRecord("a.jpg")], ("moth",)), tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_voc_opens_in_supervision(result: Detections, tmp_path: Path) -> None:
    voc.write(result, tmp_path / "voc")
    images = tmp_path / "images"
    images.mkdir()
    files = sorted((tmp_path / "voc" / "Annotations").iterdir())
    assert len(files) == 3
    for file in files:
        Image.new("RGB", (100, 80)).save(images / f"{file.stem}.jpg")
    opened = sv.DetectionDataset.from_pascal_voc(str(images), str(tmp_path / "voc" / "Annotations"))
    assert set(opened.classes) == {result.label_names[i] for i in result.found.label_index}
    read = {Path(path).stem: annotations for path, _, annotations in opened}
    assert sorted(read["house 1_trap"].xyxy.tolist()) == [[0, 0, 41, 20], [10, 10, 20, 30]]


@pytest.mark.parametrize("all_regions", [False, True])
def test_voc_is_equal_in_supervision(result: Detections, tmp_path: Path, all_regions: bool) -> None:
    whole = replace(result, boxes=result.boxes.clip(0, [100, 80, 100, 80]).round())  # VOC has whole pixels only
    voc.write(whole, tmp_path / "voc", all_regions=all_regions)
    images = tmp_path / "images"
    images.mkdir()
    stems = unique_stems([photo.name for photo in result.photos[:3]])
    for stem, photo in zip(stems, result.photos, strict=False):
        Image.new("RGB", (photo.width, photo.height)).save(images / f"{stem}.jpg")
    opened = sv.DetectionDataset.from_pascal_voc(str(images), str(tmp_path / "voc" / "Annotations"))
    read = [
        (stems.index(Path(path).stem), opened.classes[label], box.tolist())
        for path, _, found in opened
        for box, label in zip(found.xyxy, found.class_id, strict=True)
    ]
    assert sorted(read) == table_of(whole if all_regions else whole.found)


@pytest.mark.parametrize("all_regions", [False, True])
def test_hostile_names_stay_names(hostile: Detections, tmp_path: Path, all_regions: bool) -> None:
    coco.write(hostile, tmp_path / "c.json", all_regions=all_regions)
    opened = pycoco.COCO(str(tmp_path / "c.json"))
    assert [category["name"] for category in opened.cats.values()] == [readable(name) for name in HOSTILE]
    yolo.write(hostile, tmp_path / "yolo", all_regions=all_regions)
    names = yaml.safe_load((tmp_path / "yolo" / "data.yaml").read_text("utf-8"))["names"]
    assert list(names.values()) == [readable(name) for name in HOSTILE]
    voc.write(hostile, tmp_path / "voc", all_regions=all_regions)
    found = [
        ElementTree.parse(file).findtext("object/name") for file in sorted((tmp_path / "voc" / "Annotations").iterdir())
    ]
    # XML turns CR LF into LF.
    assert sorted(map(str, found)) == sorted(readable(name).replace("\r\n", "\n") for name in HOSTILE)


def test_voc_names_its_source_and_escapes_what_xml_cannot_hold(result: Detections, tmp_path: Path) -> None:
    odd = replace(result, label_names=("bad\x00name", "<&>", "ok"))
    voc.write(odd, tmp_path / "voc")
    tree = ElementTree.parse(tmp_path / "voc" / "Annotations" / "house 1_trap.xml")
    assert [node.text for node in tree.findall("object/name")] == ["bad?name", "<&>"]
    assert [node.text for node in tree.findall("object/truncated")] == ["0", "1"]
    assert "encoder builtin" in (tree.findtext("source/annotation") or "")
