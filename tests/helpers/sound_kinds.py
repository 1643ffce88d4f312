"""Sound music files of kinds that collections hold and that a strict reader refuses, made without a program."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from helpers.av_files import encode
from helpers.wav_files import wav

RATE = 44_100
SECONDS = 6.0
_ENCODED: dict[tuple[object, ...], bytes] = {}
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@functools.cache
def make_music(seconds: float = SECONDS, rate: int = RATE) -> np.ndarray:
    """Noise below a few kHz, whose loudness changes: any codec keeps it, and it has a place in time."""
    samples = round(seconds * RATE)
    white = np.random.default_rng(5).uniform(-1, 1, samples)
    smooth = np.convolve(white, np.hanning(81) / 40.5, "same")
    return soxr.resample(0.8 * smooth * (1 + np.sin(9 * np.arange(samples) / RATE)) / 2, RATE, rate)


def encoded(folder: Path, name: str, rate: int = RATE, **options: str) -> bytes:
    """The music in the format of a name's suffix, made once; options are FFmpeg's."""
    key = (name, rate, *options.items())
    if key not in _ENCODED:
        _ENCODED[key] = encode(folder / name, make_music(rate=rate), rate, 0, **options).read_bytes()
    return _ENCODED[key]


def bare_mp3(folder: Path, rate: int = RATE, **options: str) -> bytes:
    """An MP3 without a tag and without a Xing header."""
    return encoded(folder, "bare.mp3", rate=rate, write_xing="0", id3v2_version="0", **options)


@functools.cache
def vorbis(rate: int = RATE, channels: int = 1, seconds: float = SECONDS) -> bytes:
    file = io.BytesIO()
    samples = np.repeat(make_music(seconds, rate)[:, None], channels, 1)
    soundfile.write(file, samples, rate, format="OGG", subtype="VORBIS")
    return file.getvalue()


def noise(size: int) -> bytes:
    return np.random.default_rng(3).bytes(size)


def id3v2(size: int, footer: bool = False) -> bytes:
    """A tag with a picture of noise, which holds what looks like headers of frames."""
    picture = b"\x00image/jpeg\x00\x03\x00\xff\xd8\xff\xe0" + noise(size)
    frame = b"APIC" + _synchsafe(len(picture)) + bytes(2) + picture
    head = b"\4\0" + (b"\x10" if footer else b"\0") + _synchsafe(len(frame))
    return b"ID3" + head + frame + (b"3DI" + head if footer else b"")


def _synchsafe(size: int) -> bytes:
    return bytes(size >> shift & 127 for shift in (21, 14, 7, 0))


def apev2(size: int, header: bool = True) -> bytes:
    item = struct.pack("<II", size, 2) + b"Cover Art (Front)\x00" + noise(size)

    def head(flags: int) -> bytes:
        return b"APETAGEX" + struct.pack("<IIII", 2_000, len(item) + 32, 1, flags) + bytes(8)

    return head(0xA000_0000) + item + head(0x8000_0000) if header else item + head(0)


ID3V1 = b"TAG" + b"x" * 125
HTTP = b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n"
ICY = b"ICY 200 OK\r\nicy-name: a radio\r\nicy-br: 128\r\n\r\n"
LYRICS_1 = b"LYRICSBEGIN" + 200 * b"la la la\r\n" + b"LYRICSEND"


def lyrics_2(size: int) -> bytes:
    content = b"LYRICSBEGININD0000200LYR%05d" % size + b"a" * size
    return content + b"%06d" % len(content) + b"LYRICS200"


def never_closed(riff: int, data: int, before: bytes = b"") -> bytes:
    """A WAV whose sizes were never written."""
    content = bytearray(wav(_integers(), RATE, declared=data, before=before))
    content[4:8] = struct.pack("<I", riff)
    return bytes(content)


def rf64_never_closed(size: int) -> bytes:
    content = wav(_integers(), RATE, declared=0xFFFF_FFFF)
    sizes = b"ds64" + struct.pack("<IQQQI", 28, size, size, size, 0)
    return b"RF64" + b"\xff" * 4 + b"WAVE" + sizes + content[12:]


def aiff_never_closed() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, make_music(), RATE, format="AIFF", subtype="PCM_16")
    content = bytearray(file.getvalue())
    frames, audio = content.index(b"COMM") + 10, content.index(b"SSND") + 4
    content[4:8] = content[frames : frames + 4] = content[audio : audio + 4] = bytes(4)
    return bytes(content)


def au_of_unknown_length(size: int) -> bytes:
    return b".snd" + struct.pack(">IIIII", 24, size, 3, RATE, 1) + _integers().astype(">i2").tobytes()


def _integers() -> np.ndarray:
    return np.round(32_767 * make_music()).astype(np.int16)


def copied(content: bytes, container: str, start: float) -> bytes:
    """Cut the beginning of a file off without decoding; times go on from where they were."""
    file = io.BytesIO()
    with av.open(io.BytesIO(content)) as source, av.open(file, "w", format=container) as target:
        audio = source.streams.audio[0]
        stream = target.add_stream_from_template(audio)
        for packet in source.demux(audio):
            if packet.pts is not None and packet.pts * audio.time_base >= start:
                packet.stream = stream
                target.mux(packet)
    return file.getvalue()


def with_irregular_positions(content: bytes) -> bytes:
    """Let the positions of Ogg pages run ahead of the packets, as where the source of an encoder had gaps."""
    pages = list(_split_pages(content))
    late = 0
    for number, page in enumerate(pages):
        granule = int.from_bytes(page[6:14], "little")
        late += 278 if number in (3, 4) else 0
        page[6:14] = (granule + late).to_bytes(8, "little")
        page[22:26] = _compute_checksum(page)
    return b"".join(pages)


def _split_pages(content: bytes) -> Iterator[bytearray]:
    position = 0
    while position < len(content):
        count = content[position + 26]
        length = 27 + count + sum(content[position + 27 : position + 27 + count])
        yield bytearray(content[position : position + length])
        position += length


def _compute_checksum(page: bytes) -> bytes:
    mirrored = bytes(page[:22] + bytes(4) + page[26:]).translate(_MIRRORED)
    return (zlib.crc32(mirrored, 0xFFFF_FFFF) ^ 0xFFFF_FFFF).to_bytes(4, "big").translate(_MIRRORED)


def flac_of_bits(bits: int) -> bytes:
    """A FLAC file of any number of bits, its samples uncompressed: encoders write some of them only."""
    code = {8: 1, 12: 2, 16: 4, 20: 5, 24: 6, 32: 7}[bits]
    samples = np.round((2 ** (bits - 1) - 1) * make_music(1.0)).astype(np.int64)
    size, frames = 4_096, []
    for number, start in enumerate(range(0, len(samples), size)):
        block = samples[start : start + size]
        head = bytes((0xFF, 0xF8, 0x70, code << 1, number)) + struct.pack(">H", len(block) - 1)
        words = np.unpackbits((block & 0xFFFF_FFFF).astype(">u4").view(np.uint8).reshape(-1, 4), axis=1)[:, -bits:]
        frame = head + bytes([_compute_crc(head, 8, 0x07), 2]) + np.packbits(words).tobytes()
        frames.append(frame + _compute_crc(frame, 16, 0x8005).to_bytes(2, "big"))
    packed = RATE << 44 | (bits - 1) << 36 | len(samples)
    info = struct.pack(">HH", size, size) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    return b"fLaC\x80\0\0\x22" + info + b"".join(frames)


def _compute_crc(content: bytes, bits: int, polynomial: int) -> int:
    table = []
    for crc in (byte << bits - 8 for byte in range(256)):
        for _ in range(8):
            crc = crc << 1 ^ (polynomial if crc >> bits - 1 else 0)
            crc &= (1 << bits) - 1
        table.append(crc)
    crc = 0
    for byte in content:
        crc = (crc << 8 & (1 << bits) - 1) ^ table[crc >> bits - 8 ^ byte]
    return crc


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        make: Makes the file's content; it gets a folder for files on the way.
        suffix: Of its name.
        seconds: Its length.
        tolerance: Seconds by which it may differ, as a codec pads.
    """

    make: Callable[[Path], bytes]
    suffix: str = "mp3"
    seconds: float = SECONDS
    tolerance: float = 0.1


