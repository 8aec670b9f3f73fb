"""Trains the embedded dual encoder: an image tower that starts from weights of photos, and a text tower from nothing.

python -m fine_tune.encoder.pretrain --out runs/builtin --photos TRAPS --named NAMED --teacher TEACHER

The same command after a kill goes on where it was. The steps, each kept in the folder: crops are drawn and cut; the two
networks say what they see on the photos; the image tower is trained (`fine_tune.encoder.tower`); the text tower learns
its words on the finished tower's features (`fine_tune.encoder.words`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from agri_clip.encoders.base import KNOWN_WORDS
from agri_clip.encoders.clip import INPUT_SIZES
from agri_clip.models.hub import fingerprint
from fine_tune.encoder.assembly import build_model, centred_projection, put_tower, take_tower
from fine_tune.encoder.crop_pool import CropPool, load_pool, read_pool, save_pool, write_pool
from fine_tune.encoder.crops import BACKGROUND_CAPTIONS, RealCrops, cut_proposed_crops, cut_real_crops
from fine_tune.encoder.dual_encoder import open_dual_encoder, save_dual_encoder, train_tokenizer, words_in
from fine_tune.encoder.features import gather_features
from fine_tune.encoder.material import gather
from fine_tune.encoder.networks import Teacher, load_start, load_teacher
from fine_tune.encoder.photo_pool import read_photo_pool, write_photo_pool
from fine_tune.encoder.photos import NamedPhoto, cut_grounds, read_named_photos
from fine_tune.encoder.prompt_bank import SECTIONS
from fine_tune.encoder.species import groups
from fine_tune.encoder.tower import Heads, Rest, TowerRecipe, TowerTrainer, blended
from fine_tune.encoder.words import Features, WordsRecipe, WordsTrainer, texts_of
from fine_tune.synthetic import NONE

#: Places of each photo where a ground for close-ups is looked for, and the side of these, pixels.
GROUNDS_EACH, GROUND_SIDE = 60, 160
#: What a run was, in the folder of its model.
TRAINING = "training.json"


@dataclass(frozen=True)
class Recipe:
    """Everything that fixes a training run.

    Attributes
    ----------
    crops, close_ups, traps, photo_crops : int
        Drawn crops as of traps, drawn close-ups, crops of real traps, and crops of named photos.
    side, photo_side : int
        Of the drawn and trap crops, and of the close-ups and those of photos, pixels.
    sizes : tuple of int
        Sides of the inputs that the model may be given, rising.
    tower : TowerRecipe
    words : tuple of WordsRecipe
        Runs of the words from the same start; their mean is kept.
    start : str
        Fingerprint of the model whose tower is trained further; empty from the photos' weights alone.
    seed : int
        Of the drawn crops.
    """

    crops: int = 38_000
    close_ups: int = 12_000
    traps: int = 8_000
    photo_crops: int = 6_000
    side: int = 128
    photo_side: int = 208
    sizes: tuple[int, ...] = (112, 160, 224)
    tower: TowerRecipe = field(default_factory=TowerRecipe)
    words: tuple[WordsRecipe, ...] = (WordsRecipe(), WordsRecipe(rare=0.4, close_ups=128))
    start: str = ""
    seed: int = 3


def real_pool(parts: Sequence[RealCrops]) -> CropPool:
    """Crops of traps as a pool: the insects of all parts, and the backgrounds."""
    images = [part.insects for part in parts] + [part.backgrounds for part in parts]
    texts = [part.captions for part in parts] + [part.background_captions for part in parts]
    insects, backgrounds = (sum(len(i) for i in half) for half in (images[: len(parts)], images[len(parts) :]))
    names = ("real",) * insects + (NONE,) * backgrounds
    return CropPool(np.concatenate(images), names, ({},) * len(names), tuple(t for part in texts for t in part))


def prepare(
    recipe: Recipe, out: Path, traps: Path, photos: list[NamedPhoto], processes: int | None = None
) -> tuple[CropPool, CropPool, CropPool]:
    """Draw crops and cut those of real traps, or read what an earlier run made.

    Parameters
    ----------
    traps : Path
        A folder with `train.json` (COCO) and `images/`.
    photos : list of NamedPhoto
        Drawn close-ups have some of their grounds.

    Returns
    -------
    drawn, close_ups, real : CropPool
    """
    file = out / "real.npz"
    if not file.exists():
        cutting: dict[str, Any] = {"seed": recipe.seed, "size": recipe.side}
        cut = [f(traps / "train.json", traps / "images", **cutting) for f in (cut_real_crops, cut_proposed_crops)]
        save_pool(file, real_pool(cut))
    real = load_pool(file)
    # The proposer's mistakes are training crops only: they may show an insect, so nothing is drawn over them.
    grounds = [i for i, texts in enumerate(real.captions) if texts == BACKGROUND_CAPTIONS]
    drawing: dict[str, Any] = {"split": "train", "seed": recipe.seed, "processes": processes}
    write_pool(out / "pool", count=recipe.crops, side=recipe.side, backgrounds=real.images[grounds], **drawing)
    pieces = cut_grounds(photos, GROUNDS_EACH, GROUND_SIDE, recipe.seed)
    write_pool(
        out / "close-ups",
        count=recipe.close_ups,
        side=recipe.photo_side,
        backgrounds=pieces,
        close_ups=True,
        **drawing,
    )
    return read_pool(out / "pool", recipe.crops), read_pool(out / "close-ups", recipe.close_ups), real


def pretrain(
    recipe: Recipe,
    out: Path,
    *,
    traps: Path,
    named: Path,
    teacher: Path,
    start: Path | None = None,
    processes: int | None = None,
) -> Path:
    """Train the embedded encoder; the finished Hugging Face folder is `out/model`.

    Parameters
    ----------
    recipe : Recipe
    out : Path
        Keeps the crops, the checkpoints and the logs. The same call again goes on where a killed run was.
    traps, named, teacher : Path
        See `prepare`, `fine_tune.encoder.photos.read_named_photos`, `fine_tune.encoder.networks.load_teacher`.
    start : Path or None
        Model folder of an earlier run whose tower is trained further; None begins from the photos' weights.

    Raises
    ------
    AgriClipError
        `out` holds a run of another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    recipe = recipe if start is None else replace(recipe, start=fingerprint(start))
    tower = replace(recipe.tower, start=recipe.start)
    photos, knows_species = read_named_photos(named), load_teacher(teacher)
    net = load_start(tower.architecture).to(memory_format=torch.channels_last)
    drawn, close_ups, real = prepare(recipe, out, traps, photos, processes)
    knows_photos = Teacher(net, [], knows_species.size)
    making: dict[str, Any] = {"count": recipe.photo_crops, "size": recipe.photo_side, "seed": tower.seed}
    write_photo_pool(out / "photos", photos, knows_photos, knows_species, **making)
    pool = read_photo_pool(out / "photos", recipe.photo_crops)
    material = gather(tower, net, photos, pool, drawn, close_ups, real, knows_species, out / "maps", traps=recipe.traps)
    rest = Rest(net, tower.kept_stages)
    if start is not None:
        take_tower(rest, open_dual_encoder(start)[0], tower.kept_stages)
    torch.manual_seed(tower.seed)
    heads = Heads(net.get_classifier(), knows_species.model.get_classifier(), len(groups()))
    drawings = material.close_up_answers
    heads.fit_to_teacher(
        np.concatenate([pool.start_features, drawings.start_features]),
        np.concatenate([pool.teacher_features, drawings.teacher_features]),
    )
    began_with = deepcopy(rest)
    trainer = TowerTrainer(tower, material, rest, heads, out)
    trainer.resume()
    trainer.run()
    rest = blended(trainer.average, began_with, tower.blend)
    features = gather_features(material, pool, drawn, close_ups, rest, trainer.heads, knows_species.names)
    texts = texts_of(features)
    words = recipe.words[0]
    tokenizer = train_tokenizer(texts, vocabulary_size=words.vocabulary)
    model = build_model(tower.architecture, features.photos.shape[1], len(tokenizer), words)
    put_tower(model, net, rest, tower.kept_stages)
    others = torch.cat([features.drawn[::4], features.traps]).numpy()
    shared = features.mean.numpy(), features.one.numpy()
    projection = centred_projection(features.photos.numpy(), others, words.projection, *shared)
    model.visual_projection.weight.data.copy_(torch.from_numpy(projection))
    learn_words(recipe.words, features, model, tokenizer, out)
    model.config.update({INPUT_SIZES: list(recipe.sizes)})
    save_dual_encoder(out / "model", model.eval(), tokenizer, recipe.sizes[-1], half=True)
    (out / "model" / KNOWN_WORDS).write_text("\n".join(words_in(texts)) + "\n", encoding="utf-8")
    record = facts(recipe, model, photos, material.fit_traps, round(trainer.seconds + time.perf_counter() - began))
    (out / "model" / TRAINING).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return out / "model"


