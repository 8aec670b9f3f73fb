"""What `identify` found, as JSON, as a table with one row an insect, and as annotated pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agri_clip.detections import FOUND, Detections, text_column
from agri_clip.formats.csv_table import write_table
from agri_clip.formats.files import printable, rounded, write_text
from agri_clip.identify.identifier import NAMES, Identification, Insect, Named
from agri_clip.photos.photo import Photo
from agri_clip.report import drawing
from agri_clip.scoring.taxonomy import Taxon

#: Grows when a field changes its meaning or goes away.
FORMAT_VERSION = 1


def as_document(answers: Sequence[Identification], language: str = "en") -> dict[str, Any]:
    """All that is known of some photos, as a dict of plain values."""
    document = {
        "format": "agri-clip identification",
        "format_version": FORMAT_VERSION,
        "language": language,
        "produced_by": answers[0].provenance if answers else {},
        "photos": [_photo(answer, language) for answer in answers],
    }
    whole: dict[str, Any] = printable(document)
    return whole


def write_json(answers: Sequence[Identification], path: Path | str, language: str = "en") -> None:
    """Write one JSON object; strict JSON, null where a value is not known.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    document = as_document(answers, language)
    write_text(path, json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def insects_table(answers: Sequence[Identification], language: str = "en") -> pd.DataFrame:
    """One row an insect, in photo order; a photo that could not be read has one row with the reason in `failed`.

    Returns
    -------
    DataFrame
        `photo`, `trap`, `taken`, `failed`; `answer` (the sentence), `rank`, `name`, `latin`, `likeness`, `perhaps`,
        `order`, `family`, `group`, `species`; `insect`, `objectness`, `whole_photo`, the box in pixels; the best names
        with their likeness; `note`. What is not known is missing.
    """
    rows = [(answer, insect) for answer in answers for insect in answer.insects or (None,)]
    texts: dict[str, list[str | None]] = {
        "photo": [answer.record.name for answer, _ in rows],
        "trap": [answer.record.trap for answer, _ in rows],
        "failed": [answer.record.reason for answer, _ in rows],
    }
    facts = [_flat(insect, language) if insect else {} for _, insect in rows]
    table = pd.DataFrame({name: text_column(values) for name, values in texts.items()})
    taken = pd.Series([answer.record.taken for answer, _ in rows], dtype="datetime64[s]")
    table.insert(2, "taken", taken)
    for name in TEXT_COLUMNS:
        table[name] = text_column(fact.get(name) for fact in facts)
    for name, decimals in NUMBER_COLUMNS.items():
        table[name] = pd.Series([fact.get(name) for fact in facts], dtype="float64").round(decimals)
    for k in range(1, NAMES + 1):
        table[f"name_{k}"] = text_column(fact.get(f"name_{k}") for fact in facts)
        table[f"likeness_{k}"] = pd.Series([fact.get(f"likeness_{k}") for fact in facts], dtype="float64").round(4)
    return table.assign(note=text_column("; ".join(answer.record.notes) or None for answer, _ in rows))


TEXT_COLUMNS = ("answer", "rank", "name", "latin", "perhaps", "order", "family", "group", "species", "whole_photo")
NUMBER_COLUMNS: Mapping[str, int] = {
    **dict.fromkeys(("likeness", "insect", "objectness"), 4),
    **dict.fromkeys(("x1", "y1", "x2", "y2"), 1),
}


def write_csv(answers: Sequence[Identification], path: Path | str, language: str = "en") -> None:
    """Write `insects_table` so that a spreadsheet opens it as it is.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    write_table(insects_table(answers, language), path, _short_provenance(answers))


def write_failures(answers: Sequence[Identification], path: Path | str) -> None:
    """Write one row for each photo that could not be read; only the header where all could.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    failed = [answer.record for answer in answers if answer.record.failed]
    table = pd.DataFrame(
        {"photo": text_column(r.name for r in failed), "reason": text_column(r.reason for r in failed)}
    )
    write_table(table, path, _short_provenance(answers))


def to_detections(answer: Identification, language: str = "en") -> Detections:
    """The insects of a photo as detections whose labels are the answers, for drawing and for other formats."""
    shown = [insect for insect in answer.insects if insect.status != "none"]
    names = [insect.short_name(language) for insect in shown]
    labels = tuple(dict.fromkeys(names))
    scores = np.array([insect.answer.likeness if insect.answer else insect.insect for insect in shown], np.float32)
    boxes = np.array([insect.box for insect in shown], np.float32).reshape(-1, 4)
    sides = boxes[:, 2:] - boxes[:, :2]
    length = sides.max(axis=1, initial=0)
    return Detections(
        photos=(answer.record,),
        label_names=labels,
        photo_index=np.zeros(len(shown), np.int32),
        boxes=boxes,
        label_index=np.array([labels.index(name) for name in names], np.int32),
        status=np.full(len(shown), FOUND, np.int8),
        scores=scores,
        insect=np.array([insect.insect for insect in shown], np.float32),
        objectness=np.array([np.nan if i.objectness is None else i.objectness for i in shown], np.float32),
        margin=scores,
        length_px=length,
        length_mm=length * (answer.record.mm_per_pixel or np.nan),
        outlines=(None,) * len(shown),
        provenance=dict(answer.provenance),
    )


def write_picture(photo: Photo, answer: Identification, path: Path | str, language: str = "en") -> None:
    """Draw the answers into a photo and write the picture; see `drawing.save`."""
    drawing.save(drawing.draw(photo.pixels, to_detections(answer, language)), path, _short_provenance([answer]))


def _photo(answer: Identification, language: str) -> dict[str, Any]:
    record = answer.record
    if record.failed:
        return {"name": record.name, "taken": record.taken, "trap": record.trap, "failed": record.reason}
    return {
        "name": record.name,
        "width": record.width,
        "height": record.height,
        "taken": record.taken,
        "trap": record.trap,
        "mm_per_pixel": record.mm_per_pixel,
        "notes": record.notes,
        "failed": None,
        "regions": answer.regions,
        "insects": [_insect(insect, language) for insect in answer.insects],
    }


def _insect(insect: Insect, language: str) -> dict[str, Any]:
    return {
        "box": [rounded(value, 1) for value in insect.box],
        "whole_photo": insect.whole_photo,
        "objectness": None if insect.objectness is None else rounded(insect.objectness, 4),
        "insect": rounded(insect.insect, 4),
        "answer": {
            "sentence": insect.sentence(language),
            "rank": insect.rank,
            **(_name(insect.answer, language) if insect.answer else {"name": None, "latin": None, "likeness": None}),
            **_lineage(insect.answer.taxon if insect.answer else None),
        },
        "perhaps": _name(insect.perhaps, language) if insect.perhaps else None,
        "names": [_name(named, language) for named in insect.names],
        "best_species": _name(insect.species, language) if insect.species else None,
    }


def _name(named: Named, language: str) -> dict[str, Any]:
    taxon = named.taxon
    return {
        "name": taxon.name_in(language),
        "latin": taxon.latin or None,
        "rank": taxon.rank,
        "likeness": rounded(named.likeness, 4),
    }


def _lineage(taxon: Taxon | None) -> dict[str, str | None]:
    """Order, family, group and species that an answer lies in; None where it says nothing of them."""
    if taxon is None:
        return dict.fromkeys(("order", "family", "group", "species"))
    return {
        "order": taxon.order,
        "family": taxon.family,
        "group": taxon.group,
        "species": taxon.latin if taxon.rank == "species" else None,
    }


def _flat(insect: Insect, language: str) -> dict[str, Any]:
    """The cells of one row of `insects_table`."""
    known: dict[str, Any] = {
        "answer": insect.sentence(language),
        "rank": insect.rank,
        "insect": insect.insect,
        "objectness": insect.objectness,
        "whole_photo": "yes" if insect.whole_photo else "no",
        **dict(zip(("x1", "y1", "x2", "y2"), insect.box, strict=True)),
        **_lineage(insect.answer.taxon if insect.answer else None),
    }
    if insect.answer:
        known |= _name(insect.answer, language) | {"rank": insect.rank}
    if insect.perhaps:
        known["perhaps"] = insect.perhaps.taxon.name_in(language)
    for k, named in enumerate(insect.names, 1):
        known |= {f"name_{k}": named.taxon.name_in(language), f"likeness_{k}": named.likeness}
    return known


def _short_provenance(answers: Sequence[Identification]) -> dict[str, Any]:
    """Provenance without its lists: it stands in every row."""
    whole = answers[0].provenance if answers else {}
    return {key: value for key, value in whole.items() if not isinstance(value, list)}
