"""The taxonomy: its files fit together and agree with the catalogue, and every name lies where it should."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agri_clip.prompts.catalogue import GROUPS, load_catalogue
from agri_clip.scoring.taxonomy import LEVELS, Taxonomy, leaf_weights, load_taxonomy, read_table


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


def small(*phrases: str) -> Taxonomy:
    """The part of the taxonomy that has these phrases."""
    return load_taxonomy().restricted(lambda own: [phrase for phrase in own if phrase in phrases])


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("genera", "genus"),
        ("groups", "group"),
        ("orders", "order"),
        ("families", "family"),
        ("species", "species"),
        ("imagenet", "index"),
    ],
)
def test_no_row_stands_twice(table: str, key: str) -> None:
    keys = [row[key] for row in read_table(table)]
    assert len(set(keys)) == len(keys) > 10
    assert all(keys)


def test_files_fit_together() -> None:
    groups = {row["group"]: row for row in read_table("groups")}
    orders = {row["order"] for row in read_table("orders")}
    genera = read_table("genera")
    assert {row["order"] for row in groups.values()} <= orders
    for row in genera:
        assert groups[row["group"]]["order"] == row["order"], row
        assert row["family"] in groups[row["group"]]["families"].split(";"), row
    families = {row["family"] for row in genera}
    assert {row["family"] for row in read_table("families")} <= families
    assert {row["group"] for row in read_table("imagenet")} <= set(groups)
    known = {row["genus"] for row in genera}
    assert {row["species"].split()[0] for row in read_table("species")} <= known


def test_a_name_belongs_to_one_group() -> None:
    names = [name for row in read_table("groups") for name in row["names"].split(";")]
    assert len(set(names)) == len(names)


def test_every_group_of_the_catalogue_is_there(taxonomy: Taxonomy) -> None:
    assert all(taxonomy.find(group, "group") is not None for group in GROUPS)


def test_species_lie_where_the_catalogue_has_them(taxonomy: Taxonomy) -> None:
    for pest in load_catalogue().values():
        if not pest.is_species or pest.stage == "larva":
            continue
        index = taxonomy.find(pest.scientific, "species")
        assert index is not None, pest.scientific
        taxon = taxonomy.taxa[index]
        # The catalogue gives mites the order of modern works; people say "mite".
        order = "Acari" if pest.group == "mite" else pest.order
        assert (taxon.group, taxon.family, taxon.order) == (pest.group, pest.family, order)


def test_wider_taxa_hold_finer_ones(taxonomy: Taxonomy) -> None:
    species = taxonomy.find("Leptinotarsa decemlineata", "species")
    group, family = taxonomy.find("leaf beetle", "group"), taxonomy.find("Chrysomelidae", "family")
    order = taxonomy.find("Coleoptera", "order")
    chain = [species, group, family, order]
    assert None not in chain
    levels = [taxonomy.taxa[index].level for index in chain if index is not None]
    assert levels == ["species", "group", "wide family", "order"]
    for finer, wider in pairwise(chain):
        assert finer is not None
        assert wider is not None
        assert not (taxonomy.members[finer] & ~taxonomy.members[wider]).any()
        assert taxonomy.members[finer].sum() < taxonomy.members[wider].sum()


def test_a_family_may_be_finer_than_a_group(taxonomy: Taxonomy) -> None:
    family, group = taxonomy.find("Noctuidae"), taxonomy.find("moth", "group")
    assert family is not None
    assert group is not None
    assert taxonomy.taxa[family].level == "family"
    assert not (taxonomy.members[family] & ~taxonomy.members[group]).any()


def test_an_order_with_one_group_is_that_group(taxonomy: Taxonomy) -> None:
    index = taxonomy.find("earwig", "group")
    assert index is not None
    assert taxonomy.find("Dermaptera", "order") is None
    assert (taxonomy.taxa[index].level, taxonomy.taxa[index].order) == ("order", "Dermaptera")


def test_no_two_taxa_are_the_same(taxonomy: Taxonomy) -> None:
    assert len({np.packbits(row).tobytes() for row in taxonomy.members}) == len(taxonomy)
    order = [LEVELS.index(taxon.level) for taxon in taxonomy.taxa]
    assert order == sorted(order)


def test_names_come_in_the_catalogues_languages(taxonomy: Taxonomy) -> None:
    moth, beetle = taxonomy.find("moth", "group"), taxonomy.find("Coleoptera", "order")
    assert moth is not None
    assert beetle is not None
    assert taxonomy.taxa[moth].name_in("zh") == "飞蛾"
    assert taxonomy.taxa[beetle].name_in("de") == "Käfer"
    dragonfly = taxonomy.find("dragonfly", "group")
    assert dragonfly is not None
    assert taxonomy.taxa[dragonfly].name_in("hi") == "dragonfly"


def test_every_leaf_has_phrases_with_articles(taxonomy: Taxonomy) -> None:
    assert all(taxonomy.phrases)
    moth = next(taxon for taxon in taxonomy.leaf_taxa if taxon.rank == "group" and taxon.name == "moth")
    assert moth.phrases[0] == "a moth"


def test_an_encoder_that_knows_few_words_has_few_leaves() -> None:
    part = small("a moth", "a ladybird", "a leaf beetle", "a Colorado potato beetle")
    assert {taxon.name for taxon in part.leaf_taxa} == {"moth", "ladybird", "leaf beetle", "Colorado potato beetle"}
    assert part.phrases == tuple((phrase,) for (phrase,) in part.phrases)
    beetle = part.find("Coleoptera", "order")
    assert beetle is not None
    assert part.groups_of(beetle) == ("leaf beetle", "ladybird")
    # Who is sure of a butterfly or moth, and knows no butterflies, is not sure of a moth.
    order, moth = part.find("Lepidoptera", "order"), part.find("moth", "group")
    assert order is not None
    assert moth is not None
    assert (part.taxa[order].level, part.taxa[moth].level) == ("order", "group")
    assert part.find("Odonata") is None


def test_weights_are_equal_for_groups_of_the_catalogue() -> None:
    part = small("a moth", "a ladybird", "a leaf beetle", "a Colorado potato beetle", "a dragonfly")
    weights = dict(zip((t.name for t in part.leaf_taxa), leaf_weights(part, 0.4, 0.1, 0.5), strict=True))
    unit = weights["moth"]
    assert weights["ladybird"] == pytest.approx(unit)
    assert weights["leaf beetle"] == pytest.approx(0.6 * unit)
    assert weights["Colorado potato beetle"] == pytest.approx(0.4 * unit)
    assert weights["dragonfly"] == pytest.approx(0.5 * unit)


@given(st.floats(0, 0.6), st.floats(0, 0.39), st.floats(0, 2))
def test_weights_are_probabilities(species: float, family: float, further: float) -> None:
    weights = leaf_weights(load_taxonomy(), species, family, further)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()


@pytest.mark.parametrize("shares", [(-0.1, 0, 1), (0.7, 0.3, 1), (0, 0, -1)])
def test_wrong_shares_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        leaf_weights(load_taxonomy(), *shares)
