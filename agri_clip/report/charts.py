"""The report's trend charts: plotly figures as plain dicts, one for each pest, with a line for each trap.

Plain dicts and not `plotly.graph_objects.Figure`, which would write its whole default theme into every chart.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from agri_clip.report.season import NO_TRAP, Count, Season, monday, trap_order
from agri_clip.report.text import number, plain
from agri_clip.report.words import Words

Figure = dict[str, Any]

#: More lines than this in a chart cannot be told apart; the traps that matter least are then drawn on demand.
MAX_LINES = 8
#: With more lines than this their pale bands would lie over each other; the range then shows under the pointer.
MAX_BANDS = 4
# A count that comes later than this times the usual interval of its trap leaves a gap in the line: with weekly photos
# one that was left out, while visits every three or four days are still joined.
GAP = 1.8
# An action threshold this far above the highest count would press all lines flat.
FAR = 3
INK, PALE_INK, GRID, WARNING, CLEAR = "#1F2328", "#59636E", "#D0D7DE", "#B3261E", "rgba(0,0,0,0)"
# Line colours on white, after Okabe and Ito (https://jfly.uni-koeln.de/color/), darkened where they were too pale for
# thin lines; dashes and markers tell the lines apart as well.
LINES = ("#0072B2", "#C24E00", "#7B2D8E", "#00795A", "#1A1A1A", "#B4517F", "#8C510A", "#5B6B73")
DASHES = ("solid", "dash", "dot", "dashdot")
MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
#: Each colour of a figure and what it becomes on a dark screen.
DARK: Mapping[str, str] = {
    **dict(
        zip(
            LINES,
            ("#56B4E9", "#FF8A4C", "#C792EA", "#2FD0A2", "#F0F0F0", "#F29AC4", "#D9A55B", "#A9B8C2"),
            strict=True,
        )
    ),
    INK: "#E6EDF3",
    PALE_INK: "#9DA7B3",
    GRID: "#30363D",
    WARNING: "#FF8A80",
}


@dataclass(frozen=True)
class Trend:
    """A pest's chart, and what has to be said beside it; `figure` is None where there is nothing to draw."""

    figure: Figure | None
    notes: tuple[str, ...] = ()
    others: bool = False


def trend(season: Season, label: str, words: Words) -> Trend:
    """Draw the counts of one label over time.

    Zero counts are points like any other. A line is broken where a count is missing or late. With more than
    `MAX_LINES` traps those over the threshold and those with the highest counts are drawn, with the median of all; the
    others are a trace that is hidden at first.

    Parameters
    ----------
    season : Season
    label : str
        Of one that is not among `season.labels`, as where no photo could be read, there is nothing to draw.
    words : Words

    Returns
    -------
    Trend
    """
    dated = [row for row in season.by_label.get(label, []) if row.day is not None]
    if season.main_span is None or season.main_span[0] == season.main_span[1]:
        return Trend(None, (words.text("one_day"),))
    first, last = season.main_span
    series: dict[str, list[Count]] = {}
    for row in dated:
        series.setdefault(row.trap, []).append(row)
    shown = _chosen(season, label, list(series))
    rest = [trap for trap in series if trap not in shown]
    usual = _usual_interval(list(series.values()))
    data: list[Figure] = []
    for i, trap in enumerate(shown):
        points = _with_gaps(series[trap], usual)
        if len(shown) <= MAX_BANDS:
            data += _band(points, i)
        data.append(_line(points, trap, i, words))
    if rest:
        data.append(_median(dated, len(series), words))
        data.append(_others([_with_gaps(series[trap], usual) for trap in sorted(rest, key=trap_order)], words))
    tops = [value for row in dated for value in (row.count, row.count_high) if value is not None]
    layout, notes = _layout(max(tops, default=0), season.values(label, "action_threshold"), words)
    margin = (last - first) * 0.03
    layout["xaxis"]["range"] = [_stamp(first, -margin), _stamp(last, margin)]
    if rest:
        notes.insert(0, words.text("shown_top", shown=len(shown), all=words.number_of("traps", len(series))))
    if any("fill" in trace for trace in data):
        notes.append(words.text("band_note"))
    elif any(row.count_low is not None for row in dated):
        notes.append(words.text("hover_note"))
    if any(None in trace["y"] for trace in data if "marker" in trace and trace.get("visible", True)):
        notes.append(words.text("gap_note"))
    return Trend({"data": data, "layout": layout}, tuple(notes), bool(rest))


