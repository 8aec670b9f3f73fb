"""The page's jobs for programs: named endpoints of Gradio's API, each whole in itself. docs/api.md shows their use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr

from agri_clip.errors import AgriClipError, PromptError
from agri_clip.exports import write_picture
from agri_clip.exports.json_file import as_document
from agri_clip.prompts import PromptSet
from agri_clip.settings import Settings
from agri_clip.ui.finding import make_prompts
from agri_clip.ui.page import MODELS, Page
from agri_clip.ui.uploads import read_upload


def add_endpoints(page: Page) -> None:
    """Add the endpoints to the page; their components are not shown."""
    with gr.Row(visible=False):
        drawn = gr.File()
        asked = [gr.File(), gr.JSON(), gr.JSON(), gr.Textbox(), gr.Number(), gr.Number()]
        _add(detect_endpoint(page, Path(drawn.GRADIO_CACHE)), asked, [gr.JSON(), drawn])
        _add(compare_endpoint(page), [gr.File(), gr.JSON()], [gr.JSON()])


def _add(work: Callable[..., Any], inputs: list[Any], outputs: list[Any]) -> None:
    gr.Button().click(work, inputs, outputs, api_name=work.__name__, concurrency_id=MODELS, concurrency_limit=1)


def detect_endpoint(page: Page, served: Path) -> Callable[..., Any]:
    """The endpoint ``/detect``; pictures are written to the folder `served`, which the page sweeps."""

    def detect(
        photo: str,
        prompts: list[str] | None = None,
        negatives: list[str] | None = None,
        ready: str | None = None,
        threshold: float | None = None,
        mm_per_pixel: float | None = None,
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

        Returns
        -------
        result : dict
            As `agri-clip detect --format json` writes it.
        picture : str
            The photo with boxes.
        """
        with _spoken():
            prepared = PromptSet.load(ready) if ready else None
            wanted = make_prompts(_texts(prompts, "prompts"), "", "\n".join(_texts(negatives, "negatives")), prepared)
            read = read_upload(Path(photo), page.options.limits)
            settings = Settings(threshold=threshold, mm_per_pixel=mm_per_pixel or None)
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
        with _spoken():
            read = read_upload(Path(picture), page.options.limits)
            ranked = page.finder.compare(read, _texts(phrasings, "phrasings"))
            return [{"phrasing": text, "cosine": cosine, "share": share} for text, cosine, share in ranked]

    return compare_phrasings


@contextmanager
def _spoken() -> Iterator[None]:
    """Give a program the sentence that a person would read."""
    try:
        yield
    except AgriClipError as error:
        raise gr.Error(str(error)) from error


def _texts(value: Any, field: str) -> list[str]:
    """A list of texts that a program sent.

    Raises
    ------
    PromptError
        It is something else.
    """
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise PromptError(f'{field}: must be a list of texts, such as ["a green aphid"]')
    return value
