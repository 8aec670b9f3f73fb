"""Detections: what selecting, joining and turning into tables gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from agri_clip.detections import BACKGROUND, FOUND, OTHER, Detections, PhotoRecord

LABELS = ("moth", "fly")


@pytest.fixture
def result() -> Detections:
    """Three photos, the last failed; five regions, not in photo order."""
    square = np.array([[0, 0], [1, 0], [1, 1]], np.float32)
    return Detections(
        photos=(
            PhotoRecord("a.jpg", 100, 80, taken=datetime(2026, 5, 1, 7, 30), trap="T1"),
            PhotoRecord("b.jpg", 100, 80),
            PhotoRecord("c.jpg", reason="is empty"),
        ),
        label_names=LABELS,
        photo_index=[1, 0, 0, 1, 0],
        boxes=np.arange(20).reshape(5, 4),
        label_index=[0, 1, 0, 1, 1],
        status=[FOUND, FOUND, OTHER, BACKGROUND, FOUND],
        scores=[0.5, 0.6, 0.7, 0.8, 0.9],
        insect=np.ones(5),
        objectness=np.ones(5),
        margin=np.ones(5),
        length_px=np.ones(5),
        length_mm=[1, np.nan, np.nan, 2, 3],
        outlines=(square, None, None, None, None),
        provenance={"encoder": "builtin", "threshold": 0.3},
    )


def test_fields_have_the_promised_types(result: Detections) -> None:
    assert result.photo_index.dtype == result.label_index.dtype == np.int32
    assert result.status.dtype == np.int8
    assert result.boxes.dtype == result.scores.dtype == np.float32
    assert result.boxes.shape == (5, 4)


@pytest.mark.parametrize("change", [{"scores": np.ones(4)}, {"boxes": np.ones((6, 4))}, {"outlines": ()}])
def test_fields_that_do_not_fit_together_are_refused(result: Detections, change: dict) -> None:
    with pytest.raises(ValueError, match=r"for 5 regions|photo_index has 5"):
        replace(result, **change)


@pytest.mark.parametrize(
    "index", [np.array([True, False, False, False, True]), np.array([0, 4]), slice(0, 5, 4), [0, 4]]
)
def test_selecting_keeps_rows_together_and_photos_listed(result: Detections, index) -> None:
    part = result[index]
    assert part.scores.tolist() == pytest.approx([0.5, 0.9])
    assert part.boxes[:, 0].tolist() == [0, 16]
    assert [outline is None for outline in part.outlines] == [False, True]
    assert part.photos == result.photos


def test_one_region_is_a_result_too(result: Detections) -> None:
    assert len(result[2]) == 1
    assert len(result[np.zeros(5, bool)]) == 0


def test_filters_hold_together(result: Detections) -> None:
    assert result.filter(label="fly", min_score=0.7).scores.tolist() == pytest.approx([0.8, 0.9])
    assert len(result.filter(status=(FOUND, OTHER))) == 4
    assert len(result.found) == 3
    with pytest.raises(KeyError, match="no label 'bee'; labels are moth, fly"):
        result.filter(label="bee")


def test_splitting_gives_each_photo_its_own(result: Detections) -> None:
    parts = result.split()
    assert [part.photos[0].name for part in parts] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [len(part) for part in parts] == [3, 2, 0]
    for i, part in enumerate(parts):
        alone = result.of_photo(i)
        assert part.photos == alone.photos
        assert part.photo_index.tolist() == [0] * len(part)
        assert (part.boxes == alone.boxes).all()
    assert Detections.empty().split() == []


def test_joining_the_parts_gives_the_whole(result: Detections) -> None:
    whole = Detections.concat(result.split())
    assert whole.photos == result.photos
    assert whole.photo_index.tolist() == [0, 0, 0, 1, 1]
    assert sorted(whole.scores.tolist()) == sorted(result.scores.tolist())
    assert whole.provenance == result.provenance
    assert whole.counts().equals(result.counts())


def test_joining_keeps_what_differs_in_the_provenance(result: Detections) -> None:
    failed = Detections.empty([PhotoRecord("x.jpg", reason="is empty")], LABELS)
    other = replace(result, provenance={"encoder": "builtin", "threshold": 0.5, "device": "cpu"})
    joined = Detections.concat([failed, result, other, result])
    assert joined.provenance == {"encoder": "builtin", "threshold": [0.3, 0.5], "device": "cpu"}
    assert Detections.concat([failed, result]).provenance == result.provenance
    assert Detections.concat([]).provenance == {}


def test_results_with_other_labels_are_not_joined(result: Detections) -> None:
    with pytest.raises(ValueError, match="different labels"):
        Detections.concat([result, Detections.empty(label_names=("bee",))])


def test_counts_have_a_row_for_every_photo_and_no_number_for_a_failed_one(result: Detections) -> None:
    counts = result.counts()
    assert counts["photo"].tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert counts["fly"].iloc[:2].tolist() == [2, 0]
    assert counts["moth"].iloc[:2].tolist() == [0, 1]
    assert counts[["moth", "fly"]].iloc[2].isna().all()
    assert counts["fly"].dtype == counts["moth"].dtype == pd.Int64Dtype()


def test_counts_take_a_label_called_photo() -> None:
    counts = Detections.empty([PhotoRecord("a.jpg", 1, 1)], ("photo", "moth")).counts()
    assert counts.columns.tolist() == ["photo", "photo", "moth"]
    assert counts.iloc[0].tolist() == ["a.jpg", 0, 0]


def test_the_table_has_a_row_a_region(result: Detections) -> None:
    table = result.to_pandas()
    assert table["photo"].tolist() == ["b.jpg", "a.jpg", "a.jpg", "b.jpg", "a.jpg"]
    assert table["status"].tolist() == ["found", "found", "other", "background", "found"]
    assert table["label"].tolist() == ["moth", "fly", "moth", "fly", "fly"]
    assert table["taken"].isna().tolist() == [True, False, False, True, False]
    assert table["taken"].iloc[1] == pd.Timestamp(2026, 5, 1, 7, 30)
    assert table["length_mm"].isna().sum() == 2
    assert table.query("label == 'fly' and score > 0.7")["x1"].tolist() == [12, 16]


def test_an_empty_table_has_the_same_columns_and_types(result: Detections) -> None:
    full, empty = result.to_pandas(), Detections.empty(result.photos, LABELS).to_pandas()
    assert empty.dtypes.equals(full.dtypes)
    without_trap = replace(result, photos=tuple(replace(p, trap=None, taken=None) for p in result.photos))
    assert without_trap.to_pandas().dtypes.equals(full.dtypes)


def test_text_that_is_no_unicode_is_text_in_the_table(result: Detections) -> None:
    names = ("caf\udce9.jpg", *(photo.name for photo in result.photos[1:]))
    photos = tuple(replace(photo, name=name) for photo, name in zip(result.photos, names, strict=True))
    odd = replace(result, photos=photos)
    assert odd.counts()["photo"].iloc[0] == "caf?.jpg"
    assert set(odd.to_pandas()["photo"]) <= {"caf?.jpg", *names[1:]}


def test_supervision_gets_the_same_regions(result: Detections) -> None:
    other = result.to_supervision()
    assert (other.xyxy == result.boxes).all()
    assert other.data["class_name"].tolist() == ["moth", "fly", "moth", "fly", "fly"]
    assert other[other.confidence > 0.75].class_id.tolist() == [1, 1]
    assert len(Detections.empty().to_supervision()) == 0
    other.xyxy[:] = 0
    assert result.boxes.any()


def test_a_label_that_was_not_counted_has_no_number(result: Detections) -> None:
    asked = replace(result, provenance=result.provenance | {"not_counted": ["fly"]})
    assert asked.not_counted == ("fly",)
    assert asked.counts()["fly"].isna().all()
    assert asked.counts()["moth"].tolist()[:2] == [0, 1]
    assert Detections.concat(asked.split()).not_counted == ("fly",)
    assert result.not_counted == ()