def _info(folder: Path) -> bytes:
    return encoded(folder, "info.mp3")


def _opus(rate: int, **options: str) -> Callable[[Path], bytes]:
    return lambda folder: encoded(folder, "a.opus", rate=rate, **options)


_BEFORE = {
    "zero": bytes(1),
    "zeros": bytes(40_000),
    "newline": b"\r\n",
    "noise": noise(5_000),
    "http": HTTP,
    "icy and id3v2": ICY + id3v2(300),
    "id3v2": id3v2(3_000),
    "large id3v2": id3v2(400_000),
    "id3v2 with footer": id3v2(20_000, footer=True),
    "two id3v2 and zeros": id3v2(2_000) + id3v2(90_000) + bytes(500),
    "apev2": apev2(50_000),
}
_BEHIND = {
    "id3v1": ID3V1,
    "apev2": apev2(300_000),
    "apev2 without header, id3v1": apev2(100_000, header=False) + ID3V1,
    "lyrics": LYRICS_1 + ID3V1,
    "lyrics3v2": lyrics_2(30_000) + ID3V1,
    "id3v2": id3v2(50_000, footer=True),
    "zeros": bytes(300_000),
    "noise": noise(60_000),
}
_BETWEEN = {"nothing": b"", "id3v2": id3v2(80_000), "id3v1 and apev2": apev2(90_000) + ID3V1, "zeros": bytes(9_000)}

