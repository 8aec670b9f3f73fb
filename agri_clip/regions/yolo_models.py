"""Loads ultralytics models quietly: weights from a file, a folder, or ultralytics' own downloads. Part of step 1."""

from __future__ import annotations

import logging
import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from agri_clip.errors import ModelError

#: The two files of a model folder: ultralytics' architecture with this project's settings, and the weights.
ARCHITECTURE, WEIGHTS = "model.yaml", "model.safetensors"
#: Key of this project's settings in the architecture file.
SETTINGS_KEY = "agri_clip"

#: Folders of the models that ship inside the package.
SHIPPED = Path(__file__).parent / "weights"


def weights_folder() -> Path:
    """Folder where downloaded proposer weights are kept: ``$AGRI_CLIP_MODELS``, else the user's cache folder."""
    if named := os.environ.get("AGRI_CLIP_MODELS"):
        return Path(named).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "agri_clip" / "proposers"


def find_weights(name: str | Path) -> Path | None:
    """The file or folder that a name means on this machine, or None; touches no network.

    Looked for in this order: the path as given, the models that ship with the package, `weights_folder`.
    """
    given = Path(name).expanduser()
    for place in (given, SHIPPED / given, weights_folder() / given, weights_folder() / f"{name}.pt"):
        if place.is_file() or (place / ARCHITECTURE).is_file():
            return place
    return None


def import_ultralytics() -> Any:
    """Import ultralytics so that it stays quiet, sends nothing, installs nothing and leaves the user's settings alone.

    Analytics, crash reports and its look-ups of the network at import are off; its settings file goes to the cache
    folder instead of the user's configuration; its automatic ``pip install`` is off; pickled checkpoints are read with
    its list of allowed classes (``ULTRALYTICS_SAFE_LOAD=0`` in the environment turns that off).
    """
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_VERBOSE", "false")
    os.environ.setdefault("YOLO_CONFIG_DIR", str(weights_folder()))
    safe = os.environ.setdefault("ULTRALYTICS_SAFE_LOAD", "true")
    offline = os.environ.get("YOLO_OFFLINE")
    os.environ["YOLO_OFFLINE"] = (
        "true"  # only while it is imported: it asks two name servers whether there is a network
    )
    try:
        import ultralytics
        from ultralytics.nn import tasks
        from ultralytics.utils import LOGGER, SETTINGS
        from ultralytics.utils.events import events
    finally:
        if offline is None:
            del os.environ["YOLO_OFFLINE"]
        else:
            os.environ["YOLO_OFFLINE"] = offline
    events.enabled = False
    # Set past SettingsManager, which would write them to the user's file.
    dict.update(SETTINGS, sync=False, weights_dir=str(weights_folder()))
    # Read at import, so set again for a program that imported ultralytics before.
    tasks.SAFE_LOAD = safe.strip().lower() in {"1", "true", "yes", "on", "y", "t"}
    LOGGER.setLevel(logging.CRITICAL)
    return ultralytics


def keep_threads() -> None:
    """Let ultralytics leave torch its number of threads; else it sets one less than there are cores, for good."""
    import torch
    from ultralytics.utils import torch_utils

    torch_utils.NUM_THREADS = torch.get_num_threads()


def obtain_weights(name: str) -> Path:
    """The weights that a name means, downloaded by ultralytics if it is one of its own and not here yet.

    Raises
    ------
    ModelError
        Neither on this machine nor a name that ultralytics can download, or the download failed.
    """
    found = find_weights(name)
    if found is not None:
        return found
    import_ultralytics()
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

    asset = next((n for n in (name, f"{name}.pt") if n in GITHUB_ASSETS_NAMES), None)
    if asset is None:
        from agri_clip.regions import list_names

        raise ModelError(
            f"there is no proposer {name!r}: no such file or folder, and no model that ultralytics offers. "
            f"Names that work: {list_names()}; or the path of an ultralytics checkpoint"
        )
    target = weights_folder() / asset
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        attempt_download_asset(target, retry=1, progress=sys.stderr.isatty())
    except (OSError, MemoryError) as error:  # requests' errors are OSErrors too
        raise ModelError(_how_to_fetch(asset, target)) from error
    if not target.is_file():
        raise ModelError(_how_to_fetch(asset, target))
    return target


