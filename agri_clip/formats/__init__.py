"""Exports: detections into files that other programs open, one module a format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agri_clip.detections import Detections
from agri_clip.errors import DataError
from agri_clip.formats import (
    coco,
    csv_table,
    darwin_core,
    excel_book,
    geojson_file,
    json_file,
    label_studio,
    parquet_table,
    voc,
    yolo,
)
from agri_clip.formats.files import annotated_paths, prepare_folder

__all__ = [
    "FORMATS",
    "Format",
    "Writer",
    "annotated_paths",
    "prepare_folder",
    "write_tables",
]


class Writer(Protocol):
    """Writes a result to a file or folder, whole or not at all."""

    def __call__(self, detections: Detections, path: Path | str, *, all_regions: bool = False) -> None:
        """Only regions that are findings, unless `all_regions`; DataError where the place cannot be written."""
        ...


@dataclass(frozen=True)
class Format:
    """One way to write a result. `target` is the file, or with "/" the folder, that it makes in an output folder."""

    name: str
    target: str
    write: Writer
    summary: str


FORMATS = {
    f.name: f
    for f in (
        Format("csv", "detections.csv", csv_table.write, "a table for spreadsheets, one row a detection"),
        Format("json", "detections.json", json_file.write, "everything, photo by photo, for programs"),
        Format("coco", "coco.json", coco.write, "one file for annotation tools and evaluation"),
        Format("yolo", "yolo/", yolo.write, "a folder of text files, for training with ultralytics"),
        Format("voc", "voc/", voc.write, "a folder of XML files, for older annotation tools"),
        Format("label-studio", "label-studio/", label_studio.write, "a folder to import, for review in Label Studio"),
        Format("geojson", "counts.geojson", geojson_file.write, "a point a photo with its counts, for QGIS and maps"),
        Format("darwin-core", "darwin-core.zip", darwin_core.write, "an archive for GBIF, one row a photo and label"),
        Format("parquet", "detections.parquet", parquet_table.write, "a table with full numbers, for data analysis"),
        Format("excel", "results.xlsx", excel_book.write, "a workbook with detections, counts and failures"),
    )
}


def write_tables(
    detections: Detections, folder: Path | str, formats: Sequence[str] = ("csv", "json"), *, all_regions: bool = False
) -> list[Path]:
    """Write a result in some formats, and `counts.csv` and `failures.csv`, into one folder.

    Parameters
    ----------
    detections : Detections
    folder : Path or str
        Made where it is missing; files of an earlier run are replaced.
    formats : sequence of str
        Names of `FORMATS`.
    all_regions : bool
        Also regions that are no finding.

    Returns
    -------
    list of Path
        What was written, in order.

    Raises
    ------
    DataError
        A format is not known, or a file cannot be written.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise DataError(f"no export format {unknown[0]!r}; formats are {', '.join(FORMATS)}")
    written = []
    for name in dict.fromkeys(formats):
        path = Path(folder) / FORMATS[name].target
        FORMATS[name].write(detections, path, all_regions=all_regions)
        written.append(path)
    csv_table.write_counts(detections, Path(folder) / "counts.csv")
    csv_table.write_failures(detections, Path(folder) / "failures.csv")
    return [*written, Path(folder) / "counts.csv", Path(folder) / "failures.csv"]
