"""Counts in groups of photos: nothing lost, zeros told, and beside each count what it rests on."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agri_clip.counts import KEYS, UNKNOWN, CardPeriod, count_table, parse_keys, write_count_csv
from agri_clip.detections import BACKGROUND, FOUND, OTHER, Detections, PhotoRecord
from agri_clip.errors import AgriClipError
from tests.counts.results import LABELS, photo, result, results, shuffled

THRIPS, WHITEFLY, MOTH = range(3)
keys = st.lists(st.sampled_from(KEYS), max_size=3, unique=True)


@pytest.fixture
def season() -> Detections:
    """Two traps: T2 on three days, T10 on one; a photo without trap, and one that failed."""
    return result(
        [
            photo("c.jpg", 15, "T2", mm_per_pixel=0.1, card_area_px=40_000.0),
            photo("a.jpg", 1, "T2", mm_per_pixel=0.2, card_area_px=10_000.0),
            photo("b.jpg", 8, "T2", at_cap=True),
            photo("d.jpg", 8, "T10"),
            photo("e.jpg", 8, None),
            PhotoRecord("f.jpg", reason="is empty"),
        ],
        [
            *[(0, THRIPS, FOUND, 0.9)] * 5,
            *[(1, THRIPS, FOUND, 0.9)] * 2,
            *[(2, THRIPS, FOUND, 0.9)] * 4,
            (2, THRIPS, OTHER, 0.4),
            (2, WHITEFLY, BACKGROUND, 0.1),
            (3, WHITEFLY, FOUND, 0.7),
            (4, MOTH, FOUND, 0.8),
        ],
    )


def rows(table: pd.DataFrame, label: str = "a thrips") -> pd.DataFrame:
    return table[table["label"] == label].reset_index(drop=True)


def test_groups_stand_in_the_order_in_which_people_count_with_a_row_for_every_label(season: Detections) -> None:
    table = count_table(season, ("trap", "day"))
    assert table.columns[:3].tolist() == ["trap", "day", "label"]
    assert rows(table)[["trap", "day"]].to_numpy().tolist() == [
        ["T2", "2026-05-01"],
        ["T2", "2026-05-08"],
        ["T2", "2026-05-15"],
        ["T10", "2026-05-08"],
        [UNKNOWN, "2026-05-08"],
        [UNKNOWN, UNKNOWN],
    ]
    assert table["label"].tolist() == list(LABELS) * 6


def test_what_was_not_found_is_a_zero_and_what_could_not_be_read_is_none(season: Detections) -> None:
    table = count_table(season, ("trap", "day"))
    assert rows(table)["count"].tolist()[:5] == [2, 4, 5, 0, 0]
    assert rows(table, "whitefly")["count"].tolist()[:5] == [0, 0, 0, 1, 0]
    last = rows(table).iloc[5]
    assert last["photos"] == 0
    assert last["failed"] == 1
    assert last[["count", "mean", "other_insects", "not_insects"]].isna().all()


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("day", ["2026-05-01", "2026-05-08", "2026-05-15", UNKNOWN]),
        ("week", ["2026-W18", "2026-W19", "2026-W20", UNKNOWN]),
        ("month", ["2026-05", UNKNOWN]),
        ("trap", ["T2", "T10", UNKNOWN]),
        ("photo", ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg"]),
    ],
)
def test_photos_are_grouped_by(season: Detections, key: str, values: list[str]) -> None:
    assert rows(count_table(season, (key,)))[key].tolist() == values


def test_a_week_belongs_to_the_year_of_its_thursday() -> None:
    days = result([PhotoRecord("a", taken=datetime(2027, 1, 1)), PhotoRecord("b", taken=datetime(2024, 12, 30))])
    assert rows(count_table(days, ("week",)))["week"].tolist() == ["2025-W01", "2026-W53"]


def test_without_keys_there_is_one_row_a_label(season: Detections) -> None:
    for by in ((), ("label",)):
        table = count_table(season, by)
        assert table[["label", "count", "photos", "failed"]].to_numpy().tolist() == [
            ["a thrips", 11, 5, 1],
            ["whitefly", 1, 5, 1],
            ["=moth", 1, 5, 1],
        ]


def test_an_unknown_key_is_told_with_those_there_are(season: Detections) -> None:
    with pytest.raises(AgriClipError, match=r"by 'year'; the keys are trap, photo, day, week, month, label"):
        count_table(season, ("trap", "year"))
    with pytest.raises(AgriClipError, match="by 'wek'"):
        parse_keys("trap, wek")
    assert parse_keys(" Trap,week,,label") == ("trap", "week")


def test_what_was_seen_and_not_counted_stands_with_the_label_that_it_was_nearest_to(season: Detections) -> None:
    table = count_table(season, ("trap",))
    assert rows(table)["other_insects"].tolist()[:2] == [1, 0]
    assert rows(table, "whitefly")["not_insects"].tolist()[:2] == [1, 0]
    assert rows(table)["at_cap"].tolist()[:2] == [1, 0]
    assert (table["threshold"] == 0.5).all()


def test_where_parts_were_counted_with_other_thresholds_none_is_named(season: Detections) -> None:
    other = result([photo("x.jpg", 2)], provenance={"thresholds": dict.fromkeys(LABELS, 0.7)})
    assert count_table(Detections.concat([season, other]))["threshold"].isna().all()


def test_per_day_is_over_the_days_since_the_visit_before(season: Detections) -> None:
    table = rows(count_table(season, ("trap", "day")))
    assert table["days"].tolist()[1:3] == [7, 7]
    assert table["per_day"].tolist()[1:3] == pytest.approx([4 / 7, 5 / 7])
    assert table.loc[[0, 3, 4, 5], ["days", "per_day"]].isna().all(axis=None)
    whole = rows(count_table(season, ("trap",))).iloc[0]
    assert (whole["days"], whole["per_day"]) == (14, pytest.approx(9 / 14))  # the first visit has no known exposure


def test_per_day_is_over_the_days_since_the_card_was_placed(season: Detections) -> None:
    periods = [CardPeriod("T2", date(2026, 4, 21))]
    table = rows(count_table(season, ("trap", "day"), periods=periods))
    assert table["days"].tolist()[:3] == [10, 17, 24]
    assert table["per_day"].tolist()[:3] == pytest.approx([2 / 10, 4 / 17, 5 / 24])


def test_with_new_ones_alone_per_day_is_of_those_and_the_raw_count_stays(season: Detections) -> None:
    new = np.ones(len(season), bool)
    new[:4] = False  # of five thrips on the last day one is new
    periods = [CardPeriod("T2", date(2026, 4, 21))]
    table = rows(count_table(season, ("trap", "day"), new=new, periods=periods))
    assert table["count"].tolist()[:3] == [2, 4, 5]
    assert table["new"].tolist()[:3] == [2, 4, 1]
    assert table["days"].tolist()[:3] == [10, 7, 7]
    assert table["per_day"].tolist()[:3] == pytest.approx([2 / 10, 4 / 7, 1 / 7])
    assert count_table(season)["new"].isna().all()
    with pytest.raises(ValueError, match="new has shape"):
        count_table(season, new=new[1:])


def test_two_sides_of_a_card_share_its_days() -> None:
    sides = [photo("front", 1), photo("front 2", 8), photo("back 2", 8)]
    table = rows(count_table(result(sides, [(1, THRIPS, FOUND, 0.9), (2, THRIPS, FOUND, 0.9)]), ("trap",)))
    assert (table["days"][0], table["per_day"][0]) == (7, pytest.approx(2 / 7))


def test_per_area_is_of_photos_whose_card_and_scale_are_known(season: Detections) -> None:
    table = rows(count_table(season, ("trap",)))
    assert table["per_cm2"][0] == pytest.approx((5 + 2) / (40_000 * 0.01 / 100 + 10_000 * 0.04 / 100))
    assert pd.isna(table["per_cm2"][1])


def test_there_is_an_interval_only_where_scores_are_probabilities(season: Detections) -> None:
    plain, table = count_table(season, ("trap",)), count_table(season, ("trap",), calibrated=True)
    assert plain[["count_low", "count_high"]].isna().all(axis=None)
    thrips = rows(table).iloc[0]
    assert (thrips["count_low"], thrips["count_high"]) == (8, 12)  # 11 of score 0.9 and a rejected one of 0.4
    assert rows(table)[["count_low", "count_high"]].iloc[1].tolist() == [0, 0]
    by_photo = rows(count_table(season, ("photo",), calibrated=True))
    assert by_photo[["count_low", "count_high"]].iloc[5].isna().all()  # the one that failed


def test_tables_without_rows_have_their_columns() -> None:
    for nothing in (Detections.empty(), Detections.empty(label_names=LABELS), Detections.empty([photo("a", 1)])):
        table = count_table(nothing, ("trap", "week"), calibrated=True)
        assert len(table) == 0
        assert table.dtypes.equals(count_table(result([photo("a", 1)]), ("trap", "week")).dtypes)


@settings(max_examples=150, deadline=None)
@given(results(), keys, st.booleans())
def test_nothing_is_lost_whatever_the_groups(detections: Detections, by: list[str], calibrated: bool) -> None:
    new = np.arange(len(detections)) % 2 == 0
    table = count_table(detections, by, new=new, calibrated=calibrated)
    found = detections.status == FOUND
    for label, name in enumerate(LABELS):
        mine = detections.label_index == label
        summed = rows(table, name)[["count", "new", "other_insects", "not_insects"]].sum().tolist()
        assert summed == [
            (mine & found).sum(),
            (mine & found & new).sum(),
            (mine & (detections.status == OTHER)).sum(),
            (mine & (detections.status == BACKGROUND)).sum(),
        ]
        read = sum(not each.failed for each in detections.photos)
        assert rows(table, name)[["photos", "failed"]].sum().tolist() == [read, len(detections.photos) - read]
    assert (table["count_low"] <= table["count_high"]).fillna(True).all()
    assert table["count_low"].notna().equals(table["count"].notna() & calibrated)


@settings(max_examples=100, deadline=None)
@given(results(), keys, st.integers(0, 1000))
def test_the_order_of_photos_and_regions_changes_nothing(detections: Detections, by: list[str], seed: int) -> None:
    new = np.arange(len(detections)) % 3 > 0
    other, came_from = shuffled(detections, seed)
    one = count_table(detections, by, new=new, calibrated=True)
    two = count_table(other, by, new=new[came_from], calibrated=True)
    pd.testing.assert_frame_equal(one, two, rtol=1e-9)


@settings(max_examples=50, deadline=None)
@given(results())
def test_parts_of_a_season_add_up(detections: Detections) -> None:
    parts = [count_table(part, ("label",))["count"].fillna(0) for part in detections.split()]
    assert sum(parts, np.zeros(len(LABELS))).tolist() == (
        count_table(detections, ("label",))["count"].fillna(0).tolist() or [0] * len(LABELS)
    )


def test_a_written_table_reads_back_and_holds_no_formula(season: Detections, tmp_path: Path) -> None:
    table = count_table(season, ("trap", "day"))
    write_count_csv(table, tmp_path / "counts.csv", season.provenance)
    read = pd.read_csv(tmp_path / "counts.csv", encoding="utf-8-sig")
    assert read["count"].tolist()[:15] == table["count"].tolist()[:15]
    assert read["per_day"][3] == round(4 / 7, 4)
    assert read["label"][2] == "'=moth"
    assert read["produced_by"].str.contains("agri_clip 0.1").all()
    assert table["label"][2] == "=moth"


def test_a_label_that_was_not_counted_has_no_count_anywhere(season: Detections) -> None:
    asked = replace(season, provenance=season.provenance | {"not_counted": [LABELS[MOTH]]})
    table, plain = (count_table(each, ("trap",), calibrated=True) for each in (asked, season))
    moth = table["label"] == LABELS[MOTH]
    for name in ("count", "mean", "per_day", "per_cm2", "count_low", "count_high"):
        assert table.loc[moth, name].isna().all()
    assert (table.loc[moth, "photos"] == plain.loc[moth, "photos"]).all()
    pd.testing.assert_frame_equal(table[~moth], plain[~moth])
