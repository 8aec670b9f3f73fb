"""PromptSet: what to look for and what to reject, as people write it down; the contract of step 3."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agri_clip.errors import PromptError
from agri_clip.io.yaml_lines import spoken_faults, write_whole
from agri_clip.prompts.templates import TEMPLATES, expand, with_article

_LONGEST_PHRASE = 300  # characters; a text tower reads 16 to 77 tokens


def tidy(text: str) -> str:
    """Normalise a phrase: Unicode NFC, single spaces; raises ValueError for one that is empty or not printable."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if not text:
        raise ValueError("is empty; write a few words or remove the line")
    if len(text) > _LONGEST_PHRASE:
        raise ValueError(f"is longer than {_LONGEST_PHRASE} characters; encoders read some 50 words, so shorten it")
    if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in text):
        raise ValueError("has control characters; type the text again")
    return text


def worded(text: str) -> str:
    """Check that a phrase holds a word for the encoder to read; raises ValueError for signs and emoji alone."""
    if not any(letter.isalnum() for letter in bare_name(text)):
        raise ValueError(f"{text!r} has no word; write what to look for, such as 'a green aphid'")
    return text


def _template(text: str) -> str:
    if text.count("{}") != 1 or text.count("{") != 1 or text.count("}") != 1:
        raise ValueError("must hold '{}' exactly once, where the phrase goes, as in 'a photo of {}'")
    return text


def length_range(value: tuple[float, float]) -> tuple[float, float]:
    """Check a (shortest, longest) pair in millimetres; raises ValueError where it is upside down."""
    if value[0] > value[1]:
        raise ValueError(
            f"the shortest, {value[0]:g}, is above the longest, {value[1]:g}; write [shortest, longest] in mm"
        )
    return value


Phrase = Annotated[str, AfterValidator(tidy)]
Encoded = Annotated[str, AfterValidator(tidy), AfterValidator(worded)]
Template = Annotated[str, AfterValidator(tidy), AfterValidator(_template)]
Millimetres = Annotated[float, Field(gt=0, le=500, allow_inf_nan=False)]
LengthRange = Annotated[tuple[Millimetres, Millimetres], AfterValidator(length_range)]

_STRICT = ConfigDict(frozen=True, extra="forbid")


class Negative(BaseModel):
    """Something that must not be counted: glue, print, a leaf vein.

    Attributes
    ----------
    name : str
        The label; encoded itself only where there are no phrasings.
    phrasings : tuple of str
        Noun phrases that are encoded, as they are.
    """

    model_config = _STRICT

    name: Phrase
    phrasings: tuple[Encoded, ...] = ()

    @model_validator(mode="after")
    def _something_can_be_encoded(self) -> Self:
        if not self.phrasings:
            worded(self.name)
        return self

    def phrases(self) -> tuple[str, ...]:
        """What is encoded, before templates."""
        return tuple(dict.fromkeys(self.phrasings or (with_article(self.name),)))


class Target(BaseModel):
    """Something to look for.

    Attributes
    ----------
    name : str
        The label in every result; encoded itself only where there are no phrasings, so it may be a code or in any
        language.
    synonyms : tuple of str
        Further names, encoded as well; a bare name gets an article.
    phrasings : tuple of str
        Sentences that are encoded, as they are.
    looks : tuple of str
        What a picture shows, as noun phrases that are encoded as they are: "a small green insect with long legs".
    pest : str or None
        Id of the catalogue entry from which the words and the size come.
    length_mm : (float, float) or None
        Shortest and longest body, in millimetres.
    threshold : float or None
        Least probability to report this label, 0 to 1; None takes the detector's own.
    """

    model_config = _STRICT

    name: Phrase
    synonyms: tuple[Encoded, ...] = ()
    phrasings: tuple[Encoded, ...] = ()
    looks: tuple[Encoded, ...] = ()
    pest: Phrase | None = None
    length_mm: LengthRange | None = None
    threshold: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _something_can_be_encoded(self) -> Self:
        if not self.phrasings:
            worded(self.name)
        return self

    def phrases(self) -> tuple[str, ...]:
        """What is encoded, before templates: the phrasings (or the name), the synonyms, the looks."""
        names = self.phrasings or (with_article(self.name),)
        return tuple(dict.fromkeys((*names, *map(with_article, self.synonyms), *self.looks)))


