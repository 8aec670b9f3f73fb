"""ZeroShotProposer: detectors asked in words, whole or in slices, boxes in the photo's frame, and clear when it fails.

The architectures, processors and tokenizers are the real ones; the weights are tiny and random.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from agri_clip import cli
from agri_clip.cli.options import WRONG_COMMAND
from agri_clip.errors import AgriClipError, ModelError
from agri_clip.photos.photo import Photo
from agri_clip.regions import Proposer, Regions, available, fetch_proposer, get_proposer, is_proposer
from agri_clip.regions.zero_shot import ZeroShotProposer
from benchmarks import present, proposers
from tests.hub_cache import put_in_cache
from tests.regions import tiny_detectors
from tests.regions.tiny_detectors import GRID, SIDE

OWLV2, OWLVIT, DINO = "owlv2", "owlvit", "grounding-dino"
KINDS = (OWLV2, OWLVIT, DINO)
HUB_NAMES = {
    OWLV2: "google/owlv2-base-patch16-ensemble",
    OWLVIT: "google/owlvit-base-patch32",
    DINO: "IDEA-Research/grounding-dino-tiny",
}
EVERYTHING = {"conf": 0.0, "iou": 1.0, "device": "cpu"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Folder of a tiny detector by its kind, `still` where its boxes shall lie at known places; never changed."""
    made: dict[tuple[str, bool], Path] = {}

    def get(kind: str, *, still: bool = False) -> Path:
        if (kind, still) not in made:
            place = tmp_path_factory.mktemp("detectors") / f"{kind}-{still}"
            made[kind, still] = tiny_detectors.make(kind, place, still=still)
        return made[kind, still]

    return get


def photo(width: int, height: int, seed: int = 0) -> Photo:
    pixels = np.full((height, width, 3), (230, 200, 40), np.uint8)
    rng = np.random.default_rng(seed)
    for x, y in rng.integers(0, (width, height), (40, 2)):
        pixels[y : y + 8, x : x + 8] = 20
    return Photo(pixels, "drawn.png")


def inside(boxes: np.ndarray, width: int, height: int) -> bool:
    return bool((boxes >= 0).all() and (boxes <= [width, height, width, height]).all())


def rows(regions: Regions) -> np.ndarray:
    """Boxes and objectness as one table in an order of its own, so that two sets can be compared."""
    table = np.column_stack([regions.boxes, regions.objectness])
    return table[np.lexsort(table.round(2).T[::-1])]


@pytest.mark.parametrize("kind", KINDS)
def test_regions_lie_in_the_photo_best_first_the_same_every_time_and_from_a_worker(folder, kind):
    proposer = get_proposer(folder(kind), device="cpu", conf=0.3, iou=0.5)
    found = proposer.propose(photo(90, 60))
    assert len(found) > 3
    assert inside(found.boxes, 90, 60)
    assert (found.boxes[:, 2:] - found.boxes[:, :2] > 0.99).all()
    assert (np.diff(found.objectness) <= 0).all()
    assert found.objectness.min() > 0.3
    copy = pickle.loads(pickle.dumps(proposer))
    for again in (proposer.propose(photo(90, 60)), copy.propose(photo(90, 60))):
        np.testing.assert_array_equal(again.boxes, found.boxes)
        np.testing.assert_array_equal(again.objectness, found.objectness)
    assert (copy.name, copy.version) == (proposer.name, proposer.version)
    assert not np.array_equal(proposer.propose(photo(90, 60, seed=1)).objectness, found.objectness)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_proposer_whose_version_tells_library_weights_and_settings(folder, tmp_path, kind):
    proposer = ZeroShotProposer(folder(kind), device="cpu", words=("moth", "fly"), conf=0.2)
    assert isinstance(proposer, Proposer)
    assert proposer.name == str(folder(kind))
    assert proposer.calibrated is False
    assert proposer.version.startswith("transformers ")
    assert "words=('moth', 'fly')" in proposer.version
    assert "conf=0.2" in proposer.version
    other = tmp_path / "other"
    shutil.copytree(folder(kind), other)
    weights = load_file(other / "model.safetensors")
    changed = {key: value + 1 if key == sorted(weights)[0] else value for key, value in weights.items()}
    save_file(changed, other / "model.safetensors", metadata={"format": "pt"})
    settings = {"device": "cpu", "words": ("moth", "fly"), "conf": 0.2}
    assert ZeroShotProposer(other, **settings).version != proposer.version


