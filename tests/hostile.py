"""Writes a folder of files that are no readable photo, beside five good ones: `python tests/hostile.py FOLDER`.

Every bad file looks like a photo by its name, so a search of the folder finds it; each comes with a phrase that the one
line about it must hold.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import socket
import struct
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pillow_heif import from_pillow


@dataclass(frozen=True)
class HostileFolder:
    """The folder, its five good photos, and each bad file with a phrase of the reason that a user must be told."""

    folder: Path
    good: tuple[Path, ...]
    bad: dict[Path, str]


def trap_picture(width: int = 320, height: int = 240, seed: int = 0) -> np.ndarray:
    """A plain yellow card with some dark insect-sized ovals: RGB uint8 of shape (height, width, 3)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    card = np.stack([rows * 0 + 226, 190 + rows * 20 // height, 40 + columns * 30 // width], axis=-1).astype(np.float32)
    for _ in range(12):
        y, x = rng.uniform(15, height - 15), rng.uniform(15, width - 15)
        card[((rows - y) / 4) ** 2 + ((columns - x) / 7) ** 2 < 1] = (40, 32, 28)
    return np.clip(card + rng.normal(0, 3, card.shape), 0, 255).astype(np.uint8)


def encoded(picture: np.ndarray | Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a picture in one of Pillow's formats, or HEIF."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    if kind == "HEIF":
        from_pillow(image).save(file, quality=90, **options)
    else:
        image.save(file, kind, **options)
    return file.getvalue()


def png(
    width: int, height: int, bits: int, colour: int, data: bytes, extra: tuple[tuple[bytes, bytes], ...] = ()
) -> bytes:
    """A PNG of raw scan lines (each with its filter byte), of any size that the header claims.

    `colour` is PNG's colour type; `extra` are chunks before the data.
    """
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    body = (
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def tiff(tags: dict[int, tuple[int, tuple[int, ...]]], data: bytes = b"") -> bytes:
    """A little-endian TIFF with one directory.

    `tags` maps a tag to its type (3 short, 4 long, 11 float) and values; the pixel data starts at byte 8.
    """
    directory, outside = b"", b""
    start = 8 + len(data)
    values_at = start + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        content = struct.pack("<" + {1: "B", 3: "H", 4: "I"}[kind] * len(values), *values)
        if len(content) > 4:
            field = struct.pack("<I", values_at + len(outside))
            outside += content
        else:
            field = content.ljust(4, b"\0")
        directory += struct.pack("<HHI", tag, kind, len(values)) + field
    return (
        struct.pack("<2sHI", b"II", 42, start)
        + data
        + struct.pack("<H", len(tags))
        + directory
        + struct.pack("<I", 0)
        + outside
    )


def tiff_of(data: bytes, width: int, height: int, bits: tuple[int, ...], **more: tuple[int, tuple[int, ...]]) -> bytes:
    """An uncompressed TIFF of raw pixel data; `more` are tags such as `t339=(3, (3, 3, 3))`."""
    tags = {
        256: (4, (width,)),
        257: (4, (height,)),
        258: (3, bits),
        259: (3, (1,)),
        262: (3, (2 if len(bits) == 3 else 1,)),
        273: (4, (8,)),
        277: (3, (len(bits),)),
        278: (4, (height,)),
        279: (4, (len(data),)),
        **{int(name[1:]): value for name, value in more.items()},
    }
    return tiff(tags, data)


def bad_files() -> dict[str, tuple[bytes, str]]:
    """Contents that are no readable photo: name, bytes, and a phrase of the reason."""
    picture = trap_picture()
    jpeg, whole_png = encoded(picture, "JPEG", quality=90), encoded(picture, "PNG")
    progressive = encoded(picture, "JPEG", quality=90, progressive=True)
    lzw, webp = encoded(picture, "TIFF", compression="tiff_lzw"), encoded(picture, "WEBP")
    plain_tiff, bmp, heic = encoded(picture, "TIFF"), encoded(picture, "BMP"), encoded(picture, "HEIF")
    frames = [Image.fromarray(trap_picture(64, 48, seed)) for seed in range(3)]
    gif = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("photo.jpg", jpeg)
    nan = np.full((4, 4), np.nan, np.float32)
    cut = "cut short"
    return {
        "empty.jpg": (b"", "empty (0 bytes)"),
        "signature only.jpg": (jpeg[:4], cut),
        "cut at 10 percent.jpg": (jpeg[: len(jpeg) // 10], cut),
        "cut in the middle.jpg": (jpeg[: len(jpeg) // 2], cut),
        "cut near the end.jpg": (jpeg[: len(jpeg) * 95 // 100], cut),
        "progressive, cut.jpg": (progressive[: len(progressive) // 2], cut),
        "second half zeros.jpg": (jpeg[: len(jpeg) // 2].ljust(len(jpeg), b"\0"), cut),
        "cut.png": (whole_png[: len(whole_png) // 2], cut),
        "signature only.png": (whole_png[:8], cut),
        "broken data.png": (png(64, 64, 8, 2, b"")[:-30] + b"\0" * 30, "damaged"),
        "no pixels.png": (png(0, 0, 8, 2, b""), "PNG header"),
        "bomb.png": (png(60_000, 60_000, 1, 0, b"\0" * 7501), "60000 x 60000 pixels"),
        "colour profile bomb.png": (
            png(4, 4, 8, 0, b"\0" * 20, ((b"iCCP", b"x\0\0" + zlib.compress(b"\0" * 80_000_000, 9)),)),
            "PNG header",
        ),
        "cut.tif": (plain_tiff[: len(plain_tiff) // 2], cut),
        "cut, packed.tif": (lzw[: len(lzw) // 2], cut),
        "absurd.tif": (tiff_of(b"\0" * 64, 2**31 - 1, 2**31 - 1, (8,)), "pixels, more than the limit"),
        "float colours.tif": (tiff_of(b"\0" * 48, 2, 2, (32, 32, 32), t339=(3, (3, 3, 3))), "rare layout"),
        "not a number.tif": (encoded(Image.fromarray(nan), "TIFF"), "cannot be told"),
        "raw thumbnail.tif": (tiff_of(b"\0" * 48, 4, 4, (8, 8, 8), t50706=(1, (1, 4, 0, 0))), "camera RAW"),
        "raw.DNG": (tiff_of(b"\0" * 48, 4, 4, (8, 8, 8), t254=(4, (1,))), "camera RAW"),
        "cut.webp": (webp[: len(webp) // 2], cut),
        "cut.bmp": (bmp[: len(bmp) // 2], cut),
        "absurd.bmp": (bmp[:18] + struct.pack("<ii", 2**30, 2**30) + bmp[26:], "pixels, more than the limit"),
        "cut.heic": (heic[: len(heic) // 2], cut),
        "animation.jpg": (gif, "is a GIF"),
        "clip.gif": (gif, "is a GIF"),
        "avif.heic": (b"\0\0\0\x1cftypavif" + b"\0" * 64, "is an AVIF"),
        "document.png": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "is a PDF"),
        "archive.jpg": (archive.getvalue(), "is a ZIP archive"),
        "gzip bomb.jpg": (gzip.compress(b"\0" * 10_000_000), "is a gzip archive"),
        "notes.jpg": ("T1: 12 trips, 3 whitefly – Gewächshaus".encode(), "is a text file"),
        "page.jpg": (b"\n<!DOCTYPE html><html><body>404 Not Found</body></html>", "is a web page"),
        "drawing.jpg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "is an SVG drawing"),
        "film.jpg": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2mp41" + b"\0" * 64, "is a video"),
        "film.webp": (b"RIFF\x40\0\0\0AVI LIST" + b"\0" * 64, "is a video"),
        "zeros.jpg": (b"\0" * 5000, "is a file of zeros"),
        "noise.jpg": (b"\1" + np.random.default_rng(0).bytes(5000), "of an unknown kind"),
        "pointer.jpg": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"),
        "two\nlines.jpg": (b"text", "is a text file"),
        "escape \x1b[31m.jpg": (b"text", "is a text file"),
        "x" * 240 + ".jpg": (b"", "empty (0 bytes)"),
        "ünïcödé 陷阱 🪰.jpg": (b"", "empty (0 bytes)"),
    }


def good_files() -> dict[str, bytes]:
    """Five photos that are read: spaces, scripts and capitals in names, four formats, 16 bits, broken EXIF."""
    grey = trap_picture(seed=3)[..., 1].astype(np.uint16) * 257
    return {
        "T1_2026-05-04.jpg": encoded(trap_picture(seed=0), "JPEG", quality=92),
        "Gewächshaus 2, Falle 陷阱.PNG": encoded(trap_picture(seed=1), "PNG"),
        "phone.heic": encoded(trap_picture(seed=2), "HEIF"),
        "microscope 16 bit.tiff": encoded(Image.fromarray(grey), "TIFF"),
        "broken exif.jpeg": encoded(trap_picture(seed=4), "JPEG", quality=92, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"),
    }


def write_hostile_folder(folder: Path) -> HostileFolder:
    """Write the bad files and the five good photos into a folder.

    Parameters
    ----------
    folder : Path
        Made where it is missing.

    Returns
    -------
    HostileFolder
        At least 40 bad entries on Linux; what a system cannot hold (pipes, odd names) is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    good = {folder / name: content for name, content in good_files().items()}
    bad: dict[Path, str] = {}
    for path, content in good.items():
        path.write_bytes(content)
    for name, (content, phrase) in bad_files().items():
        with contextlib.suppress(OSError):  # a name that this system does not allow
            (folder / name).write_bytes(content)
            bad[folder / name] = phrase
    (folder / "folder.jpg").mkdir(exist_ok=True)
    bad[folder / "folder.jpg"] = "is a folder"
    with contextlib.suppress(OSError, AttributeError):
        _write_special_files(folder, bad)
    for name in (".DS_Store", "Thumbs.db", "notes.txt", "counts.csv"):
        (folder / name).write_bytes(b"not a photo, and does not say so")
    return HostileFolder(folder, tuple(good), bad)


def _write_special_files(folder: Path, bad: dict[Path, str]) -> None:
    """Links that lead nowhere, a pipe, a socket and a name that is no text."""
    links = {"broken link.jpg": "missing.jpg", "round link.jpg": "round link.jpg"}
    for name, target in links.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
    bad[folder / "broken link.jpg"] = "link to a file that is not there"
    bad[folder / "round link.jpg"] = "leads back to itself"
    pipe = folder / "pipe.jpg"
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    bad[pipe] = "is a pipe"
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/not utf-8 \xff\xfe.jpg"))
    odd.write_bytes(b"")
    bad[odd] = "empty (0 bytes)"
    plug = folder / "socket.jpg"
    plug.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(plug))  # fails in a folder whose name is longer than a socket's may be
    bad[plug] = "is a pipe, socket"


if __name__ == "__main__":
    written = write_hostile_folder(Path(sys.argv[1]))
    sys.stdout.write(f"{len(written.bad)} bad files and {len(written.good)} good photos in {written.folder}\n")