class PromptSet(BaseModel):
    """Targets and negatives of one question to the photos.

    Attributes
    ----------
    name : str
        For people; no part of `hash`.
    targets : tuple of Target
        At least one.
    negatives : tuple of Negative
        May be empty; then every region is some target or below its threshold.
    templates : tuple of str
        Sentences around each phrase; `{}` is where it goes.
    """

    model_config = _STRICT

    name: Phrase = "prompts"
    targets: Annotated[tuple[Target, ...], Field(min_length=1)]
    negatives: tuple[Negative, ...] = ()
    templates: Annotated[tuple[Template, ...], Field(min_length=1)] = TEMPLATES

    @field_validator("targets", "negatives")
    @classmethod
    def _labels_differ(cls, parts: tuple[Target | Negative, ...]) -> tuple[Target | Negative, ...]:
        _refuse_repeats(part.name for part in parts)
        return parts

    @model_validator(mode="after")
    def _targets_are_not_negatives(self) -> Self:
        _refuse_repeats([*self.labels, *self.negative_labels])
        return self

    @classmethod
    def of(cls, *sentences: str, negatives: Iterable[str | Negative] | None = None) -> PromptSet:
        """Make a prompt set from sentences, each looked up in the pest catalogue.

        Parameters
        ----------
        *sentences : str
            Names or descriptions, in any language of the catalogue: "a green aphid", "mosca blanca".
        negatives : iterable of str or Negative, optional
            What to reject. The default negatives where left out; an empty one for none.

        Returns
        -------
        PromptSet
            Labels are the sentences.

        Raises
        ------
        PromptError
            No sentence, an empty one, or the same one twice.
        """
        from agri_clip.prompts.matching import resolve
        from agri_clip.prompts.negatives import DEFAULT_NEGATIVES

        if not sentences:
            raise PromptError("no prompt given; write at least one, such as 'a green aphid'")
        targets = tuple(resolve(sentence) for sentence in sentences)
        try:
            if negatives is None:
                chosen = without_targets(DEFAULT_NEGATIVES, targets)
            else:
                chosen = tuple(part if isinstance(part, Negative) else Negative(name=part) for part in negatives)
            return cls(targets=targets, negatives=chosen)
        except ValidationError as error:
            raise PromptError(spoken_faults(error)) from error

    @classmethod
    def load(cls, path: Path | str) -> PromptSet:
        """Read a prompt set from a YAML file; docs/prompts.md says what may stand in it.

        Parameters
        ----------
        path : Path or str
            A file, or the name of a ready set such as `"greenhouse"`.

        Returns
        -------
        PromptSet
            Plain sentences looked up in the catalogue, `pest:` filled in; default negatives where the file names none.

        Raises
        ------
        PromptError
            One line per fault: file, line, field, remedy.
        """
        from agri_clip.prompts.reading import read_prompt_set

        return read_prompt_set(path)

    def save(self, path: Path | str) -> None:
        """Write the set as YAML, whole or not at all; `PromptSet.load` gives back an equal set.

        Raises
        ------
        PromptError
            The place cannot be written.
        """
        # A target that names a pest is written with its empty fields too, so that loading fills nothing in again.
        value = {
            "name": self.name,
            "targets": [part.model_dump(mode="json", exclude_defaults=part.pest is None) for part in self.targets],
            "negatives": [part.model_dump(mode="json", exclude_defaults=True) for part in self.negatives],
            "templates": list(self.templates),
        }
        write_whole(path, yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=120))

    def with_targets(self, *sentences: str) -> PromptSet:
        """The same set with further targets, each looked up in the pest catalogue; negatives of their kind go.

        Raises
        ------
        PromptError
            A sentence is empty, or is a label already.
        """
        from agri_clip.prompts.matching import resolve

        targets = (*self.targets, *(resolve(sentence) for sentence in sentences))
        try:
            return PromptSet(
                name=self.name,
                targets=targets,
                negatives=without_targets(self.negatives, targets),
                templates=self.templates,
            )
        except ValidationError as error:
            raise PromptError(spoken_faults(error)) from error

    def renamed(self, name: str) -> PromptSet:
        """The same set under another name.

        Raises
        ------
        PromptError
            The name cannot be used.
        """
        try:
            return PromptSet(name=name, targets=self.targets, negatives=self.negatives, templates=self.templates)
        except ValidationError as error:
            raise PromptError(spoken_faults(error)) from error

    def with_negatives(self, *names: str) -> PromptSet:
        """The same set with more to reject; what it rejects already stays once.

        Raises
        ------
        PromptError
            A name cannot be used, or is a label of a target.
        """
        known = {bare_name(negative.name) for negative in self.negatives}
        new = {bare_name(name): name for name in names}
        try:
            added = tuple(Negative(name=name) for key, name in new.items() if key not in known)
            return PromptSet(
                name=self.name, targets=self.targets, negatives=(*self.negatives, *added), templates=self.templates
            )
        except ValidationError as error:
            raise PromptError(spoken_faults(error)) from error

    @property
    def parts(self) -> tuple[Target | Negative, ...]:
        """Targets, then negatives."""
        return (*self.targets, *self.negatives)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the targets, in order."""
        return tuple(target.name for target in self.targets)

    @property
    def negative_labels(self) -> tuple[str, ...]:
        """The names of the negatives, in order."""
        return tuple(negative.name for negative in self.negatives)

    def texts(self) -> dict[str, tuple[str, ...]]:
        """All texts to encode: phrases times templates, for each label.

        Returns
        -------
        dict of str to tuple of str
            Targets first, then negatives, each in order; no text twice within one label. Scoring averages the
            vectors of one label.
        """
        return {part.name: expand(part.phrases(), self.templates) for part in self.parts}

    def looks_texts(self) -> dict[str, tuple[str, ...]]:
        """Those of `texts` that say what a target looks like, for each target that has looks."""
        return {target.name: expand(target.looks, self.templates) for target in self.targets if target.looks}

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits of SHA-256 over all that can change a result.

        That is each label's texts, which of them are looks, its length range and its threshold. No part of it: the
        set's name, the catalogue ids, and the order of labels, phrasings and templates.
        """
        texts = self.texts()
        content: dict[str, list[list[Any]]] = {
            "targets": sorted([t.name, sorted(texts[t.name]), t.length_mm, t.threshold] for t in self.targets),
            "negatives": sorted([n.name, sorted(texts[n.name])] for n in self.negatives),
        }
        looks = self.looks_texts()
        if looks:
            content["looks"] = sorted([name, sorted(texts)] for name, texts in looks.items())
        written = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(written.encode()).hexdigest()[:12]


def label_key(name: str) -> str:
    """What two labels are compared by: without case, accents kept."""
    return unicodedata.normalize("NFKC", name).casefold()


def bare_name(name: str) -> str:
    """A label's comparison key without a leading English article."""
    key = label_key(name)
    first, _, rest = key.partition(" ")
    return rest if rest and first in {"a", "an", "the"} else key


def without_targets(negatives: Iterable[Negative], targets: Iterable[Target]) -> tuple[Negative, ...]:
    """The negatives that are no target of the same name: who asks for dirt does not want it rejected."""
    asked = {bare_name(target.name) for target in targets}
    return tuple(negative for negative in negatives if bare_name(negative.name) not in asked)


def _refuse_repeats(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if label_key(name) in seen:
            raise ValueError(f"the label {name!r} is there twice; join the two or rename one")
        seen.add(label_key(name))
