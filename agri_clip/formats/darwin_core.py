"""Darwin Core: counts as an archive that GBIF and other biodiversity databases read. https://dwc.tdwg.org/text/"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from agri_clip.detections import FOUND, OTHER, Detections, text_column
from agri_clip.formats.files import on_globe, printable, produced_by, thresholds, write_bytes, xml_text, zip_bytes
from agri_clip.photos.photo import one_line

if TYPE_CHECKING:
    from agri_clip.prompts import Pest

TERMS = "http://rs.tdwg.org/dwc/terms/"
TEXT_GUIDE = "http://rs.tdwg.org/dwc/text/"
EML = "https://eml.ecoinformatics.org/eml-2.2.0"
#: Ids of occurrences lie in this name space, so that the same photo and label have the same id in every run.
NAME_SPACE = uuid.UUID("6f1d5f0e-5a55-5c0f-9d57-7a9b4f0f2c11")
#: What `all_regions` adds: insects that no label fits. Traps also hold mites and spiders, so no narrower taxon is true.
OTHER_LABEL, OTHER_TAXON, OTHER_RANK = "arthropod that no label fits", "Arthropoda", "phylum"
CORE_ATTRIBUTES = {
    "rowType": f"{TERMS}Occurrence",
    "encoding": "UTF-8",
    "fieldsTerminatedBy": ",",
    "linesTerminatedBy": "\\n",
    "fieldsEnclosedBy": '"',
    "ignoreHeaderLines": "1",
}


def write(detections: Detections, path: Path | str, *, all_regions: bool = False) -> None:
    """Write a zip with `occurrence.csv`, `meta.xml` and `eml.xml`: one occurrence for each photo and label.

    A label of which nothing was found in a photo is an occurrence with the status `absent` and the count 0, unless its
    taxon holds another label that was found there: no moth is no true count beside a codling moth. A label has a
    scientific name where it is a name of the pest catalogue, or where the prompt set gave it a catalogued pest;
    its own words always stand under `vernacularName`. Photos that failed say nothing of any label: they have no rows
    and stand in `eml.xml`.

    Parameters
    ----------
    detections : Detections
    path : Path or str
    all_regions : bool
        Also one occurrence for each photo with insects that no label fits.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    table = occurrences(detections, all_regions=all_regions)
    lines = table.to_csv(index=False, lineterminator="\n")
    members = {
        "meta.xml": _meta(list(table.columns)),
        "eml.xml": _eml(detections),
        "occurrence.csv": lines.encode("utf-8"),
    }
    write_bytes(path, zip_bytes(members))


def occurrences(detections: Detections, *, all_regions: bool = False) -> pd.DataFrame:
    """The rows of `occurrence.csv`.

    Parameters
    ----------
    detections : Detections
    all_regions : bool
        See `write`.

    Returns
    -------
    DataFrame
        One row for each photo that was read and label, photos first; columns are Darwin Core terms.
    """
    pests = _pests(detections)
    labels = _label_table(detections, pests)
    values = _counted(detections, FOUND, detections.label_index, len(labels))
    # A count of 0 is no absence of a taxon where another label of that taxon was found.
    stated = (values["count"] > 0) | ((values["count"] > 0).astype(int) @ _holds(pests).T.astype(int) == 0)
    stated[:, [label in detections.not_counted for label in detections.label_names]] = False
    if all_regions:
        labels = pd.concat([labels, _other_label()], ignore_index=True)
        other = _counted(detections, OTHER, np.zeros(len(detections), int), 1)
        values = {name: np.concatenate([values[name], other[name]], axis=1) for name in values}
        stated = np.concatenate([stated, other["count"] > 0], axis=1)
    stated[[photo.failed for photo in detections.photos]] = False
    at_photo, at_label = np.nonzero(stated)
    of_photo = _photo_table(detections).iloc[at_photo].reset_index(drop=True)
    of_label = labels.iloc[at_label].reset_index(drop=True)
    count, least, most = (values[name][at_photo, at_label] for name in ("count", "least", "most"))
    remarks = _remarks(count, least, most, of_label["threshold"].to_numpy(), _said(detections, "encoder"))
    return pd.DataFrame(
        {
            "occurrenceID": _ids(of_photo["identity"], of_label["vernacularName"]),
            "basisOfRecord": "MachineObservation",
            "occurrenceStatus": np.where(count > 0, "present", "absent"),
            "individualCount": count,
            **{name: of_photo[name] for name in ("eventID", "eventDate", "locationID")},
            **{name: of_photo[name] for name in ("decimalLatitude", "decimalLongitude", "geodeticDatum")},
            **{name: of_label[name] for name in ("scientificName", "taxonRank", "kingdom", "vernacularName")},
            "identificationRemarks": text_column(remarks),
            "identificationVerificationStatus": "unverified",
            "samplingProtocol": _protocol(detections),
            "associatedMedia": of_photo["eventID"],
        }
    )


