"""What the page offers to look for: the catalogue, searched by any name in any of its languages, and ready sets."""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from functools import lru_cache

from agri_clip.io.yaml_lines import data_files
from agri_clip.prompts import PromptSet, load_catalogue

#: Stands for the set that the visitor made under "Pests".
OWN_SET = "own"

#: Between the names of one pest in a list.
SEPARATOR = " · "


@lru_cache(maxsize=1)
def pest_choices() -> list[tuple[str, str]]:
    """Pairs of what a list shows, with all names of a pest, and what a prompt takes: its usual English name.

    The browser lists, in this order, every entry that holds what was typed, and the key Enter takes the first. So a
    pest stands before all others that hold one of its names ("whitefly" before "cabbage whitefly"); beyond that the
    pests of the ready sets come first, then groups, then species.
    """
    names: dict[str, dict[str, None]] = {}
    rank: dict[str, tuple[bool, bool, str]] = {}
    common = {target.pest for name in ready_sets() for target in PromptSet.load(name).targets}
    for pest in load_catalogue().values():
        own = names.setdefault(pest.english, {})
        own.update(dict.fromkeys([*(name for words in pest.names.values() for name in words), pest.scientific]))
        order = (pest.id not in common, pest.is_species, pest.english.casefold())
        rank[pest.english] = min(order, rank.get(pest.english, order))
    return [(SEPARATOR.join(names[name]), name) for name in _contained_first(names, rank)]


def _contained_first(names: dict[str, dict[str, None]], rank: dict[str, tuple[bool, bool, str]]) -> Sequence[str]:
    """Order entries by rank, but none before one whose name stands inside a name of its own.

    Two entries may hold each other's names: "chafer beetle" holds "beetle", whose Spanish name "escarabajo" holds
    "scarab". The stronger of two such pairs decides (`_held_names`).
    """
    before: dict[str, set[str]] = {entry: set() for entry in names}
    for _, first, second in sorted(_held_names(names)):
        if not _stands_before(second, first, before):
            before[second].add(first)
    waits = {entry: len(others) for entry, others in before.items()}
    ready = [(rank[entry], entry) for entry, count in waits.items() if not count]
    heapq.heapify(ready)
    ordered = []
    while ready:
        _, entry = heapq.heappop(ready)
        ordered.append(entry)
        for other, others in before.items():
            if entry in others:
                waits[other] -= 1
                if not waits[other]:
                    heapq.heappush(ready, (rank[other], other))
    return ordered


def _held_names(names: dict[str, dict[str, None]]) -> list[tuple[int, str, str]]:
    """Return triples of a weakness, an entry, and another entry of which a longer name holds one of its names.

    The weakness is 0 where the usual English name is a whole word there, 1 where another name is, and 2 for a name
    that is a part of a word.
    """
    folded = {entry: [name.casefold() for name in own] for entry, own in names.items()}
    texts = {entry: SEPARATOR.join(own) for entry, own in folded.items()}
    held = []
    for entry, own in folded.items():
        for other, text in texts.items():
            inside = [name for name in own if name in text and name not in folded[other]]
            if other == entry or not inside:
                continue
            words = [name for name in inside if re.search(rf"\b{re.escape(name)}\b", text)]
            held.append((2 - bool(words) - (own[0] in words), entry, other))
    return held


def _stands_before(entry: str, other: str, before: dict[str, set[str]]) -> bool:
    """Whether an entry has to stand before another, directly or by way of others."""
    seen: set[str] = set()
    left = [other]
    while left:
        at = left.pop()
        if at == entry:
            return True
        if at not in seen:
            seen.add(at)
            left += before[at]
    return False


def ready_sets() -> list[str]:
    """Names of the prompt sets that ship."""
    return [file.stem for file in data_files("prompts")]
