"""Tab "Find": one photo, what to look for, and what was found; sliders answer without asking a model again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from agri_clip.errors import PromptError
from agri_clip.exports import coco, csv_table, write_picture
from agri_clip.label_vectors import THRESHOLD
from agri_clip.photo import read_photo
from agri_clip.photo_formats import PHOTO_EXTENSIONS
from agri_clip.prompts import PromptSet
from agri_clip.settings import Settings
from agri_clip.ui.finding import Finding, make_prompts
from agri_clip.ui.page import MODELS, SCORES, Changes, Page, make_status
from agri_clip.ui.pests import OWN_SET, pest_choices, ready_sets
from agri_clip.ui.samples import SAMPLE_PROMPTS, sample_photos
from agri_clip.ui.sessions import Session
from agri_clip.ui.uploads import read_upload
from agri_clip.ui.viewer import crop_rows, found_counts, html_table, make_viewer, serve_photo, viewer_value
from agri_clip.ui.words import say

#: Longest length that the sliders reach before anything was found.
REACH = 50


@dataclass(frozen=True)
class _Asked:
    """What a visitor gives."""

    photo: gr.File
    pests: gr.Dropdown
    sentences: gr.Textbox
    ignore: gr.Textbox
    ready: gr.Dropdown
    scale: gr.Number
    card: gr.Checkbox
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
    buttons: dict[str, gr.Button]
    files: dict[str, gr.DownloadButton]


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
    for kind in shown.buttons:
        _connect_saving(page, shown, kind)


def _lay_questions(page: Page) -> _Asked:
    word = page.word
    photo = gr.File(
        label=word("find_photo"), file_types=["image", *sorted(PHOTO_EXTENSIONS)], height=150, elem_id="find-photo"
    )
    pests = gr.Dropdown(
        pest_choices(),
        value=[],
        multiselect=True,
        label=word("find_pests"),
        info=word("find_pests_info"),
        num_choices_shown=300,
        elem_id="find-pests",
    )
    sentences = gr.Textbox(
        label=word("find_sentences"), info=word("find_sentences_info"), lines=2, elem_id="find-sentences"
    )
    sets = [(word("find_no_set"), ""), (word("find_own_set"), OWN_SET), *((name, name) for name in ready_sets())]
    ready = gr.Dropdown(sets, value="", label=word("find_ready"), elem_id="find-ready")
    with gr.Accordion(word("find_more_settings"), open=False):
        ignore = gr.Textbox(label=word("find_ignore"), info=word("find_ignore_info"), elem_id="find-ignore")
        scale = gr.Number(label=word("find_scale"), info=word("find_scale_info"), minimum=0, elem_id="find-scale")
        card = gr.Checkbox(True, label=word("find_card"), elem_id="find-card")
    start = gr.Button(word("find_start"), variant="primary", elem_id="find-start")
    return _Asked(photo, pests, sentences, ignore, ready, scale, card, start)


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
        buttons = {
            kind: gr.Button(word(f"find_save_{kind}"), size="sm", interactive=False, elem_id=f"find-save-{kind}")
            for kind in _SAVED
        }
    files = {kind: gr.DownloadButton(visible="hidden", elem_id=f"find-file-{kind}") for kind in _SAVED}
    crops = gr.HTML(elem_id="find-crops")
    return _Shown(status, viewer, counts, crops, threshold, shortest, longest, buttons, files)


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
        [page.session, shown.status, shown.viewer, shown.counts, shown.crops, *shown.buttons.values()],
        concurrency_id=SCORES,
        api_visibility="private",
    )
    for button, path in examples:
        button.click(
            lambda path=path: (str(path), SAMPLE_PROMPTS),
            None,
            [asked.photo, asked.ready],
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
        mm_per_pixel: float | None,
        on_card: bool,
        language: str,
    ) -> Changes:
        if path is None:
            raise PromptError(say("find_no_photo", language))
        prompts = asked_prompts(session, pests, sentences, ignore, ready, language)
        photo = read_upload(Path(path), page.options.limits)
        settings = Settings(card=on_card, mm_per_pixel=mm_per_pixel or None)
        session.finding = page.finder.find(photo, Path(path), prompts, settings)
        session.view = session.view or serve_photo(shown.viewer, photo, session)
        unit, reach = session.finding.unit, max(round(session.finding.longest_region + 0.05, 1), 1)
        return _results(shown, session, language) | {
            **_buttons(shown, ready=True),
            shown.threshold: THRESHOLD,
            shown.shortest: gr.Slider(maximum=reach, value=0, info=unit),
            shown.longest: gr.Slider(maximum=reach, value=reach, info=unit),
        }

    asked.start.click(
        page.job(shown.status, find),
        [
            page.session,
            *(asked.photo, asked.pests, asked.sentences, asked.ignore, asked.ready, asked.scale, asked.card),
        ],
        [
            page.session,
            *(shown.status, shown.viewer, shown.counts, shown.crops),
            *(shown.threshold, shown.shortest, shown.longest, *shown.buttons.values()),
        ],
        concurrency_id=MODELS,
        concurrency_limit=1,
        show_progress_on=[shown.viewer, shown.status],
        api_visibility="private",
    )


def asked_prompts(
    session: Session, pests: list[str], sentences: str, ignore: str, ready: str, language: str
) -> PromptSet:
    """The prompt set that a visitor's wishes come to.

    Raises
    ------
    PromptError
        Nothing to look for, or a wish cannot be used.
    """
    prepared = session.prompts if ready == OWN_SET else PromptSet.load(ready) if ready else None
    if ready == OWN_SET and prepared is None:
        raise PromptError(say("find_no_own_set", language))
    if prepared is None and not pests and not (sentences or "").strip():
        raise PromptError(say("find_no_prompt", language))
    return make_prompts(pests, sentences, ignore, prepared)


def _results(shown: _Shown, session: Session, language: str) -> Changes:
    """What is shown of a finding."""
    finding = session.finding
    assert finding is not None
    numbers = found_counts(finding)
    said = [say("find_found", language, n=sum(numbers)), *finding.record.notes, *unknown_words(finding, language)]
    rows = list(zip(finding.detections.label_names, numbers, strict=True))
    table = html_table(
        [say("pest", language), say("count", language)], rows, say("find_counts", language, name=finding.record.name)
    )
    return {
        shown.status: "\n".join(said),
        shown.viewer: viewer_value(session.view, language, finding),
        shown.counts: table,
        shown.crops: crop_rows(finding, language),
    }


def unknown_words(finding: Finding, language: str) -> list[str]:
    """A sentence for each label with words that the encoder never saw."""
    unknown: dict[str, tuple[str, ...]] = finding.detections.provenance.get("unknown_words", {})
    return [say("find_unknown", language, label=label, words=", ".join(words)) for label, words in unknown.items()]


def _buttons(shown: _Shown, *, ready: bool) -> Changes:
    return {button: gr.Button(interactive=ready) for button in shown.buttons.values()}


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


def _save_picture(finding: Finding, session: Session) -> Path:
    path = session.file(f"{Path(finding.record.name).stem}-found.jpg")
    write_picture(read_photo(finding.path, name=finding.record.name), finding.detections, path)
    return path


def _save_csv(finding: Finding, session: Session) -> Path:
    path = session.file(f"{Path(finding.record.name).stem}-found.csv")
    csv_table.write(finding.detections, path)
    return path


def _save_coco(finding: Finding, session: Session) -> Path:
    path = session.file(f"{Path(finding.record.name).stem}-coco.json")
    coco.write(finding.detections, path)
    return path


_SAVED = {"picture": _save_picture, "csv": _save_csv, "coco": _save_coco}


def _connect_saving(page: Page, shown: _Shown, kind: str) -> None:
    """A press writes the file and then has the browser take it."""

    def save(session: Session, language: str) -> Changes:  # noqa: ARG001 - jobs know the language
        assert session.finding is not None  # the button waits until there is one
        return {shown.files[kind]: str(_SAVED[kind](session.finding, session))}

    shown.buttons[kind].click(
        page.job(shown.status, save),
        [page.session],
        [page.session, shown.status, shown.files[kind]],
        concurrency_id=SCORES,
        api_visibility="private",
    ).then(
        None,
        None,
        None,
        js=f"() => setTimeout(() => document.querySelector('#find-file-{kind} a, #find-file-{kind}').click(), 50)",
    )
