"""The default decoder: soundfile where it is known to read the file whole, else FFmpeg.

`sources` looks at the file before anything is decoded, so that no file is decoded twice. soundfile reads

- WAV, RF64, W64, AIFF, AU and CAF whose header states the length of the audio;
- FLAC of 8, 16 or 24 bits that states its length, and whose first frame agrees with its header;
- Ogg that is one stream of Vorbis, without junk;
- MP3 with a Xing or Info header, in one run of frames that begins the file or follows a tag.

FFmpeg reads everything else, and these too where soundfile does not open them or declares another length. soundfile may
still stop early in a file that is sound. FFmpeg then goes on where it stopped, and the file is refused as damaged where
FFmpeg meets damage too.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import FileIO

from mcc_zoo.audio.decoders.contract import DecodingStopped, Header, NotDecodable, OtherFormat, Sound, Waveform
from mcc_zoo.audio.decoders.ffmpeg import AvSound
from mcc_zoo.audio.decoders.libsndfile import SoundfileSound
from mcc_zoo.audio.decoders.sources import Source, find_source

_TOLERANCE_FRAMES = 2_304  # two frames of MP3, by which decoders differ about delay and padding


class AutoSound:
    """A file that soundfile begins to read; a `contract.Sound`.

    Attributes:
        header: What the file's header declares.
    """

    def __init__(self, sound: SoundfileSound, stream: FileIO, source: Source) -> None:
        """Take an open sound."""
        self.header: Header = sound.header
        self._sound: SoundfileSound | AvSound = sound
        self._stream, self._source = stream, source

    def decode_blocks(self) -> Iterator[Waveform]:
        """Decode by soundfile, and by FFmpeg from where it stops."""
        frames = 0
        try:
            for block in self._sound.decode_blocks():
                frames += len(block)
                yield block
        except DecodingStopped as error:
            yield from self._decode_rest(frames, error)

    def get_position(self) -> int | None:
        """Position in the file; None where FFmpeg has read the rest."""
        return self._sound.get_position()

    def close(self) -> None:
        """Close the decoder."""
        self._sound.close()

    def _decode_rest(self, frames: int, stopped: DecodingStopped) -> Iterator[Waveform]:
        """Decode by FFmpeg from a frame on; raise what stopped soundfile where FFmpeg cannot do it without a loss."""
        self._sound.close()
        try:
            self._sound = sound = AvSound(self._stream, self._source)
        except NotDecodable:
            raise stopped from None
        like = (self.header.sample_rate, self.header.channels)
        if (sound.header.sample_rate, sound.header.channels) != like:
            raise stopped
        total = 0
        for block in sound.decode_blocks():
            if sound.lost_packets:
                raise stopped
            kept = block[max(0, frames - total) :]
            total += len(block)
            if len(kept):
                yield kept
        if sound.lost_packets or total + _TOLERANCE_FRAMES < (self.header.frames or 0):
            raise stopped


def open_sound(stream: FileIO) -> Sound:
    """Open a file."""
    try:
        source = find_source(stream)
    except NotDecodable as unknown:
        stream.seek(0)
        try:
            return SoundfileSound(stream)  # which knows more formats, and refuses them by their name
        except NotDecodable as error:
            raise (unknown if isinstance(unknown, OtherFormat) else error) from error
    if source.for_soundfile and (sound := _open_soundfile(stream, source)):
        return sound
    return AvSound(stream, source)


def _open_soundfile(stream: FileIO, source: Source) -> AutoSound | None:
    stream.seek(0)
    try:
        sound = SoundfileSound(stream)
    except NotDecodable:
        return None
    frames, seconds = sound.header.frames, source.parts[0].seconds
    agrees = seconds is None or (
        frames is not None and abs(frames - seconds * sound.header.sample_rate) <= _TOLERANCE_FRAMES
    )
    if agrees and frames and sound.header.format == source.format:
        return AutoSound(sound, stream, source)
    sound.close()
    return None
