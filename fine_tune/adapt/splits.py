"""Crops kept back from training to choose by: whole photos, for crops of one photo are too alike to test each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from agri_clip.errors import DataError


def hold_out(labels: Sequence[str], photos: Sequence[str], share: float, seed: int) -> np.ndarray:
    """Choose photos to keep back, about `share` of the crops of each label; every label keeps crops to train on.

    Parameters
    ----------
    labels, photos : sequence of n str
        Of each crop.
    share : float
        0 to 1.
    seed : int
        Of the order in which photos are taken.

    Returns
    -------
    ndarray, shape (n,), bool
        Crops that are kept back.

    Raises
    ------
    DataError
        No photo can be kept back without taking the last crops of a label.
    """
    crops = Counter(labels)
    of_photo: dict[str, Counter[str]] = {}
    for label, photo in zip(labels, photos, strict=True):
        of_photo.setdefault(photo, Counter())[label] += 1
    names = sorted(of_photo)
    kept: set[str] = set()
    taken: Counter[str] = Counter()
    order = [names[i] for i in np.random.default_rng([seed, 19]).permutation(len(names))]
    for name in order:
        here = of_photo[name]
        wanted = any(taken[label] + count / 2 <= share * crops[label] for label, count in here.items())
        if wanted and all(taken[label] + count < crops[label] for label, count in here.items()):
            kept.add(name)
            taken += here
    if not kept:
        # Few large photos: the smallest that leaves crops of all its labels.
        spare = [name for name in order if all(count < crops[label] for label, count in of_photo[name].items())]
        kept.update(sorted(spare, key=lambda name: of_photo[name].total())[:1])
    if not kept:
        raise DataError(
            f"{len(labels)} crops of {len(names)} photos: none can be kept back to test on, as some label has crops of "
            "one photo only; label crops of another photo"
        )
    return np.array([photo in kept for photo in photos])
