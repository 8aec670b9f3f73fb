"""Turns any pixel layout that Pillow decodes into upright RGB uint8, strip by strip. Part of reading a photo (step 0).

Strips keep the memory for a large photo at the decoder's own buffer plus the result: no whole-photo copy is made for
colour conversion, transparency or rotation.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms

STRIP_PIXELS = 1 << 20  # about 4 MB per temporary: far below the photo, and numpy's per-call cost no longer shows
FLAT_SHARE = 0.03  # of the rows; one row of 16-pixel blocks in a 500-pixel photo
_INVERSE_ORIENTATION = {6: 8, 8: 6}
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # TIFF tags
_HIGHEST_VALUE = (281, 341, 50717)  # MaxSampleValue, SMaxSampleValue, WhiteLevel
#: Of 255: a photo is told to be nearly black or white where 99 of 100 pixels are below or above.
NEARLY_BLACK, NEARLY_WHITE = 32, 248
EXPOSURE_SAMPLE = 100_000  # pixels looked at

Convert = Callable[[Image.Image], Image.Image]


def upright_pixels(image: Image.Image, orientation: int = 1) -> tuple[np.ndarray, list[str]]:
    """Pixels of a decoded image as RGB, turned upright.

    Parameters
    ----------
    image : PIL.Image.Image
        Any mode.
    orientation : int
        EXIF orientation, 1 to 8, of the image's own pixel order.

    Returns
    -------
    pixels : ndarray, shape (h, w, 3), uint8
    notes : list of str
        What was changed or ignored on the way.

    Raises
    ------
    ValueError
        The value range of a 32-bit image cannot be told; the text says so in one line.
    """
    width, height = image.size
    turned = orientation in (5, 6, 7, 8)
    pixels = np.empty((width, height, 3) if turned else (height, width, 3), np.uint8)
    target = _raw_view(pixels, orientation)
    notes: list[str] = []
    to_eight_bit = _eight_bit(image, notes)
    to_srgb = _colour_transform(image, notes)
    transparent = False
    for place, strip in _strips(image):
        strip = to_eight_bit(strip)
        if strip.mode in ("LA", "RGBA"):
            alpha = np.asarray(strip.getchannel("A"))
            colours = np.asarray(to_srgb(strip.convert("RGB" if strip.mode == "RGBA" else "L")))
            if alpha.min() < 255:
                transparent = True
                colours = _over_white(colours, alpha)
        else:
            colours = np.asarray(to_srgb(strip))
        target[place] = colours
    if transparent:
        notes.append("transparent parts were laid on white")
    return pixels, notes


def undo(orientation: int) -> int:
    """The EXIF orientation that takes an upright picture back to its raw pixel order."""
    return _INVERSE_ORIENTATION.get(orientation, orientation)


def flat_bottom(pixels: np.ndarray, orientation: int = 1) -> list[str]:
    """A note where the lower part of a JPEG is one flat colour, as decoders fill it where the data ran out.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
        Upright.
    orientation : int
        What turned it upright; the data ran out at the bottom of the raw picture.

    Returns
    -------
    list of str
        Empty for a part below `FLAT_SHARE` of the rows, and for black and white: those are borders and scans.
    """
    raw = _raw_view(pixels, orientation)
    height = len(raw)
    colour = raw[-1, -1]
    if 0 in colour or 255 in colour:
        return []
    first = height
    while first > 0 and (raw[first - 1] == colour).all():
        first -= 1
    share = (height - first) / height
    if share < FLAT_SHARE or first == 0:
        return []
    return [f"the last {share:.0%} of its rows are one flat colour: the file may be damaged"]


def _raw_view(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """A view of the upright array whose rows and columns are those of the file."""
    views: dict[int, Callable[[], np.ndarray]] = {
        2: lambda: pixels[:, ::-1],
        3: lambda: pixels[::-1, ::-1],
        4: lambda: pixels[::-1],
        5: lambda: pixels.transpose(1, 0, 2),
        6: lambda: np.rot90(pixels, 1),
        7: lambda: pixels[::-1, ::-1].transpose(1, 0, 2),
        8: lambda: np.rot90(pixels, -1),
    }
    return views[orientation]() if orientation in views else pixels


def _strips(image: Image.Image) -> Iterator[tuple[tuple[slice, slice], Image.Image]]:
    """Strips from top to bottom, each with its rows and columns; only an absurdly wide image has several in a row."""
    width, height = image.size
    columns, rows = min(width, STRIP_PIXELS), max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            right, bottom = min(width, left + columns), min(height, top + rows)
            yield (slice(top, bottom), slice(left, right)), image.crop((left, top, right, bottom))


def _over_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Blend colours of shape (h, w, 3) over white by alpha of shape (h, w)."""
    weight = alpha[..., None].astype(np.uint16)
    return ((colours * weight + 255 * (255 - weight) + 127) // 255).astype(np.uint8)


def _eight_bit(image: Image.Image, notes: list[str]) -> Convert:
    """A function from a strip of this image to mode L, RGB, LA, RGBA, CMYK or LAB."""
    mode = image.mode
    tags = getattr(image, "tag_v2", {})
    if mode in _SIXTEEN_BIT:
        bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
        if not 8 < bits < 16:
            bits = _bits_in_use(max(int(np.asarray(strip).max()) for _, strip in _strips(image)), tags)
            notes += _stretch_note(bits)
        return _shift_to_eight_bit(bits - 8, inverted=tags.get(_PHOTOMETRIC) == 0)
    if mode in ("I", "F"):
        scale = _scale_of(image, notes)
        return lambda strip: Image.fromarray((np.asarray(strip, np.float32) * scale + 0.5).astype(np.uint8))
    if mode in ("LA", "La", "PA", "RGBa") or "transparency" in image.info:
        # Pillow reaches LA only from La and L; RGBA is reached from every mode that can be transparent.
        return lambda strip: strip.convert("RGBA")
    if mode in ("L", "RGB", "RGBA", "CMYK", "LAB"):
        return lambda strip: strip
    if mode == "1":
        return lambda strip: strip.convert("L")
    return lambda strip: strip.convert("RGB")


def has_sixteen_bit_colours(image: Image.Image) -> bool:
    """Whether a file that is not decoded yet keeps 16 bits of each colour, of which Pillow gives the upper 8."""
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, ())
    raw_modes = [tile[3] for tile in getattr(image, "tile", ()) if len(tile) > 3]
    return (len(bits) >= 3 and set(bits) == {16}) or any(isinstance(m, str) and ";16" in m for m in raw_modes)


