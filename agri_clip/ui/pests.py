"""What the page offers to look for: the catalogue, searched by any name in any of its languages, and ready sets."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from functools import lru_cache

from agri_clip.prompts import PromptSet, load_catalogue
from agri_clip.prompts._files import data_files

#: Stands for the set that the visitor made under "Pests".
OWN_SET = "own"


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
    return [(" · ".join(names[name]), name) for name in _contained_first(names, rank)]


def _contained_first(names: dict[str, dict[str, None]], rank: dict[str, tuple[bool, bool, str]]) -> Sequence[str]:
    """Entries in the order of their rank, but none before one whose name stands inside a name of its own."""
    texts = {entry: " · ".join(own).casefold() for entry, own in names.items()}
    after: dict[str, list[str]] = {entry: [] for entry in names}
    waits = dict.fromkeys(names, 0)
    for entry, own in names.items():
        folded = [name.casefold() for name in own]
        for other, text in texts.items():
            if other != entry and any(name in text for name in folded):
                after[entry].append(other)
                waits[other] += 1
    ready = [(rank[entry], entry) for entry, count in waits.items() if not count]
    heapq.heapify(ready)
    ordered: dict[str, None] = {}
    while len(ordered) < len(names):
        if not ready:  # some hold each other's names: the one that waits for fewest goes first
            first = min((waits[entry], rank[entry], entry) for entry in names if entry not in ordered)
            heapq.heappush(ready, first[1:])
        _, entry = heapq.heappop(ready)
        if entry in ordered:
            continue
        ordered[entry] = None
        for other in after[entry]:
            waits[other] -= 1
            if not waits[other]:
                heapq.heappush(ready, (rank[other], other))
    return list(ordered)


def ready_sets() -> list[str]:
    """Names of the prompt sets that ship."""
    return [file.stem for file in data_files("prompts")]
