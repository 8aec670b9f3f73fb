"""Insects followed over frames as files: a table with one row an insect, and a sheet with one picture of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agri_clip.detections import FOUND
from agri_clip.formats import csv_table
from agri_clip.report.contact_sheet import write_sheet
from agri_clip.tracking.tracks import Tracks

#: Most pictures on a sheet; with 8 in a row it is then 9,000 pixels high.
MOST_PICTURES = 400


def write_table(tracks: Tracks, path: Path | str, *, all_regions: bool = False) -> None:
    """Write one row an insect, in the order in which they came; see docs/video.md for the columns.

    Parameters
    ----------
    tracks : Tracks
    path : Path or str
    all_regions : bool
        Also insects that no label fits; the column `status` tells them apart.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    table = tracks.to_pandas()
    for column, decimals in {**csv_table.DECIMALS, "votes": 4}.items():
        if column in table:
            table[column] = table[column].astype(float).round(decimals)
    if not all_regions:
        table = table[tracks.status == FOUND]
    csv_table.write_table(table, path, tracks.regions.provenance)


def write_pictures(tracks: Tracks, path: Path | str, *, all_regions: bool = False) -> int:
    """Write a contact sheet of insects, each in its best frame, by label and score; see `write_table`.

    Returns
    -------
    int
        Pictures on it, at most `MOST_PICTURES`; a sheet without any is white.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    order = np.lexsort((-tracks.scores, tracks.label_index, tracks.status))
    chosen = [i for i in order.tolist() if tracks.thumbnails[i] and (all_regions or tracks.status[i] == FOUND)]
    chosen = chosen[:MOST_PICTURES]
    labels = tracks.regions.label_names
    captions = [
        (
            f"{i + 1}  {labels[tracks.label_index[i]] if tracks.status[i] == FOUND else 'other insect'}",
            f"{tracks.scores[i]:.2f} in {tracks.frames[i]} frames",
        )
        for i in chosen
    ]
    write_sheet([tracks.thumbnails[i] or b"" for i in chosen], captions, path)
    return len(chosen)
