"""Reading photos: every file gives the right upright pixels, or one clear line that says why not."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from agri_clip.errors import AgriClipError, PhotoError
from agri_clip.photos.formats import format_of
from agri_clip.photos.metadata import camera_name, parse_exif_time, parse_gps
from agri_clip.photos.photo import capture_time, find_photos, one_line, read_photo
from agri_clip.photos.tags import parse_date, parse_payload, read_codes, read_name
from agri_clip.photos.truncation import is_cut_short
from tests.hostile import HostileFolder, encoded, png, tiff_of, trap_picture, write_hostile_folder

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")
RED, GREEN, BLUE, GREY = (220, 30, 30), (30, 160, 40), (30, 40, 200), (128, 128, 128)


def quarters(height: int = 32, width: int = 48) -> np.ndarray:
    """Four corners of four colours, so that every flip and turn is another picture."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2], picture[: height // 2, width // 2 :] = RED, GREEN
    picture[height // 2 :, : width // 2], picture[height // 2 :, width // 2 :] = BLUE, GREY
    return picture


def read(content: Any, **options: Any) -> np.ndarray:
    return read_photo(content, read_codes=False, **options).pixels


def close(got: np.ndarray, wanted: np.ndarray, within: float = 0) -> bool:
    return got.shape == wanted.shape and float(np.abs(got.astype(int) - wanted.astype(int)).max()) <= within


# --- pixels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "within"),
    [
        ("JPEG", {"quality": 98, "subsampling": 0}, 6),
        ("JPEG", {"quality": 98, "subsampling": 0, "progressive": True}, 6),
        ("PNG", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "tiff_adobe_deflate"}, 0),
        ("TIFF", {"big_tiff": True}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("BMP", {}, 0),
        ("HEIF", {"chroma": 444}, 8),
    ],
)
def test_each_format_gives_its_pixels_from_a_file_and_from_bytes(
    tmp_path: Path, kind: str, options: dict[str, Any], within: float
) -> None:
    content = encoded(quarters(), kind, **options)
    path = tmp_path / "photo.of any name"
    path.write_bytes(content)
    for source in (path, str(path), content):
        pixels = read(source)
        assert pixels.dtype == np.uint8
        assert close(pixels, quarters(), within)


def grey_ramp(values: int) -> np.ndarray:
    return np.linspace(0, values, 256).round().reshape(16, 16)


SRGB = ImageCms.createProfile("sRGB")
WIDE = np.repeat(grey_ramp(255).astype(np.uint8)[..., None], 3, axis=2)
SIXTEEN = grey_ramp(65535).astype(np.uint16)
HALF = Image.fromarray(np.dstack([quarters(), np.full((32, 48), 128, np.uint8)]))


def pil(array: np.ndarray, mode: str) -> Image.Image:
    return Image.fromarray(array).convert(mode)


def palette_with_hole() -> bytes:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    return encoded(image, "PNG", transparency=0)


def sixteen_bit_rgb(extension: str) -> bytes:
    return cv2.imencode(extension, np.dstack([SIXTEEN, SIXTEEN[::-1], SIXTEEN[:, ::-1]])[..., ::-1])[1].tobytes()


SIXTEEN_RGB = (np.dstack([SIXTEEN, SIXTEEN[::-1], SIXTEEN[:, ::-1]]) >> 8).astype(np.uint8)
LIGHT = (quarters().astype(int) * 128 + 255 * 127) // 255


@pytest.mark.parametrize(
    ("label", "content", "wanted", "within"),
    [
        ("16-bit grey PNG", lambda: encoded(Image.fromarray(SIXTEEN), "PNG"), WIDE, 1),
        ("16-bit grey TIFF", lambda: encoded(Image.fromarray(SIXTEEN), "TIFF"), WIDE, 1),
        ("16-bit colour PNG", lambda: sixteen_bit_rgb(".png"), SIXTEEN_RGB, 1),
        ("16-bit colour TIFF", lambda: sixteen_bit_rgb(".tiff"), SIXTEEN_RGB, 1),
        (
            "16-bit grey TIFF in which zero is white",
            lambda: tiff_of(SIXTEEN.tobytes(), 16, 16, (16,), t262=(3, (0,))),
            255 - WIDE.astype(int),
            1,
        ),
        ("12-bit TIFF", lambda: tiff_of(b"\xff\xf8\x00", 2, 1, (12,)), np.array([[[255] * 3, [128] * 3]]), 0),
        ("float TIFF, 0 to 1", lambda: encoded(Image.fromarray(grey_ramp(1e6).astype("f") / 1e6), "TIFF"), WIDE, 1),
        ("float TIFF, 0 to 255", lambda: encoded(Image.fromarray(grey_ramp(255).astype("f")), "TIFF"), WIDE, 1),
        ("32-bit TIFF, 0 to 65535", lambda: encoded(Image.fromarray(grey_ramp(65535).astype("i")), "TIFF"), WIDE, 1),
        ("grey", lambda: encoded(pil(WIDE, "L"), "PNG"), WIDE, 0),
        ("grey JPEG", lambda: encoded(pil(WIDE, "L"), "JPEG", quality=100), WIDE, 3),
        ("1 bit", lambda: png(9, 1, 1, 0, b"\0\xaa\x80"), np.resize([255, 0], 9)[None, :, None].repeat(3, 2), 0),
        ("one pixel", lambda: png(1, 1, 8, 2, b"\0\x0a\x14\x1e"), np.array([[[10, 20, 30]]]), 0),
        ("one pixel JPEG", lambda: encoded(np.full((1, 1, 3), 90, np.uint8), "JPEG"), np.full((1, 1, 3), 90), 2),
        ("one row", lambda: encoded(quarters()[:1], "PNG"), quarters()[:1], 0),
        ("palette", lambda: encoded(Image.fromarray(quarters()).quantize(8), "PNG"), quarters(), 2),
        ("palette BMP", lambda: encoded(Image.fromarray(quarters()).quantize(8), "BMP"), quarters(), 2),
        ("palette with a hole", palette_with_hole, np.array([[[255, 255, 255], [200, 100, 50]]]), 0),
        ("alpha PNG", lambda: encoded(HALF, "PNG"), LIGHT, 1),
        ("alpha TIFF", lambda: encoded(HALF, "TIFF"), LIGHT, 1),
        ("alpha WebP", lambda: encoded(HALF, "WEBP", lossless=True), LIGHT, 1),
        ("alpha HEIC", lambda: encoded(HALF, "HEIF", chroma=444), LIGHT, 8),
        ("grey with alpha", lambda: png(2, 1, 8, 4, b"\0\x32\xff\x32\0"), np.array([[[50] * 3, [255] * 3]]), 0),
        (
            "colour that stands for transparent",
            lambda: png(2, 1, 8, 2, b"\0\1\2\3\4\5\6", ((b"tRNS", b"\0\1\0\2\0\3"),)),
            np.array([[[255, 255, 255], [4, 5, 6]]]),
            0,
        ),
        ("CMYK JPEG (Adobe, inverted)", lambda: encoded(pil(quarters(), "CMYK"), "JPEG", quality=98), quarters(), 8),
        ("CMYK TIFF", lambda: encoded(pil(quarters(), "CMYK"), "TIFF"), quarters(), 2),
        (
            "Lab TIFF",
            lambda: encoded(
                ImageCms.applyTransform(
                    Image.fromarray(quarters()),
                    ImageCms.buildTransform(
                        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
                    ),
                ),
                "TIFF",
            ),
            quarters(),
            4,
        ),
        (
            "YCbCr TIFF",
            lambda: encoded(pil(quarters(), "YCbCr"), "TIFF", compression="jpeg", quality=98),
            quarters(),
            8,
        ),
    ],
)
def test_each_pixel_layout_becomes_the_same_rgb(
    label: str, content: Callable[[], bytes], wanted: np.ndarray, within: float
) -> None:
    pixels = read(content())
    assert pixels.dtype == np.uint8
    assert close(pixels, wanted, within), f"{label}: {pixels[0, :3].tolist()} but wanted {wanted[0, :3].tolist()}"


