"""YoloProposer: any ultralytics model, whole or in slices, classes dropped, caps told, quiet, and clear when it fails.

The networks are real but untrained: what is tested is everything round them.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch

from agri_clip.errors import AgriClipError, ModelError
from agri_clip.photos.photo import Photo
from agri_clip.regions import get_proposer
from agri_clip.regions.yolo import YoloProposer
from agri_clip.regions.yolo_models import import_ultralytics, save_model_folder

ultralytics = import_ultralytics()


def photo(width: int, height: int) -> Photo:
    pixels = np.full((height, width, 3), (230, 200, 40), np.uint8)
    rng = np.random.default_rng(0)
    for x, y in rng.integers(0, (width, height), (40, 2)):
        pixels[y : y + 8, x : x + 8] = 20
    return Photo(pixels, "drawn.png")


def untrained(architecture: str) -> ultralytics.YOLO:
    """A network with random weights whose confidences differ from place to place and are never tiny."""
    torch.manual_seed(0)
    model = ultralytics.YOLO(architecture)
    for name, weight in model.model.named_parameters():
        if ".cv3." in name and name.endswith("2.bias"):
            torch.nn.init.constant_(weight, 0.0)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def detector(folder: Path) -> Path:
    untrained("yolo11n.yaml").save(folder / "detector.pt")
    return folder / "detector.pt"


@pytest.fixture(scope="module")
def segmenter(folder: Path) -> Path:
    untrained("yolo11n-seg.yaml").save(folder / "segmenter.pt")
    return folder / "segmenter.pt"


def inside(boxes: np.ndarray, width: int, height: int) -> bool:
    return bool((boxes >= 0).all() and (boxes[:, [0, 2]] <= width).all() and (boxes[:, [1, 3]] <= height).all())


def test_a_checkpoint_gives_regions_best_first(detector):
    proposer = get_proposer(str(detector), device="cpu", imgsz=160, conf=0.01, max_det=200)
    regions = proposer.propose(photo(150, 120))
    assert len(regions) > 5
    assert inside(regions.boxes, 150, 120)
    assert (np.diff(regions.objectness) <= 0).all()
    assert proposer.name == str(detector)
    assert "imgsz=160" in proposer.version


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_torch_keeps_its_number_of_threads(detector, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        YoloProposer(detector, device="cpu", imgsz=96, tile=96).propose(photo(96, 80))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def inputs_of(proposer, pixels, monkeypatch) -> list[tuple[int, int]]:
    """Sides of the pictures that the network is given for one photo, and the input that each is fitted to."""
    seen: list[tuple[int, int]] = []
    view = YoloProposer._propose_view

    def counted(self, tile, model, imgsz):
        seen.append((max(tile.shape[:2]), imgsz))
        return view(self, tile, model, imgsz)

    with monkeypatch.context() as patched:
        patched.setattr(YoloProposer, "_propose_view", counted)
        proposer.propose_pixels(pixels)
    return seen


def test_a_coarse_look_costs_one_picture_more(detector, monkeypatch):
    settings = {"device": "cpu", "imgsz": 160, "tile": 160, "overlap": 40, "conf": 0.01}
    pixels = photo(460, 340).pixels
    without = inputs_of(YoloProposer(detector, **settings), pixels, monkeypatch)
    looked = inputs_of(YoloProposer(detector, looks=(160, 96), **settings), pixels, monkeypatch)
    assert looked == [*without, (160, 160), (96, 96)]


def test_a_small_photo_is_read_whole(detector, monkeypatch):
    proposer = YoloProposer(detector, device="cpu", imgsz=96, tile=96, overlap=20, conf=0.01, whole=200, looks=(64,))
    assert inputs_of(proposer, photo(199, 120).pixels, monkeypatch) == [(199, 224), (64, 64)]
    assert len(inputs_of(proposer, photo(201, 120).pixels, monkeypatch)) > 2
    assert "looks=(64,)" in proposer.version


def test_regions_of_a_coarse_look_lie_in_photo_pixels(detector):
    settings = {"device": "cpu", "imgsz": 160, "tile": 160, "overlap": 40, "conf": 0.01, "iou": 1.0}
    once = YoloProposer(detector, **settings).propose(photo(640, 480))
    looked = YoloProposer(detector, looks=(160,), **settings).propose(photo(640, 480))
    assert inside(looked.boxes, 640, 480)
    known = {tuple(box) for box in once.boxes.round(2)}
    added = np.array([box for box in looked.boxes if tuple(box.round(2)) not in known])
    assert len(added)
    assert np.ptp(added.reshape(-1, 2, 2), axis=1).max() > 160


def test_the_same_photo_gives_the_same_regions_also_from_another_process(detector):
    proposer = YoloProposer(detector, device="cpu", imgsz=160, conf=0.01)
    first = proposer.propose(photo(150, 120))
    copy = pickle.loads(pickle.dumps(proposer))  # what a worker gets
    again = copy.propose(photo(150, 120))
    assert copy.version == proposer.version
    np.testing.assert_array_equal(first.boxes, again.boxes)


def test_a_photo_larger_than_the_input_is_cut(detector):
    proposer = YoloProposer(detector, device="cpu", imgsz=128, tile=128, overlap=32, conf=0.01, max_det=50)
    regions = proposer.propose(photo(300, 200))
    assert inside(regions.boxes, 300, 200)
    assert (regions.boxes[:, 0] > 160).any()
    assert (regions.boxes[:, 1] > 110).any()


def test_without_tiles_a_large_photo_is_shown_whole(detector):
    regions = YoloProposer(detector, device="cpu", imgsz=128, tile=0, conf=0.01).propose(photo(600, 300))
    assert len(regions)
    assert inside(regions.boxes, 600, 300)
    assert regions.boxes[:, 2].max() > 400


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (33, 31)])
def test_tiny_and_thin_photos_are_no_trouble(detector, size):
    YoloProposer(detector, device="cpu", imgsz=64).propose(photo(*size))


def test_masks_become_outlines_inside_their_boxes(segmenter):
    proposer = YoloProposer(segmenter, device="cpu", imgsz=160, tile=160, conf=0.01, max_det=60)
    regions = proposer.propose(photo(240, 160))
    outlined = [(box, o) for box, o in zip(regions.boxes, regions.outlines, strict=True) if o is not None]
    assert outlined
    for box, outline in outlined:
        assert (outline.min(0) >= box[:2] - 3).all()
        assert (outline.max(0) <= box[2:] + 3).all()


def test_a_cap_that_cut_results_is_told(detector, segmenter):
    for path in (detector, segmenter):
        capped = YoloProposer(path, device="cpu", imgsz=160, conf=0, iou=1, max_det=25).propose(photo(150, 120))
        assert any("cap of 25" in note for note in capped.notes), path
        assert capped.at_cap
        free = YoloProposer(path, device="cpu", imgsz=64, conf=0.999, max_det=25).propose(photo(60, 60))
        assert free.notes == ()
        assert not free.at_cap


def test_more_than_three_hundred_regions_are_possible(detector):
    regions = YoloProposer(detector, device="cpu", imgsz=320, conf=0, iou=1, max_det=2000).propose(photo(320, 320))
    assert len(regions) > 300


def test_threads_that_ask_at_once_get_what_each_gets_alone(detector):
    proposer = YoloProposer(detector, imgsz=160, tile=160, overlap=32, conf=0.01)
    pictures = [photo(300, 200), photo(220, 330), photo(160, 160), photo(401, 170)]
    alone = [proposer.propose(picture) for picture in pictures]
    assert proposer.concurrent
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(proposer.propose, pictures))
        for one, other in zip(alone, together, strict=True):
            assert len(one) == len(other) > 0
            np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-2)
            np.testing.assert_allclose(one.objectness, other.objectness, atol=1e-4)


def test_a_folder_of_yaml_and_safetensors_is_the_same_model(detector, folder):
    saved = save_model_folder(detector, folder / "insects", imgsz=160, conf=0.01)
    from_pickle = YoloProposer(detector, device="cpu", imgsz=160, conf=0.01).propose(photo(200, 150))
    for path in (saved, saved / "model.safetensors", saved / "model.yaml"):
        proposer = get_proposer(path, device="cpu")
        assert (proposer.settings.imgsz, proposer.settings.tile, proposer.settings.conf) == (160, 160, 0.01)
        np.testing.assert_allclose(proposer.propose(photo(200, 150)).boxes, from_pickle.boxes, atol=0.01)


def test_a_segmentation_folder_keeps_its_outlines(segmenter, folder):
    saved = save_model_folder(segmenter, folder / "outlines")
    regions = YoloProposer(saved, device="cpu", imgsz=96, conf=0.01, max_det=20).propose(photo(90, 90))
    assert regions.outlines is not None


def test_fastsam_runs_from_a_segmentation_checkpoint(folder):
    one_class = ultralytics.utils.ROOT / "cfg/models/v8/yolov8-seg.yaml"
    text = one_class.read_text(encoding="utf-8").replace("nc: 80", "nc: 1")
    (folder / "yolov8n-seg.yaml").write_text(text, encoding="utf-8")
    model = untrained(str(folder / "yolov8n-seg.yaml"))
    model.save(folder / "FastSAM-s.pt")
    proposer = get_proposer(folder / "FastSAM-s.pt", device="cpu")
    assert proposer.settings.imgsz == 1024
    regions = YoloProposer(folder / "FastSAM-s.pt", device="cpu", imgsz=96, conf=0.01, max_det=20).propose(
        photo(90, 90)
    )
    assert regions.outlines is not None


def test_rt_detr_runs_and_tells_its_own_cap(folder):
    model = ultralytics.RTDETR("rtdetr-l.yaml")
    saved = save_model_folder(model, folder / "rtdetr")
    regions = YoloProposer(saved, device="cpu", imgsz=160, conf=0, iou=1).propose(photo(150, 150))
    assert any("300 regions" in note for note in regions.notes)


def test_oriented_boxes_come_with_their_corners(folder):
    saved = save_model_folder(untrained("yolo11n-obb.yaml"), folder / "oriented")
    regions = YoloProposer(saved, device="cpu", imgsz=96, conf=0.01, max_det=20).propose(photo(90, 90))
    assert all(o.shape == (4, 2) for o in regions.outlines)


@pytest.fixture(scope="module")
def oriented(folder: Path) -> Path:
    return save_model_folder(untrained("yolo11n-obb.yaml"), folder / "turned")


@pytest.mark.parametrize("model", ["detector", "segmenter", "oriented"])
@pytest.mark.parametrize(("views", "flip"), [(2, (-1, 1)), (4, (1, -1)), (4, (-1, -1))])
def test_in_all_views_a_mirrored_photo_gives_the_same_regions_mirrored(request, model, views, flip):
    # An untrained network is equally sure of nearly everything, so the last digit would decide what is averaged with
    # what: of plain boxes none is averaged here.
    iou = 1.0 if model == "detector" else None
    proposer = YoloProposer(
        request.getfixturevalue(model), device="cpu", imgsz=96, conf=0.01, max_det=1000, views=views, iou=iou
    )
    pixels = photo(96, 80).pixels
    seen = proposer.propose_pixels(pixels)
    mirrored = proposer.propose_pixels(np.ascontiguousarray(pixels[:: flip[1], :: flip[0]]))
    back = mirrored.placed((96 if flip[0] < 0 else 0, 80 if flip[1] < 0 else 0), flip)
    assert len(seen)
    assert inside(seen.boxes, 96, 80)
    np.testing.assert_allclose(np.sort(seen.objectness), np.sort(back.objectness), atol=1e-4)
    for regions in (seen, back):
        assert regions.outlines is None or len(regions.outlines) == len(regions)
    nearest = np.abs(seen.boxes[:, None] - back.boxes[None]).max(axis=2).min(axis=1)
    assert (nearest < 0.1).all()


def test_boxes_of_one_thing_are_averaged_and_few_views_are_less_sure(detector):
    settings = {"device": "cpu", "imgsz": 96, "conf": 0.01}
    every = YoloProposer(detector, iou=1.0, **settings).propose(photo(96, 80))
    once = YoloProposer(detector, iou=0.5, **settings).propose(photo(96, 80))
    known = {tuple(box) for box in every.boxes.round(3)}
    assert len(once) < len(every)
    assert any(tuple(box) not in known for box in once.boxes.round(3))
    assert once.objectness.max() == pytest.approx(every.objectness.max())
    four = YoloProposer(detector, iou=0.5, views=4, **settings).propose(photo(96, 80))
    assert four.objectness.max() <= every.objectness.max() + 1e-6


def test_a_model_that_needs_words_says_what_is_missing(folder):
    ultralytics.YOLOE("yoloe-11s-seg.yaml").save(folder / "yoloe-11s-seg.pt")
    with pytest.raises(ModelError, match=r"CLIP package.*prompt-free"):
        YoloProposer(folder / "yoloe-11s-seg.pt", device="cpu").propose(photo(50, 50))
    regions = YoloProposer(folder / "yoloe-11s-seg.pt", words=(), device="cpu", imgsz=64).propose(photo(50, 50))
    assert regions.notes == ()


def test_a_model_without_boxes_is_refused(folder):
    ultralytics.YOLO("yolo11n-cls.yaml").save(folder / "classes.pt")
    with pytest.raises(ModelError, match="gives no boxes"):
        YoloProposer(folder / "classes.pt", device="cpu").propose(photo(50, 50))


@pytest.mark.parametrize("content", [b"", b"no model at all", b"PK\x03\x04 cut short"])
def test_a_damaged_checkpoint_says_which_file(folder, content):
    (folder / "bad.pt").write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.pt"):
        YoloProposer(folder / "bad.pt", device="cpu").propose(photo(50, 50))


def test_a_checkpoint_that_would_run_a_program_is_not_opened(folder):
    class Evil:
        def __reduce__(self):
            return Path.touch, (folder / "was_here",)

    torch.save({"model": Evil()}, folder / "evil.pt")
    with pytest.raises(ModelError, match=r"evil\.pt"):
        YoloProposer(folder / "evil.pt", device="cpu").propose(photo(50, 50))
    assert not (folder / "was_here").exists()


def test_an_architecture_without_weights_is_refused(folder):
    (folder / "bare").mkdir()
    (folder / "bare" / "model.yaml").write_text("nc: 1", encoding="utf-8")
    with pytest.raises(ModelError, match=r"model\.safetensors is missing"):
        YoloProposer(folder / "bare" / "model.yaml", device="cpu").propose(photo(50, 50))


def test_a_name_that_nobody_knows_lists_those_that_work():
    with pytest.raises(ModelError, match=r"no proposer 'my-insects\.pt'.*contrast.*FastSAM-s\.pt"):
        get_proposer("my-insects.pt")


def test_without_a_network_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("AGRI_CLIP_MODELS", str(tmp_path / "kept"))
    monkeypatch.setenv("YOLO_OFFLINE", "1")
    for scheme in ("http_proxy", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(scheme, "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(ModelError, match=r"agri-clip models fetch yolo11x\.pt.*put it at .*kept") as raised:
        get_proposer("yolo11x.pt")
    assert "https://github.com/ultralytics/assets" in str(raised.value)
    assert not list((tmp_path / "kept").glob("*.pt*"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"tile": 100, "overlap": 100},
        {"conf": 2},
        {"imgsz": 0},
        {"max_det": 0},
        {"confidence": 0.2},
        {"looks": (8,)},
        {"looks": (0.5,)},
        {"whole": -1},
        {"views": 3},
    ],
)
def test_settings_that_make_no_sense_are_refused(detector, wrong):
    with pytest.raises(AgriClipError, match="setting"):
        YoloProposer(detector, **wrong)


def test_nothing_is_printed_sent_or_left_in_the_users_configuration(detector, tmp_path):
    """A fresh process, as a user's would be, with every look-up of a name counted."""
    script = f"""
import socket
asked = []
socket.getaddrinfo = lambda *a, **k: asked.append(a) or (_ for _ in ()).throw(OSError("no network"))
from agri_clip.regions.yolo import YoloProposer
from agri_clip.photos.photo import Photo
import numpy as np
YoloProposer({str(detector)!r}, device="cpu", imgsz=64).propose(Photo(np.zeros((64, 64, 3), np.uint8), "p"))
from ultralytics.utils import SETTINGS
from ultralytics.utils.events import events
assert not asked, asked
assert not SETTINGS["sync"] and not events.enabled
"""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "MPLCONFIGDIR": matplotlib.get_configdir(),  # else matplotlib would make its list of fonts anew, for seconds
    }
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    left = {p.relative_to(tmp_path).parts[:2] for p in tmp_path.rglob("*") if p.is_file()}
    assert left <= {(".cache", "agri_clip")}
