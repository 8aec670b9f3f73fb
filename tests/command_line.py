"""The program as tests run it, and the tables that it writes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from agri_clip import cli


def run(*arguments: object) -> int:
    """Run the program in this process; its exit status."""
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV table, by its head."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
