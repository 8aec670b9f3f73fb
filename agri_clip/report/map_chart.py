"""The report's map: where the traps stand, in metres east and north, drawn without any map from the network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from agri_clip.detections import PhotoRecord
from agri_clip.report.charts import INK, LINES, WARNING, Figure, base_layout, inert, trap_name
from agri_clip.report.season import NO_TRAP, Season, trap_order
from agri_clip.report.text import number
from agri_clip.report.words import Words

#: Mean radius of the earth in metres (IUGG).
EARTH = 6_371_008.8
#: With more traps than this only those over a threshold carry their name; the others show it under the pointer.
MAX_NAMES = 25
# Metres around a lone trap, or traps in one place, so that the map has an extent.
LEAST_SPAN = 20.0


def trap_places(photos: Sequence[PhotoRecord]) -> dict[str, tuple[float, float]]:
    """Latitude and longitude of each trap: the median of its photos, which evens out the receiver's error.

    Parameters
    ----------
    photos : sequence of PhotoRecord
        Photos without a place are passed over, and those at 0° 0', which receivers without a fix write. Photos without
        a trap have no common place and are passed over too.

    Returns
    -------
    dict of str to (float, float)
        Degrees north and east, in natural order of the traps.
    """
    places: dict[str, list[tuple[float, float]]] = {}
    for photo in photos:
        if photo.gps is None or not photo.trap:
            continue
        north, east = photo.gps
        if abs(north) <= 90 and abs(east) <= 180 and (north, east) != (0, 0):
            places.setdefault(photo.trap, []).append((north, east))
    medians = {}
    for trap in sorted(places, key=trap_order):
        degrees = np.array(places[trap])
        # Longitudes beside the first, so that 179.9 and -179.9 are neighbours.
        degrees[:, 1] = degrees[0, 1] + (degrees[:, 1] - degrees[0, 1] + 180) % 360 - 180
        medians[trap] = (float(np.median(degrees[:, 0])), float(np.median(degrees[:, 1])))
    return medians


def metres(places: Mapping[str, tuple[float, float]]) -> np.ndarray:
    """Places on a plane that touches the earth in their middle.

    Equirectangular: over 10 km in the middle latitudes the error is some metres, that of the receiver.

    Parameters
    ----------
    places : mapping of n str to (float, float)
        Degrees north and east.

    Returns
    -------
    ndarray, shape (n, 2), float64
        Metres east and north of the middle.
    """
    degrees = np.array(list(places.values()), np.float64).reshape(-1, 2)
    if not len(degrees):
        return np.zeros((0, 2))
    east = degrees[0, 1] + (degrees[:, 1] - degrees[0, 1] + 180) % 360 - 180
    north = degrees[:, 0]
    middle = (north.min() + north.max()) / 2
    x = np.radians(east - (east.min() + east.max()) / 2) * math.cos(math.radians(middle))
    return np.column_stack([x, np.radians(north - middle)]) * EARTH


def map_figure(season: Season, places: Mapping[str, tuple[float, float]], words: Words) -> Figure | None:
    """Draw the traps; those over an action threshold at their last count are triangles. None without places."""
    if not places:
        return None
    points = metres(places)
    over = {s.last.trap for s in season.over_now}
    traps = list(places)
    span = np.maximum(np.ptp(points, axis=0), LEAST_SPAN)
    # At least as wide as tall, for the figure is; the scale bar then has the length that it is worked out for.
    span[0] = span.max()
    pad = 0.18 * float(span.max())
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    low, high = middle - span / 2 - pad, middle + span / 2 + pad
    layout = base_layout()
    # As tall as the traps' own extent asks for at a usual width; the axes keep metres equal whatever it becomes.
    layout["height"] = int(np.clip(640 * (high - low)[1] / (high - low)[0], 320, 640)) + 60
    layout["margin"] = {"l": 8, "r": 8, "t": 8, "b": 8}
    layout["xaxis"] = {"visible": False, "range": [round(low[0], 1), round(high[0], 1)]}
    layout["yaxis"] = {
        "visible": False,
        "range": [round(low[1], 1), round(high[1], 1)],
        "scaleanchor": "x",
        "scaleratio": 1,
    }
    layout["legend"] = {"orientation": "h", "x": 0, "y": -0.02, "yanchor": "top"}
    _add_scale(layout, low, high, words)
    groups = [(False, "map_under", LINES[0], "circle"), (True, "map_over", WARNING, "triangle-up")]
    data = []
    for is_over, key, colour, symbol in groups:
        chosen = [i for i, trap in enumerate(traps) if (trap in over) == is_over]
        if not chosen:
            continue
        named = is_over or len(traps) <= MAX_NAMES
        data.append(
            {
                "type": "scatter",
                "mode": "markers+text" if named else "markers",
                "name": inert(words.text(key)),
                "x": [round(float(points[i, 0]), 1) for i in chosen],
                "y": [round(float(points[i, 1]), 1) for i in chosen],
                "text": [trap_name(traps[i], words, 14) for i in chosen],
                "textposition": "top center",
                "textfont": {"color": INK},
                "customdata": [_latest(season, traps[i], words) for i in chosen],
                "marker": {"color": colour, "symbol": symbol, "size": 15 if is_over else 11},
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        )
    return {"data": data, "layout": layout}


def missing_places(season: Season, places: Mapping[str, tuple[float, float]]) -> list[str]:
    """Traps with counts that the map does not show, because no photo of theirs carries a place."""
    return [trap for trap in season.traps if trap != NO_TRAP and trap not in places]


def _latest(season: Season, trap: str, words: Words) -> str:
    """The last counts of a trap, for the box at the pointer."""
    lines = [f"<b>{trap_name(trap, words)}</b>"]
    for label in season.labels:
        standing = season.standings.get((trap, label))
        if standing:
            sign = " ▲" if standing.last.over else ""
            day = inert(words.day(standing.last.day))
            lines.append(f"{inert(label, 28)}: {number(standing.last.count)}{sign} ({day})")
    return "<br>".join(lines)


def _add_scale(layout: Figure, low: np.ndarray, high: np.ndarray, words: Words) -> None:
    """A bar of a round number of metres at the lower left, and an arrow to the north at the upper right."""
    width = float((high - low)[0])
    bar = _round_length(width / 4)
    x, y = float(low[0] + 0.04 * width), float(low[1] + 0.05 * (high - low)[1])
    text = words.text("kilometres", n=number(bar / 1000)) if bar >= 1000 else words.text("metres", n=number(bar))
    line = {"color": INK, "width": 3}
    layout["shapes"] = [
        {"type": "line", "xref": "x", "yref": "y", "x0": x, "x1": x + bar, "y0": y, "y1": y, "line": line}
    ]
    label = {"xref": "x", "yref": "y", "x": x + bar / 2, "y": y, "yanchor": "bottom", "showarrow": False, "text": text}
    north = {
        "xref": "paper",
        "yref": "paper",
        "x": 0.98,
        "y": 0.98,
        "ax": 0,
        "ay": 40,
        "text": words.text("north"),
        "arrowhead": 2,
        "arrowwidth": 2,
        "arrowcolor": INK,
    }
    layout["annotations"] = [{**label, "font": {"color": INK}}, {**north, "font": {"color": INK, "size": 15}}]


def _round_length(metres: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not longer."""
    power = 10.0 ** math.floor(math.log10(metres))
    return max(step * power for step in (1, 2, 5) if step * power <= metres * (1 + 1e-9))
