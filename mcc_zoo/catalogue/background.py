"""A generator that runs in a thread, so that the thread that waits for it can do something else meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import closing
from queue import Empty, Queue
from typing import Generic, TypeVar

Item = TypeVar("Item")
_WAIT_SECONDS = 0.1


class Background(Generic[Item]):
    """Takes the items of a generator in a thread, a few ahead.

    Args:
        items: The generator; it is used, and closed, in that thread alone.
        ahead: Items that may wait to be taken.
    """

    def __init__(self, items: Generator[Item], ahead: int) -> None:
        """Start the thread."""
        self._items = items
        self._queue: Queue[Item] = Queue(ahead)
        self._error: BaseException | None = None
        self._is_asked_to_stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def take(self, seconds: float) -> list[Item]:
        """Take the items that are ready, at least one if it comes within some seconds.

        Raises:
            StopIteration: There are no more.
            BaseException: What the generator raised, after all items before it were taken.
        """
        is_over = not self._thread.is_alive()  # before the queue is looked at, which nobody fills afterwards
        found = self._take_ready(0 if is_over else seconds)
        if is_over and not found:
            raise self._error or StopIteration
        return found

    def stop(self, seconds: float) -> list[Item]:
        """Ask the thread to end after its next item, wait for that, and return what was ready.

        A thread that takes longer than some seconds goes on.
        """
        self._is_asked_to_stop.set()
        found, end = [], time.monotonic() + seconds
        while self._thread.is_alive() and time.monotonic() < end:
            found += self._take_ready(_WAIT_SECONDS)
        return found + self._take_ready(0)

    @property
    def is_running(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _take_ready(self, seconds: float) -> list[Item]:
        found = []
        try:
            found.append(self._queue.get(block=seconds > 0, timeout=seconds or None))
            while True:
                found.append(self._queue.get_nowait())
        except Empty:
            return found

    def _run(self) -> None:
        try:
            with closing(self._items):
                for item in self._items:
                    self._queue.put(item)
                    if self._is_asked_to_stop.is_set():
                        break
        except BaseException as error:
            self._error = error
