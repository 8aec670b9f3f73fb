"""Films and camera folders: frames as photos, in order of time, a chosen step apart (step 0, as reading a photo is)."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agri_clip.detections import Detections, PhotoRecord
from agri_clip.errors import AgriClipError, PhotoError
from agri_clip.photos import tags as photo_tags
from agri_clip.photos.formats import foreign_kind, format_of
from agri_clip.photos.photo import Photo, capture_time, find_photos, one_line

if TYPE_CHECKING:
    from agri_clip.detector import Detector
    from agri_clip.prompts import PromptSet

#: Seconds between the frames of a film where nothing else is asked for.
EVERY = 1.0

#: A film that ends earlier than this part of the length that its header promises is cut short; of a short one, a frame
#: may be missing. Headers are not exact.
WHOLE = 0.98

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
#: What files begin with that are surely no film, as `foreign_kind` calls them; others are left to the decoder.
_NO_FILM = ("a PDF", "a ZIP", "a gzip", "a RAR", "a 7z", "a Photoshop", "a camera RAW", "a JPEG", "an AVIF", "an SVG",
            "a file of zeros", "a web page", "a text file", "a Git LFS")  # fmt: skip


@dataclass(frozen=True)
class Film:
    """What the header of a film says; numbers are 0 where it does not.

    Attributes
    ----------
    rate : float
        Frames a second.
    frames : int
        As promised; the file may hold fewer.
    """

    rate: float
    frames: int


def parse_duration(text: str) -> float:
    """Seconds that a text such as `2s`, `500ms`, `10min`, `1h` or `2` stands for.

    Raises
    ------
    AgriClipError
        It is no duration, or not greater than 0.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)\s*", text.lower())
    if match is None or match[2] not in _UNITS or float(match[1]) <= 0:
        raise AgriClipError(f"{text!r} is no time between frames; write it as 2s, 500ms, 10min or 1h")
    return float(match[1]) * _UNITS[match[2]]


def read_frames(
    path: Path | str,
    *,
    every: float | None = None,
    step: int | None = None,
    start: datetime | None = None,
    name_pattern: str | None = None,
) -> Iterator[Photo]:
    """Frames of a film, one after the other; only the one in hand is held.

    Parameters
    ----------
    path : Path or str
    every : float, optional
        Seconds between frames: the first at or after each multiple. `EVERY` where neither this nor `step` is given.
    step : int, optional
        Take each `step`-th frame instead; 1 takes all.
    start : datetime, optional
        When the film begins, local time; by default as its name says (`photo_tags.read_name`), else a code on the card.
    name_pattern : str, optional
        How the name holds trap and date.

    Yields
    ------
    Photo
        Called by file and time in the film, `trap.mp4#t=12.4s`. The trap is that of a code in the first frame, else of
        the name.

    Raises
    ------
    PhotoError
        The file is missing, no film, in a codec that is not known here, or without frames. One that is cut short gives
        the frames that it has, then this.
    AgriClipError
        Both or wrong steps are given, the pattern is not valid, or seconds are asked of a film without a frame rate.
    """
    every, step = _checked_steps(every, step)
    if every is None and step is None:
        every = EVERY
    path = Path(path)
    return _read(path, every, step, start, photo_tags.read_name(path, name_pattern))


def _read(
    path: Path, every: float | None, step: int | None, start: datetime | None, tag: photo_tags.Tag
) -> Iterator[Photo]:
    """`read_frames`, whose options are checked before the first frame is asked for."""
    begin = start or tag.taken
    first = True
    with _opened(path) as (capture, film):
        if every is not None and not film.rate:
            raise AgriClipError(f"{path}: says no frame rate, so that seconds mean nothing; give --step, not --every")
        for seconds, pixels in _decode(path, capture, film, every, step):
            if first:
                code = photo_tags.read_codes(pixels)
                tag = replace(tag, trap=code.trap or tag.trap, notes=(*code.notes, *tag.notes))
                begin = begin or code.taken
            yield Photo(
                pixels=pixels,
                name=one_line(f"{path}#t={f'{seconds:.3f}'.rstrip('0').rstrip('.')}s"),
                path=path,
                taken=None if begin is None else begin + timedelta(seconds=seconds),
                trap=tag.trap,
                notes=tag.notes if first else (),
            )
            first = False


def frame_paths(
    folder: Path | str, *, every: float | None = None, step: int | None = None, name_pattern: str | None = None
) -> list[Path]:
    """Photos of a camera's folder in the order in which they were taken.

    The order is that of the times in the photos, else in their names; photos of one time, and folders without any
    times, are in the order of names. A photo without a time, such as one that cannot be read, follows the one before it
    by name.

    Parameters
    ----------
    folder : Path or str
    every : float, optional
        Least seconds between photos.
    step : int, optional
        Take each `step`-th photo.
    name_pattern : str, optional
        How names hold trap and date.

    Raises
    ------
    AgriClipError
        Both or wrong steps are given, the pattern is not valid, or seconds are asked of photos without times.
    """
    every, step = _checked_steps(every, step)
    paths = find_photos(folder)
    times = [capture_time(path, name_pattern) for path in paths]
    if every is not None and not any(times):
        raise AgriClipError(f"{folder}: no photo says when it was taken; give --step instead of --every")
    last = min((time for time in times if time is not None), default=datetime.min)
    filled = []
    for time in times:
        last = time or last
        filled.append(last)
    order = sorted(range(len(paths)), key=lambda i: filled[i])
    if every is None:
        return [paths[i] for i in order[:: step or 1]]
    chosen, due = [], datetime.min
    for i in order:
        if filled[i] >= due:
            chosen.append(paths[i])
            due = filled[i] + timedelta(seconds=every)
    return chosen


