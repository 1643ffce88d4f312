"""What a tagger answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mcc_zoo.text import counted

Status = Literal["ok", "silent", "refused"]


@dataclass(frozen=True, repr=False)
class Result:
    """What a tagger says about one input; there is exactly one for each.

    Attributes:
        path: The file as text, or "" for a waveform. `os.fsencode` gives its bytes, UTF-8 or not.
        status: `ok`; `silent` if there is nothing to hear, or `refused` if it could not be read: `reason` then says
            why, and tags and arrays are empty.
        reason: One sentence.
        tags: Probability of each label, in the model's order. With one label a track they sum to 1; with many, each is
            between 0 and 1.
        descriptor: The track's high-level descriptor, (D,) float32.
        taggram: Each chunk's probabilities, (chunks, labels) float32. With an LSTM row t is the window's tags so far.
        chunk_descriptors: Each chunk's fused descriptor, (chunks, F) float32.
        windows: Windows that were averaged; 1 for a track no longer than those of the training.
        chunk_seconds: Seconds between the starts of two chunks.
        thresholds: With many labels a track, for each label the probability from which on it is given; else empty.
    """

    path: str
    status: Status
    reason: str
    tags: dict[str, float]
    descriptor: np.ndarray
    taggram: np.ndarray
    chunk_descriptors: np.ndarray
    windows: int
    chunk_seconds: float
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Show the three most probable tags and the length, not the arrays."""
        if self.status != "ok":
            return f"<Result: {self.path or 'waveform'!r} {self.status}: {self.reason}>"
        tags = ", ".join(f"{label} {probability:.0%}" for label, probability in self.top(3))
        chunks, windows = len(self.taggram), counted(self.windows, "window")
        seconds = chunks * self.chunk_seconds
        return f"<Result: {self.path or 'waveform'!r}: {tags}; {counted(chunks, 'chunk')}, {seconds:.1f} s, {windows}>"

    @property
    def tag(self) -> str:
        """The most probable label; "" where there are no tags."""
        return max(self.tags, key=self.tags.__getitem__) if self.tags else ""

    @property
    def times(self) -> np.ndarray:
        """Seconds at the start of each chunk, (chunks,) float64."""
        return np.arange(len(self.taggram)) * self.chunk_seconds

    def above(self) -> list[tuple[str, float]]:
        """List the labels that the track is given, with their probabilities, the most probable first.

        With many labels a track, those whose probability reaches the model's threshold: none to all. With one, that
        one.
        """
        if not self.thresholds:
            return self.top(1) if self.tags else []
        return [(label, value) for label, value in self.top(len(self.tags) or 1) if value >= self.thresholds[label]]

    def top(self, n: int = 3) -> list[tuple[str, float]]:
        """List the n most probable labels with their probabilities, the most probable first.

        Raises:
            ValueError: n is under 1.
        """
        if n < 1:
            raise ValueError(f"n={n!r}: give 1 or more labels to list")
        return sorted(self.tags.items(), key=lambda tag: -tag[1])[:n]
