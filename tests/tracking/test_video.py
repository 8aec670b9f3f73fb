"""Films and camera folders: which frames come out, how they are called and timed, and what a broken film says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from agri_clip.cli.options import SOME_FAILED, WRONG_COMMAND
from agri_clip.detector import Detector
from agri_clip.errors import AgriClipError, PhotoError
from agri_clip.photos.photo import Photo, read_photo
from agri_clip.tracking.tracks import track_detections
from agri_clip.tracking.video import detect_frames, frame_paths, parse_duration, read_frames
from tests.command_line import rows, run
from tests.films import HEIGHT, WIDTH, draw_frame, draw_insects, find_spots, write_film

FRAMES = 24


def walking(count: int = FRAMES) -> list[np.ndarray]:
    """Three insects: one walks right, one walks left and is hidden in frame 9, one sticks."""
    return [draw_frame([(40 + 9 * i, 50), (160, 200), *([(280 - 8 * i, 120)] if i != 9 else [])]) for i in range(count)]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_film(tmp_path_factory.mktemp("film") / "T4_20260504_120000.avi", walking())


def test_every_frame_comes_out_with_its_time_name_and_trap(film: Path) -> None:
    frames = list(read_frames(film, step=1))
    assert len(frames) == FRAMES
    assert [frame.name for frame in frames[:3]] == [f"{film}#t=0s", f"{film}#t=0.1s", f"{film}#t=0.2s"]
    assert frames[0].taken == datetime(2026, 5, 4, 12)
    assert frames[12].taken == datetime(2026, 5, 4, 12, 0, 1, 200_000)
    assert {frame.trap for frame in frames} == {"T4"}
    assert frames[0].pixels.shape == (HEIGHT, WIDTH, 3)
    red, _, blue = frames[0].pixels[5, 5]
    assert red > 200 > 60 > blue  # RGB, not OpenCV's BGR


@pytest.mark.parametrize(
    ("options", "times"),
    [
        ({}, [0, 1, 2]),
        ({"every": 0.5}, [0, 0.5, 1, 1.5, 2]),
        ({"every": 0.7}, [0, 0.7, 1.4, 2.1]),
        ({"every": 60}, [0]),
        ({"step": 10}, [0, 1, 2]),
        ({"step": 7}, [0, 0.7, 1.4, 2.1]),
    ],
)
def test_steps_in_seconds_and_in_frames(film: Path, options: dict[str, float], times: list[float]) -> None:
    begin = datetime(2026, 1, 1)
    frames = list(read_frames(film, start=begin, **options))  # type: ignore[arg-type]
    assert [frame.taken - begin for frame in frames if frame.taken] == [timedelta(seconds=time) for time in times]


def test_a_film_whose_beginning_is_not_known_has_no_times(tmp_path: Path) -> None:
    film = write_film(tmp_path / "walk.avi", walking(3))
    assert [frame.taken for frame in read_frames(film, step=1)] == [None] * 3


def test_the_name_pattern_counts_for_films(tmp_path: Path) -> None:
    film = write_film(tmp_path / "H3-R2 2026-05-04.avi", walking(2))
    frame = next(iter(read_frames(film, name_pattern="{trap} {date}")))
    assert (frame.trap, frame.taken) == ("H3-R2", datetime(2026, 5, 4))
    with pytest.raises(AgriClipError, match="unknown field"):
        read_frames(film, name_pattern="{house}")


def test_a_film_of_any_length_takes_the_memory_of_a_few_frames(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = 8
    monkeypatch.setattr("agri_clip.detector.HELD_BYTES", together * next(read_frames(film, step=1)).pixels.nbytes)
    read: list[str] = []

    def counted() -> Iterator[Photo]:
        for frame in read_frames(film, step=1):
            read.append(frame.name)
            yield frame

    detector = Detector(proposer="contrast", encoder="builtin", card=False)
    results = detect_frames(detector, counted(), "an insect")
    photo, _ = next(results)
    assert photo is not None
    assert photo.name == read[0]
    assert len(read) <= together < FRAMES
    assert len(list(results)) == FRAMES - 1


@pytest.mark.parametrize(
    ("text", "seconds"), [("2s", 2), ("500ms", 0.5), ("10min", 600), ("1h", 3600), (" 1.5 S", 1.5), ("3", 3)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "0s", "-1s", "2 weeks", "1:30", "nan"])
def test_what_is_no_duration_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(AgriClipError, match="write it as 2s"):
        parse_duration(text)


@pytest.mark.parametrize("options", [{"every": 1.0, "step": 2}, {"every": 0.0}, {"every": float("nan")}, {"step": 0}])
def test_wrong_steps_are_refused_at_once(film: Path, options: dict[str, float]) -> None:
    for read in (read_frames, frame_paths):
        with pytest.raises(AgriClipError, match=r"every|step"):
            read(film, **options)  # type: ignore[operator]


def reason_of(path: Path) -> str:
    with pytest.raises(PhotoError) as error:
        list(read_frames(path, step=1))
    assert error.value.path == path
    assert "\n" not in error.value.reason
    return error.value.reason


def write_damaged_films(folder: Path) -> dict[str, str]:
    """Files that are no films, and words of the reason that each gets."""
    contents = {
        "notes.mp4": (b"2026-05-04 trap changed\n" * 50, "is a text file, not a film"),
        "empty.mp4": (b"", "is empty"),
        "zeros.avi": (b"\0" * 5000, "a file of zeros"),
        "report.mov": (b"%PDF-1.7\n", "a PDF"),
        "noise.mkv": (np.random.default_rng(0).bytes(5000), "cannot be opened as a film"),
        "half.mp4": (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + b"\0\0\x10\0mdat" + b"\1" * 900, "cut short"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    return {name: words for name, (_, words) in contents.items()}


def test_what_is_no_film_says_what_it_is(tmp_path: Path) -> None:
    for name, words in write_damaged_films(tmp_path).items():
        assert words in reason_of(tmp_path / name)
    Image.fromarray(draw_frame([])).save(tmp_path / "photo.jpg")
    assert "is a photo (JPEG)" in reason_of(tmp_path / "photo.jpg")
    assert "no such file" in reason_of(tmp_path / "missing.mp4")
    assert "is a folder" in reason_of(tmp_path)


def test_the_decoders_own_messages_stay_off_the_terminal(film: Path, tmp_path: Path) -> None:
    # In a process of its own: OpenCV takes the level of its messages once, when it first opens or writes a film.
    names = list(write_damaged_films(tmp_path))
    (tmp_path / "short.avi").write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    script = """
