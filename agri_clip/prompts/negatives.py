"""What is on traps and leaves and is no insect: the default negatives of a prompt set; part of step 3.

On sticky cards most spurious regions are of these kinds, and probabilities over pests alone must always name a pest.
"""

from __future__ import annotations

from agri_clip.prompts.base import Negative

# The embedded encoder was trained on captions with these words (fine_tune/synthetic/captions.py); change both together.
_WORDINGS: dict[str, tuple[str, ...]] = {
    "background": ("background", "no insect", "empty background", "bare surface"),
    "empty card": ("an empty sticky trap", "an empty yellow sticky card", "the surface of a sticky card"),
    "glue": ("glue", "sticky glue", "uneven glue", "a bubble in glue"),
    "glare": ("glare", "a bright reflection", "light reflected by glue"),
    "grid line": ("a grid line", "a printed line", "grid lines"),
    "printed letters": ("printed letters", "printed text", "a letter", "print on the card", "handwriting"),
    "dirt": ("dirt", "a lump of dirt", "a piece of debris", "soil"),
    "dust": ("dust", "dirt specks", "small dark specks", "grains of pollen"),
    "stain": ("a stain", "a smear", "a faint stain on the card"),
    "leaf": ("a leaf", "a green leaf surface", "a spot on a leaf"),
    "leaf vein": ("a leaf vein", "veins of a leaf"),
    "plant fragment": ("a plant fragment", "a piece of leaf", "a petal", "a seed"),
    "water drop": ("a water drop", "a droplet", "a drop of water"),
    "hair": ("a hair", "a fibre", "a thread"),
    "shadow": ("a shadow", "a dark shadow"),
    "card edge": ("the edge of a card", "the border of the trap", "a clip or a wire"),
    "hole": ("a hole", "a punched hole in the card"),
    "plants": ("plants", "plants out of focus", "a blurred green background", "grass"),
    "flower": ("a flower", "petals", "a blossom"),
    "hand": ("a hand", "a finger", "skin"),
    "insect part": ("a loose wing", "a piece of insect leg", "insect fragments", "an empty insect skin"),
}

DEFAULT_NEGATIVES: tuple[Negative, ...] = tuple(
    Negative(name=name, phrasings=phrasings) for name, phrasings in _WORDINGS.items()
)
"""Used where a prompt set names no negatives of its own."""
