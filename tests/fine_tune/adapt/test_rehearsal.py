"""Reminders: of groups that no label names, told apart from the labels, and a blend that forgets is not taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fine_tune.adapt.judging import Judgement
from fine_tune.adapt.rehearsal import Reminded, crops_of, other_groups, texts_of
from fine_tune.adapt.shots import Shots
from fine_tune.adapt.tower_training import TowerTrainer
from fine_tune.adapt.towers import MOST_LOST, adapt_towers
from fine_tune.synthetic import GROUP_NAMES
from tests.fine_tune.adapt.small_encoders import TEXTS, coloured_crops, tiny
from tests.fine_tune.adapt.test_towers import TINY


def test_groups_that_a_label_names_are_no_reminders() -> None:
    assert other_groups(["longhorn beetle", "something"]) == GROUP_NAMES
    left = other_groups(["a whitefly", "aphid", "blattläuse"])
    assert {"whitefly", "aphid"}.isdisjoint(left)
    assert set(left) | {"whitefly", "aphid"} == set(GROUP_NAMES)


def test_crops_are_the_same_whichever_groups_are_asked_with_them() -> None:
    both, one = crops_of(("thrips", "moth"), 2, "train"), crops_of(("moth",), 2, "train")
    assert len(both) == 4
    for first, second in zip(both[2:], one, strict=True):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(one[0], crops_of(("moth",), 2, "held-out")[0])


def test_a_batch_holds_both_with_a_text_for_each_label() -> None:
    samples, groups = coloured_crops(), ("moth fly", "thrips")
    reminders = Shots(
        [np.zeros((8, 8, 3), np.uint8)] * 4, [g for g in groups for _ in range(2)], texts_of(groups), 5, 0
    )
    batch = Reminded(Shots(samples.crops, samples.labels, TEXTS, 6, 0), reminders)[3]
    assert len(batch.crops) == len(batch.labels) == 11
    assert {batch.texts[i] for i in batch.labels[:6]} == {"a aphid", "a moth", "a bee"}
    for label in batch.labels[6:]:
        assert any(batch.texts[label] in options for options in texts_of(groups).values())
    assert set(batch.labels.tolist()) == set(range(len(batch.texts)))


@pytest.mark.parametrize("lost", [MOST_LOST / 2, MOST_LOST * 2])
def test_a_blend_that_forgets_other_prompts_is_not_taken(
    lost: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = coloured_crops()
    shares: list[float] = []
    set_blend, judge_on = TowerTrainer.set_blend, TowerTrainer.judge_on

    def note(trainer: TowerTrainer, share: float) -> None:
        shares.append(share)
        set_blend(trainer, share)

    def judge(trainer: TowerTrainer, held_out: Any) -> Judgement:
        if held_out is trainer.held_out:
            return replace(judge_on(trainer, held_out), accuracy=shares[-1] if shares else 0.0)
        return Judgement(accuracy=0.7 - (lost if shares[-1] > 0.35 else 0), loss=1.0)

    monkeypatch.setattr(TowerTrainer, "set_blend", note)
    monkeypatch.setattr(TowerTrainer, "judge_on", judge)
    recipe = replace(TINY, steps=2, judge_every=2, reminders=4)
    result = adapt_towers(samples, TEXTS, str(tiny("clip")), tmp_path, method="lora", recipe=recipe, device="cpu")
    assert result.blend == (1.0 if lost < MOST_LOST else 0.3)
    assert result.others_before == 0.7
    assert result.others_after == pytest.approx(0.7 - (lost if lost < MOST_LOST else 0))
