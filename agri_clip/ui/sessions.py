"""Session: what one visitor has on this machine, apart from every other's; goes with the visit."""

from __future__ import annotations

import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agri_clip.batch.run import Stop
from agri_clip.prompts import PromptSet
from agri_clip.ui.answering import Asked, Searched
from agri_clip.ui.answers import Answer, Answers, Region
from agri_clip.ui.finding import Finding


@dataclass(frozen=True)
class View:
    """A photo as the browser shows it.

    Attributes
    ----------
    file : str
        Where the page serves it from.
    width, height : int
        Pixels of the photo.
    """

    file: str
    width: int
    height: int


@dataclass(eq=False)
class Session:
    """What one visitor has here.

    Attributes
    ----------
    folder : Path
        For uploads, archives and files to take home; removed with the session.
    view : View or None
        The photo that is shown under "Find".
    finding : Finding or None
        What was found on it.
    prompts : PromptSet or None
        The set made or loaded last under "Pests".
    answers : Answers or None
        Corrections given so far; made with the first.
    given : list of Answer
        Those of this visit in order, to take the last one back.
    put_off : list of Region
        Regions that are to be asked about last.
    archives : dict of str to Path
        Archives of this visitor's batches, by the name that is shown.
    stop : Stop or None
        Of the batch that is running.
    uploads : dict of str to set of str
        Uploads that are in each of these archives' folders already.
    counted : Asked or None
        What was counted last under "Many photos".
    answered : Asked, Searched or None
        The last answer under "Ask the archive".
    closed : bool
    turn : threading.RLock
        To be held by jobs that must come one after the other, such as answers by quick presses of a key.
    """

    folder: Path
    view: View | None = None
    finding: Finding | None = None
    prompts: PromptSet | None = None
    answers: Answers | None = None
    given: list[Answer] = field(default_factory=list)
    put_off: list[Region] = field(default_factory=list)
    archives: dict[str, Path] = field(default_factory=dict)
    stop: Stop | None = None
    uploads: dict[str, set[str]] = field(default_factory=dict)
    counted: Asked | None = None
    answered: Asked | Searched | None = None
    closed: bool = False
    turn: Any = field(default_factory=threading.RLock, repr=False)

    @classmethod
    def open(cls, visits: Path | None = None) -> Session:
        """A new one, with an empty folder that no other user of the machine can read; in `visits` where it is given."""
        return cls(Path(tempfile.mkdtemp(prefix="agri-clip-visit-", dir=visits)))

    def file(self, name: str) -> Path:
        """Where a file of this visitor is written."""
        return self.folder / "files" / name

    def close(self) -> None:
        """Stop what runs and remove everything."""
        self.closed = True
        if self.stop is not None:
            self.stop.ask()
        shutil.rmtree(self.folder, ignore_errors=True)
