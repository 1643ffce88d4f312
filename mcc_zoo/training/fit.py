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
from mcc_zoo.training.objective import Objective, join_after_log_mel

MONITOR = "val_tags_cross_entropy"


@dataclasses.dataclass(frozen=True)
class Fit:
    """The result of a training.

    Attributes:
        history: A row per epoch: losses and accuracies of training and validation.
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
    """Train a model in place. With validation tracks, stop early and restore the best weights.

    The best epoch has the lowest validation cross-entropy: on some forty tracks it moves in finer steps than accuracy.

    Args:
        model: As `mcc_zoo.build` gives it, its mean and std those of the training tracks.
        training: As `mcc_zoo.training.batches.make_training_batches` gives it; of channel features where the model
            starts from trained channels and the recipe freezes them.
        validation: As `mcc_zoo.training.batches.make_evaluation_batches` gives it, likewise. None: train all epochs.
        recipe: Optimiser, epochs and patience.
        epochs: Stop after so many. The learning rate follows the schedule of all of the recipe's epochs, so the
            weights are those that a full training has after as many epochs.
        seed: Fixes the augmentation.
        warm: Whether the model starts from weights that were trained before.
        callbacks: Further Keras callbacks.

    Returns:
        The history and the best epoch.

    Raises:
        FloatingPointError: The loss became infinite or NaN.
    """
    epochs = epochs or recipe.max_epochs
    objective = Objective(model, recipe, behind_channels=warm and recipe.warm_frozen)
    training_model = objective.compile_training_model(
        max(epochs, recipe.max_epochs), int(training.cardinality()), recipe.warm_rate if warm else 1.0
    )
    stopping: list[keras.callbacks.Callback] = [keras.callbacks.TerminateOnNaN()]
    if recipe.average is not None:
        stopping.append(keras.callbacks.SwapEMAWeights(swap_on_epoch=True))
    if validation is not None:
        stopping.append(
            keras.callbacks.EarlyStopping(MONITOR, mode="min", patience=recipe.patience, restore_best_weights=True)
        )
    history = training_model.fit(
        objective.add_targets(training, seed),
        validation_data=None if validation is None else objective.add_targets(validation),
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


def predict_taggrams(model: keras.Model, batches: Iterable[Any], windows: int) -> list[np.ndarray]:
    """Run a model over evaluation batches.

    Args:
        model: As `mcc_zoo.build` gives it.
        batches: As `mcc_zoo.training.batches.make_evaluation_batches` gives it.
        windows: How many rows `mcc_zoo.training.batches.list_excerpts` has.

    Returns:
        For each window its taggram: (chunks, labels) probabilities, without padding.
    """
    classifier = Classifier(model)
    inputs, outputs = join_after_log_mel(model, {"steps": classifier.output_layer.output})
    network = keras.Model(inputs, {"steps": outputs["steps"]})
    return _run_over_windows(network, lambda outputs: classifier.to_probabilities(outputs["steps"]), batches, windows)


def compute_layer_inputs(model: keras.Model, batches: Iterable[Any], windows: int) -> list[np.ndarray]:
    """Compute the inputs of a model's last layer at every step, without dropout: as `predict_taggrams`, (chunks, D)."""
    inputs, outputs = join_after_log_mel(model, {"read": Classifier(model).output_dropout.output})
    network = keras.Model(inputs, {"read": outputs["read"]})
    return _run_over_windows(network, lambda outputs: outputs["read"], batches, windows)


def _run_over_windows(
    network: keras.Model, choose: Callable[[dict[str, tf.Tensor]], tf.Tensor], batches: Iterable[Any], windows: int
) -> list[np.ndarray]:
    """Run a network over evaluation batches: for each window the values of its real steps."""
    signature = {name: tf.TensorSpec(tensor.shape, tensor.dtype) for name, tensor in network.input.items()}
    run = tf.function(
        lambda inputs: choose(network(inputs, training=False)), input_signature=[signature], autograph=False
    )
    found: dict[int, np.ndarray] = {}
    for inputs, _, rows in batches:
        values = run(inputs).numpy()
        for row, count, steps in zip(rows.numpy(), inputs["chunk_count"].numpy(), values, strict=True):
            found[int(row)] = steps[:count]
    return [found[i] for i in range(windows)]