def trap_name(trap: str, words: Words, length: int = 28) -> str:
    """A trap's name for a figure: one line, shortened, and inert in plotly, which reads tags and links in its texts."""
    return inert(words.text("no_trap") if trap == NO_TRAP else trap, length)


def inert(text: str, length: int = 60) -> str:
    """Text for a figure, shortened, without meaning to plotly's own little HTML."""
    line = " ".join(plain(text).split())
    return html.escape(line if len(line) <= length else f"{line[: length - 1]}…", quote=False)


def base_layout() -> Figure:
    """What all figures share."""
    return {
        "autosize": True,
        "margin": {"l": 52, "r": 16, "t": 24, "b": 40},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"color": INK, "size": 13, "family": "system-ui, sans-serif"},
        "hovermode": "closest",
        "modebar": {"bgcolor": CLEAR, "color": PALE_INK, "activecolor": INK},
        "legend": {"orientation": "h", "x": 0, "y": -0.16, "yanchor": "top"},
        "showlegend": True,
    }


def _layout(top: float, actions: Sequence[float], words: Words) -> tuple[Figure, list[str]]:
    """Axes, and the line of the action threshold where it is one and in reach; with what is to be said otherwise."""
    layout, notes = base_layout(), []
    drawn = len(actions) == 1 and actions[0] <= FAR * max(top, 1)
    if len(actions) > 1:
        span = words.text("range", low=number(actions[0]), high=number(actions[-1]))
        notes.append(words.text("action_varies", action=span))
    elif actions and not drawn:
        notes.append(words.text("action_far", action=number(actions[0])))
    highest = max(top, actions[0] if drawn else 0, 1)
    axis = {"gridcolor": GRID, "linecolor": PALE_INK, "zeroline": False}
    layout["height"] = 400
    layout["xaxis"] = {**axis, "type": "date", "tickformat": words.text("axis_day"), "showline": True}
    layout["yaxis"] = {
        **axis,
        "title": {"text": words.text("axis_count")},
        # From a little below 0, so that a row of zeros is not cut in half by the axis.
        "range": [-0.04 * highest, 1.12 * highest],
        "fixedrange": True,
        # Half insects are no tick.
        **({"dtick": 1} if highest <= 8 else {}),
    }
    if drawn:
        y = actions[0]
        across = {"xref": "x domain", "yref": "y"}
        layout["shapes"] = [
            {
                **across,
                "type": "line",
                "x0": 0,
                "x1": 1,
                "y0": y,
                "y1": y,
                "line": {"color": WARNING, "width": 2, "dash": "longdash"},
            }
        ]
        layout["annotations"] = [
            {
                **across,
                "x": 1,
                "y": y,
                "xanchor": "right",
                "yanchor": "bottom",
                "showarrow": False,
                "text": inert(words.text("action_line", action=number(y))),
                "font": {"color": WARNING},
            }
        ]
    return layout, notes


def _chosen(season: Season, label: str, traps: list[str]) -> list[str]:
    """The traps drawn one by one, in natural order."""
    peaks: dict[str, float] = {}
    for row in season.by_label[label]:
        peaks[row.trap] = max(peaks.get(row.trap, 0), row.count or 0)
    over = {s.last.trap for s in season.over_now if s.last.label == label}
    best = sorted(traps, key=lambda trap: (trap not in over, -peaks[trap], trap_order(trap)))
    return sorted(best[:MAX_LINES], key=trap_order)


def _usual_interval(series: list[list[Count]]) -> float:
    """Median days between two counts of a trap, over all traps; one where no trap has two."""
    steps = [(b.day - a.day).days for rows in series for a, b in pairwise(rows) if a.day and b.day and a.day != b.day]
    return median(steps) if steps else 1


def _with_gaps(rows: list[Count], usual: float) -> list[Count | date]:
    """The counts of one trap by day, with a bare date between two where the line is to be broken."""
    own = _usual_interval([rows]) if len(rows) > 3 else usual
    points: list[Count | date] = []
    for row in rows:
        before = points[-1].day if points and isinstance(points[-1], Count) else None
        if before and row.day and (row.day - before).days >= GAP * own:
            points.append(before + (row.day - before) / 2)
        points.append(row)
    return points


