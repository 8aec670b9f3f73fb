"""`python -m fine_tune.detector`: trains the embedded detector."""

import typer

from fine_tune.detector.training import main

if __name__ == "__main__":
    typer.run(main)
