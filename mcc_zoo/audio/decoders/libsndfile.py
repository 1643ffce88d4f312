"""libsndfile, through soundfile; `auto` decodes by it where it reads the file whole."""

from __future__ import annotations

from collections.abc import Iterator
from io import FileIO

import soundfile

from mcc_zoo.audio.decoders import mp3, riff
from mcc_zoo.audio.decoders.contract import DecodingStopped, Header, NotDecodable, Waveform
from mcc_zoo.audio.decoders.pieces import Reader

_BLOCK_SAMPLES = 1 << 17  # of all channels: fewer calls than with small blocks, and it stays in the processor's cache
_UNKNOWN_FRAMES = 2**62  # libsndfile's placeholders are 2**63 - 1
_NO_FILE = "File does not exist"  # libsndfile's error for an MP3 without audio frames, too
_ERRORS = (soundfile.SoundFileError, RuntimeError, OSError)


class _SequentialFile(soundfile.SoundFile):
    """A sound file that is read from its first frame to its last, without seeking.

    After each read of a seekable file soundfile seeks to the position where it already is. In an MP3 of variable bit
    rate this resets the decoder: about 2,500 samples after each block were measured to be near zero.
    """

    def seekable(self) -> bool:
        """False for every file."""
        return False


class SoundfileSound:
    """A file that libsndfile reads; a `contract.Sound`.

    libsndfile gets a descriptor, never the path: it would go by the suffix, and decode any bytes in a file called
    .au, .snd, .gsm or .vox as headerless speech.

    Attributes:
        header: What the file's header declares.
        subtype: The coding of its samples, as libsndfile names it.
    """

    def __init__(self, stream: FileIO) -> None:
        """Read the header."""
        self._stream = stream
        sizes, fault = _read_sizes(stream)
        try:
            self._sound = _SequentialFile(stream.fileno(), closefd=False)
        except _ERRORS as error:
            raise NotDecodable(_get_reason(error)) from error
        sound = self._sound
        frames = None if sound.frames > _UNKNOWN_FRAMES else sound.frames
        if sound.format == "MP3" and not _declares_length(stream):
            frames = None
        self.header = Header(sound.samplerate, sound.channels, frames, sound.format, sizes, fault=fault)
        self.subtype: str = sound.subtype

    def decode_blocks(self) -> Iterator[Waveform]:
        """Decode at most as many frames as the header declares."""
        frames, declared = 0, self.header.frames
        most = max(1, _BLOCK_SAMPLES // self.header.channels)
        while declared is None or frames < declared:
            size = most if declared is None else min(most, declared - frames)
            try:
                block = self._sound.read(size, dtype="float32", always_2d=True)
            except _ERRORS as error:
                raise DecodingStopped(_get_reason(error)) from error
            if not len(block):
                return
            frames += len(block)
            yield block

    def get_position(self) -> int | None:
        """Position in the file; None for formats in which metadata of any length may follow the audio."""
        return self._stream.tell() if self.header.format in ("MP3", "FLAC", "OGG") else None

    def close(self) -> None:
        """Close libsndfile's handle."""
        self._sound.close()


def open_sound(stream: FileIO) -> SoundfileSound:
    """Open a file."""
    return SoundfileSound(stream)


def _read_sizes(stream: FileIO) -> tuple[tuple[int, int], str]:
    """Read the bytes of audio that a file of chunks declares, those that are present, and what is wrong with them.

    libsndfile reads a cut WAV, AU, AIFF, W64 or RF64 file as a shorter one.
    """
    layout = riff.read_layout(Reader(stream))
    stream.seek(0)
    return ((0, 0), "") if layout is None else ((layout.declared, layout.present), layout.fault)


def _declares_length(stream: FileIO) -> bool:
    """Check whether an MP3 declares its length; libsndfile estimates it where it does not. The position is kept."""
    before = stream.tell()
    declares = mp3.declares_length(Reader(stream))
    stream.seek(before)
    return declares


def _get_reason(error: Exception) -> str:
    """Get libsndfile's message, without the descriptor."""
    if isinstance(error, soundfile.LibsndfileError):
        words = error.error_string.rstrip(". ")
        return "No audio found" if words.startswith(_NO_FILE) else words
    return getattr(error, "strerror", None) or str(error)
