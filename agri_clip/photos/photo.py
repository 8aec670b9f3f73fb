"""Photo: pixels, and where, when and on which trap it was taken. The only place that opens an image file."""

from __future__ import annotations

import errno
import io
import math
import os
import re
import stat
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import BmpImagePlugin, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from agri_clip.errors import AgriClipError, PhotoError
from agri_clip.photos import pixels as photo_pixels
from agri_clip.photos import tags as photo_tags
from agri_clip.photos.formats import OTHER_PICTURE_EXTENSIONS, PHOTO_EXTENSIONS, foreign_kind, format_of, promised_size
from agri_clip.photos.metadata import DAMAGED, Metadata, is_plausible, read_metadata
from agri_clip.photos.truncation import is_cut_short

# The largest phone sensors give 200 megapixels; decoding as many takes about 1.5 GB.
MAX_PIXELS = 250_000_000
# Of 16-bit colours the upper 8 bits are below this where the values use 14 bits or fewer.
DARK_WITHOUT_LOWER_BITS = 64
_COPY_AGAIN = "copy it again from the camera"
_CUT_SHORT = f"it is cut short, part of the picture is missing; {_COPY_AGAIN}"


@dataclass(frozen=True)
class Photo:
    """One upright photo and what is known of it.

    Attributes
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
        RGB, upright as the user sees it.
    name : str
        How results call it: the path as the user gave it, or a name for a picture without a file.
    path : Path or None
    taken : datetime or None
        Local capture time without zone.
    camera : str or None
    gps : tuple of float, or None
        Latitude and longitude in degrees, north and east positive.
    trap : str or None
        Trap id from a code on the card or from the file name.
    mm_per_pixel : float or None
        Scale, where it is known.
    notes : tuple of str
        What a user must know of how it was read.
    """

    pixels: np.ndarray
    name: str
    path: Path | None = None
    taken: datetime | None = None
    camera: str | None = None
    gps: tuple[float, float] | None = None
    trap: str | None = None
    mm_per_pixel: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[1])


def read_photo(
    source: Path | str | bytes | np.ndarray | Image.Image,
    *,
    name: str | None = None,
    exif_orientation: bool = True,
    name_pattern: str | None = None,
    read_codes: bool = True,
    mm_per_pixel: float | None = None,
    max_pixels: int = MAX_PIXELS,
    too_large: str | None = None,
) -> Photo:
    """Read one photo.

    Parameters
    ----------
    source : Path, str, bytes, ndarray or PIL.Image.Image
        A file; the bytes of one; or a picture in memory: uint8, RGB of shape (h, w, 3) or grey of shape (h, w). An RGB
        array is not copied.
    name : str, optional
        How results call it. By default the path as given, and `photo` for a picture without a file.
    exif_orientation : bool
        Turn the photo upright by its EXIF orientation. Off for data sets labelled in raw pixel order. HEIC files are
        always upright: there the rotation is part of the picture, not of EXIF.
    name_pattern : str, optional
        How the file name holds trap and date; see `photo_tags.compile_pattern`.
    read_codes : bool
        Look for a QR code, Data Matrix or ArUco marker that names the trap.
    mm_per_pixel : float, optional
        Scale, where it is known.
    max_pixels : int
        A file whose header promises more is refused before anything is decoded.
    too_large : str, optional
        What is said of such a file, for readers who cannot raise the limit.

    Returns
    -------
    Photo

    Raises
    ------
    PhotoError
        The photo cannot be read; one line says which, why and what to do.
    AgriClipError
        The pattern or the scale is not valid, whatever the photo.
    """
    if mm_per_pixel is not None and not (math.isfinite(mm_per_pixel) and mm_per_pixel > 0):
        raise AgriClipError(f"mm_per_pixel is {mm_per_pixel}: give a scale greater than 0, such as 0.05")
    if name_pattern is not None:
        photo_tags.compile_pattern(name_pattern)
    path = Path(source) if isinstance(source, str | Path) else None
    shown = one_line(name or (str(source) if path is not None else "photo"))
    file_name = name or path
    named = photo_tags.read_name(file_name, name_pattern) if file_name else photo_tags.Tag()
    try:
        pixels, metadata, notes = _read_pixels(source, exif_orientation, _Limit(max_pixels, too_large))
    except _UnreadableError as error:
        raise _photo_error(shown, path, str(error), named) from error.__cause__
    except MemoryError:
        reason = "not enough memory for it: close other programs or make it smaller"
        raise _photo_error(shown, path, reason, named) from None
    coded = photo_tags.read_codes(pixels) if read_codes else photo_tags.Tag()
    notes += photo_pixels.exposure_notes(pixels)
    taken, conflicts = _capture_time(metadata.taken, coded.taken, named.taken)
    by_name = bool(named.trap) and (coded.marker or not coded.trap)
    if coded.trap and named.trap and coded.trap != named.trap:
        kind, used = ("marker", "name") if by_name else ("code", "code")
        conflicts.insert(0, f"its {kind} says trap {coded.trap}, its name {named.trap}: the {used} was used")
    return Photo(
        pixels=pixels,
        name=shown,
        path=path,
        taken=taken,
        camera=metadata.camera,
        gps=metadata.gps,
        trap=named.trap if by_name else coded.trap,
        mm_per_pixel=mm_per_pixel,
        notes=tuple(dict.fromkeys((*metadata.notes, *notes, *coded.notes, *named.notes, *conflicts))),
    )


