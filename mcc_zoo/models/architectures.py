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

from mcc_zoo.features.front_end import FRONT_ENDS, FrontEnd
from mcc_zoo.features.level import Level
from mcc_zoo.features.log_mel import MelChunks
from mcc_zoo.models import layers
from mcc_zoo.models.channels import PooledConv2D, channel
from mcc_zoo.paper import (
    CHANNELS,
    CNNS3_KERNELS,
    CNNS3_POOL,
    DROPOUT,
    FILTERS,
    MLP_LAYERS,
    SYSTEMS,
    System,
)
from mcc_zoo.recipes import RECIPES, Recipe
from mcc_zoo.tasks import TASKS, Task
from mcc_zoo.text import choose


@keras.saving.register_keras_serializable(package="mcc_zoo")
class Tags(keras.layers.Softmax):
    """Logits to probabilities, by a layer that carries what a saved model has to know of itself.

    One label a track: a softmax over the last axis. Many labels: a sigmoid of each.

    Args:
        labels: Class names in the order of the output.
        architecture: One of `mcc_zoo.ARCHITECTURES`; None in models that were saved before it was kept here.
        task: `single-label` or `multi-label`.
        **kwargs: As for `keras.layers.Softmax`.
    """

    def __init__(
        self, labels: Sequence[str], architecture: str | None = None, task: Task = "single-label", **kwargs: Any
    ) -> None:
        """Keep all three."""
        super().__init__(**kwargs)
        self.labels = list(labels)
        self.architecture = architecture
        self.task = task

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Compute the probabilities; saved models call it with a mask, as Keras's softmax has one."""
        return keras.ops.sigmoid(inputs) if self.task == "multi-label" else super().call(inputs, mask)

    def get_config(self) -> dict[str, Any]:
        """Save them with the layer; the task only where it is not the one of models that were saved before it."""
        task = {} if self.task == "single-label" else {"task": self.task}
        return {**super().get_config(), "labels": self.labels, "architecture": self.architecture, **task}


def make_kernel_initializer(recipe: Recipe) -> keras.initializers.Initializer:
    """Make the initial weights of convolutions and of the LSTM's input kernel (Sec. 3)."""
    if recipe.initializer == "normal":
        return keras.initializers.RandomNormal(stddev=1.0)
    return keras.initializers.GlorotUniform()


def build_front_end(front_end: FrontEnd, mean: float, std: float) -> keras.Model:
    """Audio (batch, samples) to standardised chunks (batch, chunks, n_mels, chunk_frames)."""
    audio = keras.Input((None,), dtype="float32", name="audio")
    chunks = MelChunks(front_end, name="mel_chunks")(audio)
    if front_end.level != "none":
        chunks = Level(front_end, name="level")([chunks, layers.CountChunks(name="count")(chunks)])
    standardise = layers.Standardise(mean, std, name="standardise")
    return keras.Model(audio, standardise(chunks), name="front_end")


def read_channels(chunk: Any, system: System, recipe: Recipe) -> Any:
    """The paper's Figure 1: channels side by side, concatenated, fused by a fully connected layer."""
    image = keras.layers.Reshape((*chunk.shape[1:], 1), name="image")(chunk)
    features = [channel(image, name, CHANNELS[name], make_kernel_initializer(recipe)) for name in system.channels]
    x = keras.layers.Concatenate(name="channels")(features) if len(features) > 1 else features[0]
    if system.dense is None:  # R0: "used for tag prediction, directly"
        return x
    x = keras.layers.Dropout(DROPOUT, name="fusion_dropout")(x)
    return keras.layers.Dense(system.dense, activation="relu", name="fusion")(x)


