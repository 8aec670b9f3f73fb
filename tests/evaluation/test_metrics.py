"""Every figure against small cases worked out by hand, and the fast ways against plain ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agri_clip.detections import BACKGROUND, FOUND, OTHER, Detections, PhotoRecord
from agri_clip.errors import DataError
from agri_clip.evaluation.matching import Boxes, average_precision, match_boxes
from agri_clip.evaluation.metrics import evaluate, summary_rows, write_report
from agri_clip.formats import coco
from agri_clip.regions.base import Regions
from agri_clip.regions.merging import iou_matrix

Row = tuple[Any, ...]


def truth(*rows: Row, photos: tuple[str, ...] = ("a.jpg", "b.jpg"), categories: tuple[str, ...] = ("insect",)):
    """Annotations; a row is photo, xyxy and, if need be, category and crowd."""
    return coco.parse(
        {
            "images": [{"id": i, "file_name": name, "width": 1000, "height": 800} for i, name in enumerate(photos)],
            "categories": [{"id": i, "name": name} for i, name in enumerate(categories)],
            "annotations": [
                {
                    "image_id": row[0],
                    "bbox": [row[1][0], row[1][1], row[1][2] - row[1][0], row[1][3] - row[1][1]],
                    "category_id": row[2] if len(row) > 2 else 0,
                    "iscrowd": row[3] if len(row) > 3 else 0,
                }
                for row in rows
            ],
        },
        "truth.json",
    )


def result(
    *rows: Row, photos: tuple[str, ...] = ("dir/a.jpg", "dir/b.jpg"), labels: tuple[str, ...] = ("insect",)
) -> Detections:
    """Detections; a row is photo, xyxy, score and, if need be, label and status."""
    n = len(rows)
    ones = {name: np.ones(n) for name in ("insect", "objectness", "margin", "length_px", "length_mm")}
    return Detections(
        photos=tuple(PhotoRecord(name, 1000, 800) for name in photos),
        label_names=labels,
        photo_index=np.array([row[0] for row in rows]),
        boxes=np.array([row[1] for row in rows], np.float32).reshape(-1, 4),
        scores=np.array([row[2] for row in rows]),
        label_index=np.array([row[3] if len(row) > 3 else 0 for row in rows]),
        status=np.array([row[4] if len(row) > 4 else FOUND for row in rows]),
        outlines=(None,) * n,
        provenance={"encoder": "builtin"},
        **ones,
    )


A, B, C, D = [0, 0, 10, 10], [50, 50, 60, 60], [100, 100, 130, 130], [200, 200, 290, 250]
FAR = [700, 700, 720, 720]
COUNT_FIGURES = ("count_mae", "count_mape", "count_bias")


def test_precision_recall_f1_and_ap_of_a_case_worked_out_by_hand() -> None:
    report = evaluate(result((0, A, 0.9), (0, FAR, 0.8), (0, B, 0.7)), truth((0, A), (0, B)))
    assert (report["true_positives"], report["false_positives"], report["false_negatives"]) == (2, 1, 0)
    assert report["precision"] == pytest.approx(2 / 3, abs=1e-6)
    assert report["recall"] == report["recall50"] == 1
    assert report["f1"] == pytest.approx(0.8)
    # 51 of 101 recall points at precision 1, 50 at 2/3, the same at every IoU.
    assert report["ap"] == report["ap50"] == pytest.approx((51 + 50 * 2 / 3) / 101, abs=1e-6)
    assert report["boxes_per_insect"] == 1.5


def test_ap_is_the_mean_over_how_well_boxes_fit() -> None:
    # IoU 0.72: a match at 0.50, 0.55, 0.60, 0.65 and 0.70.
    report = evaluate(result((0, [0, 0, 10, 7.2], 0.9)), truth((0, A)))
    assert report["ap"] == pytest.approx(0.5)
    assert report["ap50"] == 1


def test_a_second_box_on_an_insect_is_wrong() -> None:
    report = evaluate(result((0, A, 0.9), (0, [0, 0, 10, 9], 0.8)), truth((0, A)))
    assert (report["true_positives"], report["false_positives"]) == (1, 1)


def test_counting_error_by_hand() -> None:
    # Photo a: 2 labelled, 3 counted; photo b: 1 labelled, none counted.
    report = evaluate(result((0, A, 0.9), (0, B, 0.9), (0, FAR, 0.9)), truth((0, A), (0, B), (1, A)))
    assert report["count_mae"] == 1
    assert report["count_mape"] == pytest.approx((0.5 + 1) / 2)
    assert report["count_bias"] == 0
    assert report["per_photo"] == [
        {"photo": "a.jpg", "insects": 2, "counted": 3},
        {"photo": "b.jpg", "insects": 1, "counted": 0},
    ]


def test_a_trap_with_more_insects_than_cocos_limit_can_be_perfect() -> None:
    rows = [(0, [20 * x, 20 * y, 20 * x + 11, 20 * y + 9]) for x in range(25) for y in range(20)]
    scores = np.linspace(0.1, 0.9, len(rows))
    report = evaluate(result(*[(*row, s) for row, s in zip(rows, scores, strict=True)]), truth(*rows))
    assert report["insects"] == 500
    for name in ("ap", "ap50", "recall50", "precision", "recall", "f1", "map", "map50"):
        assert report[name] == 1, name
    assert report["count_mae"] == report["count_mape"] == report["count_bias"] == 0


def test_what_counts_is_the_status_or_the_threshold_given() -> None:
    found = result((0, A, 0.9, 0, OTHER), (0, B, 0.4), (0, FAR, 0.95, 0, BACKGROUND))
    labelled = truth((0, A), (0, B))
    assert evaluate(found, labelled)["recall"] == 0.5
    assert evaluate(found, labelled)["counted"] == 1
    assert evaluate(found, labelled, threshold=0.5)["counted"] == 1
    assert evaluate(found, labelled, threshold=0.4)["recall"] == 1
    assert evaluate(found, labelled, threshold=0.4)["threshold"] == 0.4
    known = replace(found, provenance={"thresholds": {"insect": 0.3}})
    assert evaluate(known, labelled)["threshold"] == {"insect": 0.3}
    # All regions take part in the orderings.
    assert evaluate(found, labelled)["recall50"] == 1


def test_the_best_f1_is_told_with_its_threshold() -> None:
    report = evaluate(result((0, A, 0.9), (0, B, 0.7), (0, FAR, 0.3), (1, FAR, 0.3)), truth((0, A), (0, B), (1, C)))
    assert report["best_f1"] == {
        "f1": pytest.approx(0.8),
        "threshold": 0.7,
        "precision": 1.0,
        "recall": pytest.approx(2 / 3, abs=1e-6),
    }


def test_a_threshold_cannot_part_equal_scores() -> None:
    report = evaluate(result((0, A, 0.5), (0, FAR, 0.5)), truth((0, A)))
    assert report["best_f1"]["precision"] == 0.5


def test_recall_grows_with_the_number_of_boxes() -> None:
    regions = {
        "a.jpg": Regions(np.array([A, FAR, B], np.float32), np.array([0.9, 0.8, 0.3])),
        "b.jpg": Regions(np.array([FAR, C], np.float32), np.array([0.7, 0.1])),
    }
    report = evaluate(regions, truth((0, A), (0, B), (1, C), (1, D)))
    assert report["predictions"] == "proposals"
    assert [(row["boxes_per_insect"], row["recall"]) for row in report["recall_by_boxes"]] == [
        (0.5, 0.25),
        (1.0, 0.5),
        (1.25, 0.75),
    ]
    assert report["recall_by_boxes"][0]["threshold"] == pytest.approx(0.8)
    assert report["recall50"] == 0.75
    assert report["boxes_per_insect"] == 1.25
    assert evaluate(regions, truth((0, A), (0, B)), threshold=0.5)["precision"] == pytest.approx(1 / 3, abs=1e-6)
    json.dumps(report, allow_nan=False)


def test_sizes_are_told_apart_by_the_long_side() -> None:
    small, edge, large = [0, 0, 19, 2], [100, 0, 120, 20], [200, 0, 380, 20]
    report = evaluate(result((0, small, 0.9), (0, large, 0.3, 0, OTHER)), truth((0, small), (0, edge), (0, large)))
    rows = {row["from_px"]: row for row in report["by_size"]}
    assert [rows[k]["insects"] for k in (0, 20, 40, 80)] == [1, 1, 0, 1]
    assert (rows[0]["recall"], rows[20]["recall"], rows[80]["recall"]) == (1, 0, 0)
    assert (rows[0]["recall50"], rows[20]["recall50"], rows[80]["recall50"]) == (1, 0, 1)
    assert (rows[0]["ap50"], rows[20]["ap50"], rows[40]["ap50"], rows[80]["ap50"]) == (1, 0, None, 1)
    assert rows[80]["to_px"] is None


def test_where_only_some_are_labelled_a_box_on_nothing_is_not_wrong() -> None:
    found = result((0, A, 0.9), (0, FAR, 0.95), (0, [0, 0, 10, 9], 0.8), (1, FAR, 0.9))
    labelled = truth((0, A), (0, B))
    assert evaluate(found, labelled)["precision"] == 0.25
    report = evaluate(found, labelled, ignore_unmatched=True)
    assert report["ignored_boxes"] == 2
    assert report["precision"] == 0.5
    assert report["recall"] == 0.5
    assert report["ap50"] == pytest.approx(51 / 101, abs=1e-6)
    assert report["count_mae"] == 0


def test_a_wrong_label_is_wrong_also_where_only_some_are_labelled() -> None:
    labelled = truth((0, A, 0), (0, B, 1), categories=("moth", "fly"))
    found = result((0, A, 0.9, 1), (0, B, 0.8, 1), (0, FAR, 0.9, 0), labels=("moth", "fly"))
    moth, fly = evaluate(found, labelled, ignore_unmatched=True)["per_label"]
    assert (moth["precision"], moth["recall"]) == (None, 0)
    assert (fly["precision"], fly["recall"]) == (0.5, 1)


def test_a_crowd_is_neither_missed_nor_found() -> None:
    crowd = [300, 300, 400, 400]
    found = result((0, A, 0.9), (0, [310, 310, 320, 320], 0.95), (0, [350, 350, 360, 360], 0.95))
    report = evaluate(found, truth((0, A), (0, crowd, 0, 1)))
    assert report["ignored_boxes"] == 2
    assert report["insects"] == 1
    assert report["ap"] == report["precision"] == report["recall"] == 1
    assert report["count_mae"] == 0


def test_labels_are_measured_apart_and_strangers_are_named() -> None:
    labelled = truth((0, A, 0), (0, B, 0), (0, C, 1), (1, D, 2), categories=("Moths", "fungus_gnat", "bee"))
    found = result(
        (0, A, 0.9, 0),
        (0, B, 0.8, 1),
        (0, C, 0.7, 1),
        (1, D, 0.6, 2),
        labels=("a moth", "fungus gnats", "wasp"),
    )
    report = evaluate(found, labelled)
    moth, gnat = report["per_label"]
    assert (moth["category"], moth["labels"], moth["insects"]) == ("Moths", ["a moth"], 2)
    assert (moth["precision"], moth["recall"], moth["count_bias"]) == (1, 0.5, -0.5)
    assert (gnat["precision"], gnat["recall"], gnat["count_bias"]) == (0.5, 1, 0.5)
    assert moth["ap50"] == pytest.approx(51 / 101, abs=1e-6)
    assert gnat["ap50"] == pytest.approx(0.5)
    assert report["map50"] == pytest.approx((51 / 101 + 0.5) / 2, abs=1e-6)
    assert report["labels_without_category"] == ["wasp"]
    assert report["categories_without_label"] == ["bee"]
    # Whatever the label, every box is right.
    assert report["ap50"] == report["precision"] == report["recall"] == 1


def test_no_label_with_a_category_leaves_the_means_empty() -> None:
    report = evaluate(result((0, A, 0.9), labels=("wasp",)), truth((0, A)))
    assert report["map50"] is None
    assert report["per_label"] == []
    assert report["ap50"] == 1


@pytest.mark.parametrize("labelled", [truth((0, A)), truth()])
def test_nothing_found_or_nothing_labelled_has_figures_all_the_same(labelled: coco.Annotations) -> None:
    report = evaluate(result(), labelled)
    assert report["precision"] is None
    assert report["recall"] == (0 if len(labelled) else None)
    assert report["ap50"] == (0 if len(labelled) else None)
    assert report["count_mae"] == (0.5 if len(labelled) else 0)
    assert evaluate({"a.jpg": Regions.empty()}, labelled)["recall_by_boxes"] == []
    json.dumps(report, allow_nan=False)


def test_photos_that_failed_are_listed_and_take_no_part() -> None:
    found = result((0, A, 0.9), photos=("a.jpg",))
    found = replace(found, photos=(*found.photos, PhotoRecord("b.jpg", reason="is truncated")))
    labelled = truth((0, A), (1, A), (2, A), photos=("a.jpg", "b.jpg", "c.jpg"))
    report = evaluate(found, labelled)
    assert report["photos"] == 1
    assert report["recall"] == 1
    assert report["failures"] == [
        {"photo": "b.jpg", "reason": "is truncated"},
        {"photo": "c.jpg", "reason": "labelled, but not among the photos given"},
    ]
    proposals = evaluate({"a.jpg": Regions.empty()}, labelled, failures={"b.jpg": "is not there"})
    assert proposals["failures"][0] == {"photo": "b.jpg", "reason": "is not there"}
    assert ("photos that failed", "2") in summary_rows(proposals)


def test_an_extra_photo_is_told_and_left_out() -> None:
    found = result((0, A, 0.9), (1, A, 0.9), photos=("a.jpg", "z.jpg"))
    report = evaluate(found, truth((0, A), photos=("a.jpg",)))
    assert report["false_positives"] == 0
    assert report["warnings"] == ["z.jpg: not in truth.json; left out"]


def test_photos_that_do_not_match_at_all_are_an_error_that_shows_both() -> None:
    with pytest.raises(DataError, match=r"truth.json: none of its 2 photos .*'a.jpg', here like 'x.jpg'"):
        evaluate(result(photos=("x.jpg", "y.jpg")), truth((0, A)))


def test_a_photo_labelled_in_raw_pixel_order_is_noticed() -> None:
    found = result((0, A, 0.9))
    turned = replace(found, photos=(PhotoRecord("a.jpg", 800, 1000), PhotoRecord("b.jpg", 500, 400)))
    first, second = evaluate(turned, truth((0, A)))["warnings"]
    assert first.startswith("a.jpg: 800 x 1000 pixels here, 1000 x 800")
    assert "--raw-orientation" in first
    assert "--raw-orientation" not in second
    regions = {"a.jpg": Regions(np.array([[0, 900, 10, 950]], np.float32), np.ones(1))}
    assert "--raw-orientation" in evaluate(regions, truth((0, A)))["warnings"][0]


def test_the_report_is_written_whole_and_says_what_was_measured(tmp_path: Path) -> None:
    report = evaluate(result((0, A, 0.5)), truth((0, A)), provenance={"command": "evaluate"})
    write_report(report, tmp_path / "new" / "r.json")
    read = json.loads((tmp_path / "new" / "r.json").read_text("utf-8"), parse_constant=lambda name: pytest.fail(name))
    assert read["produced_by"] == {"encoder": "builtin", "command": "evaluate"}
    assert read["annotations"] == "truth.json"
    needed = {*("ap", "ap50", "recall50", "boxes_per_insect", "precision", "recall", "f1"), *COUNT_FIGURES}
    assert needed <= set(read)
    assert dict(summary_rows(report))["AP at IoU 0.50"] == "1.000"


boxes_of = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 6), st.integers(1, 6)), max_size=12
).map(lambda rows: np.array([(x, y, x + w, y + h) for x, y, w, h in rows], float).reshape(-1, 4))


def plain_match(boxes: np.ndarray, insects: np.ndarray, iou: float) -> list[int]:
    """Each box in turn takes the free insect it overlaps most."""
    overlaps = iou_matrix(boxes, insects)
    free = set(range(len(insects)))
    matched = []
    for row in overlaps:
        best = max(free, key=lambda i: (row[i], -i), default=None)
        if best is None or row[best] < iou:
            matched.append(-1)
        else:
            matched.append(best)
            free.remove(best)
    return matched


@settings(deadline=None)
@given(boxes_of, boxes_of, st.sampled_from([0.1, 0.5, 0.75, 1.0]))
def test_matching_equals_the_plain_way(boxes: np.ndarray, insects: np.ndarray, iou: float) -> None:
    assert match_boxes(boxes, insects, iou).tolist() == plain_match(boxes, insects, iou)


def plain_ap(boxes: np.ndarray, insects: np.ndarray, iou: float) -> float:
    """Interpolated precision at 101 recalls, for boxes in order of score."""
    hits = np.cumsum([match >= 0 for match in plain_match(boxes, insects, iou)])
    precision = hits / np.arange(1, len(boxes) + 1)
    recall = hits / len(insects)
    return float(np.mean([precision[recall >= r].max(initial=0) for r in np.linspace(0, 1, 101)]))


@settings(max_examples=25, deadline=None)
@given(boxes_of.filter(len), boxes_of.filter(lambda insects: len(np.unique(insects, axis=0)) == len(insects) > 0))
def test_ap_equals_the_plain_way(boxes: np.ndarray, insects: np.ndarray) -> None:
    n = len(boxes)
    scores = np.linspace(0.9, 0.1, n)
    given_boxes = Boxes(np.zeros(n, int), boxes, scores, np.zeros(n, int), np.ones(n, bool))
    labelled = truth(*[(0, box.tolist()) for box in insects])
    ap, ap50 = average_precision(given_boxes, labelled)
    assert ap50[0, 0] == pytest.approx(plain_ap(boxes, labelled.boxes, 0.5), abs=1e-6)
    assert ap[0, 0] == pytest.approx(
        np.mean([plain_ap(boxes, labelled.boxes, t) for t in np.linspace(0.5, 0.95, 10)]), abs=1e-6
    )


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_figure_depends_on_any_order(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def some(count: int) -> list[list[float]]:
        corner = rng.integers(0, 30, (count, 2))
        return np.hstack([corner, corner + rng.integers(5, 12, (count, 2))]).astype(float).tolist()

    rows = [(int(rng.integers(2)), box, int(rng.integers(2))) for box in some(15)]
    found = [
        (int(rng.integers(2)), box, float(rng.choice([0.2, 0.5, 0.8])), int(rng.integers(2)), int(rng.integers(3)))
        for box in some(20)
    ]
    names = {"categories": ("moth", "fly")}
    first = evaluate(result(*found, labels=("moth", "fly")), truth(*rows, **names))
    rng.shuffle(rows)
    rng.shuffle(found)
    swapped = [(1 - row[0], *row[1:]) for row in found]
    second = evaluate(
        result(*swapped, labels=("moth", "fly"), photos=("dir/b.jpg", "dir/a.jpg")),
        truth(*[(1 - row[0], *row[1:]) for row in rows], photos=("b.jpg", "a.jpg"), **names),
    )
    assert first == second


def test_real_labels_are_perfect_against_themselves(yellow_traps: Path) -> None:
    labelled = coco.read(yellow_traps / "val.json")
    regions = {}
    for i, name in enumerate(labelled.file_names):
        boxes = labelled.boxes[labelled.photo_index == i]
        regions[f"anywhere/{name}"] = Regions(boxes, np.linspace(0.9, 0.1, len(boxes)))
    report = evaluate(regions, labelled)
    assert (report["photos"], report["insects"]) == (22, 1827)
    for name in ("ap50", "recall50", "precision", "recall", "f1", "boxes_per_insect"):
        assert report[name] == 1, name
    assert report["ap"] > 0.999
    assert report["warnings"] == report["failures"] == []


def coco_document(boxes: list[list[float]], size: tuple[int, int] = (1000, 800)) -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "width": size[0], "height": size[1]}],
        "categories": [{"id": 1, "name": "insect"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": box} for box in boxes],
    }


@pytest.mark.parametrize("names", [("whitefly", "whitefly"), ("whitefly", "Whitefly"), ("a whitefly", "Whiteflies")])
def test_categories_of_one_name_are_one_category(names: tuple[str, str]) -> None:
    detections = result((0, A, 0.9), (0, B, 0.8), labels=("whitefly",))
    two = evaluate(detections, truth((0, A, 0), (0, B, 1), categories=names))
    one = evaluate(detections, truth((0, A), (0, B), categories=names[:1]))
    assert two["per_label"][0] == one["per_label"][0]
    assert two["map50"] == one["map50"] == 1
    assert any("joined" in note and repr(names[1]) in note for note in two["warnings"])
    assert one["warnings"] == []


def test_boxes_that_are_not_x_y_width_height_are_told() -> None:
    as_corners = coco.parse(coco_document([[10, 10, 20, 20], [700, 500, 760, 560], [900, 20, 940, 60]]))
    assert any(note.startswith("2 of 3 boxes reach beyond their photo") for note in as_corners.notes)
    assert any("x, y, width, height" in note for note in as_corners.notes)
    as_shares = coco.parse(coco_document([[0.1, 0.2, 0.05, 0.05], [0.5, 0.5, 0.1, 0.2]]))
    assert any(note.startswith("2 of 2 boxes are smaller than a pixel") for note in as_shares.notes)
    before = coco.parse(coco_document([[-50, 20, 40, 40]]))
    assert any(note.startswith("1 of 1 boxes reach beyond") for note in before.notes)
    assert coco.parse(coco_document([[0, 0, 1000.5, 800], [20, 20, 30, 30]])).notes == ()


def test_boxes_beyond_a_photo_whose_size_only_the_photo_says_are_told() -> None:
    read = coco.parse(coco_document([[10, 10, 20, 20], [700, 500, 760, 560]], size=(0, 0)))
    assert read.notes == ()
    sized = coco.with_sizes(read, {"folder/a.jpg": (1000, 800)})
    assert sized.sizes.tolist() == [[1000, 800]]
    assert any(note.startswith("1 of 2 boxes reach beyond") for note in sized.notes)


def test_equal_boxes_are_told() -> None:
    twice = coco.parse(coco_document([[10, 10, 20, 20], [50, 50, 20, 20], [10, 10, 20, 20]]))
    assert any(note.startswith("1 of 3 boxes are equal to another box of their photo") for note in twice.notes)
    assert len(twice) == 3


def test_nulls_and_whole_floats_of_other_programs_are_taken() -> None:
    document = coco_document([[10, 10, 20, 20]])
    document["images"][0] |= {"id": 1.0, "width": None, "height": None}
    document["categories"][0]["id"] = 1.0
    document["annotations"][0] |= {"image_id": 1.0, "iscrowd": None}
    read = coco.parse(document)
    assert read.sizes.tolist() == [[0, 0]]
    assert read.crowd.tolist() == [False]
    assert read.category_index.tolist() == [0]
