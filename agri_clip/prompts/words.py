"""Which words of a prompt an encoder never saw, for encoders that say which words they know; part of step 3."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agri_clip.prompts.base import PromptSet, Target
from agri_clip.prompts.checks import capped
from agri_clip.prompts.matching import PromptWarning, fold, stem
from agri_clip.prompts.templates import with_article


class UnknownWordWarning(PromptWarning):
    """A prompt has words that the encoder never saw in its training captions."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: Words that carry no looks: articles, determiners, pronouns, prepositions, conjunctions and auxiliaries of English,
#: and the articles of the catalogue's other languages.
STOP_WORDS = _set(
    """
    a an the this that these those some any no one each every all both several many few its it their there they which
    what who whose and or but nor not than as so if while when about above across after against along among around at
    before behind below beneath beside between beyond by down during for from in inside into like near of off on onto
    out outside over per through to toward towards under until up upon via with within without is are was were be been
    being has have had having do does can may very el la los las un una unos unas de del y le les des du et der die das
    den dem ein eine einen einer eines und mit auf एक
    """
)

# Letters, with the vowel signs of Devanagari, which are none to the re module: a Hindi word is shown whole.
_WORD = re.compile(r"(?:[^\W\d_]|[ऀ-ॣ])+")
_PIECE = re.compile(r"[^\W\d_]+")


class UnknownWords(NamedTuple):
    """What an encoder never saw of one label: the words, and whether the label is described in words that it knows."""

    words: tuple[str, ...]
    described: bool


def find_unknown_words(prompts: PromptSet, known: Iterable[str]) -> dict[str, UnknownWords]:
    """Words of the targets that an encoder never saw.

    Every phrase of a target is looked at: the sentence, or the phrasings, synonyms and looks of a file. A pest that the
    catalogue describes is carried by its looks and other names, so of such a target only the name is looked at, and
    not even that where one of its names has known words only. Negatives and templates are not looked at.

    Parameters
    ----------
    prompts : PromptSet
    known : iterable of str
        The encoder's words. English plurals, capitals and accents make no difference.

    Returns
    -------
    dict of str to UnknownWords
        Labels in the order of the set; only those with unknown words.
    """
    stems = {_stem(word) for word in known}
    found = {target.name: _unknown_of(target, stems) for target in prompts.targets}
    return {name: unknown for name, unknown in found.items() if unknown.words}


def unknown_words_message(unknown: Mapping[str, UnknownWords], encoder: str) -> str:
    """What a grower is told of `find_unknown_words`: one line a label, `capped`, and what to do.

    Parameters
    ----------
    unknown : mapping of str to UnknownWords
        Not empty.
    encoder : str
        Its name.
    """
    lines = [
        f'{label!r}: the encoder "{encoder}" never saw the word{"s" * (len(words) > 1)} {_listed(words)}'
        + "; the catalogue's description of it is used too" * described
        for label, (words, described) in unknown.items()
    ]
    lines = capped(lines)
    if all(described for _, described in unknown.values()):
        return "\n".join(lines)
    remedy = (
        "describe what it looks like (colour, shape, wings, legs), as in 'a shiny green oval beetle', "
        "name a catalogued pest, or use a larger encoder (agri-clip models)"
    )
    return f"{lines[0]}; {remedy}" if len(lines) == 1 else "\n".join([*lines, remedy])


def _unknown_of(target: Target, stems: set[str]) -> UnknownWords:
    if target.pest is None or not target.looks:
        return UnknownWords(_unknown_in(target.phrases(), stems), described=False)
    names = [phrase for phrase in target.phrases() if phrase not in target.looks]
    if any(not _unknown_in([name], stems) for name in names):
        return UnknownWords((), described=True)
    # The words that the user wrote; a code or a name in another language is not encoded, so the first name is.
    own = with_article(target.name)
    words = _unknown_in([own if own in names else names[0]], stems)
    return UnknownWords(words, described=any(not _unknown_in([look], stems) for look in target.looks))


def content_words(phrases: Iterable[str]) -> tuple[str, ...]:
    """The words of phrases that an encoder must know, each once: all but the commonest small ones."""
    return _unknown_in(phrases, set())


def _unknown_in(phrases: Iterable[str], stems: set[str]) -> tuple[str, ...]:
    words = dict.fromkeys(word for phrase in phrases for word in _WORD.findall(_folded(phrase)))
    return tuple(
        word
        for word in words
        if word not in STOP_WORDS
        and not (len(word) == 1 and word.isascii())
        and not all(_stem(piece) in stems for piece in _PIECE.findall(word))
    )


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _stem(word: str) -> str:
    return stem(fold(word), "en")


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(f'"{word}"' for word in words[:-1]), f'"{words[-1]}"')))
