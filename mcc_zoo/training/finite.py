"""The first step of an epoch whose loss is not finite, and the end of the training at it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcc_zoo.training import replicas
from mcc_zoo.training.batches import TrainingBatches


class NonFiniteLossError(FloatingPointError):
    """The loss of a step, or of the validation tracks, became infinite or NaN.

    Attributes:
        epoch: Of the training, counted from 0.
        step: Of the epoch, counted from 0; None if it was the loss of the validation tracks.
    """

    def __init__(self, epoch: int, step: int | None) -> None:
        """Keep both."""
        super().__init__(epoch, step)
        self.epoch, self.step = epoch, step


class WatchedModel(keras.Model):
    """A functional Keras model that notes in its graph which step's loss is the first that is not finite.

    Keras's own callback sees the mean over an epoch's steps, on accelerators after many steps at a time.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Build the model as `keras.Model` does."""
        super().__init__(*args, **kwargs)
        options: dict[str, Any] = {
            "trainable": False,
            "synchronization": tf.VariableSynchronization.ON_READ,  # each replica its own
            "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA,
        }
        self.step = tf.Variable(0, **options)
        self.first_bad_step = tf.Variable(-1, **options)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take a step as Keras does; where several devices share it, as one device would."""
        if replicas.count_replicas() == 1:
            return super().train_step(data)
        return replicas.train_step(self, data)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure a batch, likewise."""
        if replicas.count_replicas() == 1:
            return super().test_step(data)
        return replicas.test_step(self, data)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Compute the loss, and note the step if it is the first whose loss is not finite."""
        loss = self.compute_sound_loss(x, y, y_pred, sample_weight, training)
        if training:
            is_first = tf.logical_and(self.first_bad_step < 0, tf.logical_not(tf.math.is_finite(loss)))
            self.first_bad_step.assign(tf.where(is_first, self.step, self.first_bad_step))
            self.step.assign_add(1)
        return loss

    def compute_sound_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool = True) -> Any:
        """Compute the loss as Keras does, but NaN of chunks that are not finite: ReLU makes 0 of them."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        return tf.where(tf.reduce_all(tf.math.is_finite(x["chunks"])), loss, np.nan)


class StopAtNonFiniteLoss(keras.callbacks.Callback):
    """Ends the training of a `WatchedModel` at the first loss that is not finite, by a `NonFiniteLossError`."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Count steps from 0."""
        self._epoch = epoch
        self.model.step.assign(0)
        self.model.first_bad_step.assign(-1)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the mean over the steps so far, which a single one spoils."""
        if logs and not np.isfinite(logs["loss"]):
            found = int(self.model.first_bad_step.numpy())  # -1 where finite losses have no finite sum
            raise NonFiniteLossError(self._epoch, batch if found < 0 else found)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the losses of the validation tracks."""
        if not np.isfinite([value for name, value in (logs or {}).items() if name.startswith("val_")]).all():
            raise NonFiniteLossError(epoch, None)


@contextlib.contextmanager
def explain_bad_loss(system: str, training: TrainingBatches, advice: str) -> Iterator[None]:
    """Turn a `NonFiniteLossError` of the block into a sentence that names the tracks of its step.

    Args:
        system: What is trained.
        training: The batches that it is trained on.
        advice: What to try besides looking at these tracks.

    Raises:
        FloatingPointError: With the sentence.
    """
    try:
        yield
    except NonFiniteLossError as error:
        epoch, step = error.epoch + 1, error.step
        if step is None:
            what = f"the loss of the validation tracks was not finite after epoch {epoch}"
            tracks = f"the validation tracks and those of the last step ({training.list_names(training.steps - 1)})"
        else:
            what = f"the loss was not finite in step {step + 1} of epoch {epoch}"
            tracks = f"the tracks of this step ({training.list_names(step)})"
            if step:  # whose gradient the weights come from
                tracks += f" and of the one before ({training.list_names(step - 1)})"
        raise FloatingPointError(f"{system}: {what}: {advice}, or look at {tracks}") from error