def known_boxes(kind: str, width: int, height: int) -> np.ndarray:
    """Where a still detector has its boxes in a photo, before they are clipped to it."""
    if kind == DINO:  # centres of the cells of four maps, each half as fine as the one before
        scale = SIDE / min(width, height)
        boxes = []
        for level in range(4):
            columns, lines = (int(np.ceil(side * scale / 8 / 2**level)) for side in (width, height))
            size = np.array([width, height]) * 0.05 * 2**level
            for x, y in np.ndindex(columns, lines):
                centre = np.array([(x + 0.5) / columns * width, (y + 0.5) / lines * height])
                boxes.append([*(centre - size / 2), *(centre + size / 2)])
        return np.array(boxes)
    wide, high = (max(width, height),) * 2 if kind == OWLV2 else (width, height)  # OWLv2 pads to a square
    corners = [np.array([wide, high]) * (np.array([x, y]) + 1) / GRID for x, y in np.ndindex(GRID, GRID)]
    half = np.array([wide, high]) / GRID / 2
    return np.array([[*(corner - half), *(corner + half)] for corner in corners])


@pytest.mark.parametrize("size", [(128, 64), (64, 128), (100, 100)])
@pytest.mark.parametrize("kind", KINDS)
def test_boxes_are_in_pixels_of_the_photo_whatever_its_shape(folder, kind, size):
    known = np.clip(known_boxes(kind, *size), 0, np.tile(size, 2))
    known = known[(known[:, 2:] - known[:, :2] > 1).all(axis=1)]
    found = ZeroShotProposer(folder(kind, still=True), tile=0, **EVERYTHING).propose(photo(*size)).boxes
    distance = np.abs(found[:, None] - known[None]).max(axis=2)
    assert distance.min(axis=1).max() < 0.1
    if kind != DINO:  # which gives the best of its places only
        assert len(found) == len(known)
        assert distance.min(axis=0).max() < 0.1


@pytest.mark.parametrize("mark", [(12, 20), (100, 44)])
@pytest.mark.parametrize("kind", [OWLV2, OWLVIT])
def test_a_change_in_the_photo_is_felt_most_where_it_is(folder, kind, mark):
    """Pictures and boxes are scaled alike: were only one of the two padded or turned, another place would answer."""
    proposer = ZeroShotProposer(folder(kind, still=True), tile=0, **EVERYTHING)
    for turned in (False, True):
        plain = np.full((64, 128, 3), 120, np.uint8)
        marked = plain.copy()
        marked[mark[1] - 4 : mark[1] + 4, mark[0] - 4 : mark[0] + 4] = (255, 0, 90)
        pictures = [np.ascontiguousarray(p.swapaxes(0, 1)) if turned else p for p in (plain, marked)]
        before, after = (rows(proposer.propose_pixels(picture)) for picture in pictures)
        np.testing.assert_allclose(before[:, :4], after[:, :4], atol=0.01)
        loudest = after[np.abs(after[:, 4] - before[:, 4]).argmax(), :4]
        place = mark[::-1] if turned else mark
        # The architecture has a patch's box at the patch's lower right corner.
        patch = 128 / GRID if kind == OWLV2 else np.array([64, 128] if turned else [128, 64]) / GRID
        assert (np.abs((loudest[:2] + loudest[2:] - patch) / 2 - place) <= patch).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_words_change_the_result(folder, kind):
    settings = EVERYTHING | {"tile": 0}
    found = [
        rows(ZeroShotProposer(folder(kind, still=True), words=words, **settings).propose(photo(64, 64)))
        for words in (("insect",), ("leaf",), ("insect", "leaf"))
    ]
    insect, leaf, both = found
    assert insect.shape != leaf.shape or not np.allclose(insect, leaf, atol=1e-4)
    if kind != DINO:  # reads each word by itself and takes the one that fits a place best
        np.testing.assert_allclose(both[:, 4], np.maximum(insect[:, 4], leaf[:, 4]), atol=1e-6)


def test_a_single_text_is_one_word(folder):
    proposer = ZeroShotProposer(folder(OWLV2), words="insect")
    assert proposer.settings.words == ("insect",)
    assert proposer.version == ZeroShotProposer(folder(OWLV2)).version


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_photo_in_slices_is_the_photo_whole(folder, kind):
    whole, sliced = (
        ZeroShotProposer(folder(kind), tile=tile, device="cpu", conf=0.3).propose(photo(90, 60)) for tile in (0, 90)
    )
    np.testing.assert_array_equal(whole.boxes, sliced.boxes)
    np.testing.assert_array_equal(whole.objectness, sliced.objectness)


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_photo_is_read_in_slices(folder, kind):
    picture = photo(160, 64)
    proposer = ZeroShotProposer(folder(kind, still=True), tile=64, overlap=0, **EVERYTHING)
    found = proposer.propose(picture)
    assert inside(found.boxes, 160, 64)
    for start in (0, 48, 96):
        alone = proposer.propose_pixels(np.ascontiguousarray(picture.pixels[:, start : start + 64])).placed((start, 0))
        within = (alone.boxes[:, 0] > start + 4) & (alone.boxes[:, 2] < start + 60)
        assert within.sum() > 3
        known = {tuple(row) for row in rows(found).round(2)}
        assert {tuple(row) for row in rows(alone[within]).round(2)} <= known
    whole = ZeroShotProposer(folder(kind, still=True), tile=0, **EVERYTHING).propose(picture)
    assert np.median(np.ptp(whole.boxes[:, ::2], axis=1)) > 2 * np.median(np.ptp(found.boxes[:, ::2], axis=1))


