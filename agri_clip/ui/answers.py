"""Answers: what a person says of what was found, kept as labelled crops, and the counts as they are with them.

A folder of answers holds `answers.jsonl`, one answer a line, and the crops beside it; `fine_tune` reads it, and it goes
out as COCO or Label Studio like every other result.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from agri_clip.detections import FOUND, Detections, PhotoRecord
from agri_clip.formats.files import write_bytes, write_text

Verdict = Literal["right", "wrong", "something else", "not an insect"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


#: What a region is known by, whatever it is scored as: name of its photo, and its box in tenths of a pixel.
Region = tuple[str, tuple[float, ...]]


@dataclass(frozen=True)
class Answer:
    """What a person says of one region.

    Attributes
    ----------
    crop : str
        Its picture, relative to the folder.
    verdict : Verdict
    label : str or None
        What it is; None where only is known that it is not what was said, or that it is no insect.
    predicted : str
        What the program counted it as.
    score : float
        Of that.
    photo : str
        Name of the photo.
    box : tuple of 4 float
        xyxy, pixels of the upright photo.
    width, height : int
        Of the photo, pixels.
    encoder : str
        Which scored it.
    objectness : float or None
        The proposer's; None in answers of a version that did not keep it.
    """

    crop: str
    verdict: Verdict
    label: str | None
    predicted: str
    score: float
    photo: str
    box: tuple[float, ...]
    width: int
    height: int
    encoder: str
    objectness: float | None = None

    @property
    def region(self) -> Region:
        """What was answered about."""
        return self.photo, self.box


class Answers:
    """Answers in a folder.

    Parameters
    ----------
    folder : Path
        Made where it is missing; answers that are there already stay.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._all: dict[Region, Answer] = {}
        file = folder / "answers.jsonl"
        if file.is_file():
            for line in file.read_text("utf-8").splitlines():
                answer = json.loads(line)
                answer["box"] = tuple(answer["box"])
                self._remember(Answer(**answer))

    def __len__(self) -> int:
        return len(self._all)

    def give(self, detections: Detections, row: int, crop: bytes, verdict: Verdict, label: str | None = None) -> Answer:
        """Keep what a person says of one detection; an earlier answer to the same region is replaced.

        Parameters
        ----------
        detections : Detections
        row : int
        crop : bytes
            JPEG.
        verdict : Verdict
        label : str or None
            What it is, for "something else".

        Raises
        ------
        ValueError
            "something else" comes without a label.
        DataError
            The folder cannot be written.
        """
        if verdict == "something else" and not label:
            raise ValueError("'something else' needs a label")
        photo = detections.photos[detections.photo_index[row]]
        predicted = detections.label_names[detections.label_index[row]]
        region = region_of(detections, row)
        number = sha256(repr(region).encode()).hexdigest()[:16]
        answer = Answer(
            crop=f"crops/{number}.jpg",
            verdict=verdict,
            label={"right": predicted, "something else": label}.get(verdict),
            predicted=predicted,
            score=round(float(detections.scores[row]), 4),
            photo=region[0],
            box=region[1],
            width=photo.width,
            height=photo.height,
            encoder=str(detections.provenance.get("encoder", "")),
            objectness=round(float(detections.objectness[row]), 4),
        )
        write_bytes(self.folder / answer.crop, crop)
        self._remember(answer)
        self._write()
        return answer

    def take_back(self, answer: Answer) -> None:
        """Forget an answer."""
        self._all.pop(answer.region, None)
        (self.folder / answer.crop).unlink(missing_ok=True)
        self._write()

    def of(self, detections: Detections, row: int) -> Answer | None:
        """What was said of a detection, if anything."""
        return self._all.get(region_of(detections, row))

    def corrected(self, detections: Detections) -> dict[str, int]:
        """Counts of each label with the answers taken in: what was wrong is taken off, what it is instead is added."""
        counts = dict.fromkeys(detections.label_names, 0)
        for row in np.flatnonzero(detections.status == FOUND):
            answer = self.of(detections, int(row))
            label = detections.label_names[detections.label_index[row]] if answer is None else answer.label
            if label is not None:
                counts[label] = counts.get(label, 0) + 1
        return counts

    def precision(self, detections: Detections) -> tuple[int, int]:
        """How many of the counted regions that were looked at are right, and how many were looked at."""
        answers = [self.of(detections, int(row)) for row in np.flatnonzero(detections.status == FOUND)]
        said = [answer for answer in answers if answer is not None]
        return sum(answer.verdict == "right" for answer in said), len(said)

    def detections(self) -> Detections:
        """Everything whose label is known, as a result: for COCO, Label Studio and the other exports."""
        known = [answer for answer in self._all.values() if answer.label is not None]
        labels = tuple(dict.fromkeys(str(answer.label) for answer in known))
        photos = {a.photo: PhotoRecord(a.photo, a.width, a.height) for a in self._all.values()}
        places = {name: place for place, name in enumerate(photos)}
        count = len(known)
        boxes = np.array([answer.box for answer in known], np.float32).reshape(-1, 4)
        ones, nothing = np.ones(count, np.float32), np.full(count, np.nan, np.float32)
        return Detections(
            photos=tuple(photos.values()),
            label_names=labels,
            photo_index=np.array([places[answer.photo] for answer in known], np.int32),
            boxes=boxes,
            label_index=np.array([labels.index(str(answer.label)) for answer in known], np.int32),
            status=np.full(count, FOUND),
            scores=ones,
            insect=ones,
            objectness=ones,
            margin=ones,
            length_px=np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]),
            length_mm=nothing,
            outlines=(None,) * count,
            provenance={"answers": "given by a person", "encoder": ", ".join(sorted({a.encoder for a in known}))},
        )

    def _remember(self, answer: Answer) -> None:
        self._all[answer.region] = answer

    def _write(self) -> None:
        lines = [json.dumps(asdict(answer), ensure_ascii=False) for answer in self._all.values()]
        write_text(self.folder / "answers.jsonl", "".join(f"{line}\n" for line in lines))


def region_of(detections: Detections, row: int) -> Region:
    """What a row is known by."""
    photo = detections.photos[detections.photo_index[row]]
    return photo.name, tuple(round(float(side), 1) for side in detections.boxes[row])


def by_doubt(detections: Detections) -> np.ndarray:
    """Rows of counted regions, the most doubtful first: those whose score is nearest to their runner-up's.

    A region whose label is nearly tied with another, or that hardly is an insect, teaches most.
    """
    rows = np.flatnonzero(detections.status == FOUND)
    certain = np.minimum(detections.margin[rows], detections.insect[rows])
    return rows[np.argsort(certain, kind="stable")]
