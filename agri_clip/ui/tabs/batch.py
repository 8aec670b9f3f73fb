"""Tab "Many photos": uploads or a folder of the operator into an archive; counts by trap and date, and the report."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components.plot import PlotData

from agri_clip.batch.run import Stop
from agri_clip.counts import write_count_csv
from agri_clip.errors import DataError
from agri_clip.photos.formats import PHOTO_EXTENSIONS
from agri_clip.scoring.label_vectors import THRESHOLD
from agri_clip.settings import Settings
from agri_clip.ui.answering import Asked, most_first
from agri_clip.ui.archive_html import chart, counts_html, failures_html, progress_html
from agri_clip.ui.archives import file_stem
from agri_clip.ui.asking import Questions, asked_prompts, lay_questions, prompt_notes
from agri_clip.ui.batches import Done, Job, folder_job, run_job, upload_job
from agri_clip.ui.options import allowed_folders
from agri_clip.ui.page import BATCHES, SCORES, Changes, Page, make_status
from agri_clip.ui.saving import SaveButton, connect_saving, make_save_button
from agri_clip.ui.sessions import Session
from agri_clip.ui.words import say

#: Batches that run at once; the models take turns, so further ones would only need more memory.
AT_ONCE = 2


@dataclass(frozen=True)
class _Given:
    """What a visitor gives."""

    photos: gr.File
    folder: gr.Dropdown
    name: gr.Textbox
    questions: Questions
    start: gr.Button
    stop: gr.Button


@dataclass(frozen=True)
class _Shown:
    """What a visitor gets."""

    progress: gr.HTML
    status: gr.HTML
    failures: gr.HTML
    threshold: gr.Slider
    counts: gr.HTML
    pest: gr.Dropdown
    plot: gr.Plot
    notes: gr.HTML
    drawn: gr.HTML
    saves: dict[str, SaveButton]

    @property
    def results(self) -> list[Any]:
        """What an answer changes."""
        buttons = [save.button for save in self.saves.values()]
        return [self.status, self.failures, self.counts, self.pest, self.plot, self.notes, *buttons]


def build_batch(page: Page, tab: gr.Tab) -> None:  # noqa: ARG001 - all tabs are built alike
    """Lay the tab out and join it with its jobs."""
    gr.Markdown(page.word("batch_intro"))
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            given = _lay_questions(page)
        with gr.Column(scale=2, min_width=320):
            shown = _lay_answers(page)
    _connect_start(page, given, shown)
    _connect_stop(page, given, shown)
    _connect_results(page, shown)
    for kind, save in shown.saves.items():
        connect_saving(page, save, shown.status, _writer(kind))


def _lay_questions(page: Page) -> _Given:
    word, folders = page.word, list(allowed_folders(page.options))
    photos = gr.File(
        label=word("batch_files"),
        file_count="multiple",
        file_types=["image", ".zip", *sorted(PHOTO_EXTENSIONS)],
        height=150,
        elem_id="batch-files",
    )
    folder = gr.Dropdown(
        [(word("batch_no_folder"), ""), *((name, name) for name in folders)],
        value="",
        label=word("batch_folder"),
        visible=bool(folders),
        elem_id="batch-folder",
    )
    name = gr.Textbox(
        label=word("batch_name"), info=word("batch_name_info"), max_lines=1, max_length=60, elem_id="batch-name"
    )
    questions = lay_questions(page, "batch")
    with gr.Row():
        start = gr.Button(word("batch_start"), variant="primary", min_width=140, elem_id="batch-start")
        stop = gr.Button(word("batch_stop"), interactive=False, min_width=140, elem_id="batch-stop")
    return _Given(photos, folder, name, questions, start, stop)


def _lay_answers(page: Page) -> _Shown:
    word = page.word
    progress = gr.HTML(elem_id="batch-progress")
    status = make_status("batch-status")
    threshold = gr.Slider(0, 1, THRESHOLD, step=0.01, label=word("find_threshold"), elem_id="batch-threshold")
    counts = gr.HTML(elem_id="batch-counts")
    with gr.Row():
        saves = {kind: make_save_button(page, f"batch_save_{kind}", f"batch-save-{kind}") for kind in _SAVED}
    failures = gr.HTML(elem_id="batch-failures")
    pest = gr.Dropdown([], value=None, label=word("batch_pest"), visible=False, elem_id="batch-pest")
    plot = gr.Plot(label=word("batch_plot"), visible=False, elem_id="batch-plot")
    notes, drawn = gr.HTML(elem_id="batch-notes"), make_status("batch-drawn")
    return _Shown(progress, status, failures, threshold, counts, pest, plot, notes, drawn, saves)


def _connect_start(page: Page, given: _Given, shown: _Shown) -> None:
    def run(session: Session, files: list[str] | None, folder: str, name: str, *values: Any) -> Iterator[Changes]:
        *wishes, force, mm_per_pixel, on_card, language = values
        stop = session.stop = Stop()
        session.counted = None
        yield {
            **_results(session, shown, language),
            **_pressable(given, shown, language, running=True),
            shown.progress: f"<p>{escape(say('batch_begun', language))}</p>",
        }
        prompts = asked_prompts(session, *wishes, language=language)
        detector = page.finder.detector(Settings(card=on_card, mm_per_pixel=mm_per_pixel or None, force=force))
        if folder and files:
            raise DataError(say("batch_both", language))
        if folder:
            job = folder_job(session, page.options, folder, prompts, detector, language)
        else:
            job = upload_job(session, page.options, files, name, prompts, detector, language)
        done = yield from _fill(session, stop, job, shown, language)
        session.counted = Asked.ask(job.place, detector.encoder, prompts, force=force) if done.kept else None
        yield {
            **_results(session, shown, language, said=_said(done, language)),
            **_pressable(given, shown, language, stopped=done.stopped),
            **{shown.threshold: gr.Slider(value=THRESHOLD, interactive=True), shown.progress: ""},
        }

    def failed(session: Session, language: str) -> Changes:  # noqa: ARG001 - results went when the run began
        return {**_pressable(given, shown, language), shown.progress: ""}

    questions = given.questions
    given.start.click(
        page.job(shown.status, run, failed=failed),
        [
            *(page.session, given.photos, given.folder, given.name),
            *(*questions.wishes, questions.force, *questions.measures),
        ],
        [page.session, given.start, given.stop, shown.progress, shown.threshold, *shown.results],
        concurrency_id=BATCHES,
        concurrency_limit=AT_ONCE,
        show_progress="hidden",
        api_visibility="private",
    )


def _pressable(given: _Given, shown: _Shown, language: str, *, running: bool = False, stopped: bool = False) -> Changes:
    """Which buttons can be pressed; "go on" is the same button as "start"."""
    text = say("batch_go_on" if stopped else "batch_start", language)
    return {
        given.start: gr.Button(text, interactive=not running),
        given.stop: gr.Button(interactive=running),
        shown.threshold: gr.Slider(interactive=not running),
    }


def _fill(session: Session, stop: Stop, job: Job, shown: _Shown, language: str) -> Generator[Changes, None, Done]:
    """Run a batch and show photo by photo how far it is."""
    states = run_job(session, stop, job)
    while True:
        try:
            state = next(states)
        except StopIteration as end:
            done: Done = end.value
            return done
        yield {shown.progress: progress_html(state, language)}


def _connect_stop(page: Page, given: _Given, shown: _Shown) -> None:
    def stop(session: Session, language: str) -> Changes:  # noqa: ARG001 - jobs know the language
        if session.stop is not None:
            session.stop.ask()
        return {given.stop: gr.Button(interactive=False)}

    given.stop.click(
        page.job(shown.status, stop),
        [page.session],
        [page.session, shown.status, given.stop],
        queue=False,
        api_visibility="private",
    )


def _connect_results(page: Page, shown: _Shown) -> None:
    def rescore(session: Session, threshold: float, language: str) -> Changes:
        if session.counted is None:
            return {}
        session.counted = session.counted.scored(threshold)
        return _results(session, shown, language)

    def draw(session: Session, pest: str | None, language: str) -> Changes:
        return {} if session.counted is None else _chart(shown, *chart(session.counted, pest, language))

    shared: dict[str, Any] = {"concurrency_id": SCORES, "show_progress": "hidden", "trigger_mode": "always_last"}
    shown.threshold.input(
        page.job(shown.status, rescore),
        [page.session, shown.threshold],
        [page.session, *shown.results],
        api_visibility="private",
        **shared,
    )
    shown.pest.input(
        page.job(shown.drawn, draw),
        [page.session, shown.pest],
        [page.session, shown.drawn, shown.plot, shown.notes],
        api_visibility="private",
        **shared,
    )


def _results(session: Session, shown: _Shown, language: str, *, said: str = "") -> Changes:
    """What is shown of the photos that are counted; nothing where none are."""
    asked, buttons = session.counted, [save.button for save in shown.saves.values()]
    if asked is None:
        return {
            **dict.fromkeys((shown.failures, shown.counts, shown.notes), ""),
            **{shown.pest: gr.Dropdown(visible=False), shown.plot: gr.Plot(visible=False), shown.status: said},
            **{button: gr.Button(interactive=False) for button in buttons},
        }
    pests = list(most_first(asked.by_trap_and_day))
    drawn, notes = chart(asked, pests[0], language)
    told = prompt_notes(asked.prompts, asked.answer.detections, language)
    return {
        shown.status: "\n".join([*([said] if said else []), say("batch_found", language, n=asked.found), *told]),
        shown.failures: failures_html(asked, language),
        shown.counts: counts_html(asked, ("trap", "day"), language),
        **_chart(shown, drawn, notes),
        shown.pest: gr.Dropdown(pests, value=pests[0], visible=drawn is not None),
        **{button: gr.Button(interactive=True) for button in buttons},
    }


def _said(done: Done, language: str) -> str:
    if done.failed and not done.stopped:
        return say("batch_done_some", language, n=done.kept - done.failed, failed=done.failed, total=done.total)
    return say("batch_stopped" if done.stopped else "batch_done", language, n=done.kept, total=done.total)


def _chart(shown: _Shown, figure: PlotData | None, notes: str) -> Changes:
    return {shown.plot: gr.Plot(figure, visible=figure is not None), shown.notes: f"<p>{escape(notes)}</p>"}


def _save_report(asked: Asked, path: Path) -> None:
    asked.write_report(path)


def _save_csv(asked: Asked, path: Path) -> None:
    write_count_csv(asked.by_trap_and_day, path, asked.answer.detections.provenance)


#: What can be taken home: how a file ends, and who writes it.
_SAVED: dict[str, tuple[str, Callable[[Asked, Path], None]]] = {
    "report": ("-report.html", _save_report),
    "csv": ("-counts.csv", _save_csv),
}


def _writer(kind: str) -> Callable[[Session, str], Path]:
    def write(session: Session, language: str) -> Path:
        if session.counted is None:  # the button waits until there is something
            raise DataError(say("nothing_to_save", language))
        ending, save = _SAVED[kind]
        path = session.file(f"{file_stem(session.counted.place)}{ending}")
        path.parent.mkdir(parents=True, exist_ok=True)
        save(session.counted, path)
        return path

    return write
