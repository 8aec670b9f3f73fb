"""Puts the report together: numbers, charts and pictures into one HTML file that needs no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from agri_clip.detections import PhotoRecord
from agri_clip.formats.files import label_thresholds, printable, provenance_items, write_text
from agri_clip.report.charts import DARK, Trend, trend
from agri_clip.report.map_chart import map_figure, missing_places, trap_places
from agri_clip.report.season import NO_TRAP, Count, Season
from agri_clip.report.sheets import Example, contact_sheets
from agri_clip.report.text import name, number, plain
from agri_clip.report.words import Words

HERE = Path(__file__).resolve().parent
#: Steps of colour in the tables of weeks.
STEPS = 5
#: More names than this in a sentence are not all given.
MAX_NAMED = 12
#: Headings of columns that hold numbers.
NUMERIC = {
    *("counted", "counted_from", "traps_with", "action", "over_now", "last_count", "times", "photos"),
    *("last_over_count", "now_count"),
}


@dataclass(frozen=True)
class Pest:
    """What the report shows of one label that was found."""

    label: str
    chart_id: str
    trend: Trend
    weeks: list[list[date | None]]
    cells: Mapping[tuple[str, date | None], Count]
    peak: float

    def traps(self, part: Sequence[date | None], season: Season) -> list[str]:
        """The rows of a table: every trap within the season, so that a gap is seen; outside only those with a count."""
        return [
            trap
            for trap in season.traps
            if season.in_main_span(part[0]) or any((trap, week) in self.cells for week in part)
        ]

    def step(self, row: Count) -> int:
        """Step of colour of a cell: 0 for nothing, `STEPS` for the highest count of the season."""
        return -int(-STEPS * (row.count or 0) // self.peak)


def render_report(
    counts: pd.DataFrame,
    photos: Sequence[PhotoRecord] = (),
    examples: Mapping[str, Sequence[Example]] | None = None,
    provenance: Mapping[str, Any] | None = None,
    *,
    title: str | None = None,
    language: str = "en",
    examples_per_row: int = 12,
) -> str:
    """Make the report of a season as one HTML page.

    The page loads nothing: plotly.js, styles and pictures stand in it, and its Content-Security-Policy forbids the
    network. The same arguments give the same bytes.

    Parameters
    ----------
    counts : DataFrame
        One row for a trap, day and label, with the columns

        - `trap` : str, missing where it is not known
        - `day` : date or datetime, missing where it is not known
        - `label` : str
        - `count` : number, missing where the photos could not be read

        and, where they are known,

        - `photos` : number of photos that the count is from
        - `threshold` : score from which was counted, 0 to 1; by default that of `provenance`
        - `action_threshold` : insects on the trap from which to act
        - `over` : whether the count calls for action; by default `count >= action_threshold`
        - `source` : where the action threshold comes from
        - `count_low`, `count_high` : likely range of the count
    photos : sequence of PhotoRecord
        All photos, for the failures, notes and places.
    examples : mapping of str to sequence of Example, optional
        Pictures of what was counted, for each label.
    provenance : mapping, optional
        What produced the counts, as `Detections.provenance` has it.
    title : str, optional
    language : str
        One of `words.LANGUAGES`.
    examples_per_row : int
        Most pictures among the surest, and among the most doubtful, of each label.

    Returns
    -------
    str

    Raises
    ------
    DataError
        A column is missing, a value is no number or date, the language is not known, or a thumbnail is no picture.
    """
    words, season = Words(language), Season(counts)
    made_by = printable(provenance or {})
    places = trap_places(photos)
    pests = _pests(season, words)
    figures = {pest.chart_id: pest.trend.figure for pest in pests if pest.trend.figure}
    the_map = map_figure(season, places, words)
    if the_map:
        figures["map-chart"] = the_map
    failed = [photo for photo in photos if photo.failed]
    return (
        _environment(words)
        .from_string((HERE / "report.html.jinja").read_text("utf-8"))
        .render(
            **_scripts(bool(figures)),
            title=words.text("title") if title is None else title,
            language=language,
            style=(HERE / "report.css").read_text("utf-8"),
            figures={"dark": DARK, "charts": figures} if figures else None,
            season=season,
            pests=pests,
            thresholds=_thresholds(season, made_by),
            never=[label for label in season.labels if not season.total(label)],
            over_traps=list(dict.fromkeys(standing.last.trap for standing in season.over_now)),
            unflagged=[label for label in season.labels if not season.values(label, "action_threshold")],
            undated=sum(row.day is None for row in season.rows),
            trapless=sum(row.trap == NO_TRAP for row in season.rows),
            places=places,
            no_place=missing_places(season, places),
            sheets=contact_sheets(examples or {}, season.labels, examples_per_row),
            read=len(photos) - len(failed),
            failed=failed,
            notes=_notes(photos),
            known=lambda key: name(made_by[key]) if made_by.get(key) else words.html("not_known"),
            settings=provenance_items(made_by),
        )
    )


def write_html_report(
    path: Path | str,
    counts: pd.DataFrame,
    photos: Sequence[PhotoRecord] = (),
    examples: Mapping[str, Sequence[Example]] | None = None,
    provenance: Mapping[str, Any] | None = None,
    *,
    title: str | None = None,
    language: str = "en",
    examples_per_row: int = 12,
) -> None:
    """Write the report of a season to a file, whole or not at all; see `render_report` for what is in it.

    Raises
    ------
    DataError
        As `render_report`, or the file cannot be written.
    """
    text = render_report(
        counts,
        photos,
        examples,
        provenance,
        title=title,
        language=language,
        examples_per_row=examples_per_row,
    )
    write_text(path, text)


def _pests(season: Season, words: Words) -> list[Pest]:
    """Charts and tables of the labels that were found at all."""
    pests: list[Pest] = []
    weeks: list[list[date | None]] = [list(part) for part in season.weeks()]
    for label in season.labels:
        if not season.total(label):
            continue
        cells, peak = season.by_week(label), season.peak(label)
        undated: list[list[date | None]] = [[None]] if any(week is None for _, week in cells) else []
        highest = peak.count if peak and peak.count else 1
        chart = trend(season, label, words)
        pests.append(Pest(label, f"chart-{len(pests) + 1}", chart, weeks + undated, cells, highest))
    return pests


def _thresholds(season: Season, provenance: Mapping[str, Any]) -> dict[str, list[float]]:
    """The scores from which each label was counted: of the table, else of what produced it."""
    known = label_thresholds(provenance, season.labels)
    return {
        label: season.values(label, "threshold") or ([known[label]] if label in known else [])
        for label in season.labels
    }


def _notes(photos: Sequence[PhotoRecord]) -> list[tuple[str, list[str]]]:
    """Each note with the names of the photos that have it, the most frequent first."""
    notes: dict[str, list[str]] = {}
    for photo in photos:
        if not photo.failed:
            for note in dict.fromkeys(photo.notes):
                notes.setdefault(note, []).append(photo.name)
    return sorted(notes.items(), key=lambda item: -len(item[1]))


@cache
def _plotly() -> str:
    """plotly.js, whole: the Python package has no smaller bundle.

    The HTML parser knows no carriage return and ends a script at its closing tag, so neither may be in it.
    """
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("\r\n", "\n").replace("</script", "<\\/script")


def _scripts(needed: bool) -> dict[str, Any]:
    """The page's scripts and the policy that allows these alone, by their hashes, and no network.

    https://www.w3.org/TR/CSP3/
    """
    scripts = [_plotly(), (HERE / "report.js").read_text("utf-8")] if needed else []
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{value}'" for value in hashes) or "'none'"
    # plotly.js writes styles as it draws; it saves a chart as a picture by way of a blob.
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "connect-src 'none'; form-action 'none'; base-uri 'none'"
    )
    return {"scripts": scripts, "policy": policy}


def _months(weeks: Sequence[date | None], words: Words) -> list[tuple[str, int]]:
    """The months above a table's columns, each with the number of weeks that begin in it."""
    heads: list[tuple[str, int]] = []
    for week in weeks:
        text = "" if week is None else words.month(week)
        if heads and heads[-1][0] == text:
            heads[-1] = (text, heads[-1][1] + 1)
        else:
            heads.append((text, 1))
    return heads


def _environment(words: Words) -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":")}

    def trap(value: str | None) -> Markup:
        return name(value) if value not in (None, NO_TRAP) else words.html("no_trap")

    def listed(values: Sequence[Markup]) -> Markup:
        """Names with commas between, the first `MAX_NAMED` of them."""
        more = len(values) - MAX_NAMED
        return Markup(", ").join(values[:MAX_NAMED]) + (words.html("and_more", n=more) if more > 0 else Markup(""))

    environment.filters.update(
        name=name, number=number, plain=plain, names=lambda values: listed([name(value) for value in values])
    )
    environment.globals.update(
        t=words.html,
        words=words,
        trap=trap,
        trap_list=lambda values: listed([trap(value) for value in values]),
        trap_text=lambda value: plain(value) if value not in (None, NO_TRAP) else words.text("no_trap"),
        between=lambda values: _between(values, words),
        months=lambda weeks: _months(weeks, words),
        numeric=NUMERIC,
    )
    return environment


def _between(values: Sequence[float], words: Words) -> str:
    """One value, or the least and the greatest of several; a dash for none."""
    if not values:
        return words.text("none")
    if len(values) == 1:
        return number(values[0])
    return words.text("range", low=number(values[0]), high=number(values[-1]))
