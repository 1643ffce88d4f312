"""Arrays as a stream that TensorFlow does not tune.

Keras tunes those that it makes of arrays, and who frees one of them may wait half a minute.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from mcc_zoo.training.draws import UNTUNED


def in_one_batch(*arrays: Any) -> tf.data.Dataset:
    """Stream arrays of inputs, targets and weights, or dictionaries of them, as `fit` takes them."""
    return tf.data.Dataset.from_tensors(arrays).with_options(UNTUNED)
