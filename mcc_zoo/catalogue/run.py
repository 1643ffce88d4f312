"""Carry a catalogue out: paths without a row go to an engine, and its rows into shards."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mcc_zoo.catalogue.background import Background
from mcc_zoo.catalogue.engines import Engine
from mcc_zoo.catalogue.rows import Row, write_path
from mcc_zoo.catalogue.shards import PathSet, ShardWriter
from mcc_zoo.text import escape_unprintable, without_path

AHEAD = 64  # rows that may wait to be written
POLL_SECONDS = 0.2  # after which a signal is seen and a shard is looked at
GRACE_SECONDS = 5.0  # for an engine to end


class Remaining:
    """The paths that have no row yet, each once.

    Args:
        inputs: Paths, each with "" or the reason why it is no file.
        done: Paths that have a row; those that are given out are added.

    Attributes:
        skipped: Number of inputs that had a row already, or stood there twice.
        reasons: For a path that is no file, both as a table has them, the reason.
    """

    def __init__(self, inputs: Iterable[tuple[str, str]], done: PathSet) -> None:
        """Take the inputs."""
        self._inputs, self._done = inputs, done
        self.skipped = 0
        self.reasons: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        """Give out each path."""
        for path, reason in self._inputs:
            written = write_path(path)
            if not self._done.add(written):
                self.skipped += 1
                continue
            if reason:
                self.reasons[written] = escape_unprintable(without_path(reason, path))
            yield path


class Stop:
    """Whether SIGTERM or Ctrl-C asked to end.

    Attributes:
        signal: The signal's number; 0 for none.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.signal = 0

    def note(self, number: int, frame: FrameType | None) -> None:
        """Take note of a signal."""
        self.signal = self.signal or number


@contextmanager
def noting_signals() -> Iterator[Stop]:
    """Let SIGTERM and Ctrl-C ask for the end of the block, instead of ending it in the middle of a line.

    Only the main thread of a process may do so; in another one they are not noted.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before: dict[int, Any] = {number: signal.signal(number, stop.note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tag_into_shards(
    paths: Remaining, engine: Engine, shards: ShardWriter, stop: Stop, note_row: Callable[[Row], object]
) -> bool:
    """Tag files until all have a row, or until a signal asks to end; all finished rows are written then.

    Args:
        paths: What to tag.
        engine: How.
        shards: Where the rows go.
        stop: What asks to end.
        note_row: Is called with each row.

    Returns:
        Whether the engine has ended. One that has not has to be left alone, in a process that ends at once.

    Raises:
        ShardError: A shard cannot be written.
        Exception: What the engine raised; the rows before it are written.
    """
    rows = Background(engine(iter(paths)), AHEAD)

    def keep(found: Iterable[Row]) -> None:
        for row in found:
            row["reason"] = paths.reasons.pop(row["path"], row["reason"])
            shards.add(row)
            note_row(row)

    try:
        while not stop.signal:
            keep(rows.take(POLL_SECONDS))
            shards.write_if_due()
    except StopIteration:
        pass
    finally:
        keep(rows.stop(GRACE_SECONDS))
        shards.write()
    return not rows.is_running
