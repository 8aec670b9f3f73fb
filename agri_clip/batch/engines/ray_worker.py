"""PhotoWorker: the stages of a batch in a process of a Ray runtime. Ray itself is not needed here."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agri_clip.archive.season import Finished
from agri_clip.batch.engines.stages import Proposed, Task, encode_group, propose, read_task
from agri_clip.detector import Detector
from agri_clip.encoders.base import vectors_fingerprint_of
from agri_clip.io.version import program_version
from agri_clip.settings import Settings


@dataclass(frozen=True)
class Recipe:
    """What a worker makes its detector from.

    Attributes
    ----------
    proposer, encoder : str
        Names, as for `Detector`.
    settings : Settings
    reading : mapping
        Options of `agri_clip.photos.photo.read_photo`.
    folder : str
        Where relative names start; a worker goes there if it has such a folder.
    device : str or None
        As for `Detector`.
    """

    proposer: str
    encoder: str
    settings: Settings
    reading: Mapping[str, Any]
    folder: str
    device: str | None = None

    @classmethod
    def of(cls, detector: Detector, reading: Mapping[str, Any], device: str | None = None) -> Recipe:
        """The recipe of a detector that was made from names."""
        names = detector.proposer.name, detector.encoder.name
        return cls(*names, detector.settings, dict(reading), str(Path.cwd()), device)


def models_of(detector: Detector) -> dict[str, str]:
    """What must be the same on every machine for rows to be the same."""
    return {
        "agri_clip": program_version(),
        "proposer": f"{detector.proposer.name} {detector.proposer.version}",
        "encoder": f"{detector.encoder.name} {vectors_fingerprint_of(detector.encoder)}",
    }


class PhotoWorker:
    """Reads, proposes and encodes with models of its own, loaded once.

    Parameters
    ----------
    recipe : Recipe
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    @cached_property
    def _detector(self) -> Detector:
        recipe = self._recipe
        with suppress(OSError):
            os.chdir(recipe.folder)
        return Detector(recipe.proposer, recipe.encoder, device=recipe.device, settings=recipe.settings)

    def start(self) -> tuple[str, dict[str, str]]:
        """Load the models; the name of this machine, and `models_of` them."""
        return socket.gethostname(), models_of(self._detector)

    def propose(self, task: Task, content: bytes) -> Proposed:
        """The regions and crops of a photo, given the bytes of its file."""
        return propose(read_task(task, self._recipe.reading, content), self._detector)

    def encode(self, group: Sequence[Proposed]) -> list[Finished]:
        """A group of photos, ready for the archive."""
        return encode_group(group, self._detector)
