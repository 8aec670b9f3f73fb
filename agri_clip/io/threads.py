"""Cores shared out among threads that work side by side: libraries that would each take all of them are held back."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from threadpoolctl import threadpool_limits

#: Most things that are worked on side by side; on a machine with more cores each has several. Two photos on a core each
#: are done in three quarters of the time that they take one after the other on two cores.
SIDE_BY_SIDE = 4


def threads_side_by_side() -> int:
    """How many threads are worth it on this machine."""
    return min(os.cpu_count() or 1, SIDE_BY_SIDE)


class _Held:
    """A setting of the whole program that is changed while anybody needs it; it comes back with the last of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._undo: Callable[[], object] = lambda: None

    @contextmanager
    def hold(self, change: Callable[[], Callable[[], object]]) -> Iterator[None]:
        """Change it by `change`, which gives what undoes it, unless somebody has done so."""
        with self._lock:
            if not self._holders:
                self._undo = change()
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if not self._holders:
                    self._undo()


_TORCH, _BLAS = _Held(), _Held()


@contextmanager
def torch_cores_for(threads: int) -> Iterator[Callable[[], None]]:
    """Let each of so many threads have its share of torch's cores, meanwhile; gives what each calls when it begins."""
    import torch

    def change() -> Callable[[], object]:
        before = torch.get_num_threads()
        torch.set_num_threads(max(1, before // threads))
        return partial(torch.set_num_threads, before)

    with _TORCH.hold(change):
        yield partial(torch.set_num_threads, torch.get_num_threads())


@contextmanager
def one_core_for_products() -> Iterator[None]:
    """Let numpy multiply matrices on one core, meanwhile: threads that do so at once would only wait for each other."""
    with _BLAS.hold(lambda: threadpool_limits(1, user_api="blas").restore_original_limits):
        yield
