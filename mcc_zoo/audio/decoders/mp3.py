"""MPEG audio: its parts, and the length that a Xing, Info or VBRI header declares.

Without such a header a file declares no length, so none of it can be missing. A header declares the length up to the
next header: files that were joined hold several.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from mcc_zoo.audio.decoders.frames import HEAD_BYTES, MPEG, Frame, Place, find_first, follow
from mcc_zoo.audio.decoders.pieces import Reader, Span
from mcc_zoo.audio.decoders.tags import skip_tags

_VBRI_OFFSET = 36
_XING_BYTES = 160
_LOST_BYTES = 4_096  # before the first whole frame, in which a Xing header is looked for whose frame is damaged
_HAS_BYTES, _HAS_TABLE, _HAS_QUALITY, _ALL_FLAGS = 2, 4, 8, 15  # the pattern below wants 1, the number of frames
_TABLE_OFFSET, _TABLE_BYTES = 16, 100  # from the mark
_TABLE_FALLS, _TABLE_RANGE = 10, 150
_SIDE_BYTES = (9, 17, 32)
_STATES_DELAY = (b"LAME", b"Lavf", b"Lavc")  # encoders whose delay and padding decoders take away
# A Xing header of which one letter is damaged still declares the length.
_MARK = re.compile(rb"(?:Xin.|Xi.g|X.ng|.ing|Inf.|In.o|I.fo|.nfo)\0{3}[\1\3\5\7\x09\x0b\x0d\x0f]", re.DOTALL)


@dataclass
class Part:
    """Frames that belong to one header, or to none.

    Attributes:
        spans: Where they are.
        key: As in `frames.Frame`.
        sample_rate: Hz.
        samples: Samples of one channel that the header declares; None without a header.
    """

    spans: list[Span]
    key: tuple[int, ...]
    sample_rate: int
    samples: int | None = None


@dataclass(frozen=True)
class Mpeg:
    """An MPEG audio file.

    Attributes:
        format: `MP3`, or `MP2` for layers I and II.
        parts: At least one.
        junk: Bytes between its frames that are neither audio nor tags.
        is_plain: Whether it is one run of frames, whose first one holds a Xing or Info header and follows at once
            after a tag or the file's beginning.
    """

    format: str
    parts: tuple[Part, ...]
    junk: int
    is_plain: bool

    @property
    def audio_bytes(self) -> int:
        """Bytes of all frames."""
        return sum(end - start for part in self.parts for start, end in part.spans)


def read_mpeg(reader: Reader) -> Mpeg | None:
    """Follow the frames of an MPEG audio file; None where it holds none."""
    start = find_first(reader, MPEG)
    if start is None:
        return None
    first = MPEG.parse(reader.read(start, HEAD_BYTES))
    assert first is not None
    parts, junk = _collect(reader, follow(reader, MPEG, start))
    has_header = parts[0].samples is not None
    if not has_header:
        parts[0].samples = _find_lost_header(reader, start, first)
    is_plain = has_header and len(parts) == len(parts[0].spans) == 1 and start == skip_tags(reader, 0)
    return Mpeg(first.format, tuple(parts), junk, is_plain)


def declares_length(reader: Reader) -> bool:
    """Check whether the first frame holds a Xing, Info or VBRI header; True where no frame is found."""
    start = find_first(reader, MPEG)
    if start is None:
        return True
    head = reader.read(start, HEAD_BYTES)
    frame = MPEG.parse(head)
    return frame is None or _find_mark(head, frame) is not None


def _collect(reader: Reader, places: Iterable[Place]) -> tuple[list[Part], int]:
    """Join frames to spans and spans to parts, and count the junk between them."""
    parts: list[Part] = []
    junk = start = end = 0
    for place in places:
        junk += place.junk
        frame = place.frame
        mark = _find_mark(place.head, frame)
        is_other = not parts or frame.key != parts[-1].key
        if mark is not None or is_other or place.position != end:
            if parts:
                parts[-1].spans.append((start, end))
            start = place.position
            if mark is not None or is_other:
                samples = None if mark is None else _read_samples(reader, start + mark, frame)
                parts.append(Part([], frame.key, frame.sample_rate, samples))
        end = place.position + place.frame.length
    parts[-1].spans.append((start, end))
    return parts, junk


def _find_mark(head: bytes, frame: Frame) -> int | None:
    """Find the offset of a Xing, Info or VBRI header in a frame; None where there is none."""
    if frame.format != "MP3":
        return None
    if head[_VBRI_OFFSET : _VBRI_OFFSET + 4] == b"VBRI":
        return _VBRI_OFFSET
    for offset in (4 + frame.side_bytes, 6 + frame.side_bytes):  # a checksum may precede it
        if _MARK.match(head, offset):
            return offset
    return None


def _find_lost_header(reader: Reader, start: int, first: Frame) -> int | None:
    """Look for a damaged Xing header: outside of a frame that was found, or by its table where its mark is gone."""
    if first.format != "MP3":
        return None
    before = max(0, start - _LOST_BYTES)
    if found := _MARK.search(reader.read(before, start - before + first.length)):
        return _read_samples(reader, before + found.start(), first)
    for position in {skip_tags(reader, 0), start}:
        for side_bytes in _SIDE_BYTES:
            place = position + 4 + side_bytes
            if _is_table(reader.read(place + _TABLE_OFFSET, _TABLE_BYTES)):
                return _read_samples(reader, place, first, _ALL_FLAGS)
    return None


def _is_table(content: bytes) -> bool:
    """Check whether bytes are the table of a Xing header, which rises from 0 to 255; a few may be damaged."""
    if len(content) < _TABLE_BYTES:
        return False
    falls = sum(one > other for one, other in itertools.pairwise(content))
    ordered = sorted(content)
    return falls < _TABLE_FALLS and ordered[-10] - ordered[10] > _TABLE_RANGE


def _read_samples(reader: Reader, position: int, frame: Frame, flags: int | None = None) -> int | None:
    """Read the samples that a Xing, Info or VBRI header declares, less the encoder's delay and padding.

    `flags` are used instead of the header's.
    """
    content = reader.read(position, _XING_BYTES)
    if content[:4] == b"VBRI":
        return int.from_bytes(content[14:18], "big") * frame.samples or None
    flags = content[7] if flags is None else flags
    samples = int.from_bytes(content[8:12], "big") * frame.samples
    encoder = 12 + 4 * bool(flags & _HAS_BYTES) + 100 * bool(flags & _HAS_TABLE) + 4 * bool(flags & _HAS_QUALITY)
    if content[encoder : encoder + 4] in _STATES_DELAY:
        delays = int.from_bytes(content[encoder + 21 : encoder + 24], "big")
        samples -= (delays >> 12) + (delays & 0xFFF)
    return samples if samples > 0 else None
