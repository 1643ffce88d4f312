"""The systems as functional Keras models whose graph starts at the waveform.

Each model is three models in a row, each of use alone:

    audio -> front_end -> chunks -> chunk_network (on each) -> chunk descriptors -> sequence_network -> tags, ...

`build` joins them. A new system is a row of `mcc_zoo.paper.SYSTEMS` and, if its chunks are read in a new way, a
function in `CHUNK_NETWORKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from mcc_zoo.features.front_end import FRONT_ENDS, FrontEnd
from mcc_zoo.features.log_mel import LogMelChunks
from mcc_zoo.models import layers
from mcc_zoo.models.channels import PooledConv2D, channel
from mcc_zoo.paper import (
    ARCHITECTURES,
    CHANNELS,
    CNNS3_KERNELS,
    CNNS3_POOL,
    DROPOUT,
    FILTERS,
    MLP_LAYERS,
    SYSTEMS,
    Channel,
    System,
)
from mcc_zoo.recipes import RECIPES, Recipe
from mcc_zoo.text import named


@keras.saving.register_keras_serializable(package="mcc_zoo")
class Tags(keras.layers.Softmax):
    """Softmax over the last axis that carries the names of its classes, so that a saved model knows its labels.

    Args:
        labels: Class names in the order of the output.
        **kwargs: As for `keras.layers.Softmax`.
    """

    def __init__(self, labels: Sequence[str], **kwargs: Any) -> None:
        """Keep the names."""
        super().__init__(**kwargs)
        self.labels = list(labels)

    def get_config(self) -> dict[str, Any]:
        """Save the names with the layer."""
        return {**super().get_config(), "labels": self.labels}


def kernel_initializer(recipe: Recipe) -> keras.initializers.Initializer:
    """Make the initial weights of convolutions and of the LSTM's input kernel (Sec. 3)."""
    if recipe.initializer == "normal":
        return keras.initializers.RandomNormal(stddev=1.0)
    return keras.initializers.GlorotUniform()


def front_end_network(front_end: FrontEnd, mean: float, std: float) -> keras.Model:
    """Audio (batch, samples) to standardised chunks (batch, chunks, n_mels, chunk_frames)."""
    audio = keras.Input((None,), dtype="float32", name="audio")
    chunks = LogMelChunks(front_end, name="log_mel_chunks")(audio)
    standardise = keras.layers.Normalization(axis=None, mean=mean, variance=std**2, name="standardise")
    return keras.Model(audio, standardise(chunks), name="front_end")


def channels_of(chunk: Any, system: System, recipe: Recipe, kernels: dict[str, Channel]) -> Any:
    """The paper's Figure 1: channels side by side, concatenated, fused by a fully connected layer."""
    image = keras.layers.Reshape((*chunk.shape[1:], 1), name="image")(chunk)
    features = [channel(image, name, kernels[name], kernel_initializer(recipe)) for name in system.channels]
    x = keras.layers.Concatenate(name="channels")(features) if len(features) > 1 else features[0]
    if system.dense is None:  # R0: "used for tag prediction, directly"
        return x
    x = keras.layers.Dropout(DROPOUT, name="fusion_dropout")(x)
    return keras.layers.Dense(system.dense, activation="relu", name="fusion")(x)


def gated_channels_of(chunk: Any, system: System, recipe: Recipe, kernels: dict[str, Channel]) -> Any:
    """Channels that are fused one by one and added up under gates, which sum to 1 and are drawn from all of them."""
    image = keras.layers.Reshape((*chunk.shape[1:], 1), name="image")(chunk)
    fused = []
    for name in system.channels:
        x = channel(image, name, kernels[name], kernel_initializer(recipe))
        x = keras.layers.Dropout(DROPOUT, name=f"{name}_dropout")(x)
        fused.append(keras.layers.Dense(system.dense, activation="relu", name=f"{name}_fusion")(x))
    together = keras.layers.Concatenate(name="fused_channels")(fused)
    gates = keras.layers.Dense(len(fused), activation="softmax", name="gates")(together)
    stacked = keras.layers.Reshape((len(fused), system.dense), name="stacked")(together)
    return keras.layers.Dot(axes=1, name="fusion")([gates, stacked])


def spectrogram_of(chunk: Any, system: System, recipe: Recipe, kernels: dict[str, Channel]) -> Any:
    """R1: the spectrogram chunk itself."""
    return keras.layers.Flatten(name="spectrogram")(chunk)


def small_filters_of(chunk: Any, system: System, recipe: Recipe, kernels: dict[str, Channel]) -> Any:
    """CNNs-3: two convolutions with small square filters, as images have them, and a fully connected layer."""
    x = keras.layers.Reshape((*chunk.shape[1:], 1), name="image")(chunk)
    for i, kernel in enumerate(CNNS3_KERNELS, start=1):
        initializer = kernel_initializer(recipe)
        x = PooledConv2D(FILTERS, kernel, CNNS3_POOL, kernel_initializer=initializer, name=f"convolution_{i}")(x)
    x = keras.layers.Dropout(DROPOUT, name="fusion_dropout")(keras.layers.Flatten(name="features")(x))
    return keras.layers.Dense(system.dense, activation="relu", name="fusion")(x)


