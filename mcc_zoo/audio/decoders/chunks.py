"""Files of chunks around uncompressed audio: WAV, RF64, W64, AIFF and CAF; and AU, which has a header alone.

A decoder reads a cut file as a shorter one. Here the length that the header declares is compared with what is present.
Two lengths are not lengths: a recorder that never closed its file left 0, and programs that do not know the length
write 2 GiB or more. What follows the header is then the audio.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from mcc_zoo.audio.decoders.pieces import Reader
from mcc_zoo.audio.decoders.tags import find_end, skip_tags
from mcc_zoo.audio.limits import MIN_COMPLETE, UNKNOWN_BYTES

_UNKNOWN_LONG = 1 << 62  # in a length of eight bytes
_METADATA_BYTES = 8_192  # behind the audio, that no chunk holds
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_COMMON_RATES = frozenset(rate * factor for rate in (8_000, 11_025, 12_000) for factor in (1, 2, 4, 8, 16, 32)) | {
    32_000,
    64_000,
}


@dataclass(frozen=True)
class Style:
    """How a kind of file writes its chunks.

    Attributes:
        format: Name of the format.
        start: Position of the first chunk.
        id_bytes: Bytes of a chunk's name.
        size: `struct` format of a chunk's size.
        counts_header: Whether the size counts the name and itself.
        align: Chunks begin at multiples of this.
        audio: First bytes of the name of the chunk with the audio.
    """

    format: str
    start: int
    id_bytes: int
    size: str
    counts_header: bool
    align: int
    audio: bytes = b"data"

    @property
    def header_bytes(self) -> int:
        """Bytes of a chunk's name and size."""
        return self.id_bytes + struct.calcsize(self.size)


@dataclass(frozen=True)
class Layout:
    """Where the audio of a file is.

    Attributes:
        format: Name of the format.
        declared: Bytes of audio that the header declares.
        present: Bytes of audio that are there.
        is_known: Whether `declared` is a length.
        patch: Position and bytes of a length that decoders take for one, and that is right instead.
        frame_bytes: Bytes of one sample of all channels; 0 where it is not known.
        fault: What is wrong with the header; "" where nothing is.
    """

    format: str
    declared: int
    present: int
    is_known: bool
    patch: dict[int, bytes]
    frame_bytes: int = 0
    fault: str = ""


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    size_position: int
    start: int
    size: int


