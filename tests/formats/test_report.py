"""The report: what a grower reads in it, and what it never does, such as call the network or run somebody's text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from agri_clip.detections import PhotoRecord
from agri_clip.errors import DataError
from agri_clip.report.charts import DARK
from agri_clip.report.map_chart import metres, trap_places
from agri_clip.report.page import render_report, write_html_report
from agri_clip.report.sheets import Example
from agri_clip.report.words import ENGLISH, LANGUAGES
from tests.formats.sample_season import PROVENANCE, counts_of, photos_of
from tests.hostile import encoded, trap_picture

LABELS = ["whitefly", "thrips", "fungus gnat", "aphid"]
HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<a href='javascript:alert(1)'>pest</a>",
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "]]>",
    "\u202egnp.exe",
    "\ud800 half a letter",
    "粉虱",
    "&lt;b&gt;",
    "#1F2328",
    "x" * 300,
]
PLOTLY = "plotly.js stands here"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """A page taken apart: every element with its attributes, the text outside scripts, and the tables' cells.

    plotly.js is left out unless the page is wanted whole: its five megabytes take the parser seconds.
    """

    def __init__(self, source: str, whole: bool = False) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.style = ""
        self.text = ""
        self.tables: list[tuple[dict[str, str | None], list[list[str]]]] = []
        self._open: list[str] = []
        self.feed(source if whole else source.replace(get_plotlyjs(), PLOTLY))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "script":
            self.scripts.append("")
        elif tag == "table":
            self.tables.append((dict(attrs), []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside == "script":
            self.scripts[-1] += data
        elif inside == "style":
            self.style += data
        else:
            self.text += data
            if {"td", "th"} & set(self._open):
                self.tables[-1][1][-1][-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]

    def table(self, heading: str) -> list[dict[str, str]]:
        """The rows of the first table with such a column, by the names of the columns."""
        rows = next(rows for _, rows in self.tables if heading in rows[0])
        return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]

    @property
    def figures(self) -> dict[str, Any]:
        return json.loads(self.scripts[0])["charts"] if self.scripts else {}


@pytest.fixture(scope="module")
def season() -> pd.DataFrame:
    return counts_of(["T1", "T2", "T10"], 6, LABELS)


def picture(seed: int = 0) -> bytes:
    return encoded(trap_picture(48, 48, seed), "JPEG")


def row(trap: str | None, day: Any, label: str, count: Any, **more: Any) -> dict[str, Any]:
    return {"trap": trap, "day": day, "label": label, "count": count, **more}


def page_of(counts: pd.DataFrame | Sequence[Mapping[str, Any]], *args: Any, **kwargs: Any) -> Page:
    return Page(render_report(pd.DataFrame(counts), *args, **kwargs))


def test_the_counts_in_the_page_are_those_given(season: pd.DataFrame) -> None:
    page = page_of(season, photos_of(season), {}, PROVENANCE)
    totals = {row["Pest"]: int(row["Counted"]) for row in page.table("Counted")}
    assert totals == season.groupby("label")["count"].sum().to_dict()
    for i, (_, group) in enumerate(by_total(season)[:3], 1):
        lines = [trace for trace in page.figures[f"chart-{i}"]["data"] if "marker" in trace]
        points = {
            (trace["name"], x, y)
            for trace in lines
            for x, y in zip(trace["x"], trace["y"], strict=True)
            if y is not None
        }
        assert points == {(r.trap, r.day.isoformat(), r.count) for r in group.itertuples()}


def by_total(season: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Groups in the order of the page: labels over their threshold now first, then by their sum."""
    last = season[season["day"] == season.groupby(["trap", "label"])["day"].transform("max")]
    over = set(last[last["count"] >= last["action_threshold"]]["label"])
    groups = list(season.groupby("label"))
    return sorted(groups, key=lambda item: (item[0] not in over, -item[1]["count"].sum()))


def test_every_week_of_every_trap_stands_in_a_table(season: pd.DataFrame) -> None:
    page = page_of(season)
    weeks = [rows for attrs, rows in page.tables if attrs.get("class") == "weeks"]
    for (_, group), rows in zip(by_total(season), weeks, strict=False):
        assert [cells[0] for cells in rows[2:]] == ["T1", "T2", "T10"]
        shown = [int(cell.rstrip("▲")) for cells in rows[2:] for cell in cells[1:] if cell != "·"]
        assert sum(shown) == group["count"].sum()