def hidden_layers_of(chunk: Any, system: System, recipe: Recipe, kernels: dict[str, Channel]) -> Any:
    """MLP: three hidden layers on the flattened chunk (Sigtia and Dixon 2014)."""
    x = keras.layers.Flatten(name="spectrogram")(chunk)
    for i in range(1, MLP_LAYERS + 1):
        if i > 1:
            x = keras.layers.Dropout(DROPOUT, name=f"dropout_{i - 1}")(x)
        x = keras.layers.Dense(system.dense, activation="relu", name=f"hidden_{i}")(x)
    return x


CHUNK_NETWORKS: dict[str, Callable[[Any, System, Recipe, dict[str, Channel]], Any]] = {
    "r1": spectrogram_of,
    "cnns3": small_filters_of,
    "mlp": hidden_layers_of,
    "mcclstm_fused": gated_channels_of,
}


def chunk_network(architecture: str, front_end: FrontEnd, recipe: Recipe, kernels: dict[str, Channel]) -> keras.Model:
    """One chunk (batch, n_mels, chunk_frames) to its fused descriptor (batch, F)."""
    chunk = keras.Input((front_end.n_mels, front_end.chunk_frames), name="chunk")
    read = CHUNK_NETWORKS.get(architecture, channels_of)
    return keras.Model(chunk, read(chunk, SYSTEMS[architecture], recipe, kernels), name="chunk_network")


