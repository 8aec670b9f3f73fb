"""The version of this program, which every result carries."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version


@lru_cache(maxsize=1)
def program_version() -> str:
    """Version of the installed package."""
    return version("agri-clip")
