"""From a sentence to a Target: finds the catalogued pest that it names, in six languages; part of step 3."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import combinations
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError

from agri_clip.errors import AgriClipWarning, PromptError
from agri_clip.io.yaml_lines import spoken_faults
from agri_clip.prompts.base import PromptSet, Target, tidy, worded
from agri_clip.prompts.catalogue import Pest, load_catalogue
from agri_clip.prompts.templates import with_article


class PromptWarning(AgriClipWarning):
    """A prompt that was understood in one of several ways."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ARTICLES: dict[str, frozenset[str]] = {
    "en": _set("a an the any some one adult adults"),
    "la": _set("a an the sp spp adult adults"),
    "es": _set("el la los las un una unos unas adulto adulta adultos adultas"),
    "fr": _set("le la les l un une des du d adulte adultes"),
    "de": _set("der die das den dem ein eine einen einer eines"),
    "hi": _set("एक"),
}
_STAGES = _set(
    """
    larva larvae larval nymph nymphs egg eggs pupa pupae pupal puparium crawler crawlers caterpillar caterpillars
    maggot maggots grub grubs mummy exuvia exuviae juvenile larve larves nymphe nymphes oeuf oeufs pupe chenille
    chenilles ninfa ninfas huevo huevos oruga orugas larvas pupas larven nymphen ei eier puppe puppen raupe raupen
    लार्वा अंडा अंडे इल्ली
    """
)
_CHINESE_STAGES = ("若虫", "幼虫", "卵", "蛹", "若螨")
_LOOKS = _set(
    """
    black white yellow green brown red orange grey gray blue pink purple violet golden silvery cream tan beige pale dark
    light bright shiny dull metallic glossy striped spotted banded mottled plain winged wingless clear transparent hairy
    fuzzy furry smooth waxy powdery round oval flat slender thin stout plump broad narrow elongate pointed dead trapped
    single live and
    """
)
_SIZES = _set("tiny small minute little large big huge giant long")
_PHOTO_OF = re.compile(r"^(?:an?\s+|the\s+)?(?:macro\s+|close-up\s+)?(?:photo|picture|image|close-up)\s+of\s+", re.I)
# An English noun phrase ends where one of these begins: "aphids | on a leaf", "a whitefly | sitting".
_PHRASE_END = _set(
    """
    with without on in of at from under near by that which stuck caught sitting resting feeding seen crawling
    """
)
_PUNCTUATION = re.compile(r"[,;:.()]")
_CHINESE = re.compile(r"[㐀-䶿一-鿿]")
_CHINESE_COUNT = re.compile(r"^(?:一|这|那|几|两|许多)?(?:只|个|头|种|些)")
_CHINESE_END = re.compile(r"^(?:$|成虫|成螨|在|[,，。、;；]|" + "|".join(_CHINESE_STAGES) + ")")

_Index = Mapping[tuple[str, str], tuple[str, ...]]


class _Found(NamedTuple):
    """A catalogued name in a sentence: the entries that bear it, how long it is, and the words beside it."""

    ids: tuple[str, ...]
    language: str
    length: int
    extra: frozenset[str]
    modifiers: frozenset[str]


def resolve(sentence: str) -> Target:
    """Make a target from one sentence, with the catalogue's words and size where it names a catalogued pest.

    The longest name that stands in the sentence wins; case, accents, articles and plurals do not matter. A bare name
    takes the catalogue's English names, looks and size. A name with describing words ("a green aphid") stays the
    sentence that it is and takes the size only; in another language than English, the English name goes beside it. The
    size is dropped for a word of another stage ("a whitefly nymph"), a size word beside a group ("a tiny wasp"), and a
    word that makes another thing of a loose group ("a gall wasp"). Any other sentence is used as it is.

    Parameters
    ----------
    sentence : str
        A name or a description; English, Chinese, Spanish, French, German, Hindi, or a scientific name.

    Returns
    -------
    Target
        Its name is the sentence.

    Raises
    ------
    PromptError
        The sentence is empty, too long, or holds no word.

    Warns
    -----
    PromptWarning
        Two catalogued species share the name, and no group has it; the first by id is taken.
    """
    try:
        sentence = tidy(sentence)
    except ValueError as error:
        raise PromptError(f"prompt {sentence[:40]!r} {error}") from error
    try:
        worded(sentence)
    except ValueError as error:
        raise PromptError(f"prompt {error}") from error
    found = _find_name(sentence)
    try:
        if found is None:
            return Target(name=sentence, phrasings=(with_article(sentence),))
        return _target_of(sentence, _choose(sentence, found.ids), found)
    except ValidationError as error:
        raise PromptError(spoken_faults(error, Target)) from error