def _counted(detections: Detections, status: int, column: np.ndarray, columns: int) -> dict[str, np.ndarray]:
    """Number of regions of a status, and their lowest and highest score, by photo and column."""
    chosen = detections.status == status
    at = (detections.photo_index[chosen], column[chosen])
    shape = (len(detections.photos), columns)
    count, least, most = np.zeros(shape, np.int64), np.full(shape, np.inf), np.full(shape, -np.inf)
    np.add.at(count, at, 1)
    np.minimum.at(least, at, detections.scores[chosen])
    np.maximum.at(most, at, detections.scores[chosen])
    return {"count": count, "least": least, "most": most}


def _photo_table(detections: Detections) -> pd.DataFrame:
    """What is known of each photo, and `identity`, the text that tells it from others in every run."""
    photos = detections.photos
    facts = [[p.name, _date(p.taken), p.trap, p.camera, p.gps, p.width, p.height] for p in photos]
    places = [p.gps if on_globe(p.gps) else None for p in photos]
    gps = np.array([place or (np.nan, np.nan) for place in places], np.float64).reshape(-1, 2).round(7)
    return pd.DataFrame(
        {
            "identity": text_column(json.dumps(printable(fact)) for fact in facts),
            "eventID": text_column(one_line(p.name) for p in photos),
            "eventDate": text_column(_date(p.taken) for p in photos),
            "locationID": text_column(None if p.trap is None else one_line(p.trap) for p in photos),
            "decimalLatitude": gps[:, 0],
            "decimalLongitude": gps[:, 1],
            "geodeticDatum": text_column(None if place is None else "EPSG:4326" for place in places),
        }
    )


def _label_table(detections: Detections, pests: list[Pest | None]) -> pd.DataFrame:
    """Each label with its taxon, where the catalogue knows one, and its threshold."""
    taxa = [_taxon(pest) for pest in pests]
    limits = thresholds(detections)
    return pd.DataFrame(
        {
            "vernacularName": text_column(one_line(name) for name in detections.label_names),
            "scientificName": text_column(name for name, _ in taxa),
            "taxonRank": text_column(rank for _, rank in taxa),
            "kingdom": text_column(None if name is None else "Animalia" for name, _ in taxa),
            "threshold": np.array([limits.get(name, np.nan) for name in detections.label_names], np.float64),
        }
    )


def _other_label() -> pd.DataFrame:
    words = (OTHER_LABEL, OTHER_TAXON, OTHER_RANK, "Animalia")
    columns = ("vernacularName", "scientificName", "taxonRank", "kingdom")
    return pd.DataFrame({name: text_column([word]) for name, word in zip(columns, words, strict=True)}).assign(
        threshold=np.nan
    )


def _pests(detections: Detections) -> list[Pest | None]:
    """The catalogue's entry for each label: the one that the prompt set gave, else the one of that name."""
    from agri_clip.prompts import load_catalogue, named_pest  # only where it is needed: the catalogue has many files

    given = detections.provenance.get("pests")
    stated: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    catalogue = load_catalogue()
    return [catalogue.get(str(stated.get(name))) or named_pest(name) for name in detections.label_names]


def _taxon(pest: Pest | None) -> tuple[str | None, str | None]:
    """Scientific name and rank; of an informal group the family or order that it lies in."""
    if pest is None:
        return None, None
    if pest.rank != "group":
        return pest.scientific, "subspecies" if len(pest.scientific.split()) == 3 else pest.rank
    if pest.family is not None:
        return pest.family, "family"
    return pest.order, "subclass" if pest.order == "Acari" else "order"


def _holds(pests: list[Pest | None]) -> np.ndarray:
    """Which taxa hold which: shape (n, n), bool; a row for the wider one. The catalogue's orders and families decide.

    A superfamily, which the catalogue does not give for other entries, is taken for its whole order: better no count
    of 0 than a wrong one.
    """
    lines = [_lineage(pest) for pest in pests]
    narrowest = [max((at for at, name in enumerate(line) if name), default=None) for line in lines]
    rows = [
        [at is not None and line[at] == other[at] for other in lines] for line, at in zip(lines, narrowest, strict=True)
    ]
    return np.array(rows, bool).reshape(len(pests), len(pests))