def test_traps_over_threshold_come_first_and_are_flagged_in_words() -> None:
    counts = [
        row("T1", date(2026, 5, 4), "moth", 2, action_threshold=5),
        row("T1", date(2026, 5, 11), "moth", 5, action_threshold=5, source="handbook"),
        row("T2", date(2026, 5, 4), "moth", 9, action_threshold=5),
        row("T2", date(2026, 5, 11), "moth", 1, action_threshold=5),
        row("T3", date(2026, 5, 11), "moth", 30, action_threshold=5, count_low=25, count_high=40),
        row("T3", date(2026, 5, 11), "fly", 100),
    ]
    page = page_of(counts)
    rows = page.table("Flag")
    assert [(r["Flag"], r["Trap"], r["Times the threshold"]) for r in rows] == [
        ("▲ over", "T3", "6"),
        ("▲ over", "T1", "1"),
    ]
    assert rows[0]["Count"] == "30 (25 to 40)"
    assert rows[1]["Since the count before"] == "↑ up from 2"
    assert rows[1]["Source of the threshold"] == "handbook"
    assert [r["Trap"] for r in page.table("Last over on")] == ["T2"]
    assert page.text.index("Traps over threshold", page.text.index("Summary\n")) < page.text.index("Trends\n", 400)
    assert "Without an action threshold, so never flagged: fly" in page.text


def test_what_is_given_as_over_is_not_judged_again() -> None:
    counts = [
        row("T1", date(2026, 5, 4), "moth", 9, action_threshold=5, over=False),
        row("T2", date(2026, 5, 4), "moth", 1, action_threshold=5, over=True),
    ]
    assert [r["Trap"] for r in page_of(counts).table("Flag")] == ["T2"]


def test_without_action_thresholds_nothing_is_called_safe() -> None:
    page = page_of([row("T1", date(2026, 5, 4), "moth", 9)])
    assert ENGLISH["no_action"] in page.text
    assert ENGLISH["none_over"] not in page.text


def test_the_score_threshold_stands_beside_every_count(season: pd.DataFrame) -> None:
    given = page_of(season, (), {}, PROVENANCE)
    assert {r["Counted from score"] for r in given.table("Counted")} == {"0.3"}
    recorded = page_of(season.drop(columns="threshold"), (), {}, PROVENANCE)
    assert {r["Pest"]: r["Counted from score"] for r in recorded.table("Counted")}["thrips"] == "0.36"


def test_zero_is_drawn_and_a_missing_count_is_a_gap() -> None:
    days = [date(2026, 5, day) for day in (1, 8, 15, 29)]
    counts = [row("T1", day, "moth", count) for day, count in zip(days, [3, 0, None, 2], strict=True)]
    page = page_of(counts)
    (trace,) = page.figures["chart-1"]["data"]
    assert trace["y"] == [3, 0, None, None, 2]
    assert trace["x"] == ["2026-05-01", "2026-05-08", "2026-05-15", "2026-05-22", "2026-05-29"]
    cells = next(rows for attrs, rows in page.tables if attrs.get("class") == "weeks")[2]
    assert cells == ["T1", "3", "0", "?", "·", "2"]


def test_the_likely_range_is_a_band(season: pd.DataFrame) -> None:
    figure = page_of(season).figures["chart-1"]
    bands = [trace for trace in figure["data"] if trace.get("fill") == "toself"]
    assert len(bands) == 3
    lows_and_highs = {y for trace in bands for y in trace["y"] if y is not None}
    label = by_total(season)[0][0]
    rows = season[season["label"] == label]
    assert lows_and_highs == set(rows["count_low"]) | set(rows["count_high"])


def test_counts_without_trap_or_day_are_kept_and_named() -> None:
    counts = [
        row("T1", date(2026, 5, 4), "moth", 3),
        row("T1", pd.NaT, "moth", 4),
        row(None, date(2026, 5, 11), "moth", 5),
        row(None, None, "moth", 6, action_threshold=1),
    ]
    page = page_of(counts)
    assert page.table("Counted")[0]["Counted"] == "18"
    assert "2 counts without a date" in page.text
    assert "2 counts without a trap id" in page.text
    undated = [rows for attrs, rows in page.tables if attrs.get("class") == "weeks"][-1]
    assert undated[1:] == [["Trap", "no date"], ["T1", "4"], ["no trap id", "6▲"]]


