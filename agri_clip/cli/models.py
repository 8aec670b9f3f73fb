"""Commands of models: what is here, fetching more, which suit this machine, and which are used by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agri_clip.cli.options import app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agri_clip.encoders import EncoderInfo
    from agri_clip.model_choice.machine import Machine
    from agri_clip.model_choice.recommendation import Recommendation
    from agri_clip.regions import ProposerInfo

models_app = typer.Typer(help="Encoders and proposers: what is here, fetching more, and which are the default.")
app.add_typer(models_app, name="models")


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List encoders and proposers: what is here, size, licence, and what each is good for."""
    if context.invoked_subcommand is not None:
        return
    from agri_clip import encoders, regions
    from agri_clip.errors import DataError
    from agri_clip.io.console import errors, make_table, output
    from agri_clip.models import defaults

    try:
        user = defaults.read_user_models()
    except DataError as error:
        user = defaults.UserModels()
        errors().print(f"note: {error}", markup=False, soft_wrap=True)
    columns = ["name", "here", "default", "size", "licence", "good for"]
    listed: tuple[tuple[str, str, Sequence[EncoderInfo | ProposerInfo]], ...] = (
        ("Encoders", user.encoder or defaults.ENCODER, encoders.available()),
        ("Proposers", user.proposer or defaults.PROPOSER, regions.available()),
    )
    for title, default, infos in listed:
        rows = [
            [i.name, "yes" if i.present else "no", "default" * (i.name == default), i.size, i.licence, i.good_for]
            for i in infos
        ]
        if default not in [info.name for info in infos]:
            rows.insert(0, [default, "", "default", "", "", "your choice"])
        output().print(make_table(columns, rows, title=title))
    output().print("Which suit this machine: agri-clip models recommend", soft_wrap=True)
    output().print("Fetch one for use without network: agri-clip models fetch NAME", soft_wrap=True)
    output().print("Make one the default: agri-clip models use NAME", soft_wrap=True)


@models_app.command("fetch")
def models_fetch(name: Annotated[str, typer.Argument(help="A name of `agri-clip models`, or of the hub.")]) -> None:
    """Download everything that a later run without network needs."""
    from agri_clip import encoders, regions
    from agri_clip.io.console import output

    place = regions.fetch_proposer(name) if regions.is_proposer(name) else encoders.fetch(name)
    message = f"{name} is in {place}" if place else f"{name} needs no files; it is ready"
    output().print(message, markup=False, soft_wrap=True)
    output().print(f"make it the default: agri-clip models use {name}", markup=False, soft_wrap=True)


@models_app.command("use")
def models_use(
    name: Annotated[str, typer.Argument(help="An encoder or a proposer; `builtin` goes back to the one that ships.")],
) -> None:
    """Make a model the default of every command and of the page."""
    from agri_clip.io.console import output
    from agri_clip.model_choice.selection import use_model

    used = use_model(name)
    output().print(f"default {used.kind}: {used.name}", markup=False, soft_wrap=True)
    if used.file is None:
        output().print("encoder and proposer are those that ship", markup=False, soft_wrap=True)
    else:
        output().print(f"settings: {used.file}", markup=False, soft_wrap=True)
    for note in used.notes:
        output().print(f"note: {note}", markup=False, soft_wrap=True)


@models_app.command("recommend")
def models_recommend(
    as_json: Annotated[bool, typer.Option("--json", help="Print the same as JSON.")] = False,
) -> None:
    """Name the models that suit this machine: licence, size, the published figure, and what to run next. Offline."""
    from importlib.util import find_spec

    from agri_clip.errors import AgriClipError
    from agri_clip.model_choice.machine import look_at_machine
    from agri_clip.model_choice.recommendation import recommend_models
    from agri_clip.model_choice.selection import ModelChoice, choose_models

    try:
        choice = choose_models()
    except AgriClipError:
        choice = ModelChoice()  # a damaged settings file is no reason to recommend nothing
    machine = look_at_machine()
    found = recommend_models(machine, choice, has_open_clip=find_spec("open_clip") is not None)
    if as_json:
        _print_json(machine, found)
    else:
        _print_table(machine, found)


def _print_json(machine: Machine, found: list[Recommendation]) -> None:
    import json
    from dataclasses import asdict

    document = {"machine": asdict(machine), "recommended": [asdict(each) for each in found]}
    typer.echo(json.dumps(document, ensure_ascii=False, indent=1))


def _print_table(machine: Machine, found: list[Recommendation]) -> None:
    from agri_clip.io.console import make_table, output

    output().print(f"This machine: {machine}", markup=False, soft_wrap=True)
    columns = ["for", "kind", "name", "here", "default", "size", "licence"]
    rows = [
        [r.need, r.kind, r.name, "yes" if r.here else "no", "default" * r.default, r.size, r.licence] for r in found
    ]
    output().print(make_table(columns, rows, title="Recommended"))
    for each in found:
        lines = [f"{each.need}: {each.name}", f"  why: {each.why}", f"  figure: {each.figure}"]
        if each.source not in each.figure:
            lines.append(f"  source: {each.source}")
        lines += [f"  run: {command}" for command in each.commands]
        for line in lines:
            output().print(line, markup=False, soft_wrap=True)
    output().print(
        "No figure is of trap photos: check the first ones by eye, or measure with agri-clip evaluate.", soft_wrap=True
    )