def stretched_colours(content: bytes, image: Image.Image) -> tuple[Image.Image, list[str]] | None:
    """A colour picture of 16 bits whose values use fewer, decoded anew with these bits; None where they use all.

    Parameters
    ----------
    content : bytes
        Of the file.
    image : PIL.Image.Image
        The same, decoded by Pillow: for its tags and its colour profile.

    Returns
    -------
    image : PIL.Image.Image
        RGB or RGBA.
    notes : list of str
    """
    deep = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if deep is None or deep.dtype != np.uint16 or deep.ndim != 3 or deep.shape[2] not in (3, 4):
        return None
    bits = _bits_in_use(int(deep[..., :3].max()), getattr(image, "tag_v2", {}))
    if bits == 16:
        return None
    values = deep.astype(np.uint16, copy=False)
    colours = (values[..., 2::-1] >> (bits - 8)).astype(np.uint8)
    if values.shape[2] == 4:
        colours = np.dstack([colours, (values[..., 3] >> 8).astype(np.uint8)])
    made = Image.fromarray(np.ascontiguousarray(colours))
    if profile := image.info.get("icc_profile"):
        made.info["icc_profile"] = profile
    return made, _stretch_note(bits)


def exposure_notes(pixels: np.ndarray) -> list[str]:
    """A note where a photo is nearly black or nearly white, so that nothing found in it means nothing.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
    """
    step = max(1, int((pixels.shape[0] * pixels.shape[1] / EXPOSURE_SAMPLE) ** 0.5))
    sample = pixels[::step, ::step]
    if np.percentile(sample.max(axis=2), 99) < NEARLY_BLACK:
        return ["it is nearly black: hardly an insect can be found on it; check the light and the camera"]
    if np.percentile(sample.min(axis=2), 1) > NEARLY_WHITE:
        return ["it is nearly white: hardly an insect can be found on it; check the light and the camera"]
    return []


