"""Change of the sample rate inside the graph, by TensorFlow's core operations.

The filter is that of soxr's quality HQ, with which files are read elsewhere: a sinc under a Kaiser window. It is
applied in the frequency domain to a second of audio at a time, so that any two rates go together.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class LowPass(NamedTuple):
    """A low-pass filter, in units of the lower of the two rates and of its Nyquist frequency."""

    half_samples: float  # half of the length of the Kaiser window
    beta: float  # of the window
    droop: float  # what the response loses towards the Nyquist frequency: 1 - droop · frequency ** DROOP_POWER


# Fitted to the responses of soxr 1.1 at the common rates: at most 0.0065 away from them, and 0.0011 where neither rate
# is a multiple of the other. There soxr interpolates in a second stage, which costs a little below the cutoff.
WHOLE_RATIO = LowPass(97.25, 13.04, 0.0)
OTHER_RATIO = LowPass(102.0, 13.64, 0.0035)
LARGE_RATIO = LowPass(107.2, 14.36, 0.0035)  # above 4
DROOP_POWER = 14
CUTOFF = 0.95687  # of the lower Nyquist frequency: response 1/2
TABLE_START, TABLE_END, TABLE_STEP = 0.9, 1.02, 1e-4  # of the lower Nyquist frequency: before it 1, behind it 0


def resample(audio: tf.Tensor, rate: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Change the sample rate of a waveform; where it is right already, the waveform stays as it is.

    Args:
        audio: Float32 tensor (samples,), at least one.
        rate: Its rate in Hz, a positive integer scalar.
        sample_rate: The wanted rate in Hz.

    Returns:
        Float32 tensor (`count_resampled`,), in which time 0 is where it was.
    """
    changed = tf.cond(
        tf.equal(rate, sample_rate),
        lambda: audio,
        lambda: _resample_blocks(audio, tf.cast(rate, tf.int64), sample_rate),
    )
    return tf.ensure_shape(changed, (None,))


def count_resampled(samples: tf.Tensor, rate: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Count samples · sample_rate / rate, rounded to the nearest whole number: an int64 tensor."""
    samples, rate = tf.cast(samples, tf.int64), tf.cast(rate, tf.int64)
    return (2 * samples * sample_rate + rate) // (2 * tf.maximum(rate, 1))


def _resample_blocks(audio: tf.Tensor, rate: tf.Tensor, sample_rate: int) -> tf.Tensor:
    samples = tf.size(audio, tf.int64)
    seconds = (samples + rate - 1) // rate
    blocks = tf.reshape(tf.pad(audio, [[0, seconds * rate - samples]]), tf.stack([seconds, rate]))
    response = tf.cast(_make_low_pass(rate, sample_rate), tf.complex64)
    lead = sample_rate // 2  # the filter looks back and ahead, by far less than this half second

    def resample_block(block: tf.Tensor) -> tf.Tensor:
        spectrum = tf.signal.rfft(block, [tf.cast(2 * rate, tf.int32)]) * response  # a bin is half a Hz, at either rate
        return tf.roll(tf.signal.irfft(spectrum, [2 * sample_rate]), lead, 0)

    # Block by block, because the spectrum of ten minutes at a high rate takes gigabytes.
    pieces = tf.map_fn(resample_block, blocks, fn_output_signature=tf.TensorSpec((2 * sample_rate,), tf.float32))
    joined = tf.signal.overlap_and_add(pieces, sample_rate)
    return joined[lead : lead + count_resampled(samples, rate, sample_rate)]


def _make_low_pass(rate: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Make the response at 0, 1/2, 1, ... Hz up to rate / 2: (rate + 1,) float32."""
    lower, higher = tf.minimum(rate, sample_rate), tf.maximum(rate, sample_rate)
    frequency = tf.minimum(tf.cast(tf.range(rate + 1), tf.float32) / tf.cast(lower, tf.float32), TABLE_END)
    kind = tf.where(tf.equal(higher % lower, 0), 0, tf.where(higher > 4 * lower, 2, 1))
    filters = (WHOLE_RATIO, OTHER_RATIO, LARGE_RATIO)
    table = tf.gather(np.stack([make_response_table(low_pass) for low_pass in filters]), kind)
    droop = tf.gather([low_pass.droop for low_pass in filters], kind) * frequency**DROOP_POWER
    place = tf.maximum((frequency - TABLE_START) / TABLE_STEP, 0.0)
    below = tf.minimum(tf.cast(place, tf.int32), tf.size(table) - 2)
    share = tf.minimum(place - tf.cast(below, tf.float32), 1.0)
    response = (1 - share) * tf.gather(table, below) + share * tf.gather(table, below + 1)
    gain = sample_rate / tf.cast(rate, tf.float32)  # the inverse transform divides by its own length
    return gain * response * (1 - droop)


@functools.cache
def make_response_table(low_pass: LowPass) -> np.ndarray:
    """Make the response without its droop from `TABLE_START` on, in steps of `TABLE_STEP`: (steps,) float32."""
    step = 0.25  # samples of the lower rate: fine enough that the response does not overlap with its copies
    half = int(low_pass.half_samples / step)
    time = step * np.arange(-half, half + 1)
    window = np.i0(low_pass.beta * np.sqrt(1 - (time / low_pass.half_samples) ** 2))
    impulse = np.sinc(CUTOFF * time) * window
    frequency = np.arange(TABLE_START, TABLE_END, TABLE_STEP)
    return (np.cos(np.pi * np.outer(frequency, time)) @ impulse / impulse.sum()).astype(np.float32)
