"""Adapts both towers of an encoder to labelled crops: LoRA or all weights, blended with the start by WiSE-FT."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import torch

from agri_clip.encoders import get_encoder
from agri_clip.encoders.adapted import CARD
from agri_clip.encoders.adapters import CONFIG, is_adapter, write_base
from agri_clip.encoders.base import KNOWN_WORDS
from agri_clip.encoders.clip import ClipEncoder
from agri_clip.errors import DataError, ModelError
from agri_clip.models.loading import quiet
from agri_clip.prompts.negatives import DEFAULT_NEGATIVES
from agri_clip.prompts.templates import expand
from fine_tune.adapt.curves import plot_curve
from fine_tune.adapt.judging import Judgement
from fine_tune.adapt.lora import save_lora
from fine_tune.adapt.rehearsal import Reminded, crops_of, other_groups, texts_of
from fine_tune.adapt.samples import BACKGROUND, LabelledCrops
from fine_tune.adapt.shots import Shots
from fine_tune.adapt.splits import hold_out
from fine_tune.adapt.tower_training import RECIPES, HeldOut, Method, TowerRecipe, TowerRun, TowerTrainer
from fine_tune.adapt.wise import choose_blend
from fine_tune.encoder.dual_encoder import words_in

#: Rendered crops of each group outside the labels: to train on, and to measure what is lost.
REMINDERS, OTHER_CROPS = 8, 4

#: Share of these crops that a blend may name worse than the start.
MOST_LOST = 0.02


@dataclass(frozen=True)
class TowersResult:
    """What adapting gave.

    Attributes
    ----------
    folder : Path
        What ``--encoder`` takes.
    method : {"lora", "full"}
    encoder : str
        What was adapted.
    blend : float
        Share of the change that is kept, 0 to 1; 0 where the words alone were best.
    words, trained, blended : Judgement
        Of the held-out crops: before training, after it, and with the blend that is saved.
    steps, best_step : int
        Taken, and the one whose weights were kept.
    trained_parameters : int
    optimizer_bytes : int
        What the optimiser kept beside the weights.
    crops, held_out : int
        Trained on, and kept back.
    others_before, others_after : float or None
        Share of rendered crops of catalogued groups outside the labels that are named rightly, asked together with the
        labels; None where training had no reminders.
    """

    folder: Path
    method: Method
    encoder: str
    blend: float
    words: Judgement
    trained: Judgement
    blended: Judgement
    steps: int
    best_step: int
    trained_parameters: int
    optimizer_bytes: int
    crops: int
    held_out: int
    others_before: float | None = None
    others_after: float | None = None


def adapt_towers(
    samples: LabelledCrops,
    texts: Mapping[str, Sequence[str]],
    encoder: str,
    out: Path,
    *,
    method: Method,
    recipe: TowerRecipe | None = None,
    seed: int = 0,
    resume: bool = True,
    device: str | None = None,
    tensorboard: bool = False,
) -> TowersResult:
    """Train both towers on labelled crops and save what held-out crops say is best.

    Parameters
    ----------
    samples : LabelledCrops
        Of at least two labels and two photos.
    texts : mapping of str to sequence of str
        Sentences for each label, as `agri_clip.prompts.PromptSet.texts` gives them. Crops without an insect need none:
        they are called what the default negatives are called.
    encoder : str
        A model of transformers, as for `agri_clip.encoders.get_encoder`.
    out : Path
        The folder to make: an adapter of peft for ``"lora"``, a whole model for ``"full"``; beside it the settings
        (training.json), the numbers (metrics.csv) and the learning curve (learning-curve.png). The same call after a
        kill goes on where the run was.
    method : {"lora", "full"}
    recipe : TowerRecipe or None
        None takes that of the method.
    seed : int
        One seed gives one result on one machine.
    resume : bool
        Take up a run that was cut short; False begins anew.
    device : str or None
        As for `get_encoder`.
    tensorboard : bool
        Write event files to `out`/tensorboard too.

    Raises
    ------
    DataError
        Too few labels or photos, or a label without a text; or `out` holds a model of another kind.
    ModelError
        The encoder is none that can be trained, or is an adapter and would get another one.
    AgriClipError
        `out` holds an unfinished run of other samples or settings.

    References
    ----------
    Hu et al., LoRA, ICLR 2022; Goyal et al., Finetune like you pretrain, CVPR 2023; Wortsman et al., Robust fine-tuning
    of zero-shot models, CVPR 2022.
    """
    _check_place(out, encoder, method)
    model, recipe = _open(encoder, method, device), recipe or RECIPES[method]
    called = _call(samples, texts)
    back = hold_out(samples.labels, samples.photos, recipe.held_out, seed)
    run = TowerRun(method, model.fingerprint, _digest(samples, called), recipe, seed)
    names = sorted(called)
    labels = torch.tensor([names.index(label) for label in samples[back].labels])
    held_out = HeldOut(samples[back].crops, labels, [called[name] for name in names])
    shots = Shots(samples[~back].crops, samples[~back].labels, called, recipe.batch, seed)
    groups = other_groups(names) if recipe.reminders else ()
    out.mkdir(parents=True, exist_ok=True)
    trainer = TowerTrainer(run, model, _reminded(shots, groups, recipe, seed), held_out, out, tensorboard)
    if resume:
        trainer.resume()
    trainer.run()
    result = _finish(trainer, encoder, len(shots.crops), _others(called, groups) if groups else None)
    _write(trainer, result, samples, called)
    return result


def _check_place(out: Path, encoder: str, method: Method) -> None:
    """Refuse a folder in which two models would be mixed up, or the start overwritten."""
    other = {"lora": "config.json", "full": CONFIG}[method]
    if out.resolve() == Path(encoder).expanduser().resolve() or any((out / name).is_file() for name in (other, CARD)):
        raise DataError(f"{out}: holds a model of another kind already; give another folder for the adapted one")


def _open(encoder: str, method: Method, device: str | None) -> ClipEncoder:
    if method == "lora" and is_adapter(encoder):
        raise ModelError(f"{encoder} is an adapter already; adapt the model under it, with the old and the new crops")
    model = get_encoder(encoder, device, dtype="float32")
    if not isinstance(model, ClipEncoder):
        raise ModelError(
            f"--method {method} trains models of transformers, and {encoder} is none: adapt the encoder under it where "
            "it has a head; for a model of open_clip use a head, such as --method gda"
        )
    return model


def _call(samples: LabelledCrops, texts: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Every text of each label that has crops."""
    nothing = expand(phrase for negative in DEFAULT_NEGATIVES for phrase in negative.phrases())
    known: dict[str, Sequence[str]] = {BACKGROUND: nothing, **texts}
    labels = sorted(set(samples.labels))
    silent = [label for label in labels if not known.get(label)]
    if silent:
        raise DataError(f"{samples.source}: the label {silent[0]!r} has crops but no words; name it in the prompt set")
    if len(labels) < 2:
        raise DataError(f"{samples.source}: all crops are {labels[0]!r}; training needs crops of another label too")
    return {label: tuple(known[label]) for label in labels}