@lru_cache(maxsize=4096)
def named_pest(label: str) -> Pest | None:
    """The catalogued pest of which a label is a name and nothing more, for results that state what was found.

    Stricter than `resolve`, which may borrow the words and size of a pest for a description: "a small black fly" is
    there close to "blackfly", an aphid, and names nothing here. Case, accents, articles and plurals do not matter.

    Parameters
    ----------
    label : str
        In any language of the catalogue, or a scientific name.

    Returns
    -------
    Pest or None
        None also where several species share the name and no group has it.
    """
    ids: list[str] = []
    for language in (*_ARTICLES, "zh"):
        ids += _whole_names().get((language, _whole_name(label, language)), ())
    pests = sorted({name: load_catalogue()[name] for name in ids}.values(), key=lambda pest: pest.is_species)
    return pests[0] if pests and (len(pests) == 1 or not pests[0].is_species) else None


@lru_cache(maxsize=16)
def catalogued_labels(prompts: PromptSet) -> Mapping[str, str]:
    """Labels to which a prompt file gives a pest that nothing in the label names: ``{"WF": "whitefly"}``."""
    stated: dict[str, str] = {}
    for target in prompts.targets:
        if target.pest is None or not target.looks:
            continue
        found = _find_name(target.name)
        if found is None or target.pest not in found.ids:
            stated[target.name] = target.pest
    return MappingProxyType(stated)


def words_of(pest: Pest) -> dict[str, Any]:
    """What a target takes from its catalogue entry: `phrasings`, `looks` and `length_mm`."""
    names = [with_article(name) for name in pest.names["en"]]
    if pest.is_species:
        names.append(pest.scientific)
    return {"phrasings": tuple(names), "looks": pest.looks, "length_mm": pest.length_mm}


def _target_of(sentence: str, pest: Pest, found: _Found) -> Target:
    words = words_of(pest)
    spoken = with_article(sentence) if found.language in {"en", "la"} else sentence
    if not found.extra:
        own = {"en": (spoken,), "la": (sentence,)}.get(found.language, ())
        known = {phrase.casefold() for phrase in words["phrasings"]}
        words["phrasings"] = (*(phrase for phrase in own if phrase.casefold() not in known), *words["phrasings"])
    else:
        english = () if found.language in {"en", "la"} else (with_article(pest.english),)
        words.update(phrasings=(spoken, *english), looks=())
        if _length_is_another(pest, found):
            words["length_mm"] = None
    return Target(name=sentence, pest=pest.id, **words)


def _length_is_another(pest: Pest, found: _Found) -> bool:
    """Whether the words beside a name take its catalogued length away."""
    if found.extra & _STAGES and pest.stage.startswith("adult"):
        return True
    if pest.is_species:
        return False
    if found.extra & _SIZES:
        return True
    # A "gall wasp" is no large wasp, a "crane fly" no small fly: a loose group lends its length to described ones only.
    return pest.rank in {"group", "superfamily"} and not found.modifiers <= _LOOKS


def _find_name(sentence: str) -> _Found | None:
    """The longest catalogued name in a sentence, the first of equals; see `resolve` for the rules."""
    index = _index()
    return max((*_spelled_matches(sentence, index), *_chinese_matches(sentence, index)), key=_length, default=None)


def _length(found: _Found) -> int:
    return found.length


def _choose(sentence: str, ids: tuple[str, ...]) -> Pest:
    """One of the pests that share a name: a group before a species, then by id."""
    pests = sorted((load_catalogue()[name] for name in ids), key=lambda pest: (pest.is_species, pest.id))
    if len(pests) > 1 and pests[0].is_species:
        others = ", ".join(f"{pest.english} ({pest.scientific})" for pest in pests)
        warnings.warn(
            f"{sentence!r} may mean {others}; taken as the first. Write the scientific name to choose",
            PromptWarning,
            stacklevel=4,
        )
    return pests[0]


def _spelled_matches(sentence: str, index: _Index) -> Iterator[_Found]:
    """Names of scripts that put spaces between words."""
    text = fold(_PHOTO_OF.sub("", sentence))
    words, head = _words(text), _head_words(text)
    stems = {language: [stem(word, language) for word in words] for language in _ARTICLES}
    for language, articles in _ARTICLES.items():
        last = head if language in {"en", "la"} else len(words)
        for start, end in combinations(range(last + 1), 2):
            ids = index.get((language, "".join(stems[language][start:end])))
            if not ids:
                continue
            before, after = frozenset(words[:start]) - articles, frozenset(words[end:]) - articles
            english = language in {"en", "la"}
            if english and set(words[end:head]) - _STAGES - articles:
                continue  # the last word is what the thing is: an "aphid midge" is no aphid
            if not english and before | after and ("en", "".join(stems["en"][start:end])) in index:
                continue  # a word that English shares, such as "thrips": the rule above has decided
            modifiers = before if english else before | after
            yield _Found(ids, language, len(" ".join(words[start:end])), before | after, modifiers)


