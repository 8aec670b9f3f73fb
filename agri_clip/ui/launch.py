"""Builds the page and serves it; nothing that it loads or sends comes from, or goes to, another machine."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import gradio as gr

from agri_clip.io.console import output
from agri_clip.ui.api import add_endpoints
from agri_clip.ui.finding import Finder
from agri_clip.ui.options import PageOptions
from agri_clip.ui.page import Page
from agri_clip.ui.samples import sample_photos
from agri_clip.ui.sessions import Session
from agri_clip.ui.tabs.about import build_about
from agri_clip.ui.tabs.ask import build_ask
from agri_clip.ui.tabs.batch import build_batch
from agri_clip.ui.tabs.check import build_check
from agri_clip.ui.tabs.find import build_find
from agri_clip.ui.tabs.pests import build_pests
from agri_clip.ui.words import page_words, say

#: The tabs in their order: name, and what lays one out.
TABS: dict[str, Callable[[Page, gr.Tab], None]] = {
    "find": build_find,
    "batch": build_batch,
    "ask": build_ask,
    "pests": build_pests,
    "check": build_check,
    "about": build_about,
}
#: Seconds between two looks for uploads that are too old.
SWEEP = 300
#: Most seconds that anything is kept: thirty years.
LONGEST = 1_000_000_000
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Noto Sans CJK SC", "sans-serif")


def build_page(options: PageOptions, finder: Finder, visits: Path | None = None) -> gr.Blocks:
    """The page with all its tabs, not yet served.

    Parameters
    ----------
    options : PageOptions
    finder : Finder
    visits : Path or None
        Where the folders of visitors are made.
    """
    seconds = min(options.keep_minutes * 60, LONGEST)
    words = page_words()
    with gr.Blocks(
        title=say("title"), analytics_enabled=False, delete_cache=(min(SWEEP, int(seconds) or 1), int(seconds) or 1)
    ) as blocks:
        page = Page(options, finder, words, gr.State(None, time_to_live=seconds, delete_callback=_close), visits)
        gr.Markdown(page.word("heading"))
        with gr.Tabs():
            for name, build in TABS.items():
                with gr.Tab(page.word(f"tab_{name}"), id=name) as tab:
                    build(page, tab)
        add_endpoints(page)
    blocks.queue(max_size=options.queue, default_concurrency_limit=4)
    return blocks


def _close(session: Session | None) -> None:
    if session is not None:
        session.close()


def make_theme() -> gr.themes.Base:
    """Fonts of the reader's own system: none is fetched."""
    theme = gr.themes.Default(
        primary_hue="green", font=list(FONTS), font_mono=["ui-monospace", "Consolas", "monospace"]
    )
    # Small grey text of the usual theme is too pale to be read in sunlight, and by WCAG 2 (1.4.3).
    return theme.set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        link_text_color="*primary_700",
    )


def serve(
    options: PageOptions,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    share: bool = False,
    accounts: Sequence[tuple[str, str]] | None = None,
    root_path: str | None = None,
    wait: bool = True,
) -> tuple[gr.Blocks, str]:
    """Load the models, then serve the page.

    Parameters
    ----------
    options : PageOptions
    host : str
        Address to listen on; ``0.0.0.0`` for other machines too.
    port : int or None
        None takes the first free one from 7860 on.
    share : bool
        Open a public address through a server of Gradio's makers.
    accounts : sequence of (str, str) or None
        Who may log in.
    root_path : str or None
        Where a proxy shows the page, such as ``/traps``.
    wait : bool
        Say where the page is, and until it is closed; otherwise it is served in the background.

    Returns
    -------
    blocks : gr.Blocks
    address : str
        Of the page.

    Raises
    ------
    ModelError
        A model is unknown, or is not on this machine.
    """
    # No telemetry; and uploads and visits in a folder of our own that goes with the page.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    work = Path(tempfile.mkdtemp(prefix="agri-clip-page-"))
    served, visits = work / "served", work / "visits"  # Gradio shows what lies in the first, and never the second
    for folder in (served, visits):
        folder.mkdir()
    os.environ["GRADIO_TEMP_DIR"] = str(served)
    _remove_at_the_end(work)
    blocks = build_page(options, Finder(options), visits)
    _remove_when_closed(blocks, work)
    style = Path(__file__).parent / "page.css"
    try:
        _, address, public = blocks.launch(
            server_name=host,
            server_port=port,
            share=share,
            auth=list(accounts) if accounts else None,
            root_path=root_path,
            prevent_thread_lock=True,
            quiet=True,
            show_error=False,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            max_file_size=options.limits.file_bytes,
            allowed_paths=[str(path) for path in sample_photos()],
            theme=make_theme(),
            css_paths=style,
            i18n=page_words(),
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
        )
        if wait:
            output().print(f"the page is at {public or address} (Ctrl-C ends it)", markup=False, soft_wrap=True)
            blocks.block_thread()
    finally:
        if wait:
            shutil.rmtree(work, ignore_errors=True)
    return blocks, address


def _remove_at_the_end(work: Path) -> None:
    """Remove what visitors sent when the program ends, also where it is told to by SIGTERM."""
    atexit.register(shutil.rmtree, work, ignore_errors=True)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: object) -> NoReturn:  # noqa: ARG001
    """End as Ctrl-C does, so that what stands behind `finally`, and what was registered for the end, is done."""
    sys.exit(128 + number)


def _remove_when_closed(blocks: gr.Blocks, work: Path) -> None:
    """Remove what visitors sent when the page is closed, whoever serves it."""
    close = blocks.close

    def close_and_remove(*given: Any, **named: Any) -> None:
        try:
            close(*given, **named)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    blocks.close = close_and_remove  # type: ignore[method-assign]
