"""Commands that turn an archive into numbers for people: count and report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agri_clip.cli.asking import asks_season
from agri_clip.cli.options import app

if TYPE_CHECKING:
    import pandas as pd

    from agri_clip.archive import Season
    from agri_clip.archive.questions import Answer

Cards = Annotated[
    Path | None, typer.Option("--cards", help="When cards were changed: CSV or YAML with trap, placed, removed.")
]
NewOnly = Annotated[
    bool, typer.Option("--new-only", help="Tell insects that hung on the same card before; opens the photos.")
]
ThresholdsFile = Annotated[
    str | None, typer.Option("--thresholds", help="Action thresholds: a YAML file, or the name of ready ones.")
]
Crop = Annotated[str | None, typer.Option("--crop", help="The crop beside the traps, for --thresholds.")]


def _checked_groups(by: str) -> str:
    """Refuse groups that there are none of before the archive is asked."""
    from agri_clip.counts import parse_keys

    parse_keys(by)
    return by


#: From so many rows on, those with a count of 0 are not printed.
MOST_ROWS = 60


@app.command()
@asks_season
def count(
    season: Season,
    answer: Answer,
    by: Annotated[
        str,
        typer.Option(
            "--by", callback=_checked_groups, help="Groups: some of trap, photo, day, week, month, joined by commas."
        ),
    ] = "trap,week",
    csv: Annotated[Path | None, typer.Option("--csv", help="File for the whole table.")] = None,
    cards: Cards = None,
    new_only: NewOnly = False,
    thresholds: ThresholdsFile = None,
    crop: Crop = None,
) -> None:
    """Count a season by trap, time and pest; beside each count what it stands on, and where action is due."""
    from agri_clip.counts import parse_keys, write_count_csv
    from agri_clip.io.console import make_table, output

    keys = parse_keys(by)
    table = _counts(season, answer, keys, cards, new_only, thresholds, crop)
    shown = [*keys, "label", "photos", "count", *(["new"] if new_only else []), "per_day", "threshold"]
    if thresholds is not None:
        shown += ["action_threshold", "action_per", "over"]
    # A missing count is no count of 0: no photo of the group could be read.
    told = table if len(table) < MOST_ROWS else table[table["count"].isna() | (table["count"] > 0)]
    rows = [[_cell(row[name]) for name in shown] for row in told.to_dict("records")]
    output().print(make_table([name.replace("_", " ") for name in shown], rows))
    if len(rows) < len(table):
        output().print(f"{len(table) - len(rows)} rows with a count of 0 are not shown; --csv writes all")
    if csv is not None:
        write_count_csv(table, csv, answer.detections.provenance)
        output().print(f"table: {csv}", markup=False, soft_wrap=True)


@app.command()
@asks_season
def report(
    season: Season,
    answer: Answer,
    out: Annotated[Path, typer.Option("--out", "-o", help="The report, one HTML file.")] = Path("report.html"),
    title: Annotated[str | None, typer.Option("--title", help="Its heading.")] = None,
    cards: Cards = None,
    new_only: NewOnly = False,
    thresholds: ThresholdsFile = None,
    crop: Crop = None,
) -> None:
    """Write a season's report, to send and to print: one file that opens without network."""
    from agri_clip.io.console import output
    from agri_clip.report.season_report import write_season_report

    table = _counts(season, answer, ("trap", "day"), cards, new_only, thresholds, crop)
    write_season_report(out, season, answer, table, title=title)
    output().print(f"report: {out}", markup=False, soft_wrap=True)


def _counts(
    season: Season,
    answer: Answer,
    keys: Sequence[str],
    cards: Path | None,
    new_only: bool,
    thresholds: str | None,
    crop: str | None,
) -> pd.DataFrame:
    """Counts as the options ask for them."""
    from agri_clip.counts import ANY_CROP, read_card_periods, read_thresholds
    from agri_clip.report.season_report import count_season

    periods = () if cards is None else read_card_periods(cards)
    limits = None if thresholds is None else read_thresholds(thresholds)
    return count_season(
        season, answer, keys, periods=periods, new_only=new_only, thresholds=limits, crop=crop or ANY_CROP
    )


def _cell(value: Any) -> str:
    """A value of a table as a person reads it."""
    import pandas as pd

    if value is None or pd.isna(value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
