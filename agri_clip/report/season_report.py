"""A season's answer as numbers and as a report: joins the archive with counts and the HTML export."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from agri_clip.archive import Season
from agri_clip.archive.questions import Answer, thumbnails_of
from agri_clip.counts import (
    ANY_CROP,
    UNKNOWN,
    ActionThreshold,
    CardPeriod,
    count_table,
    flag_actions,
)
from agri_clip.counts.exposure import card_notes, clock_notes
from agri_clip.counts.new_only import find_new
from agri_clip.detections import FOUND
from agri_clip.errors import AgriClipWarning
from agri_clip.report.charts import Trend, trend
from agri_clip.report.page import write_html_report
from agri_clip.report.season import Season as ReportSeason
from agri_clip.report.sheets import Example
from agri_clip.report.words import LANGUAGES, Words

#: Findings of each label that a report shows at either end of the scores.
EXAMPLES = 12


def count_season(
    season: Season,
    answer: Answer,
    by: Sequence[str],
    *,
    periods: Sequence[CardPeriod] = (),
    new_only: bool = False,
    thresholds: Sequence[ActionThreshold] | None = None,
    crop: str = ANY_CROP,
) -> pd.DataFrame:
    """Counts of what a question found, as `agri_clip.counts.count_table` gives them.

    Where the encoder's scores were calibrated for all labels asked, counts have intervals.

    Parameters
    ----------
    season : Season
    answer : Answer
        Of the whole season or a part of it.
    by : sequence of str
        Keys of the groups.
    periods : sequence of CardPeriod
        When cards were placed and removed, where that is known.
    new_only : bool
        Tell insects that hung on the same card before; opens the photos.
    thresholds : sequence of ActionThreshold, optional
        Put beside the counts by `agri_clip.counts.flag_actions`.
    crop : str
        What grows beside the traps, for the thresholds.

    Raises
    ------
    AgriClipError
        A key is not known, or no threshold is for this crop.

    Warns
    -----
    AgriClipWarning
        Cards are of traps without photos, or photos of traps without cards; or photos are of days that cannot be
        right.
    """
    photos = answer.detections.photos
    for note in (*card_notes(periods, photos), *clock_notes(photos)):
        warnings.warn(note, AgriClipWarning, stacklevel=2)
    new = find_new(answer.detections, season.read_photo, periods).new if new_only else None
    calibrated = answer.detections.provenance.get("calibrated") is True
    table = count_table(answer.detections, by, new=new, periods=periods, calibrated=calibrated)
    return table if thresholds is None else flag_actions(table, thresholds, crop)


def write_season_report(
    path: Path | str, season: Season, answer: Answer, counts: pd.DataFrame, *, title: str | None = None
) -> None:
    """Write the report of a question to a season: one HTML file.

    Parameters
    ----------
    path : Path or str
    season : Season
        Whose thumbnails are shown.
    answer : Answer
    counts : DataFrame
        By trap and day, of `count_season`.
    title : str, optional

    Raises
    ------
    DataError
        The file cannot be written.
    """
    detections = answer.detections
    examples = _examples(season, answer)
    write_html_report(path, _for_report(counts), detections.photos, examples, detections.provenance, title=title)


def season_trend(counts: pd.DataFrame, label: str, language: str = "en") -> Trend:
    """The chart of one label's counts over time, as the report has it.

    Parameters
    ----------
    counts : DataFrame
        By trap and day, of `count_season`.
    label : str
        One of its labels.
    language : str
        English is taken where the report does not speak it.
    """
    words = Words(language if language in LANGUAGES else "en")
    return trend(ReportSeason(_for_report(counts)), label, words)


def _for_report(table: pd.DataFrame) -> pd.DataFrame:
    """Counts by trap and day as the report takes them: a trap or day that is not known is missing.

    A group of which no photo could be read and nobody knows trap and day is left out: its photos stand among the
    failures, and there is nothing else to say of it.
    """
    unknown = (table["trap"] == UNKNOWN) | (table["day"] == UNKNOWN)
    told = table[~(unknown & (table["photos"] == 0))]
    known = told.assign(day=pd.to_datetime(told["day"], errors="coerce"))
    return known.assign(trap=known["trap"].where(known["trap"] != UNKNOWN, None))


def _examples(season: Season, answer: Answer) -> dict[str, list[Example]]:
    """The surest and the most doubtful findings of each label with their thumbnails, best first."""
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
