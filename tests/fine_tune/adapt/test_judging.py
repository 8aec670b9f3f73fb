"""Judging and losses: rare labels count as much as frequent ones, and the losses are those of pretraining."""

from __future__ import annotations

import math

import pytest
import torch

from fine_tune.adapt.judging import contrast, judge


def unit(*shape: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape), dim=-1)


def test_a_rare_label_counts_as_much_as_a_frequent_one() -> None:
    names = torch.eye(2)
    images = names[[0] * 9 + [0]]  # ten crops that all look like the first label; the last is of the second
    judged = judge(images, names, torch.tensor([0] * 9 + [1]), 2.0)
    assert judged.accuracy == pytest.approx(0.5)
    right, wrong = -math.log(math.exp(2) / (math.exp(2) + 1)), -math.log(1 / (math.exp(2) + 1))
    assert judged.loss == pytest.approx((right + wrong) / 2, rel=1e-6)


def test_labels_without_crops_take_no_part() -> None:
    assert judge(torch.eye(3)[:1], torch.eye(3), torch.tensor([0]), 5.0).accuracy == 1.0


def test_softmax_models_get_clips_loss_without_negatives_of_the_same_label() -> None:
    torch.manual_seed(0)
    images, names, labels = unit(4, 6), unit(2, 6), torch.tensor([0, 1, 0, 1])
    scores = 7.0 * images @ names.T
    to_texts = torch.nn.functional.cross_entropy(scores, labels)
    # Each text is told from its own crop and from the crops of the other label only.
    rows = [torch.stack([scores[i, labels[i]], *scores[labels != labels[i], labels[i]]]) for i in range(4)]
    to_crops = torch.stack([torch.logsumexp(row, 0) - row[0] for row in rows]).mean()
    pairs = [torch.stack([scores[i, labels[i]], *([scores[i, 1 - labels[i]]] * 2)]) for i in range(4)]
    own = torch.stack([torch.logsumexp(row, 0) - row[0] for row in pairs]).mean()
    loss = contrast(images, names, labels, torch.tensor(7.0))
    assert float(loss) == pytest.approx(float((own + to_crops) / 2), rel=1e-5)
    assert float(loss) > float(to_texts) / 2


def test_sigmoid_models_get_siglips_loss() -> None:
    torch.manual_seed(1)
    images, names, labels = unit(3, 5), unit(2, 5), torch.tensor([0, 1, 1])
    expected = 0.0
    for i in range(3):
        for k in range(2):
            z = 1 if int(labels[i]) == k else -1
            expected += math.log1p(math.exp(-z * (4.0 * float(images[i] @ names[k]) - 2.0))) / 3
    loss = contrast(images, names, labels, torch.tensor(4.0), torch.tensor(-2.0))
    assert float(loss) == pytest.approx(expected, rel=1e-5)
