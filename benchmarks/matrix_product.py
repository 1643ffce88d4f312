"""The roofline: the machine's best rate of matrix products, and how near to it training comes."""

from __future__ import annotations

import math

import keras
import numpy as np
import pandas as pd

import mcc_zoo
from benchmarks.interleaved import HERE, Peer, measure
from benchmarks.training import BATCH, CHUNKS
from mcc_zoo.models.classifier import Classifier

SIDE, LENGTH = 2_048, 2**26  # as in peers/matrix_product.py
PRODUCT, ADDITION = "matrix product, GFLOP/s", "addition, GB/s"
WORK = {PRODUCT: 2 * SIDE**3 / 1e9, ADDITION: 2 * 4 * LENGTH / 1e9}  # of one repeat; an addition reads and writes
LIBRARIES = {"TensorFlow": ("tensorflow", ""), "numpy": ("numpy", ""), "torch": ("torch", "torch")}


def run(quick: bool) -> dict[str, pd.DataFrame]:
    """Measure the machine's rates, and compare measured training with what they allow."""
    machine = pd.concat(
        [
            measure_rates(PRODUCT, "product", tuple(LIBRARIES), quick),
            measure_rates(ADDITION, "addition", ("numpy", "torch"), quick),  # TensorFlow has no addition in place
        ],
        ignore_index=True,
    )
    layers = pd.concat(map(count_operations, mcc_zoo.ARCHITECTURES), ignore_index=True)
    best = machine[machine.operation == PRODUCT]["best"].max()
    return {
        "matrix_product": machine,
        "roofline": compute_roofline(layers, best),
        "parts of a step": measure_parts(layers, best, quick),
    }


def measure_rates(operation: str, argument: str, libraries: tuple[str, ...], quick: bool) -> pd.DataFrame:
    """Measure one operation in some libraries: the best round, which is the roof, and the median."""
    repeats = 1 if quick else 20
    peers = [
        Peer(name, "matrix_product.py", (LIBRARIES[name][0], argument, str(repeats)), LIBRARIES[name][1])
        for name in libraries
    ]
    times = measure(peers, {}, rounds=2 if quick else 9, title=argument)
    if not np.allclose(times.value, times.value[0], rtol=1e-4):
        raise RuntimeError(f"the libraries differ in their {argument}: {times.groupby('peer').value.first()}")
    found = (repeats * WORK[operation] / times.groupby("peer").seconds.agg(["min", "median"])).reset_index()
    found = found.rename(columns={"min": "best"}).sort_values("best", ascending=False)
    found.insert(0, "operation", operation)
    return found


def count_operations(architecture: str) -> pd.DataFrame:
    """Count the multiply-adds of one chunk in each layer that has weights, from the shapes of the built model.

    Training takes three times the multiply-adds of the forward pass: for the result, for the gradient of the weights
    and for that of the input, which a layer that reads the chunk itself does not need.

    Returns:
        A row for each layer: architecture, layer, weights, multiply-adds, multiply-adds in training.
    """
    parts = Classifier(mcc_zoo.build(architecture, [str(label) for label in range(10)]))
    per_chunk, over_track = parts.chunk_network, parts.sequence_network
    rows = []
    for network, reads_chunk in ((per_chunk, True), (over_track, not per_chunk.weights)):
        for layer in network.layers:
            if layer.weights:
                is_first = reads_chunk and not _find_layers_below(layer)
                rows.append({"architecture": architecture, "layer": layer.name, **_count_layer(layer, is_first)})
    return pd.DataFrame(rows)


def compute_roofline(layers: pd.DataFrame, best: float) -> pd.DataFrame:
    """Compute the chunks per second that training would reach if all were matrix products, beside what was measured.

    Args:
        layers: Of all architectures, as `operations` gives them.
        best: GFLOP/s of the best matrix product.
    """
    sums = layers.groupby("architecture", sort=False)[["weights", "multiply-adds", "multiply-adds in training"]].sum()
    table = sums.assign(**{"roof, chunks a second": 1e9 * best / (2 * sums["multiply-adds in training"])})
    file = HERE / "results" / "training.csv"
    if file.exists():
        measured = pd.read_csv(file).query("peer == 'mcc_zoo'").set_index("architecture")["chunks a second"]
        table["trained, chunks a second"] = measured
        table["share of the roof"] = measured / table["roof, chunks a second"]
    return table.reset_index()


def measure_parts(layers: pd.DataFrame, best: float, quick: bool) -> pd.DataFrame:
    """Measure each part of a training step of MCCLSTM alone, beside the time that it would take at the roof.

    Args:
        layers: As `operations` gives them.
        best: GFLOP/s of the best matrix product.
        quick: One round instead of five.
    """
    times = measure([Peer("parts", "training_parts.py")], {}, rounds=1 if quick else 5, warm_up=1, title="parts")
    found = pd.DataFrame(times.value.tolist()).median()
    own = layers[layers.architecture == "mcclstm"].set_index("layer")["multiply-adds in training"]
    table = pd.DataFrame({"ms": found, "ms at the roof": 2 * own * BATCH * CHUNKS / (1e6 * best)}).loc[found.index]
    table["ms more"] = table["ms"] - table["ms at the roof"].fillna(0)
    table.loc["sum"] = table.sum()
    return table.rename_axis("part").reset_index()


def _find_layers_below(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """List the layers with weights that a layer's input comes through."""
    sources = [tensor._keras_history.operation for tensor in keras.tree.flatten(layer.input)]
    found = [source for source in sources if source.weights]
    deeper = [source for source in sources if not isinstance(source, keras.layers.InputLayer)]
    return found + [below for source in deeper for below in _find_layers_below(source)]


def _count_layer(layer: keras.layers.Layer, is_first: bool) -> dict[str, int]:
    inside = layer.cell if isinstance(layer, keras.layers.LSTM) else layer
    of_input, of_state = math.prod(inside.kernel.shape), 0
    if isinstance(layer, keras.layers.Conv2D):
        sizes = zip(layer.input.shape[1:3], layer.kernel_size, strict=True)
        of_input *= math.prod(size - kernel + 1 for size, kernel in sizes)
    elif inside is not layer:
        of_state = math.prod(inside.recurrent_kernel.shape)
    forward = of_input + of_state
    return {
        "weights": layer.count_params(),
        "multiply-adds": forward,
        "multiply-adds in training": 3 * forward - of_input * is_first,
    }
