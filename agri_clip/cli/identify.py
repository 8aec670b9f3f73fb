"""The command that needs no prompt: identify."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agri_clip.cli.options import (
    SOME_FAILED,
    Context,
    Device,
    EncoderName,
    MaxMegapixels,
    NamePattern,
    NoCard,
    ProposerName,
    RawOrientation,
    Views,
    app,
    chosen_models,
    reading_options,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from agri_clip.identify.identifier import Identification, Insect

#: Names printed beside an answer: at least three, then those with this likeness.
LEAST_NAMES, LISTED_FROM = 3, 0.02


@app.command()
def identify(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    regions: Annotated[bool, typer.Option("--regions", help="Name every insect of a photo, not the main one.")] = False,
    lang: Annotated[str, typer.Option("--lang", help="Language of the names: en, zh, es, fr, de or hi.")] = "en",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for annotated pictures and both tables.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="File for all that is known, as JSON.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="File for a table with one row an insect.")] = None,
    encoder: EncoderName = None,
    proposer: ProposerName = None,
    device: Device = None,
    context: Context = None,
    views: Views = 1,
    no_card: NoCard = False,
    name_pattern: NamePattern = None,
    raw_orientation: RawOrientation = False,
    max_megapixels: MaxMegapixels = None,
) -> None:
    """Say what an insect is, without a prompt, at the level that is sure."""
    from agri_clip.formats import annotated_paths, prepare_folder
    from agri_clip.formats.identifications import write_picture
    from agri_clip.identify.identifier import Identifier, check_language
    from agri_clip.io.console import errors, output, progress
    from agri_clip.photos.photo import find_photos

    check_language(lang)
    reading = reading_options(name_pattern, raw_orientation, max_megapixels)
    sources = find_photos(photos)
    for folder in [out / "annotated"] if out else []:
        prepare_folder(folder)
    for file in (json, csv):
        if file is not None:
            prepare_folder(file.parent)
    changes: dict[str, Any] = {} if context is None else {"context": context}
    models = chosen_models(encoder, proposer)
    identifier = Identifier(models.proposer, models.encoder, device=device, card=not no_card, views=views, **changes)
    pictures = annotated_paths([str(source) for source in sources], (out or Path()) / "annotated")
    answers: list[Identification] = []
    stream = progress(identifier.stream(sources, regions=regions, **reading), len(sources), "photos")
    for (photo, answer), picture in zip(stream, pictures, strict=True):
        answers.append(answer)
        if photo is not None and out is not None:
            write_picture(photo, answer, picture, lang)
    output().print(_regions_table(answers, lang) if regions else _main_table(answers, lang))
    written = _write(answers, lang, out, json, csv)
    failed = sum(answer.record.failed for answer in answers)
    if out is not None and failed < len(answers):
        output().print(f"pictures: {out / 'annotated'}", markup=False, soft_wrap=True)
    if written:
        output().print(f"tables: {', '.join(map(str, written))}", markup=False, soft_wrap=True)
    if failed:
        where = f"; see {out / 'failures.csv'}" if out else ""
        errors().print(f"{failed} of {len(answers)} photos could not be read{where}", markup=False, soft_wrap=True)
        raise typer.Exit(SOME_FAILED)


def _write(
    answers: Sequence[Identification], language: str, out: Path | None, json: Path | None, csv: Path | None
) -> list[Path]:
    """Write the files that were asked for; their paths."""
    from agri_clip.formats.identifications import write_csv, write_failures, write_json

    tables = [path for path in (csv, out and out / "identifications.csv") if path]
    documents = [path for path in (json, out and out / "identifications.json") if path]
    for path in tables:
        write_csv(answers, path, language)
    for path in documents:
        write_json(answers, path, language)
    failures = [out / "failures.csv"] if out else []
    for path in failures:
        write_failures(answers, path)
    return [*tables, *documents, *failures]


def _main_table(answers: Sequence[Identification], language: str) -> Table:
    """One row a photo: the answer, how likely it is, and the best names."""
    from agri_clip.io.console import without_common_folder

    names = without_common_folder([answer.record.name for answer in answers])
    rows = []
    for name, answer in zip(names, answers, strict=True):
        insect = answer.main
        if insect is None:
            rows.append([name, f"failed: {answer.record.reason}", "–", "", ""])
            continue
        likeness = f"{insect.answer.likeness:.2f}" if insect.answer else "–"
        rows.append([name, insect.sentence(language), likeness, best_names(insect, language), _notes(answer)])
    return _table(["photo", "answer", "likeness", "best names", "notes"], rows)


def _regions_table(answers: Sequence[Identification], language: str) -> Table:
    """One row an answer of each photo, and how many insects have it; the most frequent first."""
    from agri_clip.io.console import without_common_folder

    names = without_common_folder([answer.record.name for answer in answers])
    rows = []
    for name, answer in zip(names, answers, strict=True):
        if answer.record.failed:
            rows.append([name, f"failed: {answer.record.reason}", "–", ""])
            continue
        counts = Counter(insect.short_name(language) for insect in answer.insects if insect.status != "none")
        none = answer.insects[0].sentence(language) if answer.insects else ""
        for place, (what, count) in enumerate(counts.most_common() or [(none, 0)]):
            rows.append([name if place == 0 else "", what, str(count), _notes(answer) if place == 0 else ""])
    return _table(["photo", "answer", "insects", "notes"], rows)


def best_names(insect: Insect, language: str = "en") -> str:
    """The best three to five names with their likeness, in one line."""
    shown = [n for i, n in enumerate(insect.names) if i < LEAST_NAMES or n.likeness >= LISTED_FROM]
    return ", ".join(f"{named.taxon.name_in(language)} {named.likeness:.2f}" for named in shown)


def _notes(answer: Identification) -> str:
    return "; ".join(answer.record.notes)


def _table(columns: list[str], rows: list[list[str]]) -> Table:
    """A table, without its last column where no row has anything there."""
    from agri_clip.io.console import make_table

    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return make_table(columns, rows)
