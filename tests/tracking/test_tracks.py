"""Tracking: one insect is one row, whatever it does, and its label is that of most of its frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agri_clip.detections import BACKGROUND, FOUND, OTHER, Detections, PhotoRecord
from agri_clip.errors import AgriClipError
from agri_clip.formats.csv_table import ENCODING
from agri_clip.formats.tracks import write_pictures, write_table
from agri_clip.photos.photo import Photo
from agri_clip.tracking.tracks import Tracker, Tracks, track_detections
from tests.films import Spots, boxes_of, draw_frame, find_spots


def photo_of(spots: Spots, number: int) -> Photo:
    return Photo(draw_frame(spots), f"frame {number}")


def track(frames: list[Spots], **settings: int) -> Tracks:
    return track_detections((find_spots(photo_of(spots, i)) for i, spots in enumerate(frames)), **settings)


def one_insect(*frames: tuple[int, int, float]) -> list[Detections]:
    """An insect in one place; for each frame its label, status and score."""
    photo = photo_of([(50, 50)], 0)
    return [
        boxes_of(photo, np.array([[40, 40, 60, 60]]), label_index=[label], status=[status], scores=[score])
        for label, status, score in frames
    ]


def test_three_insects_walking_are_three_rows() -> None:
    tracks = track([[(40 + 9 * i, 40), (280 - 7 * i, 120), (60 + 5 * i, 200 - 6 * i)] for i in range(20)])
    assert len(tracks) == 3
    assert tracks.frames.tolist() == [20, 20, 20]
    assert (tracks.first == 0).all()
    assert (tracks.last == 19).all()
    table = tracks.to_pandas()
    assert table["first_frame"].tolist() == ["frame 0"] * 3
    assert table["last_frame"].tolist() == ["frame 19"] * 3


def test_a_stuck_one_is_one_row() -> None:
    assert len(track([[(100, 100)]] * 30)) == 1


@pytest.mark.parametrize("missed", [1, 5])
@pytest.mark.parametrize("speed", [0, 4])
def test_one_that_is_missed_for_some_frames_stays_one(missed: int, speed: int) -> None:
    tracks = track([[] if 8 <= i < 8 + missed else [(40 + speed * i, 100)] for i in range(20)])
    assert tracks.frames.tolist() == [20 - missed]


def test_one_that_comes_much_later_in_the_same_place_is_another() -> None:
    assert len(track([[(100, 100)] if i < 5 or i > 25 else [] for i in range(31)])) == 2


def test_crossing_insects_keep_apart() -> None:
    tracks = track([[(40 + 8 * i, 60 + 4 * i), (40 + 8 * i, 158 - 4 * i)] for i in range(25)])
    assert len(tracks) == 2
    ends = [tracks.regions.boxes[tracks.track_index == i][-1].mean() for i in range(2)]
    starts = [tracks.regions.boxes[tracks.track_index == i][0].mean() for i in range(2)]
    assert np.argmax(starts) != np.argmax(ends)  # who began above ends below


def test_one_that_arrives_beside_a_stuck_one_is_its_own() -> None:
    tracks = track([[(100, 100)] + ([(125, 100)] if i >= 5 else []) for i in range(12)])
    assert tracks.frames.tolist() == [12, 7]
    assert tracks.first.tolist() == [0, 5]


def test_a_label_that_flickers_is_voted() -> None:
    frames = [(0, FOUND, 0.6), (1, FOUND, 0.7), (0, FOUND, 0.5), (1, OTHER, 0.2), (0, FOUND, 0.7), (0, FOUND, 0.6)]
    tracks = track_detections(one_insect(*frames))
    assert len(tracks) == 1
    assert tracks.to_pandas()["label"].tolist() == ["fly"]
    assert tracks.votes[0] == pytest.approx(2.4 / 3.1)
    assert tracks.scores[0] == pytest.approx(0.6)
    assert tracks.frames[0] == 6
    assert tracks.regions.scores[tracks.best[0]] == pytest.approx(0.7)
    assert tracks.regions.photo_index[tracks.best[0]] == 4


def test_the_sum_of_scores_decides_not_the_number_of_frames() -> None:
    tracks = track_detections(one_insect((0, FOUND, 0.3), (0, FOUND, 0.3), (1, FOUND, 0.9)))
    assert tracks.to_pandas()["label"].tolist() == ["moth"]


@pytest.mark.parametrize(("found", "status"), [(1, OTHER), (2, FOUND), (3, FOUND)])
def test_an_insect_is_found_where_half_of_its_frames_found_it(found: int, status: int) -> None:
    frames = [(0, FOUND, 0.6)] * found + [(1, OTHER, 0.3)] * (4 - found)
    tracks = track_detections(one_insect(*frames))
    assert tracks.status.tolist() == [status]
    assert tracks.to_detections().counts()[["fly", "moth"]].to_numpy().sum() == (status == FOUND)


def test_an_other_insect_is_shown_as_it_looked_when_it_was_none_of_the_labels() -> None:
    tracks = track_detections(one_insect((0, FOUND, 0.9), *[(1, OTHER, 0.2)] * 3))
    assert tracks.status.tolist() == [OTHER]
    assert tracks.regions.status[tracks.best].tolist() == [OTHER]
    assert tracks.to_pandas()["label"].tolist() == ["moth"]


def test_background_is_no_insect() -> None:
    assert len(track_detections(one_insect(*[(0, BACKGROUND, 0.1)] * 5))) == 0


def test_what_is_seen_too_briefly_is_left_out_and_said() -> None:
    frames: list[Spots] = [[(60, 60), (200, 150)] if i == 3 else [(60, 60)] for i in range(8)]
    tracks = track(frames)
    assert (len(tracks), tracks.left_out) == (1, 1)
    assert len(tracks.regions) == 9
    assert (tracks.track_index == -1).sum() == 1
    assert len(track(frames, min_frames=1)) == 2
    assert len(track(frames[:1], min_frames=5)) == 1  # more cannot be asked of one frame


def test_a_frame_that_could_not_be_read_makes_no_insect_older() -> None:
    frames = [find_spots(photo_of([(100, 100)], i)) for i in range(30)]
    lost = replace(frames[0][:0], photos=(PhotoRecord("bad", reason="is empty"),))
    tracks = track_detections([*frames[:5], *[lost] * 25, *frames[5:10]])
    assert tracks.frames.tolist() == [10]
    assert len(tracks.regions.photos) == 35


def test_a_result_is_one_region_an_insect() -> None:
    tracks = track([[(40 + 9 * i, 40), (200, 120)] for i in range(6)])
    result = tracks.to_detections()
    assert len(result) == len(tracks) == 2
    assert len(result.photos) == 6
    assert result.counts()["fly"].sum() == 2
    assert result.provenance["tracking"]["min_frames"] == 2


def test_lengths_are_medians() -> None:
    parts = one_insect(*[(0, FOUND, 0.5)] * 3)
    sizes = [(10.0, 1.0), (12.0, np.nan), (40.0, 4.0)]
    sized = [replace(part, length_px=[px], length_mm=[mm]) for part, (px, mm) in zip(parts, sizes, strict=True)]
    tracks = track_detections(sized)
    assert tracks.length_px.tolist() == [12]
    assert tracks.length_mm.tolist() == [2.5]
    assert np.isnan(track_detections(parts).length_mm).all()


@pytest.mark.parametrize("frames", [[], [[]], [[], [], []]])
def test_nothing_seen_is_an_empty_table(frames: list[Spots], tmp_path: Path) -> None:
    tracks = track(frames)
    assert len(tracks) == len(tracks.to_pandas()) == len(tracks.to_detections()) == 0
    write_table(tracks, tmp_path / "tracks.csv")
    assert write_pictures(tracks, tmp_path / "tracks.jpg") == 0
    assert (tmp_path / "tracks.jpg").exists()  # in the place of one of an earlier run


@pytest.mark.parametrize(
    "settings", [{"min_frames": 0}, {"lost_frames": -1}, {"reach": -0.1}, {"least_overlap": 0}, {"least_overlap": 1.5}]
)
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(AgriClipError, match=next(iter(settings))):
        Tracker(**settings)  # type: ignore[arg-type]


def test_frames_that_do_not_go_together_are_refused() -> None:
    frame = one_insect((0, FOUND, 0.5))[0]
    tracker = Tracker()
    tracker.add(frame)
    with pytest.raises(ValueError, match="different labels"):
        tracker.add(replace(frame, label_names=("wasp", "bee")))
    with pytest.raises(ValueError, match="of 2"):
        tracker.add(Detections.concat([frame, frame]))


def test_table_and_sheet_show_the_voted_label_and_its_best_frame(tmp_path: Path) -> None:
    tracker = Tracker()
    for i in range(4):
        photo = photo_of([(50, 50), (200, 100)], i)
        boxes = np.array([[42, 42, 58, 58], [192, 92, 208, 108]])
        status = [FOUND, OTHER]
        tracker.add(boxes_of(photo, boxes, label_index=[i == 0, 0], status=status, scores=[0.4 + 0.1 * i, 0.2]), photo)
    tracks = tracker.finish()
    write_table(tracks, tmp_path / "tracks.csv")
    lines = (tmp_path / "tracks.csv").read_text(ENCODING).splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("1,,fly,found,0.8182,0.6,0.9,4,frame 0,frame 3,,,frame 3,")
    write_table(tracks, tmp_path / "tracks.csv", all_regions=True)
    assert len((tmp_path / "tracks.csv").read_text(ENCODING).splitlines()) == 3
    assert all(thumbnail and thumbnail.startswith(b"\xff\xd8") for thumbnail in tracks.thumbnails)
    assert write_pictures(tracks, tmp_path / "tracks.jpg") == 1
    assert write_pictures(tracks, tmp_path / "tracks.jpg", all_regions=True) == 2
