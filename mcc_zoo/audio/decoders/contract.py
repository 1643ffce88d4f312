"""What every decoder gives: a header, and blocks of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Waveform = npt.NDArray[np.float32]


class NotDecodable(Exception):
    """The file is no audio, or audio of a kind that the decoder does not read; the message is the reason, no more."""


class OtherFormat(NotDecodable):
    """The file is audio, as far as its header tells, of a kind that the decoder does not read."""


class DecodingStopped(Exception):
    """The decoder cannot go on after the samples that it has given; the message is the reason, no more."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes:
        sample_rate: Hz.
        channels: Channels.
        frames: Samples of one channel; None where the file states no length.
        format: A name of `decoders.Decoder.formats`, or another that is to be refused.
        stated: What the header says of its audio or file, and what is there: two lengths in the same unit, bytes or
            frames; (0, 0) where it says nothing.
        slack: Frames by which the decoded length may differ from the stated one in a sound file.
    """

    sample_rate: int
    channels: int
    frames: int | None
    format: str
    stated: tuple[int, int] = (0, 0)
    slack: int = 0


class Sound(Protocol):
    """An open file."""

    @property
    def header(self) -> Header:
        """What the file says of itself."""

    def blocks(self) -> Iterator[Waveform]:
        """Decode the file from its beginning: float32 (frames, channels), full scale ±1, each at least one frame.

        Raises:
            DecodingStopped: It is damaged.
        """

    def position(self) -> int | None:
        """Bytes that were read when the blocks have ended; None where that says nothing of what was left out."""

    def close(self) -> None:
        """Let go of the decoder; the stream is the caller's."""


def as_float(samples: npt.NDArray[Any]) -> Waveform:
    """Scale samples of any type to ±1; what is beyond float32 becomes infinite.

    >>> as_float(np.array([-32_768, 16_384], np.int16)), as_float(np.array([0, 192], np.uint8))
    (array([-1. ,  0.5], dtype=float32), array([-1. ,  0.5], dtype=float32))
    """
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return samples.astype(np.float32)
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    centre = half if samples.dtype.kind == "u" else 0.0
    return ((samples - centre) / half).astype(np.float32)
