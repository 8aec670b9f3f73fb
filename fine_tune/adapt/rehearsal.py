"""Reminders: rendered crops of catalogued groups that no label names, so that training does not forget their words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agri_clip.prompts.matching import resolve
from agri_clip.prompts.templates import expand, with_article
from agri_clip.scoring.label_vectors import NO_CLASS, match_labels
from fine_tune.adapt.shots import ShotBatch, Shots
from fine_tune.synthetic import GROUP_NAMES, render_crop, split_rng

#: Part of the seed of these crops, so that no other trial uses them.
SEED = 61


def other_groups(labels: Sequence[str]) -> tuple[str, ...]:
    """The renderer's groups that none of some labels names."""
    taken = match_labels([resolve(name) for name in GROUP_NAMES], labels) != NO_CLASS
    return tuple(name for name, gone in zip(GROUP_NAMES, taken, strict=True) if not gone)


def texts_of(groups: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What each group is called."""
    return {name: tuple(expand([with_article(name)])) for name in groups}


def crops_of(groups: Sequence[str], count: int, split: str) -> tuple[np.ndarray, ...]:
    """`count` rendered crops of each group, group by group, always the same.

    Parameters
    ----------
    groups : sequence of str
    count : int
    split : str
        Of `fine_tune.synthetic.split_rng`.
    """
    return tuple(
        render_crop(split_rng(split, SEED, GROUP_NAMES.index(group) * count + i), group).pixels
        for group in groups
        for i in range(count)
    )


class Reminded:
    """Batches of labelled crops with as many reminders as `reminders` gives, told apart from them and each other.

    Parameters
    ----------
    shots, reminders : Shots
        Of different labels.
    """

    def __init__(self, shots: Shots, reminders: Shots) -> None:
        self.shots, self.reminders = shots, reminders

    def __getitem__(self, step: int) -> ShotBatch:
        """The batch of one step."""
        own, other = self.shots[step], self.reminders[step]
        return ShotBatch(
            crops=own.crops + other.crops,
            labels=np.concatenate([own.labels, len(own.texts) + other.labels]),
            texts=own.texts + other.texts,
        )