def learn_words(recipes: Sequence[WordsRecipe], features: Features, model: Any, tokenizer: Any, out: Path) -> None:
    """Teach a model its words in several runs from the same start, and give it the mean of their weights.

    References
    ----------
    Wortsman et al., Model soups: averaging weights of multiple fine-tuned models, ICML 2022.
    """
    start, learnt = deepcopy(model.state_dict()), list[dict[str, Any]]()
    for number, recipe in enumerate(recipes):
        folder = out / f"words-{number}"
        folder.mkdir(exist_ok=True)
        model.load_state_dict(start)
        trainer = WordsTrainer(recipe, features, model, tokenizer, folder)
        trainer.resume()
        trainer.run()
        trainer.keep_average()
        learnt.append(deepcopy(model.state_dict()))
    model.load_state_dict({name: mean_of([state[name] for state in learnt]) for name in start})


def mean_of(values: Sequence[Tensor]) -> Tensor:
    """The mean of tensors of numbers; of whole numbers, which runs share, the first."""
    return torch.stack(list(values)).mean(dim=0) if values[0].is_floating_point() else values[0]


def facts(
    recipe: Recipe, model: Any, photos: Sequence[NamedPhoto], fit_traps: np.ndarray, seconds: int
) -> dict[str, Any]:
    """What the model card says of a run, with the credit of every named photo."""
    insects = int(fit_traps[:, SECTIONS["insect"]].sum())
    return {
        "recipe": asdict(recipe),
        "seconds": seconds,
        "parameters": sum(p.numel() for p in model.parameters()),
        "real_insects": insects,
        "real_backgrounds": len(fit_traps) - insects,
        "named_photos": [
            {"file": p.file, "species": p.species, "licence": p.licence, "credit": p.credit} for p in photos
        ],
    }


