"""The layers that act on chunk sequences.

A sequence is padded at its end only; `chunk_count` says how many of its chunks are real.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from mcc_zoo.features.chunking import Shape

ATTENTION_RANGE = 4.0  # natural logarithm of the most that a step weighs


def valid_steps(chunk_count: Any, steps: Any, dtype: str = "float32") -> Any:
    """Make the mask of real chunks: (batch,) counts to (batch, chunks, 1) ones, and zeros on padding."""
    return ops.expand_dims(ops.cast(ops.arange(steps) < ops.expand_dims(chunk_count, -1), dtype), -1)


@keras.saving.register_keras_serializable(package="mcc_zoo")
class Standardise(keras.layers.Layer):
    """Subtract a mean and divide by a standard deviation, which are weights: they travel with `save_weights`.

    `keras.layers.Normalization(mean=, variance=)` keeps them in its config, which `load_weights` does not read. Always
    in float32, as the log-mel before it.

    Args:
        mean: Of the training tracks' log-mel values.
        std: Their standard deviation.
        **kwargs: As for any Keras layer.
    """

    def __init__(self, mean: float = 0.0, std: float = 1.0, **kwargs: Any) -> None:
        """Make both weights; no optimiser changes them."""
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.mean = self.add_weight((), keras.initializers.Constant(mean), name="mean", trainable=False)
        self.std = self.add_weight((), keras.initializers.Constant(std), name="std", trainable=False)

    def call(self, inputs: Any) -> Any:
        """Standardise values of any shape."""
        return (inputs - self.mean) / self.std

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Keep the shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Leave mean and std to the weights: Keras would otherwise write the arguments down by itself."""
        return super().get_config()


