"""What is wrong with a prompt set before any encoder sees it: words that cannot be told apart; part of step 3."""

from __future__ import annotations

import difflib
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

from agri_clip.prompts.base import Negative, PromptSet, Target, bare_name, label_key
from agri_clip.prompts.matching import PromptWarning, fold, stem

#: Lines of a note that are spelled out.
MOST_TOLD = 10
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
    return (*_shared_phrases(prompts), *shared_counts(prompts), *_no_negatives(prompts))


class SharedCountWarning(PromptWarning):
    """Prompts that mean the same, so that what they describe is counted now under one, now under the other."""


def shared_counts(prompts: PromptSet) -> tuple[str, ...]:
    """Find names that mean the same: every command and the page tell of these, for the count is shared among them.

    Returns
    -------
    tuple of str
        One line for all names that are alike, or that are one pest; empty where nothing was found.
    """
    return (*_near_names(prompts), *_same_pest(prompts))


def warn_of_shared_counts(prompts: PromptSet) -> None:
    """Warn of what `shared_counts` finds.

    Warns
    -----
    SharedCountWarning
        One for all; only the first `MOST_TOLD` lines are spelled out.
    """
    if lines := shared_counts(prompts):
        warnings.warn("\n".join(capped(lines)), SharedCountWarning, stacklevel=2)


def capped(lines: Sequence[str], most: int = MOST_TOLD) -> list[str]:
    """The first lines, and how many more there are; a set of 500 prompts must not print 500 notes."""
    left = len(lines) - most
    return [*lines[:most], *([f"and {left} more like these"] if left > 0 else [])]


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
    """Targets whose names differ from another's, or from a negative's, by an article, a plural or a slip."""
    names = {part.name: [stem(word, "en") for word in fold(bare_name(part.name)).split()] for part in prompts.parts}
    targets = set(prompts.labels)
    alike: list[list[str]] = []
    for name in names:
        near = [
            group
            for group in alike
            if any((name in targets or one in targets) and _alike(names[one], names[name]) for one in group)
        ]
        alike = [group for group in alike if group not in near] + [[*chain.from_iterable(near), name]]
    return [
        f"{_listed(group)} are nearly the same name, so they share the count; "
        "join them unless you mean different things"
        for group in alike
        if len(group) > 1
    ]


def _alike(one: list[str], other: list[str]) -> bool:
    if "".join(one) == "".join(other):
        return True
    return len(one) == len(other) and all(_same_word(*pair) for pair in zip(one, other, strict=True))


@lru_cache(maxsize=100_000)
def _same_word(one: str, other: str) -> bool:
    """Whether two words differ by a slip at most. Lengths are compared first, for most words differ in these."""
    if one == other:
        return True
    if 2 * min(len(one), len(other)) < _ALIKE * (len(one) + len(other)):
        return False
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() >= _ALIKE


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
