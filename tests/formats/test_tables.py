"""CSV and JSON: what a spreadsheet, pandas and a strict JSON reader get."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from agri_clip.cli.options import Format
from agri_clip.detections import Detections, PhotoRecord
from agri_clip.errors import DataError
from agri_clip.formats import FORMATS, csv_table, json_file, write_tables


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, encoding="utf-8-sig", keep_default_na=False, na_values=[""])


def strict(text: str) -> dict:
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_every_finding_is_a_row_by_photo_best_first(result: Detections, tmp_path: Path) -> None:
    csv_table.write(result, tmp_path / "d.csv")
    table = read(tmp_path / "d.csv")
    assert table["photo"].tolist() == ["house 1/trap.jpg"] * 2 + ["house 2/trap.jpg"] * 2
    assert table["score"].tolist() == [0.9, 0.6123, 0.7, 0.5]
    assert table["x2"].tolist() == [40.3, 20.0, 110.0, 15.0]
    assert table["length_mm"].tolist()[:2] == [4.03, 2.0]
    assert table["length_mm"].isna().tolist() == [False, False, True, True]
    assert table["taken"].iloc[0] == "2026-05-01 07:30:00"
    assert (table["threshold"] == 0.3).all()
    assert table["produced_by"].str.contains("agri_clip 0.1").all()


def test_all_regions_are_told_apart_by_status(result: Detections, tmp_path: Path) -> None:
    csv_table.write(result, tmp_path / "d.csv", all_regions=True)
    table = read(tmp_path / "d.csv")
    assert table["status"].value_counts().to_dict() == {"found": 4, "other": 1, "background": 1}
    assert table["photo"].iloc[-1].endswith('"name"\nwith a line.png')


def test_no_cell_is_a_formula(result: Detections, tmp_path: Path) -> None:
    odd = ["=1+1", "+1", "-1", "@x", "\t=1", "＝1", "fine"]
    photos = tuple(PhotoRecord(name, 10, 10, trap=name) for name in odd)
    empty = Detections.empty(photos, ("=label", "ok"))
    csv_table.write_counts(empty, tmp_path / "c.csv")
    csv_table.write(result, tmp_path / "d.csv", all_regions=True)
    for path in (tmp_path / "c.csv", tmp_path / "d.csv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.reader(file):
                assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "＝"))]
    assert read(tmp_path / "c.csv")["photo"].tolist() == ["'" + name for name in odd[:-1]] + ["fine"]


def test_excel_takes_the_file_for_utf8(result: Detections, tmp_path: Path) -> None:
    csv_table.write(result, tmp_path / "d.csv")
    assert (tmp_path / "d.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert "粉虱" in read(tmp_path / "d.csv")["label"].tolist()


def test_counts_stand_beside_their_threshold(result: Detections, tmp_path: Path) -> None:
    csv_table.write_counts(result, tmp_path / "c.csv")
    table = read(tmp_path / "c.csv")
    assert table["whitefly"].tolist()[:3] == [1, 1, 0]
    assert table["found"].tolist()[:3] == [2, 2, 0]
    assert table["other_insects"].tolist()[:3] == [1, 0, 0]
    assert table["not_insects"].tolist()[:3] == [0, 0, 1]
    assert (table["threshold"] == 0.3).all()
    assert table["note"].tolist()[1] == "stopped at 300 boxes"
    assert table["note"].tolist()[3] == "is empty"
    assert table.iloc[3][["whitefly", "found", "other_insects", "not_insects"]].isna().all()


def test_different_thresholds_are_named_with_their_labels(result: Detections, tmp_path: Path) -> None:
    changed = replace(result, provenance={"thresholds": {"whitefly": 0.2, "粉虱": 0.5}})
    csv_table.write_counts(changed, tmp_path / "c.csv")
    assert read(tmp_path / "c.csv")["threshold"].iloc[0] == "whitefly 0.2; 粉虱 0.5"


def test_a_label_may_be_called_as_a_column_is(tmp_path: Path) -> None:
    empty = Detections.empty([PhotoRecord("a.jpg", 1, 1)], ("photo", "found", "moth"))
    csv_table.write_counts(empty, tmp_path / "c.csv")
    assert read(tmp_path / "c.csv").columns.tolist()[:7] == [
        "photo",
        "trap",
        "taken",
        "photo (label)",
        "found (label)",
        "moth",
        "found",
    ]


def test_no_two_labels_share_a_column(tmp_path: Path) -> None:
    labels = ("found (label)", "found", "moth")
    csv_table.write_counts(Detections.empty([PhotoRecord("a.jpg", 1, 1)], labels), tmp_path / "c.csv")
    assert read(tmp_path / "c.csv").columns.tolist()[3:7] == ["found (label)", "found (label) (label)", "moth", "found"]


def test_a_file_name_that_is_no_unicode_is_a_row_too(tmp_path: Path) -> None:
    odd = Detections.empty([PhotoRecord("caf\udce9.jpg", reason="is empty"), PhotoRecord("b.jpg", 1, 1)], ("moth",))
    csv_table.write_counts(odd, tmp_path / "c.csv")
    csv_table.write_failures(odd, tmp_path / "f.csv")
    assert read(tmp_path / "c.csv")["photo"].tolist() == ["caf?.jpg", "b.jpg"]
    assert read(tmp_path / "f.csv")["photo"].tolist() == ["caf?.jpg"]


def test_failures_give_the_reason(result: Detections, tmp_path: Path) -> None:
    csv_table.write_failures(result, tmp_path / "f.csv")
    table = read(tmp_path / "f.csv")
    assert table[["photo", "reason"]].values.tolist() == [["ünlesbar.jpg", "is empty"]]


def test_a_result_without_photos_gives_readable_tables(tmp_path: Path) -> None:
    written = write_tables(Detections.empty(label_names=("moth",)), tmp_path, list(FORMATS))
    for path in written:
        if path.suffix == ".csv":
            assert len(read(path)) == 0
        assert path.exists()


def test_json_is_strict_and_whole(result: Detections, tmp_path: Path) -> None:
    json_file.write(result, tmp_path / "d.json")
    document = strict((tmp_path / "d.json").read_text("utf-8"))
    assert document["produced_by"]["encoder"] == "builtin"
    assert document["labels"][0] == {"name": "whitefly", "threshold": 0.3, "found": 2}
    first, second, third, failed = document["photos"]
    assert first["taken"] == "2026-05-01T07:30:00"
    assert first["counts"]["whitefly"] == 1
    assert (first["card_area_px"], second["card_area_px"]) == (600, None)
    assert [region["score"] for region in first["detections"]] == [0.9, 0.6123]
    assert first["detections"][1]["outline"] == [[10, 10], [20, 10], [10, 30]]
    assert second["detections"][0]["length_mm"] is None
    assert third["detections"] == []
    assert third["not_insects"] == 1
    assert failed == {"name": "ünlesbar.jpg", "taken": None, "trap": None, "failed": "is empty"}


def test_json_of_all_regions_has_their_status(result: Detections, tmp_path: Path) -> None:
    json_file.write(result, tmp_path / "d.json", all_regions=True)
    photos = strict((tmp_path / "d.json").read_text("utf-8"))["photos"]
    assert [region["status"] for region in photos[0]["detections"]] == ["found", "found", "other"]


def test_an_unknown_format_is_named_with_those_there_are(result: Detections, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no export format 'xls'; formats are csv, json, coco, yolo, voc"):
        write_tables(result, tmp_path, ["csv", "xls"])
    assert list(tmp_path.iterdir()) == []


def contents(target: Path) -> dict[str, bytes]:
    """The files of an export by name, those inside a zip or workbook by their own."""
    files = {path.name: path.read_bytes() for path in ([target, *target.rglob("*")]) if path.is_file()}
    for name in [name for name in files if zipfile.is_zipfile(io.BytesIO(files[name]))]:
        with zipfile.ZipFile(io.BytesIO(files.pop(name))) as archive:
            files.update({f"{name}/{member}": archive.read(member) for member in archive.namelist()})
    return files


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_what_produced_it(result: Detections, tmp_path: Path, name: str) -> None:
    target = tmp_path / FORMATS[name].target
    FORMATS[name].write(result, target)
    texts = [data.decode("utf-8", errors="replace") for data in contents(target).values()]
    assert any("agri_clip 0.1" in text and "builtin" in text for text in texts)


@pytest.mark.parametrize("all_regions", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_takes_every_name_and_gives_the_same_bytes_again(
    hostile: Detections, tmp_path: Path, name: str, all_regions: bool
) -> None:
    for turn in ("a", "b"):
        FORMATS[name].write(hostile, tmp_path / turn / FORMATS[name].target, all_regions=all_regions)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_takes_photos_that_all_failed(tmp_path: Path, name: str) -> None:
    failed = Detections.empty([PhotoRecord("a.jpg", reason="is empty"), PhotoRecord("b.jpg", reason="=bad")], ("moth",))
    target = tmp_path / FORMATS[name].target
    FORMATS[name].write(failed, target)
    FORMATS[name].write(failed, target)  # an earlier export gives way
    assert contents(target)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_leaves_the_old_export_where_the_disk_is_full(
    result: Detections, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / FORMATS[name].target
    FORMATS[name].write(result, target)
    before = contents(target)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agri_clip.io.writing.os.fsync", full)
    with pytest.raises(DataError, match="No space left"):
        FORMATS[name].write(Detections.empty(label_names=("moth",)), target)
    assert contents(target) == before
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_the_command_line_offers_every_format() -> None:
    assert [format_.value for format_ in Format] == list(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_where_it_cannot_write(result: Detections, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file"):
        FORMATS[name].write(result, tmp_path / "file" / "x")
