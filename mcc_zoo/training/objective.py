"""What training minimises: the network behind the log-mel, its targets and weights, and the optimiser."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcc_zoo.models.architectures import compose
from mcc_zoo.models.classifier import Classifier
from mcc_zoo.recipes import Recipe
from mcc_zoo.training.devices import is_on_accelerator
from mcc_zoo.training.draws import UNTUNED
from mcc_zoo.training.finite import WatchedModel
from mcc_zoo.training.replicas import divide_evenly

STEPS_PER_EXECUTION = 16  # on accelerators


@dataclasses.dataclass(frozen=True)
class Objective:
    """What a model is trained to do.

    Attributes:
        model: As `mcc_zoo.build` gives it.
        recipe: Loss and optimiser.
        behind_channels: Whether training reads the outputs of `make_channel_function`, not log-mel chunks.
        taught_size: Values of a layer of a teacher that are learnt beside the tags, from what the last layer reads, by
            a layer that is thrown away afterwards; 0 without a teacher.
    """

    model: keras.Model
    recipe: Recipe
    behind_channels: bool = False
    taught_size: int = 0

    def make_training_model(self) -> WatchedModel:
        """Share the model's layers behind the log-mel: {chunks, chunk_count} to {steps, tags}.

        Returns:
            A model of log-mel chunks (batch, chunks, n_mels, chunk_frames), not standardised, or of channel features
            (batch, chunks, size), and of chunk_count (batch,). Outputs: `steps` (batch, chunks, labels), the logits of
            each step; `tags`; and where something is taught, `taught` (batch, chunks, taught_size).
        """
        classifier = Classifier(self.model)
        wanted = {"steps": classifier.output_layer.output, "tags": classifier.sequence_network.output["tags"]}
        read = {"read": classifier.output_layer.input} if self.taught_size else {}
        inputs, joined = join_after_log_mel(self.model, wanted | read, self.behind_channels)
        outputs = {name: joined[name] for name in wanted}
        if self.taught_size:
            outputs["taught"] = keras.layers.Dense(self.taught_size, dtype="float32", name="taught")(joined["read"])
        return WatchedModel(inputs, outputs, name=self.model.name)

    def compile_training_model(self, epochs: int, steps: int, factor: float = 1.0) -> WatchedModel:
        """Compile `make_training_model` for so many epochs of so many steps.

        Args:
            epochs: For the schedule of the learning rate.
            steps: In an epoch.
            factor: Of the learning rate.
        """
        strategy = self.model.distribute_strategy
        with strategy.scope():  # Keras binds a model to the strategy under which it is built
            training_model = self.make_training_model()
            optimizer = make_optimizer(self.recipe, epochs, steps, factor)
            if self.model.dtype_policy.name == "mixed_float16":  # its gradients would underflow
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            training_model.compile(
                optimizer=optimizer,
                loss={"steps": self.make_loss()} | ({"taught": "mean_squared_error"} if self.taught_size else {}),
                # An accelerator waits for Python after each execution; a CPU gains nothing.
                steps_per_execution=min(steps, STEPS_PER_EXECUTION) if is_on_accelerator(strategy) else 1,
                weighted_metrics={"tags": self.make_metrics()},
            )
            # Made inside the first step, its variables would have TensorFlow trace the step twice.
            optimizer.build(training_model.trainable_variables)
        return training_model

    def make_loss(self) -> keras.losses.Loss | Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """Make the loss of logits (batch, steps, labels): one of each step."""
        if Classifier(self.model).task == "single-label":
            return keras.losses.CategoricalCrossentropy(from_logits=True)

        def binary_cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
            # The same as `sigmoid_cross_entropy_with_logits`, but rounded as in the training of the published models.
            return tf.reduce_mean(tf.nn.weighted_cross_entropy_with_logits(targets, logits, 1.0), axis=-1)

        return binary_cross_entropy

    def make_metrics(self) -> list[keras.metrics.Metric]:
        """Make what is measured of a track's tags: the share of right decisions, and the cross-entropy."""
        if Classifier(self.model).task == "single-label":
            return [
                keras.metrics.CategoricalAccuracy(name="accuracy"),
                keras.metrics.CategoricalCrossentropy(name="cross_entropy"),
            ]
        return [
            keras.metrics.MeanMetricWrapper(compare_decisions, name="accuracy"),
            keras.metrics.BinaryCrossentropy(name="cross_entropy"),
        ]

    def add_targets(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Turn (inputs, targets, ...) batches into what `fit` takes: inputs, targets and weights of each output.

        Args:
            batches: As `mcc_zoo.training.batches` makes them.
        """
        classifier = Classifier(self.model)
        reads_last = classifier.has_lstm and self.recipe.steps_loss == "last"
        replicas = self.model.distribute_strategy.num_replicas_in_sync

        def add(inputs: dict[str, tf.Tensor], given: tf.Tensor, *_: tf.Tensor) -> tuple[dict[str, tf.Tensor], ...]:
            count, steps = inputs["chunk_count"], tf.shape(inputs["chunks"])[1]
            targets = self._name_targets(given, count, steps)
            weights = {
                "steps": weigh_steps(count, steps, reads_last),
                "tags": tf.ones_like(count, tf.float32),
            }
            if self.taught_size:
                weights["taught"] = weights["steps"]
            return divide_evenly(inputs, targets, weights, replicas)

        return batches.map(add).prefetch(2).with_options(UNTUNED)

    def _name_targets(self, given: tf.Tensor, count: tf.Tensor, steps: tf.Tensor) -> dict[str, tf.Tensor]:
        """Name the targets of a batch by the outputs that they are for."""
        if given.shape.rank == 2:  # of tracks
            return {"steps": _repeat(given, steps), "tags": given}
        classifier = Classifier(self.model)
        of_window = tf.reduce_sum(given, axis=1) / tf.cast(count, tf.float32)[:, tf.newaxis]  # padding has zeros
        # An LSTM's step speaks of more than its chunk.
        of_steps = _repeat(of_window, steps) if classifier.has_lstm else given
        labels = len(classifier.labels)
        return {"steps": of_steps[..., :labels], "tags": of_window[:, :labels], "taught": of_steps[..., labels:]}


def compare_decisions(targets: tf.Tensor, tags: tf.Tensor) -> tf.Tensor:
    """Compute the share of labels that both find likely or both unlikely: (batch, labels) probabilities to (batch,).

    `keras.metrics.BinaryAccuracy` takes targets as they are, and finds nothing right where a teacher has doubts.
    """
    return tf.reduce_mean(tf.cast((targets > 0.5) == (tags > 0.5), tf.float32), axis=-1)


def _repeat(of_track: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
    """Give every step the targets of its track: (batch, labels) to (batch, steps, labels)."""
    return tf.tile(tf.expand_dims(of_track, 1), (1, steps, 1))


def make_channel_function(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a model's channels: mel chunks of a window (chunks, n_mels, chunk_frames) to features (chunks, size)."""
    classifier = Classifier(model)
    channels, _ = classifier.split_after_channels()

    def read_window(chunks: tf.Tensor) -> tf.Tensor:
        return channels(classifier.standardise_chunks(chunks[tf.newaxis], tf.shape(chunks)[:1])[0])

    run = tf.function(read_window, [tf.TensorSpec((None, *channels.input.shape[1:]), tf.float32)], autograph=False)
    return lambda chunks: run(tf.constant(chunks)).numpy()


def join_after_log_mel(
    model: keras.Model, wanted: dict[str, Any], behind_channels: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Join a model's layers behind the log-mel, or behind the channels, up to `wanted` tensors.

    Args:
        model: As `mcc_zoo.build` gives it.
        wanted: Tensors of its sequence network, by name.
        behind_channels: As for `Objective`.

    Returns:
        Inputs `chunks` and `chunk_count`; and as outputs the wanted tensors and `chunk_descriptors`.
    """
    classifier = Classifier(model)
    per_chunk = classifier.split_after_channels()[1] if behind_channels else classifier.chunk_network
    inputs = {
        "chunks": keras.Input((None, *per_chunk.input.shape[1:]), name="chunks"),
        "chunk_count": keras.Input((), dtype="int32", name="chunk_count"),
    }
    chunks = inputs["chunks"]
    if not behind_channels:
        chunks = classifier.standardise_chunks(chunks, inputs["chunk_count"])
    over_track = keras.Model(classifier.sequence_network.input, wanted)
    return inputs, compose(chunks, inputs["chunk_count"], per_chunk, over_track)


def weigh_steps(chunk_count: tf.Tensor, steps: tf.Tensor, last: bool) -> tf.Tensor:
    """Weigh the loss of every step: (batch,) counts to (batch, steps) float32.

    Either the real chunks of a track share its weight, which is the same for every track; or only the last real step
    counts. The weights of a batch have mean 1, because Keras averages over batch and steps.
    """
    count = tf.expand_dims(chunk_count, 1)
    if last:
        weights = tf.one_hot(chunk_count - 1, steps)
    else:
        weights = tf.sequence_mask(chunk_count, steps, tf.float32) / tf.cast(count, tf.float32)
    return weights * tf.cast(steps, tf.float32)


def make_optimizer(recipe: Recipe, epochs: int, steps: int, factor: float = 1.0) -> keras.optimizers.Optimizer:
    """Make the recipe's optimiser for so many epochs of so many steps; `factor` multiplies its learning rate."""
    rate = factor * recipe.learning_rate
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            0.1 * rate, max(1, (epochs - 1) * steps), warmup_target=rate, warmup_steps=steps
        )
    config = {"learning_rate": rate, "global_clipnorm": recipe.clip_norm}
    return keras.optimizers.get({"class_name": recipe.optimizer, "config": config})
