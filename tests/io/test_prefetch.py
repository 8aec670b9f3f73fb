"""Work done ahead in threads: the order stays, little is under way at once, errors reach who takes the results."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from agri_clip.io.prefetch import Ahead, map_ahead


def test_results_come_in_order_whichever_is_done_first() -> None:
    second_done = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert second_done.wait(20)  # the first item waits for the second, so they must run side by side
        second_done.set()
        return number * 10

    assert list(map_ahead(work, range(6), 2)) == [0, 10, 20, 30, 40, 50]
    assert list(map_ahead(work, [], 2)) == []


def test_items_are_taken_only_as_room_is_made() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = map_ahead(str, items(), 3)
    for expected in range(5):
        assert next(results) == str(expected)
        assert len(taken) <= expected + 4


def test_an_error_comes_where_its_result_would() -> None:
    results = map_ahead(lambda n: 6 // n, [3, 2, 0, 1], 2)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_each_thread_begins_with_what_it_is_told() -> None:
    begun: list[str] = []
    results = map_ahead(
        lambda _: threading.current_thread().name in begun,
        range(20),
        2,
        lambda: begun.append(threading.current_thread().name),
    )
    assert all(results)
    assert 1 <= len(begun) <= 2


def test_whoever_stops_taking_results_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    results = map_ahead(str, range(50), 3)
    assert next(results) == "0"
    results.close()
    assert threading.active_count() == before


def test_after_an_error_the_next_call_ends_too() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    ahead, ended = Ahead(items(), 2), threading.Event()
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)

    def ask_on() -> None:
        assert next(ahead, "end") == next(ahead, "end") == "end"
        ended.set()

    threading.Thread(target=ask_on, daemon=True).start()
    assert ended.wait(10)
    ahead.close()