@keras.saving.register_keras_serializable(package="mcc_zoo")
class FoldChunks(keras.layers.Layer):
    """(batch, chunks, ...) to (batch * chunks, ...), so that a chunk network sees chunks as its batch.

    `keras.layers.TimeDistributed` would do the same, but over an unknown number of chunks it is silently wrong.
    """

    def call(self, inputs: Any) -> Any:
        """Merge the first two axes."""
        return ops.reshape(inputs, (-1, *inputs.shape[2:]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Merge the first two axes."""
        return (None, *input_shape[2:])


@keras.saving.register_keras_serializable(package="mcc_zoo")
class UnfoldChunks(keras.layers.Layer):
    """The inverse of `FoldChunks`: [(batch * chunks, F), the sequence (batch, chunks, ...)] to (batch, chunks, F)."""

    def call(self, inputs: list[Any]) -> Any:
        """Split the first axis as the sequence has it."""
        folded, sequence = inputs
        batch, chunks = ops.shape(sequence)[:2]
        return ops.reshape(folded, (batch, chunks, folded.shape[-1]))

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Take batch and chunks from the sequence, the size from the folded input."""
        folded, sequence = input_shape
        return (*sequence[:2], folded[-1])


@keras.saving.register_keras_serializable(package="mcc_zoo")
class CountChunks(keras.layers.Layer):
    """(batch, chunks, ...) to (batch,) int32: every chunk counts, as in a waveform batch, which has no padding."""

    def call(self, inputs: Any) -> Any:
        """Fill a vector with the length of the second axis."""
        batch, chunks = ops.shape(inputs)[:2]
        return ops.cast(ops.broadcast_to(chunks, (batch,)), "int32")

    def compute_output_spec(self, inputs: Any) -> Any:
        """One count a track."""
        return keras.KerasTensor((inputs.shape[0],), dtype="int32")


@keras.saving.register_keras_serializable(package="mcc_zoo")
class ZeroPadding(keras.layers.Layer):
    """[(batch, chunks, F), chunk_count (batch,)] to the same sequence with its padding chunks set to 0."""

    def call(self, inputs: list[Any]) -> Any:
        """Multiply by the mask."""
        sequence, chunk_count = inputs
        return sequence * valid_steps(chunk_count, ops.shape(sequence)[1], sequence.dtype)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Keep the sequence's shape."""
        return input_shape[0]


@keras.saving.register_keras_serializable(package="mcc_zoo")
class MeanOfChunks(keras.layers.Layer):
    """[(batch, chunks, F), chunk_count (batch,)] to the mean over each track's real chunks, (batch, F)."""

    def call(self, inputs: list[Any]) -> Any:
        """Sum under the mask, divide by the count."""
        sequence, chunk_count = inputs
        mask = valid_steps(chunk_count, ops.shape(sequence)[1], sequence.dtype)
        count = ops.expand_dims(ops.cast(chunk_count, sequence.dtype), -1)
        return ops.sum(sequence * mask, axis=1) / count

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Drop the chunk axis."""
        return (input_shape[0][0], input_shape[0][2])


@keras.saving.register_keras_serializable(package="mcc_zoo")
class LastChunk(keras.layers.Layer):
    """[(batch, chunks, F), chunk_count (batch,)] to what stands at each track's last real chunk, (batch, F)."""

    def call(self, inputs: list[Any]) -> Any:
        """Pick step chunk_count - 1 of every track."""
        sequence, chunk_count = inputs
        index = ops.reshape(chunk_count - 1, (-1, 1, 1))
        return ops.squeeze(ops.take_along_axis(sequence, index, axis=1), axis=1)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Drop the chunk axis."""
        return (input_shape[0][0], input_shape[0][2])


@keras.saving.register_keras_serializable(package="mcc_zoo")
class MeanSoFar(keras.layers.Layer):
    """(batch, chunks, F) to the mean over steps 0 to t at every step t; the last real step has the track's mean.

    `mcc_zoo.build` makes none. Models have it that were saved when recipes still had a pooling.
    """

    def call(self, inputs: Any) -> Any:
        """Divide the running sum by the number of steps."""
        steps = ops.arange(1, ops.shape(inputs)[1] + 1, dtype=inputs.dtype)
        return ops.cumsum(inputs, axis=1) / ops.reshape(steps, (1, -1, 1))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Keep the shape."""
        return input_shape


@keras.saving.register_keras_serializable(package="mcc_zoo")
class Orthogonal(keras.initializers.Orthogonal):
    """`keras.initializers.Orthogonal` that computes in float32: TensorFlow has no QR decomposition in bfloat16."""

    def __call__(self, shape: Shape, dtype: str | None = None) -> Any:
        """Make a matrix of this shape and dtype."""
        return ops.cast(super().__call__(shape, "float32"), dtype or keras.config.floatx())


@keras.saving.register_keras_serializable(package="mcc_zoo")
class LSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` that projects all steps' inputs in one product, before its loop.

    Keras projects step by step, and so adds up the gradient of the input kernel step by step. Weights and numbers are
    Keras's. On a GPU cuDNN does it all, and with `unroll`, which converters need, Keras. Recurrent dropout is not for
    it.
    """

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Run (batch, steps, F) to the last state, all states and both states, as Keras calls it."""
        if self.unroll or (self.use_cudnn and tf.config.list_logical_devices("GPU")):
            return super().inner_loop(sequences, initial_state, mask, training)
        if training and self.dropout:
            sequences *= ops.expand_dims(self.cell.get_dropout_mask(sequences[:, 0]), 1)
        projected = ops.transpose(ops.matmul(sequences, self.cell.kernel) + self.cell.bias, (1, 0, 2))
        recurrent_kernel = ops.cast(self.cell.recurrent_kernel, projected.dtype)
        steps = tf.shape(projected)[0]
        inputs = tf.TensorArray(projected.dtype, steps).unstack(projected)

        def step(index: Any, state: Any, memory: Any, states: Any) -> tuple[Any, ...]:
            gates = inputs.read(index) + state @ recurrent_kernel
            let_in, forget, new, out = tf.split(gates, 4, axis=-1)
            memory = tf.sigmoid(forget) * memory + tf.sigmoid(let_in) * tf.tanh(new)
            state = tf.sigmoid(out) * tf.tanh(memory)
            return index + 1, state, memory, states.write(index, state)

        start = (0, *initial_state, tf.TensorArray(projected.dtype, steps))
        # XLA, and with it a TPU, needs the limit.
        _, state, memory, states = tf.while_loop(lambda i, *_: i < steps, step, start, maximum_iterations=steps)
        return state, tf.transpose(states.stack(), (1, 0, 2)), [state, memory]


@keras.saving.register_keras_serializable(package="mcc_zoo")
class AttentionSoFar(keras.layers.Layer):
    """[(batch, chunks, F), scores (batch, chunks, 1)] to the weighted mean over steps 0 to t at every step t.

    A step weighs exp(ATTENTION_RANGE * score). Scores are between -1 and 1, as tanh gives them, so that nothing
    overflows and a running sum does what a softmax over the steps so far would.
    """

    def call(self, inputs: list[Any]) -> Any:
        """Divide the running weighted sum by the running sum of the weights."""
        sequence, scores = inputs
        weights = ops.exp(ATTENTION_RANGE * scores)
        return ops.cumsum(sequence * weights, axis=1) / ops.cumsum(weights, axis=1)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Keep the sequence's shape."""
        return input_shape[0]
