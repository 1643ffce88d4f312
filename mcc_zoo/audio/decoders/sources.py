"""What a file is, by its content: its format, where its audio lies, and what its header declares of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from io import FileIO

from mcc_zoo.audio.decoders import containers, flac, ogg, riff
from mcc_zoo.audio.decoders.contract import NotDecodable, OtherFormat
from mcc_zoo.audio.decoders.frames import AC3, ADTS, MPEG, find_first, follow
from mcc_zoo.audio.decoders.mp3 import Mpeg, read_mpeg
from mcc_zoo.audio.decoders.pieces import Reader, Span
from mcc_zoo.audio.decoders.tags import find_end, skip_tags
from mcc_zoo.audio.limits import MIN_COMPLETE

DEMUXERS = {  # format: FFmpeg's name
    "WAV": "wav",
    "WAVEX": "wav",
    "RF64": "wav",
    "W64": "w64",
    "FLAC": "flac",
    "OGG": "ogg",
    "MP3": "mp3",
    "MP2": "mp3",
    "AU": "au",
    "AIFF": "aiff",
    "CAF": "caf",
    "M4A": "mov",
    "AAC": "aac",
    "AC3": "ac3",
    "EAC3": "eac3",
    "WMA": "asf",
    "MKA": "matroska",
    "WV": "wv",
    "TTA": "tta",
    "APE": "ape",
    "MPC": "mpc",
}
_MAGIC = (  # offset, bytes, format
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "OGG"),
    *((4, name, "M4A") for name in (b"ftyp", b"moov", b"mdat", b"wide", b"free")),
    (0, bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "WMA"),
    (0, b"\x1a\x45\xdf\xa3", "MKA"),
    (0, b"wvpk", "WV"),
    (0, b"TTA1", "TTA"),
    (0, b"MAC ", "APE"),
    (0, b"MP+", "MPC"),
)
_TAGGED_BEHIND = frozenset({"WV", "TTA", "APE", "MPC"})  # FFmpeg would take an unusual tag for audio
_JUNK_BYTES = 2_048
_SEARCH_BYTES = 1 << 20  # the longest junk before FLAC or Ogg


@dataclass(frozen=True)
class Part:
    """A part of a file that is decoded by itself.

    Attributes:
        spans: Where it lies.
        seconds: The length that its header declares; None where it declares none, or FFmpeg tells it.
    """

    spans: tuple[Span, ...]
    seconds: Fraction | None = None


@dataclass(frozen=True)
class Source:
    """What a file is.

    Attributes:
        format: A key of `DEMUXERS`.
        parts: What is decoded, one after the other.
        asks_ffmpeg: Whether FFmpeg tells the length of parts without one.
        for_soundfile: Whether soundfile is known to read files of this kind whole.
        declared_and_present: As in `contract.Header`.
        fault: As in `contract.Header`.
        patch: Bytes that decoders read instead of the file's, by position.
    """

    format: str
    parts: tuple[Part, ...]
    asks_ffmpeg: bool = False
    for_soundfile: bool = False
    declared_and_present: tuple[int, int] = (0, 0)
    fault: str = ""
    patch: Mapping[int, bytes] = field(default_factory=dict)


def find_source(stream: FileIO) -> Source:
    """Find out what a file is. The stream's position is unspecified afterwards.

    Raises:
        NotDecodable: It is no audio that FFmpeg or soundfile is known to read.
    """
    reader = Reader(stream)
    start = 0
    name = _read_magic(reader, start)
    if not name and (start := skip_tags(reader, 0)):
        name = _read_magic(reader, start)
    if not name and (layout := riff.read_layout(reader)):
        return _describe_chunks(reader, layout)
    source = None if name else _find_frames(reader)
    if source:
        return source
    if not name:
        start, name = _search_magic(reader)
    if name == "OGG":
        return _describe_ogg(reader)
    if name == "FLAC":
        return _describe_flac(reader, start)
    if not name:
        raise _explain_unknown(reader)
    measure = {"M4A": containers.measure_mp4, "MKA": containers.measure_matroska, "WMA": containers.measure_asf}
    sizes = measure[name](reader, start) if name in measure else (0, 0)
    end = find_end(reader, start, zeros=False) if name in _TAGGED_BEHIND else reader.size
    if name == "WMA" and 0 < sizes[0] < sizes[1]:
        end = start + sizes[0]
    part = Part(((start, end),))
    return Source(name, (part,), asks_ffmpeg=True, declared_and_present=sizes)


def _read_magic(reader: Reader, position: int) -> str:
    """Read the format from the first bytes; "" where they do not tell it."""
    head = reader.read(position, 16)
    return next((name for offset, mark, name in _MAGIC if head[offset : offset + len(mark)] == mark), "")


def _search_magic(reader: Reader) -> tuple[int, str]:
    """Look for FLAC or Ogg behind junk; Ogg may hold FLAC."""
    marks = ((b"fLaC\0\0\0\x22", "FLAC"), (b"OggS\0\2", "OGG"))
    found = [(reader.find(mark, 0, min(reader.size, _SEARCH_BYTES)), name) for mark, name in marks]
    return min((place for place in found if place[0] >= 0), default=(0, ""))


def _explain_unknown(reader: Reader) -> NotDecodable:
    """Name what FFmpeg is known not to read whole."""
    head = reader.read(skip_tags(reader, 0), 4)
    if head == b"MPCK":
        return OtherFormat("its format is Musepack 8, of which FFmpeg leaves out the end")
    if len(head) == 4 and not head[2] >> 4 and MPEG.parse(head[:2] + bytes((head[2] | 0x10, head[3]))):
        return OtherFormat("it is an MP3 of free bit rate, which FFmpeg does not read")
    return NotDecodable("Format not recognised")


def _describe_chunks(reader: Reader, layout: riff.Layout) -> Source:
    """Describe WAV and its kin; what they declare is counted in bytes, and FFmpeg knows how many a sample has."""
    return Source(
        layout.format,
        (Part(((layout.start, reader.size),)),),
        asks_ffmpeg=layout.is_known,
        for_soundfile=layout.is_known and not layout.fault,
        declared_and_present=(layout.declared, layout.present) if layout.is_known else (0, 0),
        fault=layout.fault,
        patch=layout.patch,
    )


def _find_frames(reader: Reader) -> Source | None:
    """Describe MP3, MP2, AAC or AC-3; None where it is none of them."""
    if mpeg := read_mpeg(reader):
        return _describe_mpeg(mpeg)
    for kind in (ADTS, AC3):
        if (start := find_first(reader, kind)) is None:
            continue
        spans: list[Span] = []
        name = ""
        for place in follow(reader, kind, start):
            end, name = place.position + place.frame.length, place.frame.format
            if spans and spans[-1][1] == place.position:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((place.position, end))
        return Source(name, (Part(tuple(spans)),))
    return None


def _describe_mpeg(mpeg: Mpeg) -> Source:
    parts = tuple(
        Part(tuple(part.spans), None if part.samples is None else Fraction(part.samples, part.sample_rate))
        for part in mpeg.parts
    )
    fault = ""
    states_length = all(part.seconds is not None for part in parts)
    if not states_length and mpeg.junk > max(_JUNK_BYTES, (1 - MIN_COMPLETE) * mpeg.audio_bytes):
        fault = f"between its frames are {mpeg.junk} bytes that are neither audio nor tags"
    return Source(mpeg.format, parts, for_soundfile=mpeg.is_plain and mpeg.format == "MP3", fault=fault)


def _describe_ogg(reader: Reader) -> Source:
    chains = ogg.read_chains(reader)
    if not chains:
        raise NotDecodable("no stream begins in it")
    first = chains[0]
    is_plain = len(chains) == first.streams == len(first.spans) == 1 and first.spans[0][0] == 0
    is_plain = is_plain and not first.lacks_beginning
    return Source(
        "OGG",
        tuple(Part(tuple(chain.spans), chain.seconds) for chain in chains),
        asks_ffmpeg=True,
        for_soundfile=is_plain and first.codec == "Vorbis",
    )


def _describe_flac(reader: Reader, start: int) -> Source:
    info = flac.read_stream_info(reader, start)
    seconds = None
    if info and info.samples is not None and info.sample_rate:
        seconds = Fraction(info.samples - info.first_sample, info.sample_rate)
    return Source(
        "FLAC",
        (Part(((start, reader.size),), seconds),),
        for_soundfile=info is not None and seconds is not None and info.agrees and info.bits in (8, 16, 24),
    )
