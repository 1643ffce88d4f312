"""Engines turn an iterator of paths into an iterator of rows, in any order: one row for each path, whatever dies.

An engine is a module with one function, `tag`. `local` uses the cores of this machine, `ray_data` those of a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from mcc_zoo.catalogue.rows import Row

Engine = Callable[[Iterator[str]], Generator[Row]]


class EngineError(RuntimeError):
    """An engine cannot go on; the message is one sentence."""
