"""Roll-up: the finest name that is sure, and never a finer one than the evidence bears."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from agri_clip.scoring.rollup import NO_INSECT, UNKNOWN, best_taxa, finer_taxa, roll_up, sum_upward, weigh_evidence
from agri_clip.scoring.taxonomy import LEVELS, Level, Taxonomy, load_taxonomy

PHRASES = (
    "a moth",
    "a butterfly",
    "a noctuid moth",
    "a ladybird",
    "a leaf beetle",
    "a flea beetle",
    "a weevil",
    "a Colorado potato beetle",
    "an earwig",
)
THRESHOLDS: dict[Level, float | None] = {
    "species": 0.8,
    "family": 0.8,
    "group": 0.7,
    "wide family": 0.7,
    "order": 0.6,
}


@lru_cache(maxsize=1)
def part() -> Taxonomy:
    return load_taxonomy().restricted(lambda own: [phrase for phrase in own if phrase in PHRASES])


def leaves(**shares: float) -> np.ndarray:
    """One row of leaf probabilities; names have "_" for a space, and the rest goes evenly to the other leaves."""
    names = [taxon.name.replace(" ", "_") for taxon in part().leaf_taxa]
    rest = (1 - sum(shares.values())) / (len(names) - len(shares))
    return np.array([[shares.get(name, rest) for name in names]])


def answer_of(row: np.ndarray, thresholds: dict[Level, float | None] = THRESHOLDS, insect: float = 1.0) -> str | int:
    sums = sum_upward(row, part().members)
    (index,) = roll_up(sums, part(), thresholds, insect=np.array([insect]))
    return int(index) if index < 0 else part().taxa[index].name


@pytest.mark.parametrize(
    ("shares", "answer"),
    [
        ({"Colorado_potato_beetle": 0.9}, "Colorado potato beetle"),
        ({"Colorado_potato_beetle": 0.5, "leaf_beetle": 0.4}, "leaf beetle"),
        ({"leaf_beetle": 0.5, "flea_beetle": 0.4}, "chrysomelid beetle"),
        ({"leaf_beetle": 0.4, "weevil": 0.3, "ladybird": 0.2}, "beetle"),
        ({"moth": 0.5, "butterfly": 0.4}, "butterfly or moth"),
        ({"moth": 0.1, "owlet_moth": 0.85}, "owlet moth"),
        ({"moth": 0.4, "owlet_moth": 0.5}, "moth"),
        ({"earwig": 0.65}, "earwig"),
        ({"earwig": 0.4, "moth": 0.3, "weevil": 0.3}, UNKNOWN),
    ],
)
def test_the_answer_is_as_fine_as_is_sure(shares: dict[str, float], answer: str | int) -> None:
    assert answer_of(leaves(**shares)) == answer


def test_a_level_without_a_threshold_is_never_answered() -> None:
    row = leaves(Colorado_potato_beetle=0.95)
    assert answer_of(row, THRESHOLDS | {"species": None}) == "leaf beetle"
    assert answer_of(row, {"order": 0.5}) == "beetle"
    assert answer_of(row, {}) == UNKNOWN


def test_little_evidence_of_an_insect_is_no_insect() -> None:
    row = leaves(weevil=0.95)
    assert answer_of(row, insect=0.49) == NO_INSECT
    assert answer_of(row, insect=0.5) == "weevil"


def rows() -> st.SearchStrategy[np.ndarray]:
    shares = arrays(np.float64, (3, len(part().leaves)), elements=st.floats(0, 1))
    return shares.map(lambda a: (a + 1e-9) / (a + 1e-9).sum(axis=1, keepdims=True))


@given(rows(), st.lists(st.floats(0.05, 1), min_size=5, max_size=5))
def test_an_answer_clears_its_threshold_and_nothing_finer_does(row: np.ndarray, limits: list[float]) -> None:
    thresholds: dict[Level, float | None] = dict(zip(LEVELS, limits, strict=True))
    taxonomy = part()
    sums = sum_upward(row, taxonomy.members)
    for i, index in enumerate(roll_up(sums, taxonomy, thresholds)):
        level = LEVELS.index(taxonomy.taxa[index].level) if index >= 0 else len(LEVELS)
        if index >= 0:
            assert sums[i, index] >= limits[level]
        for finer, limit in zip(LEVELS[:level], limits[:level], strict=True):
            assert (sums[i, taxonomy.at_level(finer)] < limit).all()


@given(rows())
def test_what_holds_a_taxon_is_at_least_as_likely(row: np.ndarray) -> None:
    taxonomy = part()
    sums = sum_upward(row, taxonomy.members)
    assert ((sums >= 0) & (sums <= 1)).all()
    for i, finer in enumerate(finer_taxa(taxonomy)):
        assert (sums[:, finer] <= sums[:, [i]] + 1e-9).all()
        assert not (taxonomy.members[finer] & ~taxonomy.members[i]).any()


def test_finer_taxa_are_groups_of_an_order_and_species_of_a_group() -> None:
    taxonomy = part()
    finer = {taxon.name: index for taxon, index in zip(taxonomy.taxa, finer_taxa(taxonomy), strict=True)}
    names = {name: {taxonomy.taxa[i].name for i in index} for name, index in finer.items()}
    assert names["beetle"] == {"leaf beetle", "flea beetle", "weevil", "ladybird"}
    assert names["chrysomelid beetle"] == {"leaf beetle", "flea beetle"}
    assert names["leaf beetle"] == {"Colorado potato beetle"}
    assert names["moth"] == set()


def test_best_taxa_are_sorted_and_ties_keep_their_order() -> None:
    sums = np.array([[0.1, 0.5, 0.2, 0.5], [0.4, 0.3, 0.2, 0.1]])
    np.testing.assert_array_equal(best_taxa(sums, np.arange(4), 3), [[1, 3, 2], [0, 1, 2]])
    np.testing.assert_array_equal(best_taxa(sums, np.array([0, 2]), 5), [[2, 0], [0, 2]])


def test_evidence_is_bayes_rule() -> None:
    logits = np.log(np.array([[8.0, 2.0, 4.0]]))
    weights = np.array([0.25, 0.5, 0.25])
    found = weigh_evidence(logits, weights, np.log(np.array([[1.0, 3.0]])))
    np.testing.assert_allclose(found.leaves, [[0.5, 0.25, 0.25]])
    # 8/4 + 2/2 + 4/4 = 4 against (1 + 3) / 2 = 2.
    np.testing.assert_allclose(found.insect, [4 / 6])


def test_a_leaf_of_no_weight_is_never_the_answer() -> None:
    found = weigh_evidence(np.array([[50.0, 0.0]]), np.array([0.0, 1.0]), np.zeros((1, 0)))
    np.testing.assert_array_equal(found.leaves, [[0, 1]])
    np.testing.assert_array_equal(found.insect, [1])


def test_a_higher_temperature_is_less_sure() -> None:
    logits, negatives = np.array([[5.0, 1.0, 0.0]]), np.array([[0.0]])
    weights = np.full(3, 1 / 3)
    cold, hot = (weigh_evidence(logits, weights, negatives, temperature=t) for t in (1, 5))
    assert cold.leaves.max() > hot.leaves.max()
    assert cold.insect > hot.insect


def test_slope_and_offset_turn_the_evidence_into_odds() -> None:
    logits, negatives, weights = np.array([[2.0]]), np.array([[1.0]]), np.array([1.0])
    found = weigh_evidence(logits, weights, negatives, slope=2, offset=-2)
    np.testing.assert_allclose(found.insect, [0.5])


@pytest.mark.parametrize(
    ("logits", "weights", "negatives", "temperature"),
    [
        (np.zeros((2, 3)), np.ones(2) / 2, np.zeros((2, 1)), 1.0),
        (np.zeros((2, 3)), np.ones(3) / 3, np.zeros((1, 1)), 1.0),
        (np.zeros((2, 3)), np.ones(3) / 3, np.zeros((2, 1)), 0.0),
    ],
)
def test_wrong_evidence_is_refused(
    logits: np.ndarray, weights: np.ndarray, negatives: np.ndarray, temperature: float
) -> None:
    with pytest.raises(ValueError, match=r"fit|temperature"):
        weigh_evidence(logits, weights, negatives, temperature=temperature)
