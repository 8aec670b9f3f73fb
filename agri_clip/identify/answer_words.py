"""The sentence of an answer in the catalogue's languages: "a beetle; perhaps a leaf beetle". Part of step 4."""

from __future__ import annotations

from typing import NamedTuple

from agri_clip.errors import AgriClipError
from agri_clip.prompts.catalogue import LANGUAGES
from agri_clip.prompts.templates import with_article
from agri_clip.scoring.taxonomy import Taxon


class Words(NamedTuple):
    """What an answer is made of in one language."""

    perhaps: str
    unknown: str
    none: str


WORDS: dict[str, Words] = {
    "en": Words("{}; perhaps {}", "an insect that I do not know", "no insect"),
    "zh": Words("{}；可能是{}", "我不认识的昆虫", "没有昆虫"),
    "es": Words("{}; quizás {}", "un insecto que no conozco", "ningún insecto"),
    "fr": Words("{} ; peut-être {}", "un insecte que je ne connais pas", "aucun insecte"),
    "de": Words("{}; vielleicht {}", "ein Insekt, das ich nicht kenne", "kein Insekt"),
    "hi": Words("{}; शायद {}", "एक कीट जिसे मैं नहीं पहचानता", "कोई कीट नहीं"),
}


def check_language(language: str) -> str:
    """The code of a language that answers can be given in.

    Raises
    ------
    AgriClipError
        There is no such language.
    """
    if language not in WORDS:
        raise AgriClipError(f"no answers in {language!r}; languages are {', '.join(LANGUAGES)}")
    return language


def spoken_name(taxon: Taxon, language: str = "en") -> str:
    """The name of a taxon as it stands in a sentence: in English with its article, elsewhere bare.

    A species or family has its scientific name after it.
    """
    name = taxon.name_in(language)
    if name == taxon.latin:
        return name
    spoken = with_article(name) if language == "en" else name
    return f"{spoken} ({taxon.latin})" if taxon.rank in ("species", "family") and taxon.latin else spoken


def answer_sentence(taxon: Taxon, perhaps: Taxon | None = None, language: str = "en") -> str:
    """The sentence of an answer, and of a finer name that may be right."""
    name = spoken_name(taxon, language)
    return name if perhaps is None else WORDS[language].perhaps.format(name, spoken_name(perhaps, language))
