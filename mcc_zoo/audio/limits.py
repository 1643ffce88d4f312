"""Limits of the audio that is accepted: sample rate, channels, amplitude, length."""

from __future__ import annotations

MIN_SAMPLE_RATE = 1_000  # Hz
MAX_SAMPLE_RATE = 768_000  # Hz
MAX_CHANNELS = 64
MAX_AMPLITUDE = 100.0  # times full scale; integers written as floats are far above
SILENT_DBFS = -70.0  # ours: under the noise of a tape or of 12 bits; what never reaches it is no music
MAX_SECONDS = 86_400.0  # a day
MIN_COMPLETE = 0.9  # share of the declared audio that has to be present
UNKNOWN_BYTES = 0x7FFF_0000  # programs that do not know the length declare as much or more
