"""A file read as some of its pieces, so that a decoder sees audio alone and none of the junk around it."""

from __future__ import annotations

import bisect
import io
import itertools
from collections.abc import Mapping, Sequence
from io import FileIO

_BLOCK_BYTES, _SEARCH_BYTES = 1 << 16, 1 << 20

Span = tuple[int, int]  # first byte, and the byte after the last


class Reader:
    """Reads any bytes of a file; small reads that follow each other cost no call of the system.

    Attributes:
        size: Bytes of the file.
    """

    def __init__(self, stream: FileIO) -> None:
        """Take a stream, whose position is unspecified from now on."""
        self._stream = stream
        self._block, self._block_start = b"", 0
        self.size = stream.seek(0, io.SEEK_END)

    def read(self, position: int, size: int) -> bytes:
        """Read as many bytes as there are, at most `size`."""
        start = position - self._block_start
        if start >= 0 and start + size <= len(self._block):
            return self._block[start : start + size]
        self._stream.seek(position)
        if size >= _BLOCK_BYTES:
            return self._stream.read(size)
        self._block, self._block_start = self._stream.read(_BLOCK_BYTES), position
        return self._block[:size]

    def find(self, wanted: bytes, position: int, end: int) -> int:
        """Find bytes between two positions; -1 where they are not."""
        while position < end:
            found = self.read(position, min(_SEARCH_BYTES, end - position)).find(wanted)
            if found >= 0:
                return position + found
            position += _SEARCH_BYTES - len(wanted) + 1
        return -1


class PiecedFile:
    """Spans of a file, joined; a file object to read.

    Args:
        stream: The whole file.
        spans: The parts of it that are read, in their order.
        patches: Bytes that are read instead of the file's, by position in the whole file.
    """

    def __init__(self, stream: FileIO, spans: Sequence[Span], patches: Mapping[int, bytes] | None = None) -> None:
        """Start at the first byte of the first span."""
        self._stream = stream
        self._spans = [span for span in spans if span[0] < span[1]]
        self._starts = [0, *itertools.accumulate(end - start for start, end in self._spans)]
        self._patches = patches or {}
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes, of one span; b"" at the end alone."""
        place = bisect.bisect_right(self._starts, self._position) - 1
        if place >= len(self._spans):
            return b""
        start = self._spans[place][0] + self._position - self._starts[place]
        left = self._spans[place][1] - start
        self._stream.seek(start)
        content = self._stream.read(left if size < 0 else min(size, left))
        self._position += len(content)
        return self._patch(start, content)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position among the joined spans."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._starts[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the position among the joined spans."""
        return self._position

    def _patch(self, start: int, content: bytes) -> bytes:
        for position, patch in self._patches.items():
            first, last = max(start, position), min(start + len(content), position + len(patch))
            if first < last:
                inner = patch[first - position : last - position]
                content = content[: first - start] + inner + content[last - start :]
        return content
