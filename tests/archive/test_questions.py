"""Questions to an archive: the answers are those that the photos themselves would give, and no photo is opened."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agri_clip import Detector, PromptSet, read_photo
from agri_clip.archive import Archive, Season
from agri_clip.archive.questions import (
    Answer,
    ask,
    catalogue_prompts,
    image_vector,
    label_regions,
    labeller_of,
    search,
    text_vector,
    thumbnails_of,
)
from agri_clip.detections import Detections
from agri_clip.errors import DataError
from agri_clip.photos.photo import find_photos
from agri_clip.prompts.catalogue import load_catalogue

PROMPTS = PromptSet.of("a whitefly", "a house fly", "a ladybird")


@pytest.fixture(scope="module")
def season(filled: Path) -> Season:
    return Season.of(Archive.open(filled))


def ask_all(season: Season, detector: Detector, prompts: PromptSet = PROMPTS, where: str | None = None) -> Answer:
    return Answer.concat(list(ask(season, labeller_of(season, detector.encoder), prompts, where)))


def test_asking_gives_what_the_photos_give(season: Season, detector: Detector, photos: Path) -> None:
    answer = ask_all(season, detector)
    assert len(answer.detections.photos) == 13  # the copy does not count
    parts = {part.photos[0].name: part for part in answer.detections.split()}
    for path in find_photos(photos):
        name = f"photos/{path.parent.name}/{path.name}"
        if name not in parts or parts[name].photos[0].failed:
            continue
        direct = detector(path, PROMPTS)
        asked = parts[name]
        np.testing.assert_array_equal(asked.boxes, direct.boxes)
        np.testing.assert_array_equal(asked.status, direct.status)
        np.testing.assert_array_equal(asked.label_index, direct.label_index)
        np.testing.assert_allclose(asked.scores, direct.scores, atol=0.01)
        assert asked.photos[0].trap == direct.photos[0].trap


def test_no_photo_is_needed_to_ask(filled: Path, detector: Detector, tmp_path: Path, season: Season) -> None:
    moved = Season.of(Archive.open(shutil.copytree(filled, tmp_path / "moved")))
    first, second = (ask_all(each, detector).detections for each in (season, moved))
    pd.testing.assert_frame_equal(first.to_pandas(), second.to_pandas())


def test_parts_do_not_change_the_answer(season: Season, detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ask_all(season, detector)
    monkeypatch.setattr(Season.parts, "__defaults__", (None, None, 20))
    parts = list(ask(season, labeller_of(season, detector.encoder), PROMPTS))
    assert len(parts) > 4
    again = Answer.concat(parts)
    pd.testing.assert_frame_equal(whole.detections.to_pandas(), again.detections.to_pandas())
    np.testing.assert_array_equal(whole.regions, again.regions)


def test_a_condition_chooses_photos(season: Season, detector: Detector) -> None:
    answer = ask_all(season, detector, where="trap = 'T3' AND day >= '2026-06-10'")
    assert [photo.name for photo in answer.detections.photos] == [
        "photos/T3/T3_2026-06-15.jpg",
        "photos/T3/T3_2026-06-22.jpg",
    ]
    whole = ask_all(season, detector).detections
    wanted = whole[
        np.isin([whole.photos[i].name for i in whole.photo_index], [p.name for p in answer.detections.photos])
    ]
    np.testing.assert_array_equal(answer.detections.scores, wanted.scores)


@pytest.mark.parametrize("where", ["trapp = 'T3'", "trap = = 3", "day >"])
def test_a_condition_that_is_none_is_refused_with_the_columns(season: Season, detector: Detector, where: str) -> None:
    with pytest.raises(DataError, match=r"cannot be used.*columns are photo, path.*trap"):
        ask_all(season, detector, where=where)


def test_another_encoder_is_not_compared(season: Season, detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector.encoder, "fingerprint", "another")
    with pytest.raises(DataError, match="cannot be compared"):
        labeller_of(season, detector.encoder)


def test_search_ranks_by_cosine(season: Season, detector: Detector) -> None:
    vector = text_vector(detector.encoder, "a black beetle")
    found = search(season, vector, top=12)
    similarity = found["similarity"].to_numpy()
    assert (np.diff(similarity) <= 0).all()
    everything = np.concatenate([np.array(r["vector"].to_pylist(), np.float32) for _, r in season.parts()])
    best = np.sort(everything @ vector)[::-1][:12]
    np.testing.assert_allclose(similarity, best, atol=2e-3)


def test_search_by_a_crop_finds_the_region_it_came_from(season: Season, detector: Detector, photos: Path) -> None:
    path = photos / "T2" / "T2_2026-06-08.jpg"
    proposal = detector.propose(read_photo(path))
    number = int(np.argmax(proposal.regions.objectness))
    vector = image_vector(detector.encoder, read_photo(proposal.crops[number]))
    best = search(season, vector, top=1).to_pylist()[0]
    assert best["name"] == "photos/T2/T2_2026-06-08.jpg"
    assert best["similarity"] > 0.99
    np.testing.assert_allclose([best["x1"], best["y2"]], proposal.regions.boxes[number][[0, 3]], atol=1e-3)


def test_search_takes_conditions_over_regions(season: Season, detector: Detector) -> None:
    vector = text_vector(detector.encoder, "a fly")
    found = search(season, vector, 500, "trap = 'T1' AND length_px > 12").to_pylist()
    assert found
    assert {row["trap"] for row in found} == {"T1"}
    assert min(row["length_px"] for row in found) > 12
    with pytest.raises(DataError, match="columns are"):
        search(season, vector, 5, "pest = 'x'")


def test_thumbnails_are_those_of_the_regions(season: Season, detector: Detector) -> None:
    answer = ask_all(season, detector)[np.array([3, 0, 5])]
    thumbnails = thumbnails_of(season, answer.photos, answer.regions)
    for data, number, region in zip(thumbnails, answer.photos, answer.regions, strict=True):
        _, rows = next(season.parts(f"photo = {number}", ["photo", "region", "thumbnail"]))
        assert rows["thumbnail"][int(region)].as_py() == data
        assert read_photo(data).width <= 96


def test_label_names_regions_from_the_catalogue(season: Season, detector: Detector) -> None:
    table = label_regions(season, labeller_of(season, detector.encoder), "trap = 'T1'", top=6, names=3)
    assert len(table) == 6
    assert (table["insect"].diff().dropna() <= 0).all()
    assert set(table["trap"]) == {"T1"}
    assert (table["share_1"] >= table["share_2"]).all()
    assert set(table["name_1"]) <= set(catalogue_prompts().labels)


def test_every_entry_of_the_catalogue_can_be_named() -> None:
    assert {target.pest for target in catalogue_prompts().targets} == set(load_catalogue())


def test_an_answer_of_nothing_is_empty(season: Season, detector: Detector) -> None:
    answer = ask_all(season, detector, where="trap = 'nowhere'")
    assert len(answer.detections) == 0
    assert isinstance(answer.detections, Detections)