def behind_the_channels(per_chunk: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Cut a chunk network in two: (batch, n_mels, chunk_frames) to the channels' features, and these to the descriptor.

    Args:
        per_chunk: A chunk network with channels of Table 1; the two models share its layers.

    Returns:
        The channels, to (batch, size), each channel's features after the other's; and the rest, from (batch, size).
    """
    features = [layer.output for layer in per_chunk.layers if layer.name in {f"{name}_features" for name in CHANNELS}]
    joined = keras.layers.Concatenate()(features)
    channels = keras.Model(per_chunk.input, joined)
    side_by_side = keras.Input(joined.shape[1:])
    ends = np.cumsum([feature.shape[-1] for feature in features])[:-1].tolist()
    rest = keras.Model(features, per_chunk.output)
    return channels, keras.Model(side_by_side, rest(keras.ops.split(side_by_side, ends, axis=-1)))


def sequence_network(system: System, size: int, labels: Sequence[str], recipe: Recipe) -> keras.Model:
    """Chunk descriptors (batch, chunks, size) and chunk_count (batch,) to tags, descriptor and taggram.

    The layer `steps` holds the scores of every step before the softmax, which training reads.
    """
    descriptors = keras.Input((None, size), name="chunk_descriptors")
    chunk_count = keras.Input((), dtype="int32", name="chunk_count")
    # Padding stands at the end and an LSTM looks back only, so that no real step ever sees it.
    x = lstm(system.lstm, recipe)(descriptors) if system.lstm else descriptors
    if system.attention:
        attention = keras.layers.Dense(1, activation="tanh", name="attention")(x)
        x = layers.AttentionSoFar(name="attention_so_far")([x, attention])
    elif system.lstm and recipe.pooling == "mean":
        x = layers.MeanSoFar(name="mean_so_far")(x)
    steps = keras.layers.Dense(len(labels), name="steps")(keras.layers.Dropout(DROPOUT, name="output_dropout")(x))
    scores = Tags(labels, dtype="float32", name="scores")(steps)
    of_track = layers.LastChunk if system.lstm else layers.MeanOfChunks
    outputs = {
        "tags": of_track(name="tags")([scores, chunk_count]),
        "descriptor": of_track(name="descriptor")([x, chunk_count]),
        "taggram": layers.ZeroPadding(name="taggram")([scores, chunk_count]),
    }
    return keras.Model({"chunk_descriptors": descriptors, "chunk_count": chunk_count}, outputs, name="sequence_network")


def lstm(units: int, recipe: Recipe) -> layers.LSTM:
    """Make the LSTM with the recipe's initial weights."""
    literal = recipe.initializer == "normal"
    return layers.LSTM(
        units,
        return_sequences=True,
        kernel_initializer=kernel_initializer(recipe),
        recurrent_initializer=kernel_initializer(recipe) if literal else "orthogonal",
        unit_forget_bias=not literal,
        dropout=recipe.lstm_dropout,
        name="lstm",
    )


def build(
    architecture: str,
    labels: Sequence[str],
    *,
    front_end: FrontEnd | str = "44k",
    recipe: Recipe | str = "tuned",
    mean: float = 0.0,
    std: float = 1.0,
    kernels: dict[str, Channel] | None = None,
) -> keras.Model:
    """Build one of the paper's systems: waveform in, tags and descriptors out.

    Args:
        architecture: One of `mcc_zoo.ARCHITECTURES` (Table 2).
        labels: Names of the classes, at least two, in the order of the outputs.
        front_end: A name in `mcc_zoo.FRONT_ENDS` or parameters of your own.
        recipe: A name in `mcc_zoo.RECIPES` or a recipe of your own; of it initial weights and pooling matter here.
        mean: Mean of the training tracks' log-mel values, which the model subtracts.
        std: Their standard deviation, by which it divides.
        kernels: Other shapes for the channels than Table 1's, by channel name (P, T, B).

    Returns:
        A functional model with one input, `audio` (batch, samples) float32 at the front end's sample rate, and
        outputs `tags` (batch, labels), `descriptor` (batch, D), `taggram` (batch, chunks, labels) and
        `chunk_descriptors` (batch, chunks, F). Its layers `front_end`, `chunk_network` and `sequence_network` are
        models of their own.

    Raises:
        ValueError: A name is unknown, or the labels are not at least two different, non-empty strings.

    >>> model = build("mcclstm", ["calm", "tense"])
    >>> model.output["descriptor"].shape
    (None, 200)
    """
    labels = checked_labels(labels)
    system = named(architecture, SYSTEMS, "architecture")
    front_end = front_end if isinstance(front_end, FrontEnd) else named(front_end, FRONT_ENDS, "front_end")
    recipe = recipe if isinstance(recipe, Recipe) else named(recipe, RECIPES, "recipe")
    if not std > 0:
        raise ValueError(f"std={std!r}: the standard deviation of the log-mel values has to be above 0")

    per_chunk = chunk_network(architecture, front_end, recipe, CHANNELS | (kernels or {}))
    over_track = sequence_network(system, per_chunk.output.shape[-1], labels, recipe)

    audio = keras.Input((None,), dtype="float32", name="audio")
    chunks = front_end_network(front_end, mean, std)(audio)
    return keras.Model(audio, compose(chunks, None, per_chunk, over_track), name=architecture)


def with_labels(model: keras.Model, labels: Sequence[str]) -> keras.Model:
    """Copy a model for other labels: all of its weights but those of the softmax, which are new.

    Args:
        model: As `build` or `keras.models.load_model` gives it.
        labels: As for `build`.

    Raises:
        ValueError: The labels are not at least two different, non-empty strings.
    """
    labels = checked_labels(labels)

    def layer_like(layer: keras.layers.Layer) -> keras.layers.Layer:
        changes: dict[str, dict[str, Any]] = {"steps": {"units": len(labels)}, "scores": {"labels": labels}}
        return layer.__class__.from_config(layer.get_config() | changes.get(layer.name, {}))

    copy = keras.models.clone_model(model, clone_function=layer_like, recursive=True)
    copy.get_layer("chunk_network").set_weights(model.get_layer("chunk_network").get_weights())
    over_track = model.get_layer("sequence_network")
    for layer in copy.get_layer("sequence_network").layers:
        if layer.name != "steps":
            layer.set_weights(over_track.get_layer(layer.name).get_weights())
    return copy


def compose(chunks: Any, chunk_count: Any, per_chunk: keras.Model, over_track: keras.Model) -> dict[str, Any]:
    """Run the chunk network on every chunk of (batch, chunks, ...) and the sequence network on what it gives."""
    folded = per_chunk(layers.FoldChunks(name="fold")(chunks))
    descriptors = layers.UnfoldChunks(name="unfold")([folded, chunks])
    if chunk_count is None:
        chunk_count = layers.CountChunks(name="count")(chunks)
    outputs = over_track({"chunk_descriptors": descriptors, "chunk_count": chunk_count})
    named_output = keras.layers.Identity(name="chunk_descriptors")(descriptors)
    return {**outputs, "chunk_descriptors": named_output}


def checked_labels(labels: Sequence[str]) -> list[str]:
    """Return the labels as a list, or say what is wrong with them."""
    if isinstance(labels, str):
        raise ValueError(f"labels={labels!r} is one string: give a list of names")
    names = list(labels)
    if len(names) < 2 or len(set(names)) < len(names) or not all(isinstance(n, str) and n.strip() for n in names):
        raise ValueError(f"labels={names!r}: at least two different, non-empty names are needed")
    return names


def labels_of(model: keras.Model) -> list[str]:
    """Read the class names that a model of the zoo carries."""
    return list(model.get_layer("sequence_network").get_layer("scores").labels)


def front_end_of(model: keras.Model) -> FrontEnd:
    """Read the front-end parameters that a model of the zoo carries."""
    return model.get_layer("front_end").get_layer("log_mel_chunks").front_end


__all__ = ["ARCHITECTURES", "Tags", "build", "front_end_of", "labels_of", "with_labels"]
