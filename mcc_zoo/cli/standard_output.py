"""Standard output that cannot be written, because its disk is full, its reader has gone or it is closed.

Python, Click and rich each answer to this in their own way: with a traceback, with status 1 or 120, or in silence.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator

REMEDIES = {
    errno.EPIPE: "let the program that reads it read to the end",
    errno.ENOSPC: "make room on its disk",
    errno.EBADF: "it is closed, leave it open",
}


class OutputError(Exception):
    """Standard output cannot be written; the message is one sentence. It is no OSError, with which Click would end."""


class CheckedOutput(io.TextIOWrapper):
    """A text stream that raises `OutputError` where it cannot be written."""

    def write(self, text: str) -> int:
        """Write text."""
        with _explained():
            return super().write(text)

    def flush(self) -> None:
        """Write what is buffered."""
        with _explained():
            super().flush()


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "give another")
        raise OutputError(f"standard output cannot be written ({error.strerror or error}): {remedy}") from error


@contextlib.contextmanager
def checked_output() -> Iterator[None]:
    """Let `sys.stdout` raise `OutputError` in the block, and write what is buffered at its end."""
    fill_closed_streams()
    before = sys.stdout
    checked = CheckedOutput(before.buffer, before.encoding, before.errors, line_buffering=bool(before.line_buffering))
    sys.stdout = checked
    try:
        try:
            yield
        finally:
            checked.flush()
    except OutputError:
        _drop_output()  # what is still buffered, which Python would try to write when it ends
        raise
    finally:
        sys.stdout = before
        with contextlib.suppress(OutputError):
            checked.detach()  # or the stream below would be closed with it


def fill_closed_streams() -> None:
    """Open something in place of standard streams that are closed.

    A file that is opened later would take their number, and get what libraries print. Reading and messages go nowhere,
    as if to /dev/null; writing to standard output fails.
    """
    streams = (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_WRONLY, "w"))
    for number, (name, flags, mode) in enumerate(streams):
        if getattr(sys, name) is None:
            found = os.open(os.devnull, flags)
            if found != number:
                os.dup2(found, number)
                os.close(found)
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _drop_output() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):  # a stream without a descriptor
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
