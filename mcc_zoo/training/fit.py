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
from mcc_zoo.training.asynchronous import AsynchronousTraining, LostServerError
from mcc_zoo.training.batches import TrainingBatches
from mcc_zoo.training.checkpoint import Checkpoint
from mcc_zoo.training.cluster import Cluster
from mcc_zoo.training.finite import StopAtNonFiniteLoss, explain_bad_loss
from mcc_zoo.training.objective import Objective, join_after_log_mel
from mcc_zoo.training.resuming import CheckpointKeeper

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
    training: TrainingBatches,
    validation: tf.data.Dataset | None,
    recipe: Recipe,
    *,
    epochs: int | None = None,
    warm: bool = False,
    checkpoint: Checkpoint | None = None,
    cluster: Cluster | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Fit:
    """Train a model in place. With validation tracks, stop early and restore the best weights.

    The best epoch has the lowest validation cross-entropy: on some forty tracks it moves in finer steps than accuracy.

    Args:
        model: As `mcc_zoo.build` gives it, its mean and std those of the training tracks.
        training: Of channel features where the model starts from trained channels and the recipe freezes them.
        validation: As `mcc_zoo.training.batches.make_evaluation_batches` gives it, likewise. None: train all epochs.
        recipe: Optimiser, epochs and patience.
        epochs: Stop after so many. The learning rate follows the schedule of all of the recipe's epochs, so the
            weights are those that a full training has after as many epochs.
        warm: Whether the model starts from weights that were trained before.
        checkpoint: Where the state is kept meanwhile, and what the training goes on from if it is there.
        cluster: The cluster that trains asynchronously; None trains on the devices of the model's strategy.
        callbacks: Further Keras callbacks.

    Returns:
        The history and the best epoch.

    Raises:
        FloatingPointError: A loss became infinite or NaN.
        mcc_zoo.training.asynchronous.LostServerError: A parameter server is gone. The checkpoint has the epochs before.
    """
    epochs = epochs or recipe.max_epochs
    taught = training.target_size - len(Classifier(model).labels)
    objective = Objective(model, recipe, behind_channels=warm and recipe.warm_frozen, taught_size=taught)
    training_model = objective.compile_training_model(
        max(epochs, recipe.max_epochs), training.steps, recipe.warm_rate if warm else 1.0
    )
    stopping = None
    if validation is not None:
        stopping = keras.callbacks.EarlyStopping(
            MONITOR, mode="min", patience=recipe.patience, restore_best_weights=True
        )
    keeper = CheckpointKeeper(training_model, checkpoint, stopping)
    if keeper.is_finished:
        keeper.restore()
    else:
        own = [keeper] if stopping is None else [stopping, keeper]
        to_do = range(keeper.epochs, epochs)
        with keeper.keep_at(LostServerError):
            _run_epochs(training_model, objective, training, validation, to_do, [*own, *callbacks], cluster)
    table = pd.DataFrame(keeper.history)
    best = int(table[MONITOR].argmin()) + 1 if validation is not None else len(table)
    return Fit(table, best)


def _run_epochs(
    training_model: keras.Model,
    objective: Objective,
    training: TrainingBatches,
    validation: tf.data.Dataset | None,
    epochs: range,
    callbacks: Sequence[keras.callbacks.Callback],
    cluster: Cluster | None,
) -> None:
    """Train a compiled model for these epochs, counted from 0."""
    first = [
        keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: training.begin_epoch(epoch)),
        StopAtNonFiniteLoss(),
    ]
    precision = objective.model.dtype_policy.name
    advice = f"lower the recipe's learning rate ({objective.recipe.learning_rate:g})"
    advice += "" if precision == "float32" else f", train in float32 instead of {precision}"
    with explain_bad_loss(objective.model.name, training, advice):
        evaluated = None if validation is None else objective.add_targets(validation)
        if cluster:
            trained = AsynchronousTraining(cluster, training_model, objective, training)
            trained.fit(evaluated, epochs, [*first, *callbacks])
            return
        training_model.fit(
            objective.add_targets(training.dataset),
            validation_data=evaluated,
            initial_epoch=epochs.start,
            epochs=epochs.stop,
            callbacks=[*first, *callbacks],
            shuffle=False,  # the dataset does it
            verbose=0,
        )


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
    """Run a network over evaluation batches: for each window the values of its real steps, NaN of chunks with NaN."""
    signature = {name: tf.TensorSpec(tensor.shape, tensor.dtype) for name, tensor in network.input.items()}
    run = tf.function(
        lambda inputs: choose(network(inputs, training=False)), input_signature=[signature], autograph=False
    )
    found: dict[int, np.ndarray] = {}
    for inputs, _, rows in batches:
        is_sound = np.isfinite(inputs["chunks"]).all(axis=(1, 2, 3))
        values = np.where(is_sound[:, np.newaxis, np.newaxis], run(inputs), np.float32(np.nan))  # ReLU hides NaN
        for row, count, steps in zip(rows.numpy(), inputs["chunk_count"].numpy(), values, strict=True):
            found[int(row)] = steps[:count]
    return [found[i] for i in range(windows)]
