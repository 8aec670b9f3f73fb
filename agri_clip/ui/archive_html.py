"""Shown: the answers of an archive as HTML and charts of the page; whatever stands in them is plain text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from gradio.components.plot import PlotData

from agri_clip.formats.csv_table import failures_table
from agri_clip.report.season_report import season_trend
from agri_clip.ui.answering import Asked, Searched, count_rows, most_first
from agri_clip.ui.batches import State
from agri_clip.ui.viewer import MOST_CROPS, html_table, picture
from agri_clip.ui.words import say


def counts_html(asked: Asked, by: Sequence[str], language: str) -> str:
    """Counts as a table with a column for each pest that was found, and the names of those that were not."""
    table = asked.counts(*by)
    sums = most_first(table)
    found = [label for label, total in sums.items() if total]
    uncounted = asked.detections.not_counted
    never = [label for label, total in sums.items() if not total and label not in uncounted]
    shown_labels = found or never or list(sums)
    unknown = {key: say(f"batch_no_{key}", language) for key in by}
    rows = [
        [
            *(unknown[key] if value is None else value for key, value in zip(by, row[: len(by)], strict=True)),
            *("–" if value is None else value for value in row[len(by) :]),
        ]
        for row in count_rows(table, by, shown_labels)
    ]
    head = [*(say(f"batch_{key}", language) for key in by), say("batch_photos", language), *shown_labels]
    shown = html_table(head, rows, say("find_counts", language, name=asked.place.name))
    if found and never:
        shown += f"<p>{escape(say('batch_never', language, labels=', '.join(never)))}</p>"
    return shown


def failures_html(asked: Asked, language: str) -> str:
    """Photos that could not be read, each with its reason; nothing where all could."""
    table = failures_table(asked.answer.detections)
    rows = [[str(name), str(reason)] for name, reason in table.itertuples(index=False)]
    if not rows:
        return ""
    head = [say("batch_photo", language), say("batch_reason", language)]
    return html_table(head, rows, say("batch_failures", language, n=len(rows)))


def chart(asked: Asked, label: str | None, language: str) -> tuple[PlotData | None, str]:
    """A pest's counts over time, a line for each trap, and what is to be said beside it."""
    if label not in asked.answer.detections.label_names:
        return None, ""
    trend = season_trend(asked.by_trap_and_day, label, language)
    notes = " ".join(trend.notes)
    if trend.figure is None:
        return None, notes
    # Its lines and letters are dark, whatever the colours of the reader's screen.
    figure = trend.figure | {"layout": trend.figure["layout"] | {"paper_bgcolor": "#fff", "plot_bgcolor": "#fff"}}
    return PlotData(type="plotly", plot=json.dumps(figure)), notes


def ranked_html(asked: Asked, language: str) -> str:
    """The regions of each pest, best first, with trap, day and score."""
    detections = asked.answer.detections
    parts = []
    for number, name in enumerate(detections.label_names):
        rows, thumbnails = asked.best(number, MOST_CROPS)
        if not len(rows):
            continue
        figures = []
        for row, jpeg in zip(rows, thumbnails, strict=False):
            photo = detections.photos[detections.photo_index[row]]
            day = None if photo.taken is None else photo.taken.date().isoformat()
            figures.append(_figure(jpeg, photo.trap, day, photo.name, float(detections.scores[row]), language))
        more = say("find_more", language, n=len(rows) - MOST_CROPS) if len(rows) > MOST_CROPS else ""
        parts.append(f"<h2>{escape(name)} ({len(rows)})</h2>{_row(figures)}<p>{escape(more)}</p>")
    return "".join(parts)


def alike_html(searched: Searched, language: str) -> str:
    """The regions that look most like an example, best first."""
    rows = searched.table.select(["thumbnail", "trap", "day", "name", "similarity"]).to_pylist()
    heading = escape(say("ask_alike", language))
    figures = [
        _figure(row["thumbnail"], row["trap"], row["day"], row["name"], row["similarity"], language) for row in rows
    ]
    return f"<h2>{heading}</h2>{_row(figures)}"


def _figure(jpeg: bytes, trap: str | None, day: str | None, photo: str, score: float, language: str) -> str:
    lines = [trap or say("batch_no_trap", language), day or say("batch_no_day", language), f"{score:.2f}"]
    return picture(jpeg, f"{photo}: {score:.2f}", "\n".join(lines))


def _row(figures: Sequence[str]) -> str:
    return f"<div class='crops ranked'>{''.join(figures)}</div>"


def progress_html(state: State, language: str) -> str:
    """How far a batch is, as a bar and in words."""
    text = say("batch_progress", language, n=state.seen, total=state.total)
    if state.stopping:
        text = say("batch_stopping", language)
    elif state.seen >= state.total:
        text = say("batch_comparing", language, total=state.total)
    elif state.minutes is not None:
        text += " " + say("batch_minutes", language, n=state.minutes)
    label = escape(say("batch_bar", language))
    return (
        f"<div class='progress'><progress max='{state.total}' value='{state.seen}' aria-label='{label}'></progress>"
        f"<span>{escape(text)}</span></div>"
    )
