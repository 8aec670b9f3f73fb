"""Days of exposure, and the files that say when cards hung."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agri_clip.counts import CardPeriod, find_exposure, read_card_periods
from agri_clip.counts.exposure import card_notes
from agri_clip.detections import PhotoRecord
from agri_clip.errors import DataError
from tests.counts.results import photo, results


def may(day: int) -> date:
    return date(2026, 5, day)


def days(photos: list[PhotoRecord], periods: tuple[CardPeriod, ...] = (), new_only: bool = False) -> list[float]:
    """Days of each photo; -1 where they are not known."""
    exposure = find_exposure(photos, periods, new_only=new_only)
    return [float(np.nan_to_num(exposure.days[v], nan=-1)) if v >= 0 else -1 for v in exposure.visit]


def test_without_periods_a_visit_counts_from_the_one_before() -> None:
    photos = [photo("c", 10), photo("a", 1), photo("b", 4), photo("other", 5, "T2")]
    assert days(photos) == [6, -1, 3, -1]


def test_photos_that_cannot_be_placed_have_no_exposure_and_part_no_visits() -> None:
    failed = PhotoRecord("x", taken=photo("x", 3).taken, trap="T1", reason="is empty")
    assert days([photo("a", 1), failed, photo("no day"), photo("no trap", 2, None), photo("b", 5)]) == [
        -1,
        -1,
        -1,
        -1,
        4,
    ]


def test_a_card_counts_from_the_day_on_which_it_was_placed() -> None:
    periods = (CardPeriod("T1", may(2), may(9)), CardPeriod("T1", may(9), may(20)))
    photos = [photo("before", 1), photo("fresh", 2), photo("mid", 5), photo("taken down", 9), photo("next", 12)]
    assert days(photos, periods) == [-1, -1, 3, 7, 3]
    assert days(photos, periods, new_only=True) == [-1, -1, 3, 4, 3]
    assert days([photo("late", 21)], periods) == [-1]


def test_a_period_without_end_lasts_until_the_next_card() -> None:
    periods = (CardPeriod("T1", may(10)), CardPeriod("T1", may(3)))
    assert days([photo("a", 8), photo("b", 12), photo("c", 30)], periods) == [5, 2, 20]


@pytest.mark.parametrize("trap", ["t1", "T1", " T 1 ", "Ｔ1"])
def test_letter_case_and_spaces_of_a_trap_do_not_matter(trap: str) -> None:
    assert days([photo("a", 8), photo("b", 12)], (CardPeriod(trap, may(3)),)) == [5, 9]
    assert card_notes([CardPeriod(trap, may(3))], [photo("a", 8)]) == []


def test_traps_without_photos_and_photos_without_cards_are_named() -> None:
    photos = [photo("a", 8), photo("b", 12, "T2"), photo("c", 12, "T10"), photo("no trap", 2, None)]
    unseen, bare = card_notes([CardPeriod("T99", may(3)), CardPeriod("t1", may(3))], photos)
    assert "T99" in unseen
    assert "T1, T2, T10" in unseen
    assert "T2, T10" in bare
    assert "T1," not in bare
    assert card_notes([], photos) == []


def test_cards_of_one_trap_in_two_spellings_must_not_overlap(tmp_path: Path) -> None:
    path = tmp_path / "cards.csv"
    path.write_text("trap,placed,removed\nT1,2026-05-01,2026-05-20\nt1,2026-05-10,\n")
    with pytest.raises(DataError, match="still hung"):
        read_card_periods(path)


def test_traps_that_are_not_named_go_by_their_visits() -> None:
    periods = (CardPeriod("T1", may(1)),)
    assert days([photo("a", 4), photo("b", 4, "T2"), photo("c", 6, "T2")], periods) == [3, -1, 2]


@settings(deadline=None)
@given(results())
def test_days_of_a_trap_add_up_to_the_time_between_first_and_last_visit(detections) -> None:
    exposure = find_exposure(detections.photos)
    for trap in {p.trap for p in detections.photos if p.trap}:
        mine = [
            (p.taken.date(), v)
            for p, v in zip(detections.photos, exposure.visit, strict=True)
            if p.trap == trap and p.taken and not p.failed
        ]
        if mine:
            first, last = min(mine)[0], max(mine)[0]
            visits = {v for _, v in mine}
            assert np.nansum([exposure.days[v] for v in visits]) == (last - first).days
            assert len(visits) == len({day for day, _ in mine})


CARDS = (CardPeriod("T1", may(4), may(11)), CardPeriod("T1", may(11)), CardPeriod("3", may(4)))
CSV = "Trap,placed,removed,who\nT1,2026-05-04,2026-05-11,Ann\nT1,2026-05-11,,\n\n3,2026-05-04,,\n"
YAML = """cards:
  - {trap: T1, placed: 2026-05-04, removed: 2026-05-11}
  - trap: T1
    placed: "2026-05-11"
  - trap: "3"
    placed: 2026-05-04
