"""Train one model on one split, and predict with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mcc_zoo.models.classifier import Classifier
from mcc_zoo.recipes import Recipe
from mcc_zoo.training.objective import compiled, join_after_log_mel, training_model, with_targets

MONITOR = "val_tags_cross_entropy"


@dataclasses.dataclass(frozen=True)
class Fit:
    """What came of a training run.

    Attributes:
        history: A row an epoch: losses and accuracies of training and validation.
        best_epoch: Number, from 1, of the epoch whose weights the model now has.
    """

    history: pd.DataFrame
    best_epoch: int


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
        training: As `training_batches` gives it; of what `channel_features` made of the chunks where
            the model starts from trained channels that the recipe freezes.
        validation: As `mcc_zoo.training.batches.evaluation_batches` gives it, likewise; None trains for all epochs.
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
        batches: As `mcc_zoo.training.batches.evaluation_batches` gives it.
        windows: How many rows `mcc_zoo.training.batches.excerpts` has.

    Returns:
        For each window its taggram: (chunks, labels) probabilities, no padding.
    """
    scored = training_model(model)
    return _of_windows(scored, lambda outputs: tf.nn.softmax(outputs["steps"]), batches, windows)


def softmax_inputs(model: keras.Model, batches: Iterable[Any], windows: int) -> list[np.ndarray]:
    """Compute what a model's softmax reads of every step, nothing dropped out: as `predict`, but (chunks, D) each."""
    inputs, outputs = join_after_log_mel(model, {"read": Classifier(model).output_dropout.output})
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
