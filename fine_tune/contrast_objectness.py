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


def fit(features: np.ndarray, goals: np.ndarray, epochs: int = 30, seed: int = 0) -> dict[str, object]:
    """Fit the perceptron.

    Parameters
    ----------
    features : ndarray, shape (n, k), float32
    goals : ndarray, shape (n,), 0 to 1
    epochs : int
    seed : int

    Returns
    -------
    dict
        What `ObjectnessModel.load` reads, less the list of features.
    """
    torch.manual_seed(seed)
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
            loss = torch.nn.functional.binary_cross_entropy_with_logits(network(x[rows])[:, 0], y[rows])
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


def main() -> None:
    """Read the arguments, measure, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, action="append", required=True, help="COCO file, may be repeated")
    parser.add_argument("--images", type=Path, action="append", required=True, help="its photos, as often as --coco")
    parser.add_argument("--forms-per-photo", type=int, default=2, help="changed forms of each photo beside itself")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    proposer = ContrastProposer(outlines=False)
    features, goals = [], []
    for file, images in zip(arguments.coco, arguments.images, strict=True):
        for pixels, boxes, name in read_coco(file, images):
            start = zlib.crc32(name.encode())
            changed = [FORMS[1 + (start + i) % (len(FORMS) - 1)] for i in range(arguments.forms_per_photo)]
            for form in ("plain", *changed):
                _, measured, overlap = measure_photo(*change_photo(pixels, boxes, form), proposer)
                features.append(measured)
                goals.append(goal(overlap))
    fitted = fit(np.concatenate(features), np.concatenate(goals))
    text = json.dumps({"features": list(FEATURE_NAMES), **fitted}, separators=(",", ":"))
    arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
