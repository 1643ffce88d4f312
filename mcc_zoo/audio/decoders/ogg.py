"""Ogg: its pages, and the streams that follow each other in a file (chained Ogg).

Pages are followed from header to header; damaged pages, and bytes between them such as tags, are stepped over. A stream ends with a page
that is marked as the last. Its length is the position on that page, which FFmpeg reads.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from mcc_zoo.audio.decoders.pieces import Reader, Span

_CODECS = {b"\x01vorbis": "Vorbis", b"OpusHead": "Opus", b"\x7fFLAC": "FLAC", b"fLaC": "FLAC", b"Speex   ": "Speex"}
_HEADER_BYTES = 27
_FIRST, _LAST = 2, 4  # flags of a page
_SEARCH_BYTES = 1 << 20  # the longest junk before the first page
_NO_POSITION = 2**64 - 1
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        position: Of its first byte.
        length: Its bytes.
        flags: Whether it is the first or the last of its stream.
        granule: Samples up to its end, as the codec counts them; `_NO_POSITION` where no packet ends on it.
        serial: Number of its stream.
        start: First bytes of its content.
    """

    position: int
    length: int
    flags: int
    granule: int
    serial: int
    start: bytes


@dataclass
class Chain:
    """What lies between one set of first pages and the next.

    Attributes:
        codec: Of its first stream of audio; "" where none is known.
        serial: Of that stream.
        streams: How many streams begin in it.
        spans: Where its pages are.
        is_complete: Whether the last page of that stream is marked as the last.
        first_granule: The first position on a page of that stream that is not 0.
    """

    codec: str = ""
    serial: int = -1
    streams: int = 0
    spans: list[Span] = field(default_factory=list)
    is_complete: bool = False
    first_granule: int = 0


def read_chains(reader: Reader) -> list[Chain]:
    """Follow the pages of an Ogg file; no chain where it holds none."""
    chains: list[Chain] = []
    in_headers = False
    for page in _follow_pages(reader):
        if page.flags & _FIRST:
            if not in_headers:
                chains.append(Chain())
            chains[-1].streams += 1
            codec = next((name for mark, name in _CODECS.items() if page.start.startswith(mark)), "")
            if codec and not chains[-1].codec:
                chains[-1].codec, chains[-1].serial = codec, page.serial
        in_headers = bool(page.flags & _FIRST)
        if not chains:
            continue  # the rest of a stream whose beginning is missing
        chain = chains[-1]
        if chain.spans and chain.spans[-1][1] == page.position:
            chain.spans[-1] = (chain.spans[-1][0], page.position + page.length)
        else:
            chain.spans.append((page.position, page.position + page.length))
        if page.serial == chain.serial or chain.serial < 0:
            chain.is_complete = bool(page.flags & _LAST)
            if not chain.first_granule and page.granule != _NO_POSITION:
                chain.first_granule = page.granule
    return chains


def _follow_pages(reader: Reader) -> Iterator[Page]:
    """Yield the whole pages; those that are cut or damaged are left out."""
    position, limit = 0, _SEARCH_BYTES
    while position >= 0:
        head = reader.read(position, _HEADER_BYTES + 255 + 8)
        lengths = head[_HEADER_BYTES : _HEADER_BYTES + head[26]] if len(head) > _HEADER_BYTES else b""
        content = _HEADER_BYTES + len(lengths)
        length = content + sum(lengths)
        if head[:5] != b"OggS\0" or not _is_whole(reader.read(position, length)):
            position = reader.find(b"OggS\0", position + 1, min(reader.size, limit))
            continue
        granule, serial = int.from_bytes(head[6:14], "little"), int.from_bytes(head[14:18], "little")
        yield Page(position, length, head[5], granule, serial, head[content : content + 8])
        position, limit = position + length, reader.size


def _is_whole(page: bytes) -> bool:
    """Compare a page with its checksum; decoders leave out a page that does not agree.

    It is a CRC-32 like that of zlib, with the bits of every byte and of the result in the other order.
    """
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_MIRRORED)
    checksum = zlib.crc32(mirrored, 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return checksum.to_bytes(4, "big").translate(_MIRRORED) == page[22:26]
