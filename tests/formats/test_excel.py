"""Excel: what openpyxl and pandas get from the workbook, and that nothing in it runs."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from agri_clip.detections import Detections
from agri_clip.formats import excel_book
from tests.formats.conftest import HOSTILE


def read(path: Path) -> dict[str, pd.DataFrame]:
    return pd.read_excel(path, sheet_name=None, keep_default_na=False, na_values=[""])


def shown(name: str) -> str:
    """A name as the file holds it: openpyxl reads the escapes of Excel as they stand, and XML turns CR LF into LF."""
    escaped = name.replace("_x0041_", "_x005F_x0041_").replace("\r\n", "\n")
    return escaped.encode("utf-8", errors="replace").decode("utf-8")


def test_pandas_gets_equal_boxes_and_labels(result: Detections, tmp_path: Path) -> None:
    excel_book.write(result, tmp_path / "r.xlsx")
    table = read(tmp_path / "r.xlsx")["detections"]
    assert table["photo"].tolist() == ["house 1/trap.jpg"] * 2 + ["house 2/trap.jpg"] * 2
    assert table["label"].tolist() == [result.label_names[1], "whitefly", "粉虱", "whitefly"]
    assert table[["x1", "y1", "x2", "y2"]].to_numpy().tolist() == [
        [0, 0, 40.3, 20],
        [10, 10, 20, 30],
        [90, 70, 110, 90],
        [5, 5, 15, 25],
    ]
    assert table["score"].tolist() == [0.9, 0.6123, 0.7, 0.5]
    assert table["length_mm"].isna().tolist() == [False, False, True, True]
    assert (table["threshold"] == 0.3).all()


def test_dates_are_dates(result: Detections, tmp_path: Path) -> None:
    excel_book.write(result, tmp_path / "r.xlsx")
    assert read(tmp_path / "r.xlsx")["counts"]["taken"].iloc[0] == datetime(2026, 5, 1, 7, 30)
    cell = openpyxl.load_workbook(tmp_path / "r.xlsx")["detections"]["C2"]
    assert cell.is_date
    assert cell.number_format == "yyyy-mm-dd h:mm:ss"


def test_a_date_before_excels_calendar_is_text(result: Detections, tmp_path: Path) -> None:
    old = replace(result, photos=(replace(result.photos[0], taken=datetime(1888, 1, 2, 3, 4)), *result.photos[1:]))
    excel_book.write(old, tmp_path / "r.xlsx")
    assert read(tmp_path / "r.xlsx")["counts"]["taken"].iloc[0] == "1888-01-02 03:04:00"


def test_all_sheets_are_there(result: Detections, tmp_path: Path) -> None:
    excel_book.write(result, tmp_path / "r.xlsx", all_regions=True)
    sheets = read(tmp_path / "r.xlsx")
    assert list(sheets) == ["detections", "counts", "failures", "about"]
    assert sheets["detections"]["status"].value_counts().to_dict() == {"found": 4, "other": 1, "background": 1}
    assert sheets["counts"]["whitefly"].tolist()[:3] == [1, 1, 0]
    assert pd.isna(sheets["counts"]["whitefly"].iloc[3])
    assert sheets["failures"].to_numpy().tolist() == [["ünlesbar.jpg", "is empty"]]
    about = dict(sheets["about"].to_numpy().tolist())
    assert about["encoder"] == "builtin"


def test_the_header_stays_in_sight_and_columns_are_as_wide_as_their_text(result: Detections, tmp_path: Path) -> None:
    excel_book.write(result, tmp_path / "r.xlsx")
    for sheet in openpyxl.load_workbook(tmp_path / "r.xlsx"):
        assert sheet.freeze_panes == "A2"
        assert all(cell.font.bold for cell in sheet[1])
        for column in sheet.columns:
            longest = max(len(str(cell.value)) for cell in column if cell.value is not None)
            assert sheet.column_dimensions[column[0].column_letter].width >= min(longest, 60)


def test_no_cell_runs_and_every_name_stays(hostile: Detections, tmp_path: Path) -> None:
    excel_book.write(hostile, tmp_path / "r.xlsx", all_regions=True)
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type in ("s", "n", "d"), cell  # "f" is a formula, "e" an error
                assert cell.hyperlink is None
                if isinstance(cell.value, str) and cell.value.startswith(("=", "+", "-", "@", "\t")):
                    assert cell.quotePrefix, cell.value  # else Excel makes a formula of it when the cell is edited
    labels = [cell.value for cell in book["detections"]["D"][1:]]
    assert labels == [shown(name) for name in HOSTILE]
    assert [cell.value for cell in book["counts"]["B"][1:-1]] == [shown(name) for name in HOSTILE]


def test_the_same_result_gives_the_same_bytes_later(result: Detections, tmp_path: Path) -> None:
    excel_book.write(result, tmp_path / "a.xlsx")
    time.sleep(2.1)  # the clock of a zip has steps of two seconds
    excel_book.write(result, tmp_path / "b.xlsx")
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_more_detections_than_a_sheet_holds_go_on_in_the_next(
    result: Detections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excel_book, "SHEET_ROWS", 3)
    excel_book.write(result, tmp_path / "r.xlsx")
    sheets = read(tmp_path / "r.xlsx")
    assert [len(sheets[name]) for name in ("detections", "detections 2")] == [3, 1]
    assert sheets["detections 2"]["label"].tolist() == ["whitefly"]


def test_no_photos_are_headers_only(tmp_path: Path) -> None:
    excel_book.write(Detections.empty(label_names=("moth",)), tmp_path / "r.xlsx")
    sheets = read(tmp_path / "r.xlsx")
    assert len(sheets["detections"]) == len(sheets["counts"]) == len(sheets["failures"]) == 0
    assert "moth" in sheets["counts"].columns
