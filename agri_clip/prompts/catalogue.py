"""The pest catalogue: what growers meet, by name, size and looks, each fact with its source; part of step 3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from agri_clip.errors import PromptError
from agri_clip.io.yaml_lines import LinedYaml, data_files, read_lined_yaml, validate_lined
from agri_clip.prompts.base import LengthRange, Phrase

GROUPS: tuple[str, ...] = (
    "aphid",
    "whitefly",
    "thrips",
    "fungus gnat",
    "leafminer fly",
    "fruit fly",
    "house fly",
    "hoverfly",
    "mosquito",
    "psyllid",
    "leafhopper",
    "plant bug",
    "stink bug",
    "mealybug",
    "mite",
    "moth",
    "butterfly",
    "caterpillar",
    "ladybird",
    "leaf beetle",
    "flea beetle",
    "weevil",
    "lacewing",
    "parasitoid wasp",
    "wasp",
    "bee",
    "ant",
    "spider",
    "grasshopper",
    "earwig",
    "planthopper",
    "scale insect",
    "springtail",
    "crane fly",
    "midge",
    "click beetle",
    "ground beetle",
    "rove beetle",
    "chafer",
    "bark beetle",
    "cicada",
    "sawfly",
    "ladybird larva",
    "lacewing larva",
    "booklouse",
)
"""Looks that a picture tells apart; every entry belongs to one."""

LANGUAGES: dict[str, str] = {
    "en": "English",
    "zh": "Chinese",
    "es": "Spanish",
    "fr": "French",
    "de": "German",
    "hi": "Hindi",
}

FACTS: tuple[str, ...] = ("taxonomy", "eppo", "names", "length_mm", "looks", "hosts")
"""The facts of an entry that need a source each."""


def _eppo_code(code: str) -> str:
    if not re.fullmatch(r"1[A-Z0-9]{4,5}|[A-Z]{5}[A-Z0-9]?", code):
        raise ValueError(f"{code!r} is not of the form of an EPPO code: six letters, or 1 and five letters or digits")
    return code


def _group(name: str) -> str:
    if name not in GROUPS:
        raise ValueError(f"{name!r} is no group; the groups are: {', '.join(GROUPS)}")
    return name


def _web_address(url: str) -> str:
    if not re.fullmatch(r"https?://\S+", url):
        raise ValueError(f"{url!r} is not a web address; it must begin with https:// or http://")
    return url


def _identifier(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f"{name!r} must be lower-case letters and digits joined by hyphens")
    return name


Identifier = Annotated[str, AfterValidator(_identifier)]
_STRICT = ConfigDict(frozen=True, extra="forbid")


class Source(BaseModel):
    """Where a fact comes from.

    Attributes
    ----------
    title : str
        The page or work.
    url : str or None
        Its address; `{eppo}` stands for the entry's EPPO code. None only where nothing was looked up.
    checked : bool
        True where a copy of the page was read while the entry was written; False where the fact stands from general
        knowledge of the work and awaits a check.
    """

    model_config = _STRICT

    title: Phrase
    url: Annotated[str, AfterValidator(_web_address)] | None = None
    checked: bool

    @model_validator(mode="after")
    def _what_was_checked_has_an_address(self) -> Self:
        if self.checked and self.url is None:
            raise ValueError("checked is true but there is no url; give the address of what was read")
        return self


class Pest(BaseModel):
    """One species or group of the catalogue; pests and beneficials alike.

    Attributes
    ----------
    id : str
        Lower-case, with hyphens; what `pest:` in a prompt set names.
    scientific : str
        Accepted scientific name, or that of the taxon for a group.
    synonyms : tuple of str
        Other scientific names in use.
    rank : str
        `group` for an informal or composite one.
    eppo : str or None
        EPPO code; None where none could be established.
    order, family : str
        Taxonomy; family is None for a group that spans several.
    group : str
        One of `GROUPS`.
    names : dict of language to tuple of str
        Common names, singular; English is always there, the first is the usual one.
    stage : str
        The stage that `length_mm` and `looks` describe.
    length_mm : (float, float) or None
        Body length in millimetres.
    looks : tuple of str
        Noun phrases for what a picture shows.
    hosts : tuple of str
        Crops; empty for a group and for beneficials.
    beneficial : bool
        True for natural enemies and pollinators.
    note : str or None
        What a user must know, such as an ambiguous name.
    sources : dict of fact to tuple of str
        Keys of the file's sources, for each of `FACTS` that the entry states.
    """

    model_config = _STRICT

    id: Identifier
    scientific: Phrase
    synonyms: tuple[Phrase, ...] = ()
    rank: Literal["species", "genus", "family", "superfamily", "order", "group"]
    eppo: Annotated[str, AfterValidator(_eppo_code)] | None = None
    order: Phrase
    family: Phrase | None = None
    group: Annotated[str, AfterValidator(_group)]
    names: dict[Literal["en", "zh", "es", "fr", "de", "hi"], Annotated[tuple[Phrase, ...], Field(min_length=1)]]
    stage: Literal["adult", "adult female", "adult or nymph", "larva", "nymph"] = "adult"
    length_mm: LengthRange | None = None
    looks: Annotated[tuple[Phrase, ...], Field(min_length=2, max_length=6)]
    hosts: tuple[Phrase, ...] = ()
    beneficial: bool = False
    note: Phrase | None = None
    sources: dict[
        Literal["taxonomy", "eppo", "names", "length_mm", "looks", "hosts"],
        Annotated[tuple[Identifier, ...], Field(min_length=1)],
    ]

    @model_validator(mode="after")
    def _every_fact_has_a_source(self) -> Self:
        if "en" not in self.names:
            raise ValueError("names needs an English name (en)")
        stated = {"taxonomy", "names", "looks"} | {
            fact for fact in ("eppo", "length_mm", "hosts") if getattr(self, fact) not in (None, ())
        }
        if missing := sorted(stated - set(self.sources)):
            raise ValueError(f"sources lacks {', '.join(missing)}; name a source for each fact")
        if spare := sorted(set(self.sources) - stated):
            raise ValueError(f"sources has {', '.join(spare)}, but the entry states no such fact")
        return self

    @property
    def is_species(self) -> bool:
        """False for genera, families and informal groups, whose ranges are wide."""
        return self.rank == "species"

    @property
    def english(self) -> str:
        """The usual English name, without article."""
        return self.names["en"][0]


class _CatalogueFile(BaseModel):
    """One file of `data/pests`."""

    model_config = _STRICT

    sources: dict[Identifier, Source]
    pests: tuple[Pest, ...]


@lru_cache(maxsize=1)
def load_catalogue() -> Mapping[str, Pest]:
    """The catalogue that ships with the package, by id.

    Returns
    -------
    mapping of str to Pest
        In the order of the files; read once and kept.

    Raises
    ------
    PromptError
        A file is faulty or an id is there twice; with file, line and field.
    """
    pests: dict[str, Pest] = {}
    for path in data_files("pests"):
        for lined, index, pest in _read_file(path):
            if pest.id in pests:
                raise lined.error(("pests", index, "id"), f"{pest.id!r} is there already; ids are unique")
            pests[pest.id] = pest
    return MappingProxyType(pests)


def load_sources() -> Mapping[str, Mapping[str, Source]]:
    """The sources of every catalogue file: file stem to source key to `Source`."""
    return {
        path.stem: validate_lined(_CatalogueFile, lined := read_lined_yaml(path), lined.value).sources
        for path in data_files("pests")
    }


def read_catalogue_file(path: Path | str) -> tuple[Pest, ...]:
    """Read and validate one catalogue file.

    Raises
    ------
    PromptError
        One line per fault: file, line, field, remedy.
    """
    return tuple(pest for _, _, pest in _read_file(Path(path)))


def _read_file(path: Path) -> list[tuple[LinedYaml, int, Pest]]:
    lined = read_lined_yaml(path)
    file = validate_lined(_CatalogueFile, lined, lined.value)
    used: set[str] = set()
    for index, pest in enumerate(file.pests):
        for fact, keys in pest.sources.items():
            used.update(keys)
            if unknown := sorted(set(keys) - set(file.sources)):
                raise lined.error(
                    ("pests", index, "sources", fact),
                    f"no source {', '.join(map(repr, unknown))} at the top of this file; add it under 'sources:'",
                )
            if pest.eppo is None and any("{eppo}" in (file.sources[key].url or "") for key in keys):
                raise lined.error(
                    ("pests", index, "sources", fact), "the source's address needs an EPPO code, and the entry has none"
                )
    if spare := sorted(set(file.sources) - used):
        raise PromptError(lined.message(("sources", spare[0]), f"the source {spare[0]!r} is used by no entry"))
    return [(lined, index, pest) for index, pest in enumerate(file.pests)]
