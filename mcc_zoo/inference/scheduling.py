"""Order of work over many files: what is read ahead, and what shares a batch."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import TypeVar

Input = TypeVar("Input")
Output = TypeVar("Output")
AHEAD = 8  # files under way for each that is read; what waits is small, and read together
BATCH_STEPS = 512


def ready_in_order(
    pool: Executor, function: Callable[[Input], Output], items: Iterable[Input], ahead: int
) -> Iterator[list[Output]]:
    """Yield function(item) in the order of the items: lists of those that are ready, with `ahead` items under way."""
    rest, waiting = iter(items), deque[Future[Output]]()
    try:
        while True:
            waiting.extend(pool.submit(function, item) for item in itertools.islice(rest, ahead - len(waiting)))
            if not waiting:
                return
            ready = [waiting.popleft().result()]
            while waiting and waiting[0].done():
                ready.append(waiting.popleft().result())
            yield ready
    finally:
        for future in waiting:
            future.cancel()


def batches_by_length(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Group the indices of sequences of like length, so many that padded they have BATCH_STEPS steps at most.

    >>> list(batches_by_length([16, 600, 15, 16]))
    [[2, 0, 3], [1]]
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[index] > BATCH_STEPS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
