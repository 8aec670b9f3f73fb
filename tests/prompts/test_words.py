"""Words that an encoder never saw: which are named, which never are, and what a grower is told to do."""

from __future__ import annotations

import pytest

from agri_clip.prompts import PromptSet, Target, resolve
from agri_clip.prompts.words import find_unknown_words, unknown_words_message

CAPTIONS = """
    aphid insect beetle fly wasp bug stink green shiny oval small black narrow waisted wings wing clear long legs photo
    trap yellow sticky
    """
KNOWN = CAPTIONS.split()


def unknown(*sentences: str, known: list[str] = KNOWN) -> dict[str, tuple[str, ...]]:
    return {name: found.words for name, found in find_unknown_words(PromptSet.of(*sentences), known).items()}


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("a lychee stink beetle", ("lychee",)),
        ("a shiny green oval beetle", ()),
        ("Small BLACK flies with long legs", ()),
        ("a narrow-waisted wasp", ()),
        ("a narrow-hipped wasp", ("hipped",)),
        ("beetles seen on the sticky traps", ("seen",)),
        ("a beetle's 3 legs", ()),
        ("the fly that is near its wing, or under it", ()),
        ("un pulgón negro", ("pulgón", "negro")),
        ("一只奇怪的小东西", ("一只奇怪的小东西",)),
        ("एक काली मक्खी जैसी चीज़", ("काली", "मक्खी", "जैसी", "चीज़")),
    ],
)
def test_the_words_that_were_never_seen_are_named(sentence: str, words: tuple[str, ...]) -> None:
    assert unknown(sentence) == ({sentence: words} if words else {})


def test_accents_and_plurals_of_the_encoders_own_words_make_no_difference() -> None:
    assert unknown("a Café fly", known=["cafe", "flies"]) == {}


def test_every_phrasing_synonym_and_look_of_a_file_is_looked_at() -> None:
    target = Target(name="X1", phrasings=("a green blob",), synonyms=("zig zag",), looks=("a wavy fly",))
    found = find_unknown_words(PromptSet(targets=(target,)), KNOWN)
    assert found["X1"].words == ("blob", "zig", "zag", "wavy")


def test_a_code_that_is_not_encoded_is_not_complained_of() -> None:
    target = Target(name="WFT", phrasings=("a green aphid",))
    assert not find_unknown_words(PromptSet(targets=(target,)), KNOWN)


def test_a_catalogued_pest_is_carried_by_one_name_that_is_known() -> None:
    target = resolve("Myzus persicae")
    assert len(target.phrasings) > 1
    known = [*target.phrasings[0].split(), "nothing", "else"]
    assert not find_unknown_words(PromptSet(targets=(target,)), known)


def test_a_catalogued_pest_with_an_unknown_name_is_said_shorter_where_its_looks_are_known() -> None:
    target = resolve("a whitefly")
    looks = " ".join(target.looks).split()
    described = find_unknown_words(PromptSet(targets=(target,)), [w for w in looks if "whitefl" not in w])
    assert described == {"a whitefly": (("whitefly",), True, True)}
    message = unknown_words_message(described, "tiny")
    assert "catalogue" in message
    assert "describe what it looks like" not in message
    blank = find_unknown_words(PromptSet(targets=(target,)), ["aphid"])
    assert blank == {"a whitefly": (("whitefly",), False, False)}
    assert "describe what it looks like" in unknown_words_message(blank, "tiny")


def test_the_message_names_label_word_and_remedy() -> None:
    one = unknown_words_message(find_unknown_words(PromptSet.of("a lychee stink beetle"), KNOWN), "builtin")
    assert one == (
        '\'a lychee stink beetle\': the encoder "builtin" never saw the word "lychee"; describe what it looks like '
        "(colour, shape, wings, legs), as in 'a shiny green oval beetle', name a catalogued pest, or use a larger "
        "encoder (agri-clip models recommend)"
    )
    several = unknown_words_message(
        find_unknown_words(PromptSet.of("a lychee beetle", "an odd big fly", "a green fly"), KNOWN), "builtin"
    )
    assert several.splitlines()[:2] == [
        '\'a lychee beetle\': the encoder "builtin" never saw the word "lychee"',
        '\'an odd big fly\': the encoder "builtin" never saw the words "odd" and "big"',
    ]
    assert several.count("describe what it looks like") == 1


@pytest.mark.parametrize(
    ("sentence", "learnt"),
    [
        ("a lychee stink beetle", True),
        ("a small green zorb", False),
        ("a zorb with clear wings", False),
        ("a zorb fly with clear wings", True),
        ("beetles seen on the sticky traps", True),
        ("wasps glowing", True),
        ("a frumious insect", False),
        ("a green frumious insect", True),
        ("an insect with zorby frills", True),
        ("a thing with long legs", True),
        ("a small thing", True),
        ("a small dark fly-like thing", True),
        ("a zorby thing", False),
        ("a kissing bug", False),
        ("a stink bug", True),
        ("a cluster of aphids", True),
        ("a cluster of zorbs", False),
        ("an aphid zorb", False),
        ("一只奇怪的小东西", False),
    ],
)
def test_the_deciding_noun_says_whether_a_prompt_was_learnt(sentence: str, learnt: bool) -> None:
    found = find_unknown_words(PromptSet.of(sentence), KNOWN)
    assert all(each.learnt == learnt for each in found.values())
    assert found or learnt


def test_one_learnt_phrase_is_enough_for_a_label_of_a_file() -> None:
    target = Target(name="X1", phrasings=("a zorb", "a green fly"))
    assert find_unknown_words(PromptSet(targets=(target,)), KNOWN)["X1"].learnt


def test_the_message_says_what_is_not_counted_and_how_to_count_it_all_the_same() -> None:
    unknown = find_unknown_words(PromptSet.of("a zorb", "a lychee beetle"), KNOWN)
    lines = unknown_words_message(unknown, "builtin").splitlines()
    assert lines[0].endswith('never saw the word "zorb", so this prompt counts nothing')
    assert "counts nothing" not in lines[1]
    assert lines[2].endswith("--force counts all the same")
    forced = unknown_words_message(unknown, "builtin", force=True)
    assert "counted all the same" in forced.splitlines()[0]
    assert "--force" not in forced
