"""Tries of a prompt set: winners, margins, and prompts that mean the same."""

from __future__ import annotations

import numpy as np
import pytest

from agri_clip.detections import BACKGROUND, FOUND, Detections, PhotoRecord
from agri_clip.scoring.score import LabelVectors
from agri_clip.scoring.trials import alike_labels, region_winners


def three_regions(length_mm: float) -> Detections:
    return Detections(
        photos=(PhotoRecord("a.jpg", 100, 100),),
        label_names=("an aphid", "a moth"),
        photo_index=np.zeros(3),
        boxes=np.array([[0, 0, 10, 10], [20, 20, 40, 30], [50, 50, 60, 60]]),
        label_index=np.array([0, 1, 0]),
        status=np.array([FOUND, FOUND, BACKGROUND]),
        scores=np.array([0.5, 0.9, 0.1]),
        insect=np.array([0.8, 0.95, 0.2]),
        objectness=np.ones(3),
        margin=np.array([0.1, 0.8, 0.05]),
        length_px=np.array([10, 20, 10]),
        length_mm=np.full(3, length_mm),
        outlines=(None, None, None),
    )


def test_the_most_certain_regions_come_first_with_what_they_count_as() -> None:
    columns, rows = region_winners(three_regions(np.nan), top=2)
    assert [row[columns.index("best prompt")] for row in rows] == ["a moth", "an aphid"]
    assert [row[columns.index("counted as")] for row in rows] == ["a moth", "an aphid"]
    assert rows[0][columns.index("margin")] == "0.80"
    assert rows[0][:2] == ["30", "25"]
    assert "length px" in columns


def test_lengths_are_in_millimetres_where_the_scale_is_known() -> None:
    columns, rows = region_winners(three_regions(2.5), top=9)
    assert [row[columns.index("length mm")] for row in rows] == ["2.5"] * 3
    assert rows[-1][columns.index("counted as")] == "background"


@pytest.mark.parametrize(("at_least", "pairs"), [(0.9, [("an aphid", "a greenfly")]), (0.999, [])])
def test_prompts_that_mean_the_same_are_listed(at_least: float, pairs: list[tuple[str, str]]) -> None:
    vectors = np.array([[1, 0, 0], [0.98, np.sqrt(1 - 0.98**2), 0], [0, 0, 1]], np.float32)
    embedded = LabelVectors(
        labels=("an aphid", "a greenfly"),
        negatives=("glue",),
        vectors=vectors,
        others=np.zeros((0, 3), np.float32),
        lengths_mm=np.full((2, 2), np.nan),
        own_thresholds=np.full(2, np.nan),
        activation="softmax",
        logit_scale=10.0,
        logit_bias=0.0,
        fingerprint="test",
    )
    _, rows = alike_labels(embedded, at_least)
    assert [(row[0], row[1]) for row in rows] == pairs
