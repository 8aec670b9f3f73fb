"""The page's jobs for programs: named endpoints of Gradio's API, each whole in itself. docs/api.md shows them in use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from agri_clip.errors import AgriClipError
from agri_clip.exports import json_file, write_picture
from agri_clip.settings import Settings
from agri_clip.ui.finding import make_prompts
from agri_clip.ui.page import MODELS, SCORES, Page
from agri_clip.ui.sessions import Session
from agri_clip.ui.tabs.pests import phrasing_table
from agri_clip.ui.uploads import read_upload


def add_endpoints(page: Page) -> None:
    """Add the endpoints to the page; their components are hidden."""
