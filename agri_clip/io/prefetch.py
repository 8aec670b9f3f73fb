"""Ahead: items that are made in threads of their own before they are needed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, Full, Queue
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Ahead(Generic[Item]):
    """An iterator that works in a thread of its own, at most `depth` items ahead; `close` ends it.

    After an error it is at its end, as a generator is.
    """

    _END = object()

    def __init__(self, items: Iterable[Item], depth: int) -> None:
        self._queue: Queue[Any] = Queue(maxsize=depth)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(items,), daemon=True)
        self._thread.start()

    def _work(self, items: Iterable[Item]) -> None:
        last: Any = self._END
        try:
            for item in items:
                if not self._put(item):
                    return
        except BaseException as error:  # handed to whoever takes the items
            last = error
        self._put(last)

    def _put(self, item: Any) -> bool:
        while not self._closed.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        while True:
            try:
                item = self._queue.get(timeout=0.1)
            except Empty:
                if self._closed.is_set():
                    raise StopIteration from None
                continue
            if item is self._END:
                self._queue.put(item)
                raise StopIteration
            if isinstance(item, BaseException):
                self._queue.put(self._END)  # the thread has ended, so there is room, and nothing else comes
                raise item
            return item

    def close(self) -> None:
        """End the thread; what it made ahead is dropped."""
        self._closed.set()
        self._thread.join()


def map_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int,
    begin: Callable[[], object] | None = None,
) -> Iterator[Result]:
    """Results of a function for each item, in order, worked out by so many threads; items are taken as room is made.

    At most one item more than there are threads is under way, so that memory stays flat. Each thread first calls
    `begin`.
    """
    pool = ThreadPoolExecutor(threads, initializer=begin)
    try:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
