"""Change of the sample rate inside the graph, by TensorFlow's core operations.

The filter is a sinc under a Gaussian window, whose spectrum has a closed form. It is applied to a second of audio at a
time, so that any two rates go together.
"""

from __future__ import annotations

import tensorflow as tf

CUTOFF = 0.95  # of the lower Nyquist frequency: response 1/2
TRANSITION = 0.0165  # of the lower Nyquist frequency: -0.01 dB at 0.913, as soxr, and -100 dB at 1


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
    """Make the response at 0, 1/2, 1, ... Hz up to rate / 2: (rate + 1,) float32.

    A sinc times a Gaussian in time is a rectangle convolved with a Gaussian in frequency: a difference of error
    functions, of which the one about negative frequencies is 1 here.
    """
    nyquist = tf.cast(tf.minimum(rate, sample_rate), tf.float32) / 2
    frequency = tf.cast(tf.range(rate + 1), tf.float32) / 2
    gain = sample_rate / tf.cast(rate, tf.float32)  # the inverse transform divides by its own length
    return gain * tf.math.erfc((frequency / nyquist - CUTOFF) / TRANSITION) / 2
