"""FFmpeg, through PyAV: M4A, AAC and WMA, and what soundfile reads, FLAC that states no length included.

Where libsndfile knows the format it reads the header, because FFmpeg takes a cut WAV, W64 or Ogg file for a shorter
one. FFmpeg is told the format and never guesses it: some of those that it guesses are lists of other files to open.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO

import av
import av.error
import numpy as np

from mcc_zoo.audio.decoders.contract import DecodingStopped, Header, NotDecodable, OtherFormat, Waveform, as_float
from mcc_zoo.audio.decoders.libsndfile import SoundfileSound
from mcc_zoo.audio.decoders.magic_bytes import format_of_ffmpeg

DEMUXERS = {  # our names of formats to FFmpeg's
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
LOST_PACKETS = 0.1  # share of a stream that may be damaged, as of the audio that may lack

_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # before the file's size, 24 bytes further
_ASF_HEADER_BYTES = 1 << 16
_SLACK = {"M4A": 4_096, "WMA": 8_192}  # frames of the codec's own delay, and of the last block that is not flushed


class AvSound:
    """A file that FFmpeg reads; a `contract.Sound`.

    Attributes:
        header: What the file says of itself.
    """

    def __init__(self, stream: FileIO) -> None:
        """Read the header."""
        name = format_of_ffmpeg(stream)
        stream.seek(0)
        known = None if name else _header_of_libsndfile(stream)
        name = name or (known.format if known else "")
        if name not in DEMUXERS:
            raise OtherFormat(f"its format is {name}")
        stream.seek(0)
        try:
            self._container = av.open(stream, "r", format=DEMUXERS[name], metadata_errors="replace")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise NotDecodable(_reason(error)) from error
        try:
            if not self._container.streams.audio:
                raise NotDecodable("it holds no audio")
            self._audio = self._container.streams.audio[0]
            self.header = known or self._own_header(name, stream)
        except BaseException:
            self._container.close()
            raise

    def blocks(self) -> Iterator[Waveform]:
        """Decode every packet; a tenth of them may be damaged, and is left out."""
        header, packets, lost = self.header, 0, 0
        try:
            for packet in self._container.demux(self._audio):
                packets += packet.size > 0
                try:
                    frames = packet.decode()
                except av.error.FFmpegError as error:
                    lost, reason = lost + 1, _reason(error)
                    continue
                for frame in frames:
                    if (frame.sample_rate, frame.layout.nb_channels) != (header.sample_rate, header.channels):
                        raise DecodingStopped(
                            f"it goes on with {frame.layout.nb_channels} channels at {frame.sample_rate} Hz"
                        )
                    if len(block := _block(frame)):
                        yield block
        except av.error.FFmpegError as error:  # of the container
            raise DecodingStopped(_reason(error)) from error
        if lost > LOST_PACKETS * packets:
            raise DecodingStopped(f"{lost} of {packets} packets: {reason}")

    def position(self) -> int | None:
        """None: FFmpeg decodes what is there, whatever was declared."""
        return None

    def close(self) -> None:
        """Close FFmpeg's side."""
        self._container.close()

    def _own_header(self, name: str, stream: FileIO) -> Header:
        audio, frames = self._audio, None
        if name != "AAC" and audio.duration is not None and audio.time_base is not None:  # of AAC it is an estimate
            frames = round(audio.duration * audio.time_base * audio.sample_rate)
        stated = _asf_sizes(stream) if name == "WMA" else (0, 0)
        return Header(audio.sample_rate, audio.layout.nb_channels, frames, name, stated, _SLACK.get(name, 0))


def opened(stream: FileIO) -> AvSound:
    """Open a file."""
    return AvSound(stream)


def _header_of_libsndfile(stream: FileIO) -> Header:
    sound = SoundfileSound(stream)
    sound.close()
    return sound.header


def _asf_sizes(stream: FileIO) -> tuple[int, int]:
    """The file's size as its header has it, and as it is: FFmpeg takes a cut WMA file for a shorter one."""
    before = stream.tell()
    stream.seek(0)
    start = stream.read(_ASF_HEADER_BYTES)
    stream.seek(before)
    place = start.find(_ASF_PROPERTIES)
    if place < 0:
        return 0, 0
    return int.from_bytes(start[place + 40 : place + 48], "little"), os.fstat(stream.fileno()).st_size


def _block(frame: av.AudioFrame) -> Waveform:
    """Samples of a frame as (frames, channels)."""
    values: np.ndarray = frame.to_ndarray()  # planar (channels, frames), else (1, frames * channels)
    return as_float(values.T if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels))


def _reason(error: Exception) -> str:
    """FFmpeg's own words."""
    return getattr(error, "strerror", None) or str(error)
