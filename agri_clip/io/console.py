"""What the command line prints: tables for a person, progress on a terminal, silence in a pipe."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

Item = TypeVar("Item")


class Counted(Protocol):
    """How far something is."""

    done: int


State = TypeVar("State", bound=Counted)

#: What stands in place of the count of a label whose words the encoder never learnt.
NOT_COUNTED = "not counted"

#: Lines narrower than this fold the tables of many labels; a pipe has no width of its own.
PIPE_WIDTH = 160
#: Letters of a column of text below which it is not folded.
FOLDED = 30


def output() -> Console:
    """Where results go."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def errors() -> Console:
    """Where errors, warnings and progress go."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else PIPE_WIDTH, highlight=False)


def progress(items: Iterable[Item], total: int | None, what: str) -> Iterator[Item]:
    """Pass items on, with a bar, count and time left (where there is a total) on a terminal and nothing in a pipe."""
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


def batch_progress(states: Iterable[State], total: int) -> Iterator[State]:
    """Pass the states of a batch on; on a terminal with a bar, photos a minute and time left."""
    console = errors()
    columns = (
        TextColumn("photos"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden, speed_estimate_period=600) as bar:
        task = bar.add_task("photos", total=total, rate="")
        for state in states:
            rate = 60 * state.done / max(time.monotonic() - started, 1e-9)
            bar.update(task, completed=state.done, rate=f"{rate:.1f} a minute")
            yield state


def make_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> Table:
    """A plain table; the first column is left-aligned, numbers are right-aligned, and nothing is read as markup."""
    texts = [[str(cell) for cell in row] for row in rows]
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for i, column in enumerate(columns):
        numeric = bool(texts) and all(_is_number(row[i]) for row in texts)
        table.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in texts:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _is_number(cell: str) -> bool:
    plain = cell.replace(".", "", 1).replace("-", "", 1).replace(",", "")
    return plain.isdigit() or cell in ("", "–", NOT_COUNTED)


def fits(columns: Sequence[str], rows: Sequence[Sequence[object]], width: int) -> bool:
    """Whether a table fits into so many letters with its columns of numbers whole; longer text in others may fold."""
    needed = 1
    for place, column in enumerate(columns):
        cells = [str(row[place]) for row in rows]
        letters = max(map(cell_len, [*column.split(), *cells]), default=0)  # a head may break between its words
        needed += 3 + (letters if all(map(_is_number, cells)) else min(letters, FOLDED))
    return needed <= width


def label_tables(
    columns: Sequence[str], rows: Sequence[Sequence[object]], notes: Sequence[object], width: int
) -> RenderableType:
    """Numbers of photos or traps with a column for each label; where these do not fit, with a row for each.

    Parameters
    ----------
    columns : sequence of str
        The first names what a row is of, the others numbers.
    rows : sequence of sequences
        Where there are several, the last is that of all together.
    notes : sequence of n objects
        Of each row, for a column at the end; empty where there is nothing to say.
    width : int
        Letters.
    """
    noted = any(notes)
    wide = [[*row, *([note] if noted else [])] for row, note in zip(rows, notes, strict=True)]
    heads = [*columns, *(["notes"] if noted else [])]
    if not rows or fits(heads, wide, width):
        return make_table(heads, wide)
    turned_heads = ["", *(str(row[0]) for row in rows)]
    turned = [[name, *(row[place] for row in rows)] for place, name in enumerate(columns) if place]
    if not fits(turned_heads, turned, width):
        turned_heads, turned = ["", str(rows[-1][0])], [[row[0], row[-1]] for row in turned]
    tables = [make_table(turned_heads, turned)]
    if noted:
        told = [[row[0], note] for row, note in zip(rows, notes, strict=True) if note]
        tables.append(make_table([columns[0], "notes"], told))
    return Group(*tables)


def without_common_folder(names: Sequence[str]) -> list[str]:
    """Photo names without the folder that all of them share."""
    folders = [Path(name).parent for name in names]
    try:
        common = Path(os.path.commonpath(folders))
    except ValueError:
        # Some are absolute and some are not, or there are none.
        return list(names)
    return [str(Path(name).relative_to(common)) for name in names]
