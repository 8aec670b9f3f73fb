"""Pictures of what the embedded models get wrong, for their cards: rendered crops and photos never trained on."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from agri_clip.encoders import Encoder
from agri_clip.evaluation.matching import match_boxes
from agri_clip.regions.yolo import YoloProposer
from agri_clip.report.fonts import draw_text
from agri_clip.scoring.score import LabelVectors, embed_prompts
from fine_tune.detector.photos import render_photo
from fine_tune.encoder.prompt_bank import group_prompts
from fine_tune.synthetic import GROUP_NAMES, render_crop, split_rng
from fine_tune.synthetic.scenes import PHOTO_KINDS

#: Side of a crop in the picture, and height of the words under it, pixels.
CELL, WORDS = 96, 18
#: Missed insects, and regions that show none.
MISSED, FALSE = (215, 40, 40), (30, 90, 220)


def name_crops(names: LabelVectors, encoder: Encoder, crops: Sequence[np.ndarray]) -> list[str]:
    """The label of a prompt set that each crop's vector is nearest to."""
    nearest = (encoder.encode_images(crops) @ names.vectors[: len(names.labels)].T).argmax(axis=1)
    return [names.labels[i] for i in nearest]


def naming_failures(
    encoder: Encoder, *, groups: int = 8, columns: int = 8, tried: int = 60, seed: int = 1
) -> np.ndarray:
    """Misnamed crops of the groups that are misnamed most, a row each, with what they were taken for.

    Parameters
    ----------
    groups, columns : int
        Rows, and crops in a row.
    tried : int
        Crops of each group that are rendered.

    Returns
    -------
    ndarray, shape (h, w, 3), uint8
        RGB.
    """
    names = embed_prompts(encoder, group_prompts(), others=())
    rows: list[tuple[float, str, list[tuple[np.ndarray, str]]]] = []
    for number, group in enumerate(GROUP_NAMES):
        crops = [render_crop(split_rng("held-out", seed, number * tried + i), group, CELL).pixels for i in range(tried)]
        wrong = [(c, name) for c, name in zip(crops, name_crops(names, encoder, crops), strict=True) if name != group]
        rows.append((len(wrong) / tried, group, wrong[:columns]))
    rows = sorted(rows, key=lambda row: -row[0])[:groups]
    label = 150
    sheet = Image.new("RGB", (label + columns * (CELL + 4), len(rows) * (CELL + WORDS)), "white")
    pen = ImageDraw.Draw(sheet)
    for line, (share, group, wrong) in enumerate(rows):
        top = line * (CELL + WORDS)
        draw_text(pen, (4, top + CELL / 2 - 10), group, 15, "black")
        draw_text(pen, (4, top + CELL / 2 + 12), f"{share:.0%} misnamed", 13, "#555555")
        for column, (pixels, name) in enumerate(wrong):
            left = label + column * (CELL + 4)
            sheet.paste(Image.fromarray(pixels), (left, top))
            draw_text(pen, (left, top + CELL + WORDS / 2), name, 12, "black")
    return np.asarray(sheet)


def finding_failures(proposer: YoloProposer, *, seed: int = 1, threshold: float = 0.5, side: int = 480) -> np.ndarray:
    """One rendered photo of each kind of ground: what was missed (red) and what was found that is no insect (blue).

    Of four photos of a kind, the one with the most mistakes is shown.

    Returns
    -------
    ndarray, shape (h, w, 3), uint8
        RGB, four photos in a row, the kind written over each.
    """
    pictures = []
    for place, kind in enumerate(PHOTO_KINDS):
        worst, most = np.zeros((1, 1, 3), np.uint8), -1
        for number in range(place, place + 4 * len(PHOTO_KINDS), len(PHOTO_KINDS)):
            photo = render_photo("held-out", seed, number)
            regions = proposer.propose_pixels(photo.pixels)
            kept = regions.boxes[regions.objectness >= threshold]
            matched = match_boxes(kept, photo.boxes)
            missed = np.delete(photo.boxes, matched[matched >= 0], axis=0)
            false = kept[matched < 0]
            if len(missed) + len(false) > most:
                worst, most = _mark(photo.pixels, missed, false), len(missed) + len(false)
        pictures.append(_titled(cv2.resize(worst, (side, side), interpolation=cv2.INTER_AREA), kind))
    rows = [np.hstack(pictures[i : i + 4]) for i in range(0, len(pictures), 4)]
    return np.vstack(rows)


def _mark(pixels: np.ndarray, missed: np.ndarray, false: np.ndarray) -> np.ndarray:
    picture = pixels.copy()
    for boxes, colour in ((missed, MISSED), (false, FALSE)):
        for x1, y1, x2, y2 in boxes.round().astype(int).tolist():
            cv2.rectangle(picture, (x1 - 2, y1 - 2), (x2 + 2, y2 + 2), colour, 2)
    return picture


def _titled(pixels: np.ndarray, title: str) -> np.ndarray:
    sheet = Image.new("RGB", (pixels.shape[1], pixels.shape[0] + WORDS + 4), "white")
    sheet.paste(Image.fromarray(pixels), (0, WORDS + 4))
    draw_text(ImageDraw.Draw(sheet), (4, WORDS / 2 + 2), title, 14, "black")
    return np.asarray(sheet)
