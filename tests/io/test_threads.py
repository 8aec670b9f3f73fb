"""Cores are shared out among threads, and come back when the last of them has ended, in whatever order they end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from agri_clip.io import threads as cores
from agri_clip.io.threads import one_core_for_products, threads_side_by_side, torch_cores_for


@pytest.fixture(autouse=True)
def seven_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(7)
    yield
    torch.set_num_threads(before)


def blas_threads() -> set[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_a_large_machine_works_on_no_more_things_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for machine, wanted in ((1, 1), (2, 2), (64, cores.SIDE_BY_SIDE), (None, 1)):
        monkeypatch.setattr(cores.os, "cpu_count", lambda machine=machine: machine)
        assert threads_side_by_side() == wanted


@pytest.mark.parametrize(("threads", "each"), [(1, 7), (3, 2), (9, 1)])
def test_each_thread_has_its_share_of_the_cores(threads: int, each: int) -> None:
    told: list[int] = []
    with torch_cores_for(threads) as begin:
        thread = threading.Thread(target=lambda: (begin(), told.append(torch.get_num_threads())))
        thread.start()
        thread.join()
    assert told == [each]
    assert torch.get_num_threads() == 7


def test_the_last_gives_the_cores_back_whoever_came_first() -> None:
    first, second = torch_cores_for(3), torch_cores_for(3)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.get_num_threads() == 2
    second.__exit__(None, None, None)
    assert torch.get_num_threads() == 7


def test_products_take_one_core_meanwhile() -> None:
    before = blas_threads()
    with one_core_for_products():
        with one_core_for_products():
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_an_error_gives_the_cores_back_too() -> None:
    with pytest.raises(ZeroDivisionError), torch_cores_for(7):
        print(1 / (torch.get_num_threads() - 1))
    assert torch.get_num_threads() == 7
