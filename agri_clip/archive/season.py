"""Season: the photos and regions of an archive under one encoder. Adds finished photos, and reads them in parts.

A photo counts as done when its row stands in the table of photos. Its regions are written before that, so a kill
between the two leaves regions without a photo, which `repair` removes; nothing else can be half done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from hashlib import sha256
from importlib.metadata import version
from inspect import signature
from typing import Any

import filelock
import numpy as np
import pyarrow as pa

from agri_clip.archive.parts import PART, read_parts
from agri_clip.archive.schema import (
    PHOTOS,
    RUNS,
    SourceFile,
    path_on_disk,
    photo_row,
    region_rows,
    regions_schema,
)
from agri_clip.archive.store import Archive, explained, read
from agri_clip.detections import PhotoRecord
from agri_clip.encoders import Encoder
from agri_clip.encoders.base import vectors_fingerprint_of
from agri_clip.errors import DataError
from agri_clip.io.version import program_version
from agri_clip.photos.photo import Photo, natural_order, read_photo
from agri_clip.regions.base import Regions
from agri_clip.regions.geometry import long_sides
from agri_clip.scoring.thresholds import ProposedBy
from agri_clip.settings import Settings

#: Settings that change which regions there are and what their vectors look like; the others belong to a question.
LASTING = ("context", "views", "card", "card_size_mm", "mm_per_pixel")

#: Options of reading that change what is said of a photo, and no pixel.
ONLY_WORDS = frozenset(["too_large"])

#: How long a version of a table is kept for those who read while a batch is writing.
KEPT = timedelta(hours=1)

#: Regions from which on a search has an index: comparing with all of 300,000 takes 0.12 s on two cores and misses none,
#: while the index gave 43 % of the best 50 there; so it comes in only where comparing would take seconds.
INDEX_FROM = 5_000_000

#: Libraries whose versions a run names.
LIBRARIES = ("torch", "transformers", "ultralytics", "opencv-python", "lancedb")


@dataclass(frozen=True)
class Finished:
    """A photo that is ready for the archive.

    Attributes
    ----------
    file : SourceFile
    record : PhotoRecord
    regions : Regions
        None of them for a photo that failed or is a copy.
    thumbnails : sequence of bytes
        JPEG, one for each region.
    vectors : ndarray, shape (n, dim), float
        Of unit length.
    same_as : str or None
        Path of the photo whose copy it is.
    """

    file: SourceFile
    record: PhotoRecord
    regions: Regions = field(default_factory=Regions.empty)
    thumbnails: Sequence[bytes] = ()
    vectors: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    same_as: str | None = None


@dataclass(frozen=True)
class Maker:
    """A proposer of an earlier run: only what it is called."""

    name: str
    version: str


class Season:
    """The photos and regions of an archive under one encoder.

    Attributes
    ----------
    archive : Archive
    run : dict
        The row of `RUNS` that new photos belong to.
    """

    def __init__(self, archive: Archive, run: Mapping[str, Any]) -> None:
        self.archive, self.run = archive, dict(run)
        self._paths: dict[str, str] | None = None

    @classmethod
    def of(cls, archive: Archive, encoder: str | None = None) -> Season:
        """The season that questions go to.

        Parameters
        ----------
        archive : Archive
        encoder : str or None
            Name of the encoder; may be left out where there is one.

        Raises
        ------
        DataError
            No photo was archived yet, or which encoder is meant is not clear.
        """
        runs = archive.encoders()
        if not runs:
            place = archive.place
            raise DataError(f"{place}: is empty; fill it with: agri-clip batch PHOTOS --archive {place}")
        names = ", ".join(sorted({run["encoder"] for run in runs}))
        chosen = [run for run in runs if encoder in (None, run["encoder"], run["encoder_fingerprint"])]
        if len(chosen) != 1:
            what = "no vectors of that encoder" if not chosen else "vectors of several encoders"
            raise DataError(f"{archive.place}: holds {what}; name one with --encoder: {names}")
        return cls(archive, chosen[0])

    @classmethod
    def begin(
        cls,
        archive: Archive,
        encoder: Encoder,
        proposer: ProposedBy,
        settings: Settings,
        reading: Mapping[str, Any],
    ) -> Season:
        """The season that a batch adds to; new where the archive holds nothing of this encoder.

        Parameters
        ----------
        archive : Archive
        encoder : Encoder
        proposer : ProposedBy
        settings : Settings
        reading : mapping
            Options of `agri_clip.photos.photo.read_photo`.

        Raises
        ------
        DataError
            The archive was filled with another proposer or other settings, which would mix what cannot be compared.
        """
        now = {
            "encoder": encoder.name,
            "encoder_fingerprint": vectors_fingerprint_of(encoder),
            "proposer": proposer.name,
            "proposer_version": proposer.version,
            "settings": json.dumps(lasting(settings, reading), sort_keys=True),
            "program": program_version(),
            "libraries": json.dumps({name: version(name) for name in LIBRARIES}, sort_keys=True),
        }
        runs = archive.rows("runs")
        mine = [run for run in runs if run["encoder_fingerprint"] == now["encoder_fingerprint"]]
        if mine:
            _refuse_changes(archive.place, mine[-1], now)
            if all(mine[-1][key] == value for key, value in now.items()):
                return cls(archive, mine[-1])
        run = {"run": len(runs), **now}
        season = cls(archive, run)
        with explained(archive.place):
            archive.table(season.photos_name, PHOTOS)
            archive.table(season.regions_name, regions_schema(encoder.dim))
            archive.table("runs").add(pa.Table.from_pylist([run], schema=RUNS))
        return season

    @property
    def key(self) -> str:
        """What the names of its tables end with."""
        return sha256(self.run["encoder_fingerprint"].encode()).hexdigest()[:12]

    @property
    def photos_name(self) -> str:
        """Name of its table of photos."""
        return f"photos_{self.key}"

    @property
    def regions_name(self) -> str:
        """Name of its table of regions."""
        return f"regions_{self.key}"

    @property
    def proposer(self) -> Maker:
        """Who found the regions."""
        return Maker(self.run["proposer"], self.run["proposer_version"])

    @property
    def provenance(self) -> dict[str, Any]:
        """What made its regions and vectors."""
        made = f"{self.run['proposer']} {self.run['proposer_version']}"
        return {
            "program": f"agri_clip {self.run['program']}",
            "archive": self.archive.place,
            "proposer": made,
            "encoder": self.run["encoder"],
            "encoder_fingerprint": self.run["encoder_fingerprint"],
        }

    def settings(self, **question: Any) -> Settings:
        """The settings of its photos, with those of a question."""
        kept = {key: value for key, value in json.loads(self.run["settings"]).items() if key in LASTING}
        if kept["card_size_mm"] is not None:
            kept["card_size_mm"] = tuple(kept["card_size_mm"])
        return Settings(**kept, **question)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer, and begin with what a killed one left put right.

        Raises
        ------
        DataError
            Another program is writing.
        """
        folder = self.archive.folder
        if folder is None:  # a store elsewhere has no file to lock
            self.repair()
            yield
            return
        lock = filelock.FileLock(folder / ".writing.lock", timeout=0)
        try:
            with explained(self.archive.place):
                lock.acquire()
        except DataError as error:
            if isinstance(error.__cause__, filelock.Timeout):
                place = self.archive.place
                raise DataError(f"{place}: another program is writing to it; wait until it has finished") from None
            raise
        try:
            self.repair()
            yield
        finally:
            lock.release()

    def repair(self) -> int:
        """Remove regions whose photo is not done, as a kill leaves them; how many rows went."""
        numbers, count = self.stray_regions()
        if count:
            with explained(self.archive.place):
                self.archive.table(self.regions_name).delete(f"photo IN ({', '.join(map(str, numbers))})")
        return count

    def stray_regions(self) -> tuple[np.ndarray, int]:
        """Numbers of photos that regions name and that are not done, and how many such regions there are."""
        regions = self.archive.table(self.regions_name)
        present = read(regions, self.archive.place, columns=["photo"])["photo"].to_numpy()
        known = [row["photo"] for row in self.photo_rows(columns=["photo", "path"])]
        stray = np.setdiff1d(present, np.array(known, np.int64))
        return stray, int(np.isin(present, stray).sum())

    def photo_rows(self, where: str | None = None, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Rows of `PHOTOS` that fit a condition, in the order in which the photos were added."""
        return self.archive.rows(self.photos_name, where, columns)

    def traps(self) -> list[str]:
        """The traps of its photos, in the order in which people count."""
        rows = self.photo_rows(columns=["photo", "trap"])
        return sorted({row["trap"] for row in rows if row["trap"] is not None}, key=natural_order)

    def add(self, finished: Sequence[Finished], first: int, replaced: Mapping[str, int]) -> None:
        """Keep finished photos; all of them, or after a kill none.

        Parameters
        ----------
        finished : sequence of Finished
        first : int
            Number of the first; the others follow. Greater than any number in the archive.
        replaced : mapping of str to int
            Path and number of photos in the archive that these take the place of.
        """
        run, parts, rows = self.run["run"], [], []
        for number, entry in enumerate(finished, first):
            rows.append(
                photo_row(number, entry.file, entry.record, regions=len(entry.regions), run=run, same_as=entry.same_as)
            )
            if len(entry.regions):
                lengths = long_sides(entry.regions)
                parts.append(region_rows(number, entry.record, entry.regions, lengths, entry.thumbnails, entry.vectors))
        old = [replaced[entry.file.path] for entry in finished if entry.file.path in replaced]
        table = pa.Table.from_pylist(rows, schema=PHOTOS)
        with explained(self.archive.place):
            if parts:
                self.archive.table(self.regions_name).add(pa.concat_tables(parts))
            photos = self.archive.table(self.photos_name)
            if old:
                photos.merge_insert("path").when_matched_update_all().when_not_matched_insert_all().execute(table)
                gone = ", ".join(map(str, old))
                self.archive.table(self.regions_name).delete(f"photo IN ({gone})")
            else:
                photos.add(table)

    def parts(
        self, where: str | None = None, columns: Sequence[str] | None = None, most: int = PART
    ) -> Iterator[tuple[list[dict[str, Any]], pa.Table]]:
        """Photos with their regions, so many at a time that memory stays flat.

        Parameters
        ----------
        where : str or None
            A condition in SQL over the columns of `PHOTOS`.
        columns : sequence of str or None
            Of the regions; all but the thumbnails where left out.
        most : int
            Regions in a part; a photo with more is a part by itself.

        Yields
        ------
        rows : list of dict
            Rows of `PHOTOS` in order, copies left out.
        regions : pyarrow.Table
            Of these photos, sorted by photo and region.
        """
        regions = self.archive.table(self.regions_name)
        wanted = columns or [name for name in regions.schema.names if name != "thumbnail"]
        photos = [row for row in self.photo_rows(where) if row["same_as"] is None]
        return read_parts(regions, self.archive.place, photos, wanted, most)

    def read_photo(self, record: PhotoRecord) -> Photo:
        """The photo of a record, read from its file as it was when its regions were found.

        Raises
        ------
        PhotoError
            The file has gone, or cannot be read any more.
        """
        if self._paths is None:
            self._paths = {row["name"]: row["path"] for row in self.photo_rows(columns=["photo", "name", "path"])}
        kept = json.loads(self.run["settings"])
        reading = {key.removeprefix("reading."): value for key, value in kept.items() if key.startswith("reading.")}
        return read_photo(path_on_disk(self._paths[record.name]), name=record.name, **reading)

    def region_count(self) -> int:
        """Regions in the archive."""
        with explained(self.archive.place):
            return int(self.archive.table(self.regions_name).count_rows())

    def compact(self, keep: timedelta = KEPT) -> None:
        """Join the many small files of a long run into few, and drop versions of the tables older than `keep`.

        From `INDEX_FROM` regions on there is an index for searches too; regions that came later join it here.
        """
        with explained(self.archive.place):
            for name in (self.photos_name, self.regions_name, "runs", "prompt_sets"):
                self.archive.table(name).optimize(cleanup_older_than=keep)
            regions = self.archive.table(self.regions_name)
            if regions.count_rows() >= INDEX_FROM and not regions.list_indices():
                regions.create_index(metric="cosine", vector_column_name="vector", index_type="IVF_PQ")


def lasting(settings: Settings, reading: Mapping[str, Any]) -> dict[str, Any]:
    """What must not change while an archive is filled: settings that regions and vectors depend on, and reading.

    Options of reading that are left out and those given as the default they have are the same.
    """
    made = asdict(settings)
    usual = {name: parameter.default for name, parameter in signature(read_photo).parameters.items()}
    changed = {
        f"reading.{key}": value
        for key, value in sorted(reading.items())
        if value != usual[key] and key not in ONLY_WORDS
    }
    return {name: made[name] for name in LASTING} | changed


def _refuse_changes(place: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    changed = [
        f"{key.replace('_', ' ')} was {before[key]}, now {now[key]}"
        for key in ("proposer", "proposer_version")
        if before[key] != now[key]
    ]
    old, new = json.loads(before["settings"]), json.loads(now["settings"])
    changed += [
        f"{key} was {old.get(key)}, now {new.get(key)}"
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]
    if changed:
        raise DataError(
            f"{place}: was filled with other settings, and results would be mixed: {'; '.join(changed)}. Give the "
            "former settings, or another --archive"
        )
