"""Excel: one workbook with the detections, the counts, the failures and what made them."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from agri_clip.detections import Detections
from agri_clip.formats.csv_table import FORMULA_STARTS, counts_table, detections_table, failures_table
from agri_clip.formats.files import provenance_items, write_bytes, xml_text, zip_bytes

if TYPE_CHECKING:
    from openpyxl import Workbook

#: Rows that a sheet can hold below its header; further detections go to a sheet "detections 2".
SHEET_ROWS = 1_048_575
#: Excel counts days from 1900 on; an earlier date, from a camera whose clock was never set, is written as text.
FIRST_YEAR = 1900
#: Characters; a column is as wide as its longest text within these bounds.
NARROWEST, WIDEST = 8, 60
ABOUT = (
    ("detections", "one row a detection: boxes in pixels of the upright photo, lengths in pixels and mm"),
    ("counts", "one row a photo, one column a label: how many were found; empty where it was not counted"),
    ("failures", "photos that could not be read, and why"),
)


def write(detections: Detections, path: Path | str, *, all_regions: bool = False) -> None:
    """Write a workbook with the sheets `detections`, `counts`, `failures` and `about`.

    No cell is a formula, whatever a label or file name looks like. The same result gives the same bytes.

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
    from openpyxl import Workbook  # only where it is needed: it takes a part of a second to load

    book = Workbook(write_only=True)
    table = detections_table(detections, all_regions=all_regions)
    for number, start in enumerate(range(0, max(len(table), 1), SHEET_ROWS), 1):
        name = "detections" if number == 1 else f"detections {number}"
        _add_sheet(book, name, table.iloc[start : start + SHEET_ROWS])
    _add_sheet(book, "counts", counts_table(detections))
    _add_sheet(book, "failures", failures_table(detections))
    about = [*(("sheet " + name, text) for name, text in ABOUT), *provenance_items(detections.provenance)]
    _add_sheet(book, "about", pd.DataFrame(about, columns=["what", "value"]))
    file = io.BytesIO()
    book.save(file)
    write_bytes(path, _without_clock(file.getvalue()))


def _add_sheet(book: Workbook, name: str, table: pd.DataFrame) -> None:
    """One table as a sheet: its header stays in sight, its columns are as wide as what they hold."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet = book.create_sheet(name)
    sheet.freeze_panes = "A2"
    names = [_excel_text(column) for column in table.columns]
    columns = [list(_excel_values(table.iloc[:, at])) for at in range(len(names))]
    for at, (title, values) in enumerate(zip(names, columns, strict=True), 1):
        sheet.column_dimensions[get_column_letter(at)].width = _width(title, values)

    def text(value: str, *, header: bool = False) -> Any:
        made = WriteOnlyCell(sheet, value)
        made.data_type = "s"  # openpyxl takes "=1+1" for a formula and "#REF!" for an error
        if value.startswith(FORMULA_STARTS):
            made.quotePrefix = True  # text also after somebody edits the cell
        if header:
            made.font = Font(bold=True)
        return made

    sheet.append([text(title, header=True) for title in names])
    odd = (*FORMULA_STARTS, "#")  # only these need a cell of their own, which is slow to make
    for row in zip(*columns, strict=True):
        sheet.append([text(v) if isinstance(v, str) and v.startswith(odd) else v for v in row])


def _excel_values(column: pd.Series) -> Iterator[Any]:
    """The values of a column as a cell can hold them: text, number, datetime, or None where nothing is known."""
    for value in column.astype(object).where(column.notna(), None):
        if isinstance(value, str):
            yield _excel_text(value)
        elif isinstance(value, datetime) and value.year < FIRST_YEAR:
            yield value.isoformat(sep=" ")
        elif isinstance(value, pd.Timestamp):
            yield value.to_pydatetime()
        else:
            yield value


def _excel_text(value: str) -> str:
    """Text that Excel shows as it is: it would read "_x0041_" as "A", as the format's strings are encoded."""
    return re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", xml_text(value))


def _width(title: str, values: Sequence[Any]) -> int:
    """Characters for a column: enough for its longest value, within bounds."""
    longest = max(map(len, _shown([title, *values])), default=0)
    return min(max(longest + 2, NARROWEST), WIDEST)


def _shown(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        yield value if isinstance(value, str) else "" if value is None else str(value)


def _without_clock(book: bytes) -> bytes:
    """The same workbook without the times of its making, so that the same result gives the same bytes."""
    with zipfile.ZipFile(io.BytesIO(book)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    core = "docProps/core.xml"
    members[core] = re.sub(rb"<dcterms:(created|modified)\b.*?</dcterms:\1>", b"", members[core], flags=re.S)
    return zip_bytes(members)
