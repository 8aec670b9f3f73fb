"""Parquet: the table of detections with full numbers and types, for pandas, Polars, DuckDB and R."""

from __future__ import annotations

import io
import json
from pathlib import Path

from agri_clip.detections import Detections
from agri_clip.formats.csv_table import by_photo_best_first
from agri_clip.formats.files import printable, write_bytes

#: Key of the file's metadata under which JSON says what made it and which photos failed.
METADATA_KEY = "agri_clip"


def write(detections: Detections, path: Path | str, *, all_regions: bool = False) -> None:
    """Write one row a detection, by photo and best first, with the columns of `Detections.to_pandas`.

    What is not known is null. The file's metadata hold, as JSON under `METADATA_KEY`, `produced_by` and
    `failed_photos`.

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
    import pyarrow as pa  # only where it is needed: it takes a part of a second to load
    import pyarrow.parquet as pq

    chosen = by_photo_best_first(detections if all_regions else detections.found)
    table = pa.Table.from_pandas(chosen.to_pandas(), preserve_index=False)
    about = {
        "produced_by": detections.provenance,
        "failed_photos": [{"photo": p.name, "reason": p.reason} for p in detections.photos if p.failed],
    }
    note = json.dumps(printable(about), ensure_ascii=False, allow_nan=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), METADATA_KEY: note})
    file = io.BytesIO()
    pq.write_table(table, file)
    write_bytes(path, file.getvalue())
