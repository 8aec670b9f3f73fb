"""agri_clip finds insects in field photos from a sentence.

>>> from agri_clip import Detector, PromptSet
>>> detections = Detector()("trap.jpg", PromptSet.of("a green aphid"))  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agri_clip.detections import Detections
    from agri_clip.detector import Detector
    from agri_clip.errors import AgriClipError
    from agri_clip.identify.identifier import Identification, Identifier, identify
    from agri_clip.photos.photo import Photo, read_photo
    from agri_clip.prompts import PromptSet

    __version__: str

__all__ = [
    "AgriClipError",
    "Detections",
    "Detector",
    "Identification",
    "Identifier",
    "Photo",
    "PromptSet",
    "__version__",
    "identify",
    "read_photo",
]

_HOMES = {
    "AgriClipError": "agri_clip.errors",
    "Detections": "agri_clip.detections",
    "Detector": "agri_clip.detector",
    "Identification": "agri_clip.identify.identifier",
    "Identifier": "agri_clip.identify.identifier",
    "Photo": "agri_clip.photos.photo",
    "PromptSet": "agri_clip.prompts",
    "identify": "agri_clip.identify.identifier",
    "read_photo": "agri_clip.photos.photo",
}


def __getattr__(name: str) -> Any:
    """Import a part when it is first asked for, so that `agri-clip --help` does not wait for torch."""
    if name == "__version__":
        from agri_clip.io.version import program_version

        return program_version()
    if name not in _HOMES:
        raise AttributeError(f"module 'agri_clip' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
