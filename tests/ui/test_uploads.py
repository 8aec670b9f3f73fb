"""What visitors send is checked before it is unpacked or decoded."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from agri_clip.errors import DataError, PhotoError
from agri_clip.photos.photo import read_photo
from agri_clip.ui.uploads import Limits, collect_uploads, read_upload


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "T1_2026-06-01.jpg"
    cv2.imwrite(str(path), np.full((60, 80, 3), 200, np.uint8))
    return path


def make_zip(path: Path, members: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        for name, target in (links or {}).items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o120777 << 16
            archive.writestr(entry, target)
    return path


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_photos_and_zips_come_together_in_one_folder(tmp_path, photo):
    packed = make_zip(
        tmp_path / "season.zip",
        {"week 1/T2.jpg": photo.read_bytes(), "notes.txt": b"glue changed", "__MACOSX/._T2.jpg": b"x"},
    )
    left_out = collect_uploads([photo, packed, photo], tmp_path / "in", Limits())
    assert names_in(tmp_path / "in") == ["T1_2026-06-01-2.jpg", "T1_2026-06-01.jpg", "week 1/T2.jpg"]
    assert len(left_out) == 2
    assert "notes.txt" in left_out[0]


def without_flag(path: Path, name: str, code_page: str, content: bytes) -> Path:
    """A zip that does not say that its name is UTF-8, as programs of Windows and others write it."""
    raw = name.encode(code_page)
    plain = "x" * len(raw)
    make_zip(path, {plain: content})
    path.write_bytes(path.read_bytes().replace(plain.encode(), raw))
    return path


@pytest.mark.parametrize(
    ("name", "code_page"),
    [
        ("Fälle T1 2026-05-04.jpg", "cp1252"),
        ("Fälle_T1.jpg", "utf-8"),
        ("Fälle_T1.jpg", "cp437"),
        ("陷阱_2026-05-04.jpg", "gbk"),
        ("温室/粉虱_T2.jpg", "gbk"),
        ("粉虱.jpg", "utf-8"),
        ("piège été.jpg", "cp850"),
        ("señor niño.jpg", "cp1252"),
        ("Größe.jpg", "cp1252"),
    ],
)
def test_names_in_a_zip_are_read_whatever_wrote_them(tmp_path, photo, name, code_page):
    packed = without_flag(tmp_path / "season.zip", name, code_page, photo.read_bytes())
    collect_uploads([packed], tmp_path / "in", Limits())
    assert names_in(tmp_path / "in") == [name]


def test_the_reason_of_a_photo_in_a_batch_is_the_visitors_too():
    with pytest.raises(PhotoError, match=r"more than 0\.001 megapixels, which this page does not take") as told:
        read_photo(cv2.imencode(".png", np.zeros((60, 80, 3)))[1].tobytes(), **Limits(megapixels=0.001).reading)
    assert "--max-megapixels" not in told.value.reason


def test_a_photo_with_a_zip_behind_it_is_a_photo(tmp_path, photo):
    packed = make_zip(tmp_path / "behind.zip", {"inner.jpg": b"x"})
    both = tmp_path / "both.jpg"
    both.write_bytes(photo.read_bytes() + packed.read_bytes())
    assert zipfile.is_zipfile(both)
    collect_uploads([both], tmp_path / "in", Limits())
    assert names_in(tmp_path / "in") == ["both.jpg"]


@pytest.mark.parametrize(
    "name", ["../escaped.jpg", "/escaped.jpg", "a/../../escaped.jpg", "..\\escaped.jpg", "C:\\escaped.jpg"]
)
def test_a_zip_that_climbs_out_is_refused_whole(tmp_path, photo, name):
    packed = make_zip(tmp_path / "bad.zip", {"good.jpg": photo.read_bytes(), name: photo.read_bytes()})
    with pytest.raises(DataError, match=r"bad\.zip.*outside of its folder"):
        collect_uploads([packed], tmp_path / "in", Limits())
    assert names_in(tmp_path / "in") == []
    assert not list(tmp_path.rglob("escaped.jpg"))


def test_a_link_in_a_zip_is_refused(tmp_path, photo):
    packed = make_zip(tmp_path / "links.zip", {"good.jpg": photo.read_bytes()}, {"secret.jpg": "/etc/passwd"})
    with pytest.raises(DataError, match=r"secret\.jpg is a link"):
        collect_uploads([packed], tmp_path / "in", Limits())
    assert names_in(tmp_path / "in") == []


def test_zip_bombs_are_refused_before_they_unpack(tmp_path):
    bomb = make_zip(tmp_path / "bomb.zip", {"big.jpg": bytes(30_000_000)})
    assert bomb.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"would unpack to 30 MB.*at most 10 MB"):
        collect_uploads([bomb], tmp_path / "in", Limits(zip_megabytes=10))
    many = make_zip(tmp_path / "many.zip", {f"{number}.jpg": b"" for number in range(30)})
    with pytest.raises(DataError, match="holds 30 files"):
        collect_uploads([many], tmp_path / "in", Limits(zip_members=20))


def test_a_member_larger_than_it_says_is_refused(tmp_path):
    packed = make_zip(tmp_path / "liar.zip", {"a.jpg": b"x" * 5000})
    data = bytearray(packed.read_bytes())
    place = data.rindex(b"PK\x01\x02")  # the directory's entry; its size field says 10 bytes from now on
    data[place + 24 : place + 28] = (10).to_bytes(4, "little")
    packed.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"liar\.zip"):
        collect_uploads([packed], tmp_path / "in", Limits())
    assert all(path.stat().st_size <= 10 for path in (tmp_path / "in").rglob("*.jpg"))


def test_a_damaged_zip_is_said_to_be_one(tmp_path, photo):
    packed = make_zip(tmp_path / "cut.zip", {"a.jpg": photo.read_bytes(), "b.jpg": photo.read_bytes()})
    data = bytearray(packed.read_bytes())
    place = data.rindex(b"PK\x03\x04")  # the second photo: the first is whole
    data[place + 40 : place + 60] = bytes(20)
    packed.write_bytes(bytes(data))
    with pytest.raises(DataError, match="damaged"):
        collect_uploads([packed], tmp_path / "in", Limits())
    assert names_in(tmp_path / "in") == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("drawing.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        ("page.png", b"<!doctype html><script>alert(1)</script>"),
        ("empty.jpg", b""),
    ],
)
def test_what_only_poses_as_a_photo_is_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(PhotoError, match=name):
        read_upload(path, Limits())


def test_a_photo_beyond_the_limit_is_refused_in_words_for_a_visitor(photo):
    with pytest.raises(PhotoError, match=r"more than 0\.001 megapixels, which this page does not take") as told:
        read_upload(photo, Limits(megapixels=0.001))
    assert "--max-megapixels" not in str(told.value)


def test_of_the_path_only_the_file_name_is_shown(photo):
    assert read_upload(photo, Limits()).name == photo.name
