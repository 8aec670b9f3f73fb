"""Which stronger models are worth fetching on this machine, with the published figures that speak for them.

Only models that agri-clip loads by name are listed, and only figures that their makers published; none was measured on
trap photos. docs/encoders.md says where each figure was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agri_clip import encoders, regions
from agri_clip.encoders import OPEN_CLIP_PREFIX, EncoderInfo
from agri_clip.model_choice.machine import Machine
from agri_clip.model_choice.selection import ModelChoice
from agri_clip.models import defaults
from agri_clip.models.defaults import Kind
from agri_clip.regions import ProposerInfo

#: Rule of thumb: main memory that a model needs beyond the program and the system, as a multiple of its float32
#: weights, which are in memory twice while they are loaded.
WEIGHTS_IN_MEMORY = 2.0
#: GB of memory for the system, this program with torch, and a large photo.
REST_GB = 3.0
#: GB of a GPU from which on half-precision weights of the largest model listed and a batch of crops fit.
GPU_GB = 4.0

BIOCLIP_2 = "https://huggingface.co/imageomics/bioclip-2 (table of zero-shot results)"
SIGLIP_2 = (
    "https://github.com/google-research/big_vision/blob/main/big_vision/configs/proj/image_text/README_siglip2.md"
)
OPENAI_CLIP = "https://github.com/mlfoundations/open_clip (README; docs/openclip_results.csv)"
OWL = "https://github.com/google-research/scenic/tree/main/scenic/projects/owl_vit (table of checkpoints)"
YOLOE = "https://github.com/THU-MIG/yoloe (table of prompt-free evaluation)"


@dataclass(frozen=True)
class Candidate:
    """A model that can be recommended.

    Attributes
    ----------
    name : str
        What picks it.
    figure : str
        What its makers measured.
    source : str
        Where that figure was read.
    why : str
        One line: what it is better at.
    weights_gb : float
        Size of the weights in float32, in GB.
    gflops : float or None
        Work for one crop, in billions of operations; for encoders.
    wants_gpu : bool
        Too slow to recommend without one.
    """

    name: str
    figure: str
    source: str
    why: str
    weights_gb: float
    gflops: float | None = None
    wants_gpu: bool = False


#: For each need the candidates, best first. Work per crop: image towers in docs/model_profile.csv of open_clip.
SPECIES = (
    Candidate(
        "hf-hub:imageomics/bioclip-2",
        "insects named zero-shot: 55.3 % right (BioCLIP 34.9, SigLIP 27.3, CLIP ViT-L/14 9.0); mean of ten sets 55.6 %",
        BIOCLIP_2,
        "trained on 214 million photos of organisms with their scientific and common names",
        1.711,
        162.0,
    ),
    Candidate(
        "hf-hub:imageomics/bioclip",
        "insects named zero-shot: 34.9 % right (SigLIP 27.3, CLIP ViT-L/14 9.0); mean of ten sets 37.6 %",
        BIOCLIP_2,
        "as BioCLIP 2, smaller and older",
        0.599,
        35.1,
    ),
)
WORDS = (
    Candidate(
        "google/siglip2-base-patch16-224",
        "ImageNet zero-shot: 78.2 % right (CLIP ViT-B/16 68.3)",
        SIGLIP_2,
        "understands most descriptions, in many languages; each label is judged alone",
        1.501,
        35.4,
    ),
    Candidate(
        "openai/clip-vit-base-patch16",
        "ImageNet zero-shot: 68.3 % right",
        OPENAI_CLIP,
        "understands most English descriptions",
        0.599,
        35.1,
    ),
    Candidate(
        "openai/clip-vit-base-patch32",
        "ImageNet zero-shot: 63.2 % right",
        OPENAI_CLIP,
        "as CLIP ViT-B/16 with coarser patches, a quarter of the work",
        0.605,
        8.8,
    ),
)
SHIPPED_ENCODER = Candidate(
    defaults.ENCODER, "measured by this project: docs/benchmark.md", "docs/benchmark.md", "small and quick; ships", 0.02
)
TRAPS = (
    Candidate(
        defaults.PROPOSER,
        "measured by this project: docs/benchmark.md",
        "docs/benchmark.md",
        "trained for insects on traps and leaves; no other model listed has a published figure on such photos",
        0.02,
    ),
)
CLOSE_UPS = (
    Candidate(
        "google/owlv2-base-patch16-ensemble",
        "LVIS, 1,203 everyday categories named in words: AP 43.9, rare ones 40.5",
        OWL,
        "finds what a word such as 'insect' names, at any size",
        0.62,
        wants_gpu=True,
    ),
    Candidate(
        "yoloe-11s-seg-pf.pt",
        "LVIS, without prompts: AP 20.6, rare ones 18.4; 11 million parameters",
        YOLOE,
        "finds everyday things and animals in close-ups, quick without a GPU",
        0.044,
    ),
)


@dataclass(frozen=True)
class Recommendation:
    """A model that suits this machine, for one need.

    Attributes
    ----------
    need : str
        What it is for.
    kind : {"encoder", "proposer"}
    name : str
    here : bool
        Whether it can be used without a network.
    default : bool
        Whether commands use it where none is named.
    size, licence : str
        Of the weights.
    figure, source : str
        The published figure that it rests on, and where that was read.
    why : str
        One line.
    commands : tuple of str
        What to run next to use it by default; empty where it is the default.
    """

    need: str
    kind: Kind
    name: str
    here: bool
    default: bool
    size: str
    licence: str
    figure: str
    source: str
    why: str
    commands: tuple[str, ...]


def recommend_models(machine: Machine, choice: ModelChoice, *, has_open_clip: bool = True) -> list[Recommendation]:
    """Recommend an encoder for species, one for free words, a proposer, and one to try on close-ups. Works offline.

    Parameters
    ----------
    machine : Machine
    choice : ModelChoice
        The user's defaults.
    has_open_clip : bool
        Whether the library that BioCLIP needs is installed.

    Returns
    -------
    list of Recommendation
        The best encoder first; the best proposer is the first proposer.
    """
    infos: list[EncoderInfo | ProposerInfo] = [*encoders.available(), *regions.available()]
    listed = {info.name: info for info in infos}
    wanted: tuple[tuple[str, Kind, Sequence[Candidate]], ...] = (
        ("species by name", "encoder", (*SPECIES, SHIPPED_ENCODER)),
        ("free words", "encoder", (*WORDS, SHIPPED_ENCODER)),
        ("traps and leaves", "proposer", TRAPS),
        ("to try on close-ups", "proposer", CLOSE_UPS),
    )
    found: list[Recommendation] = []
    for need, kind, candidates in wanted:
        best = next((each for each in candidates if _fits(each, machine)), candidates[-1])
        if any(best.name == other.name for other in found):
            continue
        info = listed[best.name]
        default = best.name == getattr(choice, kind)
        found.append(
            Recommendation(
                need=need,
                kind=kind,
                name=best.name,
                here=info.present,
                default=default,
                size="ships" if best.name in (defaults.ENCODER, defaults.PROPOSER) else info.size,
                licence=info.licence,
                figure=best.figure,
                source=best.source,
                why=_why(best, candidates, machine, [each for each in candidates if listed[each.name].present]),
                commands=() if default else _commands(best.name, here=info.present, has_open_clip=has_open_clip),
            )
        )
    return found


def _fits(candidate: Candidate, machine: Machine) -> bool:
    """Whether a model has room on a machine; where the memory is not known it has."""
    if candidate.wants_gpu and not _has_gpu(machine):
        return False
    return machine.memory_gb is None or machine.memory_gb >= REST_GB + WEIGHTS_IN_MEMORY * candidate.weights_gb


def _has_gpu(machine: Machine) -> bool:
    return machine.gpu is not None and (machine.gpu_memory_gb is None or machine.gpu_memory_gb >= GPU_GB)


def _why(best: Candidate, candidates: Sequence[Candidate], machine: Machine, here: Sequence[Candidate]) -> str:
    """One line: what the model is better at, why none before it was taken, what it costs, and which is here already."""
    parts = [best.why]
    for each in candidates[: candidates.index(best)]:
        lacking = "wants a GPU" if each.wants_gpu and not _has_gpu(machine) else "needs more memory"
        parts.append(f"{each.name} is better and {lacking}")
    ready = [each.name for each in here if each is not SHIPPED_ENCODER]
    if ready and best not in here:
        parts.append(f"on this machine already: {', '.join(ready)}")
    lighter = next((c for c in candidates if c.gflops and best.gflops and c.gflops < best.gflops / 2), None)
    if lighter is not None and lighter.gflops and best.gflops and not _has_gpu(machine):
        times = best.gflops / lighter.gflops
        parts.append(f"without a GPU each crop takes about {times:.1f} times the work of {lighter.name}")
    return "; ".join(parts)


def _commands(name: str, *, here: bool, has_open_clip: bool) -> tuple[str, ...]:
    library = () if has_open_clip or not name.startswith(OPEN_CLIP_PREFIX) else ("pip install 'agri-clip[open-clip]'",)
    fetch = () if here else (f"agri-clip models fetch {name}",)
    return (*library, *fetch, f"agri-clip models use {name}")
