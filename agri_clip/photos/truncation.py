"""Tells whether a photo's file was cut short, from its own structure. Part of reading a photo (step 0).

Decoders raise one type of error for a file that is cut short and for one that is damaged, so the file is asked instead:
each format says where its parts end.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Literal

# Offsets and lengths of strips, then of tiles. https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
_TIFF_PARTS = ((273, 279), (324, 325))
_TIFF_TYPES = {3: "H", 4: "I", 16: "Q"}


def is_cut_short(kind: str, data: bytes) -> bool:
    """Whether a file that cannot be decoded lacks its end.

    Parameters
    ----------
    kind : str
        As `agri_clip.photos.formats.format_of` gives it.
    data : bytes
        The whole file.

    Returns
    -------
    bool
        False also where its structure is too damaged to tell.
    """
    if kind not in _ASKED:
        return False
    try:
        return _ASKED[kind](data)
    except (struct.error, IndexError):  # a field lies beyond the end
        return True


def _jpeg(data: bytes) -> bool:
    """Whether the marker of the end is missing behind the first scan. https://www.w3.org/Graphics/JPEG/itu-t81.pdf"""
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xDA:
            return data.find(b"\xff\xd9", at) < 0
        alone = marker == 0x01 or 0xD0 <= marker <= 0xD7
        at += 1 if marker == 0xFF else 2 if alone else 2 + struct.unpack_from(">H", data, at + 2)[0]
    return False


def _png(data: bytes) -> bool:
    """Whether the last chunk is missing or runs beyond the end. https://www.w3.org/TR/png-3/#5Chunk-layout"""
    at = 8
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        if not name.isalpha():
            return False
        at += 12 + length
        if name == b"IEND" or at > len(data):
            return at > len(data)


def _tiff(data: bytes) -> bool:
    """Whether the first directory, or a part of its picture, lies beyond the end."""
    order = "<" if data[:2] == b"II" else ">"
    big = b"+" in data[2:4]
    start = struct.unpack_from(f"{order}Q", data, 8)[0] if big else struct.unpack_from(f"{order}I", data, 4)[0]
    count = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, start)[0]
    first, entry = (start + 8, 20) if big else (start + 2, 12)
    if count > len(data) or first + count * entry > len(data):
        return True
    values = {}
    for at in range(first, first + count * entry, entry):
        tag, letter, number = struct.unpack_from(f"{order}HH{'Q' if big else 'I'}", data, at)
        if any(tag in pair for pair in _TIFF_PARTS) and letter in _TIFF_TYPES:
            wanted = f"{order}{number}{_TIFF_TYPES[letter]}"
            if number > len(data):
                return True
            field = at + (12 if big else 8)
            if struct.calcsize(wanted) > (8 if big else 4):
                field = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, field)[0]
            values[tag] = struct.unpack_from(wanted, data, field)
    return any(
        offset + length > len(data)
        for offsets, lengths in _TIFF_PARTS
        for offset, length in zip(values.get(offsets, ()), values.get(lengths, ()), strict=False)
    )


def _heic(data: bytes) -> bool:
    """Whether a box runs beyond the end: ISO/IEC 14496-12, 4.2."""
    at = 0
    while at < len(data):
        length = struct.unpack_from(">I", data, at)[0]
        if length == 1:
            length = struct.unpack_from(">Q", data, at + 8)[0]
        if length < 8:  # 0: as far as the file goes
            return False
        at += length
    return at > len(data)


def _as_stated(at: int, order: Literal["little", "big"], beyond: int) -> Callable[[bytes], bool]:
    """Whether a file is shorter than the four bytes at one place, and so many more, say."""
    return lambda data: len(data) < int.from_bytes(data[at : at + 4], order) + beyond


_ASKED: dict[str, Callable[[bytes], bool]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "TIFF": _tiff,
    "WebP": _as_stated(4, "little", 8),
    "BMP": _as_stated(2, "little", 0),
    "HEIC": _heic,
}
