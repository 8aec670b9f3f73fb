"""Reading the YAML files that people write, so that an error names file, line and field; part of step 3."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from agri_clip.errors import PromptError

# libyaml where the wheel has it: the catalogue then loads some ten times faster, with the same marks.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LARGEST_FILE = 4_000_000  # bytes; a season's prompt set is a few thousand

FieldPath = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True)
class LinedYaml:
    """Plain values of a YAML file, with the line of each.

    Attributes
    ----------
    path : Path
        The file that was read.
    value : Any
        dict, list and scalars.
    lines : dict of field path to int
        1-based line of every key and list item, e.g. `("targets", 0, "name")`.
    """

    path: Path
    value: Any
    lines: dict[FieldPath, int]

    def error(self, where: FieldPath, problem: str) -> PromptError:
        """The error to raise for one field: `file:line: field: problem`."""
        return PromptError(self.message(where, problem))

    def message(self, where: FieldPath, problem: str) -> str:
        """One line for one field; the line is that of the nearest enclosing field that stands in the file."""
        known = where
        while known and known not in self.lines:
            known = known[:-1]
        field = field_name(where)
        return f"{self.path}:{self.lines.get(known, 1)}: {field + ': ' if field else ''}{problem}"


def field_name(where: FieldPath) -> str:
    """Write a field path as people do: `targets[0].length_mm`."""
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_lined_yaml(path: Path | str, least: str = "'targets:' with one sentence under it") -> LinedYaml:
    """Read one YAML file whose top level is a mapping.

    Parameters
    ----------
    path : Path or str
        The file.
    least : str
        What an empty file lacks, for the error.

    Returns
    -------
    LinedYaml
        Values with their lines.

    Raises
    ------
    PromptError
        The file is missing, too large, not UTF-8, empty, not YAML, holds a key twice, an alias or a tag, or is not a
        mapping; with file and line.
    """
    path = Path(path)
    text = _read_text(path)
    try:
        loader = _LOADER(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        problem = "; ".join(part for part in (error.context, error.problem) if part)
        raise PromptError(
            f"{path}:{line}: not valid YAML: {problem}. Check indentation, colons and quotes here and one line up"
        ) from error
    except yaml.YAMLError as error:
        raise PromptError(f"{path}:1: not valid YAML: {error}") from error
    if root is None:
        raise PromptError(f"{path}:1: the file is empty; write at least {least}")
    lined = LinedYaml(path, None, {})
    value = _plain(root, (), lined, set())
    if not isinstance(value, dict):
        raise PromptError(
            f"{path}:{root.start_mark.line + 1}: the top of the file must be a mapping ('field: value' lines), "
            f"not {_kind(value)}"
        )
    return LinedYaml(path, value, lined.lines)


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise PromptError(f"{path}: larger than {_LARGEST_FILE} bytes; this is not a file that people write")
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise PromptError(f"{path}: no such file") from error
    except OSError as error:
        raise PromptError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise PromptError(f"{path}:{line}: not UTF-8 text; save the file with the encoding UTF-8") from error


def _plain(node: Any, where: FieldPath, lined: LinedYaml, seen: set[int]) -> Any:
    """Plain value of a YAML node; fills `lined.lines` on the way."""
    lined.lines.setdefault(where, node.start_mark.line + 1)
    if id(node) in seen:
        raise lined.error(where, "YAML aliases (*name) are not used here; write the value out")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        return _plain_mapping(node, where, lined, seen)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*where, index), lined, seen) for index, child in enumerate(node.value)]
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (ValueError, yaml.YAMLError) as error:
        raise lined.error(where, f"{node.value!r} cannot be read as {node.tag}; put it in quotes") from error


def _plain_mapping(node: Any, where: FieldPath, lined: LinedYaml, seen: set[int]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
        here = (*where, key or "?")
        line = key_node.start_mark.line + 1
        if key is None:
            raise PromptError(f"{lined.path}:{line}: {field_name(where)}: a field's name must be plain text")
        if key in values:
            raise PromptError(
                f"{lined.path}:{line}: {field_name(here)}: written twice (first on line {lined.lines[here]}); keep one"
            )
        lined.lines[here] = line
        values[key] = _plain(value_node, here, lined, seen)
    return values


def validate_lined(model: type[ModelT], lined: LinedYaml, value: Any, where: FieldPath = ()) -> ModelT:
    """Validate a part of a file against a pydantic model.

    Parameters
    ----------
    model : type
        A pydantic model.
    lined : LinedYaml
        The file.
    value : Any
        The part to validate.
    where : FieldPath, optional
        Where that part stands in the file.

    Returns
    -------
    BaseModel
        An instance of `model`.

    Raises
    ------
    PromptError
        One line for each fault: file, line, field, what is wrong, what to do.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise PromptError(
            "\n".join(lined.message((*where, *loc), problem) for loc, problem in _faults(error, model))
        ) from error


