"""Commands that need labelled photos or the renderer, and no archive: adapt-proposer, render."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agri_clip.cli.options import app, chosen_proposer


@app.command("adapt-proposer")
def adapt_proposer(
    coco: Annotated[Path, typer.Argument(help="COCO file of photos in which every insect is labelled.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to make, for --proposer.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of the photos; that of the COCO file if left out.")
    ] = None,
    proposer: Annotated[str | None, typer.Option(help="What is trained further. Default: see `models use`.")] = None,
    also: Annotated[list[Path] | None, typer.Option(help="More COCO files of other fields to mix in.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Most optimiser steps.")] = None,
    rendered: Annotated[int | None, typer.Option(min=1, help="Rendered photos to mix in.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="One seed gives one result.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew where a run was cut short.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write event files too.")] = False,
) -> None:
    """Train the proposer further on your own labelled photos; kept only where it is better on photos held out."""
    from agri_clip.io.console import output
    from fine_tune.adapt.proposer import ProposerRecipe
    from fine_tune.adapt.proposer import adapt_proposer as adapt

    given = {"seed": seed, "steps": steps, "photos": rendered}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    result = adapt(
        coco,
        out,
        images=images,
        proposer=chosen_proposer(proposer),
        also=also or (),
        recipe=ProposerRecipe(**changes),
        resume=not fresh,
        tensorboard=tensorboard,
    )
    scores = f"average precision at IoU 0.5 on {result.held_out} photos held out: {result.before:.3f} before, "
    console = output()
    console.print(f"{scores}{result.after:.3f} after {result.best_step} steps", markup=False, soft_wrap=True)
    elsewhere = f"{result.elsewhere_before:.3f} before, {result.elsewhere_after:.3f} after"
    console.print(f"on rendered photos of every ground: {elsewhere}", markup=False, soft_wrap=True)
    if result.kept == "old":
        console.print(f"the new weights are not better, so {out} holds the old ones", markup=False, soft_wrap=True)
    console.print(f"use it with: --proposer {out}", markup=False, soft_wrap=True)


@app.command()
def render(
    pest: Annotated[list[str], typer.Option("--pest", help="Id or name of the catalogue; give it once or often.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of crops by label, for `agri-clip adapt`.")],
    count: Annotated[int, typer.Option(min=1, help="Crops of each pest.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other crops.")] = 0,
    size: Annotated[int, typer.Option(min=32, max=512, help="Side of a crop in pixels.")] = 96,
) -> None:
    """Draw crops of a pest that you have no photo of, to adapt with beside real crops of others."""
    from agri_clip.io.console import output
    from fine_tune.synthetic.pests import find_pest, write_pest

    for name in [find_pest(name).id for name in pest]:
        paths = write_pest(out, name, count, seed, size)
        output().print(f"{len(paths)} crops: {paths[0].parent}", markup=False, soft_wrap=True)
