"""Gathers what the tower is trained on: maps of photos, of drawn crops and of crops of real traps; and the answers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fine_tune.encoder.assembly import features_of
from fine_tune.encoder.batches import augment
from fine_tune.encoder.crop_pool import CropPool
from fine_tune.encoder.networks import Teacher
from fine_tune.encoder.photo_pool import Answers, PhotoPool
from fine_tune.encoder.photos import NamedPhoto
from fine_tune.encoder.prompt_bank import fits
from fine_tune.encoder.species import group_of, groups
from fine_tune.encoder.tower import Material, Rest, TowerRecipe, first_stages
from fine_tune.synthetic import NONE

#: Crops of one kind that are changed and seen by the network together.
CHUNK = 1000


def choose_traps(pool: CropPool, count: int, seed: int) -> np.ndarray:
    """Rows of a pool of trap crops: `count`, half insects and half none."""
    rng = np.random.default_rng([seed, 41])
    insect = np.array(pool.groups) != NONE
    halves = [rng.permutation(np.flatnonzero(rows))[: count // 2] for rows in (insect, ~insect)]
    return np.sort(np.concatenate(halves))


def changed(images: np.ndarray, size: int, seed: int, *, real: bool) -> np.ndarray:
    """Crops as training sees them: a square at a random place and turn, some blurred, real ones in another light."""
    parts = []
    for number, first in enumerate(range(0, len(images), CHUNK)):
        rng, some = np.random.default_rng([seed, 43, number]), images[first : first + CHUNK]
        parts.append(augment(rng, some, size, real=np.full(len(some), real)))
    return np.concatenate(parts)


def kept_maps(file: Path, net: Any, images: Any, size: int, stages: int) -> Tensor:
    """Maps of crops, computed once and kept in a file; `images` is called only where they are not there yet."""
    if not file.exists():
        maps = first_stages(net, images(), size, stages)
        partial = file.with_name(f".{file.name}")
        np.save(partial, maps.numpy())
        partial.replace(file)
    return torch.from_numpy(np.load(file))


@torch.inference_mode()
def kept_answers(file: Path, images: np.ndarray, maps: Tensor, net: Any, stages: int, teacher: Teacher) -> Answers:
    """What the two networks say of crops, asked once and kept in a file.

    Parameters
    ----------
    images : ndarray, shape (n, side, side, 3), uint8
    maps : Tensor
        The kept stages' of the same crops: the start is asked at the size that training sees.
    net : nn.Module
        The start, with its classifier.
    """
    if not file.exists():
        start_features = features_of(Rest(net, stages).eval(), maps)
        values = (start_features, net.get_classifier()(start_features), *teacher.of_crops(images))
        partial = file.with_name(f".{file.name}")
        np.savez(partial, **asdict(Answers(*(v.half().numpy() for v in values))))
        partial.replace(file)
    with np.load(file) as table:
        return Answers(**table)


def photo_groups(pool: PhotoPool, photos: list[NamedPhoto]) -> np.ndarray:
    """Number of the group of the taxonomy that each crop shows, shape (n,), int64; -1 where it is not known."""
    index = {name: number for number, name in enumerate(groups())}
    known = [group_of(photo.species, photo.group) for photo in photos]
    numbers = np.array([-1 if name is None else index[name] for name in known] + [-1])
    return numbers[pool.numbers]


def gather(
    recipe: TowerRecipe,
    net: Any,
    photos: list[NamedPhoto],
    pool: PhotoPool,
    rendered: CropPool,
    close_ups: CropPool,
    real: CropPool,
    teacher: Teacher,
    maps: Path,
    *,
    traps: int,
) -> Material:
    """Maps of all crops, from the folder `maps` where an earlier run left them.

    Parameters
    ----------
    net : nn.Module
        The network that training starts from.
    pool, rendered, close_ups, real : PhotoPool, CropPool, CropPool, CropPool
        Crops of named photos, drawn crops as of traps, drawn close-ups, and crops of real traps.
    teacher : Teacher
        Asked of the close-ups.
    traps : int
        How many of the last are used.
    """
    stages = recipe.kept_stages
    maps.mkdir(exist_ok=True)
    rows = choose_traps(real, traps, recipe.seed)
    large = kept_maps(maps / "close-ups.npy", net, lambda: close_ups.images, recipe.large, stages)
    return Material(
        photos_large=kept_maps(maps / "photos-large.npy", net, lambda: pool.images, recipe.large, stages),
        photos_small=kept_maps(maps / "photos-small.npy", net, lambda: pool.images, recipe.small, stages),
        close_ups=large,
        drawn=kept_maps(
            maps / "drawn.npy",
            net,
            lambda: changed(rendered.images, recipe.small, recipe.seed, real=False),
            recipe.small,
            stages,
        ),
        traps=kept_maps(
            maps / "traps.npy",
            net,
            lambda: changed(real.images[rows], recipe.small, recipe.seed, real=True),
            recipe.small,
            stages,
        ),
        photos=pool,
        close_up_answers=kept_answers(maps / "answers.npz", close_ups.images, large, net, stages, teacher),
        photo_groups=photo_groups(pool, photos),
        fit_close_ups=fits(close_ups),
        fit_drawn=fits(rendered),
        fit_traps=fits_of_groups(np.array(real.groups)[rows]),
    )


def fits_of_groups(names: np.ndarray) -> np.ndarray:
    """As `fine_tune.encoder.prompt_bank.fits`, of crops of photos: insect or not is all that is known."""
    empty = np.zeros((len(names), 1, 1, 3), np.uint8)
    return fits(CropPool(empty, tuple(map(str, names)), ({},) * len(names), ((),) * len(names)))
