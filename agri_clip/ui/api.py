"""The page's jobs for programs: named endpoints of Gradio's API, each whole in itself. docs/api.md shows their use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr

from agri_clip.formats.json_file import as_document
from agri_clip.report.drawing import write_picture
from agri_clip.settings import Settings
from agri_clip.ui.api_requests import spoken, texts_of, wished_prompts
from agri_clip.ui.api_season import archives_endpoint, ask_endpoint, batch_endpoint, search_endpoint
from agri_clip.ui.page import BATCHES, MODELS, SCORES, Page
from agri_clip.ui.uploads import read_upload


def add_endpoints(page: Page) -> None:
    """Add the endpoints to the page; their components are not shown."""
    with gr.Row(visible=False):
        drawn = gr.File()
        asked = [gr.File(), gr.JSON(), gr.JSON(), gr.Textbox(), gr.Number(), gr.Number(), gr.Checkbox()]
        _add(detect_endpoint(page, Path(drawn.GRADIO_CACHE)), asked, [gr.JSON(), drawn])
        _add(compare_endpoint(page), [gr.File(), gr.JSON()], [gr.JSON()])
        # These remember a program's archives from one call to the next, as the page does a visitor's.
        files, name, folder = gr.File(file_count="multiple"), gr.Textbox(), gr.Textbox()
        wishes = [gr.JSON(), gr.JSON(), gr.Textbox()]
        result, session = gr.JSON(), page.session
        _add(
            batch_endpoint(page),
            [session, files, name, folder, *wishes, gr.Number(), gr.Checkbox()],
            [session, result],
            BATCHES,
        )
        _add(archives_endpoint(page), [session], [session, result], SCORES)
        asking = [session, name, *wishes, gr.Number(), gr.Number(), gr.Checkbox()]
        _add(ask_endpoint(page), asking, [session, result], SCORES)
        _add(search_endpoint(page), [session, name, gr.File(), gr.Number()], [session, result], SCORES)


def _add(work: Callable[..., Any], inputs: list[Any], outputs: list[Any], group: str = MODELS) -> None:
    gr.Button().click(work, inputs, outputs, api_name=work.__name__, concurrency_id=group)


def detect_endpoint(page: Page, served: Path) -> Callable[..., Any]:
    """The endpoint ``/detect``; pictures are written to the folder `served`, which the page sweeps."""

    def detect(
        photo: str,
        prompts: list[str] | None = None,
        negatives: list[str] | None = None,
        ready: str | None = None,
        threshold: float | None = None,
        mm_per_pixel: float | None = None,
        force: bool = False,
    ) -> tuple[dict[str, Any], str]:
        """Find what prompts describe on one photo.

        Parameters
        ----------
        photo : str
            The file.
        prompts, negatives : list of str or None
            What to look for, and what to ignore besides the usual.
        ready : str or None
            Name of a ready prompt set, instead of or beside the prompts.
        threshold : float or None
            Least score, 0 to 1.
        mm_per_pixel : float or None
        force : bool
            Count words too that the encoder never learnt.

        Returns
        -------
        result : dict
            As `agri-clip detect --format json` writes it.
        picture : str
            The photo with boxes.
        """
        with spoken():
            wanted = wished_prompts(prompts, negatives, ready)
            read = read_upload(Path(photo), page.options.limits)
            settings = Settings(threshold=threshold, mm_per_pixel=mm_per_pixel or None, force=bool(force))
            detections = page.finder.find(read, Path(photo), wanted, settings).detections
            picture = served / uuid4().hex / f"{Path(read.name).stem}-found.jpg"
            write_picture(read, detections, picture)
            return as_document(detections), str(picture)

    return detect


def compare_endpoint(page: Page) -> Callable[..., Any]:
    """The endpoint ``/compare_phrasings``."""

    def compare_phrasings(picture: str, phrasings: list[str]) -> list[dict[str, Any]]:
        """Which of several phrasings fits a picture of one insect best.

        Parameters
        ----------
        picture : str
            The file.
        phrasings : list of str

        Returns
        -------
        list of dict
            Best first: phrasing, cosine, share.
        """
        with spoken():
            read = read_upload(Path(picture), page.options.limits)
            ranked = page.finder.compare(read, texts_of(phrasings, "phrasings"))
            return [{"phrasing": text, "cosine": cosine, "share": share} for text, cosine, share in ranked]

    return compare_phrasings
