"""The command line: one command per verb. Imports stand inside the commands, so that --help is instant."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

from agri_clip.cli import (  # noqa: F401 - they register their commands
    adapting,
    batch,
    counts,
    identify,
    models,
    page,
    photos,
    season,
    track,
    training,
)
from agri_clip.cli.options import WRONG_COMMAND, app
from agri_clip.errors import AgriClipError, AgriClipWarning


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Print our own warnings as notes; what libraries warn of is for their developers."""
    if issubclass(category, AgriClipWarning):
        from agri_clip.io.console import errors

        errors().print(f"note: {message}", markup=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; what a user can mend is one line on the error stream and exit status 2.

    Parameters
    ----------
    arguments : sequence of str or None
        Default: those of the command line.

    Raises
    ------
    SystemExit
        Always, with the exit status.
    """
    warnings.showwarning = show_warning
    try:
        app(args=None if arguments is None else list(arguments))
    except AgriClipError as error:
        from agri_clip.io.console import errors

        errors().print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(WRONG_COMMAND)
