"""One system on one split: what it is trained with, and `fit`.

Training runs the chunk network and the sequence network on cached log-mel chunks; the composition with the front end
gives the same results, and a test shows it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mcc_zoo.architectures import behind_the_channels, compose, front_end_of, labels_of
from mcc_zoo.augmentation import augment
from mcc_zoo.paper import DROPOUT, SYSTEMS, Recipe
from mcc_zoo.pipeline import UNTUNED

MONITOR = "val_tags_cross_entropy"
STEPS_PER_EXECUTION = 16  # on accelerators


@dataclasses.dataclass(frozen=True)
class Fit:
    """What came of a training run.

    Attributes:
        history: A row an epoch: losses and accuracies of training and validation.
        best_epoch: Number, from 1, of the epoch whose weights the model now has.
    """

    history: pd.DataFrame
    best_epoch: int


@functools.cache
def strategy(device: str = "auto") -> tf.distribute.Strategy:
    """Choose where to train.

    Args:
        device: `cpu`, `gpu` (all that are visible, mirrored), `tpu` (the one that TPU_NAME or the host names), or
            `auto`: GPUs where there are any, else the CPU.

    Raises:
        ValueError: The device is unknown or not there.
    """
    gpus = tf.config.list_logical_devices("GPU")
    if device == "tpu":
        try:
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        except Exception as error:  # the resolver raises whatever the environment lacks
            raise ValueError(f"--device=tpu: no TPU answers ({error}); use cpu, gpu or auto") from error
        return tf.distribute.TPUStrategy(resolver)
    if device == "gpu" and not gpus:
        raise ValueError("--device=gpu: TensorFlow sees no GPU; use cpu or auto")
    if device not in ("auto", "cpu", "gpu"):
        raise ValueError(f"--device={device!r} is not known: choose one of auto, cpu, gpu, tpu")
    if device == "cpu" and gpus:
        return tf.distribute.OneDeviceStrategy("/cpu:0")
    # On one device the default: another strategy makes its iterators anew each epoch, at half a second an epoch.
    return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()


def on_accelerator(strategy: tf.distribute.Strategy) -> bool:
    """Tell whether a strategy of `strategy` trains on GPUs or TPUs."""
    if isinstance(strategy, tf.distribute.OneDeviceStrategy):
        return False
    return isinstance(strategy, tf.distribute.TPUStrategy) or bool(tf.config.list_logical_devices("GPU"))


def precision(asked: str, device: str = "auto") -> str:
    """Choose the Keras dtype policy to train under; weights and the front end are in float32 under all of them.

    Args:
        asked: A policy's name, or `auto`: mixed_bfloat16 on TPUs, mixed_float16 on GPUs, float32 on CPUs.
        device: As for `strategy`.
    """
    if asked != "auto":
        return asked
    if device == "tpu":
        return "mixed_bfloat16"
    on_gpu = device == "gpu" or (device == "auto" and tf.config.list_physical_devices("GPU"))
    return "mixed_float16" if on_gpu else "float32"


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
    over_track = model.get_layer("sequence_network")
    wanted = {"steps": over_track.get_layer("steps").output, "tags": over_track.output["tags"]}
    inputs, outputs = _past_the_log_mel(model, wanted, behind_channels)
    read = {name: outputs[name] for name in ("steps", "tags")}
    if chunk_loss:
        x = keras.layers.Dropout(DROPOUT, name="chunk_dropout")(outputs["chunk_descriptors"])
        read["chunk_tags"] = keras.layers.Dense(len(labels_of(model)), name="chunk_tags")(x)
    return keras.Model(inputs, read, name=model.name)


def recipe_behind_channels(recipe: Recipe) -> Recipe:
    """Leave out of a recipe what changes log-mel, for a training that sees what channels made of it."""
    return dataclasses.replace(recipe, random_offset=False, gain_db=0.0, masked_bands=0, masked_frames=0)


def channel_features(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Return what a model's channels make of log-mel chunks: (chunks, n_mels, chunk_frames) to (chunks, size)."""
    standardise = model.get_layer("front_end").get_layer("standardise")
    channels, _ = behind_the_channels(model.get_layer("chunk_network"))
    shape = (None, *channels.input.shape[1:])
    # It standardises (batch, chunks, ...), here of one track.
    run = tf.function(lambda chunks: channels(standardise(chunks[tf.newaxis])[0]), [tf.TensorSpec(shape, tf.float32)])
    return lambda chunks: run(tf.constant(chunks)).numpy()


