"""What a system with an LSTM takes from the same system without one: trained channels, and their outputs."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mcc_zoo.features.cache import Features, read_chunks
from mcc_zoo.recipes import Recipe
from mcc_zoo.training import objective

TRANSFORMED_CHUNKS = 64  # at a time


def transformed(
    features: Sequence[Features], transform: Callable[[np.ndarray], np.ndarray], folder: Path
) -> list[Features]:
    """Keep what a network makes of every chunk, a file a track, so that it need not make it anew each epoch.

    Args:
        features: As `FeatureCache` gives them.
        transform: Log-mel chunks (chunks, n_mels, chunk_frames), not standardised, to (chunks, size) float32.
        folder: Gets the files; they are of no use past the training that reads them.
    """
    made = []
    for number, one in enumerate(features):
        path, total, total_squares = folder / f"{number}.f32", 0.0, 0.0
        with open(path, "wb") as file:
            for first in range(0, one.chunks, TRANSFORMED_CHUNKS):
                values = transform(read_chunks(one, first, min(TRANSFORMED_CHUNKS, one.chunks - first)))
                file.write(values.astype("<f4").tobytes())
                total += values.sum(dtype=np.float64)
                total_squares += np.square(values, dtype=np.float64).sum()
        made.append(Features(path, 0, one.chunks, total, total_squares, values.shape[1:]))
    return made


@dataclass(frozen=True)
class WarmStart:
    """The trained chunk network that a system with an LSTM goes on from.

    Attributes:
        weights: Of each layer of the chunk network, by name.
        best_epoch: After which of its epochs they were taken.
    """

    weights: dict[str, list[np.ndarray]]
    best_epoch: int

    @classmethod
    def of(cls, chunk_network: keras.Model, best_epoch: int) -> WarmStart:
        """Take a trained chunk network's weights."""
        return cls({layer.name: layer.get_weights() for layer in chunk_network.layers}, best_epoch)

    def give(self, chunk_network: keras.Model) -> None:
        """Set the weights of the layers that are alike: the same name, the same shapes."""
        for layer in chunk_network.layers:
            own = self.weights.get(layer.name, [])
            if [weight.shape for weight in own] == [weight.shape for weight in layer.weights]:
                layer.set_weights(own)

    def save(self, path: Path) -> None:
        """Write the weights, not the epoch, to an `.npz` file."""
        arrays: dict[str, Any] = {}
        for name, own in self.weights.items():
            arrays |= {f"{name}.{i}": weight for i, weight in enumerate(own)}
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path, best_epoch: int) -> WarmStart:
        """Read what `save` has written."""
        weights: dict[str, list[np.ndarray]] = {}
        with np.load(path) as arrays:
            for name, weight in arrays.items():
                weights.setdefault(name.rpartition(".")[0], []).append(weight)
        return cls(weights, best_epoch)


@contextlib.contextmanager
def trained_on(
    model: keras.Model, features: list[Features], recipe: Recipe, start: WarmStart | None, folder: Path | None
) -> Iterator[tuple[list[Features], Recipe]]:
    """Give what a model is trained on, and how: behind frozen channels what they make of every chunk.

    Args:
        model: What is to be trained.
        features: Log-mel of its tracks.
        recipe: Says whether channels are frozen.
        start: What the model has started from; None: from nothing.
        folder: Where a temporary folder may grow to as much as twice the log-mel; the system's by default.
    """
    if start is None or not recipe.warm_frozen:
        yield features, recipe
        return
    with tempfile.TemporaryDirectory(prefix="channels-", dir=folder) as temporary:
        made = transformed(features, objective.channel_features(model), Path(temporary))
        yield made, objective.recipe_behind_channels(recipe)
