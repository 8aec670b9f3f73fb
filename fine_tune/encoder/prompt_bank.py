"""The prompt bank: short prompts of which it is known whether they fit a crop, asked of every crop in a training step.

A caption tells of one crop; the bank asks each crop the questions that users ask: which group is it, is it an insect at
all, what colour, shape, wings and legs has it, and if it is nothing, what is it.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from agri_clip.prompts import PromptSet, Target
from agri_clip.prompts.negatives import DEFAULT_NEGATIVES
from agri_clip.prompts.templates import TEMPLATES, with_article
from fine_tune.encoder.crop_pool import CropPool
from fine_tune.synthetic.attributes import PHRASES, values_of
from fine_tune.synthetic.captions import NOTHING, nothing_kind
from fine_tune.synthetic.crops import Attributes
from fine_tune.synthetic.groups import GROUP_NAMES, GROUPS, NONE

GENERIC = ("an insect", "an insect", "a bug", "a small insect", "a trapped insect", "a pest")
#: Weights of the questions in the loss. Colour has more than its share: of all looks it is asked most, and learnt last.
WEIGHTS = {"group": 1.0, "insect": 0.5, "nothing": 0.25, "colour": 0.75, "shape": 0.25, "wings": 0.25, "legs": 0.25}
#: Templates that only training uses, beside those of prompt sets.
MORE_TEMPLATES = ("{}", "{}", "a close-up photo of {}", "a picture of {}", "a blurry photo of {}", "a crop of {}")


def _sections() -> dict[str, slice]:
    sizes = {"group": len(GROUP_NAMES), "insect": 1, "nothing": len(NOTHING)}
    sizes |= {attribute: len(phrases) for attribute, phrases in PHRASES.items()}
    ends = np.cumsum(list(sizes.values())).tolist()
    return {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}


#: Which columns of the bank belong to which question.
SECTIONS: dict[str, slice] = _sections()


def draw_bank(rng: np.random.Generator) -> list[str]:
    """Draw the bank's prompts for one step: each thing by one of its names, all in one template."""

    def one(options: tuple[str, ...]) -> str:
        return options[int(rng.integers(len(options)))]

    names = [with_article(GROUPS[g].names[0] if rng.random() < 0.5 else one(GROUPS[g].names)) for g in GROUP_NAMES]
    asked = chain.from_iterable(phrases.values() for phrases in PHRASES.values())
    template = one(TEMPLATES + MORE_TEMPLATES)
    return [template.format(x) for x in (*names, one(GENERIC), *map(one, NOTHING.values()), *asked)]


def group_prompts() -> PromptSet:
    """One target a group: its name alone, without the catalogue's words, and the default negatives."""
    targets = tuple(Target(name=name, phrasings=(with_article(name),)) for name in GROUP_NAMES)
    return PromptSet(name="groups", targets=targets, negatives=DEFAULT_NEGATIVES)


@lru_cache(maxsize=1)
def _columns() -> dict[tuple[str, str], int]:
    keys = [("group", name) for name in GROUP_NAMES] + [("insect", "insect")] + [("nothing", kind) for kind in NOTHING]
    keys += [(attribute, value) for attribute, phrases in PHRASES.items() for value in phrases]
    return {key: column for column, key in enumerate(keys)}


def fits(pool: CropPool) -> np.ndarray:
    """Which prompts of the bank are known to fit each crop.

    Returns
    -------
    ndarray, shape (n, prompts), bool
        All False within a section where the answer is not known, as the group of a crop of a photo.
    """
    columns = _columns()
    out = np.zeros((len(pool), len(columns)), bool)
    for row, (group, look) in enumerate(zip(pool.groups, pool.attributes, strict=True)):
        known = []
        if group in GROUPS:
            known.append(("group", group))
        if group != NONE:
            known.append(("insect", "insect"))
        elif look:
            known.append(("nothing", nothing_kind(Attributes(**look))))
        known += [(attribute, value) for attribute in PHRASES for value in values_of(look, attribute)]
        out[row, [columns[key] for key in known]] = True
    return out


def choice_loss(logits: Tensor, fit: Tensor) -> Tensor:
    """Cross-entropy where several answers may be right: minus the log of the probability that all of them have.

    Parameters
    ----------
    logits : Tensor, shape (n, k)
    fit : Tensor, shape (n, k), bool
        Crops without any right answer are left out.

    Returns
    -------
    Tensor, scalar
        Mean over the crops with an answer; 0 where there is none.
    """
    asked = fit.any(dim=1)
    if not bool(asked.any()):
        return logits.sum() * 0
    logits, fit = logits[asked], fit[asked]
    return (torch.logsumexp(logits, 1) - torch.logsumexp(logits.masked_fill(~fit, float("-inf")), 1)).mean()


def insect_loss(logits: Tensor, fit: Tensor) -> Tensor:
    """Cross-entropy of "insect or not", judged as scoring does: evidence of names against that of nothing.

    Asked twice: with the groups' names, and with the words for any insect.
    """
    nothing = torch.logsumexp(logits[:, SECTIONS["nothing"]], 1) - np.log(len(NOTHING))
    groups = torch.logsumexp(logits[:, SECTIONS["group"]], 1) - np.log(len(GROUP_NAMES))
    truth = fit[:, SECTIONS["insect"]].to(logits.dtype)[:, 0]
    losses = [
        nn.functional.binary_cross_entropy_with_logits(evidence - nothing, truth)
        for evidence in (groups, logits[:, SECTIONS["insect"]][:, 0])
    ]
    return (losses[0] + losses[1]) / 2


def bank_loss(logits: Tensor, fit: Tensor) -> Tensor:
    """All questions of the bank together: which group, insect or not, which attributes, what kind of nothing.

    Parameters
    ----------
    logits : Tensor, shape (n, prompts)
        Scaled cosines of crops with the bank's prompts.
    fit : Tensor, shape (n, prompts), bool
        As `fits`.
    """
    parts = {name: choice_loss(logits[:, where], fit[:, where]) for name, where in SECTIONS.items() if name != "insect"}
    parts["insect"] = insect_loss(logits, fit)
    return torch.stack([WEIGHTS[name] * parts[name] for name in SECTIONS]).sum()
