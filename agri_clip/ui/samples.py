"""Example photos of the page: those that ship with the program, each with prompts that fit it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from agri_clip.errors import PromptError
from agri_clip.io.yaml_lines import data_dir
from agri_clip.photos.photo import find_photos

#: The ready prompt set that the samples are shown with.
SAMPLE_PROMPTS = "greenhouse"


@lru_cache(maxsize=1)
def sample_photos() -> tuple[Path, ...]:
    """The photos that ship; none where they were left out of the installation."""
    try:
        return tuple(find_photos(data_dir("samples")))
    except PromptError:
        return ()
