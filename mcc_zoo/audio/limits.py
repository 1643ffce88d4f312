"""What audio is accepted: rates, channels, amplitude and length."""

from __future__ import annotations

MIN_SAMPLE_RATE = 1_000  # Hz
MAX_SAMPLE_RATE = 768_000  # Hz
MAX_CHANNELS = 64
MAX_AMPLITUDE = 100.0  # times full scale; a float file of integers is far above
MAX_SECONDS = 86_400.0  # a day
COMPLETE = 0.9  # share of the declared audio that has to be there
