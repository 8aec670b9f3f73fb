"""Errors for the person at the keyboard: what was wrong, where, and what to do about it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path


class AgriClipError(Exception):
    """Base of every error that a user can cause or mend; its text is shown as it is, without a traceback."""


class PhotoError(AgriClipError):
    """A photo that cannot be read. The rest of a batch goes on without it.

    Parameters
    ----------
    path : Path or str
        The file, or a name for a picture that has no file.
    reason : str
        One line: what is wrong with it and what to do.
    trap : str, optional
    taken : datetime, optional
        What its file name says of it, so that a failure is missed on its trap and day.
    """

    def __init__(
        self, path: Path | str, reason: str, *, trap: str | None = None, taken: datetime | None = None
    ) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.reason = reason
        self.trap, self.taken = trap, taken


class ModelError(AgriClipError):
    """An encoder or proposer that is unknown, not present, or cannot be loaded."""


class PromptError(AgriClipError):
    """A prompt set or catalogue entry that cannot be used; names the file, line and field."""


class DataError(AgriClipError):
    """Labels, annotations or an output place that cannot be used; names the file and field."""


class WriteError(DataError):
    """A place that cannot be written.

    Parameters
    ----------
    place : Path or str
    reason : str
        As the system says it.
    """

    def __init__(self, place: Path | str, reason: str) -> None:
        super().__init__(f"{place}: cannot be written: {reason}; give a place that is writable and has room")
        self.place, self.reason = Path(place), reason


class EngineError(AgriClipError):
    """An engine of a batch that is missing, cannot work or stands still. What was finished before is safe."""


class AgriClipWarning(UserWarning):
    """Base of what a user should know while the work goes on; the command line shows it as a note."""