def find_photos(sources: Path | str | Sequence[Path | str]) -> list[Path]:
    """List the photos that files and folders stand for.

    Parameters
    ----------
    sources : path or sequence of paths
        A file comes out whatever it is, so that one that is no photo is reported. A folder is searched with the
        folders in it: every file with a photo's extension comes out, hidden files and other files do not. A folder
        without any photo comes out itself.

    Returns
    -------
    list of Path
        In the order of the sources; within a folder sorted as people count (`T2` before `T10`); none twice.
    """
    found: dict[str, Path] = {}
    for source in [sources] if isinstance(sources, str | Path) else sources:
        source = Path(source)
        for path in _photos_in(source) if _is_folder(source) else [source]:
            found.setdefault(str(path.absolute()), path)
    return list(found.values())


def capture_time(path: Path | str, name_pattern: str | None = None) -> datetime | None:
    """When a photo was taken, by its EXIF or its name; its pixels are not decoded, so codes on it do not count.

    None where neither says it, or the file cannot be read.

    Raises
    ------
    AgriClipError
        The pattern is not valid.
    """
    path = Path(path)
    named = photo_tags.read_name(path, name_pattern).taken
    try:
        with _open_file(path) as file, _open_image(file) as image:
            return _capture_time(read_metadata(image).taken, None, named)[0]
    except _UnreadableError:
        return named


def one_line(text: str) -> str:
    """A file name as it can stand in one line of a message or table: control characters are written as escapes."""
    hidden = {"Cc", "Cs", "Zl", "Zp"}
    bidirectional = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return "".join(
        c.encode("unicode_escape").decode("ascii") if unicodedata.category(c) in hidden or c in bidirectional else c
        for c in text
    )


class _UnreadableError(Exception):
    """Why a photo cannot be read, before it is known how to call it."""


def _photo_error(shown: str, path: Path | None, reason: str, named: photo_tags.Tag) -> PhotoError:
    told = " ".join(one_line(reason.replace("\n", " ")).split())
    error = PhotoError(shown, told, trap=named.trap, taken=named.taken)
    if path is not None:
        error.path = path
    return error


@dataclass(frozen=True)
class _Limit:
    """Most pixels of a photo, and what is said of one with more."""

    pixels: int
    said: str | None = None

    def check(self, width: int, height: int) -> None:
        """Refuse a size above the limit."""
        if width * height > self.pixels:
            raise _UnreadableError(
                self.said
                or f"has {width} x {height} pixels, more than the limit of {self.pixels / 1e6:g} megapixels; "
                "if it is a real photo, raise the limit with --max-megapixels (max_pixels in Python)"
            )


def _read_pixels(source: Any, exif_orientation: bool, limit: _Limit) -> tuple[np.ndarray, Metadata, list[str]]:
    if isinstance(source, np.ndarray):
        return _checked_array(source), Metadata(), []
    if isinstance(source, Image.Image):
        return _decode(source, None, exif_orientation, limit)
    opened: AbstractContextManager[IO[bytes]]
    if isinstance(source, bytes):
        opened = nullcontext(io.BytesIO(source))
    elif isinstance(source, str | Path):
        opened = _open_file(Path(source))
    else:
        raise _UnreadableError(
            f"a {type(source).__name__} is no photo; give a path, the bytes of a file, an array or a PIL image"
        )
    with opened as file:
        image = _open_image(file)
        try:
            return _decode(image, file, exif_orientation, limit)
        finally:
            image.close()


