"""FFmpeg, through PyAV: M4A, AAC and WMA, and all that soundfile reads, including FLAC without a stated length.

Where libsndfile knows the format, it reads the header, because FFmpeg reads a cut WAV, W64 or Ogg file as a shorter
one. FFmpeg is given the format and never guesses it: some formats that it would guess are playlists, and it would open
the files that they name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO

import av
import av.error
import numpy as np

from mcc_zoo.audio.decoders.contract import DecodingStopped, Header, NotDecodable, OtherFormat, Waveform, scale_to_float
from mcc_zoo.audio.decoders.libsndfile import SoundfileSound
from mcc_zoo.audio.decoders.magic_bytes import detect_ffmpeg_format

DEMUXERS = {  # format: FFmpeg's name
    "WAV": "wav",
    "WAVEX": "wav",
    "RF64": "wav",
    "W64": "w64",
    "FLAC": "flac",
    "OGG": "ogg",
    "MP3": "mp3",
    "AU": "au",
    "AIFF": "aiff",
    "CAF": "caf",
    "M4A": "mov",
    "AAC": "aac",
    "WMA": "asf",
}
MAX_LOST_PACKETS = 0.1  # share of the packets that may be damaged, as of the audio that may be missing

_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # the file's size stands 24 bytes after it
_ASF_HEADER_BYTES = 1 << 16
_TOLERANCE_FRAMES = {"M4A": 4_096, "WMA": 8_192}  # the codec's delay, and the last block, which is not flushed


class AvSound:
    """A file that FFmpeg reads; a `contract.Sound`.

    Attributes:
        header: What the file's header declares.
    """

    def __init__(self, stream: FileIO) -> None:
        """Read the header."""
        name = detect_ffmpeg_format(stream)
        stream.seek(0)
        known = None if name else _read_libsndfile_header(stream)
        name = name or (known.format if known else "")
        if name not in DEMUXERS:
            raise OtherFormat(f"its format is {name}")
        stream.seek(0)
        try:
            self._container = av.open(stream, "r", format=DEMUXERS[name], metadata_errors="replace")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise NotDecodable(_get_reason(error)) from error
        try:
            if not self._container.streams.audio:
                raise NotDecodable("it holds no audio")
            self._audio = self._container.streams.audio[0]
            self.header = known or self._read_header(name, stream)
        except BaseException:
            self._container.close()
            raise

    def decode_blocks(self) -> Iterator[Waveform]:
        """Decode all packets, skipping up to a tenth of them where they are damaged."""
        header, packets, lost = self.header, 0, 0
        try:
            for packet in self._container.demux(self._audio):
                packets += packet.size > 0
                try:
                    frames = packet.decode()
                except av.error.FFmpegError as error:
                    lost, reason = lost + 1, _get_reason(error)
                    continue
                for frame in frames:
                    if (frame.sample_rate, frame.layout.nb_channels) != (header.sample_rate, header.channels):
                        raise DecodingStopped(
                            f"it changes to {frame.layout.nb_channels} channels at {frame.sample_rate} Hz"
                        )
                    if len(block := _convert_frame(frame)):
                        yield block
        except av.error.FFmpegError as error:  # of the container
            raise DecodingStopped(_get_reason(error)) from error
        if lost > MAX_LOST_PACKETS * packets:
            raise DecodingStopped(f"{lost} of {packets} packets: {reason}")

    def get_position(self) -> int | None:
        """None: FFmpeg decodes all that is present, whatever length is declared."""
        return None

    def close(self) -> None:
        """Close FFmpeg's container."""
        self._container.close()

    def _read_header(self, name: str, stream: FileIO) -> Header:
        audio, frames = self._audio, None
        if name != "AAC" and audio.duration is not None and audio.time_base is not None:  # for AAC it is an estimate
            frames = round(audio.duration * audio.time_base * audio.sample_rate)
        sizes = _read_asf_sizes(stream) if name == "WMA" else (0, 0)
        return Header(audio.sample_rate, audio.layout.nb_channels, frames, name, sizes, _TOLERANCE_FRAMES.get(name, 0))


def open_sound(stream: FileIO) -> AvSound:
    """Open a file."""
    return AvSound(stream)


def _read_libsndfile_header(stream: FileIO) -> Header:
    sound = SoundfileSound(stream)
    sound.close()
    return sound.header


def _read_asf_sizes(stream: FileIO) -> tuple[int, int]:
    """Read the declared and the actual size of a WMA file, in bytes: FFmpeg reads a cut file as a shorter one."""
    before = stream.tell()
    stream.seek(0)
    start = stream.read(_ASF_HEADER_BYTES)
    stream.seek(before)
    place = start.find(_ASF_PROPERTIES)
    if place < 0:
        return 0, 0
    return int.from_bytes(start[place + 40 : place + 48], "little"), os.fstat(stream.fileno()).st_size


def _convert_frame(frame: av.AudioFrame) -> Waveform:
    """Convert the samples of a frame to float32 (frames, channels)."""
    values: np.ndarray = frame.to_ndarray()  # planar (channels, frames), else (1, frames * channels)
    return scale_to_float(values.T if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels))


def _get_reason(error: Exception) -> str:
    """Get FFmpeg's message."""
    return getattr(error, "strerror", None) or str(error)
