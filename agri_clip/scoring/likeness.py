"""How an encoder's scores become likeness: what `identify` is fitted with for each encoder. Part of step 4.

Written by `python -m fine_tune.identify_calibration`, read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agri_clip.encoders.base import Encoder, vectors_fingerprint_of
from agri_clip.io.fitted import FittedTable
from agri_clip.scoring.taxonomy import LEVELS, Level

#: The table that ships, beside the models that it belongs to.
TABLE = Path(__file__).resolve().parents[1] / "models" / "likeness.json"

#: Thresholds of an encoder that nothing was fitted for: a finer name needs more.
DEFAULT_THRESHOLDS: Mapping[Level, float | None] = MappingProxyType(
    {"species": 0.8, "family": 0.7, "group": 0.6, "wide family": 0.6, "order": 0.6}
)


@dataclass(frozen=True)
class Likeness:
    """One row of the table.

    Attributes
    ----------
    encoder : str
        Fingerprint of its vectors; empty for the defaults.
    temperature : float
        Divides the logits.
    species, family : float
        Parts of a group's weight for its named species and its families; see `agri_clip.scoring.taxonomy.leaf_weights`.
    further : float
        Weight of a group outside the pest catalogue against one of the catalogue: in crops such animals are rarer.
    slope, offset : float
        From the evidence for an insect against none, in nats, to its log odds.
    thresholds : mapping of Level to float or None
        Least likeness of an answer of each level; None for a level that did not reach the share wanted.
    insect_threshold : float
        Below this probability there is no insect.
    fitted_on : mapping
        Photos, share wanted, and what was reached; for people. Empty for the defaults.
    """

    encoder: str = ""
    temperature: float = 1.0
    species: float = 0.3
    family: float = 0.2
    further: float = 0.25
    slope: float = 1.0
    offset: float = 0.0
    thresholds: Mapping[Level, float | None] = field(default_factory=lambda: dict(DEFAULT_THRESHOLDS))
    insect_threshold: float = 0.5
    fitted_on: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.temperature > 0 or not self.slope > 0:
            raise ValueError("temperature and slope must be above 0")
        if min(self.species, self.family) < 0 or self.species + self.family >= 1 or self.further < 0:
            raise ValueError("species and family must be 0 or more and below 1 together, and further 0 or more")
        if unknown := set(self.thresholds) - set(LEVELS):
            raise ValueError(f"no level {', '.join(map(repr, sorted(unknown)))}; levels are {', '.join(LEVELS)}")

    @property
    def calibrated(self) -> bool:
        """Whether it was fitted on labelled photos."""
        return bool(self.encoder)


def likeness_for(encoder: Encoder, table: Path | None = None) -> Likeness:
    """What was fitted for an encoder, or the defaults.

    Raises
    ------
    DataError
        The table is damaged.
    """
    wanted = vectors_fingerprint_of(encoder)
    return next((row for row in read_rows(table or TABLE) if row.encoder == wanted), Likeness())


_FITTED = FittedTable(
    "likeness", "fine_tune.identify_calibration", lambda row: Likeness(**row), lambda row: row.encoder
)


def read_rows(path: Path) -> list[Likeness]:
    """Return the rows of a table; arguments and errors as for `FittedTable.read`."""
    return _FITTED.read(path)


def write_row(row: Likeness, path: Path) -> None:
    """Put a row into a table, in place of an earlier one of the same encoder; errors as for `FittedTable.put`."""
    _FITTED.put(row, path)
