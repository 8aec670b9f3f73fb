"""Adapting the embedded proposer to one field: what it gains there, and what it loses elsewhere.

python benchmarks/adapt_proposer.py --photos DIR --json proposer.json    # DIR: val.json and images/

The photos are shown as an old trap camera would take them: few pixels, a cold cast, little contrast, noise. A few of
them are learnt from; the others, the same ones as they were, and rendered photos of every ground are measured on.
Without `--photos` the traps are rendered.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from agri_clip.photos.photo import Photo
from agri_clip.regions.yolo import YoloProposer
from benchmarks.adapt import as_old_camera
from benchmarks.labelled import LabelledSet, real_set, rendered_grounds, rendered_set, some_photos
from benchmarks.proposers import judge, set_figures
from fine_tune.adapt.proposer import ProposerRecipe, adapt_proposer
from fine_tune.synthetic import render_trap, split_rng

#: Longer side in pixels of what the old camera takes.
SEEN = 800
#: Rendered traps, where no photos are given; and photos of each kind of ground.
TRAPS, GROUNDS = 22, 3


def field_photos(photos: Path | None, seed: int) -> LabelledSet:
    """Traps of a folder with ``val.json`` and ``images``, or rendered ones."""
    if photos is not None:
        return real_set(photos / "val.json", photos / "images")
    return rendered_set([render_trap(split_rng("held-out", seed, i), kind="yellow") for i in range(TRAPS)], "trap")


def some(photos: LabelledSet, chosen: Sequence[int], seed: int, *, old: bool) -> LabelledSet:
    """The photos of these indices, and with `old` as the old camera takes them."""
    numbers = np.sort(chosen)
    truth, shown = some_photos(photos.truth, numbers), [photos.open_photo(i) for i in numbers.tolist()]
    if not old:
        return LabelledSet(truth, shown.__getitem__)
    scales = np.array([SEEN / max(photo.pixels.shape[:2]) for photo in shown])
    for i, number in enumerate(numbers.tolist()):
        small = cv2.resize(shown[i].pixels, None, fx=scales[i], fy=scales[i], interpolation=cv2.INTER_AREA)
        shown[i] = Photo(as_old_camera(small, split_rng("held-out", seed, 10_000 + number)), shown[i].name)
    sizes = np.array([photo.pixels.shape[1::-1] for photo in shown], np.int64)
    boxes = truth.boxes * scales[truth.photo_index][:, None]
    return LabelledSet(replace(truth, sizes=sizes, boxes=boxes), shown.__getitem__)


def write_coco(photos: LabelledSet, folder: Path) -> Path:
    """The photos as PNG files with a COCO file beside them, as a grower would have labelled them."""
    folder.mkdir(parents=True)
    truth = photos.truth
    for i in range(len(photos)):
        cv2.imwrite(str(folder / f"{i:03d}.png"), photos.open_photo(i).pixels[..., ::-1])
    images = [
        {"id": i, "file_name": f"{i:03d}.png", "width": int(width), "height": int(height)}
        for i, (width, height) in enumerate(truth.sizes)
    ]
    boxes = np.concatenate([truth.boxes[:, :2], truth.boxes[:, 2:] - truth.boxes[:, :2]], axis=1).tolist()
    annotations = [
        {"id": i, "image_id": int(owner), "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
        for i, (owner, box) in enumerate(zip(truth.photo_index, boxes, strict=True))
    ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "insect"}]}
    (folder / "labels.json").write_text(json.dumps(content), encoding="utf-8")
    return folder / "labels.json"


def main(
    photos: Annotated[
        Path | None, typer.Option(help="Folder with val.json and images/; rendered traps without.")
    ] = None,
    learnt: Annotated[int, typer.Option(min=2, help="Photos that are learnt from.")] = 8,
    steps: Annotated[int, typer.Option(min=1, help="Most optimiser steps.")] = ProposerRecipe.steps,
    seed: Annotated[int, typer.Option(help="Of photos and training.")] = 0,
    work: Annotated[Path | None, typer.Option(help="Folder of the run; a killed one goes on there.")] = None,
    out: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
) -> None:
    """Print AP50 and recall before and after; the exit status is 1 where the field is found worse than before."""
    field = field_photos(photos, seed)
    order = np.random.default_rng(seed).permutation(len(field)).tolist()
    if learnt >= len(field):
        raise typer.BadParameter(f"there are {len(field)} photos, and some must be left to measure on")
    sets = {
        "field": some(field, order[learnt:], seed, old=True),
        "as they were": some(field, order[learnt:], seed, old=False),
        "every ground": rendered_grounds(GROUNDS, seed + 1),
    }
    with tempfile.TemporaryDirectory() as place:
        folder = work or Path(place)
        coco = folder / "photos" / "labels.json"
        if not coco.is_file():
            write_coco(some(field, order[:learnt], seed, old=True), coco.parent)
        result = adapt_proposer(coco, folder / "adapted", recipe=replace(ProposerRecipe(seed=seed), steps=steps))
        figures: dict[str, Any] = {"result": {**asdict(result), "folder": result.folder.name}}
        for name, model in (("before", "insect-yolo"), ("after", str(result.folder))):
            proposer = YoloProposer(model)
            figures[name] = {part: set_figures(judge(proposer, tried)) for part, tried in sets.items()}
    text = json.dumps(figures, indent=1)
    typer.echo(text)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    if figures["after"]["field"]["ap50"]["value"] < figures["before"]["field"]["ap50"]["value"]:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
