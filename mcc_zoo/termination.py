"""SIGTERM as programs take it: what Ctrl-C does, and an end after a few seconds in any case.

`kill`, `docker stop`, systemd and batch systems send it and wait, most of them ten seconds or more, before they kill.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

TERMINATED = 143  # exit status after SIGTERM
GRACE = 7.0  # seconds for what Ctrl-C does
STANDARD_ERROR = 2


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM."""


@contextlib.contextmanager
def interrupt_on_sigterm(last_words: str = "") -> Iterator[None]:
    """Raise `Terminated` in the block at SIGTERM, and end the process with `TERMINATED` if it goes on for long.

    Python's handlers wait until TensorFlow gives the main thread back, and what they raise may get lost. So another
    thread, which the signal wakes at once, counts the seconds.

    Args:
        last_words: What a process that is ended so leaves on standard error: the block no longer gets to say it.

    Raises:
        ValueError: This is not the main thread.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threading.Thread(target=_end_late, args=(reader, last_words), daemon=True).start()
    handler_before, writer_before = signal.signal(signal.SIGTERM, _raise), signal.set_wakeup_fd(writer)
    try:
        yield
    finally:
        signal.set_wakeup_fd(writer_before)
        signal.signal(signal.SIGTERM, handler_before)
        os.close(writer)


def _raise(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would interrupt what the first one ends
    raise Terminated


def _end_late(reader: int, last_words: str) -> None:
    with open(reader, "rb", buffering=0) as signals:
        while number := signals.read(1):
            if number[0] == signal.SIGTERM:
                time.sleep(GRACE)
                with contextlib.suppress(OSError):  # standard error may be closed
                    os.write(STANDARD_ERROR, last_words.encode())  # the main thread may hold Python's own stream
                os._exit(TERMINATED)
