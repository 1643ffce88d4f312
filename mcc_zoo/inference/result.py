"""What a tagger answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True, repr=False)
class Result:
    """What a tagger says of one input; there is exactly one for each.

    Attributes:
        path: The file, or "" for a waveform.
        status: `ok`, or `refused`, and then `reason` says why and the arrays are empty.
        reason: One sentence.
        tags: Probability of each label, in the model's order; they sum to 1.
        descriptor: The track's high-level descriptor, (D,) float32.
        taggram: Each chunk's probabilities, (chunks, labels) float32. With an LSTM row t is the window's tags so far.
        chunk_descriptors: Each chunk's fused descriptor, (chunks, F) float32.
        windows: Windows that were averaged; 1 for a track no longer than those of the training.
    """

    path: str
    status: Literal["ok", "refused"]
    reason: str
    tags: dict[str, float]
    descriptor: np.ndarray
    taggram: np.ndarray
    chunk_descriptors: np.ndarray
    windows: int

    def __repr__(self) -> str:
        """Leave the arrays out."""
        said = f"tag={self.tag!r}, chunks={len(self.taggram)}" if self.status == "ok" else f"reason={self.reason!r}"
        return f"Result(path={self.path!r}, status={self.status!r}, {said})"

    @property
    def tag(self) -> str:
        """The most probable label; "" where the input was refused."""
        return max(self.tags, key=self.tags.__getitem__) if self.tags else ""
