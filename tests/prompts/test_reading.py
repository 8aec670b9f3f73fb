"""Prompt files: every fault is named with its file, line and field, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from agri_clip.errors import PromptError
from agri_clip.io.yaml_lines import data_dir, data_files
from agri_clip.prompts import DEFAULT_NEGATIVES, PromptSet, load_catalogue
from agri_clip.prompts.checks import (
    MOST_TOLD,
    SharedCountWarning,
    capped,
    check_prompts,
    shared_counts,
    warn_of_shared_counts,
)

FAULTS = {
    "empty": ("", 1, "empty"),
    "only a comment": ("# nothing\n", 1, "empty"),
    "a list": ("- aphid\n", 1, "must be a mapping"),
    "a word": ("\naphid\n", 2, "must be a mapping"),
    "no targets": ("name: x\n", 1, "targets: missing"),
    "targets empty": ("name: x\ntargets: []\n", 2, "targets"),
    "targets no list": ("name: x\ntargets: aphid\n", 2, "targets: must be a list"),
    "unknown field": ("targets: [aphid]\n\ntemplate: x\n", 3, "template: unknown field; the fields here are: name"),
    "unknown field of a target": ("targets:\n- name: a\n  phrasing: [b]\n", 3, "targets[0].phrasing: unknown field"),
    "target without name": ("targets:\n- aphid\n- phrasings: [a]\n", 3, "targets[1].name: missing"),
    "target a number": ("targets:\n- aphid\n- 12\n", 3, "targets[1]: must be a mapping"),
    "empty sentence": ("targets:\n- aphid\n- ''\n", 3, "targets[1]"),
    "empty phrasing": ("targets:\n- name: a\n  phrasings:\n  - b\n  - ' '\n", 5, "targets[0].phrasings[1]: is empty"),
    "name a number": ("targets:\n- name: 12\n", 2, "targets[0].name: must be text"),
    "name yes": ("targets:\n- name: yes\n", 2, "put it in quotes"),
    "phrasings text": ("targets:\n- name: a\n  phrasings: b\n", 3, "targets[0].phrasings: must be a list"),
    "length upside down": ("targets:\n- name: a\n  length_mm: [3, 1]\n", 3, "targets[0].length_mm: the shortest"),
    "length negative": ("targets:\n- name: a\n  length_mm: [-1, 1]\n", 3, "out of range"),
    "length not a number": ("targets:\n- name: a\n  length_mm: [.nan, 1]\n", 3, "targets[0].length_mm[0]"),
    "length infinite": ("targets:\n- name: a\n  length_mm: [1, .inf]\n", 3, "targets[0].length_mm[1]"),
    "length of one": ("targets:\n- name: a\n  length_mm: [1]\n", 3, "targets[0].length_mm"),
    "length words": ("targets:\n- name: a\n  length_mm: [1, long]\n", 3, "must be a number"),
    "threshold high": ("targets:\n- name: a\n  threshold: 1.5\n", 3, "targets[0].threshold: 1.5 is out of range"),
    "unknown pest": ("targets:\n- name: a\n  pest: whitefy\n", 3, "did you mean whitefly"),
    "label twice": ("targets:\n- aphid\n- name: Aphid\n", 3, "stands already on line 2"),
    "label twice across": ("targets: [glue]\nnegatives:\n- glue\n", 3, "stands already on line 1"),
    "key twice": ("targets: [a]\nname: x\nname: y\n", 3, "name: written twice (first on line 2)"),
    "template without place": ("targets: [a]\ntemplates:\n- a photo\n", 3, "templates[0]: must hold '{}'"),
    "template with two": ("targets: [a]\ntemplates: ['{} {}']\n", 2, "templates[0]"),
    "negative wrong": ("targets: [a]\nnegatives:\n- name: b\n  looks: [c]\n", 4, "negatives[0].looks: unknown field"),
    "broken yaml": ("targets:\n- a\n b: [\n", 3, "not valid YAML"),
    "unclosed": ("targets: [a\nname: b\n", 2, "not valid YAML"),
    "tab": ("targets:\n\t- a\n", 2, "not valid YAML"),
    "two documents": ("targets: [a]\n---\ntargets: [b]\n", 2, "not valid YAML"),
    "alias": ("targets: [&x aphid, *x]\n", 1, "aliases"),
    "python tag": ("targets: [!!python/object:os.system x]\n", 1, "targets[0]"),
    "impossible date": ("targets: [a]\nname: 2024-13-45\n", 2, "name"),
    "control character": ('targets: ["a\\u0007b"]\n', 1, "control characters"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_line(fault: str, tmp_path: Path) -> None:
    text, line, expected = FAULTS[fault]
    path = tmp_path / "set.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PromptError) as raised:
        PromptSet.load(path)
    message = str(raised.value)
    assert message.startswith(f"{path}:{line}: "), message
    assert expected in message


def test_a_file_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("targets:\n- pulgón\n".encode("latin-1"))
    with pytest.raises(PromptError, match=r"latin.yaml:2: not UTF-8"):
        PromptSet.load(path)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "set.yaml"
    path.write_text("targets:\n- name: a\n  x: 1\n- name: b\n  length_mm: [2, 1]\n- ''\n", encoding="utf-8")
    with pytest.raises(PromptError) as raised:
        PromptSet.load(path)
    assert [message.split(":")[1] for message in str(raised.value).splitlines()] == ["3", "5", "6"]


def test_a_missing_file_and_an_unknown_ready_set_say_so(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="no such file"):
        PromptSet.load(tmp_path / "none.yaml")
    with pytest.raises(PromptError, match=r"ready sets are: .*greenhouse"):
        PromptSet.load("grenhouse")
    with pytest.raises(PromptError, match="cannot be read"):
        PromptSet.load(tmp_path)


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="cannot be written"):
        PromptSet.of("aphid").save(tmp_path / "no" / "set.yaml")


def test_a_file_may_mix_sentences_and_mappings(tmp_path: Path) -> None:
    path = tmp_path / "mixed.yaml"
    path.write_text(
        "targets:\n- 蚜虫\n- name: WF\n  pest: trialeurodes-vaporariorum\n  length_mm: [1, 1.6]\n"
        "- name: dark fly\n  phrasings: [a small dark fly]\nnegatives:\n- a drop of paint\n",
        encoding="utf-8-sig",
    )
    prompts = PromptSet.load(path)
    aphid, whitefly, fly = prompts.targets
    assert prompts.name == "mixed"
    assert (aphid.pest, aphid.phrasings[0]) == ("aphid", "an aphid")
    assert (whitefly.length_mm, whitefly.looks) == ((1, 1.6), load_catalogue()["trialeurodes-vaporariorum"].looks)
    assert (fly.phrases(), fly.length_mm, fly.pest) == (("a small dark fly",), None, None)
    assert prompts.negative_labels == ("a drop of paint",)


def test_the_file_in_the_documentation_loads(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "prompts.md").read_text(encoding="utf-8")
    path = tmp_path / "documented.yaml"
    path.write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    prompts = PromptSet.load(path)
    assert prompts.labels == ("whitefly", "WFT", "dark gnat")
    assert prompts.targets[1].length_mm == load_catalogue()["frankliniella-occidentalis"].length_mm
    assert prompts.negative_labels == ("a drop of paint", "wire")


def test_no_negatives_field_means_the_default_and_an_empty_one_none(tmp_path: Path) -> None:
    path = tmp_path / "set.yaml"
    path.write_text("targets: [aphid, glue]\n", encoding="utf-8")
    assert set(DEFAULT_NEGATIVES) - set(PromptSet.load(path).negatives) == {
        negative for negative in DEFAULT_NEGATIVES if negative.name == "glue"
    }
    path.write_text("targets: [aphid]\nnegatives: []\n", encoding="utf-8")
    assert PromptSet.load(path).negatives == ()


READY = [path.stem for path in data_files("prompts")]


@pytest.mark.parametrize("name", READY)
def test_every_ready_set_loads_and_is_sound(name: str) -> None:
    prompts = PromptSet.load(name)
    assert check_prompts(prompts) == ()
    assert prompts == PromptSet.load(data_dir("prompts") / f"{name}.yaml")
    assert all(target.length_mm for target in prompts.targets)  # each brings a size as evidence


def test_there_are_ready_sets() -> None:
    assert {"greenhouse", "field", "orchard"} <= set(READY)


def test_names_that_share_a_count_are_told_and_many_of_them_are_capped() -> None:
    near = shared_counts(PromptSet.of("an insect", "insects", "Insect.", "the insect", "insect!"))
    assert len(near) == 1  # one line for all that are alike
    assert all(repr(name) in near[0] for name in ("an insect", "insects", "Insect."))
    rejected = PromptSet.of("an insect", negatives=["insects"])
    assert any("'an insect' and 'insects'" in note for note in shared_counts(rejected))
    assert shared_counts(PromptSet.of("a moth", "a fly", "an aphid")) == ()
    many = capped([str(number) for number in range(500)])
    assert len(many) == MOST_TOLD + 1
    assert many[-1] == "and 490 more like these"
    with pytest.warns(SharedCountWarning, match="share the count") as told:
        warn_of_shared_counts(PromptSet.of(*(f"beetle number{n}" for n in range(100, 140))))
    assert len(told) == 1
    assert len(str(told[0].message).splitlines()) <= MOST_TOLD + 1


def test_checks_find_what_cannot_be_told_apart() -> None:
    notes = "\n".join(check_prompts(PromptSet.of("aphid", "aphids", "a green aphid", "a brown aphid", negatives=())))
    assert "'aphid' and 'aphids' are nearly the same name" in notes
    assert "no negatives" in notes
    assert "green" not in notes
    assert check_prompts(PromptSet.of("a green aphid", "a whitefly")) == ()