def read_gated_channels(chunk: Any, system: System, recipe: Recipe) -> Any:
    """Channels that are fused one by one and added up under gates, which sum to 1 and are drawn from all of them."""
    image = keras.layers.Reshape((*chunk.shape[1:], 1), name="image")(chunk)
    fused = []
    for name in system.channels:
        x = channel(image, name, CHANNELS[name], make_kernel_initializer(recipe))
        x = keras.layers.Dropout(DROPOUT, name=f"{name}_dropout")(x)
        fused.append(keras.layers.Dense(system.dense, activation="relu", name=f"{name}_fusion")(x))
    together = keras.layers.Concatenate(name="fused_channels")(fused)
    gates = keras.layers.Dense(len(fused), activation="softmax", name="gates")(together)
    stacked = keras.layers.Reshape((len(fused), system.dense), name="stacked")(together)
    return keras.layers.Dot(axes=1, name="fusion")([gates, stacked])


def read_spectrogram(chunk: Any, system: System, recipe: Recipe) -> Any:
    """R1: the spectrogram chunk itself."""
    return keras.layers.Flatten(name="spectrogram")(chunk)


def read_small_filters(chunk: Any, system: System, recipe: Recipe) -> Any:
    """CNNs-3: two convolutions with small square filters, as images have them, and a fully connected layer."""
    x = keras.layers.Reshape((*chunk.shape[1:], 1), name="image")(chunk)
    for i, kernel in enumerate(CNNS3_KERNELS, start=1):
        initializer = make_kernel_initializer(recipe)
        x = PooledConv2D(FILTERS, kernel, CNNS3_POOL, kernel_initializer=initializer, name=f"convolution_{i}")(x)
    x = keras.layers.Dropout(DROPOUT, name="fusion_dropout")(keras.layers.Flatten(name="features")(x))
    return keras.layers.Dense(system.dense, activation="relu", name="fusion")(x)


def read_hidden_layers(chunk: Any, system: System, recipe: Recipe) -> Any:
    """MLP: three hidden layers on the flattened chunk (Sigtia and Dixon 2014)."""
    x = keras.layers.Flatten(name="spectrogram")(chunk)
    for i in range(1, MLP_LAYERS + 1):
        if i > 1:
            x = keras.layers.Dropout(DROPOUT, name=f"dropout_{i - 1}")(x)
        x = keras.layers.Dense(system.dense, activation="relu", name=f"hidden_{i}")(x)
    return x


CHUNK_NETWORKS: dict[str, Callable[[Any, System, Recipe], Any]] = {
    "r1": read_spectrogram,
    "cnns3": read_small_filters,
    "mlp": read_hidden_layers,
    "mcclstm_fused": read_gated_channels,
}


def build_chunk_network(architecture: str, front_end: FrontEnd, recipe: Recipe) -> keras.Model:
    """One chunk (batch, n_mels, chunk_frames) to its fused descriptor (batch, F)."""
    chunk = keras.Input((front_end.n_mels, front_end.chunk_frames), name="chunk")
    read = CHUNK_NETWORKS.get(architecture, read_channels)
    return keras.Model(chunk, read(chunk, SYSTEMS[architecture], recipe), name="chunk_network")


def build_sequence_network(
    architecture: str, size: int, labels: Sequence[str], recipe: Recipe, task: Task = "single-label"
) -> keras.Model:
    """Chunk descriptors (batch, chunks, size) and chunk_count (batch,) to tags, descriptor and taggram.

    The layer `steps` gives the logits of every step, which training reads.
    """
    system = SYSTEMS[architecture]
    descriptors = keras.Input((None, size), name="chunk_descriptors")
    chunk_count = keras.Input((), dtype="int32", name="chunk_count")
    # Padding stands at the end and an LSTM looks back only, so that no real step ever sees it.
    x = make_lstm(system.lstm, recipe)(descriptors) if system.lstm else descriptors
    if system.attention:
        attention = keras.layers.Dense(1, activation="tanh", name="attention")(x)
        x = layers.AttentionSoFar(name="attention_so_far")([x, attention])
    steps = keras.layers.Dense(len(labels), name="steps")(keras.layers.Dropout(DROPOUT, name="output_dropout")(x))
    scores = Tags(labels, architecture, task, dtype="float32", name="scores")(steps)
    of_track = layers.LastChunk if system.lstm else layers.MeanOfChunks
    outputs = {  # half precision would round a probability of 0.999 to 1, whose cross-entropy may be infinite
        "tags": of_track(dtype="float32", name="tags")([scores, chunk_count]),
        "descriptor": of_track(name="descriptor")([x, chunk_count]),
        "taggram": layers.ZeroPadding(dtype="float32", name="taggram")([scores, chunk_count]),
    }
    return keras.Model({"chunk_descriptors": descriptors, "chunk_count": chunk_count}, outputs, name="sequence_network")


