"""Which words of a prompt an encoder never saw, for encoders that say which words they know; part of step 3."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Set
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


#: Stop words that end the part of a phrase in which its noun stands: "a fly | with clear wings", "a beetle | that ...".
#: Articles, "of" and conjunctions do not: "a cluster of aphids", "a black and yellow wasp".
_NOUN_ENDS = _set(
    """
    that which who whose when while about above across after against along among around at before behind below beneath
    beside between beyond by down during for from in inside into like near off on onto out outside over per through to
    toward towards under until up upon via with within without is are was were be been being has have having had
    """
)

#: Nouns that say nothing of the looks: the words beside them decide ("a kissing bug", "a thing with six legs").
GENERIC_NOUNS = _set(
    """
    insect insects bug bugs pest pests arthropod arthropods animal animals creature creatures critter critters thing
    things something anything object objects specimen specimens individual individuals
    """
)

#: Participles behind a noun that do not end like one.
_PARTICIPLES = _set("seen found caught stuck")


class UnknownWords(NamedTuple):
    """What an encoder never saw of one label.

    Attributes
    ----------
    words : tuple of str
        The unknown words.
    described : bool
        The catalogue describes the label in words that the encoder knows.
    learnt : bool
        The encoder knows the deciding noun of at least one phrase of the label. A label without that counts nothing.
    """

    words: tuple[str, ...]
    described: bool
    learnt: bool


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


def unknown_words_message(unknown: Mapping[str, UnknownWords], encoder: str, *, force: bool = False) -> str:
    """Say what `find_unknown_words` found: one line a label, `capped`, and what to do.

    Parameters
    ----------
    unknown : mapping of str to UnknownWords
        Not empty.
    encoder : str
        Its name.
    force : bool
        Labels that the encoder never learnt are counted all the same.
    """
    lines = [
        f'{label!r}: the encoder "{encoder}" never saw the word{"s" * (len(found.words) > 1)} {_listed(found.words)}'
        + "; the catalogue's description of it is used too" * found.described
        + (", so this prompt counts nothing" * (not found.learnt and not force))
        + ("; it is counted all the same, as you asked, and the count may mean anything" * (not found.learnt and force))
        for label, found in unknown.items()
    ]
    lines = capped(lines)
    if all(found.described for found in unknown.values()):
        return "\n".join(lines)
    remedy = (
        "describe what it looks like (colour, shape, wings, legs), as in 'a shiny green oval beetle', "
        "name a catalogued pest, or use a larger encoder (agri-clip models recommend)"
    )
    if not force and not all(found.learnt for found in unknown.values()):
        remedy += "; --force counts all the same"
    return f"{lines[0]}; {remedy}" if len(lines) == 1 else "\n".join([*lines, remedy])


def _unknown_of(target: Target, stems: set[str]) -> UnknownWords:
    learnt = any(_is_learnt(phrase, stems) for phrase in target.phrases())
    if target.pest is None or not target.looks:
        return UnknownWords(_unknown_in(target.phrases(), stems), described=False, learnt=learnt)
    names = [phrase for phrase in target.phrases() if phrase not in target.looks]
    if any(not _unknown_in([name], stems) for name in names):
        return UnknownWords((), described=True, learnt=True)
    # The words that the user wrote; a code or a name in another language is not encoded, so the first name is.
    own = with_article(target.name)
    words = _unknown_in([own if own in names else names[0]], stems)
    described = any(not _unknown_in([look], stems) for look in target.looks)
    return UnknownWords(words, described=described, learnt=learnt or described)


def _is_learnt(phrase: str, stems: set[str]) -> bool:
    """Whether an encoder knows what an English phrase asks for.

    The last word of the noun phrase decides: "zorb" in "a small zorb with clear wings". Around "of" either noun is
    enough. Where the noun is generic, one known word beside it is enough, or the noun itself where it stands alone.
    """
    words = _WORD.findall(_folded(phrase))
    content = [_is_content(word) for word in words]
    start = content.index(True) if any(content) else len(words)
    end = next((i for i in range(start, len(words)) if words[i] in _NOUN_ENDS), len(words))
    head = words[start:end]
    while len(head) > 1 and (head[-1] in _PARTICIPLES or head[-1].endswith(("ing", "ed"))):
        head.pop()
    beside = [word for word in words[end:] if _is_content(word)]
    return any(_knows_noun(part, beside, stems) for part in _split_at_of(head))


def _split_at_of(words: list[str]) -> list[list[str]]:
    """Content words before and after each "of"; parts without any are left out."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word == "of":
            parts.append([])
        elif _is_content(word):
            parts[-1].append(word)
    return [part for part in parts if part]


def _knows_noun(part: list[str], beside: list[str], stems: set[str]) -> bool:
    *modifiers, noun = part
    if noun not in GENERIC_NOUNS:
        return _is_known(noun, stems)
    telling = [word for word in (*modifiers, *beside) if word not in GENERIC_NOUNS]
    alone = not modifiers and _is_known(noun, stems)
    return alone or any(_is_known(word, stems) for word in telling)


def content_words(phrases: Iterable[str]) -> tuple[str, ...]:
    """The words of phrases that an encoder must know, each once: all but the commonest small ones."""
    return _unknown_in(phrases, set())


def known_phrases(phrases: Iterable[str], stems: frozenset[str]) -> tuple[str, ...]:
    """Those phrases all of whose words an encoder saw in training.

    Parameters
    ----------
    phrases : iterable of str
    stems : frozenset of str
        Of the encoder's words, as `word_stems` gives them.
    """
    return tuple(phrase for phrase in phrases if not _unknown_in([phrase], stems))


def word_stems(known: Iterable[str]) -> frozenset[str]:
    """Words by which an encoder's vocabulary is compared: plurals, capitals and accents make no difference."""
    return frozenset(map(_stem, known))


def _unknown_in(phrases: Iterable[str], stems: Set[str]) -> tuple[str, ...]:
    words = dict.fromkeys(word for phrase in phrases for word in _WORD.findall(_folded(phrase)))
    return tuple(word for word in words if _is_content(word) and not _is_known(word, stems))


def _is_content(word: str) -> bool:
    return word not in STOP_WORDS and not (len(word) == 1 and word.isascii())


def _is_known(word: str, stems: Set[str]) -> bool:
    return all(_stem(piece) in stems for piece in _PIECE.findall(word))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _stem(word: str) -> str:
    return stem(fold(word), "en")


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(f'"{word}"' for word in words[:-1]), f'"{words[-1]}"')))
