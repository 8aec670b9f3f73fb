"""Step 1: regions say where something is. Proposers are picked by name here; torch is imported where it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agri_clip.errors import AgriClipError, ModelError
from agri_clip.models import hub
from agri_clip.regions.base import Proposer, Regions
from agri_clip.regions.union import JOINT, UnionProposer

__all__ = [
    "Proposer",
    "ProposerInfo",
    "Regions",
    "available",
    "check_here",
    "fetch_proposer",
    "get_proposer",
    "is_proposer",
    "lasting_name",
    "list_names",
    "register",
]

#: Endings that make a name the path of an ultralytics model.
MODEL_SUFFIXES = (".pt", ".yaml", ".yml", ".safetensors", ".onnx")


@dataclass(frozen=True)
class ProposerInfo:
    """What a user needs to choose a proposer.

    Attributes
    ----------
    name : str
        What picks it.
    good_for : str
        One line.
    size_mb : float or None
        Download in megabytes; 0 where there is none, None where it is not known.
    licence : str
        Of the weights.
    present : bool
        Whether it runs here without a network.
    """

    name: str
    good_for: str
    size_mb: float | None
    licence: str
    present: bool

    @property
    def size(self) -> str:
        """`size_mb` in words."""
        return "not known" if self.size_mb is None else f"{self.size_mb:g} MB"


@dataclass(frozen=True)
class Library:
    """How the proposers of one library are had; all three functions take a name.

    Attributes
    ----------
    find : callable
        Where its files are on this machine, or None; touches no network.
    fetch : callable
        Downloads what is not here yet and says where it is.
    make : callable
        ``make(name, *, device=None, **settings) -> Proposer``.
    """

    find: Callable[[str], Path | None]
    fetch: Callable[[str], Path]
    make: Callable[..., Proposer]


@dataclass(frozen=True)
class _Entry:
    factory: Callable[..., Proposer]
    good_for: str
    size_mb: float | None
    licence: str
    library: Library | None


_REGISTRY: dict[str, _Entry] = {}


def register(
    name: str,
    *,
    good_for: str,
    size_mb: float | None = 0,
    licence: str = "AGPL-3.0",
    library: Library | None = None,
) -> Callable[[Callable[..., Proposer]], Callable[..., Proposer]]:
    """Make a proposer available under a name; for use as a decorator of its factory.

    Parameters
    ----------
    name : str
        What picks it; replaces an earlier one of that name.
    good_for, size_mb, licence
        As in `ProposerInfo`.
    library : Library or None
        Where the files come from that it needs; None where it needs none.

    Returns
    -------
    callable
        Decorator for ``factory(*, device=None, **settings) -> Proposer``.
    """

    def keep(factory: Callable[..., Proposer]) -> Callable[..., Proposer]:
        _REGISTRY[name] = _Entry(factory, good_for, size_mb, licence, library)
        return factory

    return keep


def available() -> list[ProposerInfo]:
    """Every proposer that has a name, in the order of registration, and whether it runs here without a network."""
    return [
        ProposerInfo(name, e.good_for, e.size_mb, e.licence, e.library is None or e.library.find(name) is not None)
        for name, e in _REGISTRY.items()
    ]


def list_names() -> str:
    """Names of the registered proposers, for messages."""
    return ", ".join(_REGISTRY)


def get_proposer(proposer: str | Path | Proposer, *, device: str | None = None, **settings: Any) -> Proposer:
    """Pick a proposer by name, by the path of a model, or pass one through.

    Parameters
    ----------
    proposer : str, Path or Proposer
        A registered name, such as ``"contrast"``; a path ending in one of `MODEL_SUFFIXES`; a model folder of
        ultralytics or of a detector of transformers; any model name that ultralytics offers; the hub name of any
        OWL-ViT, OWLv2 or Grounding DINO in the Hugging Face cache; several of these joined by "+", the one with the
        best boxes first; or a proposer, which is returned as it is.
    device : str or None
        Where a network runs; None chooses.
    settings
        Of the proposer; of `UnionProposer` where several are joined.

    Raises
    ------
    ModelError
        No such proposer; the message lists the names.
    AgriClipError
        Settings that it does not have, or settings beside a proposer that is made already.
    """
    if not isinstance(proposer, str | Path):
        if settings:
            raise AgriClipError(f"settings {', '.join(settings)} come too late for a proposer that is made already")
        return proposer
    name = str(proposer)
    if name in _REGISTRY:
        return _REGISTRY[name].factory(device=device, **settings)
    if parts := _parts(name):
        return _join(parts, device=device, **settings)
    if library := _library_of(name):
        return library.make(name, device=device, **settings)
    raise ModelError(
        f"there is no proposer {name!r}. Names that work: {list_names()}; or the path of an ultralytics model "
        f"({', '.join(MODEL_SUFFIXES)}, or a folder with model.yaml and model.safetensors); or an OWL-ViT, OWLv2 or "
        "Grounding DINO: its folder, or its hub name once `agri-clip models fetch` has fetched it"
    )


def fetch_proposer(name: str) -> Path | None:
    """Download everything that a later run of a proposer without a network needs.

    Returns
    -------
    Path or None
        Where it is, the first where several are joined by "+"; None for one that needs no files.

    Raises
    ------
    ModelError
        No such proposer, or the download failed.
    """
    entry = _REGISTRY.get(name)
    if entry is not None:
        return None if entry.library is None else entry.library.fetch(name)
    if parts := _parts(name):
        return next(filter(None, [fetch_proposer(part) for part in parts]), None)
    library = _library_of(name)
    if library is None:
        raise ModelError(f"there is no proposer {name!r}. Names that work: {list_names()}")
    return library.fetch(name)


def is_proposer(name: str) -> bool:
    """Whether a name picks a proposer, without making it: `agri-clip models fetch` tells them from encoders by this."""
    parts = _parts(name)
    return name in _REGISTRY or (all(map(is_proposer, parts)) if parts else _library_of(name) is not None)


def check_here(name: str) -> None:
    """Refuse a proposer that this machine cannot use without a network. Nothing is loaded, so damage is not noticed.

    Parameters
    ----------
    name : str
        As for `get_proposer`.

    Raises
    ------
    ModelError
        There is no such proposer, or its files are missing, with the command that fetches them.
    """
    entry = _REGISTRY.get(name)
    if entry is None and (parts := _parts(name)):
        for part in parts:
            check_here(part)
        return
    library = _library_of(name) if entry is None else entry.library
    if entry is None and library is None:
        raise ModelError(f"there is no proposer {name!r}. Names that work: {list_names()}")
    if library is None or library.find(name) is not None:
        return
    if entry is None and Path(name).name != name:
        raise ModelError(f"{name}: there is no such file or folder; check the path")
    raise ModelError(f"{name} is not on this machine; fetch it first: agri-clip models fetch {name}")


def lasting_name(name: str) -> str:
    """The same name, with the paths of files and folders whole, so that it holds wherever the program is started."""
    if parts := _parts(name) if name not in _REGISTRY else []:
        return JOINT.join(map(lasting_name, parts))
    entry, path = _REGISTRY.get(name), Path(name).expanduser()
    needs_files = entry is None or entry.library is not None
    return str(path.resolve()) if needs_files and path.exists() else name


def _parts(name: str) -> list[str]:
    """Names that are joined by "+"; none where there is no "+", or where it stands in the name of a file here."""
    here = JOINT in name and any(library.find(name) for library in (ULTRALYTICS, ZERO_SHOT))
    return name.split(JOINT) if JOINT in name and not here else []


def _join(parts: Sequence[str], *, device: str | None = None, **settings: Any) -> Proposer:
    return UnionProposer([get_proposer(part, device=device) for part in parts], **settings)


def _library_of(name: str) -> Library | None:
    """The library that a name which is not registered means a model of; None for neither."""
    if ZERO_SHOT.find(name) is not None:
        return ZERO_SHOT
    return ULTRALYTICS if _is_ultralytics(name) else None


def _is_ultralytics(name: str) -> bool:
    if name.lower().endswith(MODEL_SUFFIXES) or ULTRALYTICS.find(name) is not None:
        return True
    if "/" in name or not name.lower().startswith(("yolo", "fastsam", "sam", "rtdetr", "mobile_sam")):
        return False
    from agri_clip.regions.yolo_models import import_ultralytics

    import_ultralytics()
    from ultralytics.utils.downloads import GITHUB_ASSETS_STEMS

    return name in GITHUB_ASSETS_STEMS


def _find_yolo(name: str) -> Path | None:
    from agri_clip.regions.yolo_models import find_weights

    return find_weights(name)


def _fetch_yolo(name: str) -> Path:
    from agri_clip.regions.yolo import fetch

    return fetch(name)


def _make_yolo(name: str, **settings: Any) -> Proposer:
    from agri_clip.regions.yolo import YoloProposer

    return YoloProposer(name, **settings)


def _find_zero_shot(name: str) -> Path | None:
    from agri_clip.regions.zero_shot import find

    return find(name)


def _make_zero_shot(name: str, **settings: Any) -> Proposer:
    from agri_clip.regions.zero_shot import ZeroShotProposer

    return ZeroShotProposer(name, **settings)


ULTRALYTICS = Library(_find_yolo, _fetch_yolo, _make_yolo)
ZERO_SHOT = Library(_find_zero_shot, hub.ensure, _make_zero_shot)


def _register_model(library: Library, name: str, good_for: str, size_mb: float | None, licence: str) -> None:
    register(name, good_for=good_for, size_mb=size_mb, licence=licence, library=library)(partial(library.make, name))


@register("contrast", good_for="any plain background; no weights, runs on the CPU", licence="AGPL-3.0-or-later")
def _contrast(*, device: str | None = None, **settings: Any) -> Proposer:  # noqa: ARG001
    from agri_clip.regions.contrast import ContrastProposer

    return ContrastProposer(**settings)


for _folder in sorted((Path(__file__).parent / "weights").glob("*/model.safetensors")):
    _good_for = "insects on traps; trained by this project, ships with it"
    _register_model(ULTRALYTICS, _folder.parent.name, _good_for, 0, "AGPL-3.0-or-later")
if "insect-yolo" in _REGISTRY:
    register(
        "insect-yolo+contrast",
        good_for="both, each finding what the other misses; any names joined by + work",
        licence="AGPL-3.0-or-later",
    )(partial(_join, ("insect-yolo", "contrast")))
# Sizes: https://docs.ultralytics.com/models/mobile-sam (table of SAM variants); None where that page gives none.
for _row in (
    ("FastSAM-s.pt", "anything with an outline; quick on a CPU", 23.7, "AGPL-3.0"),
    ("FastSAM-x.pt", "as FastSAM-s.pt, larger and better", None, "AGPL-3.0"),
    ("mobile_sam.pt", "anything with an outline; fine outlines, slow", 40.7, "Apache-2.0"),
    ("sam2_t.pt", "as mobile_sam.pt, larger", 78.1, "Apache-2.0"),
    ("sam_b.pt", "as mobile_sam.pt, finest outlines, wants a GPU", 375, "Apache-2.0"),
    ("yoloe-11s-seg-pf.pt", "everyday objects and animals in close-ups, with outlines", None, "AGPL-3.0"),
    (
        "yoloe-11s-seg.pt",
        "what the setting `words` says, in close-ups; needs ultralytics' CLIP package",
        None,
        "AGPL-3.0",
    ),
    ("yolo11n.pt", "a start for training; by itself it knows 80 everyday things, no insects", None, "AGPL-3.0"),
    ("rtdetr-l.pt", "as yolo11n.pt, a transformer", None, "AGPL-3.0"),
):
    _register_model(ULTRALYTICS, *_row)
# Licences, and the size of the last: https://huggingface.co/ and the name.
for _row in (
    ("google/owlv2-base-patch16-ensemble", "what the setting `words` says; slow without a GPU", None, "Apache-2.0"),
    ("google/owlvit-base-patch32", "as google/owlv2-base-patch16-ensemble, older and coarser", None, "Apache-2.0"),
    ("IDEA-Research/grounding-dino-tiny", "what the setting `words` says; slow without a GPU", 689, "Apache-2.0"),
):
    _register_model(ZERO_SHOT, *_row)
