"""What can be asked of an insect's looks: for each kind of attribute its values, and the phrase that asks for each.

Training teaches these phrases, and the benchmark asks them of crops that were never trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

#: Colour as seen, in the basic colour terms of English, by the words that the renderer uses.
BASIC_COLOURS: dict[str, str] = {
    "black": "black",
    "dark grey": "grey",
    "grey": "grey",
    "pale grey": "grey",
    "white": "white",
    "cream": "white",
    "yellow": "yellow",
    "pale yellow": "yellow",
    "orange": "orange",
    "red": "red",
    "dark red": "red",
    "pink": "pink",
    "brown": "brown",
    "dark brown": "brown",
    "reddish brown": "brown",
    "tan": "brown",
    "olive": "green",
    "green": "green",
    "light green": "green",
    "dark green": "green",
    "metallic green": "green",
    "blue": "blue",
    "dark blue": "blue",
    "metallic blue": "blue",
    "purple": "purple",
}

_SHAPES = (
    "slender",
    "stout",
    "narrow-waisted",
    "oval",
    "round",
    "domed",
    "cylindrical",
    "wedge-shaped",
    "pear-shaped",
    "spindle-shaped",
    "broad-winged",
    "moth-like",
    "worm-like",
    "shield-shaped",
    "cigar-shaped",
    "parallel-sided",
    "triangular",
    "flat",
)

_WINGS = {
    "none": "an insect without wings",
    "clear": "an insect with clear wings",
    "spotted clear": "an insect with spotted clear wings",
    "hard wing cases": "an insect with hard wing cases",
    "half-leathery": "an insect with half-leathery wings",
    "leathery": "an insect with leathery wings",
    "scaly": "an insect with scaly wings",
    "white": "an insect with white wings",
    "opaque": "an insect with opaque wings",
    "fringed": "an insect with fringed wings",
}

_LEGS = {
    "none": "an insect without legs",
    "short": "an insect with short legs",
    "medium": "an insect with legs of medium length",
    "long": "an insect with long legs",
}

#: Attribute to value to the phrase that asks for it.
PHRASES: dict[str, dict[str, str]] = {
    "colour": {
        name: f"{'an' if name[0] in 'aeiou' else 'a'} {name} insect" for name in dict.fromkeys(BASIC_COLOURS.values())
    },
    "shape": {name: f"{'an' if name[0] in 'aeiou' else 'a'} {name} insect" for name in _SHAPES},
    "wings": _WINGS,
    "legs": _LEGS,
}


def _colours(look: Mapping[str, Any]) -> set[str]:
    return {BASIC_COLOURS[name] for name in look["colours"]}


def _shapes(look: Mapping[str, Any]) -> set[str]:
    return set(look["shapes"]) & set(_SHAPES)


def _wings(look: Mapping[str, Any]) -> set[str]:
    return {look["wings"].removesuffix(", open")} & set(_WINGS)


def _legs(look: Mapping[str, Any]) -> set[str]:
    return {look["leg_length"].removeprefix("very ")} & set(_LEGS)


_READERS: dict[str, Callable[[Mapping[str, Any]], set[str]]] = {
    "colour": _colours,
    "shape": _shapes,
    "wings": _wings,
    "legs": _legs,
}


def values_of(look: Mapping[str, Any], attribute: str) -> set[str]:
    """Values of one attribute that a rendered crop shows; empty for a crop of which it is not known.

    Parameters
    ----------
    look : mapping
        The fields of `fine_tune.synthetic.crops.Attributes`.
    attribute : str
        A key of `PHRASES`.
    """
    return _READERS[attribute](look) if look.get("colours") else set()
