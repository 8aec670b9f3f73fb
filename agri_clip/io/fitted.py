"""Tables of fitted numbers: a JSON file with a row for each model that was fitted, replaced when it is fitted again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from agri_clip.errors import DataError
from agri_clip.io.writing import write_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Row = TypeVar("Row", bound=DataclassInstance)
else:
    Row = TypeVar("Row")


@dataclass(frozen=True)
class FittedTable(Generic[Row]):
    """How one kind of table is read and written.

    Attributes
    ----------
    name : str
        What it holds, for messages.
    command : str
        The module that fits it, for messages.
    make : callable
        Makes a row, a dataclass, of its JSON object; raises what `read` turns into an error.
    key : callable
        What a row belongs to: text, or a tuple of texts. A table has one row for each.
    """

    name: str
    command: str
    make: Callable[[dict[str, Any]], Row]
    key: Callable[[Row], Any]

    def read(self, path: Path) -> list[Row]:
        """Return the rows of a table; an empty list where there is no file.

        Raises
        ------
        DataError
            The file is damaged.
        """
        if not path.is_file():
            return []
        try:
            return [self.make(row) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            remedy = f"fit it again with python -m {self.command}"
            raise DataError(f"{path}: not a table of {self.name} ({error}); {remedy}") from error

    def put(self, row: Row, path: Path) -> None:
        """Write a row into a table, in place of an earlier one of the same key.

        Raises
        ------
        DataError
            The table is damaged, or the place cannot be written.
        """
        others = [old for old in self.read(path) if self.key(old) != self.key(row)]
        rows = sorted([*others, row], key=self.key)
        write_text(path, json.dumps({"rows": [asdict(each) for each in rows]}, indent=1) + "\n")
