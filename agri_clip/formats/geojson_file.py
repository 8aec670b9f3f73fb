"""GeoJSON: a point for each photo with what was counted there, for QGIS and web maps. RFC 7946."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agri_clip.detections import Detections, PhotoRecord
from agri_clip.formats.csv_table import counts_table
from agri_clip.formats.files import on_globe, printable, write_text


def write(detections: Detections, path: Path | str, *, all_regions: bool = False) -> None:  # noqa: ARG001
    """Write a FeatureCollection with one Point for each photo that was read and has a GPS position.

    Longitude stands before latitude, in degrees of WGS 84. The properties of a point are the columns of `counts.csv`.
    Photos that failed or have no position stand in the member `photos_without_place`, with the reason and the same
    properties.

    Parameters
    ----------
    detections : Detections
    path : Path or str
    all_regions : bool
        Makes no difference: other insects and background are always counted beside the labels.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    table = counts_table(detections)
    names = [str(name) for name in table.columns]
    rows = table.astype(object).where(table.notna(), None).to_numpy().tolist()
    placed: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for photo, row in zip(detections.photos, rows, strict=True):
        properties = dict(zip(names, row, strict=True))
        reason = _why_not_placed(photo)
        if reason is None and photo.gps is not None:
            latitude, longitude = photo.gps
            point = {"type": "Point", "coordinates": [round(float(longitude), 7), round(float(latitude), 7)]}
            placed.append({"type": "Feature", "geometry": point, "properties": properties})
        else:
            others.append({"reason": reason, "properties": properties})
    document = {
        "type": "FeatureCollection",
        "name": "agri-clip counts",
        "features": placed,
        "photos_without_place": others,
        "produced_by": detections.provenance,
    }
    write_text(path, json.dumps(printable(document), ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def _why_not_placed(photo: PhotoRecord) -> str | None:
    """Why a photo is no point on the map; None where it is one."""
    if photo.failed:
        return photo.reason
    if photo.gps is None:
        return "the photo has no GPS position"
    if not on_globe(photo.gps):
        return f"its position, latitude {photo.gps[0]} and longitude {photo.gps[1]}, is not on the globe"
    return None
