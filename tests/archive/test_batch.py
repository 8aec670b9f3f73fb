"""Batch: every photo stands in the archive once, whatever happens, and a killed run ends where another does."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agri_clip import Detector, batch
from agri_clip.archive import Archive, Season
from agri_clip.archive.checks import verify
from agri_clip.archive.schema import record_of
from agri_clip.batch.engines import stages
from agri_clip.batch.run import Stop, fill_archive, names_of, plan_batch, run_batch
from agri_clip.detector import Proposal
from agri_clip.errors import AgriClipWarning, DataError
from agri_clip.photos.photo import Photo, find_photos, read_photo
from tests.archive.conftest import contents, draw_card, write_season

KILLS = 20


def states(season: Season) -> dict[str, str]:
    return {row["name"]: row["status"] for row in season.photo_rows()}


def test_every_photo_is_a_row_with_its_regions(filled: Path) -> None:
    season = Season.of(Archive.open(filled))
    rows = {row["name"]: row for row in season.photo_rows()}
    assert len(rows) == 14
    assert rows["photos/T2/T2_2026-06-29.jpg"]["status"] == "failed"
    assert "not a photo" in rows["photos/T2/T2_2026-06-29.jpg"]["reason"]
    copy = rows["photos/T3/T3_2026-06-29.jpg"]
    assert (copy["status"], copy["regions"]) == ("same", 0)
    assert copy["same_as"].endswith("T1_2026-06-01.jpg")
    first = rows["photos/T1/T1_2026-06-01.jpg"]
    assert (first["trap"], first["taken"].day, first["width"], first["height"]) == ("T1", 1, 260, 200)
    assert sum(row["regions"] for row in rows.values()) == season.region_count() > 50
    assert verify(season.archive) == []


def test_a_second_run_does_nothing_and_new_photos_alone_are_done(
    photos: Path, detector: Detector, tmp_path: Path
) -> None:
    folder = shutil.copytree(photos, tmp_path / "photos")
    place = tmp_path / "season"
    fill_archive(place, find_photos(folder), detector, sources=[folder])
    before = contents(place)
    _, progress = fill_archive(place, find_photos(folder), detector, sources=[folder])
    assert (progress.total, progress.done) == (0, 0)
    assert contents(place) == before
    draw_card(folder / "T1" / "T1_2026-07-06.jpg", 99)
    season, progress = fill_archive(place, find_photos(folder), detector, sources=[folder])
    assert (progress.total, progress.done) == (1, 1)
    assert states(season)["photos/T1/T1_2026-07-06.jpg"] == "done"
    after = contents(place)
    assert after["photos"][: len(before["photos"])] == before["photos"]
    assert after["regions"][: len(before["regions"])] == before["regions"]


def test_a_failed_photo_is_tried_again_when_asked_or_changed(photos: Path, detector: Detector, tmp_path: Path) -> None:
    folder = shutil.copytree(photos, tmp_path / "photos")
    broken = folder / "T2" / "T2_2026-06-29.jpg"
    place = tmp_path / "season"
    fill_archive(place, find_photos(folder), detector, sources=[folder])
    _, progress = fill_archive(place, find_photos(folder), detector, sources=[folder], retry_failed=True)
    assert (progress.done, progress.failed) == (1, 1)
    draw_card(broken, 77)
    season, progress = fill_archive(place, find_photos(folder), detector, sources=[folder])
    assert (progress.done, progress.failed) == (1, 0)
    assert states(season)["photos/T2/T2_2026-06-29.jpg"] == "done"
    assert len(states(season)) == 14
    assert verify(season.archive) == []


def test_a_photo_whose_bytes_changed_takes_the_place_of_the_old_one(
    photos: Path, detector: Detector, tmp_path: Path
) -> None:
    folder = shutil.copytree(photos, tmp_path / "photos")
    place = tmp_path / "season"
    season, _ = fill_archive(place, find_photos(folder), detector, sources=[folder])
    draw_card(folder / "T1" / "T1_2026-06-01.jpg", 55, spots=2)
    season, progress = fill_archive(place, find_photos(folder), detector, sources=[folder])
    rows = {row["name"]: row for row in season.photo_rows()}
    assert len(rows) == 14
    # The file that was its copy is none any more: its insects count again.
    assert rows["photos/T3/T3_2026-06-29.jpg"]["status"] == "done"
    assert progress.done == 2
    assert verify(season.archive) == []


def test_a_touched_file_is_not_done_again(photos: Path, detector: Detector, tmp_path: Path) -> None:
    folder = shutil.copytree(photos, tmp_path / "photos")
    place = tmp_path / "season"
    fill_archive(place, find_photos(folder), detector, sources=[folder])
    for path in find_photos(folder):
        os.utime(path, ns=(1, 1))
    _, progress = fill_archive(place, find_photos(folder), detector, sources=[folder])
    assert progress.total == 0


def test_other_settings_are_refused_by_name(
    filled: Path, photos: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = Detector(proposer="contrast", encoder=detector.encoder, context=1.5, card=False)
    with pytest.raises(DataError, match=r"context was 1\.25, now 1\.5"):
        fill_archive(filled, find_photos(photos), changed)
    with pytest.raises(DataError, match="name_pattern"):
        fill_archive(filled, find_photos(photos), detector, name_pattern="{trap}_{date}")
    monkeypatch.setattr(detector.proposer, "version", "another")
    with pytest.raises(DataError, match=r"proposer version was .* now another"):
        fill_archive(filled, find_photos(photos), detector)


def test_another_encoder_is_kept_apart(filled: Path, photos: Path, detector: Detector, tmp_path: Path) -> None:
    place = shutil.copytree(filled, tmp_path / "season")

    class Other:
        """The same network under another fingerprint."""

        fingerprint, name = "another", "other"

        def __getattr__(self, name: str) -> Any:
            return getattr(detector.encoder, name)

    other = Detector(proposer="contrast", encoder=Other(), card=False)  # type: ignore[arg-type]
    season, progress = fill_archive(place, find_photos(photos), other, sources=[photos])
    assert progress.done == 14
    assert season.run["encoder"] == "other"
    archive = Archive.open(place)
    assert [run["encoder"] for run in archive.encoders()] == ["builtin", "other"]
    with pytest.raises(DataError, match="several encoders; name one with --encoder: builtin, other"):
        Season.of(archive)
    assert Season.of(archive, "builtin").region_count() == season.region_count()


def test_a_wish_to_stop_finishes_the_groups_in_hand_and_the_rest_follows(
    photos: Path, detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "GROUP_PHOTOS", 2)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    fill_archive(whole, find_photos(photos), detector, sources=[photos])
    stop, propose, seen = Stop(), detector.propose, []

    def propose_and_stop(photo: Photo) -> Proposal:
        seen.append(photo.name)
        if len(seen) == 4:
            stop.ask()
        return propose(photo)

    monkeypatch.setattr(detector, "propose", propose_and_stop)
    archive = Archive.open(stopped, create=True)
    season = Season.begin(archive, detector.encoder, detector.proposer, detector.settings, {})
    with season.writing():
        plan = plan_batch(season, find_photos(photos), sources=[photos])
        *_, last = run_batch(season, detector, plan, stop=stop)
    assert last.stopped
    assert 4 <= last.done < 14
    assert len(season.photo_rows()) == last.done
    fill_archive(stopped, find_photos(photos), detector, sources=[photos])
    assert contents(stopped) == contents(whole)


def test_each_photo_is_told_of_when_it_was_seen_and_a_few_are_safe_one_by_one(
    photos: Path, detector: Detector, tmp_path: Path
) -> None:
    seen: list[str] = []
    done: list[int] = []

    def watch(_plan: batch.Plan, states: Iterator[batch.Progress]) -> Iterator[batch.Progress]:
        for state in states:
            done.append(state.done)
            yield state

    found = find_photos(photos)
    fill_archive(tmp_path / "season", found, detector, watch=watch, seen=lambda task: seen.append(task.file.path))
    assert seen == [str(path) for path in found]
    assert done[:8] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert done[-1] == 14


def test_two_writers_are_not_let_in_at_once(filled: Path) -> None:
    season = Season.of(Archive.open(filled))
    with season.writing(), pytest.raises(DataError, match="another program is writing"), season.writing():
        pass


def test_a_name_that_is_no_unicode_is_kept_escaped_and_stops_nothing(detector: Detector, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    draw_card(folder / "a.jpg", 1)
    draw_card(folder / "T4_2026-05-18.jpg", 2)
    inner = folder / os.fsdecode(b"Gew\xe4chshaus")
    (folder / "a.jpg").rename(folder / os.fsdecode(b"F\xe4lle_2026-05-04.jpg"))
    draw_card(inner / "T5_2026-05-18.jpg", 3)
    place = tmp_path / "season"
    season, progress = fill_archive(place, find_photos(folder), detector, sources=[folder])
    assert (progress.done, progress.failed) == (3, 0)
    rows = {row["name"]: row for row in season.photo_rows()}
    named = rows[r"photos/F\udce4lle_2026-05-04.jpg"]
    assert (named["status"], named["day"]) == ("done", "2026-05-04")
    assert season.read_photo(record_of(named)).width == 260
    _, again = fill_archive(place, find_photos(folder), detector, sources=[folder])
    assert again.total == 0
    assert verify(season.archive) == []


def test_of_equal_files_the_one_whose_name_tells_most_is_kept(detector: Detector, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    names = ("Copy of insects.jpg", "T1_2026-05-11.jpg", "x_2026-05-11.jpg")
    draw_card(folder / names[0], 1)
    for name in names[1:]:
        shutil.copy(folder / names[0], folder / name)
    season, progress = fill_archive(tmp_path / "season", find_photos(folder), detector, sources=[folder])
    assert states(season) == {f"photos/{n}": "done" if n.startswith("T1") else "same" for n in names}
    assert sorted(progress.copied) == [(f"photos/{n}", "photos/T1_2026-05-11.jpg") for n in (names[0], names[2])]
    assert verify(season.archive) == []


def test_a_better_name_that_comes_later_takes_the_place_of_the_archived_one(detector: Detector, tmp_path: Path) -> None:
    folder, place = tmp_path / "photos", tmp_path / "season"
    draw_card(folder / "Copy of insects.jpg", 1)
    fill_archive(place, find_photos(folder), detector, sources=[folder])
    later = tmp_path / "later" / "T1_2026-05-11.jpg"
    later.parent.mkdir()
    shutil.copy(folder / "Copy of insects.jpg", later)
    season, _ = fill_archive(place, [later], detector)
    assert states(season) == {"photos/Copy of insects.jpg": "same", "T1_2026-05-11.jpg": "done"}
    assert verify(season.archive) == []
    _, again = fill_archive(place, [*find_photos(folder), later], detector, sources=[folder])
    assert again.total == 0


@pytest.mark.parametrize("missing", ["nowhere", "nowhere/photo.jpg"])
def test_a_source_that_does_not_exist_is_an_error_and_nothing_is_kept(
    detector: Detector, tmp_path: Path, missing: str
) -> None:
    draw_card(tmp_path / "photos" / "T1.jpg", 1)
    sources = [tmp_path / "photos", tmp_path / missing]
    with pytest.raises(DataError, match=r"nowhere.*no such file or folder"):
        fill_archive(tmp_path / "season", find_photos(sources), detector, sources=sources)
    assert not (tmp_path / "season").exists()


def test_an_empty_folder_is_no_failed_photo(detector: Detector, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: is a folder without photos"):
        fill_archive(tmp_path / "season", find_photos(tmp_path / "empty"), detector, sources=[tmp_path / "empty"])
    assert not (tmp_path / "season").exists()
    draw_card(tmp_path / "photos" / "T1.jpg", 1)
    sources = [tmp_path / "photos", tmp_path / "empty"]
    with pytest.warns(AgriClipWarning, match="empty: is a folder without photos"):
        season, _ = fill_archive(tmp_path / "season", find_photos(sources), detector, sources=sources)
    assert states(season) == {"photos/T1.jpg": "done"}


def test_names_do_not_depend_on_what_else_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    paths = [folder / "T1" / "a.jpg", folder / "T2" / "a.jpg"]
    assert names_of(paths, [folder]) == ["photos/T1/a.jpg", "photos/T2/a.jpg"]
    assert names_of(paths[:1], [folder]) == ["photos/T1/a.jpg"]
    assert names_of([paths[0]]) == ["a.jpg"]
    assert names_of(paths) == [str(path) for path in paths]  # two of the same name


def _fill(place: Path, folder: Path) -> None:
    """What a killed process does, on one core and in groups of two photos."""
    import torch

    torch.set_num_threads(1)
    stages.GROUP_PHOTOS = 2
    made = Detector(proposer="contrast", encoder="builtin", card=False)
    fill_archive(place, find_photos(folder), made, sources=[folder])


def test_an_archive_killed_again_and_again_equals_one_that_never_was(tmp_path: Path) -> None:
    folder = write_season(tmp_path / "photos")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["agri_clip.batch.run", "agri_clip.encoders.clip", "tests.archive.test_batch"])
    whole = tmp_path / "whole"
    started = time.monotonic()
    process = context.Process(target=_fill, args=(whole, folder))
    process.start()
    process.join()
    assert process.exitcode == 0
    longest = time.monotonic() - started
    expected = contents(whole)
    rng, kills, checked = random.Random(7), 0, 0
    while kills < KILLS:
        place = tmp_path / f"killed{kills}"
        while True:
            process = context.Process(target=_fill, args=(place, folder))
            process.start()
            process.join(rng.uniform(0.2, 0.8) * longest if kills < KILLS else None)
            if process.exitcode is not None:
                break
            process.kill()
            process.join()
            kills += 1
        assert process.exitcode == 0
        assert contents(place) == expected
        assert verify(Archive.open(place)) == []
        checked += 1
    assert checked >= 1


def test_vectors_do_not_depend_on_the_batch_that_a_photo_is_in(photos: Path, detector: Detector, filled: Path) -> None:
    season = Season.of(Archive.open(filled))
    _, regions = next(season.parts("name LIKE '%T3_2026-06-22%'"))
    proposal = detector.propose(read_photo(photos / "T3" / "T3_2026-06-22.jpg"))
    alone = detector.encode([proposal])[0]
    kept = np.array(regions["vector"].to_pylist(), np.float32)
    np.testing.assert_allclose(kept, alone, atol=1e-3)
