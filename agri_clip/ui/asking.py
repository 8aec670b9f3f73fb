"""Asking: what a visitor looks for, in the same fields on every tab, and the prompt set that it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from agri_clip.detections import Detections
from agri_clip.errors import PromptError
from agri_clip.prompts import PromptSet
from agri_clip.prompts.checks import capped, shared_counts
from agri_clip.ui.finding import make_prompts
from agri_clip.ui.page import Page
from agri_clip.ui.pests import OWN_SET, pest_choices, ready_sets
from agri_clip.ui.sessions import Session
from agri_clip.ui.words import say


@dataclass(frozen=True)
class Questions:
    """The fields in which a visitor says what to look for; `scale` and `card` where photos are looked at.

    `force` counts words too that the encoder never learnt.
    """

    pests: gr.Dropdown
    sentences: gr.Textbox
    ignore: gr.Textbox
    ready: gr.Dropdown
    force: gr.Checkbox
    scale: gr.Number | None = None
    card: gr.Checkbox | None = None

    @property
    def wishes(self) -> list[Any]:
        """Inputs of a job, in the order in which `asked_prompts` takes them."""
        return [self.pests, self.sentences, self.ignore, self.ready]

    @property
    def measures(self) -> list[Any]:
        """Inputs of a job that looks at photos: scale and card."""
        return [self.scale, self.card]


def lay_pest_list(page: Page, tab: str) -> gr.Dropdown:
    """The catalogue, to pick from by typing any name."""
    return gr.Dropdown(
        pest_choices(),
        value=[],
        multiselect=True,
        label=page.word("find_pests"),
        info=page.word("find_pests_info"),
        num_choices_shown=300,
        elem_id=f"{tab}-pests",
    )


def lay_questions(page: Page, tab: str, *, photos: bool = True) -> Questions:
    """Lay the fields out.

    Parameters
    ----------
    page : Page
    tab : str
        What their ids begin with.
    photos : bool
        Whether photos are looked at, so that their scale and their card matter.
    """
    word = page.word
    pests = lay_pest_list(page, tab)
    sentences = gr.Textbox(
        label=word("find_sentences"), info=word("find_sentences_info"), lines=2, elem_id=f"{tab}-sentences"
    )
    sets = [(word("find_no_set"), ""), (word("find_own_set"), OWN_SET), *((name, name) for name in ready_sets())]
    ready = gr.Dropdown(sets, value="", label=word("find_ready"), elem_id=f"{tab}-ready")
    scale = card = None
    with gr.Accordion(word("find_more_settings"), open=False):
        ignore = gr.Textbox(label=word("find_ignore"), info=word("find_ignore_info"), elem_id=f"{tab}-ignore")
        force = gr.Checkbox(False, label=word("find_force"), info=word("find_force_info"), elem_id=f"{tab}-force")
        if photos:
            scale = gr.Number(label=word("find_scale"), info=word("find_scale_info"), minimum=0, elem_id=f"{tab}-scale")
            card = gr.Checkbox(True, label=word("find_card"), elem_id=f"{tab}-card")
    return Questions(pests, sentences, ignore, ready, force, scale, card)


def asked_prompts(
    session: Session, pests: list[str], sentences: str, ignore: str, ready: str, *, language: str
) -> PromptSet:
    """The prompt set that a visitor's wishes come to.

    Raises
    ------
    PromptError
        Nothing to look for, or a wish cannot be used.
    """
    prepared = session.prompts if ready == OWN_SET else PromptSet.load(ready) if ready else None
    if ready == OWN_SET and prepared is None:
        raise PromptError(say("find_no_own_set", language))
    if prepared is None and not pests and not (sentences or "").strip():
        raise PromptError(say("find_no_prompt", language))
    return make_prompts(pests, sentences, ignore, prepared)


def prompt_notes(prompts: PromptSet, detections: Detections, language: str) -> list[str]:
    """Sentences on the prompts: labels that share a count, and words that the encoder never saw.

    Each label with such words has a sentence, which says whether the label was counted.
    """
    unknown: dict[str, tuple[str, ...]] = detections.provenance.get("unknown_words", {})
    said = [
        say(
            "find_not_counted" if label in detections.not_counted else "find_unknown",
            language,
            label=label,
            words=", ".join(words),
        )
        for label, words in unknown.items()
    ]
    return [*capped(shared_counts(prompts)), *capped(said)]
