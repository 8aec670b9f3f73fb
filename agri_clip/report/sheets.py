"""Contact sheets of the report: small pictures of what was counted, for checking by eye."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agri_clip.errors import DataError

# First bytes of the only two kinds that are taken: SVG, which can hold scripts, is none.
KINDS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}


@dataclass(frozen=True)
class Example:
    """One counted region as a small picture.

    Attributes
    ----------
    thumbnail : bytes
        JPEG or PNG. It is shown at most 112 pixels wide and stands in the page as it is, so keep it small.
    score : float
        Of the label, 0 to 1.
    trap : str, optional
    taken : datetime, optional
    photo : str
        Name of the photo that it was cut from.
    """

    thumbnail: bytes
    score: float
    trap: str | None = None
    taken: datetime | None = None
    photo: str = ""

    @property
    def data_uri(self) -> str:
        """The picture as an address that holds it, so that the page needs no other file.

        Raises
        ------
        DataError
            It is neither JPEG nor PNG.
        """
        for start, kind in KINDS.items():
            if self.thumbnail.startswith(start):
                return f"data:{kind};base64,{base64.b64encode(self.thumbnail).decode('ascii')}"
        raise DataError(f"thumbnail of an example in {self.photo or 'a photo without a name'}: is no JPEG and no PNG")


@dataclass(frozen=True)
class Sheet:
    """The examples of one label: the surest, best first, and the most doubtful, least first."""

    label: str
    surest: tuple[Example, ...]
    doubtful: tuple[Example, ...]


def contact_sheets(examples: Mapping[str, Sequence[Example]], labels: Sequence[str], each: int) -> list[Sheet]:
    """Choose what is shown of each label.

    Parameters
    ----------
    examples : mapping of str to sequence of Example
    labels : sequence of str
        The order of the sheets; labels that are not among them follow.
    each : int
        Most pictures in each of the two rows. No picture stands in both.

    Returns
    -------
    list of Sheet
        Labels without examples are left out.
    """
    sheets = []
    for label in dict.fromkeys([*labels, *examples]):
        best_first = sorted(examples.get(label, ()), key=lambda example: -example.score)
        rest = best_first[each:]
        if best_first:
            sheets.append(Sheet(label, tuple(best_first[:each]), tuple(rest[::-1][:each])))
    return sheets
