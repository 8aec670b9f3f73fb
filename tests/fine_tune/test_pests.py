"""Crops of a pest from its catalogue entry: of its looks, in a folder that adapting reads, the same for one seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agri_clip.errors import DataError, PromptError
from fine_tune.adapt.samples import read_samples
from fine_tune.synthetic import matching_species, pests
from fine_tune.synthetic.pests import find_pest, render_pest, write_pest


@pytest.mark.parametrize(
    ("name", "pest"),
    [
        ("tuta-absoluta", "tuta-absoluta"),
        ("Tuta absoluta", "tuta-absoluta"),
        ("colorado potato beetle", "leptinotarsa-decemlineata"),
        ("Aphid", "aphid"),
    ],
)
def test_a_pest_is_found_by_any_of_its_names(name: str, pest: str) -> None:
    assert find_pest(name).id == pest


def test_an_unknown_pest_says_where_the_names_are() -> None:
    with pytest.raises(PromptError, match=r"no pest 'unicorn'.*data/pests"):
        find_pest("unicorn")


def test_a_species_is_drawn_with_its_own_looks() -> None:
    pest = find_pest("coccinella-septempunctata")
    for crop in render_pest(pest, 4, seed=1, size=48):
        assert crop.group == "ladybird"
        assert pest.scientific in {species.latin for species in matching_species(crop.group, crop.attributes)}
        assert "7 spots" in crop.attributes.features


def test_a_group_is_drawn_in_all_its_looks() -> None:
    colours = {crop.attributes.body_colours[0] for crop in render_pest(find_pest("aphid"), 12, seed=0, size=40)}
    assert len(colours) > 2


def test_crops_are_written_as_adapting_reads_them_each_a_photo_of_its_own(tmp_path: Path) -> None:
    for name in ("tuta-absoluta", "aphid"):
        write_pest(tmp_path, name, 3, seed=0, size=40)
    write_pest(tmp_path, "aphid", 2, seed=1, size=40)  # another seed adds crops
    samples = read_samples(tmp_path)
    assert samples.counts == {"aphid": 5, "tomato leafminer": 3}
    assert len(set(samples.photos)) == 8
    again = write_pest(tmp_path / "again", "aphid", 3, seed=0, size=40)
    first = [crop for crop, name in zip(samples.crops, samples.names, strict=True) if "aphid-0-" in name]
    for crop, path in zip(first, again, strict=True):
        (same,) = [c for c, n in zip(*_read(tmp_path / "again"), strict=True) if path.name in n]
        np.testing.assert_array_equal(crop, same)


def _read(folder: Path) -> tuple[tuple[np.ndarray, ...], tuple[str, ...]]:
    samples = read_samples(folder)
    return samples.crops, samples.names


def test_a_species_that_is_never_drawn_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pests, "MOST_TRIES", 2)
    monkeypatch.setattr(pests, "matching_species", lambda *_: [])
    with pytest.raises(DataError, match=r"none of 2 drawings of a moth.*--pest moth"):
        next(render_pest(find_pest("tuta-absoluta"), 1, seed=0, size=40))