@pytest.mark.parametrize(("kind", "side"), [(OWLV2, SIDE), (OWLVIT, SIDE), (DINO, 800)])
def test_slices_are_as_large_as_the_models_input_unless_the_user_says_else(folder, kind, side):
    settings = ZeroShotProposer(folder(kind)).settings
    assert (settings.tile, settings.overlap) == (side, side // 5)
    settings = ZeroShotProposer(folder(kind), tile=200).settings
    assert (settings.tile, settings.overlap) == (200, 40)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3)])
@pytest.mark.parametrize("kind", KINDS)
def test_tiny_and_thin_photos_are_no_trouble(folder, kind, size):
    found = ZeroShotProposer(folder(kind), tile=0, **EVERYTHING).propose(photo(*size))
    assert inside(found.boxes, *size)


@pytest.mark.parametrize("kind", KINDS)
def test_overlapping_regions_are_one_and_weak_ones_none(folder, kind):
    every = ZeroShotProposer(folder(kind), tile=0, **EVERYTHING).propose(photo(64, 64))
    once = ZeroShotProposer(folder(kind), tile=0, **EVERYTHING | {"iou": 0.0}).propose(photo(64, 64))
    assert 0 < len(once) < len(every)
    middle = float(np.median(every.objectness))
    strong = ZeroShotProposer(folder(kind), tile=0, **EVERYTHING | {"conf": middle}).propose(photo(64, 64))
    np.testing.assert_array_equal(rows(strong), rows(every[every.objectness > middle]))


@pytest.mark.parametrize(("kind", "most"), [(OWLV2, 64), (OWLVIT, 64), (DINO, 40)])
def test_caps_that_cut_results_are_told(folder, kind, most):
    every = ZeroShotProposer(folder(kind, still=True), **EVERYTHING).propose(photo(64, 64))
    assert any(f"{most} regions of one slice" in note for note in every.notes)
    capped = ZeroShotProposer(folder(kind, still=True), max_det=5, **EVERYTHING).propose(photo(64, 64))
    np.testing.assert_array_equal(capped.boxes, every.boxes[:5])
    assert any("cap of 5" in note for note in capped.notes)
    assert capped.at_cap
    assert ZeroShotProposer(folder(kind, still=True), conf=1, device="cpu").propose(photo(64, 64)).notes == ()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tile": 100, "overlap": 100}, "overlap 100"),
        ({"tile": -1}, "tile -1"),
        ({"conf": 2}, "conf 2"),
        ({"iou": -0.1}, "iou -0.1"),
        ({"max_det": 0}, "max_det 0"),
        ({"words": ()}, "words"),
        ({"words": ("insect", " ")}, "words"),
        ({"words": ("insect. leaf",)}, "full stop"),
        ({"imgsz": 640}, "no setting 'imgsz'; it has: words, tile, overlap, conf, iou, max_det"),
    ],
)
def test_settings_that_make_no_sense_are_refused(folder, wrong, said):
    with pytest.raises(AgriClipError, match=said):
        get_proposer(folder(OWLV2), **wrong)


@pytest.mark.parametrize(("kind", "limit"), [(OWLV2, 16), (OWLVIT, 16), (DINO, 256)])
def test_words_that_the_model_would_not_read_to_their_end_are_refused(folder, kind, limit):
    proposer = ZeroShotProposer(folder(kind), words=("fly", "insect " * limit), device="cpu")
    with pytest.raises(ModelError, match=f"reads {limit} tokens"):
        proposer.propose(photo(30, 30))


