"""The parts of a model: the one place that knows how a model of the zoo is put together.

A model is found by what it is made of, never by its own Keras name, which users change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from mcc_zoo.features.front_end import FrontEnd
from mcc_zoo.features.log_mel import MelChunks
from mcc_zoo.models.architectures import Tags, check_labels
from mcc_zoo.paper import ARCHITECTURES, CHANNELS
from mcc_zoo.tasks import Task


class Classifier:
    """Typed access to the parts of a model.

    Args:
        model: As `mcc_zoo.build` or `keras.models.load_model` gives it.

    Attributes:
        model: The whole model: audio (batch, samples) to tags and descriptors.
        front_end_network: Audio (batch, samples) to standardised chunks (batch, chunks, n_mels, chunk_frames).
        chunk_network: One chunk (batch, n_mels, chunk_frames) to its fused descriptor (batch, F).
        sequence_network: Chunk descriptors (batch, chunks, F) and chunk_count (batch,) to tags, descriptor, taggram.

    Raises:
        ValueError: It is no model of the zoo.
    """

    def __init__(self, model: keras.Model) -> None:
        """Find the parts."""
        self.model = model
        try:
            self.front_end_network: keras.Model = model.get_layer("front_end")
            self.chunk_network: keras.Model = model.get_layer("chunk_network")
            self.sequence_network: keras.Model = model.get_layer("sequence_network")
        except (AttributeError, ValueError) as error:
            raise ValueError(
                f"{model!r} is no model of mcc_zoo: give one that mcc_zoo.build or keras.models.load_model returned"
            ) from error

    @property
    def front_end(self) -> FrontEnd:
        """Parameters of the front end."""
        return self.mel_chunks.front_end

    @property
    def mel_chunks(self) -> MelChunks:
        """The layer that computes the mel energies or log-mel of each frame."""
        (layer,) = (layer for layer in self.front_end_network.layers if isinstance(layer, MelChunks))
        return layer

    @property
    def standardise(self) -> keras.layers.Layer:
        """The layer that subtracts the mean of the training tracks' log-mel values and divides by their std."""
        return self.front_end_network.get_layer("standardise")

    def standardise_chunks(self, mel_chunks: Any, chunk_count: Any) -> Any:
        """Do what the front end does behind `mel_chunks`: bring them to one level if it has one, and standardise.

        Args:
            mel_chunks: (batch, chunks, n_mels, chunk_frames).
            chunk_count: (batch,) real chunks of each track; what follows is padding.

        Returns:
            Standardised chunks of the same shape.
        """
        return self.standardise(self.level_chunks(mel_chunks, chunk_count))

    def level_chunks(self, mel_chunks: Any, chunk_count: Any) -> Any:
        """Turn mel chunks into the log-mel that is standardised; as `standardise_chunks`."""
        if self.front_end.level == "none":
            return mel_chunks
        return self.front_end_network.get_layer("level")([mel_chunks, chunk_count])

    @property
    def mean(self) -> float:
        """Mean that `standardise` subtracts."""
        return _scalar(self.standardise.mean)

    @property
    def std(self) -> float:
        """Standard deviation by which `standardise` divides."""
        if isinstance(self.standardise, keras.layers.Normalization):  # exports of mcc_zoo 0.1.0 up to version 3
            return float(np.sqrt(_scalar(self.standardise.variance)))
        return _scalar(self.standardise.std)

    @property
    def output_layer(self) -> keras.layers.Dense:
        """The layer that scores every step; its outputs are logits."""
        return self.sequence_network.get_layer("steps")

    @property
    def output_dropout(self) -> keras.layers.Dropout:
        """The dropout before `output_layer`."""
        return self.sequence_network.get_layer("output_dropout")

    @property
    def labels(self) -> list[str]:
        """Class names in the order of the outputs."""
        return list(self._tags.labels)

    @property
    def task(self) -> Task:
        """Whether a track has one of the labels or any number of them."""
        return self._tags.task

    @property
    def architecture(self) -> str:
        """One of `mcc_zoo.ARCHITECTURES`."""
        known = self._tags.architecture or self.model.name  # earlier exports had the system as their name alone
        if known not in ARCHITECTURES:
            raise ValueError(f"the model does not say its architecture, and its name {known!r} is none of them")
        return known

    @property
    def lstms(self) -> list[keras.layers.LSTM]:
        """The LSTM, in a list that is empty where the system has none."""
        return [layer for layer in self.sequence_network.layers if isinstance(layer, keras.layers.LSTM)]

    @property
    def has_lstm(self) -> bool:
        """Whether the track's tags are those of an LSTM's last step, not the mean over chunks."""
        return bool(self.lstms)

    @property
    def fused_descriptor_size(self) -> int:
        """F: values of a chunk's fused descriptor."""
        return self.chunk_network.output.shape[-1]

    @property
    def _tags(self) -> Tags:
        return self.sequence_network.get_layer("scores")

    def adapt(self, waveforms: Iterable[Any]) -> None:
        """Set mean and std from audio, as `keras.layers.Normalization.adapt` does.

        Args:
            waveforms: Batches of audio (batch, samples) float32 at the front end's rate: a list of arrays, or a
                `tf.data.Dataset` of them.

        Raises:
            ValueError: There is no batch.
        """
        if isinstance(self.standardise, keras.layers.Normalization):
            raise ValueError(f"{self.model.name}: its mean and std are constants of an earlier export: build it anew")
        values = _Moments()
        for batch in waveforms:
            chunks = self.mel_chunks(batch)
            counts = keras.ops.full(chunks.shape[:1], chunks.shape[1], "int32")
            values.add(keras.ops.convert_to_numpy(self.level_chunks(chunks, counts)))
        self.standardise.mean.assign(values.mean)
        self.standardise.std.assign(values.std)

    def channel_filters(self) -> dict[str, np.ndarray]:
        """Return the filters of the channels that the system has: (bands, frames, filters) float32 by channel."""
        convolutions = [layer for layer in self.chunk_network.layers if layer.name in CHANNELS]
        return {layer.name: layer.get_weights()[0][:, :, 0] for layer in convolutions}

    def split_after_channels(self) -> tuple[keras.Model, keras.Model]:
        """Cut the chunk network in two: the channels, and what follows them; both share its layers.

        Returns:
            (batch, n_mels, chunk_frames) to the channels' features side by side (batch, size); and the rest, from
            these to the fused descriptor (batch, F).
        """
        names = {f"{name}_features" for name in CHANNELS}
        features = [layer.output for layer in self.chunk_network.layers if layer.name in names]
        joined = keras.layers.Concatenate()(features)
        channels = keras.Model(self.chunk_network.input, joined)
        side_by_side = keras.Input(joined.shape[1:])
        ends = np.cumsum([feature.shape[-1] for feature in features])[:-1].tolist()
        rest = keras.Model(features, self.chunk_network.output)
        return channels, keras.Model(side_by_side, rest(keras.ops.split(side_by_side, ends, axis=-1)))

    def to_probabilities(self, logits: Any) -> Any:
        """Compute probabilities of logits (..., labels), as the model does."""
        return self._tags(logits)

    def with_labels(self, labels: Sequence[str], task: Task = "single-label") -> keras.Model:
        """Copy the model for other labels: all of its weights but those of the last layer, which are new.

        Args:
            labels: As for `mcc_zoo.build`.
            task: As for `mcc_zoo.build`.

        Raises:
            ValueError: The labels are not at least two different, non-empty strings.
        """
        labels = check_labels(labels)
        changes: dict[str, dict[str, Any]] = {
            "steps": {"units": len(labels)},
            "scores": {"labels": labels, "task": task},
        }
        copy = Classifier(self._clone(lambda config: config | changes.get(config["name"], {})))
        copy.front_end_network.set_weights(self.front_end_network.get_weights())
        copy.chunk_network.set_weights(self.chunk_network.get_weights())
        for layer, own in zip(copy.sequence_network.layers, self.sequence_network.layers, strict=True):
            if own is not self.output_layer:
                layer.set_weights(own.get_weights())
        return copy.model

    def in_float32(self) -> keras.Model:
        """Return the same model with all of its arithmetic and weights in float32: itself where it is so already."""
        networks = (self.front_end_network, self.chunk_network, self.sequence_network)
        layers = [layer for network in networks for layer in network.layers]
        if all((layer.compute_dtype, layer.variable_dtype) == ("float32", "float32") for layer in layers):
            return self.model
        copy = self._clone(lambda config: config | ({"dtype": "float32"} if "dtype" in config else {}))
        copy.set_weights(self.model.get_weights())
        return copy

    def _clone(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> keras.Model:
        """Copy the graph with new weights, each layer's config changed."""

        def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
            return layer.__class__.from_config(change(layer.get_config()))

        return keras.models.clone_model(self.model, clone_function=clone, recursive=True)


class _Moments:
    """Mean and standard deviation of arrays that come one after the other."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.count, self.total, self.total_squares = 0, 0.0, 0.0

    def add(self, values: np.ndarray) -> None:
        """Add the values of an array."""
        self.count += values.size
        self.total += values.sum(dtype=np.float64)
        self.total_squares += np.square(values, dtype=np.float64).sum()

    @property
    def mean(self) -> float:
        """Mean of all values."""
        if not self.count:
            raise ValueError("adapt was given no audio: give batches (batch, samples)")
        return self.total / self.count

    @property
    def std(self) -> float:
        """Standard deviation of all values, above 0: digital silence alone has no spread."""
        return max(max(0.0, self.total_squares / self.count - self.mean**2) ** 0.5, 1e-6)


def _scalar(value: Any) -> float:
    return float(keras.ops.convert_to_numpy(value).item())


def labels_of(model: keras.Model) -> list[str]:
    """Return the class names that a model of the zoo carries, in the order of its outputs."""
    return Classifier(model).labels


def front_end_of(model: keras.Model) -> FrontEnd:
    """Return the front-end parameters that a model of the zoo carries."""
    return Classifier(model).front_end


def adapt(model: keras.Model, waveforms: Iterable[Any]) -> None:
    """Set the mean and std that a model standardises its log-mel chunks with, from audio: see `Classifier.adapt`.

    >>> import numpy as np
    >>> from mcc_zoo.models.architectures import build
    >>> model = build("r0", ["calm", "tense"])
    >>> adapt(model, [np.random.default_rng(0).normal(scale=0.1, size=(2, 90_000)).astype("float32")])
    >>> round(Classifier(model).mean, 1)
    1.0
    """
    Classifier(model).adapt(waveforms)
