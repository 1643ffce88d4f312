"""One system on one fold: trained, tested, and its results written."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mcc_zoo.atomic import PART, publish_folder
from mcc_zoo.datasets.splits import Split
from mcc_zoo.evaluation import scoring
from mcc_zoo.experiment import fold_details, run_folder
from mcc_zoo.experiment.corpus import ROW, Corpus
from mcc_zoo.experiment.identity import identify_run
from mcc_zoo.experiment.pretrained import adapt_recipe, freeze, read_start, unfreeze
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.experiment.subset import Subset
from mcc_zoo.experiment.unfinished import UnfinishedFold
from mcc_zoo.models.classifier import Classifier
from mcc_zoo.recipes import WARM_STARTS
from mcc_zoo.training.checkpoint import Checkpoint
from mcc_zoo.training.devices import ONE_MACHINE, Distribution, make_strategy
from mcc_zoo.training.fit import MONITOR, Fit, fit
from mcc_zoo.training.warm_start import WarmStart, open_training_features
from mcc_zoo.version import library_versions

CHUNK_NETWORK_FILE = "chunk_network.npz"  # its weights, for warm starts
LEARNT = 0.98  # of the label prior's cross-entropy: only channels below it lend their weights
TRAINING_ORDER_SEED = 1_000  # every fold of a seed gets a seed of its own from here on


@dataclass(frozen=True)
class FoldResult:
    """What fold.json holds: sizes, epochs and scores of one system on one fold.

    Attributes:
        seed: Of folds and weights.
        fold: Its number, from 0.
        architecture: The system.
        train: Number of training tracks.
        validation: Number of validation tracks.
        test: Number of test tracks.
        mean: Of the training tracks' log-mel values.
        std: Their standard deviation.
        epochs: Epochs trained.
        best_epoch: The epoch, from 1, whose weights were tested.
        channels_best_epoch: That of the system that a warm start took channels from; 0 without a warm start.
        validation_accuracy: Share of validation tracks, or with many labels of decisions, right in the best epoch.
        validation_cross_entropy: Of the best epoch.
        scores: The main score of the tested tracks by name, a share of 1: `accuracy`, or with many labels `roc_auc`.
        thresholds: With many labels a track, those of the labels in order, which the validation tracks chose.
        seconds: Duration of training and test.
    """

    seed: int
    fold: int
    architecture: str
    train: int
    validation: int
    test: int
    mean: float
    std: float
    epochs: int
    best_epoch: int
    channels_best_epoch: int
    validation_accuracy: float
    validation_cross_entropy: float
    scores: dict[str, float]
    thresholds: list[float] | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return what fold.json holds."""
        content = asdict(self)
        if self.thresholds is None:
            del content["thresholds"]
        scores = content.pop("scores")
        return {**content, **scores}