def _open_file(path: Path) -> IO[bytes]:
    """Open a regular file; anything else is refused before it is opened, because opening a pipe may wait for ever."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise _UnreadableError("is a folder without photos; name a photo file or a folder that holds some")
        if not stat.S_ISREG(mode):
            raise _UnreadableError("is a pipe, socket or device, not a file; name a photo file")
        return path.open("rb")
    except FileNotFoundError:
        if path.is_symlink():
            raise _UnreadableError("is a link to a file that is not there; copy the photo itself here") from None
        raise _UnreadableError("there is no such file; check the name") from None
    except PermissionError:
        raise _UnreadableError("may not be read by this user; change its permissions") from None
    except OSError as error:
        reason = "is a link that leads back to itself" if error.errno == errno.ELOOP else f"{error.strerror}"
        raise _UnreadableError(f"cannot be opened ({reason}); check the name and the disk") from None
    except ValueError:
        raise _UnreadableError("its name holds a null character, which no file name can; check the name") from None


def _open_image(file: IO[bytes]) -> Image.Image:
    """Read the header with the one decoder that the first bytes call for.

    Pillow's own `Image.open` is not used: it tries formats that are not wanted here, and its limit on pixels is one
    global for all threads.
    """
    head = file.read(4096)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if not head:
        raise _UnreadableError(f"is empty (0 bytes); {_COPY_AGAIN}")
    kind = format_of(head)
    if kind is not None and promised_size(head) > size:
        raise _UnreadableError(_CUT_SHORT)
    if kind is None:
        raise _UnreadableError(f"is {foreign_kind(head)}, not a photo in a format that is read; save it as JPEG or PNG")
    try:
        image: Image.Image = _OPENERS[kind](file)
    except (*DAMAGED, zlib.error) as error:
        raise _UnreadableError(_damage(f"its {kind} header cannot be read", error, file)) from error
    if kind == "TIFF" and _is_camera_raw(image):
        raise _UnreadableError("is a camera RAW file, of which only a thumbnail could be read; export it as JPEG")
    return image


def _decode(
    image: Image.Image, file: IO[bytes] | None, exif_orientation: bool, limit: _Limit
) -> tuple[np.ndarray, Metadata, list[str]]:
    width, height = image.size
    if width < 1 or height < 1:
        raise _UnreadableError(f"has no pixels ({width} x {height}); {_COPY_AGAIN}")
    limit.check(width, height)
    is_tiff = isinstance(image, TiffImagePlugin.TiffImageFile)
    try:
        # A TIFF's EXIF is gone once it is decoded; a PNG's may only be known then.
        metadata = read_metadata(image) if is_tiff else None
        deep = file is not None and photo_pixels.has_sixteen_bit_colours(image)
        image.load()
        metadata = metadata or read_metadata(image)
        notes = _notes_on_frames(image)
    except (*DAMAGED, zlib.error) as error:
        raise _UnreadableError(_damage("its picture data cannot be read", error, file)) from error
    orientation = metadata.orientation if exif_orientation else 1
    if is_tiff:  # Pillow turns a TIFF upright by itself
        orientation = 1 if exif_orientation else photo_pixels.undo(metadata.orientation)
    try:
        pixels, pixel_notes = photo_pixels.upright_pixels(image, orientation)
        if deep and file is not None and pixels.max() < DARK_WITHOUT_LOWER_BITS:
            file.seek(0)
            stretched = photo_pixels.stretched_colours(file.read(), image)
            if stretched is not None:
                # OpenCV, unlike Pillow, leaves a TIFF as it is stored.
                turn = metadata.orientation if exif_orientation else 1
                pixels, pixel_notes = photo_pixels.upright_pixels(stretched[0], turn)
                pixel_notes += stretched[1]
    except ValueError as error:
        raise _UnreadableError(str(error)) from error
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        pixel_notes += photo_pixels.flat_bottom(pixels, orientation)
    return pixels, metadata, [*notes, *pixel_notes]


def _checked_array(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype != np.uint8:
        raise _UnreadableError(
            f"is an array of {pixels.dtype}; give uint8 from 0 to 255, for floats from 0 to 1 "
            "(array * 255).astype('uint8')"
        )
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.size == 0 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise _UnreadableError(
            f"is an array of shape {pixels.shape}; give RGB (height, width, 3) or grey (height, width)"
        )
    return np.ascontiguousarray(np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels)


def _open_heif(file: IO[bytes]) -> Image.Image:
    from pillow_heif import HeifImageFile  # only where it is needed: it loads a video decoder

    return HeifImageFile(file)


_OPENERS: dict[str, Callable[[IO[bytes]], Image.Image]] = {
    "JPEG": JpegImagePlugin.jpeg_factory,
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "HEIC": _open_heif,
}


def _is_camera_raw(image: Image.Image) -> bool:
    """Whether a TIFF's first picture is only the thumbnail of a RAW file (DNG, NEF, ARW, CR2)."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    dng_version, subfile_type, photometric, cr2_slice = 50706, 254, 262, 50752
    reduced = bool(int(tags.get(subfile_type, 0)) & 1)
    return reduced or dng_version in tags or cr2_slice in tags or tags.get(photometric) == 32803


