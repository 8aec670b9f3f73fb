"""Crops of a pest of the catalogue, drawn from what its entry and the renderer know: for a pest with no photo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agri_clip.errors import DataError, PromptError
from agri_clip.prompts.catalogue import Pest, load_catalogue
from fine_tune.synthetic.captions import matching_species
from fine_tune.synthetic.crops import RenderedCrop, render_crop
from fine_tune.synthetic.export import split_rng, write_jpeg
from fine_tune.synthetic.groups import GROUPS

#: Drawings of the pest's group for each crop, of which one must look like the pest.
MOST_TRIES = 400


def find_pest(name: str) -> Pest:
    """The catalogue's entry of an id, a common English name or a scientific name, whatever its letter case.

    Raises
    ------
    PromptError
        There is none.
    """
    wanted = " ".join(name.casefold().replace("-", " ").split())
    catalogue = load_catalogue()
    for pest in catalogue.values():
        names = (pest.id.replace("-", " "), pest.scientific, *pest.synonyms, *pest.names["en"])
        if wanted in (known.casefold().replace("-", " ") for known in names):
            return pest
    raise PromptError(
        f"the catalogue has no pest {name!r}; give one of its {len(catalogue)} ids, such as "
        f"{', '.join(list(catalogue)[:3])} (all stand in data/pests), or a name that it lists"
    )


def render_pest(pest: Pest, count: int, seed: int, size: int = 96) -> Iterator[RenderedCrop]:
    """Render crops of a pest, as different as the renderer makes them.

    A species is drawn as its group until colours, pattern and features fit what is known of the species.

    Parameters
    ----------
    pest : Pest
    count : int
    seed : int
        Crop k of a seed is always the same.
    size : int
        Side of a crop, pixels.

    Yields
    ------
    RenderedCrop

    Raises
    ------
    DataError
        No drawing of the group fits the species.
    """
    known = any(species.latin == pest.scientific for species in GROUPS[pest.group].species)
    for number in range(count):
        rng = split_rng("train", seed, number)
        for _ in range(MOST_TRIES):
            crop = render_crop(rng, pest.group, size)
            fitting = matching_species(pest.group, crop.attributes)
            if not known or any(species.latin == pest.scientific for species in fitting):
                yield crop
                break
        else:
            raise DataError(
                f"{pest.id}: none of {MOST_TRIES} drawings of a {pest.group} looked like {pest.scientific}; render its "
                f"group instead: --pest {pest.group.replace(' ', '-')}"
            )


def write_pest(folder: Path, name: str, count: int, seed: int, size: int = 96) -> list[Path]:
    """Write rendered crops of a pest as `fine_tune.adapt.samples` reads them: in a folder named by its label.

    Parameters
    ----------
    folder : Path
        Of all labels; the pest's own folder in it may hold real crops already.
    name : str
        As for `find_pest`.
    count, seed, size
        As for `render_pest`.

    Returns
    -------
    list of Path
        Of the crops; the same name and seed give the same files.

    Raises
    ------
    PromptError, DataError
        As for `find_pest` and `render_pest`.
    """
    pest = find_pest(name)
    paths = []
    for number, crop in enumerate(render_pest(pest, count, seed, size), 1):
        path = folder / pest.english / f"rendered-{pest.id}-{seed}-{number:04d}.png"
        write_jpeg(path, crop.pixels)
        paths.append(path)
    return paths
