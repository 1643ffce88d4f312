"""Streams of frames that each begin with a header: MPEG audio (MP3, MP2), AAC (ADTS) and AC-3.

The frames are searched for and followed from header to header. What is between them is stepped over: tags and zeros,
and unknown bytes, which are counted. A false header inside a picture or in noise is not taken for a frame, because a
run of frames of one kind has to follow.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mcc_zoo.audio.decoders.pieces import Reader
from mcc_zoo.audio.decoders.tags import skip_tags

HEAD_BYTES = 64  # read of each frame: enough for the marks of Xing and VBRI headers
_MIN_RUN = 3  # frames that have to follow each other
_SEARCH_BYTES = 1 << 20  # the longest junk in which a first frame is looked for
_BLOCK = 1 << 20

# Kilobits per second by (MPEG-1 or later, layer) and index; index 0 is "free format", which is not followed.
_BIT_RATES = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_AC3_BIT_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_AC3_RATES = (48_000, 44_100, 32_000)
_ADTS_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)


@dataclass(frozen=True)
class Frame:
    """What the header of a frame says.

    Attributes:
        length: Bytes of the frame.
        format: `MP3`, `MP2` (layers I and II), `AAC`, `AC3` or `EAC3`.
        sample_rate: Hz.
        samples: Samples of one channel; 0 where they are not needed.
        key: Equal in all frames of a stream.
        side_bytes: For layer III, bytes between the header and the place of a Xing header.
    """

    length: int
    format: str
    sample_rate: int
    samples: int
    key: tuple[int, ...]
    side_bytes: int = 0


@dataclass(frozen=True)
class FrameKind:
    """A kind of frame.

    Attributes:
        sync: What each header begins with, as a pattern.
        header_bytes: Bytes from which `parse` tells a frame.
        parse: Reads a header; None where it is none.
    """

    sync: re.Pattern[bytes]
    header_bytes: int
    parse: Callable[[bytes], Frame | None]


@functools.lru_cache(4_096)
def _parse_mpeg(head: bytes) -> Frame | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)  # version 3 is MPEG-1, 2 is MPEG-2, 0 is MPEG-2.5
    bit_rate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or bit_rate in (0, 15) or rate == 3:
        return None
    first = version == 3
    hertz = (44_100, 48_000, 32_000)[rate] // {3: 1, 2: 2, 0: 4}[version]
    bits = 1_000 * _BIT_RATES[first, layer][bit_rate - 1]
    samples = 384 if layer == 1 else 1_152 if layer == 2 or first else 576
    slot = 4 if layer == 1 else 1
    length = (samples // 8 // slot * bits // hertz + (head[2] >> 1 & 1)) * slot
    mono = head[3] >> 6 == 3
    side_bytes = (17 if mono else 32) if first else (9 if mono else 17)
    return Frame(length, "MP3" if layer == 3 else "MP2", hertz, samples, (version, layer, rate), side_bytes)


def _parse_adts(head: bytes) -> Frame | None:
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or (rate := head[2] >> 2 & 15) > 12:
        return None
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return Frame(length, "AAC", _ADTS_RATES[rate], 0, (rate,)) if length > 7 else None


def _parse_ac3(head: bytes) -> Frame | None:
    if len(head) < 6 or head[:2] != b"\x0b\x77":
        return None
    rate, code, version = head[4] >> 6, head[4] & 63, head[5] >> 3
    if version > 10:
        length = 2 * (((head[2] & 7) << 8 | head[3]) + 1)
        return Frame(length, "EAC3", 0, 0, (1, rate)) if version <= 16 and length > 6 else None
    if rate == 3 or code >= 38:
        return None
    words = 96_000 * _AC3_BIT_RATES[code >> 1] // _AC3_RATES[rate] + (code & 1 if rate == 1 else 0)
    return Frame(2 * words, "AC3", _AC3_RATES[rate], 0, (0, rate))


MPEG = FrameKind(re.compile(rb"\xff[\xe2-\xff]"), 4, lambda head: _parse_mpeg(head[:4]))
ADTS = FrameKind(re.compile(rb"\xff[\xf0\xf1\xf8\xf9]"), 7, _parse_adts)
AC3 = FrameKind(re.compile(rb"\x0b\x77"), 6, _parse_ac3)


class Place(NamedTuple):  # one for each frame of a file: several times as fast to make as a dataclass
    """Where a frame is.

    Attributes:
        position: Of its first byte.
        frame: What its header says.
        head: Its first bytes.
        junk: Bytes before it that are neither a frame nor a tag.
    """

    position: int
    frame: Frame
    head: bytes
    junk: int


def find_first(reader: Reader, kind: FrameKind) -> int | None:
    """Return the position of the first frame; None where no run of frames is found.

    A tag that is not followed by a frame is not trusted: its length may be wrong, and the audio is within what it
    claims.
    """
    behind = skip_tags(reader, 0)
    if behind and _is_run(reader, kind, behind, reader.size, None):
        return behind
    return find_run(reader, kind, 0, min(reader.size, behind + _SEARCH_BYTES))


def follow(reader: Reader, kind: FrameKind, start: int) -> Iterator[Place]:
    """Yield the frames of a stream from a frame on; one that the end of the file cuts is left out.

    Streams of another key may follow, where files were joined.
    """
    first = kind.parse(reader.read(start, HEAD_BYTES))
    assert first is not None  # the caller found it
    position, behind, junk, key, size = start, start, 0, first.key, reader.size
    while True:
        head = reader.read(position, HEAD_BYTES)
        frame = kind.parse(head)
        if frame is not None and frame.key == key and position + frame.length <= size:
            yield Place(position, frame, head, junk)
            position += frame.length
            behind, junk = position, 0
            continue
        if position == behind:
            position = skip_tags(reader, position)
            if position > behind:
                continue
        runs = [find_run(reader, kind, position, size, wanted) for wanted in (key, None)]
        found = min((run for run in runs if run is not None), default=None)
        frame = None if found is None else kind.parse(reader.read(found, HEAD_BYTES))
        if found is None or frame is None:
            return
        position, junk, key = found, found - position, frame.key
        behind = -1  # no tag is looked for here again


def find_run(
    reader: Reader, kind: FrameKind, position: int, end: int, key: tuple[int, ...] | None = None
) -> int | None:
    """Find the first of several frames that follow each other between two positions; with a key, of this stream."""
    while position < end:
        block = reader.read(position, min(_BLOCK, end - position))
        for match in kind.sync.finditer(block):
            if _is_run(reader, kind, position + match.start(), reader.size, key):
                return position + match.start()
        if len(block) < 2:
            return None
        position += len(block) - 1  # a sync of two bytes may lie across the border
        if end - position < 2:
            return None
    return None


def _is_run(reader: Reader, kind: FrameKind, position: int, end: int, key: tuple[int, ...] | None) -> bool:
    """Check whether frames of one kind follow each other, up to the end of the file or a tag where these are near."""
    needed = 2 if key is None else 1
    for count in range(_MIN_RUN):
        frame = kind.parse(reader.read(position, HEAD_BYTES))
        if frame is None or position + frame.length > end or (key is not None and frame.key != key):
            return count >= needed and (position == end or skip_tags(reader, position) > position)
        key = frame.key
        position += frame.length
    return True
