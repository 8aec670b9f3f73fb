"""What both files have in common that people write for counts: days, and errors that name file, line and field."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from agri_clip.errors import DataError, PromptError


def _as_day(value: Any) -> Any:
    """A day, or text of one. Numbers are refused: 20260504 would be taken for seconds since 1970."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date) or value is None:
        return value
    try:
        return date.fromisoformat(value.strip())
    except (ValueError, AttributeError):
        raise ValueError(f"{value!r} is not a day; write it as 2026-05-04") from None


Day = Annotated[date, BeforeValidator(_as_day)]


@contextmanager
def as_data_error() -> Iterator[None]:
    """Faults of a file that are told as a prompt set's become those of data."""
    try:
        yield
    except PromptError as error:
        raise DataError(str(error)) from error
