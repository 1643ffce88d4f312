"""Tags and padding around audio: ID3v1, ID3v2, APEv2, Lyrics3, HTTP and ICY headers, zeros."""

from __future__ import annotations

from mcc_zoo.audio.decoders.pieces import Reader

_ID3V1_BYTES, _ID3V1_EXTENDED_BYTES = 128, 227
_ID3V2_BYTES = 10  # of its header, and of its footer
_APE_BYTES = 32  # of its header, and of its footer
_APE_HAS_HEADER = 1 << 31
_LYRICS_BYTES = 5_120  # of the older Lyrics3, which states no length
_RESPONSE_BYTES = 1 << 14  # the longest HTTP header that is looked for
_BLOCK = 1 << 16


def skip_tags(reader: Reader, position: int) -> int:
    """Return the position behind the tags and zeros that begin at a position, which is the same where none do."""
    while True:
        start = reader.read(position, 16)
        if start[:1] == b"\0":
            after = _skip_zeros(reader, position)
        elif start[:3] == b"ID3":
            after = position + _measure_id3v2(start)
        elif start[:8] == b"APETAGEX":
            after = position + _APE_BYTES + int.from_bytes(start[12:16], "little")
        elif start[:3] == b"TAG":
            after = position + (_ID3V1_EXTENDED_BYTES if start[3:4] == b"+" else _ID3V1_BYTES)
        elif start[:11] == b"LYRICSBEGIN":
            after = _skip_lyrics(reader, position)
        elif start[:5] == b"HTTP/" or start[:4] == b"ICY ":
            after = _skip_response(reader, position)
        else:
            return position
        if not position < after <= reader.size:
            return position
        position = after


def find_end(reader: Reader, start: int = 0, zeros: bool = True) -> int:
    """Return the position before the tags and zeros with which a file ends.

    Args:
        reader: The file.
        start: Where its audio begins at the earliest.
        zeros: Whether zeros are stepped over; audio itself may end with some.
    """
    end = reader.size
    while end > start:
        before = end - _measure_last_tag(reader, end)
        if before == end and zeros:
            before = _strip_zeros(reader, start, end)
        if not start <= before < end:
            return end
        end = before
    return end


def _measure_id3v2(start: bytes) -> int:
    """Return the length of an ID3v2 tag by its header, or 0 where it is none."""
    if len(start) < _ID3V2_BYTES or max(start[6:10]) > 127 or start[3] == 0xFF:
        return 0
    size = sum(byte << shift for byte, shift in zip(start[6:10], (21, 14, 7, 0), strict=True))
    return _ID3V2_BYTES + size + (_ID3V2_BYTES if start[5] & 0x10 else 0)


def _skip_zeros(reader: Reader, position: int) -> int:
    while block := reader.read(position, _BLOCK):
        rest = block.lstrip(b"\0")
        position += len(block) - len(rest)
        if rest:
            break
    return position


def _skip_lyrics(reader: Reader, position: int) -> int:
    """Step over Lyrics3: the older one ends with LYRICSEND, the newer one with its length and LYRICS200."""
    content = reader.read(position, 1_000_000)
    ends = [found + 9 for mark in (b"LYRICSEND", b"LYRICS200") if (found := content.find(mark)) >= 0]
    return position + min(ends, default=0)


def _skip_response(reader: Reader, position: int) -> int:
    head = reader.read(position, _RESPONSE_BYTES)
    ends = [found + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (found := head.find(mark)) >= 0]
    return position + min(ends, default=0)


def _measure_last_tag(reader: Reader, end: int) -> int:
    """Return the length of the tag that ends at a position, or 0."""
    tail = reader.read(max(0, end - _ID3V1_BYTES), min(end, _ID3V1_BYTES))
    if len(tail) == _ID3V1_BYTES and tail[:3] == b"TAG":
        return _ID3V1_BYTES
    footer = tail[-_APE_BYTES:]
    if len(footer) == _APE_BYTES and footer[:8] == b"APETAGEX":
        has_header = int.from_bytes(footer[20:24], "little") & _APE_HAS_HEADER
        return int.from_bytes(footer[12:16], "little") + (_APE_BYTES if has_header else 0)
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        return int(tail[-15:-9]) + 15
    if tail[-9:] == b"LYRICSEND":
        start = max(0, end - _LYRICS_BYTES)
        found = reader.read(start, end - start).rfind(b"LYRICSBEGIN")
        return end - start - found if found >= 0 else 0
    if tail[-10:-7] == b"3DI":
        return _measure_id3v2(b"ID3" + tail[-7:] + bytes(6))
    extended = reader.read(max(0, end - _ID3V1_EXTENDED_BYTES), 4)
    return _ID3V1_EXTENDED_BYTES if extended == b"TAG+" else 0


def _strip_zeros(reader: Reader, start: int, end: int) -> int:
    while end > start:
        first = max(start, end - _BLOCK)
        rest = reader.read(first, end - first).rstrip(b"\0")
        end = first + len(rest)
        if rest:
            break
    return end
