"""Whether there is anything to hear: silence, a constant offset and channels that cancel out are no music.

A recording has sound if in some segments its samples, less their mean, reach an RMS of -70 dBFS: in four, a tenth of a
second, so that a click does not count; in all of them where there are fewer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from mcc_zoo.audio.limits import SILENT_DBFS
from mcc_zoo.features.front_end import FrontEnd

LEAST_POWER = 10 ** (SILENT_DBFS / 10)
LEAST_SEGMENTS = 4
NO_SOUND = f"nothing in it reaches {SILENT_DBFS:g} dBFS once its channels are mixed; check the recording"


def segment_samples(front_end: FrontEnd) -> int:
    """Samples of a segment (1,024, or 23 ms, by default)."""
    return min(front_end.hop_length, front_end.window_length)


def has_sound(audio: tf.Tensor, length: tf.Tensor, front_end: FrontEnd) -> tf.Tensor:
    """Find the clips that have sound, as part of a graph.

    Args:
        audio: (batch, samples) float32.
        length: (batch,) samples of each clip that are not padding, at least one window.
        front_end: Its parameters.

    Returns:
        (batch,) bool.
    """
    size = segment_samples(front_end)
    count = tf.shape(audio)[1] // size
    segments = tf.reshape(audio[:, : count * size], (-1, count, size))
    whole = length // size
    is_loud = (tf.math.reduce_variance(segments, -1) >= LEAST_POWER) & tf.sequence_mask(whole, count)
    return tf.reduce_sum(tf.cast(is_loud, tf.int32), 1) >= tf.minimum(whole, LEAST_SEGMENTS)


class SoundMeter:
    """Finds out which parts of a waveform that passes in blocks have sound."""

    def __init__(self, front_end: FrontEnd) -> None:
        """Begin with nothing heard."""
        self._front_end = front_end
        self._size = segment_samples(front_end)
        self._is_loud: list[np.ndarray] = []
        self._rest = np.empty(0, np.float32)

    def listen(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Pass on blocks (samples,) of one waveform."""
        for block in blocks:
            self._measure(block)
            yield block

    @property
    def has_sound(self) -> bool:
        """Whether the blocks so far had sound."""
        return _has_enough(self._join())

    def find_sound(self, windows: int, window_chunks: int | None) -> list[bool]:
        """Find out which windows of the blocks so far have sound.

        Args:
            windows: Number of windows.
            window_chunks: Chunks from the start of a window to that of the next; None for one window of all chunks.
        """
        is_loud = self._join()
        step = (window_chunks or 0) * self._front_end.chunk_hop // self._size
        parts = (is_loud[i * step : (i + 1) * step if i + 1 < windows else None] for i in range(windows))
        return [_has_enough(part) for part in parts]

    def _join(self) -> np.ndarray:
        return np.concatenate([np.empty(0, bool), *self._is_loud])

    def _measure(self, block: np.ndarray) -> None:
        samples = np.concatenate([self._rest, block]) if len(self._rest) else block
        count = len(samples) // self._size
        segments, self._rest = samples[: count * self._size].reshape(count, self._size), samples[count * self._size :]
        changes = segments - segments[:, :1]  # a large offset would leave little of float32's digits to the sound
        power = np.einsum("ij,ij->i", changes, changes) / self._size - changes.mean(axis=1) ** 2
        self._is_loud.append(power >= LEAST_POWER)


def _has_enough(is_loud: np.ndarray) -> bool:
    return int(is_loud.sum()) >= min(len(is_loud), LEAST_SEGMENTS)
