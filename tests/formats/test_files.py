"""Files are written whole or not at all, under names that are each their own."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agri_clip.errors import DataError
from agri_clip.formats.files import (
    annotated_paths,
    prepare_folder,
    printable,
    produced_by,
    unique_stems,
    whole_folder,
    write_bytes,
)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_folders_are_made_and_the_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "a.txt"
    write_bytes(path, b"old")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert listing(path.parent) == ["a.txt"]


def test_a_written_file_can_be_read_by_others_as_any_file_can(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_bytes(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    write_bytes(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agri_clip.io.writing.os.fsync", full)
    with pytest.raises(DataError, match=r"a\.csv: cannot be written: No space left"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert listing(tmp_path) == ["a.csv"]


def test_a_real_full_device_is_one_clear_error() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with pytest.raises(DataError, match="/dev/full/x: cannot be written"):
        write_bytes("/dev/full/x", b"data")


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: (p.mkdir(), (p / "x").touch())])
def test_the_name_of_a_folder_is_refused(tmp_path: Path, make) -> None:
    make(tmp_path / "taken")
    with pytest.raises(DataError, match="taken: cannot be written"):
        write_bytes(tmp_path / "taken", b"")
    assert listing(tmp_path) == ["taken"]


def test_a_file_in_place_of_the_folder_is_named_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    with pytest.raises(DataError, match="results: cannot be written"):
        prepare_folder(tmp_path / "results")
    prepare_folder(tmp_path / "other")
    assert listing(tmp_path / "other") == []


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out", "README") as folder:
        (folder / "README").write_text("made by agri-clip")
        (folder / "first").touch()
        assert not (tmp_path / "out").exists()
    with whole_folder(tmp_path / "out", "README") as folder:
        (folder / "README").write_text("made by agri-clip")
        (folder / "second").touch()
    assert listing(tmp_path / "out") == ["README", "second"]
    assert listing(tmp_path) == ["out"]


def test_a_folder_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out", "README") as folder:
        (folder / "README").write_text("made by agri-clip")
    with pytest.raises(DataError, match="out: cannot be written"), whole_folder(tmp_path / "out", "README") as folder:
        write_bytes(folder, b"")
    assert listing(tmp_path / "out") == ["README"]
    assert listing(tmp_path) == ["out"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("names: [cat]")
    with pytest.raises(DataError, match="in use by other files"), whole_folder(tmp_path, "data.yaml"):
        pytest.fail("must not be reached")
    assert (tmp_path / "data.yaml").read_text() == "names: [cat]"


@pytest.mark.parametrize(
    ("names", "stems"),
    [
        (["a/trap.jpg", "b/two.jpg"], ["trap", "two"]),
        (["a/trap.jpg", "b/trap.jpg", "b/two.jpg"], ["a_trap", "b_trap", "two"]),
        (["x/a/trap.jpg", "y/a/trap.jpg"], ["x_a_trap", "y_a_trap"]),
        (["trap.jpg", "trap.png"], ["trap", "trap-2"]),
        (["trap.jpg", "TRAP.jpg", "trap-2.jpg"], ["trap", "TRAP-3", "trap-2"]),
        (["C:\\photos\\a\\t.jpg", "C:\\photos\\b\\t.jpg"], ["a_t", "b_t"]),
        (["a_b/c.jpg", "a/b_c.jpg", "d/c.jpg"], ["a_b_c", "b_c", "d_c"]),
        (["con.jpg", "what?.jpg", "..", "", "粉虱 1.jpg"], ["con_", "what_", "photo", "photo-2", "粉虱 1"]),
    ],
)
def test_each_photo_has_a_name_of_its_own(names: list[str], stems: list[str]) -> None:
    assert unique_stems(names) == stems


@given(st.lists(st.text(st.sampled_from("aAb_-/.\\2 :\ud800"), max_size=8) | st.text(max_size=80)))
def test_any_names_give_different_safe_paths_inside_the_folder(names: list[str]) -> None:
    paths = annotated_paths(names, "out")
    assert len({str(path).casefold() for path in paths}) == len(names)
    for path in paths:
        assert path.parent == Path("out")
        assert len(os.fsencode(path.name)) < 256
        assert not path.name.startswith(".")


def test_values_become_strict_json() -> None:
    value = {
        "a": np.float32(np.nan),
        2: np.array([1, 2]),
        "c": (np.int64(3), float("inf"), None, True),
        "d": datetime(2026, 1, 2, 3, 4, 5),
        "e": Path("x"),
        "f": "caf\udce9",
    }
    assert printable(value) == {
        "a": None,
        "2": [1, 2],
        "c": [3, None, None, True],
        "d": "2026-01-02T03:04:05",
        "e": "x",
        "f": "caf?",
    }


def test_provenance_in_one_line_is_short_and_says_all() -> None:
    same = {"program": "agri_clip 0.1", "thresholds": {"a": 0.3, "b": 0.3}, "card_size_mm": (100, 250), "none": None}
    assert produced_by(same) == "agri-clip: program agri_clip 0.1; thresholds 0.3; card_size_mm 100, 250"
    assert produced_by({"thresholds": {"a": 0.3, "b": 0.4}}) == "agri-clip: thresholds.a 0.3; thresholds.b 0.4"
    assert produced_by({}) == "agri-clip: provenance not known"
