"""Atomic writing: a file is written whole or not at all, and a failure names the place."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agri_clip.errors import WriteError


def prepare_folder(path: Path | str) -> None:
    """Make a folder and try that it can be written, so that a long run does not fail at its end.

    Raises
    ------
    DataError
        It cannot be made or written.
    """
    path = Path(path)
    with explained(path):
        path.mkdir(parents=True, exist_ok=True)
        trial = path / f".agri-clip-{secrets.token_hex(6)}.part"
        trial.touch()
        trial.unlink()


def write_text(path: Path | str, text: str, encoding: str = "utf-8") -> None:
    """Write a text file whole or not at all; see `write_bytes`. Characters that no encoding holds become "?"."""
    write_bytes(path, text.encode(encoding, errors="replace"))


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write a file whole or not at all: a reader sees the old content or the new, never a part.

    The data go to a new file in the same folder, are forced to disk, and the file then takes the name. Missing folders
    are made.

    Parameters
    ----------
    path : Path or str
    data : bytes

    Raises
    ------
    DataError
        The folder cannot be written, the disk is full, or the name is that of a folder.
    """
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.parent / f".agri-clip-{secrets.token_hex(6)}.part"
        try:
            with half.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            half.replace(path)
        finally:
            half.unlink(missing_ok=True)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn a failure of the file system into a WriteError that names the place."""
    try:
        yield
    except OSError as error:
        raise WriteError(path, error.strerror or type(error).__name__) from error