def test_what_was_laid_on_white_or_scaled_is_said() -> None:
    assert read_photo(encoded(HALF, "PNG")).notes == ("transparent parts were laid on white",)
    opaque = encoded(Image.fromarray(quarters()).convert("RGBA"), "PNG")
    assert read_photo(opaque).notes == ()
    scaled = read_photo(encoded(Image.fromarray(grey_ramp(255).astype("f")), "TIFF"))
    assert scaled.notes == ("32-bit values were read as 0 (black) to 255 (white)",)


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("kind", ["grey TIFF", "grey PNG", "colour TIFF", "colour PNG", "32-bit TIFF"])
def test_values_that_use_few_of_16_bits_are_brightened_with_a_note(bits: int, kind: str) -> None:
    deep = grey_ramp(2**bits - 1).astype(np.uint16)
    colours, extension = np.dstack([deep, deep[::-1], deep[:, ::-1]]), kind[-4:].strip().lower()
    if kind.startswith("colour"):
        content = cv2.imencode(f".{extension}", colours[..., ::-1])[1].tobytes()
        wanted = (colours >> (bits - 8)).astype(np.uint8)
    else:
        grey = deep.astype("i") if kind.startswith("32") else deep
        content = encoded(Image.fromarray(grey), extension.upper())
        wanted = WIDE
    photo = read_photo(content, read_codes=False)
    assert close(photo.pixels, wanted, 1)
    if bits > 8 or not kind.startswith("32"):
        assert any(str(bits) in note or str(2**bits - 1) in note for note in photo.notes)


