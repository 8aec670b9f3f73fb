"""What the command line prints: tables for a person, progress on a terminal, silence in a pipe."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from agri_clip.detections import Detections
    from agri_clip.tracking import Tracks

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


def counts_table(detections: Detections) -> RenderableType:
    """Counts per photo and label; beside them what was seen and not counted, and why a photo failed."""
    names = without_common_folder([photo.name for photo in detections.photos])
    rows: list[list[object]] = []
    notes: list[object] = []
    for name, photo, part in zip(names, detections.photos, detections.split(), strict=True):
        if photo.failed:
            rows.append([name, *("–" for _ in detections.label_names), "–", "–"])
            notes.append(f"failed: {photo.reason}")
        else:
            rows.append([name, *_numbers(part)])
            notes.append("; ".join(photo.notes))
    if len(names) > 1:
        rows.append(["all", *_numbers(detections)])
        notes.append("")
    columns = ["photo", *detections.label_names, "other insects", "not insects"]
    return label_tables(columns, rows, notes, output().width)


def trap_table(detections: Detections) -> RenderableType:
    """Counts per trap and label over all its photos; beside them the photos, and what was seen and not counted."""
    import numpy as np

    traps = [photo.trap or "not known" for photo in detections.photos]
    rows: list[list[object]] = []
    owner = np.array(traps, dtype=object)[detections.photo_index] if traps else np.zeros(0, dtype=object)
    for trap in sorted(set(traps)):
        mine = [photo for photo, name in zip(detections.photos, traps, strict=True) if name == trap]
        failed = sum(photo.failed for photo in mine)
        rows.append([trap, len(mine) - failed, failed, *_numbers(detections[owner == trap])])
    if len(rows) > 1:
        failed = sum(photo.failed for photo in detections.photos)
        rows.append(["all", len(traps) - failed, failed, *_numbers(detections)])
    columns = ["trap", "photos", "failed", *detections.label_names, "other insects", "not insects"]
    return label_tables(columns, rows, [""] * len(rows), output().width)


def tracks_table(tracks: Tracks) -> Table:
    """Insects of each label beside the detections of all frames; other insects, and those seen too briefly, below."""
    from agri_clip.detections import FOUND, OTHER

    regions, insects = tracks.regions, tracks.to_detections()
    rows: list[list[object]] = []
    for label, name in enumerate(regions.label_names):
        counts = [int(((part.label_index == label) & (part.status == FOUND)).sum()) for part in (insects, regions)]
        rows.append([name, *([NOT_COUNTED] * 2 if name in regions.not_counted else counts)])
    rows.append(["other insects", *(int((part.status == OTHER).sum()) for part in (insects, regions))])
    if tracks.left_out:
        least = regions.provenance["tracking"]["min_frames"]
        rows.append([f"seen in fewer than {least} frames", tracks.left_out, int((tracks.track_index < 0).sum())])
    frames = sum(not frame.failed for frame in regions.photos)
    return make_table(["", "insects", f"detections in {frames} frames"], rows)


def _numbers(detections: Detections) -> list[int | str]:
    """Found regions of each label, other insects, and regions that are no insect."""
    import numpy as np

    from agri_clip.detections import BACKGROUND, FOUND, OTHER

    found = detections.label_index[detections.status == FOUND]
    counts = np.bincount(found, minlength=len(detections.label_names)).tolist()
    shown = [
        NOT_COUNTED if label in detections.not_counted else count
        for label, count in zip(detections.label_names, counts, strict=True)
    ]
    return [*shown, int((detections.status == OTHER).sum()), int((detections.status == BACKGROUND).sum())]


def without_common_folder(names: Sequence[str]) -> list[str]:
    """Photo names without the folder that all of them share."""
    folders = [Path(name).parent for name in names]
    try:
        common = Path(os.path.commonpath(folders))
    except ValueError:
        # Some are absolute and some are not, or there are none.
        return list(names)
    return [str(Path(name).relative_to(common)) for name in names]