def _bits_in_use(highest: int, tags: Mapping[int, Any]) -> int:
    """How many bits of 16 hold a picture's values: as the file's own tags say, else by the highest value."""
    for tag in _HIGHEST_VALUE:
        stated = tags.get(tag)
        top = max(stated) if isinstance(stated, tuple) else stated
        if isinstance(top, int | float) and max(highest, 255) <= top <= 65535:
            return int(top).bit_length()
    return next(bits for bits in (8, 10, 12, 14, 16) if highest < 1 << bits)


def _stretch_note(bits: int) -> list[str]:
    return [f"its 16-bit values use {bits} bits only, and were brightened to the full range"] if bits < 16 else []


def _shift_to_eight_bit(shift: int, *, inverted: bool) -> Convert:
    """The upper eight bits of unsigned integers; `inverted` where zero means white."""

    def convert(strip: Image.Image) -> Image.Image:
        grey = (np.asarray(strip) >> shift).astype(np.uint8)
        return Image.fromarray(255 - grey if inverted else grey)

    return convert


def _scale_of(image: Image.Image, notes: list[str]) -> float:
    """The factor that takes a 32-bit image to 0 to 255, told from its range: 0 to 1, or the values of 8 to 16 bits."""
    low, high = np.inf, -np.inf
    for _, strip in _strips(image):
        values = np.asarray(strip)
        low, high = np.minimum(low, values.min()), np.maximum(high, values.max())  # both keep NaN
    ends: tuple[float, ...] = (255.0, 1023.0, 4095.0, 16383.0, 65535.0)
    ends = (1.0, *ends) if image.mode == "F" else ends
    if np.isnan(low) or low < 0 or high > ends[-1]:
        raise ValueError(
            f"its 32-bit values run from {low:g} to {high:g}, so what is black and white cannot be told; "
            "save it with 8 or 16 bits per channel"
        )
    end = next(end for end in ends if high <= end)
    notes.append(f"32-bit values were read as 0 (black) to {end:g} (white)")
    return 255.0 / end


def _colour_transform(image: Image.Image, notes: list[str]) -> Convert:
    """A function from an 8-bit strip without alpha to RGB, by the embedded colour profile if it is usable."""
    plain: Convert = lambda strip: strip if strip.mode == "RGB" else strip.convert("RGB")  # noqa: E731
    if image.mode == "LAB":
        lab_to_srgb = ImageCms.buildTransform(ImageCms.createProfile("LAB"), _srgb(), "LAB", "RGB")
        return lambda strip: _apply(lab_to_srgb, strip)
    embedded = image.info.get("icc_profile")
    if not embedded:
        return plain
    mode = "CMYK" if image.mode == "CMYK" else "L" if image.mode in ("1", "L", "LA", "La", *_SIXTEEN_BIT) else "RGB"
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        if "srgb" in ImageCms.getProfileDescription(profile).lower():
            return plain
        to_srgb = ImageCms.buildTransform(profile, _srgb(), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        notes.append("its colour profile is damaged or of another kind and was ignored")
        return plain
    return lambda strip: _apply(to_srgb, strip if strip.mode == mode else strip.convert(mode))


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _apply(transform: ImageCms.ImageCmsTransform, strip: Image.Image) -> Image.Image:
    changed = ImageCms.applyTransform(strip, transform)
    assert changed is not None  # None is the in-place answer
    return changed