def _head_words(text: str) -> int:
    """How many words the first English noun phrase of a folded text has; 0 for a sentence about two things."""
    words = _words(_PUNCTUATION.split(text, maxsplit=1)[0])
    for place, word in enumerate(words):
        if word in _PHRASE_END and place:
            return place
        if word in {"and", "or"} and place and words[place - 1] not in _LOOKS:
            return 0
    return len(words)


def _chinese_matches(sentence: str, index: _Index) -> Iterator[_Found]:
    """Chinese names, which stand without spaces; the name ends the phrase, as its head does."""
    text = re.sub(r"\s+", "", fold(sentence))
    if not _CHINESE.search(text):
        return
    for (language, name), ids in index.items():
        place = text.find(name) if language == "zh" else -1
        if place < 0 or not _CHINESE_END.match(rest := text[place + len(name) :]):
            continue
        before = _CHINESE_COUNT.sub("", text[:place])
        after = "" if rest in {"成虫", "成螨"} else rest
        stage = "larva" if after.startswith(_CHINESE_STAGES) else ""
        # A Chinese character says about as much as three letters.
        extra = frozenset(filter(None, (before, after, stage)))
        yield _Found(ids, "zh", 3 * len(name), extra, extra)


@lru_cache(maxsize=1)
def _index() -> _Index:
    """Every name, its words stemmed and joined, by language ("la": scientific), to the ids that bear it.

    Joined, so that "white fly" and "white-fly" are "whitefly".
    """
    index: dict[tuple[str, str], tuple[str, ...]] = {}
    for pest in load_catalogue().values():
        names = [("la", name) for name in (pest.scientific, *pest.synonyms)]
        names += [(language, name) for language, some in pest.names.items() for name in some]
        for language, name in names:
            folded = fold(name)
            key = (language, folded if language == "zh" else "".join(stem(w, language) for w in _words(folded)))
            if pest.id not in index.get(key, ()):
                index[key] = (*index.get(key, ()), pest.id)
    return index


@lru_cache(maxsize=1)
def _whole_names() -> Mapping[tuple[str, tuple[str, ...]], tuple[str, ...]]:
    """Every name by language and stemmed words, to the ids that bear it; unlike in `_index` words stay apart."""
    index: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
    for pest in load_catalogue().values():
        names = [("la", name) for name in (pest.scientific, *pest.synonyms)]
        names += [(language, name) for language, some in pest.names.items() for name in some]
        for language, name in names:
            key = (language, _whole_name(name, language))
            index[key] = tuple(dict.fromkeys((*index.get(key, ()), pest.id)))
    return index


def _whole_name(name: str, language: str) -> tuple[str, ...]:
    """The words of a name to compare by: folded, without articles, stemmed; a Chinese name is one word."""
    folded = fold(name)
    if language == "zh":
        return ("".join(folded.split()),)
    return tuple(stem(word, language) for word in _words(folded) if word not in _ARTICLES[language])


def fold(text: str) -> str:
    """Lower case without Latin accents, Devanagari nuktas and the two ways to write a nasal."""
    text = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    text = "".join(letter for letter in text if not ("̀" <= letter <= "ͯ" or letter == "़"))
    return unicodedata.normalize("NFC", text.replace("ँ", "ं").replace("’", "'"))


def _words(text: str) -> list[str]:
    """Words of a folded text; hyphens and apostrophes part words, so "white-fly" and "white fly" are one name."""
    return re.findall(r"[\wऀ-ॿ]+", text)


_ENGLISH_SINGULARS = {
    "flies": "fly", "thrips": "thrip", "larvae": "larva", "lice": "louse", "nymphs": "nymph", "series": "series",
    "species": "species", "ladies": "lady", "leaves": "leaf",
}  # fmt: skip


def stem(word: str, language: str) -> str:
    """A folded word without its plural ending; only good for comparing two words of one language."""
    if language == "en":
        if word in _ENGLISH_SINGULARS:
            return _ENGLISH_SINGULARS[word]
        word = re.sub(r"ies$", "y", word) if len(word) > 4 else word
        word = re.sub(r"([sxzo]|ch|sh)es$", r"\1", word)
        return word[:-1] if len(word) > 3 and re.search(r"[^siu]s$", word) else word
    if language == "es":
        return re.sub(r"(?:es|s|e)$", "", re.sub(r"ces$", "z", word)) if len(word) > 3 else word
    if language == "fr":
        return re.sub(r"[sx]$", "", word) if len(word) > 3 else word
    if language == "de":
        return re.sub(r"(?:en|er|em|e|n)$", "", word) if len(word) > 4 else word
    if language == "hi":
        return re.sub(r"(?:ियां|ियों|ीयां)$", "ी", re.sub(r"(?:ें|ों|े|ा)$", "", word))
    return word
