"""Audio in memory to the waveform that a model reads: mono float32, full scale 1, at the model's rate."""

from __future__ import annotations

import numpy as np
import soxr

from mcc_zoo.audio.decoders.contract import scale_to_float
from mcc_zoo.audio.limits import MAX_AMPLITUDE, MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE

SILENT = 2.0**-31  # full scale: samples in 64-bit integers that stay below it were made for another full scale


def to_waveform(samples: np.ndarray, sample_rate: float, model_rate: int) -> np.ndarray:
    """Scale, mix and resample audio as files are.

    Args:
        samples: (samples,), or (samples, channels), which are averaged. Floats have full scale ±1; integers are scaled
            by the range of their type, and unsigned ones are centred, uint8 at 128.
        sample_rate: Their rate in Hz, a whole number.
        model_rate: The rate of the result in Hz.

    Returns:
        (samples,) float32.

    Raises:
        ValueError: Type, shape or rate are not as described, or samples are not finite or far above full scale.
    """
    samples = np.asarray(samples)
    _check_rate(sample_rate)
    _check_shape(samples)
    waveform = _scale(samples)
    if waveform.ndim == 2:
        waveform = waveform.mean(axis=1, dtype=np.float32)
    if sample_rate == model_rate or not len(waveform):
        return waveform
    return soxr.resample(waveform, int(sample_rate), model_rate, quality="HQ")


def _check_rate(sample_rate: float) -> None:
    try:
        whole = int(sample_rate) == sample_rate and MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        raise ValueError(
            f"sample_rate={sample_rate!r}: give a whole number of Hz from {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}"
        )


def _check_shape(samples: np.ndarray) -> None:
    shape = samples.shape
    if len(shape) == 2 and shape[0] <= MAX_CHANNELS < shape[1]:
        raise ValueError(
            f"samples have the shape {shape}, channels first: give (samples, channels), which is samples.T"
        )
    if len(shape) not in (1, 2) or (len(shape) == 2 and not 1 <= shape[1] <= MAX_CHANNELS):
        raise ValueError(
            f"samples have the shape {shape}: give one waveform (samples,), or (samples, channels) with 1 to "
            f"{MAX_CHANNELS} channels"
        )


def _scale(samples: np.ndarray) -> np.ndarray:
    """Scale samples of any type to float32 with full scale 1, and refuse those that no music has."""
    if samples.dtype.kind not in "fiu":
        raise ValueError(f"samples are {samples.dtype}: give floats with full scale ±1, or integers")
    if samples.dtype.kind != "f":
        scaled = scale_to_float(samples)
        if samples.dtype.itemsize == 8 and samples.size and 0 < np.ptp(samples) < SILENT * 2.0**63:
            raise ValueError(
                f"samples are {samples.dtype} and use next to nothing of its range: convert them to their own type, "
                "such as int16"
            )
        return scaled
    if not np.isfinite(samples).all():
        raise ValueError("samples hold values that are not finite (NaN or infinite)")
    if (peak := np.abs(samples).max(initial=0)) > MAX_AMPLITUDE:
        raise ValueError(
            f"samples go up to {peak:g} times full scale, which is 1: scale them to ±1; if they were 16-bit integers, "
            "divide by 32768"
        )
    return scale_to_float(samples)
