"""Towers in threads give the gradients that one pass after the other gives."""

from __future__ import annotations

import torch
from torch import nn

from fine_tune.parallel import ParallelGradients, share_parameters


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3))


def test_gradients_are_those_of_the_sum() -> None:
    net = small_net()
    inputs = torch.randn(5, 4), torch.randn(7, 4)
    expected = small_net()
    sum(expected(x).square().sum() for x in inputs).backward()
    parallel = ParallelGradients(net, threads=2)
    copies = [net, share_parameters(net)]
    outputs, leaves = parallel.forward([lambda n=n, x=x: n(x) for n, x in zip(copies, inputs, strict=True)])
    sum(leaf.square().sum() for leaf in leaves).backward()
    parallel.backward(outputs, leaves)
    for one, other in zip(net.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_a_replica_has_the_same_weights_for_ever_and_batch_statistics_of_its_own() -> None:
    net = small_net()
    copied = share_parameters(net)
    with torch.no_grad():
        net[0].weight.fill_(3.0)
    assert torch.equal(copied[0].weight, net[0].weight)
    copied(torch.randn(9, 4) + 5)
    assert not torch.equal(copied[1].running_mean, net[1].running_mean)
    assert not net[1].running_mean.any()
