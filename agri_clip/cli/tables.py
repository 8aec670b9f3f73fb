"""Tables of counts that the command line prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table

from agri_clip.io.console import NOT_COUNTED, label_tables, make_table, output, without_common_folder

if TYPE_CHECKING:
    from agri_clip.detections import Detections
    from agri_clip.tracking.tracks import Tracks


def counts_table(detections: Detections) -> RenderableType:
    """Counts per photo and label; beside them what was seen and not counted, and why a photo failed."""
    names = without_common_folder([photo.name for photo in detections.photos])
    rows: list[list[object]] = []
    notes: list[object] = []
    for name, photo, part in zip(names, detections.photos, detections.split(), strict=True):
        if photo.failed:
            rows.append([name, *("–" for _ in detections.label_names), "–", "–"])
            notes.append(f"failed: {photo.reason}")
        else:
            rows.append([name, *_numbers(part)])
            notes.append("; ".join(photo.notes))
    if len(names) > 1:
        rows.append(["all", *_numbers(detections)])
        notes.append("")
    columns = ["photo", *detections.label_names, "other insects", "not insects"]
    return label_tables(columns, rows, notes, output().width)


def trap_table(detections: Detections) -> RenderableType:
    """Counts per trap and label over all its photos; beside them the photos, and what was seen and not counted."""
    import numpy as np

    traps = [photo.trap or "not known" for photo in detections.photos]
    rows: list[list[object]] = []
    owner = np.array(traps, dtype=object)[detections.photo_index] if traps else np.zeros(0, dtype=object)
    for trap in sorted(set(traps)):
        mine = [photo for photo, name in zip(detections.photos, traps, strict=True) if name == trap]
        failed = sum(photo.failed for photo in mine)
        rows.append([trap, len(mine) - failed, failed, *_numbers(detections[owner == trap])])
    if len(rows) > 1:
        failed = sum(photo.failed for photo in detections.photos)
        rows.append(["all", len(traps) - failed, failed, *_numbers(detections)])
    columns = ["trap", "photos", "failed", *detections.label_names, "other insects", "not insects"]
    return label_tables(columns, rows, [""] * len(rows), output().width)


def tracks_table(tracks: Tracks) -> Table:
    """Insects of each label beside the detections of all frames; other insects, and those seen too briefly, below."""
    from agri_clip.detections import FOUND, OTHER

    regions, insects = tracks.regions, tracks.to_detections()
    rows: list[list[object]] = []
    for label, name in enumerate(regions.label_names):
        counts = [int(((part.label_index == label) & (part.status == FOUND)).sum()) for part in (insects, regions)]
        rows.append([name, *([NOT_COUNTED] * 2 if name in regions.not_counted else counts)])
    rows.append(["other insects", *(int((part.status == OTHER).sum()) for part in (insects, regions))])
    if tracks.left_out:
        least = regions.provenance["tracking"]["min_frames"]
        rows.append([f"seen in fewer than {least} frames", tracks.left_out, int((tracks.track_index < 0).sum())])
    frames = sum(not frame.failed for frame in regions.photos)
    return make_table(["", "insects", f"detections in {frames} frames"], rows)


def _numbers(detections: Detections) -> list[int | str]:
    """Found regions of each label, other insects, and regions that are no insect."""
    import numpy as np

    from agri_clip.detections import BACKGROUND, FOUND, OTHER

    found = detections.label_index[detections.status == FOUND]
    counts = np.bincount(found, minlength=len(detections.label_names)).tolist()
    shown = [
        NOT_COUNTED if label in detections.not_counted else count
        for label, count in zip(detections.label_names, counts, strict=True)
    ]
    return [*shown, int((detections.status == OTHER).sum()), int((detections.status == BACKGROUND).sum())]
