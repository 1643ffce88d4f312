"""Formats that FFmpeg alone reads, told by how a file begins: what it is, whatever it is called."""

from __future__ import annotations

from io import FileIO

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")  # how a WMA file begins
_ID3_BYTES = 10


def format_of_ffmpeg(stream: FileIO) -> str:
    """Name the format that only FFmpeg reads: M4A, WMA or AAC (ADTS); "" for others.

    Args:
        stream: The file, at its beginning. Where it stands afterwards is not said.
    """
    start = stream.read(16)
    if start[4:8] == b"ftyp":
        return "M4A"
    if start == _ASF:
        return "WMA"
    if start[:3] == b"ID3" and len(start) > _ID3_BYTES:  # before an ADTS stream as before an MP3
        size = sum((byte & 127) << shift for byte, shift in zip(start[6:10], (21, 14, 7, 0), strict=True))
        stream.seek(_ID3_BYTES + size)
        start = stream.read(2)
    return "AAC" if len(start) > 1 and start[0] == 0xFF and start[1] & 0xF6 == 0xF0 else ""
