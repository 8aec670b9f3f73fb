"""YoloProposer: regions from any ultralytics model, run slice by slice, its classes dropped. Part of step 1."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.special import expit, logit

from agri_clip.errors import AgriClipError, ModelError
from agri_clip.models.devices import choose_device
from agri_clip.photos.photo import Photo
from agri_clip.regions.base import Regions
from agri_clip.regions.looks import Look, coarse_scales, join_looks
from agri_clip.regions.merging import fuse_views
from agri_clip.regions.tiling import propose_in_tiles
from agri_clip.regions.yolo_models import (
    fingerprint,
    import_ultralytics,
    keep_threads,
    load_model,
    obtain_weights,
    read_settings,
)

# ultralytics looks at this many candidates of one picture at most, the best; its NMS has no option for it.
MAX_CANDIDATES = 30_000
# Inputs up to this side have fewer places than that (one for every 8, 16 and 32 pixels).
SAFE_IMGSZ = 1208
# Views of a slice by their number: the factors of x and y, -1 where mirrored.
VIEWS = {1: ((1, 1),), 2: ((1, 1), (-1, 1)), 4: ((1, 1), (-1, 1), (1, -1), (-1, -1))}


# Loading changes ultralytics and torch for its time.
_LOADING = threading.Lock()


@dataclass(frozen=True)
class YoloSettings:
    """What changes the regions that one model gives.

    Attributes
    ----------
    imgsz : int
        Side of the network's input in pixels.
    tile : int
        Side in photo pixels of the slices that a larger photo is cut into; 0 shows it whole, shrunk to `imgsz`.
    overlap : int
        Least overlap of neighbouring slices in photo pixels; no insect should be longer.
    conf : float
        Least confidence of a region, 0 to 1. Low, because later steps reject what is no insect.
    iou : float
        Regions that overlap by more are one: their boxes are averaged by `fuse_views`; of those with masks or turned
        boxes, and where slices or looks overlap, the best stays.
    max_det : int
        Most regions that one slice may give; ultralytics' own default is 300. Where it is reached, the notes say so.
    whole : int
        A photo whose long side is no longer than this, in pixels, is not cut and not shrunk. 0 cuts it like all others.
    looks : tuple of int
        Long sides, in pixels, to which the whole photo is shrunk for coarse looks beside the slices: for insects that
        are longer than `overlap`, up to those that fill the photo. `agri_clip.regions.looks` joins them.
    views : int
        Views of each slice that the network sees, averaged: 1, 2 (also mirrored) or 4 (both also upside down). Takes
        that many times as long. The confidence is the mean of all views, so what only one of two shows has half of it.
    calibration : tuple of float
        Slope and intercept that turn the log odds of the confidence into those of objectness; fitted on labelled photos
        they make it the share of such regions that show an insect. The default leaves the confidence as it is.
    """

    imgsz: int = 640
    tile: int = 640
    overlap: int = 128
    conf: float = 0.1
    iou: float = 0.6
    max_det: int = 1000
    whole: int = 0
    looks: tuple[int, ...] = ()
    views: int = 1
    calibration: tuple[float, float] = (1.0, 0.0)

    def __post_init__(self) -> None:
        if self.imgsz < 32 or self.tile < 0 or (self.tile and not 0 <= self.overlap < self.tile) or self.max_det < 1:
            raise AgriClipError(
                f"proposer settings do not fit: imgsz {self.imgsz} (32 or more), tile {self.tile} (0 for none),"
                f" overlap {self.overlap} (smaller than the tile), max_det {self.max_det} (1 or more)"
            )
        if not (0 <= self.conf <= 1 and 0 <= self.iou <= 1):
            raise AgriClipError(f"proposer settings conf {self.conf} and iou {self.iou} must be between 0 and 1")
        if self.whole < 0 or not all(isinstance(side, int) and side >= 32 for side in self.looks):
            raise AgriClipError(
                f"proposer settings do not fit: whole {self.whole} (0 or more), looks {self.looks} (each 32 or more)"
            )
        if self.views not in VIEWS:
            raise AgriClipError(f"proposer setting views is {self.views}; use one of {', '.join(map(str, VIEWS))}")
        if len(self.calibration) != 2 or self.calibration[0] <= 0:
            raise AgriClipError(
                f"proposer setting calibration {self.calibration} must be a slope above 0 and an intercept"
            )


class YoloProposer:
    """Regions from an ultralytics model: YOLO (detection, segmentation, oriented boxes), RT-DETR, FastSAM, SAM, YOLOE.

    What the model calls the things it finds is dropped; its confidence is the objectness; masks become outlines.

    Opening a pickled checkpoint (``.pt``) can run what its author put into it. ultralytics' list of allowed classes is
    therefore in force, and such a file is opened only because you name it here; the models that ship are safetensors.

    Parameters
    ----------
    model : str or Path
        A checkpoint, an exported ``.onnx``, a folder with ``model.yaml`` and ``model.safetensors``, or a name that
        ultralytics offers (``"FastSAM-s.pt"``, ``"yolo11n.pt"``), which it downloads once.
    words : sequence of str
        What to look for with models that need words (YOLOE except its ``-pf`` kind, YOLO-World).
    device : str or None
        As for `agri_clip.models.devices.choose_device`.
    settings
        `YoloSettings` by name; else the model folder's own, else the defaults (FastSAM and SAM: imgsz and tile 1024, as
        they were trained on).

    Attributes
    ----------
    name, version : str
        As `Proposer` asks: the version holds ultralytics' version, the hash of the weights, and the settings.
    calibrated, concurrent : bool
        As `Proposer` says. Threads that ask it at once each have a network of their own: ultralytics' keep state.

    Raises
    ------
    ModelError
        No such model, no network to download it, or a file that ultralytics cannot load.
    AgriClipError
        Settings that do not fit together.
    """

    def __init__(
        self,
        model: str | Path = "FastSAM-s.pt",
        *,
        words: Sequence[str] = ("insect",),
        device: str | None = None,
        **settings: Any,
    ) -> None:
        self.name = str(model)
        self.path = obtain_weights(str(model))
        self.words = tuple(words)
        self.device = device
        self.settings = _settings_for(self.path, settings)
        self.calibrated = self.settings.calibration != YoloSettings().calibration
        self._idle: list[Any] = []
        chosen = " ".join(f"{key}={value}" for key, value in asdict(self.settings).items())
        self.version = f"ultralytics {version('ultralytics')} weights {fingerprint(self.path)} {chosen}"

    def propose(self, photo: Photo) -> Regions:
        """Regions of one photo, best first; the notes say where a cap cut them."""
        return self.propose_pixels(photo.pixels)

    def propose_pixels(self, pixels: np.ndarray) -> Regions:
        """As `propose`, for pixels (h, w, 3) uint8 RGB."""
        settings = self.settings
        height, width = pixels.shape[:2]
        with self._network() as model:
            coarse = coarse_scales(width, height, settings.looks, settings.imgsz)
            looks = [Look(self._read(pixels, model), 1.0), *(self._look(pixels, scale, model) for scale in coarse)]
        return join_looks(looks, settings.iou)

    @property
    def concurrent(self) -> bool:
        """As `Proposer` says."""
        return choose_device(self.device).type == "cpu"

    def _read(self, pixels: np.ndarray, model: Any) -> Regions:
        """Regions of the photo at its own scale: in slices, or whole where it is small."""
        settings = self.settings
        longest = max(pixels.shape[:2])
        if longest <= settings.whole:
            return self._propose_tile(pixels, model, max(settings.imgsz, _input_side(longest)))
        return propose_in_tiles(
            pixels,
            partial(self._propose_tile, model=model, imgsz=settings.imgsz),
            tile=settings.tile or longest,
            overlap=settings.overlap if settings.tile else 0,
            threshold=settings.iou,
        )

    def _look(self, pixels: np.ndarray, scale: float, model: Any) -> Look:
        """Regions of the whole photo, shrunk; in photo pixels."""
        size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
        side = min(self.settings.imgsz, _input_side(max(size)))  # ultralytics would blow a smaller picture up
        found = propose_in_tiles(
            cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR),
            partial(self._propose_tile, model=model, imgsz=side),
            tile=self.settings.imgsz,
            overlap=min(self.settings.overlap, self.settings.imgsz - 1),
            threshold=self.settings.iou,
        )
        return Look(found.placed(scale=(pixels.shape[1] / size[0], pixels.shape[0] / size[1])), scale)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_idle": []}  # workers load the network for themselves

    @contextmanager
    def _network(self) -> Iterator[Any]:
        """A network that nobody else uses meanwhile: one that is idle, or another one."""
        try:
            model = self._idle.pop()
        except IndexError:
            model = self.load()
        try:
            yield model
        finally:
            self._idle.append(model)

    def load(self) -> Any:
        """Another network of this model, which knows the words.

        Raises
        ------
        ModelError
            As for the class.
        """
        with _LOADING:
            model = load_model(self.path)
        net = model.model
        promptable = hasattr(net, "set_classes") and not hasattr(getattr(net, "model", [None])[-1], "lrpc")
        if promptable and self.words:
            _tell_words(model, self.words, self.name)
        return model

    def _propose_tile(self, tile: np.ndarray, model: Any, imgsz: int) -> Regions:
        """Regions of one slice, in its pixels: of all its views, fused, with calibrated confidence."""
        settings = self.settings
        views, most = [], 0
        for x, y in VIEWS[settings.views]:
            found, count = self._propose_view(np.ascontiguousarray(tile[::y, ::x]), model, imgsz)
            views.append(found.placed((tile.shape[1] if x < 0 else 0, tile.shape[0] if y < 0 else 0), (x, y)))
            most = max(most, count)
        fused = fuse_views(views, settings.iou)
        fused = fused[fused.objectness >= settings.conf]
        notes, at_cap = self._notes(most, len(fused), model)
        fused = fused[: settings.max_det]
        slope, intercept = settings.calibration
        odds = logit(np.clip(fused.objectness.astype(np.float64), 1e-6, 1 - 1e-6))
        return Regions(fused.boxes, expit(slope * odds + intercept), fused.outlines, notes, at_cap)

    def _propose_view(self, tile: np.ndarray, model: Any, imgsz: int) -> tuple[Regions, int]:
        """Run the network on one view of a slice.

        Returns
        -------
        Regions
            In the view's pixels; objectness is the bare confidence.
        int
            How many the network gave, those whose mask is empty included.
        """
        shrink = min(1.0, imgsz / max(tile.shape[:2]))
        if shrink < 1:  # area averaging keeps small insects that ultralytics' own bilinear shrinking would skip over
            size = [max(1, round(side * shrink)) for side in tile.shape[1::-1]]
            seen = cv2.resize(tile, size, interpolation=cv2.INTER_AREA)
        else:
            seen = tile
        scale = np.array([tile.shape[1] / seen.shape[1], tile.shape[0] / seen.shape[0]], np.float32)
        result, before_masks = self._predict(np.ascontiguousarray(seen[..., ::-1]), model, imgsz)
        found = result.obb if result.obb is not None else result.boxes
        count = max(before_masks, 0 if found is None else len(found))
        if found is None or not len(found):
            return Regions.empty(), count
        boxes = found.xyxy.cpu().numpy().astype(np.float32) * np.tile(scale, 2)
        boxes = np.clip(boxes, 0, np.tile([tile.shape[1], tile.shape[0]], 2))
        outlines: tuple[np.ndarray | None, ...] | None = None
        if result.obb is not None:
            outlines = tuple(corners * scale for corners in found.xyxyxyxy.cpu().numpy())
        elif result.masks is not None:
            outlines = tuple((o * scale).astype(np.float32) if len(o) >= 3 else None for o in result.masks.xy)
        return Regions(boxes, found.conf.cpu().numpy(), outlines), count

    def _predict(self, bgr: np.ndarray, model: Any, imgsz: int) -> tuple[Any, int]:
        """ultralytics' result for one picture, and how many regions there were before empty masks went.

        One picture at a time: its NMS gives up after a time limit, but only between the pictures of a batch. It is told
        to drop nothing where boxes will be averaged; masks are too costly for that.
        """
        settings = self.settings
        options: dict[str, Any] = {
            "imgsz": imgsz,
            "conf": settings.conf / settings.views,
            "iou": settings.iou if _has_outlines(model) else 1.0,
            "max_det": settings.max_det if _has_outlines(model) else MAX_CANDIDATES,
            "agnostic_nms": True,
            "retina_masks": True,
            "device": str(choose_device(self.device)),
            "verbose": False,
            "save": False,
        }
        if type(model).__name__ != "SAM":  # which takes no predictor of ours and drops no masks
            options["predictor"] = _counting(model.task_map[model.task]["predictor"])
        keep_threads()
        try:
            (result,) = model.predict(bgr, **options)
        except (RuntimeError, ImportError, TypeError, ValueError) as error:
            raise ModelError(f"{self.name}: ultralytics failed while it ran: {error}") from error
        counts = getattr(model.predictor, "counts", [])
        return result, counts[-1] if counts else 0

    def _notes(self, given: int, fused: int, model: Any) -> tuple[tuple[str, ...], bool]:
        """Notes on the caps that one slice met, and whether regions may be missing for it.

        Parameters
        ----------
        given, fused : int
            Regions that the network gave, and how many they became.
        model : ultralytics model
        """
        notes = []
        cap = self.settings.max_det
        net = getattr(model.model, "model", None)
        queries = getattr(net[-1], "num_queries", None) if net is not None else None
        if queries is not None and queries < cap and given >= queries:
            notes.append(
                f"{self.name} can give {queries} regions of one slice at most and reached that; some may be missing "
                "(smaller tiles give it more slices)"
            )
        elif fused >= cap or (_has_outlines(model) and given >= cap):
            notes.append(
                f"{self.name} reached its cap of {cap} regions in one slice; some may be missing "
                "(raise max_det or conf, or use smaller tiles)"
            )
        at_cap = bool(notes)
        if self.settings.imgsz > SAFE_IMGSZ:
            notes.append(
                f"with inputs of {self.settings.imgsz} pixels ultralytics weighs only the {MAX_CANDIDATES} best "
                "candidates of one slice (use tiles and a smaller imgsz)"
            )
        return tuple(notes), at_cap


def fetch(name: str, words: Sequence[str] = ("insect",)) -> Path:
    """Download what `YoloProposer` needs to run `name` later without a network, its text model too if it has one.

    Raises
    ------
    ModelError
        As for `YoloProposer`.
    """
    proposer = YoloProposer(name, words=words)
    proposer.load()
    return proposer.path


def _input_side(longest: int) -> int:
    """The side of a network's input that holds a picture of this long side: networks shrink by up to 32."""
    return -(-longest // 32) * 32


def _has_outlines(model: Any) -> bool:
    return model.task in {"segment", "obb"}


def _tell_words(model: Any, words: tuple[str, ...], name: str) -> None:
    """Tell a YOLOE or YOLO-World model what to look for, by ultralytics' text models.

    Raises
    ------
    ModelError
        Its CLIP package or text model is not here.
    """
    if find_spec("clip") is None:
        raise ModelError(
            f"{name} needs ultralytics' own CLIP package to understand words; with a network run `pip install "
            f"git+https://github.com/ultralytics/CLIP.git`, or use the prompt-free kind, whose name ends in -pf.pt"
        )
    if type(model).__name__ == "YOLOE":
        kind = getattr(model.model, "text_model", "mobileclip:blt")
        obtain_weights("mobileclip2_b.ts" if kind.startswith("mobileclip2") else "mobileclip_blt.ts")
    try:
        model.set_classes(list(words))
    except Exception as error:  # TorchScript, downloads and missing packages fail in ways of their own
        raise ModelError(f"{name}: its text model cannot read {', '.join(words)!r}: {error}") from error


def _settings_for(path: Path, given: dict[str, Any]) -> YoloSettings:
    """Settings that the user gave, over those of the model's folder, over the defaults of its family."""
    known = {field.name for field in fields(YoloSettings)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise AgriClipError(f"a YOLO proposer has no setting {unknown[0]!r}; it has: {', '.join(sorted(known))}, words")
    defaults = YoloSettings()
    if path.stem.lower().startswith(("fastsam", "sam", "mobile_sam")):
        defaults = replace(defaults, imgsz=1024, tile=1024)
    own = {key: value for key, value in read_settings(path).items() if key in known}
    own |= {key: tuple(own[key]) for key in ("looks", "calibration") if key in own}  # YAML has lists only
    chosen = {**own, **{key: value for key, value in given.items() if value is not None}}
    if "imgsz" in chosen and "tile" not in chosen:
        chosen["tile"] = chosen["imgsz"]  # slices at the photo's own scale
    if "overlap" not in chosen and "tile" in chosen:
        chosen["overlap"] = chosen["tile"] // 5
    return replace(defaults, **chosen)


@lru_cache(maxsize=8)
def _counting(base: Any) -> type:
    """A predictor that also remembers how many regions NMS left, before those with an empty mask are dropped."""
    import_ultralytics()

    class Counting(base):
        counts: list[int]

        def construct_results(self, preds: Any, *args: Any, **kwargs: Any) -> Any:
            self.counts = [len(pred) for pred in preds]
            return super().construct_results(preds, *args, **kwargs)

    return Counting
