"""Looking an archive over: what it holds, and every damage that can be found, each by name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from agri_clip.archive.schema import DONE, FAILED, PHOTOS, SAME, regions_schema, vectors_of
from agri_clip.archive.season import Season
from agri_clip.archive.store import Archive
from agri_clip.errors import DataError

#: How far a float16 vector's length may be from 1.
ROUNDING = 5e-3
#: Damages of one kind that are named one by one.
NAMED = 5


def describe(archive: Archive) -> list[tuple[str, str]]:
    """What an archive holds, as pairs of name and value for a person."""
    rows: list[tuple[str, str]] = [("archive", archive.place)]
    about = {row["key"]: row["value"] for row in archive.rows("about")}
    rows.append(("format", f"{about['format']} (made by {about['made_by']})"))
    for run in archive.encoders():
        season = Season(archive, run)
        photos = season.photo_rows(columns=["photo", "status", "trap", "taken"])
        states = [row["status"] for row in photos]
        days = sorted(row["taken"] for row in photos if row["taken"] is not None)
        rows += [
            ("encoder", f"{run['encoder']} ({run['encoder_fingerprint']})"),
            ("proposer", f"{run['proposer']} {run['proposer_version']}"),
            ("settings", ", ".join(f"{k} {v}" for k, v in json.loads(run["settings"]).items() if v is not None)),
            (
                "photos",
                f"{states.count(DONE)} done, {states.count(FAILED)} failed, {states.count(SAME)} copies of others",
            ),
            ("traps", str(len({row["trap"] for row in photos if row["trap"]}))),
            ("days", f"{days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}" if days else "not known"),
            ("regions", f"{season.region_count()}"),
        ]
    sets = archive.rows("prompt_sets")
    rows.append(("prompts", f"{sets[-1]['name']} ({sets[-1]['hash']})" if sets else "none kept"))
    return rows


def verify(archive: Archive) -> list[str]:
    """Read everything and say what is wrong with it.

    Returns
    -------
    list of str
        One line a damage, with table and photo; empty where there is none.
    """
    found: list[str] = []
    for name in archive.tables():
        if not name.startswith(("photos_", "regions_")):
            found += _unreadable(archive, name)
    if found:
        return found
    for run in archive.encoders():
        found += _season_damages(Season(archive, run))
    return found


def _unreadable(archive: Archive, name: str) -> list[str]:
    try:
        archive.rows(name)
    except DataError as error:
        return [f"table {name}: {error}"]
    return []


def _season_damages(season: Season) -> list[str]:
    found: list[str] = []
    tables = {season.photos_name: PHOTOS}
    try:
        table = season.archive.table(season.regions_name)
        dim = table.schema.field("vector").type.list_size
        tables[season.regions_name] = regions_schema(dim)
        for name, schema in tables.items():
            missing = [f.name for f in schema if f.name not in season.archive.table(name).schema.names]
            found += [f"table {name}: the column {column} is missing" for column in missing]
        if found:
            return found
        rows = season.photo_rows()
        found += _photo_damages(season.photos_name, rows)
        for part, regions in season.parts(columns=list(tables[season.regions_name].names)):
            found += _region_damages(season.regions_name, part, regions)
        _, stray = season.stray_regions()
        if stray:
            found.append(
                f"table {season.regions_name}: {stray} regions belong to no photo, as a killed batch leaves them; the "
                "next `agri-clip batch` removes them"
            )
    except DataError as error:
        found.append(f"tables {season.photos_name}, {season.regions_name}: {error}")
    return found


def _photo_damages(name: str, rows: list[dict[str, Any]]) -> list[str]:
    found = []
    paths = {row["path"] for row in rows}
    numbers = {row["photo"] for row in rows}
    if len(paths) < len(rows) or len(numbers) < len(rows):
        found.append(f"table {name}: photos stand there twice")
    for row in rows:
        if row["status"] not in (DONE, FAILED, SAME):
            found.append(f"table {name}: {row['name']} has the unknown status {row['status']!r}")
        if row["status"] == SAME and row["same_as"] not in paths:
            found.append(f"table {name}: {row['name']} is a copy of {row['same_as']}, which is not there")
    return found


def _region_damages(name: str, rows: list[dict[str, Any]], regions: pa.Table) -> list[str]:
    found = []
    numbers = regions["photo"].to_numpy()
    for row in rows:
        count = int((numbers == row["photo"]).sum())
        if count != row["regions"]:
            found.append(f"table {name}: {row['name']} should have {row['regions']} regions and has {count}")
    lengths = np.linalg.norm(vectors_of(regions).astype(np.float32), axis=1)
    boxes = np.stack([regions[side].to_numpy() for side in ("x1", "y1", "x2", "y2")], axis=1)
    heads = np.array([thumbnail.as_py()[:2] == b"\xff\xd8" for thumbnail in regions["thumbnail"]], bool)
    damages = {
        "its vector is not of unit length": ~(np.abs(lengths - 1) <= ROUNDING),
        "its box is no box": ~(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] >= boxes[:, :2]).all(axis=1)),
        "its thumbnail is no JPEG": ~heads,
    }
    names = {row["photo"]: row["name"] for row in rows}
    for what, bad in damages.items():
        places = np.flatnonzero(bad)
        for i in places[:NAMED]:
            found.append(f"table {name}: {names[int(numbers[i])]}, region {regions['region'][int(i)]}: {what}")
        if len(places) > NAMED:
            found.append(f"table {name}: and {len(places) - NAMED} more, of which {what}")
    return found
