"""Fits the objectness of the proposer `contrast` on labelled photos and writes the numbers it loads.

    python -m fine_tune.contrast_objectness --coco train.json --images folder --out FILE

Every photo is used as it is and in changed forms (smaller, larger, colours exchanged or inverted), so that the fitted
scores depend on contrast and form rather than on the colour or the pixel size of one kind of trap.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch

from agri_clip.regions.contrast import ContrastProposer, measure_candidates
from agri_clip.regions.contrast_features import FEATURE_NAMES
from agri_clip.regions.merging import iou_matrix
from fine_tune.synthetic import render_trap

RENDERED_KINDS = ("yellow", "blue", "white", "clear", "delta", "pan water", "leaf", "soil")

WIDTHS = (32, 16)
"""Hidden units of the two layers."""

FORMS = ("plain", "small", "large", "blue", "grey", "negative")
"""What a photo is turned into; see `change_photo`."""


def change_photo(pixels: np.ndarray, boxes: np.ndarray, form: str) -> tuple[np.ndarray, np.ndarray]:
    """One changed form of a photo and its boxes.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
    boxes : ndarray, shape (n, 4)
        xyxy.
    form : str
        One of `FORMS`: "plain" leaves it, "small" and "large" scale it by 0.5 and 1.6, "blue" exchanges red and blue
        (yellow cards turn blue), "grey" drops the colour, "negative" inverts it (light insects on a dark card).
    """
    if form in ("small", "large"):
        factor = 0.5 if form == "small" else 1.6
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=method), boxes * factor
    if form == "blue":
        return np.ascontiguousarray(pixels[..., ::-1]), boxes
    if form == "grey":
        return cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), boxes
    if form == "negative":
        return 255 - pixels, boxes
    return pixels, boxes


def read_coco(file: Path, images: Path) -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
    """Pixels (h, w, 3), boxes (n, 4) xyxy and file name of each photo of a COCO file."""
    coco = json.loads(file.read_text("utf-8"))
    for image in coco["images"]:
        boxes = [a["bbox"] for a in coco["annotations"] if a["image_id"] == image["id"]]
        corners = np.array(boxes, np.float64).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        pixels = cv2.imread(str(images / image["file_name"]), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if pixels is None:
            raise FileNotFoundError(f"{images / image['file_name']}: cannot be read")
        yield cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), corners, image["file_name"]


def draw_shapes(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A plain picture of ellipses, some with legs or touching, between printed lines and words.

    Real traps hold no such thing; it keeps the fitted scores sensible on what is clearer than any insect.

    Returns
    -------
    pixels : ndarray, shape (h, w, 3), uint8
    boxes : ndarray, shape (n, 4)
        xyxy of the ellipses with their legs.
    """
    height, width = int(rng.integers(500, 1100)), int(rng.integers(500, 1100))
    ground = rng.uniform(10, 245, 3)
    pixels = np.broadcast_to(ground.astype(np.uint8), (height, width, 3)).copy()
    ink = _unlike(rng, ground)
    for at in rng.integers(0, width, 2).tolist():
        cv2.line(pixels, (at, 0), (at, height), ink, int(rng.integers(1, 5)))
    place = (int(rng.integers(0, width // 2)), int(rng.integers(60, height)))
    cv2.putText(pixels, "TRAP 27", place, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.6, 3), ink, int(rng.integers(2, 7)))
    boxes: list[np.ndarray] = []
    typical = np.exp(rng.uniform(np.log(7), np.log(90)))
    for _ in range(int(rng.integers(4, 30))):
        long = float(np.clip(typical * np.exp(rng.normal(0, 0.4)), 6, 0.2 * min(height, width)))
        wide, turn = long * rng.uniform(0.35, 1.0), rng.uniform(0, np.pi)
        centre = rng.uniform(long, (width - long, height - long))
        half = np.hypot((long * np.cos(turn), long * np.sin(turn)), (wide * np.sin(turn), wide * np.cos(turn)))
        box = np.concatenate([centre - half, centre + half + 1])
        if any(_near(box, other, 0.3 if rng.random() < 0.2 else 1.2) for other in boxes):
            continue
        colour = _unlike(rng, ground)
        if rng.random() < 0.5:
            for angle in turn + rng.uniform(0, 2 * np.pi, 6):
                tip = np.clip(centre + 1.3 * half * (np.cos(angle), np.sin(angle)), 0, (width - 1, height - 1))
                cv2.line(pixels, _point(centre), _point(tip), colour, max(1, int(wide / 10)), cv2.LINE_AA)
                box = np.concatenate([np.minimum(box[:2], tip), np.maximum(box[2:], tip + 1)])
        axes = (max(1, round(long)), max(1, round(wide)))
        cv2.ellipse(pixels, _point(centre), axes, float(np.degrees(turn)), 0, 360, colour, -1, cv2.LINE_AA)
        boxes.append(box)
    soft = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), rng.uniform(0.5, 1.5))
    noisy = soft + rng.normal(0, rng.uniform(1, 9), pixels.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), np.array(boxes, np.float64).reshape(-1, 4)


def _unlike(rng: np.random.Generator, ground: np.ndarray) -> tuple[float, float, float]:
    """A colour well apart from the ground's."""
    while True:
        colour = rng.uniform(0, 255, 3)
        if np.abs(colour - ground).sum() > 150:
            return tuple(colour.tolist())


