"""What a system with an LSTM takes from the same system without one: trained channels, and what they made of chunks.

Channels that stay as they are make the same features of a chunk in every epoch, so they make them once.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mcc_zoo import pipeline, training
from mcc_zoo.paper import Recipe
from mcc_zoo.pipeline import Features


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
        made = pipeline.transformed(features, training.channel_features(model), Path(temporary))
        yield made, training.recipe_behind_channels(recipe)
