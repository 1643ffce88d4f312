"""FFmpeg, through PyAV: it opens every file by itself.

FFmpeg is given the format and never guesses it: some formats that it would guess are playlists, and it would open the
files that they name. It gets a file object, and so no path, no address and no other file. `sources` finds the format
and the parts of the file that are audio, so that FFmpeg meets none of the junk around them, and each stream of a
chained file is opened by itself.

The first decoded frame tells sample rate and channels, because headers do not: Opus is 48 kHz whatever its header says,
and AAC may hold twice the rate and the channels of its header. What changes later is converted to these.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from io import FileIO

import av
import av.error
import numpy as np

from mcc_zoo.audio.decoders.contract import DecodingStopped, Header, NotDecodable, OtherFormat, Waveform, scale_to_float
from mcc_zoo.audio.decoders.pieces import PiecedFile
from mcc_zoo.audio.decoders.sources import DEMUXERS, Part, Source, find_source
from mcc_zoo.audio.limits import MIN_COMPLETE

MAX_LOST_PACKETS = 0.1  # share of the packets that may be damaged, as of the audio that may be missing

_TOLERANCE_FRAMES = {"M4A": 4_096, "WMA": 8_192, "MKA": 4_096}  # the codec's delay; WMA's last block is not flushed
_OPTIONS = {"protocol_whitelist": "pipe"}  # no file that a file names


class AvSound:
    """A file that FFmpeg reads; a `contract.Sound`.

    Attributes:
        header: What the file's header declares.
        lost_packets: Damaged packets that were left out so far.
    """

    def __init__(self, stream: FileIO, source: Source | None = None) -> None:
        """Read the header and decode the first frame.

        Args:
            stream: The file.
            source: What it is, where that is known.
        """
        self._stream = stream
        self._source = source = source or find_source(stream)
        self._container: av.container.InputContainer | None = None
        self._options = _OPTIONS
        self._packets = self.lost_packets = 0
        self._reason = ""
        try:
            seconds = self._read_seconds()
            frames = self._decode_frames()
            first = next(frames, None)
            if first is None and self.lost_packets:
                raise NotDecodable(self._reason)
            self._frames = itertools.chain([] if first is None else [first], frames)
            self.header = self._make_header(source, first, seconds)
        except av.error.FFmpegError as error:
            self.close()
            raise NotDecodable(_get_reason(error)) from error
        except BaseException:
            self.close()
            raise

    def decode_blocks(self) -> Iterator[Waveform]:
        """Decode all packets, skipping up to a tenth of them where they are damaged."""
        like = (self.header.sample_rate, self.header.channels)
        resampler: av.AudioResampler | None = None
        layout = ""
        try:
            for frame in self._frames:
                if (frame.sample_rate, frame.layout.nb_channels) == like:
                    layout = frame.layout.name
                    made = [frame]
                else:  # parts of a file that were joined
                    resampler = resampler or av.AudioResampler(format="fltp", layout=layout, rate=like[0])
                    made = resampler.resample(frame)
                yield from filter(len, map(_convert_frame, made))
        except av.error.FFmpegError as error:  # of the container
            raise DecodingStopped(_get_reason(error)) from error
        if self.lost_packets > MAX_LOST_PACKETS * self._packets:
            raise DecodingStopped(f"{self.lost_packets} of {self._packets} packets: {self._reason}")

    def get_position(self) -> int | None:
        """None: FFmpeg decodes all that is present, whatever length is declared."""
        return None

    def close(self) -> None:
        """Close FFmpeg's container."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def _read_seconds(self) -> Fraction | None:
        """Read the declared length; None where any part declares none."""
        parts = [
            self._ask_duration(part) if part.seconds is None and self._source.asks_ffmpeg else part.seconds
            for part in self._source.parts
        ]
        known = [part for part in parts if part is not None]
        return sum(known, Fraction()) if len(known) == len(parts) else None

    def _ask_duration(self, part: Part) -> Fraction | None:
        """Ask FFmpeg for the length of a part. In MP4 a list of edits that leaves out over a tenth is ignored."""
        seconds = _read_duration(*self._open(part))
        if self._source.format == "M4A" and seconds is not None:
            self._options = _OPTIONS | {"ignore_editlist": "1"}
            whole = _read_duration(*self._open(part))
            if whole is not None and seconds < MIN_COMPLETE * float(whole):
                return whole
            self._options = _OPTIONS
        return seconds

    def _make_header(self, source: Source, first: av.AudioFrame | None, seconds: Fraction | None) -> Header:
        if first is not None:
            rate, channels = first.sample_rate, first.layout.nb_channels
        else:
            assert self._container is not None
            context = self._container.streams.audio[0].codec_context
            rate, channels = context.sample_rate, context.layout.nb_channels
            if not rate:
                raise NotDecodable("it holds no audio")
        return Header(
            rate,
            channels,
            None if seconds is None else round(seconds * rate),
            source.format,
            source.declared_and_present,
            _TOLERANCE_FRAMES.get(source.format, 0),
            source.fault,
        )

    def _open(self, part: Part) -> tuple[av.container.InputContainer, av.AudioStream]:
        """Open a part, and close the one before."""
        self.close()
        file = PiecedFile(self._stream, part.spans, self._source.patch)
        try:
            self._container = av.open(
                file, "r", format=DEMUXERS[self._source.format], options=self._options, metadata_errors="replace"
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise NotDecodable(_get_reason(error)) from error
        if not self._container.streams.audio:
            raise NotDecodable("it holds no audio")
        audio = self._container.streams.audio[0]
        if audio.codec_context is None:
            raise OtherFormat("FFmpeg does not know the codec of its audio")
        return self._container, audio

    def _decode_frames(self) -> Iterator[av.AudioFrame]:
        """Decode the parts, one after the other."""
        for part in self._source.parts:
            container, audio = self._open(part)
            for packet in container.demux(audio):
                self._packets += packet.size > 0
                try:
                    frames = packet.decode()
                except av.error.FFmpegError as error:
                    self.lost_packets, self._reason = self.lost_packets + 1, _get_reason(error)
                    continue
                yield from frames


def open_sound(stream: FileIO) -> AvSound:
    """Open a file."""
    return AvSound(stream)


def _read_duration(container: av.container.InputContainer, audio: av.AudioStream) -> Fraction | None:
    """Read the length that a header declares, as FFmpeg understands it, in seconds."""
    if audio.duration is not None and audio.time_base is not None:
        return audio.duration * audio.time_base
    if container.duration is None or container.streams.video:  # the video may be longer
        return None
    return Fraction(container.duration, av.time_base)


def _convert_frame(frame: av.AudioFrame) -> Waveform:
    """Convert the samples of a frame to float32 (frames, channels)."""
    values: np.ndarray = frame.to_ndarray()  # planar (channels, frames), else (1, frames * channels)
    return scale_to_float(values.T if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels))


def _get_reason(error: Exception) -> str:
    """Get FFmpeg's message."""
    return getattr(error, "strerror", None) or str(error)
