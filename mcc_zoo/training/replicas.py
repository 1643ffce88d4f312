"""Steps that several devices share: the numbers of one device with the whole batch.

Keras's own step differs in three ways. It gives each device's mean the same weight, also where a batch does not divide
evenly. It clips the gradient of each device, not their sum. And it gives devices nothing where a batch has fewer tracks
than there are devices, which ends the process on CPUs.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


def count_replicas() -> int:
    """Count the devices that share a step."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def divide_evenly(
    inputs: dict[str, tf.Tensor], targets: dict[str, tf.Tensor], weights: dict[str, tf.Tensor], replicas: int
) -> tuple[dict[str, tf.Tensor], ...]:
    """Repeat a batch's last track, with weight 0, until the devices can have the same number of tracks."""
    if replicas == 1:
        return inputs, targets, weights
    known = weights["tags"].shape[0]
    tracks = tf.shape(weights["tags"])[0] if known is None else known
    padded = (tracks + replicas - 1) // replicas * replicas
    rows = tf.minimum(tf.range(padded), tracks - 1)
    parts = [{name: tf.gather(values, rows) for name, values in part.items()} for part in (inputs, targets, weights)]
    is_own = tf.cast(tf.range(padded) < tracks, tf.float32)
    for name, own in parts[2].items():
        parts[2][name] = own * tf.reshape(is_own, (-1, *[1] * (own.shape.rank - 1)))
    return tuple(parts)


def train_step(model: keras.Model, data: tuple[dict[str, tf.Tensor], ...]) -> dict[str, Any]:
    """Do what `keras.Model.train_step` does, on one of several devices.

    Args:
        model: A compiled model.
        data: This device's share of a batch of `divide_evenly`.

    Returns:
        The metrics so far.
    """
    context, optimizer = tf.distribute.get_replica_context(), model.optimizer
    tracks = tf.reduce_sum(data[2]["tags"])
    share = tracks / context.all_reduce(tf.distribute.ReduceOp.SUM, tracks)
    with tf.GradientTape() as tape:
        outputs, loss = _compute_loss(model, data, tracks, training=True)
        scaled = optimizer.scale_loss(share * loss)
    gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, tape.gradient(scaled, model.trainable_variables))
    limit = getattr(optimizer, "inner_optimizer", optimizer).global_clipnorm
    if limit is not None:
        gradients, _ = tf.clip_by_global_norm(gradients, optimizer.scale_loss(limit))
    # The optimiser adds up what the devices give it; so small a norm it does not clip again.
    optimizer.apply([gradient / count_replicas() for gradient in gradients], model.trainable_variables)
    return _measure(model, data, outputs, loss, tracks)


def test_step(model: keras.Model, data: tuple[dict[str, tf.Tensor], ...]) -> dict[str, Any]:
    """Do what `keras.Model.test_step` does, as `train_step`."""
    tracks = tf.reduce_sum(data[2]["tags"])
    outputs, loss = _compute_loss(model, data, tracks, training=False)
    return _measure(model, data, outputs, loss, tracks)


def _compute_loss(
    model: keras.Model, data: tuple[dict[str, tf.Tensor], ...], tracks: tf.Tensor, training: bool
) -> tuple[Any, tf.Tensor]:
    """Compute outputs, and the mean loss of the tracks whose weight is not 0."""
    inputs, targets, weights = data
    outputs = model(inputs, training=training)
    loss = model.compute_loss(inputs, targets, outputs, weights, training=training)
    rows = tf.cast(tf.shape(weights["tags"])[0], tf.float32)
    # Keras divides a loss by all rows, and by the number of devices.
    return outputs, loss * count_replicas() * rows / tf.maximum(tracks, 1.0)


def _measure(
    model: keras.Model, data: tuple[dict[str, tf.Tensor], ...], outputs: Any, loss: tf.Tensor, tracks: tf.Tensor
) -> dict[str, Any]:
    inputs, targets, weights = data
    next(metric for metric in model.metrics if metric.name == "loss").update_state(loss, sample_weight=tracks)
    return model.compute_metrics(inputs, targets, outputs, weights)
