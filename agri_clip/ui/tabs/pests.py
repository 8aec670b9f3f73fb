"""Tab "Pests": make a list of what to look for, try its words on a picture, keep it and share it as YAML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from agri_clip.errors import PromptError
from agri_clip.prompts import PromptSet, check_prompts
from agri_clip.scoring.label_vectors import embed_prompts
from agri_clip.scoring.trials import alike_labels
from agri_clip.ui.asking import lay_pest_list
from agri_clip.ui.finding import make_prompts, split_lines
from agri_clip.ui.page import MODELS, Changes, Page, make_status
from agri_clip.ui.pests import ready_sets
from agri_clip.ui.saving import connect_saving, make_save_button
from agri_clip.ui.sessions import Session
from agri_clip.ui.uploads import read_upload
from agri_clip.ui.viewer import html_table
from agri_clip.ui.words import say

#: Labels whose words are at least this close to the encoder are named as hard to tell apart.
ALIKE = 0.9


@dataclass(frozen=True)
class _Made:
    """The components of the list."""

    name: gr.Textbox
    ready: gr.Dropdown
    pests: gr.Dropdown
    sentences: gr.Textbox
    ignore: gr.Textbox
    status: gr.HTML
    table: gr.HTML


def build_pests(page: Page, tab: gr.Tab) -> None:  # noqa: ARG001 - all tabs are built alike
    """Lay the tab out and join it with its jobs."""
    word = page.word
    gr.Markdown(word("pests_intro"))
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            name = gr.Textbox(label=word("pests_name"), elem_id="pests-name", max_length=100)
            ready = gr.Dropdown(
                [(word("find_no_set"), ""), *((ready, ready) for ready in ready_sets())],
                value="",
                label=word("pests_ready"),
                elem_id="pests-ready",
            )
            pests = lay_pest_list(page, "pests")
            sentences = gr.Textbox(
                label=word("find_sentences"), info=word("find_sentences_info"), lines=3, elem_id="pests-sentences"
            )
            ignore = gr.Textbox(
                label=word("find_ignore"), info=word("find_ignore_info"), lines=2, elem_id="pests-ignore"
            )
            make = gr.Button(word("pests_make"), variant="primary", elem_id="pests-make")
            load = gr.File(label=word("pests_load"), file_types=[".yaml", ".yml"], height=110, elem_id="pests-load")
        with gr.Column(scale=1, min_width=300):
            status = make_status("pests-status")
            table = gr.HTML(elem_id="pests-table")
            save = make_save_button(page, "pests_save", "pests-save")
            gr.Markdown(word("pests_try_intro"))
            picture = gr.File(label=word("pests_picture"), file_types=["image"], height=110, elem_id="pests-picture")
            phrasings = gr.Textbox(label=word("pests_phrasings"), lines=3, elem_id="pests-phrasings")
            attempt = gr.Button(word("pests_try"), elem_id="pests-try")
            ranked = gr.HTML(elem_id="pests-ranked")
    made = _Made(name, ready, pests, sentences, ignore, status, table)
    _connect_making(page, made, make, load, save.button)
    connect_saving(page, save, status, _save)
    _connect_trying(page, status, picture, phrasings, attempt, ranked)


def _connect_making(page: Page, made: _Made, make: gr.Button, load: gr.File, save: gr.Button) -> None:
    def take(session: Session, prompts: PromptSet, language: str) -> Changes:
        embedded = embed_prompts(page.finder.detector().encoder, prompts)
        session.prompts = prompts
        _, alike = alike_labels(embedded, ALIKE)
        said = [say("pests_made", language, n=len(prompts.targets)), *check_prompts(prompts)]
        said += [say("pests_alike", language, one=one, other=other) for one, other, _ in alike]
        said += [
            say(
                "find_not_counted" if label in embedded.unlearnt else "find_unknown",
                language,
                label=label,
                words=", ".join(words),
            )
            for label, words in embedded.unknown_words.items()
        ]
        return {made.status: "\n".join(said), made.table: _table(prompts, language), save: gr.Button(interactive=True)}

    def build(
        session: Session, name: str, ready: str, pests: list[str], sentences: str, ignore: str, language: str
    ) -> Changes:
        prepared = PromptSet.load(ready) if ready else None
        if prepared is None and not pests and not split_lines(sentences):
            raise PromptError(say("find_no_prompt", language))
        prompts = make_prompts(pests, sentences, ignore, prepared)
        return take(session, prompts.renamed(name) if (name or "").strip() else prompts, language)

    def read(session: Session, path: str | None, language: str) -> Changes:
        return {} if path is None else take(session, PromptSet.load(Path(path)), language)

    def failed(session: Session, language: str) -> Changes:  # noqa: ARG001 - the set made before stays in use
        return {made.table: "", save: gr.Button(interactive=False)}

    outputs = [page.session, made.status, made.table, save]
    make.click(
        page.job(made.status, build, failed=failed),
        [page.session, made.name, made.ready, made.pests, made.sentences, made.ignore],
        outputs,
        concurrency_id=MODELS,
        api_visibility="private",
    )
    load.upload(
        page.job(made.status, read, failed=failed),
        [page.session, load],
        outputs,
        concurrency_id=MODELS,
        api_visibility="private",
    )


def _table(prompts: PromptSet, language: str) -> str:
    """What is looked for, in which words and sizes, and what is ignored."""
    rows = [
        [
            target.name,
            "; ".join(target.phrases()),
            "" if target.length_mm is None else f"{target.length_mm[0]:g}–{target.length_mm[1]:g} mm",
        ]
        for target in prompts.targets
    ]
    columns = [say("pest", language), say("pests_words", language), say("pests_length", language)]
    ignored = [[", ".join(prompts.negative_labels) or "–"]]
    return html_table(columns, rows, prompts.name) + html_table([say("pests_ignored_head", language)], ignored, "")


def _save(session: Session, language: str) -> Path:
    if session.prompts is None:  # the button waits until there is one
        raise PromptError(say("nothing_to_save", language))
    letters = "".join(letter if letter.isalnum() else "-" for letter in session.prompts.name).strip("-")
    path = session.file(f"{letters or 'prompts'}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    session.prompts.save(path)
    return path


def _connect_trying(
    page: Page, status: gr.HTML, picture: gr.File, phrasings: gr.Textbox, attempt: gr.Button, ranked: gr.HTML
) -> None:
    def rank(session: Session, path: str | None, text: str, language: str) -> Changes:  # noqa: ARG001
        sentences = split_lines(text)
        if path is None or len(sentences) < 2:
            raise PromptError(say("pests_try_what", language))
        photo = read_upload(Path(path), page.options.limits)
        shown = [
            [text, f"{cosine:.3f}", f"{share:.0%}"] for text, cosine, share in page.finder.compare(photo, sentences)
        ]
        columns = [say(key, language) for key in ("pests_phrasing", "pests_cosine", "pests_share")]
        return {ranked: html_table(columns, shown, say("pests_ranked", language, name=photo.name))}

    def failed(session: Session, language: str) -> Changes:  # noqa: ARG001 - no earlier ranking stays under an error
        return {ranked: ""}

    attempt.click(
        page.job(status, rank, failed=failed),
        [page.session, picture, phrasings],
        [page.session, status, ranked],
        concurrency_id=MODELS,
        api_visibility="private",
    )
