"""Prompt sets: what is encoded for each label, and that the same questions have the same hash."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agri_clip.errors import PromptError
from agri_clip.prompts import DEFAULT_NEGATIVES, TEMPLATES, Negative, PromptSet, Target
from agri_clip.prompts.base import label_key, tidy, worded
from agri_clip.prompts.templates import expand, with_article


def is_usable(text: str) -> bool:
    """Whether a phrase can be encoded."""
    try:
        return bool(worded(tidy(text)))
    except ValueError:
        return False


phrases = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40).filter(is_usable)
phrase_lists = st.lists(phrases, max_size=4).map(tuple)
lengths = st.none() | st.tuples(st.floats(0.01, 10), st.floats(10, 500))
templates = st.lists(st.sampled_from([*TEMPLATES, "a {} in a field", "leaf with {}"]), min_size=1, unique=True)


@st.composite
def prompt_sets(draw: st.DrawFn) -> PromptSet:
    names = draw(st.lists(phrases, min_size=1, max_size=6, unique_by=lambda t: label_key(Target(name=t).name)))
    cut = draw(st.integers(1, len(names)))
    targets = [
        Target(
            name=name,
            synonyms=draw(phrase_lists),
            phrasings=draw(phrase_lists),
            looks=draw(phrase_lists),
            pest=draw(st.none() | st.sampled_from(["whitefly", "myzus-persicae"])),
            length_mm=draw(lengths),
            threshold=draw(st.none() | st.floats(0, 1)),
        )
        for name in names[:cut]
    ]
    negatives = [Negative(name=name, phrasings=draw(phrase_lists)) for name in names[cut:]]
    return PromptSet(name=draw(phrases), targets=targets, negatives=negatives, templates=draw(templates))


@pytest.mark.parametrize("sentence", ["!!! ???", "🐛", "🦟 🦟", "…", "a 🐛", "the !!!", "¿?"])
def test_a_prompt_without_a_word_is_refused(sentence: str) -> None:
    with pytest.raises(PromptError, match="has no word") as told:
        PromptSet.of("a moth", sentence)
    assert "\n" not in str(told.value)
    with pytest.raises(PromptError, match="has no word"):
        PromptSet.of("a moth", negatives=[sentence])
    with pytest.raises(ValidationError, match="has no word"):
        Target(name=sentence)
    assert Target(name=sentence, phrasings=("a moth",)).name  # a sign may be a label


@pytest.mark.parametrize("sentence", ["aphid", "A", "17", "WF-1", "粉虱", "सफ़ेद मक्खी", "a moth!", "ø"])
def test_a_prompt_with_a_word_stays(sentence: str) -> None:
    assert PromptSet.of(sentence).labels == (sentence,)


@settings(max_examples=25, deadline=None)
@given(prompts=prompt_sets())
def test_a_saved_set_loads_as_it_was(prompts: PromptSet, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("sets") / "set.yaml"
    prompts.save(path)
    loaded = PromptSet.load(path)
    assert loaded == prompts
    assert loaded.hash == prompts.hash
    assert [file.name for file in path.parent.iterdir()] == ["set.yaml"]  # no temporary file stays behind


@settings(max_examples=25, deadline=None)
@given(prompts=prompt_sets(), seed=st.integers(0, 1000))
def test_the_hash_does_not_depend_on_any_order_nor_on_the_name(prompts: PromptSet, seed: int) -> None:
    def shuffled(items: tuple) -> tuple:
        return tuple(random.Random(seed).sample(items, len(items)))

    targets = tuple(
        t.model_copy(update={"synonyms": shuffled(t.synonyms), "phrasings": shuffled(t.phrasings)})
        for t in shuffled(prompts.targets)
    )
    other = PromptSet(
        name="another",
        targets=targets,
        negatives=shuffled(prompts.negatives),
        templates=shuffled(prompts.templates),
    )
    assert other.hash == prompts.hash


@pytest.mark.parametrize(
    "changed",
    [
        Target(name="aphid", length_mm=(1, 4)),
        Target(name="aphid", threshold=0.5),
        Target(name="aphid", looks=("a green insect",)),
        Target(name="aphid", phrasings=("one aphid",)),
        Target(name="Aphid"),
    ],
)
def test_what_can_change_a_result_changes_the_hash(changed: Target) -> None:
    assert PromptSet(targets=[changed]).hash != PromptSet(targets=[Target(name="aphid")]).hash


def test_the_same_words_as_looks_or_as_a_phrasing_have_different_hashes() -> None:
    as_looks = Target(name="aphid", phrasings=("an aphid",), looks=("a small green insect",))
    as_phrasing = Target(name="aphid", phrasings=("an aphid", "a small green insect"))
    assert PromptSet(targets=[as_looks]).hash != PromptSet(targets=[as_phrasing]).hash


def test_the_hash_is_the_same_on_every_machine() -> None:
    prompts = PromptSet(targets=[Target(name="a green aphid", length_mm=(1, 4))], negatives=[Negative(name="glue")])
    assert prompts.hash == "43037fd49a98"


def test_negatives_and_templates_are_part_of_the_hash() -> None:
    plain = PromptSet(targets=[Target(name="aphid")])
    assert plain.hash != PromptSet(targets=[Target(name="aphid")], negatives=[Negative(name="glue")]).hash
    assert plain.hash != PromptSet(targets=[Target(name="aphid")], templates=["{}"]).hash


def test_sentences_become_labels_and_the_default_negatives_come_along() -> None:
    prompts = PromptSet.of("a green aphid", "Weiße Fliege")
    assert prompts.labels == ("a green aphid", "Weiße Fliege")
    assert prompts.negatives == DEFAULT_NEGATIVES
    assert list(prompts.texts()) == [*prompts.labels, *prompts.negative_labels]
    assert "a macro photo of a green aphid" in prompts.texts()["a green aphid"]
    assert "a whitefly on a leaf" in prompts.texts()["Weiße Fliege"]


def test_own_negatives_replace_the_default_ones_and_none_means_none() -> None:
    own = PromptSet.of("aphid", negatives=["a drop of paint", Negative(name="wire", phrasings=("a bent wire",))])
    assert own.negative_labels == ("a drop of paint", "wire")
    assert own.texts()["wire"][0] == "a bent wire"
    assert PromptSet.of("aphid", negatives=()).negatives == ()


def test_who_asks_for_dirt_does_not_have_it_rejected() -> None:
    assert "dirt" not in PromptSet.of("dirt", "aphid").negative_labels
    assert "hair" not in PromptSet.of("a hair").negative_labels


@pytest.mark.parametrize("sentences", [(), ("",), ("  ",), ("aphid", "Aphid"), ("x" * 400,), ("a\x00b",)])
def test_sentences_that_make_no_set_are_refused(sentences: tuple[str, ...]) -> None:
    with pytest.raises(PromptError):
        PromptSet.of(*sentences)


def test_a_negative_may_not_have_the_label_of_a_target() -> None:
    with pytest.raises(PromptError, match="there twice"):
        PromptSet.of("aphid", negatives=["aphid"])


def test_phrasings_stand_for_the_name_and_synonyms_stand_beside_them() -> None:
    target = Target(
        name="APH1", phrasings=("a green louse",), synonyms=("aphid", "a greenfly"), looks=("a round insect",)
    )
    assert target.phrases() == ("a green louse", "an aphid", "a greenfly", "a round insect")
    assert Target(name="aphid").phrases() == ("an aphid",)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("green aphid", "a green aphid"),
        ("aphid", "an aphid"),
        ("a green aphid", "a green aphid"),
        ("the aphid", "the aphid"),
        ("aphids", "aphids"),
        ("aphids and thrips", "aphids and thrips"),
        ("moth larvae", "moth larvae"),
        ("western flower thrips", "a western flower thrips"),
        ("European corn borer", "a European corn borer"),
        ("insect with wings", "an insect with wings"),
        ("Myzus persicae", "Myzus persicae"),
        ("Japanese beetle", "a Japanese beetle"),
        ("glue", "glue"),
        ("dirt on a card", "dirt on a card"),
        ("蚜虫", "蚜虫"),
        ("pulgón", "pulgón"),
        ("one small fly", "one small fly"),
        ("123", "123"),
    ],
)
def test_a_bare_english_name_gets_its_article_and_nothing_else_does(name: str, written: str) -> None:
    assert with_article(name) == written


def test_a_template_is_left_out_where_the_phrase_says_its_noun() -> None:
    assert expand(["a leaf vein"], ["{}", "{} on a leaf", "a photo of {}"]) == ("a leaf vein", "a photo of a leaf vein")
    assert expand(["a photo of an aphid"], ["a macro photo of {}"]) == ("a photo of an aphid",)
    assert expand(["an aphid", "an aphid"], ["{}", "{}"]) == ("an aphid",)


@given(some=st.lists(phrases, min_size=1, max_size=5), around=templates)
def test_every_phrase_is_encoded_and_no_text_twice(some: list[str], around: list[str]) -> None:
    texts = expand(some, around)
    assert len(set(texts)) == len(texts)
    assert all(any(phrase in text for text in texts) for phrase in some)


def test_prompts_import_without_torch() -> None:
    code = "import sys, agri_clip.prompts; sys.exit(any(m in sys.modules for m in ('torch', 'cv2', 'transformers')))"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
