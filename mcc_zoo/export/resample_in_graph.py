"""Change of the sample rate inside the graph, by TensorFlow's core operations.

The filter is that of soxr's quality HQ, with which files are read elsewhere: a sinc under a Kaiser window. It is
applied in the frequency domain to frames of audio, so that any two rates go together.
"""

from __future__ import annotations

import functools
import math
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
FILTERS = (WHOLE_RATIO, OTHER_RATIO, LARGE_RATIO)
TABLE_START, TABLE_END, TABLE_STEP = 0.9, 1.02, 1e-4  # of the lower Nyquist frequency: before it 1, behind it 0
UNITS, FRAME = 100, 24  # the most units that a second is cut into, and how many of them are a frame
GROUP = 16  # frames that are transformed together, which is several times as fast as one by one


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
        lambda: _resample_frames(audio, tf.cast(rate, tf.int64), sample_rate),
    )
    return tf.ensure_shape(changed, (None,))


def count_resampled(samples: tf.Tensor, rate: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Count samples · sample_rate / rate, rounded to the nearest whole number: an int64 tensor."""
    samples, rate = tf.cast(samples, tf.int64), tf.cast(rate, tf.int64)
    return (2 * samples * sample_rate + rate) // (2 * tf.maximum(rate, 1))


def _resample_frames(audio: tf.Tensor, rate: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Filter overlapping frames and keep the middle of each, which knows all that the filter asks for (overlap-save).

    A frame and its overlap are whole numbers of units, and a unit is a whole number of samples at either rate.
    """
    samples = tf.size(audio, tf.int64)
    wanted = count_resampled(samples, rate, sample_rate)
    per_second, frame, overlap = _choose_frames(rate, sample_rate)
    unit, new_unit, hop = rate // per_second, sample_rate // per_second, frame - overlap
    lead = overlap * new_unit // 2  # what is dropped at the start of each frame
    early = overlap * new_unit - lead  # how much earlier than the audio the first kept sample is
    groups = -(-(early + wanted) // (hop * new_unit * GROUP))
    whole = (groups * GROUP * hop + overlap) * unit
    padded = tf.pad(audio, [[overlap * unit, whole - overlap * unit - samples]])
    units = tf.reshape(padded, tf.stack([-1, unit]))
    response = _make_low_pass(rate, sample_rate, frame * tf.minimum(unit, new_unit))

    def resample_group(starts: tf.Tensor) -> tf.Tensor:
        frames = tf.reshape(tf.gather(units, starts[:, tf.newaxis] + tf.range(frame)), tf.stack([GROUP, frame * unit]))
        spectrum = tf.signal.rfft(frames, [tf.cast(frame * unit, tf.int32)])[:, : tf.size(response)] * response
        return tf.signal.irfft(spectrum, [tf.cast(frame * new_unit, tf.int32)])[:, lead : lead + hop * new_unit]

    starts = tf.reshape(hop * tf.range(groups * GROUP), (-1, GROUP))
    # Group by group, because the spectrum of ten minutes at a high rate takes gigabytes.
    pieces = tf.map_fn(resample_group, starts, fn_output_signature=tf.TensorSpec((GROUP, None), tf.float32))
    return tf.reshape(pieces, [-1])[early : early + wanted]


def _choose_frames(rate: tf.Tensor, sample_rate: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Choose how many units a second has, and how many of them a frame and an overlap: scalar int64 tensors.

    From 2 kHz on, multiples of 100 Hz have frames of 0.24 s beside 44,100 Hz, whose Fourier transforms are fast. A rate
    that shares no factor with `sample_rate` has units of a second and frames of two.
    """
    units = tf.constant([n for n in range(1, UNITS + 1) if UNITS % n == sample_rate % n == 0], tf.int64)
    per_second = tf.reduce_max(tf.where(tf.equal(rate % units, 0), units, 1))
    reach = math.ceil(max(low_pass.half_samples for low_pass in FILTERS))  # samples of the lower rate, to either side
    overlap = 1 + 2 * reach * per_second // tf.minimum(rate, sample_rate)
    return per_second, tf.maximum(FRAME * per_second // UNITS, 2 * overlap), overlap


def _make_low_pass(rate: tf.Tensor, sample_rate: int, size: tf.Tensor) -> tf.Tensor:
    """Make the response for frames of some samples at the lower rate: (size / 2 + 1,) complex64."""
    lower, higher = tf.minimum(rate, sample_rate), tf.maximum(rate, sample_rate)
    frequency = 2 * tf.cast(tf.range(size // 2 + 1), tf.float32) / tf.cast(size, tf.float32)
    kind = tf.where(tf.equal(higher % lower, 0), 0, tf.where(higher > 4 * lower, 2, 1))
    table = tf.gather(np.stack([make_response_table(low_pass) for low_pass in FILTERS]), kind)
    droop = tf.gather([low_pass.droop for low_pass in FILTERS], kind) * frequency**DROOP_POWER
    place = tf.maximum((frequency - TABLE_START) / TABLE_STEP, 0.0)
    below = tf.minimum(tf.cast(place, tf.int32), tf.size(table) - 2)
    share = tf.minimum(place - tf.cast(below, tf.float32), 1.0)
    response = (1 - share) * tf.gather(table, below) + share * tf.gather(table, below + 1)
    gain = sample_rate / tf.cast(rate, tf.float32)  # the inverse transform divides by its own length
    return tf.cast(gain * response * (1 - droop), tf.complex64)


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