"""


@pytest.mark.parametrize(
    ("name", "text"), [("c.csv", CSV), ("c.csv", CSV.replace(",", ";")), ("c.yaml", YAML), ("c.csv", "\ufeff" + CSV)]
)
def test_periods_are_read_from_a_table_or_a_list(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_card_periods(tmp_path / name) == CARDS


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "c.csv",
            "trap,date\nT1,2026-05-04\n",
            r"c\.csv:1: the first line must name the columns: trap, placed, removed",
        ),
        ("c.csv", "", r"c\.csv:1: the first line"),
        (
            "c.csv",
            "trap,placed\nT1,2026-05-04\nT2,4.5.2026\n",
            r"c\.csv:3: cards\[1\]\.placed: '4\.5\.2026' is not a day",
        ),
        ("c.csv", "trap,placed\nT1,\n", r"c\.csv:2: cards\[0\]\.placed: missing"),
        ("c.yaml", "cards:\n- trap: T1\n  placed: 20260504\n", r"c\.yaml:3: cards\[0\]\.placed: 20260504 is not a day"),
        ("c.yaml", "cards:\n- trap: 1\n  placed: 2026-05-04\n", r"c\.yaml:2: cards\[0\]\.trap: .*put it in quotes"),
        ("c.yaml", "", r"the file is empty; write at least 'cards:'"),
        (
            "c.yaml",
            "cards:\n- trap: T\n  placed: 2026-05-04\n  end: 1\n",
            r"unknown field; the fields here are: placed",
        ),
        (
            "c.csv",
            "trap,placed,removed\nT1,2026-05-04,2026-05-01\n",
            r"c\.csv:2: cards\[0\]\.removed: 2026-05-01 is before the card was placed",
        ),
        (
            "c.csv",
            "trap,placed,removed\nT1,2026-05-10,\nT1,2026-05-04,2026-05-11\n",
            r"c\.csv:2: cards\[0\]\.placed: the card of line 3 still hung on trap T1 on 2026-05-10",
        ),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_card_periods(tmp_path / name)


@pytest.mark.parametrize("name", ["no.csv", "no.yaml"])
def test_a_missing_file_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"(?i)no such file"):
        read_card_periods(tmp_path / name)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 28), st.integers(0, 9)), max_size=6))
def test_whatever_a_file_says_no_two_cards_of_a_trap_are_shown_on_a_day(tmp_path_factory, rows) -> None:
    path = tmp_path_factory.mktemp("cards") / "c.csv"
    lines = [f"{t},2026-05-{d:02d},{date.fromordinal(may(d).toordinal() + n)}" for t, d, n in rows]
    path.write_text("\n".join(["trap,placed,removed", *lines]), encoding="utf-8")
    try:
        cards = read_card_periods(path)
    except DataError:
        return
    for trap in "AB":
        for day in range(1, 31):
            assert sum(c.trap == trap and c.shown_on(may(day)) for c in cards) <= 1
