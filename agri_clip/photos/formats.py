"""Tells a file's format by its first bytes, for photos and for what people take for one. Part of reading (step 0)."""

from __future__ import annotations

import re
from typing import Literal

_EXTENSIONS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "TIFF": (".tif", ".tiff"),
    "WebP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "HEIC": (".heic", ".heics", ".heif", ".hif"),
}
PHOTO_EXTENSIONS = frozenset(extension for extensions in _EXTENSIONS.values() for extension in extensions)
# Pictures that are not read. In a folder each is reported, unless a photo of the same name beside it is read instead.
_OTHER_PICTURES = (".gif", ".avif", ".jxl", ".jp2", ".psd")
_CAMERA_RAW = (".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw")
OTHER_PICTURE_EXTENSIONS = frozenset((*_OTHER_PICTURES, *_CAMERA_RAW))

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)
# Width, height, bits, photometric, offsets: fewer than five entries of 12 bytes describe no picture.
_LEAST_TIFF_DIRECTORY = 5 * 12
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
_FOREIGN_MAGIC = (
    (b"GIF8", "a GIF"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"8BPS", "a Photoshop document"),
    (b"FUJIFILMCCD-RAW", "a camera RAW file"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"version https://git-lfs", "a Git LFS pointer whose photo was not fetched"),
)


def format_of(head: bytes) -> str | None:
    """The format that a file's first bytes announce: JPEG, PNG, TIFF, WebP, BMP, HEIC, or None for any other."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return "HEIC"
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)


def promised_size(head: bytes) -> int:
    """Least size in bytes that a file with these first bytes has when it is whole; 0 where they do not tell.

    A TIFF may keep its directory, and WebP always keeps its length, where Pillow only says that it cannot read them.
    """
    if head[:4] == b"RIFF" and len(head) >= 8:
        return int.from_bytes(head[4:8], "little") + 8
    if head[:2] in (b"II", b"MM") and len(head) >= 16:
        order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
        is_big_tiff = b"+" in head[2:4]
        start = int.from_bytes(head[8:16] if is_big_tiff else head[4:8], order)
        return start + _LEAST_TIFF_DIRECTORY
    return 0


def foreign_kind(head: bytes) -> str:
    """What a file that is no photo seems to be, for the error message."""
    for magic, kind in _FOREIGN_MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF":
        return "a video or sound file"
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return {b"avif": "an AVIF", b"avis": "an AVIF", b"crx ": "a camera RAW file"}.get(brand, "a video")
    if not head.strip(b"\0"):
        return "a file of zeros (a copy that failed)"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    if b"<svg" in text:
        return "an SVG drawing"
    if not re.search(rb"[\x00-\x08\x0e-\x1f]", head):
        return "a text file"
    return "a file of an unknown kind"
