"""Labelled crops: what people said of pictures of insects, whatever program they said it in. First step of adapting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agri_clip.errors import DataError

#: Label of crops that show no insect: dirt, glue, glare.
BACKGROUND = "not an insect"

#: Names under which people keep such crops, as `agri_clip.formats.coco.plain_name` writes them.
BACKGROUND_NAMES = frozenset(["not an insect", "background", "no insect", "not insect", "negative"])


@dataclass(frozen=True)
class Place:
    """Where a crop was cut from.

    Attributes
    ----------
    path : Path
        Of the photo.
    box : tuple of 4 float
        xyxy in pixels of the photo.
    upright : bool
        Whether that is the photo turned upright, or as the camera stored it.
    """

    path: Path
    box: tuple[float, float, float, float]
    upright: bool = True


@dataclass(frozen=True)
class LabelledCrops:
    """Crops with their labels, and the photos that they come from.

    Attributes
    ----------
    crops : tuple of n ndarray, shape (h, w, 3), uint8
        RGB, of any sizes, cut as the detector cuts them.
    labels : tuple of n str
        As people wrote them; `BACKGROUND` for a crop that shows no insect.
    photos : tuple of n str
        Which photo each crop was cut from. Crops of one photo share light, card and often the insect, so trials are
        split by photo and never by crop.
    names : tuple of n str
        What a message calls each crop: its file, or its photo and box.
    source : str
        Where they were read from.
    notes : tuple of str
        What was left out in reading, and why.
    places : tuple of n Place
        Empty where people labelled crops and no photos.
    objectness : tuple of n float
        Of the region that each crop shows, 0 to 1; NaN where that is not known. Empty where it is known of none.
    bare : tuple of Path
        Photos in which people labelled nothing.
    """

    crops: tuple[np.ndarray, ...]
    labels: tuple[str, ...]
    photos: tuple[str, ...]
    names: tuple[str, ...]
    source: str = "crops"
    notes: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    objectness: tuple[float, ...] = ()
    bare: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        sizes = {len(self.crops), len(self.labels), len(self.photos), len(self.names)}
        sizes |= {len(column) for column in (self.places, self.objectness) if column}
        if len(sizes) > 1:
            raise ValueError(f"what is said of crops must be equally many, not {sorted(sizes)}")

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: Sequence[int] | np.ndarray) -> LabelledCrops:
        """Select crops by number, or by a mask of n bool."""
        rows = np.arange(len(self))[np.asarray(index)].tolist()
        return LabelledCrops(
            tuple(self.crops[i] for i in rows),
            tuple(self.labels[i] for i in rows),
            tuple(self.photos[i] for i in rows),
            tuple(self.names[i] for i in rows),
            self.source,
            self.notes,
            tuple(self.places[i] for i in rows) if self.places else (),
            tuple(self.objectness[i] for i in rows) if self.objectness else (),
            self.bare,
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels of insects, sorted; `BACKGROUND` is none."""
        return tuple(sorted(set(self.labels) - {BACKGROUND}))

    @property
    def counts(self) -> dict[str, int]:
        """Crops of each label, sorted by label; `BACKGROUND` too."""
        return dict(sorted(Counter(self.labels).items()))


def read_samples(source: Path | str, images: Path | str | None = None) -> LabelledCrops:
    """Read labelled crops; what kind they are is seen from the files.

    Parameters
    ----------
    source : Path or str
        A folder of folders named by label; a COCO file; a YOLO folder with ``data.yaml`` or ``classes.txt``; a Label
        Studio export (JSON); a folder with the answers of the web page (``answers.jsonl``); or a folder of the parts
        (``train``, ``val``, ``test``) of a data set, each in one of these forms.
    images : Path or str or None
        Folder of the photos, for COCO and Label Studio; None takes the folder of the file.

    Returns
    -------
    LabelledCrops
        In an order that does not depend on the disk.

    Raises
    ------
    DataError
        Nothing of these kinds is there, a file is damaged, or no crop is labelled; names file and field.
    """
    from fine_tune.adapt import readers

    source = Path(source)
    photos = Path(images) if images is not None else source if source.is_dir() else source.parent
    found = readers.reader_of(source)(source, photos)
    if not found.classes:
        raise DataError(f"{source}: no crop has an insect's label; label some, or name other crops")
    return found
