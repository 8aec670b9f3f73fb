"""What visitors send: photos and zips, checked before anything is decoded or unpacked."""

from __future__ import annotations

import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from agri_clip.errors import DataError, PhotoError
from agri_clip.photos.formats import PHOTO_EXTENSIONS, format_of
from agri_clip.photos.photo import Photo, one_line, read_photo
from agri_clip.ui.zip_names import correct_names

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What an upload may hold.

    Attributes
    ----------
    file_megabytes : float
        Size of one upload.
    megapixels : float
        Of one photo; read from its header before it is decoded.
    zip_members : int
        Files in a zip.
    zip_megabytes : float
        All files of a zip together, unpacked.
    """

    file_megabytes: float = 500
    megapixels: float = 120
    zip_members: int = 5000
    zip_megabytes: float = 20_000

    @property
    def reading(self) -> dict[str, Any]:
        """Options of `read_photo`: a limit is the operator's, and its option nothing that a visitor can set."""
        said = f"has more than {self.megapixels:g} megapixels, which this page does not take; make it smaller"
        return {"max_pixels": int(min(self.megapixels * MEGABYTE, sys.maxsize)), "too_large": said}

    @property
    def file_bytes(self) -> int:
        """Most bytes of one upload."""
        return int(min(self.file_megabytes * MEGABYTE, sys.maxsize))


def read_upload(path: Path, limits: Limits) -> Photo:
    """Read the photo that a visitor sent.

    Raises
    ------
    PhotoError
        It is no photo whatever its name says, is damaged, or has too many pixels.
    """
    name = one_line(path.name)
    try:
        return read_photo(path, name=name, **limits.reading)
    except PhotoError as error:
        raise PhotoError(name, error.reason) from error


def collect_uploads(paths: Sequence[Path], folder: Path, limits: Limits) -> list[str]:
    """Put the photos and zips that a visitor sent into a folder, zips unpacked.

    Parameters
    ----------
    paths : sequence of Path
    folder : Path
        Made where it is missing.
    limits : Limits

    Returns
    -------
    list of str
        What was left out, one line each: members that are no photos.

    Raises
    ------
    DataError
        A zip is damaged, is too large, or tries to leave its folder; nothing of it is unpacked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    left_out: list[str] = []
    for path in paths:
        if not is_photo_file(path) and zipfile.is_zipfile(path):
            left_out += unpack_zip(path, folder, limits)
        else:
            shutil.copyfile(path, _free_name(folder / path.name))
    return left_out


def is_photo_file(path: Path) -> bool:
    """Whether a file is a photo by its first bytes; one with a zip behind it is a photo still."""
    with path.open("rb") as file:
        return format_of(file.read(4096)) is not None


def unpack_zip(path: Path, folder: Path, limits: Limits) -> list[str]:
    """Unpack the photos of a zip; as `collect_uploads`, for one zip."""
    shown = one_line(path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            correct_names(members)
            _check_members(shown, members, limits)
            photos = [member for member in members if _is_photo(member)]
            with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as half:
                for member in photos:
                    _extract(archive, member, Path(half), shown)
                _move_files(Path(half), folder)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        if isinstance(error, OSError) and not isinstance(error, zipfile.BadZipFile) and error.errno:
            raise DataError(f"{shown}: could not be unpacked ({error.strerror})") from error
        raise DataError(f"{shown}: is damaged, encrypted or no zip; pack it again without a password") from error
    kept = {member.filename for member in photos}
    return [f"{one_line(m.filename)}: is no photo; left out" for m in members if m.filename not in kept]


def _check_members(shown: str, members: Sequence[zipfile.ZipInfo], limits: Limits) -> None:
    """Refuse a zip as a whole, by what its directory says, before a byte is unpacked."""
    if len(members) > limits.zip_members:
        raise DataError(f"{shown}: holds {len(members)} files; this page takes at most {limits.zip_members} at once")
    total = sum(member.file_size for member in members)
    if total > limits.zip_megabytes * MEGABYTE:
        raise DataError(
            f"{shown}: would unpack to {total / MEGABYTE:,.0f} MB; this page takes at most "
            f"{limits.zip_megabytes:,.0f} MB, so send it in parts"
        )
    for member in members:
        name = one_line(member.filename)
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{shown}: {name} is a link, not a file; pack the photos themselves")
        place = PurePosixPath(member.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or (place.parts and place.parts[0].endswith(":")):
            raise DataError(f"{shown}: {name} would be written outside of its folder; pack the photos again")


def _is_photo(member: zipfile.ZipInfo) -> bool:
    place = PurePosixPath(member.filename.replace("\\", "/"))
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in place.parts)
    return not hidden and place.suffix.lower() in PHOTO_EXTENSIONS


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, shown: str) -> None:
    place = PurePosixPath(member.filename.replace("\\", "/"))
    target = _free_name(folder.joinpath(*place.parts))
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as packed, target.open("xb") as file:
        left = member.file_size
        while block := packed.read(min(1 << 20, left + 1)):
            left -= len(block)
            if left < 0:
                raise DataError(f"{shown}: {one_line(member.filename)} is larger than it says; pack it again")
            file.write(block)


def _move_files(source: Path, folder: Path) -> None:
    """Move all files to a folder, keeping the folders that they are in and the files that are there."""
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        target = _free_name(folder / path.relative_to(source))
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


def _free_name(path: Path) -> Path:
    """The path, or with a number before its suffix where a file has that name already."""
    free, number = path, 2
    while free.exists():
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free
