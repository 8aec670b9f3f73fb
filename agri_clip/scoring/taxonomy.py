"""The taxonomy: species, families, groups and orders, and which of them lie in which. Step 4 names insects by it.

A *group* is what people call an animal when they do not know its species: "leaf beetle", "moth". Some groups are wider
than a family, some are narrower, so the ranks are no strict tree; each taxon is a set of *leaves* instead. A leaf is
the finest thing that a picture can be given: a species, or "a family or group, and none of its species named here".
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from agri_clip.errors import DataError
from agri_clip.io.yaml_lines import data_dir
from agri_clip.prompts.catalogue import GROUPS, Pest, load_catalogue
from agri_clip.prompts.templates import with_article

Rank = Literal["species", "family", "group", "order"]
Level = Literal["species", "family", "group", "wide family", "order"]

#: From the finest to the widest. A family that spans several groups, as Curculionidae spans weevils and bark beetles,
#: says less than a group does.
LEVELS: tuple[Level, ...] = ("species", "family", "group", "wide family", "order")


@dataclass(frozen=True)
class Taxon:
    """A species, family, group or order.

    Attributes
    ----------
    rank : {"species", "family", "group", "order"}
    level : Level
        How much a name of this taxon says; one of `LEVELS`.
    latin : str
        Scientific name; empty for a group that has none of its own, such as moths.
    names : mapping of str to tuple of str
        Common names by language code, the usual one first; English is always there.
    order, family, group
        What it lies in: a Latin name, a Latin name and the name of a group; None where it spans several.
    phrases : tuple of str
        What is encoded as text for the taxon's own leaf; empty where it has no leaf.
    """

    rank: Rank
    level: Level
    latin: str
    names: Mapping[str, tuple[str, ...]]
    order: str
    family: str | None = None
    group: str | None = None
    phrases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The usual English name, without article."""
        return self.names["en"][0]

    def name_in(self, language: str) -> str:
        """The usual name in a language; where it has none there, the scientific name, or else the English one."""
        own = self.names.get(language)
        return own[0] if own else self.latin or self.name


@dataclass(frozen=True)
class Taxonomy:
    """Taxa over leaves.

    Attributes
    ----------
    taxa : tuple of n Taxon
        The finest level first.
    leaves : tuple of m int
        The taxon that each leaf belongs to most closely.
    members : ndarray, shape (n, m), bool
        Which leaves lie in which taxon. No two taxa have the same leaves: an order with one group is that group.
    """

    taxa: tuple[Taxon, ...]
    leaves: tuple[int, ...]
    members: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return len(self.taxa)

    @property
    def leaf_taxa(self) -> tuple[Taxon, ...]:
        """The taxon of each leaf."""
        return tuple(self.taxa[i] for i in self.leaves)

    @property
    def phrases(self) -> tuple[tuple[str, ...], ...]:
        """For each leaf, the phrases that are encoded."""
        return tuple(taxon.phrases for taxon in self.leaf_taxa)

    def at_level(self, level: Level) -> np.ndarray:
        """Indices of the taxa of one level, shape (k,), int64."""
        return np.flatnonzero([taxon.level == level for taxon in self.taxa])

    def find(self, name: str, rank: Rank | None = None) -> int | None:
        """The taxon of an English or scientific name; None where there is none of that rank."""
        wanted = name.casefold()
        for i, taxon in enumerate(self.taxa):
            if rank in (None, taxon.rank) and wanted in (
                taxon.latin.casefold(),
                *(english.casefold() for english in taxon.names["en"]),
            ):
                return i
        return None

    def groups_of(self, index: int) -> tuple[str, ...]:
        """The groups that a taxon spans, in the order of the taxonomy."""
        leaves = np.flatnonzero(self.members[index])
        return tuple(dict.fromkeys(str(self.taxa[self.leaves[leaf]].group) for leaf in leaves))

    def restricted(self, keep: Callable[[Sequence[str]], Sequence[str]]) -> Taxonomy:
        """The taxonomy of an encoder that knows only some words.

        Parameters
        ----------
        keep : callable
            From the phrases of a leaf to those of them that are known; a leaf without any goes.
        """
        known = [tuple(keep(phrases)) for phrases in self.phrases]
        stay = [leaf for leaf, phrases in enumerate(known) if phrases]
        members = self.members[:, stay]
        # A group that is the only one left of its order stays a finer name than the order: both are kept.
        left = np.flatnonzero(members.any(axis=1))
        number = {index: n for n, index in enumerate(left.tolist())}
        taxa = [self.taxa[index] for index in left]
        leaves = []
        for leaf in stay:
            leaves.append(number[self.leaves[leaf]])
            taxa[leaves[-1]] = replace(taxa[leaves[-1]], phrases=known[leaf])
        return Taxonomy(tuple(taxa), tuple(leaves), np.ascontiguousarray(members[left]))


