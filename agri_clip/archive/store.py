"""Archive: the folder of tables itself. Opening, versions, migration, and errors in words; no row is made here."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa

from agri_clip.archive.schema import ABOUT, FORMAT_VERSION, PROMPT_SETS, RUNS
from agri_clip.errors import AgriClipError, DataError
from agri_clip.io.version import program_version

#: What the table that names the format holds.
KIND = "agri_clip archive"

#: Rows that are taken from a table at once while all of it is read. Larger pieces of memory go back to the system after
#: each use, and to be given them again takes longer than to fill them.
BATCH = 8192

#: Rows that are asked for together: LanceDB reads up to 2 GB ahead of what is taken, so that this bounds the memory.
WINDOW = 8 * BATCH

#: What a condition is scanned for: quoted text as a whole, comments, and what could end the expression.
_PIECES = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|[();]", re.DOTALL)

#: Where Rust states the number of a system's error; LanceDB raises a RuntimeError that has it nowhere else.
#: https://doc.rust-lang.org/std/io/struct.Error.html
_RUST_ERROR = re.compile(r"\(os error (\d+)\)")

_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}

#: The folders before a file's name.
_FOLDERS = re.compile(r"(?:/[^\s'\"/:,()]+)+/([^\s'\"/:,()]+)")


def _keep_caps(db: lancedb.DBConnection) -> None:
    """Format 2: whether a photo's regions were cut is a column; before, the notes of the proposers alone said it."""
    for name in _table_names(db):
        if name.startswith("photos_") and "at_cap" not in (table := db.open_table(name)).schema.names:
            table.add_columns({"at_cap": "coalesce(array_to_string(notes, ' ') LIKE '%some may be missing%', false)"})


#: Steps from a format to the next: `MIGRATIONS[n]` makes an archive of format n one of format n + 1, and does no harm
#: when it is done again after a kill in its middle.
MIGRATIONS: dict[int, Callable[[lancedb.DBConnection], None]] = {1: _keep_caps}


