"""What is wrong with a prompt set before any encoder sees it: words that cannot be told apart; part of step 3."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

from agri_clip.prompts.base import Negative, PromptSet, Target, bare_name, label_key
from agri_clip.prompts.matching import fold, stem

_ALIKE = 0.8  # difflib ratio of two words: one slip in five letters; "flea" and "leaf" have 0.75


def check_prompts(prompts: PromptSet) -> tuple[str, ...]:
    """Find labels that share words, and other slips that need no encoder to see.

    Parameters
    ----------
    prompts : PromptSet
        The set.

    Returns
    -------
    tuple of str
        One line each, with what to do; empty where nothing was found.
    """
    return (*_shared_phrases(prompts), *_near_names(prompts), *_same_pest(prompts), *_no_negatives(prompts))


def _shared_phrases(prompts: PromptSet) -> list[str]:
    """Phrases that two labels encode: their vectors then differ less than their names."""
    owners: dict[str, list[Target | Negative]] = defaultdict(list)
    for part in prompts.parts:
        for phrase in dict.fromkeys(label_key(phrase) for phrase in part.phrases()):
            owners[phrase].append(part)
    return [
        f"{phrase!r} is encoded for {_listed(part.name for part in parts)}; keep it under one of them"
        for phrase, parts in owners.items()
        if len(parts) > 1 and not _of_one_pest(parts)
    ]


def _of_one_pest(parts: list[Target | Negative]) -> bool:
    pests = {part.pest if isinstance(part, Target) else None for part in parts}
    return len(pests) == 1 and None not in pests


def _near_names(prompts: PromptSet) -> list[str]:
    """Targets whose names differ by an article, a plural or a slip of the keyboard."""
    names = {name: [stem(word, "en") for word in fold(bare_name(name)).split()] for name in prompts.labels}
    return [
        f"{one!r} and {other!r} are nearly the same name; join them unless you mean two things"
        for one, other in combinations(names, 2)
        if _alike(names[one], names[other])
    ]


def _alike(one: list[str], other: list[str]) -> bool:
    if "".join(one) == "".join(other):
        return True
    return len(one) == len(other) and all(
        difflib.SequenceMatcher(None, *pair, autojunk=False).ratio() >= _ALIKE for pair in zip(one, other, strict=True)
    )


def _listed(names: Iterable[str]) -> str:
    return " and ".join(map(repr, names))


def _same_pest(prompts: PromptSet) -> list[str]:
    """Targets that take their words from one catalogue entry."""
    owners: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for target in prompts.targets:
        if target.pest is not None and target.looks:
            owners[target.pest, target.looks].append(target.name)
    return [
        f"{_listed(names)} are all the catalogue's {pest}; keep one, or describe how they differ"
        for (pest, _), names in owners.items()
        if len(names) > 1
    ]


def _no_negatives(prompts: PromptSet) -> list[str]:
    if prompts.negatives:
        return []
    return [
        "no negatives: glue, dirt and print can only be rejected by a threshold; leave the field out for the default"
    ]
