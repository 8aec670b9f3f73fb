"""Tab "Check": is it what the program says? By click or key, the doubtful first; counts with the answers taken in."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path
from typing import Any, Protocol

import gradio as gr
import numpy as np
from scipy.stats import binomtest

from agri_clip.detections import FOUND, Detections
from agri_clip.errors import DataError
from agri_clip.formats import coco, label_studio
from agri_clip.formats.files import write_bytes, zip_bytes
from agri_clip.ui.answers import Answers, Region, Verdict, by_doubt, region_of
from agri_clip.ui.page import SCORES, Changes, Page, make_status
from agri_clip.ui.pests import pest_choices
from agri_clip.ui.saving import SaveButton, connect_saving, make_save_button
from agri_clip.ui.sessions import Session
from agri_clip.ui.viewer import html_table
from agri_clip.ui.words import say

#: What can be checked, by the name that a session has it under.
SOURCES = ("finding", "counted", "answered")

#: What the keys do, in the browser.
KEYS = Path(__file__).parent.parent / "keys.js"

#: Button, the verdict that it gives, and its keys.
BUTTONS: dict[str, tuple[Verdict, str]] = {
    "right": ("right", "1"),
    "wrong": ("wrong", "2"),
    "else": ("something else", "3"),
    "none": ("not an insect", "4"),
}


class Checkable(Protocol):
    """What can be checked: a finding on one photo, or what an archive answers."""

    @property
    def detections(self) -> Detections:
        """What the regions are."""
        ...

    def crop(self, row: int) -> bytes:
        """JPEG of a row of `detections`."""
        ...


@dataclass(frozen=True)
class _Check:
    """The components of the tab."""

    status: gr.HTML
    what: gr.Radio
    crop: gr.HTML
    instead: gr.Dropdown
    answers: dict[str, gr.Button]
    back: gr.Button
    later: gr.Button
    counts: gr.HTML
    saves: dict[str, SaveButton]

    @property
    def changing(self) -> list[gr.components.Component]:
        """What an answer changes."""
        buttons = [*self.answers.values(), self.back, self.later, *(save.button for save in self.saves.values())]
        return [self.crop, self.instead, self.counts, *buttons]


def build_check(page: Page, tab: gr.Tab) -> None:
    """Lay the tab out and join it with its jobs; it shows what is to be checked whenever it is opened."""
    word = page.word
    gr.Markdown(word("check_intro"))
    what = gr.Radio(
        [(word(f"check_of_{name}"), name) for name in SOURCES],
        value="finding",
        label=word("check_what"),
        elem_id="check-what",
    )
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            crop = gr.HTML(
                elem_id="check-crop", js_on_load=(Path(__file__).parent.parent / "keys.js").read_text("utf-8")
            )
            with gr.Row():
                answers = {
                    name: gr.Button(
                        word(f"check_{name}"), elem_id=f"check-{name}", elem_classes=[f"key-{key}"], min_width=130
                    )
                    for name, (_, key) in BUTTONS.items()
                }
            instead = gr.Dropdown(
                pest_choices(),
                value=None,
                allow_custom_value=True,
                label=word("check_instead"),
                elem_id="check-instead",
            )
            status = make_status("check-status")  # beside the buttons, for that is where people look
            with gr.Row():
                back = gr.Button(word("check_back"), size="sm", elem_id="check-back", elem_classes=["key-b"])
                later = gr.Button(word("check_later"), size="sm", elem_id="check-later", elem_classes=["key-space"])
        with gr.Column(scale=1, min_width=300):
            counts = gr.HTML(elem_id="check-counts")
            with gr.Row():
                saves = {kind: make_save_button(page, f"check_save_{kind}", f"check-save-{kind}") for kind in _SAVED}
    check = _Check(status, what, crop, instead, answers, back, later, counts, saves)
    _connect(page, check, tab)
    for kind, save in saves.items():
        connect_saving(page, save, status, _SAVED[kind])


def _connect(page: Page, check: _Check, tab: gr.Tab) -> None:
    outputs = [page.session, check.status, *check.changing]

    def look(session: Session, what: str, language: str) -> Changes:
        return _shown(check, session, what, language)

    def later(session: Session, what: str, language: str) -> Changes:
        source = _source(session, what)
        if source is not None and (row := _current(session, source)) is not None:
            session.put_off.append(region_of(source.detections, row))
        return _shown(check, session, what, language)

    def back(session: Session, what: str, language: str) -> Changes:
        if session.answers is not None and session.given:
            session.answers.take_back(session.given.pop())
        session.put_off.clear()
        return _shown(check, session, what, language)

    for event, work in (
        (tab.select, look),
        (check.what.input, look),
        (check.later.click, later),
        (check.back.click, back),
    ):
        event(
            page.job(check.status, _in_turn(work)),
            [page.session, check.what],
            outputs,
            concurrency_id=SCORES,
            show_progress="hidden",
            trigger_mode="multiple",
            api_visibility="private",
        )
    for name, (verdict, _) in BUTTONS.items():
        _connect_answer(page, check, name, verdict)


def _connect_answer(page: Page, check: _Check, name: str, verdict: Verdict) -> None:
    def answer(session: Session, what: str, instead: str | None, language: str) -> Changes:
        source = _source(session, what)
        row = None if source is None else _current(session, source)
        if source is None or row is None:
            return _shown(check, session, what, language)
        label = (instead or "").strip() if verdict == "something else" else None
        if label == "":
            raise DataError(say("check_what_instead", language))
        if session.answers is None:
            session.answers = Answers(_answers_folder(page, session))
        session.given.append(session.answers.give(source.detections, row, source.crop(row), verdict, label))
        return _shown(check, session, what, language) | {check.instead: None}

    check.answers[name].click(
        page.job(check.status, _in_turn(answer)),
        [page.session, check.what, check.instead],
        [page.session, check.status, *check.changing],
        concurrency_id=SCORES,
        show_progress="hidden",
        trigger_mode="multiple",  # a quick second press is an answer too, to the next region
        api_visibility="private",
    )


def _in_turn(work: Callable[..., Changes]) -> Callable[..., Changes]:
    """A job that waits for the one before it: each press is an answer to the region that is then shown."""

    def run(session: Session, *values: Any) -> Changes:
        with session.turn:
            return work(session, *values)

    return run


def _answers_folder(page: Page, session: Session) -> Path:
    """Where a visitor's answers lie: with the visit, or in a folder of their own in the operator's."""
    if page.options.answers is None:
        return session.folder / "answers"
    return page.options.answers / f"{date.today().isoformat()}-{session.folder.name.rsplit('-', 1)[-1]}"


def _source(session: Session, what: str) -> Checkable | None:
    """What a visitor wants to check, if there is any."""
    source: Any = getattr(session, what)
    return source if hasattr(source, "detections") else None  # a search by example says nothing that could be wrong


def _current(session: Session, source: Checkable) -> int | None:
    """Row of the most doubtful region that nobody answered; what was put off comes last."""
    detections, put_off = source.detections, set(session.put_off)
    waiting: dict[Region, int] = {}
    for row in by_doubt(detections).tolist():
        if session.answers is not None and session.answers.of(detections, row) is not None:
            continue
        region = region_of(detections, row)
        if region not in put_off:
            return int(row)
        waiting[region] = row
    return next((waiting[region] for region in session.put_off if region in waiting), None)


def _shown(check: _Check, session: Session, what: str, language: str) -> Changes:
    """The region to look at, the counts so far, and which buttons do something."""
    source = _source(session, what)
    row = None if source is None else _current(session, source)
    changes: Changes = {
        button: gr.Button(interactive=row is not None) for button in (*check.answers.values(), check.later)
    }
    changes[check.back] = gr.Button(interactive=bool(session.given))
    kept = session.answers is not None and len(session.answers) > 0
    changes |= {save.button: gr.Button(interactive=kept) for save in check.saves.values()}
    if source is None:
        return changes | {check.crop: f"<p>{escape(say('check_nothing', language))}</p>", check.counts: ""}
    changes[check.counts] = _counts(source.detections, session.answers, language)
    if row is None:
        return changes | {check.crop: f"<p>{escape(say('check_done', language))}</p>"}
    return changes | {check.crop: _crop(source, row, language)}


def _crop(source: Checkable, row: int, language: str) -> str:
    detections = source.detections
    name = detections.label_names[detections.label_index[row]]
    scaled = bool(np.isfinite(detections.length_mm[row]))
    length = f"{detections.length_mm[row]:.1f} mm" if scaled else f"{detections.length_px[row]:.0f} px"
    text = say("check_question", language, label=name)
    facts = say("check_facts", language, score=f"{detections.scores[row]:.2f}", length=length)
    photo = detections.photos[detections.photo_index[row]].name
    data = base64.b64encode(source.crop(row)).decode("ascii")
    return (
        f"<figure class='asked'><img src='data:image/jpeg;base64,{data}' alt='{escape(text)}'>"
        f"<figcaption><strong>{escape(text)}</strong><br>{escape(facts)}<br>{escape(photo)}</figcaption></figure>"
    )


def _counts(detections: Detections, answers: Answers | None, language: str) -> str:
    """Table of the program's and the corrected counts, and the precision so far."""
    found = detections.label_index[detections.status == FOUND]
    numbers = np.bincount(found, minlength=len(detections.label_names)).tolist()
    counted = dict(zip(detections.label_names, numbers, strict=True))
    corrected = counted if answers is None else answers.corrected(detections)
    rows = [[name, counted.get(name, 0), number] for name, number in corrected.items()]
    columns = [say("pest", language), say("check_program", language), say("check_corrected", language)]
    table = html_table(columns, rows, say("check_counts", language, n=len(detections.photos)))
    right, looked = (0, 0) if answers is None else answers.precision(detections)
    said = say("check_looked", language, looked=looked, total=sum(numbers))
    if looked:
        low, high = binomtest(right, looked).proportion_ci(method="wilson")
        shares = {"share": f"{right / looked:.0%}", "low": f"{low:.0%}", "high": f"{high:.0%}"}
        said += " " + say("check_precision", language, right=right, looked=looked, **shares)
    return f"{table}<p>{escape(said)}</p>"


def _given(session: Session) -> Answers:
    if session.answers is None:  # the buttons wait until there are some, but a visit may have ended meanwhile
        raise DataError(say("nothing_to_save"))
    return session.answers


def _save_crops(session: Session, language: str) -> Path:  # noqa: ARG001 - writers know the language
    folder = _given(session).folder
    members = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    path = session.file("answers.zip")
    write_bytes(path, zip_bytes(members))
    return path


def _save_coco(session: Session, language: str) -> Path:  # noqa: ARG001
    path = session.file("answers-coco.json")
    coco.write(_given(session).detections(), path)
    return path


def _save_label_studio(session: Session, language: str) -> Path:  # noqa: ARG001
    folder = session.file("label-studio")
    label_studio.write(_given(session).detections(), folder)
    path = session.file("answers-label-studio.zip")
    write_bytes(path, zip_bytes({file.name: file.read_bytes() for file in sorted(folder.iterdir())}))
    return path


_SAVED = {"crops": _save_crops, "coco": _save_coco, "label_studio": _save_label_studio}