def test_a_folder_that_lacks_its_weights_or_has_a_pickle_says_so(folder, tmp_path):
    shutil.copytree(folder(OWLV2), tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(ModelError, match=r"model\.safetensors is missing"):
        get_proposer(tmp_path / "bare")
    torch.save({}, tmp_path / "bare" / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickle"):
        get_proposer(tmp_path / "bare")


def test_damaged_or_absent_weights_are_not_made_up(folder, tmp_path):
    for name in ("damaged", "half"):
        shutil.copytree(folder(OWLV2), tmp_path / name)
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="damaged cannot be loaded"):
        get_proposer(tmp_path / "damaged", device="cpu").propose(photo(30, 30))
    weights = load_file(tmp_path / "half" / "model.safetensors")
    kept = {key: value for key, value in weights.items() if not key.startswith("class_head")}
    save_file(kept, tmp_path / "half" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"weights are missing.*class_head"):
        get_proposer(tmp_path / "half", device="cpu").propose(photo(30, 30))


@pytest.mark.parametrize("config", ['{"model_type": "clip"}', "{}", "[]", "no json"])
def test_a_folder_of_another_kind_is_no_detector(tmp_path, config):
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert not is_proposer(str(tmp_path))
    with pytest.raises(ModelError, match="there is no proposer"):
        get_proposer(tmp_path)
    with pytest.raises(ModelError, match="asked in words"):
        ZeroShotProposer(tmp_path)


@pytest.mark.usefixtures("hub_cache", "no_network")
@pytest.mark.parametrize("name", HUB_NAMES.values())
def test_a_listed_model_that_is_not_here_says_how_to_get_it(name):
    (info,) = [info for info in available() if info.name == name]
    assert not info.present
    assert info.licence == "Apache-2.0"
    assert is_proposer(name)
    for get in (get_proposer, fetch_proposer):
        with pytest.raises(ModelError, match=f"not on this machine.*agri-clip models fetch {name}"):
            get(name)
    assert name in present.choose_models(available(), [])[1]


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("kind", KINDS)
def test_a_listed_model_in_the_cache_is_present_runs_and_is_measured(folder, hub_cache, kind):
    name = HUB_NAMES[kind]
    snapshot = put_in_cache(hub_cache, name, folder(kind))
    assert {info.name for info in available() if info.present} & set(HUB_NAMES.values()) == {name}
    assert fetch_proposer(name) == snapshot
    proposer = get_proposer(name, device="cpu", conf=0.3)
    same = get_proposer(folder(kind), device="cpu", conf=0.3)
    assert (proposer.name, proposer.version) == (name, same.version)
    np.testing.assert_array_equal(proposer.propose(photo(60, 60)).boxes, same.propose(photo(60, 60)).boxes)
    chosen, absent = present.choose_models(available(), [])
    assert chosen[name] == name
    assert name not in absent
    assert proposers.load_proposer(name).name == name


@pytest.mark.usefixtures("no_network")
def test_a_fetched_model_that_is_not_listed_works_by_its_name(folder, hub_cache):
    assert not is_proposer("some/owl")
    put_in_cache(hub_cache, "some/owl", folder(OWLV2))
    assert is_proposer("some/owl")
    assert len(get_proposer("some/owl", device="cpu").propose(photo(60, 60)))
    put_in_cache(hub_cache, "some/encoder", folder(OWLV2), leave_out="config.json")
    assert not is_proposer("some/encoder")


@pytest.mark.usefixtures("no_network")
def test_the_command_line_lists_and_fetches_it(folder, hub_cache, capsys):
    name = HUB_NAMES[DINO]

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as stop:
            cli.main(arguments)
        printed = capsys.readouterr()
        return int(stop.value.code or 0), printed.out + printed.err

    def here() -> str:
        (line,) = [line for line in run("models")[1].splitlines() if name in line]
        return line.split()[3]

    assert here() == "no"
    status, said = run("models", "fetch", name)
    assert status == WRONG_COMMAND
    assert "hub cannot be reached" in said
    snapshot = put_in_cache(hub_cache, name, folder(DINO))
    assert here() == "yes"
    said = f"{name} is in {snapshot}\nmake it the default: agri-clip models use {name}\n"
    assert run("models", "fetch", name) == (0, said)


def test_a_folder_with_a_plus_in_its_name_is_one_proposer(folder, tmp_path):
    shutil.copytree(folder(OWLV2), tmp_path / "owl+mine")
    assert get_proposer(tmp_path / "owl+mine", device="cpu").name.endswith("owl+mine")


def test_joined_with_another_its_confidence_counts_for_less(folder):
    name = str(folder(OWLVIT, still=True))
    joined = get_proposer(f"{name}+contrast", iou=0.5)
    assert is_proposer(f"{name}+contrast")
    assert joined.name == f"{name}+contrast"
    assert not joined.calibrated
    alone = get_proposer(name).propose(photo(64, 64))
    found = joined.propose(photo(64, 64))
    assert len(found) >= len(alone) > 5
    for box, objectness in zip(alone.boxes, alone.objectness, strict=True):
        (same,) = np.flatnonzero((found.boxes == box).all(axis=1))
        assert found.objectness[same] >= objectness / 2 - 1e-6
    assert found.objectness.max() <= 0.5
