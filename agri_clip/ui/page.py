"""Page: what the tabs share (options, models, words, the visitor's session), and how an error becomes a sentence."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from agri_clip.errors import AgriClipError
from agri_clip.ui.finding import Finder
from agri_clip.ui.options import PageOptions
from agri_clip.ui.sessions import Session
from agri_clip.ui.words import language_of, say

#: Jobs of one group take turns: those that run models, those that only compute with what is known, and batches.
MODELS, SCORES, BATCHES = "models", "scores", "batches"

#: Of a job's outputs, those that change.
Changes = dict[Any, Any]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Page:
    """What the tabs share.

    Attributes
    ----------
    options : PageOptions
    finder : Finder
    words : gr.I18n
    session : gr.State
        A `Session`, or None before the visitor's first job.
    visits : Path or None
        Where the folders of visitors are made; None takes the system's place for such folders.
    """

    options: PageOptions
    finder: Finder
    words: gr.I18n
    session: gr.State
    visits: Path | None = None

    def open_session(self) -> Session:
        """A new visitor's session."""
        return Session.open(self.visits)

    def word(self, key: str) -> Any:
        """A text that the browser translates."""
        say(key)  # one that is missing is noticed when the page is built
        return self.words(key)

    def job(
        self, status: gr.HTML, work: Callable[..., Any], *, failed: Callable[[Session, str], Changes] | None = None
    ) -> Callable[..., Any]:
        """A job as Gradio calls it: knows the visitor, and says errors as sentences.

        Give the event the inputs ``[page.session, …]`` and have `status` and `page.session` among its outputs.

        Parameters
        ----------
        status : gr.HTML
            Of `make_status`.
        work : callable
            Takes the session, the values of the other inputs, and last the visitor's language; returns, or yields,
            `Changes`. A sentence for `status` goes as plain text.
        failed : callable, optional
            Takes the session and the language; `Changes` that go with the sentence of an error: buttons that wake up
            again, and results of an earlier run that must not stay under it. They cannot be yielded before it: of two
            changes at once a browser may show only the last.
        """

        def finished(here: Session, changes: Changes) -> Changes:
            said = changes.get(status, "")
            return {self.session: here} | changes | {status: sentence(said) if isinstance(said, str) else said}

        def explained(here: Session, error: Exception, language: str) -> Changes:
            said = str(error)
            if not isinstance(error, AgriClipError):
                log.error("a job of the page failed", exc_info=error)
                said = say("unexpected", language)
            undone = {} if failed is None else failed(here, language)
            return undone | {self.session: here, status: sentence(said, wrong=True)}

        def run(request: gr.Request, session: Session | None, *values: Any) -> Changes:
            here, language = session or self.open_session(), language_of(request)
            try:
                return finished(here, work(here, *values, language))
            except Exception as error:  # whatever it is, a visitor reads a sentence; the log has the rest
                return explained(here, error, language)

        def run_on(request: gr.Request, session: Session | None, *values: Any) -> Iterator[Changes]:
            here, language = session or self.open_session(), language_of(request)
            try:
                for changes in work(here, *values, language):
                    yield finished(here, changes)
            except Exception as error:
                yield explained(here, error, language)

        chosen = run_on if inspect.isgeneratorfunction(work) else run
        chosen.__annotations__ = {"request": gr.Request}
        return chosen


def make_status(elem_id: str) -> gr.HTML:
    """Where a tab says what happened; screen readers read it aloud."""
    return gr.HTML(sentence(""), elem_id=elem_id, elem_classes=["status"])


def sentence(text: str, *, wrong: bool = False) -> str:
    """HTML of what `make_status` shows; the text is shown as it is, markup in it too."""
    role, kind = ("alert", "wrong") if wrong else ("status", "said")
    lines = "<br>".join(escape(line) for line in text.splitlines())
    return f"<div role='{role}' class='{kind}'>{lines}</div>"
