"""What is on traps and leaves and is no insect: the default negatives of a prompt set; part of step 3.

On sticky cards most spurious regions are of these kinds, and probabilities over pests alone must always name a pest.
"""

from __future__ import annotations

from agri_clip.prompts.base import Negative

_WORDINGS: dict[str, tuple[str, ...]] = {
    "background": ("background", "no insect", "a blurred background"),
    "empty card": ("an empty sticky trap", "an empty yellow card", "a plain coloured card", "a plain yellow surface"),
    "glue": ("glue", "a glue smear", "a bubble in glue", "a thread of glue"),
    "glare": ("glare", "a bright reflection of light", "a white highlight on glue"),
    "grid line": ("a grid line", "a straight printed line", "crossing grid lines"),
    "printed letters": ("printed letters", "printed text and numbers", "a printed logo", "handwriting"),
    "dirt": ("dirt", "a speck of dirt", "soil", "a dark stain"),
    "dust": ("dust", "a white fibre", "a grain of pollen"),
    "leaf": ("a leaf", "a piece of plant", "a green leaf surface"),
    "leaf vein": ("a leaf vein", "a branching leaf vein"),
    "leaf damage": ("a brown spot on a leaf", "a hole in a leaf", "a yellow patch on a leaf"),
    "water drop": ("a water drop", "a round clear drop of water"),
    "hair": ("a hair", "a thin curved hair", "a thread"),
    "shadow": ("a shadow", "a dark shadow without an insect"),
    "card edge": ("the edge of a card", "a hole in a card", "a clip or a wire"),
    "insect part": ("a loose insect leg", "a loose insect wing", "an empty insect skin"),
}

DEFAULT_NEGATIVES: tuple[Negative, ...] = tuple(
    Negative(name=name, phrasings=phrasings) for name, phrasings in _WORDINGS.items()
)
"""Used where a prompt set names no negatives of its own."""