def _near(a: np.ndarray, b: np.ndarray, share: float) -> bool:
    """Whether the centres of two boxes lie within `share` of their mean size of each other, along both axes."""
    return bool((np.abs(a[:2] + a[2:] - b[:2] - b[2:]) < share * (a[2:] - a[:2] + b[2:] - b[:2])).all())


def _point(place: np.ndarray) -> tuple[int, int]:
    """Whole pixels."""
    return round(float(place[0])), round(float(place[1]))


def draw_trap(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A rendered trap, leaf or soil photo of any kind and scale, and its boxes."""
    photo = render_trap(
        rng,
        kind=str(rng.choice(RENDERED_KINDS)),
        mm_per_pixel=float(np.exp(rng.uniform(np.log(0.03), np.log(0.1)))),
        dirt=float(rng.uniform(0, 8)),
        drops=int(rng.integers(0, 12)),
    )
    return photo.pixels, photo.boxes.astype(np.float64)


def measure_photo(
    pixels: np.ndarray, boxes: np.ndarray, proposer: ContrastProposer
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidates' boxes (n, 4), features (n, k) and best IoU with a label (n,)."""
    parts = list(measure_candidates(pixels, proposer))
    found = np.concatenate([part.boxes for part in parts])
    features = np.concatenate([part.features for part in parts])
    best = iou_matrix(found, boxes).max(axis=1) if len(boxes) and len(found) else np.zeros(len(found))
    return found, features, best


def goal(overlap: np.ndarray) -> np.ndarray:
    """What objectness is fitted to: 0 below an IoU of 0.3 with any label, 1 from 0.8, straight between."""
    return np.clip((overlap - 0.3) / 0.5, 0.0, 1.0)


def fit(pictures: list[tuple[np.ndarray, np.ndarray]], epochs: int = 30, seed: int = 0) -> dict[str, object]:
    """Fit the perceptron.

    Parameters
    ----------
    pictures : list of (ndarray of shape (n, k), ndarray of shape (n,))
        Features and goals of each picture's candidates. A picture weighs as the square root of their number, so that
        a few dirty ones do not decide alone.
    epochs : int
    seed : int

    Returns
    -------
    dict
        What `ObjectnessModel.load` reads, less the list of features.
    """
    torch.manual_seed(seed)
    pictures = [picture for picture in pictures if len(picture[0])]
    features, goals = (np.concatenate([picture[i] for picture in pictures]) for i in (0, 1))
    weight = np.concatenate([np.full(len(picture[0]), len(picture[0]) ** -0.5) for picture in pictures])
    w = torch.from_numpy((weight / weight.mean()).astype(np.float32))
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    x = torch.from_numpy(np.clip((features - mean) / scale, -5, 5).astype(np.float32))
    y = torch.from_numpy(goals.astype(np.float32))
    sizes = (x.shape[1], *WIDTHS, 1)
    linear = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
    steps: list[torch.nn.Module] = []
    for layer in linear:
        steps += [layer, torch.nn.ReLU()]
    network = torch.nn.Sequential(*steps[:-1])
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    batch = 2048
    per_epoch = -(-len(x) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=epochs * per_epoch)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(network(x[rows])[:, 0], y[rows], w[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    layers = [
        {"weights": _rounded(layer.weight.detach().numpy().T), "bias": _rounded(layer.bias.detach().numpy())}
        for layer in linear
    ]
    return {"mean": _rounded(mean), "scale": _rounded(scale), "layers": layers}


def _rounded(values: np.ndarray) -> list[object]:
    """Nested lists with five significant digits, to keep the file small."""
    return np.vectorize(lambda v: float(f"{v:.5g}"))(values).tolist()


def training_photos(arguments: argparse.Namespace) -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
    """Pixels, boxes and a name of every picture that the scores are fitted to."""
    for file, images in zip(arguments.coco, arguments.images, strict=True):
        for number, (pixels, boxes, name) in enumerate(read_coco(file, images)):
            if number % arguments.every:
                continue
            yield pixels, boxes, f"{name}:plain"
            form = FORMS[1 + zlib.crc32(name.encode()) % (len(FORMS) - 1)]
            yield *change_photo(pixels, boxes, form), f"{name}:{form}"
    for number in range(arguments.rendered):
        yield *draw_trap(np.random.default_rng((arguments.seed, 0, number))), f"{number}:rendered"
    for number in range(arguments.shapes):
        yield *draw_shapes(np.random.default_rng((arguments.seed, 1, number))), f"{number}:shapes"


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, action="append", default=[], help="COCO file, may be repeated")
    parser.add_argument("--images", type=Path, action="append", default=[], help="its photos, as often as --coco")
    parser.add_argument("--every", type=int, default=5, help="use every n-th photo of a COCO file")
    parser.add_argument("--rendered", type=int, default=32, help="rendered traps beside the photos")
    parser.add_argument("--shapes", type=int, default=24, help="pictures of plain shapes beside the photos")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args(words)


def main() -> None:
    """Read the arguments, measure, fit, write."""
    arguments = parse_arguments()
    proposer = ContrastProposer(outlines=False)
    pictures = []
    for pixels, boxes, _ in training_photos(arguments):
        _, measured, overlap = measure_photo(pixels, boxes, proposer)
        pictures.append((measured, goal(overlap)))
    fitted = fit(pictures, seed=arguments.seed)
    text = json.dumps({"features": list(FEATURE_NAMES), **fitted}, separators=(",", ":"))
    arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
