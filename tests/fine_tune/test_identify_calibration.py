"""Fitting likeness: thresholds keep their promise on the photos they were fitted on, and labels are read as written."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agri_clip import Identifier
from agri_clip.errors import AgriClipError, DataError
from agri_clip.scoring.likeness import DEFAULT_THRESHOLDS, Likeness, likeness_for, read_rows, write_row
from agri_clip.scoring.taxonomy import Taxonomy, load_taxonomy
from fine_tune.identify_calibration import (
    LEAST_ANSWERS,
    LEAST_THRESHOLD,
    Subjects,
    Truth,
    binomial,
    fit,
    fit_levels,
    judge,
    least_likeness,
    look_at,
    measure,
    read_labels,
)
from tests.painted_insects import BLACK, GREEN, RED, FixedProposer, PaintedEncoder, paint

FAMILIES = {"Leptinotarsa": "Chrysomelidae", "Agrotis": "Noctuidae", "Cydia": "Tortricidae"}


@pytest.fixture
def identifier() -> Identifier:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Identifier(FixedProposer(), PaintedEncoder(), card=False)


def noisy(taxonomy: Taxonomy, signal: float, count: int, seed: int = 0) -> Subjects:
    """Photos of random groups, whose own leaf has a higher logit by `signal`; all logits have the same noise."""
    rng = np.random.default_rng(seed)
    groups = sorted({str(taxon.group) for taxon in taxonomy.leaf_taxa})
    truths = tuple(Truth(group) for group in rng.choice(groups, count))
    own = np.array([[t.rank == "group" and t.group == truth.group for t in taxonomy.leaf_taxa] for truth in truths])
    logits = 6 * rng.normal(size=own.shape) + signal * own
    return Subjects(logits, np.full((count, 1), -50.0), truths)


def test_a_fit_keeps_the_share_of_right_answers(identifier: Identifier) -> None:
    taxonomy = identifier.leaves.taxonomy
    subjects = noisy(taxonomy, signal=15, count=600)
    fitted = fit(identifier, subjects, 0.9)
    assert fitted.encoder == "painted-1"
    before, after = measure(taxonomy, Likeness(), subjects), measure(taxonomy, fitted, subjects)
    assert after.error < before.error
    assert after.error < 0.06
    assert after.right >= 0.88
    assert after.finer > 0.5
    # On other photos of the same kind it holds but for chance.
    assert measure(taxonomy, fitted, noisy(taxonomy, signal=15, count=600, seed=1)).right >= 0.85


def test_an_encoder_at_chance_names_hardly_anything(identifier: Identifier) -> None:
    taxonomy = identifier.leaves.taxonomy
    fitted = fit(identifier, noisy(taxonomy, signal=0, count=300), 0.9)
    report = measure(taxonomy, fitted, noisy(taxonomy, signal=0, count=300, seed=1))
    assert report.answered < 0.1 * report.photos
    assert fitted.temperature > 3


def test_a_level_with_few_photos_keeps_its_default(identifier: Identifier) -> None:
    taxonomy = identifier.leaves.taxonomy
    few = np.zeros((LEAST_ANSWERS - 1, len(taxonomy)))
    assert fit_levels(taxonomy, few, [Truth("moth")] * len(few), 0.9) == dict(DEFAULT_THRESHOLDS)


def test_a_level_that_is_wrong_too_often_is_never_answered_and_none_is_too_low(identifier: Identifier) -> None:
    taxonomy = identifier.leaves.taxonomy
    moth, ladybird = (taxonomy.find(name, "group") for name in ("moth", "ladybird"))
    assert moth is not None
    assert ladybird is not None
    sums = np.zeros((400, len(taxonomy)))
    sums[:, ladybird] = 0.2
    always = fit_levels(taxonomy, sums, [Truth("ladybird")] * 400, 0.9)
    assert always["group"] == LEAST_THRESHOLD
    assert fit_levels(taxonomy, sums, [Truth("moth")] * 400, 0.9)["group"] is None


def test_a_few_lucky_answers_prove_nothing() -> None:
    scores = np.concatenate([np.linspace(0.95, 0.9, 10), np.linspace(0.5, 0.4, 20)])
    lucky = np.ones(30, bool)
    lucky[::15] = False
    few, many = (least_likeness(np.tile(scores, n), np.tile(lucky, n), 0.9) for n in (1, 30))
    assert few is not None
    assert few > 0.5
    assert many is not None
    assert many <= 0.5
    assert least_likeness(scores, np.zeros(30, bool), 0.9) is None


def test_crops_without_insects_fit_what_an_insect_is(identifier: Identifier) -> None:
    subjects = noisy(identifier.leaves.taxonomy, signal=12, count=60)
    encoder = identifier.detector.encoder
    rng = np.random.default_rng(0)

    def near(phrase: str) -> np.ndarray:
        vectors = encoder.encode_texts([phrase]) + rng.normal(0, 0.05, (50, encoder.dim))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    # One crop in six looks like the other kind, so the evidence is worth less than it says.
    moths, dirt = near("a moth"), near("dirt")
    mixed = np.concatenate([moths, dirt[:10]]), np.concatenate([dirt, moths[:10]])
    fitted = fit(identifier, subjects, 0.9, mixed)
    assert 0 < fitted.slope < 1
    with pytest.raises(AgriClipError, match="tell insects"):
        fit(identifier, subjects, 0.9, (near("dirt"), np.concatenate([near("a moth")] * 20)))


def test_photos_of_groups_that_the_encoder_cannot_name_fit_nothing(identifier: Identifier) -> None:
    subjects = noisy(identifier.leaves.taxonomy, signal=12, count=30)
    unknown = Subjects(subjects.logits, subjects.negatives, (Truth("dragonfly"),) * 30)
    with pytest.raises(AgriClipError, match="no name of any group"):
        fit(identifier, unknown, 0.9)


@pytest.mark.parametrize(
    ("answer", "truth", "right"),
    [
        ("Leptinotarsa decemlineata", Truth("leaf beetle", "Leptinotarsa decemlineata"), True),
        ("Leptinotarsa decemlineata", Truth("leaf beetle", "Crioceris asparagi"), False),
        ("Leptinotarsa decemlineata", Truth("leaf beetle"), None),
        ("Leptinotarsa decemlineata", Truth("moth"), False),
        ("Noctuidae", Truth("moth", "Agrotis ipsilon"), True),
        ("Noctuidae", Truth("moth", "Cydia pomonella"), False),
        ("Noctuidae", Truth("moth"), None),
        ("moth", Truth("moth"), True),
        ("moth", Truth("caterpillar"), False),
        ("Lepidoptera", Truth("caterpillar"), True),
        ("Chrysomelidae", Truth("flea beetle"), True),
        ("Coleoptera", Truth("moth"), False),
        ("earwig", Truth("earwig"), True),
    ],
)
def test_answers_are_judged_as_far_as_the_truth_is_known(answer: str, truth: Truth, right: bool | None) -> None:
    taxonomy = load_taxonomy()
    index = taxonomy.find(answer)
    assert index is not None
    assert judge(taxonomy, index, truth, FAMILIES) is right


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Agrotis ipsilon aneituma", "Agrotis ipsilon"),
        ("Gerris sp. (water strider)", None),
        ("Cigarette beetle", None),
        ("Agrotis", None),
        ("", None),
    ],
)
def test_binomials_are_read_from_labels(label: str, name: str | None) -> None:
    assert binomial(label, {"Agrotis", "Gerris"}) == name


def test_labels_come_from_a_catalogue_or_from_folders(tmp_path: Path) -> None:
    first = tmp_path / "named"
    (first / "images").mkdir(parents=True)
    (first / "catalogue.csv").write_text(
        "file,species,group,split\na.jpg,Agrotis ipsilon,moth,dev\nb.jpg,,moth,check\nc.jpg,,not an insect,dev\n"
    )
    assert read_labels(first, ["dev"]) == [(first / "images" / "a.jpg", Truth("moth", "Agrotis ipsilon"))]
    assert len(read_labels(first)) == 2
    second = tmp_path / "folders"
    (second / "leaf_beetle").mkdir(parents=True)
    Image.fromarray(paint(BLACK)).save(second / "leaf_beetle" / "1.png")
    assert read_labels(second) == [(second / "leaf_beetle" / "1.png", Truth("leaf beetle"))]
    with pytest.raises(DataError, match="no labelled photos"):
        read_labels(tmp_path / "nothing")


def test_photos_are_looked_at_as_identify_does(identifier: Identifier, tmp_path: Path) -> None:
    for name, colour in (("r.png", RED), ("g.png", GREEN)):
        Image.fromarray(paint(colour)).save(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"broken")
    labelled = [(tmp_path / name, Truth("ladybird")) for name in ("r.png", "b.png", "g.png")]
    with pytest.warns(UserWarning, match=r"b\.png"):
        subjects = look_at(identifier, labelled)
    assert len(subjects.truths) == 2
    report = measure(identifier.leaves.taxonomy, Likeness(), subjects)
    assert (report.photos, report.answered, report.right, report.finer) == (2, 2, 1.0, 0.5)
    assert "answered 2, right 1.000" in report.lines()[0]


def test_rows_of_the_table_are_replaced_and_found(tmp_path: Path) -> None:
    table = tmp_path / "likeness.json"
    encoder = PaintedEncoder()
    assert not likeness_for(encoder, table).calibrated
    write_row(Likeness(encoder="another"), table)
    write_row(Likeness(encoder="painted-1", temperature=2), table)
    row = Likeness(encoder="painted-1", temperature=3, thresholds={"group": 0.5, "species": None})
    write_row(row, table)
    assert len(read_rows(table)) == 2
    assert likeness_for(encoder, table) == row
    assert likeness_for(encoder, table).calibrated


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"rows": [{"encoder": "a", "temperature": 0}]}',
        '{"rows": [{"encoder": "a", "thresholds": {"class": 1}}]}',
        '{"rows": [{"colour": 1}]}',
        "[]",
    ],
)
def test_a_damaged_table_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(DataError, match="identify_calibration"):
        read_rows(tmp_path / "t.json")
