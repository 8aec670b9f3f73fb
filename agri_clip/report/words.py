"""Every sentence of the report, language by language; the one place to add another language to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup, escape

from agri_clip.errors import DataError

ENGLISH: Mapping[str, str] = {
    "months": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "day": "{day} {month} {year}",
    "month": "{month} {year}",
    # Of d3-time-format, for the axis and the box at the pointer: https://d3js.org/d3-time-format
    "axis_day": "%-d %b",
    "hover_day": "%-d %b %Y",
    "none": "–",
    "no_date": "no date",
    "no_trap": "no trap id",
    "range": "{low} to {high}",
    "title": "Trap counts",
    "contents": "Contents",
    "of_program": "Made by {program} with the encoder {encoder}, the proposer {proposer} and the prompts {prompts}.",
    "not_known": "not known",
    # Numbers of things
    "photos_one": "{n} photo",
    "photos_many": "{n} photos",
    "traps_one": "{n} trap",
    "traps_many": "{n} traps",
    "days_one": "{n} day",
    "days_many": "{n} days",
    "counts_one": "{n} count",
    "counts_many": "{n} counts",
    # Summary
    "summary": "Summary",
    "read": "read",
    "not_read": "could not be read",
    "with_counts": "with counts",
    "no_counts": "There are no counts.",
    "dates": "First day {first}, last day {last}.",
    "undated": "{counts} without a date: in the sums and tables, not in the charts.",
    "trapless": "{counts} without a trap id: they stand together under “no trap id”.",
    "some_over": "At or over an action threshold at the last count: {traps}.",
    "none_over": "No trap is at or over an action threshold at its last count.",
    "no_action": "No action threshold is set, so no trap is flagged. That says nothing about whether to act.",
    "without_action": "Without an action threshold, so never flagged: {labels}.",
    "failed_hint": "{photos} could not be read, so traps and days may be missing here; see “Failures”.",
    "total_note": "“Counted” is the sum over all traps and days. An insect that hangs on a card in two photos of "
    "different days is counted twice; the highest count on one trap does not have that flaw.",
    "pest": "Pest",
    "trap": "Trap",
    "counted": "Counted",
    "traps_with": "Traps with it",
    "highest": "Highest on one trap",
    "counted_from": "Counted from score",
    "action": "Action threshold",
    "over_now": "Traps over it now",
    "highest_on": "{count} ({trap}, {day})",
    # Traps over threshold
    "over": "Traps over threshold",
    "over_word": "over",
    "over_head": "Now: the last count is at or over the action threshold",
    "earlier_head": "Earlier in the season, but not at the last count",
    "last_day": "Day",
    "last_count": "Count",
    "band": "Likely range",
    "times": "Times the threshold",
    "change": "Since the count before",
    "rising": "↑ up from {before}",
    "falling": "↓ down from {before}",
    "same": "→ as before",
    "first_count": "first count",
    "source": "Source of the threshold",
    "photos": "Photos",
    "flag": "Flag",
    "last_over": "Last over on",
    "last_over_count": "Count then",
    "now_count": "Last count",
    "nothing_over": "None.",
    # Trends
    "trends": "Trends",
    "outside": "{counts} of a day outside {first} to {last}: in the tables, and in the charts by a double click, which "
    "shows all days. A camera's clock may be wrong.",
    "chart_about": "Counts of {label} over time, a line for each trap. The table below has the numbers.",
    "shown_top": "The {shown} traps that are over the threshold or had the highest counts are drawn, of {all}.",
    "no_script": "The chart needs JavaScript in the browser. The table below has its numbers.",
    "no_script_map": "The map needs JavaScript in the browser.",
    "one_day": "There is no chart: the counts are of one day, or have no date.",
    "gap_note": "A line is broken where a trap has no count for some time.",
    "band_note": "The pale band around a line is the likely range of its count.",
    "hover_note": "The likely range of a count shows where the pointer is.",
    "action_far": "The action threshold, {action}, is far above these counts and not drawn.",
    "action_varies": "The action threshold differs between traps or days ({action}) and is not drawn.",
    "others": "the other {traps}",
    "show_others": "Show the other traps",
    "median": "median of all {traps}",
    "axis_count": "insects on the trap",
    "action_line": "action threshold {action}",
    "likely": "likely {low} to {high}",
    "never": "Looked for and never found: {labels}.",
    "heat": "{label}: highest count of each trap in each week",
    "week_of": "week from {day}",
    "heat_key": "Columns are weeks, named by their Monday. Darker is more. ▲ at or over the action threshold; "
    "· no count that week; ? photographed, but not counted.",
    # Map
    "map": "Map",
    "map_about": "Map of {traps} by the places that their photos carry; north is up. ▲ at or over an action threshold "
    "at the last count, ● not.",
    "map_missing": "{traps} without a place in the photos: {names}.",
    "map_over": "at or over an action threshold",
    "map_under": "not over",
    "north": "N",
    "metres": "{n} m",
    "kilometres": "{n} km",
    # Contact sheets
    "sheets": "Contact sheets",
    "sheets_about": "To check by eye: what was counted, the surest first, and those that only just were.",
    "surest": "Surest",
    "doubtful": "Most doubtful, just above the threshold",
    "example_alt": "{label}, score {score}, {trap}, {day}",
    # Failures, notes, provenance
    "failures": "Failures",
    "no_failures": "Every photo was read.",
    "no_photos": "No photos are listed.",
    "photo": "Photo",
    "reason": "Why it could not be read",
    "notes": "Notes on photos",
    "note": "Note",
    "and_more": " and {n} more",
    "provenance": "What produced this report",
    "setting": "Setting",
    "value": "Value",
}

#: Languages by their tag (BCP 47), each with a text for every key of `ENGLISH`.
LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH}


@dataclass(frozen=True)
class Words:
    """The sentences of one language, filled in as safe HTML.

    Raises
    ------
    DataError
        There is no such language.
    """

    language: str = "en"

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise DataError(f"no report in the language {self.language!r}; languages are {', '.join(LANGUAGES)}")

    def text(self, key: str, **values: Any) -> str:
        """A sentence as plain text."""
        return LANGUAGES[self.language][key].format(**values)

    def html(self, key: str, **values: Any) -> Markup:
        """A sentence as HTML: values are escaped, unless they are HTML already."""
        return Markup(escape(LANGUAGES[self.language][key])).format(**values)

    def number_of(self, key: str, n: int) -> str:
        """A number of things, such as ``3 traps``."""
        return self.text(f"{key}_one" if n == 1 else f"{key}_many", n=n)

    def day(self, day: date | None) -> str:
        """A date, or the words for none."""
        if day is None:
            return self.text("no_date")
        return self.text("day", day=day.day, month=self._month(day), year=day.year)

    def month(self, day: date) -> str:
        """The month that a date lies in."""
        return self.text("month", month=self._month(day), year=day.year)

    def _month(self, day: date) -> str:
        return self.text("months").split()[day.month - 1]
