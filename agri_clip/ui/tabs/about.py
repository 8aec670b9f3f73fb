"""Tab "About": what runs here, what leaves the machine (nothing), and the cards of the embedded models."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import gradio as gr

from agri_clip.archive.season import LIBRARIES
from agri_clip.io.version import program_version
from agri_clip.ui.page import Page
from agri_clip.ui.viewer import html_table

#: Pictures and links to other files of the documentation, which the page does not have.
_PICTURE, _LINK = re.compile(r"!\[[^\]]*\]\([^)]*\)\n?"), re.compile(r"\[([^\]]+)\]\((?!https?://)[^)]*\)")


def build_about(page: Page, tab: gr.Tab) -> None:  # noqa: ARG001 - all tabs are built alike
    """Lay the tab out."""
    gr.Markdown(page.word("about_privacy"))
    gr.HTML(html_table(["what", "version"], about_rows(page), "agri_clip"), elem_id="about-versions")
    with gr.Accordion(page.word("about_cards"), open=False):
        gr.Markdown(model_card(), elem_id="about-card")


def about_rows(page: Page) -> list[list[str]]:
    """What runs, with versions."""
    proposer = page.finder.detector().proposer
    return [
        ["agri_clip", program_version()],
        ["proposer", f"{proposer.name} {proposer.version}"],
        ["encoder", page.finder.encoder],
        *([name, version(name)] for name in ("gradio", *LIBRARIES)),
        ["licence", "AGPL-3.0-or-later"],
    ]


@lru_cache(maxsize=1)
def model_card() -> str:
    """The cards of the embedded models, as Markdown without pictures; nothing where they were not installed."""
    package = Path(__file__).resolve().parents[2]
    for place in (package / "_data" / "cards", package.parent / "docs"):
        card = place / "model-card.md"
        if card.is_file():
            return _LINK.sub(r"\1", _PICTURE.sub("", card.read_text("utf-8")))
    return ""
