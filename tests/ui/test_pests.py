"""What the page offers to look for, in which order."""

from __future__ import annotations

import pytest

from agri_clip.ui.pests import pest_choices


@pytest.mark.parametrize("typed", ["whitefly", "aphid", "thrips", "moth", "beetle", "ladybird", "spider mite"])
def test_the_first_that_holds_what_was_typed_is_the_pest_of_that_name(typed: str) -> None:
    first = next(text for text, _ in pest_choices() if typed in text.casefold())
    assert typed in first.casefold().split(" · ")


def test_each_pest_is_listed_once() -> None:
    choices = pest_choices()
    assert len(choices) > 100
    assert len({name for _, name in choices}) == len(choices)
