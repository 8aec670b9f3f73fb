"""CSV tables that open in a spreadsheet as they are: one row a detection, counts per photo, and failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agri_clip.detections import BACKGROUND, OTHER, Detections, text_column
from agri_clip.formats.files import printable, produced_by, thresholds, write_text

# With the byte order mark Excel takes the file for UTF-8; read it back with encoding="utf-8-sig".
ENCODING = "utf-8-sig"
#: Decimals of each column of numbers.
DECIMALS = {
    **dict.fromkeys(("score", "margin", "insect", "objectness"), 4),
    **dict.fromkeys(("x1", "y1", "x2", "y2", "length_px"), 1),
    "length_mm": 2,
}
# A cell that starts so is a formula to a spreadsheet. https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write(detections: Detections, path: Path | str, *, all_regions: bool = False) -> None:
    """Write one row a detection, in photo order.

    Parameters
    ----------
    detections : Detections
    path : Path or str
    all_regions : bool
        Also regions that are no finding; the column `status` tells them apart.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    write_table(detections_table(detections, all_regions=all_regions), path, detections.provenance)


def write_counts(detections: Detections, path: Path | str) -> None:
    """Write one row a photo, one column a label; see `counts_table`.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    write_table(counts_table(detections), path, detections.provenance)


def write_failures(detections: Detections, path: Path | str) -> None:
    """Write one row for each photo that could not be read; only the header where all could.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    write_table(failures_table(detections), path, detections.provenance)


def detections_table(detections: Detections, *, all_regions: bool = False) -> pd.DataFrame:
    """One row a detection, by photo and best first; numbers have the decimals of `DECIMALS`.

    Parameters
    ----------
    detections : Detections
    all_regions : bool
        Also regions that are no finding.

    Returns
    -------
    DataFrame
        The columns of `Detections.to_pandas` and `threshold`, the score from which the row's label was counted.
    """
    table = by_photo_best_first(detections if all_regions else detections.found).to_pandas()
    for column, decimals in DECIMALS.items():
        table[column] = table[column].astype(float).round(decimals)
    limits = thresholds(detections)
    table["threshold"] = table["label"].map({printable(name): limit for name, limit in limits.items()}).astype(float)
    return table


def by_photo_best_first(detections: Detections) -> Detections:
    """The same regions in the order of tables: photos as given, the best score first within each."""
    return detections[np.lexsort((-detections.scores, detections.photo_index))]


def counts_table(detections: Detections) -> pd.DataFrame:
    """One row a photo, one column a label: how many were found, beside the threshold that they stand on.

    Returns
    -------
    DataFrame
        `photo`, `trap`, `taken`, the labels, `found`, `other_insects`, `not_insects`, `threshold` (text) and `note`.
        Photos that could not be read have missing counts and the reason in `note`. No two columns have one name.
    """
    photos = detections.photos
    failed = np.array([photo.failed for photo in photos], bool)
    labels = detections.counts().iloc[:, 1:]
    labels.columns = pd.Index(_own_names([str(name) for name in labels.columns]))
    limits = thresholds(detections)
    equal = len(set(limits.values())) <= 1
    limit = (
        "; ".join(f"{v:g}" for v in set(limits.values()))
        if equal
        else "; ".join(f"{k} {v:g}" for k, v in limits.items())
    )
    before = pd.DataFrame(
        {
            "photo": text_column(photo.name for photo in photos),
            "trap": text_column(photo.trap for photo in photos),
            "taken": pd.Series([photo.taken for photo in photos], dtype="datetime64[s]"),
        }
    )
    after = pd.DataFrame(
        {
            "found": labels.sum(axis=1, skipna=True).astype("Int64"),
            "other_insects": _per_photo(detections, OTHER),
            "not_insects": _per_photo(detections, BACKGROUND),
            "threshold": text_column([limit] * len(photos)),
            "note": text_column(photo.reason or "; ".join(photo.notes) for photo in photos),
        }
    )
    after.loc[failed, ["found", "other_insects", "not_insects"]] = pd.NA
    return pd.concat([before, labels, after], axis=1)


def failures_table(detections: Detections) -> pd.DataFrame:
    """`photo` and `reason` of each photo that could not be read."""
    failed = [photo for photo in detections.photos if photo.failed]
    return pd.DataFrame({"photo": text_column(p.name for p in failed), "reason": text_column(p.reason for p in failed)})


def write_table(table: pd.DataFrame, path: Path | str, provenance: Mapping[str, Any]) -> None:
    """Write any table so that a spreadsheet opens it as it is: UTF-8 with its mark, no cell a formula.

    Parameters
    ----------
    table : DataFrame
    path : Path or str
    provenance : mapping
        Of the result that the table tells of; becomes the last column, `produced_by`.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    table = table.assign(produced_by=produced_by(provenance))
    for at, dtype in enumerate(table.dtypes):
        if pd.api.types.is_string_dtype(dtype):
            # Each different text once: a season has many rows and few photos and labels.
            place, texts = pd.factorize(table.iloc[:, at])
            table.isetitem(at, np.array([*map(_safe_cell, texts), None], dtype=object)[place])
    table.columns = pd.Index([_safe_cell(name) for name in table.columns])
    # CR LF is the standard's line end (RFC 4180) and makes the writer quote cells that hold either character.
    text = table.to_csv(index=False, lineterminator="\r\n", date_format="%Y-%m-%d %H:%M:%S")
    write_text(path, text, encoding=ENCODING)


def _safe_cell(value: Any) -> Any:
    """Text that no spreadsheet runs: an apostrophe in front of what it would take for a formula."""
    if not isinstance(value, str):
        return None if pd.isna(value) else value
    text = printable(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _per_photo(detections: Detections, status: int) -> pd.Series:
    counts = np.bincount(detections.photo_index[detections.status == status], minlength=len(detections.photos))
    return pd.Series(counts, dtype="Int64")


def _own_names(labels: Sequence[str]) -> list[str]:
    """Column names for the labels: one that is called as another column is has " (label)" after it."""
    taken = {"photo", "trap", "taken", "found", "other_insects", "not_insects", "threshold", "note", "produced_by"}
    names = []
    for label in labels:
        name = label
        while name in taken or (name != label and name in labels):
            name += " (label)"
        taken.add(name)
        names.append(name)
    return names