def _past_the_log_mel(
    model: keras.Model, wanted: dict[str, Any], behind_channels: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Join a model's layers past the log-mel up to `wanted` tensors of its sequence network: inputs and outputs."""
    per_chunk, over_track = model.get_layer("chunk_network"), model.get_layer("sequence_network")
    if behind_channels:
        _, per_chunk = behind_the_channels(per_chunk)
    inputs = {
        "chunks": keras.Input((None, *per_chunk.input.shape[1:]), name="chunks"),
        "chunk_count": keras.Input((), dtype="int32", name="chunk_count"),
    }
    standardise = model.get_layer("front_end").get_layer("standardise")
    chunks = inputs["chunks"] if behind_channels else standardise(inputs["chunks"])
    return inputs, compose(chunks, inputs["chunk_count"], per_chunk, keras.Model(over_track.input, wanted))


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
    has_lstm = SYSTEMS[model.name].lstm is not None
    last = has_lstm and recipe.steps_loss == "last"
    classes, front_end = len(labels_of(model)), front_end_of(model)

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
    chunk_loss = recipe.chunk_loss if SYSTEMS[model.name].lstm is not None else 0.0
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


def fit(
    model: keras.Model,
    training: tf.data.Dataset,
    validation: tf.data.Dataset | None,
    recipe: Recipe,
    *,
    epochs: int | None = None,
    seed: int = 0,
    warm: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Fit:
    """Train a model in place; with validation tracks it stops early and ends with its best weights.

    Best is the lowest cross-entropy of the validation tracks' tags: on some forty tracks it tells more than accuracy.

    Args:
        model: As `mcc_zoo.build` gives it, its mean and std those of the training tracks.
        training: As `mcc_zoo.pipeline.training_batches` gives it; of what `channel_features` made of the chunks where
            the model starts from trained channels that the recipe freezes.
        validation: As `mcc_zoo.pipeline.evaluation_batches` gives it, likewise; None trains for all epochs.
        recipe: Optimiser, epochs and patience.
        epochs: Stop after so many; the schedule of the learning rate stays that of the recipe's epochs, so that the
            weights are those that a training of all epochs passes through.
        seed: Of the augmentation.
        warm: Whether the model starts from weights that were trained before.
        callbacks: Further Keras callbacks.

    Returns:
        The history and the best epoch.

    Raises:
        FloatingPointError: The loss is not finite any more.
    """
    epochs = epochs or recipe.max_epochs
    factor = recipe.warm_rate if warm else 1.0
    scheduled = max(epochs, recipe.max_epochs)
    trained = compiled(model, recipe, scheduled, int(training.cardinality()), factor, warm and recipe.warm_frozen)
    stopping: list[keras.callbacks.Callback] = [keras.callbacks.TerminateOnNaN()]
    if recipe.average is not None:
        stopping.append(keras.callbacks.SwapEMAWeights(swap_on_epoch=True))
    if validation is not None:
        stopping.append(
            keras.callbacks.EarlyStopping(MONITOR, mode="min", patience=recipe.patience, restore_best_weights=True)
        )
    history = trained.fit(
        with_targets(training, model, recipe, seed),
        validation_data=None if validation is None else with_targets(validation, model, recipe),
        epochs=epochs,
        callbacks=[*stopping, *callbacks],
        shuffle=False,  # the dataset does it
        verbose=0,
    )
    table = pd.DataFrame(history.history)
    if not np.isfinite(table["loss"]).all():
        raise FloatingPointError(
            f"{model.name}: the loss was not finite in epoch {len(table)}: lower the recipe's learning rate"
        )
    best = int(table[MONITOR].argmin()) + 1 if validation is not None else len(table)
    return Fit(table, best)


def predict(model: keras.Model, batches: Iterable[Any], windows: int) -> list[np.ndarray]:
    """Run a model over evaluation batches.

    Args:
        model: As `mcc_zoo.build` gives it.
        batches: As `mcc_zoo.pipeline.evaluation_batches` gives it.
        windows: How many rows `mcc_zoo.pipeline.excerpts` has.

    Returns:
        For each window its taggram: (chunks, labels) probabilities, no padding.
    """
    scored = training_model(model)
    return _of_windows(scored, lambda outputs: tf.nn.softmax(outputs["steps"]), batches, windows)


def softmax_inputs(model: keras.Model, batches: Iterable[Any], windows: int) -> list[np.ndarray]:
    """Compute what a model's softmax reads of every step, nothing dropped out: as `predict`, but (chunks, D) each."""
    over_track = model.get_layer("sequence_network")
    inputs, outputs = _past_the_log_mel(model, {"read": over_track.get_layer("output_dropout").output})
    reader = keras.Model(inputs, {"read": outputs["read"]})
    return _of_windows(reader, lambda outputs: outputs["read"], batches, windows)


def _of_windows(
    network: keras.Model, of: Callable[[dict[str, tf.Tensor]], tf.Tensor], batches: Iterable[Any], windows: int
) -> list[np.ndarray]:
    """Run a network over evaluation batches: for each window the values of its real steps."""
    signature = {name: tf.TensorSpec(tensor.shape, tensor.dtype) for name, tensor in network.input.items()}
    run = tf.function(lambda inputs: of(network(inputs, training=False)), input_signature=[signature])
    found: dict[int, np.ndarray] = {}
    for inputs, _, rows in batches:
        values = run(inputs).numpy()
        for row, count, steps in zip(rows.numpy(), inputs["chunk_count"].numpy(), values, strict=True):
            found[int(row)] = steps[:count]
    return [found[i] for i in range(windows)]
