"""The archive's folder: versions, damage and other people's files are told in words, and nothing is misread."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agri_clip.archive import Archive, Season, store
from agri_clip.archive.checks import describe, verify
from agri_clip.archive.schema import FORMAT_VERSION, PHOTOS
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
    steps = [FORMAT_VERSION, FORMAT_VERSION + 1]
    monkeypatch.setattr(store, "FORMAT_VERSION", FORMAT_VERSION + 2)
    monkeypatch.setattr(store, "MIGRATIONS", {step: lambda _, step=step: done.append(step) for step in steps})
    archive = Archive.open(place)
    assert done == steps
    assert {"key": "format", "value": str(FORMAT_VERSION + 2)} in archive.rows("about")
    Archive.open(place)
    assert done == steps


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


def test_an_archive_of_format_1_is_told_which_photos_met_a_cap(filled: Path, tmp_path: Path) -> None:
    place = shutil.copytree(filled, tmp_path / "season")
    season = Season.of(Archive.open(place))
    photos = season.archive.table(season.photos_name)
    photos.update(where="photo = 2", values={"notes": ["a note", "4 kept, so some may be missing; raise"]})
    photos.update(where="photo = 3", values={"notes": ["another note"]})
    photos.drop_columns(["at_cap"])
    season.archive.table("about").update(where="key = 'format'", values={"value": "1"})
    season = Season.of(Archive.open(place))
    assert [row["photo"] for row in season.photo_rows() if row["at_cap"]] == [2]
    assert {row["at_cap"] for row in season.photo_rows()} == {True, False}
    assert {"key": "format", "value": "2"} in season.archive.rows("about")
    assert season.archive.table(season.photos_name).schema.names == PHOTOS.names
    store.MIGRATIONS[1](season.archive.db)  # killed in its middle, it is done again
    assert [row["photo"] for row in season.photo_rows() if row["at_cap"]] == [2]


def chained(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "no"), "may not be written by this user"),
        (OSError(errno.EROFS, "Dateisystem ist schreibgeschützt"), "may not be written by this user"),
        (RuntimeError("lance error: Keine Berechtigung (os error 13), x.rs:258:9"), "may not be written by this user"),
        (OSError(errno.ENOSPC, "No space"), "the disk is full"),
        (OSError(errno.EDQUOT, "quota"), "the disk is full"),
        (RuntimeError("LanceError(IO): 磁盘已满 (os error 28), writer.rs:1"), "the disk is full"),
        (RuntimeError("LanceError(IO): File too large (os error 27)"), "the disk is full"),
        (chained(RuntimeError("write failed"), OSError(errno.ENOSPC, "x")), "the disk is full"),
        (RuntimeError("permission denied.lance: no space left in its header"), "cannot be used"),
        (ValueError("column 'disk quota' is read-only file system"), "cannot be used"),
        (OSError("Not found: a.lance"), "cannot be used"),
    ],
)
def test_the_kind_of_an_error_is_its_number_and_not_its_words(error: Exception, words: str) -> None:
    with pytest.raises(DataError, match=f"^season: .*{words}"), store.explained("season"):
        raise error


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of a file")
def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    script = """
import os, resource, signal, sys
import pyarrow as pa
from agri_clip.archive import Archive
from agri_clip.archive.store import explained
from agri_clip.errors import DataError
archive = Archive.open(sys.argv[1], create=True)
table = archive.table("many", pa.schema([("bytes", pa.binary())]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with explained("season"):
        table.add(pa.table({"bytes": [os.urandom(1000) for _ in range(1000)]}))
except DataError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "season")], capture_output=True, text=True, timeout=120
    )
    assert "season: the disk is full; what was finished is kept" in done.stdout
