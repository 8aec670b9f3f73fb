"""Rendered training data: labelled insects and whole traps, drawn by our own code with numpy and OpenCV alone."""

from fine_tune.synthetic.captions import captions, matching_species
from fine_tune.synthetic.crops import Attributes, RenderedCrop, render_crop
from fine_tune.synthetic.export import SPLITS, contact_sheet, render_set, split_rng, write_crops, write_samples
from fine_tune.synthetic.groups import GROUP_NAMES, GROUPS, NONE, Group, Species
from fine_tune.synthetic.photos import RenderedPhoto, render_trap

__all__ = [
    "GROUPS",
    "GROUP_NAMES",
    "NONE",
    "SPLITS",
    "Attributes",
    "Group",
    "RenderedCrop",
    "RenderedPhoto",
    "Species",
    "captions",
    "contact_sheet",
    "matching_species",
    "render_crop",
    "render_set",
    "render_trap",
    "split_rng",
    "write_crops",
    "write_samples",
]  # fmt: skip
