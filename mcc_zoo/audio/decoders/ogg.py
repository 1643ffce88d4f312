"""Ogg: its pages, and the streams that follow each other in a file (chained Ogg).

Pages are followed from header to header. Damaged pages, and bytes between them such as tags, are stepped over. A stream
ends with a page that is marked as the last, and the position on that page is where its audio ends. Where it begins is
told by the first page with audio: not at 0 in a stream that was cut out of another one without decoding. The numbers of
the pages tell this from a stream whose beginning is lost.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from mcc_zoo.audio.decoders.pieces import Reader, Span

_CODECS = {b"\x01vorbis": "Vorbis", b"OpusHead": "Opus", b"\x7fFLAC": "FLAC", b"fLaC": "FLAC", b"Speex   ": "Speex"}
_HEADER_BYTES = 27
_CONTINUED, _FIRST, _LAST = 1, 2, 4  # flags of a page
_SEARCH_BYTES = 1 << 20  # the longest junk before the first page
_NO_POSITION = 2**64 - 1  # no packet ends on the page
_OPUS_RATE = 48_000
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
        number: Its number in the stream.
        lengths: Of its segments; one below 255 ends a packet.
        content: What follows its header.
    """

    position: int
    length: int
    flags: int
    granule: int
    serial: int
    number: int
    lengths: bytes
    content: bytes


@dataclass
class Chain:
    """What lies between one set of first pages and the next.

    Attributes:
        codec: Of its first stream of audio; "" where none is known.
        streams: How many streams begin in it.
        spans: Where its pages are.
        is_complete: Whether the last page of that stream is marked as the last.
        lacks_beginning: Whether pages before the first one with audio are lost.
        start: Position at which the audio begins; 0 for Vorbis and Speex, which do not tell it here.
        end: Position at which it ends.
    """

    codec: str = ""
    streams: int = 0
    spans: list[Span] = field(default_factory=list)
    is_complete: bool = False
    lacks_beginning: bool = False
    start: int = 0
    end: int = 0
    _head: bytes = b""
    _serial: int = -1
    _number: int = -1

    @property
    def seconds(self) -> Fraction | None:
        """Seconds that the positions declare; None where the decoder has to tell."""
        head = self._head
        if self.codec == "Opus":
            return Fraction(max(0, self.end - self.start - int.from_bytes(head[10:12], "little")), _OPUS_RATE)
        if self.codec == "FLAC" and head[:1] == b"\x7f":
            rate = int.from_bytes(head[27:30], "big") >> 4
        elif self.codec == "Vorbis" and self.lacks_beginning:
            rate = int.from_bytes(head[12:16], "little")
        else:
            return None
        return Fraction(self.end - self.start, rate) if rate else None

    def add(self, page: Page) -> None:
        """Add the next page."""
        if page.flags & _FIRST:
            self.streams += 1
            codec = next((name for mark, name in _CODECS.items() if page.content.startswith(mark)), "")
            if codec and not self.codec:
                self.codec, self._serial, self._head = codec, page.serial, page.content[:64]
        if self.spans and self.spans[-1][1] == page.position:
            self.spans[-1] = (self.spans[-1][0], page.position + page.length)
        else:
            self.spans.append((page.position, page.position + page.length))
        if page.serial != self._serial and self._serial >= 0:
            return
        self.is_complete = bool(page.flags & _LAST)
        if not self.end and not page.flags & _FIRST:
            self.lacks_beginning |= page.number != self._number + 1
        self._number = page.number
        if page.granule not in (0, _NO_POSITION):
            if not self.end and not self.lacks_beginning:
                self.start = self._read_start(page)
            self.end = page.granule

    def _read_start(self, page: Page) -> int:
        """Read the position before the first page with audio."""
        if self.codec == "Opus" and not page.flags & (_CONTINUED | _LAST):
            return page.granule - sum(map(_measure_opus, _split_packets(page)))
        least, most = self._head[17:19], self._head[19:21]  # samples of a FLAC frame
        if self.codec == "FLAC" and least == most and not page.flags & _LAST:
            return page.granule - int.from_bytes(most, "big") * sum(length < 255 for length in page.lengths)
        return 0


def read_chains(reader: Reader) -> list[Chain]:
    """Follow the pages of an Ogg file; no chain where it holds none."""
    chains: list[Chain] = []
    in_headers = False
    for page in _follow_pages(reader):
        if page.flags & _FIRST and not in_headers:
            chains.append(Chain())
        in_headers = bool(page.flags & _FIRST)
        if chains:  # else the rest of a stream whose beginning is missing
            chains[-1].add(page)
    return chains


def _follow_pages(reader: Reader) -> Iterator[Page]:
    """Yield the whole pages; those that are cut or damaged are left out."""
    position, limit = 0, _SEARCH_BYTES
    while position >= 0:
        head = reader.read(position, _HEADER_BYTES + 255)
        lengths = head[_HEADER_BYTES : _HEADER_BYTES + head[26]] if len(head) > _HEADER_BYTES else b""
        start = _HEADER_BYTES + len(lengths)
        length = start + sum(lengths)
        page = reader.read(position, length) if head[:5] == b"OggS\0" else b""
        if not _is_whole(page, length):
            position = reader.find(b"OggS\0", position + 1, min(reader.size, limit))
            continue
        granule, serial, number = (int.from_bytes(page[a:b], "little") for a, b in ((6, 14), (14, 18), (18, 22)))
        yield Page(position, length, page[5], granule, serial, number, lengths, page[start:])
        position, limit = position + length, reader.size


def _is_whole(page: bytes, length: int) -> bool:
    """Compare a page with its length and its checksum; decoders leave out a page that does not agree.

    The checksum is a CRC-32 like that of zlib, with the bits of every byte and of the result in the other order.
    """
    if len(page) < length or length < _HEADER_BYTES:
        return False
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_MIRRORED)
    checksum = zlib.crc32(mirrored, 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return checksum.to_bytes(4, "big").translate(_MIRRORED) == page[22:26]


def _split_packets(page: Page) -> Iterator[bytes]:
    """Yield the packets that end on a page, of which none began before it."""
    start = end = 0
    for length in page.lengths:
        end += length
        if length < 255:
            yield page.content[start:end]
            start = end


def _measure_opus(packet: bytes) -> int:
    r"""Measure an Opus packet by its first bytes, in samples.

    >>> _measure_opus(b"\xf8"), _measure_opus(b"\x1b\x03")
    (960, 8640)
    """
    if not packet:
        return 0
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        samples = (480, 960, 1_920, 2_880)[config % 4]
    elif config < 16:
        samples = (480, 960)[config % 2]
    else:
        samples = (120, 240, 480, 960)[config % 4]
    return samples * (packet[1] & 63 if code == 3 and len(packet) > 1 else min(code + 1, 2))
