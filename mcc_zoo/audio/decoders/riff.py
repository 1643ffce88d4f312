"""RIFF and its kin, files of chunks around uncompressed audio: WAV, RF64, W64, AIFF and CAF; and AU, a header alone.

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
        patch: Lengths to write over those in the header, by position, where a decoder would believe wrong ones.
        start: Where the file begins, behind the tags before it.
        fault: What is wrong with the header; "" where nothing is.
    """

    format: str
    declared: int
    present: int
    is_known: bool
    patch: dict[int, bytes]
    start: int = 0
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
    start = 0
    if not (style := find_style(reader.read(0, 40))) and (start := skip_tags(reader, 0)):
        style = find_style(reader.read(start, 40))
    head = reader.read(start, 40)
    if head[:4] in (b".snd", b"dns."):
        return _read_au(reader, start, head)
    if style is None:
        return None
    chunks, end = _follow(reader, style, start + style.start)
    audio = _find(chunks, style.audio)
    if audio is None:
        return None
    form = _find(chunks, b"fmt ")
    name, fault = _read_wave(style, reader.read(form.start, 40) if form else b"")
    size, size_position, size_format = audio.size, audio.size_position, style.size
    long = _find(chunks, b"ds64") if style.format == "RF64" else None
    if long:
        size, size_position = int.from_bytes(reader.read(long.start + 8, 8), "little"), long.start + 8
        size_format = "<Q"
    rest = reader.size - audio.start
    is_known = size < (UNKNOWN_BYTES if size_format[1] == "I" else _UNKNOWN_LONG)
    if not size and rest > 0:
        is_known = _follow(reader, style, audio.start)[1] >= find_end(reader, audio.start)
    if not is_known and (whole := _read_whole(reader, style, start, audio)) * MIN_COMPLETE > rest:
        size, is_known = whole, True
    if not is_known:
        patch = _patch_sizes(reader, style, start, size_position, size_format, rest)
        return Layout(name, size, rest, False, patch, start, fault)
    behind = find_end(reader, end) - end if end < reader.size else 0
    return Layout(name, size, min(rest, size), True, {}, start, fault or _explain_behind(reader, size, behind))


def _patch_sizes(
    reader: Reader, style: Style, start: int, position: int, size_format: str, size: int
) -> dict[int, bytes]:
    """Make the lengths that a decoder needs of a file that states none: of the audio, and of the whole."""
    if size_format[1] == "I":
        patch = {position: struct.pack(size_format, min(0xFFFF_FFFF, size))}
    else:
        patch = {position: struct.pack(size_format, size + (style.header_bytes if style.counts_header else 0))}
    if style.format == "RF64":
        patch[position + 8] = bytes(8)  # the number of samples
    elif style.format == "AIFF":
        patch[start + 4] = struct.pack(">I", min(0xFFFF_FFFF, reader.size - start - 8))
    elif style.format == "W64":
        patch[start + 16] = struct.pack("<Q", reader.size - start)
    return patch


def _explain_behind(reader: Reader, declared: int, behind: int) -> str:
    """Name the fault of a header that declares too little, which leaves unknown bytes behind the audio; "" if none."""
    if behind <= max(_METADATA_BYTES, (1 - MIN_COMPLETE) * reader.size):
        return ""
    return f"its header is wrong, it declares {declared} bytes of audio and {behind} unknown bytes follow"


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


def _read_whole(reader: Reader, style: Style, start: int, audio: _Chunk) -> int:
    """Compute the length of a WAV file's audio from the length of the whole file; 0 if the header lacks that too."""
    if style.format != "WAV":
        return 0
    (whole,) = struct.unpack(style.size, reader.read(start + 4, 4))
    return start + whole + 8 - audio.start if whole < UNKNOWN_BYTES else 0


def _read_wave(style: Style, form: bytes) -> tuple[str, str]:
    """Read the format chunk of a WAV, RF64 or W64 file: the format's name, and its fault."""
    if len(form) < 16:
        return style.format, ""
    order = style.size[0]
    coding, channels, rate, byte_rate, block, bits = struct.unpack(f"{order}HHIIHH", form[:16])
    name = "WAVEX" if style.format == "WAV" and coding == _EXTENSIBLE else style.format
    if coding == _EXTENSIBLE and len(form) >= 26:
        (coding,) = struct.unpack(f"{order}H", form[24:26])
    if coding not in (_PCM, _FLOAT):
        return name, ""
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
    return name, "" if agrees else fault


def _read_au(reader: Reader, start: int, head: bytes) -> Layout | None:
    if len(head) < 24:
        return None
    order = ">" if head[:4] == b".snd" else "<"
    offset, declared = struct.unpack(f"{order}II", head[4:12])
    end = start + offset + declared
    rest = max(0, reader.size - start - offset)
    if declared >= UNKNOWN_BYTES or (not declared and rest):
        patch = {start + 8: struct.pack(f"{order}I", min(0xFFFF_FFFF, rest))}
        return Layout("AU", declared, rest, False, patch, start)
    behind = find_end(reader, end) - end if end < reader.size else 0
    return Layout("AU", declared, min(rest, declared), True, {}, start, _explain_behind(reader, declared, behind))
