"""Files to take home: one press writes a file and has the browser take it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from agri_clip.ui.page import SCORES, Changes, Page
from agri_clip.ui.sessions import Session


@dataclass(frozen=True)
class SaveButton:
    """A button, and the hidden link that the browser takes the file from."""

    button: gr.Button
    link: gr.DownloadButton
    elem_id: str


def make_save_button(page: Page, text: str, elem_id: str, *, interactive: bool = False) -> SaveButton:
    """Lay out one button.

    Parameters
    ----------
    page : Page
    text : str
        Key of its words.
    elem_id : str
    interactive : bool
        Whether there is something to save from the start.
    """
    button = gr.Button(page.word(text), size="sm", interactive=interactive, elem_id=elem_id)
    return SaveButton(button, gr.DownloadButton(visible="hidden", elem_id=f"{elem_id}-file"), elem_id)


def connect_saving(page: Page, save: SaveButton, status: gr.HTML, write: Callable[[Session, str], Path]) -> None:
    """Join a button with what writes its file.

    Parameters
    ----------
    page : Page
    save : SaveButton
    status : gr.HTML
        Where an error is said.
    write : callable
        Takes the session and the language; returns the file.
    """

    def run(session: Session, language: str) -> Changes:
        return {save.link: str(write(session, language))}

    save.button.click(
        page.job(status, run),
        [page.session],
        [page.session, status, save.link],
        concurrency_id=SCORES,
        api_visibility="private",
    ).success(
        None, None, None, js=f"() => setTimeout(() => document.querySelector('#{save.elem_id}-file').click(), 50)"
    )
