"""WAV files made byte by byte, right and wrong, without the package's own writer."""

from __future__ import annotations

import struct

import numpy as np


def wav(
    samples: np.ndarray,
    rate: int = 44_100,
    *,
    coding: int = 1,
    bits: int = 16,
    block: int | None = None,
    channels: int | None = None,
    declared: int | None = None,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """Make a WAV file of int16 samples (frames,) or (frames, channels); the rest of the arguments are lies.

    Args:
        samples: What is there.
        rate: Hz.
        coding: 1 is PCM, 3 float, 0xFFFE the longer header with 1 in it.
        bits: That the header gives a sample.
        block: Bytes that it gives a frame.
        channels: That it gives.
        declared: Bytes of audio that it gives.
        before: Chunks between the format and the audio.
        after: What follows the audio.
    """
    data = np.asarray(samples, "<i2").tobytes()
    if channels is None:
        channels = 1 if np.ndim(samples) == 1 else np.shape(samples)[1]
    block = 2 * channels if block is None else block
    form = struct.pack("<HHIIHH", coding, channels, rate, rate * block & 0xFFFFFFFF, block, bits)
    if coding == 0xFFFE:
        form += struct.pack("<HHIH14s", 22, 16, 3, 1, b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71")
    size = len(data) if declared is None else declared
    chunks = chunk(b"fmt ", form) + before + b"data" + struct.pack("<I", size) + data + after
    return b"RIFF" + struct.pack("<I", 4 + len(chunks) & 0xFFFFFFFF) + b"WAVE" + chunks


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def integers(seed: int, *shape: int, scale: float = 3_000.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=scale, size=shape).astype(np.int16)
