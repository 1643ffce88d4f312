"""Whether a clip has sound, in the graph: as `mcc_zoo.audio.sound` finds it out of blocks."""

from __future__ import annotations

import tensorflow as tf

from mcc_zoo.audio.sound import LEAST_POWER, LEAST_SEGMENTS
from mcc_zoo.features.front_end import FrontEnd


def segment_samples(front_end: FrontEnd) -> int:
    """Samples of a segment (1,024, or 23 ms, by default)."""
    return min(front_end.hop_length, front_end.window_length)


def has_sound(audio: tf.Tensor, length: tf.Tensor, front_end: FrontEnd) -> tf.Tensor:
    """Find the clips that have sound, as part of a graph.

    Args:
        audio: (batch, samples) float32.
        length: (batch,) samples of each clip that are not padding, at least one window.
        front_end: Its parameters.

    Returns:
        (batch,) bool.
    """
    size = segment_samples(front_end)
    count = tf.shape(audio)[1] // size
    segments = tf.reshape(audio[:, : count * size], (-1, count, size))
    whole = length // size
    is_loud = (tf.math.reduce_variance(segments, -1) >= LEAST_POWER) & tf.sequence_mask(whole, count)
    return tf.reduce_sum(tf.cast(is_loud, tf.int32), 1) >= tf.minimum(whole, LEAST_SEGMENTS)
