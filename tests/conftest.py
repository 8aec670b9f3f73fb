"""Fixtures that several tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def yellow_traps() -> Path:
    """The folder of real, labelled trap photos; they are no part of the project, so tests skip where it is absent."""
    base = Path(os.environ.get("AGRI_CLIP_DATA", ROOT.parent / "shared" / "data"))
    folder = base / "yellow_traps"
    if not (folder / "val.json").is_file():
        pytest.skip(f"real trap photos are not here ({folder}); set AGRI_CLIP_DATA to the folder that holds them")
    return folder


@pytest.fixture(scope="session", autouse=True)
def no_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A user who has chosen no models: a developer's own settings file changes no test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGRI_CLIP_SETTINGS", str(tmp_path_factory.getbasetemp() / "no" / "settings.yaml"))
        yield


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Path of the test's own settings file, which is not there yet."""
    file = tmp_path / "config" / "settings.yaml"
    monkeypatch.setenv("AGRI_CLIP_SETTINGS", str(file))
    return file


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without network: every question to the hub fails as it does there."""
    import huggingface_hub
    from huggingface_hub.utils import httpx

    def fail(*_args: object, **_kwargs: object) -> None:
        raise httpx.ConnectError("[Errno -2] Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail)