import sys
from agri_clip.errors import PhotoError
from agri_clip.tracking.video import read_frames
for path in sys.argv[1:]:
    try:
        list(read_frames(path, step=1))
    except PhotoError as error:
        print(error.path)
"""
    paths = [str(tmp_path / name) for name in (*names, "short.avi")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV_")}
    done = subprocess.run(
        [sys.executable, "-c", script, *paths], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines() == paths
    assert done.stderr == ""


def test_an_unknown_codec_is_said(film: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.avi").write_bytes(film.read_bytes().replace(b"MJPG", b"QQ7Z"))
    assert "codec" in reason_of(tmp_path / "odd.avi")


def test_a_film_without_frames_is_said(tmp_path: Path) -> None:
    reason = reason_of(write_film(tmp_path / "none.avi", []))
    assert "no frame" in reason or "cut short" in reason


def test_a_film_that_is_cut_short_gives_what_it_has_and_says_so(film: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.avi"
    short.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    frames: list[Photo] = []
    with pytest.raises(PhotoError, match="breaks off after"):
        frames.extend(read_frames(short, step=1))
    assert 5 < len(frames) < FRAMES


def write_folder(folder: Path, frames: list[Photo]) -> Path:
    """The frames as photos whose names have nothing to do with their order; their times stand in EXIF."""
    folder.mkdir()
    for number, frame in enumerate(frames):
        exif = Image.Exif()
        moment = datetime(2026, 5, 4, 12) + timedelta(minutes=10 * number)
        exif.get_ifd(0x8769)[0x9003] = f"{moment:%Y:%m:%d %H:%M:%S}"
        Image.fromarray(frame.pixels).save(folder / f"{number * 7 % 24:02d}.png", exif=exif.tobytes())
    return folder


def test_a_folder_of_the_same_frames_gives_the_same_rows(film: Path, tmp_path: Path) -> None:
    frames = list(read_frames(film, step=1))
    folder = write_folder(tmp_path / "camera", frames)
    from_film = track_detections(map(find_spots, frames))
    from_folder = track_detections(find_spots(read_photo(path)) for path in frame_paths(folder))
    assert len(from_film) == 3
    assert sorted(from_film.frames) == [FRAMES - 1, FRAMES, FRAMES]
    named = ["first_frame", "last_frame", "best_frame", "trap", "first_taken", "last_taken"]
    assert from_film.to_pandas().drop(columns=named).equals(from_folder.to_pandas().drop(columns=named))
    assert from_folder.to_pandas()["last_taken"].max() == datetime(2026, 5, 4, 15, 50)


def test_photos_of_a_folder_are_thinned_by_time_and_by_number(film: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "camera", list(read_frames(film, step=1)))
    assert len(frame_paths(folder, every=3600)) == 4
    assert [path.stem for path in frame_paths(folder, step=12)] == ["00", "12"]


def test_a_folder_without_times_is_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("10.png", "2.png", "1.png"):
        Image.fromarray(draw_frame([])).save(tmp_path / name)
    assert [path.name for path in frame_paths(tmp_path)] == ["1.png", "2.png", "10.png"]
    with pytest.raises(AgriClipError, match="give --step"):
        frame_paths(tmp_path, every=60)


def test_a_photo_that_cannot_be_read_keeps_its_place(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        Image.fromarray(draw_frame([])).save(tmp_path / f"a{4 - day} 2026-05-0{day}.jpg")
    (tmp_path / "a2b.jpg").write_bytes(b"no photo")
    assert [path.name[:3] for path in frame_paths(tmp_path)] == ["a3 ", "a2 ", "a2b", "a1 "]


@pytest.fixture(scope="module")
def insects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames: one insect walks right, one walks up, one sticks."""
    frames = [draw_insects([(60 + 20 * i, 60), (270, 190 - 12 * i), (60, 190)]) for i in range(6)]
    return write_film(tmp_path_factory.mktemp("insects") / "T4_20260504_120000.avi", frames)


