"""Parquet: what pandas and pyarrow get from it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from agri_clip.detections import Detections
from agri_clip.formats import parquet_table
from tests.formats.conftest import readable


@pytest.mark.parametrize("all_regions", [False, True])
def test_pandas_gets_the_table_as_it_was(result: Detections, tmp_path: Path, all_regions: bool) -> None:
    parquet_table.write(result, tmp_path / "d.parquet", all_regions=all_regions)
    table = pd.read_parquet(tmp_path / "d.parquet")
    chosen = result if all_regions else result.found
    expected = chosen[np.lexsort((-chosen.scores, chosen.photo_index))].to_pandas()
    # Parquet has no seconds: it keeps times in milliseconds.
    pd.testing.assert_frame_equal(table.astype({"taken": "datetime64[s]"}), expected)
    assert len(table) == (6 if all_regions else 4)


def test_what_is_not_known_is_null(result: Detections, tmp_path: Path) -> None:
    parquet_table.write(result, tmp_path / "d.parquet")
    columns = pq.read_table(tmp_path / "d.parquet")
    assert columns["length_mm"].null_count == 2
    assert columns["trap"].null_count == columns["taken"].null_count == 2


def test_the_file_says_what_made_it_and_what_failed(result: Detections, tmp_path: Path) -> None:
    parquet_table.write(result, tmp_path / "d.parquet")
    about = json.loads(pq.read_schema(tmp_path / "d.parquet").metadata[parquet_table.METADATA_KEY.encode()])
    assert about["produced_by"]["encoder"] == "builtin"
    assert about["produced_by"]["thresholds"]["粉虱"] == 0.3
    assert about["failed_photos"] == [{"photo": "ünlesbar.jpg", "reason": "is empty"}]


def test_an_empty_result_has_the_same_columns_and_types(result: Detections, tmp_path: Path) -> None:
    parquet_table.write(result, tmp_path / "d.parquet")
    parquet_table.write(Detections.empty(), tmp_path / "e.parquet")
    full, empty = pq.read_schema(tmp_path / "d.parquet"), pq.read_schema(tmp_path / "e.parquet")
    assert [(field.name, field.type) for field in empty] == [(field.name, field.type) for field in full]
    assert len(pd.read_parquet(tmp_path / "e.parquet")) == 0


def test_hostile_names_stay_names(hostile: Detections, tmp_path: Path) -> None:
    parquet_table.write(hostile, tmp_path / "d.parquet")
    table = pd.read_parquet(tmp_path / "d.parquet")
    assert table["label"].tolist() == [readable(name) for name in hostile.label_names]
    assert table["photo"].tolist() == [readable(photo.name) for photo in hostile.photos if not photo.failed]
