"""Fine-tuning: an export with new labels, cross-validated and exported again.

A new last layer is fitted to the export's descriptor by logistic regression; validation tracks choose its penalty. With
`unfreeze` all weights are then trained from there, at a low learning rate. The tracks of the manifest have one label
each or many, whatever those of the export had.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from rich.progress import Progress

from mcc_zoo import datasets
from mcc_zoo.atomic import temporary_folder
from mcc_zoo.audio.decoders import Decoder, DecoderName
from mcc_zoo.datasets.cautions import list_spellings
from mcc_zoo.datasets.splits import describe_rare_label, describe_split, draw_splits
from mcc_zoo.experiment.corpus import Corpus, call_with_cache, prepare
from mcc_zoo.experiment.epoch_reports import report_epochs
from mcc_zoo.experiment.provenance import build_provenance
from mcc_zoo.experiment.settings import Settings
from mcc_zoo.experiment.subset import Subset
from mcc_zoo.export.metadata import ExportMetadata, hash_metadata
from mcc_zoo.export.saved_model import check_arguments, export_model
from mcc_zoo.extras import require
from mcc_zoo.features.cache import FeatureCache
from mcc_zoo.inference.locate import PRETRAINED
from mcc_zoo.inference.tagger import Tagger, load
from mcc_zoo.models.classifier import Classifier
from mcc_zoo.progress import progress_bar
from mcc_zoo.recipes import RECIPES, Recipe, drop_former_fields
from mcc_zoo.training import fit
from mcc_zoo.training.batches import list_excerpts
from mcc_zoo.training.output_layer import INVERSE_PENALTIES, LayerInputs, compute_cross_entropy, fit_output_layer

UNFROZEN_RATE = 0.1  # factor of the recipe's learning rate


def finetune(
    manifest: str | os.PathLike[str],
    start_from: str | os.PathLike[str] = PRETRAINED,
    exports_dir: str | os.PathLike[str] = "exported_models",
    name: str | None = None,
    *,
    unfreeze: bool = False,
    epochs: int | None = None,
    folds: int = 5,
    split: str = "auto",
    seed: int = 0,
    licence: str = "not stated",
    cache_dir: str | os.PathLike[str] | None = None,
    decoder: DecoderName | Decoder = "auto",
    label_columns: Sequence[str] = (),
    quiet: bool = False,
) -> Tagger:
    """Fit a new last layer to an export's descriptor, cross-validate it, and export the refit on all tracks.

    Front end, mean and std stay those of the export. Unreadable tracks are left out with a message.

    Args:
        manifest: CSV file of tracks with a label each or many, as for `mcc_zoo.datasets.read_manifest`.
        start_from: The export, by name or folder as for `mcc_zoo.load`: by default the pretrained one of the package.
        exports_dir: Folder of the new export.
        name: Of the new export; by default the old name and the manifest's, joined by "_".
        unfreeze: Train all weights after the last layer, at a tenth of the recipe's learning rate.
        epochs: Most epochs of that training, instead of the recipe's; validation tracks choose the best one.
        folds: Of the cross-validation, at least three.
        split: As for `mcc_zoo.datasets.splits.draw_splits`: by group where the manifest has groups.
        seed: Fixes the folds and the order of training.
        licence: Licence of the music, for the model card.
        cache_dir: Folder that keeps log-mel features for the next run; by default they are deleted.
        decoder: As for `mcc_zoo.load`.
        label_columns: As for `mcc_zoo.datasets.read_manifest`.
        quiet: No progress bars.

    Returns:
        The new version, loaded. Its card and mcc_zoo.json give its origin and its score.

    Raises:
        mcc_zoo.ExportError: There is no export, or it cannot be read.
        mcc_zoo.extras.MissingExtraError: The extra `train` is not installed.
        ValueError: The manifest cannot be read, a label has too few readable tracks, or folds or name are impossible.
    """
    require("sklearn", "train")
    tracks = datasets.read_manifest(Path(manifest), label_columns)
    _check_folds(tracks, split, folds, seed)
    tagger = load(start_from, decoder)
    dataset = Path(manifest).stem
    name = name or f"{tagger.metadata.name}_{dataset}"
    check_arguments(name, tagger.metadata.max_seconds, tagger.front_end)
    recipe, systems = _choose_recipe(tagger.metadata, epochs, unfreeze), (tagger.architecture,)
    settings = Settings(dataset, systems, folds, seed=seed, split=split, recipe=recipe, front_end=tagger.front_end)
    with _open_cache_folder(cache_dir) as cache:
        corpus = _prepare(tracks, FeatureCache(cache, tagger.front_end, tagger.decoder), Path(manifest), quiet)
        with progress_bar(quiet) as bar:
            tuned = call_with_cache(corpus, FineTuning(tagger, corpus, settings, unfreeze, bar).run)
    model, provenance = tuned.model, _provenance(tagger, corpus, settings, tuned, licence)
    return load(export_model(model, exports_dir, name, provenance, tagger.metadata.max_seconds), decoder)


def _choose_recipe(metadata: ExportMetadata, epochs: int | None, unfreeze: bool) -> Recipe:
    """Take the recipe by which the export was trained, or ours where it does not say; windows as in its training."""
    if epochs is not None and (not unfreeze or epochs < 1):
        raise ValueError(f"epochs={epochs!r}: give 1 or more, with unfreeze; a last layer alone takes no epochs")
    own = drop_former_fields(metadata.recipe or {})
    known, needed = ({f.name for f in fields(Recipe) if f.default is MISSING or every} for every in (True, False))
    recipe = Recipe(**own) if needed <= set(own) <= known else RECIPES["tuned"]
    return replace(
        recipe,
        max_chunks=metadata.training_chunks,
        max_epochs=epochs or recipe.max_epochs,
        warm_rate=UNFROZEN_RATE,
        warm_frozen=False,
    )


def _check_folds(tracks: list[datasets.Track], split: str, folds: int, seed: int) -> None:
    """Refuse impossible folds before the model is loaded and hours of decoding, and warn of doubtful ones."""
    for caution in list_spellings(tracks):  # before folds are refused because of a label that few tracks have
        print(f"warning: {caution}", file=sys.stderr)
    draw_splits(tracks, split, folds, seed)
    if rare := describe_rare_label(tracks, split, folds):
        print(f"warning: {rare}", file=sys.stderr)
    if describe_split(tracks, split).startswith("random, no"):
        print(
            "warning: no track has a group (artist, album), so the folds are random: the score is that of music by "
            "artists that were heard in training",
            file=sys.stderr,
        )


@contextlib.contextmanager
def _open_cache_folder(folder: str | os.PathLike[str] | None) -> Iterator[str | os.PathLike[str]]:
    """Yield the folder, or a temporary one."""
    if folder is not None:
        yield folder
        return
    with temporary_folder() as temporary:
        yield temporary


def _prepare(tracks: list[datasets.Track], cache: FeatureCache, manifest: Path, quiet: bool) -> Corpus:
    """Compute the features of all tracks, and refuse a label of which no track can be read."""
    corpus = prepare(tracks, cache, quiet)
    if lost := sorted({label for track in tracks for label in track.all_labels} - set(corpus.labels)):
        raise ValueError(
            f"{manifest}: no track labelled {lost[0]!r} could be read ({': '.join(corpus.refused.iloc[0])}): replace "
            "these files, or take the label out"
        )
    return corpus


@dataclass(frozen=True)
class FineTuned:
    """The result of a fine-tuning.

    Attributes:
        model: The model, fitted on all tracks.
        epochs: Epochs in which all of its weights were trained; 0 where only the last layer was fitted.
        predictions: The rows of predictions.csv.
        thresholds: With many labels a track those of the labels, the mean over folds; else None.
    """

    model: keras.Model
    epochs: int
    predictions: pd.DataFrame
    thresholds: list[float] | None


@dataclass(frozen=True)
class FineTuning:
    """An export, and tracks with new labels to fine-tune it on.

    Attributes:
        tagger: The export.
        corpus: The tracks.
        settings: Folds, seed and recipe.
        unfreeze: Whether all weights are trained after the last layer.
        bar: Shows progress.
    """

    tagger: Tagger
    corpus: Corpus
    settings: Settings
    unfreeze: bool
    bar: Progress

    def run(self) -> FineTuned:
        """Cross-validate, then train on all tracks."""
        splits = draw_splits(self.corpus.tracks, self.settings.split, self.settings.folds, self.settings.seed)
        everything = Subset(self.corpus, np.arange(len(self.corpus.tracks)), self.settings)
        inputs, task = self.compute_layer_inputs(everything), self.corpus.task
        thresholds: list[np.ndarray] = []  # of each fold, where tracks have many labels
        rows: list[dict[str, Any]] = []
        losses: list[list[float]] = []  # of each fold and penalty
        best_epochs: list[int] = []
        for fold, split in enumerate(self.bar.track(splits, description="cross-validation")):
            training, validation, test = (
                Subset(self.corpus, part, self.settings) for part in (split.train, split.validation, split.test)
            )
            own, held_out = inputs.select(split.train), inputs.select(split.validation)
            losses.append(
                [
                    compute_cross_entropy(fit_output_layer(own, inverse_penalty, task), held_out, task)
                    for inverse_penalty in INVERSE_PENALTIES
                ]
            )
            model = self.replace_layer(own, INVERSE_PENALTIES[int(np.argmin(losses[-1]))])
            if self.unfreeze:
                best_epochs.append(self.train_all_weights(model, training, validation))
            key = {"seed": self.settings.seed, "fold": fold, "architecture": self.tagger.architecture}
            if task == "multi-label":
                thresholds.append(validation.choose_thresholds(model))
            rows += [{**key, **row} for row in test.predict(model, thresholds[-1] if thresholds else None)]
        model = self.replace_layer(inputs, INVERSE_PENALTIES[int(np.argmin(np.mean(losses, axis=0)))])
        epochs = int(statistics.median(best_epochs)) if self.unfreeze else 0
        if self.unfreeze:
            self.train_all_weights(model, everything, epochs=epochs)
        mean = np.mean(thresholds, axis=0).tolist() if thresholds else None
        return FineTuned(model, epochs, pd.DataFrame(rows), mean)

    def compute_layer_inputs(self, tracks: Subset) -> LayerInputs:
        """Compute what the export's last layer reads of these tracks, window by window."""
        model, chunks = self.tagger.model, np.array([features.chunks for features in tracks.features])
        windows = list_excerpts(tracks.features, self.settings.recipe.max_chunks)
        batches = tracks.make_evaluation_batches()
        shown = self.bar.track(batches, total=int(batches.cardinality()), description="computing descriptors")
        values = fit.compute_layer_inputs(model, shown, len(windows))
        weights = [np.full(len(own), 1 / chunks[track]) for own, track in zip(values, windows[:, 0], strict=True)]
        if Classifier(model).has_lstm:  # a window's tags are those of its last step
            values, weights = [own[-1:] for own in values], [own.sum(keepdims=True) for own in weights]
        owners = np.repeat(windows[:, 0], [len(own) for own in values])
        return LayerInputs(np.concatenate(values), tracks.targets[owners], np.concatenate(weights), owners)

    def replace_layer(self, inputs: LayerInputs, inverse_penalty: float) -> keras.Model:
        """Copy the export's model with a last layer for the new labels, fitted to these inputs."""
        copy = Classifier(self.tagger.model).with_labels(self.corpus.labels, self.corpus.task)
        Classifier(copy).output_layer.set_weights(fit_output_layer(inputs, inverse_penalty, self.corpus.task))
        return copy

    def train_all_weights(
        self, model: keras.Model, training: Subset, validation: Subset | None = None, epochs: int | None = None
    ) -> int:
        """Train all weights in place and return the best epoch."""
        recipe, seed = self.settings.recipe, self.settings.seed
        keras.utils.set_random_seed(seed)
        task = self.bar.add_task("training all weights", total=epochs or recipe.max_epochs)
        fitted = fit.fit(
            model,
            training.make_training_batches(seed, tf.distribute.get_strategy()),
            None if validation is None else validation.make_evaluation_batches(),
            recipe,
            epochs=epochs,
            warm=True,
            callbacks=[report_epochs(lambda done, _: self.bar.update(task, completed=done))],
        )
        self.bar.remove_task(task)
        return fitted.best_epoch


def _provenance(tagger: Tagger, corpus: Corpus, settings: Settings, tuned: FineTuned, licence: str) -> dict[str, Any]:
    """Say what the export comes from, for its card and its mcc_zoo.json."""
    metadata = tagger.metadata
    source = f'"{metadata.dataset}"' if metadata.dataset else "music that is not stated"
    limits = [
        f'Its descriptor was learnt on {source}. If the tracks of "{settings.dataset}", or others of their artists, '
        "were among that music, its score is not one on new music."
    ]
    built = build_provenance(
        corpus,
        settings,
        tagger.architecture,
        tuned.predictions,
        licence=licence,
        epochs=tuned.epochs,
        thresholds=tuned.thresholds,
        limits=limits,
    )
    return {
        **built,
        "set_aside": len(corpus.refused),
        "finetuned_from": {
            "name": metadata.name,
            "version": tagger.folder.name,
            "sha256": hash_metadata(tagger.folder),
            "dataset": metadata.dataset or "not stated",
            "licence": metadata.licence or "not stated",
        },
    }
