"""The viewer: a photo with boxes to hover over, zoomed into like a map; and small pictures and tables as HTML."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

from agri_clip.detections import FOUND
from agri_clip.errors import DataError
from agri_clip.formats.files import write_bytes
from agri_clip.photos.photo import Photo
from agri_clip.report.drawing import PALETTE
from agri_clip.ui.finding import Finding
from agri_clip.ui.sessions import Session, View
from agri_clip.ui.words import say

_HERE = Path(__file__).parent
#: JPEG quality of the photo as the browser shows it.
QUALITY = 90
#: Crops of one pest that are shown; more would only make the page heavy.
MOST_CROPS = 60


def make_viewer(elem_id: str) -> gr.HTML:
    """The component; its value is what `viewer_value` gives."""
    return gr.HTML(
        value={},
        html_template=(_HERE / "viewer.html").read_text("utf-8"),
        css_template=(_HERE / "viewer.css").read_text("utf-8"),
        js_on_load=(_HERE / "viewer.js").read_text("utf-8"),
        elem_id=elem_id,
    )


def serve_photo(viewer: gr.HTML, photo: Photo, session: Session) -> View:
    """Make a photo ready for the browser: upright, whatever the format of its file, and without its metadata."""
    packed, data = cv2.imencode(".jpg", photo.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not packed:
        raise DataError("the photo could not be packed as JPEG; OpenCV was built without it")
    path = session.file("view.jpg")
    write_bytes(path, data.tobytes())
    served = viewer.move_resource_to_block_cache(path)
    return View(str(served), photo.width, photo.height)


def viewer_value(view: View | None, language: str, finding: Finding | None = None) -> dict[str, Any]:
    """What the viewer shows: a photo, and of a finding the counted regions.

    Parameters
    ----------
    view : View or None
        None for an empty viewer.
    language : str
    finding : Finding or None
    """
    if view is None:
        return {}
    value: dict[str, Any] = {"file": view.file, "width": view.width, "height": view.height, "boxes": [], "labels": []}
    value["words"] = {name: say(f"viewer_{name}", language) for name in ("name", "closer", "farther", "whole", "keys")}
    if finding is None:
        return value
    found = finding.detections.found
    value["labels"] = [{"name": name, "colour": PALETTE[i % len(PALETTE)]} for i, name in enumerate(found.label_names)]
    lengths = found.length_mm if finding.unit == "mm" else found.length_px
    rounded = 1 if finding.unit == "mm" else 0
    value["boxes"] = [
        [*np.round(box, 1).tolist(), int(label), f"{score:.2f}", f"{length:.{rounded}f} {finding.unit}"]
        for box, label, score, length in zip(found.boxes, found.label_index, found.scores, lengths, strict=True)
    ]
    return value


def crop_rows(finding: Finding, language: str) -> str:
    """HTML: the crops of each pest in a row, best first."""
    detections = finding.detections
    parts = []
    for number, name in enumerate(detections.label_names):
        rows = finding.rows_of(number)
        if not len(rows):
            continue
        figures = [
            picture(finding.crop(row), f"{name} {detections.scores[row]:.2f}", f"{detections.scores[row]:.2f}")
            for row in rows[:MOST_CROPS]
        ]
        more = (
            "" if len(rows) <= MOST_CROPS else f"<p>{escape(say('find_more', language, n=len(rows) - MOST_CROPS))}</p>"
        )
        parts.append(f"<h2>{escape(name)} ({len(rows)})</h2><div class='crops'>{''.join(figures)}</div>{more}")
    return "".join(parts)


def picture(jpeg: bytes, text: str, caption: str) -> str:
    """HTML of one small picture with its caption.

    Parameters
    ----------
    jpeg : bytes
    text : str
        Said instead of the picture where it cannot be seen.
    caption : str
    """
    data = base64.b64encode(jpeg).decode("ascii")
    return (
        f"<figure><img src='data:image/jpeg;base64,{data}' alt='{escape(text)}'>"
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def html_table(columns: Sequence[str], rows: Sequence[Sequence[object]], caption: str) -> str:
    """HTML of a table; whatever stands in it is shown as plain text."""
    head = "".join(f"<th scope='col'>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr><th scope='row'>{escape(str(row[0]))}</th>"
        + "".join(f"<td>{escape(str(cell))}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    name = escape(caption)
    return (
        f"<div class='table' role='region' tabindex='0' aria-label='{name}'><table><caption>{name}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def found_counts(finding: Finding) -> list[int]:
    """Counted regions of each label."""
    found = finding.detections.label_index[finding.detections.status == FOUND]
    return np.bincount(found, minlength=len(finding.detections.label_names)).tolist()
