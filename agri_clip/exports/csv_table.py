"""CSV tables that open in a spreadsheet as they are: one row a detection, counts per photo, and failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agri_clip.detections import BACKGROUND, OTHER, Detections
from agri_clip.exports.files import printable, produced_by, thresholds, write_text

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
    chosen = detections if all_regions else detections.found
    table = chosen[np.lexsort((-chosen.scores, chosen.photo_index))].to_pandas()
    for column, decimals in DECIMALS.items():
        table[column] = table[column].astype(float).round(decimals)
    limits = thresholds(detections)
    table["threshold"] = table["label"].map(limits).astype(float)
    write_table(table, path, detections.provenance)


def write_counts(detections: Detections, path: Path | str) -> None:
    """Write one row a photo, one column a label: how many were found, beside the threshold that they stand on.

    Photos that could not be read have empty counts and the reason in `note`.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    number = len(detections.photos)
    failed = np.array([photo.failed for photo in detections.photos], bool)
    labels = detections.counts().iloc[:, 1:]
    # A label may be called as one of the columns around it is.
    labels.columns = pd.Index([_own_name(str(name)) for name in detections.label_names])
    limits = thresholds(detections)
    equal = len(set(limits.values())) <= 1
    limit = (
        "; ".join(f"{v:g}" for v in set(limits.values()))
        if equal
        else "; ".join(f"{k} {v:g}" for k, v in limits.items())
    )
    before = pd.DataFrame(
        {
            "photo": [photo.name for photo in detections.photos],
            "trap": [photo.trap for photo in detections.photos],
            "taken": pd.Series([photo.taken for photo in detections.photos], dtype="datetime64[s]"),
        }
    )
    after = pd.DataFrame(
        {
            "found": labels.sum(axis=1, skipna=True).astype("Int64"),
            "other_insects": _per_photo(detections, OTHER),
            "not_insects": _per_photo(detections, BACKGROUND),
            "threshold": [limit] * number,
            "note": [photo.reason or "; ".join(photo.notes) for photo in detections.photos],
        }
    )
    after.loc[failed, ["found", "other_insects", "not_insects"]] = pd.NA
    write_table(pd.concat([before, labels, after], axis=1), path, detections.provenance)


def write_failures(detections: Detections, path: Path | str) -> None:
    """Write one row for each photo that could not be read; only the header where all could.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    failed = [photo for photo in detections.photos if photo.failed]
    table = pd.DataFrame({"photo": [p.name for p in failed], "reason": [p.reason for p in failed]}, dtype="str")
    write_table(table, path, detections.provenance)


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
            table.isetitem(at, [_safe_cell(value) for value in table.iloc[:, at]])
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


def _own_name(label: str, others: Sequence[str] = ("photo", "trap", "taken")) -> str:
    taken = (*others, "found", "other_insects", "not_insects", "threshold", "note", "produced_by")
    return f"{label} (label)" if label in taken else label
