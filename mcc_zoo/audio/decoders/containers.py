"""Containers that FFmpeg reads without a word where they are cut: MP4, Matroska and ASF.

Each function returns the bytes that the file declares and those that are present; (0, 0) where it declares none.
"""

from __future__ import annotations

from mcc_zoo.audio.decoders.pieces import Reader

_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # the file's size stands 24 bytes after it
_ASF_HEADER_BYTES = 1 << 16
_SEGMENT = b"\x18\x53\x80\x67"


def measure_asf(reader: Reader, position: int = 0) -> tuple[int, int]:
    """Measure a WMA file by the size in its properties."""
    start = reader.read(position, _ASF_HEADER_BYTES)
    place = start.find(_ASF_PROPERTIES)
    return (0, 0) if place < 0 else (int.from_bytes(start[place + 40 : place + 48], "little"), reader.size - position)


def measure_mp4(reader: Reader, position: int = 0) -> tuple[int, int]:
    """Measure a fragmented MP4 file by the sizes of its boxes; other ones state their length in seconds."""
    is_fragmented = False
    while position + 8 <= reader.size:
        head = reader.read(position, 16)
        size, name = int.from_bytes(head[:4], "big"), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:
            break  # 0: up to the end of the file
        is_fragmented = is_fragmented or name == b"moof"
        if is_fragmented and name in (b"moof", b"mdat") and position + size > reader.size:
            return position + size, reader.size
        position += size
    return 0, 0


def measure_matroska(reader: Reader, position: int = 0) -> tuple[int, int]:
    """Measure a Matroska or WebM file by the size of its segment; a live recording has none."""
    head = reader.read(position, 4_096)
    place = head.find(_SEGMENT)
    if place < 0 or place + 5 > len(head):
        return 0, 0
    first = head[place + 4]
    length = 9 - first.bit_length() if first else 9
    size = int.from_bytes(head[place + 4 : place + 4 + length], "big") & (1 << 7 * length) - 1
    if length > 8 or size == (1 << 7 * length) - 1:
        return 0, 0
    return place + 4 + length + size, reader.size - position
