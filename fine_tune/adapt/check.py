"""Faults of labelled crops that adapting should not learn: crops that are there twice, and labels that contradict."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import cv2
import numpy as np

from fine_tune.adapt.samples import LabelledCrops

#: Side in pixels to which crops are brought for comparison, and the largest root mean square difference of their
#: standardised grey values at which two show the same picture. Another JPEG quality gives below 0.2, another insect of
#: the same pose on the same card above 0.6.
SIDE, SAME_PICTURE = 16, 0.3

#: Crops that are compared with all others at once.
BLOCK = 512

#: Standard deviation of grey values below which a crop shows nothing that could be compared.
FLAT = 1.0


@dataclass(frozen=True)
class Findings:
    """What is wrong with labelled crops, each fault in one line.

    Attributes
    ----------
    repeats : tuple of (int, int)
        Pairs of crops with one label that show the same picture; the first stays.
    contradictions : tuple of (int, int)
        Pairs of crops with two labels that show the same picture; both go, for nobody knows which is right.
    kept : ndarray, shape (k,), int64
        Crops without these.
    lines : tuple of str
        For the report.
    """

    repeats: tuple[tuple[int, int], ...]
    contradictions: tuple[tuple[int, int], ...]
    kept: np.ndarray
    lines: tuple[str, ...]


def check_samples(samples: LabelledCrops) -> Findings:
    """Find crops that show the same picture, turned or mirrored ones too.

    Parameters
    ----------
    samples : LabelledCrops

    Returns
    -------
    Findings
    """
    first, second = _same_pictures(samples)
    repeats, contradictions = [], []
    dropped: set[int] = set()
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        if samples.labels[a] != samples.labels[b]:
            contradictions.append((a, b))
            dropped |= {a, b}
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        if samples.labels[a] == samples.labels[b] and not {a, b} & dropped:
            repeats.append((a, b))
            dropped.add(b)
    lines = [
        f"the same picture with two labels, both left out: {samples.names[a]} ({samples.labels[a]}) and "
        f"{samples.names[b]} ({samples.labels[b]})"
        for a, b in contradictions
    ]
    lines += [f"the same picture twice, left out: {samples.names[b]}, as {samples.names[a]}" for a, b in repeats]
    kept = np.array([i for i in range(len(samples)) if i not in dropped], np.int64)
    return Findings(tuple(repeats), tuple(contradictions), kept, tuple(lines))


def crop_hashes(samples: LabelledCrops) -> list[str]:
    """What tells crops apart in an encoder's card: 16 hexadecimal digits of each one's pixels."""
    return [sha256(repr(crop.shape).encode() + crop.tobytes()).hexdigest()[:16] for crop in samples.crops]


def _same_pictures(samples: LabelledCrops) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of crops, first before second, that show the same picture."""
    views = np.stack([_standard_views(crop) for crop in samples.crops]).astype(np.float32)
    count, turns = views.shape[:2]
    flat = views.reshape(count, turns, -1)
    pairs = [np.zeros((0, 2), np.int64)]
    # In blocks of rows, so that memory grows with the number of crops and not with its square.
    for start in range(0, count, BLOCK):
        rows = flat[start : start + BLOCK, 0]
        likeness = np.max([rows @ flat[:, turn].T for turn in range(turns)], axis=0)
        # Standardised pictures of m pixels differ by sqrt(2 - 2 r) in root mean square, r their correlation.
        found = np.argwhere(likeness >= 1 - SAME_PICTURE**2 / 2) + np.array([start, 0])
        pairs.append(found[found[:, 0] < found[:, 1]])
    first, second = np.concatenate(pairs).T
    return first, second


def _standard_views(crop: np.ndarray) -> np.ndarray:
    """A crop small and grey, of mean 0 and length 1, in its eight turned and mirrored views, (8, SIDE, SIDE)."""
    grey = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    small -= small.mean()
    length = np.linalg.norm(small)
    small = small / length if length / SIDE > FLAT else np.zeros_like(small)
    return np.stack([np.rot90(view, turn) for view in (small, small[:, ::-1]) for turn in range(4)])
