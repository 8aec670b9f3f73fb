"""Prompt sets from YAML files, with the line of every fault; the only place that opens them. Part of step 3."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from agri_clip.errors import PromptError
from agri_clip.io.yaml_lines import FieldPath, LinedYaml, find_ready, read_lined_yaml, validate_lined
from agri_clip.prompts.base import Negative, PromptSet, Target, label_key, without_targets
from agri_clip.prompts.catalogue import Pest, load_catalogue
from agri_clip.prompts.matching import resolve, words_of
from agri_clip.prompts.negatives import DEFAULT_NEGATIVES


def read_prompt_set(path: Path | str) -> PromptSet:
    """Read one prompt set; the work behind `PromptSet.load`.

    Parameters
    ----------
    path : Path or str
        A file, or the name of a ready set.

    Returns
    -------
    PromptSet

    Raises
    ------
    PromptError
        One line per fault: file, line, field, remedy.
    """
    lined = read_lined_yaml(find_ready(path, "prompts", "set", "sets"))
    value: dict[str, Any] = {"name": lined.path.stem, **lined.value}
    faults: list[str] = []
    for field, read in (("targets", _read_target), ("negatives", _read_negative)):
        if isinstance(value.get(field), list):
            parts: list[Any] = []
            for index, part in enumerate(value[field]):
                try:
                    parts.append(read(lined, part, (field, index)))
                except PromptError as error:
                    faults.append(str(error))
            value[field] = parts
    if not faults:
        faults = _repeated_labels(lined, value)
    if faults:
        raise PromptError("\n".join(faults))
    parsed = validate_lined(PromptSet, lined, value)
    if "negatives" not in value:
        parsed = parsed.model_copy(update={"negatives": without_targets(DEFAULT_NEGATIVES, parsed.targets)})
    return parsed


def _read_target(lined: LinedYaml, part: Any, where: FieldPath) -> Target:
    if isinstance(part, str):
        try:
            return resolve(part)
        except PromptError as error:
            raise lined.error(where, str(error)) from error
    if isinstance(part, dict) and isinstance(part.get("pest"), str):
        part = {**words_of(_pest(lined, part["pest"], (*where, "pest"))), **part}
    return validate_lined(Target, lined, part, where)


def _pest(lined: LinedYaml, name: str, where: FieldPath) -> Pest:
    catalogue = load_catalogue()
    if name not in catalogue:
        near = difflib.get_close_matches(name, catalogue, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; `data/pests` lists the ids"
        raise lined.error(where, f"no catalogued pest has the id {name!r}{hint}")
    return catalogue[name]


def _read_negative(lined: LinedYaml, part: Any, where: FieldPath) -> Negative:
    return validate_lined(Negative, lined, {"name": part} if isinstance(part, str) else part, where)


def _repeated_labels(lined: LinedYaml, value: dict[str, Any]) -> list[str]:
    first: dict[str, FieldPath] = {}
    faults = []
    for field in ("targets", "negatives"):
        parts = value.get(field)
        for index, part in enumerate(parts if isinstance(parts, list) else ()):
            where: FieldPath = (field, index, "name") if (field, index, "name") in lined.lines else (field, index)
            key = label_key(part.name)
            if key in first:
                line = lined.lines[first[key]]
                faults.append(
                    lined.message(where, f"the label {part.name!r} stands already on line {line}; join or rename them")
                )
            first.setdefault(key, where)
    return faults
