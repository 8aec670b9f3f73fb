"""Adapters in peft's layout on a dual encoder (step 2): a small folder that names the model it was trained on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from agri_clip.errors import ModelError

#: The files of an adapter folder: peft's own two, and ours that says which weights the adapter was trained on.
CONFIG, WEIGHTS, BASE = "adapter_config.json", "adapter_model.safetensors", "base.json"


@dataclass(frozen=True)
class Base:
    """The model that an adapter was trained on.

    Attributes
    ----------
    encoder : str
        A name that `agri_clip.encoders.get_encoder` takes.
    fingerprint : str or None
        Of that encoder when the adapter was trained; None for an adapter of another program, which does not say.
    """

    encoder: str
    fingerprint: str | None


def is_adapter(name: str | Path) -> bool:
    """Whether a name is the folder of an adapter."""
    return bool(str(name)) and (Path(name).expanduser() / CONFIG).is_file()


def write_base(folder: Path, encoder: str, fingerprint: str) -> None:
    """Record what an adapter was trained on.

    Parameters
    ----------
    folder : Path
        Of the adapter.
    encoder, fingerprint : str
        As in `Base`. The path of a folder is written whole, so that it holds wherever the program is started.
    """
    known = encoder if not Path(encoder).expanduser().is_dir() else str(Path(encoder).expanduser().resolve())
    text = json.dumps({"encoder": known, "fingerprint": fingerprint}, indent=2)
    (folder / BASE).write_text(text + "\n", encoding="utf-8")


def read_base(folder: Path) -> Base:
    """What an adapter was trained on: from `BASE`, else from peft's own file.

    Raises
    ------
    ModelError
        The files are damaged or name no base, or the base is an adapter itself.
    """
    own = _read_json(folder / BASE) if (folder / BASE).is_file() else {}
    name = own.get("encoder") or _read_json(folder / CONFIG).get("base_model_name_or_path")
    if not isinstance(name, str) or not name:
        raise ModelError(f"{folder / CONFIG}: base_model_name_or_path: missing; write the name of the model there")
    if is_adapter(name):
        raise ModelError(f"{folder}: its base {name} is an adapter itself; adapt the model under that one instead")
    return Base(name, own.get("fingerprint"))


def check_base(folder: Path, base: Base, found: str) -> None:
    """Refuse a base with other weights than those that an adapter was trained on.

    Parameters
    ----------
    folder : Path
        Of the adapter.
    base : Base
        What it was trained on.
    found : str
        Fingerprint of the encoder that has this name now.

    Raises
    ------
    ModelError
        They differ; the message names both.
    """
    if base.fingerprint is not None and base.fingerprint != found:
        raise ModelError(
            f"{folder} was trained on {base.encoder} with the fingerprint {base.fingerprint}, but {base.encoder} here "
            f"has {found}; bring back the encoder it was trained on, or adapt again"
        )


def adapter_fingerprint(folder: Path, base: str) -> str:
    """Hash of an adapter on a base of a fingerprint: 16 hexadecimal digits."""
    whole = sha256(base.encode())
    for name in (CONFIG, WEIGHTS):
        whole.update((folder / name).read_bytes())
    return whole.hexdigest()[:16]


def merge_adapter(model: Any, folder: Path) -> Any:
    """Add an adapter to a model's weights, so that encoding takes no longer than with the model alone.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        In float32: in half precision a small change would be rounded away.
    folder : Path
        Of the adapter.

    Returns
    -------
    transformers.PreTrainedModel
        The model, with other weights.

    Raises
    ------
    ModelError
        The adapter is no LoRA, its weights are missing or damaged, or they do not fit the model.
    """
    from peft import LoraConfig, PeftConfig, get_peft_model, set_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder}: {WEIGHTS} is missing; adapters in pickle files (.bin) are not opened")
    try:
        config = PeftConfig.from_pretrained(str(folder))
        if not isinstance(config, LoraConfig):
            raise ModelError(f"{folder / CONFIG}: peft_type: {config.peft_type} is not supported; only LORA is")
        own = model.name_or_path
        model.name_or_path = config.base_model_name_or_path  # peft would warn that the two differ
        wrapped = get_peft_model(model, config)
        result: Any = set_peft_model_state_dict(wrapped, load_file(folder / WEIGHTS))
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder} does not fit its base: {str(error).splitlines()[0]}") from error
    absent = [key for key in result.missing_keys if "lora_" in key]
    if absent or result.unexpected_keys:
        first = (absent or result.unexpected_keys)[0]
        raise ModelError(f"{folder} does not fit its base: {first} is {'missing' if absent else 'not in the model'}")
    merged = wrapped.merge_and_unload()
    merged.name_or_path = own
    return merged.eval()


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{file}: an object with the adapter's settings is needed, not {type(content).__name__}")
    return content
