"""The numbers of the report: the table of counts checked, and what a grower asks of it, worked out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from agri_clip.errors import DataError

REQUIRED = ("trap", "day", "label", "count")
NUMBERS = ("count", "photos", "threshold", "action_threshold", "count_low", "count_high")
#: Key of counts whose trap is not known.
NO_TRAP = ""
# More weeks than this without a single count end a table, so that one camera with a wrong clock does not make a table
# of a thousand empty columns.
MAX_EMPTY_WEEKS = 4
# A break this long is no gap within a season.
MAX_BREAK = timedelta(days=180)
#: Weeks that a table on paper has room for.
WEEKS_A_TABLE = 20


@dataclass(frozen=True)
class Count:
    """One row of the table; None where a value is not known."""

    trap: str
    day: date | None
    label: str
    count: float | None
    photos: float | None
    threshold: float | None
    action_threshold: float | None
    over: bool
    source: str
    count_low: float | None
    count_high: float | None

    @property
    def times(self) -> float | None:
        """The count over the action threshold; infinite where any insect at all is too many."""
        if self.count is None or self.action_threshold is None:
            return None
        return self.count / self.action_threshold if self.action_threshold > 0 else float("inf")


@dataclass(frozen=True)
class Standing:
    """How one trap stands with one pest: its last count, the one before, and the last that was over, if any."""

    last: Count
    before: Count | None
    last_over: Count | None


class Season:
    """The counts of a season, in the order and groups that the report shows them in.

    Parameters
    ----------
    counts : DataFrame
        One row for a trap, day and label; see `render_report`.

    Raises
    ------
    DataError
        A column is missing, or a value is no number, date or label.
    """

    def __init__(self, counts: pd.DataFrame) -> None:
        self.rows = _rows(counts)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Those with a trap over its threshold first, then by how many were counted."""
        over = {s.last.label for s in self.over_now}
        names = dict.fromkeys(row.label for row in self.rows)
        return tuple(sorted(names, key=lambda name: (name not in over, -self.total(name))))

    @cached_property
    def traps(self) -> tuple[str, ...]:
        """In natural order, T2 before T10; `NO_TRAP` last."""
        return tuple(sorted({row.trap for row in self.rows}, key=trap_order))

    @cached_property
    def days(self) -> tuple[date, ...]:
        """Every day with a count, in order."""
        return tuple(sorted({row.day for row in self.rows if row.day is not None}))

    @cached_property
    def main_span(self) -> tuple[date, date] | None:
        """First and last day of the part, between breaks of `MAX_BREAK`, that holds the most counts; None without days.

        Charts open on it, so that one photo with a wrong clock does not press all lines into a corner.
        """
        parts: list[list[date]] = []
        for day in sorted(row.day for row in self.rows if row.day is not None):
            if not parts or day - parts[-1][-1] > MAX_BREAK:
                parts.append([])
            parts[-1].append(day)
        if not parts:
            return None
        longest = max(parts, key=len)
        return longest[0], longest[-1]

    def in_main_span(self, week: date | None) -> bool:
        """Whether a week, given by its Monday, lies in `main_span`."""
        span = self.main_span
        return week is not None and span is not None and monday(span[0]) <= week <= span[1]

    @cached_property
    def outside(self) -> int:
        """Number of counts with a day that lies outside `main_span`."""
        return sum(row.day is not None and not self.in_main_span(monday(row.day)) for row in self.rows)

    @cached_property
    def by_label(self) -> Mapping[str, list[Count]]:
        """The rows of each label, by day; those without a day first."""
        groups: dict[str, list[Count]] = {}
        for row in sorted(self.rows, key=lambda row: row.day or date.min):
            groups.setdefault(row.label, []).append(row)
        return groups

    @cached_property
    def standings(self) -> Mapping[tuple[str, str], Standing]:
        """(trap, label) to how it stands; pairs that were never counted are left out."""
        series: dict[tuple[str, str], list[Count]] = {}
        for rows in self.by_label.values():
            for row in rows:
                if row.count is not None:
                    series.setdefault((row.trap, row.label), []).append(row)
        standings = {}
        for key, rows in series.items():
            last = max((row for row in rows if row.day == rows[-1].day), key=lambda row: (row.over, row.count))
            before = [row for row in rows if row.day is not None and row.day != last.day]
            over = [row for row in rows if row.over]
            standings[key] = Standing(last, before[-1] if before else None, over[-1] if over else None)
        return standings

    @cached_property
    def over_now(self) -> list[Standing]:
        """Traps whose last count is at or over the action threshold, the furthest over it first."""
        chosen = [s for s in self.standings.values() if s.last.over]
        return sorted(chosen, key=lambda s: (-(s.last.times or 0), -(s.last.count or 0), trap_order(s.last.trap)))

    @cached_property
    def over_earlier(self) -> list[Standing]:
        """Traps that were over before, but not at the last count; the latest first."""
        chosen = [s for s in self.standings.values() if s.last_over and not s.last.over]
        return sorted(chosen, key=lambda s: (-_day_number(s.last_over), trap_order(s.last.trap)))

    def total(self, label: str) -> float:
        """Sum over traps and days."""
        return sum(row.count or 0 for row in self.by_label[label])

    def traps_with(self, label: str) -> int:
        """Number of traps that it was found on; counts without a trap make one."""
        return len({row.trap for row in self.by_label[label] if row.count})

    def peak(self, label: str) -> Count | None:
        """The highest count on one trap; None where nothing was counted."""
        counted = [row for row in self.by_label[label] if row.count is not None]
        return max(counted, key=lambda row: row.count or 0, default=None)

    def values(self, label: str, column: str) -> list[Any]:
        """The different values of a column for a label, in order, without those that are not known."""
        return sorted({value for row in self.by_label[label] if (value := getattr(row, column)) not in (None, "")})

    def weeks(self) -> list[list[date]]:
        """Mondays of the weeks from the first count to the last, in tables of at most `WEEKS_A_TABLE`.

        Weeks without a count stand among them, so that a gap is seen, unless there are more than `MAX_EMPTY_WEEKS`
        in a row.
        """
        runs: list[list[date]] = []
        for week in sorted({monday(day) for day in self.days}):
            missing = (week - runs[-1][-1]).days // 7 - 1 if runs else MAX_EMPTY_WEEKS + 1
            if missing > MAX_EMPTY_WEEKS:
                runs.append([week])
            else:
                runs[-1] += [runs[-1][-1] + timedelta(weeks=i + 1) for i in range(missing + 1)]
        # Tables of equal width read better than a full one and a rest of two columns.
        parts = [np.array_split(np.arange(len(run)), -(-len(run) // WEEKS_A_TABLE)) for run in runs]
        return [[run[i] for i in part] for run, split in zip(runs, parts, strict=True) for part in split]

    def by_week(self, label: str) -> dict[tuple[str, date | None], Count]:
        """(trap, Monday) to the row with the highest count of that week; Monday is None for rows without a day."""
        cells: dict[tuple[str, date | None], Count] = {}
        for row in self.by_label[label]:
            key = (row.trap, None if row.day is None else monday(row.day))
            if key not in cells or _weight(row) > _weight(cells[key]):
                cells[key] = row
        return cells


def monday(day: date) -> date:
    """The first day of a date's week (ISO 8601)."""
    return day - timedelta(days=day.weekday())


def trap_order(trap: str) -> tuple[Any, ...]:
    """Sorting key: numbers within a name by their value, a missing name last."""
    parts = re.split(r"(\d+)", trap.casefold())
    return trap == NO_TRAP, [(int(part) if i % 2 else 0, part) for i, part in enumerate(parts)], trap


def _weight(row: Count) -> tuple[bool, float]:
    return row.over, -1.0 if row.count is None else row.count


def _day_number(row: Count | None) -> int:
    return 0 if row is None or row.day is None else row.day.toordinal()


def _rows(counts: pd.DataFrame) -> list[Count]:
    missing = [name for name in REQUIRED if name not in counts.columns]
    if missing:
        raise DataError(f"counts: no column {missing[0]!r}; needed are {', '.join(REQUIRED)}")
    numbers = {name: _numbers(counts, name) for name in NUMBERS}
    labels = ["" if value is None else value for value in _texts(counts, "label")]
    if "" in labels:
        raise DataError(f"counts: row {labels.index('') + 1} has no label; give each row the pest that it counts")
    rows = []
    given = counts["over"].tolist() if "over" in counts.columns else [None] * len(counts)
    for i, (trap, day, label, source) in enumerate(
        zip(_texts(counts, "trap"), _days(counts["day"]), labels, _texts(counts, "source"), strict=True)
    ):
        values = {name: column[i] for name, column in numbers.items()}
        over = given[i]
        if over is None or pd.isna(over):
            count, action = values["count"], values["action_threshold"]
            over = count is not None and action is not None and count >= action
        rows.append(Count(trap=trap or NO_TRAP, day=day, label=label, source=source or "", over=bool(over), **values))
    return rows


def _numbers(counts: pd.DataFrame, name: str) -> list[float | None]:
    if name not in counts.columns:
        return [None] * len(counts)
    given = counts[name]
    array = pd.to_numeric(given, errors="coerce").astype("Float64").to_numpy(float, na_value=np.nan)
    wrong = np.flatnonzero((np.isnan(array) & given.notna().to_numpy()) | np.isinf(array) | (array < 0))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(f"counts: row {row + 1}, column {name}: {str(given.iloc[row])!r} is no number from 0 up")
    return [None if np.isnan(value) else value for value in array.tolist()]


def _texts(counts: pd.DataFrame, name: str) -> list[str | None]:
    if name not in counts.columns:
        return [None] * len(counts)
    return [None if pd.isna(value) else str(value) for value in counts[name].tolist()]


def _days(given: pd.Series) -> list[date | None]:
    days: list[date | None] = []
    for row, value in enumerate(given.tolist(), 1):
        try:
            stamp = pd.Timestamp(value)
        except (ValueError, TypeError) as error:
            raise DataError(f"counts: row {row}, column day: {value!r} is no date") from error
        days.append(None if stamp is pd.NaT else stamp.date())
    return days
