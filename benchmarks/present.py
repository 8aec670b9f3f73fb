"""Which models are here and what a page calls them, and what it says of the machine without naming it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import typer

from agri_clip.models.devices import choose_device

#: Libraries that a figure may depend on.
LIBRARIES = ("agri-clip", "numpy", "opencv-python", "torch", "transformers", "ultralytics")
#: Options whose value is written as this word, whatever the folder is called.
STAND_INS = {"--photos": "DIR"}


class Info(Protocol):
    """What both registries say of a model."""

    @property
    def name(self) -> str:
        """What picks it."""

    @property
    def present(self) -> bool:
        """Whether it can be used here without network."""


def choose_models(
    listed: Iterable[Info], given: Sequence[str], labels: Sequence[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """The models to measure, by what the page calls them, and the names listed that are not here.

    Parameters
    ----------
    listed : iterable of Info
        A registry's; those present are measured.
    given : sequence of str
        Names, files or folders that the user added.
    labels : sequence of str
        What the page calls those given; without any, their names, of files and folders the last part.

    Raises
    ------
    typer.BadParameter
        Not one label for each model given, or one label for two models.
    """
    infos = list(listed)
    chosen = {info.name: info.name for info in infos if info.present}
    absent = [info.name for info in infos if not info.present and info.name not in given]
    if labels and len(labels) != len(given):
        raise typer.BadParameter(f"{len(labels)} labels for {len(given)} models; give one for each, or none")
    for name, label in zip(given, labels or map(label_of, given), strict=True):
        if chosen.setdefault(label, name) != name:
            raise typer.BadParameter(f"two models would be called {label!r}; tell them apart with other labels")
    return chosen, absent


def label_of(name: str) -> str:
    """What the page calls a model: its name; of a file or folder the last part, for paths tell of the machine."""
    path = Path(name).expanduser()
    return path.name if path.exists() or path.is_absolute() or ".." in path.parts else name


def command_line(arguments: Sequence[str]) -> str:
    """The command as anybody can give it: no folder of this machine is named."""
    words, option = ["python", "benchmarks/models.py"], ""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if argument.startswith("--"):
            words.append(name + equals + (STAND_INS.get(name) or label_or_relative(value) if equals else ""))
            option = "" if equals else name
        else:
            words.append(STAND_INS.get(option) or label_or_relative(argument))
            option = ""
    return " ".join(f'"{word}"' if " " in word else word for word in words)


def label_or_relative(value: str) -> str:
    """A value as it is, unless it is a path from elsewhere than the project's folder: then its last part."""
    path = Path(value)
    return path.name if path.is_absolute() or value.startswith("~") or ".." in path.parts else value


def describe_machine() -> str:
    """The processor, its cores and, where one is used, the accelerator."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    text = f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    device = choose_device()
    if device.type == "cuda":
        import torch

        return f"{text}, {torch.cuda.get_device_name(device)}"
    return text if device.type == "cpu" else f"{text}, {device.type}"


def versions() -> dict[str, str]:
    """Versions of Python and of `LIBRARIES`."""
    return {"Python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
