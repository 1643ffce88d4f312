"""Asynchronous training with parameter servers: Sec. 3 of the paper, after Dean and others (NIPS 2012).

The parameter servers have the weights. The coordinator decides which tracks are in which step, as for any training, so
that an epoch reads every track once. Each worker takes the next step as soon as it is done with its last one: it reads
the weights, reads its tracks, computes the gradient, and lets the servers apply it, while others do the same. So a
gradient may belong to weights that others have changed meanwhile: the number of these changes is its staleness.

Between two epochs the coordinator fetches weights and optimiser into a model of its own, which evaluates, and which
Keras's callbacks see: early stopping, checkpoints and reports are those of any training.

`keras.Model.fit` does not work with parameter servers in Keras 3, nor do its metrics and seeds; what is here uses its
layers, losses, metrics and optimisers without their variables (`keras.StatelessScope`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcc_zoo.training.batches import TrainingBatches
from mcc_zoo.training.cluster import Cluster, connect
from mcc_zoo.training.draws import UNTUNED
from mcc_zoo.training.finite import NonFiniteLossError, WatchedModel
from mcc_zoo.training.objective import Objective

STALENESS, MOST_STALE = "staleness", "staleness_most"  # of an epoch's steps: the mean, and the largest
SEED_DTYPE = "int64"  # of the state of Keras's seed generators; no other variable of a model has it


class LostServerError(ValueError):
    """A parameter server is gone, and the weights with it."""


class UnreadableFeaturesError(ValueError):
    """A worker does not see the files of features that the coordinator has."""


def compute_gradients(
    model: WatchedModel, values: Sequence[Any], others: Sequence[Any], batch: tuple[dict[str, tf.Tensor], ...]
) -> tuple[list[tf.Tensor], tf.Tensor, list[tf.Tensor]]:
    """Compute the gradients of a step as `fit` does, without the model's own variables.

    Args:
        model: A compiled model whose metrics are built.
        values: Those of its trainable variables.
        others: Those of its other variables, among them the seeds of dropout.
        batch: Inputs, targets and weights.

    Returns:
        Gradients, in order of `values`; the loss; and what the batch adds to the variables of the metrics.
    """
    inputs, targets, weights = batch
    state = [*zip(model.trainable_variables, values, strict=True)]
    state += [*zip(model.non_trainable_variables, others, strict=True)]
    state += [(variable, tf.zeros(variable.shape, variable.dtype)) for variable in model.metrics_variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape, keras.StatelessScope(state_mapping=state) as scope:
        tape.watch(values)
        outputs = model(inputs, training=True)
        loss = model.compute_sound_loss(inputs, targets, outputs, weights)
        next(m for m in model.metrics if m.name == "loss").update_state(
            loss, sample_weight=tf.shape(inputs["chunk_count"])[0]
        )
        model.compute_metrics(inputs, targets, outputs, weights)
    metrics = [scope.get_current_value(variable) for variable in model.metrics_variables]
    return tape.gradient(loss, values), loss, metrics


class AsynchronousTraining:
    """The training of a compiled model by a cluster.

    Args:
        cluster: Its processes.
        model: As `Objective.compile_training_model` gives it. It stays on the coordinator.
        objective: What it is trained to do.
        training: The training tracks. Their cached features have to be readable on every machine, at the same path.

    Raises:
        ValueError: A process of the cluster does not answer, or the precision is mixed_float16.
    """

    def __init__(self, cluster: Cluster, model: WatchedModel, objective: Objective, training: TrainingBatches) -> None:
        """Put weights and optimiser on the parameter servers."""
        if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
            raise ValueError(
                "strategy=parameter_server does not scale losses, as mixed_float16 needs: train in float32 or "
                "mixed_bfloat16"
            )
        self._cluster, self.model, self._objective, self._training = cluster, model, objective, training
        strategy = connect(cluster)
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
        build_metrics(model, next(iter(objective.add_targets(training.dataset))))
        with _explain_loss(cluster), strategy.scope():
            self._weights = [tf.Variable(v.value, name=v.name) for v in model.trainable_variables]
            others = (v for v in model.non_trainable_variables if v.dtype != SEED_DTYPE)
            self._others = [tf.Variable(v.value, name=v.name, trainable=False) for v in others]
            self._optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
            self._optimizer.build(self._weights)
            self._updates = tf.Variable(0, trainable=False, dtype=tf.int64)
            columns = 1 + len(model.metrics_variables)
            self._notes = tf.Variable(tf.zeros((training.steps, columns)), trainable=False)
        self._step = self._trace(strategy)

    def _trace(self, strategy: tf.distribute.Strategy) -> Any:
        """Make the function that a worker runs for each step."""

        def apply(gradients: list[tf.Tensor]) -> None:
            # Copies have a device, which tf.distribute asks for.
            self._optimizer.apply([tf.identity(gradient) for gradient in gradients], self._weights)
            # Keras counts by reading and writing, between which another worker counts.
            self._optimizer.iterations.assign(tf.cast(self._updates.assign_add(1), self._optimizer.iterations.dtype))

        def run_step(rows: tf.Tensor, step: tf.Tensor, seeds: tf.Tensor) -> None:
            before = self._updates.read_value()
            with tf.control_dependencies([before]):
                values = [v.read_value() for v in self._weights]
                others = self._join_others(seeds)
            batch = self._objective.add_targets(self._training.read(rows)).get_single_element()
            gradients, _, metrics = compute_gradients(self.model, values, others, batch)
            with tf.control_dependencies(gradients):
                staleness = self._updates.read_value() - before
            with tf.control_dependencies([staleness]):
                strategy.run(apply, [gradients])
            note = tf.stack([tf.cast(value, tf.float32) for value in (staleness, *metrics)])
            self._notes.scatter_nd_update([[step]], [note])

        signature = [
            tf.TensorSpec((None, 4), tf.int64),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((None, 2), tf.int64),
        ]
        return tf.function(run_step, input_signature=signature, autograph=False)

    def _join_others(self, seeds: tf.Tensor) -> list[tf.Tensor]:
        """Read the variables that are not trained; those of dropout are `seeds`."""
        own, drawn = iter([v.read_value() for v in self._others]), iter(tf.unstack(seeds, num=len(self._seeds)))
        return [next(drawn if v.dtype == SEED_DTYPE else own) for v in self.model.non_trainable_variables]

    @property
    def _seeds(self) -> list[keras.Variable]:
        return [v for v in self.model.non_trainable_variables if v.dtype == SEED_DTYPE]

    def fit(self, validation: tf.data.Dataset | None, epochs: range, callbacks: Sequence[Any]) -> None:
        """Train for these epochs, counted from 0, as `keras.Model.fit` does.

        Args:
            validation: Batches for `keras.Model.evaluate` on the coordinator, or None.
            epochs: The epochs.
            callbacks: Keras's callbacks. They see epochs, but no steps.

        Raises:
            LostServerError: A parameter server is gone. The model is that of the last whole epoch.
            NonFiniteLossError: The loss of a step was infinite or NaN.
        """
        model = self.model
        called = keras.callbacks.CallbackList(list(callbacks), model=model, epochs=epochs.stop, verbose=0)
        model.stop_training = False
        called.on_train_begin()
        for epoch in epochs:
            called.on_epoch_begin(epoch)
            logs = self.run_epoch(epoch)
            if validation is not None:
                found = model.evaluate(validation, return_dict=True, verbose=0)
                logs |= {f"val_{name}": value for name, value in found.items()}
            called.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        called.on_train_end()

    def run_epoch(self, epoch: int) -> dict[str, float]:
        """Train for an epoch, counted from 0, from the model's weights, and fetch those that it comes to.

        Returns:
            Keras's logs of the epoch's steps, and their staleness.

        Raises:
            LostServerError: A parameter server is gone. The model is what it was.
            NonFiniteLossError: The loss of a step was infinite or NaN.
        """
        with _explain_loss(self._cluster):
            self._send()
            seeds = [v.numpy() for v in self._seeds]
            for step, rows in enumerate(self._training.plan.with_options(UNTUNED)):
                # As in `fit`, where every step adds 1 to what it draws dropout from.
                drawn = np.reshape([value + [0, step] for value in seeds], (-1, 2)).astype(np.int64)
                self._coordinator.schedule(self._step, args=(rows, tf.constant(step), tf.constant(drawn)))
            self._coordinator.join()
            notes = self._notes.numpy()
            self._fetch()
        for variable, value in zip(self._seeds, seeds, strict=True):
            variable.assign(value + [0, len(notes)])
        if bad := np.flatnonzero(~np.isfinite(notes).all(axis=1)).tolist():
            raise NonFiniteLossError(epoch, bad[0])
        return self._summarise(notes)

    def _send(self) -> None:
        """Set the servers' weights and optimiser to the model's."""
        for theirs, own in zip(self._list_remote(), self._list_local(), strict=True):
            theirs.assign(own.value)
        self._updates.assign(tf.cast(self.model.optimizer.iterations.value, tf.int64))

    def _fetch(self) -> None:
        """Set the model's weights and optimiser to the servers'."""
        for own, value in zip(self._list_local(), [v.numpy() for v in self._list_remote()], strict=True):
            own.assign(value)

    def _list_local(self) -> list[keras.Variable]:
        return [*self.model.trainable_variables, *self.model.optimizer.variables]

    def _list_remote(self) -> list[Any]:
        return [*self._weights, *self._optimizer.variables]

    def _summarise(self, notes: np.ndarray) -> dict[str, float]:
        self.model.reset_metrics()
        for variable, value in zip(self.model.metrics_variables, notes[:, 1:].sum(axis=0), strict=True):
            variable.assign(value)
        logs = {name: float(value) for name, value in self.model.get_metrics_result().items()}
        return logs | {STALENESS: float(notes[:, 0].mean()), MOST_STALE: float(notes[:, 0].max())}


def build_metrics(model: WatchedModel, batch: tuple[dict[str, tf.Tensor], ...]) -> None:
    """Let Keras make the variables of a model's metrics, which it does when they are first used."""
    inputs, targets, weights = batch
    outputs = model(inputs, training=False)
    model.compute_loss(inputs, targets, outputs, weights, training=False)
    model.compute_metrics(inputs, targets, outputs, weights)
    model.reset_metrics()


@contextlib.contextmanager
def _explain_loss(cluster: Cluster) -> Iterator[None]:
    """Turn an error of the block into a sentence where the cluster is the reason."""
    try:
        yield
    except tf.errors.OpError as error:
        if silent := cluster.find_lost_server():
            raise LostServerError(
                f"{silent} is gone, and the weights with it: start the cluster again and run the same command, "
                "which goes on after the last whole epoch"
            ) from error
        if isinstance(error, tf.errors.NotFoundError):
            raise UnreadableFeaturesError(
                f"a worker cannot read the cached features ({error.message.splitlines()[0]}): --results_dir and "
                "--cache_dir have to be in a folder that all machines share, under the same path"
            ) from error
        raise
