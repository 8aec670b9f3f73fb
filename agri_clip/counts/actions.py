"""Action thresholds: at what catch of a pest in a crop somebody advises to act, with the source; and flags for a table.

The thresholds that ship are examples from public advice. A threshold holds for the traps, lures and places that its
source speaks of; a grower's own file replaces them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from agri_clip.counts._reading import Day, as_data_error
from agri_clip.errors import AgriClipError, DataError
from agri_clip.formats.coco import plain_name
from agri_clip.io.yaml_lines import find_ready, read_lined_yaml, validate_lined
from agri_clip.prompts.base import Phrase
from agri_clip.prompts.catalogue import Source

#: The crop of a threshold that holds where none is given for the crop itself.
ANY_CROP = "any"
_STRICT = ConfigDict(frozen=True, extra="forbid")
_DAYS_PER_WEEK = 7


class ThresholdSource(Source):
    """Where a threshold comes from; as a source of the catalogue, and the day on which it was read.

    Attributes
    ----------
    read : date or None
        None only where `checked` is false.
    """

    read: Day | None = None

    @model_validator(mode="after")
    def _what_was_checked_has_a_day(self) -> Self:
        if self.checked and self.read is None:
            raise ValueError("checked is true but there is no day; add read: with the day on which the page was read")
        return self


class ActionThreshold(BaseModel):
    """The catch of one pest in one crop from which somebody advises to act.

    Attributes
    ----------
    pest : str
        A label; case, article and plural do not matter.
    also : tuple of str
        Other labels that it holds for.
    crop : str
        `ANY_CROP` for general advice.
    count : float
        Insects at which to act: reached is over.
    per : str
        "trap/day" or "trap/week": what a trap catches in that time. "card": what is on one photo of a card.
    note : str or None
        For which trap, lure, season or place it holds.
    source : ThresholdSource
    """

    model_config = _STRICT

    pest: Phrase
    also: tuple[Phrase, ...] = ()
    crop: Annotated[Phrase, AfterValidator(str.casefold)]
    count: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    per: Literal["trap/day", "trap/week", "card"]
    note: Phrase | None = None
    source: ThresholdSource

    @property
    def names(self) -> frozenset[str]:
        """What labels are compared with."""
        return frozenset(map(plain_name, (self.pest, *self.also)))


class _ThresholdFile(BaseModel):
    model_config = _STRICT

    thresholds: tuple[ActionThreshold, ...]


def read_thresholds(path: Path | str) -> tuple[ActionThreshold, ...]:
    """Read action thresholds.

    Parameters
    ----------
    path : Path or str
        A YAML file with a list `thresholds`, or the name of a ready one.

    Returns
    -------
    tuple of ActionThreshold

    Raises
    ------
    DataError
        One line for each fault: file, line, field, remedy. Also where a pest and crop have two thresholds.
    """
    with as_data_error():
        lined = read_lined_yaml(
            find_ready(path, "thresholds", "thresholds", "ones"), "'thresholds:' with one pest under it"
        )
        read = validate_lined(_ThresholdFile, lined, lined.value).thresholds
    first: dict[tuple[str, str], int] = {}
    for index, threshold in enumerate(read):
        for name in sorted(threshold.names):
            other = first.setdefault((name, threshold.crop), index)
            if other != index:
                line = lined.lines["thresholds", other]
                problem = f"{name!r} has a threshold for the crop {threshold.crop!r} on line {line}; keep one"
                raise DataError(lined.message(("thresholds", index, "pest"), problem))
    return read


def flag_actions(table: pd.DataFrame, thresholds: Iterable[ActionThreshold], crop: str = ANY_CROP) -> pd.DataFrame:
    """Put action thresholds beside counts, and say which are reached.

    Parameters
    ----------
    table : DataFrame
        As `agri_clip.counts.count_table` gives it.
    thresholds : iterable of ActionThreshold
        Where several fit a label, one for the crop goes before one for any crop, then the first given.
    crop : str
        What grows beside the traps.

    Returns
    -------
    DataFrame
        The same rows, with `action_threshold` and `action_per` (its count and unit), `action_value` (what is compared
        with it: `per_day`, seven times `per_day`, or `mean`), `over` and `source`. All are missing where no threshold
        fits; `action_value` and `over` also where the exposure is not known. So a missing `over` is not a "no".

    Raises
    ------
    AgriClipError
        No threshold is for this crop, nor for any; the message lists the crops.
    """
    given = tuple(thresholds)
    wanted = crop.strip().casefold()
    crops = {threshold.crop for threshold in given}
    if given and wanted not in crops and (wanted == ANY_CROP or ANY_CROP not in crops):
        raise AgriClipError(f"no action threshold is for the crop {crop!r}; the crops are {', '.join(sorted(crops))}")
    fitting = {label: _fitting(label, given, wanted) for label in table["label"].unique()}
    rows = [fitting[label] for label in table["label"]]
    value = pd.Series(pd.NA, index=table.index, dtype="Float64")
    for per, numbers in (
        ("trap/day", table["per_day"]),
        ("trap/week", table["per_day"] * _DAYS_PER_WEEK),
        ("card", table["mean"]),
    ):
        here = np.array([row is not None and row.per == per for row in rows], bool)
        # 18 in a week must not become 17.999… on the way through a day.
        value = value.mask(here, numbers.round(9))
    limit = pd.Series([None if row is None else row.count for row in rows], index=table.index, dtype="Float64")
    return table.assign(
        action_threshold=limit,
        action_per=pd.Series([None if row is None else row.per for row in rows], dtype="str", index=table.index),
        action_value=value,
        over=value >= limit,
        source=pd.Series([None if row is None else _cite(row) for row in rows], dtype="str", index=table.index),
    )


def _fitting(label: str, thresholds: Sequence[ActionThreshold], crop: str) -> ActionThreshold | None:
    name = plain_name(label)
    for wanted in (crop, ANY_CROP):
        for threshold in thresholds:
            if threshold.crop == wanted and name in threshold.names:
                return threshold
    return None


def _cite(threshold: ActionThreshold) -> str:
    """The source in one cell: title, address, whether it was read, and for what it holds."""
    source = threshold.source
    parts = [source.title, source.url, f"read {source.read}" if source.checked else "not checked", threshold.note]
    return "; ".join(part for part in parts if part)
