"""Sentences about a rendered crop, as a grower or a catalogue would put them."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache

import numpy as np

from agri_clip.prompts.catalogue import load_catalogue
from fine_tune.synthetic.attributes import BASIC_COLOURS, PHRASES, values_of
from fine_tune.synthetic.crops import Attributes
from fine_tune.synthetic.groups import GROUPS, NONE, Species

_GENERIC = ("insect", "bug", "small insect", "pest", "tiny creature", "arthropod", "specimen", "animal")
#: What people call several groups together.
_WIDER = {
    "beetle": frozenset(
        {
            "leaf beetle",
            "flea beetle",
            "weevil",
            "ladybird",
            "click beetle",
            "ground beetle",
            "rove beetle",
            "chafer",
            "bark beetle",
        }
    ),
    "fly": frozenset(
        ["house fly", "fruit fly", "leafminer fly", "hoverfly", "fungus gnat", "midge", "crane fly", "mosquito"]
    ),
    "true bug": frozenset(["plant bug", "stink bug"]),
}
_FRAMES = (
    "{x}",
    "{x}",
    "{x}",
    "a photo of {x}",
    "a close-up photo of {x}",
    "a macro photo of {x}",
    "a picture of {x}",
    "an image of {x}",
    "a crop of {x}",
    "a blurry photo of {x}",
    "a low resolution photo of {x}",
    "this is {x}",
    "there is {x}",
    "a trapped insect: {x}",
)
_DARK = {"black", "dark brown", "dark grey", "dark green", "dark red", "dark blue"}
_PALE = {"white", "cream", "pale yellow", "pale grey", "tan"}
_PLACES = {
    "yellow sticky trap": ("on a yellow sticky trap", "on a yellow sticky card", "stuck on yellow glue", "on yellow"),
    "blue sticky trap": ("on a blue sticky trap", "on a blue sticky card", "on blue"),
    "white sticky trap": ("on a white sticky trap", "on a white sticky card", "on white"),
    "clear sticky trap": ("on a clear sticky trap", "on a transparent sticky sheet"),
    "delta trap liner": ("on a delta trap liner", "on the sticky floor of a delta trap"),
    "pan of water": ("in a pan trap", "floating in water"),
    "leaf": ("on a leaf", "on a green leaf", "on a plant"),
    "soil": ("on soil", "on the ground"),
    "bark": ("on bark",),
    "paper": ("on paper", "on white paper"),
    "table": ("on a table",),
    "plants": ("on a plant", "among plants", "outdoors"),
    "flower": ("on a flower", "on a blossom"),
    "hand": ("on a hand", "on a finger"),
    "sticky trap": ("on a sticky trap", "on a sticky card", "stuck in glue", "on a trap"),
}
NOTHING = {
    "plain": ("an empty sticky trap", "background", "nothing", "no insect", "empty background", "bare surface"),
    "print": ("printed letters", "printed text", "a letter", "print on the card", "text", "handwriting"),
    "grid line": ("a grid line", "a printed line", "grid lines", "a black line"),
    "water drop": ("a water drop", "a droplet", "water drops", "a drop of water"),
    "glue": ("glue", "sticky glue", "glue texture", "uneven glue", "a bubble in glue"),
    "glare": ("glare", "a reflection", "a bright reflection", "light reflected by glue"),
    "dirt": ("dirt", "a lump of dirt", "a piece of debris", "a dark stain of dirt"),
    "specks": ("dirt specks", "dust", "small dark specks", "dirt", "grains of pollen"),
    "hair": ("a hair", "a fibre", "a thread", "hairs and fibres"),
    "plant fragment": ("a plant fragment", "a piece of leaf", "a petal", "plant debris", "a seed"),
    "leaf vein": ("a leaf vein", "leaf veins", "veins of a leaf"),
    "shadow": ("a shadow", "a dark shadow"),
    "card edge": ("the edge of a card", "a card edge", "the border of the trap", "a clip or a wire"),
    "hole": ("a hole", "a punched hole in the card"),
    "stain": ("a stain", "a smear", "a faint stain on the card"),
    "leaf": ("a leaf", "a green leaf surface", "a spot on a leaf"),
    "soil": ("soil", "bare ground", "bare soil"),
    "plants": ("plants", "plants out of focus", "a blurred green background", "grass"),
    "flower": ("a flower", "petals", "a blossom"),
    "hand": ("a hand", "a finger", "skin"),
    "insect part": ("a piece of insect leg", "a loose wing", "insect fragments", "an empty insect skin"),
}


def article(words: str) -> str:
    """Put "a" or "an" before a noun phrase."""
    return ("an " if words[0].lower() in "aeiou" else "a ") + words


def matching_species(group: str, attributes: Attributes) -> list[Species]:
    """Return the species of a group that a drawing with these attributes may be called."""
    first = attributes.body_colours[0] if attributes.body_colours else ""
    return [
        species
        for species in GROUPS[group].species
        if (not species.colours or first in species.colours)
        and (not species.pattern or species.pattern == attributes.pattern)
        and (
            not species.feature
            or any(
                feature == species.feature or (not species.feature[0].isdigit() and species.feature in feature)
                for feature in attributes.features
            )
        )
    ]


def _choose(rng: np.random.Generator, options: tuple[str, ...] | list[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _colour_words(rng: np.random.Generator, a: Attributes) -> str:
    words = a.colours if rng.random() < 0.9 else a.body_colours
    form = rng.random()
    if form < 0.3:
        words = tuple(dict.fromkeys(BASIC_COLOURS[word] for word in words))
    elif form < 0.4 and words[0] in _DARK | _PALE:
        return "dark" if words[0] in _DARK else _choose(rng, ("pale", "light"))
    if len(words) > 1 and rng.random() < 0.6:
        return f"{words[0]} and {words[1]}"
    return words[0]


def _name(rng: np.random.Generator, group: str, a: Attributes) -> str:
    if rng.random() < 0.27:
        options = matching_species(group, a)
        if options:
            species = options[int(rng.integers(len(options)))]
            return species.common if rng.random() < 0.5 else species.latin
    wider = [word for word, groups in _WIDER.items() if group in groups]
    if wider and rng.random() < 0.06:
        return wider[0]
    names = GROUPS[group].names
    return names[0] if rng.random() < 0.5 else _choose(rng, names)


def _wing_words(rng: np.random.Generator, a: Attributes) -> str:
    if a.wings == "none":
        return _choose(rng, ("no wings", "a wingless body"))
    if a.wings.startswith("hard"):
        return (
            _choose(rng, ("hard wing cases", "shiny wing cases", "a hard shell"))
            if "open" not in a.wings
            else "its wing cases open"
        )
    word = {"clear": _choose(rng, ("clear", "transparent", "see-through", "glassy"))}.get(a.wings, a.wings)
    number = {2: "two ", 4: "four "}.get(a.wing_count, "") if rng.random() < 0.4 else ""
    return f"{number}{word} wings"


def _detail(rng: np.random.Generator, a: Attributes) -> str:
    options = [_wing_words(rng, a)]
    if a.legs > 3:
        options.append("eight legs" if a.legs > 6 else _choose(rng, ("six legs", "visible legs")))
    if a.leg_length not in ("medium", "none"):
        options.append(f"{a.leg_length} legs")
    if a.antennae not in ("none", "medium"):
        options.append(f"{a.antennae} antennae")
    options.extend(a.features)
    options.extend(a.features)
    return _choose(rng, options)


def _phrase(rng: np.random.Generator, group: str, a: Attributes) -> str:
    """Return a noun phrase without article and frame."""
    named = rng.random() < 0.9
    noun = _name(rng, group, a) if named else _choose(rng, _GENERIC)
    before: list[str] = []
    share = 0.45 if named else 0.8
    if rng.random() < 0.05:
        before.append(
            _choose(rng, ("small", "tiny", "large", "little"))
            if rng.random() < 0.3
            else _choose(rng, ("dead", "trapped", "single"))
        )
    if a.shapes and rng.random() < share * 0.5:
        before.append(_choose(rng, a.shapes))
    if rng.random() < share:
        before.append(_colour_words(rng, a))
    if a.pattern != "plain" and rng.random() < share * 0.6:
        before.append(a.pattern)
    if noun[0].isupper() or noun.startswith("the "):
        text = noun if not before or rng.random() < 0.5 else f"{noun}, {article(' '.join(before))} {GROUPS[group].name}"
    else:
        text = article(" ".join([*before, noun]))
    if rng.random() < (0.35 if named else 0.7):
        text += " with " + _detail(rng, a)
        if rng.random() < 0.25:
            extra = _detail(rng, a)
            text += f" and {extra}" if extra not in text else ""
    return text


@lru_cache(maxsize=1)
def _catalogue_looks() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """What the catalogue says of looks: by scientific name of a species, and by group for entries above species."""
    species: dict[str, tuple[str, ...]] = {}
    groups: dict[str, tuple[str, ...]] = {}
    for pest in load_catalogue().values():
        if pest.is_species:
            species[pest.scientific] = pest.looks
        elif pest.id.replace("-", " ") == pest.group:
            groups[pest.group] = pest.looks
    return species, groups


def _looks(rng: np.random.Generator, group: str, a: Attributes) -> str | None:
    """Return a look that the catalogue gives to the group, or to a species that the drawing may be."""
    species, groups = _catalogue_looks()
    options = list(groups.get(group, ()))
    for one in matching_species(group, a):
        options.extend(species.get(one.latin, ()))
    return _choose(rng, options) if options else None


def _asked(rng: np.random.Generator, a: Attributes) -> str | None:
    """Return one of the phrases that ask for a single attribute."""
    attribute = _choose(rng, tuple(PHRASES))
    values = sorted(values_of(asdict(a), attribute))
    return PHRASES[attribute][_choose(rng, values)] if values else None


def nothing_kind(a: Attributes) -> str:
    """Return which key of `NOTHING` a crop without an insect shows."""
    return a.background if a.clutter == "plain" and a.background in NOTHING else a.clutter


def captions(rng: np.random.Generator, group: str, attributes: Attributes) -> str:
    """Write one sentence about a crop.

    About 85 % of the sentences name the group, a synonym or a species that looks like the drawing; the others describe
    it without a name or say only that it is an insect. Words never depend on blur or size.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the choice.
    group : str
        What is shown: a name of `GROUP_NAMES`, or "none".
    attributes : Attributes
        What the renderer knows of it.

    Returns
    -------
    str
        Lower case but for Latin and proper names, no full stop.
    """
    a = attributes
    if group == NONE:
        text = _choose(rng, NOTHING[nothing_kind(a)] if rng.random() < 0.85 else NOTHING["plain"][1:5])
        if rng.random() < 0.3:
            text = f"{text} {_choose(rng, _PLACES.get(a.background, _PLACES['sticky trap']))}"
        return _choose(rng, ("{x}", "{x}", "a photo of {x}", "a picture of {x}")).format(x=text)
    kind = rng.random()
    looks = _looks(rng, group, a) if kind < 0.04 else _asked(rng, a) if kind < 0.06 else None
    if looks is not None:
        text = looks
    elif kind < 0.085:
        text = _choose(
            rng,
            (
                "an insect",
                "a bug",
                "an insect",
                "a small insect",
                "a pest",
                f"a {a.colours[0]} insect",
                "a flying insect" if a.wing_count and a.wings != "leathery" else "a crawling insect",
            ),
        )
    else:
        text = _phrase(rng, group, a)
    if rng.random() < 0.3:
        text += " " + _choose(rng, _PLACES.get(a.background, _PLACES["sticky trap"]))
    return _choose(rng, _FRAMES).format(x=text)
