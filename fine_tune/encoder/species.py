"""What the networks that `builtin` learns from know, in the words of the taxonomy: groups, families, orders, names."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

#: The tables of `data/taxonomy`.
TABLES = Path(__file__).parents[2] / "data" / "taxonomy"


@dataclass(frozen=True)
class Place:
    """Where a genus stands: family and order in Latin, group in plain English."""

    family: str
    order: str
    group: str


def _rows(name: str) -> list[dict[str, str]]:
    with (TABLES / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@lru_cache(maxsize=1)
def genera() -> dict[str, Place]:
    """The place of each genus."""
    return {row["genus"]: Place(row["family"], row["order"], row["group"]) for row in _rows("genera.csv")}


@lru_cache(maxsize=1)
def groups() -> dict[str, tuple[str, ...]]:
    """English names of each group, its own first."""
    return {row["group"]: tuple(row["names"].split(";")) for row in _rows("groups.csv")}


@lru_cache(maxsize=1)
def wider_groups() -> dict[str, str]:
    """What people call several groups together, by group."""
    return {row["group"]: row["wider"] for row in _rows("groups.csv")}


@lru_cache(maxsize=1)
def families() -> dict[str, tuple[str, ...]]:
    """English names of families."""
    return {row["family"]: tuple(row["names"].split(";")) for row in _rows("families.csv")}


@lru_cache(maxsize=1)
def orders() -> dict[str, tuple[str, ...]]:
    """English names of orders."""
    return {row["order"]: tuple(row["names"].split(";")) for row in _rows("orders.csv")}


def imagenet_groups() -> dict[int, str]:
    """Group of each class of ImageNet-1k that is an arthropod, by the number of its output."""
    return {int(row["index"]): row["group"] for row in _rows("imagenet.csv")}


@dataclass(frozen=True)
class Species:
    """A class of the teacher: Latin name, English name (or ""), and the place of its genus."""

    latin: str
    english: str
    place: Place


def read_species(names: list[str]) -> list[Species | None]:
    """Read class names such as "Bombus terrestris (Buff-tailed Bumblebee)"; None for a genus that is not known here."""
    species: list[Species | None] = []
    for name in names:
        found = re.match(r"^(?P<latin>[^(]+?)\s*(?:\((?P<english>.*)\))?$", name)
        latin, english = (found["latin"], found["english"] or "") if found else (name, "")
        place = genera().get(latin.split()[0])
        species.append(None if place is None else Species(latin, english.lower(), place))
    return species


def group_of(species: str, group: str) -> str | None:
    """Group of the taxonomy for a named photo: the given one where it is one, else that of the genus."""
    for name in (group, species):
        if name in groups():
            return name
    words = re.findall(r"\w+", species)
    places = [genera()[word] for word in words if word in genera()]
    return places[0].group if places and "larva" not in group and "maggot" not in group else None


def membership(species: list[Species | None], names: list[str]) -> np.ndarray:
    """Which of the groups `names` each class belongs to, shape (classes, groups), float32."""
    index = {name: number for number, name in enumerate(names)}
    table = np.zeros((len(species), len(names)), np.float32)
    for row, one in enumerate(species):
        if one is not None and one.place.group in index:
            table[row, index[one.place.group]] = 1
    return table
