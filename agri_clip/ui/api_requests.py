"""What programs send to the endpoints, read and checked; and errors as the sentences that people read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from agri_clip.errors import AgriClipError, PromptError
from agri_clip.prompts import PromptSet
from agri_clip.ui.finding import make_prompts


@contextmanager
def spoken() -> Iterator[None]:
    """Give a program the sentence that a person would read."""
    try:
        yield
    except AgriClipError as error:
        raise gr.Error(str(error)) from error


def texts_of(value: Any, field: str) -> list[str]:
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


def wished_prompts(prompts: Any, negatives: Any, ready: str | None) -> PromptSet:
    """The prompt set that a program asks for.

    Raises
    ------
    PromptError
        Nothing to look for, or a text cannot be used.
    """
    prepared = PromptSet.load(ready) if ready else None
    return make_prompts(texts_of(prompts, "prompts"), "", "\n".join(texts_of(negatives, "negatives")), prepared)