def test_a_wrong_clock_does_not_press_the_season_into_a_corner(season: pd.DataFrame) -> None:
    stray = pd.DataFrame([row("T1", date(2000, 1, 1), "whitefly", 1)])
    page = page_of(pd.concat([season, stray]))
    assert all(f["layout"]["xaxis"]["range"][0].startswith("2026-05") for f in page.figures.values())
    assert "1 count of a day outside" in page.text
    assert max(len(rows[1]) for attrs, rows in page.tables if attrs.get("class") == "weeks") < 10


@pytest.mark.parametrize("counts", [pd.DataFrame(columns=["trap", "day", "label", "count"])])
def test_an_empty_result_is_a_page_too(counts: pd.DataFrame) -> None:
    failed = [PhotoRecord("bad.jpg", reason="is empty")]
    page = page_of(counts, failed)
    assert ENGLISH["no_counts"] in page.text
    assert page.table("Photo")[0] == {"Photo": "bad.jpg", "Why it could not be read": "is empty"}
    assert page.scripts == []


def test_what_was_never_found_is_said(season: pd.DataFrame) -> None:
    page = page_of(season)
    assert "Looked for and never found: aphid" in page.text
    assert len(page.figures) == 3


def test_failures_and_notes_are_listed(season: pd.DataFrame) -> None:
    photos = [
        PhotoRecord("a.jpg", 10, 10, notes=("stopped at 300 boxes",)),
        PhotoRecord("b.jpg", 10, 10, notes=("stopped at 300 boxes", "no date")),
        PhotoRecord("c.jpg", reason="is cut off"),
    ]
    page = page_of(season, photos)
    assert "2 photos read" in " ".join(page.text.split())
    assert "1 photo could not be read" in " ".join(page.text.split())
    assert page.table("Why it could not be read")[0]["Photo"] == "c.jpg"
    assert [r["Photos"] for r in page.table("Note")] == ["2 photos: a.jpg, b.jpg", "1 photo: b.jpg"]


def test_contact_sheets_show_the_surest_and_the_most_doubtful() -> None:
    examples = [
        Example(picture(i), score / 100, "T1", datetime(2026, 5, 4), f"{score}.jpg")
        for i, score in enumerate(range(30, 90, 10))
    ]
    counts = [row("T1", date(2026, 5, 4), "moth", 6)]
    page = page_of(counts, (), {"moth": examples, "fly": examples[:1]}, examples_per_row=2)
    shown = [attrs["alt"] for attrs in page.named("img")]
    assert shown == [
        f"{name}, T1, 4 May 2026"
        for name in ("moth, score 0.80", "moth, score 0.70", "moth, score 0.30", "moth, score 0.40", "fly, score 0.30")
    ]
    first = page.named("img")[0]["src"]
    assert first == f"data:image/jpeg;base64,{base64.b64encode(picture(5)).decode()}"


def test_few_examples_stand_in_one_row_only() -> None:
    page = page_of([row("T1", date(2026, 5, 4), "moth", 6)], (), {"moth": [Example(picture(), 0.5)]})
    assert len(page.named("img")) == 1
    assert ENGLISH["doubtful"] not in page.text


def test_a_thumbnail_that_is_no_photo_is_refused() -> None:
    examples = {"moth": [Example(b"<svg xmlns='http://www.w3.org/2000/svg'/>", 0.5, photo="a.jpg")]}
    with pytest.raises(DataError, match=r"a\.jpg: is no JPEG"):
        render_report(pd.DataFrame([row("T1", date(2026, 5, 4), "moth", 6)]), (), examples)