def leaf_weights(taxonomy: Taxonomy, species: float, family: float, further: float) -> np.ndarray:
    """How likely each leaf is before looking.

    Groups are equally likely, save that those outside the pest catalogue count less. Within a group, its species share
    one part, its families another, and the rest is for the group itself.

    Parameters
    ----------
    taxonomy : Taxonomy
    species, family : float
        Parts of a group for its named species and its families, 0 to 1; they go to the group itself where it has none.
    further : float
        Weight of a group outside the catalogue against one of the catalogue.

    Returns
    -------
    ndarray, shape (leaves,), float64
        Sums to 1.

    Raises
    ------
    ValueError
        A part is out of range.
    """
    if min(species, family, further) < 0 or species + family >= 1:
        raise ValueError(
            f"shares {species} and {family} must be 0 or more and below 1 together, and {further} 0 or more"
        )
    shares = {"species": species, "family": family}
    weights = np.zeros(len(taxonomy.leaves))
    leaves = taxonomy.leaf_taxa
    by_group: dict[str, dict[str, list[int]]] = {}
    for i, taxon in enumerate(leaves):
        by_group.setdefault(str(taxon.group), {}).setdefault(taxon.rank, []).append(i)
    for group, parts in by_group.items():
        weight = 1.0 if group in GROUPS else further
        present = {rank: shares.get(rank, 0.0) for rank in parts}
        # What no rank takes is the group's own; where its own name is not known, the others share all of it.
        present["group"] = 1 - sum(present.values()) if "group" in parts else 0.0
        total = sum(present.values())
        for rank, members in parts.items():
            share = present[rank] / total if total else 1 / len(parts)
            weights[members] = weight * share / len(members)
    total = weights.sum()
    return weights / total if total else np.full(len(leaves), 1 / max(len(leaves), 1))


@lru_cache(maxsize=1)
def load_taxonomy() -> Taxonomy:
    """The taxonomy that ships with the package: `data/taxonomy`, and the species and names of the pest catalogue.

    Raises
    ------
    DataError
        A file is missing or damaged, or the files do not fit together.
    """
    genera = {row["genus"]: row for row in read_table("genera")}
    groups = {row["group"]: row for row in read_table("groups")}
    orders = {row["order"]: _listed(row["names"]) for row in read_table("orders")}
    families = {row["family"]: _listed(row["names"]) for row in read_table("families")}
    for genus, row in genera.items():
        if row["group"] not in groups or groups[row["group"]]["order"] != row["order"]:
            raise DataError(f"genera.csv: {genus}: no group {row['group']!r} of the order {row['order']} in groups.csv")
    species = _species(genera)
    catalogued = _catalogued_names()
    of_group: dict[str, list[str]] = {name: _listed(row["families"]) for name, row in groups.items()}
    in_groups = Counter(family for some in of_group.values() for family in some)
    taxa: list[Taxon] = []
    inside: list[tuple[str, str | None, str]] = []  # order, family and group of each leaf
    for latin, names in species.items():
        place = genera[latin.split()[0]]
        where = place["order"], place["family"], place["group"]
        inside.append(where)
        taxa.append(_taxon("species", latin, names, *where))
    for group, row in groups.items():
        few = of_group[group]
        for family in few if len(few) > 1 else ():
            if in_groups[family] == 1:
                inside.append((row["order"], family, group))
                taxa.append(_taxon("family", family, {"en": _family_names(family, families, group)}, *inside[-1]))
        own = row["order"], few[0] if len(few) == 1 else None, group
        inside.append(own)
        names = {"en": tuple(_listed(row["names"]))} | catalogued.get(group, {})
        taxa.append(_taxon("group", "", names, *own))
    return _assemble(*_with_wider(taxa, inside, of_group, families, orders))


