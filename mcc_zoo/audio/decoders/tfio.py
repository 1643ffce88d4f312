"""tensorflow-io's operations for WAV, FLAC, Ogg Vorbis and MP3, on TensorFlow 2.17.1.

libsndfile reads the header first: tensorflow-io states nothing that a cut could be found by, ends the process on some
damaged headers, and takes 32-bit integers for floats. It refuses sound WAV files whose samples are an odd number of
bytes, or whose RIFF size is wrong. TensorFlow is imported with the first block.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Iterator
from io import FileIO

from mcc_zoo.audio.decoders.contract import DecodingStopped, OtherFormat, Waveform, as_float
from mcc_zoo.audio.decoders.libsndfile import SoundfileSound

SUBTYPES = {
    "WAV": {"PCM_U8", "PCM_16", "PCM_24", "FLOAT"},
    "WAVEX": {"PCM_U8", "PCM_16", "PCM_24", "FLOAT"},
    "FLAC": {"PCM_S8", "PCM_16", "PCM_24"},
    "OGG": {"VORBIS"},
    "MP3": {"MPEG_LAYER_III"},
}
_BLOCK_FRAMES = 16_384
_UNKNOWN_BYTES = 0x7FFF_0000  # as in mcc_zoo.audio: what programs write that do not know the length


class TfioSound:
    """A file that tensorflow-io reads; a `contract.Sound`.

    Attributes:
        header: What the file says of itself, by libsndfile.
    """

    def __init__(self, stream: FileIO) -> None:
        """Read the header."""
        self._stream = stream
        sound = SoundfileSound(stream)
        sound.close()
        self.header = sound.header
        if sound.header.stated[0] >= _UNKNOWN_BYTES:  # it would allocate them, and end the process
            self.header = dataclasses.replace(sound.header, frames=None)
        if sound.subtype not in SUBTYPES.get(sound.header.format, ()):
            raise OtherFormat(f"its format is {sound.header.format}, {sound.subtype}")
        # A whole path: TensorFlow would take one that begins with gs:// for a place elsewhere.
        self._path = os.path.abspath(os.fsencode(stream.name))

    def blocks(self) -> Iterator[Waveform]:
        """Decode every frame that tensorflow-io finds."""
        import tensorflow as tf
        import tensorflow_io

        try:
            tensor, start = tensorflow_io.audio.AudioIOTensor(self._path), 0
        except (tf.errors.OpError, ValueError) as error:
            raise OtherFormat(_reason(error)) from error
        try:
            frames, channels = (int(size) for size in tensor.shape)
            if (int(tensor.rate), channels) != (self.header.sample_rate, self.header.channels):
                raise DecodingStopped(f"tensorflow-io finds {channels} channels at {int(tensor.rate)} Hz")
            while start < frames and len(block := tensor[start : min(frames, start + _BLOCK_FRAMES)].numpy()):
                start += len(block)
                yield as_float(block)
        except (tf.errors.OpError, ValueError) as error:
            raise DecodingStopped(_reason(error)) from error

    def position(self) -> int | None:
        """Where libsndfile stands after the declared frames: tensorflow-io ends there too, and does not tell."""
        self._stream.seek(0)
        sound = SoundfileSound(self._stream)
        with contextlib.closing(sound):
            for _ in sound.blocks():
                pass
            return sound.position()

    def close(self) -> None:
        """Do nothing: its resources end with their tensor."""


def opened(stream: FileIO) -> TfioSound:
    """Open a file."""
    return TfioSound(stream)


def _reason(error: Exception) -> str:
    """Its own words, without the names of nodes, devices and operations around them."""
    words = re.sub(r"\{\{.*?\}\}|\[Op:.*?\]", "", str(error).splitlines()[0])
    return f"tensorflow-io: {words.strip()}"
