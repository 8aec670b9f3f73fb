"""The whole way: labelled crops in, an encoder out whose detections know them, and its calibration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_vectors import COLOURS, ColourEncoder, coloured_crop, write_folders

from agri_clip.encoders import get_encoder
from agri_clip.encoders.adapted import load_adapted
from agri_clip.prompts import PromptSet
from agri_clip.prompts.base import Target
from agri_clip.prompts.words import UnknownWordWarning
from agri_clip.scoring.label_vectors import embed_prompts
from agri_clip.scoring.score import score
from fine_tune.adapt.adapting import adapt, choose_shots, task_of
from fine_tune.adapt.calibrating import CHART, calibrate_encoder
from fine_tune.adapt.prompt_tuning import tune_prompts
from fine_tune.adapt.samples import LabelledCrops, read_samples

#: Labels whose names say nothing to the encoder.
FARM = {"snark": "red", "boojum": "green", "jubjub": "blue"}


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> LabelledCrops:
    return read_samples(write_folders(tmp_path_factory.mktemp("farm") / "crops", FARM, 10))


@pytest.fixture(scope="module")
def adapted(farm: LabelledCrops, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("adapted") / "my-farm"
    result = adapt(farm, ColourEncoder(), out)
    assert result.climbed.head is not None
    return out


def named(folder: Path, *prompts: str) -> list[str]:
    """What the encoder calls a red, a green, a blue and a yellow crop."""
    encoder = load_adapted(str(folder), ColourEncoder())
    rng = np.random.default_rng(9)
    vectors = encoder.encode_images([coloured_crop(rng, colour) for colour in COLOURS])
    return [prompts[i] for i in score(vectors, embed_prompts(encoder, PromptSet.of(*prompts))).label_index]


def test_names_that_words_do_not_know_are_learnt_from_crops(adapted: Path) -> None:
    assert named(adapted, "a snark", "Boojum", "jubjub")[:3] == ["a snark", "Boojum", "jubjub"]


def test_other_prompts_still_work(adapted: Path) -> None:
    assert named(adapted, "something red", "something blue", "something yellow")[0] == "something red"
    assert named(adapted, "snark", "something yellow")[3] == "something yellow"


def test_the_report_says_what_was_done(adapted: Path) -> None:
    text = (adapted / "report.md").read_text()
    assert "gate: examples save" in text
    assert "other prompts: of " in text
    assert all(f"| {label} | 10 | 10 |" in text for label in FARM)


def test_shuffled_labels_leave_the_words(farm: LabelledCrops, tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(len(farm))
    lie = LabelledCrops(farm.crops, tuple(farm.labels[i] for i in order), farm.photos, farm.names)
    result = adapt(lie, ColourEncoder(), tmp_path / "lie")
    assert result.climbed.head is None
    assert load_adapted(str(tmp_path / "lie"), ColourEncoder()).head is None
    assert json.loads((tmp_path / "lie" / "adapted.json").read_text())["head"] is None


def test_a_label_is_untaught_where_a_third_of_its_words_or_more_were_never_seen(farm: LabelledCrops) -> None:
    sentences = {"a": "a snark insect", "b": "a small green insect with clear snarkish wings", "c": "a green insect"}
    targets = tuple(Target(name=name, phrasings=(text,)) for name, text in sentences.items())
    crops = LabelledCrops(farm.crops[:3], tuple(sentences), farm.photos[:3], farm.names[:3], "three crops")
    with pytest.warns(UnknownWordWarning):
        task, labels = task_of(crops, get_encoder("builtin"), PromptSet(targets=targets))
    assert task.taught is not None
    assert dict(zip(labels, task.taught.tolist(), strict=True)) == {"a": False, "b": True, "c": True}


def test_one_seed_gives_the_same_files(farm: LabelledCrops, tmp_path: Path) -> None:
    for name in ("a", "b"):
        adapt(farm, ColourEncoder(), tmp_path / name, shots=9, seed=3)
    for file in ("adapted.json", "head.safetensors", "held_out.safetensors", "report.md"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_shots_are_of_as_many_photos_as_there_are(farm: LabelledCrops) -> None:
    photos = tuple(f"T{i % 10 // 5}" for i in range(len(farm)))
    few = choose_shots(LabelledCrops(farm.crops, farm.labels, photos, farm.names), 2, seed=0)
    assert few.counts == dict.fromkeys(sorted(FARM), 2)
    assert sorted(few.photos) == ["T0"] * 3 + ["T1"] * 3


def test_calibration_is_kept_beside_the_head_and_used(adapted: Path, farm: LabelledCrops, tmp_path: Path) -> None:
    encoder = load_adapted(str(adapted), ColourEncoder())
    result = calibrate_encoder(farm, encoder, tmp_path / "sure")
    assert (tmp_path / "sure" / CHART).is_file()
    sure = load_adapted(str(tmp_path / "sure"), ColourEncoder())
    assert sure.fingerprint != encoder.fingerprint
    assert sure.vectors_fingerprint == encoder.vectors_fingerprint == ColourEncoder.fingerprint
    embedded = embed_prompts(sure, PromptSet.of("snark", "boojum"))
    assert embedded.calibrated
    assert embedded.temperature == pytest.approx(result.calibration.temperature)
    assert embedded.thresholds()["snark"] == pytest.approx(result.calibration.thresholds["snark"])
    mixed = embed_prompts(sure, PromptSet.of("snark", "something yellow"))
    assert not mixed.calibrated
    assert embed_prompts(sure, PromptSet.of("something yellow")).temperature == 1


def test_calibration_goes_by_crops_as_they_were_held_out(adapted: Path, farm: LabelledCrops, tmp_path: Path) -> None:
    lie = tmp_path / "farm"
    adapt(farm, ColourEncoder(), lie)
    file = lie / "held_out.safetensors"
    from safetensors.numpy import load, save

    shift = load(file.read_bytes())["shift"]
    file.write_bytes(save({"shift": np.ascontiguousarray(-shift)}))
    right = calibrate_encoder(farm, load_adapted(str(adapted), ColourEncoder()), tmp_path / "a").after
    wrong = calibrate_encoder(farm, load_adapted(str(lie), ColourEncoder()), tmp_path / "b").after
    assert np.nansum(right.right * right.crops) > np.nansum(wrong.right * wrong.crops)


def test_prompts_are_tuned_to_the_phrasings_that_tell_labels_apart(farm: LabelledCrops) -> None:
    from agri_clip.prompts.base import Target

    targets = tuple(Target(name=label, phrasings=(f"a {label}", f"a {colour} thing")) for label, colour in FARM.items())
    tuned = tune_prompts(farm, ColourEncoder(), PromptSet(targets=targets))
    assert {t.name: t.phrasings for t in tuned.prompts.targets} == {
        label: (f"a {colour} thing",) for label, colour in FARM.items()
    }
    assert tuned.after >= tuned.before


def test_prompts_stay_where_labels_mean_nothing(farm: LabelledCrops) -> None:
    from agri_clip.prompts.base import Target

    order = np.random.default_rng(1).permutation(len(farm))
    lie = LabelledCrops(farm.crops, tuple(farm.labels[i] for i in order), farm.photos, farm.names)
    targets = tuple(Target(name=label, phrasings=(f"a {label}", f"a {colour} thing")) for label, colour in FARM.items())
    tuned = tune_prompts(lie, ColourEncoder(), PromptSet(targets=targets))
    assert "the former words stay" in tuned.reason
    assert {t.name: t.phrasings for t in tuned.prompts.targets} == {t.name: t.phrasings for t in targets}