def _digest(samples: LabelledCrops, texts: Mapping[str, Sequence[str]]) -> str:
    whole = sha256(json.dumps([samples.labels, samples.photos, sorted(texts.items())]).encode())
    for crop in samples.crops:
        whole.update(f"{crop.shape}".encode() + crop.tobytes())
    return whole.hexdigest()[:16]


def _reminded(shots: Shots, groups: Sequence[str], recipe: TowerRecipe, seed: int) -> Shots | Reminded:
    """The crops to train on, with reminders of these groups."""
    if not groups:
        return shots
    labels = [group for group in groups for _ in range(REMINDERS)]
    return Reminded(
        shots, Shots(crops_of(groups, REMINDERS, "train"), labels, texts_of(groups), recipe.reminders, seed)
    )


def _others(called: Mapping[str, Sequence[str]], groups: Sequence[str]) -> HeldOut:
    """Crops of groups that no label names, to be told from each other and from the labels."""
    texts = [*texts_of(groups).values(), *called.values()]
    labels = torch.arange(len(groups)).repeat_interleave(OTHER_CROPS)
    return HeldOut(crops_of(groups, OTHER_CROPS, "held-out"), labels, texts)


def _finish(trainer: TowerTrainer, encoder: str, crops: int, others: HeldOut | None) -> TowersResult:
    """Choose the blend, and put the model there."""
    kept: dict[float, float] = {}

    def judge(share: float) -> Judgement:
        trainer.set_blend(share)
        return trainer.judge()

    def keeps_words(share: float) -> bool:
        if others is None:
            return True
        trainer.set_blend(share)
        kept[share] = trainer.judge_on(others).accuracy
        return kept[share] >= kept[0.0] - MOST_LOST

    blend, judged = choose_blend(judge, keeps_words)
    trainer.set_blend(blend)
    return TowersResult(
        folder=trainer.out,
        method=trainer.plan.method,
        encoder=encoder,
        blend=blend,
        words=judged[0.0],
        trained=judged[1.0],
        blended=judged[blend],
        steps=trainer.step,
        best_step=trainer.best_step,
        trained_parameters=sum(value.numel() for value in trainer.trained.values()),
        optimizer_bytes=trainer.optimizer_bytes,
        crops=crops,
        held_out=len(trainer.held_out.crops),
        others_before=kept.get(0.0),
        others_after=kept.get(blend),
    )


def _write(
    trainer: TowerTrainer, result: TowersResult, samples: LabelledCrops, texts: Mapping[str, Sequence[str]]
) -> None:
    """Save the model as the ecosystem saves it, and what is to be known of the run."""
    model, out = trainer.encoder, result.folder
    if result.method == "lora":
        save_lora(trainer.wrapped, out, result.blend)
        write_base(out, result.encoder, trainer.plan.base)
    else:
        with quiet("transformers"):
            model.model.save_pretrained(out)
            model.processor.save_pretrained(out)
    if model.known_words is not None:
        words = sorted(model.known_words | set(words_in(text for options in texts.values() for text in options)))
        (out / KNOWN_WORDS).write_text("\n".join(words) + "\n", encoding="utf-8")
    facts = {
        **{key: value for key, value in asdict(result).items() if key != "folder"},
        "base": trainer.plan.base,
        "seed": trainer.plan.seed,
        "recipe": asdict(trainer.recipe),
        "labels": samples.counts,
    }
    (out / "training.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    plot_curve(
        out / "learning-curve.png", trainer.rows, ("loss", "held_out_loss"), "held_out_accuracy", result.best_step
    )
    trainer.checkpoint.unlink(missing_ok=True)