def _lineage(pest: Pest | None) -> tuple[str | None, ...]:
    """Order, family, genus and species, as far down as an entry is told apart; all None for none."""
    if pest is None:
        return (None,) * 4
    genus = pest.scientific.split()[0] if pest.rank in ("species", "genus") else None
    species = pest.scientific if pest.is_species else None
    order = "Acari" if pest.group == "mite" else pest.order  # the entry for all mites spans several orders
    return order, pest.family, genus, species


def _ids(identities: pd.Series, labels: pd.Series) -> list[str]:
    """One id for each photo and label, that stays the same from run to run; a photo given twice has two."""
    repeats = pd.DataFrame({"photo": identities, "label": labels}).groupby(["photo", "label"]).cumcount()
    keys = zip(identities, labels, repeats, strict=True)
    return [uuid.uuid5(NAME_SPACE, json.dumps([photo, label, int(again)])).urn for photo, label, again in keys]


def _date(taken: datetime | None) -> str | None:
    """ISO 8601, local time; the day alone where the time is midnight, as it is where only the day is known."""
    if taken is None:
        return None
    return taken.date().isoformat() if taken.time() == datetime.min.time() else taken.isoformat(timespec="seconds")


def _remarks(count: np.ndarray, least: np.ndarray, most: np.ndarray, threshold: np.ndarray, encoder: str) -> list[str]:
    """What each row's count stands on: the scores, the threshold where it is known, and the encoder."""
    rows = zip(count.tolist(), least.tolist(), most.tolist(), threshold.tolist(), strict=True)
    return [
        one_line(
            ("no region counted" if n == 0 else f"score {low:.4f}" if n == 1 else f"scores {low:.4f} to {high:.4f}")
            + ("" if np.isnan(limit) else f"; threshold {limit:g}")
            + f"; encoder {encoder}"
        )
        for n, low, high, limit in rows
    ]


def _protocol(detections: Detections) -> str:
    return one_line(
        f"photo; {_said(detections, 'program')} counted regions by proposer {_said(detections, 'proposer')} whose best "
        f"label reached its threshold; encoder {_said(detections, 'encoder')}, prompts {_said(detections, 'prompts')}"
    )


def _said(detections: Detections, key: str) -> str:
    """One entry of the provenance as text; of joined results there may be several."""
    value = printable(detections.provenance.get(key))
    return ", ".join(map(str, value)) if isinstance(value, list) else "not known" if value is None else str(value)


def _meta(columns: list[str]) -> bytes:
    """The description of `occurrence.csv`: which term each column is."""
    archive = ElementTree.Element("archive", {"xmlns": TEXT_GUIDE, "metadata": "eml.xml"})
    core = ElementTree.SubElement(archive, "core", CORE_ATTRIBUTES)
    files = ElementTree.SubElement(core, "files")
    ElementTree.SubElement(files, "location").text = "occurrence.csv"
    ElementTree.SubElement(core, "id", index="0")
    for index, name in enumerate(columns):
        ElementTree.SubElement(core, "field", index=str(index), term=TERMS + name)
    return _document(archive)


def _eml(detections: Detections) -> bytes:
    """The least that EML asks for; who took the photos, and the licence, only the user can add."""
    failed = [f"{photo.name}: {photo.reason}" for photo in detections.photos if photo.failed]
    made_by = produced_by(detections.provenance)
    key = json.dumps(printable([[photo.name for photo in detections.photos], made_by]))
    package = {"packageId": uuid.uuid5(NAME_SPACE, key).urn, "system": "agri-clip", "xmlns:eml": EML}
    root = ElementTree.Element("eml:eml", package)
    dataset = ElementTree.SubElement(root, "dataset")
    _add(dataset, "title", "Insects counted in photos by agri-clip")
    _add(dataset, "creator/organizationName", "to be named: who took the photos")
    _add(
        dataset, "abstract/para", f"Counts by machine, one row for each photo and label, not checked. Made by {made_by}"
    )
    if failed:
        notes = ElementTree.SubElement(dataset, "additionalInfo")
        for text in ("Photos that could not be read, and have no rows:", *failed):
            _add(notes, "para", text)
    _add(dataset, "contact/organizationName", "to be named: who answers questions")
    return _document(root)


def _add(parent: ElementTree.Element, place: str, text: str) -> None:
    for name in place.split("/"):
        parent = ElementTree.SubElement(parent, name)
    parent.text = xml_text(text)


def _document(root: ElementTree.Element) -> bytes:
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"
