"""The regions of a season read in parts, so many at a time that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agri_clip.archive.schema import DONE
from agri_clip.archive.store import explained, read, read_batches

#: Regions that are read together; with vectors of 512 numbers about 25 MB.
PART = 24_000

#: From this share of all regions on, the table is read from beginning to end: picking rows out of it takes four times
#: as long for each.
SCANNED = 0.25


def read_parts(
    table: Any, place: str, photos: Sequence[dict[str, Any]], columns: Sequence[str], most: int = PART
) -> Iterator[tuple[list[dict[str, Any]], pa.Table]]:
    """Photos with their regions.

    Parameters
    ----------
    table : lancedb table
        Of regions.
    place : str
        For messages.
    photos : sequence of dict
        Rows of `PHOTOS` in the order of their numbers.
    columns : sequence of str
        Of the regions, with `photo` and `region`.
    most : int
        Regions in a part; a photo with more is a part by itself.

    Yields
    ------
    rows : list of dict
        Of the photos given, in their order.
    regions : pyarrow.Table
        Of these photos, sorted by photo and region.

    Raises
    ------
    DataError
        The table is damaged.
    """
    parts = list(_in_parts(photos, most))
    chosen = [[row for row in part if row["status"] == DONE] for part in parts]
    counts = [{row["photo"]: row["regions"] for row in part if row["regions"]} for part in chosen]
    found: Iterator[pa.Table] = (
        _scanned(table, place, counts, columns)
        if _worth_a_scan(table, place, counts)
        else (_picked(table, place, list(part), columns) for part in counts)
    )
    yield from zip(parts, map(_in_order, found), strict=True)


def _worth_a_scan(table: Any, place: str, parts: Sequence[Mapping[int, int]]) -> bool:
    """Whether so many regions are wanted that reading all of them is quicker than picking some."""
    with explained(place):
        return bool(sum(sum(part.values()) for part in parts) >= SCANNED * table.count_rows())


def _scanned(table: Any, place: str, parts: Sequence[Mapping[int, int]], columns: Sequence[str]) -> Iterator[pa.Table]:
    """The regions of each part's photos out of the whole table, which is read once.

    A part has the number of regions of each of its photos. The table is in the order of the photos, so that hardly more
    than a part is held at a time; were it not, more would be held, and the parts were the same.
    """
    wanted = np.array([photo for part in parts for photo in part], np.int64)
    batches = read_batches(table, place, columns)
    held = pa.schema([table.schema.field(name) for name in columns]).empty_table()
    for part in parts:
        own, count = np.array(list(part), np.int64), sum(part.values())
        while (mask := np.isin(held["photo"], own)).sum() < count and (batch := next(batches, None)) is not None:
            held = pa.concat_tables([held, _rows(pa.Table.from_batches([batch]), np.isin(batch["photo"], wanted))])
        yield _rows(held, mask)
        held = _rows(held, ~mask)


def _rows(table: pa.Table, mask: np.ndarray) -> pa.Table:
    """The rows of a table that a mask has; vectors are copied only where they lie scattered."""
    places = np.flatnonzero(mask)
    if not len(places):
        return table.slice(0, 0)
    first, last = int(places[0]), int(places[-1]) + 1
    return table.slice(first, last - first) if last - first == len(places) else table.filter(pa.array(mask))


def _picked(table: Any, place: str, photos: Sequence[int], columns: Sequence[str]) -> pa.Table:
    """The regions of these photos."""
    found = read(table, place, where=_among(photos), columns=columns)
    wanted = pc.is_in(found["photo"], pa.array(photos, pa.int64()))
    return found if pc.all(wanted).as_py() else found.filter(wanted)


def _in_order(regions: pa.Table) -> pa.Table:
    """Regions sorted by photo and region; vectors are moved only where they stand otherwise."""
    keys = regions.select(["photo", "region"])
    order = pc.sort_indices(keys, [("photo", "ascending"), ("region", "ascending")]).to_numpy()
    return regions if np.array_equal(order, np.arange(len(order))) else regions.take(order)


def _in_parts(photos: Sequence[dict[str, Any]], most: int) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    total = 0
    for row in photos:
        if part and total + row["regions"] > most:
            yield part
            part, total = [], 0
        part.append(row)
        total += row["regions"]
    if part:
        yield part


def _among(numbers: Sequence[int]) -> str:
    """A condition that holds for regions of these photos, and is quick: a range where they follow each other."""
    if not numbers:
        return "false"
    first, last = min(numbers), max(numbers)
    if last - first < 2 * len(numbers):
        return f"photo >= {first} AND photo <= {last}"
    return f"photo IN ({', '.join(map(str, numbers))})"
