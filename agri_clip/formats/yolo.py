"""YOLO: a folder of text files, one a photo, as ultralytics trains on. https://docs.ultralytics.com/datasets/detect/"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import yaml

from agri_clip.detections import Detections, text_column
from agri_clip.formats.csv_table import write_table
from agri_clip.formats.files import printable, produced_by, relative_boxes, unique_stems, whole_folder, write_text

#: Decimals of the numbers of a label, and how many units of the last one the photo is wide and high.
DECIMALS: Final = 6
UNITS: Final = 10**DECIMALS


def write(detections: Detections, path: Path | str, *, all_regions: bool = False) -> None:
    """Write the folder `path`: `data.yaml`, `photos.csv` and one file a photo in `labels/`.

    A line is ``class x y width height``, centre and size over the photo's width and height. A photo without detections
    has an empty file, a photo that failed has none. `photos.csv` says which photo a file belongs to; where two photos
    have one name, their files carry the folder's name too.

    Parameters
    ----------
    detections : Detections
    path : Path or str
        Folder; an earlier export there is replaced.
    all_regions : bool
        Also regions that are no finding, under their best label.

    Raises
    ------
    DataError
        The folder cannot be written or holds other files, or a photo's size is not known.
    """
    chosen = detections if all_regions else detections.found
    parts = [part for part in chosen.split() if not part.photos[0].failed]
    stems = unique_stems([part.photos[0].name for part in parts])
    with whole_folder(path, marker="data.yaml") as folder:
        for part, stem in zip(parts, stems, strict=True):
            write_text(folder / "labels" / f"{stem}.txt", "".join(f"{line}\n" for line in _lines(part)))
        names = text_column(part.photos[0].name for part in parts)
        table = pd.DataFrame({"label_file": text_column(f"labels/{stem}.txt" for stem in stems), "photo": names})
        write_table(table, folder / "photos.csv", detections.provenance)
        write_text(folder / "data.yaml", _data_yaml(detections))


def _lines(part: Detections) -> list[str]:
    return [
        f"{label} " + " ".join(f"{value / UNITS:.{DECIMALS}f}" for value in row)
        for label, row in zip(part.label_index.tolist(), centred(relative_boxes(part)).tolist(), strict=True)
    ]


def centred(corners: np.ndarray) -> np.ndarray:
    """Centres and sizes of boxes in whole units of the last decimal, so that centre ± half stays within the photo.

    Parameters
    ----------
    corners : ndarray, shape (n, 4), float64
        xyxy, each from 0 to 1.

    Returns
    -------
    ndarray, shape (n, 4), int64
        x, y, width, height in units of 1 / `UNITS`. Sizes are even, so that their halves need no further decimal.
    """
    units = np.rint(corners * UNITS).astype(np.int64)
    low, high = units[:, :2], units[:, 2:]
    # An odd size loses a unit at its end; a box of one unit gets one more, on the side where there is room.
    odd = (high - low) % 2 == 1
    thin = odd & (high - low == 1)
    high = high - (odd & ~thin) + (thin & (high < UNITS))
    low = low - (thin & (units[:, 2:] == UNITS))
    return np.concatenate([(low + high) // 2, high - low], axis=1)


def _data_yaml(detections: Detections) -> str:
    """Where the photos are to be laid, and the class names, whatever letters they hold."""
    names = {"names": {i: printable(name) for i, name in enumerate(detections.label_names)}}
    lines = [
        f"# {' '.join(produced_by(detections.provenance).split())}",
        "# Lay the photos in images/, under the names of the files in labels/; photos.csv says which is which.",
        "path: .",
        "train: images",
        "val: images",
        yaml.safe_dump(names, allow_unicode=True, sort_keys=False, width=1000),
    ]
    return "\n".join(lines)
