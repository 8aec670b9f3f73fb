"""Parts of a season: the same regions whether a table is read through or rows are picked out of it, in any order."""

from __future__ import annotations

from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
import pytest

from agri_clip.archive import parts, store
from agri_clip.archive.parts import read_parts
from agri_clip.archive.schema import DONE, FAILED

COUNTS = {0: 5, 1: 0, 2: 40, 3: 7, 5: 0, 6: 12, 7: 1, 9: 25}
COLUMNS = ["photo", "region", "vector"]


def photo_rows(counts: dict[int, int]) -> list[dict[str, Any]]:
    return [{"photo": n, "status": FAILED if n == 5 else DONE, "regions": count} for n, count in counts.items()]


def region_table(counts: dict[int, int], shuffled: bool = False) -> pa.Table:
    owner = np.repeat(list(counts), list(counts.values()))
    region = np.concatenate([np.arange(count) for count in counts.values()])
    order = np.random.default_rng(0).permutation(len(owner)) if shuffled else np.arange(len(owner))
    vectors = (owner * 100 + region)[order, None] + np.arange(3)
    return pa.table(
        {
            "photo": pa.array(owner[order], pa.int64()),
            "region": pa.array(region[order], pa.int32()),
            "name": pa.array([f"photo {n}" for n in owner[order]]),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel().astype(np.float16)), 3),
        }
    )


@pytest.fixture(params=["in order", "in any order"])
def table(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    """A table in several files, with small pieces read at once."""
    rows = region_table(COUNTS, shuffled=request.param == "in any order")
    made = lancedb.connect(tmp_path).create_table("regions", rows.slice(0, 30))
    made.add(rows.slice(30, 20))
    made.add(rows.slice(50))
    return made


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BATCH", 8)
    monkeypatch.setattr(store, "WINDOW", 24)


@pytest.mark.parametrize("wanted", [list(COUNTS), [0, 6], [3], [1, 5], [], [0, 2, 7, 9]])
@pytest.mark.parametrize("most", [1, 20, 45, 1000])
@pytest.mark.parametrize("scanned", [0.0, 2.0], ids=["read through", "picked out"])
def test_parts_hold_the_regions_of_their_photos_in_order(
    table: Any, wanted: list[int], most: int, scanned: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "SCANNED", scanned)
    chosen = {number: COUNTS[number] for number in wanted}
    found = list(read_parts(table, "season", photo_rows(chosen), COLUMNS, most))
    assert [row["photo"] for rows, _ in found for row in rows] == wanted
    for rows, regions in found:
        assert regions.column_names == COLUMNS
        numbers = {row["photo"]: row["regions"] for row in rows}
        expected = region_table(numbers).select(COLUMNS) if sum(numbers.values()) else regions.slice(0, 0)
        assert regions.to_pydict() == expected.to_pydict()
        assert len(regions) <= most or sum(count > 0 for count in numbers.values()) == 1


@pytest.mark.parametrize(("wanted", "through"), [([2], True), ([0], False), (list(COUNTS), True)])
def test_a_table_is_read_through_only_for_many_of_its_regions(
    table: Any, wanted: list[int], through: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = parts.read_batches
    monkeypatch.setattr(parts, "read_batches", lambda *given: calls.append(given) or real(*given))
    list(read_parts(table, "season", photo_rows({number: COUNTS[number] for number in wanted}), COLUMNS))
    assert bool(calls) == through


def test_regions_that_are_missing_stop_nothing(table: Any) -> None:
    table.delete("photo = 2 AND region > 10")
    found = list(read_parts(table, "season", photo_rows(COUNTS), COLUMNS, 20))
    counts = np.bincount(np.concatenate([regions["photo"] for _, regions in found]), minlength=10)
    assert counts.tolist() == [5, 0, 11, 7, 0, 0, 12, 1, 0, 25]