@dataclass(frozen=True)
class FoldRun:
    """One system on one fold. It can be pickled, so that another process can run it.

    Attributes:
        corpus: All tracks.
        split: Training, validation and test tracks of the fold.
        settings: Those of the whole run.
        seed: Of folds and weights.
        fold: Number of the fold, from 0.
        architecture: The system.
        run_dir: Folder of the whole run.
        device: As for `mcc_zoo.training.devices.make_strategy`.
        distribution: Likewise.
        keeps_model: Whether the tested model is among the results.
    """

    corpus: Corpus
    split: Split
    settings: Settings
    seed: int
    fold: int
    architecture: str
    run_dir: Path
    device: str = "auto"
    distribution: Distribution = ONE_MACHINE
    keeps_model: bool = False

    @property
    def name(self) -> str:
        """System, seed and fold in words."""
        return f"{self.architecture}, seed {self.seed}, fold {self.fold}"

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return run_folder.fold_dir(self.run_dir, self.seed, self.fold, self.architecture)

    @property
    def strategy(self) -> tf.distribute.Strategy:
        """Where to train."""
        return make_strategy(self.device, self.distribution)

    @property
    def training(self) -> Subset:
        """The training tracks."""
        return Subset(self.corpus, self.split.train, self.settings)

    @property
    def validation(self) -> Subset:
        """The validation tracks."""
        return Subset(self.corpus, self.split.validation, self.settings)

    @property
    def tested(self) -> Subset:
        """The tracks to predict: the test tracks, unless the settings ask for the validation tracks."""
        tracks = self.split.validation if self.settings.on_validation else self.split.test
        return Subset(self.corpus, tracks, self.settings)

    @property
    def lender(self) -> FoldRun | None:
        """The run whose channels a warm start takes: the system without an LSTM on the same fold; None without one."""
        recipe = adapt_recipe(self.settings)
        if not recipe.warm_start or self.architecture not in WARM_STARTS:
            return None
        return replace(self, architecture=WARM_STARTS[self.architecture])

    @property
    def lends_channels(self) -> bool:
        """Whether other systems take their channels from this one."""
        return adapt_recipe(self.settings).warm_start and self.architecture in WARM_STARTS.values()

    def is_finished(self) -> bool:
        """Tell whether the results are there and whole; of damaged ones standard error says that they are made anew."""
        if not self.folder.exists():
            return False
        damage = run_folder.find_damage(self.folder, len(self.tested))
        archives = [CHUNK_NETWORK_FILE] * self.lends_channels + [run_folder.MODEL_FILE] * self.keeps_model
        if not damage and (bad := [name for name in archives if not zipfile.is_zipfile(self.folder / name)]):
            damage = f"{self.folder / bad[0]} cannot be read"
        if damage:
            print(f"{damage}: this fold is trained again", file=sys.stderr)
        return not damage

    def run(self, callbacks: Sequence[keras.callbacks.Callback] = ()) -> FoldResult:
        """Train, test, and write the results into `folder`, whole or not at all.

        If a process that was ended has left a checkpoint, the training goes on from there.

        Raises:
            FloatingPointError: A loss became infinite or NaN.
            mcc_zoo.training.asynchronous.LostServerError: A parameter server is gone; a checkpoint is there.
        """
        unfinished = UnfinishedFold(self.folder.with_name(self.folder.name + PART), self.architecture)
        unfinished.open()
        logs = keras.callbacks.TensorBoard(unfinished.logs, write_graph=False)
        start = self.find_warm_start(unfinished)
        model, fitted = self.train(start, unfinished, [*callbacks, logs])
        if self.lends_channels:
            WarmStart.from_network(Classifier(model).chunk_network, fitted.best_epoch).save(
                unfinished.folder / CHUNK_NETWORK_FILE
            )
        if self.keeps_model:
            model.save(unfinished.folder / run_folder.MODEL_FILE)
        thresholds = self.validation.choose_thresholds(model) if self.corpus.task == "multi-label" else None
        scores = self.test(model, unfinished.folder, thresholds)
        fitted.history.to_csv(unfinished.folder / "history.csv", index=False)
        best = fitted.history.iloc[fitted.best_epoch - 1]
        result = FoldResult(
            seed=self.seed,
            fold=self.fold,
            architecture=self.architecture,
            train=len(self.split.train),
            validation=len(self.split.validation),
            test=len(self.split.test),
            mean=Classifier(model).mean,
            std=Classifier(model).std,
            epochs=len(fitted.history),
            best_epoch=fitted.best_epoch,
            channels_best_epoch=start.best_epoch if start else 0,
            validation_accuracy=float(best["val_tags_accuracy"]),
            validation_cross_entropy=float(best[MONITOR]),
            scores=scores,
            thresholds=None if thresholds is None else thresholds.tolist(),
            seconds=round(unfinished.stopwatch.seconds, 1),
        )
        (unfinished.folder / "fold.json").write_text(json.dumps(result.to_json(), indent=1))
        unfinished.remove_checkpoints()
        shutil.rmtree(self.folder, ignore_errors=True)
        publish_folder(unfinished.folder, self.folder)
        return result

    def train(
        self,
        start: WarmStart | None,
        unfinished: UnfinishedFold,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> tuple[keras.Model, Fit]:
        """Build the system and train it, or go on with its training.

        Args:
            start: The warm start, or None.
            unfinished: Where checkpoints and temporary files go.
            callbacks: Further Keras callbacks.

        Returns:
            The model, in float32, with the weights of its best epoch; and how the training went.

        Raises:
            FloatingPointError: A loss became infinite or NaN.
        """
        checkpoint = unfinished.open_checkpoint(self.architecture, self.identify(start))
        try:
            return self._train(start, checkpoint, callbacks)
        except FloatingPointError as error:
            checkpoint.path.unlink(missing_ok=True)  # its epochs have led to this
            tracks = Subset(self.corpus, np.concatenate([self.split.train, self.split.validation]), self.settings)
            raise FloatingPointError(
                f"seed {self.seed}, fold {self.fold}, {error}{tracks.describe_damage()}"
            ) from error

    def identify(self, start: WarmStart | None) -> dict[str, Any]:
        """Return all that decides what the training gives, as JSON values."""
        return {
            **identify_run(self.corpus, self.settings, [self.split]),
            "seed": self.seed,
            "fold": self.fold,
            "architecture": self.architecture,
            "warm_start_sha256": start.hash() if start else None,
            "versions": library_versions(),
        }

    def _train(
        self, start: WarmStart | None, checkpoint: Checkpoint, callbacks: Sequence[keras.callbacks.Callback]
    ) -> tuple[keras.Model, Fit]:
        keras.backend.clear_session()
        keras.utils.set_random_seed(TRAINING_ORDER_SEED * (self.seed + 1) + self.fold)
        model = self.training.build_model(self.architecture, self.strategy, start)
        freeze(model, self.settings)
        recipe = adapt_recipe(self.settings)
        with open_training_features(model, self.corpus.features, recipe, start, checkpoint.path.parent) as features:
            behind_channels = replace(self, corpus=replace(self.corpus, features=features))
            fitted = fit(
                model,
                behind_channels.training.make_training_batches(self.seed, self.strategy),
                behind_channels.validation.make_evaluation_batches(),
                recipe,
                warm=start is not None,
                checkpoint=checkpoint,
                cluster=self.distribution.cluster,
                callbacks=callbacks,
            )
        unfreeze(model)
        return Classifier(model).in_float32(), fitted

    def test(self, model: keras.Model, folder: Path, thresholds: np.ndarray | None = None) -> dict[str, float]:
        """Predict the tested tracks, write predictions, taggrams and filters, and return the main score."""
        classifier = Classifier(model)
        taggrams = self.tested.predict_taggrams(model)
        rows = self.tested.make_rows(taggrams, classifier.has_lstm, thresholds)
        fold_details.write_taggrams(folder, rows, taggrams, self.corpus.labels)
        fold_details.write_filters(folder, classifier.channel_filters())
        for row in rows:
            row.update(seed=self.seed, fold=self.fold, architecture=self.architecture)
        table = pd.DataFrame(rows)[[*ROW, *[column for column in rows[0] if column not in ROW]]]
        table.to_csv(folder / "predictions.csv", index=False)
        score = scoring.find_main_score(table)
        return {score: float(scoring.score_folds(table)[score].iloc[0])}

    def find_warm_start(self, unfinished: UnfinishedFold) -> WarmStart | None:
        """Return the trained weights that the system starts from; None where it starts from nothing.

        They are those of the export that the settings name. Else, for a system with an LSTM, they are those of the same
        system without one on the same fold, which is trained first if no fold result has it. These are left out where
        they hardly beat the label prior on the validation tracks: on music whose labels depend on the order of chunks
        alone, a system without an LSTM has learnt to forget the chunks.
        """
        if self.lender is None:
            return read_start(self.settings)
        folder = self.lender.folder
        if self.lender.is_finished():
            result = json.loads((folder / "fold.json").read_text())
            start, loss = (
                WarmStart.load(folder / CHUNK_NETWORK_FILE, result["best_epoch"]),
                result["validation_cross_entropy"],
            )
        else:
            model, fitted = self.lender.train(None, unfinished)
            start = WarmStart.from_network(Classifier(model).chunk_network, fitted.best_epoch)
            loss = fitted.history[MONITOR].min()
        return start if loss < LEARNT * self.prior_cross_entropy else None

    @property
    def prior_cross_entropy(self) -> float:
        """Cross-entropy of the validation tracks if each label gets its share of the training tracks."""
        shares = self.training.expected_tags.mean(axis=0, dtype=float)
        targets = self.validation.expected_tags
        if self.corpus.task == "single-label":
            return float(-np.log((shares * targets).sum(axis=1)).mean())
        shares = np.clip(shares, 1e-7, 1 - 1e-7)  # as Keras does
        return float(-(targets * np.log(shares) + (1 - targets) * np.log(1 - shares)).mean())
