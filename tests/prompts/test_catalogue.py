"""The catalogue: complete, sane, each fact with a source; and prompts in six languages find their pest in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agri_clip.errors import PromptError
from agri_clip.io.yaml_lines import data_files
from agri_clip.prompts import (
    PromptSet,
    PromptWarning,
    Target,
    catalogued_labels,
    load_catalogue,
    matching,
    named_pest,
    resolve,
)
from agri_clip.prompts.catalogue import FACTS, GROUPS, LANGUAGES, Pest, load_sources, read_catalogue_file

PESTS = load_catalogue()


def test_the_catalogue_covers_what_growers_meet() -> None:
    assert len(PESTS) >= 160
    assert sum(pest.is_species for pest in PESTS.values()) >= 120
    assert {pest.group for pest in PESTS.values()} == set(GROUPS)
    assert {pest.group for pest in PESTS.values() if not pest.is_species} == set(GROUPS)
    assert sum(pest.beneficial for pest in PESTS.values()) >= 10
    for language in LANGUAGES:
        assert sum(language in pest.names for pest in PESTS.values()) >= 30, language


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_is_found_by_its_own_name(group: str) -> None:
    target = resolve(group)
    assert target.pest is not None
    assert PESTS[target.pest].group == group
    assert target.length_mm is not None


@pytest.mark.parametrize("pest", PESTS.values(), ids=list(PESTS))
def test_every_entry_is_complete_and_sane(pest: Pest) -> None:
    assert set(pest.sources) >= {"taxonomy", "names", "looks"}
    assert set(pest.sources) <= set(FACTS)
    assert pest.length_mm is None or pest.length_mm[1] <= 10 * pest.length_mm[0] or not pest.is_species
    assert (pest.rank != "species") or (pest.family is not None and pest.scientific.count(" ") in {1, 2})
    assert pest.hosts or pest.beneficial or not pest.is_species
    assert all(len(set(names)) == len(names) for names in (pest.looks, *pest.names.values()))
    assert all(look.startswith(("a ", "an ")) for look in pest.looks)


def test_eppo_codes_are_unique() -> None:
    codes = [pest.eppo for pest in PESTS.values() if pest.eppo]
    assert len(set(codes)) == len(codes) >= 40


def test_no_code_taken_from_memory_passes_for_checked() -> None:
    sources = load_sources()
    for path in data_files("pests"):
        for pest in read_catalogue_file(path):
            for source in (sources[path.stem][key] for key in pest.sources.get("eppo", ())):
                assert source.url is not None
                assert source.checked or "memory" in source.title


def test_species_that_look_alike_differ_in_size_or_words() -> None:
    seen = {}
    for pest in PESTS.values():
        key = (pest.looks, pest.length_mm)
        assert key not in seen, (pest.id, seen[key])
        seen[key] = pest.id


def test_the_page_says_how_much_was_checked() -> None:
    counts = {fact: [0, 0, 0] for fact in FACTS}
    sources = load_sources()
    for path in data_files("pests"):
        for pest in read_catalogue_file(path):
            for fact, keys in pest.sources.items():
                checked = [sources[path.stem][key].checked for key in keys]
                counts[fact][0 if all(checked) else 1 if any(checked) else 2] += 1
    page = (Path(__file__).resolve().parents[2] / "docs" / "prompts.md").read_text(encoding="utf-8")
    for fact, (every, some, none) in counts.items():
        assert f"| {fact} | {every} | {some} | {none} |" in page
    assert f"Of {len(PESTS)} entries" in page


def test_an_installed_copy_finds_its_data(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    package = tmp_path / "agri_clip"
    shutil.copytree(root / "agri_clip" / "prompts", package / "prompts")
    shutil.copytree(root / "agri_clip" / "io", package / "io")
    shutil.copy(root / "agri_clip" / "errors.py", package)
    (package / "__init__.py").touch()  # so that it comes before any installed agri_clip
    shutil.copytree(root / "data" / "pests", package / "_data" / "pests")
    shutil.copytree(root / "data" / "prompts", package / "_data" / "prompts")
    code = "from agri_clip.prompts import PromptSet, load_catalogue as c; print(len(c()), PromptSet.load('field').name)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [str(len(PESTS)), "field"]
    shutil.rmtree(package / "_data")
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "install agri-clip again" in ran.stderr


ENTRY = """\
sources:
  s: {title: A page, url: "https://example.org", checked: true}
