"""Every method held to its paper on made vectors where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from made_vectors import made_task
from scipy.special import log_softmax, softmax

from agri_clip.encoders.heads import FewShotHead, Words, blend, head_evidence
from fine_tune.adapt.heads import ClipAdapter, FewShot, GaussianHead, TextProbe, TipAdapter
from fine_tune.adapt.heads.base import descend

HEADS = [GaussianHead, TextProbe, TipAdapter, lambda: TipAdapter(tuned=True), lambda: ClipAdapter(0.6, reduction=1)]
#: Weights that suit the size of their evidence.
WEIGHTS = {"linear": 3.0, "cache": 3.0, "adapter": 1.0}


def test_gaussian_head_is_the_bayes_rule_of_its_own_gaussians() -> None:
    rng = np.random.default_rng(0)
    means, root = rng.normal(size=(3, 4)), rng.normal(size=(4, 4))
    covariance = root @ root.T + np.eye(4)
    classes = np.repeat(np.arange(3), 6000)
    vectors = means[classes] + rng.multivariate_normal(np.zeros(4), covariance, len(classes))
    head = GaussianHead().fit(vectors, classes, Words(np.eye(3, 4), np.arange(3), 1.0))
    seen = rng.normal(size=(200, 4)) * 2
    away = seen[:, None] - means
    bayes = softmax(-0.5 * np.einsum("nkd,de,nke->nk", away, np.linalg.inv(covariance), away), axis=1)
    assert np.abs(softmax(head.evidence(seen), axis=1) - bayes).max() < 0.05


def test_gaussian_head_with_one_sample_a_class_goes_by_the_nearest() -> None:
    task = made_task(np.random.default_rng(1), 1)
    head = GaussianHead().fit(task.vectors, task.classes, task.words)
    seen = made_task(np.random.default_rng(2), 20)
    distances = np.linalg.norm(seen.vectors[:, None] - task.vectors, axis=2)
    assert (head.evidence(seen.vectors).argmax(axis=1) == distances.argmin(axis=1)).all()


def test_tip_adapter_is_the_formula_of_its_paper() -> None:
    vectors = np.array([[1.0, 0.0], [0.0, 1.0]])
    head = TipAdapter(sharpness=5.5).fit(vectors, np.array([0, 1]), Words(np.eye(2), np.arange(2), 1.0))
    evidence = head.evidence(np.array([[0.6, 0.8]]))
    np.testing.assert_allclose(evidence, [[np.exp(-5.5 * 0.4), np.exp(-5.5 * 0.2)]])


@pytest.mark.parametrize("make", HEADS)
def test_with_weight_nothing_every_head_is_zero_shot(make: type[FewShot]) -> None:
    task = made_task(np.random.default_rng(3), 3)
    head = make().fit(task.vectors, task.classes, task.words)
    arrays = {name: np.asarray(array, np.float32) for name, array in head.arrays_.items()}
    every = np.ones(4, bool)
    plain = FewShotHead("any", head.kind, tuple("abcd"), every, task.words, 0.0, 1.0, arrays)
    expected = log_softmax(task.words.logits(task.vectors), axis=1)
    np.testing.assert_allclose(plain.log_shares(task.vectors), expected)


@pytest.mark.parametrize("make", HEADS)
def test_every_head_learns_what_words_do_not_say_and_the_same_twice(make: type[FewShot]) -> None:
    task, seen = made_task(np.random.default_rng(4), 8), made_task(np.random.default_rng(5), 50)
    first, second = (make().fit(task.vectors, task.classes, task.words) for _ in range(2))
    logits = task.words.logits(seen.vectors)
    by_words = (logits.argmax(axis=1) == seen.classes).mean()
    adapted = ((logits + WEIGHTS[first.kind] * first.evidence(seen.vectors)).argmax(axis=1) == seen.classes).mean()
    assert adapted > by_words + 0.2
    for name, array in first.arrays_.items():
        np.testing.assert_array_equal(array, second.arrays_[name])


def test_probe_held_without_end_stays_with_the_words() -> None:
    task = made_task(np.random.default_rng(6), 4, words_right=True)
    head = TextProbe(penalty=1e9).fit(task.vectors, task.classes, task.words)
    np.testing.assert_allclose(head.prototypes_, task.words.prototypes, atol=1e-5)
    assert np.abs(head.evidence(task.vectors)).max() < 1e-3


def test_clip_adapter_of_ratio_nothing_moves_nothing() -> None:
    task = made_task(np.random.default_rng(7), 4)
    head = ClipAdapter(ratio=0.0).fit(task.vectors, task.classes, task.words)
    assert np.abs(head.evidence(task.vectors)).max() < 1e-5


@pytest.mark.parametrize("make", [GaussianHead, TipAdapter])
def test_many_samples_of_one_class_do_not_make_it_likelier(make: type[FewShot]) -> None:
    rng = np.random.default_rng(8)
    task, seen = made_task(rng, 40, classes=2, spread=1.5), made_task(rng, 200, classes=2, spread=1.5)
    few = np.concatenate([np.flatnonzero(task.classes == 0), np.flatnonzero(task.classes == 1)[:5]])
    head = make().fit(task.vectors[few], task.classes[few], task.words)
    said = head.evidence(seen.vectors).argmax(axis=1)
    assert 0.3 < (said == 1).mean() < 0.7


def test_a_class_without_a_sample_is_refused() -> None:
    task = made_task(np.random.default_rng(9), 2)
    with pytest.raises(ValueError, match="each of 4 classes needs a vector"):
        GaussianHead().fit(task.vectors[:4], task.classes[:4], task.words)


def test_descend_finds_the_lowest_point() -> None:
    (found,) = descend([np.zeros(3)], lambda p: [2 * (p[0] - np.array([1.0, -2.0, 0.5]))], 0.1, 400, decay=0.0)
    np.testing.assert_allclose(found, [1.0, -2.0, 0.5], atol=0.02)


def test_evidence_of_an_adapter_is_the_difference_that_the_moved_vector_makes() -> None:
    arrays = {
        "down": np.eye(2), "up": np.array([[0.0, 1.0], [1.0, 0.0]]), "ratio": np.array([1.0]),
        "prototypes": np.eye(2), "scale": np.array([10.0]),
    }  # fmt: skip
    np.testing.assert_allclose(head_evidence("adapter", arrays, np.array([[1.0, 0.0]])), [[-10.0, 10.0]])


def test_classes_that_are_not_used_keep_their_share_by_words() -> None:
    rng = np.random.default_rng(10)
    words, evidence = rng.normal(size=(30, 4)), rng.normal(size=(30, 4)) * 5
    used = np.array([True, False, True, False])
    plain, shares = softmax(words, axis=1), np.exp(blend(words, evidence, used, 1.0, 2.0))
    np.testing.assert_allclose(shares[:, ~used], plain[:, ~used])
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert np.abs(shares[:, used] - plain[:, used]).max() > 0.1
