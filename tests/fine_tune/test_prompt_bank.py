"""The prompt bank: what fits a crop, and losses whose values are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fine_tune.encoder.crop_pool import CropPool, render_pool
from fine_tune.encoder.prompt_bank import SECTIONS, choice_loss, draw_bank, fits, insect_loss
from fine_tune.synthetic import GROUP_NAMES, NONE
from fine_tune.synthetic.attributes import PHRASES, values_of
from fine_tune.synthetic.captions import NOTHING


@pytest.fixture(scope="module")
def pool() -> CropPool:
    return render_pool("train", seed=5, first=0, count=60, side=64, backgrounds=None)


def test_each_prompt_belongs_to_one_question() -> None:
    columns = [column for where in SECTIONS.values() for column in range(where.start, where.stop)]
    assert columns == list(range(len(draw_bank(np.random.default_rng(0)))))


def test_a_prompt_of_the_bank_asks_what_its_column_stands_for() -> None:
    for seed in range(20):
        prompts = draw_bank(np.random.default_rng(seed))
        asked = [phrase for phrases in PHRASES.values() for phrase in phrases.values()]
        own = prompts[SECTIONS["colour"].start :]
        assert all(phrase in prompt for phrase, prompt in zip(asked, own, strict=True))
        for phrases, prompt in zip(NOTHING.values(), prompts[SECTIONS["nothing"]], strict=True):
            assert any(phrase in prompt for phrase in phrases)


def test_what_fits_is_what_was_drawn(pool: CropPool) -> None:
    fit = fits(pool)
    for row, (group, look) in enumerate(zip(pool.groups, pool.attributes, strict=True)):
        assert fit[row, SECTIONS["insect"]].item() == (group != NONE)
        assert fit[row, SECTIONS["nothing"]].sum() == (group == NONE)
        named = np.flatnonzero(fit[row, SECTIONS["group"]])
        assert [GROUP_NAMES[i] for i in named] == ([] if group == NONE else [group])
        for attribute in PHRASES:
            assert fit[row, SECTIONS[attribute]].sum() == len(values_of(look, attribute))


def test_of_a_crop_of_a_photo_only_is_known_whether_it_is_an_insect() -> None:
    images = np.zeros((2, 8, 8, 3), np.uint8)
    fit = fits(CropPool(images, ("real", NONE), ({}, {}), (("an insect",), ("dirt",))))
    assert fit[0].sum() == 1
    assert fit[0, SECTIONS["insect"]].item()
    assert not fit[1].any()


def test_several_right_answers_share_the_probability() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]))
    fit = torch.tensor([[True, True, False], [False, False, False]])
    assert float(choice_loss(logits, fit)) == pytest.approx(-math.log(0.8), abs=1e-6)


def test_a_question_without_answers_costs_nothing() -> None:
    logits = torch.zeros(3, 4, requires_grad=True)
    loss = choice_loss(logits, torch.zeros(3, 4, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not logits.grad.any()


def test_more_names_of_nothing_do_not_make_a_crop_more_of_a_nothing() -> None:
    columns = SECTIONS["legs"].stop
    fit = torch.zeros(1, columns, dtype=torch.bool)
    fit[:, SECTIONS["insect"]] = True
    assert float(insect_loss(torch.zeros(1, columns), fit)) == pytest.approx(math.log(2), abs=1e-6)
