"""Detect from magic bytes the formats that only FFmpeg reads."""

from __future__ import annotations

from io import FileIO

_ASF_GUID = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")  # the first bytes of a WMA file
_ID3_HEADER_BYTES = 10


def detect_ffmpeg_format(stream: FileIO) -> str:
    """Detect M4A, WMA or AAC (ADTS); "" for any other format.

    Args:
        stream: The file, at its beginning. Its position afterwards is unspecified.
    """
    start = stream.read(16)
    if start[4:8] == b"ftyp":
        return "M4A"
    if start == _ASF_GUID:
        return "WMA"
    if start[:3] == b"ID3" and len(start) > _ID3_HEADER_BYTES:  # an ID3 tag precedes ADTS as well as MP3
        size = sum((byte & 127) << shift for byte, shift in zip(start[6:10], (21, 14, 7, 0), strict=True))
        stream.seek(_ID3_HEADER_BYTES + size)
        start = stream.read(2)
    return "AAC" if len(start) > 1 and start[0] == 0xFF and start[1] & 0xF6 == 0xF0 else ""
