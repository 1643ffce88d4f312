"""libsndfile, through soundfile: the default, and the reader of headers for the other decoders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import FileIO

import soundfile

from mcc_zoo.audio.decoders.contract import DecodingStopped, Header, NotDecodable, Waveform

_BLOCK_FRAMES = 16_384
_UNKNOWN_FRAMES = 2**62  # libsndfile's placeholders are 2**63 - 1
_NO_FILE = "File does not exist"  # libsndfile says so of an MP3 without sound frames, too; ours is there
_ERRORS = (soundfile.SoundFileError, RuntimeError, OSError)


class _Forward(soundfile.SoundFile):
    """A sound file that is read from its first frame to its last.

    soundfile seeks to where it is after each read of a file that can be sought. In an MP3 of variable bit rate that
    loses the decoder's state: measured, some 2,500 samples near zero after each block.
    """

    def seekable(self) -> bool:
        """No, whatever the file."""
        return False


class SoundfileSound:
    """A file that libsndfile reads; a `contract.Sound`.

    libsndfile gets a descriptor, never the path: from the path it would take the suffix, and decode any bytes at
    all in a file called .au, .snd, .gsm or .vox as headerless speech.

    Attributes:
        header: What the file says of itself.
        subtype: libsndfile's name of the coding of its samples.
    """

    def __init__(self, stream: FileIO) -> None:
        """Read the header."""
        self._stream = stream
        try:
            self._sound = _Forward(stream.fileno(), closefd=False)
        except _ERRORS as error:
            raise NotDecodable(_reason(error)) from error
        sound = self._sound
        frames = None if sound.frames > _UNKNOWN_FRAMES else sound.frames
        self.header = Header(sound.samplerate, sound.channels, frames, sound.format, _stated(sound))
        self.subtype: str = sound.subtype

    def blocks(self) -> Iterator[Waveform]:
        """Decode at most as many frames as the header declares."""
        frames, declared = 0, self.header.frames or 0
        while frames < declared:
            try:
                block = self._sound.read(min(_BLOCK_FRAMES, declared - frames), dtype="float32", always_2d=True)
            except _ERRORS as error:
                raise DecodingStopped(_reason(error)) from error
            if not len(block):
                return
            frames += len(block)
            yield block

    def position(self) -> int | None:
        """Where the decoder stands, which reads no further than the declared frames; others may hold any metadata."""
        return self._stream.tell() if self.header.format in ("MP3", "FLAC", "OGG") else None

    def close(self) -> None:
        """Close libsndfile's side."""
        self._sound.close()


def opened(stream: FileIO) -> SoundfileSound:
    """Open a file."""
    return SoundfileSound(stream)


def _stated(sound: _Forward) -> tuple[int, int]:
    """Audio that an uncompressed format's header declares, and that the file holds.

    libsndfile takes a cut WAV, AU, AIFF, W64 or RF64 file for a shorter one, and says so in its log alone.

    Returns:
        Two lengths in the same unit, bytes or frames; (0, 0) where the log has none.
    """
    if sound.format not in ("WAV", "WAVEX", "AU", "AIFF", "W64", "RF64"):
        return 0, 0
    log = sound.extra_info
    if frames := re.search(r"Calculated frame count (\d+) does not match value from 'ds64' chunk of (\d+)", log):
        return int(frames[2]), int(frames[1])
    lengths = {
        chunk: (int(declared), int(there or declared))
        for chunk, declared, there in re.findall(
            r"^ *(riff|data|SSND|Data Size|RIFF|FORM) *: (\d+)\b(?: \(should be (\d+)\))?", log, re.MULTILINE
        )
    }
    # The whole file's length (RIFF, FORM) is often wrong and harmless. It counts where long metadata has filled the
    # log before the line of the audio came. In W64 (riff) it is the only one that is compared.
    for chunk in ("riff", "data", "SSND", "Data Size", "RIFF", "FORM"):
        if chunk in lengths:
            return lengths[chunk]
    return 0, 0


def _reason(error: Exception) -> str:
    """The library's own words, without its names for our descriptor and our path."""
    if isinstance(error, soundfile.LibsndfileError):
        words = error.error_string.rstrip(". ")
        return "No audio found" if words.startswith(_NO_FILE) else words
    return getattr(error, "strerror", None) or str(error)
