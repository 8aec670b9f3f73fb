"""The settings file: where it is, what it may say, and what a user reads where it is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agri_clip.errors import DataError
from agri_clip.models import defaults
from agri_clip.models.defaults import UserModels, read_user_models, write_user_models


def test_without_a_file_nothing_is_chosen(settings_file: Path) -> None:
    assert not settings_file.exists()
    assert read_user_models() == UserModels()


@pytest.mark.parametrize(
    "chosen", [UserModels("some/clip"), UserModels(None, "my traps.pt"), UserModels("./a: b", "contrast+ü.pt")]
)
def test_what_is_written_is_read_again_and_people_can_read_it(settings_file: Path, chosen: UserModels) -> None:
    assert write_user_models(chosen) == settings_file
    assert read_user_models() == chosen
    text = settings_file.read_text(encoding="utf-8")
    assert text.startswith("# Models that agri-clip uses")
    assert [path.name for path in settings_file.parent.iterdir()] == ["settings.yaml"]


def test_choosing_nothing_removes_the_file(settings_file: Path) -> None:
    assert write_user_models(UserModels()) is None
    write_user_models(UserModels("some/clip"))
    assert write_user_models(UserModels()) is None
    assert not settings_file.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("encoder: [a, b]\n", r"settings\.yaml:1: encoder: must be the name of a model, not \['a', 'b'\]"),
        ("# mine\nproposer: 3\n", r"settings\.yaml:2: proposer: must be the name of a model, not 3"),
        ("encoder: ''\n", r"settings\.yaml:1: encoder: must be the name"),
        ("encodr: builtin\n", r"settings\.yaml:1: encodr: unknown field; the fields here are: encoder, proposer"),
        ("encoder: a\nencoder: b\n", r"settings\.yaml:2: encoder: written twice"),
        ("- builtin\n", r"settings\.yaml:1: the top of the file must be a mapping"),
        ("encoder: {\n", r"settings\.yaml:\d: not valid YAML"),
        ("", r"settings\.yaml:1: the file is empty"),
        ("\x00\xff", r"settings\.yaml"),
    ],
)
def test_a_wrong_file_is_refused_with_line_field_and_remedy(settings_file: Path, text: str, said: str) -> None:
    settings_file.parent.mkdir()
    settings_file.write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=said) as refused:
        read_user_models()
    assert "agri-clip models use builtin" in str(refused.value) or "fields here" in str(refused.value)


def test_a_folder_in_the_place_of_the_file_is_refused(settings_file: Path) -> None:
    settings_file.mkdir(parents=True)
    with pytest.raises(DataError, match="is a folder; let AGRI_CLIP_SETTINGS name a file"):
        read_user_models()
    with pytest.raises(DataError, match="cannot be written"):
        write_user_models(UserModels("some/clip"))


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AGRI_CLIP_SETTINGS", str(tmp_path / "file" / "settings.yaml"))
    with pytest.raises(DataError, match=r"settings\.yaml: cannot be written"):
        write_user_models(UserModels("some/clip"))


def test_the_file_is_in_the_users_configuration_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGRI_CLIP_SETTINGS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert defaults.settings_file() == tmp_path / "agri_clip" / "settings.yaml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    for system, folder in (("linux", ".config"), ("darwin", "Library/Application Support")):
        monkeypatch.setattr(sys, "platform", system)
        assert defaults.settings_file() == tmp_path / "home" / folder / "agri_clip" / "settings.yaml"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("APPDATA", str(tmp_path / "roaming"))
    assert defaults.settings_file() == tmp_path / "roaming" / "agri_clip" / "settings.yaml"


def test_a_service_without_a_home_folder_uses_what_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("AGRI_CLIP_SETTINGS")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(Path, "home", fail)
    assert read_user_models() == UserModels()
    with pytest.raises(DataError, match="set AGRI_CLIP_SETTINGS"):
        write_user_models(UserModels("some/clip"))
