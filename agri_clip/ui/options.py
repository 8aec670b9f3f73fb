"""PageOptions: what the operator of the page decides, once, when it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agri_clip.errors import AgriClipError
from agri_clip.ui.uploads import Limits


@dataclass(frozen=True)
class PageOptions:
    """What the operator of the page decides.

    Attributes
    ----------
    proposer, encoder : str or None
        As for `agri_clip.detector.Detector`; None takes the operator's default, as commands do.
    device : str or None
    folders : tuple of Path
        Folders of photos on this machine that visitors may run a batch over; no other folder can be opened.
    archives : Path or None
        Folder whose archives visitors may open, and in which batches over `folders` make new ones.
    answers : Path or None
        Folder in which corrected crops of all visitors stay; where there is none they go with the visit.
    keep_minutes : float
        How long uploads and results of a visitor stay after the last use.
    queue : int
        Most jobs that may wait; further ones are refused with a message.
    limits : Limits
        Of uploads.
    """

    proposer: str | None = None
    encoder: str | None = None
    device: str | None = None
    folders: tuple[Path, ...] = ()
    archives: Path | None = None
    answers: Path | None = None
    keep_minutes: float = 60
    queue: int = 32
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for folder in self.folders:
            if not folder.is_dir():
                raise AgriClipError(f"{folder}: is no folder; give --folder a folder of photos that is there")
        if self.keep_minutes <= 0:
            raise AgriClipError(f"--keep-minutes is {self.keep_minutes:g}; it must be above 0")
        if self.queue < 1:
            raise AgriClipError(f"--queue is {self.queue}; it must be at least 1")


def parse_accounts(given: Sequence[str]) -> list[tuple[str, str]] | None:
    """User names and passwords from ``name:password``; None where nobody has to log in.

    Raises
    ------
    AgriClipError
        One has no name or no password.
    """
    accounts = [tuple(entry.partition(":")[::2]) for entry in given]
    for entry, (name, password) in zip(given, accounts, strict=True):
        if not name or not password:
            raise AgriClipError(f"--auth {entry.partition(':')[0]!r}: write it as name:password")
    return [(name, password) for name, password in accounts] or None


def allowed_folders(options: PageOptions) -> Mapping[str, Path]:
    """What visitors may choose: the folders of the operator and those right inside them, by the name that is shown."""
    found: dict[str, Path] = {}
    for folder in options.folders:
        root = folder.resolve()
        found[folder.name or str(folder)] = root
        for inner in sorted(root.iterdir()):
            if inner.is_dir() and not inner.is_symlink() and not inner.name.startswith("."):
                found[f"{folder.name}/{inner.name}"] = inner
    return found