class Archive:
    """An archive that is open.

    Attributes
    ----------
    place : str
        What messages call it: the folder or address, as the user gave it, or another name.
    db : lancedb.DBConnection
    folder : Path or None
        Where it is on this machine; None for an address elsewhere.
    """

    def __init__(self, place: str, db: lancedb.DBConnection, folder: Path | None) -> None:
        self.place, self.db, self.folder = place, db, folder

    @classmethod
    def open(cls, place: str | Path, *, create: bool = False, called: str | None = None) -> Archive:
        """Open an archive; one of an older format is brought up to this program's.

        Parameters
        ----------
        place : str or Path
            A folder, or an address that LanceDB knows, such as ``s3://bucket/season``.
        create : bool
            Make one where there is none.
        called : str, optional
            What messages call it, for readers who do not know where it lies.

        Raises
        ------
        DataError
            There is none; the folder holds other things; a newer program made it; it cannot be read or written.
        """
        folder = None if "://" in str(place) else Path(place).expanduser()
        address = str(place) if folder is None else str(folder)
        shown = called or str(place)
        if folder is not None:
            _check_folder(folder, create, shown)
        with explained(shown):
            db = lancedb.connect(address)
            if "about" in _table_names(db):
                _bring_up_to_date(db, shown)
            elif create:
                _make(db)
            else:
                raise DataError(f"{shown}: holds no archive; make one with: agri-clip batch PHOTOS --archive {shown}")
            return cls(shown, db, folder)

    def tables(self) -> list[str]:
        """Names of all tables, sorted."""
        with explained(self.place):
            return sorted(_table_names(self.db))

    def table(self, name: str, schema: pa.Schema | None = None) -> Any:
        """A table by name; with a schema it is made where it is missing.

        Raises
        ------
        DataError
            There is none, or it is damaged.
        """
        with explained(self.place):
            if schema is not None and name not in _table_names(self.db):
                return self.db.create_table(name, schema=schema, exist_ok=True)
            return self.db.open_table(name)

    def encoders(self) -> list[dict[str, Any]]:
        """The last run of each encoder whose vectors are kept, in the order of their first runs; rows of `RUNS`."""
        latest: dict[str, dict[str, Any]] = {}
        for row in self.rows("runs"):
            latest[row["encoder_fingerprint"]] = row
        return list(latest.values())

    def rows(self, name: str, where: str | None = None, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Rows of a small table, in the order of its first column."""
        table = read(self.table(name), self.place, where=where, columns=columns)
        return list(table.sort_by(table.column_names[0]).to_pylist())

    def remember_prompts(self, digest: str, name: str, text: str) -> None:
        """Keep a prompt set as the one asked last; asking the same again changes nothing."""
        kept = self.rows("prompt_sets")
        if kept and kept[-1]["hash"] == digest and kept[-1]["text"] == text:
            return
        row = {"number": len(kept), "hash": digest, "name": name, "text": text}
        with explained(self.place):
            self.table("prompt_sets").add(pa.Table.from_pylist([row], schema=PROMPT_SETS))


def read(table: Any, place: str, *, where: str | None = None, columns: Sequence[str] | None = None) -> pa.Table:
    """Rows of a table that fit a condition.

    Parameters
    ----------
    table : lancedb table
    place : str
        For messages.
    where : str or None
        A condition in SQL (DataFusion's) over the table's columns.
    columns : sequence of str or None

    Raises
    ------
    DataError
        The condition cannot be used, or the table is damaged.
    """
    query = table.search()
    if where:
        query = query.where(where)
    if columns is not None:
        query = query.select(list(columns))
    return run_query(query, table, place, where)


def read_batches(table: Any, place: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """All rows of a table, at most `BATCH` of them at a time, in its order; arguments and errors as for `read`."""
    with explained(place):
        for first in range(0, table.count_rows(), WINDOW):
            query = table.search().select(list(columns)).offset(first).limit(WINDOW)
            yield from query.to_batches(batch_size=BATCH)


def run_query(query: Any, table: Any, place: str, where: str | None) -> pa.Table:
    """Run a query over a table; arguments and errors as for `read`."""
    try:
        return query.to_arrow()
    except (OSError, RuntimeError, ValueError) as error:
        if where and (fault := _condition_fault(where, table.schema)) is not None:
            given = where.removeprefix("(").removesuffix("\n)")  # as the user wrote it; see `one_condition`
            raise DataError(
                f"the condition {given!r} cannot be used: {_first_line(fault)}; columns are "
                f"{', '.join(name for name in table.schema.names if name not in ('vector', 'thumbnail'))}"
            ) from error
        raise _damage(place, error) from error


def one_condition(where: str | None) -> str | None:
    """A user's condition, as one expression: in parentheses, so that nothing behind it is ignored.

    Raises
    ------
    DataError
        It holds several statements, or closes a parenthesis that it did not open.
    """
    if where is None or not where.strip():
        return None
    depth = 0
    for piece in _PIECES.findall(where):
        depth += (piece == "(") - (piece == ")")
        if piece == ";" or depth < 0:
            raise DataError(f"the condition {where!r} cannot be used: {piece!r} ends it; give one expression")
    return f"({where}\n)"


def _condition_fault(where: str, schema: pa.Schema) -> Exception | None:
    """What is wrong with a condition itself: asked of an empty table, where nothing can be damaged."""
    empty = lancedb.connect("memory://").create_table("empty", schema=schema, mode="overwrite")
    try:
        empty.search().where(where).to_arrow()
    except (OSError, RuntimeError, ValueError) as error:
        return error
    return None


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turn what LanceDB raises into errors for the person at the keyboard."""
    try:
        yield
    except AgriClipError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        raise _damage(place, error) from error


def _damage(place: str, error: BaseException) -> DataError:
    text, number = _first_line(error), _system_error(error)
    if number in _NOT_ALLOWED:
        return DataError(f"{place}: this archive may not be written by this user; change its permissions ({text})")
    if number in _FULL:
        return DataError(
            f"{place}: the disk is full; what was finished is kept. Make room and give the same command again ({text})"
        )
    return DataError(f"{place}: the archive cannot be used ({text}); `agri-clip archive verify` names what is damaged")


def _system_error(error: BaseException | None) -> int | None:
    """Return the `errno` of the system's error that an error is or comes from, or None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        if (stated := _RUST_ERROR.search(str(error))) is not None:
            number = int(stated[1])
            return OSError(number, "", None, number).errno  # on Windows its number is another, which this translates
        error = error.__cause__ or error.__context__
    return None


def _first_line(error: BaseException) -> str:
    """What LanceDB says, with file names alone: where an archive lies is shown by its own name, or not at all."""
    lines = [_FOLDERS.sub(r"\1", line.strip()) for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


def _table_names(db: lancedb.DBConnection) -> list[str]:
    names: list[str] = []
    page = db.list_tables()
    while True:
        names += list(page.tables)
        if not page.page_token:
            return names
        page = db.list_tables(page_token=page.page_token)


def holds_archive(folder: Path) -> bool:
    """Whether there is an archive in a folder; its tables are not opened."""
    return (folder / "about.lance").is_dir()


def _check_folder(folder: Path, create: bool, shown: str) -> None:
    """Refuse what is no folder for an archive before LanceDB makes anything in it."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{shown}: is a file; an archive is a folder")
    if not folder.exists() and not create:
        raise DataError(f"{shown}: there is no such archive; make one with: agri-clip batch PHOTOS --archive {shown}")
    if folder.exists() and create and not holds_archive(folder):
        others = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
        if others:
            raise DataError(f"{shown}: holds other files ({others[0]}, …); give a new or empty folder")


def _make(db: lancedb.DBConnection) -> None:
    """Make the tables of an empty archive; the one that marks it as an archive comes last."""
    db.create_table("runs", schema=RUNS, exist_ok=True)
    db.create_table("prompt_sets", schema=PROMPT_SETS, exist_ok=True)
    about = {"kind": KIND, "format": str(FORMAT_VERSION), "made_by": f"agri_clip {program_version()}"}
    rows = [{"key": key, "value": value} for key, value in about.items()]
    db.create_table("about", data=pa.Table.from_pylist(rows, schema=ABOUT))


def _bring_up_to_date(db: lancedb.DBConnection, place: str) -> None:
    """Refuse an archive of a newer format, and migrate one of an older."""
    table = db.open_table("about")
    about = {row["key"]: row["value"] for row in read(table, place).to_pylist()}
    if about.get("kind") != KIND or not about.get("format", "").isdigit():
        raise DataError(f"{place}: is no archive of agri_clip; give another folder")
    version = int(about["format"])
    if version > FORMAT_VERSION:
        raise DataError(
            f"{place}: has format {version}, made by {about.get('made_by', 'a newer program')}; this is agri_clip "
            f"{program_version()}, which reads up to format {FORMAT_VERSION}. Install the newer program"
        )
    while version < FORMAT_VERSION:
        MIGRATIONS[version](db)
        version += 1
        table.update(where="key = 'format'", values={"value": str(version)})
