"""Sentences around a name: what this field's pictures show, and English articles; part of step 3.

Averaging the vectors of several sentences around one name is the prompt ensembling of Radford et al. 2021, "Learning
Transferable Visual Models From Natural Language Supervision", section 3.1.4 (https://arxiv.org/abs/2103.00020).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

TEMPLATES: tuple[str, ...] = (
    "{}",
    "a photo of {}",
    "a macro photo of {}",
    "{} on a sticky trap",
    "{} on a yellow sticky trap",
    "{} on a leaf",
)
"""The default templates. `{}` is where the phrase goes."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_DETERMINERS = _set("a an the any one two three some several many no this that these those each every its")
_PREPOSITIONS = _set("with without on in of at from under over behind near by that which stuck")
_MASS_NOUNS = _set(
    """
    background damage debris dew dirt dust frass glare glue handwriting honeydew light mildew mold mould paint
    pollen print sand soil water
    """
)
_SINGULAR_IN_S = _set("thrips psocoptera lens cyclops species grass glass moss")
_LATIN_ENDING = re.compile(r"(ae|i|is|us|um|a|ens|or|ax|es|x)$")
_WORDS = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")


def with_article(name: str) -> str:
    """Put an English article before a bare name; anything else is returned as it is.

    Left alone: a sentence that has a determiner, a plural, a mass noun, a Latin binomial, another script.

    Parameters
    ----------
    name : str
        A name such as `"green aphid"`, or a sentence such as `"a green aphid"`.

    Returns
    -------
    str
        `"a green aphid"` for both.
    """
    words = _WORDS.findall(name)
    if not words or not name.isascii() or words[0].lower() in _DETERMINERS:
        return name
    if len(words) == 2 and words[0].istitle() and words[1].islower() and _LATIN_ENDING.search(words[1]):
        return name
    if any(noun in _MASS_NOUNS or _looks_plural(noun) for noun in _nouns_of(words)):
        return name
    return f"{'an' if _starts_with_vowel_sound(words[0].lower()) else 'a'} {name}"


def _nouns_of(words: Sequence[str]) -> list[str]:
    """What a phrase is about: the last word before the first preposition, and each word before an "and"."""
    lower = [word.lower() for word in words]
    stop = next((i for i, word in enumerate(lower) if i and word in _PREPOSITIONS), len(lower))
    return [word for word, following in pairwise([*lower[:stop], "and"]) if following in {"and", "or"}]


def _looks_plural(word: str) -> bool:
    if word in _SINGULAR_IN_S or len(word) <= 3:
        return False
    return word.endswith("ae") or (word.endswith("s") and not word.endswith(("ss", "us", "is")))


def _starts_with_vowel_sound(word: str) -> bool:
    if word.startswith(("eu", "uni", "use", "one", "ur")):
        return word.startswith("ur") and not word.startswith("uro")
    return word[0] in "aeiou" or word.startswith(("hour", "honest"))


def expand(phrases: Iterable[str], templates: Sequence[str] = TEMPLATES) -> tuple[str, ...]:
    """Put every phrase into every template.

    A template is left out for a phrase that already says its noun: "a leaf vein" does not become "a leaf vein on a
    leaf". A phrase for which no template is left stands alone.

    Parameters
    ----------
    phrases : iterable of str
        Noun phrases, with their articles.
    templates : sequence of str
        Each holds `{}` once.

    Returns
    -------
    tuple of str
        All texts, without duplicates, phrases first to last and templates first to last.
    """
    texts: dict[str, None] = {}
    for phrase in phrases:
        said = {word.lower() for word in _WORDS.findall(phrase)}
        fitting = [template for template in templates if not said & _nouns(template)]
        texts.update(dict.fromkeys(template.replace("{}", phrase) for template in fitting or ["{}"]))
    return tuple(texts)


def _nouns(template: str) -> set[str]:
    """The nouns of a template: the last content word before the phrase, and the last one after it."""
    before, _, after = template.partition("{}")
    content = [
        [word.lower() for word in _WORDS.findall(part) if word.lower() not in _DETERMINERS | _PREPOSITIONS]
        for part in (before, after)
    ]
    return {words[-1] for words in content if words}
