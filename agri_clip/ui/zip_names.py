"""Names of files in zips whose programs did not say in which letters they wrote them: UTF-8, Chinese, or Western."""

from __future__ import annotations

import struct
import unicodedata
import zipfile
from collections.abc import Callable, Sequence

#: Bit of a member's flags that says that its name is UTF-8.
UTF8_FLAG = 0x800
#: Extra field with the name in UTF-8, as Info-ZIP writes it beside another. APPNOTE.TXT, 4.6.9.
UNICODE_PATH = 0x7075
#: Letters that Western names hold often; those of code pages that were not meant are rarer ones.
COMMON = frozenset("äöüßéèêëàâáãåçñíîïìóôòõøúûùæœÄÖÜÉÈÀÁÂÃÅÇÑÍÎÓÔÕØÚÆ")


def correct_names(members: Sequence[zipfile.ZipInfo]) -> None:
    """Give members without the flag of UTF-8 the names that were meant; Python reads these as code page 437.

    One code page is chosen for all names of a zip: UTF-8 where all of them can be that, else the one that gives the
    most usual letters of Chinese (GBK), Western Windows (1252) and DOS (850, 437).

    Parameters
    ----------
    members : sequence of zipfile.ZipInfo
        Their `filename` is changed in place; `zipfile.ZipFile.open` still finds them.
    """
    unsure = [member for member in members if not member.flag_bits & UTF8_FLAG and not member.filename.isascii()]
    raw = {member.orig_filename: member.orig_filename.encode("cp437", errors="replace") for member in unsure}
    decode = _decoder(list(raw.values()))
    for member in unsure:
        name = _unicode_path(member.extra) or decode(raw[member.orig_filename])
        member.filename = name.split("\0")[0]


def _decoder(names: Sequence[bytes]) -> Callable[[bytes], str]:
    """How names of one zip are decoded."""
    ranked = []
    for place, page in enumerate(("utf-8", "gbk", "cp1252", "cp850", "cp437")):
        try:
            texts = [name.decode(page) for name in names]
        except UnicodeDecodeError:
            continue
        if page == "utf-8":
            return lambda name: name.decode("utf-8")
        ranked.append((-sum(map(_likely, texts)), place, page))
    best = min(ranked)[2]  # code page 437 decodes everything
    return lambda name: name.decode(best)


def _likely(text: str) -> float:
    """How likely the letters of a name beyond ASCII are what somebody wrote, more for more letters."""
    score = 0.0
    for place, letter in enumerate(text):
        if letter.isascii():
            continue
        beside = text[max(0, place - 1) : place] + text[place + 1 : place + 2]
        if "\u4e00" <= letter <= "\u9fff":
            # A sign beside Latin letters is two accented letters misread.
            latin = any(near.isascii() and near.isalpha() for near in beside)
            score += -2 if latin else 2 if _is_usual_sign(letter) else 1
        elif not beside.isascii():
            score += 0.3  # accented letters seldom stand together; Chinese signs misread do
        elif letter in COMMON:
            score += 1
        elif unicodedata.name(letter, "").startswith("LATIN"):
            score += 0.4
        else:
            score -= 1
    return score


def _is_usual_sign(letter: str) -> bool:
    """Whether a Chinese sign is one of the 3,755 most used, which stand first in GB 2312."""
    try:
        return 0xB0 <= letter.encode("gb2312")[0] <= 0xD7
    except UnicodeEncodeError:
        return False


def _unicode_path(extra: bytes) -> str | None:
    """The name that an extra field gives in UTF-8, if there is one."""
    place = 0
    while place + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, place)
        if kind == UNICODE_PATH and size > 5:
            try:
                return extra[place + 9 : place + 4 + size].decode("utf-8")
            except UnicodeDecodeError:
                return None
        place += 4 + size
    return None
