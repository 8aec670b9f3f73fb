"""Where a model's files are: a folder, the Hugging Face cache, or the hub itself. For steps 1 and 2 alike.

A model is always loaded from a folder on this machine; the network is used only by `fetch`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from agri_clip.errors import ModelError

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True)
class Layout:
    """Which files a library needs of a model; the first of `weights` that is there is taken."""

    library: str
    config: str
    weights: tuple[str, ...]


TRANSFORMERS = Layout("transformers", "config.json", ("model.safetensors",))
OPEN_CLIP = Layout(
    "open_clip", "open_clip_config.json", ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors")
)

#: Who writes safetensors copies of pickled weights on the hub, as pull requests that many owners never merged.
CONVERTER = "SFconvertbot"

#: Seconds that the hub has for its first answer.
TIMEOUT = 15.0

#: Endings of the files beside the weights: configuration, vocabulary, tokenizer.
SIDE_FILES = (".json", ".txt", ".model", ".spm", ".jinja")


_HUB_NAME = re.compile(r"\w([\w.-]*\w)?/\w([\w.-]*\w)?", re.ASCII)


def locate(name: str, layout: Layout = TRANSFORMERS) -> Path | None:
    """Folder of a model on this machine, without touching the network.

    Parameters
    ----------
    name : str
        A folder, or a hub name such as ``"openai/clip-vit-base-patch16"``.
    layout : Layout
        The library that shall load it.

    Returns
    -------
    Path or None
        None where the hub name is not, or not wholly, in the Hugging Face cache.

    Raises
    ------
    ModelError
        `name` is a folder that lacks a needed file.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        missing = missing_files(folder, layout)
        if missing:
            raise ModelError(_why_incomplete(folder, missing, layout))
        return folder
    if not is_hub_name(name):
        return None
    return next((found for found in _cached_versions(name) if not missing_files(found, layout)), None)


