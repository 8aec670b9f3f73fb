"""Step 2: crops and texts to vectors of one space. The registry: an encoder is picked by name everywhere the same way.

Nothing heavy is imported until an encoder is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from agri_clip.encoders import adapters
from agri_clip.encoders.adapted import is_adapted, load_adapted, read_card
from agri_clip.encoders.base import Encoder
from agri_clip.encoders.crops import CONTEXT, extract_crops
from agri_clip.errors import ModelError
from agri_clip.models import hub

__all__ = ["CONTEXT", "Encoder", "EncoderInfo", "available", "check_here", "extract_crops", "fetch", "get_encoder"]

#: The embedded encoder: an ordinary transformers folder inside the package.
BUILTIN = Path(__file__).resolve().parent.parent / "models" / "builtin"

#: What open_clip calls a model of the hub.
OPEN_CLIP_PREFIX = "hf-hub:"


@dataclass(frozen=True)
class EncoderInfo:
    """One line of `agri-clip models`.

    Attributes
    ----------
    name : str
        What picks it.
    good_for : str
        In a few words.
    size : str
        Of its weights, in megabytes.
    licence : str
        Of the weights, as their owner states it.
    library : {"transformers", "open_clip"}
    present : bool
        Whether it can be used here without network.
    """

    name: str
    good_for: str
    size: str
    licence: str
    library: Literal["transformers", "open_clip"] = "transformers"
    present: bool = False


#: Encoders that are listed. Any other of these two libraries works too. Sizes and licences are those of the model pages
#: on the Hugging Face hub; docs/encoders.md says where each was read.
KNOWN = (
    EncoderInfo("openai/clip-vit-base-patch32", "the plain CLIP, fast; English", "605 MB", "MIT"),
    EncoderInfo("openai/clip-vit-base-patch16", "CLIP with finer patches; English", "599 MB", "MIT"),
    EncoderInfo("google/siglip-base-patch16-224", "each label judged alone; English", "813 MB", "Apache-2.0"),
    EncoderInfo("google/siglip2-base-patch16-224", "each label judged alone; many languages", "1501 MB", "Apache-2.0"),
    EncoderInfo("OFA-Sys/chinese-clip-vit-base-patch16", "Chinese", "753 MB", "not stated on its page"),
    EncoderInfo("kakaobrain/align-base", "convolutional; English", "690 MB", "not stated on its page"),
    EncoderInfo("BAAI/AltCLIP", "Chinese and English; large", "3460 MB", "CreativeML OpenRAIL-M"),
    EncoderInfo("hf-hub:imageomics/bioclip", "species by Latin or common name", "599 MB", "MIT", "open_clip"),
    EncoderInfo("hf-hub:imageomics/bioclip-2", "species by Latin or common name; large", "1711 MB", "MIT", "open_clip"),
)


def get_encoder(encoder: str | Path | Encoder = "builtin", device: str | None = None, **settings: Any) -> Encoder:
    """Make an encoder from a name.

    Parameters
    ----------
    encoder : str, Path or Encoder
        ``"builtin"``; a hub name that transformers loads (``"openai/clip-vit-base-patch16"``); ``"hf-hub:"`` and a hub
        name that open_clip loads; a folder of either library. An Encoder is given back as it is.
    device : str or None
        As for `agri_clip.models.devices.choose_device`.
    **settings
        ``dtype``, ``batch_size``: as for `agri_clip.encoders.clip.ClipEncoder`.

    Raises
    ------
    ModelError
        Unknown name, or the model is not here and cannot be fetched, or cannot be loaded; or the base of an adapter is
        not the one that it was trained on.
    """
    if not isinstance(encoder, (str, Path)):
        return encoder
    name = str(encoder)
    if adapters.is_adapter(name):
        return _adapted(name, device, settings)
    folder = None
    if name == "builtin":
        folder = _builtin()
    else:
        _check_name(name)
        if is_adapted(Path(name).expanduser()):
            base = read_card(Path(name).expanduser())["base"]["encoder"]
            return load_adapted(name, get_encoder(base, device=device, **settings))
    if _layout(name) is hub.OPEN_CLIP:
        from agri_clip.encoders.open_clip import OpenClipEncoder

        return OpenClipEncoder(name, device=device, **settings)
    from agri_clip.encoders.clip import ClipEncoder

    return ClipEncoder(name, device=device, folder=folder, **settings)


def available() -> list[EncoderInfo]:
    """The listed encoders, with whether each is on this machine; the network is not used."""
    return [replace(info, present=_present(info.name)) for info in _known()]


def fetch(name: str) -> Path:
    """Download everything that a later run of an encoder without network needs.

    Parameters
    ----------
    name : str
        As for `get_encoder`.

    Returns
    -------
    Path
        The folder that holds it; what was there already is not downloaded again.

    Raises
    ------
    ModelError
        As for `agri_clip.models.hub.fetch`, or unknown name.
    """
    if name == "builtin":
        return _builtin()
    if adapters.is_adapter(name):
        return fetch(adapters.read_base(Path(name).expanduser()).encoder)
    _check_name(name)
    return hub.ensure(name.removeprefix(OPEN_CLIP_PREFIX), _layout(name))


def check_here(name: str) -> None:
    """Refuse an encoder that this machine cannot use without a network. Nothing is loaded, so damage is not noticed.

    Parameters
    ----------
    name : str
        As for `get_encoder`.

    Raises
    ------
    ModelError
        Unknown name; files or a library are missing, with the command that fetches them; or the model is no dual
        encoder.
    """
    folder = Path(name).expanduser()
    if name == "builtin":
        _builtin()
    elif adapters.is_adapter(name):
        check_here(adapters.read_base(folder).encoder)
    elif is_adapted(folder):
        check_here(read_card(folder)["base"]["encoder"])
    else:
        _check_name(name)
        layout = _layout(name)
        found = hub.locate(name.removeprefix(OPEN_CLIP_PREFIX), layout)
        if found is None:
            raise ModelError(f"{name} is not on this machine; fetch it first: agri-clip models fetch {name}")
        if layout is hub.OPEN_CLIP and find_spec("open_clip") is None:
            raise ModelError(f"{name} needs the open_clip library: pip install 'agri-clip[open-clip]'")
        if layout is hub.TRANSFORMERS:
            _check_dual(name, found)


def fingerprint_here(name: str) -> str | None:
    """Fingerprint of an encoder, without loading it; None for an adapted one, or one that is not on this machine."""
    if adapters.is_adapter(name) or is_adapted(Path(name).expanduser()):
        return None
    layout = _layout(name)
    folder = BUILTIN if name == "builtin" else hub.locate(name.removeprefix(OPEN_CLIP_PREFIX), layout)
    return None if folder is None else hub.fingerprint(folder, layout)


def _check_dual(name: str, folder: Path) -> None:
    """Refuse a model of transformers whose configuration has no towers for pictures and texts."""
    try:
        config = json.loads((folder / hub.TRANSFORMERS.config).read_text(encoding="utf-8"))
        towers = [key for key in config if key.startswith(("vision_config", "text_config"))]
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(
            f"{folder / hub.TRANSFORMERS.config}: cannot be read ({error}); fetch the model again"
        ) from error
    if len(towers) < 2:
        kind = config.get("model_type", "model of another kind") if isinstance(config, dict) else "no model"
        raise ModelError(f"{name} is a {kind}, which does not encode both pictures and texts; choose a dual encoder")


def _adapted(name: str, device: str | None, settings: dict[str, Any]) -> Encoder:
    """The encoder of an adapter folder: its base, with the adapter merged in."""
    from agri_clip.encoders.clip import ClipEncoder

    adapter = Path(name).expanduser()
    base = adapters.read_base(adapter)
    if base.encoder != "builtin":
        _check_name(base.encoder)
    if _layout(base.encoder) is hub.OPEN_CLIP:
        raise ModelError(f"{name}: its base {base.encoder} is of open_clip; adapters work on models of transformers")
    folder = _builtin() if base.encoder == "builtin" else hub.ensure(base.encoder)
    adapters.check_base(adapter, base, hub.fingerprint(folder))
    return ClipEncoder(name, device=device, folder=folder, adapter=adapter, **settings)


def _known() -> Iterator[EncoderInfo]:
    weights = BUILTIN / hub.TRANSFORMERS.weights[0]
    size = f"{weights.stat().st_size / 1e6:.0f} MB" if weights.is_file() else "missing"
    yield EncoderInfo(
        "builtin", "insects on traps and leaves; English; comes with agri_clip", size, "AGPL-3.0-or-later"
    )
    yield from KNOWN


def _layout(name: str) -> hub.Layout:
    """Which library loads a name: open_clip where its prefix or the folder's configuration says so."""
    marked = name.startswith(OPEN_CLIP_PREFIX) or (Path(name).expanduser() / hub.OPEN_CLIP.config).is_file()
    return hub.OPEN_CLIP if marked else hub.TRANSFORMERS


def _present(name: str) -> bool:
    if name == "builtin":
        return not hub.missing_files(BUILTIN)
    return hub.locate(name.removeprefix(OPEN_CLIP_PREFIX), _layout(name)) is not None


def _builtin() -> Path:
    missing = hub.missing_files(BUILTIN)
    if missing:
        raise ModelError(
            f"the embedded encoder is incomplete: {', '.join(missing)} is not in {BUILTIN}; install agri_clip again "
            "(a clone needs all its files), or choose another encoder"
        )
    return BUILTIN


def _check_name(name: str) -> None:
    """Refuse what is neither a folder nor of the form of a hub name."""
    if (name and Path(name).expanduser().is_dir()) or hub.is_hub_name(name.removeprefix(OPEN_CLIP_PREFIX)):
        return
    names = ", ".join(info.name for info in _known())
    raise ModelError(f"no encoder is called {name!r} and there is no such folder; known are {names}, and any hub name")
