"""The front end's parameters: sample rate, frames, mel bands, chunks, compression and level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mcc_zoo import paper

Compression = Literal["log10_1p", "log"]
Level = Literal["none", "window", "chunk"]


@dataclass(frozen=True)
class FrontEnd:
    """Parameters of the log-mel front end (Sec. 2.1 and 3).

    Attributes:
        sample_rate: Hz.
        window_length: Samples of one STFT frame.
        hop_length: Samples between the starts of two frames.
        n_mels: Mel bands, M in the paper.
        chunk_frames: STFT frames in one chunk, N in the paper.
        compression: `log10_1p` is log10(1 + 10000 x), `log` is ln(x + 1e-6), x being mel energy.
        level: What is brought to one loudness before the logarithm: a `window`, which is all chunks that the model
            reads as one track, or each `chunk`. With `none` loud and soft music differ, as in the paper.
    """

    sample_rate: int = paper.SAMPLE_RATE
    window_length: int = paper.WINDOW_LENGTH
    hop_length: int = paper.HOP_LENGTH
    n_mels: int = paper.N_MELS
    chunk_frames: int = paper.CHUNK_FRAMES
    compression: Compression = "log10_1p"  # "log-mel"; the form is P16's
    level: Level = "none"  # no step of Sec. 2.1 removes it

    def __post_init__(self) -> None:
        """Refuse numbers below 1 and unknown compressions."""
        for name in ("sample_rate", "window_length", "hop_length", "n_mels", "chunk_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)!r}: a front end needs a positive whole number here")
        if self.compression not in ("log10_1p", "log"):
            raise ValueError(f"compression={self.compression!r}: choose 'log10_1p' or 'log'")
        if self.level not in ("none", "window", "chunk"):
            raise ValueError(f"level={self.level!r}: choose 'none', 'window' or 'chunk'")

    @property
    def chunk_samples(self) -> int:
        """Samples that one chunk spans: its last frame reaches past the last hop (82,944 by default)."""
        return (self.chunk_frames - 1) * self.hop_length + self.window_length

    @property
    def chunk_hop(self) -> int:
        """Samples between the starts of two chunks (81,920 by default)."""
        return self.chunk_frames * self.hop_length

    @property
    def chunk_seconds(self) -> float:
        """Seconds between the starts of two chunks (1.858 by default)."""
        return self.chunk_hop / self.sample_rate


FRONT_ENDS = {
    "44k": FrontEnd(level="window"),  # a chunk every 1.858 s
    "22k": FrontEnd(sample_rate=22_050, level="window"),  # every 3.715 s, as "every 3.712 s" has it; GTZAN's rate
    "paper": FrontEnd(),  # Sec. 2.1 to the letter
}
LOG10_1P_SCALE = 10_000.0  # P16's extractor
LOG_OFFSET = 1e-6  # ours
