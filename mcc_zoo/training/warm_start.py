"""Warm start: a system begins with weights that were trained before.

They are those of the same system without an LSTM, trained on the same tracks, or those of an export.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mcc_zoo.atomic import temporary_folder
from mcc_zoo.features.cache import Features, check_after_failure, read_chunks
from mcc_zoo.features.chunking import cut_windows
from mcc_zoo.models.classifier import Classifier
from mcc_zoo.recipes import Recipe
from mcc_zoo.training import objective


def cache_channel_features(
    features: Sequence[Features], transform: Callable[[np.ndarray], np.ndarray], folder: Path, window_chunks: int
) -> list[Features]:
    """Cache the outputs of a network for every chunk, one file per track.

    Args:
        features: As `FeatureCache` gives them.
        transform: Mel chunks of a window (chunks, n_mels, chunk_frames) to (chunks, size) float32.
        folder: Where the files go; only the training that reads them needs them.
        window_chunks: Chunks of a window.
    """
    cached = []
    for number, one in enumerate(features):
        path, total, total_squares = folder / f"{number}.f32", 0.0, 0.0
        with open(path, "wb") as file:
            for first, count in cut_windows(one.chunks, window_chunks):
                chunks = read_chunks(one, first, count)
                values = np.where(np.isfinite(chunks).all(), transform(chunks), np.float32(np.nan))  # ReLU hides NaN
                file.write(values.astype("<f4").tobytes())
                total += values.sum(dtype=np.float64)
                total_squares += np.square(values, dtype=np.float64).sum()
        cached.append(Features(path, 0, one.chunks, total, total_squares, values.shape[1:]))
    return cached


@dataclass(frozen=True)
class WarmStart:
    """The weights of a model that was trained before.

    Attributes:
        weights: For each layer of its chunk network, and of an export's sequence network, by name.
        best_epoch: The epoch, from 1, after which they were taken; 0 for an export.
        mean_and_std: What an export standardises log-mel with; None where training tracks give their own.
    """

    weights: dict[str, list[np.ndarray]]
    best_epoch: int
    mean_and_std: tuple[float, float] | None = None

    @classmethod
    def from_network(cls, chunk_network: keras.Model, best_epoch: int) -> WarmStart:
        """Copy the weights of a trained chunk network."""
        return cls({layer.name: layer.get_weights() for layer in chunk_network.layers}, best_epoch)

    @classmethod
    def from_model(cls, model: keras.Model) -> WarmStart:
        """Copy the weights of an export's model: all but those of its last layer."""
        classifier = Classifier(model)
        layers = [*classifier.chunk_network.layers, *classifier.sequence_network.layers]
        weights = {layer.name: layer.get_weights() for layer in layers if layer is not classifier.output_layer}
        return cls(weights, 0, (classifier.mean, classifier.std))

    def copy_to(self, network: keras.Model) -> None:
        """Set the weights of all layers with the same name and the same shapes."""
        for layer in network.layers:
            own = self.weights.get(layer.name, [])
            if [weight.shape for weight in own] == [weight.shape for weight in layer.weights]:
                layer.set_weights(own)

    def hash(self) -> str:
        """Hash the weights."""
        digest = hashlib.sha256()
        for name, own in self.weights.items():
            digest.update(name.encode())
            for weight in own:
                digest.update(weight.tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write the weights, without the epoch, to an `.npz` file."""
        arrays: dict[str, Any] = {}
        for name, own in self.weights.items():
            arrays |= {f"{name}.{i}": weight for i, weight in enumerate(own)}
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path, best_epoch: int) -> WarmStart:
        """Read a file of `save`."""
        weights: dict[str, list[np.ndarray]] = {}
        with np.load(path) as arrays:
            for name, weight in arrays.items():
                weights.setdefault(name.rpartition(".")[0], []).append(weight)
        return cls(weights, best_epoch)


@contextlib.contextmanager
def open_training_features(
    model: keras.Model, features: list[Features], recipe: Recipe, start: WarmStart | None, folder: Path | None
) -> Iterator[list[Features]]:
    """Yield the features of a training: channel features where the channels are frozen, else log-mel.

    Args:
        model: The model to train.
        features: Log-mel of its tracks.
        recipe: Its `warm_frozen` says whether channels are frozen.
        start: The warm start of the model, or None.
        folder: Parent of a temporary folder, which may take twice the space of the log-mel; the system's by default.
    """
    if start is None or not recipe.warm_frozen:
        yield features
        return
    with temporary_folder("channels-", folder) as temporary:
        transform = objective.make_channel_function(model)
        cached = cache_channel_features(features, transform, temporary, recipe.max_chunks)
        with check_after_failure(cached):
            yield cached
