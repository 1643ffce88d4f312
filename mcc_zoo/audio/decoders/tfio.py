"""tensorflow-io's operations for WAV, FLAC, Ogg Vorbis and MP3, on TensorFlow 2.17.1.

libsndfile reads the header first: tensorflow-io gives no length by which a cut could be detected, ends the process on
some damaged headers, and reads 32-bit integers as floats. It refuses undamaged WAV files whose audio has an odd number
of bytes, or whose RIFF size is wrong. TensorFlow is imported when the first block is decoded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Iterator
from io import FileIO

from mcc_zoo.audio.decoders.contract import DecodingStopped, OtherFormat, Waveform, scale_to_float
from mcc_zoo.audio.decoders.libsndfile import SoundfileSound
from mcc_zoo.audio.limits import UNKNOWN_BYTES

SUBTYPES = {
    "WAV": {"PCM_U8", "PCM_16", "PCM_24", "FLOAT"},
    "WAVEX": {"PCM_U8", "PCM_16", "PCM_24", "FLOAT"},
    "FLAC": {"PCM_S8", "PCM_16", "PCM_24"},
    "OGG": {"VORBIS"},
    "MP3": {"MPEG_LAYER_III"},
}
_BLOCK_FRAMES = 16_384


class TfioSound:
    """A file that tensorflow-io reads; a `contract.Sound`.

    Attributes:
        header: What the file's header declares, read by libsndfile.
    """

    def __init__(self, stream: FileIO) -> None:
        """Read the header."""
        self._stream = stream
        sound = SoundfileSound(stream)
        sound.close()
        self.header = sound.header
        if sound.header.declared_and_present[0] >= UNKNOWN_BYTES:  # it would allocate them and crash
            self.header = dataclasses.replace(sound.header, frames=None)
        if sound.subtype not in SUBTYPES.get(sound.header.format, ()):
            raise OtherFormat(f"its format is {sound.header.format}, {sound.subtype}")
        # An absolute path: TensorFlow would open a path that begins with gs:// on Google Cloud Storage.
        self._path = os.path.abspath(os.fsencode(stream.name))

    def decode_blocks(self) -> Iterator[Waveform]:
        """Decode every frame that tensorflow-io finds."""
        import tensorflow as tf
        import tensorflow_io

        try:
            tensor, start = tensorflow_io.audio.AudioIOTensor(self._path), 0
        except (tf.errors.OpError, ValueError) as error:
            raise OtherFormat(_get_reason(error)) from error
        try:
            frames, channels = (int(size) for size in tensor.shape)
            if (int(tensor.rate), channels) != (self.header.sample_rate, self.header.channels):
                raise DecodingStopped(f"tensorflow-io finds {channels} channels at {int(tensor.rate)} Hz")
            while start < frames and len(block := tensor[start : min(frames, start + _BLOCK_FRAMES)].numpy()):
                start += len(block)
                yield scale_to_float(block)
        except (tf.errors.OpError, ValueError) as error:
            raise DecodingStopped(_get_reason(error)) from error

    def get_position(self) -> int | None:
        """Position of libsndfile after the declared frames: tensorflow-io stops there too, but does not tell."""
        self._stream.seek(0)
        sound = SoundfileSound(self._stream)
        with contextlib.closing(sound):
            for _ in sound.decode_blocks():
                pass
            return sound.get_position()

    def close(self) -> None:
        """Do nothing: the tensor owns the resources."""


def open_sound(stream: FileIO) -> TfioSound:
    """Open a file."""
    return TfioSound(stream)


def _get_reason(error: Exception) -> str:
    """Get TensorFlow's message, without the names of nodes, devices and operations."""
    words = re.sub(r"\{\{.*?\}\}|\[Op:.*?\]", "", str(error).splitlines()[0])
    return f"tensorflow-io: {words.strip()}"
