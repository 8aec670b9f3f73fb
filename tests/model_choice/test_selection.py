"""Which models a run uses: its option before the settings file before what ships; and what `use_model` refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agri_clip import encoders, regions
from agri_clip.errors import DataError, ModelError
from agri_clip.model_choice.selection import ModelChoice, choose_models, use_model
from tests.fake_models import write_model, write_open_clip_model
from tests.hub_cache import put_in_cache


@pytest.fixture(autouse=True)
def places(
    hub_cache: Path,  # noqa: ARG001 - an empty cache
    settings_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """No model but those that ship, and no settings."""
    monkeypatch.setenv("AGRI_CLIP_MODELS", str(tmp_path / "proposers"))
    monkeypatch.chdir(tmp_path)
    return settings_file


@pytest.fixture
def clip(hub_cache: Path, tmp_path: Path) -> str:
    put_in_cache(hub_cache, "some/clip", write_model(tmp_path / "clip"))
    return "some/clip"


def test_what_ships_is_used_where_nothing_is_chosen() -> None:
    assert choose_models() == ModelChoice("builtin", "insect-yolo", ())
    assert choose_models().note is None


def test_an_option_goes_before_the_settings_file_and_that_before_what_ships(clip: str, places: Path) -> None:
    use_model(clip)
    use_model("contrast")
    assert choose_models() == ModelChoice(clip, "contrast", ("encoder", "proposer"))
    assert choose_models().note == f"encoder {clip} and proposer contrast: your default from {places}"
    assert choose_models("builtin") == ModelChoice("builtin", "contrast", ("proposer",))
    assert choose_models("builtin", "insect-yolo") == ModelChoice()


def test_a_damaged_file_does_not_matter_where_both_models_are_named(places: Path) -> None:
    places.parent.mkdir()
    places.write_text("encoder: {", encoding="utf-8")
    assert choose_models("builtin", "contrast") == ModelChoice("builtin", "contrast")
    with pytest.raises(DataError, match="agri-clip models use builtin"):
        choose_models("builtin")


def test_builtin_goes_back_and_the_file_goes_with_the_last_choice(clip: str, places: Path) -> None:
    use_model(clip)
    use_model("contrast")
    back = use_model("builtin")
    assert (back.kind, back.file) == ("encoder", places)
    assert "the proposer stays contrast; to go back: agri-clip models use insect-yolo" in back.notes
    assert choose_models() == ModelChoice("builtin", "contrast", ("proposer",))
    last = use_model("insect-yolo")
    assert (last.kind, last.file, last.notes) == ("proposer", None, ())
    assert not places.exists()


def test_going_back_mends_a_damaged_file(places: Path) -> None:
    places.parent.mkdir()
    places.write_text("encoder: {", encoding="utf-8")
    assert any("damaged" in note for note in use_model("builtin").notes)
    assert choose_models() == ModelChoice()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("openai/clip-vit-base-patch16", r"agri-clip models fetch openai/clip-vit-base-patch16$"),
        ("hf-hub:imageomics/bioclip-2", r"agri-clip models fetch hf-hub:imageomics/bioclip-2$"),
        ("FastSAM-s.pt", r"agri-clip models fetch FastSAM-s\.pt$"),
        ("insect-yolo+FastSAM-s.pt", r"agri-clip models fetch FastSAM-s\.pt$"),
        ("folder/mine.pt", r"folder/mine\.pt: there is no such file or folder"),
        ("nope", r"no encoder is called 'nope'"),
        ("", r"no encoder is called ''"),
    ],
)
def test_what_is_not_here_is_refused_and_nothing_is_written(name: str, said: str, places: Path) -> None:
    with pytest.raises(ModelError, match=said):
        use_model(name)
    assert not places.exists()


def test_the_name_tells_whether_it_is_an_encoder_or_a_proposer(tmp_path: Path) -> None:
    (tmp_path / "mine.pt").touch()
    used = use_model("mine.pt")
    assert (used.kind, used.name) == ("proposer", str(tmp_path / "mine.pt"))
    write_model(tmp_path / "field")
    used = use_model("field")
    assert (used.kind, used.name) == ("encoder", str(tmp_path / "field"))
    write_model(tmp_path / "owl", model_type="owlv2")
    assert use_model("owl").kind == "proposer"
    used = use_model("insect-yolo+mine.pt")
    assert used.name == f"insect-yolo+{tmp_path / 'mine.pt'}"
    assert choose_models() == ModelChoice(str(tmp_path / "field"), used.name, ("encoder", "proposer"))


def test_a_model_that_is_no_dual_encoder_is_refused(hub_cache: Path, tmp_path: Path) -> None:
    put_in_cache(hub_cache, "some/bert", write_model(tmp_path / "bert", model_type="bert"))
    with pytest.raises(ModelError, match="some/bert is a bert, which does not encode both pictures and texts"):
        use_model("some/bert")


def test_a_model_of_open_clip_needs_that_library(
    hub_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_cache(hub_cache, "some/bio", write_open_clip_model(tmp_path / "bio"))
    monkeypatch.setattr(encoders, "find_spec", lambda _name: object())
    assert use_model("hf-hub:some/bio").kind == "encoder"
    monkeypatch.setattr(encoders, "find_spec", lambda _name: None)
    with pytest.raises(ModelError, match=r"pip install 'agri-clip\[open-clip\]'"):
        use_model("hf-hub:some/bio")
    with pytest.raises(ModelError, match=r"settings\.yaml: encoder: .*pip install.*; or go back to what ships"):
        choose_models()


def test_a_default_that_has_gone_is_named_with_the_file_and_the_ways_out(tmp_path: Path, places: Path) -> None:
    write_model(tmp_path / "field")
    use_model("field")
    (tmp_path / "field" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=rf"{places}: encoder: .*agri-clip models use builtin"):
        choose_models()
    assert choose_models("builtin") == ModelChoice()


def test_models_without_fitted_thresholds_are_noted(clip: str) -> None:
    assert use_model("builtin").notes == ()
    assert any("no thresholds are fitted" in note and clip in note for note in use_model(clip).notes)


@pytest.mark.parametrize("name", ["builtin", "openai/clip-vit-base-patch16"])
def test_nothing_heavy_is_imported_to_choose(name: str) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from agri_clip.errors import AgriClipError; from agri_clip.model_choice.selection import *\n"
        f"try: use_model({name!r})\nexcept AgriClipError: pass\n"
        "choose_models(); sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'pandas', 'ultralytics')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_listed_model_can_be_looked_at_without_loading() -> None:
    listed: list[Any] = [*encoders.available(), *regions.available()]
    for info in listed:
        if info.present:
            assert use_model(info.name).name == info.name
        else:
            with pytest.raises(ModelError, match="agri-clip models fetch"):
                use_model(info.name)
