"""What training minimises: the model past the log-mel, its targets and weights, and the optimiser."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcc_zoo.models.architectures import compose
from mcc_zoo.models.classifier import Classifier
from mcc_zoo.paper import DROPOUT
from mcc_zoo.recipes import Recipe
from mcc_zoo.training.augmentation import augment
from mcc_zoo.training.batches import UNTUNED
from mcc_zoo.training.devices import on_accelerator

STEPS_PER_EXECUTION = 16  # on accelerators


def training_model(model: keras.Model, chunk_loss: bool = False, behind_channels: bool = False) -> keras.Model:
    """Share a model's layers past the log-mel: {chunks, chunk_count} to {steps, tags}.

    Args:
        model: As `mcc_zoo.build` gives it.
        chunk_loss: Add an output `chunk_tags` (batch, chunks, labels): scores of each chunk's fused descriptor, by a
            layer of its own that helps to train what comes before it and is no part of the model.
        behind_channels: Leave the channels out: `chunks` is what `channel_features` makes of them, (batch, chunks,
            size).

    Returns:
        A model of log-mel chunks (batch, chunks, n_mels, chunk_frames), not standardised, and chunk_count (batch,),
        with outputs `steps` (batch, chunks, labels), the scores of each step before the softmax, and `tags`.
    """
    classifier = Classifier(model)
    wanted = {"steps": classifier.output_layer.output, "tags": classifier.sequence_network.output["tags"]}
    inputs, outputs = join_after_log_mel(model, wanted, behind_channels)
    read = {name: outputs[name] for name in ("steps", "tags")}
    if chunk_loss:
        x = keras.layers.Dropout(DROPOUT, name="chunk_dropout")(outputs["chunk_descriptors"])
        read["chunk_tags"] = keras.layers.Dense(len(classifier.labels), name="chunk_tags")(x)
    return keras.Model(inputs, read, name=model.name)


def recipe_behind_channels(recipe: Recipe) -> Recipe:
    """Leave out of a recipe what changes log-mel, for a training that sees what channels made of it."""
    return dataclasses.replace(recipe, random_offset=False, gain_db=0.0, masked_bands=0, masked_frames=0)


def channel_features(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Return what a model's channels make of log-mel chunks: (chunks, n_mels, chunk_frames) to (chunks, size)."""
    classifier = Classifier(model)
    standardise, (channels, _) = classifier.standardise, classifier.split_after_channels()
    shape = (None, *channels.input.shape[1:])
    # It standardises (batch, chunks, ...), here of one track.
    run = tf.function(lambda chunks: channels(standardise(chunks[tf.newaxis])[0]), [tf.TensorSpec(shape, tf.float32)])
    return lambda chunks: run(tf.constant(chunks)).numpy()


