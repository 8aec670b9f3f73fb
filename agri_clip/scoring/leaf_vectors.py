"""Step 4, first half, without a prompt: the vectors of all names of the taxonomy under one encoder."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from agri_clip.encoders.base import Encoder, known_words_of, vectors_fingerprint_of
from agri_clip.prompts.negatives import DEFAULT_NEGATIVES
from agri_clip.prompts.words import UnknownWordWarning, known_phrases, word_stems
from agri_clip.scoring.taxonomy import Taxonomy, load_taxonomy

#: Sentences around each name of a group, family or species, and around each negative. With more of them, 1,600 leaves
#: would take a minute to encode with a large model.
TEMPLATES = ("{}", "a photo of {}")

#: Photos that people send and that show no insect, beside the default negatives of a prompt set.
NEGATIVES: tuple[tuple[str, ...], ...] = (
    ("a fruit", "a vegetable"),
    ("a stone", "soil on the ground"),
    ("a bird", "a feather"),
    ("a dog", "a cat"),
    ("a snail", "a slug"),
    ("a mushroom", "a fungus on a leaf"),
    ("a tool", "a machine"),
)

#: Group names that a note about unknown words lists.
MOST_LISTED = 5


@dataclass(frozen=True)
class LeafVectors:
    """The vectors of a taxonomy under one encoder, with all that `agri_clip.scoring.rollup` needs of both.

    Attributes
    ----------
    taxonomy : Taxonomy
        Its leaves have names that the encoder knows.
    vectors : ndarray, shape (leaves, dim), float32
        Of unit length.
    negatives : ndarray, shape (m, dim), float32
        What is no insect.
    logit_scale : float
        Multiplies cosines.
    fingerprint : str
        Of the encoder's vectors.
    unknown_groups : tuple of str
        Groups that the encoder was never taught any name of: it calls their insects something else.
    """

    taxonomy: Taxonomy
    vectors: np.ndarray = field(repr=False)
    negatives: np.ndarray = field(repr=False)
    logit_scale: float
    fingerprint: str
    unknown_groups: tuple[str, ...] = ()

    def logits(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scaled cosines of pictures (n, dim) with leaves (n, leaves) and negatives (n, m), float64.

        The bias of a sigmoid model is left out: it is the same for all.
        """
        pictures = np.asarray(vectors, np.float64)
        return (
            pictures @ self.vectors.T.astype(np.float64) * self.logit_scale,
            pictures @ self.negatives.T.astype(np.float64) * self.logit_scale,
        )


def embed_taxonomy(encoder: Encoder, taxonomy: Taxonomy | None = None) -> LeafVectors:
    """Encode all names of the taxonomy: the vectors of a leaf's texts are averaged and brought to unit length again.

    A name with a word that the encoder never saw in training is left out, and so is a leaf without any other name.

    Parameters
    ----------
    encoder : Encoder
    taxonomy : Taxonomy, optional
        The one that ships, where left out.

    Returns
    -------
    LeafVectors

    Warns
    -----
    UnknownWordWarning
        The encoder knows no name of some groups; one warning for all.
    """
    whole = taxonomy or load_taxonomy()
    known = known_words_of(encoder)
    stems = None if known is None else word_stems(known)

    def keep(phrases: Sequence[str]) -> Sequence[str]:
        return phrases if stems is None else known_phrases(phrases, stems)

    fitting = whole.restricted(keep)
    groups = [taxon.name for taxon in whole.leaf_taxa if taxon.rank == "group"]
    taught = {taxon.group for taxon in fitting.leaf_taxa}
    unknown = tuple(name for name in groups if name not in taught)
    if unknown:
        warnings.warn(_unknown_groups_message(unknown, len(groups), encoder.name), UnknownWordWarning, stacklevel=2)
    negatives = [keep(phrases) for phrases in (*(part.phrases() for part in DEFAULT_NEGATIVES), *NEGATIVES)]
    vectors = _mean_vectors(encoder.encode_texts, [*fitting.phrases, *(some for some in negatives if some)])
    split = len(fitting.leaves)
    return LeafVectors(
        taxonomy=fitting,
        vectors=vectors[:split].reshape(split, encoder.dim),
        negatives=vectors[split:].reshape(-1, encoder.dim),
        logit_scale=encoder.logit_scale,
        fingerprint=vectors_fingerprint_of(encoder),
        unknown_groups=unknown,
    )


def _mean_vectors(encode: Callable[[Sequence[str]], np.ndarray], phrases: Sequence[Sequence[str]]) -> np.ndarray:
    """The mean direction of each set of phrases, shape (n, dim), float32, of unit length; one call of the encoder."""
    texts = [[template.replace("{}", phrase) for phrase in some for template in TEMPLATES] for some in phrases]
    # Sorted, so that the order of the names cannot change a digit.
    everything = sorted({text for some in texts for text in some})
    if not everything:
        return np.zeros((0, 0), np.float32)
    place = {text: i for i, text in enumerate(everything)}
    encoded = np.asarray(encode(everything), np.float64)
    means = np.stack([encoded[sorted(place[text] for text in some)].mean(axis=0) for some in texts])
    return (means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def _unknown_groups_message(unknown: Sequence[str], total: int, encoder: str) -> str:
    listed = ", ".join(unknown[:MOST_LISTED])
    more = f" and {len(unknown) - MOST_LISTED} more" if len(unknown) > MOST_LISTED else ""
    return (
        f'the encoder "{encoder}" knows no name of {len(unknown)} of {total} groups ({listed}{more}), so it cannot '
        "answer with them; a larger encoder may (agri-clip models)"
    )