def make_lstm(units: int, recipe: Recipe) -> layers.LSTM:
    """Make the LSTM with the recipe's initial weights."""
    literal = recipe.initializer == "normal"
    return layers.LSTM(
        units,
        return_sequences=True,
        kernel_initializer=make_kernel_initializer(recipe),
        recurrent_initializer=make_kernel_initializer(recipe) if literal else layers.Orthogonal(),
        unit_forget_bias=not literal,
        name="lstm",
    )


def build(
    architecture: str,
    labels: Sequence[str],
    *,
    task: Task = "single-label",
    front_end: FrontEnd | str = "44k",
    recipe: Recipe | str = "tuned",
    mean: float = 0.0,
    std: float = 1.0,
) -> keras.Model:
    """Build one of the paper's systems: waveform in, tags and descriptors out.

    Args:
        architecture: One of `mcc_zoo.ARCHITECTURES` (Table 2).
        labels: Names of the classes, at least two, in the order of the outputs.
        task: `single-label`: each track has one of the labels, as in the paper, and the probabilities sum to 1.
            `multi-label` (auto-tagging): a track has any number of them, and each has a probability of its own.
        front_end: A name in `mcc_zoo.FRONT_ENDS` or parameters of your own.
        recipe: A name in `mcc_zoo.RECIPES` or a recipe of your own, for its initial weights.
        mean: Mean of the training tracks' log-mel values, which the model subtracts. It is a weight, as `std` is;
            `mcc_zoo.adapt` sets both from audio.
        std: Their standard deviation, by which the model divides.

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
    labels = check_labels(labels)
    choose(architecture, SYSTEMS, "architecture")
    choose(task, dict.fromkeys(TASKS), "task")
    front_end = front_end if isinstance(front_end, FrontEnd) else choose(front_end, FRONT_ENDS, "front_end")
    recipe = recipe if isinstance(recipe, Recipe) else choose(recipe, RECIPES, "recipe")
    if not std > 0:
        raise ValueError(f"std={std!r}: the standard deviation of the log-mel values has to be above 0")

    per_chunk = build_chunk_network(architecture, front_end, recipe)
    over_track = build_sequence_network(architecture, per_chunk.output.shape[-1], labels, recipe, task)

    audio = keras.Input((None,), dtype="float32", name="audio")
    chunks = build_front_end(front_end, mean, std)(audio)
    return keras.Model(audio, compose(chunks, None, per_chunk, over_track), name=architecture)


def compose(chunks: Any, chunk_count: Any, per_chunk: keras.Model, over_track: keras.Model) -> dict[str, Any]:
    """Run the chunk network on every chunk of (batch, chunks, ...) and the sequence network on what it gives."""
    folded = per_chunk(layers.FoldChunks(name="fold")(chunks))
    descriptors = layers.UnfoldChunks(name="unfold")([folded, chunks])
    if chunk_count is None:
        chunk_count = layers.CountChunks(name="count")(chunks)
    outputs = over_track({"chunk_descriptors": descriptors, "chunk_count": chunk_count})
    named_output = keras.layers.Identity(name="chunk_descriptors")(descriptors)
    return {**outputs, "chunk_descriptors": named_output}


def check_labels(labels: Sequence[str]) -> list[str]:
    """Return the labels as a list, or say what is wrong with them."""
    if isinstance(labels, str):
        raise ValueError(f"labels={labels!r} is one string: give a list of names")
    names = list(labels)
    if len(names) < 2 or len(set(names)) < len(names) or not all(isinstance(n, str) and n.strip() for n in names):
        raise ValueError(f"labels={names!r}: at least two different, non-empty names are needed")
    return names