def test_the_map_is_in_metres_with_north_up() -> None:
    places = trap_places(
        [
            PhotoRecord("a", trap="T1", gps=(48.0, 16.0)),
            PhotoRecord("b", trap="T1", gps=(48.0, 16.0)),
            PhotoRecord("c", trap="T2", gps=(48.001, 16.0)),
            PhotoRecord("d", trap="T3", gps=(48.0, 16.001)),
            PhotoRecord("e", trap="T4", gps=(0.0, 0.0)),
            PhotoRecord("f", trap="T5", gps=(float("nan"), 16.0)),
            PhotoRecord("g", gps=(48.0, 16.0)),
        ]
    )
    assert list(places) == ["T1", "T2", "T3"]
    points = metres(places)
    # A degree of latitude is 111.2 km on the sphere; one of longitude that times the cosine of the latitude.
    assert points[1] - points[0] == pytest.approx([0, 111.2], abs=0.1)
    assert points[2] - points[0] == pytest.approx([74.4, 0], abs=0.1)


def test_traps_on_both_sides_of_the_date_line_are_neighbours() -> None:
    points = metres({"T1": (0.0, 179.9995), "T2": (0.0, -179.9995)})
    assert points[1] - points[0] == pytest.approx([111.2, 0], abs=0.1)


def test_the_map_shows_which_traps_are_over() -> None:
    counts = [
        row("T1", date(2026, 5, 4), "moth", 9, action_threshold=5),
        row("T2", date(2026, 5, 4), "moth", 1, action_threshold=5),
        row("T3", date(2026, 5, 4), "moth", 1),
    ]
    photos = [PhotoRecord("a", trap="T1", gps=(48.0, 16.0)), PhotoRecord("b", trap="T2", gps=(48.001, 16.0))]
    page = page_of(counts, photos)
    figure = page.figures["map-chart"]
    assert {trace["marker"]["symbol"]: trace["text"] for trace in figure["data"]} == {
        "circle": ["T2"],
        "triangle-up": ["T1"],
    }
    assert figure["layout"]["yaxis"]["scaleanchor"] == "x"
    assert {a["text"] for a in figure["layout"]["annotations"]} == {"N", "20 m"}
    assert "1 trap without a place in the photos: T3" in page.text
    assert not {trace["type"] for trace in figure["data"]} - {"scatter"}


@pytest.fixture(scope="module")
def hostile() -> str:
    counts = pd.DataFrame(
        [
            row(text, date(2026, 5, 4 + week), text, 5 + week, action_threshold=5, source=text)
            for text in HOSTILE
            for week in (0, 7)
        ],
        # pandas' own text columns refuse half letters, which names of files can hold.
        dtype=object,
    )
    photos = [PhotoRecord(text, trap=text, gps=(48 + i / 1e4, 16.0), notes=(text,)) for i, text in enumerate(HOSTILE)]
    failed = [PhotoRecord(text, reason=text) for text in HOSTILE]
    examples = {text: [Example(picture(), 0.5, text, None, text)] for text in HOSTILE}
    provenance = {text: {text: text, "b": 1} for text in HOSTILE} | {"program": HOSTILE[0], "encoder": HOSTILE[1]}
    return render_report(counts, photos + failed, examples, provenance, title=HOSTILE[0])


def test_hostile_text_is_shown_and_does_nothing(hostile: str) -> None:
    page = Page(hostile)
    assert len(page.scripts) == 3
    allowed = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "main",
        "nav",
        "section",
        "article",
        "h1",
        "h2",
        "h3",
        "h4",
        "p",
        "ul",
        "li",
        "a",
        "b",
        "span",
        "bdi",
        "div",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "abbr",
        "img",
        "button",
        "script",
    }
    assert {tag for tag, _ in page.elements} <= allowed
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    for text in HOSTILE[:6]:
        assert text in page.text
    assert "49" not in page.table("Photo")[4]["Photo"]
    assert all(attrs["href"].startswith("#") for attrs in page.named("a"))


def test_text_cannot_turn_its_surroundings_around(hostile: str) -> None:
    assert "\u202e" not in hostile
    assert "\\u202e" not in Page(hostile).scripts[0]
    assert "[U+202E]gnp.exe" in Page(hostile).text


def test_text_in_charts_is_no_markup_to_plotly(hostile: str) -> None:
    page = Page(hostile)
    texts = [
        text
        for figure in page.figures.values()
        for trace in figure["data"]
        for value in (trace.get("name"), trace.get("text"))
        for text in (value if isinstance(value, list) else [value])
        if text
    ]
    assert any("&lt;/script&gt;" in text for text in texts)
    assert not [text for text in texts if "<" in text]
    assert max(map(len, texts)) < 100


