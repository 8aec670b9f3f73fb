"""The training pool: rendered crops and what they show, made once by several processes and read back as arrays."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fine_tune.synthetic import GROUP_NAMES, NONE, render_crop, split_rng
from fine_tune.synthetic.close_ups import render_close_up

#: Crops in one file of a pool.
SHARD = 1000
#: Share of crops without an insect. They teach what the negatives of a prompt set look like.
BACKGROUND_SHARE = 0.14
#: Share of crops rendered over a patch of a real photo, where there are any.
REAL_BACKGROUND_SHARE = 0.3


@dataclass(frozen=True)
class CropPool:
    """Crops with what is known of them.

    Attributes
    ----------
    images : ndarray, shape (n, side, side, 3), uint8
        RGB.
    groups : tuple of n str
        What was rendered; ``"none"`` for a background, ``"real"`` for an insect in a crop of a photo.
    attributes : tuple of n dict
        What the renderer knows of the crop, the fields of `fine_tune.synthetic.crops.Attributes`; empty for crops of
        photos.
    captions : tuple of n tuples of str
        Of crops of photos; empty for rendered ones, whose captions are written from their attributes whenever they are
        needed.
    """

    images: np.ndarray
    groups: tuple[str, ...]
    attributes: tuple[dict[str, Any], ...]
    captions: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.images)


def render_pool(
    split: str,
    seed: int,
    first: int,
    count: int,
    side: int,
    backgrounds: np.ndarray | None,
    *,
    close_ups: bool = False,
) -> CropPool:
    """Render crops `first` to `first + count` of a split; each depends on its own number alone.

    Parameters
    ----------
    split : str
        One of `fine_tune.synthetic.SPLITS`, part of every crop's seed: no held-out crop can be a training crop.
    seed, first, count : int
    side : int
        Pixels.
    backgrounds : ndarray, shape (m, s, s, 3), uint8, or None
        Patches of real photos to render over.
    close_ups : bool
        Whether they are close-ups, as `fine_tune.synthetic.close_ups` renders them.
    """
    images, groups, attributes = [], [], []
    for number in range(first, first + count):
        rng = split_rng(split, seed, number)
        group = NONE if rng.random() < BACKGROUND_SHARE else str(rng.choice(GROUP_NAMES))
        if close_ups:
            crop = render_close_up(rng, group, side, backgrounds)
        else:
            patch = None
            if backgrounds is not None and len(backgrounds) and rng.random() < REAL_BACKGROUND_SHARE:
                patch = backgrounds[rng.integers(len(backgrounds))]
            crop = render_crop(rng, group, side, background=patch)
        images.append(crop.pixels)
        groups.append(group)
        attributes.append(asdict(crop.attributes))
    return CropPool(np.stack(images), tuple(groups), tuple(attributes), ((),) * count)


def described(pools: Sequence[CropPool]) -> CropPool:
    """What the crops of several pools show, one pool behind the other, without their pictures."""
    return CropPool(
        np.zeros((sum(map(len, pools)), 1, 1, 3), np.uint8),
        tuple(chain.from_iterable(pool.groups for pool in pools)),
        tuple(chain.from_iterable(pool.attributes for pool in pools)),
        tuple(chain.from_iterable(pool.captions for pool in pools)),
    )


def save_pool(file: Path, pool: CropPool) -> None:
    """Write a pool into one .npz file, or leave the older one."""
    table = {"groups": pool.groups, "attributes": pool.attributes}
    if any(pool.captions):
        table["own_captions"] = pool.captions
    partial = file.with_name(f".{file.name}")
    np.savez(partial, images=pool.images, table=np.frombuffer(json.dumps(table).encode(), np.uint8))
    partial.replace(file)


def load_pool(file: Path) -> CropPool:
    """Read what `save_pool` wrote."""
    with np.load(file) as data:
        images, table = data["images"], json.loads(data["table"].tobytes())
    captions = tuple(tuple(texts) for texts in table.get("own_captions", ((),) * len(images)))
    return CropPool(images, tuple(table["groups"]), tuple(table["attributes"]), captions)


#: Patches that a process of `write_pool` renders over: a gigabyte that must not travel with every file.
_patches: list[np.ndarray | None] = [None]


def _begin(backgrounds: np.ndarray | None) -> None:
    cv2.setNumThreads(1)
    _patches[0] = backgrounds


def _write_shard(folder: Path, split: str, seed: int, shard: int, shard_size: int, side: int, close_ups: bool) -> None:
    pool = render_pool(split, seed, shard * shard_size, shard_size, side, _patches[0], close_ups=close_ups)
    save_pool(folder / f"shard-{shard:05d}.npz", pool)


def write_pool(
    folder: Path,
    *,
    split: str,
    seed: int,
    count: int,
    side: int,
    backgrounds: np.ndarray | None = None,
    processes: int | None = None,
    shard_size: int = SHARD,
    close_ups: bool = False,
) -> None:
    """Render a pool into files of `shard_size` crops; files already there are kept, so a killed run goes on.

    Parameters
    ----------
    folder : Path
        Made if absent.
    count : int
        Crops, rounded up to whole files.
    processes : int or None
        Default: one a core.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [s for s in range(-(-count // shard_size)) if not (folder / f"shard-{s:05d}.npz").exists()]
    # A forked child of a process whose OpenCV or torch has started threads can wait for ever on their locks.
    context = get_context("spawn")
    with ProcessPoolExecutor(processes or os.cpu_count(), context, _begin, (backgrounds,)) as executor:
        jobs = [executor.submit(_write_shard, folder, split, seed, s, shard_size, side, close_ups) for s in missing]
        for job in jobs:
            job.result()


def read_pool(folder: Path, count: int, shard_size: int = SHARD, behind: Sequence[CropPool] = ()) -> CropPool:
    """Read the first `count` crops of a pool, file by file (they nearly fill the memory), and put others behind them.

    Raises
    ------
    FileNotFoundError
        The pool has fewer.
    """
    files = [folder / f"shard-{shard:05d}.npz" for shard in range(-(-count // shard_size))]
    side = load_pool(files[0]).images.shape[1]
    images = np.empty((len(files) * shard_size + sum(map(len, behind)), side, side, 3), np.uint8)
    groups, attributes, captions, first = list[str](), list[dict[str, Any]](), list[tuple[str, ...]](), 0
    for part in chain(map(load_pool, files), behind):
        images[first : first + len(part)] = part.images
        first += len(part)
        groups += part.groups
        attributes += part.attributes
        captions += part.captions
    return CropPool(images, tuple(groups), tuple(attributes), tuple(captions))
