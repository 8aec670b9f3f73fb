"""Action thresholds: files, which one fits, and what is flagged."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from agri_clip.counts import count_table, flag_actions, read_thresholds
from agri_clip.detections import FOUND, Detections
from agri_clip.errors import AgriClipError, DataError
from agri_clip.io.yaml_lines import data_files
from agri_clip.prompts import PromptSet
from tests.counts.results import photo, result

SOURCE = "source: {title: A page, url: https://example.org/a, checked: true, read: 2026-05-01}"
FILE = f"""thresholds:
  - {{pest: Thrips, crop: Rose, count: 18, per: trap/week, {SOURCE}}}
  - {{pest: thrips, crop: any, count: 15, per: trap/week, {SOURCE}}}
  - {{pest: Whiteflies, also: [greenhouse whitefly], crop: rose, count: 2, per: trap/day, {SOURCE}}}
  - {{pest: "=moth", crop: rose, count: 3, per: card, note: one side, source: {{title: Talk, checked: false}}}}
"""


@pytest.fixture
def thresholds(tmp_path: Path):
    (tmp_path / "t.yaml").write_text(FILE, encoding="utf-8")
    return read_thresholds(tmp_path / "t.yaml")


@pytest.fixture
def table() -> pd.DataFrame:
    """A visit without known exposure, and one after seven days: 18 thrips, 13 whiteflies, 3 moths on the card."""
    regions = [*[(1, 0, FOUND, 0.9)] * 18, *[(1, 1, FOUND, 0.9)] * 13, *[(1, 2, FOUND, 0.9)] * 3]
    return count_table(result([photo("a", 1), photo("b", 8)], regions), ("trap", "day"))


def test_reached_is_over_and_what_has_no_exposure_is_not_judged(table: pd.DataFrame, thresholds) -> None:
    flagged = flag_actions(table, thresholds, "rose")
    assert flagged["action_threshold"].tolist() == [18, 2, 3] * 2
    assert flagged["action_per"].tolist() == ["trap/week", "trap/day", "card"] * 2
    assert flagged["over"].tolist()[2:] == [False, True, False, True]
    assert flagged["over"].isna().tolist() == [True, True, False, False, False, False]
    assert flagged["action_value"].tolist()[3:] == pytest.approx([18, 13 / 7, 3])
    assert flagged[table.columns].equals(table)


def test_sixty_one_in_a_week_is_sixty_one(thresholds) -> None:
    limit = [thresholds[0].model_copy(update={"count": 61.0})]
    week = count_table(result([photo("a", 1), photo("b", 8)], [(1, 0, FOUND, 0.9)] * 61), ("trap", "day"))
    assert flag_actions(week, limit, "rose")["over"].tolist()[3] is True  # 61 / 7 * 7 is less than 61


def test_advice_for_any_crop_holds_where_there_is_none_for_the_crop(table: pd.DataFrame, thresholds) -> None:
    flagged = flag_actions(table, thresholds, "tomato")
    assert flagged["action_threshold"].tolist()[0] == 15
    assert flagged["action_threshold"].isna().tolist() == [False, True, True] * 2
    assert flagged[["over", "source", "action_per"]].isna().all(axis=1).tolist() == [False, True, True] * 2
    assert flag_actions(table, thresholds)["action_threshold"].tolist()[0] == 15


def test_own_thresholds_go_before_ready_ones(table: pd.DataFrame, thresholds) -> None:
    own = [thresholds[0].model_copy(update={"count": 4.0})]
    assert flag_actions(table, [*own, *thresholds], "rose")["action_threshold"].tolist()[0] == 4


def test_the_source_says_whether_it_was_read(table: pd.DataFrame, thresholds) -> None:
    source = flag_actions(table, thresholds, "rose")["source"]
    assert source[0] == "A page; https://example.org/a; read 2026-05-01"
    assert source[2] == "Talk; not checked; one side"


def test_a_crop_without_any_advice_is_told(table: pd.DataFrame, thresholds) -> None:
    with pytest.raises(AgriClipError, match="no action threshold is for the crop 'plum'; the crops are rose"):
        flag_actions(table, [t for t in thresholds if t.crop == "rose"], "plum")
    assert flag_actions(table, [], "plum")["over"].isna().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("count: 18", "count: 0"), r"t\.yaml:2: thresholds\[0\]\.count: 0 is out of range; must be above 0"),
        (("per: card", "per: month"), r"t\.yaml:5: thresholds\[3\]\.per: .*'trap/day', 'trap/week' or 'card'"),
        ((", read: 2026-05-01", ""), r"t\.yaml:2: thresholds\[0\]\.source: checked is true but there is no day"),
        (("crop: any", "crop: rose"), r"t\.yaml:3: thresholds\[1\]\.pest: 'thrip' has a threshold .* 'rose' on line 2"),
        (("count: 15, ", ""), r"t\.yaml:3: thresholds\[1\]\.count: missing"),
        (("read: 2026-05-01", "read: May"), r"'May' is not a day; write it as 2026-05-04"),
        (
            ("per: card", "per: card, when: now"),
            r"t\.yaml:5: thresholds\[3\]\.when: unknown field; .* also, count",
        ),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    text = FILE.replace(*change)
    assert text != FILE
    (tmp_path / "t.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_thresholds(tmp_path / "t.yaml")


def test_a_name_that_is_no_file_lists_the_ready_ones() -> None:
    with pytest.raises(DataError, match="the ready ones are: field, greenhouse, orchard"):
        read_thresholds("garden")


READY = [path.stem for path in data_files("thresholds")]


@pytest.mark.parametrize("name", READY)
def test_every_ready_threshold_has_a_source_that_was_read(name: str) -> None:
    thresholds = read_thresholds(name)
    assert len(thresholds) >= 2
    for threshold in thresholds:
        assert threshold.source.checked
        assert threshold.source.url
        assert threshold.note  # for which trap and place it holds


@pytest.mark.parametrize(
    ("name", "crop", "label"), [("greenhouse", "poinsettia", "thrips"), ("orchard", "apple", "codling moth")]
)
def test_ready_thresholds_fit_the_ready_prompt_sets(name: str, crop: str, label: str) -> None:
    labels = PromptSet.load(name).labels
    flagged = flag_actions(count_table(Detections.empty([photo("a", 1)], labels)), read_thresholds(name), crop)
    assert label in flagged[flagged["action_threshold"].notna()]["label"].tolist()
