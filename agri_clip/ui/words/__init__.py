"""What the page says, in the languages of the visitors: one YAML file a language, English being the whole list.

What stands on the page is translated in the browser (`page_words`); what a job says, by the language that the browser
asks for (`say`). A text that a language lacks is said in English.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    import gradio as gr

ENGLISH = "en"
#: What browsers call a language besides the name of its file.
ALSO_CALLED = {"zh": ("zh-CN", "zh-Hans", "zh-SG", "zh-TW", "zh-HK")}


@lru_cache(maxsize=1)
def languages() -> Mapping[str, Mapping[str, str]]:
    """All texts: language code to key to text; English fills what a language lacks."""
    folder = Path(__file__).parent
    read = {file.stem: yaml.safe_load(file.read_text("utf-8")) for file in sorted(folder.glob("*.yaml"))}
    return {code: read[ENGLISH] | texts for code, texts in read.items()}


@lru_cache(maxsize=1)
def page_words() -> gr.I18n:
    """The texts as Gradio translates them in the browser."""
    import gradio as gr

    spoken: dict[str, dict[str, str]] = {}
    for code, texts in languages().items():
        for name in (code, *ALSO_CALLED.get(code, ())):
            spoken[name] = dict(texts)
    return gr.I18n(**spoken)


def language_of(request: gr.Request | None) -> str:
    """The first language of a browser's wishes that there is a file for; English otherwise."""
    wished = "" if request is None else str(request.headers.get("accept-language", ""))
    ranked = []
    for place, part in enumerate(wished.split(",")):
        code, _, quality = part.strip().partition(";q=")
        try:
            ranked.append((-float(quality or 1), place, code))
        except ValueError:
            continue
    for _, _, code in sorted(ranked):
        primary = code.split("-")[0].lower()
        if primary in languages():
            return primary
    return ENGLISH


def say(key: str, language: str = ENGLISH, **values: Any) -> str:
    """One text with its values filled in.

    Raises
    ------
    KeyError
        There is no such text.
    """
    return languages()[language][key].format(**values)