def detect_frames(
    detector: Detector, frames: Iterable[Photo | Path], prompts: PromptSet | str, **reading: Any
) -> Iterator[tuple[Photo | None, Detections]]:
    """Detections frame by frame, as `Detector.stream` gives them.

    A film that breaks off is one last frame with its reason.

    Parameters
    ----------
    detector : Detector
    frames : iterable of Photo or Path
        As `read_frames` or `frame_paths` give them.
    prompts : PromptSet or str
    **reading
        Passed to `agri_clip.photos.photo.read_photo` for paths.
    """
    from agri_clip.detector import as_prompt_set

    broken: list[PhotoRecord] = []
    yield from detector.stream(_until_broken(frames, broken), prompts, **reading)
    if broken:
        yield None, detector.labeller.nothing(broken, as_prompt_set(prompts))


def _until_broken(frames: Iterable[Photo | Path], broken: list[PhotoRecord]) -> Iterator[Photo | Path]:
    try:
        yield from frames
    except PhotoError as error:
        broken.append(PhotoRecord.of_failure(one_line(str(error.path)), error))


def _checked_steps(every: float | None, step: int | None) -> tuple[float | None, int | None]:
    if every is not None and step is not None:
        raise AgriClipError("a time between frames and a number of frames are given; use one of --every and --step")
    if every is not None and not (math.isfinite(every) and every > 0):
        raise AgriClipError(f"every is {every:g} seconds; give more than 0, such as 2s")
    if step is not None and step < 1:
        raise AgriClipError(f"step is {step}; give 1 for every frame, 30 for each thirtieth")
    return every, step


@contextmanager
def _opened(path: Path) -> Iterator[tuple[cv2.VideoCapture, Film]]:
    """A film that is ready to be read, and what its header says."""
    _check_file(path)
    # The decoder's own words on the terminal would stand beside ours, without the file's name. OpenCV reads this once,
    # when it first opens a film.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    cv2.utils.logging.setLogLevel(level)
    try:
        if not capture.isOpened():
            raise PhotoError(
                path,
                "cannot be opened as a film: its codec is not known here, or its header is cut short or damaged; copy "
                "it again from the camera, or convert it: ffmpeg -i FILE -c:v libx264 new.mp4",
            )
        values = [capture.get(what) for what in (cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT)]
        rate, frames = (value if math.isfinite(value) and value > 0 else 0.0 for value in values)
        yield capture, Film(rate, int(frames))
    finally:
        capture.release()


def _check_file(path: Path) -> None:
    """Refuse what is surely no film, before a decoder that takes nearly anything for one sees it."""
    try:
        if path.is_dir():
            raise PhotoError(path, "is a folder, not a film")
        if not path.exists():
            raise PhotoError(path, "there is no such file; check the name")
        if not path.is_file():
            raise PhotoError(path, "is a pipe, socket or device, not a file; name a film file")
        with path.open("rb") as file:
            head = file.read(4096)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PhotoError(path, f"cannot be opened ({reason}); check the name and its permissions") from None
    if not head:
        raise PhotoError(path, "is empty (0 bytes); copy it again from the camera")
    if format_of(head) is not None:
        raise PhotoError(path, f"is a photo ({format_of(head)}), not a film; name the folder of the camera's photos")
    kind = foreign_kind(head)
    if kind.startswith(_NO_FILM):
        raise PhotoError(path, f"is {kind}, not a film; name a video file or a folder of photos")


def _decode(
    path: Path, capture: cv2.VideoCapture, film: Film, every: float | None, step: int | None
) -> Iterator[tuple[float, np.ndarray]]:
    """Seconds from the beginning, and RGB pixels, of the frames wanted."""
    count, seconds, due = 0, 0.0, 0.0
    while capture.grab():
        seconds = _seconds(capture, film, count, seconds)
        # Half a millisecond of grace: times are rounded in the file.
        wanted = count % step == 0 if step is not None else seconds >= due - 0.0005
        if wanted:
            decoded, pixels = capture.retrieve()
            if not decoded or pixels is None:
                break
            yield seconds, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
            if every is not None:
                due = every * (math.floor((seconds + 0.0005) / every) + 1)
        count += 1
    if not count:
        raise PhotoError(path, "holds no frame that can be decoded; copy it again from the camera, or convert it")
    # By time as well: where the number is reckoned from the length, it is wrong for a rate that varies.
    least = min(WHOLE * film.frames, film.frames - 1)
    if count < least and (not film.rate or seconds < (least - 1) / film.rate):
        raise PhotoError(
            path,
            f"breaks off after {count} of the {film.frames} frames that its header promises: it is cut short or "
            "damaged there; what stands before was used; copy it again from the camera",
        )


def _seconds(capture: cv2.VideoCapture, film: Film, count: int, before: float) -> float:
    """When the frame just grabbed is shown: as the file says, for the rate may vary, else by its number."""
    said = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
    if math.isfinite(said) and (said > before or count == 0 == said):
        return said
    return max(before, count / film.rate) if film.rate else float(count)