def main(
    out: Annotated[Path, typer.Option(help="Folder for the crops, the checkpoints, the logs and the model.")],
    photos: Annotated[Path, typer.Option(help="Real traps: a folder with train.json (COCO) and images/.")],
    named: Annotated[Path, typer.Option(help="Named photos: a folder with catalogue.csv and images/.")],
    teacher: Annotated[Path, typer.Option(help="A network that names species: a folder with load.py.")],
    architecture: Annotated[str, typer.Option(help="Of timm, with starting weights.")] = TowerRecipe.architecture,
    crops: Annotated[int, typer.Option(help="Drawn crops.")] = Recipe.crops,
    close_ups: Annotated[int, typer.Option(help="Drawn close-ups.")] = Recipe.close_ups,
    photo_crops: Annotated[int, typer.Option(help="Crops of named photos.")] = Recipe.photo_crops,
    steps: Annotated[int, typer.Option(help="Steps of the image tower.")] = TowerRecipe.steps,
    words: Annotated[int, typer.Option(help="Steps of the text tower.")] = WordsRecipe.steps,
    seed: Annotated[int, typer.Option(help="Fixes drawn crops, order and start.")] = Recipe.seed,
    start: Annotated[Path | None, typer.Option(help="Model folder whose tower is trained further.")] = None,
    threads: Annotated[int | None, typer.Option(help="Cores for training; default all.")] = None,
) -> None:
    """Train the embedded dual encoder; the same command after a kill goes on."""
    if threads:
        torch.set_num_threads(threads)
    recipe = Recipe(
        crops=crops,
        close_ups=close_ups,
        photo_crops=photo_crops,
        tower=TowerRecipe(architecture=architecture, steps=steps),
        words=tuple(replace(each, steps=words) for each in Recipe.words),
        seed=seed,
    )
    model = pretrain(recipe, out, traps=photos, named=named, teacher=teacher, start=start, processes=threads)
    typer.echo(f"model in {model}")


if __name__ == "__main__":
    typer.run(main)
