"""Commands that put questions to an archive: ask, search, label and export. No photo is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agri_clip.cli.asking import (
    ArchiveOption,
    ArchivePlace,
    SeasonEncoder,
    Where,
    asks_season,
    open_season,
    print_counts,
    tell_nothing_fits,
)
from agri_clip.cli.options import Device, Force, Format, app

if TYPE_CHECKING:
    from agri_clip.archive import Season
    from agri_clip.archive.questions import Answer


@app.command()
@asks_season
def ask(
    season: Season,  # noqa: ARG001 - every command of a season gets it
    answer: Answer,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for tables; none where left out.")] = None,
    formats: Annotated[list[Format] | None, typer.Option("--format", help="Files to write with --out.")] = None,
    all_regions: Annotated[
        bool, typer.Option("--all-regions", help="List other insects and background in the tables too.")
    ] = False,
) -> None:
    """Ask a whole season for a pest, in seconds: counts by trap, and tables."""
    from agri_clip.formats import write_tables
    from agri_clip.io.console import output

    print_counts(answer)
    if out is not None:
        names = [f.value for f in formats or (Format.csv, Format.json)]
        written = write_tables(answer.detections, out, names, all_regions=all_regions)
        output().print(f"tables: {', '.join(map(str, written))}", markup=False, soft_wrap=True)


@app.command()
def search(
    archive: ArchivePlace,
    text: Annotated[str | None, typer.Option("--text", help="What the region shall look like.")] = None,
    image: Annotated[Path | None, typer.Option("--image", help="A picture of one insect to look for.")] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Regions wanted.")] = 48,
    where: Annotated[
        str | None, typer.Option("--where", help="Which regions, in SQL: \"trap = 'T3' AND length_mm > 5\".")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The contact sheet, .jpg or .png.")] = Path("search.jpg"),
    csv: Annotated[Path | None, typer.Option("--csv", help="The same as a table.")] = None,
    force: Force = False,
    encoder: SeasonEncoder = None,
    device: Device = None,
) -> None:
    """Find regions by a sentence or by an example picture, best first, as a contact sheet."""
    from agri_clip.archive import questions
    from agri_clip.errors import AgriClipError
    from agri_clip.formats.csv_table import write_table
    from agri_clip.io.console import make_table, output
    from agri_clip.photos.photo import read_photo
    from agri_clip.report.contact_sheet import write_sheet

    if (text is None) == (image is None):
        raise AgriClipError("give one of the two: --text 'a moth with striped wings', or --image crop.jpg")
    season, made = open_season(archive, encoder, device)
    if image is not None:
        vector = questions.image_vector(made, read_photo(image, read_codes=False), season.settings().views)
    else:
        vector = questions.text_vector(made, str(text), force=force)
    found = questions.search(season, vector, top, where)
    if where and not len(found):
        tell_nothing_fits(season, "region", where)
    # Plain rows: Arrow gives None for an unknown trap or day, while pandas gives NaN, which is true.
    rows = found.drop_columns(["thumbnail"]).to_pylist()
    captions = [
        (f"{place}  {row['similarity']:.2f}", row["trap"] or row["name"], row["day"] or "")
        for place, row in enumerate(rows, 1)
    ]
    write_sheet([cell.as_py() for cell in found["thumbnail"]], captions, out)
    shown = [
        (place, f"{row['similarity']:.3f}", row["name"], row["day"] or "") for place, row in enumerate(rows[:10], 1)
    ]
    output().print(make_table(["", "similarity", "photo", "day"], shown))
    output().print(f"{len(rows)} regions: {out}", markup=False, soft_wrap=True)
    if csv is not None:
        write_table(found.drop_columns(["thumbnail", "photo", "region"]).to_pandas(), csv, season.provenance)
        output().print(f"table: {csv}", markup=False, soft_wrap=True)


@app.command("label")
def label_command(
    archive: ArchiveOption,
    photo: Annotated[
        list[str] | None, typer.Option("--photo", help="Names of photos, or parts of them; all where left out.")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Regions: those that are most certainly insects.")] = 20,
    names: Annotated[int, typer.Option("--names", min=1, max=10, help="Names for each.")] = 3,
    where: Where = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="The same as a table.")] = None,
    encoder: SeasonEncoder = None,
    device: Device = None,
) -> None:
    """Say which names of the pest catalogue fit the regions of photos."""
    from agri_clip.archive.questions import label_regions, labeller_of
    from agri_clip.archive.store import one_condition
    from agri_clip.formats.csv_table import write_table
    from agri_clip.io.console import make_table, output

    season, made = open_season(archive, encoder, device)
    condition = one_condition(where)
    if photo:
        named = " OR ".join(_holds(name) for name in photo)
        condition = f"({named})" if condition is None else f"{condition} AND ({named})"
    missing = [name for name in photo or () if not season.photo_rows(_holds(name), columns=["photo"])]
    for name in missing:
        tell_nothing_fits(season, "photo", f"--photo {name}")
    told = bool(photo) and len(missing) == len(photo or ())
    if condition is not None and not told and not season.photo_rows(condition, columns=["photo"]):
        tell_nothing_fits(season, "photo", " and ".join([*([where] if where else []), *(photo or ())]))
    table = label_regions(season, labeller_of(season, made), condition, top, names)
    rows = [
        [
            row["photo"],
            f"{row['x1']:.0f} {row['y1']:.0f}",
            f"{row['insect']:.2f}",
            *(f"{row[f'name_{k}']} {row[f'share_{k}']:.2f}" for k in range(1, names + 1)),
        ]
        for row in table.to_dict("records")
    ]
    output().print(make_table(["photo", "at", "insect", *(f"name {k}" for k in range(1, names + 1))], rows))
    if csv is not None:
        write_table(table, csv, season.provenance)
        output().print(f"table: {csv}", markup=False, soft_wrap=True)


def _holds(name: str) -> str:
    """The condition that a photo's name holds some letters."""
    quoted = name.replace("'", "''")
    return f"contains(name, '{quoted}')"


@app.command()
@asks_season
def export(
    season: Season,  # noqa: ARG001 - every command of a season gets it
    answer: Answer,
    formats: Annotated[list[Format], typer.Option("--format", help="Files to write; give it once or often.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")] = Path("results"),
    all_regions: Annotated[bool, typer.Option("--all-regions", help="Write other insects and background too.")] = False,
) -> None:
    """Write what a season's photos show in formats that other programs read."""
    from agri_clip.formats import write_tables
    from agri_clip.io.console import output

    written = write_tables(answer.detections, out, [f.value for f in formats], all_regions=all_regions)
    output().print(f"written: {', '.join(map(str, written))}", markup=False, soft_wrap=True)
