"""GeoJSON: what the geojson library and a map get from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import geojson
import pytest

from agri_clip.detections import Detections, PhotoRecord
from agri_clip.formats import geojson_file
from tests.formats.conftest import HOSTILE, readable


def read(path: Path) -> geojson.FeatureCollection:
    """The collection, as its library checks it."""
    with path.open(encoding="utf-8") as file:
        collection = geojson.load(file, parse_constant=pytest.fail)
    assert isinstance(collection, geojson.FeatureCollection)
    assert collection.is_valid, collection.errors()
    return collection


def placed(result: Detections, *gps: tuple[float, float] | None) -> Detections:
    photos = [replace(photo, gps=place) for photo, place in zip(result.photos, gps, strict=True)]
    return replace(result, photos=tuple(photos))


def test_a_photo_with_a_place_is_a_point_with_its_counts(result: Detections, tmp_path: Path) -> None:
    geojson_file.write(placed(result, (51.97, 5.66), (-33.4, -70.6), None, None), tmp_path / "c.geojson")
    first, second = read(tmp_path / "c.geojson")["features"]
    assert first["geometry"] == {"type": "Point", "coordinates": [5.66, 51.97]}  # longitude first, RFC 7946
    assert second["geometry"]["coordinates"] == [-70.6, -33.4]
    assert first["properties"]["photo"] == "house 1/trap.jpg"
    assert first["properties"]["trap"] == "T1"
    assert first["properties"]["taken"] == "2026-05-01T07:30:00"
    assert {name: first["properties"][name] for name in result.label_names} == dict(
        zip(result.label_names, (1, 1, 0), strict=True)
    )
    assert [first["properties"][name] for name in ("found", "other_insects", "not_insects")] == [2, 1, 0]
    assert second["properties"]["note"] == "stopped at 300 boxes"


def test_no_photo_is_lost(result: Detections, tmp_path: Path) -> None:
    geojson_file.write(placed(result, None, (float("nan"), 3.0), (91, 0), (10, 10)), tmp_path / "c.geojson")
    collection = read(tmp_path / "c.geojson")
    assert collection["features"] == []
    others = collection["photos_without_place"]
    assert [other["properties"]["photo"] for other in others] == [photo.name for photo in result.photos]
    assert [other["properties"]["whitefly"] for other in others] == [1, 1, 0, None]
    reasons = [other["reason"] for other in others]
    assert reasons[0] == "the photo has no GPS position"
    assert "not on the globe" in reasons[1]
    assert "not on the globe" in reasons[2]
    assert reasons[3] == "is empty"


def test_counts_do_not_depend_on_all_regions(result: Detections, tmp_path: Path) -> None:
    geojson_file.write(result, tmp_path / "a.geojson")
    geojson_file.write(result, tmp_path / "b.geojson", all_regions=True)
    assert (tmp_path / "a.geojson").read_bytes() == (tmp_path / "b.geojson").read_bytes()


def test_hostile_names_stay_names(hostile: Detections, tmp_path: Path) -> None:
    geojson_file.write(hostile, tmp_path / "c.geojson")
    features = read(tmp_path / "c.geojson")["features"]
    assert [feature["geometry"]["coordinates"] for feature in features] == [[180, -90]] * len(HOSTILE)
    assert [feature["properties"]["trap"] for feature in features] == [readable(name) for name in HOSTILE]
    for feature, name in zip(features, HOSTILE, strict=True):
        label = "found (label)" if name == "found" else readable(name)
        assert feature["properties"][label] == feature["properties"]["found"] == 1


def test_no_photos_are_an_empty_map(tmp_path: Path) -> None:
    geojson_file.write(Detections.empty(), tmp_path / "c.geojson")
    assert read(tmp_path / "c.geojson")["features"] == []


def test_places_are_kept_to_the_centimetre(tmp_path: Path) -> None:
    photo = PhotoRecord("a.jpg", 8, 8, gps=(51.123456789, -0.000000112))
    geojson_file.write(Detections.empty([photo], ("moth",)), tmp_path / "c.geojson")
    document = json.loads((tmp_path / "c.geojson").read_text("utf-8"))  # the library itself rounds what it reads
    assert document["features"][0]["geometry"]["coordinates"] == [-0.0000001, 51.1234568]
