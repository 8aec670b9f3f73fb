"""Darwin Core: an archive read as its meta.xml says, with the counts and the names that are known."""

from __future__ import annotations

import io
import re
import time
import uuid
import zipfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from agri_clip.detections import FOUND, Detections, PhotoRecord
from agri_clip.formats import darwin_core
from agri_clip.photos.photo import one_line
from tests.formats.conftest import HOSTILE

TEXT = "{http://rs.tdwg.org/dwc/text/}"
TERMS = "http://rs.tdwg.org/dwc/terms/"


def read(path: Path) -> pd.DataFrame:
    """The core table, found, split and named by nothing but meta.xml, as the Darwin Core text guide has it."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        meta = ElementTree.fromstring(archive.read("meta.xml"))
        ElementTree.fromstring(archive.read(meta.attrib["metadata"]))
        core = meta.find(f"{TEXT}core")
        assert core is not None
        assert core.attrib["rowType"] == f"{TERMS}Occurrence"
        fields = {int(field.attrib["index"]): field.attrib["term"] for field in core.findall(f"{TEXT}field")}
        data = archive.read(core.findtext(f"{TEXT}files/{TEXT}location") or "")
    table = pd.read_csv(
        io.BytesIO(data),
        sep=core.attrib["fieldsTerminatedBy"],
        lineterminator=core.attrib["linesTerminatedBy"].encode().decode("unicode_escape"),
        quotechar=core.attrib["fieldsEnclosedBy"],
        encoding=core.attrib["encoding"],
        skiprows=int(core.attrib["ignoreHeaderLines"]),
        header=None,
        names=[fields[i].removeprefix(TERMS) for i in range(len(fields))],
        keep_default_na=False,
        na_values={"decimalLatitude": [""], "decimalLongitude": [""]},
    )
    identifier = core.find(f"{TEXT}id")
    assert identifier is not None
    ids = table.iloc[:, int(identifier.attrib["index"])]
    assert ids.is_unique
    for value in ids:
        uuid.UUID(value)
    return table


def counted(labels: tuple[str, ...], counts: list[int], **provenance: object) -> Detections:
    """One photo in which each label was found so often."""
    label = np.repeat(np.arange(len(labels)), counts)
    ones = {name: np.ones(len(label)) for name in ("insect", "objectness", "margin", "length_px", "length_mm")}
    return Detections(
        photos=(PhotoRecord("a.jpg", 100, 80),),
        label_names=labels,
        photo_index=np.zeros(len(label)),
        boxes=np.zeros((len(label), 4)),
        label_index=label,
        status=np.full(len(label), FOUND),
        scores=np.linspace(0.5, 0.9, len(label)),
        outlines=(None,) * len(label),
        provenance=provenance,
        **ones,
    )


def test_each_photo_and_label_is_a_row_with_its_count(result: Detections, tmp_path: Path) -> None:
    darwin_core.write(result, tmp_path / "d.zip")
    table = read(tmp_path / "d.zip")
    counts = result.counts().set_index("photo")
    for row in table.itertuples():
        assert row.basisOfRecord == "MachineObservation"
        assert row.occurrenceStatus == ("present" if row.individualCount else "absent")
    found = table.pivot(index="eventID", columns="vernacularName", values="individualCount")
    assert found.loc["house 1/trap.jpg", list(result.label_names[:2])].tolist() == [1, 1]
    assert found.loc["house 2/trap.jpg", "粉虱"] == 1
    assert found.sum().sum() == counts.sum().sum() == 4
    assert not table["eventID"].str.contains("lesbar").any()  # a photo that failed says nothing of any label
    with zipfile.ZipFile(tmp_path / "d.zip") as archive:
        assert "ünlesbar.jpg: is empty" in archive.read("eml.xml").decode("utf-8")


def test_place_date_and_trap_stand_with_the_row(result: Detections, tmp_path: Path) -> None:
    placed = replace(result, photos=(replace(result.photos[0], gps=(-51.97, 5.66)), *result.photos[1:]))
    darwin_core.write(placed, tmp_path / "d.zip")
    table = read(tmp_path / "d.zip")
    first, second = table.iloc[0], table[table["eventID"] == "house 2/trap.jpg"].iloc[0]
    assert (first["decimalLatitude"], first["decimalLongitude"]) == (-51.97, 5.66)
    assert first["geodeticDatum"] == "EPSG:4326"
    assert first["eventDate"] == "2026-05-01T07:30:00"
    assert first["locationID"] == "T1"
    assert first["associatedMedia"] == "house 1/trap.jpg"
    assert np.isnan(second["decimalLatitude"])
    assert second["geodeticDatum"] == second["eventDate"] == second["locationID"] == ""


def test_a_day_without_a_time_is_a_day(result: Detections, tmp_path: Path) -> None:
    day = replace(result, photos=(replace(result.photos[0], taken=datetime(2026, 5, 1)), *result.photos[1:]))
    darwin_core.write(day, tmp_path / "d.zip")
    assert read(tmp_path / "d.zip")["eventDate"].iloc[0] == "2026-05-01"


def test_remarks_say_what_a_count_stands_on(tmp_path: Path) -> None:
    darwin_core.write(
        counted(("aphid", "thrips", "a moth"), [1, 3, 0], encoder="builtin", thresholds={"aphid": 0.4}),
        tmp_path / "d.zip",
    )
    remarks = read(tmp_path / "d.zip")["identificationRemarks"].tolist()
    assert remarks[0] == "score 0.5000; threshold 0.4; encoder builtin"
    assert remarks[1] == "scores 0.6333 to 0.9000; encoder builtin"
    assert remarks[2] == "no region counted; encoder builtin"


@pytest.mark.parametrize(
    ("label", "name", "rank"),
    [
        ("Greenhouse whiteflies", "Trialeurodes vaporariorum", "species"),
        ("mosca blanca", "Aleyrodidae", "family"),
        ("粉虱", "Aleyrodidae", "family"),
        ("a moth", "Lepidoptera", "order"),  # the catalogue's own "Lepidoptera (moths)" is no name of a taxon
        ("ladybird larva", "Coccinellidae", "family"),
        ("mite", "Acari", "subclass"),
        ("western corn rootworm", "Diabrotica virgifera virgifera", "subspecies"),
        ("a small black fly with long legs", "", ""),
        ("a black fly", "", ""),
        ("a green aphid", "", ""),
        ("a torn leaf", "", ""),
    ],
)
def test_labels_that_are_names_have_their_scientific_name(label: str, name: str, rank: str, tmp_path: Path) -> None:
    darwin_core.write(counted((label,), [1]), tmp_path / "d.zip")
    row = read(tmp_path / "d.zip").iloc[0]
    assert row["vernacularName"] == label
    assert (row["scientificName"], row["taxonRank"]) == (name, rank)
    assert row["kingdom"] == ("Animalia" if name else "")


def test_a_pest_that_the_prompt_set_gave_goes_first(tmp_path: Path) -> None:
    result = counted(("WF", "thrips"), [1, 1], pests={"WF": "trialeurodes-vaporariorum", "thrips": "no-such-pest"})
    darwin_core.write(result, tmp_path / "d.zip")
    assert read(tmp_path / "d.zip")["scientificName"].tolist() == ["Trialeurodes vaporariorum", "Thysanoptera"]


@pytest.mark.parametrize(
    ("absent", "present", "stated"),
    [
        ("moth", "codling moth", False),  # a codling moth is a moth
        ("codling moth", "moth", True),
        ("aphid", "whitefly", True),
        ("vinegar fly", "spotted-wing drosophila", False),
        ("mite", "two-spotted spider mite", False),
        ("fly", "thrips", True),
        ("something green", "codling moth", True),
        ("moth", "something green", True),
    ],
)
def test_no_absence_is_stated_of_what_was_found_under_another_label(
    absent: str, present: str, stated: bool, tmp_path: Path
) -> None:
    darwin_core.write(counted((absent, present), [0, 2]), tmp_path / "d.zip")
    table = read(tmp_path / "d.zip").set_index("vernacularName")
    assert (absent in table.index) == stated
    assert table.loc[present, "individualCount"] == 2


def test_all_regions_add_the_insects_that_no_label_fits(result: Detections, tmp_path: Path) -> None:
    darwin_core.write(result, tmp_path / "d.zip")
    darwin_core.write(result, tmp_path / "all.zip", all_regions=True)
    plain, every = read(tmp_path / "d.zip"), read(tmp_path / "all.zip")
    added = every[~every["occurrenceID"].isin(plain["occurrenceID"])]
    assert len(every) == len(plain) + 1
    assert added[["eventID", "scientificName", "individualCount"]].to_numpy().tolist() == [
        ["house 1/trap.jpg", "Arthropoda", 1]
    ]


def test_ids_do_not_change_with_the_models_but_with_the_photo(result: Detections, tmp_path: Path) -> None:
    again = replace(result, scores=result.scores / 2, provenance={"encoder": "another"})
    other = replace(result, photos=(replace(result.photos[0], taken=datetime(2026, 5, 8)), *result.photos[1:]))
    tables = []
    for i, each in enumerate((result, again, other)):
        darwin_core.write(each, tmp_path / f"{i}.zip")
        tables.append(read(tmp_path / f"{i}.zip"))
    assert tables[0]["occurrenceID"].tolist() == tables[1]["occurrenceID"].tolist()
    at_first = tables[0]["eventID"] == "house 1/trap.jpg"
    assert not set(tables[0].loc[at_first, "occurrenceID"]) & set(tables[2]["occurrenceID"])


def test_a_photo_that_was_given_twice_has_rows_of_its_own(tmp_path: Path) -> None:
    one = counted(("moth", "fly"), [1, 0])
    darwin_core.write(Detections.concat([one, one]), tmp_path / "d.zip")
    assert len(read(tmp_path / "d.zip")) == 4


def test_hostile_names_stay_names(hostile: Detections, tmp_path: Path) -> None:
    darwin_core.write(hostile, tmp_path / "d.zip", all_regions=True)
    present = read(tmp_path / "d.zip").query("individualCount > 0")
    assert present["vernacularName"].tolist() == [one_line(name) for name in HOSTILE]
    assert present["locationID"].tolist() == [one_line(name) for name in HOSTILE]


def test_the_description_is_what_eml_asks_for(hostile: Detections, tmp_path: Path) -> None:
    darwin_core.write(hostile, tmp_path / "d.zip")
    with zipfile.ZipFile(tmp_path / "d.zip") as archive:
        root = ElementTree.fromstring(archive.read("eml.xml"))
    assert root.tag == "{https://eml.ecoinformatics.org/eml-2.2.0}eml"
    assert {"packageId", "system"} <= root.attrib.keys()
    order = ["title", "creator", "abstract", "additionalInfo", "contact"]  # the schema's own
    assert [node.tag for node in root.find("dataset") or ()] == order
    assert re.search(r"encoder built.in -->", root.findtext("dataset/abstract/para") or "")


def test_the_same_result_gives_the_same_bytes_later(result: Detections, tmp_path: Path) -> None:
    darwin_core.write(result, tmp_path / "a.zip")
    time.sleep(2.1)  # the clock of a zip has steps of two seconds
    darwin_core.write(result, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize("all_regions", [False, True])
def test_no_photos_are_a_header_only(tmp_path: Path, all_regions: bool) -> None:
    darwin_core.write(Detections.empty(label_names=("moth",)), tmp_path / "d.zip", all_regions=all_regions)
    assert len(read(tmp_path / "d.zip")) == 0


def test_a_label_that_was_not_counted_is_not_stated_as_absent(tmp_path: Path) -> None:
    darwin_core.write(counted(("moth", "a zorb"), [0, 0], not_counted=["a zorb"]), tmp_path / "d.zip")
    assert read(tmp_path / "d.zip")["vernacularName"].tolist() == ["moth"]