def _with_wider(
    taxa: list[Taxon],
    inside: Sequence[tuple[str, str | None, str]],
    of_group: Mapping[str, Sequence[str]],
    families: Mapping[str, Sequence[str]],
    orders: Mapping[str, Sequence[str]],
) -> tuple[list[Taxon], list[int], np.ndarray]:
    """The taxa that have leaves of their own, then wide families and orders; the leaves; the members of all."""
    order_of, family_of, group_of = (np.array([str(place[k]) for place in inside]) for k in range(3))
    members = np.eye(len(taxa), dtype=bool)
    for i, taxon in enumerate(taxa):
        if taxon.rank == "group":
            members[i] = group_of == taxon.group
        elif taxon.rank == "family":
            members[i] = family_of == taxon.family
    # A family that shares a group with others has no complete set of leaves, so it is left out.
    mixed = {family for some in of_group.values() if len(some) > 1 for family in some}
    wide = [family for family in dict.fromkeys(family_of.tolist()) if family != "None" and family not in mixed]
    rows = [family_of == family for family in wide]
    wider = [
        Taxon(
            "family",
            "wide family",
            family,
            {"en": _family_names(family, families, "")},
            str(order_of[row][0]),
            family,
        )
        for family, row in zip(wide, rows, strict=True)
    ]
    catalogued = _catalogued_names()
    for order, listed in orders.items():
        wider.append(Taxon("order", "order", order, {"en": tuple(listed)} | catalogued.get(order, {}), order))
        rows.append(order_of == order)
    return [*taxa, *wider], list(range(len(taxa))), np.concatenate([members, np.array(rows)])


def read_table(name: str) -> list[dict[str, str]]:
    """The rows of one file of `data/taxonomy`, by its stem.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    path = data_dir("taxonomy") / f"{name}.csv"
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}); install agri-clip again") from error


def _assemble(taxa: Sequence[Taxon], leaves: Sequence[int], members: np.ndarray) -> Taxonomy:
    """Taxa by level, and one of those that have the same leaves: the most usual name.

    Who is sure of an order is sure of its only group, so that group counts as an order.
    """
    spoken: dict[Rank, int] = {"group": 0, "species": 1, "family": 2, "order": 3}
    alike: dict[bytes, list[int]] = {}
    for i in range(len(taxa)):
        if members[i].any():
            alike.setdefault(np.packbits(members[i]).tobytes(), []).append(i)
    chosen: dict[int, Taxon] = {}
    place: dict[int, int] = {}
    for same in alike.values():
        best = min(same, key=lambda i: spoken[taxa[i].rank])
        chosen[best] = replace(
            taxa[best],
            level="order" if any(taxa[i].rank == "order" for i in same) else taxa[best].level,
            latin=next((taxa[i].latin for i in [best, *same[::-1]] if taxa[i].latin), ""),
        )
        place |= dict.fromkeys(same, best)
    order = sorted(chosen, key=lambda i: (LEVELS.index(chosen[i].level), i))
    number = {i: n for n, i in enumerate(order)}
    return Taxonomy(
        tuple(chosen[i] for i in order), tuple(number[place[i]] for i in leaves), np.ascontiguousarray(members[order])
    )


def _taxon(
    rank: Rank, latin: str, names: Mapping[str, tuple[str, ...]], order: str, family: str | None, group: str
) -> Taxon:
    """A taxon with a leaf of its own; scientific names are encoded too."""
    level: Level = rank
    phrases = [with_article(name) for name in names["en"]]
    if latin:
        phrases.append(latin)
    return Taxon(rank, level, latin, names, order, family, group, tuple(dict.fromkeys(phrases)))


def _species(genera: Mapping[str, object]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Names by language of each species: those of the catalogue, then those that people photograph."""
    known: dict[str, dict[str, tuple[str, ...]]] = {}
    for pest in load_catalogue().values():
        # A species that the catalogue describes as a larva has its own group: its genus is that of the adult.
        if pest.is_species and pest.scientific.split()[0] in genera and pest.stage != "larva":
            known[pest.scientific] = {language: tuple(names) for language, names in pest.names.items()}
    for row in read_table("species"):
        known.setdefault(row["species"], {"en": (row["name"] or row["species"],)})
    return known


def _catalogued_names() -> dict[str, dict[str, tuple[str, ...]]]:
    """Names of groups and orders in other languages than English, from the catalogue's own entries of them."""
    names: dict[str, dict[str, tuple[str, ...]]] = {}
    for pest in load_catalogue().values():
        if pest.is_species:
            continue
        others = {str(language): tuple(some) for language, some in pest.names.items() if language != "en"}
        if pest.english == pest.group:
            names[pest.group] = others
        if pest.scientific == pest.order:
            names[pest.order] = others
    return names


def _family_names(family: str, names: Mapping[str, Sequence[str]], group: str) -> tuple[str, ...]:
    """English names of a family; one that has none is called by its Latin name, as in "tineid moth"."""
    plain = f"{family.removesuffix('ae').lower()} {group}".strip()
    return tuple(names.get(family, (plain,)))


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def pest_of(taxon: Taxon) -> Pest | None:
    """The catalogue's entry for a species or group; None where it has none."""
    pests: Iterable[Pest] = load_catalogue().values()
    if taxon.rank == "species":
        return next((pest for pest in pests if pest.scientific == taxon.latin), None)
    return next((pest for pest in pests if not pest.is_species and pest.english == taxon.name), None)