def load_model(path: Path) -> Any:
    """Open weights with the ultralytics class that they need.

    A pickled checkpoint (``.pt``) comes only here, and only because the user named it: ultralytics' list of allowed
    classes limits what such a file can do when opened, but it is still a program of sorts, so weights that ship are
    safetensors with a YAML file.

    Parameters
    ----------
    path : Path
        A ``.pt`` checkpoint, an exported ``.onnx``, a folder with ``model.yaml`` and ``model.safetensors``, or one of
        these two files.

    Returns
    -------
    ultralytics.engine.model.Model

    Raises
    ------
    ModelError
        The file is damaged, of another kind, or of a task without boxes.
    """
    ultralytics = import_ultralytics()
    stem = path.stem.lower()
    try:
        if path.is_dir() or path.suffix in {".yaml", ".yml", ".safetensors"}:
            model = _load_folder(path if path.is_dir() else path.parent)
        elif stem.startswith("fastsam"):
            model = ultralytics.FastSAM(str(path))
        elif stem.startswith(("sam_", "sam2", "mobile_sam")):
            model = ultralytics.SAM(str(path))
        else:
            model = ultralytics.YOLO(str(path))
    except ModelError:
        raise
    except Exception as error:  # a foreign file makes ultralytics, torch and pickle raise errors of every kind
        raise ModelError(f"{path}: ultralytics cannot load it: {_first_line(error)}") from error
    if model.task not in {"detect", "segment", "obb", "pose"}:
        raise ModelError(f"{path} is a model for the task {model.task!r}, which gives no boxes; use one that detects")
    return model


def read_settings(path: Path) -> dict[str, Any]:
    """This project's settings (imgsz, conf …) of a model folder; empty for anything else."""
    folder = path if path.is_dir() else path.parent
    file = folder / ARCHITECTURE
    if not (path.is_dir() or path.suffix in {".yaml", ".yml", ".safetensors"}) or not file.is_file():
        return {}
    return dict(_read_yaml(file).get(SETTINGS_KEY) or {})


def save_model_folder(model: Any, folder: Path, **settings: Any) -> Path:
    """Write an ultralytics model as a folder that needs no pickle: `ARCHITECTURE` and `WEIGHTS`, in half precision.

    Parameters
    ----------
    model : ultralytics.YOLO, its network, or str or Path
        A detection or segmentation model, or its checkpoint.
    folder : Path
        Made if absent.
    settings
        What `YoloProposer` shall take where the user says nothing, such as ``imgsz=640, conf=0.05``.
    """
    import torch
    from safetensors.torch import save_file

    import_ultralytics()
    from ultralytics.nn.tasks import BaseModel

    if isinstance(model, str | Path):
        model = load_model(Path(model))
    folder.mkdir(parents=True, exist_ok=True)
    net: Any = model if isinstance(model, BaseModel) else model.model
    architecture = {k: v for k, v in net.yaml.items() if k not in {"yaml_file", SETTINGS_KEY}}
    architecture["names"] = dict(net.names)
    architecture["task"] = net.task
    architecture[SETTINGS_KEY] = settings
    (folder / ARCHITECTURE).write_text(yaml.safe_dump(architecture, sort_keys=False), encoding="utf-8")
    weights = {
        key: (value.half() if value.dtype == torch.float32 else value).detach().cpu().contiguous()
        for key, value in net.state_dict().items()
    }
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    return folder


def fingerprint(path: Path) -> str:
    """Hash of a model's weights and settings: 16 hexadecimal digits."""
    whole = sha256()
    for file in sorted(p for p in path.iterdir() if p.name in {ARCHITECTURE, WEIGHTS}) if path.is_dir() else [path]:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                whole.update(block)
    return whole.hexdigest()[:16]


def _load_folder(folder: Path) -> Any:
    """Build the network that a model folder describes and fill in its weights."""
    from safetensors.torch import load_file
    from ultralytics import YOLO
    from ultralytics.nn.tasks import RTDETRDetectionModel

    for name in (ARCHITECTURE, WEIGHTS):
        if not (folder / name).is_file():
            raise ModelError(f"{folder}: {name} is missing; a model folder holds {ARCHITECTURE} and {WEIGHTS}")
    architecture = _read_yaml(folder / ARCHITECTURE)

    class FolderModel(YOLO):
        def _new(self, cfg: str, task: str | None = None, verbose: bool = False) -> None:  # noqa: ARG002
            # ultralytics' own reading takes the size of the network from the file's name; here the file says it.
            kind = architecture["task"]
            is_rtdetr = architecture["head"][-1][2].startswith("RTDETR")
            build = RTDETRDetectionModel if is_rtdetr else self.task_map[kind]["model"]
            net: Any = build({**architecture, "yaml_file": cfg}, verbose=False)
            net.load_state_dict(load_file(folder / WEIGHTS))
            net.names, net.task, net.args = architecture["names"], kind, {"task": kind, "model": cfg}
            own: Any = self  # its own class declares these as None at first
            own.model, own.task, own.cfg, own.model_name = net.eval(), kind, cfg, str(folder)
            self.overrides.update(model=cfg, task=kind)

    return FolderModel(str(folder / ARCHITECTURE))


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(f"{file} is no readable YAML: {_first_line(error)}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{file} does not describe a model")
    return content


def _how_to_fetch(asset: str, target: Path) -> str:
    return (
        f"{asset} is not on this machine and could not be downloaded. With a network, run `agri-clip models fetch "
        f"{asset}`; or download https://github.com/ultralytics/assets/releases/download/v8.4.0/{asset} elsewhere and "
        f"put it at {target}, or give its path as the proposer"
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no further word'}"
