"""What the command line prints: tables for a person, progress on a terminal, silence in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from agri_clip.detections import BACKGROUND, OTHER, Detections

Item = TypeVar("Item")

#: Lines narrower than this fold the tables of many labels; a pipe has no width of its own.
PIPE_WIDTH = 160


def output() -> Console:
    """Where results go."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def errors() -> Console:
    """Where errors, warnings and progress go."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else PIPE_WIDTH, highlight=False)


def progress(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Pass items on, with a bar, count and time left on a terminal and nothing in a pipe."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = errors()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        for item in items:
            yield item
            bar.advance(task)


def make_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> Table:
    """A plain table; the first column is left-aligned, numbers are right-aligned, and nothing is read as markup."""
    rows = [[str(cell) for cell in row] for row in rows]
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for i, column in enumerate(columns):
        numeric = bool(rows) and all(_is_number(row[i]) for row in rows)
        table.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).replace("-", "", 1).replace(",", "").isdigit() or cell in ("", "–")


def counts_table(detections: Detections) -> Table:
    """Counts per photo and label; beside them what was seen and not counted, and why a photo failed."""
    counts = detections.counts()
    rows: list[list[object]] = []
    for index, photo in enumerate(detections.photos):
        if photo.failed:
            rows.append([photo.name, *("–" for _ in detections.label_names), "–", "–", f"failed: {photo.reason}"])
            continue
        status = detections.status[detections.photo_index == index]
        numbers = [int(counts.loc[index, label]) for label in detections.label_names]
        uncounted = [int((status == OTHER).sum()), int((status == BACKGROUND).sum())]
        rows.append([photo.name, *numbers, *uncounted, "; ".join(photo.notes)])
    columns = ["photo", *detections.label_names, "other insects", "not insects", "notes"]
    if len(detections.photos) > 1:
        total = [int(counts[label].sum()) for label in detections.label_names]
        rows.append(
            [
                "all",
                *total,
                int((detections.status == OTHER).sum()),
                int((detections.status == BACKGROUND).sum()),
                "",
            ]
        )
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return make_table(columns, rows)
