"""What stands in an archive's tables, and how photos and regions become rows and come back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from agri_clip.detections import PhotoRecord
from agri_clip.regions.base import Regions
from agri_clip.regions.merging import Metric, largest_overlaps

#: Grows when a table changes; `agri_clip.archive.store.MIGRATIONS` brings older archives up to it.
FORMAT_VERSION = 2

#: What became of a photo: its regions are kept, it could not be read, or it is another copy of one that is there.
DONE, FAILED, SAME = "done", "failed", "same"

ABOUT = pa.schema([("key", pa.string()), ("value", pa.string())])

RUNS = pa.schema(
    [
        ("run", pa.int32()),
        ("encoder", pa.string()),
        ("encoder_fingerprint", pa.string()),
        ("proposer", pa.string()),
        ("proposer_version", pa.string()),
        ("settings", pa.string()),
        ("program", pa.string()),
        ("libraries", pa.string()),
    ]
)

PROMPT_SETS = pa.schema([("number", pa.int32()), ("hash", pa.string()), ("name", pa.string()), ("text", pa.string())])

PHOTOS = pa.schema(
    [
        ("photo", pa.int64()),
        ("path", pa.string()),
        ("name", pa.string()),
        ("content", pa.string()),
        ("bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("same_as", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("taken", pa.timestamp("us")),
        ("day", pa.string()),
        ("trap", pa.string()),
        ("camera", pa.string()),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("mm_per_pixel", pa.float64()),
        ("card_area_px", pa.float64()),
        ("notes", pa.list_(pa.string())),
        ("regions", pa.int32()),
        ("run", pa.int32()),
        ("at_cap", pa.bool_()),  # the last, where a migration puts it
    ]
)


def regions_schema(dim: int) -> pa.Schema:
    """The table of regions; vectors of `dim` numbers."""
    return pa.schema(
        [
            ("photo", pa.int64()),
            ("region", pa.int32()),
            ("name", pa.string()),
            ("trap", pa.string()),
            ("taken", pa.timestamp("us")),
            ("day", pa.string()),
            ("x1", pa.float32()),
            ("y1", pa.float32()),
            ("x2", pa.float32()),
            ("y2", pa.float32()),
            ("objectness", pa.float32()),
            ("overlap_iou", pa.float32()),
            ("overlap_ios", pa.float32()),
            ("length_px", pa.float32()),
            ("length_mm", pa.float32()),
            ("outline", pa.list_(pa.float32())),
            ("thumbnail", pa.binary()),
            ("vector", pa.list_(pa.float16(), dim)),
        ]
    )


@dataclass(frozen=True)
class SourceFile:
    """A photo's file, as it is told from others.

    Attributes
    ----------
    path : str
        Absolute, as `stored_path` writes it; `path_on_disk` opens it.
    name : str
        How results call it.
    content : str
        SHA-256 of its bytes, hexadecimal; empty where they cannot be read.
    bytes, modified_ns : int
        Size, and time of the last change in nanoseconds; -1 where there is no file.
    """

    path: str
    name: str
    content: str
    bytes: int
    modified_ns: int


def stored_path(path: Path | str) -> str:
    """An absolute path as text that a table can hold; bytes of a name that are not UTF-8 are escaped as ``\\udce4``."""
    return str(Path(path).absolute()).encode("utf-8", errors="backslashreplace").decode("utf-8")


def path_on_disk(stored: str) -> Path:
    """The path that `stored_path` wrote."""
    path = Path(stored)
    if path.exists():
        return path
    return Path(re.sub(r"\\udc([89a-f][0-9a-f])", lambda byte: chr(0xDC00 + int(byte[1], 16)), stored))


def photo_row(
    number: int, file: SourceFile, record: PhotoRecord, *, regions: int, run: int, same_as: str | None = None
) -> dict[str, Any]:
    """A row of `PHOTOS`."""
    status = SAME if same_as is not None else FAILED if record.failed else DONE
    latitude, longitude = record.gps or (None, None)
    return {
        "photo": number,
        "path": file.path,
        "name": file.name,
        "content": file.content,
        "bytes": file.bytes,
        "modified_ns": file.modified_ns,
        "status": status,
        "reason": record.reason,
        "same_as": same_as,
        "width": record.width,
        "height": record.height,
        "taken": record.taken,
        "day": day_of(record),
        "trap": record.trap,
        "camera": record.camera,
        "latitude": latitude,
        "longitude": longitude,
        "mm_per_pixel": record.mm_per_pixel,
        "card_area_px": record.card_area_px,
        "notes": list(record.notes),
        "regions": regions,
        "run": run,
        "at_cap": record.at_cap,
    }


def day_of(record: PhotoRecord) -> str | None:
    """The day a photo was taken, as ``2026-06-01``: so a condition compares it as it is written."""
    return None if record.taken is None else record.taken.date().isoformat()


def record_of(row: Mapping[str, Any]) -> PhotoRecord:
    """The photo that a row of `PHOTOS` stands for."""
    place = (row["latitude"], row["longitude"])
    taken: datetime | None = row["taken"]
    return PhotoRecord(
        name=row["name"],
        width=row["width"],
        height=row["height"],
        taken=taken,
        trap=row["trap"],
        camera=row["camera"],
        gps=None if place[0] is None or place[1] is None else place,
        mm_per_pixel=row["mm_per_pixel"],
        card_area_px=row["card_area_px"],
        notes=tuple(row["notes"]),
        reason=row["reason"],
        at_cap=row["at_cap"],
    )


def region_rows(
    number: int,
    record: PhotoRecord,
    regions: Regions,
    lengths_px: np.ndarray,
    thumbnails: Sequence[bytes],
    vectors: np.ndarray,
) -> pa.Table:
    """The regions of one photo as rows.

    Parameters
    ----------
    number : int
        Of the photo.
    record : PhotoRecord
    regions : Regions
        n of them.
    lengths_px : ndarray, shape (n,)
        Pixels.
    thumbnails : sequence of n bytes
        JPEG.
    vectors : ndarray, shape (n, dim)
        Of unit length; kept in float16.
    """
    count = len(regions)
    schema = regions_schema(vectors.shape[1])
    scale = record.mm_per_pixel
    outlines = regions.outlines or (None,) * count
    columns: dict[str, Any] = {
        "photo": pa.array(np.full(count, number, np.int64)),
        "region": pa.array(np.arange(count, dtype=np.int32)),
        "name": pa.array([record.name] * count, pa.string()),
        "trap": pa.array([record.trap] * count, pa.string()),
        "taken": pa.array([record.taken] * count, pa.timestamp("us")),
        "day": pa.array([day_of(record)] * count, pa.string()),
        **{side: pa.array(regions.boxes[:, i]) for i, side in enumerate(("x1", "y1", "x2", "y2"))},
        "objectness": pa.array(regions.objectness),
        **{f"overlap_{metric}": pa.array(_overlaps(regions.boxes, metric)) for metric in ("iou", "ios")},
        "length_px": pa.array(np.asarray(lengths_px, np.float32)),
        "length_mm": pa.array(np.asarray(lengths_px * scale, np.float32) if scale else [None] * count, pa.float32()),
        "outline": pa.array([None if o is None else o.ravel() for o in outlines], pa.list_(pa.float32())),
        "thumbnail": pa.array(thumbnails, pa.binary()),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float16).ravel()), vectors.shape[1]),
    }
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _overlaps(boxes: np.ndarray, metric: Metric) -> np.ndarray:
    """`largest_overlaps` as float32, never rounded down: what overlaps too far must be seen to."""
    exact = largest_overlaps(boxes, metric)
    kept = exact.astype(np.float32)
    return np.where(kept < exact, np.nextafter(kept, np.float32(2)), kept)


def regions_of(rows: pa.Table) -> Regions:
    """The regions that rows stand for, in the order of the rows."""
    boxes = np.stack([rows[side].to_numpy() for side in ("x1", "y1", "x2", "y2")], axis=1)
    outlines: tuple[np.ndarray | None, ...] | None = None
    if rows["outline"].null_count < len(rows):
        lists = rows["outline"].to_pylist()
        outlines = tuple(None if o is None else np.array(o, np.float32).reshape(-1, 2) for o in lists)
    return Regions(boxes.astype(np.float32), rows["objectness"].to_numpy(), outlines)


def vectors_of(rows: pa.Table, column: str = "vector") -> np.ndarray:
    """Vectors of rows, shape (n, dim), float16 as they are kept."""
    array = rows[column].combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    dim = rows.schema.field(column).type.list_size
    return np.asarray(array.flatten().to_numpy(zero_copy_only=False)).reshape(-1, dim)
