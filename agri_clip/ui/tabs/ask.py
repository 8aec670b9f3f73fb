"""Tab "Ask the archive": a new pest over photos that were counted before, in seconds; or what looks like a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from agri_clip.errors import DataError
from agri_clip.photos.formats import PHOTO_EXTENSIONS
from agri_clip.scoring.label_vectors import THRESHOLD
from agri_clip.ui.answering import Asked, Searched
from agri_clip.ui.archive_html import alike_html, counts_html, ranked_html
from agri_clip.ui.archives import chosen_place, file_stem, open_places
from agri_clip.ui.asking import Questions, asked_prompts, lay_questions, prompt_notes
from agri_clip.ui.page import SCORES, Changes, Page, make_status
from agri_clip.ui.saving import SaveButton, connect_saving, make_save_button
from agri_clip.ui.sessions import Session
from agri_clip.ui.uploads import read_upload
from agri_clip.ui.words import say


@dataclass(frozen=True)
class _Given:
    """What a visitor gives."""

    archive: gr.Dropdown
    questions: Questions
    start: gr.Button
    example: gr.File
    search: gr.Button


@dataclass(frozen=True)
class _Shown:
    """What a visitor gets."""

    status: gr.HTML
    threshold: gr.Slider
    counts: gr.HTML
    ranked: gr.HTML
    save: SaveButton

    @property
    def results(self) -> list[Any]:
        """What an answer changes."""
        return [self.status, self.counts, self.ranked, self.save.button]


def build_ask(page: Page, tab: gr.Tab) -> None:
    """Lay the tab out and join it with its jobs; what can be asked is listed anew whenever it is opened."""
    gr.Markdown(page.word("ask_intro"))
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            given = _lay_questions(page)
        with gr.Column(scale=2, min_width=320):
            shown = _lay_answers(page)
    _connect_tab(page, tab, given, shown)
    _connect_ask(page, given, shown)
    _connect_search(page, given, shown)
    connect_saving(page, shown.save, shown.status, _write)


def _lay_questions(page: Page) -> _Given:
    word = page.word
    archive = gr.Dropdown([], value=None, label=word("ask_archive"), elem_id="ask-archive")
    questions = lay_questions(page, "ask", photos=False)
    start = gr.Button(word("ask_start"), variant="primary", elem_id="ask-start")
    example = gr.File(
        label=word("ask_example"), file_types=["image", *sorted(PHOTO_EXTENSIONS)], height=130, elem_id="ask-example"
    )
    search = gr.Button(word("ask_search"), elem_id="ask-search")
    return _Given(archive, questions, start, example, search)


def _lay_answers(page: Page) -> _Shown:
    word = page.word
    status = make_status("ask-status")
    threshold = gr.Slider(
        0, 1, THRESHOLD, step=0.01, label=word("find_threshold"), interactive=False, elem_id="ask-threshold"
    )
    counts = gr.HTML(elem_id="ask-counts")
    save = make_save_button(page, "ask_save_csv", "ask-save-csv")
    ranked = gr.HTML(elem_id="ask-ranked")
    return _Shown(status, threshold, counts, ranked, save)


def _connect_tab(page: Page, tab: gr.Tab, given: _Given, shown: _Shown) -> None:
    def list_archives(session: Session, chosen: str | None, language: str) -> Changes:
        places = open_places(session, page.options)
        value = chosen if chosen in places else next(iter(places), None)
        choices = [(place.name, key) for key, place in places.items()]
        said = "" if places else say("ask_no_archive", language)
        return {given.archive: gr.Dropdown(choices, value=value), shown.status: said}

    tab.select(
        page.job(shown.status, list_archives),
        [page.session, given.archive],
        [page.session, shown.status, given.archive],
        show_progress="hidden",
        api_visibility="private",
    )


def _connect_ask(page: Page, given: _Given, shown: _Shown) -> None:
    def ask(session: Session, key: str | None, *values: Any) -> Changes:
        *wishes, force, language = values
        place = chosen_place(session, page.options, key, language)
        prompts = asked_prompts(session, *wishes, language=language)
        session.answered = Asked.ask(place, page.finder.detector().encoder, prompts, force=force)
        return _answers(session.answered, shown, language) | {
            shown.threshold: gr.Slider(value=THRESHOLD, interactive=True)
        }

    def rescore(session: Session, threshold: float, language: str) -> Changes:
        if not isinstance(session.answered, Asked):
            return {}
        session.answered = session.answered.scored(threshold)
        return _answers(session.answered, shown, language)

    given.start.click(
        page.job(shown.status, ask, failed=partial(_cleared, shown)),
        [page.session, given.archive, *given.questions.wishes, given.questions.force],
        [page.session, shown.threshold, *shown.results],
        concurrency_id=SCORES,
        concurrency_limit=4,
        show_progress_on=[shown.status],
        api_visibility="private",
    )
    shown.threshold.input(
        page.job(shown.status, rescore),
        [page.session, shown.threshold],
        [page.session, *shown.results],
        concurrency_id=SCORES,
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )


def _connect_search(page: Page, given: _Given, shown: _Shown) -> None:
    def search(session: Session, key: str | None, path: str | None, language: str) -> Changes:
        place = chosen_place(session, page.options, key, language)
        if path is None:
            raise DataError(say("ask_no_example", language))
        example = read_upload(Path(path), page.options.limits)
        session.answered = Searched.search(place, page.finder.detector().encoder, example)
        return {
            shown.status: say("ask_searched", language, n=len(session.answered.table)),
            shown.counts: "",
            shown.ranked: alike_html(session.answered, language),
            shown.save.button: gr.Button(interactive=True),
            shown.threshold: gr.Slider(interactive=False),
        }

    given.search.click(
        page.job(shown.status, search, failed=partial(_cleared, shown)),
        [page.session, given.archive, given.example],
        [page.session, shown.threshold, *shown.results],
        concurrency_id=SCORES,
        show_progress_on=[shown.status],
        api_visibility="private",
    )


def _cleared(shown: _Shown, session: Session, language: str) -> Changes:  # noqa: ARG001 - jobs know the language
    """Nothing of an earlier answer stays under an error."""
    session.answered = None
    return {
        **dict.fromkeys((shown.counts, shown.ranked), ""),
        shown.save.button: gr.Button(interactive=False),
        shown.threshold: gr.Slider(interactive=False),
    }


def _answers(asked: Asked, shown: _Shown, language: str) -> Changes:
    """What is shown of an answer."""
    told = prompt_notes(asked.prompts, asked.answer.detections, language)
    return {
        shown.status: "\n".join([say("batch_found", language, n=asked.found), *told]),
        shown.counts: counts_html(asked, ("trap",), language),
        shown.ranked: ranked_html(asked, language),
        shown.save.button: gr.Button(interactive=True),
    }


def _write(session: Session, language: str) -> Path:
    if session.answered is None:  # the button waits until there is an answer
        raise DataError(say("nothing_to_save", language))
    path = session.file(f"{file_stem(session.answered.place)}-answer.csv")
    session.answered.write_csv(path)
    return path
