"""What every decoder returns: a header, and blocks of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Waveform = npt.NDArray[np.float32]


class NotDecodable(Exception):
    """The file is not audio, or is in a format that the decoder does not read; the message is the reason alone."""


class OtherFormat(NotDecodable):
    """The file is audio, by its header, in a format that the decoder does not read."""


class DecodingStopped(Exception):
    """The decoder failed after some samples; the message is the reason alone."""


@dataclass(frozen=True)
class Header:
    """What the header of a file declares.

    Attributes:
        sample_rate: Hz.
        channels: Channels.
        frames: Samples of one channel; None where the file states no length.
        format: One of `decoders.Decoder.formats`, or another format, which is then refused.
        declared_and_present: The length that the header declares, and the length that is present: both in bytes, or
            both in frames, of the audio or of the whole file; (0, 0) where they cannot be compared.
        tolerance_frames: Frames by which the decoded length of an undamaged file may differ from the declared one.
        fault: Why the file is refused although it could be decoded; "" for nearly all.
    """

    sample_rate: int
    channels: int
    frames: int | None
    format: str
    declared_and_present: tuple[int, int] = (0, 0)
    tolerance_frames: int = 0
    fault: str = ""


class Sound(Protocol):
    """An open file."""

    @property
    def header(self) -> Header:
        """What the file's header declares."""

    def decode_blocks(self) -> Iterator[Waveform]:
        """Decode the file from its beginning: float32 (frames, channels), full scale ±1, at least one frame each.

        Raises:
            DecodingStopped: The file is damaged.
        """

    def get_position(self) -> int | None:
        """Bytes of the file that the decoder has read after the last block; None where it does not tell."""

    def close(self) -> None:
        """Close the decoder; the caller closes the stream."""


def scale_to_float(samples: npt.NDArray[Any]) -> Waveform:
    """Scale samples of any type to float32, full scale ±1; values beyond float32 become infinite.

    >>> scale_to_float(np.array([-32_768, 16_384], np.int16)), scale_to_float(np.array([0, 192], np.uint8))
    (array([-1. ,  0.5], dtype=float32), array([-1. ,  0.5], dtype=float32))
    """
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return samples.astype(np.float32)
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    centre = half if samples.dtype.kind == "u" else 0.0
    return ((samples - centre) / half).astype(np.float32)
