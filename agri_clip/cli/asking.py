"""What the commands that ask an archive share: their options, the season, the prompts and the answer."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from agri_clip.cli.options import (
    Device,
    Force,
    Negatives,
    Precision,
    PromptFile,
    Prompts,
    Threshold,
    make_prompts,
)

if TYPE_CHECKING:
    from agri_clip.archive import Archive, Season
    from agri_clip.archive.questions import Answer
    from agri_clip.encoders import Encoder
    from agri_clip.prompts import PromptSet

#: Traps that a message names.
MOST_TRAPS = 20

ArchivePlace = Annotated[str, typer.Argument(help="The archive: a folder, or an address such as s3://bucket/season.")]
ArchiveOption = Annotated[str, typer.Option("--archive", "-a", help="The archive; made where there is none.")]
Where = Annotated[
    str | None, typer.Option("--where", help="Which photos, in SQL: \"trap = 'T3' AND day >= '2026-06-01'\".")
]
SeasonEncoder = Annotated[
    str | None, typer.Option("--encoder", help="Whose vectors, where the archive holds those of several encoders.")
]


def open_season(archive: str, encoder: str | None, device: str | None) -> tuple[Season, Encoder]:
    """The season that a question goes to, and its encoder.

    The encoder may also be one that filled no archive but has the vectors of one that did: an adapted one, or its base.
    Of several encoders in the archive, the user's default is taken where no option names one.
    """
    from agri_clip.archive import Archive, Season
    from agri_clip.archive.questions import check_encoder
    from agri_clip.encoders import get_encoder
    from agri_clip.encoders.base import vectors_fingerprint_of
    from agri_clip.models import defaults

    opened = Archive.open(archive)
    runs = opened.encoders()
    kept = {run[key] for run in runs for key in ("encoder", "encoder_fingerprint")}
    if encoder is None and len(runs) > 1 and (user := defaults.read_user_models().encoder) in kept:
        encoder = user
    if encoder is not None and encoder not in kept and (encoder == "builtin" or Path(encoder).is_dir()):
        made = get_encoder(encoder, device=device)
        return Season.of(opened, vectors_fingerprint_of(made)), made
    season = Season.of(opened, encoder)
    made = get_encoder(season.run["encoder"], device=device)
    check_encoder(season, made)
    return season, made


def answer_question(
    archive: ArchivePlace,
    prompt: Prompts = None,
    prompts: PromptFile = None,
    negative: Negatives = None,
    where: Where = None,
    threshold: Threshold = None,
    precision: Precision = None,
    force: Force = False,
    encoder: SeasonEncoder = None,
    device: Device = None,
) -> tuple[Season, Answer]:
    """The season of an archive and what its regions are; without prompts, by those that the last batch was given."""
    season, made = open_season(archive, encoder, device)
    named = prompt or prompts or negative
    wanted = make_prompts(prompt, prompts, negative) if named else _kept_prompts(season.archive)
    answer = answer_of(season, made, wanted, where, threshold=threshold, precision=precision, force=force)
    if where and not answer.detections.photos:
        tell_nothing_fits(season, "photo", where)
    return season, answer


def asks_season(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `answer_question`, and its results as `season` and `answer`.

    Parameters
    ----------
    command : callable
        Takes `season` and `answer` first, then options of its own; the user gets these after the archive, and the
        options of the question after them.
    """
    unknown_here = {"Season": Any, "Answer": Any}  # imported for the type checker alone
    question, own = _parameters(answer_question, unknown_here), _parameters(command, unknown_here)
    given = {"season", "answer"}

    @functools.wraps(command)
    def run(**options: Any) -> None:
        season, answer = answer_question(**{name: options.pop(name) for name in question})
        command(season, answer, **options)

    offered = {"archive": question["archive"], **own, **question}
    signature = inspect.Signature([each for name, each in offered.items() if name not in given])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
    return run


def _parameters(function: Callable[..., Any], names: dict[str, Any]) -> dict[str, inspect.Parameter]:
    """Return a function's parameters with their annotations evaluated; `names` are known besides its module's."""
    hints = get_type_hints(function, localns=names, include_extras=True)
    return {
        name: each.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, each in inspect.signature(function).parameters.items()
    }


def tell_nothing_fits(season: Season, what: str, condition: str) -> None:
    """Say that no photo or region fits what the user asked for, and which traps there are."""
    from agri_clip.io.console import errors

    traps = season.traps()
    known = ", ".join(traps[:MOST_TRAPS]) + (f" and {len(traps) - MOST_TRAPS} more" if len(traps) > MOST_TRAPS else "")
    there = f"traps are {known}" if traps else "no photo has a trap"
    errors().print(f"note: no {what} fits {condition}; {there}", markup=False, soft_wrap=True)


def _kept_prompts(archive: Archive) -> PromptSet:
    from agri_clip.errors import PromptError
    from agri_clip.prompts import PromptSet

    kept = archive.rows("prompt_sets")
    if not kept:
        raise PromptError(
            "nothing to look for: no batch was given prompts; give --prompt 'a green aphid', or --prompts"
        )
    return PromptSet.model_validate_json(kept[-1]["text"])


def answer_of(
    season: Season, encoder: Encoder, prompts: PromptSet, where: str | None = None, **question: Any
) -> Answer:
    """What the regions of a season are, all in one; `question` holds settings such as a threshold."""
    from agri_clip.archive.questions import Answer, ask, labeller_of

    return Answer.concat(list(ask(season, labeller_of(season, encoder, **question), prompts, where)))


def print_counts(answer: Answer) -> None:
    """Print how many of each label hang on each trap."""
    from agri_clip.cli.tables import trap_table
    from agri_clip.io.console import output

    output().print(trap_table(answer.detections))
