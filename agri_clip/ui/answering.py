"""Answering: what an archive says to a visitor's question: counts, the best regions, and files to take home."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from agri_clip.archive import Archive, Season
from agri_clip.archive.questions import Answer, ask, check_encoder, image_vector, labeller_of, search, thumbnails_of
from agri_clip.counts import UNKNOWN
from agri_clip.detections import FOUND, Detections
from agri_clip.encoders import Encoder
from agri_clip.encoders.base import vectors_fingerprint_of
from agri_clip.formats import csv_table
from agri_clip.photos.photo import Photo
from agri_clip.prompts import PromptSet
from agri_clip.report.season_report import count_season, write_season_report
from agri_clip.scoring.labeller import Labeller

#: Regions that a search by example shows.
MOST_ALIKE = 60


@dataclass(frozen=True)
class Place:
    """An archive that a visitor may open: what it is called, and where it lies, which is not shown."""

    name: str
    path: Path

    def open(self, encoder: Encoder) -> Season:
        """Its season of an encoder.

        Raises
        ------
        DataError
            It cannot be opened, or holds other vectors.
        """
        season = Season.of(Archive.open(self.path, called=self.name), vectors_fingerprint_of(encoder))
        check_encoder(season, encoder)
        return season


@dataclass(frozen=True)
class Asked:
    """What an archive answers to a prompt set.

    Attributes
    ----------
    place : Place
    season : Season
    labeller : Labeller
        With the threshold of the answer.
    prompts : PromptSet
    answer : Answer
    """

    place: Place
    season: Season
    labeller: Labeller
    prompts: PromptSet
    answer: Answer

    @classmethod
    def ask(cls, place: Place, encoder: Encoder, prompts: PromptSet, *, force: bool = False) -> Asked:
        """Ask an archive, with the measured threshold.

        Parameters
        ----------
        place : Place
        encoder : Encoder
        prompts : PromptSet
        force : bool
            Count words too that the encoder never learnt.

        Raises
        ------
        DataError
            It cannot be opened or read, or holds vectors of other encoders alone.
        """
        season = place.open(encoder)
        labeller = labeller_of(season, encoder, force=force)
        return cls(place, season, labeller, prompts, _answer(season, labeller, prompts))

    def scored(self, threshold: float) -> Asked:
        """The same question with another least score; no model is asked."""
        labeller = self.labeller.with_settings(threshold=threshold)
        return replace(self, labeller=labeller, answer=_answer(self.season, labeller, self.prompts))

    def counts(self, *by: str) -> pd.DataFrame:
        """How many of each label in each group, zeros too."""
        return count_season(self.season, self.answer, by)

    @cached_property
    def by_trap_and_day(self) -> pd.DataFrame:
        """Counts by trap and day."""
        return self.counts("trap", "day")

    @property
    def detections(self) -> Detections:
        """What the regions are."""
        return self.answer.detections

    def crop(self, row: int) -> bytes:
        """JPEG of a row of `detections`, as the archive keeps it."""
        return thumbnails_of(self.season, self.answer.photos[row : row + 1], self.answer.regions[row : row + 1])[0]

    @property
    def found(self) -> int:
        """Regions that are counted."""
        return int((self.answer.detections.status == FOUND).sum())

    def best(self, label: int, most: int) -> tuple[np.ndarray, list[bytes]]:
        """Rows of the answer that are counted under a label, best first, with the thumbnails of the first `most`."""
        detections = self.answer.detections
        rows = np.flatnonzero((detections.status == FOUND) & (detections.label_index == label))
        rows = rows[np.argsort(-detections.scores[rows], kind="stable")]
        shown = rows[:most]
        return rows, thumbnails_of(self.season, self.answer.photos[shown], self.answer.regions[shown])

    def write_csv(self, path: Path) -> None:
        """Write one row for each region that is counted."""
        csv_table.write(self.answer.detections, path)

    def write_report(self, path: Path) -> None:
        """Write the season's report: one HTML file."""
        write_season_report(path, self.season, self.answer, self.by_trap_and_day, title=self.place.name)


@dataclass(frozen=True)
class Searched:
    """The regions of an archive that look most like a picture.

    Attributes
    ----------
    place : Place
    season : Season
    table : pyarrow.Table
        As `agri_clip.archive.questions.search` gives it.
    """

    place: Place
    season: Season
    table: pa.Table

    @classmethod
    def search(cls, place: Place, encoder: Encoder, example: Photo) -> Searched:
        """Search an archive for what looks like a picture of one insect.

        Raises
        ------
        DataError
            As for `Asked.ask`.
        """
        season = place.open(encoder)
        vector = image_vector(encoder, example, season.settings().views)
        return cls(place, season, search(season, vector, MOST_ALIKE))

    def write_csv(self, path: Path) -> None:
        """Write one row for each region."""
        table = self.table.drop_columns(["thumbnail", "photo", "region"]).to_pandas()
        csv_table.write_table(table, path, self.season.provenance | {"archive": self.place.name})


def _answer(season: Season, labeller: Labeller, prompts: PromptSet) -> Answer:
    return Answer.concat(list(ask(season, labeller, prompts)))


def count_rows(table: pd.DataFrame, keys: Sequence[str], labels: Sequence[str]) -> list[list[Any]]:
    """A table of counts with a column for each label, as the page shows it.

    Parameters
    ----------
    table : DataFrame
        Of `Asked.counts`.
    keys : sequence of str
        That it was grouped by.
    labels : sequence of str
        Columns that are wanted.

    Returns
    -------
    list of list
        One row a group: its keys (None where one is not known), photos that were read, and the counts (None where no
        photo could be read).
    """
    rows = []
    for values, group in table.groupby(list(keys), sort=False):
        of_label = dict(zip(group["label"], group["count"], strict=True))
        counts = [None if pd.isna(of_label[label]) else int(of_label[label]) for label in labels]
        rows.append([*(None if v == UNKNOWN else v for v in values), int(group["photos"].iloc[0]), *counts])
    return rows


def most_first(table: pd.DataFrame) -> dict[str, int]:
    """Labels of a table of counts with their sums, the highest first."""
    sums = table.groupby("label", sort=False)["count"].sum()
    return {str(label): int(total) for label, total in sums.sort_values(ascending=False, kind="stable").items()}
