"""Figures of an encoder by itself: naming, attributes, insect against background, and crops without detail.

Rendered crops are of the held-out split, which no encoder of this project was trained on; real crops are cut from
labelled photos. Every encoder gets the same crops and the same texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agri_clip.encoders import Encoder, get_encoder
from agri_clip.encoders.crops import CONTEXT, extract_crops
from agri_clip.encoders.views import encode_views
from agri_clip.prompts import PromptSet
from agri_clip.scoring.score import embed_prompts, score
from benchmarks.intervals import auroc, mean_over, with_interval
from fine_tune.encoder.crop_pool import render_pool
from fine_tune.encoder.crops import read_annotated, sample_backgrounds
from fine_tune.encoder.prompt_bank import group_prompts
from fine_tune.synthetic import GROUP_NAMES, NONE
from fine_tune.synthetic.attributes import PHRASES, values_of
from fine_tune.synthetic.camera import lose_detail

#: Side of the crops before the encoder's own processor, pixels.
SIDE = 144
#: Groups that traps and crops show most, the first of the renderer's list; fixed before anything was measured.
COMMON_GROUPS = GROUP_NAMES[:29]
#: Side that a crop is shrunk to and brought back from, pixels: what is left of a small insect far from the camera.
BLURRED_SIDE = 12
#: Views of each crop in the figure with several.
VIEWS = 8
#: Patches without an insect that are cut from each real photo.
BACKGROUNDS_PER_PHOTO = 60


@dataclass(frozen=True)
class Crops:
    """Crops with an insect and crops without one, and the unit that each is drawn with in a bootstrap.

    Attributes
    ----------
    insects, backgrounds : ndarray, shape (n, side, side, 3), uint8
    insect_unit, background_unit : ndarray, shape (n,), int64
        The photo; of rendered crops the crop itself.
    units : int
        Photos, or crops.
    groups : ndarray, shape (insects,), int64
        Index into `GROUP_NAMES`; empty where it is not known.
    looks : tuple of dict
        What the renderer knows of each insect; empty where nothing is known.
    """

    insects: np.ndarray
    backgrounds: np.ndarray
    insect_unit: np.ndarray
    background_unit: np.ndarray
    units: int
    groups: np.ndarray
    looks: tuple[dict[str, Any], ...] = ()


def rendered_crops(count: int, seed: int) -> Crops:
    """Crops of the held-out split, drawn from nothing but the seed and their number."""
    pool = render_pool("held-out", seed, 0, count, SIDE, None)
    shown = np.array([group != NONE for group in pool.groups])
    return Crops(
        insects=pool.images[shown],
        backgrounds=pool.images[~shown],
        insect_unit=np.flatnonzero(shown),
        background_unit=np.flatnonzero(~shown),
        units=count,
        groups=np.array([GROUP_NAMES.index(group) for group in pool.groups if group != NONE], np.int64),
        looks=tuple(look for look, here in zip(pool.attributes, shown, strict=True) if here),
    )


def real_crops(coco: Path, images: Path, seed: int) -> Crops:
    """Every labelled insect of a COCO file and patches without any, with the photo that each was cut from.

    Raises
    ------
    DataError
        The COCO file cannot be read.
    """
    rng = np.random.default_rng(seed)
    empty = np.zeros((0, SIDE, SIDE, 3), np.uint8)
    insects, backgrounds = [empty], [empty]
    for pixels, boxes in read_annotated(coco, images):
        cut = extract_crops(pixels, boxes, context=CONTEXT, size=SIDE)
        insects.append(np.stack(cut) if cut else empty)
        backgrounds.append(sample_backgrounds(rng, pixels, boxes, count=BACKGROUNDS_PER_PHOTO, size=SIDE))
    photos = np.arange(len(insects) - 1)
    return Crops(
        insects=np.concatenate(insects),
        backgrounds=np.concatenate(backgrounds),
        insect_unit=np.repeat(photos, [len(part) for part in insects[1:]]),
        background_unit=np.repeat(photos, [len(part) for part in backgrounds[1:]]),
        units=len(photos),
        groups=np.zeros(0, np.int64),
    )


def describe_sets(rendered: Crops, real: Crops | None) -> dict[str, Any]:
    """What is the same for every encoder: sizes of the sets, and how far an attribute's commonest answer alone goes."""
    return {
        "rendered": {"insects": len(rendered.insects), "backgrounds": len(rendered.backgrounds), "side": SIDE},
        "real": real and {"photos": real.units, "insects": len(real.insects), "backgrounds": len(real.backgrounds)},
        "groups": len(GROUP_NAMES),
        "common_groups": len(COMMON_GROUPS),
        "blurred_side": BLURRED_SIDE,
        "attributes": {name: _attribute_facts(rendered, name) for name in PHRASES},
    }


def _attribute_facts(crops: Crops, attribute: str) -> dict[str, Any]:
    table = true_values(crops, attribute)
    return {
        "ways": table.shape[1],
        "crops": len(table),
        "commonest": float(table.mean(axis=0).max()) if len(table) else None,
    }


