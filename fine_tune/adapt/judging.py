"""How well an encoder names crops by words alone: what training, early stopping and the blend go by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fine_tune.encoder.contrastive import contrastive_loss


@dataclass(frozen=True)
class Judgement:
    """How well crops were named.

    Attributes
    ----------
    accuracy : float
        Mean over the labels of the share of their crops that got the right name, so that a frequent label counts as
        much as a rare one.
    loss : float
        Cross-entropy, averaged the same way.
    """

    accuracy: float
    loss: float


def judge(images: Tensor, names: Tensor, labels: Tensor, scale: float) -> Judgement:
    """Name crops and compare with their labels.

    Parameters
    ----------
    images : Tensor, shape (n, dim)
        Unit vectors of crops.
    names : Tensor, shape (k, dim)
        A unit vector for each label.
    labels : Tensor, shape (n,), int64
        Which of `names` is right.
    scale : float
        What cosines are multiplied by.
    """
    logits = scale * images.double() @ names.double().T
    losses = nn.functional.cross_entropy(logits, labels, reduction="none")
    right = (logits.argmax(dim=1) == labels).double()
    shown = [labels == label for label in labels.unique()]
    accuracy, loss = (float(torch.stack([part[own].mean() for own in shown]).mean()) for part in (right, losses))
    return Judgement(accuracy, loss)


def contrast(images: Tensor, names: Tensor, labels: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    """The loss that dual encoders are pretrained with, on crops and the names of their labels.

    Softmax models: the symmetric cross-entropy of CLIP, in which crops of one label are no negatives of each other.
    Sigmoid models: the pairwise loss of SigLIP.

    Parameters
    ----------
    images : Tensor, shape (n, dim)
        Unit vectors.
    names : Tensor, shape (k, dim)
        Unit vectors of a text for each label.
    labels : Tensor, shape (n,), int64
    scale : Tensor, scalar
        What cosines are multiplied by.
    bias : Tensor, scalar, or None
        What is added to them by sigmoid models; None for softmax models.

    References
    ----------
    Goyal et al., Finetune like you pretrain, CVPR 2023, section 3; Zhai et al., Sigmoid loss for language image
    pre-training, ICCV 2023, section 3.2.
    """
    if bias is not None:
        logits = scale * images @ names.T + bias
        sign = 2.0 * nn.functional.one_hot(labels, len(names)).to(logits.dtype) - 1
        return -nn.functional.logsigmoid(sign * logits).sum(dim=1).mean()
    return contrastive_loss(images, names[labels], scale, labels)
