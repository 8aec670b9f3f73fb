"""Tries of a prompt set: which prompt wins where and by how much, and which prompts an encoder cannot tell apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import ValidationError
from scipy.special import softmax

from agri_clip.detections import STATUSES, Detections
from agri_clip.encoders import Encoder
from agri_clip.errors import PromptError
from agri_clip.io.yaml_lines import spoken_faults
from agri_clip.prompts import PromptSet, Target
from agri_clip.scoring.label_vectors import LabelVectors, embed_prompts


def region_winners(detections: Detections, top: int) -> tuple[list[str], list[list[object]]]:
    """The regions of one photo, highest score first, with the label that wins and its lead over the runner-up.

    Parameters
    ----------
    detections : Detections
        Of one photo, all statuses.
    top : int
        Regions to list.

    Returns
    -------
    columns : list of str
    rows : list of list
        One a region; lengths in millimetres where the scale is known, else in pixels.
    """
    scaled = bool(np.isfinite(detections.length_mm).any())
    columns = ["x", "y", f"length {'mm' if scaled else 'px'}", "best prompt", "score", "margin", "insect", "counted as"]
    rows: list[list[object]] = []
    for i in np.argsort(-detections.scores, kind="stable")[:top]:
        x1, y1, x2, y2 = detections.boxes[i]
        length = detections.length_mm[i] if scaled else detections.length_px[i]
        label = detections.label_names[detections.label_index[i]]
        counted = label if STATUSES[detections.status[i]] == "found" else STATUSES[detections.status[i]]
        numbers = [f"{v:.2f}" for v in (detections.scores[i], detections.margin[i], detections.insect[i])]
        rows.append([f"{(x1 + x2) / 2:.0f}", f"{(y1 + y2) / 2:.0f}", f"{length:.1f}", label, *numbers, counted])
    return columns, rows


def alike_labels(embedded: LabelVectors, at_least: float) -> tuple[list[str], list[list[object]]]:
    """Pairs of labels whose vectors are at least this close, closest first: two targets, or a target and a negative.

    Parameters
    ----------
    embedded : LabelVectors
    at_least : float
        Cosine.
    """
    cosines = embedded.vectors[: len(embedded.labels)] @ embedded.vectors.T
    first, second = np.nonzero(np.triu(cosines >= at_least, k=1))
    order = np.argsort(-cosines[first, second], kind="stable")
    rows: list[list[object]] = [
        [embedded.names[first[i]], embedded.names[second[i]], f"{cosines[first[i], second[i]]:.3f}"] for i in order
    ]
    return ["prompt", "means the same as", "cosine"], rows


def rank_phrasings(encoder: Encoder, vector: np.ndarray, phrasings: Sequence[str]) -> list[tuple[str, float, float]]:
    """Which of several phrasings fits a picture best.

    Parameters
    ----------
    encoder : Encoder
    vector : ndarray, shape (dim,)
        Of the picture, of unit length.
    phrasings : sequence of str
        Taken as they are: nothing from the catalogue is added.

    Returns
    -------
    list of (str, float, float)
        Best first: phrasing, cosine, and its share (a softmax over the phrasings with the encoder's own scale).

    Raises
    ------
    PromptError
        A phrasing cannot be used, or is there twice.
    """
    try:
        prompts = PromptSet(targets=tuple(Target(name=text, phrasings=(text,)) for text in phrasings))
    except ValidationError as error:
        raise PromptError(spoken_faults(error)) from error
    vectors = embed_prompts(encoder, prompts).vectors[: len(prompts.targets)]
    cosines = vectors @ vector
    shares = softmax(encoder.logit_scale * cosines)
    order = np.argsort(-cosines, kind="stable")
    return [(phrasings[i], float(cosines[i]), float(shares[i])) for i in order]
