"""What the page offers to look for, in which order."""

from __future__ import annotations

import pytest

from agri_clip.prompts import load_catalogue
from agri_clip.ui.pests import SEPARATOR, pest_choices

# "scarab" stands in "escarabajo", the Spanish for any beetle, and the beetle has to stand before the "chafer beetle".
SHARED = {"scarab"}
ENGLISH = sorted({name.casefold() for pest in load_catalogue().values() for name in pest.names["en"]} - SHARED)


def first_names(typed: str) -> list[str]:
    """Names of the pest that Enter takes: the first in the list that holds what was typed."""
    return next(text for text, _ in pest_choices() if typed in text.casefold()).casefold().split(SEPARATOR)


def test_the_english_name_of_any_pest_finds_it_first() -> None:
    assert len(ENGLISH) > 200
    assert [name for name in ENGLISH if name not in first_names(name)] == []


@pytest.mark.parametrize("typed", ["mosca blanca", "pulgón", "käfer", "wespe", "guêpe", "白粉虱", "瓢虫"])
def test_names_in_other_languages_find_the_pest_of_that_name_first(typed: str) -> None:
    assert typed in first_names(typed)


@pytest.mark.parametrize(
    ("typed", "pest"), [("white", "whitefly"), ("beetl", "beetle"), ("wasp", "wasp"), ("flea", "flea beetle")]
)
def test_a_part_of_a_name_finds_the_common_pest_before_its_kinds(typed: str, pest: str) -> None:
    assert pest in first_names(typed)


def test_each_pest_is_listed_once() -> None:
    choices = pest_choices()
    assert len(choices) > 100
    assert len({name for _, name in choices}) == len(choices)