def spoken_faults(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """The faults of values that came from no file, one line each."""
    return "\n".join(f"{field_name(loc)}: {problem}" if loc else problem for loc, problem in _faults(error, model))


def _faults(error: ValidationError, model: type[BaseModel] | None) -> list[tuple[FieldPath, str]]:
    return [
        (fault["loc"], _in_plain_words(dict(fault), _fields_at(model, fault["loc"]) if model else ""))
        for fault in error.errors(include_url=False)
    ]


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """The field names that the model at `loc` knows, for the remedy of an unknown field."""
    names = set(model.model_fields)
    for part in loc[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            inner = _models_in(model.model_fields[part].annotation)
            if inner:
                model = inner[0]
                names = set(model.model_fields)
    return ", ".join(sorted(names))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_in(inner)]


def _kind(value: Any) -> str:
    """What a value is, in words for people who write YAML."""
    names = {bool: "yes/no", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return "nothing" if value is None else names.get(type(value), f"a {type(value).__name__}")


def _in_plain_words(fault: dict[str, Any], fields: str) -> str:
    """One pydantic fault as what was wrong and what to do."""
    kind, given, limits = fault["type"], fault.get("input"), fault.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown field; the fields here are: {fields}"
    if kind == "missing":
        return "missing; add this field"
    if kind == "string_type":
        hint = "; put it in quotes" if isinstance(given, (bool, int, float)) or given is None else ""
        return f"must be text, but {given!r} is {_kind(given)}{hint}"
    if kind in {"tuple_type", "list_type"}:
        return f"must be a list ('- item' lines or [a, b]), not {_kind(given)}"
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return f"must be a mapping ('field: value' lines), not {_kind(given)}"
    if kind in {"float_type", "float_parsing", "int_type", "int_parsing", "finite_number"}:
        return f"must be a number, not {given!r}"
    if kind in {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}:
        sign = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
        return f"{given!r} is out of range; must be " + " and ".join(f"{sign[k]} {v}" for k, v in limits.items())
    if kind == "value_error":
        return str(limits["error"])
    return str(fault["msg"])


def write_whole(path: Path | str, text: str) -> None:
    """Write a UTF-8 text file whole or not at all.

    Raises
    ------
    PromptError
        The place cannot be written.
    """
    path = Path(path)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise PromptError(f"{path}: cannot be written ({error.strerror}); choose another place") from error


def data_dir(kind: str) -> Path:
    """The folder of data that ships with the package.

    Parameters
    ----------
    kind : str
        `"pests"`, `"prompts"`, `"samples"`, `"taxonomy"` or `"thresholds"`.

    Returns
    -------
    Path
        Inside an installed wheel `agri_clip/_data/<kind>`, in a checkout `data/<kind>`.

    Raises
    ------
    PromptError
        Neither is there.
    """
    package = Path(__file__).resolve().parent.parent
    places = (package / "_data" / kind, package.parent / "data" / kind)
    for place in places:
        if place.is_dir():
            return place
    raise PromptError(f"{places[0]}: the package's own data is missing; install agri-clip again")


def data_files(kind: str) -> list[Path]:
    """The YAML files of one kind of shipped data, by name; see `data_dir`."""
    return sorted(data_dir(kind).glob("*.yaml"))


def find_ready(path: Path | str, kind: str, one: str, several: str) -> Path:
    """A file, or one of the ready files of a kind by its name.

    Parameters
    ----------
    path : Path or str
    kind : str
        As for `data_dir`.
    one, several : str
        How a message goes on after "no ready" and after "the ready".

    Raises
    ------
    PromptError
        A bare name that no ready file has; the message lists those there are.
    """
    given = Path(path)
    if given.exists() or given.suffix or len(given.parts) != 1:
        return given
    ready = data_dir(kind) / f"{given}.yaml"
    if not ready.is_file():
        names = ", ".join(file.stem for file in data_files(kind))
        raise PromptError(f"{given}: no such file, and no ready {one} of that name; the ready {several} are: {names}")
    return ready
