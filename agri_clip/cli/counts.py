"""Commands that turn an archive into numbers for people: count and report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agri_clip.cli.asking import ArchivePlace, SeasonEncoder, Where, answer_of, open_question
from agri_clip.cli.options import (
    Device,
    Negatives,
    Precision,
    PromptFile,
    Prompts,
    Threshold,
    app,
)

if TYPE_CHECKING:
    import pandas as pd

    from agri_clip.archive import Season
    from agri_clip.archive.questions import Answer
    from agri_clip.exports.report import Example

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

#: Findings of each label that a report shows at either end of the scores.
EXAMPLES = 12


@app.command()
def count(
    archive: ArchivePlace,
    by: Annotated[
        str, typer.Option("--by", help="Groups: some of trap, photo, day, week, month, joined by commas.")
    ] = "trap,week",
    csv: Annotated[Path | None, typer.Option("--csv", help="File for the whole table.")] = None,
    prompt: Prompts = None,
    prompts: PromptFile = None,
    negative: Negatives = None,
    where: Where = None,
    cards: Cards = None,
    new_only: NewOnly = False,
    thresholds: ThresholdsFile = None,
    crop: Crop = None,
    threshold: Threshold = None,
    precision: Precision = None,
    encoder: SeasonEncoder = None,
    device: Device = None,
) -> None:
    """Count a season by trap, time and pest; beside each count what it stands on, and where action is due."""
    from agri_clip.console import make_table, output
    from agri_clip.counts import parse_keys, write_count_csv

    keys = parse_keys(by)
    season, made, prompt_set = open_question(archive, encoder, device, prompt, prompts, negative)
    answer = answer_of(season, made, prompt_set, where, threshold=threshold, precision=precision)
    table = _count_table(season, answer, keys, cards, new_only, thresholds, crop)
    shown = [*keys, "label", "photos", "count", *(["new"] if new_only else []), "per_day", "threshold"]
    if thresholds is not None:
        shown += ["action_threshold", "action_per", "over"]
    rows = [[_cell(row[name]) for name in shown] for row in table.to_dict("records") if row["count"] or len(table) < 60]
    output().print(make_table([name.replace("_", " ") for name in shown], rows))
    if len(rows) < len(table):
        output().print(f"{len(table) - len(rows)} rows with a count of 0 are not shown; --csv writes all")
    if csv is not None:
        write_count_csv(table, csv, answer.detections.provenance)
        output().print(f"table: {csv}", markup=False, soft_wrap=True)


@app.command()
def report(
    archive: ArchivePlace,
    out: Annotated[Path, typer.Option("--out", "-o", help="The report, one HTML file.")] = Path("report.html"),
    title: Annotated[str | None, typer.Option("--title", help="Its heading.")] = None,
    prompt: Prompts = None,
    prompts: PromptFile = None,
    negative: Negatives = None,
    where: Where = None,
    cards: Cards = None,
    new_only: NewOnly = False,
    thresholds: ThresholdsFile = None,
    crop: Crop = None,
    threshold: Threshold = None,
    precision: Precision = None,
    encoder: SeasonEncoder = None,
    device: Device = None,
) -> None:
    """Write a season's report, to send and to print: one file that opens without network."""
    from agri_clip.console import output
    from agri_clip.exports.report import write_html_report

    season, made, prompt_set = open_question(archive, encoder, device, prompt, prompts, negative)
    answer = answer_of(season, made, prompt_set, where, threshold=threshold, precision=precision)
    table = _count_table(season, answer, ("trap", "day"), cards, new_only, thresholds, crop)
    detections = answer.detections
    write_html_report(
        out, _for_report(table), detections.photos, _examples(season, answer), detections.provenance, title=title
    )
    output().print(f"report: {out}", markup=False, soft_wrap=True)


def _count_table(
    season: Season,
    answer: Answer,
    keys: Sequence[str],
    cards: Path | None,
    new_only: bool,
    thresholds: str | None,
    crop: str | None,
) -> pd.DataFrame:
    from agri_clip.counts import ANY_CROP, count_table, flag_actions, read_card_periods, read_thresholds
    from agri_clip.counts.new_only import find_new

    periods = () if cards is None else read_card_periods(cards)
    limits = None if thresholds is None else read_thresholds(thresholds)
    new = find_new(answer.detections, season.read_photo, periods).new if new_only else None
    table = count_table(answer.detections, keys, new=new, periods=periods)
    return table if limits is None else flag_actions(table, limits, crop or ANY_CROP)


def _for_report(table: pd.DataFrame) -> pd.DataFrame:
    """Counts by trap and day as the report takes them: a trap or day that is not known is missing."""
    import pandas as pd

    from agri_clip.counts import UNKNOWN

    known = table.assign(day=pd.to_datetime(table["day"], errors="coerce"))
    return known.assign(trap=known["trap"].where(known["trap"] != UNKNOWN, None))


def _examples(season: Season, answer: Answer) -> dict[str, list[Example]]:
    """The surest and the most doubtful findings of each label with their thumbnails, best first."""
    import numpy as np

    from agri_clip.archive.questions import thumbnails_of
    from agri_clip.detections import FOUND
    from agri_clip.exports.report import Example

    found = answer[answer.detections.status == FOUND]
    examples = {}
    for number, name in enumerate(found.detections.label_names):
        mine = np.flatnonzero(found.detections.label_index == number)
        ranked = mine[np.argsort(-found.detections.scores[mine], kind="stable")]
        ends = ranked if len(ranked) <= 2 * EXAMPLES else np.concatenate([ranked[:EXAMPLES], ranked[-EXAMPLES:]])
        chosen = found[ends]
        photos = [chosen.detections.photos[i] for i in chosen.detections.photo_index]
        examples[name] = [
            Example(data, float(score), photo.trap, photo.taken, photo.name)
            for data, score, photo in zip(
                thumbnails_of(season, chosen.photos, chosen.regions), chosen.detections.scores, photos, strict=True
            )
        ]
    return examples


def _cell(value: Any) -> str:
    """A value of a table as a person reads it."""
    import pandas as pd

    if value is None or pd.isna(value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
