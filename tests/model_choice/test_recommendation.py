"""Recommended models: what fits a machine, what is said of it, and what to run next."""

from __future__ import annotations

from pathlib import Path

import pytest

from agri_clip import encoders, regions
from agri_clip.model_choice.machine import Machine, look_at_machine
from agri_clip.model_choice.recommendation import CLOSE_UPS, SPECIES, WORDS, recommend_models
from agri_clip.model_choice.selection import ModelChoice
from tests.fake_models import write_model, write_open_clip_model
from tests.hub_cache import put_in_cache

LAPTOP = Machine(memory_gb=16, cores=8)
SERVER = Machine(memory_gb=128, cores=16, gpu="NVIDIA H200", gpu_memory_gb=140)
SMALL = Machine(memory_gb=4.5, cores=4)
TINY = Machine(memory_gb=2, cores=2)


@pytest.fixture(autouse=True)
def nothing_fetched(hub_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGRI_CLIP_MODELS", str(tmp_path / "proposers"))
    return hub_cache


def names(machine: Machine) -> dict[str, str]:
    return {each.need: each.name for each in recommend_models(machine, ModelChoice())}


def test_bioclip_2_is_first_for_species_and_siglip_2_for_free_words() -> None:
    assert names(LAPTOP) == {
        "species by name": "hf-hub:imageomics/bioclip-2",
        "free words": "google/siglip2-base-patch16-224",
        "traps and leaves": "insect-yolo",
        "to try on close-ups": "yoloe-11s-seg-pf.pt",
    }
    assert names(SERVER)["to try on close-ups"] == "google/owlv2-base-patch16-ensemble"


def test_a_machine_with_less_memory_gets_smaller_models_and_is_told_why() -> None:
    assert names(SMALL)["species by name"] == "hf-hub:imageomics/bioclip"
    assert names(SMALL)["free words"] == "openai/clip-vit-base-patch16"
    first = recommend_models(SMALL, ModelChoice())[0]
    assert "hf-hub:imageomics/bioclip-2 is better and needs more memory" in first.why
    assert names(TINY) == {"species by name": "builtin", "traps and leaves": "insect-yolo"} | {
        "to try on close-ups": "yoloe-11s-seg-pf.pt"
    }
    assert names(Machine(None, 4))["species by name"] == "hf-hub:imageomics/bioclip-2"


def test_each_says_licence_size_figure_source_and_what_to_run() -> None:
    found = recommend_models(LAPTOP, ModelChoice(), has_open_clip=False)
    assert all(each.licence and each.size and each.figure and each.source and each.why for each in found)
    assert found[0].commands == (
        "pip install 'agri-clip[open-clip]'",
        "agri-clip models fetch hf-hub:imageomics/bioclip-2",
        "agri-clip models use hf-hub:imageomics/bioclip-2",
    )
    assert found[1].commands == (
        "agri-clip models fetch google/siglip2-base-patch16-224",
        "agri-clip models use google/siglip2-base-patch16-224",
    )
    assert found[2].default
    assert found[2].commands == ()


def test_what_is_here_need_not_be_fetched(nothing_fetched: Path, tmp_path: Path) -> None:
    put_in_cache(nothing_fetched, "imageomics/bioclip", write_open_clip_model(tmp_path / "bio"))
    put_in_cache(nothing_fetched, "google/siglip2-base-patch16-224", write_model(tmp_path / "siglip"))
    species, words, *_ = recommend_models(LAPTOP, ModelChoice())
    assert "on this machine already: hf-hub:imageomics/bioclip" in species.why
    assert words.here
    assert words.commands == ("agri-clip models use google/siglip2-base-patch16-224",)


def test_work_is_compared_only_where_there_is_no_gpu() -> None:
    assert "without a GPU each crop takes about 4.6 times" in recommend_models(LAPTOP, ModelChoice())[0].why
    assert "GPU" not in recommend_models(SERVER, ModelChoice())[0].why


def test_every_candidate_is_a_listed_model() -> None:
    listed = {info.name for info in (*encoders.available(), *regions.available())}
    assert {each.name for each in (*SPECIES, *WORDS, *CLOSE_UPS)} <= listed


def test_this_machine_is_looked_at() -> None:
    machine = look_at_machine()
    assert machine.cores >= 1
    assert machine.memory_gb is None or machine.memory_gb > 0.1
    assert "core" in str(machine)


def write_driver_tool(folder: Path, answer: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
    tool.chmod(0o755)


@pytest.mark.parametrize(
    ("answer", "gpu", "memory"),
    [
        ("echo 'NVIDIA H200, 143771'", "NVIDIA H200", 150.8),
        ("echo 'NVIDIA GB10, [N/A]'", "NVIDIA GB10", None),
        ("echo; exit 9", None, None),
        ("true", None, None),
    ],
)
def test_a_gpu_is_known_from_its_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, gpu: str | None, memory: float | None
) -> None:
    write_driver_tool(tmp_path, answer)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("agri_clip.model_choice.machine._torch_has", lambda _kind: True)
    machine = look_at_machine()
    assert machine.gpu == gpu
    assert machine.gpu_memory_gb == (None if memory is None else pytest.approx(memory, abs=0.1))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert look_at_machine().gpu is None
