"""What the page says, in every language."""

import string
from types import SimpleNamespace

import pytest

from agri_clip.ui.words import ENGLISH, language_of, languages, page_words, say

OTHERS = sorted(set(languages()) - {ENGLISH})


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_there_is_chinese():
    assert "zh" in OTHERS


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_is_whole_and_takes_the_same_values(code):
    for key, text in languages()[ENGLISH].items():
        translated = languages()[code][key]
        assert fields(translated) == fields(text), key
        # A text that stands in English in a translation was forgotten, but for names that are the same everywhere.
        assert translated != text, key


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_has_no_text_that_the_page_does_not_have(code):
    assert set(languages()[code]) == set(languages()[ENGLISH])


@pytest.mark.parametrize(
    ("wished", "code"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("xx,zh-TW;q=0.5", "zh"),
        ("en;q=0.1, zh;q=0.7", "zh"),
        ("xx", "en"),
        ("", "en"),
        ("zh;q=broken", "en"),
    ],
)
def test_a_visitor_is_spoken_to_in_the_language_of_their_browser(wished, code):
    assert language_of(SimpleNamespace(headers={"accept-language": wished})) == code


def test_browsers_that_say_region_or_script_find_chinese_too():
    assert page_words().translations["zh-CN"]["find_start"] == say("find_start", "zh")