def join_after_log_mel(
    model: keras.Model, wanted: dict[str, Any], behind_channels: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Join a model's layers past the log-mel up to `wanted` tensors of its sequence network: inputs and outputs."""
    classifier = Classifier(model)
    per_chunk = classifier.split_after_channels()[1] if behind_channels else classifier.chunk_network
    inputs = {
        "chunks": keras.Input((None, *per_chunk.input.shape[1:]), name="chunks"),
        "chunk_count": keras.Input((), dtype="int32", name="chunk_count"),
    }
    chunks = inputs["chunks"] if behind_channels else classifier.standardise(inputs["chunks"])
    over_track = keras.Model(classifier.sequence_network.input, wanted)
    return inputs, compose(chunks, inputs["chunk_count"], per_chunk, over_track)


def step_weights(chunk_count: tf.Tensor, steps: tf.Tensor, last: bool) -> tf.Tensor:
    """Weigh the loss of every step: (batch,) counts to (batch, steps) float32.

    Either every real chunk of a track weighs the same, and every track the same; or the last real step alone counts.
    The weights of a batch have mean 1, as Keras's mean over batch and steps wants.
    """
    count = tf.expand_dims(chunk_count, 1)
    if last:
        weights = tf.one_hot(chunk_count - 1, steps)
    else:
        weights = tf.sequence_mask(chunk_count, steps, tf.float32) / tf.cast(count, tf.float32)
    return weights * tf.cast(steps, tf.float32)


def with_targets(
    batches: tf.data.Dataset, model: keras.Model, recipe: Recipe, seed: int | None = None
) -> tf.data.Dataset:
    """Turn (inputs, labels, ...) batches into what `fit` takes: inputs, targets and weights of each output.

    Args:
        batches: As `mcc_zoo.pipeline` gives them.
        model: What is trained: its labels, its front end, and whether it has an LSTM.
        recipe: Which steps count, and with a seed what is done to the tracks.
        seed: Fixes the augmentation; None does none, as validation wants.
    """
    classifier = Classifier(model)
    has_lstm = classifier.has_lstm
    last = has_lstm and recipe.steps_loss == "last"
    classes, front_end = len(classifier.labels), classifier.front_end

    def add(batch: tuple[Any, ...], draw: tf.Tensor) -> tuple[dict[str, tf.Tensor], ...]:
        inputs, labels = batch[:2]
        targets = tf.one_hot(labels, classes)
        if seed is not None:
            inputs, targets = augment(inputs, targets, draw, recipe, front_end)
        steps = tf.shape(inputs["chunks"])[1]
        repeated = tf.tile(tf.expand_dims(targets, 1), (1, steps, 1))
        whole = {"steps": repeated, "tags": targets}
        weights = {
            "steps": step_weights(inputs["chunk_count"], steps, last),
            "tags": tf.ones_like(labels, tf.float32),
        }
        if has_lstm and recipe.chunk_loss:
            whole["chunk_tags"] = repeated
            weights["chunk_tags"] = step_weights(inputs["chunk_count"], steps, last=False)
        return inputs, whole, weights

    draws = tf.data.Dataset.random(seed=seed or 0, rerandomize_each_iteration=True).batch(2)
    return tf.data.Dataset.zip(batches, draws).map(add).prefetch(2).with_options(UNTUNED)


def optimizer(recipe: Recipe, epochs: int, steps: int, factor: float = 1.0) -> keras.optimizers.Optimizer:
    """Make the recipe's optimiser for a training of so many epochs of so many steps, its rate times a factor."""
    rate = factor * recipe.learning_rate
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            0.1 * rate, max(1, (epochs - 1) * steps), warmup_target=rate, warmup_steps=steps
        )
    config: dict[str, Any] = {"learning_rate": rate, "global_clipnorm": recipe.clip_norm}
    if recipe.weight_decay is not None:
        config["weight_decay"] = recipe.weight_decay
    if recipe.average is not None:
        config |= {"use_ema": True, "ema_momentum": recipe.average}
    return keras.optimizers.get({"class_name": recipe.optimizer, "config": config})


def compiled(
    model: keras.Model,
    recipe: Recipe,
    epochs: int,
    steps: int,
    factor: float = 1.0,
    behind_channels: bool = False,
) -> keras.Model:
    """Return the `training_model` of a model, compiled for so many epochs of so many steps.

    Args:
        model: As `mcc_zoo.build` gives it.
        recipe: Losses and optimiser.
        epochs: For the schedule of the learning rate.
        steps: In an epoch.
        factor: Of the learning rate.
        behind_channels: As for `training_model`.
    """
    chunk_loss = recipe.chunk_loss if Classifier(model).has_lstm else 0.0
    cross_entropy = functools.partial(keras.losses.CategoricalCrossentropy, from_logits=True)
    losses = {"steps": cross_entropy(label_smoothing=recipe.label_smoothing)}
    if chunk_loss:
        losses["chunk_tags"] = cross_entropy(label_smoothing=recipe.label_smoothing)
    with model.distribute_strategy.scope():  # Keras makes a model for the strategy under which it is built
        trained = training_model(model, bool(chunk_loss), behind_channels)
        update = optimizer(recipe, epochs, steps, factor)
        if model.dtype_policy.name == "mixed_float16":  # its gradients would underflow
            update = keras.optimizers.LossScaleOptimizer(update)
        trained.compile(
            optimizer=update,
            loss=losses,
            loss_weights={"steps": 1.0, "chunk_tags": chunk_loss} if chunk_loss else None,
            # An accelerator waits for Python after each execution; a CPU gains nothing.
            steps_per_execution=min(steps, STEPS_PER_EXECUTION) if on_accelerator(model.distribute_strategy) else 1,
            metrics={
                "tags": [
                    keras.metrics.CategoricalAccuracy(name="accuracy"),
                    keras.metrics.CategoricalCrossentropy(name="cross_entropy"),
                ]
            },
        )
    return trained
