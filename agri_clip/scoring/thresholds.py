"""Thresholds for a wanted precision, fitted on labelled photos for a pair of proposer and encoder; part of step 4.

Written by `fine_tune/thresholds.py`, read here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from agri_clip.encoders.base import Encoder
from agri_clip.errors import AgriClipError
from agri_clip.io.fitted import FittedTable

#: The table that ships; absent where nothing has been fitted.
TABLE = Path(__file__).resolve().parents[1] / "models" / "thresholds.json"

#: Precisions that a table may have a threshold for.
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


class ProposedBy(Protocol):
    """Who found the regions, as `agri_clip.regions.Proposer` says it of itself."""

    @property
    def name(self) -> str:
        """What picks it."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever its regions may."""
        ...


@dataclass(frozen=True)
class FittedThresholds:
    """One row of the table.

    Attributes
    ----------
    proposer, encoder : str
        The pair that the thresholds belong to, as `pair_of` names it.
    thresholds : mapping of float to float
        Least score for each of `LEVELS` that was reached, with a prompt that asks for any insect.
    fitted_on : mapping
        Photos, insects and regions that they were fitted on; for people.
    """

    proposer: str
    encoder: str
    thresholds: Mapping[float, float]
    fitted_on: Mapping[str, Any] = field(default_factory=dict)


def pair_of(proposer: ProposedBy, encoder: Encoder) -> tuple[str, str]:
    """What a row belongs to: the proposer with its version, and the encoder's fingerprint.

    The version of the library that runs the proposer is no part of it, for the weights and settings are the same.
    """
    return re.sub(r"\bultralytics \S+ ", "", f"{proposer.name} {proposer.version}"), encoder.fingerprint


def threshold_for(precision: float, proposer: ProposedBy, encoder: Encoder, table: Path | None = None) -> float:
    """Least score at which the regions counted as insects are right that often, at least.

    Parameters
    ----------
    precision : float
        Between two rows of the table the stricter one is taken.
    proposer, encoder
    table : Path or None
        None takes `TABLE`.

    Raises
    ------
    AgriClipError
        Nothing is fitted for this pair, or the precision was not reached.
    """
    pair = pair_of(proposer, encoder)
    row = next((row for row in read_table(table or TABLE) if (row.proposer, row.encoder) == pair), None)
    names = f"the proposer {proposer.name} with the encoder {encoder.name}"
    if row is None:
        raise AgriClipError(
            f"no thresholds are fitted for {names}, so --precision cannot be kept; fit them with `python -m "
            f"fine_tune.thresholds --proposer {proposer.name} --encoder {encoder.name}`, or give --threshold"
        )
    reached = [level for level in row.thresholds if level >= precision]
    if not reached:
        highest = max(row.thresholds, default=None)
        remedy = "give --threshold" if highest is None else f"ask for {highest:g} at most, or give --threshold"
        raise AgriClipError(f"{names} did not reach a precision of {precision:g} on labelled photos; {remedy}")
    return row.thresholds[min(reached)]


def _row_of(row: dict[str, Any]) -> FittedThresholds:
    return FittedThresholds(
        proposer=str(row["proposer"]),
        encoder=str(row["encoder"]),
        thresholds={float(level): float(value) for level, value in row["thresholds"].items()},
        fitted_on=row.get("fitted_on", {}),
    )


_FITTED = FittedTable("thresholds", "fine_tune.thresholds", _row_of, lambda row: (row.proposer, row.encoder))


def read_table(path: Path) -> list[FittedThresholds]:
    """Return the rows of a table; arguments and errors as for `FittedTable.read`."""
    return _FITTED.read(path)


def write_row(row: FittedThresholds, path: Path) -> None:
    """Put a row into a table, in place of an earlier one of the same pair; errors as for `FittedTable.put`."""
    _FITTED.put(row, path)
