"""What a person watches a training run by: a table, a picture of the learning curve, and TensorBoard if wanted."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agri_clip.errors import AgriClipError

Row = Mapping[str, float | int]


def write_metrics(file: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV, whole or not at all; the columns are those of the first row."""
    partial = file.with_name(f".{file.name}")
    with partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows({k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    partial.replace(file)


def plot_curve(file: Path, rows: Sequence[Row], losses: Sequence[str], score: str, chosen: int) -> None:
    """Draw the learning curve as a picture.

    Parameters
    ----------
    file : Path
        Its ending says the kind, such as ``.png``.
    rows : sequence of mapping
        With `step` and the columns named.
    losses : sequence of str
        Columns for the left axis.
    score : str
        Column for the right axis, 0 to 1.
    chosen : int
        Step whose weights were taken.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    left = figure.subplots()
    right = left.twinx()
    for column in losses:
        points = [(row["step"], row[column]) for row in rows if row[column] == row[column]]
        left.plot(*zip(*points, strict=True), marker=".", label=column.replace("_", " "))
    right.plot([r["step"] for r in rows], [r[score] for r in rows], "k--", marker=".", label=score.replace("_", " "))
    left.axvline(chosen, color="0.7", label="taken")
    left.set(xlabel="step", ylabel="loss")
    right.set(ylabel=score.replace("_", " "), ylim=(0, 1.02))
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    figure.savefig(file)


class TensorBoardLog:
    """The same numbers for TensorBoard, in a folder of event files.

    Parameters
    ----------
    folder : Path
    first : int
        Step at which a resumed run goes on; what stands there from later steps is dropped.

    Raises
    ------
    AgriClipError
        TensorBoard is not installed.
    """

    def __init__(self, folder: Path, first: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise AgriClipError(
                "TensorBoard is not installed; install it with `pip install agri-clip[tensorboard]`, or go without it"
            ) from error
        self._writer: Any = SummaryWriter(str(folder), purge_step=first)

    def add(self, row: Row) -> None:
        """Write one row."""
        for name, value in row.items():
            if name != "step":
                self._writer.add_scalar(name, value, row["step"])
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
