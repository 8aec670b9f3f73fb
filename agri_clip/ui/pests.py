"""What the page offers to look for: the catalogue, searched by any name in any of its languages, and ready sets."""

from __future__ import annotations

from agri_clip.prompts import load_catalogue
from agri_clip.prompts._files import data_files

#: Stands for the set that the visitor made under "Pests".
OWN_SET = "own"


def pest_choices() -> list[tuple[str, str]]:
    """Pairs of what a list shows, with all names of a pest, and what a prompt takes: its usual English name."""
    shown: dict[str, str] = {}
    for pest in load_catalogue().values():
        names = dict.fromkeys(name for words in pest.names.values() for name in words)
        shown.setdefault(pest.english, " · ".join([*names, pest.scientific]))
    return sorted((text, name) for name, text in shown.items())


def ready_sets() -> list[str]:
    """Names of the prompt sets that ship."""
    return [file.stem for file in data_files("prompts")]
