"""``python -m fine_tune.model_cards``: write the cards of the embedded models."""

from pathlib import Path
from typing import Annotated

import typer

from fine_tune.model_cards import ROOT, write_cards


def main(
    figures: Annotated[Path, typer.Option(help="What benchmarks/models.py --json wrote.")],
    docs: Annotated[Path, typer.Option(help="Folder of the documentation.")] = ROOT / "docs",
) -> None:
    """Write the cards of the embedded models and the pictures of their failures."""
    for path in write_cards(figures, docs):
        typer.echo(path)


if __name__ == "__main__":
    typer.run(main)
