"""Questions to an archive: which regions a prompt set names, which look like a text or a picture, what a region is.

No photo is opened: everything is answered from the vectors that are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from agri_clip.archive.schema import record_of, regions_of, vectors_of
from agri_clip.archive.season import Season
from agri_clip.archive.store import one_condition, read, run_query
from agri_clip.detections import Detections
from agri_clip.encoders import Encoder
from agri_clip.encoders.base import vectors_fingerprint_of
from agri_clip.encoders.crops import extract_crops
from agri_clip.encoders.views import encode_views
from agri_clip.errors import DataError, PromptError
from agri_clip.io.prefetch import map_ahead
from agri_clip.io.threads import one_core_for_products, threads_side_by_side
from agri_clip.photos.photo import Photo
from agri_clip.prompts import PromptSet
from agri_clip.prompts.base import Target
from agri_clip.prompts.catalogue import load_catalogue
from agri_clip.prompts.matching import words_of
from agri_clip.prompts.negatives import DEFAULT_NEGATIVES
from agri_clip.regions.merging import Metric
from agri_clip.scoring.label_vectors import embed_prompts
from agri_clip.scoring.labeller import Labeller

#: Columns of a region that a prompt set is asked with.
ASKED = (
    *("photo", "region", "x1", "y1", "x2", "y2", "objectness", "outline"),
    *("length_px", "overlap_iou", "overlap_ios", "vector"),
)
#: Columns of a region that searches show.
SHOWN = ("photo", "region", "name", "trap", "day", "x1", "y1", "x2", "y2", "length_px", "length_mm", "objectness")


@dataclass(frozen=True)
class Answer:
    """Detections of archived photos, and which of the archive's regions they are.

    Attributes
    ----------
    detections : Detections
        n rows.
    photos, regions : ndarray, shape (n,), int64
        Numbers of photo and region of each row.
    """

    detections: Detections
    photos: np.ndarray
    regions: np.ndarray

    @classmethod
    def concat(cls, parts: Sequence[Answer]) -> Answer:
        """Join the answers of several parts of a season."""
        if not parts:
            return cls(Detections.empty(), np.zeros(0, np.int64), np.zeros(0, np.int64))
        return cls(
            Detections.concat([part.detections for part in parts]),
            np.concatenate([part.photos for part in parts]),
            np.concatenate([part.regions for part in parts]),
        )

    def __getitem__(self, index: np.ndarray) -> Answer:
        """Select rows; every photo stays listed."""
        return Answer(self.detections[index], self.photos[index], self.regions[index])


def check_encoder(season: Season, encoder: Encoder) -> None:
    """Refuse an encoder whose vectors the season does not hold.

    Raises
    ------
    DataError
        The fingerprint of its vectors differs. An adapted encoder has the vectors of its base.
    """
    own = vectors_fingerprint_of(encoder)
    if own != season.run["encoder_fingerprint"]:
        raise DataError(
            f"{season.archive.place}: its vectors are of the encoder {season.run['encoder']} "
            f"({season.run['encoder_fingerprint']}), not of {encoder.name} ({own}), and cannot be "
            "compared with it; ask with the former, or run `agri-clip batch` with the new encoder, which keeps its "
            "vectors beside the others"
        )


def ask(season: Season, labeller: Labeller, prompts: PromptSet, where: str | None = None) -> Iterator[Answer]:
    """What a prompt set finds in a season, part by part; as `Detector` finds it in the photos themselves.

    Parameters
    ----------
    season : Season
    labeller : Labeller
        With the season's encoder, proposer and settings; see `labeller_of`.
    prompts : PromptSet
    where : str or None
        A condition in SQL over the columns of photos, such as ``trap = 'T3' AND day >= '2026-06-01'``.

    Yields
    ------
    Answer
        Every photo of the part, also those without regions and those that failed.

    Raises
    ------
    DataError
        The condition cannot be used, or the archive is damaged.
    """
    condition = one_condition(where)
    labeller.embed(prompts)  # once, before there are threads that would all do it

    def answer(part: tuple[list[dict[str, Any]], pa.Table]) -> Answer:
        return _answer(labeller, prompts, *part)

    with one_core_for_products():
        yield from map_ahead(answer, season.parts(condition, ASKED), threads_side_by_side())


def _answer(labeller: Labeller, prompts: PromptSet, rows: list[dict[str, Any]], regions: pa.Table) -> Answer:
    """What a prompt set finds in one part of a season."""
    settings = labeller.settings
    crowded: dict[Metric, np.ndarray] = {
        "iou": regions["overlap_iou"].to_numpy() > settings.merge_iou,
        "ios": regions["overlap_ios"].to_numpy() > settings.merge_ios,
    }
    counts = np.bincount(_places(rows, regions), minlength=len(rows))
    detections, kept = labeller.label_photos(
        [record_of(row) for row in rows],
        counts.tolist(),
        regions_of(regions),
        vectors_of(regions),
        prompts,
        lengths=regions["length_px"].to_numpy(),
        crowded=crowded,
    )
    return Answer(detections, regions["photo"].to_numpy()[kept], regions["region"].to_numpy()[kept].astype(np.int64))


def _places(rows: Sequence[dict[str, Any]], regions: pa.Table) -> np.ndarray:
    """For each region the place of its photo among `rows`, which are in the order of their numbers."""
    return np.searchsorted(np.array([row["photo"] for row in rows], np.int64), regions["photo"].to_numpy())


def labeller_of(season: Season, encoder: Encoder, **question: Any) -> Labeller:
    """Who labels the season's regions: its encoder, proposer and settings, with the settings of a question.

    Parameters
    ----------
    season : Season
    encoder : Encoder
    **question
        Of `Settings`: threshold, precision, merge_iou, merge_ios, relative_length, force.

    Raises
    ------
    DataError
        Another encoder made the season's vectors.
    """
    check_encoder(season, encoder)
    return Labeller(encoder, season.proposer, season.settings(**question))


def text_vector(encoder: Encoder, text: str, *, force: bool = False) -> np.ndarray:
    """The unit vector (dim,) that a sentence is searched by: as that of a label in a prompt set.

    Parameters
    ----------
    encoder : Encoder
    text : str
    force : bool
        Search also by words that the encoder never learnt.

    Raises
    ------
    PromptError
        The encoder never learnt the words, and `force` is not set.
    """
    embedded = embed_prompts(encoder, PromptSet.of(text), force=force)
    if embedded.unlearnt:
        raise PromptError(
            f"nothing to search by: the encoder {encoder.name} never learnt what {text!r} means; "
            "describe what it looks like, search by a picture (--image), or add --force"
        )
    vector: np.ndarray = embedded.vectors[0]
    return vector


def image_vector(encoder: Encoder, photo: Photo, views: int = 1) -> np.ndarray:
    """The unit vector (dim,) of a picture that shows one insect; what is not square is filled up to a square."""
    crops = extract_crops(photo.pixels, np.array([[0, 0, photo.width, photo.height]]), context=1.0)
    vector: np.ndarray = encode_views(encoder, crops, views)[0]
    return vector


def search(
    season: Season, vector: np.ndarray, top: int = 50, where: str | None = None, *, exact: bool = False
) -> pa.Table:
    """Regions whose vectors are nearest to one.

    Parameters
    ----------
    season : Season
    vector : ndarray, shape (dim,)
    top : int
        Regions wanted.
    where : str or None
        A condition in SQL over the columns of regions: name, trap, day, length_mm, objectness …
    exact : bool
        Compare with every region even where there is an index.

    Returns
    -------
    pyarrow.Table
        Columns `SHOWN`, `thumbnail`, and `similarity`: the cosine, best first.

    Raises
    ------
    DataError
        The condition cannot be used, or the archive is damaged.
    """
    where = one_condition(where)
    table = season.archive.table(season.regions_name)
    query = table.search(np.asarray(vector, np.float32), vector_column_name="vector").distance_type("cosine")
    query = query.bypass_vector_index() if exact else query.nprobes(NPROBES).refine_factor(REFINE)
    if where:
        query = query.where(where, prefilter=True)
    query = query.select([*SHOWN, "thumbnail", "_distance"]).limit(top)
    found = run_query(query, table, season.archive.place, where)
    similarity = pa.array(1 - found["_distance"].to_numpy(), pa.float32())
    found = found.drop_columns(["_distance"]).append_column("similarity", similarity)
    return found.sort_by([("similarity", "descending"), ("photo", "ascending"), ("region", "ascending")])


#: Parts of the index that a search looks into, and how many times more candidates are compared exactly.
NPROBES, REFINE = 40, 10


def thumbnails_of(season: Season, photos: np.ndarray, regions: np.ndarray) -> list[bytes]:
    """JPEG thumbnails of regions, given by the numbers of photo and region, in their order."""
    if not len(photos):
        return []
    numbers = ", ".join(map(str, np.unique(photos)))
    wanted = ", ".join(map(str, np.unique(regions)))
    table = season.archive.table(season.regions_name)
    rows = read(
        table,
        season.archive.place,
        where=f"photo IN ({numbers}) AND region IN ({wanted})",
        columns=["photo", "region", "thumbnail"],
    )
    kept = dict(
        zip(zip(rows["photo"].to_pylist(), rows["region"].to_pylist(), strict=True), rows["thumbnail"], strict=True)
    )
    return [kept[int(photo), int(region)].as_py() for photo, region in zip(photos, regions, strict=True)]


def catalogue_prompts() -> PromptSet:
    """Every entry of the catalogue as a target, under its English name."""
    targets = []
    for name, pests in groupby(sorted(load_catalogue().values(), key=lambda p: p.english), key=lambda p: p.english):
        for number, pest in enumerate(pests):
            label = name if not number else f"{name} ({pest.scientific})"
            targets.append(Target(name=label, pest=pest.id, **words_of(pest)))
    return PromptSet(name="catalogue", targets=tuple(targets), negatives=DEFAULT_NEGATIVES)


def label_regions(
    season: Season, labeller: Labeller, where: str | None = None, top: int = 20, names: int = 3
) -> pd.DataFrame:
    """Which names of the catalogue fit the surest insects.

    Parameters
    ----------
    season : Season
    labeller : Labeller
    where : str or None
        Which photos, as for `ask`.
    top : int
        Regions, those that are most certainly insects.
    names : int
        Names for each.

    Returns
    -------
    DataFrame
        One row a region, surest insect first: photo, trap, taken, box, length_mm, insect, and for each k up to `names`
        `name_k` and `share_k`, the probability among all names of the catalogue.
    """
    prompts = catalogue_prompts()
    # The best of each part, joined once: a join for each part would copy the photos of all parts before it.
    asked = ask(season, labeller, PromptSet.of("an insect"), where)
    best = _surest(Answer.concat([_surest(answer, top) for answer in asked]), top)
    shares = _shares(season, labeller, prompts, best)
    ranked = np.argsort(-shares, axis=1, kind="stable")[:, :names]
    table = best.detections.to_pandas()[["photo", "trap", "taken", "insect", "x1", "y1", "x2", "y2", "length_mm"]]
    for place in range(ranked.shape[1]):
        table[f"name_{place + 1}"] = [prompts.labels[i] for i in ranked[:, place]]
        table[f"share_{place + 1}"] = np.take_along_axis(shares, ranked[:, place, None], axis=1)[:, 0]
    return table


def _surest(answer: Answer, top: int) -> Answer:
    """The rows that are most certainly insects, best first."""
    return answer[np.argsort(-answer.detections.insect, kind="stable")[:top]]


def _shares(season: Season, labeller: Labeller, prompts: PromptSet, answer: Answer) -> np.ndarray:
    """Probability of each label among all labels for each row of an answer, shape (n, labels)."""
    shares = np.zeros((len(answer.photos), len(prompts.labels)))
    place_of = {key: i for i, key in enumerate(zip(answer.photos.tolist(), answer.regions.tolist(), strict=True))}
    numbers = ", ".join(map(str, np.unique(answer.photos)))
    if not numbers:
        return shares
    for rows, regions in season.parts(f"photo IN ({numbers})"):
        for row in rows:
            own = regions.filter(np.asarray(regions["photo"]) == row["photo"])
            scores = labeller.score(record_of(row), regions_of(own), vectors_of(own), prompts)
            total = np.maximum(scores.labels.sum(axis=1, keepdims=True), 1e-12)
            for region, values in zip(own["region"].to_pylist(), scores.labels / total, strict=True):
                if (place := place_of.get((row["photo"], region))) is not None:
                    shares[place] = values
    return shares
