"""Step 3 of the way: words. Prompt sets, templates, default negatives and the pest catalogue. Imports no network."""

from agri_clip.prompts.base import Negative, PromptSet, Target
from agri_clip.prompts.catalogue import Pest, load_catalogue
from agri_clip.prompts.checks import check_prompts
from agri_clip.prompts.matching import PromptWarning, catalogued_labels, named_pest, resolve
from agri_clip.prompts.negatives import DEFAULT_NEGATIVES
from agri_clip.prompts.templates import TEMPLATES

__all__ = [
    "DEFAULT_NEGATIVES",
    "TEMPLATES",
    "Negative",
    "Pest",
    "PromptSet",
    "PromptWarning",
    "Target",
    "catalogued_labels",
    "check_prompts",
    "load_catalogue",
    "named_pest",
    "resolve",
]
