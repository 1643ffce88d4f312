"""A generator in a thread: all of its items, its error, and its end when it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from mcc_zoo.catalogue.background import Background


def take_all(background: Background[int]) -> list[int]:
    found = []
    try:
        while True:
            found += background.take(0.01)
    except StopIteration:
        return found


def test_all_items_come_in_order() -> None:
    assert take_all(Background((number for number in range(1_000)), 3)) == list(range(1_000))
    assert take_all(Background((number for number in ()), 3)) == []


def test_an_error_comes_after_the_items_before_it() -> None:
    def fail() -> Generator[int]:
        yield from range(5)
        raise ValueError("no more")

    background, found = Background(fail(), 8), []
    with pytest.raises(ValueError, match="no more"):
        while True:
            found += background.take(0.01)
    assert found == list(range(5))


def test_stopping_closes_the_generator_and_loses_nothing() -> None:
    given, closed_by = [], []

    def count() -> Generator[int]:
        try:
            while True:
                given.append(len(given))
                yield given[-1]
        finally:
            closed_by.append(threading.current_thread())

    background = Background(count(), 2)
    found = background.take(1)
    found += background.stop(60)
    assert not background.is_running
    assert found == given and len(found) >= 3
    assert closed_by and closed_by[0] is not threading.current_thread()


def test_a_generator_that_hangs_is_left() -> None:
    go_on = threading.Event()

    def hang() -> Generator[int]:
        yield 1
        go_on.wait()

    background = Background(hang(), 2)
    assert background.take(1) == [1]
    assert background.stop(0.05) == [] and background.is_running
    go_on.set()
    assert take_all(background) == []
