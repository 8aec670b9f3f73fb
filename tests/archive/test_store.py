"""The archive's folder: versions, damage and other people's files are told in words, and nothing is misread."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from agri_clip.archive import Archive, Season, store
from agri_clip.archive.checks import describe, verify
from agri_clip.errors import DataError


def test_no_archive_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such archive; make one with: agri-clip batch"):
        Archive.open(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no archive"):
        Archive.open(tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is a file"):
        Archive.open(tmp_path / "file", create=True)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("mine")
    with pytest.raises(DataError, match=r"holds other files \(thesis\.docx"):
        Archive.open(tmp_path, create=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_an_archive_of_a_newer_program_is_refused(filled: Path, tmp_path: Path) -> None:
    place = shutil.copytree(filled, tmp_path / "season")
    Archive.open(place).table("about").update(where="key = 'format'", values={"value": "99"})
    with pytest.raises(DataError, match=r"has format 99, made by agri_clip .* Install the newer program"):
        Archive.open(place)


def test_an_older_archive_is_migrated_step_by_step(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = shutil.copytree(filled, tmp_path / "season")
    done: list[int] = []
    monkeypatch.setattr(store, "FORMAT_VERSION", 3)
    monkeypatch.setattr(store, "MIGRATIONS", {step: lambda _, step=step: done.append(step) for step in (1, 2)})
    archive = Archive.open(place)
    assert done == [1, 2]
    assert {"key": "format", "value": "3"} in archive.rows("about")
    Archive.open(place)
    assert done == [1, 2]


def test_prompts_are_kept_in_the_order_of_asking(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path / "season", create=True)
    for digest in ("a", "b", "b", "a"):
        archive.remember_prompts(digest, f"set {digest}", f"text {digest}")
    assert [row["hash"] for row in archive.rows("prompt_sets")] == ["a", "b", "a"]


def test_an_empty_archive_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty; fill it with"):
        Season.of(Archive.open(tmp_path / "season", create=True))


def test_info_tells_what_is_there(filled: Path) -> None:
    told = dict(describe(Archive.open(filled)))
    assert told["photos"] == "12 done, 1 failed, 1 copies of others"
    assert told["traps"] == "3"
    assert told["days"] == "2026-06-01 to 2026-06-29"  # that of the failed photo, by its name, too
    assert "builtin" in told["encoder"]


def test_regions_without_a_photo_are_found_and_removed(filled: Path, tmp_path: Path) -> None:
    place = shutil.copytree(filled, tmp_path / "season")
    season = Season.of(Archive.open(place))
    count = season.region_count()
    season.archive.table(season.photos_name).delete("photo = 0")
    assert any("belong to no photo" in line for line in verify(season.archive))
    with season.writing():
        pass
    assert season.region_count() < count
    assert not any("belong to no photo" in line for line in verify(season.archive))


def test_missing_regions_are_named(filled: Path, tmp_path: Path) -> None:
    place = shutil.copytree(filled, tmp_path / "season")
    season = Season.of(Archive.open(place))
    season.archive.table(season.regions_name).delete("photo = 1 AND region = 0")
    assert any("T1_2026-06-08.jpg should have" in line for line in verify(season.archive))


def test_a_wrong_vector_is_named(filled: Path, tmp_path: Path) -> None:
    place = shutil.copytree(filled, tmp_path / "season")
    season = Season.of(Archive.open(place))
    table = season.archive.table(season.regions_name)
    rows = table.search().where("photo = 2 AND region = 0").to_arrow()
    broken = rows.set_column(rows.schema.get_field_index("thumbnail"), "thumbnail", [[b"no picture"]]).cast(rows.schema)
    table.delete("photo = 2 AND region = 0")
    table.add(broken)
    assert [line for line in verify(season.archive) if "its thumbnail is no JPEG" in line]


def test_a_damaged_file_is_named(filled: Path, tmp_path: Path) -> None:
    place = shutil.copytree(filled, tmp_path / "season")
    season = Season.of(Archive.open(place))
    for file in (place / f"{season.regions_name}.lance" / "data").rglob("*.lance"):
        data = bytearray(file.read_bytes())
        data[-200:] = os.urandom(200)
        file.write_bytes(data)
    damages = verify(Archive.open(place))
    assert damages
    assert season.regions_name in damages[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DataError, match="may not be written"):
            Archive.open(tmp_path / "season", create=True)
    finally:
        tmp_path.chmod(0o700)
