"""Archives: which ones a visitor may open, and where those of new batches lie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from agri_clip.archive.store import holds_archive
from agri_clip.errors import DataError
from agri_clip.photos.photo import one_line
from agri_clip.ui.answering import Place
from agri_clip.ui.options import PageOptions
from agri_clip.ui.sessions import Session
from agri_clip.ui.words import say

#: Letters of a name that a visitor may give.
LONGEST_NAME = 60


def open_places(session: Session, options: PageOptions) -> Mapping[str, Place]:
    """Archives that a visitor may open, by a key of their own: the visitor's, the newest first, then the operator's."""
    own = {f"own {name}": Place(name, path) for name, path in reversed(session.archives.items()) if holds_archive(path)}
    shared: list[Path] = []
    if options.archives is not None and options.archives.is_dir():
        shared = sorted(folder for folder in options.archives.iterdir() if holds_archive(folder))
    return own | {f"shared {folder.name}": Place(one_line(folder.name), folder) for folder in shared}


def chosen_place(session: Session, options: PageOptions, key: str | None, language: str) -> Place:
    """The archive that a visitor chose.

    Raises
    ------
    DataError
        None was chosen, or it is not one that this visitor may open.
    """
    place = open_places(session, options).get(key or "")
    if place is None:
        raise DataError(say("ask_no_archive", language))
    return place


def file_stem(place: Place) -> str:
    """An archive's name as that of a file to take home can begin."""
    return re.sub(r"[^\w-]+", "-", place.name).strip("-") or "photos"


def own_place(session: Session, name: str) -> Place:
    """Where a visitor's archive of that name lies; a new one is listed from now on.

    The folder has a number for a name: nothing that a visitor types becomes a path.
    """
    shown = one_line(name.strip())[:LONGEST_NAME]
    path = session.archives.setdefault(shown, session.folder / "archives" / str(len(session.archives) + 1))
    return Place(shown, path)


def folder_place(session: Session, options: PageOptions, folder: str) -> Place:
    """Where the archive of an allowed folder lies: with the operator's, for all visitors, or else with this visit."""
    name = folder.replace("/", " - ")
    if options.archives is None:
        return own_place(session, name)
    return Place(one_line(name), options.archives / name)