def test_the_files_own_tag_says_how_bright_its_values_can_be() -> None:
    dark = (SIXTEEN >> 6).astype(np.uint16)  # up to 1023 of 4095
    photo = read_photo(tiff_of(dark.tobytes(), 16, 16, (16,), t281=(3, (4095,))), read_codes=False)
    assert close(photo.pixels, WIDE.astype(int) // 4, 1)
    assert any("12 bits" in note for note in photo.notes)


@pytest.mark.parametrize(
    ("level", "said"), [(0, "nearly black"), (20, "nearly black"), (255, "nearly white"), (128, "")]
)
def test_a_nearly_black_or_white_photo_is_told(level: int, said: str) -> None:
    pixels = np.full((60, 80, 3), level, np.uint8)
    pixels[0, 0] = 128
    for source in (pixels, encoded(pixels, "PNG")):
        notes = " ".join(read_photo(source, read_codes=False).notes)
        assert (said in notes) if said else ("nearly" not in notes)


def gamma_one_profile() -> bytes:
    """An ICC profile with sRGB's primaries and a linear curve, made from the built-in one."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for index in range(int.from_bytes(data[128:132], "big")):
        entry = 132 + 12 * index
        if data[entry : entry + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            offset = int.from_bytes(data[entry + 4 : entry + 8], "big")
            data[offset : offset + 12] = b"curv" + bytes(4) + bytes(4)  # a curve without points is linear
    return bytes(data).replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_an_embedded_colour_profile_is_applied(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 99} if kind == "JPEG" else {}
    linear = np.full((16, 16, 3), 55, np.uint8)  # 0.2158 of the light, which sRGB writes as 128
    content = encoded(linear, kind, icc_profile=gamma_one_profile(), **options)
    assert close(read(content), np.full((16, 16, 3), 128, np.uint8), 2)


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile at all",
        gamma_one_profile()[:200],
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
    ],
    ids=["text", "cut", "of another kind"],
)
def test_a_useless_colour_profile_is_ignored_and_said(profile: bytes) -> None:
    photo = read_photo(encoded(quarters(), "PNG", icc_profile=profile))
    assert close(photo.pixels, quarters())
    assert photo.notes == ("its colour profile is damaged or of another kind and was ignored",)


@pytest.mark.parametrize("kind", ["TIFF", "WEBP", "PNG"])
def test_of_several_pictures_in_a_file_the_first_is_read_and_said(kind: str) -> None:
    others = [Image.fromarray(255 - quarters()), Image.fromarray(quarters()[::-1])]
    options = {"lossless": True} if kind == "WEBP" else {}
    photo = read_photo(encoded(quarters(), kind, save_all=True, append_images=others, **options))
    assert close(photo.pixels, quarters())
    assert photo.notes == ("it holds 3 pictures: only the first was read",)


def test_previews_in_a_phones_jpeg_are_passed_over() -> None:
    preview = Image.fromarray(quarters()[::4, ::4])
    content = encoded(quarters(), "MPO", save_all=True, append_images=[preview], quality=98, subsampling=0)
    photo = read_photo(content)
    assert close(photo.pixels, quarters(), 6)
    assert photo.notes == ()


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (1, 2_000_000), (70_000, 40)])
def test_any_shape_is_read_and_searched_for_codes(shape: tuple[int, int]) -> None:
    height, width = shape
    photo = read_photo(png(width, height, 1, 0, b"\0" * ((width + 7) // 8 + 1) * height))
    assert (photo.height, photo.width, photo.trap) == (height, width, None)


def test_a_jpeg_that_was_cut_and_closed_again_is_noted() -> None:
    whole = encoded(trap_picture(), "JPEG", quality=90)
    assert read_photo(whole).notes == ()
    (note,) = read_photo(whole[: len(whole) // 2] + b"\xff\xd9").notes
    assert "the file may be damaged" in note


# --- orientation ------------------------------------------------------------------------------------------------------

UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda raw: raw,
    2: lambda raw: raw[:, ::-1],
    3: lambda raw: raw[::-1, ::-1],
    4: lambda raw: raw[::-1],
    5: lambda raw: raw.transpose(1, 0, 2),
    6: lambda raw: np.rot90(raw, -1),
    7: lambda raw: raw[::-1, ::-1].transpose(1, 0, 2),
    8: lambda raw: np.rot90(raw, 1),
}


def oriented(kind: str, orientation: int, **options: Any) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(quarters(), kind, exif=exif.tobytes(), **options)


ORIENTED = [
    ("JPEG", {"quality": 98, "subsampling": 0}),
    ("PNG", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("WEBP", {"lossless": True}),
    ("HEIF", {"chroma": 444}),
]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("kind", "options"), ORIENTED, ids=lambda value: str(value))
def test_photos_are_turned_upright_once(kind: str, options: dict[str, Any], orientation: int) -> None:
    content = oriented(kind, orientation, **options)
    assert close(read(content), UPRIGHT[orientation](quarters()), 8)
    as_labelled = UPRIGHT[orientation](quarters()) if kind == "HEIF" else quarters()
    assert close(read(content, exif_orientation=False), as_labelled, 8)
    if kind == "JPEG":  # another decoder agrees
        assert close(read(content), cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB), 8)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    assert close(read(oriented("PNG", orientation)), quarters())


def test_alpha_and_turning_work_together() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert close(read(encoded(HALF, "PNG", exif=exif.tobytes())), np.rot90(LIGHT, -1), 1)


# --- what the camera wrote --------------------------------------------------------------------------------------------


def with_exif(main: dict[int, Any], detail: dict[int, Any], place: dict[int, Any], kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif.update(main)
    exif.get_ifd(0x8769).update(detail)
    exif.get_ifd(0x8825).update(place)
    return encoded(quarters(), kind, exif=exif.tobytes())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "HEIF"])
def test_time_camera_and_place_are_read(kind: str) -> None:
    content = with_exif(
        {0x010F: "Canon ", 0x0110: "Canon EOS R5\0\0", 0x0132: "2026:06:01 00:00:00"},
        {0x9003: "2026:05:04 15:30:01"},
        {1: "S", 2: (33.0, 51.0, 36.0), 3: "W", 4: (151.0, 12.0, 0.0)},
        kind,
    )
    photo = read_photo(content)
    assert photo.taken == datetime(2026, 5, 4, 15, 30, 1)
    assert photo.camera == "Canon EOS R5"
    assert photo.gps == pytest.approx((-33.86, -151.2))
    assert photo.notes == ()


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("2026:05:04 15:30:01", datetime(2026, 5, 4, 15, 30, 1)),
        (b"2026:05:04 15:30:01\0", datetime(2026, 5, 4, 15, 30, 1)),
        ("2026-05-04T15:30:01+02:00", datetime(2026, 5, 4, 15, 30, 1)),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("2026:02:30 10:00:00", None),
        ("2026:05:04 25:00:00", None),
        ("", None),
        (None, None),
        (20260504, None),
    ],
)
def test_only_real_moments_become_a_capture_time(value: Any, wanted: datetime | None) -> None:
    assert parse_exif_time(value) == wanted


def test_a_malformed_time_gives_way_to_the_next_one() -> None:
    content = with_exif({0x0132: "2026:06:01 08:00:00"}, {0x9003: "0000:00:00 00:00:00"}, {})
    assert read_photo(content).taken == datetime(2026, 6, 1, 8)


@pytest.mark.parametrize(
    ("make", "model", "wanted"),
    [
        ("Apple", "iPhone 15", "Apple iPhone 15"),
        ("NIKON", "Nikon D850", "Nikon D850"),
        ("samsung\0\0", "  SM-G998B ", "samsung SM-G998B"),
        (None, "X100", "X100"),
        ("Sony", None, "Sony"),
        ("\x00", b"", None),
        (3, 4, None),
        ("Two\nlines", "\tModel", "Two lines Model"),
    ],
)
def test_camera_names_are_tidy(make: Any, model: Any, wanted: str | None) -> None:
    assert camera_name(make, model) == wanted


DMS = (IFDRational(10, 1), IFDRational(30, 1), IFDRational(3600, 100))


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ({1: "N", 2: DMS, 3: "E", 4: DMS}, (10.51, 10.51)),
        ({1: "S", 2: DMS, 3: "E", 4: DMS}, (-10.51, 10.51)),
        ({1: "N", 2: DMS, 3: "W", 4: DMS}, (10.51, -10.51)),
        ({1: "S\0", 2: DMS, 3: b"W\0", 4: DMS}, (-10.51, -10.51)),
        ({1: "N", 2: (Fraction(21, 2),), 3: "E", 4: (0.0, 0.0, 0.0)}, (10.5, 0.0)),
        ({1: "N", 2: (IFDRational(1, 0), 0, 0), 3: "E", 4: DMS}, None),
        ({1: "N", 2: (IFDRational(0, 0),) * 3, 3: "E", 4: (IFDRational(0, 0),) * 3}, None),
        ({1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: DMS}, None),
        ({1: "N", 2: DMS, 3: "E", 4: (180.0, 1.0, 0.0)}, None),
        ({2: DMS, 4: DMS}, None),
        ({1: "N", 2: DMS}, None),
        ({1: "N", 2: "text", 3: "E", 4: None}, None),
        ({1: "N", 2: 10.5, 3: "E", 4: 3}, None),
        ({}, None),
    ],
)
def test_only_real_places_become_coordinates(place: dict[int, Any], wanted: tuple[float, float] | None) -> None:
    assert parse_gps(place) == (None if wanted is None else pytest.approx(wanted))


# --- trap and date ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "trap", "taken"),
    [
        ("T1_2026-05-04.jpg", "T1", datetime(2026, 5, 4)),
        ("trap-12_20260504_153000.jpg", "12", datetime(2026, 5, 4, 15, 30)),
        ("trap-12_20260504_left.jpg", "12", datetime(2026, 5, 4)),
        ("2026-05-04 T1.jpg", "T1", datetime(2026, 5, 4)),
        ("2026.05.04 15.30.00 Trap A7 close up.HEIC", "A7", datetime(2026, 5, 4, 15, 30)),
        ("greenhouse_T-04_20260504_0012.jpg", "T-04", datetime(2026, 5, 4)),
        ("IMG_0123.jpg", None, None),
        ("IMG_20260504_153000.jpg", None, datetime(2026, 5, 4, 15, 30)),
        ("IMG_20260504_153000123.jpg", None, datetime(2026, 5, 4, 15, 30)),
        ("PXL_20260504_153000123.MP.jpg", None, datetime(2026, 5, 4, 15, 30)),
        ("20260504T153000.jpg", None, datetime(2026, 5, 4, 15, 30)),
        ("WhatsApp Image 2026-05-04 at 15.30.00.jpeg", None, datetime(2026, 5, 4)),
        ("trap_2026-05-04.jpg", None, datetime(2026, 5, 4)),
        ("20260518T1530.jpg", None, datetime(2026, 5, 18, 15, 30)),
        ("2026-05-18T15-45.jpg", None, datetime(2026, 5, 18, 15, 45)),
        ("2026-05-18T15.45Z.jpg", None, datetime(2026, 5, 18, 15, 45)),
        ("T3_20260518T153012.jpg", "T3", datetime(2026, 5, 18, 15, 30, 12)),
        ("20260518_153000123456.jpg", None, datetime(2026, 5, 18, 15, 30)),
        ("2026-05-18T15-45-09.123456 T7.jpg", "T7", datetime(2026, 5, 18, 15, 45, 9)),
        ("2026-05-18T3.jpg", "T3", datetime(2026, 5, 18)),
        ("20260518T9999.jpg", "T9999", datetime(2026, 5, 18)),  # no time of a day
        ("trap IMG0123.jpg", None, None),
        ("trap_DSC-0123.jpg", None, None),
        ("Trap 2026-05.jpg", None, None),
        ("trap-2026_05 left.jpg", None, None),
        ("trap 2026.jpg", "2026", None),
        ("Trap A7 2026-05.jpg", "A7", None),
        ("DSC00042.JPG", None, None),
        ("DCIM1234T5678.jpg", None, None),
        ("mousetrap12.jpg", None, None),
        ("20261304.jpg", None, None),
        ("2026-02-30_T2.jpg", "T2", None),
        ("1746354000123.jpg", None, None),
        ("photo.jpg", None, None),
    ],
)
def test_names_give_trap_and_date_only_where_they_say_so(name: str, trap: str | None, taken: datetime | None) -> None:
    tag = read_name(Path("season") / name)
    assert (tag.trap, tag.taken, tag.notes) == (trap, taken, ())


@pytest.mark.parametrize(
    ("path", "pattern", "trap", "taken"),
    [
        ("H3-R2_2026-05-04.jpg", "{trap}_{date}", "H3-R2", datetime(2026, 5, 4)),
        ("H3_R2_2026-05-04_0007.jpg", "{trap}_{date}*", "H3_R2", datetime(2026, 5, 4)),
        ("20260504-153000 north.jpg", "{date} {trap}", "north", datetime(2026, 5, 4, 15, 30)),
        ("20260504T1530 north.jpg", "{date} {trap}", "north", datetime(2026, 5, 4, 15, 30)),
        ("north_20260504_153000123456.jpg", "{trap}_{date}", "north", datetime(2026, 5, 4, 15, 30)),
        ("north 4.5.2026.jpg", "{trap} {day}.{month}.{year}", "north", datetime(2026, 5, 4)),
        ("Card (7).jpg", "card ({trap})", "7", None),
        ("house 2/T9/IMG_0042.jpg", "{trap}/*", "T9", None),
        ("2026-05-04/T9/IMG_0042.jpg", "{date}/{trap}/*", "T9", datetime(2026, 5, 4)),
        ("x-B7-y.jpg", r"re:-(?P<trap>[A-Z]\d)-", "B7", None),
        ("B7 04052026.jpg", r"re:(?P<trap>\w+) (?P<day>..)(?P<month>..)(?P<year>....)", "B7", datetime(2026, 5, 4)),
    ],
)
def test_a_pattern_of_the_user_says_what_a_name_holds(
    path: str, pattern: str, trap: str | None, taken: datetime | None
) -> None:
    tag = read_name(path, pattern)
    assert (tag.trap, tag.taken, tag.notes) == (trap, taken, ())


def test_a_name_outside_the_pattern_or_a_day_outside_the_calendar_is_said() -> None:
    assert read_name("T1_2026-05-04.jpg", "{date}_{trap}").notes == (
        "its name does not match the pattern {date}_{trap}",
    )
    (note,) = read_name("T1_2026-13-04.jpg", "{trap}_{date}").notes
    assert "2026-13-04" in note
    assert read_name("T1 ab.jpg", r"re:(?P<trap>\w+) (?P<year>\w+)").taken is None


@pytest.mark.parametrize(
    ("pattern", "phrase"),
    [
        ("{trap}_{place}", "unknown field {place}"),
        ("{trap}_{trap}", "redefinition of group name"),
        ("re:(?P<trap>", "unterminated"),
        ("re:.*", "no field for a trap or a date"),
        ("plain", "no field for a trap or a date"),
    ],
)
def test_a_wrong_pattern_stops_the_run_and_not_each_photo(pattern: str, phrase: str) -> None:
    with pytest.raises(AgriClipError, match=re.escape(phrase)) as caught:
        read_photo(quarters(), name_pattern=pattern)
    assert not isinstance(caught.value, PhotoError)


ids = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)
days = st.dates(date(1990, 1, 1), date(2099, 12, 31))


@given(trap=ids, day=days, form=st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%Y_%m_%d", "%Y.%m.%d"]))
def test_what_a_template_writes_it_reads_again(trap: str, day: date, form: str) -> None:
    tag = read_name(f"{trap}_{day.strftime(form)}.jpg", "{trap}_{date}")
    assert (tag.trap, tag.taken) == (trap, datetime(day.year, day.month, day.day))


@given(
    number=st.integers(0, 9999), day=days, form=st.sampled_from(["{t}_{d}", "{d} {t}", "{t} {d} close", "x_{d}_{t}"])
)
def test_trap_and_day_are_found_without_a_pattern(number: int, day: date, form: str) -> None:
    tag = read_name(form.format(t=f"T{number}", d=day.isoformat()) + ".jpg")
    assert (tag.trap, tag.taken) == (f"T{number}", datetime(day.year, day.month, day.day))


@given(prefix=st.sampled_from(["IMG_", "DSC", "DSCN", "P", "_MG_", "DJI_", "image", "IMG-", ""]), number=st.integers(0))
def test_a_camera_counter_is_never_a_trap(prefix: str, number: int) -> None:
    assert read_name(f"{prefix}{number:04d}.jpg").trap is None


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    found = parse_date(text)
    assert found is None or 1900 <= found.year <= 2099
    for tag in (parse_payload(text), read_name(text), read_name(text, "{trap}_{date}")):
        assert tag.trap is None or (tag.trap.strip() and len(tag.trap) <= 64 and tag.trap.isprintable())


@pytest.mark.parametrize(
    ("text", "trap", "taken"),
    [
        ("trap=T3;date=2026-05-11", "T3", datetime(2026, 5, 11)),
        ("Trap: T3\nDate: 2026-05-11", "T3", datetime(2026, 5, 11)),
        ("trap=T3", "T3", None),
        ("date=20260511&trap_id=12", "12", datetime(2026, 5, 11)),
        ('{"trap": "T3", "date": "2026-05-11"}', "T3", datetime(2026, 5, 11)),
        ('{"Trap": 7, "site": {"a": 1}}', "7", None),
        ("https://example.org/t?trap=T3&date=2026-05-11", "T3", datetime(2026, 5, 11)),
        ("https://example.org/t?trap=House%202", "House 2", None),
        ("T3", "T3", None),
        ("12", "12", None),
        ("north-4", "north-4", None),
    ],
)
def test_each_form_of_a_code_names_its_trap(text: str, trap: str, taken: datetime | None) -> None:
    tag = parse_payload(text)
    assert (tag.trap, tag.taken, tag.notes) == (trap, taken, ())


@pytest.mark.parametrize(
    "text",
    [
        "https://www.example.com/sticky-traps",
        "www.example.com",
        "4012345678901",
        "WIFI:S:net;T:WPA;P:secret;;",
        '{"name": "x"}',
        "{" * 5000,
        "(01)04012345678901",
        "x" * 100,
    ],
)
def test_a_makers_code_is_no_trap(text: str) -> None:
    tag = parse_payload(text)
    assert (tag.trap, tag.taken) == (None, None)
    (note,) = tag.notes
    assert "names no trap" in note
    assert len(note) < 110


def code_picture(kind: str, text: str, pixels_per_module: int) -> np.ndarray:
    """A QR code, Data Matrix or marker with its white margin, grey."""
    if kind.startswith("DICT"):
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, kind))
        small = cv2.aruco.generateImageMarker(dictionary, int(text), dictionary.markerSize + 2)
        small = np.pad(small, 2, constant_values=255)
    else:
        barcode = zxingcpp.create_barcode(text, zxingcpp.barcode_format_from_str(kind))
        small = np.pad(np.asarray(zxingcpp.write_barcode_to_image(barcode, scale=1)), 2, constant_values=255)
    return np.kron(small, np.ones((pixels_per_module, pixels_per_module), np.uint8))


def card_with(*codes: np.ndarray, width: int = 900, height: int = 700, angle: float = 12) -> np.ndarray:
    """A card with tags stuck on it side by side, turned by an angle in degrees, slightly blurred."""
    card = trap_picture(width, height)
    left = 60
    for code in codes:
        turn = cv2.getRotationMatrix2D((code.shape[1] / 2, code.shape[0] / 2), angle, 1)
        turn[:, 2] += (left, 120)
        inside = cv2.warpAffine(np.full_like(code, 255), turn, (width, height)) == 255
        card[inside] = (20 + 0.8 * cv2.warpAffine(code, turn, (width, height))[inside])[:, None].astype(np.uint8)
        left += code.shape[1] + 90
    return cv2.GaussianBlur(card, (0, 0), 0.7)


@pytest.mark.parametrize("angle", [0, 201])
@pytest.mark.parametrize(
    ("kind", "text", "trap"),
    [
        ("QRCode", "trap=T3;date=2026-05-11", "T3"),
        ("QRCode", "T3", "T3"),
        ("DataMatrix", "trap=T3", "T3"),
        ("DICT_4X4_50", "17", "17"),
        ("DICT_5X5_100", "17", "17"),
        ("DICT_6X6_250", "17", "17"),
        ("DICT_ARUCO_ORIGINAL", "17", "17"),
        ("DICT_APRILTAG_36h11", "17", "17"),
    ],
)
def test_a_code_on_the_card_names_the_trap(kind: str, text: str, trap: str, angle: float) -> None:
    photo = read_photo(card_with(code_picture(kind, text, 8), angle=angle), name="IMG_0001.jpg")
    assert photo.trap == trap
    assert photo.taken == (datetime(2026, 5, 11) if "date" in text else None)
    assert photo.notes == ()
    assert read_photo(card_with(code_picture(kind, text, 8), angle=angle), read_codes=False).trap is None


def test_a_large_photos_code_is_found_in_a_smaller_copy() -> None:
    card = cv2.resize(card_with(code_picture("QRCode", "T3", 8)), None, fx=6, fy=6)
    assert card.shape[0] * card.shape[1] > 20e6
    assert read_codes(card).trap == "T3"


def test_codes_that_disagree_name_no_trap_and_say_so() -> None:
    two = card_with(code_picture("QRCode", "T3", 5), code_picture("QRCode", "T4", 5))
    photo = read_photo(two, name="T9_2026-05-04.jpg")
    assert photo.trap == "T9"
    assert photo.notes == ("codes on it name different traps (T3, T4): none was used",)
    corners = card_with(code_picture("DICT_4X4_50", "1", 8), code_picture("DICT_4X4_50", "2", 8))
    assert read_codes(corners).trap is None


def test_a_code_goes_before_a_marker_and_before_the_name() -> None:
    card = card_with(code_picture("QRCode", "trap=T3;date=2026-05-11", 5), code_picture("DICT_4X4_50", "17", 8))
    photo = read_photo(card, name="T9_2026-05-04.jpg")
    assert photo.trap == "T3"
    assert photo.taken == datetime(2026, 5, 11)
    assert photo.notes == (
        "its code says trap T3, its name T9: the code was used",
        "its code says 2026-05-11, its name 2026-05-04: the code's day was used",
    )


def test_a_name_goes_before_a_bare_marker_which_insects_can_look_like() -> None:
    card = card_with(code_picture("DICT_4X4_50", "17", 8))
    assert read_photo(card, name="card.jpg").trap == "17"
    photo = read_photo(card, name="T9_2026-05-04.jpg")
    assert photo.trap == "T9"
    assert photo.notes == ("its marker says trap 17, its name T9: the name was used",)


def test_the_cameras_clock_goes_before_the_day_in_the_name(tmp_path: Path) -> None:
    content = with_exif({}, {0x9003: "2026:05:04 15:30:01"}, {})
    for name, notes in [
        ("T1_2026-05-04.jpg", ()),
        ("T1_2026-05-11.jpg", ("its camera says 2026-05-04, its name 2026-05-11: the camera's day was used",)),
    ]:
        (tmp_path / name).write_bytes(content)
        photo = read_photo(tmp_path / name)
        assert (photo.trap, photo.taken, photo.notes) == ("T1", datetime(2026, 5, 4, 15, 30, 1), notes)


@pytest.mark.parametrize(
    "clock", ["1970:01:01 00:00:12", "1980:01:01 10:00:00", "2000:05:06 10:00:00", "2099:01:02 10:00:00"]
)
def test_a_clock_that_cannot_be_right_gives_way_to_the_name(tmp_path: Path, clock: str) -> None:
    content = with_exif({}, {0x9003: clock}, {})
    (tmp_path / "T1_2026-05-11.jpg").write_bytes(content)
    photo = read_photo(tmp_path / "T1_2026-05-11.jpg")
    assert photo.taken == datetime(2026, 5, 11)
    assert any("cannot be right" in note and clock[:4] in note for note in photo.notes)
    assert any("the name's day was used" in note for note in photo.notes)
    assert capture_time(tmp_path / "T1_2026-05-11.jpg") == datetime(2026, 5, 11)
    (tmp_path / "T1.jpg").write_bytes(content)
    alone = read_photo(tmp_path / "T1.jpg")
    assert f"{alone.taken:%Y}" == clock[:4]
    assert any("cannot be right" in note for note in alone.notes)


def test_a_clock_reset_to_new_year_gives_way_to_a_later_year_in_the_name(tmp_path: Path) -> None:
    path = tmp_path / "T1_2026-05-11.jpg"
    path.write_bytes(with_exif({}, {0x9003: "2015:01:01 00:03:00"}, {}))
    assert read_photo(path).taken == datetime(2026, 5, 11)
    path.write_bytes(with_exif({}, {0x9003: "2026:01:01 00:03:00"}, {}))
    assert read_photo(path).taken == datetime(2026, 1, 1, 0, 3)


def test_a_day_in_the_name_that_cannot_be_right_is_not_believed_either(tmp_path: Path) -> None:
    path = tmp_path / "T1_2099-05-11.jpg"
    path.write_bytes(with_exif({}, {0x9003: "1970:01:01 00:00:12"}, {}))
    assert read_photo(path).taken == datetime(1970, 1, 1, 0, 0, 12)


def test_no_code_is_seen_in_real_trap_photos_without_one(yellow_traps: Path) -> None:
    for path in find_photos(yellow_traps / "images")[::12]:
        photo = read_photo(path)
        assert (photo.trap, photo.taken, photo.notes) == (None, None, ()), path


# --- pictures in memory -----------------------------------------------------------------------------------------------


def test_pictures_in_memory_are_photos_too() -> None:
    picture = quarters()
    photo = read_photo(picture, mm_per_pixel=0.05)
    assert photo.pixels is picture
    assert (photo.name, photo.path, photo.height, photo.width, photo.mm_per_pixel) == ("photo", None, 32, 48, 0.05)
    assert close(read(picture[..., 0]), np.repeat(picture[..., :1], 3, axis=2))
    assert close(read(picture[..., :1]), np.repeat(picture[..., :1], 3, axis=2))
    assert read(picture[:, ::-1]).flags["C_CONTIGUOUS"]
    assert close(read(Image.fromarray(picture).convert("RGBA")), picture)
    assert close(read(Image.open(io.BytesIO(oriented("PNG", 6)))), np.rot90(quarters(), -1))
    assert read_photo(picture, name="T4 2026-05-04").trap == "T4"


@pytest.mark.parametrize(
    ("source", "phrase"),
    [
        (np.zeros((4, 4, 3)), "array of float64; give uint8"),
        (np.zeros((4, 4, 3), np.uint16), "array of uint16"),
        (np.zeros((4, 4, 4), np.uint8), "shape (4, 4, 4)"),
        (np.zeros((3, 4, 4), np.uint8), "shape (3, 4, 4)"),
        (np.zeros((0, 4, 3), np.uint8), "shape (0, 4, 3)"),
        (np.zeros(4, np.uint8), "shape (4,)"),
        ([[1, 2], [3, 4]], "a list is no photo"),
        (None, "a NoneType is no photo"),
        (b"", "empty (0 bytes)"),
    ],
)
def test_what_is_no_picture_is_refused_with_what_to_give(source: Any, phrase: str) -> None:
    with pytest.raises(PhotoError, match=re.escape(phrase)):
        read_photo(source)


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf")])
def test_a_scale_that_is_none_is_refused_for_the_whole_run(scale: float) -> None:
    with pytest.raises(AgriClipError, match="mm_per_pixel") as caught:
        read_photo(quarters(), mm_per_pixel=scale)
    assert not isinstance(caught.value, PhotoError)


# --- hostile files ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> HostileFolder:
    return write_hostile_folder(tmp_path_factory.mktemp("hostile"))


def read_within(seconds: float, path: Path) -> Any:
    """The photo or its error; a reader that waits for a pipe for ever fails the test and does not hang it."""
    answer: list[Any] = []

    def work() -> None:
        try:
            answer.append(read_photo(path))
        except PhotoError as error:
            answer.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    assert answer, f"{path}: no answer within {seconds} s"
    return answer[0]


def test_a_hostile_folder_gives_five_photos_and_one_clear_line_each(hostile: HostileFolder) -> None:
    paths = find_photos(hostile.folder)
    assert len(hostile.bad) >= 30
    assert sorted(paths) == sorted([*hostile.good, *hostile.bad])
    for path in paths:
        answer = read_within(20, path)
        if path in hostile.good:
            assert not isinstance(answer, PhotoError), answer
            assert answer.pixels.shape == (240, 320, 3)
            continue
        assert isinstance(answer, PhotoError), f"{path} was read"
        assert hostile.bad[path] in answer.reason, answer
        assert answer.path == path
        message = str(answer)
        assert message.startswith(one_line(str(path)))
        assert message.splitlines() == [message]
        message.encode("utf-8")
        assert re.search(r"copy|save|export|name a|raise|check", answer.reason), f"no remedy: {answer}"


def test_names_of_any_kind_are_kept_and_shown_in_one_line(hostile: HostileFolder) -> None:
    by_name = {path.name: path for path in hostile.good}
    photo = read_photo(by_name["Gewächshaus 2, Falle 陷阱.PNG"])
    assert photo.name == str(photo.path)
    assert one_line("a\nb\x1b[31m\u202e\udcff é 陷阱") == "a\\nb\\x1b[31m\\u202e\\udcff é 陷阱"


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("missing.jpg", "there is no such file"),
        ("x" * 300 + ".jpg", "cannot be opened"),
        ("null\0.jpg", "null character"),
        ("", "is a folder"),
    ],
)
def test_paths_that_are_no_file(tmp_path: Path, name: str, phrase: str) -> None:
    (path,) = find_photos(tmp_path / name if name else tmp_path)
    with pytest.raises(PhotoError, match=phrase):
        read_photo(path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may read every file")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "locked.jpg"
    path.write_bytes(encoded(quarters(), "JPEG"))
    path.chmod(0)
    with pytest.raises(PhotoError, match="may not be read by this user"):
        read_photo(path)


def test_damaged_exif_costs_a_note_and_not_the_photo() -> None:
    whole = with_exif({0x010F: "Canon"}, {0x9003: "2026:05:04 15:30:01"}, {1: "N", 2: DMS, 3: "E", 4: DMS})
    start = whole.index(b"Exif\0\0")
    rng = np.random.default_rng(1)
    for _ in range(200):
        broken = bytearray(whole)
        for at in rng.integers(start + 6, start + 200, size=6):
            broken[at] = rng.integers(256)
        photo = read_photo(bytes(broken), read_codes=False)
        assert sorted(photo.pixels.shape) == [3, 32, 48]
    (note,) = read_photo(encoded(quarters(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")).notes
    assert "EXIF data is damaged" in note


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "HEIF"])
def test_random_damage_is_read_or_reported_and_nothing_else(kind: str) -> None:
    whole = encoded(quarters(), kind)
    rng = np.random.default_rng(2)
    for _ in range(150):
        broken = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 400), size=3):
            broken[at] = rng.integers(256)
        answer = outcome(bytes(broken), max_pixels=1_000_000)
        assert isinstance(answer, np.ndarray) or answer.splitlines() == [answer]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"big_tiff": True}),
        ("WEBP", {}),
        ("BMP", {}),
        ("HEIF", {}),
    ],
)
def test_a_file_that_lost_its_end_is_said_to_be_cut_short_wherever_it_ends(kind: str, options: dict[str, Any]) -> None:
    whole = encoded(trap_picture(120, 90), kind, **options)
    assert not is_cut_short(format_of(whole) or "", whole)
    for share in np.linspace(0.02, 0.99, 25):
        assert "cut short" in str(outcome(whole[: int(len(whole) * share)])), share


@pytest.mark.parametrize(("kind", "share"), [("JPEG", 0.5), ("PNG", 0.5), ("WEBP", 0.02)])
def test_a_whole_file_with_damage_inside_is_not_said_to_be_cut_short(kind: str, share: float) -> None:
    whole = encoded(trap_picture(120, 90), kind)
    at = int(len(whole) * share)
    answer = outcome(whole[:at] + b"\xff\xc4" * 30 + whole[at + 60 :])
    assert isinstance(answer, str)
    assert "damaged" in answer


def test_the_limit_on_pixels_is_checked_before_decoding_and_can_be_raised() -> None:
    content = encoded(np.zeros((100, 200, 3), np.uint8), "PNG")
    with pytest.raises(PhotoError, match=r"200 x 100 pixels, more than the limit of 0.01 megapixels.*--max-megapixels"):
        read_photo(content, max_pixels=10_000)
    assert read_photo(content, max_pixels=20_000).width == 200


# --- many and large photos --------------------------------------------------------------------------------------------


def outcome(source: Path | bytes, **options: Any) -> np.ndarray | str:
    """Pixels, or the one line that says why there are none."""
    try:
        return read(source, **options)
    except PhotoError as error:
        return str(error)


def test_threads_read_what_one_thread_reads(hostile: HostileFolder) -> None:
    paths = [*hostile.good, *(path for path in hostile.bad if path.suffix == ".png")] * 4

    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(outcome, paths))
    for path, answer in zip(paths, together, strict=True):
        assert np.array_equal(answer, outcome(path)), path


MEASURE = """
import re, sys
from pathlib import Path
from agri_clip.photos.photo import read_photo
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
before = peak()
photo = read_photo(sys.argv[1])
print((peak() - before) / (photo.width * photo.height), photo.width * photo.height)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_a_photo_of_100_megapixels_takes_at_most_nine_bytes_per_pixel(tmp_path: Path) -> None:
    picture = cv2.resize(trap_picture(400, 250), (12_500, 8_000), interpolation=cv2.INTER_NEAREST)
    path = tmp_path / "large"
    exif = Image.Exif()
    exif[0x0112] = 6
    path.write_bytes(encoded(picture, "JPEG", exif=exif.tobytes()))
    answer = subprocess.run(
        [sys.executable, "-c", MEASURE, path],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    per_pixel, pixels = map(float, answer.stdout.split())
    assert pixels == 100e6
    assert per_pixel < 9
    assert answer.stderr == ""


# --- finding photos ---------------------------------------------------------------------------------------------------


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def found(sources: Any, below: Path) -> list[str]:
    return [path.relative_to(below).as_posix() for path in find_photos(sources)]


def test_a_folder_gives_its_photos_as_people_count(tmp_path: Path) -> None:
    touch(tmp_path, "T10.jpg", "T2.JPG", "t1.jpeg", "week 1/b.heic", "week 1/a.webp", "week 10/c.bmp", "week 2/d.TIF")
    touch(tmp_path, "Thumbs.db", ".DS_Store", "notes.txt", "counts.csv", ".hidden.jpg", ".git/e.jpg", "film.mov")
    assert found(tmp_path, tmp_path) == [
        "t1.jpeg",
        "T2.JPG",
        "T10.jpg",
        "week 1/a.webp",
        "week 1/b.heic",
        "week 2/d.TIF",
        "week 10/c.bmp",
    ]


def test_files_come_out_whatever_they_are_in_the_order_given_and_once(tmp_path: Path) -> None:
    touch(tmp_path, "b.jpg", "a.jpg", "notes.txt")
    sources = [tmp_path / "b.jpg", tmp_path / "notes.txt", tmp_path / "missing.jpg", str(tmp_path), tmp_path / "a.jpg"]
    assert found(sources, tmp_path) == ["b.jpg", "notes.txt", "missing.jpg", "a.jpg"]


def test_a_folder_without_photos_comes_out_itself(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", "deep/er/notes.txt")
    assert find_photos(tmp_path) == [tmp_path]
    assert find_photos([]) == []


def test_raw_files_are_reported_unless_their_jpeg_is_there(tmp_path: Path) -> None:
    touch(tmp_path, "DSC1.NEF", "DSC1.JPG", "DSC2.NEF", "loop.gif")
    assert found(tmp_path, tmp_path) == ["DSC1.JPG", "DSC2.NEF", "loop.gif"]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_a_link_back_to_its_folder_ends_the_search(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert found(tmp_path, tmp_path) == ["a.jpg"]


def test_a_failure_knows_trap_and_day_of_its_file_name(tmp_path: Path) -> None:
    path = tmp_path / "T7_2026-06-08.jpg"
    path.write_bytes(b"")
    with pytest.raises(PhotoError) as told:
        read_photo(path)
    assert (told.value.trap, told.value.taken) == ("T7", datetime(2026, 6, 8))
    with pytest.raises(PhotoError) as told:
        read_photo(path, name_pattern="re:(?P<trap>T)7")
    assert told.value.trap == "T"
