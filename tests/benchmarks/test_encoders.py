"""Figures of an encoder whose every answer is known."""

import numpy as np
import pytest

from benchmarks.encoders import (
    BLURRED_SIDE,
    COMMON_GROUPS,
    SIDE,
    Crops,
    describe_sets,
    measure_encoder,
    real_crops,
    rendered_crops,
)
from fine_tune.encoder.crops import cut_real_crops
from fine_tune.synthetic import GROUP_NAMES
from fine_tune.synthetic.attributes import PHRASES
from fine_tune.synthetic.camera import lose_detail
from tests.benchmarks.known import GROUP_PLACES, INSECT, NEGATIVE, PHRASE_PLACES, KnownEncoder, crop_of

#: What is shown, what the encoder takes it for, and the colour that it sees.
SHOWN = (
    ("aphid", "aphid", "black"),
    ("whitefly", "whitefly", "white"),
    ("thrips", "aphid", "black"),
    ("thrips", "thrips", "black"),
    (GROUP_NAMES[-1], "aphid", "white"),
    (GROUP_NAMES[-1], GROUP_NAMES[-1], "white"),
)
#: The colour that each really has; nothing is known of the last.
COLOURS = (["black", "green"], ["white"], ["white"], ["black"], ["white"], [])


@pytest.fixture(scope="module")
def crops() -> Crops:
    insects = [
        crop_of(GROUP_PLACES[seen], PHRASE_PLACES[PHRASES["colour"][colour]], INSECT) for _, seen, colour in SHOWN
    ]
    return Crops(
        insects=np.stack(insects),
        backgrounds=np.stack([crop_of(NEGATIVE), crop_of(NEGATIVE)]),
        insect_unit=np.arange(6),
        background_unit=np.array([6, 7]),
        units=8,
        groups=np.array([GROUP_NAMES.index(name) for name, _, _ in SHOWN]),
        looks=tuple({"colours": own, "shapes": [], "wings": "?", "leg_length": "?"} for own in COLOURS),
    )


@pytest.fixture(scope="module")
def figures(crops: Crops) -> dict:
    return measure_encoder(KnownEncoder(), crops, crops)


def test_naming(figures: dict) -> None:
    assert len(COMMON_GROUPS) == 29
    assert figures["naming"]["all"]["value"] == pytest.approx(4 / 6)
    assert figures["naming"]["common"]["value"] == pytest.approx(3 / 4)
    assert figures["naming"]["all_views"]["value"] == pytest.approx(4 / 6)  # a plain crop looks the same turned
    low, high = figures["naming"]["all"]["interval"]
    assert 0 <= low < 4 / 6 < high <= 1


def test_groups(figures: dict) -> None:
    assert figures["groups"]["thrips"] == {"recall": 0.5, "crops": 2, "taken_for": "aphid"}
    assert figures["groups"]["aphid"] == {"recall": 1.0, "crops": 1, "taken_for": None}
    assert figures["groups"]["moth"] == {"recall": None, "crops": 0, "taken_for": None}


def test_attributes_leave_out_what_is_not_known(crops: Crops, figures: dict) -> None:
    assert figures["attributes"]["colour"]["value"] == pytest.approx(4 / 5)
    assert figures["attributes"]["shape"] == {"value": None, "interval": None}
    facts = describe_sets(crops, None)["attributes"]["colour"]
    assert facts == {"ways": len(PHRASES["colour"]), "crops": 5, "commonest": pytest.approx(3 / 5)}


def test_insect_or_not(figures: dict) -> None:
    assert figures["auroc"]["rendered"] == {"value": 1.0, "interval": [1.0, 1.0]}


def test_blur_names_the_group_that_draws_most(figures: dict) -> None:
    assert figures["blur"]["group"] == "aphid"
    assert figures["blur"]["share"]["value"] == pytest.approx(len(GROUP_NAMES) * 3 / 6)
    assert figures["blur"]["top1"]["value"] == pytest.approx(4 / 6)


def test_shrinking_takes_detail_away() -> None:
    stripes = np.zeros((72, 72, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.ptp(lose_detail(stripes, BLURRED_SIDE)) <= 1
    assert lose_detail(stripes, BLURRED_SIDE).shape == stripes.shape


def test_rendered_crops_have_groups_and_looks() -> None:
    crops = rendered_crops(12, seed=3)
    assert len(crops.insects) + len(crops.backgrounds) == crops.units == 12
    assert len(crops.groups) == len(crops.looks) == len(crops.insects)
    assert sorted([*crops.insect_unit, *crops.background_unit]) == list(range(12))
    assert all(look["colours"] for look in crops.looks)


def test_real_crops_are_those_of_training_with_their_photos(labelled_folder) -> None:
    crops = real_crops(labelled_folder / "val.json", labelled_folder / "images", seed=0)
    same = cut_real_crops(labelled_folder / "val.json", labelled_folder / "images", seed=0, size=SIDE)
    assert np.array_equal(crops.insects, same.insects)
    assert np.array_equal(crops.backgrounds, same.backgrounds)
    assert np.bincount(crops.insect_unit, minlength=3).tolist() == [3, 2, 0]
    assert crops.units == 3
