"""Whether there is anything to hear: silence, a constant offset and channels that cancel out are no music.

A recording has sound if in some segments its samples, less their mean, reach an RMS of -70 dBFS: in four, a tenth of a
second, so that a click does not count; in all of them where there are fewer. A segment is some 23 ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from mcc_zoo.audio.limits import SILENT_DBFS

LEAST_POWER = 10 ** (SILENT_DBFS / 10)
LEAST_SEGMENTS = 4
SEGMENT_SECONDS = 0.023
NO_SOUND = (
    f"its level (RMS) reaches {SILENT_DBFS:g} dBFS for less than a tenth of a second once its channels are mixed; "
    "check the recording, or amplify it"
)


class SoundMeter:
    """Finds out which parts of a waveform that passes in blocks have sound.

    Args:
        segment: Samples of a segment.
    """

    def __init__(self, segment: int) -> None:
        """Begin with nothing heard."""
        self._size = segment
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

    def find_sound(self, windows: int, hop: int | None) -> list[bool]:
        """Find out which windows of the blocks so far have sound.

        Args:
            windows: Number of windows.
            hop: Samples from the start of a window to that of the next; None for one window of all samples.
        """
        is_loud = self._join()
        step = (hop or 0) // self._size
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
