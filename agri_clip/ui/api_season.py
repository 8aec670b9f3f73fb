"""Endpoints for many photos: a batch into an archive, what an archive answers, and what in it looks like a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agri_clip.batch.run import Stop
from agri_clip.detections import FOUND
from agri_clip.errors import DataError
from agri_clip.settings import Settings
from agri_clip.ui.answering import Asked, Searched
from agri_clip.ui.api_requests import spoken, wished_prompts
from agri_clip.ui.archives import chosen_place, open_places
from agri_clip.ui.batches import folder_job, run_job, upload_job
from agri_clip.ui.page import Page
from agri_clip.ui.sessions import Session
from agri_clip.ui.uploads import read_upload
from agri_clip.ui.words import ENGLISH

#: Regions that an answer lists where a program does not say how many.
TOP = 100

Result = tuple[Session, Any]


def batch_endpoint(page: Page) -> Callable[..., Iterator[Result]]:
    """The endpoint ``/batch``."""

    def batch(
        session: Session | None,
        photos: list[str] | None = None,
        name: str = "",
        folder: str = "",
        prompts: list[str] | None = None,
        negatives: list[str] | None = None,
        ready: str | None = None,
        mm_per_pixel: float | None = None,
        force: bool = False,
    ) -> Iterator[Result]:
        """Put photos into an archive and count them; yields how far it is, and at last the counts.

        Parameters
        ----------
        session : Session or None
            Kept by the page; programs do not send it.
        photos : list of str or None
            Files: photos, or zips of photos.
        name : str
            Of the archive; photos under a name that is known are added.
        folder : str
            Instead of photos, a folder that the operator allowed.
        prompts, negatives : list of str or None
        ready : str or None
            Name of a ready prompt set.
        mm_per_pixel : float or None
        force : bool
            Count words too that the encoder never learnt.
        """
        here = session or page.open_session()
        with spoken():
            wanted = wished_prompts(prompts, negatives, ready)
            detector = page.finder.detector(Settings(mm_per_pixel=mm_per_pixel or None))
            if folder:
                job = folder_job(here, page.options, folder, wanted, detector, ENGLISH)
            else:
                job = upload_job(here, page.options, photos, name, wanted, detector, ENGLISH)
            states = run_job(here, Stop(), job)
            while True:
                try:
                    state = next(states)
                except StopIteration as end:
                    done = end.value
                    break
                yield here, {"state": "running", "seen": state.seen, "total": state.total}
            asked = Asked.ask(job.place, detector.encoder, wanted, force=bool(force))
            key = next(key for key, place in open_places(here, page.options).items() if place.path == job.place.path)
            yield here, {"state": "done", "archive": key, "photos": done.kept, **_counted(asked)}

    return batch


def archives_endpoint(page: Page) -> Callable[..., Result]:
    """The endpoint ``/archives``."""

    def archives(session: Session | None) -> Result:
        """The archives that this program may ask: its own, and those of the operator."""
        here = session or page.open_session()
        places = open_places(here, page.options)
        return here, [{"archive": key, "name": place.name} for key, place in places.items()]

    return archives


def ask_endpoint(page: Page) -> Callable[..., Result]:
    """The endpoint ``/ask``."""

    def ask(
        session: Session | None,
        archive: str,
        prompts: list[str] | None = None,
        negatives: list[str] | None = None,
        ready: str | None = None,
        threshold: float | None = None,
        top: float | None = None,
        force: bool = False,
    ) -> Result:
        """Ask an archive for a pest: counts by trap and date, and the best regions.

        Parameters
        ----------
        session : Session or None
            Kept by the page; programs do not send it.
        archive : str
            As `/archives` or `/batch` give it.
        prompts, negatives : list of str or None
        ready : str or None
        threshold : float or None
            Least score, 0 to 1.
        top : int or None
            Regions to list.
        force : bool
            Count words too that the encoder never learnt.
        """
        here = session or page.open_session()
        with spoken():
            place = chosen_place(here, page.options, archive, ENGLISH)
            encoder, wanted = page.finder.detector().encoder, wished_prompts(prompts, negatives, ready)
            asked = Asked.ask(place, encoder, wanted, force=bool(force))
            asked = asked if threshold is None else asked.scored(threshold)
            return here, _counted(asked) | {"regions": _best(asked, int(top or TOP))}

    return ask


def search_endpoint(page: Page) -> Callable[..., Result]:
    """The endpoint ``/search``."""

    def search(session: Session | None, archive: str, picture: str, top: float | None = None) -> Result:
        """Regions of an archive that look most like a picture of one insect.

        Parameters
        ----------
        session : Session or None
            Kept by the page; programs do not send it.
        archive : str
        picture : str
            The file.
        top : int or None
        """
        here = session or page.open_session()
        with spoken():
            place = chosen_place(here, page.options, archive, ENGLISH)
            if not picture:
                raise DataError("picture: is missing; send a file that shows one insect")
            example = read_upload(Path(picture), page.options.limits)
            found = Searched.search(place, page.finder.detector().encoder, example).table
            table = found.drop_columns(["thumbnail", "photo", "region"]).to_pandas().rename(columns={"name": "photo"})
            return here, _records(table.head(int(top or TOP)))

    return search


def _counted(asked: Asked) -> dict[str, Any]:
    """Counts by trap and date, and the photos that could not be counted."""
    failed = [photo for photo in asked.detections.photos if photo.failed]
    return {
        "counts": _records(asked.by_trap_and_day[["trap", "day", "label", "photos", "failed", "count", "threshold"]]),
        "failures": [{"photo": photo.name, "reason": photo.reason} for photo in failed],
    }


def _best(asked: Asked, most: int) -> list[dict[str, Any]]:
    """Counted regions, best first."""
    detections = asked.detections
    rows = np.flatnonzero(detections.status == FOUND)
    best = rows[np.argsort(-detections.scores[rows], kind="stable")][:most]
    columns = ["photo", "trap", "taken", "label", "score", "x1", "y1", "x2", "y2", "length_px", "length_mm"]
    return _records(detections[best].to_pandas()[columns])


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values; null where one is not known."""
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", date_format="iso", double_precision=4))
    return rows
