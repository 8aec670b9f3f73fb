"""Gathers what the words are taught on: features of all crops by the finished tower, and prototypes of all classes."""

from __future__ import annotations

import numpy as np
import torch
from timm.data import ImageNetInfo
from torch import Tensor
from torch.nn import functional

from fine_tune.encoder.assembly import features_of
from fine_tune.encoder.crop_pool import CropPool, described
from fine_tune.encoder.photo_pool import PhotoPool
from fine_tune.encoder.species import read_species
from fine_tune.encoder.tower import Heads, Material, Rest
from fine_tune.encoder.words import Features, all_classes, common_part, prototypes

#: Photos with fewer crops tell nothing of how much crops of one photo differ.
LEAST_CROPS = 5


def gather_features(
    material: Material,
    pool: PhotoPool,
    rendered: CropPool,
    close_ups: CropPool,
    rest: Rest,
    heads: Heads,
    names: list[str],
) -> Features:
    """Everything that `WordsTrainer` needs.

    Parameters
    ----------
    material : Material
    pool : PhotoPool
        The crops of photos of `material`.
    rendered, close_ups : CropPool
        Its drawn crops.
    rest : Rest
        The trained stages.
    heads : Heads
        Trained with them: they say what the classes of the two networks look like to this tower.
    names : list of str
        The teacher's classes.
    """
    photos = torch.cat([features_of(rest, maps) for maps in (material.photos_large, material.photos_small)])
    drawn = torch.cat([features_of(rest, maps) for maps in (material.drawn, material.close_ups)])
    numbers = np.tile(pool.numbers, 2)
    plain = photos.numpy()
    mean, one = (torch.from_numpy(v).float() for v in common_part(plain))
    of_photo = [plain[numbers == number] for number in np.unique(numbers)]
    residuals = np.concatenate([some - some.mean(axis=0) for some in of_photo if len(some) > LEAST_CROPS])
    classes = heads.teacher.out_features
    species = read_species(names)[:classes]
    species += [None] * (classes - len(species))
    info = ImageNetInfo()
    imagenet = [info.index_to_description(number, detailed=False) for number in range(heads.start.out_features)]
    rows = (heads.teacher.weight @ heads.to_teacher.weight, heads.start.weight)
    return Features(
        photos=photos,
        photo_groups=np.tile(material.photo_groups, 2),
        teacher=_answers(pool.teacher_logits),
        start=_answers(pool.start_logits),
        drawn=drawn,
        close_ups=len(material.drawn),
        looks=described((rendered, close_ups)),
        fit=np.concatenate([material.fit_drawn, material.fit_close_ups]),
        traps=features_of(rest, material.traps),
        fit_traps=material.fit_traps,
        mean=mean,
        one=one,
        residuals=torch.from_numpy(residuals),
        prototypes=torch.from_numpy(np.concatenate([prototypes(plain, w.detach().numpy()) for w in rows])),
        classes=all_classes(species, imagenet),
    )


def _answers(logits: np.ndarray) -> Tensor:
    """Probabilities of both halves of the photos' features, large and small."""
    return functional.softmax(torch.from_numpy(np.tile(logits, (2, 1))).float(), dim=1)