def test_nothing_refers_to_the_network(hostile: str, season: pd.DataFrame) -> None:
    for page in (Page(hostile), page_of(season, photos_of(season), {"moth": [Example(picture(), 0.5)]}, PROVENANCE)):
        links = [
            (name, value or "")
            for _, attrs in page.elements
            for name, value in attrs.items()
            if name in ("src", "href", "srcset", "action", "data", "poster")
        ]
        assert not [value for _, value in links if not value.startswith(("data:image/", "#"))]
        assert "url(" not in page.style
        assert "@import" not in page.style
        assert "//" not in page.scripts[0]
        assert not {trace["type"] for figure in page.figures.values() for trace in figure["data"]} - {"scatter"}


def test_the_policy_allows_the_pages_own_scripts_and_nothing_else(hostile: str) -> None:
    page = Page(hostile, whole=True)
    policy = next(
        attrs["content"] for attrs in page.named("meta") if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in (policy or "").split(";"))
    assert rules["default-src"] == rules["connect-src"] == rules["form-action"] == "'none'"
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts[1:]]
    assert rules["script-src"] == " ".join(f"'sha256-{value}'" for value in hashes)
    assert "http" not in (policy or "")


def test_plotly_stands_in_the_page_once(hostile: str) -> None:
    assert hostile.count("* plotly.js v") == 1
    # What a browser's parser would take for the end, or a nested start, of a script.
    for script in Page(hostile, whole=True).scripts:
        assert not re.search(r"</script|<script|<!--|\r|\x00", script, re.IGNORECASE)


def test_plotly_knows_every_property_of_the_figures(season: pd.DataFrame, hostile: str) -> None:
    many = page_of(counts_of([f"T{i}" for i in range(12)], 4, LABELS), photos_of(season))
    for page in (page_of(season, photos_of(season)), many, Page(hostile)):
        for figure in page.figures.values():
            go.Figure(figure)


def test_the_same_input_gives_the_same_bytes(season: pd.DataFrame) -> None:
    examples = {"thrips": [Example(picture(), 0.5)]}
    pages = [render_report(season.copy(), photos_of(season), dict(examples), dict(PROVENANCE)) for _ in range(2)]
    assert pages[0] == pages[1]


def test_a_hundred_traps_stay_readable_and_small() -> None:
    labels = [*LABELS[:-1], "moth", "psyllid", "leafhopper", "midge", "aphid"]
    counts = counts_of([f"L{i}" for i in range(1, 101)], 30, labels)
    source = render_report(counts, photos_of(counts), {}, PROVENANCE)
    assert len(source.encode()) < 7_500_000
    page = Page(source)
    for figure in page.figures.values():
        shown = [trace for trace in figure["data"] if trace.get("visible", True) and "marker" in trace]
        assert len(shown) <= 8 or figure is page.figures["map-chart"]
    others = page.figures["chart-1"]["data"][-1]
    assert others["name"] == "the other 92 traps"
    assert others["visible"] is False
    points = sum(y is not None for trace in page.figures["chart-1"]["data"] for y in trace["y"] if "marker" in trace)
    assert points == len(counts) / len(labels)
    buttons = {attrs["data-chart"] for attrs in page.named("button")}
    assert buttons == set(page.figures) - {"map-chart"}
    assert max(len(rows[1]) for attrs, rows in page.tables if attrs.get("class") == "weeks") <= 21


def test_the_page_can_be_read_by_ear(hostile: str) -> None:
    page = Page(hostile)
    assert page.named("html")[0]["lang"] == "en"
    assert all(attrs.get("scope") in ("row", "col", "colgroup") for attrs in page.named("th"))
    assert all(attrs.get("alt") for attrs in page.named("img"))
    assert all(attrs.get("aria-label") for attrs in page.named("div") if attrs.get("role") == "img")
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = {name for _, attrs in page.elements for name in (attrs.get("aria-labelledby") or "").split()}
    assert named <= set(ids)
    assert {(attrs["href"] or "")[1:] for attrs in page.named("a")} <= set(ids)


