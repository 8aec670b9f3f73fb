"""``python -m fine_tune.synthetic``: render the shipped samples, a contact sheet, a set of crops or one photo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fine_tune.synthetic.export import SPLITS, contact_sheet, split_rng, write_crops, write_jpeg, write_samples
from fine_tune.synthetic.photos import render_trap
from fine_tune.synthetic.scenes import PHOTO_KINDS

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


@app.command()
def samples(folder: Annotated[Path, typer.Argument(help="Where the photos and annotations.json go.")]) -> None:
    """Render the sample photos that ship with the project, with their truth in COCO."""
    for path in write_samples(folder):
        typer.echo(path)


@app.command()
def sheet(
    out: Annotated[Path, typer.Option(help="Picture to write.")],
    seed: int = 0,
    columns: int = 14,
    size: Annotated[int, typer.Option(help="Side of a crop in pixels.")] = 64,
) -> None:
    """Render a contact sheet with a row of crops for each group."""
    write_jpeg(out, contact_sheet(seed, columns, size), 92)


@app.command()
def crops(
    out: Annotated[Path, typer.Option(help="The .npz file to write: pixels, groups, captions.")],
    count: int = 3000,
    seed: int = 0,
    split: Annotated[str, typer.Option(help=f"One of {', '.join(SPLITS)}; splits never share a crop.")] = "held-out",
    size: Annotated[int, typer.Option(help="Side of a crop in pixels.")] = 64,
) -> None:
    """Render a set of crops."""
    if split not in SPLITS:
        raise typer.BadParameter(f"unknown split {split!r}; use one of {', '.join(SPLITS)}", param_hint="--split")
    write_crops(out, count, seed, split, size)


@app.command()
def photo(
    out: Annotated[Path, typer.Option(help="Picture to write.")],
    kind: Annotated[str, typer.Option(help=f"One of {', '.join(PHOTO_KINDS)}.")] = "yellow",
    seed: int = 0,
    width: int = 1600,
    height: int = 1200,
) -> None:
    """Render one trap or leaf photo."""
    if kind not in PHOTO_KINDS:
        raise typer.BadParameter(f"unknown kind {kind!r}; use one of {', '.join(PHOTO_KINDS)}", param_hint="--kind")
    write_jpeg(out, render_trap(split_rng("sheet", seed, 0), kind=kind, size=(width, height)).pixels)


if __name__ == "__main__":
    app()