def track(*arguments: object) -> int:
    """Run the command; its exit status."""
    return run("track", *arguments, "--proposer", "contrast", "--no-card")


def test_track_writes_a_row_an_insect(insects: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results"
    assert track(insects, "-p", "an insect", "--step", 1, "--out", out) == 0
    table = rows(out / "tracks.csv")
    assert [row["frames"] for row in table] == ["6", "6", "6"]
    assert {(row["trap"], row["label"], row["status"]) for row in table} == {("T4", "an insect", "found")}
    assert table[0]["first_taken"] == "2026-05-04 12:00:00"
    assert "tracking.min_frames 2" in table[0]["produced_by"]
    assert rows(out / "failures.csv") == []
    assert cv2.imread(str(out / "tracks.jpg")) is not None
    printed = capsys.readouterr()
    counts = next(line.split("│")[2:4] for line in printed.out.splitlines() if "an insect" in line)
    assert [int(count) for count in counts] == [3, 18]
    assert printed.err == ""


def test_track_of_a_folder_tells_of_photos_that_failed(insects: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "camera", list(read_frames(insects, step=1)))
    (folder / "99.jpg").write_bytes(b"no photo at all")
    assert track(folder, "-p", "an insect", "--out", tmp_path / "r") == SOME_FAILED
    assert [Path(row["photo"]).name for row in rows(tmp_path / "r" / "failures.csv")] == ["99.jpg"]
    assert [row["frames"] for row in rows(tmp_path / "r" / "tracks.csv")] == ["6", "6", "6"]


def test_track_of_a_broken_film_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "film.mp4").write_bytes(b"a text, not a film\n")
    assert track(tmp_path / "film.mp4", "-p", "an insect", "--out", tmp_path / "r") == SOME_FAILED
    assert len(rows(tmp_path / "r" / "failures.csv")) == 1
    assert "is a text file, not a film" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--every", "soon", "-p", "a moth"], "write it as 2s"),
        (["--every", "2s", "--step", "3", "-p", "a moth"], "use one of"),
        ([], "nothing to look for"),
        (["--name-pattern", "{house}", "-p", "a moth"], "unknown field"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(
    film: Path, options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert track(film, *options, "--out", tmp_path / "r") == WRONG_COMMAND
    assert message in capsys.readouterr().err


def test_a_film_that_breaks_off_is_tracked_as_far_as_it_goes(insects: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.avi"
    short.write_bytes(insects.read_bytes()[: insects.stat().st_size * 2 // 3])
    assert track(short, "-p", "an insect", "--step", 1, "--out", tmp_path / "r") == SOME_FAILED
    assert len(rows(tmp_path / "r" / "tracks.csv")) == 3
    assert "breaks off" in rows(tmp_path / "r" / "failures.csv")[0]["reason"]
