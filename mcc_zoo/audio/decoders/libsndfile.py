"""libsndfile, through soundfile: the default decoder; the other decoders read headers with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import FileIO

import soundfile

from mcc_zoo.audio.decoders.contract import DecodingStopped, Header, NotDecodable, Waveform

_BLOCK_FRAMES = 16_384
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
        try:
            self._sound = _SequentialFile(stream.fileno(), closefd=False)
        except _ERRORS as error:
            raise NotDecodable(_get_reason(error)) from error
        sound = self._sound
        frames = None if sound.frames > _UNKNOWN_FRAMES else sound.frames
        self.header = Header(sound.samplerate, sound.channels, frames, sound.format, _read_lengths(sound))
        self.subtype: str = sound.subtype

    def decode_blocks(self) -> Iterator[Waveform]:
        """Decode at most as many frames as the header declares."""
        frames, declared = 0, self.header.frames or 0
        while frames < declared:
            try:
                block = self._sound.read(min(_BLOCK_FRAMES, declared - frames), dtype="float32", always_2d=True)
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


def _read_lengths(sound: _SequentialFile) -> tuple[int, int]:
    """Read the length that the header of an uncompressed file declares, and the length that is present.

    libsndfile reads a cut WAV, AU, AIFF, W64 or RF64 file as a shorter one; only its log tells the difference.

    Returns:
        Both in bytes, or both in frames; (0, 0) where the log has neither.
    """
    if sound.format not in ("WAV", "WAVEX", "AU", "AIFF", "W64", "RF64"):
        return 0, 0
    log = sound.extra_info
    if frames := re.search(r"Calculated frame count (\d+) does not match value from 'ds64' chunk of (\d+)", log):
        return int(frames[2]), int(frames[1])
    lengths = {
        chunk: (int(declared), int(present or declared))
        for chunk, declared, present in re.findall(
            r"^ *(riff|data|SSND|Data Size|RIFF|FORM) *: (\d+)\b(?: \(should be (\d+)\))?", log, re.MULTILINE
        )
    }
    # The length of the whole file (RIFF, FORM) is often wrong, which is harmless. It is used where long metadata filled
    # the log before the line about the audio. In W64 (riff) it is the only length that libsndfile compares.
    for chunk in ("riff", "data", "SSND", "Data Size", "RIFF", "FORM"):
        if chunk in lengths:
            return lengths[chunk]
    return 0, 0


def _get_reason(error: Exception) -> str:
    """Get libsndfile's message, without the descriptor."""
    if isinstance(error, soundfile.LibsndfileError):
        words = error.error_string.rstrip(". ")
        return "No audio found" if words.startswith(_NO_FILE) else words
    return getattr(error, "strerror", None) or str(error)
