"""Insects over frames: the detections of a film or of a camera's photos, joined so that one insect is one row.

Comes after the detector, frame by frame. Association is ByteTrack's; the label is voted over all frames of an insect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import supervision as sv
from trackers import BIoU, ByteTrackTracker

from agri_clip.detections import FOUND, OTHER, STATUSES, Detections, text_column
from agri_clip.encoders.crops import extract_crops, make_thumbnail
from agri_clip.errors import AgriClipError
from agri_clip.photos.photo import Photo

#: Boxes grow by this part of their sides in every direction before their overlap is taken: insects are small and turn
#: at will, so that the boxes of one that walks need not touch from frame to frame. Of 0.3 to 2, measured by
#: benchmarks/tracking.py: with less, one that walks half its length a frame is several rows; with more, neighbours that
#: are missed at times change places.
REACH = 1.5

#: Least overlap (IoU) of the grown boxes that still joins them.
LEAST_OVERLAP = 0.1

#: Frames in a row for which an insect may be missed and still is the same. 5 is enough where misses are a matter of
#: chance, and 10 costs nothing there; real ones come in runs, as long as a glare or another insect is there.
LOST_FRAMES = 10

#: What is seen in fewer frames is left out: an insect stays, a reflection or a misjudged speck comes and goes.
MIN_FRAMES = 2


@dataclass(frozen=True)
class Tracks:
    """Insects joined over frames; m of them, in the order in which they came.

    Attributes
    ----------
    regions : Detections
        Every insect (found or other) of every frame; its photos are the frames, in order.
    track_index : ndarray, shape (n,), int32
        Which insect each of the regions is; -1 where it was seen in too few frames and left out.
    left_out : int
        Insects that were seen in too few frames.
    label_index : ndarray, shape (m,), int32
        The label with the greatest sum of scores over the frames in which the insect was found; where its status is
        `OTHER`, over those in which it was not.
    status : ndarray, shape (m,), int8
        `FOUND` where it was found in at least half of the frames that it was seen in, else `OTHER`.
    votes : ndarray, shape (m,), float32
        The label's part of all scores that were summed, 0 to 1; 1 where every frame agrees.
    scores : ndarray, shape (m,), float32
        Mean score of the label over the frames that gave it, 0 to 1.
    insect : ndarray, shape (m,), float32
        Mean probability that it is an insect, 0 to 1.
    frames : ndarray, shape (m,), int32
        How many frames it was seen in.
    first, last : ndarray, shape (m,), int32
        Frames in which it was seen first and last.
    best : ndarray, shape (m,), int32
        The region in which its label scored highest.
    length_px, length_mm : ndarray, shape (m,), float32
        Median over its frames; millimetres are NaN where the scale is unknown.
    thumbnails : tuple of m (bytes or None)
        JPEG of the best region, where photos were given.
    """

    regions: Detections
    track_index: np.ndarray
    left_out: int
    label_index: np.ndarray
    status: np.ndarray
    votes: np.ndarray
    scores: np.ndarray
    insect: np.ndarray
    frames: np.ndarray
    first: np.ndarray
    last: np.ndarray
    best: np.ndarray
    length_px: np.ndarray
    length_mm: np.ndarray
    thumbnails: tuple[bytes | None, ...]

    def __len__(self) -> int:
        return len(self.label_index)

    def to_detections(self) -> Detections:
        """One region an insect, in its best frame, with what was voted; for counts and exports.

        Returns
        -------
        Detections
            m regions; `photos` lists every frame, so that its counts by photo say in which frame an insect looked best.
        """
        best = self.regions[self.best]
        return replace(
            best,
            label_index=self.label_index,
            status=self.status,
            scores=self.scores,
            insect=self.insect,
            length_px=self.length_px,
            length_mm=self.length_mm,
        )

    def to_pandas(self) -> pd.DataFrame:
        """One row an insect.

        Returns
        -------
        DataFrame
            `track` counts from 1; frames are given by name and, where known, by time; the box is that of `best_frame`.
        """
        frames = self.regions.photos
        first, last = [frames[i] for i in self.first], [frames[i] for i in self.last]
        best = [frames[i] for i in self.regions.photo_index[self.best]]
        boxes = self.regions.boxes[self.best]
        return pd.DataFrame(
            {
                "track": np.arange(1, len(self) + 1),
                "trap": text_column(frame.trap for frame in best),
                "label": text_column(self.regions.label_names[i] for i in self.label_index),
                "status": text_column(STATUSES[status] for status in self.status),
                "votes": self.votes,
                "score": self.scores,
                "insect": self.insect,
                "frames": self.frames,
                "first_frame": text_column(frame.name for frame in first),
                "last_frame": text_column(frame.name for frame in last),
                "first_taken": pd.Series([frame.taken for frame in first], dtype="datetime64[ms]"),
                "last_taken": pd.Series([frame.taken for frame in last], dtype="datetime64[ms]"),
                "best_frame": text_column(frame.name for frame in best),
                **{name: boxes[:, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))},
                "length_px": self.length_px,
                "length_mm": self.length_mm,
            }
        )


class Tracker:
    """Joins insects over frames that are given one by one.

    Every insect counts, whatever its label or whether any label fits, so that a label that flickers cuts nothing.
    Frames are taken as evenly spaced; one that could not be read is passed over and makes no insect older.

    Parameters
    ----------
    min_frames : int
        Insects seen in fewer frames are left out; where there are fewer frames altogether, those not seen in all.
    lost_frames : int
        Frames in a row for which an insect may be missed.
    reach : float
        What boxes grow by, in parts of their sides, before their overlap is taken.
    least_overlap : float
        Least IoU of the grown boxes that joins them, 0 to 1.

    Raises
    ------
    AgriClipError
        A setting is out of range.

    References
    ----------
    Zhang et al., ByteTrack: Multi-Object Tracking by Associating Every Detection Box, ECCV 2022. Yang et al., Hard to
    Track Objects with Irregular Motions and Similar Appearances? Make It Easier by Buffering the Matching Space, WACV
    2023, for the grown boxes.
    """

    def __init__(
        self,
        *,
        min_frames: int = MIN_FRAMES,
        lost_frames: int = LOST_FRAMES,
        reach: float = REACH,
        least_overlap: float = LEAST_OVERLAP,
    ) -> None:
        if min_frames < 1 or lost_frames < 0:
            raise AgriClipError(
                f"min_frames is {min_frames} and lost_frames {lost_frames}; the first must be 1 or more, the other not "
                "negative"
            )
        if reach < 0 or not 0 < least_overlap <= 1:
            raise AgriClipError(f"reach is {reach:g} and least_overlap {least_overlap:g}; give 0 or more, and 0 to 1")
        self.settings = {
            "min_frames": min_frames,
            "lost_frames": lost_frames,
            "reach": reach,
            "least_overlap": least_overlap,
        }
        self._tracker = ByteTrackTracker(
            lost_track_buffer=lost_frames,
            frame_rate=30.0,  # the rate at which its buffer is counted in frames
            # What is an insect is decided by the detector; ByteTrack's own two steps of confidence are left out.
            track_activation_threshold=0.0,
            high_conf_det_threshold=0.0,
            minimum_consecutive_frames=1,
            minimum_iou_threshold=least_overlap,
            iou=BIoU(buffer_ratio=reach),
        )
        self._numbers: dict[Any, int] = {}
        self._begun = 0
        self._parts: list[Detections] = []
        self._tracks: list[np.ndarray] = []
        self._thumbnails: dict[tuple[int, int, int], tuple[float, bytes]] = {}

    def add(self, detections: Detections, photo: Photo | None = None) -> None:
        """Take the next frame.

        Parameters
        ----------
        detections : Detections
            Of that frame alone.
        photo : Photo or None
            Its pixels, for thumbnails; they are not kept.

        Raises
        ------
        ValueError
            The detections are of several photos, or of other labels than the frames before.
        """
        if len(detections.photos) != 1:
            raise ValueError(f"detections of one frame are needed, these are of {len(detections.photos)}; use split()")
        if self._parts and detections.label_names != self._parts[0].label_names:
            raise ValueError("frames with different labels cannot be joined; score them with one prompt set")
        insects = detections.filter(status=(FOUND, OTHER))
        failed = detections.photos[0].failed
        tracks = np.full(len(insects), -1, np.int32) if failed else self._follow(insects.boxes)
        self._parts.append(insects)
        self._tracks.append(tracks)
        if photo is not None:
            self._keep_thumbnails(insects, tracks, photo)

    def finish(self) -> Tracks:
        """The insects of all frames so far."""
        regions = Detections.concat(self._parts)
        tracks = np.concatenate([np.zeros(0, np.int32), *self._tracks])
        readable = sum(not frame.failed for frame in regions.photos)
        seen = np.bincount(tracks[tracks >= 0], minlength=self._begun)
        kept = np.flatnonzero(seen >= min(self.settings["min_frames"], max(readable, 1)))
        numbers = np.full(self._begun + 1, -1, np.int32)  # the last one is for those of no track
        numbers[kept] = np.arange(len(kept))
        regions = replace(regions, provenance=regions.provenance | {"tracking": dict(self.settings)})
        voted = vote(regions, numbers[tracks])
        thumbnails = []
        for track, label, status in zip(kept.tolist(), voted.label_index, voted.status, strict=True):
            pictured = self._thumbnails.get((track, int(label), int(status)))
            thumbnails.append(None if pictured is None else pictured[1])
        return replace(voted, left_out=self._begun - len(kept), thumbnails=tuple(thumbnails))

    def _follow(self, boxes: np.ndarray) -> np.ndarray:
        """The insect that each box of the next frame is, shape (n,), int32."""
        given = sv.Detections(
            xyxy=boxes.astype(np.float64), confidence=np.ones(len(boxes)), data={"row": np.arange(len(boxes))}
        )
        followed = self._tracker.update(given)
        alive = list(self._tracker.tracks)
        numbers = {track: self._numbers[track] for track in alive if track in self._numbers}
        by_id = {track.tracker_id: track for track in alive}
        # An insect gets ByteTrack's id in its second frame; in its first, its box is that of a track just begun.
        new = [track for track in alive if track not in numbers]
        corners = np.array([track.get_state_bbox() for track in new]).reshape(-1, 4)
        tracks = np.full(len(boxes), -1, np.int32)
        identities = followed.tracker_id if len(boxes) and followed.tracker_id is not None else ()
        for row, identity in sorted(zip(followed.data.get("row", ()), identities, strict=True)):
            if identity >= 0:
                track = by_id[identity]
            else:
                track = new[int(np.abs(corners - given.xyxy[row]).sum(axis=1).argmin())]
                numbers[track] = self._begun
                self._begun += 1
            tracks[row] = numbers[track]
        self._numbers = numbers
        return tracks

    def _keep_thumbnails(self, insects: Detections, tracks: np.ndarray, photo: Photo) -> None:
        """For each insect and each label that it ever gets, the crop that scored highest; none has won yet."""
        keys = list(zip(tracks.tolist(), insects.label_index.tolist(), insects.status.tolist(), strict=True))
        better = [
            row
            for row, key in enumerate(keys)
            if key not in self._thumbnails or insects.scores[row] > self._thumbnails[key][0]
        ]
        for row, crop in zip(better, extract_crops(photo.pixels, insects.boxes[better]), strict=True):
            self._thumbnails[keys[row]] = (float(insects.scores[row]), make_thumbnail(crop))


def track_detections(parts: Iterable[Detections], **settings: Any) -> Tracks:
    """Join the insects of frames; see `Tracker`, which also takes the frames' pixels.

    Parameters
    ----------
    parts : iterable of Detections
        Of one frame each, in order of time.
    **settings
        Of `Tracker`.

    Raises
    ------
    AgriClipError, ValueError
        As `Tracker` and `Tracker.add`.
    """
    tracker = Tracker(**settings)
    for detections in parts:
        tracker.add(detections)
    return tracker.finish()


def vote(regions: Detections, track_index: np.ndarray) -> Tracks:
    """What each insect is, by the sum of the scores of its frames.

    Parameters
    ----------
    regions : Detections
        Found and other insects.
    track_index : ndarray, shape (n,), int32
        Which insect each region is, 0 to m - 1; -1 for none.
    """
    rows = np.flatnonzero(track_index >= 0)
    track, label = track_index[rows], regions.label_index[rows]
    found = regions.status[rows] == FOUND
    table = pd.DataFrame(
        {
            "frame": regions.photo_index[rows],
            "insect": regions.insect[rows],
            "found": found,
            "length_px": regions.length_px[rows],
            "length_mm": regions.length_mm[rows],
        }
    ).groupby(track)
    count = len(table)
    is_found = 2 * table["found"].mean().to_numpy() >= 1
    # Only frames of the status that the insect ends with vote: its best frame then shows it as it is counted.
    votes = found == is_found[track]
    sums = np.zeros((count, max(1, len(regions.label_names))))
    np.add.at(sums, (track[votes], label[votes]), regions.scores[rows][votes] + 1e-9)  # 0 is a vote too
    winner = sums.argmax(axis=1).astype(np.int32)
    agree = np.flatnonzero(votes & (label == winner[track]))
    scores = pd.Series(regions.scores[rows][agree])
    by_track = scores.groupby(track[agree])
    return Tracks(
        regions=regions,
        track_index=np.asarray(track_index, np.int32),
        left_out=0,
        label_index=winner,
        status=np.where(is_found, FOUND, OTHER).astype(np.int8),
        votes=(sums.max(axis=1) / np.maximum(sums.sum(axis=1), 1e-9)).astype(np.float32),
        scores=by_track.mean().to_numpy(np.float32),
        insect=table["insect"].mean().to_numpy(np.float32),
        frames=table.size().to_numpy(np.int32),
        first=table["frame"].min().to_numpy(np.int32),
        last=table["frame"].max().to_numpy(np.int32),
        best=rows[agree[by_track.idxmax().to_numpy(np.int64)]].astype(np.int32),
        length_px=table["length_px"].median().to_numpy(np.float32),
        length_mm=table["length_mm"].median().to_numpy(np.float32),
        thumbnails=(None,) * count,
    )