def _cached_versions(name: str) -> list[Path]:
    """Folders of a model's versions in the Hugging Face cache: first the one fetched as its newest."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    cache = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model")
    newest = cache / "refs" / "main"
    main = newest.read_text(encoding="utf-8").strip() if newest.is_file() else ""
    versions = sorted((cache / "snapshots").iterdir()) if (cache / "snapshots").is_dir() else []
    return sorted(versions, key=lambda folder: folder.name != main)


def is_hub_name(name: str) -> bool:
    """Whether a string has the form ``owner/model`` that the hub allows, and so is no path."""
    return _HUB_NAME.fullmatch(name) is not None and len(name) <= 96 and "--" not in name and ".." not in name


def missing_files(folder: Path, layout: Layout = TRANSFORMERS) -> list[str]:
    """Names of the needed files that a model folder lacks; empty where it is complete."""
    missing = [] if (folder / layout.config).is_file() else [layout.config]
    return missing + [name for name in weight_files(folder, layout) if not (folder / name).is_file()]


def weight_files(folder: Path, layout: Layout = TRANSFORMERS) -> list[str]:
    """Names of a folder's weight files: one, or the parts that its index lists."""
    for name in layout.weights:
        if (folder / name).is_file():
            return [name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    return [layout.weights[0]]


def _why_incomplete(folder: Path, missing: list[str], layout: Layout) -> str:
    if layout.weights[0] in missing and any(folder.glob("*.bin")):
        return f"{folder}: {_why_no_pickle(layout)}"
    return (
        f"{folder}: {', '.join(missing)} is missing; what is needed is a folder of the {layout.library} library with "
        f"{layout.config} and {layout.weights[0]}"
    )


def _why_no_pickle(layout: Layout) -> str:
    return (
        "its weights are only there as a pickle file, which can run any program when it is opened, so it is not "
        f"loaded. If you trust where it comes from, write it once as {layout.weights[0]}, on a machine where that is "
        "safe, and give the path of the new folder"
    )


def fetch(name: str, layout: Layout = TRANSFORMERS) -> Path:
    """Download everything that a later run without network needs; what is already here is kept.

    Only safetensors weights and text files are taken: no pickles, no code. Where the newest version has pickled weights
    only, the copy in safetensors that the hub's own converter offered as a pull request is taken.

    Parameters
    ----------
    name : str
        Hub name, ``owner/model``.
    layout : Layout
        The library that shall load it.

    Returns
    -------
    Path
        The folder in the Hugging Face cache.

    Raises
    ------
    ModelError
        No network, no such model, no access to it, or no readable weights in it.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
    from huggingface_hub.utils import httpx

    api = HfApi()
    try:
        revision, files = None, _list_files(api, name)
        if layout.config not in files:
            raise ModelError(f"{name}: no {layout.config} on the hub; this is no model that {layout.library} loads")
        if not _weights_of(files, layout):
            revision = _converted_version(api, name)
            files = _list_files(api, name, revision) if revision else []
        weights = _weights_of(files, layout)
        if not weights:
            raise ModelError(f"{name}: {_why_no_pickle(layout)}")
        wanted = [file for file in files if "/" not in file and file.endswith(SIDE_FILES)]
        return Path(snapshot_download(name, revision=revision, allow_patterns=[*wanted, *weights]))
    except GatedRepoError as error:
        raise ModelError(
            f"{name}: its owner asks you to accept terms first; do so on https://huggingface.co/{name}, "
            "then run `hf auth login` and fetch again"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"{name}: there is no such model on the hub; check the spelling") from error
    except HfHubHTTPError as error:
        raise ModelError(f"{name}: the hub refused: {str(error).splitlines()[0]}") from error
    except (httpx.HTTPError, OSError) as error:
        raise ModelError(
            f"{name} is not on this machine and the hub cannot be reached; run `agri-clip models fetch {name}` "
            "while there is a network, or give the path of a folder"
        ) from error


def _list_files(api: HfApi, name: str, revision: str | None = None) -> list[str]:
    """Names of a model's files; one request without retries, so that a missing network is said at once."""
    return [file.rfilename for file in api.model_info(name, revision=revision, timeout=TIMEOUT).siblings or []]


def _weights_of(files: list[str], layout: Layout) -> list[str]:
    """The weight files to take of a model's file list: a whole one, else all parts."""
    whole = [name for name in layout.weights if name in files]
    return whole[:1] or [f for f in files if "/" not in f and f.endswith(".safetensors") and "-of-" in f]


def _converted_version(api: HfApi, name: str) -> str | None:
    """The open pull request of the hub's converter with safetensors weights; the same rule as in transformers."""
    requests = api.get_repo_discussions(
        name, author=CONVERTER, discussion_type="pull_request", discussion_status="open"
    )
    return next((r.git_reference for r in requests if r.author == CONVERTER and "safetensors" in r.title), None)


def ensure(name: str, layout: Layout = TRANSFORMERS) -> Path:
    """Folder of a model: from this machine, or else fetched.

    Raises
    ------
    ModelError
        As for `locate` and `fetch`, or `name` is neither a folder nor a hub name.
    """
    folder = locate(name, layout)
    if folder is not None:
        return folder
    if not is_hub_name(name):
        raise ModelError(f"there is no folder {name}")
    return fetch(name, layout)


def fingerprint(folder: Path, layout: Layout = TRANSFORMERS) -> str:
    """Hash of a model's files: weights, configuration, tokenizer and image processor.

    A weight file in the Hugging Face cache is a link to a blob that is named by its SHA-256 already; any other file is
    read once.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    whole = sha256()
    names = [*weight_files(folder, layout), *(p.name for p in folder.iterdir() if p.suffix in SIDE_FILES)]
    for name in sorted(set(names)):
        whole.update(f"{name}:{_file_hash(folder / name)}\n".encode())
    return whole.hexdigest()[:16]


def _file_hash(path: Path) -> str:
    blob = path.resolve()
    if blob.parent.name == "blobs" and len(blob.name) == 64:
        return blob.name
    with blob.open("rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
