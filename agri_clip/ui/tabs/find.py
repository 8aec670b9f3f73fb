"""Tab "Find": one photo, what to look for, and what was found; sliders answer without asking a model again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from agri_clip.errors import DataError, PromptError
from agri_clip.formats import coco, csv_table
from agri_clip.photos.formats import PHOTO_EXTENSIONS
from agri_clip.report.drawing import write_picture
from agri_clip.scoring.label_vectors import THRESHOLD
from agri_clip.settings import Settings
from agri_clip.ui.asking import Questions, asked_prompts, lay_questions, prompt_notes
from agri_clip.ui.finding import Finding
from agri_clip.ui.page import MODELS, SCORES, Changes, Page, make_status
from agri_clip.ui.samples import SAMPLE_PROMPTS, sample_photos
from agri_clip.ui.saving import SaveButton, connect_saving, make_save_button
from agri_clip.ui.sessions import Session
from agri_clip.ui.uploads import Limits, read_upload
from agri_clip.ui.viewer import crop_rows, found_counts, html_table, make_viewer, serve_photo, viewer_value
from agri_clip.ui.words import say

#: Longest length that the sliders reach before anything was found.
REACH = 50


@dataclass(frozen=True)
class _Asked:
    """What a visitor gives."""

    photo: gr.File
    questions: Questions
    start: gr.Button


@dataclass(frozen=True)
class _Shown:
    """What a visitor gets."""

    status: gr.HTML
    viewer: gr.HTML
    counts: gr.HTML
    crops: gr.HTML
    threshold: gr.Slider
    shortest: gr.Slider
    longest: gr.Slider
    saves: dict[str, SaveButton]

    @property
    def buttons(self) -> list[gr.Button]:
        """Those that save."""
        return [save.button for save in self.saves.values()]


def build_find(page: Page, tab: gr.Tab) -> None:  # noqa: ARG001 - all tabs are built alike
    """Lay the tab out and join it with its jobs."""
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            asked = _lay_questions(page)
            examples = _lay_examples(page)
        with gr.Column(scale=2, min_width=320):
            shown = _lay_answers(page)
    _connect_photo(page, asked, shown, examples)
    _connect_find(page, asked, shown)
    _connect_sliders(page, shown)
    for kind, save in shown.saves.items():
        connect_saving(page, save, shown.status, _writer(kind, page.options.limits))


def _lay_questions(page: Page) -> _Asked:
    word = page.word
    photo = gr.File(
        label=word("find_photo"), file_types=["image", *sorted(PHOTO_EXTENSIONS)], height=150, elem_id="find-photo"
    )
    questions = lay_questions(page, "find")
    start = gr.Button(word("find_start"), variant="primary", elem_id="find-start")
    return _Asked(photo, questions, start)


def _lay_examples(page: Page) -> list[tuple[gr.Button, Path]]:
    """A button for each photo that ships."""
    if not sample_photos():
        return []
    gr.Markdown(page.word("find_examples"))
    with gr.Row(elem_classes=["examples"]):
        return [
            (gr.Button(path.stem, size="sm", min_width=120, elem_id=f"find-example-{number}"), path)
            for number, path in enumerate(sample_photos())
        ]


def _lay_answers(page: Page) -> _Shown:
    word = page.word
    status = make_status("find-status")
    viewer = make_viewer("find-viewer")
    with gr.Row():
        threshold = gr.Slider(0, 1, THRESHOLD, step=0.01, label=word("find_threshold"), elem_id="find-threshold")
        shortest = gr.Slider(0, REACH, 0, step=0.1, label=word("find_shortest"), elem_id="find-shortest")
        longest = gr.Slider(0, REACH, REACH, step=0.1, label=word("find_longest"), elem_id="find-longest")
    counts = gr.HTML(elem_id="find-counts")
    with gr.Row():
        saves = {kind: make_save_button(page, f"find_save_{kind}", f"find-save-{kind}") for kind in _SAVED}
    crops = gr.HTML(elem_id="find-crops")
    return _Shown(status, viewer, counts, crops, threshold, shortest, longest, saves)


def _connect_photo(page: Page, asked: _Asked, shown: _Shown, examples: list[tuple[gr.Button, Path]]) -> None:
    """Show a photo as soon as it is there; one click puts an example there."""

    def show(session: Session, path: str | None, language: str) -> Iterator[Changes]:
        session.view = session.finding = None
        cleared: Changes = {shown.viewer: {}, shown.counts: "", shown.crops: "", **_buttons(shown, ready=False)}
        yield cleared
        if path is not None:
            photo = read_upload(Path(path), page.options.limits)
            session.view = serve_photo(shown.viewer, photo, session)
            size = say("find_shown", language, width=photo.width, height=photo.height)
            yield {shown.viewer: viewer_value(session.view, language), shown.status: "\n".join((size, *photo.notes))}

    asked.photo.change(
        page.job(shown.status, show),
        [page.session, asked.photo],
        [
            page.session,
            shown.status,
            shown.viewer,
            shown.counts,
            shown.crops,
            *shown.buttons,
        ],
        concurrency_id=SCORES,
        api_visibility="private",
    )
    for button, path in examples:
        button.click(
            lambda path=path: (str(path), SAMPLE_PROMPTS),
            None,
            [asked.photo, asked.questions.ready],
            api_visibility="private",
        )


def _connect_find(page: Page, asked: _Asked, shown: _Shown) -> None:
    def find(
        session: Session,
        path: str | None,
        pests: list[str],
        sentences: str,
        ignore: str,
        ready: str,
        force: bool,
        mm_per_pixel: float | None,
        on_card: bool,
        language: str,
    ) -> Changes:
        if path is None:
            raise PromptError(say("find_no_photo", language))
        prompts = asked_prompts(session, pests, sentences, ignore, ready, language=language)
        photo = read_upload(Path(path), page.options.limits)
        settings = Settings(card=on_card, mm_per_pixel=mm_per_pixel or None, force=force)
        session.finding = page.finder.find(photo, Path(path), prompts, settings)
        session.view = session.view or serve_photo(shown.viewer, photo, session)
        unit, reach = session.finding.unit, max(round(session.finding.longest_region + 0.05, 1), 1)
        return _results(shown, session, language) | {
            **_buttons(shown, ready=True),
            shown.threshold: THRESHOLD,
            shown.shortest: gr.Slider(maximum=reach, value=0, info=unit),
            shown.longest: gr.Slider(maximum=reach, value=reach, info=unit),
        }

    def failed(session: Session, language: str) -> Changes:
        """Nothing of an earlier run stays under an error but the photo."""
        session.finding = None
        viewer = viewer_value(session.view, language)
        return {shown.viewer: viewer, shown.counts: "", shown.crops: "", **_buttons(shown, ready=False)}

    asked.start.click(
        page.job(shown.status, find, failed=failed),
        [page.session, asked.photo, *asked.questions.wishes, asked.questions.force, *asked.questions.measures],
        [
            page.session,
            *(shown.status, shown.viewer, shown.counts, shown.crops),
            *(shown.threshold, shown.shortest, shown.longest, *shown.buttons),
        ],
        concurrency_id=MODELS,
        concurrency_limit=1,
        show_progress_on=[shown.viewer, shown.status],
        api_visibility="private",
    )


def _results(shown: _Shown, session: Session, language: str) -> Changes:
    """What is shown of a finding."""
    finding = _finding(session, language)
    numbers = found_counts(finding)
    said = [
        say("find_found", language, n=sum(numbers)),
        *finding.record.notes,
        *prompt_notes(finding.prompts, finding.detections, language),
    ]
    uncounted = finding.detections.not_counted
    rows = [
        (label, "–" if label in uncounted else number)
        for label, number in zip(finding.detections.label_names, numbers, strict=True)
    ]
    table = html_table(
        [say("pest", language), say("count", language)], rows, say("find_counts", language, name=finding.record.name)
    )
    return {
        shown.status: "\n".join(said),
        shown.viewer: viewer_value(session.view, language, finding),
        shown.counts: table,
        shown.crops: crop_rows(finding, language),
    }


def _finding(session: Session, language: str) -> Finding:
    """What was found last; the buttons wait until there is something.

    Raises
    ------
    DataError
        It has gone meanwhile.
    """
    if session.finding is None:
        raise DataError(say("nothing_to_save", language))
    return session.finding


def _buttons(shown: _Shown, *, ready: bool) -> Changes:
    return {button: gr.Button(interactive=ready) for button in shown.buttons}


def _connect_sliders(page: Page, shown: _Shown) -> None:
    def rescore(session: Session, threshold: float, shortest: float, longest: float, language: str) -> Changes:
        if session.finding is None:
            return {}
        whole = longest >= session.finding.longest_region
        session.finding = session.finding.scored(threshold, shortest or None, None if whole else longest)
        return _results(shown, session, language)

    sliders = [shown.threshold, shown.shortest, shown.longest]
    for slider in sliders:
        slider.input(
            page.job(shown.status, rescore),
            [page.session, *sliders],
            [page.session, shown.status, shown.viewer, shown.counts, shown.crops],
            concurrency_id=SCORES,
            concurrency_limit=4,
            show_progress="hidden",
            trigger_mode="always_last",
            api_visibility="private",
        )


def _save_picture(finding: Finding, session: Session, limits: Limits) -> Path:
    path = session.file(f"{Path(finding.record.name).stem}-found.jpg")
    write_picture(read_upload(finding.path, limits), finding.detections, path)
    return path


def _save_csv(finding: Finding, session: Session, limits: Limits) -> Path:  # noqa: ARG001 - all are called alike
    path = session.file(f"{Path(finding.record.name).stem}-found.csv")
    csv_table.write(finding.detections, path)
    return path


def _save_coco(finding: Finding, session: Session, limits: Limits) -> Path:  # noqa: ARG001
    path = session.file(f"{Path(finding.record.name).stem}-coco.json")
    coco.write(finding.detections, path)
    return path


_SAVED = {"picture": _save_picture, "csv": _save_csv, "coco": _save_coco}


def _writer(kind: str, limits: Limits) -> Callable[[Session, str], Path]:
    def write(session: Session, language: str) -> Path:
        return _SAVED[kind](_finding(session, language), session, limits)

    return write