KINDS: dict[str, Kind] = {
    "mp3 with info header": Kind(_info),
    "mp3, constant rate": Kind(bare_mp3),
    "mp3, variable rate": Kind(lambda folder: bare_mp3(folder, q="4")),
    "mp3 from the middle of a frame": Kind(lambda folder: bare_mp3(folder)[700:1_000] + bare_mp3(folder)),
    **{f"mp3 behind {key}": Kind(lambda folder, junk=junk: junk + bare_mp3(folder)) for key, junk in _BEFORE.items()},
    **{f"info mp3 behind {key}": Kind(lambda folder, junk=junk: junk + _info(folder)) for key, junk in _BEFORE.items()},
    **{f"mp3 before {key}": Kind(lambda folder, junk=junk: bare_mp3(folder) + junk) for key, junk in _BEHIND.items()},
    **{f"info mp3 before {key}": Kind(lambda folder, junk=junk: _info(folder) + junk) for key, junk in _BEHIND.items()},
    **{
        f"mp3 joined by {key}": Kind(
            lambda folder, junk=junk: bare_mp3(folder) + junk + bare_mp3(folder), seconds=2 * SECONDS, tolerance=0.2
        )
        for key, junk in _BETWEEN.items()
    },
    **{
        f"info mp3 joined by {key}": Kind(
            lambda folder, junk=junk: _info(folder) + junk + _info(folder), seconds=2 * SECONDS, tolerance=0.2
        )
        for key, junk in _BETWEEN.items()
    },
    "mp3 joined of two rates": Kind(
        lambda folder: bare_mp3(folder) + bare_mp3(folder, 48_000), seconds=2 * SECONDS, tolerance=0.2
    ),
    **{
        f"mp3 of {rate} Hz behind a zero": Kind(lambda folder, rate=rate: b"\0" + bare_mp3(folder, rate), tolerance=0.2)
        for rate in (8_000, 11_025, 16_000, 24_000, 32_000)
    },
    **{
        f"{suffix} before {key}": Kind(lambda folder, s=suffix, junk=junk: encoded(folder, f"a.{s}") + junk, suffix)
        for suffix in ("flac", "oga", "wv", "tta", "aac", "mp2", "ac3", "m4a", "wma")
        for key, junk in _BEHIND.items()
        if key in ("apev2", "id3v1", "lyrics3v2")
    },
    **{f"ogg before {key}": Kind(lambda folder, junk=junk: vorbis() + junk, "ogg") for key, junk in _BEHIND.items()},
    **{
        f"flac behind {key}": Kind(lambda folder, j=junk: j + encoded(folder, "a.flac"), "flac")
        for key, junk in _BEFORE.items()
    },
    **{f"ogg behind {key}": Kind(lambda folder, junk=junk: junk + vorbis(), "ogg") for key, junk in _BEFORE.items()},
    **{
        f"{suffix} from the middle of a frame": Kind(
            lambda folder, s=suffix: encoded(folder, f"a.{s}")[777:], suffix, tolerance=0.15
        )
        for suffix in ("aac", "mp2", "ac3", "eac3")
    },
    **{f"opus of {rate} Hz": Kind(_opus(rate), "opus") for rate in (8_000, 12_000, 16_000, 24_000, 48_000)},
    **{
        f"opus of {length} ms": Kind(_opus(48_000, page_duration=str(page)), "opus")
        for length, page in (("20", 20_000), ("700", 700_000))
    },
    "opus cut without decoding": Kind(lambda folder: copied(_opus(48_000)(folder), "ogg", 2.3), "opus", 3.7, 0.3),
    "ogg cut without decoding": Kind(lambda folder: copied(vorbis(), "ogg", 2.3), "ogg", 3.7, 0.3),
    "flac cut without decoding": Kind(lambda folder: copied(encoded(folder, "a.flac"), "flac", 2.3), "flac", 3.7, 0.3),
    "opus with irregular positions": Kind(lambda folder: with_irregular_positions(_opus(48_000)(folder)), "opus"),
    "chained ogg": Kind(lambda folder: vorbis() + vorbis(), "ogg", 2 * SECONDS, 0.2),
    "chained ogg of two rates": Kind(lambda folder: vorbis() + vorbis(48_000, 2), "ogg", 2 * SECONDS, 0.2),
    "chained ogg of two codecs": Kind(
        lambda folder: encoded(folder, "a.oga") + apev2(9_000) + _opus(16_000)(folder), "ogg", 2 * SECONDS, 0.2
    ),
    **{
        f"flac of {bits} bits": Kind(lambda _, b=bits: flac_of_bits(b), "flac", 1.0) for bits in (8, 12, 16, 20, 24, 32)
    },
    **{
        f"wav never closed, {riff:x} and {data:x}": Kind(lambda _, r=riff, d=data: never_closed(r, d), "wav")
        for riff in (0, 36, 0xFFFF_FFFF)
        for data in (0, 0xFFFF_FFFF, 0x7FFF_FFFF)
    },
    "wav never closed, with a list": Kind(
        lambda _: never_closed(0, 0, b"LIST" + struct.pack("<I", 14) + b"INFOISFT\2\0\0\0x\0"), "wav"
    ),
    "wav behind id3v2": Kind(lambda _: id3v2(900) + wav(_integers(), RATE), "wav"),
    "wav before apev2": Kind(lambda _: wav(_integers(), RATE) + apev2(400_000) + ID3V1, "wav"),
    "rf64 never closed": Kind(lambda _: rf64_never_closed(0), "rf64"),
    "rf64 never closed, -1": Kind(lambda _: rf64_never_closed(2**64 - 1), "rf64"),
    "aiff never closed": Kind(lambda _: aiff_never_closed(), "aiff"),
    "au of unknown length": Kind(lambda _: au_of_unknown_length(0xFFFF_FFFF), "au"),
    "au never closed": Kind(lambda _: au_of_unknown_length(0), "au"),
    **{
        name: Kind(lambda folder, name=name: encoded(folder, name), name.rpartition(".")[2])
        for name in ("a.m4a", "a.m4b", "a.alac.m4a", "a.aac", "a.wma", "a.mp2", "a.ac3", "a.eac3", "a.mka")
    },
    **{
        name: Kind(lambda folder, name=name: encoded(folder, name), name.rpartition(".")[2])
        for name in ("a.oga", "a.wv", "a.tta")
    },
    "m4a in fragments": Kind(
        lambda folder: encoded(folder, "a.m4a", movflags="frag_keyframe+empty_moov", frag_duration="1000000"), "m4a"
    ),
    "a.webm": Kind(lambda folder: encoded(folder, "a.webm", 48_000), "webm"),
    "webm that was live": Kind(lambda folder: encoded(folder, "a.webm", 48_000, live="1"), "webm"),
}