def contrast(one: str, other: str) -> float:
    """Ratio of two colours, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_colours_can_be_told_from_the_ground(hostile: str) -> None:
    style = Page(hostile).style
    grounds = re.findall(r"--paper: (#\w+); --ink: (#\w+); --quiet: (#\w+)", style)
    assert len(grounds) == 3
    for paper, *inks in grounds:
        assert all(contrast(paper, ink) >= 4.5 for ink in inks)
    for light, dark in list(DARK.items())[:8]:
        assert contrast("#ffffff", light) >= 3
        assert contrast(grounds[1][0], dark) >= 3


@pytest.mark.parametrize("heat", ["0, 114, 178", "86, 180, 233"])
def test_numbers_can_be_read_on_the_darkest_cell(hostile: str, heat: str) -> None:
    style = Page(hostile).style
    paper, ink = {"0, 114, 178": ("#ffffff", "#1f2328"), "86, 180, 233": ("#14181c", "#e6edf3")}[heat]
    assert f"--heat: {heat}" in style
    share = max(float(value) for value in re.findall(r"rgba\(var\(--heat\), (\.\d+)\)", style))
    mixed = [
        round(share * int(part) + (1 - share) * int(paper[i : i + 2], 16))
        for part, i in zip(heat.split(","), (1, 3, 5), strict=True)
    ]
    cell = "#" + "".join(f"{value:02x}" for value in mixed)
    assert contrast(cell, ink) >= 4.5


def test_an_unknown_language_is_named_with_those_there_are(season: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="'xx'; languages are en"):
        render_report(season, language="xx")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_sentence(language: str) -> None:
    fields = {key: set(re.findall(r"{(\w+)}", text)) for key, text in ENGLISH.items()}
    assert {key: set(re.findall(r"{(\w+)}", text)) for key, text in LANGUAGES[language].items()} == fields
    assert len(LANGUAGES[language]["months"].split()) == 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drop": "count"}, "no column 'count'"),
        ({"count": "many"}, "row 1, column count: 'many' is no number"),
        ({"count": -1}, "row 1, column count: '-1' is no number from 0 up"),
        ({"count_high": float("inf")}, "row 1, column count_high"),
        ({"day": "some day"}, "row 1, column day: 'some day' is no date"),
        ({"label": None}, "row 1 has no label"),
    ],
)
def test_a_wrong_table_is_explained(change: dict[str, Any], message: str) -> None:
    values = row("T1", date(2026, 5, 4), "moth", 1) | change
    values.pop(values.pop("drop", ""), None)
    with pytest.raises(DataError, match=message):
        render_report(pd.DataFrame([values]))


def test_nullable_columns_are_taken() -> None:
    counts = pd.DataFrame(
        {
            "trap": pd.Series(["T1", pd.NA, "T1"], dtype="string"),
            "day": pd.to_datetime(["2026-05-04 07:30", "2026-05-04 00:00", None]),
            "label": pd.Categorical(["moth", "moth", "fly"]),
            "count": pd.Series([3, 4, pd.NA], dtype="Int64"),
            "over": pd.Series([True, pd.NA, pd.NA], dtype="boolean"),
        }
    )
    page = page_of(counts)
    assert {r["Pest"]: r["Counted"] for r in page.table("Counted")} == {"moth": "7", "fly": "0"}


def test_the_file_is_written_whole_or_not_at_all(season: pd.DataFrame, tmp_path: Path) -> None:
    write_html_report(tmp_path / "new" / "report.html", season, title="Season")
    assert (tmp_path / "new" / "report.html").read_bytes().decode("utf-8") == render_report(season, title="Season")
    with pytest.raises(DataError):
        write_html_report(tmp_path / "new" / "report.html", season, language="xx")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.html"]
    with pytest.raises(DataError, match="cannot be written"):
        write_html_report(tmp_path / "new", season)


@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_a_browser_draws_every_chart(season: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_html_report(path, season, photos_of(season), {}, PROVENANCE)
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"]
    drawn = subprocess.run([*command, path.as_uri()], capture_output=True, check=True, timeout=120).stdout.decode()
    page = Page(path.read_text("utf-8"))
    for chart in page.figures:
        after = drawn[drawn.index(f'id="{chart}"') :]
        assert "main-svg" in after[: after.index("</svg>")]