def measure_encoder(encoder: str | Encoder, rendered: Crops, real: Crops | None = None) -> dict[str, Any]:
    """All figures of one encoder.

    Parameters
    ----------
    encoder : str or Encoder
        As `get_encoder` takes it.
    rendered : Crops
        With groups and looks.
    real : Crops, optional

    Returns
    -------
    dict
        `naming`, `attributes`, `auroc`, `blur` and `groups`; figures are those of `with_interval`.

    Raises
    ------
    ModelError
        It cannot be loaded here.
    """
    encoder = get_encoder(encoder)
    names = embed_prompts(encoder, group_prompts(), others=()).vectors[: len(GROUP_NAMES)]
    plain = encoder.encode_images(list(rendered.insects))
    turned = encode_views(encoder, list(rendered.insects), VIEWS)
    blurred = encoder.encode_images([lose_detail(crop, BLURRED_SIDE) for crop in rendered.insects])
    named = (plain @ names.T).argmax(axis=1)
    figures: dict[str, Any] = {
        "fingerprint": encoder.fingerprint,
        "naming": {
            "all": top1(plain, names, rendered.groups),
            "common": top1(plain, names, rendered.groups, len(COMMON_GROUPS)),
            "all_views": top1(turned, names, rendered.groups),
            "common_views": top1(turned, names, rendered.groups, len(COMMON_GROUPS)),
        },
        "attributes": {name: attribute_accuracy(encoder, plain, rendered, name) for name in PHRASES},
        "auroc": {"rendered": insect_or_not(encoder, rendered)},
        "blur": blur_figures(blurred, names, rendered.groups),
        "groups": by_group(named, rendered.groups),
    }
    if real is not None:
        figures["auroc"]["real"] = insect_or_not(encoder, real)
    return figures


def top1(vectors: np.ndarray, names: np.ndarray, groups: np.ndarray, most: int | None = None) -> dict[str, Any]:
    """Share of crops whose nearest name is their group's.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim)
    names : ndarray, shape (groups, dim)
    groups : ndarray, shape (n,), int64
    most : int, optional
        Ask for the first groups only, of crops of these groups only.
    """
    number = len(names) if most is None else most
    own = groups < number
    right = (vectors[own] @ names[:number].T).argmax(axis=1) == groups[own]
    return with_interval(mean_over(right, np.arange(len(right))), len(right))


def by_group(named: np.ndarray, groups: np.ndarray) -> dict[str, dict[str, Any]]:
    """Recall of each group, its crops, and the group it is most often taken for."""
    rows = {}
    for i, name in enumerate(GROUP_NAMES):
        answers = named[groups == i]
        wrong = np.bincount(answers[answers != i], minlength=len(GROUP_NAMES))
        rows[name] = {
            "recall": float((answers == i).mean()) if len(answers) else None,
            "crops": len(answers),
            "taken_for": GROUP_NAMES[int(wrong.argmax())] if wrong.any() else None,
        }
    return rows


def true_values(crops: Crops, attribute: str) -> np.ndarray:
    """Which answers are true of each crop of which the attribute is known, shape (known, answers), bool."""
    true = [values_of(look, attribute) for look in crops.looks]
    answers = list(PHRASES[attribute])
    return np.array([[value in own for value in answers] for own in true if own], bool).reshape(-1, len(answers))


def attribute_accuracy(encoder: Encoder, vectors: np.ndarray, crops: Crops, attribute: str) -> dict[str, Any]:
    """Share of crops for which the nearest of an attribute's phrases is true; crops of which it is not known are out.

    Parameters
    ----------
    encoder : Encoder
    vectors : ndarray, shape (n, dim)
        Of `crops.insects`.
    crops : Crops
        With looks.
    attribute : str
        A key of `PHRASES`.
    """
    known = np.array([bool(values_of(look, attribute)) for look in crops.looks], bool)
    answer = (vectors[known] @ encoder.encode_texts(list(PHRASES[attribute].values())).T).argmax(axis=1)
    numbers = np.arange(len(answer))
    return with_interval(mean_over(true_values(crops, attribute)[numbers, answer], numbers), len(answer))


def insect_or_not(encoder: Encoder, crops: Crops) -> dict[str, Any]:
    """AUROC of the insect probability under the prompt "an insect" and the default negatives."""
    prompts = embed_prompts(encoder, PromptSet.of("an insect"))
    insects, backgrounds = (
        score(encoder.encode_images(list(part)), prompts).insect for part in (crops.insects, crops.backgrounds)
    )
    return with_interval(auroc(insects, backgrounds, crops.insect_unit, crops.background_unit), crops.units)


def blur_figures(vectors: np.ndarray, names: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """Naming of crops without detail: `top1`, and whether one group takes them all.

    Returns
    -------
    dict
        `top1`; `group`, the answer given most often; `share`, how often it is given over an equal share of the
        answers, so that 1 is even-handed. The interval is that of this group's share.
    """
    named = (vectors @ names.T).argmax(axis=1)
    most = int(np.bincount(named, minlength=len(names)).argmax())
    mean = mean_over(named == most, np.arange(len(named)))
    return {
        "top1": top1(vectors, names, groups),
        "group": GROUP_NAMES[most],
        "share": with_interval(lambda weights: len(names) * mean(weights), len(named)),
    }
