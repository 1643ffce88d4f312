"""Table 1 made executable: the three channels of differently shaped filters, on one chunk.

A channel is a convolution, max pooling and a ReLU. Bias and ReLU come after the pooling here: the maximum of
relu(x + bias) is relu(maximum of x + bias), and pooling leaves them less to do.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from mcc_zoo.features.chunking import Shape
from mcc_zoo.paper import FILTERS, Channel


@keras.saving.register_keras_serializable(package="mcc_zoo")
class PooledConv2D(keras.layers.Conv2D):
    """Valid convolution, max pooling and ReLU in one layer, with the weights of a `keras.layers.Conv2D`.

    A kernel of one row, (1, n), on one input channel is computed as a product with a banded matrix: a row of N frames
    times an N x (N - n + 1) * filters matrix, in which column t holds the kernel shifted by t. It gives the numbers
    of the convolution, and on a CPU its gradient is several times as fast. A kernel of one column is a kernel of one
    row on the transposed chunk.

    Args:
        filters: Kernels.
        kernel_size: (frequency, time).
        pool_size: (frequency, time); also the stride of the pooling.
        **kwargs: As for `keras.layers.Conv2D`.
    """

    def __init__(self, filters: int, kernel_size: tuple[int, int], pool_size: tuple[int, int], **kwargs: Any) -> None:
        """Keep the pool's size."""
        super().__init__(filters, kernel_size, **kwargs)
        self.pool_size = tuple(pool_size)

    def call(self, inputs: Any) -> Any:
        """(batch, bands, frames, channels) to (batch, pooled bands, pooled frames, filters)."""
        if 1 not in self.kernel_size or inputs.shape[-1] != 1:
            x = ops.max_pool(self.convolution_op(inputs, self.kernel), self.pool_size, self.pool_size)
        elif self.kernel_size[0] == 1:
            x = ops.max_pool(self._banded_product(inputs), self.pool_size, self.pool_size)
        else:
            transposed = self._banded_product(ops.swapaxes(inputs, 1, 2))
            x = ops.swapaxes(ops.max_pool(transposed, self.pool_size[::-1], self.pool_size[::-1]), 1, 2)
        return ops.relu(x + self.bias)

    def _banded_product(self, inputs: Any) -> Any:
        """(batch, rows, length, 1) to (batch, rows, length - width + 1, filters), one kernel along the rows."""
        rows, length = inputs.shape[1:3]
        width = max(self.kernel_size)
        shifts = length - width + 1
        kernel = ops.cast(ops.reshape(self.kernel, (width, self.filters)), inputs.dtype)
        # The kernel and `shifts` zeros, over and over, read in rows that are one shorter: a shear makes the band.
        padded = ops.pad(kernel, ((0, shifts), (0, 0)))
        sheared = ops.reshape(ops.tile(padded, (shifts, 1))[: shifts * length], (shifts, length, self.filters))
        matrix = ops.reshape(ops.transpose(sheared, (1, 0, 2)), (length, shifts * self.filters))
        product = ops.reshape(inputs, (-1, length)) @ matrix
        return ops.reshape(product, (-1, rows, shifts, self.filters))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shrink by the kernel, then by the pool."""
        batch, bands, frames, filters = super().compute_output_shape(input_shape)
        return (batch, bands // self.pool_size[0], frames // self.pool_size[1], filters)

    def get_config(self) -> dict[str, Any]:
        """Save the pool's size with the layer."""
        return {**super().get_config(), "pool_size": self.pool_size}


def channel(chunk: Any, name: str, shape: Channel, kernel_initializer: Any) -> Any:
    """Apply one channel: chunk (batch, n_mels, chunk_frames, 1) to its flattened features (batch, size)."""
    convolution = PooledConv2D(FILTERS, shape.kernel, shape.pool, kernel_initializer=kernel_initializer, name=name)
    return keras.layers.Flatten(name=f"{name}_features")(convolution(chunk))
