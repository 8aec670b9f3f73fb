"""What `identify` found, as JSON, table and picture."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agri_clip import Identification, Identifier
from agri_clip.formats.identifications import (
    as_document,
    insects_table,
    to_detections,
    write_csv,
    write_failures,
    write_json,
    write_picture,
)
from agri_clip.photos.photo import Photo
from agri_clip.scoring.likeness import Likeness
from tests.painted_insects import BLACK, GREEN, RED, WHITE, FixedProposer, PaintedEncoder, paint

BOXES = [[10, 10, 40, 40], [100, 100, 160, 160], [60, 10, 90, 40]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Photo | None, Identification]]:
    """Three insects on one photo, a file that is no photo, and a photo of nothing."""
    folder = tmp_path_factory.mktemp("photos")
    picture = paint(WHITE, ((10, 10, 40, 40), RED), ((100, 100, 160, 160), BLACK), ((60, 10, 90, 40), GREEN))
    Image.fromarray(picture).save(folder / "T1_2026-06-01.png")
    (folder / "broken.png").write_bytes(b"nothing")
    Image.fromarray(paint(WHITE)).save(folder / "white.png")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        identifier = Identifier(
            FixedProposer(BOXES, [0.9, 0.8, 0.7]), PaintedEncoder(), likeness=Likeness(encoder="painted-1"), card=False
        )
    return list(identifier.stream(sorted(folder.iterdir()), regions=True))


def test_the_document_has_every_answer_with_its_lineage(
    answers: list[tuple[Photo | None, Identification]], tmp_path: Path
) -> None:
    write_json([answer for _, answer in answers], tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    trap, broken, white = document["photos"]
    assert (trap["trap"], trap["taken"][:10], trap["regions"]) == ("T1", "2026-06-01", 3)
    by_rank = {insect["answer"]["rank"]: insect for insect in trap["insects"]}
    assert by_rank["species"]["answer"] | {"likeness": None} == {
        "sentence": "a Colorado potato beetle (Leptinotarsa decemlineata)",
        "rank": "species",
        "name": "Colorado potato beetle",
        "latin": "Leptinotarsa decemlineata",
        "likeness": None,
        "order": "Coleoptera",
        "family": "Chrysomelidae",
        "group": "leaf beetle",
        "species": "Leptinotarsa decemlineata",
    }
    assert by_rank["order"]["perhaps"]["name"] == "ladybird"
    assert by_rank["order"]["answer"]["group"] is None
    assert by_rank["group"]["box"] == [10, 10, 40, 40]
    assert broken["failed"]
    assert "insects" not in broken
    assert [insect["answer"]["sentence"] for insect in white["insects"]] == ["no insect"]
    assert document["produced_by"]["encoder"] == "painted"


def test_the_table_has_a_row_an_insect_and_a_row_a_failure(
    answers: list[tuple[Photo | None, Identification]], tmp_path: Path
) -> None:
    found = [answer for _, answer in answers]
    table = insects_table(found)
    assert len(table) == 5
    write_csv(found, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [bool(row["failed"]) for row in rows].count(True) == 1
    assert {row["answer"] for row in rows} == {
        "a ladybird",
        "a beetle; perhaps a ladybird",
        "a Colorado potato beetle (Leptinotarsa decemlineata)",
        "no insect",
        "",
    }
    beetle = next(row for row in rows if row["rank"] == "order")
    assert (beetle["perhaps"], beetle["order"], beetle["group"]) == ("ladybird", "Coleoptera", "")
    assert float(beetle["likeness_1"]) >= float(beetle["likeness_2"]) >= float(beetle["likeness_3"])
    assert "painted" in beetle["produced_by"]
    assert "dragonfly" not in beetle["produced_by"]
    write_failures(found, tmp_path / "f.csv")
    with (tmp_path / "f.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [Path(row["photo"]).name for row in csv.DictReader(file)] == ["broken.png"]


def test_names_follow_the_language(answers: list[tuple[Photo | None, Identification]]) -> None:
    document = as_document([answer for _, answer in answers], "zh")
    sentences = {insect["answer"]["sentence"] for insect in document["photos"][0]["insects"]}
    assert "甲虫；可能是瓢虫" in sentences


def test_answers_are_labels_of_detections(answers: list[tuple[Photo | None, Identification]]) -> None:
    detections = to_detections(answers[0][1])
    assert set(detections.label_names) == {"ladybird", "Colorado potato beetle", "beetle"}
    assert len(detections) == 3
    assert len(to_detections(answers[2][1])) == 0


def test_pictures_are_written_with_and_without_insects(
    answers: list[tuple[Photo | None, Identification]], tmp_path: Path
) -> None:
    for i in (0, 2):
        photo, answer = answers[i]
        assert photo is not None
        write_picture(photo, answer, tmp_path / f"{i}.png")
        drawn = np.asarray(Image.open(tmp_path / f"{i}.png").convert("RGB"))
        assert drawn.shape[0] > 200
        assert (drawn[:200] != photo.pixels).any() == (i == 0)
