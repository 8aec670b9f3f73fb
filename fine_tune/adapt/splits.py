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
    for i in np.random.default_rng([seed, 19]).permutation(len(names)):
        here = of_photo[names[i]]
        spares = all(taken[label] + count < crops[label] for label, count in here.items())
        wanted = any(taken[label] + count / 2 <= share * crops[label] for label, count in here.items())
        if spares and wanted:
            kept.add(names[i])
            taken += here
    if not kept:
        raise DataError(
            f"{len(labels)} crops of {len(names)} photos: none can be kept back to test on, as some label has crops of "
            "one photo only; label crops of another photo"
        )
    return np.array([photo in kept for photo in photos])
