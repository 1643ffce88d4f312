"""Music heard alike at any volume: mel energies scaled to one level before the logarithm.

A global mean and standard deviation leave the volume in the log-mel: an excerpt that is played more softly gets other
tags. Scaling energies undoes any gain of the audio; the scaled values lie where those of released music do.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from mcc_zoo.features.chunking import Shape
from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.log_mel import TENSORFLOW, FrontEndLayer, Operations, compress

MEAN_ENERGY = 1e-3  # of 400 excerpts of released music the median is 9e-4
LEAST_ENERGY = 1e-20  # far below any sound: silence stays silence, and nothing is divided by 0


def bring_to_one_level(
    energy: tf.Tensor, chunk_count: tf.Tensor, front_end: FrontEnd, operations: Operations = TENSORFLOW
) -> tf.Tensor:
    """Scale mel energies to one mean and compress them.

    Args:
        energy: (batch, chunks, n_mels, chunk_frames) mel energies.
        chunk_count: (batch,) real chunks of each track; what follows is padding, and does not count.
        front_end: Its `level` says what is scaled as one, its `compression` how to compress.
        operations: Replacements for what a runtime lacks.

    Returns:
        Log-mel of the same shape: audio times any factor gives the same values.
    """
    chunk_count = tf.cast(chunk_count, tf.int32)
    means = tf.reduce_mean(energy, (2, 3), keepdims=True)  # (batch, chunks, 1, 1)
    if front_end.level == "window":
        count = tf.reshape(chunk_count, (-1, 1, 1, 1))
        is_real = tf.reshape(tf.range(tf.shape(energy)[1]), (1, -1, 1, 1)) < count
        means = tf.reduce_sum(tf.where(is_real, means, 0.0), 1, keepdims=True) / tf.cast(count, tf.float32)
    return compress(energy * (MEAN_ENERGY / tf.maximum(means, LEAST_ENERGY)), front_end, operations)


@keras.saving.register_keras_serializable(package="mcc_zoo")
class Level(FrontEndLayer):
    """`bring_to_one_level` as a layer.

    It takes mel energies (batch, chunks, n_mels, chunk_frames) and chunk_count (batch,), and gives log-mel.
    """

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """Scale and compress."""
        energy, chunk_count = inputs
        return bring_to_one_level(energy, chunk_count, self.front_end)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Keep the shape of the chunks."""
        return input_shape[0]
