"""Some tracks of a corpus: their batches, a model for them, and their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mcc_zoo.evaluation import auto_tagging, pooling
from mcc_zoo.evaluation.thresholds import choose_thresholds
from mcc_zoo.experiment.corpus import Corpus, pick
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.features.cache import Features, mean_and_std, read_chunks
from mcc_zoo.models.architectures import build
from mcc_zoo.models.classifier import Classifier
from mcc_zoo.training import batches, fit
from mcc_zoo.training.devices import needs_static_shapes
from mcc_zoo.training.warm_start import WarmStart


@dataclass(frozen=True)
class Subset:
    """Some tracks of a corpus, for training, validation or test.

    Attributes:
        corpus: All tracks.
        indices: (tracks,) numbers of these tracks in the corpus.
        settings: How to batch them, and what to train on them.
    """

    corpus: Corpus
    indices: np.ndarray
    settings: Settings

    def __len__(self) -> int:
        """Count the tracks."""
        return len(self.indices)

    @property
    def features(self) -> list[Features]:
        """Cached features, one per track."""
        return pick(self.corpus.features, self.indices)

    @property
    def targets(self) -> np.ndarray:
        """(tracks, labels) float32, 1 for each label that a track has, else 0."""
        return self.corpus.targets[self.indices]

    @property
    def training_targets(self) -> np.ndarray | list[np.ndarray]:
        """What training takes as targets: (labels,) of each track, or (chunks, values) where a teacher speaks."""
        return self.targets if self.corpus.taught is None else pick(self.corpus.taught, self.indices)

    @property
    def expected_tags(self) -> np.ndarray:
        """(tracks, labels) float32, what training wants the tags of whole tracks to be."""
        if self.corpus.taught is None:
            return self.targets
        return np.array([own.mean(axis=0)[: len(self.corpus.labels)] for own in self.training_targets])

    def make_training_batches(self, seed: int, strategy: tf.distribute.Strategy) -> batches.TrainingBatches:
        """Batch the tracks for training; the seed fixes their order, a TPU strategy gets static shapes."""
        recipe = self.settings.recipe
        return batches.make_training_batches(
            self.features,
            self.training_targets,
            batch_tracks=recipe.batch_tracks,
            max_chunks=recipe.max_chunks,
            seed=seed,
            static_shapes=needs_static_shapes(strategy),
            names=[str(self.corpus.tracks[index].path) for index in self.indices],
        )

    def make_evaluation_batches(self) -> tf.data.Dataset:
        """Batch the tracks for validation or test, with the targets of the training."""
        recipe = self.settings.recipe
        return batches.make_evaluation_batches(
            self.features, self.training_targets, batch_tracks=recipe.batch_tracks, max_chunks=recipe.max_chunks
        )

    def build_model(
        self, architecture: str, strategy: tf.distribute.Strategy, start: WarmStart | None = None
    ) -> keras.Model:
        """Build a system with the mean and std of these tracks or of its start, under the settings' dtype policy.

        Args:
            architecture: One of `mcc_zoo.ARCHITECTURES`.
            strategy: Where it will be trained.
            start: Weights for its layers; None keeps the initial ones.
        """
        front_end, recipe = self.settings.front_end, self.settings.recipe
        own = start.mean_and_std if start else None
        mean, std = own or mean_and_std(self.features, front_end, recipe.max_chunks)
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.settings.precision)
        try:
            with strategy.scope():
                model = build(
                    architecture,
                    self.corpus.labels,
                    task=self.corpus.task,
                    front_end=front_end,
                    recipe=recipe,
                    mean=mean,
                    std=std,
                )
        finally:
            keras.config.set_dtype_policy(before)
        if start:
            start.copy_to(Classifier(model).chunk_network)
            start.copy_to(Classifier(model).sequence_network)
        return model

    def describe_damage(self) -> str:
        """Say of which tracks the cached features are not finite, and what to do; "" if all are as they should be."""
        bad = [
            str(self.corpus.tracks[index].path)
            for index, one in zip(self.indices, self.features, strict=True)
            if not np.isfinite(read_chunks(one, 0, one.chunks)).all()
        ]
        if not bad:
            return ""
        return (
            f". The cached features of {', '.join(bad)} are not finite: remove the folder of the feature cache, so "
            "that they are computed anew"
        )

    def predict_taggrams(self, model: keras.Model) -> list[list[np.ndarray]]:
        """Predict the tracks: for each its windows, (chunks, labels) probabilities.

        Raises:
            FloatingPointError: Some are not finite.
        """
        windows = batches.list_excerpts(self.features, self.settings.recipe.max_chunks)
        taggrams = fit.predict_taggrams(model, self.make_evaluation_batches(), len(windows))
        if bad := {int(windows[i, 0]) for i, taggram in enumerate(taggrams) if not np.isfinite(taggram).all()}:
            names = ", ".join(str(self.corpus.tracks[self.indices[track]].path) for track in sorted(bad))
            raise FloatingPointError(f"the tags of {names} are not finite{self.describe_damage()}")
        return [[taggrams[i] for i in np.flatnonzero(windows[:, 0] == track)] for track in range(len(self))]

    def pool_taggrams(self, taggrams: Sequence[Sequence[np.ndarray]], has_lstm: bool) -> np.ndarray:
        """Pool the taggrams of `predict_taggrams`: (tracks, labels) probabilities."""
        return np.array([pooling.pool_taggrams(windows, has_lstm) for windows in taggrams])

    def choose_thresholds(self, model: keras.Model) -> np.ndarray:
        """Choose by these tracks the thresholds above which a label is given: (labels,)."""
        probabilities = self.pool_taggrams(self.predict_taggrams(model), Classifier(model).has_lstm)
        return choose_thresholds(self.targets, probabilities)

    def make_rows(
        self, taggrams: Sequence[Sequence[np.ndarray]], has_lstm: bool, thresholds: np.ndarray | None = None
    ) -> list[dict[str, Any]]:
        """Pool the taggrams of `predict_taggrams`: a row of predictions.csv per track, without seed and fold.

        Args:
            taggrams: Of each track.
            has_lstm: As for `mcc_zoo.evaluation.pooling.pool_taggrams`.
            thresholds: (labels,) those of `choose_thresholds`, where tracks have many labels.
        """
        rows = []
        for index, windows in zip(self.indices, taggrams, strict=True):
            track, targets, labels = self.corpus.tracks[index], self.corpus.targets[index], self.corpus.labels
            if thresholds is None:
                row = pooling.make_prediction_row(windows, int(targets.argmax()), labels, has_lstm)
            else:
                chunks, probabilities = sum(map(len, windows)), pooling.pool_taggrams(windows, has_lstm)
                row = auto_tagging.make_prediction_row(probabilities, chunks, targets, thresholds, labels)
            rows.append({"path": track.name, "group": track.group, **row})
        return rows

    def predict(self, model: keras.Model, thresholds: np.ndarray | None = None) -> list[dict[str, Any]]:
        """Predict the tracks: a row of predictions.csv per track, without seed and fold."""
        return self.make_rows(self.predict_taggrams(model), Classifier(model).has_lstm, thresholds)