def _line(points: list[Count | date], trap: str, place: int, words: Words) -> Figure:
    colour = LINES[place % len(LINES)]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": trap_name(trap, words),
        "legendgroup": str(place),
        "x": [_x(p) for p in points],
        "y": [_y(p, "count") for p in points],
        "text": [_likely(p, words) for p in points],
        "line": {"color": colour, "width": 2, "dash": DASHES[place % len(DASHES)]},
        "marker": {"color": colour, "size": 8, "symbol": MARKERS[place % len(MARKERS)]},
        "hovertemplate": _hover("%{fullData.name}", words),
    }


def _band(points: list[Count | date], place: int) -> list[Figure]:
    """The likely range around a line, one closed outline for each unbroken piece of it."""
    xs: list[str | None] = []
    ys: list[float | None] = []
    for piece in _pieces(points):
        days = [_x(row) for row in piece]
        xs += [*days, *reversed(days), None]
        ys += [*(_whole(row.count_low) for row in piece), *(_whole(row.count_high) for row in reversed(piece)), None]
    if not xs:
        return []
    colour = LINES[place % len(LINES)]
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": xs[:-1],
            "y": ys[:-1],
            "fill": "toself",
            "fillcolor": colour,
            "opacity": 0.16,
            # The range of a single count has no width and is seen by its outline alone.
            "line": {"color": colour, "width": 2},
            "legendgroup": str(place),
            "showlegend": False,
            "hoverinfo": "skip",
        }
    ]


def _pieces(points: list[Count | date]) -> list[list[Count]]:
    pieces: list[list[Count]] = [[]]
    for point in points:
        if isinstance(point, Count) and point.count_low is not None and point.count_high is not None:
            pieces[-1].append(point)
        else:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _median(dated: list[Count], traps: int, words: Words) -> Figure:
    """The middle of all traps, week by week."""
    weeks: dict[date, list[Count]] = {}
    for row in dated:
        if row.day is not None and row.count is not None:
            weeks.setdefault(monday(row.day), []).append(row)
    xs: list[date] = []
    ys: list[float | None] = []
    for week in sorted(weeks):
        highest: dict[str, float] = {}
        for row in weeks[week]:
            highest[row.trap] = max(highest.get(row.trap, 0), row.count or 0)
        if xs and (week - xs[-1]).days > 7:
            xs.append(xs[-1] + timedelta(weeks=1))
            ys.append(None)
        xs.append(week)
        ys.append(_whole(median(highest.values())))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": inert(words.text("median", traps=words.number_of("traps", traps))),
        "x": [day.isoformat() for day in xs],
        "y": ys,
        "line": {"color": PALE_INK, "width": 3, "dash": "dot"},
        "hovertemplate": _hover("%{fullData.name}", words),
    }


def _others(lines: list[list[Count | date]], words: Words) -> Figure:
    """The traps that are not drawn one by one, as one trace that the reader turns on."""
    points: list[Count | date | None] = [point for line in lines for point in (*line, None)][:-1]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": inert(words.text("others", traps=words.number_of("traps", len(lines)))),
        "x": [None if p is None else _x(p) for p in points],
        "y": [None if p is None else _y(p, "count") for p in points],
        "text": [trap_name(p.trap, words) if isinstance(p, Count) else "" for p in points],
        "line": {"color": PALE_INK, "width": 1},
        "marker": {"color": PALE_INK, "size": 3},
        "visible": False,
        "hovertemplate": _hover("%{text}", words, ""),
    }


def _hover(name: str, words: Words, after: str = " %{text}") -> str:
    # <extra></extra> takes away plotly's second box.
    return f"{name}<br>%{{x|{words.text('hover_day')}}}: <b>%{{y}}</b>{after}<extra></extra>"


def _likely(point: Count | date, words: Words) -> str:
    if not isinstance(point, Count) or point.count_low is None or point.count_high is None:
        return ""
    return f"({words.text('likely', low=number(point.count_low), high=number(point.count_high))})"


def _x(point: Count | date) -> str:
    day = point.day if isinstance(point, Count) else point
    assert isinstance(day, date)
    return day.isoformat()


def _y(point: Count | date, column: str) -> float | None:
    return _whole(getattr(point, column)) if isinstance(point, Count) else None


def _whole(value: float | None) -> float | None:
    """A number as JSON writes it shortest: 3 and not 3.0."""
    return int(value) if value is not None and value == int(value) else value


def _stamp(day: date, shift: timedelta) -> str:
    """A date moved by a part of a day, as plotly takes it."""
    return (datetime.combine(day, time()) + shift).strftime("%Y-%m-%d %H:%M")
