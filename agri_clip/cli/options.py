"""What the commands share: the application, their options, and how options become parts of the program."""

from __future__ import annotations

import math
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agri_clip.models import defaults

if TYPE_CHECKING:
    from agri_clip.detector import Detector
    from agri_clip.model_choice.selection import ModelChoice
    from agri_clip.prompts import PromptSet

app = typer.Typer(
    name="agri-clip",
    help="Find insects in field photos from a sentence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

#: Exit status where some photos could not be read, and where the command itself was wrong.
SOME_FAILED, WRONG_COMMAND = 3, 2


def finite(value: float | None) -> float | None:
    """Refuse infinity and NaN, which are numbers to the parser; the callback of every option that takes a number.

    Raises
    ------
    typer.BadParameter
        The number is not finite.
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value:g} is not a finite number; give a finite number")
    return value


class Format(StrEnum):
    """Files that `detect` can write beside the pictures."""

    csv = "csv"
    json = "json"
    coco = "coco"
    yolo = "yolo"
    voc = "voc"
    label_studio = "label-studio"
    geojson = "geojson"
    darwin_core = "darwin-core"
    parquet = "parquet"
    excel = "excel"


Prompts = Annotated[list[str] | None, typer.Option("--prompt", "-p", help="What to look for; give it once or often.")]
PromptFile = Annotated[
    str | None, typer.Option("--prompts", help="A prompt set: a YAML file, or the name of a ready one.")
]
Negatives = Annotated[
    list[str] | None, typer.Option("--negative", "-n", help="What to reject, instead of the default negatives.")
]
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", help="Encoder: a name of `agri-clip models`, or a folder. Default: see `models use`."),
]
ProposerName = Annotated[
    str | None,
    typer.Option("--proposer", help="Proposer: a name of `agri-clip models`, or a file. Default: see `models use`."),
]
Device = Annotated[str | None, typer.Option("--device", help="cuda, mps or cpu; chosen by itself where left out.")]
Threshold = Annotated[
    float | None,
    typer.Option("--threshold", min=0, max=1, callback=finite, help="Least score that is counted."),
]
Precision = Annotated[
    float | None,
    typer.Option(
        "--precision",
        callback=finite,
        help="How often a counted region shall be an insect, such as 0.8; sets the threshold.",
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Count prompts all the same whose words the encoder never learnt."),
]
Views = Annotated[int, typer.Option("--views", help="Views of a crop, turned and mirrored: 1, 4 or 8.")]
Context = Annotated[
    float | None, typer.Option("--context", min=1, max=4, callback=finite, help="Side of a crop over its region's.")
]
MmPerPixel = Annotated[
    float | None, typer.Option("--mm-per-pixel", min=0.0001, callback=finite, help="Scale of every photo.")
]
CardSize = Annotated[
    str | None, typer.Option("--card-size", help="Size of the trap card: a make (see docs/photos.md) or 100x250 in mm.")
]
NoCard = Annotated[bool, typer.Option("--no-card", help="Do not look for the trap card; search the whole photo.")]
NamePattern = Annotated[
    str | None, typer.Option("--name-pattern", help="How file names give trap and date, such as '{trap}_{date}'.")
]
RawOrientation = Annotated[bool, typer.Option("--raw-orientation", help="Do not turn photos as their EXIF data say.")]
MaxMegapixels = Annotated[
    float | None,
    typer.Option("--max-megapixels", min=0.001, callback=finite, help="Refuse larger photos before decoding them."),
]


def make_prompts(sentences: list[str] | None, file: str | None, negatives: list[str] | None) -> PromptSet:
    """The prompt set that the options ask for; prompts that share a count are told.

    Raises
    ------
    PromptError
        No prompt at all, or one that cannot be used.
    """
    from agri_clip.prompts.checks import warn_of_shared_counts

    prompts = _prompts_of(sentences, file, negatives)
    warn_of_shared_counts(prompts)
    return prompts


def _prompts_of(sentences: list[str] | None, file: str | None, negatives: list[str] | None) -> PromptSet:
    from agri_clip.errors import PromptError
    from agri_clip.prompts import PromptSet

    if file is None:
        if not sentences:
            raise PromptError("nothing to look for; give --prompt 'a green aphid', or --prompts with a file")
        return PromptSet.of(*sentences, negatives=negatives or None)
    if negatives:
        raise PromptError(f"--negative does not go with --prompts; write the negatives into {file}")
    loaded = PromptSet.load(file)
    return loaded.with_targets(*sentences) if sentences else loaded


def chosen_models(encoder: str | None = None, proposer: str | None = None) -> ModelChoice:
    """The models of this command: those of its options, else the user's default; a default of the user is noted.

    Raises
    ------
    DataError
        The settings file cannot be read.
    ModelError
        A model of the settings file is not on this machine.
    """
    from agri_clip.io.console import errors
    from agri_clip.model_choice.selection import choose_models

    choice = choose_models(encoder, proposer)
    if choice.note is not None:
        errors().print(f"note: {choice.note}", markup=False, soft_wrap=True)
    return choice


def chosen_encoder(encoder: str | None) -> str:
    """As `chosen_models`, for a command that needs no proposer."""
    return chosen_models(encoder, defaults.PROPOSER).encoder


def chosen_proposer(proposer: str | None) -> str:
    """As `chosen_models`, for a command that needs no encoder."""
    return chosen_models(defaults.ENCODER, proposer).proposer


def make_detector(
    *,
    encoder: str | None,
    proposer: str | None,
    device: str | None,
    threshold: float | None = None,
    precision: float | None = None,
    context: float | None = None,
    views: int = 1,
    mm_per_pixel: float | None = None,
    card_size: str | None = None,
    no_card: bool = False,
    force: bool = False,
) -> Detector:
    """The detector that the options ask for; options left out keep their measured defaults."""
    from agri_clip.detector import Detector
    from agri_clip.regions.card import parse_card_size

    given = {
        "threshold": threshold,
        "precision": precision,
        "context": context,
        "views": views,
        "mm_per_pixel": mm_per_pixel,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if card_size is not None:
        changes["card_size_mm"] = parse_card_size(card_size)
    models = chosen_models(encoder, proposer)
    return Detector(models.proposer, models.encoder, device=device, card=not no_card, force=force, **changes)


def reading_options(name_pattern: str | None, raw_orientation: bool, max_megapixels: float | None) -> dict[str, Any]:
    """Options of `read_photo`; those left out keep their defaults."""
    options: dict[str, Any] = {"exif_orientation": not raw_orientation, "name_pattern": name_pattern}
    if max_megapixels is not None:
        options["max_pixels"] = int(min(max_megapixels * 1_000_000, sys.maxsize))
    return options
