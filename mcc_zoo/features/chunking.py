"""How many frames and chunks a waveform has, in training and serving alike.

A chunk is the paper's M x N piece of spectrogram (Sec. 2.1). Frames are not centred, so a waveform of n samples has
1 + (n - window_length) // hop_length frames, and as many chunks as whole groups of `chunk_frames` frames. How long a
chunk is, and how far the next one begins behind it, says the front end: `FrontEnd.chunk_samples` and `chunk_hop`.
"""

from __future__ import annotations

from mcc_zoo.features.front_end import FrontEnd

Shape = tuple[int | None, ...]


def frames_in(samples: int, front_end: FrontEnd) -> int:
    """Count the whole STFT frames in `samples` samples.

    >>> frames_in(81_920, FrontEnd()), frames_in(82_944, FrontEnd())
    (79, 80)
    """
    return max(0, 1 + (samples - front_end.window_length) // front_end.hop_length)


def chunks_in(samples: int, front_end: FrontEnd) -> int:
    """Count the whole chunks in `samples` samples, at least one: shorter audio is padded with zeros to one chunk.

    Raises:
        ValueError: `samples` is under one window.

    >>> chunks_in(82_943 + 81_920, FrontEnd()), chunks_in(82_944 + 81_920, FrontEnd())
    (1, 2)
    """
    if samples < front_end.window_length:
        raise ValueError(too_short(samples, front_end))
    return max(1, frames_in(samples, front_end) // front_end.chunk_frames)


def samples_of(chunks: int, front_end: FrontEnd) -> int:
    """Count the samples that `chunks` consecutive chunks span.

    >>> samples_of(2, FrontEnd())
    164864
    """
    return (chunks - 1) * front_end.chunk_hop + front_end.chunk_samples


def cut_windows(chunks: int, length: int) -> list[tuple[int, int]]:
    """Cut a track into the windows that are read as one sequence.

    Args:
        chunks: Chunks of the track.
        length: Chunks of a window; the last one may have fewer.

    Returns:
        For each window its first chunk, from 0, and its number of chunks.

    >>> cut_windows(7, 3)
    [(0, 3), (3, 3), (6, 1)]
    """
    return [(first, min(length, chunks - first)) for first in range(0, chunks, length)]


def too_short(samples: int | str, front_end: FrontEnd) -> str:
    """Say why audio of so few samples is refused."""
    milliseconds = 1_000 * front_end.window_length / front_end.sample_rate
    return (
        f"audio has {samples} samples: at least one window of {front_end.window_length} samples "
        f"({milliseconds:.0f} ms at {front_end.sample_rate} Hz) is needed"
    )
