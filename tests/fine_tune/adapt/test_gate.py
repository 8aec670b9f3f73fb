"""Examples are used where they beat the words on held-out photos, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_vectors import made_task

from agri_clip.encoders.heads import Words
from agri_clip.errors import DataError
from fine_tune.adapt.ladder import climb, methods_for
from fine_tune.adapt.trials import folds_of

LABELS = tuple("abcd")


@pytest.mark.parametrize("seed", range(5))
def test_examples_are_used_where_words_say_nothing(seed: int) -> None:
    task = made_task(np.random.default_rng(seed), 6)
    climbed = climb(task, LABELS, "gda", seed)
    assert climbed.head is not None
    assert climbed.head.used.all()
    fresh = made_task(np.random.default_rng(100 + seed), 50)
    right = (climbed.head.log_shares(fresh.vectors).argmax(axis=1) == fresh.classes).mean()
    assert right > (task.words.logits(fresh.vectors).argmax(axis=1) == fresh.classes).mean() + 0.2


@pytest.mark.parametrize("method", ["gda", "probe", "tip-adapter"])
@pytest.mark.parametrize("seed", range(4))
def test_shuffled_labels_keep_the_words(seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    task = made_task(rng, 8, words_right=True)
    lie = replace(task, classes=rng.permutation(task.classes))
    climbed = climb(lie, LABELS, method, seed)
    assert climbed.head is None
    assert "words are kept" in climbed.verdict.reason


def test_words_that_are_right_already_are_kept() -> None:
    task = made_task(np.random.default_rng(0), 8, words_right=True, spread=0.05)
    assert climb(task, LABELS, "gda").head is None


def test_with_one_photo_a_class_labels_are_believed_where_words_tell_nothing() -> None:
    task = made_task(np.random.default_rng(3), 1)
    alike = Words(task.words.texts[[0, 0, 0, 0]], task.words.owner, task.words.logit_scale)
    climbed = climb(replace(task, words=alike), LABELS)
    assert climbed.head is not None
    assert climbed.method == "gda"


def test_with_one_photo_a_class_labels_are_believed_where_words_agree() -> None:
    task = made_task(np.random.default_rng(3), 1, classes=6, words_right=True, spread=0.05)
    mixed = Words(task.words.texts[[0, 1, 2, 3, 5, 4]], task.words.owner, task.words.logit_scale)
    climbed = climb(replace(task, words=mixed), tuple("abcdef"))
    assert "words and labels agree" in climbed.verdict.reason
    assert climbed.head is not None
    # Only the two that the words mix up; the others are named rightly already.
    assert climbed.head.used.tolist() == [False] * 4 + [True] * 2


def test_with_one_photo_a_class_words_that_name_all_crops_rightly_are_kept() -> None:
    climbed = climb(made_task(np.random.default_rng(3), 1, words_right=True, spread=0.05), LABELS)
    assert climbed.head is None
    assert "the words name all crops rightly" in climbed.verdict.reason


def test_with_one_photo_a_class_words_that_sort_the_crops_otherwise_are_kept() -> None:
    task = made_task(np.random.default_rng(3), 1, words_right=True)
    mixed_up = replace(task, classes=np.array([1, 2, 3, 0]))
    for taught in (None, np.ones(4, bool), np.array([True, True, True, False])):
        climbed = climb(replace(mixed_up, taught=taught), LABELS)
        assert climbed.head is None
        assert "check the labels" in climbed.verdict.reason


def test_with_one_photo_a_class_words_that_were_never_taught_refute_nothing() -> None:
    task = made_task(np.random.default_rng(3), 1, words_right=True)
    mixed_up = replace(task, classes=np.array([1, 2, 3, 0]), taught=np.array([False, False, True, False]))
    climbed = climb(mixed_up, LABELS)
    assert climbed.head is not None
    assert "not taught" in climbed.verdict.reason


def test_shuffled_labels_of_one_photo_a_class_seldom_pass() -> None:
    passed = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        task = made_task(rng, 1, classes=6, words_right=True)
        passed.append(climb(replace(task, classes=rng.permutation(task.classes)), tuple("abcdef")).head is not None)
    assert np.mean(passed) < 0.35


def test_crops_of_a_photo_are_never_on_both_sides() -> None:
    task = made_task(np.random.default_rng(0), 12)
    photos = np.arange(48) // 3
    seen = np.zeros(48, int)
    for fit, held in folds_of(replace(task, photos=photos), 0):
        assert not set(photos[fit]) & set(photos[held])
        seen[held] += 1
    assert (seen > 0).all()


def test_copies_of_one_crop_on_one_photo_prove_nothing() -> None:
    task = made_task(np.random.default_rng(1), 1, spread=3.0)
    rows = np.repeat(np.arange(4), 6)
    copied = replace(task, vectors=task.vectors[rows], classes=task.classes[rows], photos=rows)
    assert "too few photos" in climb(copied, LABELS).verdict.reason


def test_one_seed_gives_one_result() -> None:
    task = made_task(np.random.default_rng(2), 5)
    first, second = (climb(task, LABELS, "tip-adapter-f", 7).head for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.log_shares(task.vectors), second.log_shares(task.vectors))


def test_the_ladder_rises_with_the_number_of_crops() -> None:
    assert methods_for(1) == ("gda", "probe")
    assert set(methods_for(4)) > set(methods_for(3))


def test_one_class_alone_is_refused_with_a_remedy() -> None:
    task = made_task(np.random.default_rng(0), 3, classes=1)
    with pytest.raises(DataError, match="nothing to tell it from"):
        climb(task, ("a",))
