"""What a training draws anew each epoch, as a function of seed and epoch."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

# Whoever frees a stream that is tuned waits for its tuning thread, which may sleep for half a minute.
UNTUNED = tf.data.Options()
UNTUNED.autotune.enabled = False

KEPT_OF = 2  # tf.data's iterations, one is an epoch: Keras 3.15 makes two, and earlier results were drawn from these


class EpochDraws:
    """Random numbers that differ from epoch to epoch and depend on nothing but the seed and the epoch.

    A shuffled `tf.data.Dataset` draws anew whenever somebody iterates over it. What epoch 5 gets would follow from how
    often this process has done so, and a training that goes on in another process would get other numbers.

    Args:
        make: Makes a dataset of one tensor, int64 (elements, ...), drawn anew at each iteration, by a fixed seed.
    """

    def __init__(self, make: Callable[[], tf.data.Dataset]) -> None:
        """Draw those of epoch 0."""
        self._make = make
        self._start()
        self._current = tf.Variable(self._draw(0), trainable=False)

    def _start(self) -> None:
        self._iterations, self._done = iter(self._make().repeat().with_options(UNTUNED)), 0

    def _draw(self, epoch: int) -> tf.Tensor:
        if self._done > KEPT_OF * epoch:
            self._start()
        while self._done < KEPT_OF * epoch:
            next(self._iterations)
            self._done += 1
        self._done += 1
        return next(self._iterations)

    def begin_epoch(self, epoch: int) -> None:
        """Let `dataset` have the numbers of an epoch, counted from 0."""
        self._current.assign(self._draw(epoch))

    @property
    def dataset(self) -> tf.data.Dataset:
        """The elements of the epoch that was begun last, whoever iterates and how often."""
        # Read when the first element is asked for, not when an iterator is made.
        read = tf.data.Dataset.range(1).flat_map(
            lambda _: tf.data.Dataset.from_tensor_slices(self._current.read_value())
        )
        return read.apply(tf.data.experimental.assert_cardinality(self._current.shape[0]))