pests:
- id: a-pest
  scientific: Aphis exempli
  rank: species
  order: Hemiptera
  family: Aphididae
  group: aphid
  names: {en: [example aphid]}
  looks: [a green insect, a round insect]
  sources: {taxonomy: [s], names: [s], looks: [s]}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("group: aphid", "group: aphids", 9, "pests[0].group: 'aphids' is no group; the groups are: aphid"),
        ("rank: species", "rank: kind", 6, "pests[0].rank"),
        ("names: {en:", "names: {fr:", 4, "names needs an English name"),
        ("names: {en:", "names: {en: [a], xx:", 10, "pests[0].names.xx"),
        ("looks: [a green insect, a round insect]", "looks: [a]", 11, "pests[0].looks"),
        ("looks: [s]}", "looks: [t]}", 12, "pests[0].sources.looks: no source 't'"),
        (", looks: [s]}", "}", 4, "sources lacks looks"),
        ("looks: [s]}", "looks: [s], hosts: [s]}", 4, "sources has hosts, but the entry states no such fact"),
        ("  family:", "  eppo: myzupe\n  family:", 8, "'myzupe' is not of the form of an EPPO code"),
        ("  family:", "  length_mm: [2, 1]\n  family:", 8, "pests[0].length_mm: the shortest"),
        ("id: a-pest", "id: A pest", 4, "pests[0].id"),
        ("https://example.org", "example.org", 2, "sources.s.url: 'example.org' is not a web address"),
        ("https://example.org", "https://example.org/{eppo}", 12, "needs an EPPO code"),
        (', url: "https://example.org"', "", 2, "checked is true but there is no url"),
        ("pests:", "  t: {title: Spare, checked: false}\npests:", 3, "the source 't' is used by no entry"),
    ],
)
def test_a_faulty_entry_is_named_with_its_line(old: str, new: str, line: int, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "pests.yaml"
    path.write_text(ENTRY, encoding="utf-8")
    assert read_catalogue_file(path)[0].english == "example aphid"
    assert ENTRY.count(old) == 1
    path.write_text(ENTRY.replace(old, new), encoding="utf-8")
    with pytest.raises(PromptError) as raised:
        read_catalogue_file(path)
    assert str(raised.value).startswith(f"{path}:{line}: "), raised.value
    assert expected in str(raised.value)


BARE = {
    "whitefly": """whitefly | a whitefly | Whiteflies | white flies | white-fly | mosca blanca | las moscas blancas
        une mouche blanche | mouches blanches | Weiße Fliege | weisse fliegen | 白粉虱 | 一只粉虱 | सफेद मक्खी
        सफ़ेद मक्खियाँ | Aleyrodidae | a photo of whiteflies | aleurodes""",
    "aphid": """an aphid | APHIDS | greenflies | pulgón | pulgon | pulgones | des pucerons | Blattläuse | 蚜虫 | माहू""",
    "thrips": "thrips | a thrips | trips | 蓟马 | थ्रिप्स | Fransenflügler | thrip",
    "myzus-persicae": """green peach aphids | Myzus persicae | myzus persicae | 绿桃蚜 | 桃蚜 | puceron vert du pêcher
        pucerons verts du pecher | Grüne Pfirsichblattläuse | pulgón verde del melocotonero""",
    "frankliniella-occidentalis": """western flower thrips | 西花蓟马 | Kalifornischer Blütenthrips
        thrips californien | trips occidental de las flores | Frankliniella occidentalis""",
    "bemisia-tabaci": """silverleaf whiteflies | 烟粉虱 | Bemisia tabaci | Bemisia argentifolii
        aleurode du tabac | Bemisia tabaci adults""",
    "leptinotarsa-decemlineata": "Colorado potato beetle | doryphores | Kartoffelkäfer | escarabajo de la patata",
    "tuta-absoluta": "tomato leafminer | tomato leaf miners | Tuta absoluta | polillas del tomate | 番茄潜叶蛾",
    "tetranychus-urticae": "two-spotted spider mites | 二斑叶螨 | araña roja | Gemeine Spinnmilben",
    "ladybird-larva": "a ladybird larva | ladybird larvae | ladybug larvae | larves de coccinelles | Marienkäferlarven",
    "crane-fly": "a crane fly | daddy longlegs | 大蚊 | Schnaken",
    "midge": "midges | gall midges | 瘿蚊 | Gallmücken",
    "aphidoletes-aphidimyza": "an aphid midge | Aphidoletes aphidimyza | 食蚜瘿蚊",
    "chafer": "chafers | scarab beetles | 金龟子 | hannetons",
    "popillia-japonica": "Japanese beetles | 日本金龟子 | Japankäfer",
    "nilaparvata-lugens": "brown planthoppers | 褐飞虱 | भूरा माहू",
    "scale-insect": "scale insects | 介壳虫 | cochenilles | Schildläuse | शल्क कीट",
    "earwig": "an earwig | earwigs | tijeretas | perce-oreilles | Ohrwürmer",
    "spider": "a spider | arañas | 蜘蛛 | मकड़ी | Spinnen | araignées",
    "ladybird": "ladybug | ladybirds | lady beetles | mariquitas | coccinelles | Marienkäfer | 瓢虫",
    "grasshopper": "टिड्डे | saltamontes | Heuschrecken | 蝗虫",
    "fungus-gnat": "fungus gnats | sciarids | Trauermücken | sciarides",
    "hoverfly": "hoverfly | hover flies | 食蚜蝇 | Schwebfliegen | syrphes",
    "caterpillar": "caterpillars | moth larvae | orugas | chenilles | Raupen | सुंडी",
    "helicoverpa-armigera": "चना फली भेदक | 棉铃虫 | 棉铃虫成虫 | cotton bollworms | noctuelle de la tomate",
    "drosophila-suzukii": "spotted wing drosophila | Kirschessigfliegen | drosophiles à ailes tachetées | 斑翅果蝇",
}


def listed(text: str) -> list[str]:
    return [part.strip() for line in text.splitlines() for part in line.split("|")]


@pytest.mark.parametrize(("pest", "sentence"), [(pest, s) for pest, some in BARE.items() for s in listed(some)])
def test_a_bare_name_takes_words_looks_and_size(pest: str, sentence: str) -> None:
    target = resolve(sentence)
    entry = PESTS[pest]
    assert target.name == sentence
    assert target.pest == pest
    assert target.length_mm == entry.length_mm
    assert target.looks == entry.looks
    assert any(entry.english in phrase for phrase in target.phrasings)


DESCRIBED = {
    "a green aphid": "aphid",
    "aphids on a leaf": "aphid",
    "a winged black aphid sitting on a leaf": "aphid",
    "a garden aphid": "aphid",
    "a whitefly with folded wings": "whitefly",
    "a brown moth": "moth",
    "a black and yellow wasp": "wasp",
    "a dead western flower thrips": "frankliniella-occidentalis",
    "a black ladybird larva": "ladybird-larva",
    "a red ant": "ant",
    "a green leafhopper": "leafhopper",
}


@pytest.mark.parametrize(("sentence", "pest"), DESCRIBED.items())
def test_a_described_pest_stays_the_sentence_and_takes_the_size(sentence: str, pest: str) -> None:
    target = resolve(sentence)
    assert (target.pest, target.phrases()) == (pest, (sentence,))
    assert target.length_mm == PESTS[pest].length_mm


def test_a_description_in_another_language_has_the_english_name_beside_it() -> None:
    assert resolve("un pulgón negro").phrases() == ("un pulgón negro", "an aphid")
    assert resolve("叶子上的蚜虫").phrases() == ("叶子上的蚜虫", "an aphid")
    assert resolve("une mouche blanche sur une feuille").length_mm == PESTS["whitefly"].length_mm


@pytest.mark.parametrize(
    "sentence",
    listed(
        """a whitefly nymph | aphid eggs | a leaf beetle larva | 白粉虱若虫
        a tiny wasp | a large fly | a gall wasp | a robber fly"""
    ),
)
def test_another_stage_or_kind_does_not_take_the_adult_size(sentence: str) -> None:
    target = resolve(sentence)
    assert target.pest is not None
    assert target.length_mm is None
    assert target.looks == ()


@pytest.mark.parametrize(
    "sentence",
    listed(
        """an insect | any insect | a bug | insects | an aphid trap | thrips damage on a leaf
        a leaf covered with aphids | aphids and thrips | 蚜虫的天敌
        a small dark thing | glue | the | a black dot"""
    ),
)
def test_any_other_sentence_is_used_as_it_is(sentence: str) -> None:
    target = resolve(sentence)
    assert (target.pest, target.length_mm, target.looks) == (None, None, ())
    assert target.phrases() in {(sentence,), (f"a {sentence}",)}


@given(st.text(min_size=1, max_size=60))
def test_any_text_makes_a_target_or_a_clear_error(text: str) -> None:
    try:
        target = resolve(text)
    except PromptError:
        return
    assert isinstance(target, Target)
    assert target.phrases()


def test_every_catalogued_name_finds_an_entry_that_bears_it() -> None:
    for pest in PESTS.values():
        for name in (pest.scientific, *(name for names in pest.names.values() for name in names)):
            if "(" in name or " and " in name:
                continue  # a label for a mixed group, not a name
            found = resolve(name)
            assert found.pest is not None, name
            other = PESTS[found.pest]
            assert found.pest == pest.id or name in {n for names in other.names.values() for n in names}, (
                name,
                other.id,
            )


def test_a_name_of_two_species_is_taken_as_the_first_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = PESTS["myzus-persicae"].model_dump() | {"names": {"en": ("shared louse",)}}
    twins = {f"pest-{letter}": Pest.model_validate(entry | {"id": f"pest-{letter}"}) for letter in "ba"}
    matching._index.cache_clear()
    monkeypatch.setattr(matching, "load_catalogue", lambda: twins)
    with pytest.warns(PromptWarning, match="may mean"):
        assert resolve("shared louse").pest == "pest-a"
    group = Pest.model_validate(entry | {"id": "the-group", "rank": "group"})
    matching._index.cache_clear()
    monkeypatch.setattr(matching, "load_catalogue", lambda: twins | {"the-group": group})
    assert resolve("shared louse").pest == "the-group"
    matching._index.cache_clear()


@pytest.mark.parametrize(
    ("label", "pest"),
    [
        ("whitefly", "whitefly"),
        ("The Whiteflies", "whitefly"),
        ("mosca blanca", "whitefly"),
        ("weiße Fliege", "whitefly"),
        ("सफेद मक्खी", "whitefly"),
        ("粉虱", "whitefly"),
        ("Trialeurodes vaporariorum", "trialeurodes-vaporariorum"),
        ("blackfly", "aphid"),
        ("a black fly", None),
        ("a small black fly with long legs", None),
        ("a green aphid", None),
        ("a whitefly nymph", None),
        ("an insect", None),
        ("", None),
        ("\ud800=1+1\n", None),
    ],
)
def test_only_a_name_and_nothing_more_names_a_pest(label: str, pest: str | None) -> None:
    named = named_pest(label)
    assert (named and named.id) == pest


def test_every_entry_is_named_by_its_scientific_name() -> None:
    for pest in PESTS.values():
        named = named_pest(pest.scientific)
        assert named is not None
        assert named.scientific == pest.scientific


def test_a_name_of_two_species_names_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = PESTS["myzus-persicae"].model_dump() | {"names": {"en": ("shared louse",)}}
    twins = {f"pest-{letter}": Pest.model_validate(entry | {"id": f"pest-{letter}"}) for letter in "ab"}
    group = Pest.model_validate(entry | {"id": "the-group", "rank": "group"})
    try:
        for pests, expected in ((twins, None), (twins | {"the-group": group}, "the-group")):
            monkeypatch.setattr(matching, "load_catalogue", lambda pests=pests: pests)
            matching._whole_names.cache_clear()
            named_pest.cache_clear()
            named = named_pest("shared louse")
            assert (named and named.id) == expected
    finally:
        matching._whole_names.cache_clear()
        named_pest.cache_clear()


def test_labels_to_which_a_file_gives_a_pest_are_told(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "targets:\n- {name: WF, pest: whitefly}\n- {name: aphid, pest: thrips}\n- {name: moth, pest: moth}\n"
        "- a black fly\n- a green aphid\n- {name: a thing, looks: [a round brown thing]}\n",
        encoding="utf-8",
    )
    assert catalogued_labels(PromptSet.load(path)) == {"WF": "whitefly", "aphid": "thrips"}
