"""Rendered training data: labelled insects and whole traps, drawn by our own code with numpy and OpenCV alone."""

from fine_tune.synthetic.captions import captions, matching_species
from fine_tune.synthetic.crops import Attributes, RenderedCrop, render_crop
from fine_tune.synthetic.groups import GROUP_NAMES, GROUPS, NONE, Group, Species

__all__ = [
    "GROUPS", "GROUP_NAMES", "NONE", "Attributes", "Group", "RenderedCrop", "Species", "captions", "matching_species",
    "render_crop",
]  # fmt: skip