def find_style(head: bytes) -> Style | None:
    """Find how a file writes its chunks by its first bytes; None where it is no such file. AU has no chunks."""
    if head[:4] in (b"RIFF", b"RIFX") and head[8:12] == b"WAVE":
        return Style("WAV", 12, 4, "<I" if head[:4] == b"RIFF" else ">I", False, 2)
    if head[:4] in (b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return Style("RF64", 12, 4, "<I", False, 2)
    if head[:4] == b"riff" and head[24:28] == b"wave":
        return Style("W64", 40, 16, "<Q", True, 8)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Style("AIFF", 12, 4, ">I", False, 2, b"SSND")
    return Style("CAF", 8, 4, ">Q", False, 1) if head[:4] == b"caff" else None


def read_layout(reader: Reader) -> Layout | None:
    """Find the audio of a file of chunks, or of an AU file; None where it is neither, or holds no audio."""
    head = reader.read(0, 40)
    if head[:4] in (b".snd", b"dns."):
        return _read_au(reader, head)
    style = find_style(head)
    if style is None:
        return None
    chunks, end = _follow(reader, style, style.start)
    audio = next((chunk for chunk in chunks if chunk.name.startswith(style.audio)), None)
    if audio is None:
        return None
    declared, size_position, size_format = audio.size, audio.size_position, style.size
    if style.format == "RF64" and (long := _find(chunks, b"ds64")):
        declared = int.from_bytes(reader.read(long.start + 8, 8), "little")
        size_position, size_format = long.start + 8, "<Q"
    present = max(0, min(reader.size, audio.start + declared) - audio.start)
    form = _find(chunks, b"fmt ")
    wave = reader.read(form.start, 40) if form and style.format in ("WAV", "RF64", "W64") else b""
    name, frame_bytes, fault = _read_wave(style, wave)
    is_known = declared < (UNKNOWN_BYTES if size_format[1] == "I" else _UNKNOWN_LONG)
    rest = reader.size - audio.start
    if not declared and rest > 0:
        is_known = _follow(reader, style, audio.start)[1] >= find_end(reader, audio.start)
    if not is_known and style.format == "WAV" and (whole := _read_whole(reader, style, audio)) * MIN_COMPLETE > rest:
        declared, is_known = whole, True
    if not is_known:
        most = 0xFFFF_FFFF if size_format[1] == "I" else _UNKNOWN_LONG
        added = style.header_bytes if style.counts_header else 0
        patch = {size_position: struct.pack(size_format, min(most, rest + added))}
        return Layout(name, declared, rest, False, patch, frame_bytes, fault)
    behind = find_end(reader, min(end, reader.size)) - end if end < reader.size else 0
    if behind > max(_METADATA_BYTES, (1 - MIN_COMPLETE) * reader.size):
        fault = fault or f"its header is wrong, it declares {declared} bytes of audio and {behind} unknown bytes follow"
    return Layout(name, declared, present, True, {}, frame_bytes, fault)


def _find(chunks: list[_Chunk], name: bytes) -> _Chunk | None:
    return next((chunk for chunk in chunks if chunk.name.startswith(name)), None)


def _follow(reader: Reader, style: Style, position: int) -> tuple[list[_Chunk], int]:
    """Follow chunks up to the end of the file; return them, and the position at which no further chunk begins."""
    chunks: list[_Chunk] = []
    while position < reader.size:
        head = reader.read(position, style.header_bytes)
        if len(head) < style.header_bytes or not all(32 <= byte < 127 for byte in head[:4]):
            behind = skip_tags(reader, position)
            return chunks, behind
        (size,) = struct.unpack(style.size, head[style.id_bytes :])
        size -= style.header_bytes if style.counts_header and size >= style.header_bytes else 0
        start = position + style.header_bytes
        is_audio = head.startswith(style.audio)
        if start + size > reader.size + 1 and not is_audio:
            return chunks, skip_tags(reader, position)
        chunks.append(_Chunk(head[: style.id_bytes], position + style.id_bytes, start, size))
        position = start + size + -(start + size) % style.align
    return chunks, position


def _read_whole(reader: Reader, style: Style, audio: _Chunk) -> int:
    """Read the length of the audio by that of the whole file; 0 where this one is none either."""
    (whole,) = struct.unpack(style.size, reader.read(4, 4))
    return whole + 8 - audio.start if whole < UNKNOWN_BYTES else 0


def _read_wave(style: Style, form: bytes) -> tuple[str, int, str]:
    """Read the format chunk of a WAV, RF64 or W64 file: the format's name, bytes of a frame, and its fault."""
    if len(form) < 16:
        return style.format, 0, ""
    order = style.size[0]
    coding, channels, rate, byte_rate, block, bits = struct.unpack(f"{order}HHIIHH", form[:16])
    name = "WAVEX" if style.format == "WAV" and coding == _EXTENSIBLE else style.format
    if coding == _EXTENSIBLE and len(form) >= 26:
        (coding,) = struct.unpack(f"{order}H", form[24:26])
    if coding not in (_PCM, _FLOAT):
        return name, 0, ""
    frame_bytes = channels * -(-bits // 8)
    agrees = (
        byte_rate == rate * frame_bytes
        or (block == frame_bytes and rate in _COMMON_RATES)
        or (byte_rate == rate * block and block == 4 * channels and bits == 24)
    )
    fault = (
        f"its header contradicts itself, {channels} channels of {bits} bits at {rate} Hz are not {byte_rate} bytes "
        f"per second and {block} per sample"
    )
    return name, frame_bytes if block == frame_bytes else 0, "" if agrees else fault


def _read_au(reader: Reader, head: bytes) -> Layout | None:
    order = ">" if head[:4] == b".snd" else "<"
    if len(head) < 24:
        return None
    start, declared = struct.unpack(f"{order}II", head[4:12])
    rest = max(0, reader.size - start)
    if declared >= UNKNOWN_BYTES or (not declared and rest):
        return Layout("AU", declared, rest, False, {8: struct.pack(f"{order}I", min(0xFFFF_FFFF, rest))})
    behind = find_end(reader, start + declared) - start - declared if start + declared < reader.size else 0
    fault = f"its header is wrong, it declares {declared} bytes of audio and {behind} unknown bytes follow"
    is_wrong = behind > max(_METADATA_BYTES, (1 - MIN_COMPLETE) * reader.size)
    return Layout("AU", declared, min(rest, declared), True, {}, 0, fault if is_wrong else "")