def _notes_on_frames(image: Image.Image) -> list[str]:
    """A note where a file holds several pictures; not for JPEG, whose others are previews and depth maps."""
    frames = 1 if isinstance(image, JpegImagePlugin.JpegImageFile) else getattr(image, "n_frames", 1)
    return [f"it holds {frames} pictures: only the first was read"] if frames > 1 else []


def _damage(what: str, error: BaseException, file: IO[bytes] | None) -> str:
    """Return the reason in words, with the decoder's own where the file has all its bytes."""
    if file is not None:
        file.seek(0)
        data = file.read()
        if is_cut_short(format_of(data) or "", data):
            return _CUT_SHORT
    detail = " ".join(str(error).split())[:120] or type(error).__name__
    return f"{what}, it is damaged or of a rare layout ({detail}); copy it again, or save it as JPEG or PNG"


def _capture_time(
    exif: datetime | None, coded: datetime | None, named: datetime | None
) -> tuple[datetime | None, list[str]]:
    """The camera's time goes before the day on the card, and that before the day in the name.

    A camera's clock that cannot be right, or was reset to the first of January of an earlier year, comes last.
    """
    notes = []
    claims = [(moment, origin) for moment, origin in ((coded, "code"), (named, "name")) if moment is not None]
    said = [(exif, "camera"), *claims] if exif is not None else claims
    if exif is not None and not is_plausible(exif):
        notes.append(f"its camera says {exif:%Y-%m-%d}, which cannot be right: set the camera's clock")
    if exif is not None and claims and _is_reset(exif, claims[0][0]):
        said = [*claims, (exif, "camera")]
    for moment, origin in said[1:]:
        if moment.date() != said[0][0].date():
            notes.append(
                f"its {said[0][1]} says {said[0][0]:%Y-%m-%d}, its {origin} {moment:%Y-%m-%d}: "
                f"the {said[0][1]}'s day was used"
            )
    return (said[0][0] if said else None), notes


def _is_reset(exif: datetime, told: datetime) -> bool:
    """Whether the camera's clock is less to be believed than the day that a code or name tells."""
    if not is_plausible(told):
        return False
    new_year = (exif.month, exif.day) == (1, 1) and exif.year < told.year
    return not is_plausible(exif) or new_year


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _photos_in(folder: Path) -> list[Path]:
    """Photos in a folder and the folders in it; the folder itself where it holds none."""
    photos = list(_walk(folder))
    return photos or [folder]


def _walk(folder: Path) -> Iterator[Path]:
    unreadable: list[OSError] = []
    for root, folders, files in os.walk(folder, onerror=unreadable.append):
        here = Path(root)
        folders[:] = sorted((f for f in folders if not f.startswith((".", "__MACOSX"))), key=natural_order)
        visible = sorted((f for f in files if not f.startswith(".")), key=natural_order)
        photos = [f for f in visible if Path(f).suffix.lower() in PHOTO_EXTENSIONS]
        if here.suffix.lower() in PHOTO_EXTENSIONS and here != folder and not (photos or folders):
            yield here  # a folder that calls itself a photo
        read = {Path(f).stem for f in photos}
        others = [f for f in visible if Path(f).suffix.lower() in OTHER_PICTURE_EXTENSIONS and Path(f).stem not in read]
        yield from (here / f for f in sorted([*photos, *others], key=natural_order))
    yield from (Path(error.filename) for error in unreadable if error.filename)


def natural_order(name: str) -> list[str | int]:
    """Sorts names as people count: `T2` before `T10`, letter case aside."""
    return [int(part) if index % 2 else part.casefold() for index, part in enumerate(re.split(r"(\d+)", name))]
