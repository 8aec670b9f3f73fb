"""The models that are used where none is named: those that ship, or those that the user chose in the settings file.

`agri-clip models use` writes the file; commands and the page read it through `agri_clip.model_choice.selection`.
Python code that makes a `Detector` does not read it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from agri_clip.errors import DataError

#: Both ship inside the package. docs/benchmark.md has their figures.
PROPOSER: Final = "insect-yolo"
ENCODER: Final = "builtin"

#: Environment variable with the path of the settings file, in place of the user's configuration folder.
VARIABLE: Final = "AGRI_CLIP_SETTINGS"

#: The two kinds of models, as the settings file names them.
Kind = Literal["encoder", "proposer"]

HEADER = """\
# Models that agri-clip uses where a command names none.
# Written by `agri-clip models use NAME`; `agri-clip models use builtin` goes back to the encoder that ships.
"""
_REMEDY = "correct the file, or go back to what ships: agri-clip models use builtin"


@dataclass(frozen=True)
class UserModels:
    """What the settings file says.

    Attributes
    ----------
    encoder, proposer : str or None
        None where the file does not name one.
    """

    encoder: str | None = None
    proposer: str | None = None


def settings_file() -> Path:
    """Path of the settings file, whether it exists or not: ``$AGRI_CLIP_SETTINGS``, else in the configuration folder.

    Raises
    ------
    DataError
        There is no home folder to look in.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    return _config_folder() / "agri_clip" / "settings.yaml"


def read_user_models() -> UserModels:
    """Read the settings file; without a file nothing is chosen.

    Raises
    ------
    DataError
        The file cannot be read or does not say what it must; names file, line, field and remedy.
    """
    try:
        path = settings_file()
    except DataError:
        return UserModels()  # a service without a home folder has no settings of a user
    if not path.exists():
        return UserModels()
    from agri_clip.errors import PromptError
    from agri_clip.io.yaml_lines import read_lined_yaml

    if path.is_dir():
        raise DataError(f"{path}: is a folder; let {VARIABLE} name a file")
    try:
        lined = read_lined_yaml(path, f"'encoder: {ENCODER}'")
    except PromptError as error:
        raise DataError(f"{error}; {_REMEDY}") from error
    for field, value in lined.value.items():
        if field not in ("encoder", "proposer"):
            raise DataError(f"{lined.message((field,), 'unknown field; the fields here are: encoder, proposer')}")
        if not isinstance(value, str) or not value.strip():
            raise DataError(f"{lined.message((field,), f'must be the name of a model, not {value!r}')}; {_REMEDY}")
    return UserModels(**lined.value)


def write_user_models(models: UserModels) -> Path | None:
    """Write the settings file; it is removed where nothing is chosen.

    Returns
    -------
    Path or None
        The file; None where it was removed.

    Raises
    ------
    DataError
        The place cannot be written.
    """
    from agri_clip.io.writing import explained, write_text

    path = settings_file()
    chosen = {key: value for key, value in (("encoder", models.encoder), ("proposer", models.proposer)) if value}
    if not chosen:
        with explained(path):
            path.unlink(missing_ok=True)
        return None
    import yaml

    write_text(path, HEADER + yaml.safe_dump(chosen, allow_unicode=True, sort_keys=True))
    return path


def _config_folder() -> Path:
    """The user's configuration folder, as each system has it."""
    # The standard for XDG_CONFIG_HOME: a relative path is to be ignored.
    if (named := os.environ.get("XDG_CONFIG_HOME")) and Path(named).is_absolute():
        return Path(named)
    if sys.platform == "win32" and (named := os.environ.get("APPDATA")):
        return Path(named)
    try:
        home = Path.home()
    except RuntimeError as error:
        raise DataError(f"no home folder is known; set {VARIABLE} to the path of a file") from error
    return home / "Library" / "Application Support" if sys.platform == "darwin" else home / ".config"
