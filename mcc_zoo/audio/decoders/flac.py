"""FLAC: what its header states, and the headers of its frames."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mcc_zoo.audio.decoders.pieces import Reader

_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_HEADER_BYTES = 16  # of a frame, at most
_RATES = (0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)
_BITS = (0, 8, 12, 0, 16, 20, 24, 32)
_LAST_BLOCK = 0x80


@dataclass(frozen=True)
class StreamInfo:
    """What a FLAC header states.

    Attributes:
        sample_rate: Hz.
        channels: Channels.
        bits: Bits of a sample.
        samples: Samples of one channel; None where it states none.
        agrees: Whether the header of the first frame says the same.
        first_sample: Number of the first sample; not 0 in a file that was cut out of another one without decoding.
    """

    sample_rate: int
    channels: int
    bits: int
    samples: int | None
    agrees: bool
    first_sample: int = 0


@dataclass(frozen=True)
class _Frame:
    said: tuple[int, int, int]  # sample rate, channels and bits; 0 where the header does not say
    number: int  # of the frame, or of its first sample where frames differ in length
    counts_samples: bool


def read_stream_info(reader: Reader, start: int) -> StreamInfo | None:
    """Read the header of a FLAC file whose mark `fLaC` is at a position; None where it is none."""
    head = reader.read(start, 42)
    if head[:4] != b"fLaC" or head[4] & 0x7F or len(head) < 42:
        return None
    packed = int.from_bytes(head[18:26], "big")
    rate, channels, bits = packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1
    samples = packed & (1 << 36) - 1
    position, last = start + 4, 0
    while not last:
        block = reader.read(position, 4)
        if len(block) < 4:
            break
        last = block[0] & _LAST_BLOCK
        position += 4 + int.from_bytes(block[1:], "big")
    frame = _parse_frame(reader.read(position, _HEADER_BYTES))
    if frame is None:
        return StreamInfo(rate, channels, bits, samples or None, False)
    agrees = all(said in (0, stated) for said, stated in zip(frame.said, (rate, channels, bits), strict=True))
    first = frame.number * (1 if frame.counts_samples else int.from_bytes(head[8:10], "big"))
    return StreamInfo(rate, channels, bits, samples or None, agrees, first if first < samples else 0)


def has_frame(content: bytes) -> bool:
    """Check whether bytes hold the header of a frame."""
    return any(
        _parse_frame(content[match.start() : match.start() + _HEADER_BYTES]) for match in _SYNC.finditer(content)
    )


def _parse_frame(head: bytes) -> _Frame | None:
    """Read the header of a frame; None if it is none."""
    if not _SYNC.match(head) or len(head) < 6 or head[3] & 1:
        return None
    size, rate, assignment, bits = head[2] >> 4, head[2] & 15, head[3] >> 4, head[3] >> 1 & 7
    number_bytes = max(1, f"{head[4]:08b}".find("0"))  # as in UTF-8
    end = 4 + number_bytes + {6: 1, 7: 2}.get(size, 0) + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if not size or rate == 15 or assignment > 10 or len(head) <= end or _compute_crc8(head[:end]) != head[end]:
        return None
    number = head[4] & (0x7F >> number_bytes if number_bytes > 1 else 0x7F)
    for byte in head[5 : 4 + number_bytes]:
        number = number << 6 | byte & 0x3F
    said = (_RATES[rate] if rate < 12 else 0, assignment + 1 if assignment < 8 else 2, _BITS[bits])
    return _Frame(said, number, bool(head[1] & 1))


def _compute_crc8(content: bytes) -> int:
    """Compute the checksum of a frame's header: polynomial x^8 + x^2 + x + 1.

    >>> hex(_compute_crc8(b"123456789"))
    '0xf4'
    """
    crc = 0
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x107) if crc & 0x80 else crc << 1
    return crc
